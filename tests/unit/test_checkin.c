/* SPDX-License-Identifier: MIT
 * The one read of the hot path: which build a check-in is about. */
#include <stdio.h>

#include "base/hex.h"
#include "fleet/channel.h"
#include "fleet/checkin.h"
#include "fleet/device.h"
#include "support/store.h"

#define LAMP 0x30AEA48436F0ULL

/* The product has stable (app A, fs F), beta (app B), empty (nothing), and old (app W, withdrawn).
 * Builds go by their version; P is on no channel. */
struct world {
    struct store s;
    int64_t product;
    struct build a, b, f, p, w;
};

static void world(struct world *w)
{
    store_memory(&w->s);
    struct db *db = w->s.db;
    w->product = store_product(db, "lamp");
    w->a = store_build(db, w->product, "A", BUILD_APP);
    w->b = store_build(db, w->product, "B", BUILD_APP);
    w->p = store_build(db, w->product, "P", BUILD_APP);
    w->w = store_build(db, w->product, "W", BUILD_APP);
    w->f = store_build(db, w->product, "F", BUILD_FS);
    OK(channel_release(db, w->product, "stable", &w->a, 1, EI));
    OK(channel_release(db, w->product, "stable", &w->f, 1, EI));
    OK(channel_release(db, w->product, "beta", &w->b, 1, EI));
    OK(channel_ensure(db, w->product, "empty", EI));
    OK(channel_release(db, w->product, "old", &w->w, 1, EI));
    OK(build_set_withdrawn(db, w->w.seq, 2, EI)); /* left on its channel on purpose */
}

static const struct {
    const char *what;
    char pin;            /* version of the pinned build; 0: none */
    const char *channel; /* of the device; NULL: there is no device */
    const char *asked;   /* by the client */
    bool fs, paused;     /* asks for the filesystem; stable is paused */
    char want;           /* version of the target; 0: none */
    bool want_paused;
} target_rows[] = {
    {"anonymous, default channel",       0,   NULL,    "",       false, false, 'A', false},
    {"anonymous, asks for beta",         0,   NULL,    "beta",   false, false, 'B', false},
    {"anonymous, asks for nonsense",     0,   NULL,    "x",      false, false, 0,   false},
    {"anonymous, filesystem",            0,   NULL,    "",       true,  false, 'F', false},
    {"anonymous, no filesystem there",   0,   NULL,    "beta",   true,  false, 0,   false},
    {"device, default channel",          0,   "",      "",       false, false, 'A', false},
    {"device, asks for beta",            0,   "",      "beta",   false, false, 'B', false},
    {"device's channel beats the query", 0,   "beta",  "stable", false, false, 'B', false},
    {"device's channel is gone",         0,   "x",     "beta",   false, false, 0,   false},
    {"device on an empty channel",       0,   "empty", "",       false, false, 0,   false},
    {"pin beats the channel",            'P', "beta",  "",       false, false, 'P', false},
    {"pin beats the query",              'P', "",      "beta",   false, false, 'P', false},
    {"pin of a device on no channel",    'P', "x",     "",       false, false, 'P', false},
    {"pin is no filesystem",             'P', "",      "",       true,  false, 'F', false},
    {"withdrawn is no target",           0,   "old",   "",       false, false, 0,   false},
    {"withdrawn pin is no target",       'W', "",      "",       false, false, 0,   false},
    {"paused",                           0,   "",      "",       false, true,  'A', true },
    {"another channel is paused",        0,   "beta",  "",       false, true,  'B', false},
    {"paused, filesystem",               0,   "",      "",       true,  true,  'F', true },
    {"a pin goes past the pause",        'P', "",      "",       false, true,  'P', false},
    {"but not for the filesystem",       'P', "",      "",       true,  true,  'F', true },
};

START_TEST(target_row)
{
    struct world w;
    struct device d;
    struct checkin_row row;
    const char *what = target_rows[_i].what;
    world(&w);
    if (target_rows[_i].channel != NULL) {
        (void)store_device(w.s.db, w.product, LAMP, "0.9", 5);
        OK(device_find(w.s.db, w.product, LAMP, &d, EI));
        (void)snprintf(d.channel, sizeof d.channel, "%s", target_rows[_i].channel);
        d.pin = target_rows[_i].pin == 'P' ? w.p.seq : target_rows[_i].pin == 'W' ? w.w.seq : 0;
        OK(device_save(w.s.db, &d, EI));
    }
    OK(channel_set_paused(w.s.db, w.product, "stable", target_rows[_i].paused, 1, EI));
    struct checkin_query q = {.slug = "lamp",
                              .mac = target_rows[_i].channel != NULL ? LAMP : 0,
                              .channel = target_rows[_i].asked,
                              .fs = target_rows[_i].fs};
    memset(&row, 0x5a, sizeof row);
    OK(checkin_load(w.s.db, &q, &row, EI));
    ck_assert_int_eq(row.product, w.product);
    ck_assert_msg((row.device != 0) == (target_rows[_i].channel != NULL), "%s", what);
    ck_assert_msg(row.has_target == (target_rows[_i].want != 0), "%s", what);
    ck_assert_msg(row.paused == target_rows[_i].want_paused, "%s: paused", what);
    char want[2] = {target_rows[_i].want, '\0'};
    ck_assert_msg(strcmp(row.target_version, want) == 0, "%s: '%s'", what, row.target_version);
    store_close(&w.s);
}
END_TEST

START_TEST(row_has_all_of_product_device_and_image)
{
    struct world w;
    struct device d;
    struct checkin_row row;
    char text[2 * OTAD_SHA256_LEN + 1];
    world(&w);
    store_exec(w.s.db, "UPDATE image SET identities = 'aa bb'");
    (void)store_device(w.s.db, w.product, LAMP, "0.9", 5);
    OK(device_find(w.s.db, w.product, LAMP, &d, EI));
    d.blocked = d.held = true;
    OK(device_save(w.s.db, &d, EI));
    struct checkin_query q = {.slug = "lamp", .mac = LAMP, .channel = ""};
    OK(checkin_load(w.s.db, &q, &row, EI));
    ck_assert(row.blocked && row.held && !row.disabled);
    ck_assert_str_eq(row.version, "0.9");
    ck_assert_int_eq(row.max_devices, 1000);
    ck_assert_int_eq(row.device_count, 1);
    ck_assert_int_eq(row.build, w.a.seq);
    ck_assert_int_eq(row.build_id, w.a.id);
    ck_assert_int_eq(row.number, w.a.number);
    ck_assert_int_eq(row.image, w.a.image);
    ck_assert_int_eq(row.size_bytes, 100);
    hex_encode(w.a.md5, OTAD_MD5_LEN, text);
    ck_assert_str_eq(row.md5, text);
    hex_encode(w.a.sha256, OTAD_SHA256_LEN, text);
    ck_assert_str_eq(row.sha256, text);
    const struct device_facts said = {.free_space = -1, .chip_size = -1};
    const struct decide_facts facts = checkin_facts(&row, &said, MODE_SKETCH);
    ck_assert_str_eq(facts.target.version, "A");
    ck_assert_str_eq(facts.target.also, "aa bb");
    ck_assert_ptr_eq(facts.target.md5, row.md5);
    ck_assert_ptr_eq(facts.target.sha256, row.sha256);
    ck_assert(facts.device_blocked && facts.device_held && !facts.product_disabled);
    ck_assert_int_eq(facts.attempts, 0);
    ck_assert_int_eq(facts.attempts_max, 3);
    ck_assert(!facts.rolled_back && !facts.done);
    store_exec(w.s.db, "UPDATE product SET disabled = 1");
    OK(checkin_load(w.s.db, &q, &row, EI));
    ck_assert(row.disabled);
    store_close(&w.s);
}
END_TEST

START_TEST(device_of_another_product_is_unknown_here)
{
    struct world w;
    struct checkin_row row;
    world(&w);
    int64_t plug = store_product(w.s.db, "plug");
    (void)store_device(w.s.db, plug, LAMP, "0.9", 5);
    struct checkin_query q = {.slug = "lamp", .mac = LAMP, .channel = ""};
    OK(checkin_load(w.s.db, &q, &row, EI));
    ck_assert_int_eq(row.device, 0);
    ck_assert(row.has_target);
    q.slug = "plug";
    OK(checkin_load(w.s.db, &q, &row, EI));
    ck_assert_int_ne(row.device, 0);
    ck_assert(!row.has_target);
    ck_assert_str_eq(row.md5, "");
    store_close(&w.s);
}
END_TEST

START_TEST(unknown_product_is_noent)
{
    struct world w;
    struct checkin_row row = {.product = 99};
    world(&w);
    struct checkin_query q = {.slug = "elephant", .mac = LAMP, .channel = ""};
    FAILS(OTAD_E_NOENT, checkin_load(w.s.db, &q, &row, EI));
    ck_assert_str_eq(store_ei.msg, "no_product");
    ck_assert_int_eq(row.product, 99);
    store_close(&w.s);
}
END_TEST

/* ---- one build by its id ------------------------------------------------------------------- */

static const struct {
    const char *what;
    char build; /* A or W; '?': none */
    int device; /* 0: by MAC; 1: its number; 2: that of another product's; 3: nobody's */
    uint64_t mac;
    uint64_t want_mac; /* 0: not known */
} build_rows[] = {
    {"anonymous",                      'A', 0, 0,    0   },
    {"by MAC",                         'A', 0, LAMP, LAMP},
    {"by a MAC nobody has",            'A', 0, 5,    0   },
    {"by number",                      'A', 1, 0,    LAMP},
    {"the number counts, not the MAC", 'A', 1, 5,    LAMP},
    {"number of another product's",    'A', 2, LAMP, 0   },
    {"number of nobody",               'A', 3, LAMP, 0   },
    {"withdrawn",                      'W', 0, LAMP, LAMP},
    {"no such build",                  '?', 0, LAMP, 0   },
};

START_TEST(build_row)
{
    struct world w;
    struct checkin_row row;
    char slug[OTAD_SLUG_MAX + 1] = "same";
    uint64_t mac = 77;
    bool withdrawn = false;
    const char *what = build_rows[_i].what;
    world(&w);
    int64_t device = store_device(w.s.db, w.product, LAMP, "0.9", 5);
    int64_t other = store_device(w.s.db, store_product(w.s.db, "plug"), LAMP, "0.9", 5);
    int64_t numbers[] = {0, device, other, 4711};
    struct checkin_build_query q = {.build_id = build_rows[_i].build == 'A'   ? w.a.id
                                                : build_rows[_i].build == 'W' ? w.w.id
                                                                              : 4711,
                                    .device_number = numbers[build_rows[_i].device],
                                    .mac = build_rows[_i].mac};
    enum otad_err err = checkin_load_build(w.s.db, &q, &row, slug, &mac, &withdrawn, EI);
    if (build_rows[_i].build == '?') {
        ck_assert_int_eq(err, OTAD_E_NOENT);
        ck_assert_str_eq(slug, "same");
        ck_assert_uint_eq(mac, 77);
    } else {
        ck_assert_msg(err == OTAD_E_OK, "%s: %s", what, store_ei.msg);
        ck_assert_str_eq(slug, "lamp");
        ck_assert_msg(mac == build_rows[_i].want_mac, "%s", what);
        ck_assert_msg((row.device == device) == (mac != 0), "%s", what);
        ck_assert_msg(withdrawn == (build_rows[_i].build == 'W'), "%s", what);
        ck_assert_msg(row.has_target && !row.paused, "%s", what);
        ck_assert_int_eq(row.build_id, q.build_id);
        ck_assert_int_eq(row.kind, BUILD_APP);
    }
    store_close(&w.s);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("checkin");
    TCase *t = tcase_create("checkin");
    tcase_add_loop_test(t, target_row, 0, (int)OTAD_COUNT(target_rows));
    tcase_add_test(t, row_has_all_of_product_device_and_image);
    tcase_add_test(t, device_of_another_product_is_unknown_here);
    tcase_add_test(t, unknown_product_is_noent);
    tcase_add_loop_test(t, build_row, 0, (int)OTAD_COUNT(build_rows));
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
