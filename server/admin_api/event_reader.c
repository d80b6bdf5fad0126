/* SPDX-License-Identifier: MIT
 * Owns which events a key may see. */
#include "admin_api/event_reader.h"

#include "admin_api/shapes.h"
#include "base/mac.h"
#include "fleet/otad.h"

static enum otad_err read_product(struct http_req *req, struct event_reader *r,
                                  struct otad_errinfo *ei)
{
    const struct http_who *who = http_req_who(req);
    const char *slug = http_req_query(req, "product");
    struct db *db;
    r->filter.product = who->product;
    /* What belongs to no product (keys) is the audit's, and so for admins of all products. */
    r->filter.only_products = who->role < HTTP_ACCESS_ADMIN;
    if (slug == NULL)
        return OTAD_E_OK;
    enum otad_err err = otad_reader(r->otad, &db, ei);
    if (err == OTAD_E_OK)
        err = product_find(db, slug, &r->product, ei);
    if (err != OTAD_E_OK)
        return err;
    if (who->product != 0 && who->product != r->product.id)
        return otad_fail(ei, OTAD_E_FORBIDDEN, "The key '%s' is for another product", who->name);
    r->filter.product = r->product.id;
    return OTAD_E_OK;
}

enum otad_err event_reader_begin(struct http_req *req, struct event_reader *out,
                                 struct otad_errinfo *ei)
{
    const char *mac = http_req_query(req, "mac");
    *out = (struct event_reader){.otad = http_req_app(req)};
    if (mac != NULL && !mac_parse(mac, &out->filter.mac))
        return otad_fail(ei, OTAD_E_INVALID, "'%.40s' is no MAC address", mac);
    return read_product(req, out, ei);
}

static void find_slug(struct event_reader *r, const struct event *event)
{
    struct db *db;
    if (event->product == r->product.id || event->product == 0 || event->slug[0] != '\0')
        return;
    if (otad_reader(r->otad, &db, NULL) != OTAD_E_OK ||
        product_find_id(db, event->product, &r->product, NULL) != OTAD_E_OK)
        r->product = (struct product){.id = 0};
}

json_t *event_reader_shape(struct event_reader *r, const struct event *event)
{
    find_slug(r, event);
    return shape_event(event, r->product.slug);
}
