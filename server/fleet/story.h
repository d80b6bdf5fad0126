/* SPDX-License-Identifier: MIT
 * The story of an update: which event moves which state, and in what words. Pure: the caller loads
 * and saves. */
#ifndef OTAD_FLEET_STORY_H
#define OTAD_FLEET_STORY_H

#include <stdbool.h>
#include <stdint.h>

#include "fleet/decide.h"
#include "fleet/update.h"

#define STORY_PUSH "push_" /* how the causes of failed pushes begin */
#define STORY_POLL_S 60    /* a sketch that only polls `.version` asks for the image within that */

/** What one check-in says about one update. */
struct story_checkin {
    enum reason same;     /* why it runs the update's build; REASON_NONE: it doesn't, or unknown */
    bool known;           /* it said something that tells what it runs */
    bool as_before;       /* that is what it ran before the update */
    bool poll;            /* asked only for the number of what there is */
    bool asks_image;      /* asked for the image */
    bool filesystem;      /* of a filesystem build, without a version */
    const char *version;  /* as said, "" = not */
    int64_t attempts_max; /* of the product */
    int64_t last_seen_s;  /* before this check-in */
    int64_t at_s;
};

/** An image was offered. A story that ended in a hold stays so when only a token opened it. */
void story_served(struct update *u, bool by_token, int64_t at_s);

/** A whole image has arrived.  @param attempts  that count, this one included */
void story_arrived(struct update *u, int64_t attempts, int64_t at_s);

/** A download broke off.  @param percent  of the image that had arrived */
void story_broke(struct update *u, int64_t percent, const char *why, int64_t at_s);

/** A push brought the whole image, and the device has confirmed it.
 *  @param checks_in  whether it has ever checked in: only then will it be seen running the build */
void story_confirmed(struct update *u, int64_t attempts, bool checks_in, int64_t at_s);

/** A push failed. That is no failure of the build: it says nothing of what it does on a device.
 *  @param cause  as push/push.h spells it  @param words  what was seen */
void story_push_failed(struct update *u, const char *cause, const char *words, int64_t at_s);

/** The device was seen. @return whether that changed anything */
bool story_checked_in(struct update *u, const struct story_checkin *c);

/** The device has been silent for longer than the product's patience.
 *  @param last_seen_s  of the device */
void story_silent(struct update *u, int64_t last_seen_s, int64_t at_s);

/** A sketch has polled `.version` and not come for the image: its number is no longer lower. */
void story_stayed_away(struct update *u, int64_t at_s);

/** A person wants it tried again, or wants this build on the device. */
void story_wanted(struct update *u, int64_t at_s);

/** The device says itself how it went. What was seen of it counts more: an end that rests on that
 *  stays.  @param result  success, failed or rolled_back  @return whether that changed anything */
bool story_reported(struct update *u, const char *result, const char *words, int64_t at_s);

/** A filesystem arrived, and its device was seen again: asking for its sketch, it doesn't say which
 *  filesystem it has. */
void story_fs_seen(struct update *u, int64_t at_s);

/** A pin that made it pending was taken back. */
void story_unwanted(struct update *u, int64_t at_s);

/** Another build took its place. */
void story_superseded(struct update *u, int64_t at_s);

/** Whether a state is one that counts as a failure of its build. */
bool story_is_failure(const struct update *u);

#endif
