/* SPDX-License-Identifier: MIT
 * Whole pushes to doubles of ArduinoOTA: how they go well, and what is said when they don't. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "push/push.h"
#include "support/espota_device.h"
#include "support/unit.h"

#define SIZE 50001 /* of the image: no whole number of chunks */
#define PATIENCE_MS 1200

static uint8_t image[SIZE];
static struct push_result result;

/* The steps as they were told. */
static struct {
    int begun[PUSH_FINISH + 1], ended[PUSH_FINISH + 1];
    enum push_outcome outcome[PUSH_FINISH + 1];
    char detail[PUSH_FINISH + 1][PUSH_DETAIL_MAX];
    int64_t most_acked;
} told;

static void listen_to(void *arg, const struct push_news *news)
{
    (void)arg;
    ck_assert_int_ge(news->bytes_acked, told.most_acked); /* a bar never goes back */
    told.most_acked = news->bytes_acked;
    if (news->outcome == PUSH_RUNNING) {
        told.begun[news->step]++;
        return;
    }
    told.ended[news->step]++;
    told.outcome[news->step] = news->outcome;
    (void)snprintf(told.detail[news->step], PUSH_DETAIL_MAX, "%s", news->detail);
}

static void run(struct push push)
{
    for (size_t i = 0; i < SIZE; i++)
        image[i] = (uint8_t)(i * 7 + i / 251);
    memset(&told, 0, sizeof told);
    if (push.image == NULL) {
        push.image = image;
        push.size_bytes = SIZE;
    }
    if (push.host == NULL)
        push.host = "127.0.0.1";
    if (push.patience_ms == 0)
        push.patience_ms = PATIENCE_MS;
    push.filename = "firmware.bin";
    push_run(&push, listen_to, NULL, &result);
    for (int step = PUSH_RESOLVE; step <= PUSH_FINISH; step++)
        ck_assert_int_eq(told.ended[step], told.begun[step] > 0);
    ck_assert_str_eq(told.detail[result.step], result.detail);
    ck_assert(result.ok == (result.causes[0] == '\0') || result.cause == PUSH_CAUSE_CANCELLED);
}

/* Runs a push against a double and stops that. */
static void against(struct espota_device *d, struct push push)
{
    espota_device_start(d);
    if (push.port == 0)
        push.port = d->port;
    run(push);
    espota_device_stop(d);
}

static void went_well(const struct espota_device *d)
{
    ck_assert_msg(result.ok, "%s: %s", push_step_name(result.step), result.detail);
    ck_assert_int_eq(result.step, PUSH_FINISH);
    ck_assert_int_eq(result.bytes_acked, SIZE);
    ck_assert_int_eq(atomic_load(&d->updates), 1);
    ck_assert_uint_eq(d->received, SIZE);
    ck_assert_str_eq(result.address, "127.0.0.1");
}

/* ---- going well --------------------------------------------------------------------------- */

static const struct {
    const char *what;
    enum espota_core core;
    const char *password;
    bool holds_md5, fs;
    enum espota_fault fault;
} good[] = {
    {"ESP8266",                   CORE_ESP8266,      NULL,    false, false, FAULT_NONE    },
    {"ESP8266, filesystem",       CORE_ESP8266,      NULL,    false, true,  FAULT_NONE    },
    {"ESP8266, password",         CORE_ESP8266,      "admin", false, false, FAULT_NONE    },
    {"ESP32",                     CORE_ESP32_MD5,    NULL,    false, false, FAULT_NONE    },
    {"ESP32, password",           CORE_ESP32_MD5,    "admin", false, false, FAULT_NONE    },
    {"new ESP32, password",       CORE_ESP32_PBKDF2, "admin", false, false, FAULT_NONE    },
    {"new ESP32, old password",   CORE_ESP32_PBKDF2, "admin", true,  false, FAULT_NONE    },
    {"OK glued to a count",       CORE_ESP32_MD5,    NULL,    false, false, FAULT_GLUED   },
    {"counts in pieces",          CORE_ESP8266,      NULL,    false, false, FAULT_SPLIT   },
    {"somebody else comes first", CORE_ESP8266,      NULL,    false, false, FAULT_STRANGER},
};

START_TEST(good_row)
{
    struct espota_device d = {.core = good[_i].core,
                              .password = good[_i].password,
                              .holds_md5 = good[_i].holds_md5,
                              .fault = good[_i].fault};
    against(&d, (struct push){.esp32 = good[_i].core != CORE_ESP8266,
                              .fs = good[_i].fs,
                              .password = "admin",
                              .free_space = -1});
    went_well(&d);
    ck_assert_int_eq(d.command, good[_i].fs ? 100 : 0);
    ck_assert_int_eq(told.begun[PUSH_AUTHENTICATE] > 0, good[_i].password != NULL);
    for (int step = PUSH_RESOLVE; step <= PUSH_FINISH; step++)
        ck_assert(told.begun[step] == 0 || told.outcome[step] == PUSH_OK);
}
END_TEST

/* With the challenges of recorded sessions: of an ESP32 core 2.0.4, and an ESP8266. */
START_TEST(recorded_challenges_are_answered)
{
    static const char *const nonces[] = {"3efc81de877967a7aee2cec8a308b56d",
                                         "a1f420cbf844abe4810eed5731344030"};
    for (int i = 0; i < 2; i++) {
        struct espota_device d = {.core = i == 0 ? CORE_ESP8266 : CORE_ESP32_MD5,
                                  .password = "s3cret",
                                  .nonce = nonces[i]};
        against(&d, (struct push){.esp32 = i == 1, .password = "s3cret", .free_space = -1});
        went_well(&d);
        ck_assert_int_eq(strncmp(d.said[0], "AUTH ", 5), 0);
        ck_assert_str_eq(d.said[0] + 5, nonces[i]);
        ck_assert_str_eq(d.said[1], "OK");
    }
}
END_TEST

/* A sketch in its delay(): what came meanwhile waits in its queue, with or without a password. */
START_TEST(busy_device_is_waited_for)
{
    static const enum espota_core cores[] = {CORE_ESP8266, CORE_ESP32_PBKDF2};
    for (size_t i = 0; i < 2; i++) {
        enum espota_core core = cores[i];
        struct espota_device d = {
            .core = core, .fault = FAULT_DELAY, .delay_ms = 2500, .password = "admin"};
        against(&d, (struct push){.esp32 = core != CORE_ESP8266,
                                  .password = "admin",
                                  .patience_ms = 12000,
                                  .free_space = -1});
        went_well(&d);
        ck_assert_int_gt(atomic_load(&d.invitations), 1);
    }
}
END_TEST

/* The first of the two conversations this is for: the port of the other family. */
START_TEST(wrong_port_is_noticed_and_the_other_used)
{
    struct espota_device d = {.core = CORE_ESP32_MD5, .port = PUSH_PORT_ESP32};
    against(&d, (struct push){.port = PUSH_PORT_ESP8266, .free_space = -1});
    went_well(&d);
    ck_assert_int_eq(result.port, PUSH_PORT_ESP32);
    ck_assert_ptr_nonnull(strstr(told.detail[PUSH_INVITE], "no answer on UDP port 8266"));
    ck_assert_ptr_nonnull(strstr(told.detail[PUSH_INVITE], "3232, an ESP32's port"));
}
END_TEST

START_TEST(listening_port_is_of_the_range)
{
    struct espota_device d = {.core = CORE_ESP8266};
    against(&d, (struct push){.listen_first = 47110, .listen_last = 47119, .free_space = -1});
    went_well(&d);
    ck_assert_ptr_nonnull(strstr(told.detail[PUSH_RESOLVE], "connect to 127.0.0.1:4711"));
}
END_TEST

/* ---- going wrong -------------------------------------------------------------------------- */

static const struct {
    enum espota_fault fault;
    enum espota_core core;
    const char *device_password, *password;
    int64_t free_space;
    enum push_step step;
    enum push_cause cause;
    const char *detail, *first_cause; /* parts */
} bad[] = {
    {FAULT_SILENT,      CORE_ESP8266,      NULL,    NULL,    -1,    PUSH_INVITE,       PUSH_CAUSE_NO_ANSWER,       "is there",
     "ArduinoOTA.handle()"                                                                                                                                                                             },
    {FAULT_GARBAGE,     CORE_ESP8266,      NULL,    NULL,    -1,    PUSH_INVITE,       PUSH_CAUSE_BAD_ANSWER,      "'?hello?'",
     "Something else"                                                                                                                                                                                  },
    {FAULT_NO_SPACE,    CORE_ESP8266,      NULL,    NULL,    40000, PUSH_INVITE,       PUSH_CAUSE_NO_SPACE,
     "ERROR[4]: Not Enough Space",                                                                                                               "50,001 bytes, the device said it has room for 40,000"},
    {FAULT_NEEDS_RESET, CORE_ESP8266,      NULL,    NULL,    -1,    PUSH_INVITE,       PUSH_CAUSE_NEEDS_RESET,
     "ERROR[11]",                                                                                                                                "After flashing by the serial port"                   },
    {FAULT_NONE,        CORE_ESP8266,      "admin", NULL,    -1,    PUSH_AUTHENTICATE, PUSH_CAUSE_PASSWORD_NEEDED,
     "asks for a password",                                                                                                                      "ArduinoOTA.setPassword()"                            },
    {FAULT_NONE,        CORE_ESP8266,      "admin", "other", -1,    PUSH_AUTHENTICATE, PUSH_CAUSE_WRONG_PASSWORD,
     "Authentication Failed",                                                                                                                    "The password is not"                                 },
    {FAULT_NONE,        CORE_ESP32_PBKDF2, "admin", "other", -1,    PUSH_AUTHENTICATE,
     PUSH_CAUSE_WRONG_PASSWORD,                                                                                    "Authentication Failed",      "The password is not"                                 },
    {FAULT_AUTH_SILENT, CORE_ESP32_MD5,    "admin", "admin", -1,    PUSH_AUTHENTICATE,
     PUSH_CAUSE_AUTH_NO_ANSWER,                                                                                    "said nothing to the answer", "became busy"                                         },
    {FAULT_NO_CONNECT,  CORE_ESP8266,      NULL,    NULL,    -1,    PUSH_CONNECT_BACK, PUSH_CAUSE_NO_CONNECT_BACK,
     "didn't connect to 127.0.0.1:",                                                                                                             "A firewall keeps"                                    },
    {FAULT_NO_SPACE,    CORE_ESP32_MD5,    NULL,    NULL,    40000, PUSH_CONNECT_BACK,
     PUSH_CAUSE_NO_CONNECT_BACK,                                                                                   "didn't connect",             "room for 40,000"                                     },
    {FAULT_STALL,       CORE_ESP32_MD5,    NULL,    NULL,    -1,    PUSH_SENDING,      PUSH_CAUSE_STALLED,
     "it stopped at 34 %: it has acknowledged 17,408 of 50,001 bytes",                                                                           "The device is still there"                           },
    {FAULT_CLOSE,       CORE_ESP8266,      NULL,    NULL,    -1,    PUSH_SENDING,      PUSH_CAUSE_CONNECTION_LOST,
     "it closed the connection at 35 %",                                                                                                         "It gave up"                                          },
    {FAULT_RESET,       CORE_ESP8266,      NULL,    NULL,    -1,    PUSH_SENDING,      PUSH_CAUSE_CONNECTION_LOST,
     "it reset the connection at 35 %",                                                                                                          "It restarted in the middle"                          },
    {FAULT_ERROR,       CORE_ESP8266,      NULL,    NULL,    -1,    PUSH_SENDING,      PUSH_CAUSE_DEVICE_ERROR,
     "it said: ERROR[3]: Receive Failed",                                                                                                        "'ERROR[3]: Receive Failed"                           },
    {FAULT_FLOOD,       CORE_ESP8266,      NULL,    NULL,    -1,    PUSH_SENDING,      PUSH_CAUSE_DEVICE_ERROR,
     "it talked without end at 3",                                                                                                               "doesn't talk as ArduinoOTA does"                     },
    {FAULT_END_ERROR,   CORE_ESP8266,      NULL,    NULL,    -1,    PUSH_FINISH,       PUSH_CAUSE_DEVICE_ERROR,
     "at 100 % it said: ERROR[7]: MD5 Check Failed",                                                                                             "'ERROR[7]"                                           },
    {FAULT_NO_OK,       CORE_ESP8266,      NULL,    NULL,    -1,    PUSH_FINISH,       PUSH_CAUSE_NOT_CONFIRMED,
     "it got all 50,001 bytes",                                                                                                                  "It restarted before"                                 },
};

START_TEST(bad_row)
{
    struct espota_device d = {.core = bad[_i].core,
                              .fault = bad[_i].fault,
                              .password = bad[_i].device_password,
                              .percent = 34};
    against(&d, (struct push){.esp32 = bad[_i].core != CORE_ESP8266,
                              .password = bad[_i].password,
                              .free_space = bad[_i].free_space});
    ck_assert(!result.ok);
    ck_assert_msg(result.step == bad[_i].step, "%s, %s", push_step_name(result.step),
                  result.detail);
    ck_assert_str_eq(push_cause_name(result.cause), push_cause_name(bad[_i].cause));
    ck_assert_msg(strstr(result.detail, bad[_i].detail) != NULL, "%s", result.detail);
    result.causes[strcspn(result.causes, "\n")] = '\0';
    ck_assert_msg(strstr(result.causes, bad[_i].first_cause) != NULL, "%s", result.causes);
    ck_assert_int_eq(told.outcome[result.step], PUSH_FAILED);
    ck_assert_int_eq(atomic_load(&d.updates), 0);
}
END_TEST

START_TEST(port_nobody_listens_on)
{
    struct espota_device d = {.core = CORE_ESP8266}; /* only to learn of a port that is free */
    espota_device_start(&d);
    espota_device_stop(&d);
    run((struct push){.port = d.port, .free_space = -1});
    ck_assert_str_eq(push_cause_name(result.cause), "not_listening");
    ck_assert_ptr_nonnull(strstr(result.causes, "UDP port 3232 was tried too"));
}
END_TEST

START_TEST(address_outside_the_own_networks_is_refused)
{
    struct net_list networks = {.n = 1};
    run((struct push){.host = "192.0.2.1", .free_space = -1});
    ck_assert_str_eq(push_cause_name(result.cause), "not_allowed");
    ck_assert_int_eq(result.step, PUSH_RESOLVE);
    ck_assert_ptr_nonnull(strstr(result.causes, "push.networks"));
    struct net_addr address;
    ck_assert(net_addr_parse("192.0.2.1", &address));
    ck_assert(net_parse("192.0.2.0/24", &networks.items[0]));
    ck_assert(!push_may_target(&address, NULL));
    ck_assert(push_may_target(&address, &networks));
}
END_TEST

START_TEST(name_nobody_knows)
{
    run((struct push){.host = "no-such-device.invalid", .free_space = -1});
    ck_assert_str_eq(push_cause_name(result.cause), "unknown_address");
}
END_TEST

START_TEST(range_of_ports_that_are_taken)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert(fd >= 0 && bind(fd, (const struct sockaddr *)&at, n) == 0 && listen(fd, 1) == 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    uint16_t port = ntohs(at.sin_port);
    run((struct push){.listen_first = port, .listen_last = port, .free_space = -1});
    ck_assert_str_eq(push_cause_name(result.cause), "no_listener");
    ck_assert_ptr_nonnull(strstr(result.causes, "push.listen_ports"));
    (void)close(fd);
}
END_TEST

static void *cancel_soon(void *arg)
{
    const struct timespec t = {.tv_nsec = 300000000};
    (void)nanosleep(&t, NULL);
    atomic_store((atomic_bool *)arg, true);
    return NULL;
}

START_TEST(cancelled_push_ends_at_once)
{
    static const enum espota_fault faults[] = {FAULT_SILENT, FAULT_NO_CONNECT, FAULT_STALL};
    static const enum push_step steps[] = {PUSH_INVITE, PUSH_CONNECT_BACK, PUSH_SENDING};
    for (size_t i = 0; i < 3; i++) {
        struct espota_device d = {.core = CORE_ESP8266, .fault = faults[i], .percent = 34};
        static atomic_bool cancel;
        pthread_t thread;
        atomic_store(&cancel, false);
        ck_assert_int_eq(pthread_create(&thread, NULL, cancel_soon, &cancel), 0);
        against(&d, (struct push){.free_space = -1, .cancel = &cancel, .patience_ms = 20000});
        (void)pthread_join(thread, NULL);
        ck_assert_str_eq(push_cause_name(result.cause), "cancelled");
        ck_assert_int_eq(result.step, steps[i]);
        ck_assert_int_lt(result.took_ms, 10000);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("push");
    TCase *t = tcase_create("well");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, good_row, 0, (int)(sizeof good / sizeof good[0]));
    tcase_add_test(t, recorded_challenges_are_answered);
    tcase_add_test(t, busy_device_is_waited_for);
    tcase_add_test(t, wrong_port_is_noticed_and_the_other_used);
    tcase_add_test(t, listening_port_is_of_the_range);
    suite_add_tcase(s, t);
    t = tcase_create("wrong");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, bad_row, 0, (int)(sizeof bad / sizeof bad[0]));
    tcase_add_test(t, port_nobody_listens_on);
    tcase_add_test(t, address_outside_the_own_networks_is_refused);
    tcase_add_test(t, name_nobody_knows);
    tcase_add_test(t, range_of_ports_that_are_taken);
    tcase_add_test(t, cancelled_push_ends_at_once);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(suite)
