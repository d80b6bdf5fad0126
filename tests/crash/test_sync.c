/* SPDX-License-Identifier: MIT
 * No 2xx leaves before the sync returned: powercut.so holds every sync back at a gate, and the
 * answer has to wait with it, while everything that needs no write goes on. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "support/crashkit.h"
#include "support/http.h"
#include "support/unit.h"

#define SILENCE_MS 500
#define PROMPT_MS 20000 /* what takes milliseconds on a machine with nothing else to do */

static struct daemon d;
static struct crash_power power;
static char key[DAEMON_KEY];
static char build_id[3][32];

static void setup(void)
{
    if (!crash_can_preload())
        return;
    d = (struct daemon){.pid = 0};
    power = (struct crash_power){.control = NULL};
    crash_power_on(&power, &d);
    daemon_start(&d, NULL);
    ck_assert_uint_eq(atomic_load(&power.control->loaded), 1);
    struct daemon plain = d; /* the key command is another process: it needs the plain VFS */
    daemon_stop(&d);
    daemon_key(&plain, "gate", "admin", NULL, key);
    daemon_restart(&d);
    make_product(&d, key, "lamp");
    publish(&d, key, "lamp", "1", NULL, 1, build_id[0]);
    publish(&d, key, "lamp", "2", NULL, 2, build_id[1]);
    publish(&d, key, "lamp", "3", "none", 3, build_id[2]);
    struct reply r = get(&d, NULL, "/fw/lamp/30AEA4000001.bin");
    CK_STATUS("download", r, 200);
    reply_free(&r);
    r = send_json(&d, key, "POST", "/api/v1/keys", "{\"name\":\"old\",\"role\":\"viewer\"}");
    CK_STATUS("key", r, 201);
    reply_free(&r);
    make_product(&d, key, "empty");
}

static void teardown(void)
{
    if (power.control != NULL)
        atomic_store(&power.control->gate, 0);
    daemon_free(&d);
    crash_power_free(&power);
}

/* ---- a request that may have to wait ------------------------------------------------------ */

struct request {
    const char *what, *method, *path, *json;
    long want;
    size_t image_bytes; /* an upload of that size */
    pthread_t thread;
    struct reply reply;
    atomic_bool answered;
};

static struct reply upload_image(const struct request *q)
{
    struct img image = image_of("ESP8266", q->image_bytes, q->image_bytes);
    char version[32];
    (void)snprintf(version, sizeof version, "9.%zu", q->image_bytes);
    const struct part parts[] = {
        {.name = "file",      .filename = "a.bin", .data = image.data, .n = image.n},
        {.name = "version", .text = version},
        {.name = NULL                  }
    };
    struct reply r = upload(&d, key, "lamp", parts);
    img_free(&image);
    return r;
}

/* Puts the id of the n-th build where the text says $n. */
static const char *fill_in(const char *text, char *out, size_t room)
{
    const char *mark = text != NULL ? strchr(text, '$') : NULL;
    if (mark == NULL)
        return text;
    (void)snprintf(out, room, "%.*s%s%s", (int)(mark - text), text, build_id[mark[1] - '0'],
                   mark + 2);
    return out;
}

static void *send_request(void *arg)
{
    struct request *q = arg;
    char path[160], json[160];
    if (q->image_bytes > 0)
        q->reply = upload_image(q);
    else
        q->reply =
            send_json(&d, strncmp(q->path, "/fw/", 4) == 0 ? NULL : key, q->method,
                      fill_in(q->path, path, sizeof path), fill_in(q->json, json, sizeof json));
    atomic_store(&q->answered, true);
    return NULL;
}

static void begin(struct request *q)
{
    atomic_store(&q->answered, false);
    ck_assert_int_eq(pthread_create(&q->thread, NULL, send_request, q), 0);
}

static bool wait_answer(struct request *q, int64_t ms)
{
    int64_t deadline = test_now_ms() + ms;
    while (!atomic_load(&q->answered) && test_now_ms() < deadline)
        test_sleep_ms(2);
    return atomic_load(&q->answered);
}

static void finish(struct request *q)
{
    (void)pthread_join(q->thread, NULL);
    CK_STATUS(q->what, q->reply, (int)q->want);
    reply_free(&q->reply);
}

/* In this order: later rows live on earlier ones. $n is the id of the n-th build. */
static struct request rows[] = {
    {.what = "report",
     .method = "POST",
     .path = "/fw/lamp/30AEA4000001/report",
     .json = "{\"result\":\"failed\",\"code\":7}",
     .want = 204},
    {.what = "upload",                                                    .image_bytes = 300000,                                   .want = 201},
    {.what = "create product",
     .method = "POST",
     .path = "/api/v1/products",
     .json = "{\"slug\":\"fan\"}",
     .want = 201},
    {.what = "change product",
     .method = "PATCH",
     .path = "/api/v1/products/lamp",
     .json = "{\"name\":\"Lamp\"}",
     .want = 200},
    {.what = "delete product",                                          .method = "DELETE",                                        .path = "/api/v1/products/empty",                                                       .want = 204                                                                                                            },
    {.what = "change build",
     .method = "PATCH",
     .path = "/api/v1/products/lamp/builds/$0",
     .json = "{\"notes\":\"n\"}",
     .want = 200},
    {.what = "move channel",
     .method = "PATCH",
     .path = "/api/v1/products/lamp/channels/stable",
     .json = "{\"build\":\"$0\"}",
     .want = 200},
    {.what = "undo channel",
     .method = "POST",
     .path = "/api/v1/products/lamp/channels/stable/undo",
     .json = "{}",
     .want = 200},
    {.what = "pause channel",
     .method = "POST",
     .path = "/api/v1/products/lamp/channels/stable/pause",
     .json = "{}",
     .want = 200},
    {.what = "resume channel",
     .method = "POST",
     .path = "/api/v1/products/lamp/channels/stable/resume",
     .json = "{}",
     .want = 200},
    {.what = "withdraw build",
     .method = "POST",
     .path = "/api/v1/products/lamp/builds/$2/withdraw",
     .json = "{}",
     .want = 200},
    {.what = "delete build",
     .method = "DELETE",
     .path = "/api/v1/products/lamp/builds/$2",
     .want = 204                                                                                     },
    {.what = "change device",
     .method = "PATCH",
     .path = "/api/v1/products/lamp/devices/30AEA4000001",
     .json = "{\"note\":\"n\"}",
     .want = 200},
    {.what = "forget device",
     .method = "DELETE",
     .path = "/api/v1/products/lamp/devices/30AEA4000001",
     .want = 204                                                                                                       },
    {.what = "create key",
     .method = "POST",
     .path = "/api/v1/keys",
     .json = "{\"name\":\"new\",\"role\":\"viewer\"}",
     .want = 201},
    {.what = "revoke key",                                   .method = "DELETE", .path = "/api/v1/keys/old",                                                                                  .want = 204                                                                                                                              },
};

static void run_gated(struct request *q)
{
    struct powercut *control = power.control;
    atomic_store(&control->gate, 1);
    begin(q);
    ck_assert_msg(crash_wait_count(&control->waiting, 1, PROMPT_MS), "%s: no sync is waiting",
                  q->what);
    /* Not before: one that was under way when the gate closed may have ended behind it. */
    unsigned before = atomic_load(&control->dirty_syncs);
    ck_assert_msg(!wait_answer(q, SILENCE_MS), "%s: answered %ld before its sync returned", q->what,
                  q->reply.status);
    struct reply r = get(&d, NULL, "/fw/lamp/30AEA4000001.version");
    CK_STATUS("a check-in while the disk hangs", r, 200);
    reply_free(&r);
    ck_assert_uint_eq(atomic_load(&control->dirty_syncs), before);
    atomic_store(&control->gate, 0);
    ck_assert_msg(wait_answer(q, PROMPT_MS), "%s: no answer with the gate open", q->what);
    finish(q);
    ck_assert_uint_gt(atomic_load(&control->dirty_syncs), before);
}

START_TEST(change_with_gate_closed_is_not_answered)
{
    if (!crash_can_preload())
        return;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        run_gated(&rows[i]);
}
END_TEST

/* The control: the same with the gate open is prompt, so the silence above is the gate's. */
START_TEST(change_with_gate_open_is_answered_at_once)
{
    if (!crash_can_preload())
        return;
    int64_t slowest = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t start = test_now_ms();
        begin(&rows[i]);
        ck_assert_msg(wait_answer(&rows[i], PROMPT_MS), "%s: no answer", rows[i].what);
        finish(&rows[i]);
        if (test_now_ms() - start > slowest)
            slowest = test_now_ms() - start;
    }
    fprintf(stderr, "slowest of %zu changes with the gate open: %lld ms\n",
            sizeof rows / sizeof rows[0], (long long)slowest);
}
END_TEST

/* One sync at a time: an upload needs several, and answers only behind the last. */
START_TEST(upload_is_answered_behind_its_last_sync)
{
    if (!crash_can_preload())
        return;
    struct request q = {.what = "large upload", .image_bytes = 3000000, .want = 201};
    struct powercut *control = power.control;
    unsigned steps = 0;
    /* Nothing of the setup may still be on its way: an idle daemon doesn't sync. */
    test_sleep_ms(100);
    atomic_store(&control->gate, 1);
    begin(&q);
    while (!atomic_load(&q.answered) && steps < 100) {
        if (!crash_wait_count(&control->waiting, 1, 200))
            continue; /* between two syncs, or about to answer */
        ck_assert_msg(!wait_answer(&q, 50), "answered while a sync of it was waiting");
        atomic_store(&control->permits, 1);
        while (atomic_load(&control->permits) != 0)
            test_sleep_ms(1);
        steps++;
    }
    atomic_store(&control->gate, 0);
    finish(&q);
    /* the row of the image, three groups of chunks, the link */
    ck_assert_msg(steps >= 5, "%u syncs", steps);
    fprintf(stderr, "an upload of 3 MB took %u syncs before its answer\n", steps);
}
END_TEST

/* The longest wait is bounded: the client is told that it is unknown, not kept forever. */
START_TEST(change_on_a_hanging_disk_gets_503_at_its_deadline)
{
    if (!crash_can_preload())
        return;
    daemon_stop(&d);
    daemon_start(&d, (const char *const[]){"--storage-write-timeout-s", "1", NULL});
    struct request q = {.what = "create product",
                        .method = "POST",
                        .path = "/api/v1/products",
                        .json = "{\"slug\":\"late\"}",
                        .want = 503};
    atomic_store(&power.control->gate, 1);
    begin(&q);
    ck_assert(wait_answer(&q, PROMPT_MS));
    finish(&q);
    struct reply r = get(&d, key, "/api/v1/products/late");
    CK_STATUS("what is not durable is not shown", r, 404);
    reply_free(&r);
    atomic_store(&power.control->gate, 0);
    r = send_json(&d, key, "POST", "/api/v1/products", "{\"slug\":\"next\"}");
    CK_STATUS("the next change", r, 201);
    reply_free(&r);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("sync");
    TCase *t = tcase_create("gate");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 300);
    tcase_add_test(t, change_with_gate_open_is_answered_at_once);
    tcase_add_test(t, change_with_gate_closed_is_not_answered);
    tcase_add_test(t, upload_is_answered_behind_its_last_sync);
    tcase_add_test(t, change_on_a_hanging_disk_gets_503_at_its_deadline);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(suite)
