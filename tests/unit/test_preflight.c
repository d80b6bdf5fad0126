/* SPDX-License-Identifier: MIT
 * What fits a device, by what it last said. */
#include <stdio.h>

#include "fleet/preflight.h"
#include "support/store.h"

static const struct {
    const char *what;
    enum build_kind kind;
    const char *chip; /* of the build */
    int64_t size, flash;
    const char *said_chip, *agent;
    int64_t free_space, chip_size;
    enum reason want;
} rows[] = {
    {"says nothing",                   BUILD_APP,     "ESP8266",  500, 0,    "",         "",                    -1,  -1,   REASON_NONE    },
    {"fits exactly",                   BUILD_APP,     "ESP8266",  500, 0,    "",         "",                    500, -1,   REASON_NONE    },
    {"a byte too large",               BUILD_APP,     "ESP8266",  501, 0,    "",         "",                    500, -1,   REASON_WONT_FIT},
    {"no room at all",                 BUILD_APP,     "ESP32",    1,   0,    "",         "",                    0,   -1,   REASON_WONT_FIT},
    {"the same chip",                  BUILD_APP,     "ESP32-C3", 1,   0,    "ESP32-C3", "",                    -1,  -1,   REASON_NONE    },
    {"another chip of the family",     BUILD_APP,     "ESP32-C3", 1,   0,    "ESP32",    "",                    -1,  -1,
     REASON_WRONG_CHIP                                                                                                                    },
    {"the chip comes before the size", BUILD_APP,     "ESP32",    900, 0,    "ESP8266",  "",                    5,   -1,
     REASON_WRONG_CHIP                                                                                                                    },
    {"other family by its agent",      BUILD_APP,     "ESP32",    1,   0,    "",         "ESP8266-http-Update", -1,  -1,
     REASON_WRONG_CHIP                                                                                                                    },
    {"same family by its agent",       BUILD_APP,     "ESP32-C3", 1,   0,    "",         "ESP32-http-Update",   -1,  -1,
     REASON_NONE                                                                                                                          },
    {"agent that says nothing",        BUILD_APP,     "ESP32",    1,   0,    "",         "curl/8",              -1,  -1,   REASON_NONE    },
    {"exact chip beats the agent",     BUILD_APP,     "ESP32",    1,   0,    "ESP32",    "ESP8266-http-Update", -1,  -1,
     REASON_NONE                                                                                                                          },
    {"build of an unknown chip",       BUILD_APP,     "",         1,   0,    "ESP8266",  "ESP8266-http-Update", -1,  -1,
     REASON_NONE                                                                                                                          },
    {"ESP8266, flash as large",        BUILD_APP,     "ESP8266",  1,   4096, "",         "",                    -1,  4096, REASON_NONE    },
    {"ESP8266, flash too small",       BUILD_APP,     "ESP8266",  1,   4096, "",         "",                    -1,  2048, REASON_WONT_FIT},
    {"ESP8266, flash size not said",   BUILD_APP,     "ESP8266",  1,   4096, "",         "",                    -1,  -1,   REASON_NONE    },
    {"ESP8266, flash size 0",          BUILD_APP,     "ESP8266",  1,   4096, "",         "",                    -1,  0,    REASON_NONE    },
    {"ESP8266, header says nothing",   BUILD_APP,     "ESP8266",  1,   0,    "",         "",                    -1,  2048, REASON_NONE    },
    {"ESP32 doesn't care for it",      BUILD_APP,     "ESP32",    1,   4096, "",         "",                    -1,  2048, REASON_NONE    },
    {"filesystems always pass",        BUILD_FS,      "ESP32",    900, 4096, "ESP8266",  "ESP8266-http-Update", 5,
     5,                                                                                                                    REASON_NONE    },
    {"factory images too",             BUILD_FACTORY, "ESP32",    900, 0,    "ESP8266",  "",                    5,   -1,   REASON_NONE    },
};

START_TEST(check_row)
{
    static struct build b;
    static struct device_facts said;
    b.kind = rows[_i].kind;
    b.size_bytes = rows[_i].size;
    b.flash_bytes = rows[_i].flash;
    (void)snprintf(b.chip, sizeof b.chip, "%s", rows[_i].chip);
    (void)snprintf(said.chip, sizeof said.chip, "%s", rows[_i].said_chip);
    (void)snprintf(said.agent, sizeof said.agent, "%s", rows[_i].agent);
    said.free_space = rows[_i].free_space;
    said.chip_size = rows[_i].chip_size;
    const struct fit_need need = {
        .kind = b.kind, .chip = b.chip, .size_bytes = b.size_bytes, .flash_bytes = b.flash_bytes};
    enum reason got = preflight_check(&need, &said);
    ck_assert_msg(got == rows[_i].want, "%s: %s", rows[_i].what, reason_name(got));
}
END_TEST

START_TEST(run_counts_all_and_names_the_first)
{
    struct store s;
    static struct preflight p;
    store_memory(&s);
    int64_t product = store_product(s.db, "lamp"), plug = store_product(s.db, "plug");
    struct build b = store_build(s.db, product, "1", BUILD_APP); /* 100 bytes */
    (void)snprintf(b.chip, sizeof b.chip, "ESP8266");
    for (uint64_t mac = 1; mac <= 60; mac++) {
        struct device_facts said = {.address = "", .chip_size = -1, .at_s = 5};
        int64_t id;
        said.free_space = mac <= 30 ? 99 : 100;
        (void)snprintf(said.chip, sizeof said.chip, "%s", mac == 31 ? "ESP32" : "");
        OK(device_seen(s.db, product, mac, &said, &id, EI));
        OK(device_seen(s.db, plug, mac, &said, &id, EI));
    }
    OK(preflight_run(s.db, &b, &p, EI));
    ck_assert_int_eq(p.devices, 60);
    ck_assert_int_eq(p.wont_fit, 30);
    ck_assert_int_eq(p.wrong_chip, 1);
    ck_assert_uint_eq(p.n_shown, PREFLIGHT_SHOWN);
    ck_assert_uint_eq(p.shown[0].mac, 1);
    ck_assert_uint_eq(p.shown[PREFLIGHT_SHOWN - 1].mac, PREFLIGHT_SHOWN);
    ck_assert_int_eq(p.shown[0].reason, REASON_WONT_FIT);
    store_close(&s);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("preflight");
    TCase *t = tcase_create("preflight");
    tcase_add_loop_test(t, check_row, 0, (int)OTAD_COUNT(rows));
    tcase_add_test(t, run_counts_all_and_names_the_first);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
