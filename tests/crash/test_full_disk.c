/* SPDX-License-Identifier: MIT
 * A small filesystem that really fills up: uploads are refused with the number of bytes missing,
 * nothing of them stays, devices are served on, and all works again when there is room. Needs to
 * mount a tmpfs, in a mount namespace of this process; skipped with a message where it can't. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "support/crashkit.h"
#include "support/http.h"
#include "support/unit.h"

#define IMAGE_BYTES (3u << 20)

static struct crash c;
static bool mounted;

static bool mount_small(const char *path)
{
    if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
        mkdir(path, 0700) == 0 && mount("tmpfs", path, "tmpfs", 0, "size=40m") == 0)
        return true;
    fprintf(stderr, "skipped: can't mount a small filesystem: %s\n", strerror(errno));
    return false;
}

static void setup(void)
{
    c = (struct crash){.seed = 0};
    daemon_folder(&c.d);
    mounted = mount_small(c.d.data);
    if (mounted)
        crash_setup(&c, 1, NULL);
}

static void teardown(void)
{
    char data[sizeof c.d.data];
    (void)snprintf(data, sizeof data, "%s", c.d.data);
    if (c.d.pid > 0)
        daemon_stop(&c.d);
    if (mounted)
        (void)umount(data);
    crash_free(&c);
}

static int64_t free_bytes(void)
{
    struct statvfs fs;
    ck_assert_int_eq(statvfs(c.d.data, &fs), 0);
    return (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
}

/* Uploads a distinct image; remembers it when it was taken. */
static struct reply upload_next(unsigned n)
{
    struct promise p = {.kind = PROMISE_BUILD, .product = "p0"};
    struct img image = image_of("ESP8266", n, IMAGE_BYTES);
    (void)snprintf(p.token, sizeof p.token, "4.%u", n);
    (void)snprintf(p.channel, sizeof p.channel, "c%u", n);
    crash_sha256(image.data, image.n, p.sha256);
    const struct part parts[] = {
        {.name = "file",      .filename = "a.bin", .data = image.data, .n = image.n},
        {.name = "version", .text = p.token},
        {.name = "channel",                   .text = p.channel},
        {.name = NULL   }
    };
    struct reply r = upload(&c.d, c.key, "p0", parts);
    img_free(&image);
    if (r.status == 201) {
        (void)snprintf(p.id, sizeof p.id, "%s", reply_text(&r, "id"));
        c.fresh.items = realloc(c.fresh.items, (c.fresh.n + 1) * sizeof p);
        ck_assert_ptr_nonnull(c.fresh.items);
        c.fresh.items[c.fresh.n++] = p;
        c.fresh.room = c.fresh.n;
    }
    return r;
}

/* The answer must name a number of bytes. */
static void check_507(const struct reply *r, const char *what)
{
    long long missing = 0;
    const char *at = r->body != NULL ? strstr(r->body, "full: ") : NULL;
    ck_assert_msg(r->status == 507, "%s: got %ld %s", what, r->status, r->body);
    ck_assert_msg(at != NULL && sscanf(at, "full: %lld bytes", &missing) == 1 && missing > 0,
                  "%s: no number of bytes: %s", what, r->body);
}

static void fill_up(const char *path)
{
    static char block[65536];
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    size_t n = sizeof block;
    while (n > 0) {
        if (write(fd, block, n) < 0)
            n = n > 1 ? n / 2 : 0;
    }
    (void)close(fd);
}

static void check_serves(const char *channel)
{
    char path[96], found[65];
    (void)snprintf(path, sizeof path, "/fw/p0/30AEA4000001.bin?channel=%s", channel);
    struct reply r = get(&c.d, NULL, path);
    CK_STATUS("a download with the disk full", r, 200);
    crash_sha256(r.body, r.n, found);
    ck_assert_str_eq(found, c.fresh.n > 0 ? c.fresh.items[0].sha256 : c.all.items[0].sha256);
    reply_free(&r);
}

START_TEST(upload_that_would_fill_the_disk_is_507_and_leaves_nothing)
{
    if (!mounted)
        return;
    unsigned taken = 0;
    struct reply r = {.status = 201};
    while (r.status == 201 && taken < 20) {
        reply_free(&r);
        r = upload_next(++taken);
    }
    check_507(&r, "the upload too many");
    reply_free(&r);
    ck_assert_uint_gt(taken, 2);
    int64_t before = free_bytes();
    ck_assert_int_gt(before, 4 << 20); /* the reserve for the ledger */
    r = upload_next(100);
    check_507(&r, "the next one");
    reply_free(&r);
    for (int i = 0; i < 1000 && free_bytes() < before; i++)
        test_sleep_ms(5); /* the spool goes a moment after the answer */
    ck_assert_msg(free_bytes() >= before, "the refused upload took %lld bytes",
                  (long long)(before - free_bytes()));
    check_serves("c1");
    r = send_json(&c.d, NULL, "POST", "/fw/p0/30AEA4000001/report", "{\"result\":\"success\"}");
    CK_STATUS("a report in the reserve", r, 204);
    reply_free(&r);
    daemon_kill(&c.d);
    daemon_restart(&c.d);
    crash_verify(&c, true);
    ck_assert_int_eq(mount(NULL, c.d.data, NULL, MS_REMOUNT, "size=80m"), 0);
    r = upload_next(101);
    CK_STATUS("the upload with more room", r, 201);
    reply_free(&r);
    crash_verify(&c, true);
}
END_TEST

START_TEST(disk_without_a_free_byte_is_survived)
{
    char filler[200];
    if (!mounted)
        return;
    struct reply r = upload_next(1);
    CK_STATUS("upload", r, 201);
    reply_free(&r);
    (void)snprintf(filler, sizeof filler, "%s/filler", c.d.data);
    check_serves("c1");
    r = send_json(&c.d, c.key, "PATCH", "/api/v1/products/p0", "{\"name\":\"filled\"}");
    CK_STATUS("a change", r, 200);
    reply_free(&r);
    fill_up(filler);
    (void)snprintf(c.name[0], sizeof c.name[0], "filled");
    r = upload_next(2);
    check_507(&r, "an upload");
    reply_free(&r);
    /* The WAL may have room left from before; then a 204 is a promise like any other. */
    unsigned refused = 0;
    for (unsigned i = 0; i < 400 && refused < 3; i++) {
        char body[4200], notes[4000];
        memset(notes, 'n', sizeof notes - 1);
        notes[sizeof notes - 1] = '\0';
        (void)snprintf(body, sizeof body, "{\"notes\":\"%u %.3900s\"}", i, notes);
        char path[160];
        (void)snprintf(path, sizeof path, "/api/v1/products/p0/builds/%s", c.fresh.items[0].id);
        r = send_json(&c.d, c.key, "PATCH", path, body);
        ck_assert_msg(r.status == 200 || r.status == 507, "a change on the full disk: %ld %s",
                      r.status, r.body);
        refused += r.status == 507;
        reply_free(&r);
    }
    ck_assert_uint_gt(refused, 0);
    check_serves("c1");
    r = send_json(&c.d, NULL, "POST", "/fw/p0/30AEA4000001/report", "{\"result\":\"success\"}");
    ck_assert_msg(r.status == 204 || r.status == 507, "report: %ld", r.status);
    reply_free(&r);
    daemon_kill(&c.d);
    daemon_restart(&c.d);
    check_serves("c1");
    ck_assert_int_eq(unlink(filler), 0);
    r = upload_next(3);
    CK_STATUS("an upload with the filler gone", r, 201);
    reply_free(&r);
    daemon_stop(&c.d);
    crash_check_database(&c);
    daemon_restart(&c.d);
    crash_verify(&c, true);
    /* What was only noted while nothing could be written is there too. */
    r = get(&c.d, c.key, "/api/v1/products/p0/devices/30AEA4000001");
    CK_STATUS("the device", r, 200);
    reply_free(&r);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("full_disk");
    TCase *t = tcase_create("tmpfs");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 300);
    tcase_add_test(t, upload_that_would_fill_the_disk_is_507_and_leaves_nothing);
    tcase_add_test(t, disk_without_a_free_byte_is_survived);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(suite)
