/* SPDX-License-Identifier: MIT
 * Reports: which update they are about, their limits, and what they may change. */
#include <stdio.h>

#include "fleet/report.h"
#include "fleet/update.h"
#include "support/store.h"

#define LAMP 0x30AEA48436F0ULL
#define NOW 1000000

struct world {
    struct store s;
    int64_t product, device;
    struct build one, two;
    struct update old, newest; /* of build one and two */
};

static void world(struct world *w)
{
    store_memory(&w->s);
    w->product = store_product(w->s.db, "lamp");
    w->device = store_device(w->s.db, w->product, LAMP, "0", 5);
    w->one = store_build(w->s.db, w->product, "1", BUILD_APP);
    w->two = store_build(w->s.db, w->product, "2", BUILD_APP);
    struct update u = {.product = w->product,
                       .device = w->device,
                       .build = w->one.seq,
                       .state = UPDATE_IN_PROGRESS,
                       .created_at_s = NOW};
    OK(update_insert(w->s.db, &u, EI));
    w->old = u;
    u.build = w->two.seq;
    OK(update_insert(w->s.db, &u, EI));
    w->newest = u;
}

static struct report report(const char *result, int64_t at_s)
{
    struct report r = {.at_s = at_s, .address = "192.0.2.1"};
    (void)snprintf(r.result, sizeof r.result, "%s", result);
    return r;
}

static struct update state_of(struct world *w, int64_t id)
{
    struct update u;
    OK(update_find(w->s.db, id, &u, EI));
    return u;
}

START_TEST(three_words_are_results)
{
    ck_assert(report_result_is_valid("success"));
    ck_assert(report_result_is_valid("failed"));
    ck_assert(report_result_is_valid("rolled_back"));
    ck_assert(!report_result_is_valid("Success"));
    ck_assert(!report_result_is_valid("failure"));
    ck_assert(!report_result_is_valid(""));
}
END_TEST

static const struct {
    const char *what;
    const char *version; /* "" = not said */
    int build;           /* 1, 2; 9: unknown; 0: not said */
    enum otad_err want;
    int update; /* it lands on that of build 1 or 2 */
} about_rows[] = {
    {"says neither",                   "",  0, OTAD_E_OK,    2},
    {"version of the older",           "1", 0, OTAD_E_OK,    1},
    {"version of the newer",           "2", 0, OTAD_E_OK,    2},
    {"unknown version",                "3", 0, OTAD_E_NOENT, 0},
    {"id of the older",                "",  1, OTAD_E_OK,    1},
    {"the id counts, not the version", "2", 1, OTAD_E_OK,    1},
    {"unknown id",                     "1", 9, OTAD_E_NOENT, 0},
};

START_TEST(about_row)
{
    struct world w;
    world(&w);
    struct report r = report("failed", NOW + 5);
    (void)snprintf(r.version, sizeof r.version, "%s", about_rows[_i].version);
    r.has_build = about_rows[_i].build != 0;
    r.build = about_rows[_i].build == 1 ? w.one.id : about_rows[_i].build == 2 ? w.two.id : 4711;
    enum otad_err err = report_record(w.s.db, w.product, LAMP, &r, NULL, EI);
    ck_assert_msg(err == about_rows[_i].want, "%s: %s", about_rows[_i].what, otad_err_name(err));
    ck_assert_int_eq(store_int(w.s.db, "SELECT count(*) FROM report"), err == OTAD_E_OK);
    if (err == OTAD_E_OK)
        ck_assert_msg(r.update == (about_rows[_i].update == 1 ? w.old.id : w.newest.id), "%s",
                      about_rows[_i].what);
    store_close(&w.s);
}
END_TEST

START_TEST(unknown_device_is_noent)
{
    struct world w;
    world(&w);
    struct report r = report("failed", NOW + 5);
    FAILS(OTAD_E_NOENT, report_record(w.s.db, w.product, 0xb, &r, NULL, EI));
    FAILS(OTAD_E_NOENT, report_record(w.s.db, 4711, LAMP, &r, NULL, EI));
    (void)store_device(w.s.db, w.product, 0xb, "0", 5); /* known, but was never given anything */
    FAILS(OTAD_E_NOENT, report_record(w.s.db, w.product, 0xb, &r, NULL, EI));
    store_close(&w.s);
}
END_TEST

START_TEST(after_seven_days_there_is_no_update_to_report_on)
{
    struct world w;
    world(&w);
    struct report r = report("failed", NOW + 7 * 86400);
    OK(report_record(w.s.db, w.product, LAMP, &r, NULL, EI));
    struct report later = report("failed", NOW + 14 * 86400 + 1); /* the first one touched it */
    FAILS(OTAD_E_NOENT, report_record(w.s.db, w.product, LAMP, &later, NULL, EI));
    struct report old = report("failed", NOW + 7 * 86400 + 1);
    (void)snprintf(old.version, sizeof old.version, "1");
    FAILS(OTAD_E_NOENT, report_record(w.s.db, w.product, LAMP, &old, NULL, EI));
    store_close(&w.s);
}
END_TEST

START_TEST(four_reports_in_ten_seconds)
{
    struct world w;
    world(&w);
    struct report r = report("failed", NOW + 5), of_other = report("failed", NOW + 6);
    for (int i = 0; i < REPORT_BURST; i++)
        OK(report_record(w.s.db, w.product, LAMP, &r, NULL, EI));
    r.at_s = NOW + 14;
    FAILS(OTAD_E_RATE, report_record(w.s.db, w.product, LAMP, &r, NULL, EI));
    r.at_s = NOW + 15;
    OK(report_record(w.s.db, w.product, LAMP, &r, NULL, EI));
    (void)snprintf(of_other.version, sizeof of_other.version, "1");
    OK(report_record(w.s.db, w.product, LAMP, &of_other, NULL,
                     EI)); /* another update's are its own */
    r.at_s = NOW;          /* a clock that went back must not shut the device out */
    OK(report_record(w.s.db, w.product, LAMP, &r, NULL, EI));
    store_close(&w.s);
}
END_TEST

START_TEST(twenty_reports_an_update)
{
    struct world w;
    world(&w);
    struct report r = report("success", NOW);
    for (int i = 0; i < OTAD_REPORTS_PER_UPDATE; i++, r.at_s += 10)
        OK(report_record(w.s.db, w.product, LAMP, &r, NULL, EI));
    FAILS(OTAD_E_RATE, report_record(w.s.db, w.product, LAMP, &r, NULL, EI));
    ck_assert_int_eq(store_int(w.s.db, "SELECT count(*) FROM report"), OTAD_REPORTS_PER_UPDATE);
    store_close(&w.s);
}
END_TEST

static const struct {
    const char *what;
    enum update_state before;
    const char *result;
    enum update_state after;
    const char *cause;
} state_rows[] = {
    {"failed while sending",       UPDATE_IN_PROGRESS, "failed",      UPDATE_FAILED,      "reported"},
    {"failed after sending",       UPDATE_SENT,        "failed",      UPDATE_FAILED,      "reported"},
    {"rolled back",                UPDATE_SENT,        "rolled_back", UPDATE_ROLLED_BACK, "reported"},
    {"success proves nothing",     UPDATE_SENT,        "success",     UPDATE_SENT,        ""        },
    {"success changes no failure", UPDATE_FAILED,      "success",     UPDATE_FAILED,      ""        },
    {"evidence beats failed",      UPDATE_INSTALLED,   "failed",      UPDATE_INSTALLED,   ""        },
    {"evidence beats rolled back", UPDATE_INSTALLED,   "rolled_back", UPDATE_INSTALLED,   ""        },
};

START_TEST(state_row)
{
    struct world w;
    world(&w);
    struct update u = w.newest;
    u.state = state_rows[_i].before;
    u.updated_at_s = NOW;
    OK(update_save(w.s.db, &u, EI));
    struct report r = report(state_rows[_i].result, NOW + 5);
    OK(report_record(w.s.db, w.product, LAMP, &r, NULL, EI));
    u = state_of(&w, u.id);
    ck_assert_msg(u.state == state_rows[_i].after, "%s: %s", state_rows[_i].what,
                  update_state_name(u.state));
    ck_assert_msg(strcmp(u.cause, state_rows[_i].cause) == 0, "%s: %s", state_rows[_i].what,
                  u.cause);
    ck_assert_int_eq(state_of(&w, w.old.id).state, UPDATE_IN_PROGRESS);
    store_close(&w.s);
}
END_TEST

START_TEST(detail_says_what_the_device_said)
{
    struct world w;
    world(&w);
    struct report r = report("failed", NOW + 5);
    (void)snprintf(r.message, sizeof r.message, "flash is worn");
    OK(report_record(w.s.db, w.product, LAMP, &r, NULL, EI));
    ck_assert_str_eq(state_of(&w, w.newest.id).detail,
                     "the device reported a failure: flash is worn");
    r.at_s += 10;
    r.has_code = true;
    r.code = -102;
    memset(r.message, 'm', OTAD_REPORT_MESSAGE_MAX);
    OK(report_record(w.s.db, w.product, LAMP, &r, NULL, EI));
    HOLDS(state_of(&w, w.newest.id).detail, "the device reported a failure, code -102: mmm");
    store_close(&w.s);
}
END_TEST

static struct report listed[3];
static size_t n_listed;
static enum otad_err each(void *arg, const struct report *r)
{
    (void)arg;
    listed[n_listed++] = *r;
    return OTAD_E_OK;
}

START_TEST(reports_are_kept_verbatim)
{
    struct world w;
    world(&w);
    struct report r = report("success", NOW + 5);
    OK(report_record(w.s.db, w.product, LAMP, &r, NULL, EI));
    r = report("failed", NOW + 20);
    memset(r.message, 'x', OTAD_REPORT_MESSAGE_MAX);
    (void)snprintf(r.version, sizeof r.version, "2");
    r.has_code = r.has_build = r.authenticated = true;
    r.code = INT64_MIN;
    r.build = w.two.id;
    OK(report_record(w.s.db, w.product, LAMP, &r, NULL, EI));
    n_listed = 0;
    OK(report_list(w.s.db, w.newest.id, each, NULL, EI));
    ck_assert_uint_eq(n_listed, 2);
    ck_assert_str_eq(listed[0].result, "success");
    ck_assert(!listed[0].has_code && !listed[0].has_build && !listed[0].authenticated);
    ck_assert_str_eq(listed[1].message, r.message);
    ck_assert_int_eq(listed[1].code, INT64_MIN);
    ck_assert_int_eq(listed[1].build, w.two.id);
    ck_assert_str_eq(listed[1].version, "2");
    ck_assert_str_eq(listed[1].address, "192.0.2.1");
    ck_assert(listed[1].has_code && listed[1].has_build && listed[1].authenticated);
    ck_assert_int_eq(listed[1].at_s, NOW + 20);
    store_close(&w.s);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("report");
    TCase *t = tcase_create("report");
    tcase_add_test(t, three_words_are_results);
    tcase_add_loop_test(t, about_row, 0, (int)OTAD_COUNT(about_rows));
    tcase_add_test(t, unknown_device_is_noent);
    tcase_add_test(t, after_seven_days_there_is_no_update_to_report_on);
    tcase_add_test(t, four_reports_in_ten_seconds);
    tcase_add_test(t, twenty_reports_an_update);
    tcase_add_loop_test(t, state_row, 0, (int)OTAD_COUNT(state_rows));
    tcase_add_test(t, detail_says_what_the_device_said);
    tcase_add_test(t, reports_are_kept_verbatim);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
