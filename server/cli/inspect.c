/* SPDX-License-Identifier: MIT
 * Owns the inspect command: files in, one verdict each out. */
#include "cli/inspect.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/file.h"
#include "image/image_json.h"

#define EXIT_NOT_DELIVERABLE 1
#define EXIT_UNREADABLE 2

/** The name as JSON text: bytes that are no UTF-8 become '?'. */
static json_t *name_json(const char *name)
{
    json_t *text = json_string(name);
    if (text != NULL)
        return text;
    char ascii[256];
    size_t i = 0;
    for (; name[i] != '\0' && i + 1 < sizeof ascii; i++)
        ascii[i] = (unsigned char)name[i] < 0x80 ? name[i] : '?';
    ascii[i] = '\0';
    return json_string(ascii);
}

static int print_json(json_t *object)
{
    int status = object == NULL || json_dumpf(object, stdout, JSON_COMPACT) != 0;
    json_decref(object);
    (void)putchar('\n');
    return status == 0 ? EXIT_SUCCESS : EXIT_UNREADABLE;
}

static int report_json(const char *name, const struct image_info *info)
{
    struct otad_errinfo ei = {0};
    json_t *object = image_info_json(info);
    bool refused = image_check_upload(info, IMAGE_WANT_ANY, &ei) != OTAD_E_OK;
    if (object == NULL || json_object_set_new(object, "file", name_json(name)) != 0 ||
        (refused && (json_object_set_new(object, "message", json_string(ei.msg)) != 0 ||
                     json_object_set_new(object, "hint", json_string(ei.hint)) != 0))) {
        json_decref(object);
        object = NULL;
    }
    int status = print_json(object);
    return status != EXIT_SUCCESS ? status : refused ? EXIT_NOT_DELIVERABLE : EXIT_SUCCESS;
}

static int report_error(const char *name, const char *why, bool json)
{
    (void)fprintf(stderr, "otad inspect: %s: %s\n", name, why);
    if (json)
        (void)print_json(json_pack("{s:o, s:s}", "file", name_json(name), "error", why));
    return EXIT_UNREADABLE;
}

static int inspect_file(const char *name, bool json)
{
    struct cli_file content OTAD_AUTO(cli_file_free) = {0};
    struct image_info info;
    int error = cli_file_read(name, &content);
    if (error != 0)
        return report_error(name, strerror(error), json);
    enum otad_err err = image_inspect(content.data, content.n, NULL, &info);
    if (err != OTAD_E_OK)
        return report_error(name, otad_err_name(err), json);
    if (json)
        return report_json(name, &info);
    inspect_print_text(stdout, name, &info);
    return image_is_deliverable(&info) ? EXIT_SUCCESS : EXIT_NOT_DELIVERABLE;
}

static void usage(FILE *to)
{
    (void)fputs("usage: otad inspect [--json] FILE...\n"
                "Says what firmware files are and whether devices could be given them.\n"
                "  --json  one JSON object per file and line\n"
                "Exit status: 0 all deliverable, 1 at least one is not, 2 one can't be read.\n",
                to);
}

int cmd_inspect(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL,   0,           NULL, 0  }
    };
    bool json = false;
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "jh", options, NULL)) != -1) {
        if (option == 'j') {
            json = true;
        } else {
            usage(option == 'h' ? stdout : stderr);
            return option == 'h' ? EXIT_SUCCESS : EXIT_UNREADABLE;
        }
    }
    if (optind == argc) {
        usage(stderr);
        return EXIT_UNREADABLE;
    }
    int worst = EXIT_SUCCESS;
    for (int i = optind; i < argc; i++) {
        int status = inspect_file(argv[i], json);
        worst = status > worst ? status : worst;
    }
    if (fflush(stdout) != 0 || ferror(stdout))
        return EXIT_UNREADABLE;
    return worst;
}
