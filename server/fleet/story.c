/* SPDX-License-Identifier: MIT
 * Owns the rules of the state machine of updates. */
#include "fleet/story.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void move(struct update *u, enum update_state state, const char *cause, int64_t at_s)
{
    u->state = state;
    (void)snprintf(u->cause, sizeof u->cause, "%s", cause);
    u->detail[0] = '\0';
    u->updated_at_s = at_s;
}

static void say(struct update *u, const char *fmt, ...) OTAD_PRINTF(2, 3);
static void say(struct update *u, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(u->detail, sizeof u->detail, fmt, args);
    va_end(args);
}

static bool is_held(const struct update *u)
{
    return u->state == UPDATE_ROLLED_BACK || u->state == UPDATE_ATTEMPTS_EXHAUSTED;
}

void story_served(struct update *u, bool by_token, int64_t at_s)
{
    if (by_token && is_held(u)) {
        u->updated_at_s = at_s;
        return;
    }
    move(u, UPDATE_IN_PROGRESS, "", at_s);
}

void story_arrived(struct update *u, int64_t attempts, int64_t at_s)
{
    u->attempts = attempts;
    u->polled_at_s = 0;
    u->updated_at_s = at_s;
    if (u->state != UPDATE_IN_PROGRESS && u->state != UPDATE_PENDING)
        return;
    move(u, UPDATE_SENT, "", at_s);
    say(u, "the whole image has arrived; waiting for the device to come back");
}

void story_broke(struct update *u, int64_t percent, const char *why, int64_t at_s)
{
    u->updated_at_s = at_s;
    if (u->state == UPDATE_IN_PROGRESS)
        say(u, "stopped at %" PRId64 " %%: %s", percent, why);
}

void story_confirmed(struct update *u, int64_t attempts, bool checks_in, int64_t at_s)
{
    story_arrived(u, attempts, at_s);
    if (u->state == UPDATE_SENT)
        say(u, "%s",
            checks_in ? "the device has confirmed the image; waiting for it to come back"
                      : "the device has confirmed the image; it never checks in, so what it "
                        "runs now is not seen");
}

void story_push_failed(struct update *u, const char *cause, const char *words, int64_t at_s)
{
    char word[sizeof u->cause];
    u->updated_at_s = at_s;
    if (u->state != UPDATE_IN_PROGRESS)
        return;
    (void)snprintf(word, sizeof word, STORY_PUSH "%s", cause);
    move(u, UPDATE_FAILED, word, at_s);
    say(u, "%s", words);
}

static bool is_push(const struct update *u)
{
    return strncmp(u->cause, STORY_PUSH, strlen(STORY_PUSH)) == 0;
}

/* It has had all its attempts. What the device itself said of the last one is the better advice. */
static void exhaust(struct update *u, const struct story_checkin *c, const char *version)
{
    bool told = u->state == UPDATE_FAILED && strcmp(u->cause, "reported") == 0;
    char words[sizeof u->detail];
    memcpy(words, u->detail, sizeof words);
    move(u, UPDATE_ATTEMPTS_EXHAUSTED, told ? "reported" : "", c->at_s);
    if (told)
        say(u, "%" PRId64 " whole image%s arrived and the device still runs %s; %.160s",
            u->attempts, u->attempts == 1 ? "" : "s", version, words);
    else
        say(u,
            "%" PRId64 " whole image%s arrived and the device still runs %s: is the version in its "
            "source the one of this build, and does it restart after the update?",
            u->attempts, u->attempts == 1 ? "" : "s", version);
}

/* It came back and doesn't run the build. */
static void came_back_without(struct update *u, const struct story_checkin *c)
{
    int64_t after_s = c->at_s - u->updated_at_s;
    const char *version = c->version[0] != '\0' ? c->version : "another build";
    if (u->attempts >= c->attempts_max) {
        exhaust(u, c, version);
        return;
    }
    move(u, UPDATE_FAILED, "came_back_old", c->at_s);
    say(u, "the whole image had arrived; %" PRId64 " s later the device is back running %s",
        after_s, version);
}

static void roll_back(struct update *u, const struct story_checkin *c)
{
    move(u, UPDATE_ROLLED_BACK, "", c->at_s);
    say(u, "it ran this build until %" PRId64 " s before, and is back on %s",
        c->at_s - c->last_seen_s, c->version[0] != '\0' ? c->version : "what it ran before");
}

static bool install(struct update *u, const struct story_checkin *c)
{
    if (u->state == UPDATE_INSTALLED)
        return false;
    move(u, UPDATE_INSTALLED, "", c->at_s);
    say(u, "%s",
        c->same == REASON_SAME_CONTENT   ? "the digest it reports is the one of this build"
        : c->same == REASON_SAME_VERSION ? "it says it runs the version of this build"
                                         : "inferred: it came back after all of it had arrived");
    return true;
}

/* A sketch asks for the number, and then for the image if its own is lower. */
static bool came_for_the_image(const struct update *u, const struct story_checkin *c)
{
    return c->asks_image && u->polled_at_s > 0 && c->at_s - u->polled_at_s <= STORY_POLL_S;
}

/* A sketch that was inferred to run the build asks for its image: its own number is lower again. */
static bool seen_installed(struct update *u, const struct story_checkin *c)
{
    if (c->as_before || (!c->known && came_for_the_image(u, c))) {
        roll_back(u, c);
        return true;
    }
    if (!c->poll || u->polled_at_s == 0)
        return false;
    u->polled_at_s = c->at_s;
    return true;
}

bool story_checked_in(struct update *u, const struct story_checkin *c)
{
    bool superseded = strcmp(u->cause, "superseded") == 0;
    if (c->same != REASON_NONE || (c->filesystem && u->state == UPDATE_SENT))
        return install(u, c);
    if (u->state == UPDATE_INSTALLED)
        return seen_installed(u, c);
    if (c->poll && u->state == UPDATE_SENT) {
        bool first = u->polled_at_s == 0;
        if (first)
            u->polled_at_s = c->at_s;
        return first;
    }
    bool used_up = u->attempts >= c->attempts_max && (c->known || c->asks_image);
    bool old = u->state == UPDATE_SENT ? c->known || came_for_the_image(u, c)
                                       : c->known && strcmp(u->cause, "not_seen_again") == 0;
    if (superseded || is_held(u) || u->state == UPDATE_PENDING || (!old && !used_up))
        return false;
    came_back_without(u, c);
    return true;
}

void story_silent(struct update *u, int64_t last_seen_s, int64_t at_s)
{
    bool sent = u->state == UPDATE_SENT;
    char before[sizeof u->detail];
    memcpy(before, u->detail, sizeof before);
    move(u, UPDATE_FAILED, "not_seen_again", at_s);
    if (sent)
        say(u, "the whole image had arrived; not seen for %" PRId64 " s since", at_s - last_seen_s);
    else
        say(u, "%.120s%snot seen for %" PRId64 " s since", before, before[0] ? "; " : "",
            at_s - last_seen_s);
}

void story_stayed_away(struct update *u, int64_t at_s)
{
    move(u, UPDATE_INSTALLED, "", at_s);
    say(u, "inferred: it asked for the number of this build and not for the image again");
}

void story_wanted(struct update *u, int64_t at_s)
{
    move(u, UPDATE_PENDING, "", at_s);
    u->attempts = 0;
    u->polled_at_s = 0;
    u->retried_at_s = at_s;
}

bool story_reported(struct update *u, const char *result, const char *words, int64_t at_s)
{
    bool failed = strcmp(result, "failed") == 0;
    bool seen = u->state == UPDATE_INSTALLED || is_held(u) || strcmp(u->cause, "superseded") == 0;
    if (seen || (!failed && strcmp(result, "rolled_back") != 0))
        return false;
    move(u, failed ? UPDATE_FAILED : UPDATE_ROLLED_BACK, "reported", at_s);
    say(u, "%s", words);
    return true;
}

void story_fs_seen(struct update *u, int64_t at_s)
{
    move(u, UPDATE_INSTALLED, "", at_s);
    say(u, "inferred: all of it had arrived, and the device came back");
}

void story_unwanted(struct update *u, int64_t at_s)
{
    move(u, UPDATE_FAILED, "superseded", at_s);
    say(u, "its pin was taken back before the device came for it");
}

void story_superseded(struct update *u, int64_t at_s)
{
    move(u, UPDATE_FAILED, "superseded", at_s);
    say(u, "another build was offered before this one was seen running");
}

bool story_is_failure(const struct update *u)
{
    return is_held(u) ||
           (u->state == UPDATE_FAILED && strcmp(u->cause, "superseded") != 0 && !is_push(u));
}
