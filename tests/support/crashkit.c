/* SPDX-License-Identifier: MIT
 * Owns load, promises and their check for the crash tests. */
#include "support/crashkit.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>
#include <openssl/sha.h>
#include <sqlite3.h>

#include "otad/err.h"
#include "support/http.h"

/* ---- small things ------------------------------------------------------------------------- */

static uint32_t next_random(uint64_t *state, uint32_t below)
{
    *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(((*state >> 33) * below) >> 31);
}

uint32_t crash_random(struct crash *c, uint32_t below)
{
    return next_random(&c->seed, below);
}

unsigned crash_rounds(unsigned normal)
{
    const char *text = getenv("CRASH_ROUNDS");
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    unsigned long percent = 25; /* they look for other things than lost rows, slowly */
#else
    unsigned long percent = 100;
#endif
    if (text != NULL)
        percent = strtoul(text, NULL, 10);
    unsigned n = (unsigned)(normal * percent / 100);
    return n > 0 ? n : 1;
}

void crash_sha256(const void *data, size_t n, char out[65])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    (void)SHA256(data, n, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

/* The strong ETag is the image's SHA-256. Not reply_header(): that is for one thread. */
static bool etag_is(const struct reply *r, const char *sha256)
{
    const char *at = r->head != NULL ? strstr(r->head, "\nETag: \"") : NULL;
    return at != NULL && strncmp(at + 8, sha256, 64) == 0;
}

bool crash_wait_count(atomic_uint *counter, unsigned want, int64_t ms)
{
    int64_t deadline = test_now_ms() + ms;
    while (atomic_load(counter) < want) {
        if (test_now_ms() > deadline)
            return false;
        test_sleep_ms(1);
    }
    return true;
}

/* ---- the preload -------------------------------------------------------------------------- */

bool crash_can_preload(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    fputs("skipped: a sanitizer's runtime must be loaded first, so powercut.so can't be\n", stderr);
    return false;
#else
    return true;
#endif
}

void crash_power_on(struct crash_power *p, struct daemon *d)
{
    const char *build = getenv("BUILD");
    daemon_folder(d);
    if (p->control == NULL) {
        (void)snprintf(p->path, sizeof p->path, "%s/power", d->root);
        int fd = open(p->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        ck_assert(fd >= 0 && ftruncate(fd, sizeof *p->control) == 0);
        p->control = mmap(NULL, sizeof *p->control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        ck_assert(p->control != MAP_FAILED);
        (void)close(fd);
    }
    memset(p->control, 0, sizeof *p->control);
    (void)snprintf(p->preload, sizeof p->preload, "LD_PRELOAD=%s/tests/powercut.so",
                   build != NULL ? build : "build");
    ck_assert_msg(access(p->preload + strlen("LD_PRELOAD="), R_OK) == 0, "%s is missing",
                  p->preload);
    if (p->preload[strlen("LD_PRELOAD=")] != '/') { /* a path without folder would be searched */
        char *absolute = realpath(p->preload + strlen("LD_PRELOAD="), NULL);
        ck_assert_ptr_nonnull(absolute);
        (void)snprintf(p->preload, sizeof p->preload, "LD_PRELOAD=%s", absolute);
        free(absolute);
    }
    (void)snprintf(p->file, sizeof p->file, POWERCUT_ENV "=%s", p->path);
    p->env[0] = p->preload;
    p->env[1] = p->file;
    p->env[2] = NULL;
    d->env = p->env;
}

void crash_power_off(struct crash_power *p, struct daemon *d)
{
    (void)p;
    d->env = NULL;
}

void crash_power_free(struct crash_power *p)
{
    if (p->control != NULL)
        (void)munmap(p->control, sizeof *p->control);
    p->control = NULL;
}

/* ---- promises ----------------------------------------------------------------------------- */

static void add_promise(struct promises *list, const struct promise *p)
{
    if (list->n == list->room) {
        list->room = list->room * 2 + 32;
        list->items = realloc(list->items, list->room * sizeof *list->items);
        if (list->items == NULL)
            abort();
    }
    list->items[list->n++] = *p;
}

static void move_promises(struct promises *to, struct promises *from)
{
    for (size_t i = 0; i < from->n; i++)
        add_promise(to, &from->items[i]);
    from->n = 0;
}

/* ---- the load ----------------------------------------------------------------------------- */

/* One client thread. */
struct client {
    struct crash *c;
    unsigned number;
    uint64_t seed;
    struct promises kept;
    pthread_t thread;
};

static void trouble(struct crash *c, const char *what, const struct reply *r)
{
    if (c->trouble[0] == '\0')
        (void)snprintf(c->trouble, sizeof c->trouble, "%s: got %ld %.300s", what, r->status,
                       r->body != NULL ? r->body : "");
}

/* A 2xx has arrived: it is a promise from now on, and maybe the end of the round. */
static void promised(struct client *me, const struct promise *p)
{
    struct crash *c = me->c;
    unsigned n = atomic_fetch_add(&c->acks, 1) + 1;
    int pid = c->kill_at != 0 && n == c->kill_at ? atomic_exchange(&c->pid, 0) : 0;
    if (pid > 0)
        (void)kill(pid, SIGKILL);
    add_promise(&me->kept, p);
}

static bool is_dead(pid_t pid)
{
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

/* Whether the silence is the kill's doing. A dying process closes its sockets first. */
static bool is_over(struct crash *c)
{
    for (int i = 0; i < 200; i++) {
        int pid = atomic_load(&c->pid); /* 0: somebody is killing it */
        if (pid == 0 || is_dead(pid))
            return true;
        test_sleep_ms(5);
    }
    return false;
}

/* No answer ends the load: the daemon is gone, and what was asked last is undecided. Other answers
 * than the wanted one are trouble. */
static bool is_kept(struct client *me, const char *what, const struct reply *r, long want)
{
    if (r->status == want)
        return true;
    if (me->c->faulty_disk && (r->status == 500 || r->status == 503 || r->status == 507)) {
        (void)atomic_fetch_add(&me->c->refused, 1);
        return false;
    }
    if (r->status != 0 || !is_over(me->c))
        trouble(me->c, what, r);
    atomic_store(&me->c->stop, true);
    return false;
}

static void upload_one(struct client *me, const struct img *image, bool to_stable)
{
    struct crash *c = me->c;
    struct promise p = {.kind = PROMISE_BUILD};
    unsigned serial = atomic_fetch_add(&c->serial, 1);
    (void)snprintf(p.product, sizeof p.product, "p%u", me->number);
    (void)snprintf(p.token, sizeof p.token, "1.%u.%u", me->number, serial);
    if (!to_stable)
        (void)snprintf(p.channel, sizeof p.channel, "c%u", serial);
    else
        (void)snprintf(c->stable[me->number][1], sizeof c->stable[0][0], "%s", p.token);
    crash_sha256(image->data, image->n, p.sha256);
    const struct part parts[] = {
        {.name = "file",       .filename = "Sketch.ino.bin", .data = image->data, .n = image->n},
        {.name = "version", .text = p.token},
        {.name = to_stable ? "ignored" : "channel",                    .text = to_stable ? "" : p.channel},
        {.name = NULL    }
    };
    struct reply r = upload(&c->d, c->key, p.product, parts);
    if (is_kept(me, "upload", &r, 201)) {
        (void)snprintf(p.id, sizeof p.id, "%s", reply_text(&r, "id"));
        if (strcmp(reply_text(&r, "sha256"), p.sha256) != 0)
            trouble(c, "upload says another SHA-256", &r);
        if (to_stable)
            (void)snprintf(c->stable[me->number][0], sizeof c->stable[0][0], "%s", p.token);
        promised(me, &p);
    }
    reply_free(&r);
}

static void *upload_loop(void *arg)
{
    static const size_t sizes[] = {0, 20000, 100000, 300000, 300000, 700000, 1500000};
    struct client *me = arg;
    while (!atomic_load(&me->c->stop)) {
        struct img image = {0};
        const struct img_spec spec = {
            .chip = "ESP8266", .size_bytes = sizes[next_random(&me->seed, 7)], .seed = me->seed};
        if (!img_build_app(&spec, &image))
            abort();
        upload_one(me, &image, next_random(&me->seed, 2) == 0);
        if (next_random(&me->seed, 6) == 0 && !atomic_load(&me->c->stop))
            upload_one(me, &image, false); /* the same bytes, another version */
        img_free(&image);
    }
    return NULL;
}

static struct reply check_in(struct client *me, const char *product, const char *mac)
{
    char path[96], sta[64];
    (void)snprintf(path, sizeof path, "/fw/%s/%s.bin", product, mac);
    (void)snprintf(sta, sizeof sta, "x-ESP8266-STA-MAC: %s", mac);
    const char *const headers[] = {"User-Agent: ESP8266-http-Update", sta, "x-ESP8266-mode: sketch",
                                   "x-ESP8266-version: 0.0.1", NULL};
    return call(&me->c->d, "GET", path, (struct call){.headers = headers});
}

static void report(struct client *me, const char *product, const char *mac)
{
    static const char *const results[] = {"success", "failed", "rolled_back"};
    char path[96], body[128];
    struct promise p = {.kind = PROMISE_REPORT};
    (void)snprintf(p.product, sizeof p.product, "%s", product);
    (void)snprintf(p.id, sizeof p.id, "%s", mac);
    (void)snprintf(p.token, sizeof p.token, "token-%s", mac);
    (void)snprintf(path, sizeof path, "/fw/%s/%s/report", product, mac);
    (void)snprintf(body, sizeof body, "{\"result\":\"%s\",\"message\":\"%s\"}",
                   results[next_random(&me->seed, 3)], p.token);
    struct reply r = send_json(&me->c->d, NULL, "POST", path, body);
    if (is_kept(me, "report", &r, 204))
        promised(me, &p);
    reply_free(&r);
}

/* Checks in, downloads and reports, each time as another device. */
static void *device_loop(void *arg)
{
    struct client *me = arg;
    while (!atomic_load(&me->c->stop)) {
        char mac[18], product[8], found[65];
        unsigned serial = atomic_fetch_add(&me->c->serial, 1);
        (void)snprintf(mac, sizeof mac, "30AEA4%06X", serial & 0xFFFFFF);
        (void)snprintf(product, sizeof product, "p%u", next_random(&me->seed, CRASH_PRODUCTS));
        struct reply r = check_in(me, product, mac);
        if (r.status == 200) {
            crash_sha256(r.body, r.n, found);
            if (!etag_is(&r, found))
                trouble(me->c, "a download has other bytes than its ETag says", &r);
            report(me, product, mac);
        } else if (r.status != 404) { /* nothing released yet */
            (void)is_kept(me, "check-in", &r, 200);
        }
        reply_free(&r);
    }
    return NULL;
}

/* A device that reads slowly, so that some transfer is always open when the end comes. */
static void *slow_loop(void *arg)
{
    struct client *me = arg;
    char request[160], buf[256];
    unsigned serial = atomic_fetch_add(&me->c->serial, 1);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;
    const struct timeval patience = {.tv_usec = 100000};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons(me->c->d.port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int n = snprintf(request, sizeof request,
                     "GET /fw/p%u/30AEA5%06X.bin HTTP/1.1\r\nHost: otad\r\n\r\n", me->number % 2,
                     serial & 0xFFFFFF);
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 &&
        send(fd, request, (size_t)n, MSG_NOSIGNAL) == n)
        while (!atomic_load(&me->c->stop)) {
            if (recv(fd, buf, sizeof buf, 0) == 0)
                break;
            test_sleep_ms(10);
        }
    (void)close(fd);
    return NULL;
}

static void create_product(struct client *me)
{
    char body[128];
    struct promise p = {.kind = PROMISE_PRODUCT};
    (void)snprintf(p.id, sizeof p.id, "x%u", atomic_fetch_add(&me->c->serial, 1));
    (void)snprintf(body, sizeof body, "{\"slug\":\"%s\"}", p.id);
    struct reply r = send_json(&me->c->d, me->c->key, "POST", "/api/v1/products", body);
    if (is_kept(me, "product", &r, 201))
        promised(me, &p);
    reply_free(&r);
}

static void create_key(struct client *me)
{
    char body[96];
    struct promise p = {.kind = PROMISE_KEY};
    (void)snprintf(body, sizeof body, "{\"name\":\"k%u\",\"role\":\"viewer\"}",
                   atomic_fetch_add(&me->c->serial, 1));
    struct reply r = send_json(&me->c->d, me->c->key, "POST", "/api/v1/keys", body);
    if (is_kept(me, "key", &r, 201)) {
        (void)snprintf(p.id, sizeof p.id, "%s", reply_text(&r, "key"));
        if (strncmp(p.id, "otad_", 5) != 0)
            trouble(me->c, "a key's answer has no key", &r);
        promised(me, &p);
    }
    reply_free(&r);
}

/* The other writer of the database: a process of its own, which outlives the daemon. */
static void create_key_by_command(struct client *me)
{
    char name[32];
    struct promise p = {.kind = PROMISE_KEY};
    (void)snprintf(name, sizeof name, "cli%u", atomic_fetch_add(&me->c->serial, 1));
    const char *const args[] = {"key", "create", "--data-dir", me->c->d.data, "--name",
                                name,  "--role", "viewer",     NULL};
    struct command done = daemon_command(args, NULL);
    if (done.status == 0 && strncmp(done.out, "otad_", 5) == 0) {
        (void)snprintf(p.id, sizeof p.id, "%.*s", (int)strcspn(done.out, "\n"), done.out);
        promised(me, &p);
    } else {
        const struct reply r = {.status = done.status, .body = done.err};
        trouble(me->c, "otad key create", &r);
    }
    command_free(&done);
}

static void rename_product(struct client *me)
{
    char body[128];
    struct crash *c = me->c;
    (void)snprintf(c->name[1], sizeof c->name[1], "name-%u", atomic_fetch_add(&c->serial, 1));
    (void)snprintf(body, sizeof body, "{\"name\":\"%s\"}", c->name[1]);
    struct reply r = send_json(&c->d, c->key, "PATCH", "/api/v1/products/p0", body);
    if (is_kept(me, "rename", &r, 200))
        (void)snprintf(c->name[0], sizeof c->name[0], "%s", c->name[1]);
    reply_free(&r);
}

static void *admin_loop(void *arg)
{
    struct client *me = arg;
    while (!atomic_load(&me->c->stop)) {
        create_product(me);
        if (!atomic_load(&me->c->stop))
            rename_product(me);
        if (!atomic_load(&me->c->stop))
            create_key(me);
        if (me->c->with_cli && !atomic_load(&me->c->stop))
            create_key_by_command(me);
        test_sleep_ms(next_random(&me->seed, 4));
    }
    return NULL;
}

void crash_round(struct crash *c, struct cut cut)
{
    static void *(*const loops[])(void *) = {upload_loop, upload_loop, device_loop,
                                             device_loop, slow_loop,   admin_loop};
    struct client clients[OTAD_COUNT(loops)] = {{.number = 0}};
    atomic_store(&c->stop, false);
    atomic_store(&c->acks, 0);
    atomic_store(&c->pid, c->d.pid);
    c->kill_at = cut.after_acks;
    for (size_t i = 0; i < OTAD_COUNT(loops); i++) {
        clients[i].c = c;
        clients[i].number = (unsigned)i;
        clients[i].seed = c->seed + i * 7919;
        ck_assert_int_eq(pthread_create(&clients[i].thread, NULL, loops[i], &clients[i]), 0);
    }
    int64_t deadline = test_now_ms() + cut.after_ms;
    while (test_now_ms() < deadline && !atomic_load(&c->stop) && !is_dead(c->d.pid))
        test_sleep_ms(1);
    (void)atomic_exchange(&c->pid, 0);
    daemon_kill(&c->d);
    atomic_store(&c->stop, true);
    for (size_t i = 0; i < OTAD_COUNT(loops); i++) {
        (void)pthread_join(clients[i].thread, NULL);
        move_promises(&c->fresh, &clients[i].kept);
        free(clients[i].kept.items);
    }
    c->kills++;
    (void)crash_random(c, 2);
    ck_assert_msg(c->trouble[0] == '\0', "before the kill: %s", c->trouble);
}

/* ---- the check ---------------------------------------------------------------------------- */

static void check_build(struct crash *c, const struct promise *p)
{
    char path[256], found[65];
    (void)snprintf(path, sizeof path, "/api/v1/products/%s/builds/%s", p->product, p->id);
    struct reply r = get(&c->d, c->key, path);
    CK_STATUS(path, r, 200);
    CK_TEXT("build after restart", r, "sha256", p->sha256);
    CK_TEXT("build after restart", r, "version", p->token);
    if (p->channel[0] != '\0')
        CK_TEXT("build after restart", r, "channels.0", p->channel);
    reply_free(&r);
    (void)snprintf(path, sizeof path, "/api/v1/products/%s/builds/%s/file", p->product, p->id);
    r = get(&c->d, c->key, path);
    CK_STATUS(path, r, 200);
    crash_sha256(r.body, r.n, found);
    ck_assert_msg(strcmp(found, p->sha256) == 0, "build %s of %s has other bytes now", p->token,
                  p->product);
    reply_free(&r);
}

static void check_report(struct crash *c, const struct promise *p)
{
    char path[256], field[64];
    (void)snprintf(path, sizeof path, "/api/v1/products/%s/updates?mac=%s", p->product, p->id);
    struct reply r = get(&c->d, c->key, path);
    CK_STATUS(path, r, 200);
    bool found = false;
    for (unsigned i = 0; i < 20 && !found; i++) {
        (void)snprintf(field, sizeof field, "items.0.reports.%u.message", i);
        found = strcmp(reply_text(&r, field), p->token) == 0;
    }
    ck_assert_msg(found, "report of %s is gone: %s", p->id, r.body);
    reply_free(&r);
}

static void check_promise(struct crash *c, const struct promise *p)
{
    char path[256];
    struct reply r;
    switch (p->kind) {
    case PROMISE_BUILD:
        check_build(c, p);
        break;
    case PROMISE_REPORT:
        check_report(c, p);
        break;
    case PROMISE_PRODUCT:
        (void)snprintf(path, sizeof path, "/api/v1/products/%s", p->id);
        r = get(&c->d, c->key, path);
        CK_STATUS(path, r, 200);
        reply_free(&r);
        break;
    case PROMISE_KEY:
        r = get(&c->d, p->id, "/api/v1/products/p0");
        CK_STATUS("a key made before the kill", r, 200);
        reply_free(&r);
        break;
    }
}

/* Of two texts, the acknowledged one must be there, or the one asked for after it. */
static void check_either(const char *what, const char *found, char pair[2][64])
{
    ck_assert_msg(strcmp(found, pair[0]) == 0 || strcmp(found, pair[1]) == 0,
                  "%s is '%s', acknowledged was '%s', then asked for '%s'", what, found, pair[0],
                  pair[1]);
    (void)snprintf(pair[0], 64, "%s", found);
}

static void check_pointers(struct crash *c)
{
    char path[96];
    for (unsigned i = 0; i < CRASH_PRODUCTS; i++) {
        (void)snprintf(path, sizeof path, "/api/v1/products/p%u/channels/stable", i);
        struct reply r = get(&c->d, c->key, path);
        CK_STATUS(path, r, 200);
        if (c->stable[i][0][0] != '\0' || json_is_object(reply_at(&r, "app")))
            check_either(path, reply_text(&r, "app.version"), c->stable[i]);
        reply_free(&r);
    }
    struct reply r = get(&c->d, c->key, "/api/v1/products/p0");
    CK_STATUS("p0", r, 200);
    check_either("the name of p0", reply_text(&r, "name"), c->name);
    reply_free(&r);
}

/* What the first row of a query says. */
static void first_text(sqlite3 *db, const char *sql, char out[64])
{
    sqlite3_stmt *stmt = NULL;
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK, "%s: %s", sql,
                  sqlite3_errmsg(db));
    const char *text = NULL;
    if (sqlite3_step(stmt) == SQLITE_ROW)
        text = (const char *)sqlite3_column_text(stmt, 0);
    (void)snprintf(out, 64, "%s", text != NULL ? text : "(no row)");
    (void)sqlite3_finalize(stmt);
}

/* In the end: what a full disk kept a start from tidying up is tidied up soon after. */
static void sql_is(struct crash *c, sqlite3 *db, const char *sql, const char *want)
{
    char text[64];
    int64_t until = test_now_ms() + 10000;
    first_text(db, sql, text);
    while (strcmp(text, want) != 0 && test_now_ms() < until) {
        test_sleep_ms(50);
        first_text(db, sql, text);
    }
    ck_assert_msg(strcmp(text, want) == 0, "%s: %s: got %s, want %s", c->d.data, sql, text, want);
}

void crash_check_database(struct crash *c)
{
    char path[192];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof path, "%s/otad.db", c->d.data);
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 10000);
    sql_is(c, db, "PRAGMA integrity_check", "ok");
    sql_is(c, db, "PRAGMA foreign_key_check", "(no row)");
    sql_is(c, db, "SELECT count(*) FROM image WHERE linked_at_s IS NULL", "0");
    sql_is(c, db,
           "SELECT count(*) FROM image WHERE size_bytes <>"
           " (SELECT coalesce(sum(length(data)), 0) FROM image_chunk WHERE image = image.id)",
           "0");
    sql_is(c, db, "SELECT count(*) FROM image WHERE id NOT IN (SELECT image FROM build)", "0");
    sql_is(c, db, "SELECT count(*) FROM image_chunk WHERE image NOT IN (SELECT id FROM image)",
           "0");
    sql_is(c, db, "SELECT count(*) FROM transfer WHERE state = 'downloading'", "0");
    sql_is(c, db,
           "SELECT count(*) FROM transfer WHERE (ended_at_s IS NULL) OR"
           " (state = 'aborted' AND cause NOT IN ('server_shutdown', 'peer_gone', 'superseded'))",
           "0");
    sql_is(c, db,
           "SELECT count(*) FROM product AS p WHERE device_count <>"
           " (SELECT count(*) FROM device WHERE product = p.id)",
           "0");
    (void)sqlite3_close(db);
    c->aborted_transfers = (unsigned)daemon_sql(
        &c->d, "SELECT count(*) FROM transfer WHERE cause = 'server_shutdown'");
}

void crash_verify(struct crash *c, bool everything)
{
    crash_check_database(c);
    for (size_t i = 0; i < c->fresh.n; i++) {
        check_promise(c, &c->fresh.items[i]);
        c->n_kind[c->fresh.items[i].kind]++;
    }
    move_promises(&c->all, &c->fresh);
    for (size_t i = 0; everything && i < c->all.n; i++)
        check_promise(c, &c->all.items[i]);
    check_pointers(c);
}

/* ---- setting up --------------------------------------------------------------------------- */

void crash_setup(struct crash *c, uint64_t seed, const char *const *flags)
{
    c->seed = seed;
    /* From a number of its own on: MACs of folders side by side may be equal, names too. */
    atomic_store(&c->serial, 1);
    daemon_start(&c->d, flags);
    daemon_key(&c->d, "crash", "admin", NULL, c->key);
    make_product(&c->d, c->key, "p0");
    make_product(&c->d, c->key, "p1");
    struct reply r =
        send_json(&c->d, c->key, "PATCH", "/api/v1/products/p0", "{\"name\":\"first\"}");
    CK_STATUS("first name", r, 200);
    reply_free(&r);
    (void)snprintf(c->name[0], sizeof c->name[0], "first");
}

void crash_free(struct crash *c)
{
    char *log = daemon_log(&c->d); /* a killed daemon has no exit status to tell it */
    const char *found = strstr(log, "Sanitizer");
    ck_assert_msg(found == NULL, "in the log: %.2000s", found);
    free(log);
    daemon_free(&c->d);
    free(c->all.items);
    free(c->fresh.items);
    c->all = c->fresh = (struct promises){.items = NULL};
}

/* ---- side by side ------------------------------------------------------------------------- */

void crash_tally(const struct crash *c, struct crash_tally *tally)
{
    tally->kills += c->kills;
    tally->builds += c->n_kind[PROMISE_BUILD];
    tally->reports += c->n_kind[PROMISE_REPORT];
    tally->products += c->n_kind[PROMISE_PRODUCT];
    tally->keys += c->n_kind[PROMISE_KEY];
    tally->aborted_transfers += c->aborted_transfers;
}

void crash_side_by_side(unsigned n, void (*work)(unsigned number, struct crash_tally *tally),
                        struct crash_tally *sum)
{
    struct crash_tally *shared =
        mmap(NULL, n * sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[16];
    ck_assert(shared != MAP_FAILED && n <= 16);
    for (unsigned i = 0; i < n; i++) {
        pids[i] = fork();
        ck_assert_int_ge(pids[i], 0);
        if (pids[i] == 0) {
            work(i, &shared[i]);
            _exit(0);
        }
    }
    bool ok = true;
    *sum = (struct crash_tally){.kills = 0};
    for (unsigned i = 0; i < n; i++) {
        int status = -1;
        (void)waitpid(pids[i], &status, 0);
        ok = ok && status == 0;
        sum->kills += shared[i].kills;
        sum->builds += shared[i].builds;
        sum->reports += shared[i].reports;
        sum->products += shared[i].products;
        sum->keys += shared[i].keys;
        sum->aborted_transfers += shared[i].aborted_transfers;
    }
    (void)munmap(shared, n * sizeof *shared);
    ck_assert_msg(ok, "a process of this test failed; see above");
}
