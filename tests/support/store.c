/* SPDX-License-Identifier: MIT
 * Owns the temporary databases of tests. */
#include "support/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/digest.h"
#include "db/migrate.h"
#include "fleet/blob.h"
#include "fleet/channel.h"
#include "fleet/product.h"

struct otad_errinfo store_ei;

void store_log(struct log *log)
{
    log_init(log, LOG_LEVEL_DEBUG, false);
    log->fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static void open_at(struct store *s)
{
    store_log(&s->log);
    OK(db_open(s->path, DB_WRITE, &s->db, EI));
    OK(migrate(s->db, s->path, &s->log, EI));
}

void store_memory(struct store *s)
{
    *s = (struct store){.path = ":memory:"};
    open_at(s);
}

void store_file(struct store *s)
{
    *s = (struct store){.dir = "/tmp/otad-store-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(s->dir));
    (void)snprintf(s->path, sizeof s->path, "%s/otad.db", s->dir);
    open_at(s);
}

void store_close(struct store *s)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".before-0902", ".before-0903"};
    db_close(&s->db);
    (void)close(s->log.fd);
    if (s->dir[0] == '\0')
        return;
    for (size_t i = 0; i < OTAD_COUNT(suffixes); i++) {
        char path[96];
        (void)snprintf(path, sizeof path, "%s%s", s->path, suffixes[i]);
        (void)unlink(path);
    }
    ck_assert_msg(rmdir(s->dir) == 0, "%s is not empty", s->dir);
}

int64_t store_product(struct db *db, const char *slug)
{
    struct product p = {.max_devices = 1000, .created_at_s = 1000};
    (void)snprintf(p.slug, sizeof p.slug, "%s", slug);
    (void)snprintf(p.name, sizeof p.name, "The %s", slug);
    OK(product_create(db, &p, EI));
    OK(channel_ensure(db, p.id, "stable", EI));
    return p.id;
}

int64_t store_image(struct db *db, unsigned seed, size_t n, const char *identities)
{
    int64_t id = 0;
    struct blob_meta meta = {.size_bytes = (int64_t)n, .facts = "{}", .identities = identities};
    uint8_t *data = malloc(n);
    ck_assert_ptr_nonnull(data);
    for (size_t i = 0; i < n; i++)
        data[i] = (uint8_t)((i * 31 + seed * 2654435761u) >> 3);
    memcpy(data, &seed, n < sizeof seed ? n : sizeof seed);
    OK(digest_sha256(data, n, meta.sha256));
    OK(digest_md5(data, n, meta.md5));
    OK(blob_stage(db, &meta, &id, EI));
    for (size_t at = 0; at < n; at += BLOB_CHUNK_BYTES)
        OK(blob_put_chunk(db, id, (int64_t)(at / BLOB_CHUNK_BYTES), data + at,
                          n - at < BLOB_CHUNK_BYTES ? n - at : BLOB_CHUNK_BYTES, EI));
    OK(blob_link(db, id, 1000, EI));
    free(data);
    return id;
}

struct build store_build(struct db *db, int64_t product, const char *version, enum build_kind kind)
{
    static unsigned seed = 1;
    struct build b = {.product = product, .kind = kind, .number = seed, .created_at_s = 1000};
    b.image = store_image(db, seed++, 100, "");
    (void)snprintf(b.version, sizeof b.version, "%s", version);
    OK(build_insert(db, &b, EI));
    OK(build_find_seq(db, b.seq, &b, EI));
    return b;
}

int64_t store_device(struct db *db, int64_t product, uint64_t mac, const char *version,
                     int64_t at_s)
{
    int64_t id = 0;
    struct device_facts said = {
        .address = "192.0.2.1", .agent = "test", .free_space = -1, .chip_size = -1, .at_s = at_s};
    (void)snprintf(said.version, sizeof said.version, "%s", version);
    OK(device_seen(db, product, mac, &said, &id, EI));
    return id;
}

int64_t store_int(struct db *db, const char *sql)
{
    struct db_q q = db_query(db, sql);
    int64_t value = db_step(&q) ? db_int(&q, 0) : -1;
    enum otad_err err = db_end(&q, EI);
    ck_assert_msg(err == OTAD_E_OK, "%s: %s", sql, store_ei.msg);
    return value;
}

void store_exec(struct db *db, const char *sql)
{
    ck_assert_msg(db_exec(db, sql, EI) == OTAD_E_OK, "%s: %s", sql, store_ei.msg);
}
