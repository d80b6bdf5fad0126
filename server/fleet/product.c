/* SPDX-License-Identifier: MIT
 * Owns the table `product`. */
#include "fleet/product.h"

#include <string.h>

#define COLUMNS                                                                                    \
    "id, slug, name, chip, disabled, default_channel, max_devices, device_count,"                  \
    " anonymous_checkins, last_number, created_at_s, access, client"

static const char sql_by_slug[] = "SELECT " COLUMNS " FROM product WHERE slug = :slug";
static const char sql_by_id[] = "SELECT " COLUMNS " FROM product WHERE id = :id";
static const char sql_list[] =
    "SELECT " COLUMNS " FROM product WHERE slug > :after ORDER BY slug LIMIT :limit";
static const char sql_insert[] = "INSERT INTO product (slug, name, max_devices, created_at_s)"
                                 " VALUES (:slug, :name, :max_devices, :created_at_s) RETURNING id";
static const char sql_save[] =
    "UPDATE product SET name = :name, chip = :chip, disabled = :disabled, access = :access,"
    " client = :client,"
    " default_channel = :default_channel, max_devices = :max_devices WHERE id = :id";
static const char sql_note_build[] =
    "UPDATE product SET last_number = max(last_number, :number),"
    " chip = CASE WHEN chip = '' THEN :chip ELSE chip END WHERE id = :id";
static const char sql_anonymous[] =
    "UPDATE product SET anonymous_checkins = anonymous_checkins + :n WHERE id = :id";
static const char sql_delete[] = "DELETE FROM product WHERE id = :id";

static const char *const accesses[] = {"open", "key"};
static const char *const clients[] = {"", "tasmota"};

const char *product_access_name(enum product_access access)
{
    return accesses[access];
}

bool product_access_parse(const char *text, enum product_access *out)
{
    for (size_t i = 0; i < OTAD_COUNT(accesses); i++)
        if (strcmp(text, accesses[i]) == 0) {
            *out = (enum product_access)i;
            return true;
        }
    return false;
}

const char *product_client_name(enum product_client client)
{
    return clients[client];
}

bool product_client_parse(const char *text, enum product_client *out)
{
    for (size_t i = 0; i < OTAD_COUNT(clients); i++)
        if (strcmp(text, clients[i]) == 0) {
            *out = (enum product_client)i;
            return true;
        }
    return false;
}

bool product_slug_is_valid(const char *text)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t n = strlen(text);
    return n >= 1 && n <= OTAD_SLUG_MAX && strchr(first, text[0]) != NULL &&
           strspn(text, rest) == n;
}

static void read_row(struct db_q *q, struct product *p)
{
    p->id = db_int(q, 0);
    db_copy_text(q, 1, p->slug, sizeof p->slug);
    db_copy_text(q, 2, p->name, sizeof p->name);
    db_copy_text(q, 3, p->chip, sizeof p->chip);
    p->disabled = db_int(q, 4) != 0;
    db_copy_text(q, 5, p->default_channel, sizeof p->default_channel);
    p->max_devices = db_int(q, 6);
    p->device_count = db_int(q, 7);
    p->anonymous_checkins = db_int(q, 8);
    p->last_number = db_int(q, 9);
    p->created_at_s = db_int(q, 10);
    /* The table's CHECKs allow no other words; should one be there, the door stays shut. */
    const char *access = db_text(q, 11), *client = db_text(q, 12);
    p->access = PRODUCT_ACCESS_KEY;
    p->client = PRODUCT_CLIENT_ANY;
    if (access != NULL)
        (void)product_access_parse(access, &p->access);
    if (client != NULL)
        (void)product_client_parse(client, &p->client);
}

static enum otad_err read_one(struct db_q *q, struct product *out, bool *found,
                              struct otad_errinfo *ei)
{
    struct product p;
    *found = db_step(q);
    if (*found)
        read_row(q, &p);
    enum otad_err err = db_end(q, ei);
    if (err == OTAD_E_OK && *found)
        *out = p;
    return err;
}

enum otad_err product_find(struct db *db, const char *slug, struct product *out,
                           struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_by_slug);
    db_bind_text(&q, ":slug", slug);
    bool found;
    enum otad_err err = read_one(&q, out, &found, ei);
    if (err != OTAD_E_OK || found)
        return err;
    (void)otad_fail(ei, OTAD_E_NOENT, "There is no product '%.63s'", slug);
    return otad_hint(ei,
                     "Make it: POST /api/v1/products with {\"slug\":\"%.63s\",\"name\":\"…\"}, "
                     "or list the products with GET /api/v1/products.",
                     slug);
}

enum otad_err product_find_id(struct db *db, int64_t id, struct product *out,
                              struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_by_id);
    db_bind_int(&q, ":id", id);
    bool found;
    enum otad_err err = read_one(&q, out, &found, ei);
    if (err != OTAD_E_OK || found)
        return err;
    return otad_fail(ei, OTAD_E_NOENT, "The product is gone");
}

enum otad_err product_create(struct db *db, struct product *p, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_insert);
    db_bind_text(&q, ":slug", p->slug);
    db_bind_text(&q, ":name", p->name);
    db_bind_int(&q, ":max_devices", p->max_devices);
    db_bind_int(&q, ":created_at_s", p->created_at_s);
    int64_t id = db_step(&q) ? db_int(&q, 0) : 0;
    enum otad_err err = db_end(&q, ei);
    if (err == OTAD_E_CONFLICT)
        return otad_fail(ei, err, "There is already a product '%s'", p->slug);
    if (err == OTAD_E_OK)
        p->id = id;
    return err;
}

enum otad_err product_save(struct db *db, const struct product *p, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_save);
    db_bind_text(&q, ":name", p->name);
    db_bind_text(&q, ":chip", p->chip);
    db_bind_int(&q, ":disabled", p->disabled);
    db_bind_text(&q, ":access", product_access_name(p->access));
    db_bind_text(&q, ":client", product_client_name(p->client));
    db_bind_text(&q, ":default_channel", p->default_channel);
    db_bind_int(&q, ":max_devices", p->max_devices);
    db_bind_int(&q, ":id", p->id);
    return db_run(&q, ei);
}

enum otad_err product_note_build(struct db *db, int64_t id, int64_t number, const char *chip,
                                 struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_note_build);
    db_bind_int(&q, ":number", number);
    db_bind_text(&q, ":chip", chip);
    db_bind_int(&q, ":id", id);
    return db_run(&q, ei);
}

enum otad_err product_count_anonymous(struct db *db, int64_t id, int64_t n, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_anonymous);
    db_bind_int(&q, ":n", n);
    db_bind_int(&q, ":id", id);
    return db_run(&q, ei);
}

enum otad_err product_delete(struct db *db, int64_t id, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_delete);
    db_bind_int(&q, ":id", id);
    return db_run(&q, ei);
}

enum otad_err product_list(struct db *db, const char *after, int64_t limit,
                           enum otad_err (*each)(void *arg, const struct product *p), void *arg,
                           struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_list);
    db_bind_text(&q, ":after", after);
    db_bind_int(&q, ":limit", limit);
    enum otad_err err = OTAD_E_OK;
    while (err == OTAD_E_OK && db_step(&q)) {
        struct product p;
        read_row(&q, &p);
        err = each(arg, &p);
    }
    enum otad_err end = db_end(&q, ei);
    return err != OTAD_E_OK ? err : end;
}
