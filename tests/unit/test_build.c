/* SPDX-License-Identifier: MIT
 * The table `build`. */
#include <inttypes.h>
#include <stdio.h>

#include "fleet/build.h"
#include "support/store.h"

static const struct {
    const char *what;
    const char *text;
    bool want;
    uint64_t value;
} id_rows[] = {
    {"zero",          "0",                     true,  0         },
    {"small",         "42",                    true,  42        },
    {"above signed",  "9223372036854775808",   true,  1ULL << 63},
    {"the largest",   "18446744073709551615",  true,  UINT64_MAX},
    {"one too large", "18446744073709551616",  false, 0         },
    {"21 digits",     "000000000000000000001", false, 0         },
    {"empty",         "",                      false, 0         },
    {"sign",          "-1",                    false, 0         },
    {"plus",          "+1",                    false, 0         },
    {"blank",         " 1",                    false, 0         },
    {"text behind",   "1x",                    false, 0         },
    {"hex",           "0x1",                   false, 0         },
};

START_TEST(id_row)
{
    int64_t out = -77;
    ck_assert_msg(build_id_parse(id_rows[_i].text, &out) == id_rows[_i].want, "%s",
                  id_rows[_i].what);
    ck_assert_msg(out == (id_rows[_i].want ? (int64_t)id_rows[_i].value : -77), "%s",
                  id_rows[_i].what);
}
END_TEST

START_TEST(kinds_have_words)
{
    for (int kind = BUILD_APP; kind <= BUILD_FACTORY; kind++) {
        enum build_kind back = BUILD_APP;
        ck_assert(build_kind_parse(build_kind_name((enum build_kind)kind), &back));
        ck_assert_int_eq(back, kind);
    }
    enum build_kind same = BUILD_FS;
    ck_assert(!build_kind_parse("App", &same));
    ck_assert(!build_kind_parse("", &same));
    ck_assert_int_eq(same, BUILD_FS);
}
END_TEST

START_TEST(build_is_found_by_each_of_its_names)
{
    struct store s;
    struct build b;
    store_memory(&s);
    int64_t lamp = store_product(s.db, "lamp"), plug = store_product(s.db, "plug");
    struct build made = store_build(s.db, lamp, "1.0", BUILD_APP);
    ck_assert_int_ne(made.id, 0);
    ck_assert_int_eq(made.size_bytes, 100);
    memset(&b, 0, sizeof b);
    OK(build_find(s.db, lamp, made.id, &b, EI));
    ck_assert_int_eq(b.seq, made.seq);
    OK(build_find(s.db, 0, made.id, &b, EI));
    FAILS(OTAD_E_NOENT, build_find(s.db, plug, made.id, &b, EI));
    OK(build_find_version(s.db, lamp, BUILD_APP, "1.0", &b, EI));
    FAILS(OTAD_E_NOENT, build_find_version(s.db, lamp, BUILD_FS, "1.0", &b, EI));
    FAILS(OTAD_E_NOENT, build_find_version(s.db, plug, BUILD_APP, "1.0", &b, EI));
    OK(build_find_sha256(s.db, lamp, made.sha256, &b, EI));
    ck_assert_int_eq(b.seq, made.seq);
    FAILS(OTAD_E_NOENT, build_find_sha256(s.db, plug, made.sha256, &b, EI));
    FAILS(OTAD_E_NOENT, build_find_seq(s.db, 4711, &b, EI));
    ck_assert_int_eq(b.seq, made.seq); /* as it was */
    store_close(&s);
}
END_TEST

START_TEST(newest_factory_build_in_force_is_found)
{
    struct store s;
    struct build b = {.seq = 77};
    store_memory(&s);
    int64_t lamp = store_product(s.db, "lamp"), plug = store_product(s.db, "plug");
    FAILS(OTAD_E_NOENT, build_find_factory(s.db, lamp, &b, EI));
    struct build first = store_build(s.db, lamp, "1.0", BUILD_FACTORY);
    struct build second = store_build(s.db, lamp, "2.0", BUILD_FACTORY);
    (void)store_build(s.db, lamp, "3.0", BUILD_APP);
    (void)store_build(s.db, plug, "4.0", BUILD_FACTORY);
    ck_assert_int_eq(b.seq, 77); /* as it was */
    OK(build_find_factory(s.db, lamp, &b, EI));
    ck_assert_int_eq(b.seq, second.seq);
    OK(build_set_withdrawn(s.db, second.seq, 5, EI));
    OK(build_find_factory(s.db, lamp, &b, EI));
    ck_assert_int_eq(b.seq, first.seq);
    store_close(&s);
}
END_TEST

START_TEST(newest_of_several_with_the_same_bytes_is_found)
{
    struct store s;
    struct build b;
    store_memory(&s);
    int64_t lamp = store_product(s.db, "lamp");
    struct build first = store_build(s.db, lamp, "1.0", BUILD_APP), second = first;
    (void)snprintf(second.version, sizeof second.version, "2.0");
    OK(build_insert(s.db, &second, EI));
    ck_assert_int_ne(second.id, first.id);
    OK(build_find_sha256(s.db, lamp, first.sha256, &b, EI));
    ck_assert_int_eq(b.seq, second.seq);
    store_close(&s);
}
END_TEST

START_TEST(same_version_is_a_conflict_within_product_and_kind)
{
    struct store s;
    store_memory(&s);
    int64_t lamp = store_product(s.db, "lamp"), plug = store_product(s.db, "plug");
    struct build b = store_build(s.db, lamp, "1.0", BUILD_APP), same = b;
    FAILS(OTAD_E_CONFLICT, build_insert(s.db, &same, EI));
    ck_assert_int_eq(same.seq, b.seq);
    ck_assert_int_eq(same.id, b.id);
    same.kind = BUILD_FS;
    OK(build_insert(s.db, &same, EI));
    same.kind = BUILD_APP;
    same.product = plug;
    OK(build_insert(s.db, &same, EI));
    same.product = 4711;
    FAILS(OTAD_E_CONFLICT, build_insert(s.db, &same, EI));
    store_close(&s);
}
END_TEST

START_TEST(notes_and_withdrawal_are_written)
{
    struct store s;
    struct build b;
    store_memory(&s);
    struct build made = store_build(s.db, store_product(s.db, "lamp"), "1.0", BUILD_APP);
    ck_assert_int_eq(made.withdrawn_at_s, 0);
    OK(build_set_notes(s.db, made.seq, "Two\nlines", EI));
    OK(build_set_withdrawn(s.db, made.seq, 99, EI));
    OK(build_find_seq(s.db, made.seq, &b, EI));
    ck_assert_str_eq(b.notes, "Two\nlines");
    ck_assert_int_eq(b.withdrawn_at_s, 99);
    store_close(&s);
}
END_TEST

START_TEST(build_in_use_cannot_be_deleted)
{
    struct store s;
    struct build b;
    store_memory(&s);
    int64_t lamp = store_product(s.db, "lamp");
    struct build made = store_build(s.db, lamp, "1.0", BUILD_APP);
    store_exec(s.db, "UPDATE channel SET app = 1");
    FAILS(OTAD_E_CONFLICT, build_delete(s.db, made.seq, EI));
    store_exec(s.db, "UPDATE channel SET app = NULL");
    OK(build_delete(s.db, made.seq, EI));
    FAILS(OTAD_E_NOENT, build_find_seq(s.db, made.seq, &b, EI));
    ck_assert_int_eq(store_int(s.db, "SELECT count(*) FROM image"), 1);
    struct build next = store_build(s.db, lamp, "1.1", BUILD_APP);
    ck_assert_int_gt(next.seq, made.seq); /* its order is never used again */
    store_close(&s);
}
END_TEST

static enum otad_err each(void *arg, const struct build *b)
{
    char *text = arg;
    size_t n = strlen(text);
    (void)snprintf(text + n, 64 - n, "%s ", b->version);
    return OTAD_E_OK;
}

START_TEST(list_is_newest_first_in_pages)
{
    struct store s;
    char text[64] = "";
    store_memory(&s);
    int64_t lamp = store_product(s.db, "lamp"), plug = store_product(s.db, "plug");
    (void)store_build(s.db, lamp, "1", BUILD_APP);
    struct build second = store_build(s.db, lamp, "2", BUILD_FS);
    (void)store_build(s.db, plug, "9", BUILD_APP);
    (void)store_build(s.db, lamp, "3", BUILD_APP);
    OK(build_list(s.db, lamp, 0, 2, each, text, EI));
    ck_assert_str_eq(text, "3 2 ");
    OK(build_list(s.db, lamp, second.seq, 2, each, text, EI));
    ck_assert_str_eq(text, "3 2 1 ");
    store_close(&s);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("build");
    TCase *t = tcase_create("build");
    tcase_add_loop_test(t, id_row, 0, (int)OTAD_COUNT(id_rows));
    tcase_add_test(t, kinds_have_words);
    tcase_add_test(t, build_is_found_by_each_of_its_names);
    tcase_add_test(t, newest_factory_build_in_force_is_found);
    tcase_add_test(t, newest_of_several_with_the_same_bytes_is_found);
    tcase_add_test(t, same_version_is_a_conflict_within_product_and_kind);
    tcase_add_test(t, notes_and_withdrawal_are_written);
    tcase_add_test(t, build_in_use_cannot_be_deleted);
    tcase_add_test(t, list_is_newest_first_in_pages);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
