/* SPDX-License-Identifier: MIT
 * Pushes by the daemon, to doubles of ArduinoOTA: what the API answers, what the ledger then knows,
 * and that nothing of a push is left hanging. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "otad/err.h"
#include "support/espota_device.h"
#include "support/http.h"
#include "support/unit.h"

#define MAC "30:AE:A4:00:00:01"
#define DEVICE "/api/v1/products/lamp/devices/" MAC
#define SECRET "s3cret-of-the-lamp"

static struct daemon d;
static char admin[DAEMON_KEY], viewer[DAEMON_KEY];
static char build[32], admin_env[DAEMON_KEY + 16];

static void setup(void)
{
    static const char *const flags[] = {"--storage-flush-interval-ms", "20",
                                        "--push-concurrent-max", "2", NULL};
    daemon_start(&d, flags);
    daemon_key(&d, "root", "admin", NULL, admin);
    (void)snprintf(admin_env, sizeof admin_env, "OTAD_KEY=%s", admin);
    daemon_key(&d, "looker", "viewer", NULL, viewer);
    make_product(&d, admin, "lamp");
    struct img image = image_of("ESP8266", 1, 100000);
    const struct part parts[] = {
        {.name = "file",      .filename = "lamp.ino.bin", .data = image.data, .n = image.n},
        {.name = "version", .text = "1"},
        {.name = NULL                  }
    };
    struct reply r = upload(&d, admin, "lamp", parts);
    CK_STATUS("upload", r, 201);
    (void)snprintf(build, sizeof build, "%s", reply_text(&r, "id"));
    reply_free(&r);
    img_free(&image);
}

static void teardown(void)
{
    daemon_free(&d);
}

/* ---- helpers ------------------------------------------------------------------------------ */

static struct reply ask_push(const char *mac, const char *json)
{
    char path[128];
    (void)snprintf(path, sizeof path, "/api/v1/products/lamp/devices/%s/push", mac);
    return send_json(&d, admin, "POST", path, json);
}

/* Starts a push to a double on that port. */
static void start(const char *mac, uint16_t port, const char *more, char id[32])
{
    char json[256];
    (void)snprintf(json, sizeof json, "{\"address\":\"127.0.0.1\",\"port\":%u,\"patience_s\":%d%s}",
                   (unsigned)port, 2, more);
    struct reply r = ask_push(mac, json);
    CK_STATUS("push", r, 202);
    (void)snprintf(id, 32, "%s", reply_text(&r, "id"));
    reply_free(&r);
}

static struct reply look(const char *id)
{
    char path[128];
    (void)snprintf(path, sizeof path, "/api/v1/products/lamp/pushes/%s", id);
    struct reply r = get(&d, viewer, path);
    CK_STATUS(path, r, 200);
    return r;
}

static bool is_over(const struct reply *r)
{
    return strcmp(reply_text(r, "state"), "ok") == 0 ||
           strcmp(reply_text(r, "state"), "failed") == 0;
}

/* Waits for its end. */
static struct reply finished(const char *id)
{
    int64_t until = test_now_ms() + DAEMON_PATIENCE_S * 1000;
    for (;;) {
        struct reply r = look(id);
        if (is_over(&r))
            return r;
        ck_assert_msg(test_now_ms() < until, "the push doesn't end: %s", r.body);
        reply_free(&r);
        test_sleep_ms(50);
    }
}

static struct reply updates(void)
{
    struct reply r = get(&d, viewer, "/api/v1/products/lamp/updates?mac=" MAC);
    CK_STATUS("updates", r, 200);
    return r;
}

/* As getAvailableVersion() does: it says what runs, and fetches nothing. */
static void check_in(const char *version)
{
    char line[64];
    (void)snprintf(line, sizeof line, "x-ESP8266-version: %s", version);
    const char *const headers[] = {"User-Agent: ESP8266-http-Update", "x-ESP8266-STA-MAC: " MAC,
                                   "x-ESP8266-mode: version", line, NULL};
    struct reply r = call(&d, "GET", "/fw/lamp/latest", (struct call){.headers = headers});
    reply_free(&r);
}

static void expect_state(const char *more, uint16_t port, const char *state)
{
    char id[32];
    start(MAC, port, more, id);
    struct reply r = finished(id);
    CK_TEXT("push", r, "state", state);
    reply_free(&r);
}

/* ---- going well --------------------------------------------------------------------------- */

static const char *const step_names[] = {"resolve",      "invite",  "authenticate",
                                         "connect_back", "sending", "finish"};

START_TEST(every_step_is_in_the_ledger)
{
    struct espota_device device = {.core = (enum espota_core)_i, .password = SECRET};
    char id[32], path[64];
    espota_device_start(&device);
    start(MAC, device.port, ",\"password\":\"" SECRET "\"", id);
    struct reply r = finished(id);
    CK_TEXT("push", r, "state", "ok");
    CK_TEXT("push", r, "version", "1");
    CK_TEXT("push", r, "build", build);
    ck_assert_int_eq(reply_number(&r, "bytes_acked"), reply_number(&r, "size_bytes"));
    for (size_t i = 0; i < OTAD_COUNT(step_names); i++) {
        (void)snprintf(path, sizeof path, "steps.%zu.step", i);
        CK_TEXT("push", r, path, step_names[i]);
        (void)snprintf(path, sizeof path, "steps.%zu.outcome", i);
        CK_TEXT("push", r, path, "ok");
    }
    reply_free(&r);
    espota_device_stop(&device);
    ck_assert_int_eq(atomic_load(&device.updates), 1);
    r = updates();
    CK_TEXT("update", r, "items.0.state", "sent");
    CK_TEXT("update", r, "items.0.transfers.0.kind", "push");
    CK_TEXT("update", r, "items.0.transfers.0.state", "sent");
    CK_TEXT("update", r, "items.0.transfers.0.steps.5.step", "finish");
    reply_free(&r);
}
END_TEST

/* A device that is only pushed to: nobody waits for a check-in that never comes. */
START_TEST(device_that_never_checks_in_is_not_missed)
{
    struct espota_device device = {.core = CORE_ESP8266};
    char id[32];
    espota_device_start(&device);
    start(MAC, device.port, "", id);
    struct reply r = finished(id);
    CK_TEXT("push", r, "state", "ok");
    reply_free(&r);
    espota_device_stop(&device);
    daemon_sql_write(&d, "UPDATE \"update\" SET updated_at_s = updated_at_s - 864000");
    test_sleep_ms(2500); /* patience looks every second */
    r = updates();
    CK_TEXT("update", r, "items.0.state", "sent");
    ck_assert_ptr_nonnull(strstr(reply_text(&r, "items.0.detail"), "never checks in"));
    reply_free(&r);
    r = get(&d, viewer, "/api/v1/products/lamp/devices/" MAC);
    CK_STATUS("device", r, 200);
    ck_assert(json_is_null(reply_at(&r, "last_seen")));
    CK_TEXT("device", r, "address", "127.0.0.1");
    reply_free(&r);
}
END_TEST

static const struct {
    const char *version, *outcome, *state, *cause;
} returns[] = {
    {"1", "ok",     "installed", ""             },
    {"0", "failed", "failed",    "came_back_old"},
};

START_TEST(coming_back_is_the_last_step)
{
    struct espota_device device = {.core = CORE_ESP8266};
    char id[32];
    check_in("0");
    espota_device_start(&device);
    start(MAC, device.port, "", id);
    struct reply r = finished(id);
    reply_free(&r);
    espota_device_stop(&device);
    check_in(returns[_i].version);
    r = look(id);
    CK_TEXT("push", r, "steps.5.step", "came_back");
    CK_TEXT("push", r, "steps.5.outcome", returns[_i].outcome);
    reply_free(&r);
    r = updates();
    CK_TEXT("update", r, "items.0.state", returns[_i].state);
    CK_TEXT("update", r, "items.0.cause", returns[_i].cause);
    reply_free(&r);
}
END_TEST

/* A sketch that only asks for the number says nothing of what it runs. */
START_TEST(poll_is_no_coming_back)
{
    struct espota_device device = {.core = CORE_ESP8266};
    char id[32];
    check_in("0");
    espota_device_start(&device);
    start(MAC, device.port, "", id);
    struct reply r = finished(id);
    reply_free(&r);
    espota_device_stop(&device);
    r = get(&d, NULL, "/fw/lamp/30AEA4000001.version");
    CK_STATUS("poll", r, 200);
    reply_free(&r);
    r = look(id);
    ck_assert_ptr_null(reply_at(&r, "steps.5"));
    reply_free(&r);
    check_in("1");
    r = look(id);
    CK_TEXT("push", r, "steps.5.step", "came_back");
    CK_TEXT("push", r, "steps.5.outcome", "ok");
    reply_free(&r);
}
END_TEST

START_TEST(unconfirmed_push_that_got_through_is_seen)
{
    struct espota_device device = {.core = CORE_ESP8266, .fault = FAULT_NO_OK};
    char id[32];
    check_in("0");
    espota_device_start(&device);
    start(MAC, device.port, "", id);
    struct reply r = finished(id);
    CK_TEXT("push", r, "cause", "not_confirmed");
    reply_free(&r);
    espota_device_stop(&device);
    check_in("1");
    r = look(id);
    CK_TEXT("push", r, "steps.5.step", "came_back");
    CK_TEXT("push", r, "steps.5.outcome", "ok");
    reply_free(&r);
    r = updates();
    CK_TEXT("update", r, "items.0.state", "installed");
    reply_free(&r);
}
END_TEST

static struct reply fetch(const char *range)
{
    const char *const headers[] = {"User-Agent: ESP8266-http-Update",
                                   "x-ESP8266-STA-MAC: " MAC,
                                   "x-ESP8266-mode: sketch",
                                   "x-ESP8266-version: 0",
                                   range,
                                   NULL};
    return call(&d, "GET", "/fw/lamp/latest", (struct call){.headers = headers});
}

/* The device's own downloads and pushes are told apart: neither ends or revives the other. */
START_TEST(resumed_download_does_not_revive_a_failed_push)
{
    struct espota_device device = {.core = CORE_ESP8266, .fault = FAULT_NO_CONNECT};
    char id[32];
    struct reply r = fetch("Range: bytes=0-999");
    CK_STATUS("first part", r, 206);
    reply_free(&r);
    espota_device_start(&device);
    start(MAC, device.port, "", id);
    r = finished(id);
    reply_free(&r);
    espota_device_stop(&device);
    r = fetch("Range: bytes=1000-");
    CK_STATUS("the rest", r, 206);
    reply_free(&r);
    int64_t until =
        test_now_ms() + DAEMON_PATIENCE_S * 1000; /* TCP acknowledges it a little later */
    r = updates();
    while (strcmp(reply_text(&r, "items.0.transfers.0.state"), "sent") != 0 &&
           test_now_ms() < until) {
        reply_free(&r);
        test_sleep_ms(50);
        r = updates();
    }
    CK_TEXT("update", r, "items.0.transfers.0.kind", "pull");
    CK_TEXT("update", r, "items.0.transfers.0.state", "sent");
    CK_TEXT("update", r, "items.0.transfers.1.kind", "push");
    CK_TEXT("update", r, "items.0.transfers.1.state", "aborted");
    ck_assert_ptr_null(reply_at(&r, "items.0.transfers.2"));
    reply_free(&r);
}
END_TEST

START_TEST(download_does_not_end_a_push)
{
    struct espota_device device = {.core = CORE_ESP8266, .fault = FAULT_SILENT};
    char id[32];
    espota_device_start(&device);
    start(MAC, device.port, "", id);
    struct reply r = fetch("X-Nothing: 1");
    CK_STATUS("download", r, 200);
    reply_free(&r);
    r = finished(id);
    CK_TEXT("push", r, "cause", "no_answer");
    reply_free(&r);
    espota_device_stop(&device);
}
END_TEST

/* A push that fails must not let a device fetch again what it was held from. */
START_TEST(failed_push_forgives_nothing)
{
    struct espota_device device = {.core = CORE_ESP8266, .fault = FAULT_NO_CONNECT};
    struct reply r = fetch("X-Nothing: 1");
    CK_STATUS("download", r, 200);
    reply_free(&r);
    r = updates();
    reply_free(&r);
    daemon_sql_write(&d, "UPDATE \"update\" SET state = 'rolled_back', cause = ''");
    espota_device_start(&device);
    expect_state("", device.port, "failed");
    espota_device_stop(&device);
    r = updates();
    CK_TEXT("update", r, "items.0.state", "rolled_back");
    reply_free(&r);
    r = fetch("X-Nothing: 1");
    CK_STATUS("check-in", r, 304);
    reply_free(&r);
}
END_TEST

/* ---- the two conversations ---------------------------------------------------------------- */

/* "No response" on port 8266 of an ESP32, a delay() in its loop, then 14 % and 34 %. */
START_TEST(esp32_on_the_wrong_port_that_stops_at_34_percent)
{
    struct espota_device device = {
        .core = CORE_ESP32_MD5, .port = 3232, .fault = FAULT_STALL, .percent = 34};
    char id[32];
    espota_device_start(&device);
    start(MAC, 8266, "", id);
    struct reply r = finished(id);
    CK_TEXT("push", r, "state", "failed");
    CK_TEXT("push", r, "cause", "stalled");
    CK_TEXT("push", r, "steps.1.step", "invite");
    ck_assert_ptr_nonnull(strstr(reply_text(&r, "steps.1.detail"), "no answer on UDP port 8266"));
    ck_assert_ptr_nonnull(strstr(reply_text(&r, "detail"), "it stopped at 3"));
    ck_assert_ptr_nonnull(strstr(reply_text(&r, "causes.0"), "still there"));
    reply_free(&r);
    espota_device_stop(&device);
    r = updates();
    CK_TEXT("update", r, "items.0.state", "failed");
    CK_TEXT("update", r, "items.0.cause", "push_stalled");
    reply_free(&r);
}
END_TEST

/* Hours of "No response from device", and no idea whether device, firewall or tool is at fault. */
START_TEST(no_response_from_device_has_a_cause_each_time)
{
    static const struct {
        enum espota_fault fault;
        const char *cause, *likely;
    } rows[] = {
        {FAULT_SILENT,     "no_answer",       "ArduinoOTA.handle()"                  },
        {FAULT_NO_CONNECT, "no_connect_back", "TCP from 127.0.0.1 to 127.0.0.1:"     },
        {FAULT_NO_SPACE,   "no_space",        "doesn't fit beside the running sketch"},
    };
    for (size_t i = 0; i < OTAD_COUNT(rows); i++) {
        struct espota_device device = {.core = CORE_ESP8266, .fault = rows[i].fault};
        char id[32];
        espota_device_start(&device);
        start(MAC, device.port, "", id);
        struct reply r = finished(id);
        CK_TEXT("push", r, "cause", rows[i].cause);
        ck_assert_msg(strstr(reply_text(&r, "causes.0"), rows[i].likely) != NULL, "%s", r.body);
        reply_free(&r);
        espota_device_stop(&device);
    }
}
END_TEST

/* ---- passwords ---------------------------------------------------------------------------- */

static void set_password(const char *path, const char *json, bool is_set)
{
    struct reply r = send_json(&d, admin, "PATCH", path, json);
    CK_STATUS(path, r, 200);
    ck_assert(json_is_true(reply_at(&r, "push_password")) == is_set);
    ck_assert_ptr_null(strstr(r.body, SECRET));
    reply_free(&r);
}

START_TEST(password_is_the_devices_then_the_products)
{
    struct espota_device device = {.core = CORE_ESP32_PBKDF2, .password = SECRET};
    check_in("0");
    espota_device_start(&device);
    expect_state("", device.port, "failed");
    set_password("/api/v1/products/lamp", "{\"push_password\":\"" SECRET "\"}", true);
    expect_state("", device.port, "ok");
    set_password(DEVICE, "{\"push_password\":\"other\"}", true);
    expect_state("", device.port, "failed");
    expect_state(",\"password\":\"" SECRET "\"", device.port, "ok");
    set_password(DEVICE, "{\"push_password\":null}", false);
    expect_state("", device.port, "ok");
    espota_device_stop(&device);
}
END_TEST

static bool file_has(const char *path, const char *text)
{
    static char bytes[1 << 22];
    FILE *f = fopen(path, "rb");
    size_t n = f != NULL ? fread(bytes, 1, sizeof bytes, f) : 0;
    if (f != NULL)
        (void)fclose(f);
    return n > 0 && memmem(bytes, n, text, strlen(text)) != NULL;
}

START_TEST(password_is_nowhere_to_be_read)
{
    struct espota_device device = {.core = CORE_ESP8266, .password = SECRET};
    static const char *const paths[] = {"/api/v1/products/lamp", "/api/v1/audit", DEVICE,
                                        "/api/v1/products/lamp/updates"};
    static const char *const files[] = {"otad.db", "otad.db-wal"};
    check_in("0");
    set_password("/api/v1/products/lamp", "{\"push_password\":\"" SECRET "\"}", true);
    set_password(DEVICE, "{\"push_password\":\"" SECRET "\"}", true);
    espota_device_start(&device);
    expect_state(",\"password\":\"" SECRET "\"", device.port, "ok");
    espota_device_stop(&device);
    for (size_t i = 0; i < OTAD_COUNT(paths); i++) {
        struct reply r = get(&d, admin, paths[i]);
        CK_STATUS(paths[i], r, 200);
        ck_assert_ptr_null(strstr(r.body, SECRET));
        reply_free(&r);
    }
    char *log = daemon_log(&d);
    ck_assert_ptr_null(strstr(log, SECRET));
    free(log);
    bool looked = false;
    for (size_t i = 0; i < OTAD_COUNT(files); i++) {
        char path[256];
        (void)snprintf(path, sizeof path, "%s/%s", d.data, files[i]);
        ck_assert(!file_has(path, SECRET));
        looked = looked || file_has(path, "push_password");
    }
    ck_assert(looked); /* in the right files */
}
END_TEST

START_TEST(password_needs_the_servers_secret)
{
    char path[256];
    check_in("0");
    set_password("/api/v1/products/lamp", "{\"push_password\":\"" SECRET "\"}", true);
    daemon_stop(&d);
    (void)snprintf(path, sizeof path, "%s/secret", d.data);
    ck_assert_int_eq(remove(path), 0); /* a copy of the database alone */
    daemon_restart(&d);
    struct reply r = ask_push(MAC, "{\"address\":\"127.0.0.1\"}");
    CK_STATUS("push", r, 409);
    ck_assert_ptr_nonnull(strstr(reply_text(&r, "error.message"), "another DATA_DIR/secret"));
    reply_free(&r);
}
END_TEST

/* ---- refusals ----------------------------------------------------------------------------- */

static const struct {
    const char *mac, *json;
    int status;
    const char *says;
} refusals[] = {
    {MAC,        "{}",                                            404, "Give \\\"address\\\""},
    {"nonsense", "{\"address\":\"127.0.0.1\"}",                   404, "no MAC address"      },
    {MAC,        "{\"address\":\"192.0.2.7\"}",                   403, "push.networks"       },
    {MAC,        "{\"address\":\"224.0.0.1\"}",                   403, "push.networks"       },
    {MAC,        "{\"address\":\"255.255.255.255\"}",             403, "push.networks"       },
    {MAC,        "{\"address\":\"0.0.0.0\"}",                     403, "push.networks"       },
    {MAC,        "{\"address\":\"127.0.0.1\",\"port\":0}",        422, "'port'"              },
    {MAC,        "{\"address\":\"127.0.0.1\",\"kind\":\"x\"}",    422, "app or fs"           },
    {MAC,        "{\"address\":\"127.0.0.1\",\"kind\":\"fs\"}",   409, "no build"            },
    {MAC,        "{\"address\":\"127.0.0.1\",\"build\":\"1\"}",   404, "build"               },
    {MAC,        "{\"address\":\"127.0.0.1\",\"pasword\":\"x\"}", 422, "pasword"             },
};

START_TEST(refusal_row)
{
    struct reply r = ask_push(refusals[_i].mac, refusals[_i].json);
    CK_STATUS(refusals[_i].json, r, refusals[_i].status);
    ck_assert_msg(strstr(r.body, refusals[_i].says) != NULL, "%s", r.body);
    reply_free(&r);
    ck_assert_int_eq(daemon_sql(&d, "SELECT count(*) FROM transfer"), 0);
    ck_assert_int_eq(daemon_sql(&d, "SELECT count(*) FROM device"), 0); /* nothing half-made */
}
END_TEST

START_TEST(viewers_cannot_push)
{
    struct reply r = send_json(&d, viewer, "POST", DEVICE "/push", "{\"address\":\"127.0.0.1\"}");
    CK_STATUS("push", r, 403);
    reply_free(&r);
}
END_TEST

START_TEST(one_push_a_device_and_two_at_a_time)
{
    struct espota_device device = {.core = CORE_ESP8266, .fault = FAULT_SILENT};
    char id[3][32];
    static const char *const macs[] = {MAC, "30:AE:A4:00:00:02", "30:AE:A4:00:00:03"};
    espota_device_start(&device);
    for (int i = 0; i < 3; i++)
        start(macs[i], device.port, "", id[i]);
    struct reply r = ask_push(MAC, "{\"address\":\"127.0.0.1\"}");
    CK_STATUS("a second push", r, 409);
    reply_free(&r);
    r = look(id[2]);
    CK_TEXT("the third", r, "state", "waiting");
    reply_free(&r);
    for (int i = 0; i < 3; i++) {
        r = finished(id[i]);
        CK_TEXT("push", r, "cause", "no_answer");
        reply_free(&r);
    }
    espota_device_stop(&device);
}
END_TEST

/* ---- the command -------------------------------------------------------------------------- */

static void write_file(const char *path, const void *data, size_t n)
{
    FILE *f = fopen(path, "wb");
    ck_assert(f != NULL && fwrite(data, 1, n, f) == n);
    ck_assert_int_eq(fclose(f), 0);
}

/* Runs `otad push ARGUMENT…` and checks its exit status and what it says. */
static void command(const char *const *args, int status, const char *says)
{
    const char *const env[] = {admin_env, NULL};
    struct command c = daemon_command(args, env);
    ck_assert_msg(c.status == status, "status %d: %s%s", c.status, c.out, c.err);
    ck_assert_msg(strstr(c.out, says) != NULL || strstr(c.err, says) != NULL, "'%s' isn't in %s%s",
                  says, c.out, c.err);
    command_free(&c);
}

START_TEST(command_pushes_without_a_server)
{
    struct espota_device device = {.core = CORE_ESP8266, .password = SECRET};
    struct img image = image_of("ESP8266", 7, 30000), next = image_of("ESP8266", 8, 40000);
    char file[256], beside[300], port[8];
    (void)snprintf(file, sizeof file, "%s/lamp.ino.bin", d.root);
    (void)snprintf(beside, sizeof beside, "%s.signed", file);
    write_file(file, image.data, image.n);
    espota_device_start(&device);
    (void)snprintf(port, sizeof port, "%u", (unsigned)device.port);
    const char *const good[] = {"push", "--port", port,        "--password",
                                SECRET, file,     "127.0.0.1", NULL};
    const char *const bad[] = {"push", "--port", port, "--password", "x", file, "127.0.0.1", NULL};
    command(good, 0, "127.0.0.1: updated, ");
    command(bad, 1, "1. The password is not");
    write_file(beside, next.data, next.n);
    command(good, 0, "lamp.ino.bin.signed, which is signed");
    ck_assert_int_eq(remove(beside), 0);
    write_file(file, image.data, image.n - 100); /* an interrupted download */
    command(good, 2, "is cut short");
    espota_device_stop(&device);
    ck_assert_int_eq(atomic_load(&device.updates), 2);
    ck_assert_uint_eq(device.received, next.n);
    img_free(&image);
    img_free(&next);
}
END_TEST

START_TEST(command_pushes_by_a_server)
{
    struct espota_device device = {.core = CORE_ESP32_MD5};
    char port[8], server[96];
    espota_device_start(&device);
    (void)snprintf(port, sizeof port, "%u", (unsigned)device.port);
    (void)snprintf(server, sizeof server, "http://127.0.0.1:%u/", (unsigned)d.port);
    const char *const good[] = {"push", "--server",  server,      "--product", "lamp", "--device",
                                MAC,    "--address", "127.0.0.1", "--port",    port,   NULL};
    const char *const nobody[] = {"push", "--server", server,         "--product",
                                  "lamp", "--device", "30AEA4000002", NULL};
    const char *const wrong[] = {"push",     "--server", server,   "--product", "lamp",
                                 "--device", MAC,        "--port", port,        "--timeout",
                                 "2",        "--build",  "1",      NULL};
    command(good, 0, MAC ": updated");
    command(nobody, 1, "Give \"address\"");
    command(wrong, 1, "build");
    espota_device_stop(&device);
    const char *const gone[] = {"push", "--server", server, "--product", "lamp", "--device",
                                MAC,    "--port",   port,   "--timeout", "1",    NULL};
    command(gone, 1, "1. Its sketch has no ArduinoOTA");
}
END_TEST

START_TEST(command_says_what_it_needs)
{
    const char *const nothing[] = {"push", NULL};
    const char *const no_address[] = {"push", "lamp.bin", NULL};
    const char *const bad_port[] = {"push", "--port", "70000", "lamp.bin", "127.0.0.1", NULL};
    const char *const both[] = {"push", "--server", "127.0.0.1", "lamp.bin", NULL};
    const char *const no_device[] = {"push", "--server", "http://x", "--product", "lamp", NULL};
    const char *const no_http[] = {"push", "--server", "ftp://x", "--product",
                                   "lamp", "--device", MAC,       NULL};
    command(nothing, 2, "a FILE and an ADDRESS");
    command(no_address, 2, "a FILE and an ADDRESS");
    command(bad_port, 2, "from 1 to 65535");
    command(both, 2, "give no FILE");
    command(no_device, 2, "--device are needed");
    command(no_http, 2, "must begin with http");
}
END_TEST

/* ---- ends --------------------------------------------------------------------------------- */

START_TEST(cancelled_push_ends)
{
    struct espota_device device = {.core = CORE_ESP8266, .fault = FAULT_SILENT};
    char id[32], path[128];
    espota_device_start(&device);
    start(MAC, device.port, "", id);
    (void)snprintf(path, sizeof path, "/api/v1/products/lamp/pushes/%s", id);
    struct reply r = send_json(&d, admin, "DELETE", path, NULL);
    CK_STATUS(path, r, 204);
    reply_free(&r);
    r = finished(id);
    CK_TEXT("push", r, "cause", "cancelled");
    reply_free(&r);
    r = send_json(&d, admin, "DELETE", path, NULL);
    CK_STATUS(path, r, 409);
    reply_free(&r);
    espota_device_stop(&device);
}
END_TEST

static void interrupted(void (*end)(struct daemon *), int64_t at_most_ms)
{
    struct espota_device device = {.core = CORE_ESP8266, .fault = FAULT_STALL, .percent = 50};
    char id[32];
    espota_device_start(&device);
    start(MAC, device.port, "", id);
    for (int64_t until = test_now_ms() + 20000; device.fault == FAULT_STALL;) {
        struct reply r = look(id);
        const char *now = reply_text(&r, "steps.3.step");
        bool sending = strcmp(now, "sending") == 0;
        reply_free(&r);
        if (sending)
            break;
        ck_assert(test_now_ms() < until);
        test_sleep_ms(20);
    }
    int64_t began = test_now_ms();
    end(&d);
    ck_assert_int_lt(test_now_ms() - began, at_most_ms);
    daemon_restart(&d);
    struct reply r = look(id);
    CK_TEXT("push", r, "state", "failed");
    CK_TEXT("push", r, "cause", "interrupted");
    CK_TEXT("push", r, "detail", "otad ended before the push did");
    reply_free(&r);
    r = updates();
    CK_TEXT("update", r, "items.0.state", "failed");
    CK_TEXT("update", r, "items.0.cause", "push_interrupted");
    reply_free(&r);
    espota_device_stop(&device);
}

START_TEST(shutdown_ends_a_push_at_once_and_says_so)
{
    interrupted(daemon_stop, 20000);
}
END_TEST

START_TEST(killed_daemon_leaves_no_zombie)
{
    interrupted(daemon_kill, 20000);
}
END_TEST

/* A push that fails says nothing of the build: it stops no channel and holds no device. */
START_TEST(failed_pushes_stop_no_channel)
{
    struct espota_device device = {.core = CORE_ESP8266, .fault = FAULT_NO_CONNECT};
    espota_device_start(&device);
    daemon_sql_write(&d, "UPDATE product SET stop_failures = 1, stop_percent = 1");
    check_in("0");
    daemon_sql_write(&d, "UPDATE device SET first_seen_s = 1");
    expect_state("", device.port, "failed");
    struct reply r = get(&d, viewer, "/api/v1/products/lamp/channels/stable");
    CK_STATUS("channel", r, 200);
    ck_assert(json_is_false(reply_at(&r, "paused")));
    reply_free(&r);
    const char *const headers[] = {"User-Agent: ESP8266-http-Update", "x-ESP8266-STA-MAC: " MAC,
                                   "x-ESP8266-mode: sketch", "x-ESP8266-version: 0", NULL};
    r = call(&d, "GET", "/fw/lamp/latest", (struct call){.headers = headers});
    CK_STATUS("check-in", r, 200);
    reply_free(&r);
    espota_device_stop(&device);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("push");
    TCase *t = tcase_create("well");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, every_step_is_in_the_ledger, 0, 3);
    tcase_add_test(t, device_that_never_checks_in_is_not_missed);
    tcase_add_loop_test(t, coming_back_is_the_last_step, 0, (int)OTAD_COUNT(returns));
    tcase_add_test(t, poll_is_no_coming_back);
    tcase_add_test(t, unconfirmed_push_that_got_through_is_seen);
    tcase_add_test(t, resumed_download_does_not_revive_a_failed_push);
    tcase_add_test(t, download_does_not_end_a_push);
    tcase_add_test(t, failed_push_forgives_nothing);
    suite_add_tcase(s, t);
    t = tcase_create("conversations");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, esp32_on_the_wrong_port_that_stops_at_34_percent);
    tcase_add_test(t, no_response_from_device_has_a_cause_each_time);
    suite_add_tcase(s, t);
    t = tcase_create("passwords");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, password_is_the_devices_then_the_products);
    tcase_add_test(t, password_is_nowhere_to_be_read);
    tcase_add_test(t, password_needs_the_servers_secret);
    suite_add_tcase(s, t);
    t = tcase_create("refusals");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, refusal_row, 0, (int)OTAD_COUNT(refusals));
    tcase_add_test(t, viewers_cannot_push);
    tcase_add_test(t, one_push_a_device_and_two_at_a_time);
    suite_add_tcase(s, t);
    t = tcase_create("command");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, command_pushes_without_a_server);
    tcase_add_test(t, command_pushes_by_a_server);
    tcase_add_test(t, command_says_what_it_needs);
    suite_add_tcase(s, t);
    t = tcase_create("ends");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, cancelled_push_ends);
    tcase_add_test(t, shutdown_ends_a_push_at_once_and_says_so);
    tcase_add_test(t, killed_daemon_leaves_no_zombie);
    tcase_add_test(t, failed_pushes_stop_no_channel);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(suite)
