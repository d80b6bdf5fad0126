/* SPDX-License-Identifier: MIT
 * Images as rows: invisible until linked, and checked whenever they are read. */
#include <stdio.h>

#include "base/digest.h"
#include "fleet/blob.h"
#include "support/store.h"

#define SIZE (2 * BLOB_CHUNK_BYTES + 1000)

static uint8_t data[SIZE], out[SIZE];

static struct blob_meta meta_of(unsigned seed)
{
    struct blob_meta meta = {.size_bytes = SIZE, .facts = "{\"kind\":1}", .identities = "aa bb"};
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (uint8_t)(i * 7 + i / 251 + seed);
    OK(digest_sha256(data, SIZE, meta.sha256));
    OK(digest_md5(data, SIZE, meta.md5));
    return meta;
}

static int64_t stage(struct store *s, const struct blob_meta *meta)
{
    int64_t id = 0;
    OK(blob_stage(s->db, meta, &id, EI));
    for (int64_t seq = 0; seq < 3; seq++)
        OK(blob_put_chunk(s->db, id, seq, data + seq * BLOB_CHUNK_BYTES,
                          seq == 2 ? 1000 : BLOB_CHUNK_BYTES, EI));
    return id;
}

START_TEST(staged_image_is_invisible_until_it_is_linked)
{
    struct store s;
    int64_t found = 99;
    store_memory(&s);
    struct blob_meta meta = meta_of(1);
    int64_t id = stage(&s, &meta);
    FAILS(OTAD_E_NOENT, blob_find(s.db, meta.sha256, &found, EI));
    ck_assert_int_eq(found, 99);
    OK(blob_read(s.db, id, out, SIZE, EI)); /* to be verified before it is linked */
    OK(blob_link(s.db, id, 77, EI));
    OK(blob_find(s.db, meta.sha256, &found, EI));
    ck_assert_int_eq(found, id);
    store_close(&s);
}
END_TEST

START_TEST(linked_image_reads_back)
{
    struct store s;
    int64_t size = -1;
    char also[BLOB_IDENTITIES_MAX], *facts = NULL;
    store_memory(&s);
    struct blob_meta meta = meta_of(1);
    int64_t id = stage(&s, &meta);
    OK(blob_link(s.db, id, 77, EI));
    OK(blob_read(s.db, id, out, SIZE, EI));
    ck_assert_int_eq(memcmp(data, out, SIZE), 0);
    OK(blob_verify(s.db, id, SIZE, EI));
    OK(blob_size(s.db, id, &size, EI));
    ck_assert_int_eq(size, SIZE);
    OK(blob_identities(s.db, id, also, EI));
    ck_assert_str_eq(also, "aa bb");
    OK(blob_facts(s.db, id, &facts, EI));
    ck_assert_str_eq(facts, "{\"kind\":1}");
    free(facts);
    store_close(&s);
}
END_TEST

START_TEST(what_is_not_there_is_noent)
{
    struct store s;
    int64_t size = 99;
    char also[BLOB_IDENTITIES_MAX] = "same", *facts = NULL;
    store_memory(&s);
    FAILS(OTAD_E_NOENT, blob_read(s.db, 5, out, SIZE, EI));
    FAILS(OTAD_E_NOENT, blob_verify(s.db, 5, SIZE, EI));
    FAILS(OTAD_E_NOENT, blob_size(s.db, 5, &size, EI));
    FAILS(OTAD_E_NOENT, blob_identities(s.db, 5, also, EI));
    FAILS(OTAD_E_NOENT, blob_facts(s.db, 5, &facts, EI));
    ck_assert_int_eq(size, 99);
    ck_assert_str_eq(also, "same");
    ck_assert_ptr_null(facts);
    FAILS(OTAD_E_CONFLICT, blob_put_chunk(s.db, 5, 0, data, 10, EI));
    store_close(&s);
}
END_TEST

static const struct {
    const char *what;
    const char *sql;
    int64_t size;
    enum otad_err want;
} damage_rows[] = {
    {"none",                      "SELECT 1",                                                         SIZE,     OTAD_E_OK},
    {"a byte differs",
     "UPDATE image_chunk SET data = CAST(x'ff' || substr(data, 2) AS BLOB) WHERE seq = 1",            SIZE,
     OTAD_E_IO                                                                                                           },
    {"a chunk is missing",        "DELETE FROM image_chunk WHERE seq = 1",                            SIZE,     OTAD_E_IO},
    {"the last chunk is missing", "DELETE FROM image_chunk WHERE seq = 2",                            SIZE,     OTAD_E_IO},
    {"the last chunk is short",   "UPDATE image_chunk SET data = substr(data, 1, 999) WHERE seq = 2",
     SIZE,                                                                                                      OTAD_E_IO},
    {"the last chunk is long",
     "UPDATE image_chunk SET data = CAST(data || x'00' AS BLOB) WHERE seq = 2",                       SIZE,     OTAD_E_IO},
    {"an empty chunk",            "UPDATE image_chunk SET data = x'' WHERE seq = 2",                  SIZE,     OTAD_E_IO},
    {"chunks swapped",
     "UPDATE image_chunk SET seq = CASE seq WHEN 0 THEN 11 WHEN 1 THEN 10 ELSE seq END;"
     "UPDATE image_chunk SET seq = seq - 10 WHERE seq >= 10",                                         SIZE,     OTAD_E_IO},
    {"another digest is stored",  "UPDATE image SET sha256 = zeroblob(32)",                           SIZE,     OTAD_E_IO},
    {"another size is stored",    "UPDATE image SET size_bytes = size_bytes + 1",                     SIZE,     OTAD_E_IO},
    {"asked for less",            "SELECT 1",                                                         SIZE - 1, OTAD_E_IO},
};

START_TEST(damage_row)
{
    struct store s;
    store_memory(&s);
    struct blob_meta meta = meta_of(1);
    int64_t id = stage(&s, &meta);
    OK(blob_link(s.db, id, 77, EI));
    store_exec(s.db, damage_rows[_i].sql);
    enum otad_err err = blob_read(s.db, id, out, (size_t)damage_rows[_i].size, EI);
    ck_assert_msg(err == damage_rows[_i].want, "%s: %s", damage_rows[_i].what, otad_err_name(err));
    if (err != OTAD_E_OK)
        HOLDS(store_ei.msg, "damaged");
    err = blob_verify(s.db, id, damage_rows[_i].size, EI);
    ck_assert_msg(err == damage_rows[_i].want, "%s: verify: %s", damage_rows[_i].what,
                  otad_err_name(err));
    store_close(&s);
}
END_TEST

START_TEST(same_bytes_are_linked_once)
{
    struct store s;
    int64_t found = 0;
    store_memory(&s);
    struct blob_meta meta = meta_of(1);
    int64_t first = stage(&s, &meta), second = stage(&s, &meta);
    OK(blob_link(s.db, first, 77, EI));
    FAILS(OTAD_E_CONFLICT, blob_link(s.db, second, 78, EI));
    OK(blob_find(s.db, meta.sha256, &found, EI));
    ck_assert_int_eq(found, first);
    store_close(&s);
}
END_TEST

START_TEST(unstaging_spares_what_is_linked)
{
    struct store s;
    store_memory(&s);
    struct blob_meta one = meta_of(1);
    int64_t linked = stage(&s, &one);
    OK(blob_link(s.db, linked, 77, EI));
    struct blob_meta two = meta_of(2);
    int64_t staged = stage(&s, &two), orphan = stage(&s, &two);
    OK(blob_unstage(s.db, linked, EI)); /* linked: nothing happens */
    OK(blob_unstage(s.db, staged, EI));
    ck_assert_int_eq(store_int(s.db, "SELECT count(*) FROM image"), 2);
    ck_assert_int_eq(store_int(s.db, "SELECT count(*) FROM image_chunk"), 6);
    OK(blob_unstage(s.db, 0, EI)); /* what a crash left behind */
    ck_assert_int_eq(store_int(s.db, "SELECT count(*) FROM image"), 1);
    ck_assert_int_eq(store_int(s.db, "SELECT count(*) FROM image_chunk"), 3);
    FAILS(OTAD_E_NOENT, blob_read(s.db, orphan, out, SIZE, EI));
    (void)meta_of(1);
    OK(blob_read(s.db, linked, out, SIZE, EI));
    store_close(&s);
}
END_TEST

START_TEST(image_goes_with_its_last_build)
{
    struct store s;
    store_memory(&s);
    int64_t lamp = store_product(s.db, "lamp"), plug = store_product(s.db, "plug");
    struct build b = store_build(s.db, lamp, "1", BUILD_APP), other = b;
    other.product = plug;
    OK(build_insert(s.db, &other, EI));
    OK(build_delete(s.db, b.seq, EI));
    OK(blob_drop_unused(s.db, b.image, EI));
    OK(blob_verify(s.db, b.image, 100, EI));
    OK(build_delete(s.db, other.seq, EI));
    OK(blob_drop_unused(s.db, b.image, EI));
    FAILS(OTAD_E_NOENT, blob_verify(s.db, b.image, 100, EI));
    ck_assert_int_eq(store_int(s.db, "SELECT count(*) FROM image_chunk"), 0);
    store_close(&s);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("blob");
    TCase *t = tcase_create("blob");
    tcase_add_test(t, staged_image_is_invisible_until_it_is_linked);
    tcase_add_test(t, linked_image_reads_back);
    tcase_add_test(t, what_is_not_there_is_noent);
    tcase_add_loop_test(t, damage_row, 0, (int)OTAD_COUNT(damage_rows));
    tcase_add_test(t, same_bytes_are_linked_once);
    tcase_add_test(t, unstaging_spares_what_is_linked);
    tcase_add_test(t, image_goes_with_its_last_build);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
