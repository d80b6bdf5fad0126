/* SPDX-License-Identifier: MIT
 * The ring of events: order, filters, what is lost, how often progress is told. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "fleet/events.h"
#include "otad/err.h"
#include "support/unit.h"

#define THREADS 4
#define EACH 3000

static struct clock at = {.fixed_wall_s = 1000, .fixed_mono_ms = 50000};
static struct events *ring;

static void setup(void)
{
    at = (struct clock){.fixed_wall_s = 1000, .fixed_mono_ms = 50000};
    ring = events_new(&at);
    ck_assert_ptr_nonnull(ring);
}

static void teardown(void)
{
    events_free(&ring);
    ck_assert_ptr_null(ring);
    events_free(&ring);
}

static void publish(int64_t product, uint64_t mac, int64_t n)
{
    const struct event event = {.kind = EVENT_CHECK_IN, .product = product, .mac = mac, .bytes = n};
    events_publish(ring, &event);
}

/* The next event's number, 0 when there is none. */
static int64_t next(uint64_t *cursor, const struct events_filter *f, bool *lost)
{
    struct event event = {.bytes = -1};
    enum events_next found;
    *lost = false;
    do {
        found = events_after(ring, cursor, f, &event, lost);
    } while (found == EVENTS_MORE);
    ck_assert(found == EVENTS_FOUND || event.bytes == -1); /* untouched */
    return found == EVENTS_FOUND ? event.bytes : 0;
}

START_TEST(events_are_read_in_order_by_each_reader)
{
    const struct events_filter all = {.product = 0};
    uint64_t a = events_newest(ring), b = a;
    bool lost;
    ck_assert_uint_eq(a, 1000ULL * EVENTS_SECOND);
    ck_assert_int_eq(next(&a, &all, &lost), 0);
    for (int64_t i = 1; i <= 3; i++)
        publish(7, 0, i);
    ck_assert_uint_eq(events_newest(ring), b + 3);
    for (int64_t i = 1; i <= 3; i++)
        ck_assert_int_eq(next(&a, &all, &lost), i);
    ck_assert_int_eq(next(&a, &all, &lost), 0);
    ck_assert(!lost);
    ck_assert_int_eq(next(&b, &all, &lost), 1);
    ck_assert_uint_eq(b, a - 2); /* a cursor is the id of what was read */
}
END_TEST

static const struct {
    const char *what;
    struct events_filter filter;
    int64_t want[8]; /* ends with 0 */
} filters[] = {
    {"all",                      {.product = 0},             {1, 2, 3, 4, 5}},
    {"a product",                {.product = 7},             {1, 2, 4}      },
    {"a device",                 {.mac = 0xB},               {2, 3}         },
    {"a device of a product",    {.product = 7, .mac = 0xB}, {2}            },
    {"what belongs to products", {.only_products = true},    {1, 2, 3, 4}   },
    {"nothing",                  {.product = 9},             {0}            },
};

START_TEST(filter_passes_what_it_says)
{
    uint64_t cursor = events_newest(ring);
    bool lost;
    publish(7, 0xA, 1);
    publish(7, 0xB, 2);
    publish(8, 0xB, 3);
    publish(7, 0, 4);
    publish(0, 0, 5);
    for (const int64_t *want = filters[_i].want; *want != 0; want++)
        ck_assert_msg(next(&cursor, &filters[_i].filter, &lost) == *want, "%s: %d is missing",
                      filters[_i].what, (int)*want);
    ck_assert_msg(next(&cursor, &filters[_i].filter, &lost) == 0, "%s: more", filters[_i].what);
    ck_assert_uint_eq(cursor, events_newest(ring)); /* what didn't pass is behind it too */
}
END_TEST

START_TEST(reader_that_falls_behind_is_told)
{
    const struct events_filter all = {.product = 0};
    uint64_t begin = events_newest(ring), cursor = begin;
    bool lost;
    for (int64_t i = 1; i <= EVENTS_MAX; i++)
        publish(7, 0, i);
    ck_assert_int_eq(next(&cursor, &all, &lost), 1);
    ck_assert(!lost); /* exactly full */
    publish(7, 0, EVENTS_MAX + 1);
    publish(7, 0, EVENTS_MAX + 2);
    ck_assert_int_eq(next(&cursor, &all, &lost), 3);
    ck_assert(lost);
    ck_assert_int_eq(next(&cursor, &all, &lost), 4);
    ck_assert(!lost);
}
END_TEST

START_TEST(cursor_of_another_life_is_lost)
{
    const struct events_filter all = {.product = 0};
    bool lost;
    uint64_t early = 5, late = events_newest(ring) + 99;
    ck_assert_int_eq(next(&early, &all, &lost), 0);
    ck_assert(lost);
    ck_assert_uint_eq(early, events_newest(ring));
    ck_assert_int_eq(next(&late, &all, &lost), 0);
    ck_assert(lost);
    ck_assert_uint_eq(late, events_newest(ring));
}
END_TEST

static void transfer(int64_t id, bool progress, int64_t n)
{
    const struct event event = {
        .kind = EVENT_TRANSFER, .transfer = id, .progress = progress, .bytes = n};
    events_publish(ring, &event);
}

START_TEST(progress_is_told_once_a_second)
{
    const struct events_filter all = {.product = 0};
    uint64_t cursor = events_newest(ring);
    bool lost;
    transfer(1, false, 1); /* begin */
    transfer(1, true, 2);  /* at once: dropped */
    transfer(2, true, 3);  /* another one's */
    at.fixed_mono_ms += EVENT_PROGRESS_MS - 1;
    transfer(1, true, 4); /* dropped */
    at.fixed_mono_ms += 1;
    transfer(1, true, 5);
    transfer(1, true, 6);  /* dropped */
    transfer(1, false, 7); /* end: always */
    static const int64_t want[] = {1, 3, 5, 7, 0};
    for (size_t i = 0; i < OTAD_COUNT(want); i++)
        ck_assert_int_eq(next(&cursor, &all, &lost), want[i]);
}
END_TEST

static void count(void *arg)
{
    (void)atomic_fetch_add((atomic_int *)arg, 1);
}

START_TEST(listener_hears_of_what_was_published)
{
    atomic_int heard = 0;
    publish(1, 1, 1);
    events_set_listener(ring, count, &heard);
    publish(1, 1, 2);
    transfer(3, true, 3);
    transfer(3, true, 4); /* dropped: no news */
    ck_assert_int_eq(heard, 2);
    events_set_listener(ring, NULL, NULL);
    publish(1, 1, 5);
    ck_assert_int_eq(heard, 2);
    events_publish(NULL, &(struct event){.kind = EVENT_CHANGE}); /* nobody watches */
}
END_TEST

static void *publish_many(void *arg)
{
    for (int64_t i = 1; i <= EACH; i++)
        publish((int64_t)(intptr_t)arg, 0, i);
    return NULL;
}

struct reader {
    uint64_t cursor;
    int64_t seen;
    bool lost; /* since it saw something */
};

/* @return whether there was something */
static bool read_next(struct reader *r, int64_t product)
{
    const struct events_filter f = {.product = product};
    bool lost;
    int64_t n = next(&r->cursor, &f, &lost);
    r->lost |= lost;
    if (n == 0)
        return false;
    ck_assert(r->lost ? n > r->seen : n == r->seen + 1);
    r->seen = n;
    r->lost = false;
    return true;
}

/* Each reader of a product sees that thread's events in order, with a gap only when told so. */
START_TEST(readers_and_writers_at_once)
{
    pthread_t threads[THREADS];
    struct reader readers[THREADS] = {{.seen = 0}};
    atomic_int heard = 0;
    events_set_listener(ring, count, &heard);
    for (size_t i = 0; i < THREADS; i++)
        readers[i].cursor = events_newest(ring);
    for (intptr_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, publish_many, (void *)(i + 1)), 0);
    while (atomic_load(&heard) < THREADS * EACH)
        for (size_t i = 0; i < THREADS; i++)
            (void)read_next(&readers[i], (int64_t)i + 1);
    for (size_t i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
        while (read_next(&readers[i], (int64_t)i + 1))
            continue;
        ck_assert(readers[i].lost || readers[i].seen == EACH);
    }
    events_set_listener(ring, NULL, NULL);
    ck_assert_int_eq(heard, THREADS * EACH);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("events");
    TCase *t = tcase_create("ring");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, events_are_read_in_order_by_each_reader);
    tcase_add_loop_test(t, filter_passes_what_it_says, 0, (int)OTAD_COUNT(filters));
    tcase_add_test(t, reader_that_falls_behind_is_told);
    tcase_add_test(t, cursor_of_another_life_is_lost);
    tcase_add_test(t, progress_is_told_once_a_second);
    tcase_add_test(t, listener_hears_of_what_was_published);
    tcase_add_test(t, readers_and_writers_at_once);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
