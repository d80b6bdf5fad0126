/* SPDX-License-Identifier: MIT
 * Uploads: what becomes a build, what is the existing one, and what is refused without a trace. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/digest.h"
#include "db/pool.h"
#include "db/writer.h"
#include "fleet/channel.h"
#include "fleet/ingest.h"
#include "fleet/product.h"
#include "support/imgbuild.h"
#include "support/store.h"

struct world {
    struct store s;
    struct otad otad;
    int64_t product;
    struct db *db; /* for looking */
};

static bool none(void *arg)
{
    (void)arg;
    return false;
}

static enum otad_err fold(void *arg, struct db *db, struct otad_errinfo *ei)
{
    (void)arg;
    (void)db;
    (void)ei;
    return OTAD_E_OK;
}

static void settle(void *arg, bool durable)
{
    (void)arg;
    (void)durable;
}

static void world(struct world *w)
{
    memset(w, 0, sizeof *w);
    store_file(&w->s);
    w->product = store_product(w->s.db, "lamp");
    w->otad.log = &w->s.log;
    w->otad.data_dir = w->s.dir;
    w->otad.clock.fixed_wall_s = 5000;
    w->otad.readers = db_pool_new(w->s.path);
    struct write_facts facts = {.any = none, .fold = fold, .settle = settle};
    w->otad.writer = writer_new(w->s.db, facts, 100, 1000, &w->s.log);
    w->s.db = NULL;
    (void)pthread_rwlock_init(&w->otad.config_lock, NULL);
    OK(db_pool_get(w->otad.readers, &w->db, EI));
}

static void world_close(struct world *w)
{
    writer_free(&w->otad.writer);
    db_pool_free(&w->otad.readers);
    (void)pthread_rwlock_destroy(&w->otad.config_lock);
    store_close(&w->s);
}

/* Changes the database as another process would. */
static void change(struct world *w, const char *sql)
{
    struct db *db = NULL;
    OK(db_open(w->s.path, DB_WRITE, &db, EI));
    store_exec(db, sql);
    db_close(&db);
}

static struct img app(const char *chip, uint64_t seed, const char *version)
{
    struct img img = {0};
    struct img_spec spec = {.chip = chip, .seed = seed, .version = version, .size_bytes = 300000};
    ck_assert(img_build_app(&spec, &img));
    return img;
}

static struct ingest_job job_of(const struct world *w, const char *version)
{
    return (struct ingest_job){
        .product = w->product,
        .slug = "lamp",
        .version = version,
        .filename = "Lamp.ino.bin",
        .base_url = "http://fw.example.net:8070",
        .audit = {.who = "ci", .address = "192.0.2.1"}
    };
}

static void run(struct world *w, const struct img *img, struct ingest_job *job)
{
    job->spool = memfd_create("spool", MFD_CLOEXEC);
    ck_assert_int_ge(job->spool, 0);
    ck_assert_int_eq(write(job->spool, img->data, img->n), (ssize_t)img->n);
    job->size_bytes = (int64_t)img->n;
    OK(digest_md5(img->data, img->n, job->md5));
    OK(digest_sha256(img->data, img->n, job->sha256));
    job->err = OTAD_E_COUNT;
    ingest_run(&w->otad, job);
    (void)close(job->spool);
}

static int64_t traces(struct world *w)
{
    return store_int(w->db, "SELECT (SELECT count(*) FROM image) + (SELECT count(*) FROM build)"
                            " + (SELECT count(*) FROM image_chunk) + (SELECT count(*) FROM audit)");
}

static struct channel stable(struct world *w)
{
    struct channel c;
    OK(channel_find(w->db, w->product, "stable", &c, EI));
    return c;
}

START_TEST(new_file_becomes_a_released_build)
{
    struct world w;
    struct build b;
    struct product p;
    world(&w);
    struct img img OTAD_AUTO(img_free) = app("ESP8266", 1, NULL);
    struct ingest_job job = job_of(&w, "1.0");
    job.notes = "first";
    run(&w, &img, &job);
    ck_assert_msg(job.err == OTAD_E_OK, "%s", job.ei.msg);
    ck_assert(!job.existed && !job.forced && job.released);
    ck_assert_str_eq(job.channel_name, "stable");
    OK(build_find(w.db, w.product, job.build.id, &b, EI));
    ck_assert_str_eq(b.version, "1.0");
    ck_assert_str_eq(b.chip, "ESP8266");
    ck_assert_str_eq(b.filename, "Lamp.ino.bin");
    ck_assert_str_eq(b.notes, "first");
    ck_assert_int_eq(b.kind, BUILD_APP);
    ck_assert_int_eq(b.number, 1);
    ck_assert_int_eq(b.created_at_s, 5000);
    ck_assert_int_eq(b.size_bytes, (int64_t)img.n);
    ck_assert_mem_eq(b.sha256, job.sha256, sizeof b.sha256);
    ck_assert_mem_eq(b.md5, job.md5, sizeof b.md5);
    ck_assert_int_eq(stable(&w).app, b.seq);
    OK(product_find_id(w.db, w.product, &p, EI));
    ck_assert_str_eq(p.chip, "ESP8266");
    ck_assert_int_eq(p.last_number, 1);
    ck_assert_int_eq(store_int(w.db, "SELECT count(*) FROM image WHERE linked_at_s IS NOT NULL"),
                     1);
    ck_assert_int_eq(store_int(w.db, "SELECT count(*) FROM audit WHERE action = 'build.upload'"
                                     " AND who = 'ci' AND product = 'lamp' AND at_s = 5000"),
                     1);
    world_close(&w);
}
END_TEST

START_TEST(same_bytes_same_version_is_the_existing_build)
{
    struct world w;
    world(&w);
    struct img img OTAD_AUTO(img_free) = app("ESP8266", 1, NULL);
    struct ingest_job first = job_of(&w, "1.0"), again = job_of(&w, "1.0");
    run(&w, &img, &first);
    int64_t before = traces(&w);
    run(&w, &img, &again);
    ck_assert_msg(again.err == OTAD_E_OK, "%s", again.ei.msg);
    ck_assert(again.existed);
    ck_assert_int_eq(again.build.id, first.build.id);
    ck_assert_int_eq(traces(&w), before);
    world_close(&w);
}
END_TEST

START_TEST(same_version_other_bytes_is_a_conflict_with_the_next_curl)
{
    struct world w;
    char id[32];
    world(&w);
    struct img one OTAD_AUTO(img_free) = app("ESP8266", 1, NULL);
    struct img two OTAD_AUTO(img_free) = app("ESP8266", 2, NULL);
    struct ingest_job first = job_of(&w, "1.09"), again = job_of(&w, "1.09");
    run(&w, &one, &first);
    int64_t before = traces(&w);
    run(&w, &two, &again);
    ck_assert_int_eq(again.err, OTAD_E_CONFLICT);
    (void)snprintf(id, sizeof id, "%" PRIu64, (uint64_t)first.build.id);
    HOLDS(again.ei.msg, id);
    ck_assert_str_eq(again.ei.hint,
                     "curl -H \"Authorization: Bearer $KEY\" -F file=@Lamp.ino.bin -F version=1.10"
                     " http://fw.example.net:8070/api/v1/products/lamp/builds");
    ck_assert_int_eq(traces(&w), before);
    world_close(&w);
}
END_TEST

START_TEST(same_bytes_other_version_is_a_new_build_on_the_same_image)
{
    struct world w;
    world(&w);
    struct img img OTAD_AUTO(img_free) = app("ESP8266", 1, NULL);
    struct ingest_job first = job_of(&w, "1.0"), other = job_of(&w, "1.1");
    run(&w, &img, &first);
    run(&w, &img, &other);
    ck_assert_msg(other.err == OTAD_E_OK, "%s", other.ei.msg);
    ck_assert(!other.existed);
    ck_assert_int_ne(other.build.id, first.build.id);
    ck_assert_int_eq(other.build.image, first.build.image);
    ck_assert_int_eq(store_int(w.db, "SELECT count(*) FROM image"), 1);
    ck_assert_int_eq(stable(&w).app, other.build.seq);
    world_close(&w);
}
END_TEST

START_TEST(products_share_images_but_no_versions)
{
    struct world w;
    world(&w);
    change(&w, "INSERT INTO product (slug, name, max_devices, created_at_s) VALUES ('plug', '', 9,"
               " 1); INSERT INTO channel (product, name) SELECT id, 'stable' FROM product WHERE"
               " slug = 'plug'");
    struct img img OTAD_AUTO(img_free) = app("ESP8266", 1, NULL);
    struct ingest_job lamp = job_of(&w, "1.0"), plug = job_of(&w, "1.0");
    plug.slug = "plug";
    plug.product = store_int(w.db, "SELECT id FROM product WHERE slug = 'plug'");
    run(&w, &img, &lamp);
    run(&w, &img, &plug);
    ck_assert_msg(plug.err == OTAD_E_OK, "%s", plug.ei.msg);
    ck_assert(!plug.existed);
    ck_assert_int_eq(store_int(w.db, "SELECT count(*) FROM image"), 1);
    ck_assert_int_eq(store_int(w.db, "SELECT count(*) FROM build"), 2);
    world_close(&w);
}
END_TEST

START_TEST(other_chip_is_a_conflict_unless_forced)
{
    struct world w;
    struct product p;
    world(&w);
    struct img first OTAD_AUTO(img_free) = app("ESP8266", 1, NULL);
    struct img other OTAD_AUTO(img_free) = app("ESP32-C3", 2, NULL);
    struct ingest_job a = job_of(&w, "1.0"), b = job_of(&w, "1.1"), c = job_of(&w, "1.1");
    run(&w, &first, &a);
    int64_t before = traces(&w);
    run(&w, &other, &b);
    ck_assert_int_eq(b.err, OTAD_E_CONFLICT);
    HOLDS(b.ei.msg, "ESP32-C3");
    HOLDS(b.ei.msg, "ESP8266");
    ck_assert_int_eq(traces(&w), before);
    c.force = true;
    run(&w, &other, &c);
    ck_assert_msg(c.err == OTAD_E_OK, "%s", c.ei.msg);
    ck_assert(c.forced && !c.released && c.build.forced);
    ck_assert_uint_ge(c.n_warnings, 1);
    ck_assert_int_eq(stable(&w).app, a.build.seq);
    OK(product_find_id(w.db, w.product, &p, EI));
    ck_assert_str_eq(p.chip, "ESP8266");
    world_close(&w);
}
END_TEST

START_TEST(forced_first_upload_does_not_decide_the_chip)
{
    struct world w;
    struct product p;
    world(&w);
    struct img img OTAD_AUTO(img_free) = app("ESP32", 1, NULL);
    img.data[img.n / 2] ^= 1; /* broken: the checksum no longer fits */
    struct ingest_job refused = job_of(&w, "1.0"), forced = job_of(&w, "1.0");
    run(&w, &img, &refused);
    ck_assert_int_eq(refused.err, OTAD_E_INVALID);
    ck_assert_str_ne(refused.ei.hint, "");
    ck_assert_int_eq(traces(&w), 0);
    forced.force = true;
    forced.channel = "stable"; /* not even when asked for */
    run(&w, &img, &forced);
    ck_assert_msg(forced.err == OTAD_E_OK, "%s", forced.ei.msg);
    ck_assert(forced.forced && !forced.released);
    ck_assert_int_eq(stable(&w).app, 0);
    OK(product_find_id(w.db, w.product, &p, EI));
    ck_assert_str_eq(p.chip, "");
    world_close(&w);
}
END_TEST

START_TEST(needless_force_changes_nothing)
{
    struct world w;
    world(&w);
    struct img img OTAD_AUTO(img_free) = app("ESP8266", 1, NULL);
    struct ingest_job job = job_of(&w, "1.0");
    job.force = true;
    run(&w, &img, &job);
    ck_assert_int_eq(job.err, OTAD_E_OK);
    ck_assert(!job.forced);
    world_close(&w);
}
END_TEST

START_TEST(truncated_file_cannot_be_forced)
{
    struct world w;
    world(&w);
    struct img img OTAD_AUTO(img_free) = app("ESP8266", 1, NULL);
    img.n /= 2;
    struct ingest_job job = job_of(&w, "1.0");
    job.force = true;
    run(&w, &img, &job);
    ck_assert_int_eq(job.err, OTAD_E_INVALID);
    ck_assert_int_eq(traces(&w), 0);
    world_close(&w);
}
END_TEST

static const struct {
    const char *what;
    const char *version;
    int64_t given, last; /* number of the form, of the product */
    enum otad_err err;
    int64_t want;
    bool warned;
} number_rows[] = {
    {"first, a text",                     "1.0",          0,               0,               OTAD_E_OK,      1,               false},
    {"next, a text",                      "1.0",          0,               7,               OTAD_E_OK,      8,               false},
    {"the version is one",                "42",           0,               7,               OTAD_E_OK,      42,              false},
    {"the version is a lower one",        "5",            0,               7,               OTAD_E_OK,      5,               true },
    {"the version is the last one",       "7",            0,               7,               OTAD_E_OK,      7,               true },
    {"given",                             "1.0",          9,               7,               OTAD_E_OK,      9,               false},
    {"given beats the version",           "42",           9,               7,               OTAD_E_OK,      9,               false},
    {"given, lower",                      "1.0",          3,               7,               OTAD_E_OK,      3,               true },
    {"leading zero is a text",            "042",          0,               7,               OTAD_E_OK,      8,               false},
    {"date with time is no number",       "202611210241", 0,               7,               OTAD_E_OK,      8,               false},
    {"the highest",                       "1.0",          OTAD_NUMBER_MAX, 7,               OTAD_E_OK,      OTAD_NUMBER_MAX, false},
    {"none left",                         "1.0",          0,               OTAD_NUMBER_MAX, OTAD_E_INVALID, 0,               false},
    {"none left, but the version is one", "5",            0,               OTAD_NUMBER_MAX, OTAD_E_OK,      5,               true },
};

START_TEST(number_row)
{
    struct world w;
    char sql[96];
    world(&w);
    (void)snprintf(sql, sizeof sql, "UPDATE product SET last_number = %" PRId64,
                   number_rows[_i].last);
    change(&w, sql);
    struct img img OTAD_AUTO(img_free) = app("ESP8266", 1, NULL);
    struct ingest_job job = job_of(&w, number_rows[_i].version);
    job.number = number_rows[_i].given;
    run(&w, &img, &job);
    ck_assert_msg(job.err == number_rows[_i].err, "%s: %s", number_rows[_i].what, job.ei.msg);
    if (job.err != OTAD_E_OK) {
        ck_assert_msg(traces(&w) == 0, "%s: something stayed", number_rows[_i].what);
    } else {
        ck_assert_msg(job.build.number == number_rows[_i].want, "%s: %" PRId64,
                      number_rows[_i].what, job.build.number);
        bool warned = false;
        for (size_t i = 0; i < job.n_warnings; i++)
            warned = warned || strstr(job.warnings[i], "not above the last one") != NULL;
        ck_assert_msg(warned == number_rows[_i].warned, "%s: warning", number_rows[_i].what);
    }
    world_close(&w);
}
END_TEST

static const struct {
    const char *what;
    const char *in_image, *given; /* NULL: none */
    const char *want;             /* NULL: refused */
} version_rows[] = {
    {"given",             NULL,    "1.0", "1.0"  },
    {"in the image",      "3.1.4", NULL,  "3.1.4"},
    {"given beats image", "3.1.4", "9",   "9"    },
    {"nowhere",           NULL,    NULL,  NULL   },
    {"bad one in image",  "1'0",   NULL,  NULL   },
};

START_TEST(version_row)
{
    struct world w;
    world(&w);
    struct img img OTAD_AUTO(img_free) = app("ESP8266", 1, version_rows[_i].in_image);
    struct ingest_job job = job_of(&w, version_rows[_i].given);
    run(&w, &img, &job);
    if (version_rows[_i].want == NULL) {
        ck_assert_msg(job.err == OTAD_E_INVALID, "%s", version_rows[_i].what);
        HOLDS(job.ei.hint, "-F version=1.0.0");
        ck_assert_int_eq(traces(&w), 0);
    } else {
        ck_assert_msg(job.err == OTAD_E_OK, "%s: %s", version_rows[_i].what, job.ei.msg);
        ck_assert_msg(strcmp(job.build.version, version_rows[_i].want) == 0, "%s",
                      version_rows[_i].what);
    }
    world_close(&w);
}
END_TEST

static const struct {
    const char *what;
    const char *channel; /* NULL: not said */
    const char *want;    /* where it went; "" = nowhere */
} channel_rows[] = {
    {"not said",            NULL,     "stable"},
    {"none",                "none",   ""      },
    {"the default by name", "stable", "stable"},
    {"a new one",           "beta",   "beta"  },
};

START_TEST(channel_row)
{
    struct world w;
    struct channel c;
    world(&w);
    struct img img OTAD_AUTO(img_free) = app("ESP8266", 1, NULL);
    struct ingest_job job = job_of(&w, "1.0");
    job.channel = channel_rows[_i].channel;
    run(&w, &img, &job);
    ck_assert_int_eq(job.err, OTAD_E_OK);
    ck_assert_str_eq(job.channel_name, channel_rows[_i].want);
    ck_assert(job.released == (channel_rows[_i].want[0] != '\0'));
    if (job.released) {
        OK(channel_find(w.db, w.product, channel_rows[_i].want, &c, EI));
        ck_assert_int_eq(c.app, job.build.seq);
    } else {
        ck_assert_int_eq(stable(&w).app, 0);
    }
    world_close(&w);
}
END_TEST

START_TEST(filesystem_goes_beside_the_application)
{
    struct world w;
    struct product p;
    world(&w);
    struct img fs OTAD_AUTO(img_free) = {0};
    struct img img OTAD_AUTO(img_free) = app("ESP8266", 1, NULL);
    img_build_littlefs(4096, 64, 0, &fs);
    struct ingest_job first = job_of(&w, "1.0"), second = job_of(&w, "1.0"),
                      wrong = job_of(&w, "2.0");
    run(&w, &fs, &first);
    ck_assert_msg(first.err == OTAD_E_OK, "%s", first.ei.msg);
    ck_assert_int_eq(first.build.kind, BUILD_FS);
    OK(product_find_id(w.db, w.product, &p, EI));
    ck_assert_str_eq(p.chip, ""); /* a filesystem names no chip */
    run(&w, &img, &second);       /* the same version, of another kind */
    ck_assert_msg(second.err == OTAD_E_OK, "%s", second.ei.msg);
    ck_assert_int_eq(stable(&w).fs, first.build.seq);
    ck_assert_int_eq(stable(&w).app, second.build.seq);
    wrong.kind = "app";
    run(&w, &fs, &wrong);
    ck_assert_int_eq(wrong.err, OTAD_E_INVALID);
    world_close(&w);
}
END_TEST

START_TEST(factory_image_is_kept_but_never_released)
{
    struct world w;
    world(&w);
    struct img img OTAD_AUTO(img_free) = {0};
    struct img_spec spec = {.chip = "ESP32", .seed = 3};
    img_build_merged(&spec, &img);
    struct ingest_job job = job_of(&w, "1.0");
    job.kind = "factory";
    run(&w, &img, &job);
    ck_assert_msg(job.err == OTAD_E_OK, "%s", job.ei.msg);
    ck_assert_int_eq(job.build.kind, BUILD_FACTORY);
    ck_assert(!job.released);
    ck_assert_int_eq(stable(&w).app, 0);
    world_close(&w);
}
END_TEST

/* /proc has no free blocks: as full as a disk can be. */
START_TEST(full_disk_is_told_before_anything_is_written)
{
    struct world w;
    world(&w);
    w.otad.data_dir = "/proc";
    struct img img OTAD_AUTO(img_free) = app("ESP8266", 1, NULL);
    struct ingest_job job = job_of(&w, "1.0");
    run(&w, &img, &job);
    ck_assert_int_eq(job.err, OTAD_E_NOSPACE);
    HOLDS(job.ei.msg, "bytes are missing");
    HOLDS(job.ei.hint, "Nothing was stored");
    ck_assert_int_eq(traces(&w), 0);
    world_close(&w);
}
END_TEST

START_TEST(product_gone_meanwhile_leaves_nothing)
{
    struct world w;
    world(&w);
    struct img img OTAD_AUTO(img_free) = app("ESP8266", 1, NULL);
    struct ingest_job job = job_of(&w, "1.0");
    job.product = 4711;
    run(&w, &img, &job);
    ck_assert_int_eq(job.err, OTAD_E_NOENT);
    ck_assert_int_eq(traces(&w), 0);
    world_close(&w);
}
END_TEST

START_TEST(orphan_with_the_same_bytes_is_no_image)
{
    struct world w;
    world(&w);
    struct img img OTAD_AUTO(img_free) = app("ESP8266", 1, NULL);
    struct ingest_job job = job_of(&w, "1.0"), other = job_of(&w, "1.1");
    run(&w, &img, &job);
    change(&w, "UPDATE channel SET app = NULL; DELETE FROM build;"
               "UPDATE image SET linked_at_s = NULL; DELETE FROM image_chunk WHERE seq = 0");
    run(&w, &img, &other);
    ck_assert_msg(other.err == OTAD_E_OK, "%s", other.ei.msg);
    ck_assert_int_ne(other.build.image, job.build.image);
    world_close(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("ingest");
    TCase *t = tcase_create("ingest");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, new_file_becomes_a_released_build);
    tcase_add_test(t, same_bytes_same_version_is_the_existing_build);
    tcase_add_test(t, same_version_other_bytes_is_a_conflict_with_the_next_curl);
    tcase_add_test(t, same_bytes_other_version_is_a_new_build_on_the_same_image);
    tcase_add_test(t, products_share_images_but_no_versions);
    tcase_add_test(t, other_chip_is_a_conflict_unless_forced);
    tcase_add_test(t, forced_first_upload_does_not_decide_the_chip);
    tcase_add_test(t, needless_force_changes_nothing);
    tcase_add_test(t, truncated_file_cannot_be_forced);
    tcase_add_loop_test(t, number_row, 0, (int)OTAD_COUNT(number_rows));
    tcase_add_loop_test(t, version_row, 0, (int)OTAD_COUNT(version_rows));
    tcase_add_loop_test(t, channel_row, 0, (int)OTAD_COUNT(channel_rows));
    tcase_add_test(t, filesystem_goes_beside_the_application);
    tcase_add_test(t, factory_image_is_kept_but_never_released);
    tcase_add_test(t, full_disk_is_told_before_anything_is_written);
    tcase_add_test(t, product_gone_meanwhile_leaves_nothing);
    tcase_add_test(t, orphan_with_the_same_bytes_is_no_image);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
