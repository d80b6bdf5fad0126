/* SPDX-License-Identifier: MIT
 * `otad inspect`: exit status, one JSON object a line, words for people. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "cli/inspect.h"
#include "support/imgtest.h"

static char folder[] = "/tmp/otad-inspect-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const struct img *img)
{
    FILE *f = fopen(path_of(name), "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert(img->n == 0 || fwrite(img->data, 1, img->n, f) == img->n);
    ck_assert_int_eq(fclose(f), 0);
}

static void make_files(void)
{
    if (strstr(folder, "XXXXXX") != NULL)
        ck_assert_ptr_nonnull(mkdtemp(folder));
    struct img good OTAD_AUTO(img_free) =
        build_app((struct img_spec){.chip = "ESP8266", .version = "1.0"});
    struct img cut = {good.data, good.n - 1, 0}, none = {0};
    struct img table OTAD_AUTO(img_free) = {0};
    img_build_table(true, &table);
    struct img rich OTAD_AUTO(img_free) =
        build_app((struct img_spec){.chip = "ESP32",
                                    .desc = IMG_DESC_LIBRARY,
                                    .extra = " AKIA0123456789ABCDEF ",
                                    .extra_n = 22});
    struct img damaged OTAD_AUTO(img_free) =
        build_app((struct img_spec){.chip = "ESP32-C6", .size_bytes = 2000000});
    struct img packed OTAD_AUTO(img_free) = {0}, fs OTAD_AUTO(img_free) = {0};
    damaged.data[100] ^= 1;
    img_sign_arduino_esp32(&rich);
    img_gzip(&good, &packed);
    img_build_littlefs(4096, 4, 0, &fs);
    write_file("rich.bin", &rich);
    write_file("damaged.bin", &damaged);
    write_file("packed.gz", &packed);
    write_file("fs.bin", &fs);
    write_file("good.bin", &good);
    write_file("cut.bin", &cut);
    write_file("empty.bin", &none);
    write_file("table.bin", &table);
    write_file("\xff.bin", &good); /* a name that is no UTF-8 */
}

static void remove_files(void)
{
    static const char *const names[] = {"good.bin",  "rich.bin", "damaged.bin", "packed.gz",
                                        "fs.bin",    "\xff.bin", "cut.bin",     "empty.bin",
                                        "table.bin", "out",      "err"};
    for (unsigned i = 0; i < OTAD_COUNT(names); i++)
        (void)unlink(path_of(names[i]));
    ck_assert_int_eq(rmdir(folder), 0);
}

struct outcome {
    int status;
    char out[16384], err[2048];
};

static void read_back(const char *name, char *text, size_t n)
{
    FILE *f = fopen(path_of(name), "rb");
    ck_assert_ptr_nonnull(f);
    text[fread(text, 1, n - 1, f)] = '\0';
    (void)fclose(f);
}

/** The command in a process of its own, with its streams in files. Never returns. */
static void run_child(int argc, char **argv)
{
    bool ok = freopen(path_of("good.bin"), "rb", stdin) != NULL &&
              freopen(path_of("out"), "wb", stdout) != NULL &&
              freopen(path_of("err"), "wb", stderr) != NULL;
    exit(ok ? cmd_inspect(argc, argv) : 99);
}

/** Runs the command with up to four arguments, NULL at the end; what starts with neither '/' nor
 *  '-' is a name in the folder. Standard input is good.bin. */
static void run(const char *const *args, struct outcome *outcome)
{
    char words[6][128] = {"inspect"};
    char *argv[7] = {words[0]};
    int argc = 1, status = 0;
    for (; args[argc - 1] != NULL; argc++) {
        const char *word = args[argc - 1];
        bool plain = word[0] == '-' || word[0] == '/';
        (void)snprintf(words[argc], sizeof words[argc], "%s", plain ? word : path_of(word));
        argv[argc] = words[argc];
    }
    pid_t pid = fork();
    if (pid == 0)
        run_child(argc, argv);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    outcome->status = WEXITSTATUS(status);
    read_back("out", outcome->out, sizeof outcome->out);
    read_back("err", outcome->err, sizeof outcome->err);
}

static const struct {
    const char *args[5];
    int status;
    const char *out, *err; /* parts, or NULL for an empty stream */
} rows[] = {
    {{"good.bin"},                0, "an ESP8266 application",                               NULL                 },
    {{"good.bin"},                0, "deliverable    yes",                                   NULL                 },
    {{"table.bin"},               1, "a partition table",                                    NULL                 },
    {{"table.bin"},               1, "to do          The application is in the same folder", NULL                 },
    {{"cut.bin"},                 1, "cut short",                                            NULL                 },
    {{"rich.bin"},                0, "signature      arduino-esp32, 512 bytes",              NULL                 },
    {{"rich.bin"},                0, "AWS access key",                                       NULL                 },
    {{"rich.bin"},                0, "the Arduino library builder's",                        NULL                 },
    {{"rich.bin"},                0, "version        none: no Blynk tag",                    NULL                 },
    {{"rich.bin"},                0, "MD5 of image",                                         NULL                 },
    {{"damaged.bin"},             1, "app. SHA WRONG",                                       NULL                 },
    {{"damaged.bin"},             1, "DOESN'T FIT    2,000,000 of 1,310,720 bytes, 152 %",   NULL                 },
    {{"damaged.bin"},             1, "but has no room to update",                            NULL                 },
    {{"packed.gz"},               0, "gzip of an ESP8266 application",                       NULL                 },
    {{"packed.gz"},               0, "MD5 unpacked",                                         NULL                 },
    {{"fs.bin"},                  0, "4 blocks of 4096 bytes",                               NULL                 },
    {{"--json", "\xff.bin"},      0, "/?.bin\"",                                             NULL                 },
    {{"empty.bin"},               1, "an empty file",                                        NULL                 },
    {{"/dev/null"},               1, "an empty file",                                        NULL                 },
    {{"missing.bin"},             2, NULL,                                                   "No such file"       },
    {{"/"},                       2, NULL,                                                   "directory"          },
    {{"good.bin", "table.bin"},   1, "partition table",                                      NULL                 },
    {{"missing.bin", "good.bin"}, 2, "an ESP8266 application",                               "missing.bin"        },
    {{"--json", "good.bin"},      0, "\"deliverable\":true",                                 NULL                 },
    {{"--json", "cut.bin"},       1, "\"hint\":\"The copy or download stopped early",        NULL                 },
    {{"--json", "missing.bin"},   2, "\"error\":\"No such file or directory\"",              "No such"            },
    {{"--help"},                  0, "usage: otad inspect",                                  NULL                 },
    {{NULL},                      2, NULL,                                                   "usage: otad inspect"},
    {{"--nonsense"},              2, NULL,                                                   "usage: otad inspect"},
};

START_TEST(status_and_words)
{
    static struct outcome outcome;
    run(rows[_i].args, &outcome);
    const char *what = rows[_i].args[0] != NULL ? rows[_i].args[0] : "no arguments";
    ck_assert_msg(outcome.status == rows[_i].status, "%s: %d", what, outcome.status);
    if (rows[_i].out != NULL)
        assert_holds(what, outcome.out, rows[_i].out);
    else
        ck_assert_str_eq(outcome.out, "");
    if (rows[_i].err != NULL)
        assert_holds(what, outcome.err, rows[_i].err);
    else
        ck_assert_str_eq(outcome.err, "");
}
END_TEST

START_TEST(json_is_one_object_a_line)
{
    static struct outcome outcome;
    const char *args[] = {"--json", "good.bin", "missing.bin", "table.bin", NULL};
    run(args, &outcome);
    char *line = outcome.out;
    for (unsigned i = 0; i < 3; i++) {
        char *end = strchr(line, '\n');
        ck_assert_ptr_nonnull(end);
        *end = '\0';
        json_t *object = json_loads(line, 0, NULL);
        ck_assert(json_is_object(object));
        const char *file = json_string_value(json_object_get(object, "file"));
        ck_assert_str_eq(strrchr(file, '/') + 1, args[i + 1]);
        ck_assert(json_is_string(json_object_get(object, i == 1 ? "error" : "kind")));
        json_decref(object);
        line = end + 1;
    }
    ck_assert_str_eq(line, "");
}
END_TEST

START_TEST(standard_input_is_read)
{
    static struct outcome outcome;
    const char *args[] = {"-", NULL};
    run(args, &outcome);
    ck_assert_int_eq(outcome.status, 0);
    assert_holds("stdin", outcome.out, "-: an ESP8266 application");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("image_inspect_cmd");
    TCase *tc = tcase_create("inspect");
    tcase_add_unchecked_fixture(tc, make_files, remove_files);
    tcase_add_loop_test(tc, status_and_words, 0, (int)OTAD_COUNT(rows));
    tcase_add_test(tc, json_is_one_object_a_line);
    tcase_add_test(tc, standard_input_is_read);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
