/* SPDX-License-Identifier: MIT
 * Where a channel points after every history of releases, undos and withdrawals. */
#include <stdio.h>

#include "fleet/channel.h"
#include "support/store.h"

static const struct {
    const char *what;
    const char *text;
    bool want;
} name_rows[] = {
    {"plain",            "stable",                            true },
    {"one character",    "a",                                 true },
    {"all marks",        "a._-9",                             true },
    {"32 characters",    "abcdefghijklmnopqrstuvwxyz012345",  true },
    {"33 characters",    "abcdefghijklmnopqrstuvwxyz0123456", false},
    {"empty",            "",                                  false},
    {"none",             "none",                              false},
    {"nonesuch",         "nonesuch",                          true },
    {"capital",          "Stable",                            false},
    {"point first",      ".a",                                false},
    {"dash first",       "-a",                                false},
    {"underscore first", "_a",                                false},
    {"blank",            "a b",                               false},
};

START_TEST(name_row)
{
    ck_assert_msg(channel_name_is_valid(name_rows[_i].text) == name_rows[_i].want, "%s",
                  name_rows[_i].what);
}
END_TEST

/* Histories are written as letters: A to E release that build to "stable", u undoes (U: and there
 * is nothing to undo), a to e withdraw that build. */
static const struct {
    const char *what;
    const char *history;
    char want; /* the build pointed at; '-': none */
} history_rows[] = {
    {"nothing",                               "",          '-'},
    {"one release",                           "A",         'A'},
    {"two releases",                          "AB",        'B'},
    {"undo",                                  "ABu",       'A'},
    {"undo twice goes two back",              "ABCuu",     'A'},
    {"undo of the only one",                  "AU",        'A'},
    {"undo too often",                        "ABuU",      'A'},
    {"undo of nothing",                       "U",         '-'},
    {"release after undo",                    "ABuC",      'C'},
    {"undo after that skips what was undone", "ABuCu",     'A'},
    {"back and forth",                        "ABAu",      'B'},
    {"back and forth, twice",                 "ABAuu",     'A'},
    {"the same again",                        "AAU",       'A'},
    {"the same again over another",           "ABBu",      'A'},
    {"withdraw the present",                  "ABb",       'A'},
    {"withdraw the only one",                 "Aa",        '-'},
    {"withdraw another",                      "ABa",       'B'},
    {"undo skips the withdrawn",              "ABCbu",     'A'},
    {"withdraw two",                          "ABCcb",     'A'},
    {"withdraw two, older first",             "ABCbc",     'A'},
    {"withdraw all",                          "ABCabc",    '-'},
    {"nothing to undo but withdrawn ones",    "ABaU",      'B'},
    {"undo after a withdrawal",               "ABCcu",     'A'},
    {"withdraw what comes twice",             "ABAa",      'B'},
    {"release after all were withdrawn",      "AaB",       'B'},
    {"and nothing before it",                 "AaBU",      'B'},
    {"five deep",                             "ABCDEuuuu", 'A'},
};

START_TEST(history_row)
{
    struct store s;
    struct build builds[5];
    struct channel c;
    store_memory(&s);
    int64_t product = store_product(s.db, "lamp"), now_s = 100, to = -1;
    for (size_t i = 0; i < 5; i++) {
        char version[2] = {(char)('A' + i), '\0'};
        builds[i] = store_build(s.db, product, version, BUILD_APP);
    }
    for (const char *p = history_rows[_i].history; *p != '\0'; p++, now_s++) {
        if (*p == 'u') {
            OK(channel_undo(s.db, product, "stable", BUILD_APP, now_s, &to, EI));
            OK(channel_find(s.db, product, "stable", &c, EI));
            ck_assert_int_eq(c.app, to);
            ck_assert_int_eq(c.released_at_s, now_s);
        } else if (*p == 'U') {
            FAILS(OTAD_E_CONFLICT,
                  channel_undo(s.db, product, "stable", BUILD_APP, now_s, &to, EI));
            HOLDS(store_ei.hint, "pause");
        } else if (*p >= 'a') {
            const struct build *b = &builds[*p - 'a'];
            OK(build_set_withdrawn(s.db, b->seq, now_s, EI));
            OK(channel_leave_build(s.db, b, now_s, EI));
        } else {
            OK(channel_release(s.db, product, "stable", &builds[*p - 'A'], now_s, EI));
        }
    }
    OK(channel_find(s.db, product, "stable", &c, EI));
    char got = '-';
    for (size_t i = 0; i < 5; i++)
        if (builds[i].seq == c.app)
            got = (char)('A' + i);
    ck_assert_msg(got == history_rows[_i].want, "%s (%s): %c", history_rows[_i].what,
                  history_rows[_i].history, got);
    ck_assert_int_eq(c.fs, 0);
    store_close(&s);
}
END_TEST

START_TEST(app_and_fs_have_histories_of_their_own)
{
    struct store s;
    struct channel c;
    int64_t to = -1;
    store_memory(&s);
    int64_t product = store_product(s.db, "lamp");
    struct build app1 = store_build(s.db, product, "1", BUILD_APP);
    struct build fs1 = store_build(s.db, product, "1", BUILD_FS);
    struct build app2 = store_build(s.db, product, "2", BUILD_APP);
    struct build fs2 = store_build(s.db, product, "2", BUILD_FS);
    OK(channel_release(s.db, product, "stable", &app1, 1, EI));
    OK(channel_release(s.db, product, "stable", &fs1, 2, EI));
    OK(channel_release(s.db, product, "stable", &app2, 3, EI));
    OK(channel_release(s.db, product, "stable", &fs2, 4, EI));
    OK(channel_undo(s.db, product, "stable", BUILD_FS, 5, &to, EI));
    ck_assert_int_eq(to, fs1.seq);
    OK(channel_find(s.db, product, "stable", &c, EI));
    ck_assert_int_eq(c.app, app2.seq);
    ck_assert_int_eq(c.fs, fs1.seq);
    OK(channel_leave_build(s.db, &app2, 6, EI));
    OK(channel_find(s.db, product, "stable", &c, EI));
    ck_assert_int_eq(c.app, app1.seq);
    ck_assert_int_eq(c.fs, fs1.seq);
    store_close(&s);
}
END_TEST

START_TEST(channels_of_products_do_not_mix)
{
    struct store s;
    struct channel c;
    int64_t to = -1;
    store_memory(&s);
    int64_t lamp = store_product(s.db, "lamp"), plug = store_product(s.db, "plug");
    struct build of_lamp = store_build(s.db, lamp, "1", BUILD_APP);
    struct build of_plug = store_build(s.db, plug, "1", BUILD_APP);
    OK(channel_release(s.db, lamp, "stable", &of_lamp, 1, EI));
    OK(channel_release(s.db, lamp, "beta", &of_lamp, 1, EI));
    OK(channel_release(s.db, plug, "stable", &of_plug, 1, EI));
    OK(channel_leave_build(s.db, &of_lamp, 2, EI));
    OK(channel_find(s.db, plug, "stable", &c, EI));
    ck_assert_int_eq(c.app, of_plug.seq);
    OK(channel_find(s.db, lamp, "beta", &c, EI));
    ck_assert_int_eq(c.app, 0);
    FAILS(OTAD_E_CONFLICT, channel_undo(s.db, plug, "stable", BUILD_APP, 3, &to, EI));
    store_close(&s);
}
END_TEST

START_TEST(factory_image_is_refused)
{
    struct store s;
    struct channel c;
    store_memory(&s);
    int64_t product = store_product(s.db, "lamp");
    struct build b = store_build(s.db, product, "1", BUILD_FACTORY);
    FAILS(OTAD_E_INVALID, channel_release(s.db, product, "beta", &b, 1, EI));
    HOLDS(store_ei.hint, "cable");
    FAILS(OTAD_E_NOENT, channel_find(s.db, product, "beta", &c, EI));
    store_close(&s);
}
END_TEST

START_TEST(missing_channel_is_noent_with_a_hint)
{
    struct store s;
    struct channel c = {.app = 99};
    int64_t to = 99;
    store_memory(&s);
    int64_t product = store_product(s.db, "lamp");
    FAILS(OTAD_E_NOENT, channel_find(s.db, product, "beta", &c, EI));
    HOLDS(store_ei.hint, "channel=beta");
    FAILS(OTAD_E_NOENT, channel_undo(s.db, product, "beta", BUILD_APP, 1, &to, EI));
    ck_assert_int_eq(c.app, 99);
    ck_assert_int_eq(to, 99);
    FAILS(OTAD_E_CONFLICT, channel_ensure(s.db, 4711, "beta", EI));
    store_close(&s);
}
END_TEST

START_TEST(pausing_changes_only_that)
{
    struct store s;
    struct channel c;
    store_memory(&s);
    int64_t product = store_product(s.db, "lamp");
    struct build b = store_build(s.db, product, "1", BUILD_APP);
    OK(channel_release(s.db, product, "stable", &b, 7, EI));
    OK(channel_ensure(s.db, product, "beta", EI));
    OK(channel_set_paused(s.db, product, "stable", true, 1, EI));
    OK(channel_ensure(s.db, product, "stable", EI)); /* is there: nothing happens */
    OK(channel_find(s.db, product, "stable", &c, EI));
    ck_assert(c.paused);
    ck_assert_int_eq(c.app, b.seq);
    ck_assert_int_eq(c.released_at_s, 7);
    OK(channel_find(s.db, product, "beta", &c, EI));
    ck_assert(!c.paused);
    OK(channel_set_paused(s.db, product, "stable", false, 1, EI));
    OK(channel_find(s.db, product, "stable", &c, EI));
    ck_assert(!c.paused);
    store_close(&s);
}
END_TEST

static enum otad_err each(void *arg, const struct channel *c)
{
    char *text = arg;
    size_t n = strlen(text);
    (void)snprintf(text + n, 64 - n, "%s ", c->name);
    return OTAD_E_OK;
}

static enum otad_err each_name(void *arg, const char *name)
{
    char *text = arg;
    size_t n = strlen(text);
    (void)snprintf(text + n, 64 - n, "%s ", name);
    return OTAD_E_OK;
}

START_TEST(lists_go_by_name)
{
    struct store s;
    char text[64] = "";
    store_memory(&s);
    int64_t product = store_product(s.db, "lamp"), plug = store_product(s.db, "plug");
    struct build b = store_build(s.db, product, "1", BUILD_APP);
    OK(channel_ensure(s.db, plug, "alpha", EI));
    OK(channel_release(s.db, product, "zebra", &b, 1, EI));
    OK(channel_release(s.db, product, "beta", &b, 1, EI));
    OK(channel_list(s.db, product, each, text, EI));
    ck_assert_str_eq(text, "beta stable zebra ");
    text[0] = '\0';
    OK(channel_of_build(s.db, b.seq, each_name, text, EI));
    ck_assert_str_eq(text, "beta zebra ");
    store_close(&s);
}
END_TEST

START_TEST(every_channel_leaves_a_build_however_many)
{
    struct store s;
    store_memory(&s);
    int64_t product = store_product(s.db, "lamp");
    struct build old = store_build(s.db, product, "1", BUILD_APP);
    struct build b = store_build(s.db, product, "2", BUILD_APP);
    for (int i = 0; i < 150; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "c%d", i);
        OK(channel_release(s.db, product, name, &old, 1, EI));
        OK(channel_release(s.db, product, name, &b, 2, EI));
    }
    OK(channel_leave_build(s.db, &b, 3, EI));
    ck_assert_int_eq(store_int(s.db, "SELECT count(*) FROM channel WHERE app = 2"), 0);
    ck_assert_int_eq(store_int(s.db, "SELECT count(*) FROM channel WHERE app = 1"), 150);
    store_close(&s);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("channel");
    TCase *t = tcase_create("channel");
    tcase_add_loop_test(t, name_row, 0, (int)OTAD_COUNT(name_rows));
    tcase_add_loop_test(t, history_row, 0, (int)OTAD_COUNT(history_rows));
    tcase_add_test(t, app_and_fs_have_histories_of_their_own);
    tcase_add_test(t, channels_of_products_do_not_mix);
    tcase_add_test(t, factory_image_is_refused);
    tcase_add_test(t, missing_channel_is_noent_with_a_hint);
    tcase_add_test(t, pausing_changes_only_that);
    tcase_add_test(t, lists_go_by_name);
    tcase_add_test(t, every_channel_leaves_a_build_however_many);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
