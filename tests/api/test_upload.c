/* SPDX-License-Identifier: MIT
 * Uploads as curl, IDEs and scripts send them: what is taken, what is refused and how, and that a
 * refusal leaves nothing behind. */
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "otad/err.h"
#include "support/http.h"
#include "support/unit.h"

#define IMAGE_MAX (2U << 20) /* of this daemon, so that "too large" stays small */

static struct daemon d;
static char admin[DAEMON_KEY], publisher[DAEMON_KEY], viewer[DAEMON_KEY], bound[DAEMON_KEY];
static struct img a, b, tagged, esp32;

static void setup(void)
{
    static const char *const flags[] = {"--storage-image-max-bytes", "2M", NULL};
    const struct img_spec spec = {.chip = "ESP8266", .version = "3.1.4", .seed = 3};
    daemon_start(&d, flags);
    daemon_key(&d, "root", "admin", NULL, admin);
    daemon_key(&d, "ci", "publisher", NULL, publisher);
    daemon_key(&d, "eyes", "viewer", NULL, viewer);
    make_product(&d, admin, "other");
    daemon_key(&d, "other-ci", "publisher", "other", bound);
    a = image_of("ESP8266", 1, 0);
    b = image_of("ESP8266", 2, 0);
    esp32 = image_of("ESP32", 4, 0);
    ck_assert(img_build_app(&spec, &tagged));
}

static void teardown(void)
{
    img_free(&a);
    img_free(&b);
    img_free(&tagged);
    img_free(&esp32);
    daemon_free(&d);
}

/* ---- helpers ------------------------------------------------------------------------------ */

/* In tables "@A" stands for the bytes of an image. */
static struct part real_part(struct part p)
{
    const struct {
        const char *sign;
        const struct img *img;
    } images[] = {
        {"@A",      &a     },
        {"@B",      &b     },
        {"@TAGGED", &tagged},
        {"@ESP32",  &esp32 }
    };
    for (size_t i = 0; p.text != NULL && i < OTAD_COUNT(images); i++)
        if (strcmp(p.text, images[i].sign) == 0) {
            p.data = images[i].img->data;
            p.n = images[i].img->n;
        }
    if (p.text != NULL && strcmp(p.text, "@CUT") == 0) {
        p.data = a.data;
        p.n = a.n - 100;
    }
    return p;
}

static struct reply upload_row(const char *key, const char *product_query, const struct part *row)
{
    struct part parts[8] = {{.name = NULL}};
    for (size_t i = 0; row[i].name != NULL; i++)
        parts[i] = real_part(row[i]);
    return upload(&d, key, product_query, parts);
}

static void digest_hex(const char *kind, const void *data, size_t n, char *out)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    ck_assert_int_eq(EVP_Digest(data, n, sum, &len, EVP_get_digestbyname(kind), NULL), 1);
    for (unsigned i = 0; i < len; i++)
        (void)sprintf(out + (size_t)2 * i, "%02x", sum[i]);
}

/* A product of the test's own: tests share the daemon. */
static const char *product_for(const char *test, int i)
{
    static char slug[64];
    (void)snprintf(slug, sizeof slug, "%s-%d", test, i);
    make_product(&d, admin, slug);
    return slug;
}

/* Everything an upload could leave behind. */
struct rows {
    int64_t builds, images, chunks, audit, history;
    size_t files;
};

static size_t count_files(void)
{
    DIR *dir = opendir(d.data);
    size_t n = 0;
    ck_assert_ptr_nonnull(dir);
    while (readdir(dir) != NULL)
        n++;
    (void)closedir(dir);
    return n;
}

static struct rows count_rows(void)
{
    return (struct rows){.builds = daemon_sql(&d, "SELECT count(*) FROM build"),
                         .images = daemon_sql(&d, "SELECT count(*) FROM image"),
                         .chunks = daemon_sql(&d, "SELECT count(*) FROM image_chunk"),
                         .audit = daemon_sql(&d, "SELECT count(*) FROM audit"),
                         .history = daemon_sql(&d, "SELECT count(*) FROM channel_history"),
                         .files = count_files()};
}

static void check_nothing_left(const char *what, struct rows before)
{
    struct rows now = count_rows();
    ck_assert_msg(memcmp(&before, &now, sizeof now) == 0,
                  "%s left something: builds %+d, images %+d, chunks %+d, audit %+d, files %+d",
                  what, (int)(now.builds - before.builds), (int)(now.images - before.images),
                  (int)(now.chunks - before.chunks), (int)(now.audit - before.audit),
                  (int)now.files - (int)before.files);
}

/* ---- taken -------------------------------------------------------------------------------- */

static const struct {
    const char *what, *query;
    struct part parts[6];
    const char *path, *want; /* something in the answer */
} taken[] = {
    {"a file part",
     "",                                          {AS_FILE("file", "Lamp.ino.bin", "@A"), FIELD("version", "1.0.0")},
     "version",                                                                                                                                    "1.0.0"                },
    {"a firmware part",
     "",                                          {AS_FILE("firmware", "Lamp.ino.bin", "@A"), FIELD("version", "1.0.0")},
     "version",                                                                                                                                    "1.0.0"                },
    {"an update part",
     "",                                          {AS_FILE("update", "Lamp.ino.bin", "@A"), FIELD("version", "1.0.0")},
     "version",                                                                                                                                    "1.0.0"                },
    {"fields before the file",
     "",                                          {FIELD("version", "1.0.0"), FIELD("notes", "first"), AS_FILE("file", "x.bin", "@A")},
     "notes",                                                                                                                                      "first"                },
    {"fields after the file",
     "",                                          {AS_FILE("file", "x.bin", "@A"), FIELD("notes", "last"), FIELD("version", "1.0.0")},
     "notes",                                                                                                                                      "last"                 },
    {"UTF-8 notes",
     "",                                          {AS_FILE("file", "x.bin", "@A"), FIELD("notes", "für Zoë"), FIELD("version", "1")},
     "notes",                                                                                                                                      "für Zoë"            },
    {"a name with spaces",
     "",                                          {AS_FILE("file", "My Lamp v2.bin", "@A"), FIELD("version", "1")},
     "filename",                                                                                                                                   "My Lamp v2.bin"       },
    {"a UTF-8 name",
     "",                                          {AS_FILE("file", "Lämpchen-✓.bin", "@A"), FIELD("version", "1")},
     "filename",                                                                                                                                   "Lämpchen-✓.bin"    },
    {"a path as name",
     "",                                          {AS_FILE("file", "../../etc/passwd", "@A"), FIELD("version", "1")},
     "filename",                                                                                                                                   "passwd"               },
    {"a Windows path as name",
     "",                                          {AS_FILE("file", "C:\\work\\Lamp.bin", "@A"), FIELD("version", "1")},
     "filename",                                                                                                                                   "Lamp.bin"             },
    {"a shell trap as name",
     "",                                          {AS_FILE("file", "$(reboot);x.bin", "@A"), FIELD("version", "1")},
     "filename",                                                                                                                                   "$(reboot);x.bin"      },
    {"the version from the image",            "", {AS_FILE("file", "x.bin", "@TAGGED")},                                                "version", "3.1.4"                },
    {"the form's version before the image's",
     "",                                          {AS_FILE("file", "x.bin", "@TAGGED"), FIELD("version", "4")},
     "version",                                                                                                                                    "4"                    },
    {"the version in the query",
     "?version=5.0",                              {AS_FILE("file", "x.bin", "@A")},
     "version",                                                                                                                                    "5.0"                  },
    {"the default channel",
     "",                                          {AS_FILE("file", "x.bin", "@A"), FIELD("version", "1")},
     "channels.0",                                                                                                                                 "stable"               },
    {"another channel",
     "",                                          {AS_FILE("file", "x.bin", "@A"), FIELD("version", "1"), FIELD("channel", "beta")},
     "channels.0",                                                                                                                                 "beta"                 },
    {"kept back",
     "",                                          {AS_FILE("file", "x.bin", "@A"), FIELD("version", "1"), FIELD("channel", "none")},
     "channels.0",                                                                                                                                 "(none)"               },
    {"an unknown part",
     "",                                          {AS_FILE("file", "x.bin", "@A"), FIELD("version", "1"), FIELD("submit", "Upload")},
     "kind",                                                                                                                                       "app"                  },
    {"a kind that fits",
     "",                                          {AS_FILE("file", "x.bin", "@A"), FIELD("version", "1"), FIELD("kind", "app")},
     "kind",                                                                                                                                       "app"                  },
    {"an odd version",
     "",                                          {AS_FILE("file", "x.bin", "@A"), FIELD("version", "v1.2-rc.1+g12ab(lamp)")},
     "version",                                                                                                                                    "v1.2-rc.1+g12ab(lamp)"},
};

START_TEST(upload_is_taken)
{
    char query[128];
    (void)snprintf(query, sizeof query, "%s%s", product_for("taken", _i), taken[_i].query);
    struct reply r = upload_row(publisher, query, taken[_i].parts);
    CK_STATUS(taken[_i].what, r, 201);
    CK_TEXT(taken[_i].what, r, taken[_i].path, taken[_i].want);
    reply_free(&r);
}
END_TEST

static bool is_time(const char *text)
{
    unsigned y, mo, day, h, mi, s;
    char z, end;
    return sscanf(text, "%4u-%2u-%2uT%2u:%2u:%2u%c%c", &y, &mo, &day, &h, &mi, &s, &z, &end) == 7 &&
           z == 'Z' && strlen(text) == 20;
}

START_TEST(answer_has_every_field_of_the_build)
{
    const char *slug = product_for("shape", 0);
    const struct part parts[] = {
        AS_FILE("file", "Lamp.ino.bin", "@A"), FIELD("version", "1.4.2"), {.name = NULL}};
    char md5[64], sha256[80];
    digest_hex("MD5", a.data, a.n, md5);
    digest_hex("SHA256", a.data, a.n, sha256);
    struct reply r = upload_row(publisher, slug, parts);
    CK_STATUS("upload", r, 201);
    const char *id = reply_text(&r, "id");
    ck_assert_msg(strlen(id) > 0 && strspn(id, "0123456789") == strlen(id), "id is %s", id);
    CK_TEXT("build", r, "product", slug);
    CK_TEXT("build", r, "version", "1.4.2");
    CK_TEXT("build", r, "kind", "app");
    CK_TEXT("build", r, "chip", "ESP8266");
    CK_TEXT("build", r, "md5", md5);
    CK_TEXT("build", r, "sha256", sha256);
    CK_TEXT("build", r, "filename", "Lamp.ino.bin");
    CK_TEXT("build", r, "channels.0", "stable");
    ck_assert_int_eq(reply_number(&r, "number"), 1);
    ck_assert_int_eq(reply_number(&r, "size"), (int64_t)a.n);
    ck_assert_msg(is_time(reply_text(&r, "created_at")), "created_at: %s",
                  reply_text(&r, "created_at"));
    ck_assert(json_is_null(reply_at(&r, "withdrawn_at")));
    ck_assert(json_is_object(reply_at(&r, "image")));
    reply_free(&r);
}
END_TEST

static const struct {
    const char *what, *type;
    bool expect;
} raw[] = {
    {"what curl --data-binary says", NULL,                        false},
    {"octet-stream",                 "application/octet-stream",  false},
    {"text/plain",                   "text/plain; charset=utf-8", false},
    {"an image of another sort",     "image/png",                 false},
    {"Expect: 100-continue",         NULL,                        true },
};

START_TEST(raw_body_is_taken_whatever_its_content_type)
{
    char path[160];
    (void)snprintf(path, sizeof path, "/api/v1/products/%s/builds?version=7.%d&notes=a+b%%26c",
                   product_for("raw", _i), _i);
    struct reply r = call(&d, "POST", path,
                          (struct call){.key = publisher,
                                        .data = a.data,
                                        .n = a.n,
                                        .type = raw[_i].type,
                                        .expect = raw[_i].expect});
    CK_STATUS(raw[_i].what, r, 201);
    ck_assert_int_eq(reply_number(&r, "size"), (int64_t)a.n);
    CK_TEXT(raw[_i].what, r, "notes", "a b&c");
    reply_free(&r);
}
END_TEST

START_TEST(raw_body_with_the_version_inside_needs_no_query)
{
    char path[160];
    (void)snprintf(path, sizeof path, "/api/v1/products/%s/builds", product_for("rawtag", 0));
    struct reply r =
        call(&d, "POST", path, (struct call){.key = publisher, .data = tagged.data, .n = tagged.n});
    CK_STATUS("raw", r, 201);
    CK_TEXT("raw", r, "version", "3.1.4");
    reply_free(&r);
}
END_TEST

START_TEST(right_md5_is_checked_in_any_case)
{
    char md5[64], text[64];
    digest_hex("MD5", a.data, a.n, md5);
    for (size_t i = 0; i <= strlen(md5); i++)
        text[i] = (char)(md5[i] >= 'a' && md5[i] <= 'f' && _i == 1 ? md5[i] - 32 : md5[i]);
    const struct part parts[] = {
        FIELD("MD5", text), AS_FILE("file", "x.bin", "@A"), FIELD("version", "1"), {.name = NULL}};
    struct reply r = upload_row(publisher, product_for("md5", _i), parts);
    CK_STATUS(text, r, 201);
    reply_free(&r);
}
END_TEST

/* ---- refused ------------------------------------------------------------------------------ */

static char long_notes[4200];

static const struct {
    const char *what;
    const char *const *key; /* NULL: none */
    const char *query;
    int status;
    const char *code, *says; /* says: part of message or hint */
    struct part parts[6];
} refused[] = {
    {"no file",                          NULL, "", 401, "unauthorized", "otad key create",    {FIELD("version", "1")}},
    {"empty file",
     (const char *const[]){"p"},
     "",                                           422,
     "invalid",                                                         "-F file=@",
     {AS_FILE("file", "x.bin", ""), FIELD("version", "1")}                                                           },
    {"missing part",
     (const char *const[]){"p"},
     "",                                           422,
     "invalid",                                                         "-F file=@",
     {FIELD("version", "1")}                                                                                         },
    {"file under another name",
     (const char *const[]){"p"},
     "",                                           422,
     "invalid",                                                         "-F file=@",
     {AS_FILE("sketch", "x.bin", "@A"), FIELD("version", "1")}                                                       },
    {"two files",
     (const char *const[]){"p"},
     "",                                           400,
     "bad_request",                                                     "two files",
     {AS_FILE("file", "a.bin", "@A"), AS_FILE("firmware", "b.bin", "@B"), FIELD("version", "1")}                     },
    {"two files of one name",
     (const char *const[]){"p"},
     "",                                           400,
     "bad_request",                                                     "two files",
     {AS_FILE("file", "a.bin", "@A"), AS_FILE("file", "b.bin", "@B"), FIELD("version", "1")}                         },
    {"no version anywhere",
     (const char *const[]){"p"},
     "",                                           422,
     "invalid",                                                         "-F version=",
     {AS_FILE("file", "x.bin", "@A")}                                                                                },
    {"empty version",
     (const char *const[]){"p"},
     "",                                           422,
     "invalid",                                                         "-F version=",
     {AS_FILE("file", "x.bin", "@A"), FIELD("version", "")}                                                          },
    {"version with a quote",
     (const char *const[]){"p"},
     "",                                           422,
     "invalid",                                                         "version",
     {AS_FILE("file", "x.bin", "@A"), FIELD("version", "1\"2")}                                                      },
    {"version with a control character",
     (const char *const[]){"p"},
     "",                                           422,
     "invalid",                                                         "version",
     {AS_FILE("file", "x.bin", "@A"), FIELD("version", "1\r\nX-Evil: 1")}                                            },
    {"version in UTF-8",
     (const char *const[]){"p"},
     "",                                           422,
     "invalid",                                                         "version",
     {AS_FILE("file", "x.bin", "@A"), FIELD("version", "ü1")}                                                       },
    {"version of 65 characters",
     (const char *const[]){"p"},
     "",                                           422,
     "invalid",                                                         "version",
     {AS_FILE("file", "x.bin", "@A"),
      FIELD("version", "12345678901234567890123456789012345678901234567890123456789012345")}                         },
    {"number 0",
     (const char *const[]){"p"},
     "",                                           422,
     "invalid",                                                         "2147483647",
     {AS_FILE("file", "x.bin", "@A"), FIELD("version", "1"), FIELD("number", "0")}                                   },
    {"number above what toInt() reads",
     (const char *const[]){"p"},
     "",                                           422,
     "invalid",                                                         "2147483647",
     {AS_FILE("file", "x.bin", "@A"), FIELD("version", "1"), FIELD("number", "2147483648")}                          },
    {"number in words",
     (const char *const[]){"p"},
     "",                                           422,
     "invalid",                                                         "toInt()",
     {AS_FILE("file", "x.bin", "@A"), FIELD("version", "1"), FIELD("number", "seven")}                               },
    {"bad channel",
     (const char *const[]){"p"},
     "",                                           422,
     "invalid",                                                         "channel",
     {AS_FILE("file", "x.bin", "@A"), FIELD("version", "1"), FIELD("channel", "Not A Channel")}                      },
    {"bad kind",
     (const char *const[]){"p"},
     "",                                           422,
     "invalid",                                                         "app, fs or factory",
     {AS_FILE("file", "x.bin", "@A"), FIELD("version", "1"), FIELD("kind", "image")}                                 },
    {"kind that isn't the file's",
     (const char *const[]){"p"},
     "",                                           422,
     "invalid",                                                         "kind",
     {AS_FILE("file", "x.bin", "@A"), FIELD("version", "1"), FIELD("kind", "fs")}                                    },
    {"notes too long",
     (const char *const[]){"p"},
     "",                                           422,
     "invalid",                                                         "notes",
     {AS_FILE("file", "x.bin", "@A"), FIELD("version", "1"), FIELD("notes", long_notes)}                             },
    {"another file's MD5",
     (const char *const[]){"p"},
     "",                                           422,
     "invalid",                                                         "MD5",
     {AS_FILE("file", "x.bin", "@A"), FIELD("version", "1"),
      FIELD("MD5", "d41d8cd98f00b204e9800998ecf8427e")}                                                              },
    {"half an MD5",
     (const char *const[]){"p"},
     "",                                           422,
     "invalid",                                                         "MD5",
     {AS_FILE("file", "x.bin", "@A"), FIELD("version", "1"), FIELD("MD5", "d41d8cd9")}                               },
    {"a text",
     (const char *const[]){"p"},
     "",                                           422,
     "invalid",                                                         ".ino.bin",
     {AS_FILE("file", "x.bin", "#include <Arduino.h>\nvoid setup() {}\n"), FIELD("version", "1")}                    },
    {"an image cut short",
     (const char *const[]){"p"},
     "",                                           422,
     "invalid",                                                         "cut short",
     {AS_FILE("file", "x.bin", "@CUT"), FIELD("version", "1")}                                                       },
    {"force without the role",
     (const char *const[]){"p"},
     "?force=true",                                403,
     "forbidden",                                                       "admin",
     {AS_FILE("file", "x.bin", "@A"), FIELD("version", "1")}                                                         },
    {"a viewer",
     (const char *const[]){"v"},
     "",                                           403,
     "forbidden",                                                       "publisher",
     {AS_FILE("file", "x.bin", "@A"), FIELD("version", "1")}                                                         },
    {"another product's key",
     (const char *const[]){"b"},
     "",                                           403,
     "forbidden",                                                       "other",
     {AS_FILE("file", "x.bin", "@A"), FIELD("version", "1")}                                                         },
    {"an unknown key",
     (const char *const[]){"x"},
     "",                                           401,
     "unauthorized",                                                    "unknown",
     {AS_FILE("file", "x.bin", "@A"), FIELD("version", "1")}                                                         },
};

static const char *key_of(const char *const *sign)
{
    if (sign == NULL)
        return NULL;
    return **sign == 'p'   ? publisher
           : **sign == 'v' ? viewer
           : **sign == 'b' ? bound
                           : "otad_wrong";
}

START_TEST(upload_is_refused_and_leaves_nothing)
{
    char query[128];
    (void)snprintf(query, sizeof query, "%s%s", product_for("refused", _i), refused[_i].query);
    memset(long_notes, 'n', sizeof long_notes - 1);
    struct rows before = count_rows();
    struct reply r = upload_row(key_of(refused[_i].key), query, refused[_i].parts);
    CK_STATUS(refused[_i].what, r, refused[_i].status);
    CK_TEXT(refused[_i].what, r, "error.code", refused[_i].code);
    ck_assert_msg(strstr(r.body, refused[_i].says) != NULL, "%s: '%s' isn't said: %s",
                  refused[_i].what, refused[_i].says, r.body);
    check_nothing_left(refused[_i].what, before);
    reply_free(&r);
}
END_TEST

START_TEST(upload_to_an_unknown_product_is_404)
{
    const struct part parts[] = {
        AS_FILE("file", "x.bin", "@A"), FIELD("version", "1"), {.name = NULL}};
    struct rows before = count_rows();
    struct reply r = upload_row(publisher, "nothing-here", parts);
    CK_STATUS("unknown product", r, 404);
    CK_TEXT("unknown product", r, "error.code", "not_found");
    check_nothing_left("unknown product", before);
    reply_free(&r);
}
END_TEST

START_TEST(json_instead_of_an_image_is_415)
{
    struct reply r = send_json(&d, publisher, "POST", "/api/v1/products/other/builds", "{\"a\":1}");
    CK_STATUS("JSON", r, 415);
    CK_TEXT("JSON", r, "error.code", "unsupported_media_type");
    reply_free(&r);
}
END_TEST

START_TEST(empty_raw_body_is_refused)
{
    struct reply r = call(&d, "POST", "/api/v1/products/other/builds?version=1",
                          (struct call){.key = admin, .data = "", .n = 0});
    CK_STATUS("empty", r, 422);
    reply_free(&r);
}
END_TEST

START_TEST(image_for_another_chip_is_409)
{
    const char *slug = product_for("chip", 0);
    const struct part first[] = {
        AS_FILE("file", "x.bin", "@A"), FIELD("version", "1"), {.name = NULL}};
    const struct part second[] = {
        AS_FILE("file", "x.bin", "@ESP32"), FIELD("version", "2"), {.name = NULL}};
    struct reply r = upload_row(publisher, slug, first);
    CK_STATUS("ESP8266", r, 201);
    reply_free(&r);
    struct rows before = count_rows();
    r = upload_row(publisher, slug, second);
    CK_STATUS("ESP32", r, 409);
    ck_assert_ptr_nonnull(strstr(r.body, "ESP32"));
    ck_assert_ptr_nonnull(strstr(r.body, "ESP8266"));
    check_nothing_left("wrong chip", before);
    reply_free(&r);
}
END_TEST

/* ---- again -------------------------------------------------------------------------------- */

START_TEST(same_bytes_again_are_the_same_build)
{
    const char *slug = product_for("again", 0);
    const struct part first[] = {
        AS_FILE("file", "x.bin", "@A"), FIELD("version", "1"), {.name = NULL}};
    const struct part again[] = {
        AS_FILE("firmware", "renamed.bin", "@A"), FIELD("version", "1"), {.name = NULL}};
    struct reply r = upload_row(publisher, slug, first);
    CK_STATUS("first", r, 201);
    struct rows before = count_rows();
    struct reply s = upload_row(publisher, slug, again);
    CK_STATUS("again", s, 200);
    CK_TEXT("again", s, "id", reply_text(&r, "id"));
    CK_TEXT("again", s, "filename", "x.bin");
    check_nothing_left("again", before);
    reply_free(&r);
    reply_free(&s);
}
END_TEST

START_TEST(other_bytes_under_the_same_version_are_409)
{
    const char *slug = product_for("conflict", 0);
    const struct part first[] = {
        AS_FILE("file", "x.bin", "@A"), FIELD("version", "1.0.9"), {.name = NULL}};
    const struct part other[] = {
        AS_FILE("file", "My Lamp (new).bin", "@B"), FIELD("version", "1.0.9"), {.name = NULL}};
    struct reply r = upload_row(publisher, slug, first);
    CK_STATUS("first", r, 201);
    struct rows before = count_rows();
    struct reply s = upload_row(publisher, slug, other);
    CK_STATUS("other", s, 409);
    CK_TEXT("other", s, "error.code", "conflict");
    ck_assert_msg(strstr(reply_text(&s, "error.message"), reply_text(&r, "id")) != NULL,
                  "the existing build isn't named: %s", s.body);
    check_nothing_left("conflict", before);

    /* The hint is the exact command: it works as it stands. */
    char path[256], command[1600], url[192], expected[160];
    (void)snprintf(path, sizeof path, "%s/My Lamp (new).bin", d.root);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(b.data, 1, b.n, f), b.n);
    ck_assert_int_eq(fclose(f), 0);
    const char *hint = reply_text(&s, "error.hint");
    (void)snprintf(url, sizeof url, "http://%s/api/v1/products/%s/builds", d.address, slug);
    ck_assert_msg(strstr(hint, url) != NULL && strstr(hint, "-F version=1.0.10") != NULL, "%s",
                  hint);
    (void)snprintf(command, sizeof command,
                   "cd '%s' && KEY=%s && %s -s -w '%%{http_code}' -o /dev/null", d.root, publisher,
                   hint);
    FILE *curl = popen(command, "re");
    ck_assert_ptr_nonnull(curl);
    ck_assert_ptr_nonnull(fgets(expected, sizeof expected, curl));
    (void)pclose(curl);
    ck_assert_msg(strcmp(expected, "201") == 0, "the hint gave %s: %s", expected, hint);
    reply_free(&r);
    reply_free(&s);
}
END_TEST

START_TEST(missing_version_hint_works_as_it_stands)
{
    const char *slug = product_for("hint", 0);
    const struct part parts[] = {AS_FILE("file", "two words.bin", "@A"), {.name = NULL}};
    char path[256], command[1600], status[16];
    struct reply r = upload_row(publisher, slug, parts);
    CK_STATUS("no version", r, 422);
    (void)snprintf(path, sizeof path, "%s/two words.bin", d.root);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(a.data, 1, a.n, f), a.n);
    ck_assert_int_eq(fclose(f), 0);
    (void)snprintf(command, sizeof command,
                   "cd '%s' && KEY=%s && %s -s -w '%%{http_code}' -o /dev/null", d.root, publisher,
                   reply_text(&r, "error.hint"));
    FILE *curl = popen(command, "re");
    ck_assert_ptr_nonnull(curl);
    ck_assert_ptr_nonnull(fgets(status, sizeof status, curl));
    (void)pclose(curl);
    ck_assert_msg(strcmp(status, "201") == 0, "the hint gave %s: %s", status,
                  reply_text(&r, "error.hint"));
    reply_free(&r);
}
END_TEST

START_TEST(new_version_of_the_same_bytes_shares_the_image)
{
    const char *slug = product_for("share", 0);
    const struct part first[] = {
        AS_FILE("file", "x.bin", "@A"), FIELD("version", "1"), {.name = NULL}};
    const struct part second[] = {
        AS_FILE("file", "x.bin", "@A"), FIELD("version", "2"), {.name = NULL}};
    struct reply r = upload_row(publisher, slug, first);
    CK_STATUS("1", r, 201);
    struct rows before = count_rows();
    struct reply s = upload_row(publisher, slug, second);
    CK_STATUS("2", s, 201);
    struct rows after = count_rows();
    ck_assert_str_ne(reply_text(&r, "id"), reply_text(&s, "id"));
    CK_TEXT("2", s, "sha256", reply_text(&r, "sha256"));
    ck_assert_int_eq(after.builds, before.builds + 1);
    ck_assert_int_eq(after.images, before.images);
    ck_assert_int_eq(after.chunks, before.chunks);
    reply_free(&r);
    reply_free(&s);
}
END_TEST

static const struct {
    const char *version, *number;
    int64_t want;
    bool warns;
} numbers[] = {
    {"1.0",        NULL,         1,          false},
    {"1.1",        NULL,         2,          false},
    {"2017102501", NULL,         2017102501, false},
    {"1.2",        NULL,         2017102502, false},
    {"1.3",        "7",          7,          true },
    {"1.4",        NULL,         2017102503, false},
    {"5",          NULL,         5,          true },
    {"1.5",        "2147483647", 2147483647, false},
};

START_TEST(number_follows_version_form_or_the_last_one)
{
    const char *slug = product_for("numbers", 0);
    for (size_t i = 0; i < OTAD_COUNT(numbers); i++) {
        const struct part parts[] = {
            AS_FILE("file", "x.bin", "@A"),
            FIELD("version", numbers[i].version),
            FIELD(numbers[i].number ? "number" : "ignored", numbers[i].number),
            {.name = NULL}};
        struct reply r = upload_row(publisher, slug, parts);
        CK_STATUS(numbers[i].version, r, 201);
        ck_assert_msg(reply_number(&r, "number") == numbers[i].want, "%s: %s", numbers[i].version,
                      r.body);
        ck_assert_msg((json_array_size(reply_at(&r, "warnings")) > 0) == numbers[i].warns, "%s: %s",
                      numbers[i].version, r.body);
        reply_free(&r);
    }
    const struct part parts[] = {
        AS_FILE("file", "x.bin", "@A"), FIELD("version", "1.6"), {.name = NULL}};
    struct reply r = upload_row(publisher, slug, parts);
    CK_STATUS("no number is left", r, 422);
    reply_free(&r);
}
END_TEST

struct racer {
    pthread_t thread;
    const char *slug;
    struct reply reply;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    const struct part parts[] = {
        AS_FILE("file", "x.bin", "@B"), FIELD("version", "1"), {.name = NULL}};
    r->reply = upload_row(publisher, r->slug, parts);
    return NULL;
}

START_TEST(same_bytes_uploaded_at_once_are_one_build)
{
    struct racer racers[6];
    const char *slug = product_for("race", 0);
    int created = 0;
    for (size_t i = 0; i < OTAD_COUNT(racers); i++) {
        racers[i].slug = slug;
        ck_assert_int_eq(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (size_t i = 0; i < OTAD_COUNT(racers); i++)
        ck_assert_int_eq(pthread_join(racers[i].thread, NULL), 0);
    for (size_t i = 0; i < OTAD_COUNT(racers); i++) {
        ck_assert(racers[i].reply.status == 201 || racers[i].reply.status == 200);
        created += racers[i].reply.status == 201;
        CK_TEXT("racer", racers[i].reply, "id", reply_text(&racers[0].reply, "id"));
    }
    ck_assert_int_eq(created, 1);
    ck_assert_int_eq(daemon_sql(&d, "SELECT count(*) FROM image WHERE linked_at_s IS NULL"), 0);
    for (size_t i = 0; i < OTAD_COUNT(racers); i++)
        reply_free(&racers[i].reply);
}
END_TEST

/* ---- sizes -------------------------------------------------------------------------------- */

START_TEST(large_image_comes_back_byte_for_byte)
{
    const char *slug = product_for("large", 0);
    struct img img = image_of("ESP8266", 77, 1000000);
    char path[200];
    const struct part parts[] = {
        {.name = "file",    .filename = "x.bin", .data = img.data, .n = img.n},
        FIELD("version", "1"),
        {.name = NULL}
    };
    struct reply r = upload(&d, publisher, slug, parts);
    CK_STATUS("upload", r, 201);
    (void)snprintf(path, sizeof path, "/api/v1/products/%s/builds/%s/file", slug,
                   reply_text(&r, "id"));
    struct reply s = get(&d, viewer, path);
    CK_STATUS("file", s, 200);
    ck_assert_uint_eq(s.n, img.n);
    ck_assert_mem_eq(s.body, img.data, img.n);
    reply_free(&r);
    reply_free(&s);
    img_free(&img);
}
END_TEST

static const struct {
    const char *what;
    size_t n;
    bool form;
} too_large[] = {
    {"a form with one byte too many", IMAGE_MAX + 1, true },
    {"raw, one byte too many",        IMAGE_MAX + 1, false},
};

START_TEST(oversized_image_is_413_and_leaves_nothing)
{
    const char *slug = product_for("big", _i);
    char *data = malloc(too_large[_i].n);
    char path[128];
    ck_assert_ptr_nonnull(data);
    memset(data, 0xE9, too_large[_i].n);
    const struct part parts[] = {
        {.name = "file", .filename = "x.bin", .data = data, .n = too_large[_i].n},
        FIELD("version", "1"),
        {.name = NULL }
    };
    struct rows before = count_rows();
    (void)snprintf(path, sizeof path, "/api/v1/products/%s/builds?version=1", slug);
    struct reply r =
        too_large[_i].form
            ? upload(&d, publisher, slug, parts)
            : call(&d, "POST", path,
                   (struct call){.key = publisher, .data = data, .n = too_large[_i].n});
    CK_STATUS(too_large[_i].what, r, 413);
    CK_TEXT(too_large[_i].what, r, "error.code", "too_large");
    ck_assert_msg(strstr(r.body, "image_max_bytes") != NULL, "%s", r.body);
    check_nothing_left(too_large[_i].what, before);
    reply_free(&r);
    free(data);
}
END_TEST

START_TEST(oversized_announcement_is_refused_before_the_body)
{
    char head[512];
    (void)snprintf(head, sizeof head,
                   "POST /api/v1/products/other/builds?version=1 HTTP/1.1\r\nHost: x\r\n"
                   "Authorization: Bearer %s\r\nContent-Type: application/octet-stream\r\n"
                   "Content-Length: 4000000000\r\n\r\n",
                   publisher);
    struct reply r = raw_text(&d, head);
    ck_assert_msg(r.status == 413 || r.status == 403, "%s", r.head);
    ck_assert(r.closed);
    reply_free(&r);
    (void)snprintf(head, sizeof head,
                   "POST /api/v1/products/other/builds?version=1 HTTP/1.1\r\nHost: x\r\n"
                   "Authorization: Bearer %s\r\nExpect: 100-continue\r\n"
                   "Content-Length: 4000000000\r\n\r\n",
                   admin);
    r = raw_text(&d, head);
    CK_STATUS("Expect: 100-continue", r, 413);
    ck_assert_msg(strstr(r.head, " 100 ") == NULL, "no 100 before a refusal: %s", r.head);
    reply_free(&r);
}
END_TEST

/* Sends what the kernel takes. @return bytes sent until the server had enough */
static size_t pour(int fd, size_t n)
{
    static char block[16384];
    size_t sent = 0;
    while (sent < n) {
        ssize_t done = send(fd, block, sizeof block, MSG_NOSIGNAL);
        if (done <= 0)
            break;
        sent += (size_t)done;
    }
    return sent;
}

START_TEST(wrong_key_cuts_twenty_megabytes_at_the_first_callback)
{
    char head[512];
    const size_t total = 20000000;
    const int small = 32768;
    struct rows before = count_rows();
    int n = snprintf(head, sizeof head,
                     "POST /api/v1/products/other/builds?version=1 HTTP/1.1\r\nHost: x\r\n"
                     "Authorization: Bearer otad_wrong\r\nContent-Length: %zu\r\n\r\n",
                     total);
    int fd = raw_connect(&d);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    raw_send(fd, head, (size_t)n);
    size_t sent = pour(fd, total);
    /* What was sent went into socket buffers (both sides'), not into otad. */
    ck_assert_msg(sent < 8000000, "%zu bytes were taken", sent);
    (void)close(fd);
    check_nothing_left("a cut upload", before);
}
END_TEST

static const struct {
    const char *what;
    size_t n;
} small_refused[] = {
    {"1 KiB",   1024   },
    {"100 KiB", 102400 },
    {"1 MiB",   1048576}
};

START_TEST(refused_small_body_still_shows_its_answer)
{
    char *data = calloc(1, small_refused[_i].n);
    ck_assert_ptr_nonnull(data);
    for (int i = 0; i < 5; i++) {
        struct reply r =
            call(&d, "POST", "/api/v1/products/other/builds?version=1",
                 (struct call){.key = "otad_wrong", .data = data, .n = small_refused[_i].n});
        CK_STATUS(small_refused[_i].what, r, 401);
        CK_TEXT(small_refused[_i].what, r, "error.code", "unauthorized");
        reply_free(&r);
    }
    free(data);
}
END_TEST

/* ---- pieces ------------------------------------------------------------------------------- */

struct text {
    char *data;
    size_t n;
};

static struct text form_body(const char *version)
{
    static const char head[] =
        "--XyZ\r\nContent-Disposition: form-data; name=\"file\"; "
        "filename=\"x.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n";
    struct text t = {.data = malloc(a.n + 512)};
    ck_assert_ptr_nonnull(t.data);
    memcpy(t.data, head, sizeof head - 1);
    memcpy(t.data + sizeof head - 1, a.data, a.n);
    t.n = sizeof head - 1 + a.n;
    t.n += (size_t)sprintf(t.data + t.n,
                           "\r\n--XyZ\r\nContent-Disposition: form-data; "
                           "name=\"version\"\r\n\r\n%s\r\n--XyZ--\r\n",
                           version);
    return t;
}

/* The body in two pieces, cut at every place where a parser could stumble. */
START_TEST(form_may_arrive_in_any_pieces)
{
    const char *slug = product_for("pieces", 0);
    struct text t = form_body("1");
    char head[512];
    for (size_t cut = 1; cut < t.n; cut += cut < 160 || cut + 120 > t.n ? 7 : (t.n - 280) / 3) {
        int n = snprintf(
            head, sizeof head,
            "POST /api/v1/products/%s/builds HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            "Authorization: Bearer %s\r\nContent-Type: multipart/form-data; boundary=XyZ\r\n"
            "Content-Length: %zu\r\n\r\n",
            slug, publisher, t.n);
        int fd = raw_connect(&d);
        raw_send(fd, head, (size_t)n);
        raw_send(fd, t.data, cut);
        test_sleep_ms(3);
        raw_send(fd, t.data + cut, t.n - cut);
        struct reply r = raw_reply(fd, false);
        ck_assert_msg(r.status == (cut == 1 ? 201 : 200), "cut at %zu: %s\n%s", cut, r.head,
                      r.body);
        ck_assert_int_eq(reply_number(&r, "size"), (int64_t)a.n);
        reply_free(&r);
        (void)close(fd);
    }
    free(t.data);
}
END_TEST

START_TEST(chunked_form_is_taken)
{
    const char *slug = product_for("chunked", 0);
    struct text t = form_body("1");
    char text[512];
    int fd = raw_connect(&d);
    int n = snprintf(
        text, sizeof text,
        "POST /api/v1/products/%s/builds HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        "Authorization: Bearer %s\r\nContent-Type: multipart/form-data; boundary=XyZ\r\n\r\n",
        slug, publisher);
    raw_send(fd, text, (size_t)n);
    for (size_t at = 0; at < t.n; at += 3000) {
        size_t piece = t.n - at < 3000 ? t.n - at : 3000;
        raw_send(fd, text, (size_t)snprintf(text, sizeof text, "%zx\r\n", piece));
        raw_send(fd, t.data + at, piece);
        raw_send(fd, "\r\n", 2);
    }
    raw_send(fd, "0\r\n\r\n", 5);
    struct reply r = raw_reply(fd, false);
    CK_STATUS("chunked", r, 201);
    reply_free(&r);
    (void)close(fd);
    free(t.data);
}
END_TEST

START_TEST(chunked_body_without_end_is_413)
{
    char text[512];
    struct rows before = count_rows();
    int fd = raw_connect(&d);
    int n = snprintf(text, sizeof text,
                     "POST /api/v1/products/other/builds?version=1 HTTP/1.1\r\nHost: x\r\n"
                     "Transfer-Encoding: chunked\r\nAuthorization: Bearer %s\r\n\r\n",
                     admin);
    char *block = calloc(1, 65536 + 16);
    ck_assert_ptr_nonnull(block);
    raw_send(fd, text, (size_t)n);
    memcpy(block, "10000\r\n", 7);
    memcpy(block + 7 + 65536, "\r\n", 2);
    for (int i = 0; i < 48; i++) /* 3 MiB: above the limit of 2 */
        raw_send(fd, block, 7 + 65536 + 2);
    raw_send(fd, "0\r\n\r\n", 5);
    struct reply r = raw_reply(fd, false);
    CK_STATUS("chunked", r, 413);
    check_nothing_left("chunked", before);
    reply_free(&r);
    (void)close(fd);
    free(block);
}
END_TEST

static const struct {
    const char *what, *type, *body;
    int status;
} malformed[] = {
    {"no boundary", "multipart/form-data",               "--XyZ--\r\n",                          400},
    {"no end",      "multipart/form-data; boundary=XyZ",
     "--XyZ\r\nContent-Disposition: form-data; name=\"version\"\r\n\r\n1",                       400},
    {"no parts",    "multipart/form-data; boundary=XyZ", "--XyZ--\r\n",                          422},
    {"no name",     "multipart/form-data; boundary=XyZ",
     "--XyZ\r\nContent-Disposition: form-data\r\n\r\n1\r\n--XyZ--\r\n",                          422},
    {"rubbish",     "multipart/form-data; boundary=XyZ", "hello, world, this is no form at all", 400},
};

START_TEST(malformed_form_is_refused)
{
    struct rows before = count_rows();
    struct reply r = call(&d, "POST", "/api/v1/products/other/builds",
                          (struct call){.key = admin,
                                        .data = malformed[_i].body,
                                        .n = strlen(malformed[_i].body),
                                        .type = malformed[_i].type});
    ck_assert_msg(r.status >= 400 && r.status < 500, "%s: %ld", malformed[_i].what, r.status);
    ck_assert_msg(json_is_string(reply_at(&r, "error.message")), "%s: %s", malformed[_i].what,
                  r.body);
    check_nothing_left(malformed[_i].what, before);
    reply_free(&r);
}
END_TEST

START_TEST(client_that_goes_away_leaves_nothing)
{
    char head[512];
    struct rows before = count_rows();
    int n = snprintf(head, sizeof head,
                     "POST /api/v1/products/other/builds?version=1 HTTP/1.1\r\nHost: x\r\n"
                     "Authorization: Bearer %s\r\nContent-Length: %zu\r\n\r\n",
                     admin, a.n);
    for (int i = 0; i < 5; i++) {
        int fd = raw_connect(&d);
        raw_send(fd, head, (size_t)n);
        raw_send(fd, a.data, a.n / 2);
        if (i == 0) { /* the spool has no name: nothing to see while it is there */
            test_sleep_ms(50);
            check_nothing_left("a running upload", before);
        }
        (void)close(fd);
    }
    struct reply r = get(&d, admin, "/api/v1/products/other/builds");
    ck_assert_uint_eq(json_array_size(reply_at(&r, "items")), 0);
    check_nothing_left("an aborted upload", before);
    reply_free(&r);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("upload");
    TCase *tc = tcase_create("upload");
    tcase_set_timeout(tc, 300);
    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, upload_is_taken, 0, (int)OTAD_COUNT(taken));
    tcase_add_test(tc, answer_has_every_field_of_the_build);
    tcase_add_loop_test(tc, raw_body_is_taken_whatever_its_content_type, 0, (int)OTAD_COUNT(raw));
    tcase_add_test(tc, raw_body_with_the_version_inside_needs_no_query);
    tcase_add_loop_test(tc, right_md5_is_checked_in_any_case, 0, 2);
    tcase_add_loop_test(tc, upload_is_refused_and_leaves_nothing, 0, (int)OTAD_COUNT(refused));
    tcase_add_test(tc, upload_to_an_unknown_product_is_404);
    tcase_add_test(tc, json_instead_of_an_image_is_415);
    tcase_add_test(tc, empty_raw_body_is_refused);
    tcase_add_test(tc, image_for_another_chip_is_409);
    tcase_add_test(tc, same_bytes_again_are_the_same_build);
    tcase_add_test(tc, other_bytes_under_the_same_version_are_409);
    tcase_add_test(tc, missing_version_hint_works_as_it_stands);
    tcase_add_test(tc, new_version_of_the_same_bytes_shares_the_image);
    tcase_add_test(tc, number_follows_version_form_or_the_last_one);
    tcase_add_test(tc, same_bytes_uploaded_at_once_are_one_build);
    tcase_add_test(tc, large_image_comes_back_byte_for_byte);
    tcase_add_loop_test(tc, oversized_image_is_413_and_leaves_nothing, 0,
                        (int)OTAD_COUNT(too_large));
    tcase_add_test(tc, oversized_announcement_is_refused_before_the_body);
    tcase_add_test(tc, wrong_key_cuts_twenty_megabytes_at_the_first_callback);
    tcase_add_loop_test(tc, refused_small_body_still_shows_its_answer, 0,
                        (int)OTAD_COUNT(small_refused));
    tcase_add_test(tc, form_may_arrive_in_any_pieces);
    tcase_add_test(tc, chunked_form_is_taken);
    tcase_add_test(tc, chunked_body_without_end_is_413);
    tcase_add_loop_test(tc, malformed_form_is_refused, 0, (int)OTAD_COUNT(malformed));
    tcase_add_test(tc, client_that_goes_away_leaves_nothing);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
