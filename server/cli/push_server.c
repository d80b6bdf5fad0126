/* SPDX-License-Identifier: MIT
 * Owns the push command with a server: starts the job, follows its steps. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/push.h"
#include "cli/push_text.h"
#include "cli/remote.h"
#include "push/push.h"

#define LOOK_MS 500

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

static int64_t number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static void add_text(json_t *body, const char *name, const char *value)
{
    if (value != NULL)
        (void)json_object_set_new(body, name, json_string(value));
}

static json_t *make_body(const struct push_args *a)
{
    json_t *body = json_object();
    add_text(body, "build", a->build);
    add_text(body, "kind", a->kind);
    add_text(body, "address", a->address);
    add_text(body, "password", a->password);
    if (a->port != 0)
        (void)json_object_set_new(body, "port", json_integer(a->port));
    if (a->patience_s != 0)
        (void)json_object_set_new(body, "patience_s", json_integer(a->patience_s));
    return body;
}

/* Prints the steps that have ended since the last look. */
static void show(struct push_text *text, const json_t *push, size_t *shown)
{
    const json_t *steps = json_object_get(push, "steps");
    for (; *shown < json_array_size(steps); ++*shown) {
        const json_t *step = json_array_get(steps, *shown);
        const char *outcome = text_of(step, "outcome");
        if (strcmp(outcome, "running") == 0) {
            bool sending = strcmp(text_of(step, "step"), "sending") == 0;
            push_text_running(text, text_of(step, "step"), number_of(push, "bytes_acked"),
                              sending ? number_of(push, "size_bytes") : 0,
                              number_of(push, "bytes_per_s"));
            return;
        }
        push_text_ended(text, text_of(step, "step"), strcmp(outcome, "ok") == 0,
                        text_of(step, "detail"));
    }
}

static void show_causes(const json_t *push)
{
    size_t i, n = 0;
    json_t *cause;
    char lines[PUSH_CAUSES_MAX + 1] = "";
    json_array_foreach(json_object_get(push, "causes"), i, cause)
    {
        int more = snprintf(lines + n, sizeof lines - n, "%s%s", n > 0 ? "\n" : "",
                            json_string_value(cause));
        n = n + (size_t)more < sizeof lines ? n + (size_t)more : sizeof lines - 1;
    }
    push_text_causes(stderr, lines);
}

/* @return the exit status, or -1 while it runs */
static int verdict(const struct push_args *a, const json_t *push)
{
    const char *state = text_of(push, "state");
    if (strcmp(state, "ok") == 0) {
        printf("%s: updated\n", a->device);
        return EXIT_SUCCESS;
    }
    if (strcmp(state, "failed") != 0)
        return -1;
    if (json_array_size(json_object_get(push, "steps")) == 0)
        (void)fprintf(stderr, "otad: %s\n", text_of(push, "detail"));
    show_causes(push);
    return EXIT_NOT_CONFIRMED;
}

static enum otad_err follow(const struct push_args *a, struct remote *r, const char *id,
                            int *status, struct otad_errinfo *ei)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    struct push_text text = {.out = stderr, .live = isatty(STDERR_FILENO) == 1};
    char path[256];
    size_t shown = 0;
    enum otad_err err = OTAD_E_OK;
    (void)snprintf(path, sizeof path, "/api/v1/products/%s/pushes/%s", a->product, id);
    *status = -1;
    while (err == OTAD_E_OK && *status < 0) {
        json_t *push = NULL;
        err = remote_ask(r, path, NULL, &push, ei);
        if (err == OTAD_E_OK) {
            show(&text, push, &shown);
            *status = verdict(a, push);
        }
        json_decref(push);
        if (err == OTAD_E_OK && *status < 0)
            (void)nanosleep(&pause, NULL);
    }
    return err;
}

static enum otad_err start(const struct push_args *a, struct remote *r, char id[32],
                           struct otad_errinfo *ei)
{
    char path[256];
    json_t *answer = NULL, *body = make_body(a);
    (void)snprintf(path, sizeof path, "/api/v1/products/%.64s/devices/%.32s/push", a->product,
                   a->device);
    enum otad_err err = remote_ask(r, path, body, &answer, ei);
    json_decref(body);
    (void)snprintf(id, 32, "%s", text_of(answer, "id"));
    json_decref(answer);
    if (err == OTAD_E_OK && id[0] == '\0')
        err = otad_fail(ei, OTAD_E_INVALID, "The server's answer names no push: is it an otad?");
    return err;
}

int push_by_server(const struct push_args *a)
{
    struct otad_errinfo ei = {.code = OTAD_E_OK};
    struct remote *r OTAD_AUTO(remote_close) = NULL;
    char id[32];
    int status = EXIT_NOT_CONFIRMED;
    enum otad_err err = remote_open(a->server, a->key_file, &r, &ei);
    if (err == OTAD_E_OK)
        err = start(a, r, id, &ei);
    if (err == OTAD_E_OK)
        err = follow(a, r, id, &status, &ei);
    if (err == OTAD_E_OK)
        return status;
    cli_complain(&ei);
    return err == OTAD_E_INVALID ? EXIT_USAGE : EXIT_NOT_CONFIRMED;
}
