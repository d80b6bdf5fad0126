/* SPDX-License-Identifier: MIT
 * The state machine of updates: each rule by itself, and random stories against a simple model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/story.h"
#include "support/unit.h"

#define MAX 3

static struct update fresh(enum update_state state)
{
    struct update u = {.state = state, .updated_at_s = 100, .to_version = "2", .from_version = "1"};
    return u;
}

static struct story_checkin seen(const char *version)
{
    return (struct story_checkin){.same =
                                      strcmp(version, "2") == 0 ? REASON_SAME_VERSION : REASON_NONE,
                                  .known = version[0] != '\0',
                                  .as_before = strcmp(version, "1") == 0,
                                  .version = version,
                                  .attempts_max = MAX,
                                  .last_seen_s = 190,
                                  .at_s = 200};
}

static void is(const char *what, const struct update *u, enum update_state state, const char *cause)
{
    ck_assert_msg(u->state == state && strcmp(u->cause, cause) == 0, "%s: %s=%s (%s)", what,
                  update_state_name(u->state), u->cause, u->detail);
}

/* Every state, and a check-in with the new version, the old one, a third, and none. */
static const struct {
    enum update_state before;
    const char *cause;
    int64_t attempts;
    const char *version;
    bool changed;
    enum update_state after;
    const char *after_cause;
} seen_rows[] = {
    {UPDATE_PENDING,            "",               0, "2", true,  UPDATE_INSTALLED,          ""             },
    {UPDATE_PENDING,            "",               0, "1", false, UPDATE_PENDING,            ""             },
    {UPDATE_IN_PROGRESS,        "",               0, "2", true,  UPDATE_INSTALLED,          ""             },
    {UPDATE_IN_PROGRESS,        "",               0, "1", false, UPDATE_IN_PROGRESS,        ""             },
    {UPDATE_IN_PROGRESS,        "",               3, "1", true,  UPDATE_ATTEMPTS_EXHAUSTED, ""             },
    {UPDATE_SENT,               "",               1, "2", true,  UPDATE_INSTALLED,          ""             },
    {UPDATE_SENT,               "",               1, "1", true,  UPDATE_FAILED,             "came_back_old"},
    {UPDATE_SENT,               "",               1, "9", true,  UPDATE_FAILED,             "came_back_old"},
    {UPDATE_SENT,               "",               1, "",  false, UPDATE_SENT,               ""             },
    {UPDATE_SENT,               "",               3, "1", true,  UPDATE_ATTEMPTS_EXHAUSTED, ""             },
    {UPDATE_INSTALLED,          "",               1, "2", false, UPDATE_INSTALLED,          ""             },
    {UPDATE_INSTALLED,          "",               1, "1", true,  UPDATE_ROLLED_BACK,        ""             },
    {UPDATE_INSTALLED,          "",               1, "9", false, UPDATE_INSTALLED,          ""             },
    {UPDATE_INSTALLED,          "",               1, "",  false, UPDATE_INSTALLED,          ""             },
    {UPDATE_FAILED,             "not_seen_again", 1, "2", true,  UPDATE_INSTALLED,          ""             },
    {UPDATE_FAILED,             "not_seen_again", 1, "1", true,  UPDATE_FAILED,             "came_back_old"},
    {UPDATE_FAILED,             "came_back_old",  1, "1", false, UPDATE_FAILED,             "came_back_old"},
    {UPDATE_FAILED,             "came_back_old",  3, "1", true,  UPDATE_ATTEMPTS_EXHAUSTED, ""             },
    {UPDATE_FAILED,             "reported",       1, "1", false, UPDATE_FAILED,             "reported"     },
    {UPDATE_FAILED,             "reported",       3, "1", true,  UPDATE_ATTEMPTS_EXHAUSTED, "reported"     },
    {UPDATE_FAILED,             "superseded",     3, "1", false, UPDATE_FAILED,             "superseded"   },
    {UPDATE_FAILED,             "superseded",     1, "2", true,  UPDATE_INSTALLED,          ""             },
    {UPDATE_ROLLED_BACK,        "",               1, "1", false, UPDATE_ROLLED_BACK,        ""             },
    {UPDATE_ROLLED_BACK,        "",               1, "2", true,  UPDATE_INSTALLED,          ""             },
    {UPDATE_ATTEMPTS_EXHAUSTED, "",               3, "1", false, UPDATE_ATTEMPTS_EXHAUSTED, ""             },
    {UPDATE_ATTEMPTS_EXHAUSTED, "",               3, "2", true,  UPDATE_INSTALLED,          ""             },
};

START_TEST(seen_row)
{
    char what[64];
    struct update u = fresh(seen_rows[_i].before);
    const struct story_checkin c = seen(seen_rows[_i].version);
    (void)snprintf(u.cause, sizeof u.cause, "%s", seen_rows[_i].cause);
    u.attempts = seen_rows[_i].attempts;
    (void)snprintf(what, sizeof what, "%s, then %s", update_state_name(u.state), c.version);
    bool changed = story_checked_in(&u, &c);
    ck_assert_msg(changed == seen_rows[_i].changed, "%s: changed %d", what, changed);
    is(what, &u, seen_rows[_i].after, seen_rows[_i].after_cause);
    if (changed) {
        ck_assert_int_eq(u.updated_at_s, 200);
        ck_assert_uint_gt(strlen(u.detail), 0);
    }
}
END_TEST

START_TEST(words_tell_how_long_and_what)
{
    struct update u = fresh(UPDATE_SENT);
    struct story_checkin c = seen("1");
    (void)story_checked_in(&u, &c);
    ck_assert_str_eq(u.detail,
                     "the whole image had arrived; 100 s later the device is back running 1");
    u = fresh(UPDATE_INSTALLED);
    (void)story_checked_in(&u, &c);
    ck_assert_str_eq(u.detail, "it ran this build until 10 s before, and is back on 1");
    u = fresh(UPDATE_IN_PROGRESS);
    story_broke(&u, 41, "reset by the peer", 150);
    is("broke", &u, UPDATE_IN_PROGRESS, "");
    ck_assert_str_eq(u.detail, "stopped at 41 %: reset by the peer");
    story_silent(&u, 150, 1150);
    is("silent", &u, UPDATE_FAILED, "not_seen_again");
    ck_assert_str_eq(u.detail, "stopped at 41 %: reset by the peer; not seen for 1000 s since");
}
END_TEST

START_TEST(what_the_device_said_of_its_last_attempt_stays)
{
    struct update u = fresh(UPDATE_SENT);
    struct story_checkin c = seen("1");
    u.attempts = MAX;
    ck_assert(story_reported(&u, "failed", "the device reported code -4: flash", 150));
    ck_assert(story_checked_in(&u, &c));
    is("used up", &u, UPDATE_ATTEMPTS_EXHAUSTED, "reported");
    ck_assert_str_eq(u.detail, "3 whole images arrived and the device still runs 1; "
                               "the device reported code -4: flash");
}
END_TEST

START_TEST(poll_then_image_is_the_old_version_back)
{
    struct update u = fresh(UPDATE_SENT);
    struct story_checkin poll = seen(""), image = seen("");
    poll.poll = true;
    image.asks_image = true;
    image.at_s = 201;
    ck_assert(!story_checked_in(&u, &image)); /* without a poll it says nothing */
    ck_assert(story_checked_in(&u, &poll));
    ck_assert_int_eq(u.polled_at_s, 200);
    ck_assert(!story_checked_in(&u, &poll)); /* the first counts */
    ck_assert(story_checked_in(&u, &image));
    is("image after poll", &u, UPDATE_FAILED, "came_back_old");
}
END_TEST

START_TEST(poll_without_image_is_installed)
{
    struct update u = fresh(UPDATE_SENT);
    struct story_checkin poll = seen("");
    poll.poll = true;
    (void)story_checked_in(&u, &poll);
    story_stayed_away(&u, 261);
    is("stayed away", &u, UPDATE_INSTALLED, "");
    ck_assert_ptr_nonnull(strstr(u.detail, "inferred"));
}
END_TEST

START_TEST(image_long_after_a_poll_says_nothing)
{
    struct update u = fresh(UPDATE_SENT);
    struct story_checkin image = seen("");
    u.polled_at_s = 100;
    image.asks_image = true;
    image.at_s = 100 + STORY_POLL_S + 1;
    ck_assert(!story_checked_in(&u, &image));
}
END_TEST

START_TEST(image_asked_for_after_an_inferred_install_is_the_old_version_back)
{
    struct update u = fresh(UPDATE_SENT);
    struct story_checkin poll = seen(""), image = seen("");
    poll.poll = image.asks_image = true;
    poll.at_s = 200;
    ck_assert(story_checked_in(&u, &poll));
    story_stayed_away(&u, 200 + STORY_POLL_S + 1);
    image.at_s = 1000;
    ck_assert(!story_checked_in(&u, &image)); /* by hand: no sketch asked for the number before */
    is("by hand", &u, UPDATE_INSTALLED, "");
    poll.at_s = 2000;
    ck_assert(story_checked_in(&u, &poll));
    is("polled", &u, UPDATE_INSTALLED, "");
    image.at_s = 2003;
    ck_assert(story_checked_in(&u, &image));
    is("asked for", &u, UPDATE_ROLLED_BACK, "");
}
END_TEST

START_TEST(client_that_says_nothing_is_held_after_its_attempts)
{
    struct update u = fresh(UPDATE_SENT);
    struct story_checkin image = seen("");
    image.asks_image = true;
    u.attempts = MAX;
    ck_assert(story_checked_in(&u, &image));
    is("used up", &u, UPDATE_ATTEMPTS_EXHAUSTED, "");
}
END_TEST

START_TEST(filesystem_that_says_nothing_is_installed_when_seen_again)
{
    struct update u = fresh(UPDATE_SENT);
    struct story_checkin c = seen("");
    c.filesystem = true;
    ck_assert(story_checked_in(&u, &c));
    is("seen again", &u, UPDATE_INSTALLED, "");
    u = fresh(UPDATE_IN_PROGRESS);
    ck_assert(!story_checked_in(&u, &c)); /* not before the whole image arrived */
}
END_TEST

START_TEST(token_opens_but_forgives_nothing)
{
    struct update u = fresh(UPDATE_ROLLED_BACK);
    story_served(&u, true, 300);
    is("by token", &u, UPDATE_ROLLED_BACK, "");
    story_arrived(&u, 0, 301);
    is("arrived by token", &u, UPDATE_ROLLED_BACK, "");
    story_served(&u, false, 302);
    is("offered", &u, UPDATE_IN_PROGRESS, "");
}
END_TEST

START_TEST(wanted_forgives_all)
{
    struct update u = fresh(UPDATE_ATTEMPTS_EXHAUSTED);
    u.attempts = 5;
    u.polled_at_s = 7;
    story_wanted(&u, 400);
    is("wanted", &u, UPDATE_PENDING, "");
    ck_assert_int_eq(u.attempts, 0);
    ck_assert_int_eq(u.polled_at_s, 0);
    ck_assert_int_eq(u.retried_at_s, 400);
    ck_assert(!story_is_failure(&u));
}
END_TEST

START_TEST(failures_are_told_from_ends_that_are_none)
{
    struct update u = fresh(UPDATE_FAILED);
    (void)snprintf(u.cause, sizeof u.cause, "not_seen_again");
    ck_assert(story_is_failure(&u));
    story_superseded(&u, 1);
    ck_assert(!story_is_failure(&u));
    u = fresh(UPDATE_ROLLED_BACK);
    ck_assert(story_is_failure(&u));
    u = fresh(UPDATE_ATTEMPTS_EXHAUSTED);
    ck_assert(story_is_failure(&u));
    u = fresh(UPDATE_INSTALLED);
    ck_assert(!story_is_failure(&u));
}
END_TEST

/* A push that fails says nothing of the build; one that succeeds is only seen at a check-in. */
START_TEST(pushes_end_as_what_was_seen)
{
    struct update u = fresh(UPDATE_IN_PROGRESS);
    story_push_failed(&u, "no_answer", "it said nothing", 200);
    is("a failed push", &u, UPDATE_FAILED, "push_no_answer");
    ck_assert_str_eq(u.detail, "it said nothing");
    ck_assert_int_eq(u.updated_at_s, 200);
    ck_assert(!story_is_failure(&u));
    struct story_checkin c = seen("1");
    ck_assert(!story_checked_in(&u, &c)); /* it still runs the old one: nothing new */
    c = seen("2");
    ck_assert(story_checked_in(&u, &c)); /* it got it all the same */
    is("a check-in behind a failed push", &u, UPDATE_INSTALLED, "");
    u = fresh(UPDATE_INSTALLED);
    story_push_failed(&u, "stalled", "x", 300); /* it was seen running it meanwhile */
    is("a push behind an install", &u, UPDATE_INSTALLED, "");
    u = fresh(UPDATE_IN_PROGRESS);
    story_confirmed(&u, 1, true, 200);
    is("a confirmed push", &u, UPDATE_SENT, "");
    ck_assert_ptr_nonnull(strstr(u.detail, "waiting for it to come back"));
    u = fresh(UPDATE_IN_PROGRESS);
    story_confirmed(&u, 1, false, 200);
    is("a confirmed push", &u, UPDATE_SENT, "");
    ck_assert_ptr_nonnull(strstr(u.detail, "never checks in"));
}
END_TEST

static const struct {
    enum update_state before;
    const char *result;
    bool changed;
    enum update_state after;
} reported_rows[] = {
    {UPDATE_IN_PROGRESS,        "failed",      true,  UPDATE_FAILED            },
    {UPDATE_SENT,               "failed",      true,  UPDATE_FAILED            },
    {UPDATE_SENT,               "rolled_back", true,  UPDATE_ROLLED_BACK       },
    {UPDATE_SENT,               "success",     false, UPDATE_SENT              },
    {UPDATE_INSTALLED,          "failed",      false, UPDATE_INSTALLED         },
    {UPDATE_INSTALLED,          "rolled_back", false, UPDATE_INSTALLED         },
    {UPDATE_ROLLED_BACK,        "failed",      false, UPDATE_ROLLED_BACK       },
    {UPDATE_ATTEMPTS_EXHAUSTED, "failed",      false, UPDATE_ATTEMPTS_EXHAUSTED},
};

START_TEST(report_overrides_no_evidence)
{
    struct update u = fresh(reported_rows[_i].before);
    bool changed = story_reported(&u, reported_rows[_i].result, "words", 300);
    ck_assert_int_eq(changed, reported_rows[_i].changed);
    is(reported_rows[_i].result, &u, reported_rows[_i].after, changed ? "reported" : "");
    if (changed)
        ck_assert_str_eq(u.detail, "words");
}
END_TEST

/* The model: what the device runs is known to us, and only three things count: whether a whole
 * image arrived since it last ran the new build, how often, and what it last said. */
struct model {
    bool runs_new, ran_new;
    int arrived;     /* whole images since the last retry */
    bool unanswered; /* one arrived and it hasn't been seen since */
    bool rolled_back, used_up;
};

START_TEST(random_story_agrees_with_the_model)
{
    unsigned seed = (unsigned)_i;
    struct update u = fresh(UPDATE_PENDING);
    struct model m = {.runs_new = false};
    int64_t now = 1000;
    for (int step = 0; step < 60; step++) {
        struct story_checkin c = seen(m.runs_new ? "2" : "1");
        now += rand_r(&seed) % 50;
        c.at_s = now;
        switch (rand_r(&seed) % 6) {
        case 0: /* comes back, maybe having applied it, or having gone back */
            if (m.unanswered && rand_r(&seed) % 2)
                m.runs_new = true;
            else if (m.runs_new && rand_r(&seed) % 8 == 0)
                m.runs_new = false;
            c = seen(m.runs_new ? "2" : "1");
            c.at_s = now;
            (void)story_checked_in(&u, &c);
            if (m.ran_new && !m.runs_new)
                m.rolled_back = true;
            if (m.runs_new)
                m.rolled_back = m.used_up = false;
            else if (!m.rolled_back && m.arrived >= MAX)
                m.used_up = true;
            m.ran_new = m.runs_new;
            m.unanswered = false;
            break;
        case 1: /* is offered it, and gets all of it */
            if (m.runs_new || m.rolled_back || m.arrived >= MAX)
                break; /* the decision holds it */
            story_served(&u, false, now);
            m.arrived++;
            story_arrived(&u, m.arrived, now);
            m.unanswered = true;
            break;
        case 2: /* is offered it, and breaks off */
            if (m.runs_new || m.rolled_back || m.arrived >= MAX)
                break;
            story_served(&u, false, now);
            story_broke(&u, 10, "x", now);
            m.unanswered = false; /* of this try: nothing has arrived */
            break;
        case 3:
            if (rand_r(&seed) % 4 != 0 || m.runs_new)
                break;
            story_wanted(&u, now);
            m = (struct model){.runs_new = false};
            break;
        default:
            break;
        }
        bool installed = u.state == UPDATE_INSTALLED;
        ck_assert_msg(installed == m.ran_new, "step %d: %s, but it %s the build", step,
                      update_state_name(u.state), m.ran_new ? "runs" : "doesn't run");
        ck_assert_msg((u.state == UPDATE_ROLLED_BACK) == m.rolled_back, "step %d: %s", step,
                      update_state_name(u.state));
        ck_assert_msg((u.state == UPDATE_ATTEMPTS_EXHAUSTED) == m.used_up,
                      "step %d: %s, %d arrived", step, update_state_name(u.state), m.arrived);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("story");
    TCase *t = tcase_create("rules");
    tcase_add_loop_test(t, seen_row, 0, (int)OTAD_COUNT(seen_rows));
    tcase_add_test(t, words_tell_how_long_and_what);
    tcase_add_test(t, what_the_device_said_of_its_last_attempt_stays);
    tcase_add_test(t, poll_then_image_is_the_old_version_back);
    tcase_add_test(t, poll_without_image_is_installed);
    tcase_add_test(t, image_long_after_a_poll_says_nothing);
    tcase_add_test(t, image_asked_for_after_an_inferred_install_is_the_old_version_back);
    tcase_add_test(t, client_that_says_nothing_is_held_after_its_attempts);
    tcase_add_test(t, filesystem_that_says_nothing_is_installed_when_seen_again);
    tcase_add_test(t, token_opens_but_forgives_nothing);
    tcase_add_test(t, wanted_forgives_all);
    tcase_add_loop_test(t, report_overrides_no_evidence, 0, (int)OTAD_COUNT(reported_rows));
    tcase_add_test(t, failures_are_told_from_ends_that_are_none);
    tcase_add_test(t, pushes_end_as_what_was_seen);
    suite_add_tcase(s, t);
    t = tcase_create("model");
    tcase_add_loop_test(t, random_story_agrees_with_the_model, 0, 500);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
