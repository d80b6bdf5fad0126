/* SPDX-License-Identifier: MIT
 * Owns the push command without a server: one file, one device, one verdict. */
#include "cli/push.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "cli/file.h"
#include "cli/push_text.h"
#include "fleet/push_password.h"
#include "image/image.h"
#include "push/push.h"

static void usage(FILE *to)
{
    fputs(
        "Usage: otad push [OPTION…] FILE ADDRESS\n"
        "       otad push --server URL --product SLUG --device MAC [OPTION…]\n\n"
        "Invites a device that runs ArduinoOTA to take an update now (espota), and says at which\n"
        "step it failed and why. Exit status 0 only when the device has confirmed the update.\n\n"
        "  --port N           the device's UDP port (3232 on an ESP32, 8266 on an ESP8266; both\n"
        "                     are tried)\n"
        "  --password TEXT    of ArduinoOTA.setPassword(); better in the environment, as\n"
        "                     OTAD_PUSH_PASSWORD: others see command lines\n"
        "  --kind app|fs      what FILE, or the server's build, is; found out by itself for FILE\n"
        "  --timeout SECONDS  how long the device may be silent (40 at the invitation)\n"
        "  FILE.signed goes out instead of FILE when it is there.\n"
        "  --force            push FILE although it doesn't look like an update for a device\n\n"
        "With a server:\n"
        "  --server URL       e.g. http://raspberrypi.local:8070\n"
        "  --build ID         instead of the one the device should run\n"
        "  --address ADDR     instead of the one it last checked in from\n"
        "  --key-file FILE    holds the API key (publisher); else OTAD_KEY in the environment\n",
        to);
}

/* ---- arguments ---------------------------------------------------------------------------- */

static enum otad_err read_number(const char *name, const char *text, long max, long *out,
                                 struct otad_errinfo *ei)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || *text == '\0' || *end != '\0' || value < 1 || value > max)
        return otad_fail(ei, OTAD_E_INVALID, "--%s must be a number from 1 to %ld, not '%.40s'",
                         name, max, text);
    *out = value;
    return OTAD_E_OK;
}

static enum otad_err take_option(struct push_args *a, const char *name, const char *value,
                                 struct otad_errinfo *ei)
{
    const struct {
        const char *name;
        const char **to;
    } texts[] = {
        {"server",   &a->server  },
        {"product",  &a->product },
        {"device",   &a->device  },
        {"build",    &a->build   },
        {"address",  &a->address },
        {"key-file", &a->key_file},
        {"password", &a->password},
        {"kind",     &a->kind    },
    };
    long number = 0;
    for (size_t i = 0; i < OTAD_COUNT(texts); i++)
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].to = value;
            return OTAD_E_OK;
        }
    bool port = strcmp(name, "port") == 0;
    enum otad_err err = read_number(name, value, port ? 65535 : 3600, &number, ei);
    if (port)
        a->port = (uint16_t)number;
    else
        a->patience_s = number;
    return err;
}

static enum otad_err check_args(struct push_args *a, int n_names, char **names,
                                struct otad_errinfo *ei)
{
    if (a->kind != NULL && strcmp(a->kind, "app") != 0 && strcmp(a->kind, "fs") != 0)
        return otad_fail(ei, OTAD_E_INVALID, "--kind must be app or fs, not '%.40s'", a->kind);
    if (a->password == NULL)
        a->password = getenv("OTAD_PUSH_PASSWORD");
    if (a->password != NULL && strlen(a->password) > PUSH_PASSWORD_MAX)
        return otad_fail(ei, OTAD_E_INVALID, "The password is longer than %d bytes",
                         PUSH_PASSWORD_MAX);
    if (a->server != NULL && n_names == 0 && a->product != NULL && a->device != NULL)
        return OTAD_E_OK;
    if (a->server != NULL) {
        (void)otad_fail(ei, OTAD_E_INVALID,
                        n_names > 0 ? "With --server the server has the file: give no FILE"
                                    : "With --server, --product and --device are needed too");
        return otad_hint(ei, "otad push --server URL --product SLUG --device MAC");
    }
    if (n_names != 2 || a->address != NULL || a->product != NULL || a->device != NULL ||
        a->build != NULL || a->key_file != NULL) {
        (void)otad_fail(ei, OTAD_E_INVALID,
                        "Without --server exactly a FILE and an ADDRESS are "
                        "needed");
        return otad_hint(ei, "otad push firmware.bin 192.168.1.50; see otad push --help");
    }
    a->file = names[0];
    a->address = names[1];
    return OTAD_E_OK;
}

static enum otad_err read_args(int argc, char **argv, struct push_args *a, bool *help,
                               struct otad_errinfo *ei)
{
    static const struct option options[] = {
        {"server",   required_argument, NULL, 'v'},
        {"product",  required_argument, NULL, 'v'},
        {"device",   required_argument, NULL, 'v'},
        {"build",    required_argument, NULL, 'v'},
        {"address",  required_argument, NULL, 'v'},
        {"key-file", required_argument, NULL, 'v'},
        {"password", required_argument, NULL, 'v'},
        {"kind",     required_argument, NULL, 'v'},
        {"port",     required_argument, NULL, 'v'},
        {"timeout",  required_argument, NULL, 'v'},
        {"force",    no_argument,       NULL, 'f'},
        {"help",     no_argument,       NULL, 'h'},
        {NULL,       0,                 NULL, 0  }
    };
    int option, which;
    enum otad_err err = OTAD_E_OK;
    optind = 1;
    while (err == OTAD_E_OK && (option = getopt_long(argc, argv, "h", options, &which)) != -1) {
        if (option == 'v')
            err = take_option(a, options[which].name, optarg, ei);
        else if (option == 'f')
            a->force = true;
        else if (option == 'h')
            *help = true;
        else
            return otad_fail(ei, OTAD_E_INVALID, "see otad push --help");
    }
    return err == OTAD_E_OK && !*help ? check_args(a, argc - optind, argv + optind, ei) : err;
}

/* ---- the push ----------------------------------------------------------------------------- */

static bool is_esp32(enum image_chip chip)
{
    return strncmp(image_chip_name(chip), "ESP32", 5) == 0;
}

/* Looks what the file is: a device that gets the wrong one may be dead. */
static enum otad_err look(const struct push_args *a, const struct cli_file *file, struct push *p,
                          struct otad_errinfo *ei)
{
    struct image_info info;
    enum otad_err err = image_inspect(file->data, file->n, NULL, &info);
    if (err != OTAD_E_OK)
        return otad_fail(ei, err, "%.180s can't be inspected", a->file);
    enum image_want kind = image_build_kind(&info);
    p->fs = a->kind != NULL ? strcmp(a->kind, "fs") == 0 : kind == IMAGE_WANT_FS;
    p->esp32 =
        is_esp32(info.chip) || (info.chip == IMAGE_CHIP_UNKNOWN && a->port == PUSH_PORT_ESP32);
    if (a->force)
        return OTAD_E_OK;
    err = image_check_upload(&info, p->fs ? IMAGE_WANT_FS : IMAGE_WANT_APP, ei);
    if (err != OTAD_E_OK && ei->hint[0] == '\0')
        (void)otad_hint(ei, "--force pushes it all the same.");
    return err;
}

struct show {
    struct push_text text;
    int64_t size_bytes;
};

static void show_news(void *arg, const struct push_news *news)
{
    struct show *s = arg;
    const char *step = push_step_name(news->step);
    if (news->outcome == PUSH_RUNNING)
        push_text_running(&s->text, step, news->bytes_acked,
                          news->step == PUSH_SENDING ? s->size_bytes : 0, news->bytes_per_s);
    else
        push_text_ended(&s->text, step, news->outcome == PUSH_OK, news->detail);
}

static int push_file(const struct push_args *a, const struct cli_file *file, struct push *p)
{
    struct push_result result;
    struct show show = {
        .text = {.out = stderr, .live = isatty(STDERR_FILENO) == 1},
        .size_bytes = (int64_t)file->n
    };
    push_run(p, show_news, &show, &result);
    char bytes[NUMBER_TEXT];
    if (result.ok) {
        printf("%s: updated, %s bytes in %lld.%lld s\n", a->address,
               number_text((int64_t)file->n, bytes), (long long)(result.took_ms / 1000),
               (long long)(result.took_ms / 100 % 10));
        return EXIT_SUCCESS;
    }
    push_text_causes(stderr, result.causes);
    return EXIT_NOT_CONFIRMED;
}

/* The signed image beside FILE goes out in its place, as with espota.py: a sketch that checks
 * signatures takes no other. */
static const char *prefer_signed(const char *file, char beside[PATH_MAX])
{
    int n = snprintf(beside, PATH_MAX, "%s.signed", file);
    if (n >= PATH_MAX || access(beside, R_OK) != 0)
        return file;
    (void)fprintf(stderr, "otad: pushing %s, which is signed\n", beside);
    return beside;
}

static int push_alone(const struct push_args *a)
{
    struct cli_file file OTAD_AUTO(cli_file_free) = {0};
    struct otad_errinfo ei = {.code = OTAD_E_OK};
    char beside[PATH_MAX];
    if (a->file == NULL || a->address == NULL) /* check_args() lets nobody through without */
        return EXIT_USAGE;
    const char *name = prefer_signed(a->file, beside);
    const char *slash = strrchr(name, '/');
    /* Whoever calls this chose the address: only otad's own API must not become a scanner. */
    const struct net_list anywhere = {
        .items = {{.bits = 96, .first = {.bytes = {[10] = 0xff, [11] = 0xff}}}}, .n = 1};
    int error = cli_file_read(name, &file);
    struct push p = {.host = a->address,
                     .port = a->port,
                     .password = a->password,
                     .filename = slash != NULL ? slash + 1 : name,
                     .image = file.data,
                     .size_bytes = file.n,
                     .free_space = -1,
                     .networks = &anywhere,
                     .patience_ms = a->patience_s * 1000};
    if (error != 0)
        (void)otad_fail(&ei, OTAD_E_IO, "Can't read %.180s: %s", name, strerror(error));
    else if (file.n == 0)
        (void)otad_fail(&ei, OTAD_E_INVALID, "%.180s is empty", a->file);
    if (ei.code != OTAD_E_OK || look(a, &file, &p, &ei) != OTAD_E_OK) {
        cli_complain(&ei);
        return EXIT_USAGE;
    }
    return push_file(a, &file, &p);
}

int cmd_push(int argc, char **argv)
{
    struct push_args args = {.port = 0};
    struct otad_errinfo ei = {.code = OTAD_E_OK};
    bool help = false;
    if (read_args(argc, argv, &args, &help, &ei) != OTAD_E_OK) {
        cli_complain(&ei);
        return EXIT_USAGE;
    }
    if (help) {
        usage(stdout);
        return EXIT_SUCCESS;
    }
    return args.server != NULL ? push_by_server(&args) : push_alone(&args);
}
