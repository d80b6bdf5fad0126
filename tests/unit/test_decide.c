/* SPDX-License-Identifier: MIT
 * The decision: every rule, and every pair of rules in its order. */
#include <string.h>

#include "fleet/decide.h"
#include "otad/err.h"
#include "support/unit.h"

#define MD5_A "0123456789abcdef0123456789abcdef"
#define MD5_B "ffffffffffffffffffffffffffffffff"
#define SHA_A "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SHA_B "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define ALSO_1 "11111111111111111111111111111111"
#define ALSO_2 "22222222222222222222222222222222"
#define ALSO_3 "3333333333333333333333333333333333333333333333333333333333333333"

static const struct identity image = {
    .version = "1.2.0", .md5 = MD5_A, .sha256 = SHA_A, .also = ALSO_1 " " ALSO_2 " " ALSO_3};

static const struct {
    const char *what;
    struct running running;
    enum checkin_mode mode;
    enum reason want;
} match_rows[] = {
    {"says nothing",                         {"", "", ""},                         MODE_SKETCH,  REASON_NONE        },
    {"same version",                         {"1.2.0", "", ""},                    MODE_SKETCH,  REASON_SAME_VERSION},
    {"same version with a word",             {"1.2.0(tasmota)", "", ""},           MODE_SKETCH,  REASON_SAME_VERSION},
    {"other version",                        {"1.1.0", "", ""},                    MODE_SKETCH,  REASON_NONE        },
    {"MD5 of the file",                      {"", MD5_A, ""},                      MODE_SKETCH,  REASON_SAME_CONTENT},
    {"SHA-256 of the file",                  {"", "", SHA_A},                      MODE_SKETCH,  REASON_SAME_CONTENT},
    {"first further digest",                 {"", ALSO_1, ""},                     MODE_SKETCH,  REASON_SAME_CONTENT},
    {"second further digest",                {"", ALSO_2, ""},                     MODE_SKETCH,  REASON_SAME_CONTENT},
    {"last further digest",                  {"", "", ALSO_3},                     MODE_SKETCH,  REASON_SAME_CONTENT},
    {"half of a further digest",             {"", "1111111111111111", ""},         MODE_SKETCH,  REASON_NONE        },
    {"end of a further digest",              {"", "", "333333333333333333333333"}, MODE_SKETCH,  REASON_NONE        },
    {"two further digests",                  {"", ALSO_1 " " ALSO_2, ""},          MODE_SKETCH,  REASON_SAME_CONTENT},
    {"other digests",                        {"", MD5_B, SHA_B},                   MODE_SKETCH,  REASON_NONE        },
    {"other MD5, same version",              {"1.2.0", MD5_B, ""},                 MODE_SKETCH,  REASON_SAME_VERSION},
    {"same MD5, other version",              {"1.1.0", MD5_A, ""},                 MODE_SKETCH,  REASON_SAME_CONTENT},
    {"one digest of two",                    {"", MD5_B, SHA_A},                   MODE_SKETCH,  REASON_SAME_CONTENT},
    {"upper case is unknown",
     {"", "0123456789ABCDEF0123456789ABCDEF", ""},
     MODE_SKETCH,                                                                                REASON_NONE        },
    {"mode version counts alike",            {"", MD5_A, ""},                      MODE_VERSION, REASON_SAME_CONTENT},
    {"filesystem: digests are the sketch's", {"", MD5_A, SHA_A},                   MODE_FS,      REASON_NONE        },
    {"filesystem: further ones too",         {"", ALSO_1, ALSO_3},                 MODE_FS,      REASON_NONE        },
    {"filesystem: version",                  {"1.2.0", MD5_B, ""},                 MODE_FS,      REASON_SAME_VERSION},
    {"filesystem: other version",            {"1.1.0", MD5_A, ""},                 MODE_FS,      REASON_NONE        },
};

START_TEST(match_row)
{
    enum reason got = identity_match(&image, &match_rows[_i].running, match_rows[_i].mode);
    ck_assert_msg(got == match_rows[_i].want, "%s: %s", match_rows[_i].what, reason_name(got));
}
END_TEST

START_TEST(image_without_digests_matches_no_silence)
{
    static const struct identity bare = {.version = "1", .md5 = "", .sha256 = "", .also = ""};
    static const struct running silent = {"", "", ""}, said = {"", MD5_A, SHA_A};
    ck_assert_int_eq(identity_match(&bare, &silent, MODE_SKETCH), REASON_NONE);
    ck_assert_int_eq(identity_match(&bare, &said, MODE_SKETCH), REASON_NONE);
}
END_TEST

/* The rules in their order: each can be switched on by itself. */
enum rule {
    DISABLED,
    BLOCKED,
    WRONG_MODE,
    NO_BUILD,
    SAME,
    UNFIT,
    ROLLED_BACK,
    USED_UP,
    HELD,
    PAUSED,
    CASES
};

static const struct {
    const char *what;
    struct decision want;
} rules[CASES + 1] = {
    [DISABLED] = {"product disabled",   {VERDICT_REFUSE, REASON_DISABLED}        },
    [BLOCKED] = {"device blocked",     {VERDICT_REFUSE, REASON_BLOCKED}         },
    [WRONG_MODE] = {"unknown mode",       {VERDICT_REFUSE, REASON_WRONG_MODE}      },
    [NO_BUILD] = {"no target",          {VERDICT_REFUSE, REASON_NO_BUILD}        },
    [SAME] = {"same content",       {VERDICT_UP_TO_DATE, REASON_SAME_CONTENT}},
    [UNFIT] = {"won't fit",          {VERDICT_HOLD, REASON_WONT_FIT}          },
    [ROLLED_BACK] = {"rolled back",        {VERDICT_HOLD, REASON_ROLLED_BACK}       },
    [USED_UP] = {"attempts used up",   {VERDICT_HOLD, REASON_ATTEMPTS_EXHAUSTED}},
    [HELD] = {"device held",        {VERDICT_HOLD, REASON_HELD}              },
    [PAUSED] = {"channel paused",     {VERDICT_HOLD, REASON_PAUSED}            },
    [CASES] = {"nothing against it", {VERDICT_SERVE, REASON_NONE}             },
};

static struct decide_facts facts_of(unsigned on)
{
    struct decide_facts f = {
        .has_target = true, .target = image, .running = {"1.1.0", MD5_B, ""}
    };
    f.product_disabled = (on & 1u << DISABLED) != 0;
    f.device_blocked = (on & 1u << BLOCKED) != 0;
    if ((on & 1u << WRONG_MODE) != 0)
        f.mode = MODE_UNKNOWN;
    if ((on & 1u << NO_BUILD) != 0) {
        f.has_target = false;
        memset(&f.target, 0, sizeof f.target); /* not to be looked at */
    }
    if ((on & 1u << SAME) != 0)
        f.running.md5 = MD5_A;
    if ((on & 1u << UNFIT) != 0)
        f.unfit = REASON_WONT_FIT;
    f.rolled_back = (on & 1u << ROLLED_BACK) != 0;
    f.attempts = (on & 1u << USED_UP) != 0 ? 3 : 2;
    f.attempts_max = 3;
    f.device_held = (on & 1u << HELD) != 0;
    f.channel_paused = (on & 1u << PAUSED) != 0;
    return f;
}

/* All 1024 combinations: the first rule that matches, and no other, decides. */
START_TEST(first_rule_that_matches_decides)
{
    unsigned on = (unsigned)_i;
    int first = 0;
    while (first < CASES && (on & 1u << first) == 0)
        first++;
    struct decide_facts f = facts_of(on);
    struct decision got = decide(&f);
    ck_assert_msg(got.verdict == rules[first].want.verdict &&
                      got.reason == rules[first].want.reason,
                  "%s (rules %#x): %s", rules[first].what, on, reason_name(got.reason));
}
END_TEST

/* What explain shows is this very walk. */
START_TEST(walk_ends_where_the_decision_does)
{
    struct decide_facts f = facts_of((unsigned)_i);
    struct decision got = decide(&f), step = {VERDICT_SERVE, REASON_NONE};
    int rule = 0;
    while (!decide_rule((enum decide_rule)rule, &f, &step))
        ck_assert_int_lt(++rule, RULES);
    ck_assert_int_eq(step.verdict, got.verdict);
    ck_assert_int_eq(step.reason, got.reason);
    ck_assert_uint_gt(strlen(rule_name((enum decide_rule)rule)), 0);
}
END_TEST

START_TEST(build_that_is_done_is_up_to_date)
{
    struct decide_facts f = facts_of(0);
    f.mode = MODE_FS;
    f.running = (struct running){"", "", ""};
    f.done = true;
    ck_assert_int_eq(decide(&f).verdict, VERDICT_UP_TO_DATE);
}
END_TEST

START_TEST(no_limit_on_attempts_is_none)
{
    struct decide_facts f = facts_of(0);
    f.attempts = 1000;
    f.attempts_max = 0;
    ck_assert_int_eq(decide(&f).verdict, VERDICT_SERVE);
}
END_TEST

static const struct {
    const char *what;
    enum checkin_mode mode;
    struct running running;
    struct decision want;
} mode_rows[] = {
    {"sketch, older",               MODE_SKETCH,  {"1.1.0", "", ""}, {VERDICT_SERVE, REASON_NONE}},
    {"sketch, newer is not older",  MODE_SKETCH,  {"9.9.9", "", ""}, {VERDICT_SERVE, REASON_NONE}},
    {"sketch, says nothing",        MODE_SKETCH,  {"", "", ""},      {VERDICT_SERVE, REASON_NONE}},
    {"version mode, older",         MODE_VERSION, {"1.1.0", "", ""}, {VERDICT_SERVE, REASON_NONE}},
    {"version mode, same",
     MODE_VERSION,                                {"1.2.0", "", ""},
     {VERDICT_UP_TO_DATE, REASON_SAME_VERSION}                                                   },
    {"filesystem, sketch's digest", MODE_FS,      {"", MD5_A, ""},   {VERDICT_SERVE, REASON_NONE}},
    {"filesystem, same version",
     MODE_FS,                                     {"1.2.0", "", ""},
     {VERDICT_UP_TO_DATE, REASON_SAME_VERSION}                                                   },
    {"unknown mode, same version",
     MODE_UNKNOWN,                                {"1.2.0", "", ""},
     {VERDICT_REFUSE, REASON_WRONG_MODE}                                                         },
};

START_TEST(mode_row)
{
    struct decide_facts f = facts_of(0);
    f.mode = mode_rows[_i].mode;
    f.running = mode_rows[_i].running;
    struct decision got = decide(&f);
    ck_assert_msg(got.verdict == mode_rows[_i].want.verdict &&
                      got.reason == mode_rows[_i].want.reason,
                  "%s: %s", mode_rows[_i].what, reason_name(got.reason));
}
END_TEST

START_TEST(reasons_are_the_words_of_the_api)
{
    ck_assert_str_eq(reason_name(REASON_NONE), "");
    ck_assert_str_eq(reason_name(REASON_SAME_VERSION), "same_version");
    ck_assert_str_eq(reason_name(REASON_SAME_CONTENT), "same_content");
    ck_assert_str_eq(reason_name(REASON_NO_BUILD), "no_build");
    ck_assert_str_eq(reason_name(REASON_BLOCKED), "blocked");
    ck_assert_str_eq(reason_name(REASON_DISABLED), "disabled");
    ck_assert_str_eq(reason_name(REASON_WRONG_MODE), "wrong_mode");
    ck_assert_str_eq(reason_name(REASON_WONT_FIT), "wont_fit");
    ck_assert_str_eq(reason_name(REASON_WRONG_CHIP), "wrong_chip");
    ck_assert_str_eq(reason_name(REASON_ATTEMPTS_EXHAUSTED), "attempts_exhausted");
    ck_assert_str_eq(reason_name(REASON_ROLLED_BACK), "rolled_back");
    ck_assert_str_eq(reason_name(REASON_HELD), "held");
    ck_assert_str_eq(reason_name(REASON_PAUSED), "paused");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("decide");
    TCase *t = tcase_create("identity");
    tcase_add_loop_test(t, match_row, 0, (int)OTAD_COUNT(match_rows));
    tcase_add_test(t, image_without_digests_matches_no_silence);
    suite_add_tcase(s, t);
    t = tcase_create("rules");
    tcase_add_loop_test(t, first_rule_that_matches_decides, 0, 1 << CASES);
    tcase_add_loop_test(t, walk_ends_where_the_decision_does, 0, 1 << CASES);
    tcase_add_test(t, build_that_is_done_is_up_to_date);
    tcase_add_test(t, no_limit_on_attempts_is_none);
    tcase_add_loop_test(t, mode_row, 0, (int)OTAD_COUNT(mode_rows));
    tcase_add_test(t, reasons_are_the_words_of_the_api);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
