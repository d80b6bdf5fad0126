/* SPDX-License-Identifier: MIT
 * The device client's POSIX port: slot files, boot record, lock and sockets. */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "otad_client_posix.h"
#include "support/unit.h"

enum { SLOT_SIZE = 100000 };

static char dir[64];
static struct otac_posix posix;
static struct otac_port port;

static void setup(void)
{
    (void)snprintf(dir, sizeof dir, "/tmp/otad-client-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(otac_posix_open(&posix, dir, SLOT_SIZE), OTAC_OK);
    port = otac_posix_port(&posix);
}

static void teardown(void)
{
    otac_posix_close(&posix);
    DIR *d = opendir(dir);
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.')
            (void)unlinkat(dirfd(d), e->d_name, 0);
    if (d != NULL)
        (void)closedir(d);
    (void)rmdir(dir);
}

static void reopen(void)
{
    otac_posix_close(&posix);
    ck_assert_int_eq(otac_posix_open(&posix, dir, SLOT_SIZE), OTAC_OK);
    port = otac_posix_port(&posix);
}

static void write_file(const char *name, const void *data, size_t n)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, n, file), n);
    ck_assert_int_eq(fclose(file), 0);
}

static bool exists(const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

/* ---- state folder -------------------------------------------------------------------------- */

START_TEST(record_survives_and_is_replaced_whole)
{
    uint8_t one[OTAC_RECORD_SIZE], two[OTAC_RECORD_SIZE], got[OTAC_RECORD_SIZE];
    memset(one, 1, sizeof one);
    memset(two, 2, sizeof two);
    ck_assert_int_eq(port.record_load(&posix, got, sizeof got), 0);
    ck_assert_int_eq(port.record_save(&posix, one, sizeof one), OTAC_OK);
    reopen();
    ck_assert_int_eq(port.record_load(&posix, got, sizeof got), OTAC_RECORD_SIZE);
    ck_assert_mem_eq(got, one, sizeof got);
    write_file("boot.rec.tmp", two, 100); /* what a power cut inside a save leaves */
    reopen();
    ck_assert_int_eq(port.record_load(&posix, got, sizeof got), OTAC_RECORD_SIZE);
    ck_assert_mem_eq(got, one, sizeof got);
    ck_assert_int_eq(port.record_save(&posix, two, sizeof two), OTAC_OK);
    ck_assert(!exists("boot.rec.tmp"));
    ck_assert_int_eq(port.record_load(&posix, got, sizeof got), OTAC_RECORD_SIZE);
    ck_assert_mem_eq(got, two, sizeof got);
}
END_TEST

START_TEST(record_of_another_length_is_damage)
{
    static const uint8_t bytes[OTAC_RECORD_SIZE + 1] = {0};
    static const size_t lengths[] = {0, 1, OTAC_RECORD_SIZE - 1, OTAC_RECORD_SIZE + 1};
    const struct otac_config config = {
        .host = "h", .port = 1, .product = "p", .mac = "m", .version = "1"};
    struct otac client;
    uint8_t work[OTAC_BUF_MIN];
    write_file("boot.rec", bytes, lengths[_i]);
    ck_assert_int_eq(otac_init(&client, &config, &port, work, sizeof work), OTAC_E_RECORD);
}
END_TEST

START_TEST(failed_save_keeps_the_old_record)
{
    uint8_t one[OTAC_RECORD_SIZE] = {1}, got[OTAC_RECORD_SIZE];
    char path[128];
    ck_assert_int_eq(port.record_save(&posix, one, sizeof one), OTAC_OK);
    (void)snprintf(path, sizeof path, "%s/boot.rec.tmp", dir);
    ck_assert_int_eq(mkdir(path, 0755), 0); /* the temporary file can't be made */
    ck_assert_int_eq(port.record_save(&posix, got, sizeof got), OTAC_E_RECORD_IO);
    ck_assert_uint_gt(strlen(otac_posix_detail(&posix)), 0);
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(port.record_load(&posix, got, sizeof got), OTAC_RECORD_SIZE);
    ck_assert_mem_eq(got, one, sizeof got);
}
END_TEST

START_TEST(slot_keeps_what_was_written)
{
    uint8_t data[5000], got[sizeof data];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 31);
    for (unsigned slot = 0; slot < OTAC_SLOTS; slot++) {
        ck_assert_int_eq(port.slot_begin(&posix, slot, sizeof data), OTAC_OK);
        ck_assert_int_eq(port.slot_write(&posix, slot, 0, data, 4096), OTAC_OK);
        ck_assert_int_eq(port.slot_write(&posix, slot, 4096, data + 4096, 904), OTAC_OK);
        ck_assert_int_eq(port.slot_finish(&posix, slot), OTAC_OK);
    }
    reopen();
    for (unsigned slot = 0; slot < OTAC_SLOTS; slot++) {
        ck_assert_int_eq(port.slot_read(&posix, slot, 0, got, sizeof got), OTAC_OK);
        ck_assert_mem_eq(got, data, sizeof got);
        ck_assert_int_eq(port.slot_read(&posix, slot, 1, got, sizeof got), OTAC_E_FLASH_READ);
    }
    ck_assert_int_eq(port.slot_begin(&posix, 0, 16), OTAC_OK); /* a begin empties */
    ck_assert_int_eq(port.slot_read(&posix, 0, 0, got, 16), OTAC_OK);
    ck_assert_uint_eq(got[0] | got[1] | got[2], 0);
}
END_TEST

START_TEST(slot_goes_on_where_it_was_left)
{
    uint8_t data[OTAC_POSIX_STEP], got[sizeof data];
    memset(data, 7, sizeof data);
    ck_assert_int_eq(port.slot_begin(&posix, 1, SLOT_SIZE), OTAC_OK);
    ck_assert_int_eq(port.slot_write(&posix, 1, 0, data, sizeof data), OTAC_OK);
    ck_assert_int_eq(port.slot_write(&posix, 1, OTAC_POSIX_STEP, data, 100), OTAC_OK);
    ck_assert_int_eq(port.slot_sync(&posix, 1), OTAC_OK);
    reopen();
    ck_assert_int_eq(port.slot_resume(&posix, 1, SLOT_SIZE, OTAC_POSIX_STEP), OTAC_OK);
    ck_assert_int_eq(port.slot_read(&posix, 1, 0, got, sizeof got), OTAC_OK);
    ck_assert_mem_eq(got, data, sizeof got);
    ck_assert_int_eq(port.slot_read(&posix, 1, OTAC_POSIX_STEP, got, 100), OTAC_OK);
    for (size_t i = 0; i < 100; i++)
        ck_assert_uint_eq(got[i], 0); /* what came after is gone */
    ck_assert_int_eq(port.slot_resume(&posix, OTAC_SLOTS, 1, 0), OTAC_E_FLASH_ERASE);
    ck_assert_int_eq(port.slot_sync(&posix, OTAC_SLOTS), OTAC_E_FLASH_WRITE);
}
END_TEST

START_TEST(slot_has_a_size_and_a_number)
{
    ck_assert_int_eq(port.slot_begin(&posix, 0, SLOT_SIZE), OTAC_OK);
    ck_assert_int_eq(port.slot_begin(&posix, 0, SLOT_SIZE + 1), OTAC_E_NO_SPACE);
    ck_assert_ptr_nonnull(strstr(otac_posix_detail(&posix), "100001"));
    ck_assert_int_eq(port.slot_begin(&posix, OTAC_SLOTS, 1), OTAC_E_FLASH_ERASE);
    ck_assert_int_eq(port.slot_write(&posix, OTAC_SLOTS, 0, "x", 1), OTAC_E_FLASH_WRITE);
    ck_assert_int_eq(port.slot_read(&posix, OTAC_SLOTS, 0, dir, 1), OTAC_E_FLASH_READ);
    ck_assert_int_eq(port.slot_finish(&posix, OTAC_SLOTS), OTAC_E_FLASH_WRITE);
}
END_TEST

START_TEST(file_system_that_refuses_the_size_is_no_space)
{
    struct rlimit before, limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 50000;
    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int large = port.slot_begin(&posix, 0, 60000), small = port.slot_begin(&posix, 0, 40000);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_int_eq(large, OTAC_E_NO_SPACE);
    ck_assert_int_eq(small, OTAC_OK);
}
END_TEST

START_TEST(folder_is_used_by_one_program)
{
    struct otac_posix second;
    ck_assert_int_eq(otac_posix_open(&second, dir, SLOT_SIZE), OTAC_E_RECORD_IO);
    ck_assert_ptr_nonnull(strstr(otac_posix_detail(&second), "another program"));
    otac_posix_close(&posix);
    ck_assert_int_eq(otac_posix_open(&second, dir, SLOT_SIZE), OTAC_OK);
    otac_posix_close(&second);
    ck_assert_int_eq(otac_posix_open(&second, "/proc/nowhere", SLOT_SIZE), OTAC_E_RECORD_IO);
    ck_assert_int_eq(otac_posix_open(&second, "/dev/null", SLOT_SIZE), OTAC_E_RECORD_IO);
}
END_TEST

/* ---- hash, clock --------------------------------------------------------------------------- */

START_TEST(hashes_are_those_of_the_bytes)
{
    /* of "abc": FIPS 180-2 B.1 and RFC 1321 A.5 */
    static const uint8_t want_sha[4] = {0xba, 0x78, 0x16, 0xbf};
    static const uint8_t want_md5[4] = {0x90, 0x01, 0x50, 0x98};
    uint8_t sha[32], md5[16];
    ck_assert_int_eq(port.hash_begin(&posix), OTAC_OK);
    ck_assert_int_eq(port.hash_update(&posix, "spoilt", 6), OTAC_OK);
    ck_assert_int_eq(port.hash_begin(&posix), OTAC_OK); /* starts over */
    ck_assert_int_eq(port.hash_update(&posix, "a", 1), OTAC_OK);
    ck_assert_int_eq(port.hash_update(&posix, "bc", 2), OTAC_OK);
    ck_assert_int_eq(port.hash_finish(&posix, sha, md5), OTAC_OK);
    ck_assert_mem_eq(sha, want_sha, sizeof want_sha);
    ck_assert_mem_eq(md5, want_md5, sizeof want_md5);
}
END_TEST

START_TEST(clock_moves_while_it_sleeps)
{
    uint32_t start = port.clock_ms(&posix);
    port.sleep_ms(&posix, 20);
    ck_assert_uint_ge(port.clock_ms(&posix) - start, 19);
    ck_assert(port.random(&posix) != port.random(&posix) ||
              port.random(&posix) != port.random(&posix));
}
END_TEST

/* ---- the version in an image --------------------------------------------------------------- */

struct tag_row {
    const char *what, *image;
    size_t n;
    const char *want; /* NULL: none */
};

#define ROW(what, bytes, want)                                                                     \
    {                                                                                              \
        what, bytes, sizeof(bytes) - 1, want                                                       \
    }
#define X16 "xxxxxxxxxxxxxxxx"
#define X64 X16 X16 X16 X16
#define TAG "blnkinf\0"

/* clang-format off */
static const struct tag_row tag_rows[] = {
    ROW("a real one", "\xe9junk" TAG "mcu\0" "0.0.0\0fw-type\0TMPLT6qd46Ps\0build\0Mar  9 2024 22:25:48\0\0junk", "0.0.0"),
    ROW("not the first key", TAG "fw-type\0T\0mcu\0" "1.2\0\0", "1.2"),
    ROW("at the very end", TAG "mcu\0" "1.2\0", "1.2"),
    ROW("longest", TAG "mcu\0" X64 "\0\0", X64),
    ROW("second hit", TAG "\xff\0" TAG "\0" TAG "mcu\0" "7\0\0", "7"),
    ROW("name without NUL", "blnkinf:mcu\0" "1.2\0\0", NULL),
    ROW("library version only", TAG "ver\0" "0.6.1\0h-beat\0" "10\0\0", NULL),
    ROW("after the end of the tag", TAG "a\0b\0\0mcu\0" "1.2\0\0", NULL),
    ROW("too long", TAG "mcu\0" X64 "x\0\0", NULL),
    ROW("empty", TAG "mcu\0\0\0", NULL),
    ROW("not text", TAG "mcu\0\x01\0\0", NULL),
    ROW("cut in the value", TAG "mcu\0" "1.2", NULL),
    ROW("cut after the key", TAG "mcu\0", NULL),
    ROW("cut in the key", TAG "mc", NULL),
    ROW("beyond the cap", TAG "a\0" X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 "\0mcu\0" "1\0\0", NULL),
    ROW("no tag", "\xe9nothing here", NULL),
};
/* clang-format on */

START_TEST(version_is_read_from_the_image)
{
    const struct tag_row *row = &tag_rows[_i];
    char version[OTAC_VERSION_MAX + 1] = "poison";
    write_file("slot1.bin", row->image, row->n);
    bool found = otac_posix_image_version(&posix, 1, (uint32_t)row->n, version);
    ck_assert_msg(found == (row->want != NULL), "%s", row->what);
    ck_assert_msg(strcmp(version, found ? row->want : "poison") == 0, "%s: %s", row->what, version);
    ck_assert(!otac_posix_image_version(&posix, 1, (uint32_t)row->n + 1, version)); /* file ends */
    ck_assert(!otac_posix_image_version(&posix, 1, 0, version));
    ck_assert(!otac_posix_image_version(&posix, OTAC_SLOTS, 1, version));
}
END_TEST

/* ---- sockets ------------------------------------------------------------------------------- */

static int listen_loopback(uint16_t *number)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, n), 0);
    ck_assert_int_eq(listen(fd, 4), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &n), 0);
    *number = ntohs(address.sin_port);
    return fd;
}

/* Takes one connection, returns what it gets until 'q', and closes. */
static void *echo(void *arg)
{
    int listener = *(int *)arg, fd = accept(listener, NULL, NULL);
    char buf[4096];
    for (ssize_t n; (n = recv(fd, buf, sizeof buf, 0)) > 0;) {
        (void)send(fd, buf, (size_t)n, MSG_NOSIGNAL);
        if (buf[n - 1] == 'q')
            break;
    }
    (void)close(fd);
    return NULL;
}

START_TEST(connection_carries_bytes_and_ends)
{
    uint16_t number;
    int listener = listen_loopback(&number), got;
    pthread_t thread;
    char buf[64];
    ck_assert_int_eq(pthread_create(&thread, NULL, echo, &listener), 0);
    ck_assert_int_eq(port.connect(&posix, "127.0.0.1", number), OTAC_OK);
    ck_assert_int_eq(port.send(&posix, "hello q", 7), OTAC_OK);
    size_t n = 0;
    while ((got = port.recv(&posix, buf + n, sizeof buf - n)) > 0)
        n += (size_t)got;
    ck_assert_int_eq(got, 0);
    ck_assert_uint_eq(n, 7);
    port.close(&posix);
    port.close(&posix); /* does nothing */
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    (void)close(listener);
    ck_assert_int_eq(port.connect(&posix, "127.0.0.1", number), OTAC_E_CONNECT);
    ck_assert_ptr_nonnull(strstr(otac_posix_detail(&posix), "refused"));
}
END_TEST

START_TEST(silence_is_a_timeout)
{
    uint16_t number;
    int listener = listen_loopback(&number);
    char buf[8];
    static char much[1 << 20];
    posix.timeout_ms = 50;
    ck_assert_int_eq(port.connect(&posix, "127.0.0.1", number), OTAC_OK);
    ck_assert_int_eq(port.recv(&posix, buf, sizeof buf), OTAC_E_TIMEOUT);
    int rc = OTAC_OK; /* nobody reads: the socket fills up */
    for (int i = 0; i < 64 && rc == OTAC_OK; i++)
        rc = port.send(&posix, much, sizeof much);
    ck_assert_int_eq(rc, OTAC_E_TIMEOUT);
    port.close(&posix);
    (void)close(listener);
}
END_TEST

START_TEST(reset_is_a_lost_connection)
{
    uint16_t number;
    int listener = listen_loopback(&number);
    const struct linger hard = {1, 0};
    char buf[8];
    ck_assert_int_eq(port.connect(&posix, "127.0.0.1", number), OTAC_OK);
    int fd = accept(listener, NULL, NULL);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    (void)close(fd);
    ck_assert_int_eq(port.recv(&posix, buf, sizeof buf), OTAC_E_CONN_LOST);
    ck_assert_int_eq(port.send(&posix, buf, sizeof buf), OTAC_E_CONN_LOST);
    port.close(&posix);
    (void)close(listener);
}
END_TEST

START_TEST(name_that_cannot_be_one_is_not_found)
{
    ck_assert_int_eq(port.connect(&posix, "a..b", 80), OTAC_E_RESOLVE);
    ck_assert_uint_gt(strlen(otac_posix_detail(&posix)), 0);
}
END_TEST

static void add_loops(TCase *tc)
{
    tcase_add_loop_test(tc, record_of_another_length_is_damage, 0, 4);
    tcase_add_loop_test(tc, version_is_read_from_the_image, 0,
                        sizeof tag_rows / sizeof tag_rows[0]);
}

static Suite *make_suite(void)
{
    Suite *suite = suite_create("client_posix");
    TCase *tc = tcase_create("port");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, record_survives_and_is_replaced_whole);
    tcase_add_test(tc, failed_save_keeps_the_old_record);
    tcase_add_test(tc, slot_keeps_what_was_written);
    tcase_add_test(tc, slot_goes_on_where_it_was_left);
    tcase_add_test(tc, slot_has_a_size_and_a_number);
    tcase_add_test(tc, file_system_that_refuses_the_size_is_no_space);
    tcase_add_test(tc, folder_is_used_by_one_program);
    tcase_add_test(tc, hashes_are_those_of_the_bytes);
    tcase_add_test(tc, clock_moves_while_it_sleeps);
    tcase_add_test(tc, connection_carries_bytes_and_ends);
    tcase_add_test(tc, silence_is_a_timeout);
    tcase_add_test(tc, reset_is_a_lost_connection);
    tcase_add_test(tc, name_that_cannot_be_one_is_not_found);
    add_loops(tc);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
