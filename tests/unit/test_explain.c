/* SPDX-License-Identifier: MIT
 * What explain goes by is what the device was answered by: 100,000 random check-ins of random
 * fleets, each judged as it came and again from what is stored. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "fleet/channel.h"
#include "fleet/checkin.h"
#include "support/store.h"

#define FLEETS 20
#define CHECKINS 5000 /* of each: 100,000 */
#define DEVICES 12

struct world {
    struct store s;
    int64_t product;
    struct build builds[3]; /* two applications, one filesystem */
    unsigned seed;
    size_t seen[8]; /* verdicts and reasons that came up */
};

static unsigned roll(struct world *w, unsigned n)
{
    return (unsigned)rand_r(&w->seed) % n;
}

static void world(struct world *w, unsigned seed)
{
    *w = (struct world){.seed = seed};
    store_memory(&w->s);
    w->product = store_product(w->s.db, "lamp");
    w->builds[0] = store_build(w->s.db, w->product, "1", BUILD_APP);
    w->builds[1] = store_build(w->s.db, w->product, "2", BUILD_APP);
    w->builds[2] = store_build(w->s.db, w->product, "fs", BUILD_FS);
    OK(channel_release(w->s.db, w->product, "beta", &w->builds[1], 1, EI));
    store_exec(w->s.db, "UPDATE build SET chip = 'ESP8266' WHERE version = '2'");
    store_exec(w->s.db, "UPDATE product SET max_devices = 1000000");
}

static const char *pick(struct world *w, const char *const *from, size_t n)
{
    return from[roll(w, (unsigned)n)];
}

/* One check-in, with any part of what a device may say. */
static struct device_facts say(struct world *w, int64_t at_s)
{
    static const char *const versions[] = {"", "0", "1", "2", "fs", "2(tasmota)"};
    static const char *const modes[] = {"", "sketch", "spiffs", "version", "littlefs", "x"};
    static const char *const agents[] = {"", "ESP8266-http-Update", "ESP32-http-Update", "curl/8"};
    static const char *const channels[] = {"", "stable", "beta", "none-such"};
    struct device_facts f = {.at_s = at_s, .free_space = -1, .chip_size = -1};
    const struct build *b = &w->builds[roll(w, 3)];
    (void)snprintf(f.version, sizeof f.version, "%s", pick(w, versions, OTAD_COUNT(versions)));
    (void)snprintf(f.mode, sizeof f.mode, "%s", pick(w, modes, OTAD_COUNT(modes)));
    (void)snprintf(f.agent, sizeof f.agent, "%s", pick(w, agents, OTAD_COUNT(agents)));
    (void)snprintf(f.channel, sizeof f.channel, "%s", pick(w, channels, OTAD_COUNT(channels)));
    (void)snprintf(f.address, sizeof f.address, "192.0.2.1");
    if (strncmp(f.agent, "ESP8266", 7) == 0)
        (void)snprintf(f.chip, sizeof f.chip, "ESP8266");
    if (roll(w, 4) == 0)
        hex_encode(b->md5, OTAD_MD5_LEN, f.md5);
    if (roll(w, 6) == 0)
        hex_encode(b->sha256, OTAD_SHA256_LEN, f.sha256);
    if (roll(w, 2) == 0)
        f.free_space = roll(w, 200); /* the images have 100 bytes */
    if (roll(w, 2) == 0)
        f.chip_size = 1 << (18 + roll(w, 4));
    f.said = device_said(&f);
    return f;
}

/* Owners change their minds, and stories go on. */
static void change(struct world *w)
{
    static const char *const changes[] = {
        "UPDATE product SET disabled = (abs(random()) % 8 = 0)",
        "UPDATE channel SET paused = (abs(random()) % 4 = 0) WHERE name = 'beta'",
        "UPDATE device SET held = (abs(random()) % 6 = 0), blocked = (abs(random()) % 10 = 0)",
        "UPDATE device SET pin = CASE abs(random()) % 4 WHEN 0 THEN 1 ELSE NULL END",
        "UPDATE device SET channel = CASE abs(random()) % 3 WHEN 0 THEN 'beta' ELSE '' END",
        ("INSERT INTO \"update\" (product, device, build, from_version, state, attempts,"
         " created_at_s, updated_at_s) SELECT product, id, 1 + abs(random()) % 3, '1',"
         " CASE abs(random()) % 4 WHEN 0 THEN 'rolled_back' WHEN 1 THEN 'installed' WHEN 2 THEN"
         " 'sent' ELSE 'failed' END, abs(random()) % 5, 1, 1 FROM device"),
        "DELETE FROM \"update\"",
        ("UPDATE channel SET app = 1 + abs(random()) % 2, fs = CASE abs(random()) % 2 WHEN 0 THEN 3"
         " ELSE NULL END WHERE name = 'stable'"),
        "UPDATE image SET flash_bytes = CASE abs(random()) % 2 WHEN 0 THEN 1048576 ELSE 0 END",
    };
    /* every statement of the table is constant */
    store_exec(w->s.db, changes[roll(w, OTAD_COUNT(changes))]);
}

static struct decision judge(struct world *w, uint64_t mac, const struct device_facts *said)
{
    struct checkin_row row;
    enum checkin_mode mode = checkin_mode(said->mode);
    const struct checkin_query query = {
        .slug = "lamp", .mac = mac, .channel = said->channel, .fs = mode == MODE_FS};
    OK(checkin_load(w->s.db, &query, &row, EI));
    const struct decide_facts facts = checkin_facts(&row, said, mode);
    return decide(&facts);
}

START_TEST(stored_check_in_is_judged_as_it_was_when_it_came)
{
    struct world w;
    world(&w, (unsigned)_i + 1);
    for (int i = 0; i < CHECKINS; i++) {
        uint64_t mac = 0x30AEA4000000 + roll(&w, DEVICES);
        struct device_facts said = say(&w, 100 + i);
        struct device stored;
        int64_t id;
        if (i % 50 == 0)
            change(&w);
        struct decision live = judge(&w, mac, &said);
        enum checkin_mode mode = checkin_mode(said.mode);
        struct device_facts row = said;
        OK(device_seen(w.s.db, w.product, mac, &row, &id, EI));
        OK(device_find(w.s.db, w.product, mac, &stored, EI));
        device_only_said(&stored.last);
        struct decision again = judge(&w, mac, &stored.last);
        /* A new device's first check-in makes its row, which changes no rule's facts. */
        ck_assert_msg(live.verdict == again.verdict && live.reason == again.reason,
                      "check-in %d in mode %d: %s when it came, %s from what is stored", i,
                      (int)mode, reason_name(live.reason), reason_name(again.reason));
        w.seen[live.verdict]++;
    }
    for (int v = VERDICT_SERVE; v <= VERDICT_REFUSE; v++)
        ck_assert_msg(w.seen[v] > 0, "verdict %d never came up", v);
    store_close(&w.s);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("explain");
    TCase *t = tcase_create("agrees");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, stored_check_in_is_judged_as_it_was_when_it_came, 0, FLEETS);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
