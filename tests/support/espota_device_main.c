/* SPDX-License-Identifier: MIT
 * A double of a device with ArduinoOTA as a program: for tests that need it on another host (a
 * network namespace), and to try `otad push` by hand. Ends after one update, or at SIGTERM. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/espota_device.h"

static volatile sig_atomic_t ended;

static void on_signal(int signal)
{
    (void)signal;
    ended = 1;
}

static int usage(void)
{
    (void)fputs("usage: espota_device [--core esp8266|esp32|esp32-new] [--address ADDR] [--port N]"
                " [--password TEXT] [--silent] [--no-connect] [--stall PERCENT]\n"
                "prints its UDP port, then `updated` and the MD5 of what it got\n",
                stderr);
    return 2;
}

static bool set_core(struct espota_device *d, const char *name)
{
    static const char *const names[] = {"esp8266", "esp32", "esp32-new"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0) {
            d->core = (enum espota_core)i;
            return true;
        }
    return false;
}

static bool take(struct espota_device *d, int option, const char *value)
{
    switch (option) {
    case 'c':
        return set_core(d, value);
    case 'a':
        d->address = value;
        return true;
    case 'p':
        d->port = (uint16_t)strtoul(value, NULL, 10);
        return true;
    case 'w':
        d->password = value;
        return true;
    case 's':
        d->fault = FAULT_SILENT;
        return true;
    case 'n':
        d->fault = FAULT_NO_CONNECT;
        return true;
    case 't':
        d->fault = FAULT_STALL;
        d->percent = (int)strtol(value, NULL, 10);
        return true;
    default:
        return false;
    }
}

static bool parse(int argc, char **argv, struct espota_device *d)
{
    static const struct option options[] = {
        {"core",       required_argument, NULL, 'c'},
        {"address",    required_argument, NULL, 'a'},
        {"port",       required_argument, NULL, 'p'},
        {"password",   required_argument, NULL, 'w'},
        {"silent",     no_argument,       NULL, 's'},
        {"no-connect", no_argument,       NULL, 'n'},
        {"stall",      required_argument, NULL, 't'},
        {NULL,         0,                 NULL, 0  }
    };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (!take(d, option, optarg))
            return false;
    return optind == argc;
}

int main(int argc, char **argv)
{
    static struct espota_device d;
    const struct timespec turn = {.tv_nsec = 20000000};
    if (!parse(argc, argv, &d))
        return usage();
    (void)signal(SIGTERM, on_signal);
    (void)signal(SIGINT, on_signal);
    espota_device_start(&d);
    (void)printf("%u\n", (unsigned)d.port);
    (void)fflush(stdout);
    while (ended == 0 && atomic_load(&d.updates) == 0)
        (void)nanosleep(&turn, NULL);
    espota_device_stop(&d);
    if (atomic_load(&d.updates) == 0)
        return EXIT_FAILURE;
    (void)printf("updated %s\n", d.md5);
    return EXIT_SUCCESS;
}
