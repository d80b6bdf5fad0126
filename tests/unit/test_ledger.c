/* SPDX-License-Identifier: MIT
 * Which fact moves which state of an update. */
#include <stdio.h>

#include "base/hex.h"
#include "fleet/ledger.h"
#include "fleet/overlay.h"
#include "fleet/update.h"
#include "support/store.h"

#define LAMP 0x30AEA48436F0ULL
#define ALSO "11111111111111111111111111111111"

/* Builds: applications A and B, filesystems F and G; B's image has a further digest. */
struct world {
    struct store s;
    int64_t product, now_s, transfer;
    struct build a, b, f, g;
};

static void world(struct world *w)
{
    *w = (struct world){.now_s = 100};
    store_memory(&w->s);
    w->product = store_product(w->s.db, "lamp");
    w->a = store_build(w->s.db, w->product, "A", BUILD_APP);
    w->b = store_build(w->s.db, w->product, "B", BUILD_APP);
    w->f = store_build(w->s.db, w->product, "F", BUILD_FS);
    w->g = store_build(w->s.db, w->product, "G", BUILD_FS);
    struct db_q q = db_query(w->s.db, "UPDATE image SET identities = :also WHERE id = :id");
    db_bind_text(&q, ":also", "00 " ALSO);
    db_bind_int(&q, ":id", w->b.image);
    OK(db_run(&q, EI));
}

static const struct build *build_of(const struct world *w, char name)
{
    return name == 'A' || name == 'a'   ? &w->a
           : name == 'B' || name == 'b' ? &w->b
           : name == 'F' || name == 'f' ? &w->f
                                        : &w->g;
}

static enum otad_err checkin(struct world *w, const char *version, const char *md5,
                             const char *sha256, enum checkin_mode mode)
{
    struct fact f = {.kind = FACT_CHECKIN, .product = w->product, .mac = LAMP, .mode = mode};
    f.said = (struct device_facts){
        .address = "192.0.2.1", .free_space = -1, .chip_size = -1, .at_s = w->now_s++};
    (void)snprintf(f.said.version, sizeof f.said.version, "%s", version);
    (void)snprintf(f.said.md5, sizeof f.said.md5, "%s", md5);
    (void)snprintf(f.said.sha256, sizeof f.said.sha256, "%s", sha256);
    return ledger_write(w->s.db, &f, NULL, EI);
}

static enum otad_err serve(struct world *w, const struct build *b)
{
    struct fact f = {.kind = FACT_SERVE, .product = w->product, .mac = LAMP, .build = b->seq};
    f.transfer = (struct transfer){.id = ++w->transfer,
                                   .size_bytes = b->size_bytes,
                                   .address = "192.0.2.1",
                                   .started_at_s = w->now_s++};
    return ledger_write(w->s.db, &f, NULL, EI);
}

static enum otad_err end(struct world *w, enum transfer_state state)
{
    struct fact f = {.kind = FACT_END, .product = w->product, .mac = LAMP};
    f.transfer = (struct transfer){.id = w->transfer,
                                   .state = state,
                                   .bytes_acked = state == TRANSFER_SENT ? w->a.size_bytes : 41,
                                   .ended_at_s = w->now_s++};
    return ledger_write(w->s.db, &f, NULL, EI);
}

static enum otad_err each(void *arg, const struct update *u)
{
    char *text = arg, line[512];
    (void)snprintf(line, sizeof line, "%s:%s%s%s/%d %s", u->to_version, update_state_name(u->state),
                   u->cause[0] ? "=" : "", u->cause, (int)u->attempts, text);
    (void)snprintf(text, 256, "%.255s", line); /* the list is newest first: turned around */
    return OTAD_E_OK;
}

static void story(struct world *w, char text[256])
{
    struct update_filter f = {
        .product = w->product, .until_s = INT64_MAX, .after_id = INT64_MAX, .limit = 99};
    text[0] = '\0';
    OK(update_list(w->s.db, &f, each, text, EI));
}

/* Events: a check-in by version (0: an old one, a/b: that application in mode sketch, v: B in mode
 * version, f/g: in a filesystem mode, x: A's version in a filesystem mode, y: F's version in mode
 * sketch), A/B/F/G: served, s: sent, !: aborted. */
static const struct {
    const char *what;
    const char *events;
    const char *want; /* to_version:state=cause/attempts, oldest first */
} story_rows[] = {
    {"only check-ins",                      "000",           ""                                      },
    {"served",                              "0A",            "A:in_progress/0 "                      },
    {"sent",                                "0As",           "A:sent/1 "                             },
    {"came back running it",                "0Asa",          "A:installed/1 "                        },
    {"running it, without a whole image",   "0A!a",          "A:installed/0 "                        },
    {"came back on the old one",            "0As0",          "A:failed=came_back_old/1 "             },
    {"aborted",                             "0A!",           "A:in_progress/0 "                      },
    {"aborted, then whole",                 "0A!As",         "A:sent/1 "                             },
    {"two whole images",                    "0As0As",        "A:sent/2 "                             },
    {"mode version tells it too",           "0Bsv",          "B:installed/1 "                        },
    {"superseded",                          "0AB",           "A:failed=superseded/0 B:in_progress/0 "},
    {"superseded after sent",               "0AsBsb",        "A:failed=superseded/1 B:installed/1 "  },
    {"superseded one is seen running",      "0ABa",          "A:failed=superseded/0 B:in_progress/0 "},
    {"back to the first after superseding", "0ABA",          "A:in_progress/0 B:failed=superseded/0 "},
    {"installed, then another",             "0AsaBsb",       "A:installed/1 B:installed/1 "          },
    {"installed is not superseded",         "0AsaB",         "A:installed/1 B:in_progress/0 "        },
    {"rolled back, and offered again",      "0Asa0A",        "A:in_progress/1 "                      },
    {"filesystem beside application",       "0AF",           "A:in_progress/0 F:in_progress/0 "      },
    {"filesystem by its version",           "0Fsf",          "F:installed/1 "                        },
    {"one filesystem supersedes another",   "0FG",           "F:failed=superseded/0 G:in_progress/0 "},
    {"sketch's version installs no fs",     "0Fsy",          "F:sent/1 "                             },
    {"fs version installs no sketch",       "0Asx",          "A:sent/1 "                             },
    {"went back",                           "0Asa0",         "A:rolled_back/1 "                      },
    {"went back and forth",                 "0Asa0a",        "A:installed/1 "                        },
    {"three whole images led to nothing",   "0As0As0As0",    "A:attempts_exhausted/3 "               },
    {"the third one did it",                "0As0As0Asa",    "A:installed/3 "                        },
    {"used up, then it runs it",            "0As0As0As0a",   "A:installed/3 "                        },
    {"used up, then another build",         "0As0As0As0Bsb", "A:attempts_exhausted/3 B:installed/1 " },
    {"both come back",                      "0AsFsaf",       "A:installed/1 F:installed/1 "          },
};

START_TEST(story_row)
{
    struct world w;
    char text[256];
    world(&w);
    for (const char *p = story_rows[_i].events; *p != '\0'; p++) {
        char version[2] = {*p >= 'a' ? (char)(*p - 32) : *p, '\0'};
        if (*p == '0' || *p == 'a' || *p == 'b')
            OK(checkin(&w, version, "", "", MODE_SKETCH));
        else if (*p == 'v')
            OK(checkin(&w, "B", "", "", MODE_VERSION));
        else if (*p == 'x')
            OK(checkin(&w, "A", "", "", MODE_FS));
        else if (*p == 'y')
            OK(checkin(&w, "F", "", "", MODE_SKETCH));
        else if (*p == 'f' || *p == 'g')
            OK(checkin(&w, version, "", "", MODE_FS));
        else if (*p == 's')
            OK(end(&w, TRANSFER_SENT));
        else if (*p == '!')
            OK(end(&w, TRANSFER_ABORTED));
        else
            OK(serve(&w, build_of(&w, *p)));
    }
    story(&w, text);
    ck_assert_msg(strcmp(text, story_rows[_i].want) == 0, "%s (%s): %s", story_rows[_i].what,
                  story_rows[_i].events, text);
    store_close(&w.s);
}
END_TEST

#define SAYS_VERSION "it says it runs the version of this build"
#define SAYS_DIGEST "the digest it reports is the one of this build"
enum digest { NO_DIGEST, THE_MD5, THE_SHA256, FURTHER, ANOTHER };
static const struct {
    const char *what;
    const char *version;
    enum digest digest;
    enum checkin_mode mode;
    bool installed;
    const char *detail;
} evidence_rows[] = {
    {"version",                      "B",       NO_DIGEST,  MODE_SKETCH,  true,  SAYS_VERSION},
    {"version with a word",          "B(lite)", NO_DIGEST,  MODE_SKETCH,  true,  SAYS_VERSION},
    {"MD5",                          "",        THE_MD5,    MODE_SKETCH,  true,  SAYS_DIGEST },
    {"MD5 beats another version",    "0",       THE_MD5,    MODE_SKETCH,  true,  SAYS_DIGEST },
    {"SHA-256",                      "",        THE_SHA256, MODE_SKETCH,  true,  SAYS_DIGEST },
    {"further digest",               "",        FURTHER,    MODE_SKETCH,  true,  SAYS_DIGEST },
    {"another digest",               "0",       ANOTHER,    MODE_SKETCH,  false, ""          },
    {"another digest, same version", "B",       ANOTHER,    MODE_SKETCH,  true,  SAYS_VERSION},
    {"nothing said",                 "",        NO_DIGEST,  MODE_SKETCH,  false, ""          },
    {"unknown mode",                 "B",       NO_DIGEST,  MODE_UNKNOWN, true,  SAYS_VERSION},
    {"digest in filesystem mode",    "",        THE_MD5,    MODE_FS,      false, ""          },
};

START_TEST(evidence_row)
{
    struct world w;
    struct device d;
    struct update u;
    char md5[33] = "", sha256[65] = "";
    world(&w);
    OK(checkin(&w, "0", "", "", MODE_SKETCH));
    OK(serve(&w, &w.b));
    if (evidence_rows[_i].digest == THE_MD5)
        hex_encode(w.b.md5, OTAD_MD5_LEN, md5);
    else if (evidence_rows[_i].digest == THE_SHA256)
        hex_encode(w.b.sha256, OTAD_SHA256_LEN, sha256);
    else if (evidence_rows[_i].digest == FURTHER)
        (void)snprintf(md5, sizeof md5, ALSO);
    else if (evidence_rows[_i].digest == ANOTHER)
        hex_encode(w.a.md5, OTAD_MD5_LEN, md5);
    OK(checkin(&w, evidence_rows[_i].version, md5, sha256, evidence_rows[_i].mode));
    OK(device_find(w.s.db, w.product, LAMP, &d, EI));
    OK(update_newest(w.s.db, d.id, 0, &u, EI));
    ck_assert_msg((u.state == UPDATE_INSTALLED) == evidence_rows[_i].installed, "%s: %s",
                  evidence_rows[_i].what, update_state_name(u.state));
    ck_assert_msg(strcmp(u.detail, evidence_rows[_i].detail) == 0, "%s: %s", evidence_rows[_i].what,
                  u.detail);
    store_close(&w.s);
}
END_TEST

START_TEST(filesystem_check_in_keeps_the_sketchs_version)
{
    struct world w;
    struct device d;
    world(&w);
    OK(checkin(&w, "1.0", "", "", MODE_SKETCH));
    OK(checkin(&w, "7.7", "", "", MODE_FS));
    OK(device_find(w.s.db, w.product, LAMP, &d, EI));
    ck_assert_str_eq(d.last.version, "1.0");
    ck_assert_int_eq(d.last.at_s, 101);
    store_close(&w.s);
}
END_TEST

START_TEST(update_remembers_what_the_device_ran_and_when)
{
    struct world w;
    struct device d;
    struct update u;
    struct transfer t;
    world(&w);
    OK(checkin(&w, "0.9", "", "", MODE_SKETCH));
    OK(serve(&w, &w.a));
    OK(end(&w, TRANSFER_ABORTED));
    OK(device_find(w.s.db, w.product, LAMP, &d, EI));
    OK(update_newest(w.s.db, d.id, 0, &u, EI));
    ck_assert_str_eq(u.from_version, "0.9");
    ck_assert_str_eq(u.to_version, "A");
    ck_assert_int_eq(u.created_at_s, 101);
    OK(transfer_find(w.s.db, 1, &t, EI));
    ck_assert_int_eq(t.update, u.id);
    ck_assert_int_eq(t.state, TRANSFER_ABORTED);
    ck_assert_int_eq(t.bytes_acked, 41);
    ck_assert_int_eq(t.started_at_s, 101);
    ck_assert_int_eq(t.ended_at_s, 102);
    store_close(&w.s);
}
END_TEST

START_TEST(facts_about_what_is_gone_are_noent_or_conflict)
{
    struct world w;
    world(&w);
    FAILS(OTAD_E_NOENT, serve(&w, &w.a)); /* no such device */
    FAILS(OTAD_E_NOENT, end(&w, TRANSFER_SENT));
    OK(checkin(&w, "0", "", "", MODE_SKETCH));
    struct build gone = {.seq = 4711};
    FAILS(OTAD_E_NOENT, serve(&w, &gone));
    ck_assert_int_eq(store_int(w.s.db, "SELECT count(*) FROM \"update\""), 0);
    w.product = 4711;
    enum otad_err err = checkin(&w, "0", "", "", MODE_SKETCH);
    ck_assert(err == OTAD_E_NOENT || err == OTAD_E_CONFLICT);
    store_close(&w.s);
}
END_TEST

START_TEST(strangers_are_counted)
{
    struct world w;
    world(&w);
    struct fact f = {.kind = FACT_ANONYMOUS, .product = w.product, .count = 3};
    OK(ledger_write(w.s.db, &f, NULL, EI));
    OK(ledger_write(w.s.db, &f, NULL, EI));
    ck_assert_int_eq(store_int(w.s.db, "SELECT anonymous_checkins FROM product"), 6);
    store_close(&w.s);
}
END_TEST

/* ---- parts -------------------------------------------------------------------------------- */

#define SIZE 1000 /* bytes of the image that comes in parts */

static enum otad_err serve_part(struct world *w, int64_t id, int64_t first)
{
    struct fact f = {
        .kind = FACT_SERVE, .product = w->product, .mac = LAMP, .build = w->a.seq, .first = first};
    f.transfer = (struct transfer){
        .id = id, .size_bytes = SIZE, .address = "192.0.2.1", .started_at_s = w->now_s++};
    return ledger_write(w->s.db, &f, NULL, EI);
}

static enum otad_err end_part(struct world *w, int64_t id, int64_t first, int64_t acked,
                              bool complete)
{
    struct fact f = {.kind = FACT_END, .product = w->product, .mac = LAMP, .first = first};
    f.transfer = (struct transfer){.id = id,
                                   .state = complete ? TRANSFER_SENT : TRANSFER_ABORTED,
                                   .cause = "",
                                   .bytes_acked = acked,
                                   .ended_at_s = w->now_s++};
    if (!complete)
        (void)snprintf(f.transfer.cause, sizeof f.transfer.cause, "peer_gone");
    return ledger_write(w->s.db, &f, NULL, EI);
}

/* "b" begins, "e" ends with all, "x" ends by a break: request id, first byte, bytes (-1: all the
 * rest). */
struct step {
    char what;
    int id;
    int64_t first, bytes;
};

static const struct part_row {
    const char *what;
    struct step steps[8];
    const char *want; /* id:state=cause bytes/resumed of each transfer, then attempts */
} part_rows[] = {
    {"one part",                                 {{'b', 1, 0, 0}, {'e', 1, 0, 100}},  "1:downloading=100/0 0"     },
    {"all in two parts",
     {{'b', 1, 0, 0}, {'e', 1, 0, 100}, {'b', 2, 100, 0}, {'e', 2, 100, -1}},
     "1:sent=all/0 1"                                                                                             },
    {"next begins before the end is noted",
     {{'b', 1, 0, 0}, {'b', 2, 100, 0}, {'e', 1, 0, 100}, {'e', 2, 100, -1}},
     "1:sent=all/0 1"                                                                                             },
    {"a break",                                  {{'b', 1, 0, 0}, {'x', 1, 0, 41}},   "1:aborted=41/0 peer_gone 0"},
    {"a break and a resume",
     {{'b', 1, 0, 0}, {'x', 1, 0, 41}, {'b', 2, 41, 0}, {'e', 2, 41, -1}},
     "1:sent=all/1 1"                                                                                             },
    {"resumed before the break is noted",
     {{'b', 1, 0, 0}, {'b', 2, 41, 0}, {'x', 1, 0, 41}, {'e', 2, 41, -1}},
     "1:sent=all/1 1"                                                                                             },
    {"a hole stays",
     {{'b', 1, 0, 0}, {'x', 1, 0, 41}, {'b', 2, 50, 0}, {'e', 2, 50, -1}},
     "1:downloading=hole/1 0"                                                                                     },
    {"twice broken",
     {{'b', 1, 0, 0}, {'x', 1, 0, 41}, {'b', 2, 41, 0}, {'x', 2, 41, 9}},
     "1:aborted=50/1 peer_gone 0"                                                                                 },
    {"start over supersedes",
     {{'b', 1, 0, 0}, {'e', 1, 0, 100}, {'b', 2, 0, 0}, {'e', 2, 0, -1}},
     "1:aborted=100/0 superseded 2:sent=all/0 1"                                                                  },
    {"the superseded one ends late",
     {{'b', 1, 0, 0}, {'b', 2, 0, 0}, {'x', 1, 0, 30}, {'e', 2, 0, -1}},
     "1:aborted=30/0 superseded 2:sent=all/0 1"                                                                   },
    {"the superseded one is whole all the same",
     {{'b', 1, 0, 0}, {'b', 2, 0, 0}, {'e', 1, 0, -1}, {'e', 2, 0, -1}},
     "1:sent=all/0 2:sent=all/0 2"                                                                                },
    {"nothing to continue",                      {{'b', 1, 50, 0}, {'e', 1, 50, -1}}, "1:downloading=hole/0 0"    },
    {"a part twice",
     {{'b', 1, 0, 0}, {'e', 1, 0, 100}, {'b', 2, 50, 0}, {'e', 2, 50, 50}},
     "1:downloading=100/0 0"                                                                                      },
    {"more after all",
     {{'b', 1, 0, 0}, {'e', 1, 0, -1}, {'b', 2, 50, 0}, {'x', 2, 50, 10}},
     "1:sent=all/0 1"                                                                                             },
};

static enum otad_err each_part(void *arg, const struct transfer *t)
{
    char *text = arg, bytes[24];
    size_t n = strlen(text);
    (void)snprintf(bytes, sizeof bytes, "%d", (int)t->bytes_acked);
    (void)snprintf(text + n, 256 - n, "%d:%s=%s/%d%s%s ", (int)t->id, transfer_state_name(t->state),
                   t->bytes_acked == t->size_bytes       ? "all"
                   : t->bytes_acked > t->size_bytes - 99 ? "hole"
                                                         : bytes,
                   (int)t->resumed, t->cause[0] ? " " : "", t->cause);
    return OTAD_E_OK;
}

START_TEST(part_row)
{
    struct world w;
    struct device d;
    struct update u;
    char text[256] = "";
    world(&w);
    OK(checkin(&w, "0", "", "", MODE_SKETCH));
    const struct part_row *row = &part_rows[_i];
    for (const struct step *s = row->steps; s->what != '\0'; s++) {
        int64_t bytes = s->bytes < 0 ? SIZE - s->first : s->bytes;
        if (s->what == 'b')
            OK(serve_part(&w, s->id, s->first));
        else
            OK(end_part(&w, s->id, s->first, bytes, s->what == 'e'));
    }
    OK(device_find(w.s.db, w.product, LAMP, &d, EI));
    OK(update_newest(w.s.db, d.id, 0, &u, EI));
    OK(transfer_list(w.s.db, u.id, each_part, text, EI));
    size_t n = strlen(text);
    (void)snprintf(text + n, sizeof text - n, "%d", (int)u.attempts);
    ck_assert_msg(strcmp(text, row->want) == 0, "%s: %s", row->what, text);
    ck_assert_int_eq(store_int(w.s.db, "SELECT count(*) FROM transfer_part"), 0);
    store_close(&w.s);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("ledger");
    TCase *t = tcase_create("ledger");
    tcase_add_loop_test(t, story_row, 0, (int)OTAD_COUNT(story_rows));
    tcase_add_loop_test(t, evidence_row, 0, (int)OTAD_COUNT(evidence_rows));
    tcase_add_test(t, filesystem_check_in_keeps_the_sketchs_version);
    tcase_add_test(t, update_remembers_what_the_device_ran_and_when);
    tcase_add_test(t, facts_about_what_is_gone_are_noent_or_conflict);
    tcase_add_test(t, strangers_are_counted);
    tcase_add_loop_test(t, part_row, 0, (int)OTAD_COUNT(part_rows));
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
