/* SPDX-License-Identifier: MIT
 * The tables `update` and `transfer`. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "fleet/transfer.h"
#include "fleet/update.h"
#include "support/store.h"

struct world {
    struct store s;
    int64_t product, device, other;
    struct build one, two;
};

static void world(struct world *w)
{
    store_memory(&w->s);
    w->product = store_product(w->s.db, "lamp");
    w->device = store_device(w->s.db, w->product, 0xa, "0", 5);
    w->other = store_device(w->s.db, w->product, 0xb, "0", 5);
    w->one = store_build(w->s.db, w->product, "1", BUILD_APP);
    w->two = store_build(w->s.db, w->product, "2", BUILD_APP);
}

static struct update add(struct world *w, int64_t device, const struct build *b,
                         enum update_state state, int64_t at_s)
{
    struct update u = {.product = w->product,
                       .device = device,
                       .build = b->seq,
                       .state = state,
                       .from_version = "0",
                       .created_at_s = at_s};
    OK(update_insert(w->s.db, &u, EI));
    ck_assert_int_gt(u.id, 0);
    return u;
}

START_TEST(state_has_a_word_and_back)
{
    enum update_state back = (enum update_state)77;
    ck_assert(update_state_parse(update_state_name((enum update_state)_i), &back));
    ck_assert_int_eq((int)back, _i);
}
END_TEST

START_TEST(other_words_are_no_states)
{
    enum update_state same = UPDATE_FAILED;
    ck_assert(!update_state_parse("Installed", &same));
    ck_assert(!update_state_parse("", &same));
    ck_assert_int_eq(same, UPDATE_FAILED);
    ck_assert_str_eq(update_state_name(UPDATE_IN_PROGRESS), "in_progress");
    ck_assert_str_eq(update_state_name(UPDATE_ATTEMPTS_EXHAUSTED), "attempts_exhausted");
}
END_TEST

START_TEST(update_is_found_with_device_and_build)
{
    struct world w;
    struct update u = {.id = 99};
    world(&w);
    struct update made = add(&w, w.device, &w.one, UPDATE_IN_PROGRESS, 10);
    FAILS(OTAD_E_NOENT, update_find(w.s.db, 4711, &u, EI));
    FAILS(OTAD_E_NOENT, update_newest(w.s.db, w.other, 0, &u, EI));
    ck_assert_int_eq(u.id, 99);
    OK(update_find(w.s.db, made.id, &u, EI));
    ck_assert_uint_eq(u.mac, 0xa);
    ck_assert_int_eq(u.build_id, w.one.id);
    ck_assert_str_eq(u.to_version, "1");
    ck_assert_str_eq(u.from_version, "0");
    ck_assert_int_eq(u.state, UPDATE_IN_PROGRESS);
    ck_assert_int_eq(u.created_at_s, 10);
    ck_assert_int_eq(u.updated_at_s, 10);
    store_close(&w.s);
}
END_TEST

START_TEST(saving_writes_the_story)
{
    struct world w;
    world(&w);
    struct update u = add(&w, w.device, &w.one, UPDATE_PENDING, 10);
    u.state = UPDATE_FAILED;
    u.attempts = 3;
    u.updated_at_s = 20;
    (void)snprintf(u.cause, sizeof u.cause, "reported");
    (void)snprintf(u.detail, sizeof u.detail, "words");
    OK(update_save(w.s.db, &u, EI));
    OK(update_find(w.s.db, u.id, &u, EI));
    ck_assert_int_eq(u.state, UPDATE_FAILED);
    ck_assert_str_eq(u.cause, "reported");
    ck_assert_str_eq(u.detail, "words");
    ck_assert_int_eq(u.attempts, 3);
    ck_assert_int_eq(u.updated_at_s, 20);
    ck_assert_int_eq(u.created_at_s, 10);
    store_close(&w.s);
}
END_TEST

START_TEST(newest_and_open_ones)
{
    struct world w;
    struct update u, open[8];
    size_t n = 99;
    world(&w);
    struct update a = add(&w, w.device, &w.one, UPDATE_PENDING, 10);
    struct update b = add(&w, w.device, &w.two, UPDATE_INSTALLED, 11);
    struct update c = add(&w, w.device, &w.one, UPDATE_IN_PROGRESS, 12);
    struct update d = add(&w, w.device, &w.two, UPDATE_SENT, 13);
    (void)add(&w, w.device, &w.two, UPDATE_FAILED, 14);
    (void)add(&w, w.device, &w.two, UPDATE_ROLLED_BACK, 15);
    struct update last = add(&w, w.device, &w.two, UPDATE_ATTEMPTS_EXHAUSTED, 16);
    (void)add(&w, w.other, &w.one, UPDATE_IN_PROGRESS, 17);
    (void)b;
    OK(update_newest(w.s.db, w.device, 0, &u, EI));
    ck_assert_int_eq(u.id, last.id);
    OK(update_newest(w.s.db, w.device, w.one.seq, &u, EI));
    ck_assert_int_eq(u.id, c.id);
    OK(update_open(w.s.db, w.device, open, 8, &n, EI));
    ck_assert_uint_eq(n, 3);
    ck_assert_int_eq(open[0].id, a.id);
    ck_assert_int_eq(open[1].id, c.id);
    ck_assert_int_eq(open[2].id, d.id);
    OK(update_open(w.s.db, w.device, open, 2, &n, EI));
    ck_assert_uint_eq(n, 2);
    store_close(&w.s);
}
END_TEST

static int64_t first_id;
static enum otad_err each(void *arg, const struct update *u)
{
    char *text = arg;
    size_t n = strlen(text);
    (void)snprintf(text + n, 64 - n, "%d ", (int)(u->id - first_id));
    return OTAD_E_OK;
}

static const struct {
    const char *what;
    uint64_t mac;
    int build; /* 1 or 2; 0: any */
    const char *state, *cause;
    int64_t since_s, until_s, before, limit;
    const char *want;
} list_rows[] = {
    {"all, newest first", 0,   0, NULL,        NULL,       0,  INT64_MAX, 99, 9, "3 2 1 0 "},
    {"limited",           0,   0, NULL,        NULL,       0,  INT64_MAX, 99, 2, "3 2 "    },
    {"next page",         0,   0, NULL,        NULL,       0,  INT64_MAX, 2,  2, "1 0 "    },
    {"of a device",       0xb, 0, NULL,        NULL,       0,  INT64_MAX, 99, 9, "3 1 "    },
    {"of no device",      0xc, 0, NULL,        NULL,       0,  INT64_MAX, 99, 9, ""        },
    {"of a build",        0,   2, NULL,        NULL,       0,  INT64_MAX, 99, 9, "3 2 "    },
    {"of both",           0xb, 2, NULL,        NULL,       0,  INT64_MAX, 99, 9, "3 "      },
    {"in a state",        0,   0, "installed", NULL,       0,  INT64_MAX, 99, 9, "1 "      },
    {"with a cause",      0,   0, NULL,        "reported", 0,  INT64_MAX, 99, 9, "2 "      },
    {"since",             0,   0, NULL,        NULL,       12, INT64_MAX, 99, 9, "3 2 "    },
    {"until, without",    0,   0, NULL,        NULL,       0,  12,        99, 9, "1 0 "    },
};

START_TEST(list_row)
{
    struct world w;
    char text[64] = "";
    world(&w);
    struct update a = add(&w, w.device, &w.one, UPDATE_PENDING, 10);
    (void)add(&w, w.other, &w.one, UPDATE_INSTALLED, 11);
    struct update c = add(&w, w.device, &w.two, UPDATE_FAILED, 12);
    (void)add(&w, w.other, &w.two, UPDATE_SENT, 13);
    first_id = a.id;
    (void)snprintf(c.cause, sizeof c.cause, "reported");
    OK(update_save(w.s.db, &c, EI));
    struct update_filter f = {.product = w.product,
                              .mac = list_rows[_i].mac,
                              .by_build = list_rows[_i].build != 0,
                              .build_id = list_rows[_i].build == 1 ? w.one.id : w.two.id,
                              .state = list_rows[_i].state,
                              .cause = list_rows[_i].cause,
                              .since_s = list_rows[_i].since_s,
                              .until_s = list_rows[_i].until_s,
                              .after_id = a.id + list_rows[_i].before,
                              .limit = list_rows[_i].limit};
    OK(update_list(w.s.db, &f, each, text, EI));
    ck_assert_msg(strcmp(text, list_rows[_i].want) == 0, "%s: %s", list_rows[_i].what, text);
    f.product = 4711;
    text[0] = '\0';
    OK(update_list(w.s.db, &f, each, text, EI));
    ck_assert_str_eq(text, "");
    store_close(&w.s);
}
END_TEST

/* Updates 0 to 3, changed in the order 2, 0, 3, 1; 0 and 2 are of one device, 1 and 3 of another.
 * 3 and 1 changed in the same second. */
static const struct {
    const char *sort;
    const char *all, *of_other;
} sort_rows[] = {
    {"-id",         "3 2 1 0 ", "3 1 "},
    {"id",          "0 1 2 3 ", "1 3 "},
    {"-updated_at", "3 1 0 2 ", "3 1 "},
    {"updated_at",  "2 0 1 3 ", "1 3 "},
};

static enum otad_err remember(void *arg, const struct update *u)
{
    struct update_filter *f = arg;
    f->after_id = u->id;
    f->after_s = u->updated_at_s;
    return OTAD_E_OK;
}

/* All pages of one row. */
static void pages(struct db *db, struct update_filter f, char text[64])
{
    text[0] = '\0';
    update_first(&f);
    f.limit = 1;
    for (size_t before = 99; strlen(text) != before;) {
        before = strlen(text);
        OK(update_list(db, &f, each, text, EI));
        OK(update_list(db, &f, remember, &f, EI));
    }
}

START_TEST(sort_row)
{
    static const int64_t changed_s[] = {20, 30, 10, 30};
    struct world w;
    char text[64];
    world(&w);
    struct update u[4] = {
        add(&w, w.device, &w.one, UPDATE_SENT, 10), add(&w, w.other, &w.one, UPDATE_SENT, 10),
        add(&w, w.device, &w.two, UPDATE_SENT, 10), add(&w, w.other, &w.two, UPDATE_SENT, 10)};
    first_id = u[0].id;
    for (size_t i = 0; i < 4; i++) {
        u[i].updated_at_s = changed_s[i];
        OK(update_save(w.s.db, &u[i], EI));
    }
    struct update_filter f = {.product = w.product, .until_s = INT64_MAX};
    ck_assert(!update_sort_parse("mac", &f.sort));
    ck_assert(update_sort_parse(sort_rows[_i].sort, &f.sort));
    pages(w.s.db, f, text);
    ck_assert_str_eq(text, sort_rows[_i].all);
    f.mac = 0xb;
    pages(w.s.db, f, text);
    ck_assert_str_eq(text, sort_rows[_i].of_other);
    store_close(&w.s);
}
END_TEST

/* ---- transfers ---------------------------------------------------------------------------- */

#define IDS 20000
static int64_t ids[4][IDS];

static void *make_ids(void *arg)
{
    int64_t *mine = arg;
    for (int i = 0; i < IDS; i++)
        mine[i] = transfer_new_id(1000);
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

START_TEST(ids_are_unique_over_threads_and_grow)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, make_ids, ids[i]), 0);
    for (int i = 0; i < 4; i++)
        (void)pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++)
        for (int k = 1; k < IDS; k++)
            ck_assert_int_gt(ids[i][k], ids[i][k - 1]);
    int64_t *all = ids[0];
    qsort(all, 4 * (size_t)IDS, sizeof *all, by_value);
    for (int i = 1; i < 4 * IDS; i++)
        ck_assert_int_ne(all[i], all[i - 1]);
    int64_t later = transfer_new_id(2000), clock_went_back = transfer_new_id(1500);
    ck_assert_int_gt(later, all[4 * IDS - 1]);
    ck_assert_int_gt(clock_went_back, later);
}
END_TEST

static struct transfer transfer_of(const struct update *u, int64_t id)
{
    return (struct transfer){.id = id,
                             .update = u->id,
                             .size_bytes = 1000,
                             .resumed = 1,
                             .client = "curl",
                             .address = "192.0.2.1",
                             .started_at_s = 50};
}

START_TEST(transfer_begins_and_ends)
{
    struct world w;
    struct transfer found = {.id = 99};
    world(&w);
    struct update u = add(&w, w.device, &w.one, UPDATE_IN_PROGRESS, 10);
    struct transfer t = transfer_of(&u, 7);
    FAILS(OTAD_E_NOENT, transfer_find(w.s.db, 7, &found, EI));
    ck_assert_int_eq(found.id, 99);
    OK(transfer_insert(w.s.db, &t, EI));
    FAILS(OTAD_E_CONFLICT, transfer_insert(w.s.db, &t, EI));
    OK(transfer_find(w.s.db, 7, &found, EI));
    ck_assert_int_eq(found.state, TRANSFER_DOWNLOADING);
    ck_assert_int_eq(found.size_bytes, 1000);
    ck_assert_int_eq(found.bytes_acked, 0);
    ck_assert_str_eq(found.client, "curl");
    ck_assert_int_eq(found.ended_at_s, 0);
    t.state = TRANSFER_ABORTED;
    t.bytes_acked = 410;
    t.bytes_per_s = 100;
    t.ended_at_s = 60;
    (void)snprintf(t.cause, sizeof t.cause, "peer_gone");
    (void)snprintf(t.detail, sizeof t.detail, "words");
    struct intervals arrived = {.n = 0};
    OK(transfer_arrived(w.s.db, 7, &arrived, EI));
    ck_assert_uint_eq(arrived.n, 0);
    ck_assert(intervals_add(&arrived, 0, 399) && intervals_add(&arrived, 500, 509));
    OK(transfer_save(w.s.db, &t, &arrived, EI));
    OK(transfer_arrived(w.s.db, 7, &arrived, EI));
    ck_assert_int_eq(intervals_bytes(&arrived), 410);
    ck_assert_int_eq(arrived.items[1].first, 500);
    OK(transfer_find(w.s.db, 7, &found, EI));
    ck_assert_int_eq(found.state, TRANSFER_ABORTED);
    ck_assert_str_eq(transfer_state_name(found.state), "aborted");
    ck_assert_int_eq(found.bytes_acked, 410);
    ck_assert_int_eq(found.bytes_per_s, 100);
    ck_assert_str_eq(found.cause, "peer_gone");
    ck_assert_str_eq(found.detail, "words");
    ck_assert_int_eq(found.ended_at_s, 60);
    ck_assert_int_eq(found.resumed, 1);
    store_close(&w.s);
}
END_TEST

static enum otad_err each_transfer(void *arg, const struct transfer *t)
{
    char *text = arg;
    size_t n = strlen(text);
    (void)snprintf(text + n, 64 - n, "%d%s ", (int)t->id, transfer_state_name(t->state));
    return OTAD_E_OK;
}

START_TEST(start_ends_what_a_dead_daemon_left_open)
{
    struct world w;
    char text[64] = "";
    world(&w);
    struct update u = add(&w, w.device, &w.one, UPDATE_IN_PROGRESS, 10);
    for (int64_t id = 1; id <= 3; id++) {
        struct transfer t = transfer_of(&u, id);
        OK(transfer_insert(w.s.db, &t, EI));
        t.state = TRANSFER_SENT;
        if (id == 2)
            OK(transfer_save(w.s.db, &t, &(struct intervals){.n = 0}, EI));
    }
    OK(transfer_part_begin(w.s.db, 9, 1, EI));
    OK(transfer_abort_open(w.s.db, INT64_MAX, "server_shutdown", "", 99, EI));
    OK(transfer_list(w.s.db, u.id, each_transfer, text, EI));
    ck_assert_str_eq(text, "1aborted 2sent 3aborted ");
    ck_assert_int_eq(store_int(w.s.db, "SELECT ended_at_s FROM transfer WHERE id = 3"), 99);
    ck_assert_int_eq(store_int(w.s.db, "SELECT count(*) FROM transfer_part"), 0);
    store_close(&w.s);
}
END_TEST

START_TEST(parts_lead_to_their_transfer)
{
    struct world w;
    int64_t of, others;
    world(&w);
    struct update u = add(&w, w.device, &w.one, UPDATE_IN_PROGRESS, 10);
    struct transfer t = transfer_of(&u, 7);
    OK(transfer_insert(w.s.db, &t, EI));
    OK(transfer_part_begin(w.s.db, 8, 7, EI));
    OK(transfer_part_begin(w.s.db, 9, 7, EI));
    OK(transfer_part_end(w.s.db, 7, &of, &others, EI)); /* the one that began it */
    ck_assert_int_eq(of, 7);
    ck_assert_int_eq(others, 2);
    OK(transfer_part_end(w.s.db, 9, &of, &others, EI));
    ck_assert_int_eq(of, 7);
    ck_assert_int_eq(others, 1);
    OK(transfer_part_end(w.s.db, 8, &of, &others, EI));
    ck_assert_int_eq(others, 0);
    OK(transfer_newest(w.s.db, u.id, &t, EI));
    ck_assert_int_eq(t.id, 7);
    FAILS(OTAD_E_NOENT, transfer_newest(w.s.db, u.id + 1, &t, EI));
    OK(transfer_supersede(w.s.db, u.id, 70, EI));
    OK(transfer_find(w.s.db, 7, &t, EI));
    ck_assert_str_eq(t.cause, "superseded");
    ck_assert_int_eq(t.ended_at_s, 70);
    store_close(&w.s);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("update");
    TCase *t = tcase_create("updates");
    tcase_add_loop_test(t, state_has_a_word_and_back, 0, UPDATE_ATTEMPTS_EXHAUSTED + 1);
    tcase_add_test(t, other_words_are_no_states);
    tcase_add_test(t, update_is_found_with_device_and_build);
    tcase_add_test(t, saving_writes_the_story);
    tcase_add_test(t, newest_and_open_ones);
    tcase_add_loop_test(t, list_row, 0, (int)OTAD_COUNT(list_rows));
    tcase_add_loop_test(t, sort_row, 0, (int)OTAD_COUNT(sort_rows));
    suite_add_tcase(s, t);
    t = tcase_create("transfers");
    tcase_set_timeout(t, 30);
    tcase_add_test(t, ids_are_unique_over_threads_and_grow);
    tcase_add_test(t, transfer_begins_and_ends);
    tcase_add_test(t, parts_lead_to_their_transfer);
    tcase_add_test(t, start_ends_what_a_dead_daemon_left_open);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
