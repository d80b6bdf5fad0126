/* SPDX-License-Identifier: MIT
 * A simulated device: boots from its active slot, checks in, installs what is offered, restarts
 * into it on trial, confirms it, checks in again and reports; misbehaves on purpose. Also the
 * example of how an application uses the client. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "otad_client.h"
#include "otad_client_posix.h"

enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

struct device {
    struct otac_posix posix; /* first: the port's ctx is this and the device in one */
    struct otac_port port;
    struct otac_config config;
    struct otac client;
    uint8_t work[4096];
    char host[OTAC_POSIX_HOST_MAX + 1];
    char mac[OTAC_POSIX_MAC_TEXT];
    char version[OTAC_VERSION_MAX + 1];
    char chip[16];
    const char *state, *server, *ca;
    uint32_t interval_s, timeout_s;
    uint32_t trial_boots;
    bool tls, once, no_confirm, failure_shown;
    struct otac_screen screen;
    struct otac_posix_keys keys;
    struct otac_faults faults;
};

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
    (void)number;
    stop_asked = 1;
}

/* ---- words on the screen ------------------------------------------------------------------- */

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vfprintf(stdout, format, args);
    va_end(args);
    (void)fputc('\n', stdout);
    (void)fflush(stdout);
}

static void complain(const char *format, ...)
{
    va_list args;
    (void)fflush(stdout);
    va_start(args, format);
    (void)fputs("otad-device: ", stderr);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
}

/* What went wrong, what the server and the system said about it, and what still works. */
static void show_failure(const struct device *d, int rc)
{
    const struct otac_answer *answer = &d->client.answer;
    const char *detail = otac_posix_detail(&d->posix);
    char from[96] = "";
    if (answer->status != 0 && answer->status / 100 != 2)
        (void)snprintf(from, sizeof from, " [HTTP %u%s%s]", answer->status,
                       answer->reason[0] != '\0' ? ", " : "", answer->reason);
    complain("%s%s%s%s%s", otac_err_text(rc), from, detail[0] != '\0' ? " (" : "", detail,
             detail[0] != '\0' ? ")" : "");
    if (answer->status == 0)
        complain("is the server running at %s, and is nothing in the way?", d->server);
    if (answer->retry_after_s != 0)
        complain("the server asks to come back in %u s", answer->retry_after_s);
    say("still on version %s", d->version);
}

static void on_event(void *ctx, enum otac_event event, uint32_t value)
{
    struct device *d = ctx;
    otac_screen_event(&d->screen, event, value);
    if (event == OTAC_EV_FAILED) {
        show_failure(d, (int32_t)value); /* now: the report that follows has results of its own */
        d->failure_shown = true;
    }
}

/* ---- the life of the device ---------------------------------------------------------------- */

static int show_boot_failure(struct device *d, int rc, const char *what)
{
    complain("%s: %s", what, otac_err_text(rc));
    if (otac_posix_detail(&d->posix)[0] != '\0')
        complain("%s", otac_posix_detail(&d->posix));
    complain("to start over as a factory-fresh device, delete %s", d->state);
    return rc;
}

/* What a boot loader does: find the slot, check it, count a start on trial.
 * @return OTAC_OK or a negative error */
static int load(struct device *d)
{
    int slot = otac_boot(&d->client, &d->port, d->work, sizeof d->work);
    if (slot == OTAC_E_FLASH_VERIFY || slot == OTAC_E_FLASH_READ)
        return show_boot_failure(d, slot, "can't boot, no slot holds a whole image");
    return slot < 0 ? show_boot_failure(d, slot, "can't boot") : OTAC_OK;
}

/* What the start of a firmware does: know the version. */
static int init(struct device *d)
{
    (void)snprintf(d->version, sizeof d->version, "0");
    int rc = otac_init(&d->client, &d->config, &d->port, d->work, sizeof d->work);
    if (rc == OTAC_E_CONFIG) {
        complain("%s: check --product, --key and --server", otac_err_text(rc));
        return rc;
    }
    if (rc != OTAC_OK)
        return show_boot_failure(d, rc, "can't boot");
    const struct otac_image *image = otac_active(&d->client);
    if (image == NULL) {
        say("%s (%s): factory-fresh, nothing installed yet, version 0", d->mac, d->chip);
        return OTAC_OK;
    }
    unsigned slot = d->client.record.active;
    if (!otac_posix_image_version(&d->posix, slot, image->size, d->version))
        (void)snprintf(d->version, sizeof d->version, "%s",
                       image->version[0] != '\0' ? image->version : "unknown");
    say("%s (%s): running version %s from slot %u, %u bytes", d->mac, d->chip, d->version, slot,
        image->size);
    return OTAC_OK;
}

/* What a new firmware does when it knows whether it is fit. A real one would have tried what it is
 * for. @return true to go on, false to restart into the one before */
static bool pass_trial(struct device *d)
{
    if (d->client.record.trial == 0)
        return true;
    if (otac_faults_meet(&d->faults, OTAC_POINT_BOOT) != OTAC_OK) {
        say("the self-test fails, on purpose");
        return otac_reject(&d->client) != OTAC_OK;
    }
    if (d->no_confirm) {
        say("on trial, not confirmed; starts that are left: %u", d->client.record.trial - 1u);
        return true;
    }
    int rc = otac_confirm(&d->client);
    if (rc == OTAC_OK)
        say("confirmed: version %s stays", d->version);
    else
        complain("not confirmed: %s", otac_err_text(rc));
    return true;
}

static int boot(struct device *d)
{
    int rc;
    do {
        rc = load(d);
        if (rc == OTAC_OK)
            rc = init(d);
    } while (rc == OTAC_OK && !pass_trial(d));
    return rc;
}

static void show_nothing_new(const struct device *d)
{
    const char *reason = d->client.answer.reason;
    if (reason[0] == '\0' || strncmp(reason, "same_", 5) == 0)
        say("up to date: version %s is what the server wants here", d->version);
    else
        say("nothing to install now, the server says: %s", reason);
}

/* Checks in until there is nothing new, restarting into each build that comes.
 * @return an exit code */
static int run_round(struct device *d)
{
    const int builds_max = 5; /* more in a row is a server that offers for ever */
    int updates = 0, rc;
    d->failure_shown = false;
    say("checking in at %s", d->server);
    while ((rc = otac_update(&d->client)) == OTAC_UPDATED && !stop_asked) {
        if (++updates > builds_max) {
            complain("%d updates in a row: the server offers for ever, stopping", updates);
            return EXIT_FAILED;
        }
        say("restarting into slot %u", d->client.record.active);
        if (boot(d) != OTAC_OK)
            return EXIT_FAILED;
    }
    if (rc >= 0) {
        show_nothing_new(d);
        return EXIT_DONE;
    }
    if (!d->failure_shown)
        show_failure(d, rc);
    bool away = d->client.answer.status == 0 || rc == OTAC_E_BUSY;
    if (updates > 0 && away) {
        say("updated, but the server doesn't know yet: the next check-in tells it");
        return EXIT_DONE;
    }
    return away ? EXIT_UNREACHABLE : EXIT_FAILED;
}

static int live(struct device *d)
{
    int rc = boot(d);
    if (rc != OTAC_OK)
        return rc == OTAC_E_CONFIG ? EXIT_USAGE : EXIT_FAILED;
    int code = run_round(d);
    while (!d->once && !stop_asked) {
        otac_wait(&d->client, d->interval_s);
        if (!stop_asked)
            code = run_round(d);
    }
    return d->once ? code : EXIT_DONE;
}

/* ---- the command line ---------------------------------------------------------------------- */

static const char help_text[] =
    "usage: otad-device --server URL --product SLUG --mac MAC --state DIR [options]\n"
    "\n"
    "Plays one device: boots the firmware in its active slot, checks in with an otad server,\n"
    "downloads what is offered into the other slot, verifies it, restarts into it and reports.\n"
    "\n"
    "  --server URL      http://HOST[:PORT] or https://HOST[:PORT]\n"
    "  --ca FILE         authorities (PEM) whose certificates prove who an https server is;\n"
    "                    without it those that this system trusts\n"
    "  --product SLUG    the product it belongs to, e.g. lamp\n"
    "  --mac MAC         its address, e.g. 5C:CF:7F:A1:B2:C3\n"
    "  --state DIR       folder for its two slots and its boot record; made if missing\n"
    "  --once            one check-in and what follows from it, then exit\n"
    "  --interval S      seconds between check-ins without --once (default 60)\n"
    "  --key KEY         key of a product with closed access\n"
    "  --chip CHIP       ESP8266 (default), ESP32, ESP32-S2, ESP32-C3, ...\n"
    "  --slot-size BYTES size of each slot (default 16777216)\n"
    "  --timeout S       give up when the server is silent this long (default 15)\n"
    "  --sign-key FILE   public P-256 key (PEM) that must have signed what is installed; up to 4\n"
    "  --trial-boots N   starts after which an unconfirmed image is rolled back (default 3; 0: "
    "never)\n"
    "  --help            this text\n"
    "\n"
    "to misbehave on purpose:\n"
    "  --no-confirm      never confirm a new image\n"
    "  --fail-at POINT   fail there, each time\n"
    "  --crash-at POINT  die there, as if the power went (exit status 137)\n"
    "POINT: connect, answer, erase, download (at half), write (at half), finish, verify, switch,\n"
    "       boot (of a new image), confirm, report\n"
    "\n"
    "exit status: 0 up to date or updated   1 the update failed or was refused\n"
    "             2 wrong usage             3 the server is unreachable or busy\n";

static bool parse_number(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
    char *end = NULL;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0)
        return false;
    if (value < min || value > max)
        return false;
    *out = (uint32_t)value;
    return true;
}

/* Sends the chip as the server writes it, and the header family that its updaters send. */
static bool parse_chip(struct device *d, const char *text)
{
    size_t n = strlen(text);
    if (n >= sizeof d->chip)
        return false;
    for (size_t i = 0; i <= n; i++)
        d->chip[i] = (char)toupper((unsigned char)text[i]);
    if (strcmp(d->chip, "ESP8266") == 0)
        d->config.family = "ESP8266";
    else if (strncmp(d->chip, "ESP32", 5) == 0)
        d->config.family = "ESP32";
    else
        return false;
    return true;
}

enum option_id {
    OPT_ONCE = 1,
    OPT_HELP,
    OPT_INTERVAL,
    OPT_SLOT_SIZE,
    OPT_TIMEOUT,
    OPT_SERVER,
    OPT_CA,
    OPT_PRODUCT,
    OPT_MAC,
    OPT_STATE,
    OPT_KEY,
    OPT_CHIP,
    OPT_SIGN_KEY,
    OPT_TRIAL_BOOTS,
    OPT_NO_CONFIRM,
    OPT_FAIL_AT,
    OPT_CRASH_AT
};

static const struct option options[] = {
    {"server",      required_argument, NULL, OPT_SERVER     },
    {"ca",          required_argument, NULL, OPT_CA         },
    {"product",     required_argument, NULL, OPT_PRODUCT    },
    {"mac",         required_argument, NULL, OPT_MAC        },
    {"state",       required_argument, NULL, OPT_STATE      },
    {"key",         required_argument, NULL, OPT_KEY        },
    {"chip",        required_argument, NULL, OPT_CHIP       },
    {"interval",    required_argument, NULL, OPT_INTERVAL   },
    {"slot-size",   required_argument, NULL, OPT_SLOT_SIZE  },
    {"timeout",     required_argument, NULL, OPT_TIMEOUT    },
    {"sign-key",    required_argument, NULL, OPT_SIGN_KEY   },
    {"trial-boots", required_argument, NULL, OPT_TRIAL_BOOTS},
    {"fail-at",     required_argument, NULL, OPT_FAIL_AT    },
    {"crash-at",    required_argument, NULL, OPT_CRASH_AT   },
    {"no-confirm",  no_argument,       NULL, OPT_NO_CONFIRM },
    {"once",        no_argument,       NULL, OPT_ONCE       },
    {"help",        no_argument,       NULL, OPT_HELP       },
    {NULL,          0,                 NULL, 0              },
};

static const char *take_point(const char *value, int *out)
{
    *out = otac_faults_parse(value);
    return *out != OTAC_POINT_NONE ? NULL : "one of the points that --help lists";
}

static const char *take_sign_key(struct device *d, const char *value)
{
    const char *wrong = otac_posix_keys_add(&d->keys, value);
    if (wrong == NULL) {
        d->config.sign_keys = &d->keys;
        d->config.signing = &otac_signing;
    } else {
        complain("%s: %s", value, wrong);
    }
    return wrong == NULL ? NULL : "a file with a public P-256 key, up to four of them";
}

/* @return NULL, or what was expected */
static const char *take_option(struct device *d, int id, const char *value)
{
    switch (id) {
    case OPT_SERVER:
        d->server = value;
        return otac_posix_parse_server(value, d->host, &d->config.port, &d->tls)
                   ? NULL
                   : "http://HOST[:PORT] or https://HOST[:PORT], without a path";
    case OPT_CA:
        d->ca = value;
        return NULL;
    case OPT_PRODUCT:
        d->config.product = value;
        return NULL;
    case OPT_MAC:
        return otac_posix_parse_mac(value, d->mac)
                   ? NULL
                   : "12 hexadecimal digits, e.g. 5C:CF:7F:A1:B2:C3";
    case OPT_STATE:
        d->state = value;
        return NULL;
    case OPT_KEY:
        d->config.key = value;
        return NULL;
    case OPT_CHIP:
        return parse_chip(d, value) ? NULL : "ESP8266, ESP32, ESP32-S2, ESP32-S3, ESP32-C3, ...";
    case OPT_INTERVAL:
        return parse_number(value, 1, 31536000, &d->interval_s) ? NULL : "1 to 31536000 seconds";
    case OPT_SLOT_SIZE:
        return parse_number(value, 1, UINT32_MAX, &d->config.slot_size) ? NULL : "bytes";
    case OPT_TIMEOUT:
        return parse_number(value, 1, 3600, &d->timeout_s) ? NULL : "1 to 3600 seconds";
    case OPT_SIGN_KEY:
        return take_sign_key(d, value);
    case OPT_TRIAL_BOOTS:
        return parse_number(value, 0, 254, &d->trial_boots) ? NULL : "0 to 254 starts";
    case OPT_FAIL_AT:
        return take_point(value, &d->faults.fail_at);
    case OPT_CRASH_AT:
        return take_point(value, &d->faults.crash_at);
    case OPT_NO_CONFIRM:
        d->no_confirm = true;
        return NULL;
    default: /* OPT_ONCE */
        d->once = true;
        return NULL;
    }
}

/* @return -1 to go on, or an exit code */
static int parse_options(struct device *d, int argc, char **argv)
{
    int id, index = 0;
    while ((id = getopt_long(argc, argv, "", options, &index)) != -1) {
        if (id == OPT_HELP) {
            (void)fputs(help_text, stdout);
            return EXIT_DONE;
        }
        if (id == '?') {
            complain("see --help");
            return EXIT_USAGE;
        }
        const char *expected = take_option(d, id, optarg);
        if (expected != NULL) {
            complain("--%s %s: expected %s", options[index].name, optarg, expected);
            return EXIT_USAGE;
        }
    }
    if (optind < argc || d->server == NULL || d->config.product == NULL || d->mac[0] == '\0' ||
        d->state == NULL) {
        (void)fputs(help_text, stderr);
        return EXIT_USAGE;
    }
    if (d->ca != NULL && !d->tls) {
        complain("--ca %s: expected --server https://...", d->ca);
        return EXIT_USAGE;
    }
    return -1;
}

static void catch_signals(void)
{
    /* No SA_RESTART: a signal ends the wait. SA_RESETHAND: the second one ends the program. */
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN); /* TLS: a server that goes is an error, not the end */
}

/* @return an exit code */
static int play(struct device *d)
{
    d->posix.timeout_ms = d->timeout_s * 1000;
    d->port = otac_posix_port(&d->posix);
    d->port.log = on_event;
    if (d->tls && otac_posix_tls_open(&d->posix, &d->port, d->ca) != OTAC_OK) {
        complain("can't check certificates: %s", otac_posix_detail(&d->posix));
        return EXIT_USAGE;
    }
    otac_faults_install(&d->faults, &d->posix, &d->port);
    catch_signals();
    return live(d);
}

int main(int argc, char **argv)
{
    static struct device d = {
        .chip = "ESP8266", .interval_s = 60, .timeout_s = 15, .trial_boots = OTAC_TRIAL_BOOTS};
    d.config.family = "ESP8266";
    d.config.chip = d.chip;
    d.config.host = d.host;
    d.config.mac = d.mac;
    d.config.version = d.version;
    d.config.slot_size = 16u << 20; /* what the server takes by default fits */
    d.config.describe = otac_err_text;
    int code = parse_options(&d, argc, argv);
    if (code >= 0)
        return code;
    d.config.trial_boots = (uint8_t)d.trial_boots;
    d.screen = (struct otac_screen){.client = &d.client, .terminal = isatty(STDOUT_FILENO) == 1};
    if (otac_posix_open(&d.posix, d.state, d.config.slot_size) != OTAC_OK) {
        complain("%s: %s", d.state, otac_posix_detail(&d.posix));
        return EXIT_FAILED;
    }
    code = play(&d);
    otac_posix_tls_close(&d.posix);
    otac_posix_close(&d.posix);
    otac_posix_keys_free(&d.keys);
    return code;
}
