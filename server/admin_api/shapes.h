/* SPDX-License-Identifier: MIT
 * JSON of each resource: one function a shape, the only place where its keys stand. */
#ifndef OTAD_ADMIN_API_SHAPES_H
#define OTAD_ADMIN_API_SHAPES_H

#include <jansson.h>

#include "fleet/audit.h"
#include "fleet/build.h"
#include "fleet/channel.h"
#include "fleet/device.h"
#include "fleet/events.h"
#include "fleet/key.h"
#include "fleet/preflight.h"
#include "fleet/product.h"
#include "fleet/product_key.h"
#include "fleet/update.h"

/** Each gives a new object, or NULL when out of memory. Those with a db read what else belongs to
 *  the shape; a database error then gives NULL too, with ei set. */
json_t *shape_product(struct db *db, const struct product *p, struct otad_errinfo *ei);
json_t *shape_build(struct db *db, const char *slug, const struct build *b,
                    struct otad_errinfo *ei);
json_t *shape_channel(struct db *db, const char *slug, const struct channel *c,
                      struct otad_errinfo *ei);
json_t *shape_device(struct db *db, const char *slug, const struct device *d,
                     struct otad_errinfo *ei);
json_t *shape_update(struct db *db, const char *slug, const struct update *u,
                     struct otad_errinfo *ei);

/** The story of an update: an array of {at, kind(state|download|push|report), text}, oldest first.
 */
json_t *shape_story(struct db *db, int64_t update, struct otad_errinfo *ei);
/** The steps of a push that have ended: an array of {step, outcome, began_at, took_ms, tries,
 * detail}, in order. */
json_t *shape_push_steps(struct db *db, int64_t transfer);
json_t *shape_preflight(const struct preflight *p);
json_t *shape_key(const struct key *k);
json_t *shape_product_key(const struct product_key *k);
json_t *shape_audit(const struct audit *a);
/** The numbers of a product at a time. Reads much: for the worker thread. */
json_t *shape_stats(struct db *db, const struct product *p, int64_t now_s, struct otad_errinfo *ei);
/** Only what the event has. @param slug  of its product, when it doesn't say so itself */
json_t *shape_event(const struct event *e, const char *slug);

#endif
