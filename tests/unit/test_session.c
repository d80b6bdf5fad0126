/* SPDX-License-Identifier: MIT
 * Sessions: as good as their key, for as long as they last. */
#include <stdio.h>

#include "fleet/session.h"
#include "support/store.h"

static struct key make_key(struct store *s, const char *name, enum key_role role)
{
    struct key k = {.role = role, .created_at_s = 42};
    char text[KEY_TEXT];
    (void)snprintf(k.name, sizeof k.name, "%s", name);
    OK(key_create(s->db, &k, text, EI));
    return k;
}

START_TEST(session_has_the_rights_of_its_key)
{
    struct store s;
    struct session found;
    char text[SESSION_TEXT], other[SESSION_TEXT];
    store_memory(&s);
    struct key key = make_key(&s, "me", KEY_PUBLISHER), admin = make_key(&s, "root", KEY_ADMIN);
    OK(session_create(s.db, &key, 100, 200, text, EI));
    OK(session_create(s.db, &admin, 100, 300, other, EI));
    ck_assert_uint_eq(strlen(text), SESSION_TEXT - 1);
    ck_assert_str_ne(text, other);
    OK(session_check(s.db, text, 150, &found, EI));
    ck_assert_str_eq(found.key.name, "me");
    ck_assert_int_eq(found.key.role, KEY_PUBLISHER);
    ck_assert_int_eq(found.expires_at_s, 200);
    OK(session_check(s.db, other, 150, &found, EI));
    ck_assert_str_eq(found.key.name, "root");
    store_close(&s);
}
END_TEST

START_TEST(session_ends_by_time_by_hand_and_with_its_key)
{
    struct store s;
    struct session found;
    char text[SESSION_TEXT], second[SESSION_TEXT];
    store_memory(&s);
    struct key key = make_key(&s, "me", KEY_VIEWER);
    OK(session_create(s.db, &key, 100, 200, text, EI));
    OK(session_create(s.db, &key, 100, 200, second, EI));
    OK(session_check(s.db, text, 199, &found, EI));
    FAILS(OTAD_E_UNAUTHORIZED, session_check(s.db, text, 200, &found, EI));
    HOLDS(EI->hint, "Sign in again");
    OK(session_end(s.db, text, EI));
    FAILS(OTAD_E_UNAUTHORIZED, session_check(s.db, text, 150, &found, EI));
    OK(session_end(s.db, text, EI)); /* once more is no error */
    OK(session_check(s.db, second, 150, &found, EI));
    OK(key_revoke(s.db, "me", 160, EI));
    FAILS(OTAD_E_UNAUTHORIZED, session_check(s.db, second, 150, &found, EI));
    FAILS(OTAD_E_UNAUTHORIZED, session_check(s.db, "", 150, &found, EI));
    store_close(&s);
}
END_TEST

START_TEST(cookie_is_not_stored)
{
    struct store s;
    char text[SESSION_TEXT], sql[160];
    store_memory(&s);
    struct key key = make_key(&s, "me", KEY_VIEWER);
    OK(session_create(s.db, &key, 100, 200, text, EI));
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM session WHERE hash = x'%s'", text);
    struct db_q q = db_query(s.db, sql);
    ck_assert(db_step(&q));
    ck_assert_int_eq(db_int(&q, 0), 0);
    OK(db_end(&q, EI));
    store_close(&s);
}
END_TEST

START_TEST(what_is_over_makes_room)
{
    struct store s;
    struct session found;
    char text[SESSION_TEXT], first[SESSION_TEXT], old[SESSION_TEXT], second[SESSION_TEXT];
    store_memory(&s);
    struct key key = make_key(&s, "me", KEY_VIEWER), other = make_key(&s, "you", KEY_VIEWER);
    OK(session_create(s.db, &other, 1, 50, old, EI));
    OK(session_create(s.db, &other, 1, 5000, old, EI));
    for (int64_t i = 0; i < SESSIONS_PER_KEY + 1; i++)
        OK(session_create(s.db, &key, 100 + i, 5000, i == 0 ? first : i == 1 ? second : text, EI));
    ck_assert_int_eq(store_int(s.db, "SELECT count(*) FROM session WHERE api_key = 1"),
                     SESSIONS_PER_KEY);
    FAILS(OTAD_E_UNAUTHORIZED, session_check(s.db, first, 200, &found, EI)); /* the oldest */
    OK(session_check(s.db, second, 200, &found, EI));
    OK(session_check(s.db, text, 200, &found, EI));
    ck_assert_int_eq(store_int(s.db, "SELECT count(*) FROM session WHERE api_key = 2"), 1);
    store_close(&s);
}
END_TEST

START_TEST(csrf_is_made_of_the_cookie)
{
    char a[SESSION_CSRF], b[SESSION_CSRF], again[SESSION_CSRF];
    ck_assert_int_eq(session_csrf("aa", a), OTAD_E_OK);
    ck_assert_int_eq(session_csrf("ab", b), OTAD_E_OK);
    ck_assert_int_eq(session_csrf("aa", again), OTAD_E_OK);
    ck_assert_uint_eq(strlen(a), SESSION_CSRF - 1);
    ck_assert_str_ne(a, b);
    ck_assert_str_eq(a, again);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("session");
    TCase *t = tcase_create("session");
    tcase_add_test(t, session_has_the_rights_of_its_key);
    tcase_add_test(t, session_ends_by_time_by_hand_and_with_its_key);
    tcase_add_test(t, cookie_is_not_stored);
    tcase_add_test(t, what_is_over_makes_room);
    tcase_add_test(t, csrf_is_made_of_the_cookie);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
