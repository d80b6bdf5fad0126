/* SPDX-License-Identifier: MIT
 * Owns the world of the device client's tests. */
#include "support/client_world.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

const char client_world_nothing_new[] =
    "HTTP/1.1 304 Not Modified\r\nX-Otad-Reason: same_content\r\n\r\n";
const char client_world_taken[] = "HTTP/1.1 204 No Content\r\n\r\n";

static void hex(const uint8_t *data, unsigned n, char *out)
{
    for (unsigned i = 0; i < n; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", data[i]);
}

void client_world_sha256(const uint8_t *data, size_t n, char out[65])
{
    uint8_t sum[32];
    ck_assert_int_eq(EVP_Digest(data, n, sum, NULL, EVP_sha256(), NULL), 1);
    hex(sum, sizeof sum, out);
}

void client_world_make_offer(struct client_world *w, const uint8_t *image, size_t n,
                             const char *version, const char *build)
{
    char sha[65], md5_text[33];
    uint8_t md5[16];
    client_world_sha256(image, n, sha);
    ck_assert_int_eq(EVP_Digest(image, n, md5, NULL, EVP_md5(), NULL), 1);
    hex(md5, sizeof md5, md5_text);
    int head_n = snprintf(w->offer, CLIENT_WORLD_HEAD,
                          "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nETag: \"%s\"\r\nx-MD5: %s\r\n"
                          "x-version: %s\r\nX-Otad-Build: %s\r\n\r\n",
                          n, sha, md5_text, version, build);
    w->head_n = (size_t)head_n;
    memcpy(w->offer + head_n, image, n);
    w->offer_n = (size_t)head_n + n;
}

void client_world_script(struct client_world *w, const char *text)
{
    client_port_answer(&w->port, text, strlen(text), 0);
}

void client_world_script_offer(struct client_world *w)
{
    client_port_answer(&w->port, w->offer, w->offer_n, 0);
}

void client_world_start(struct client_world *w)
{
    memset(&w->client, 0xa5, sizeof w->client);
    ck_assert_int_eq(otac_init(&w->client, &w->config, &w->port.port, w->work, w->work_n), OTAC_OK);
}

static void install_and_report(struct client_world *w)
{
    client_port_rewind(&w->port);
    client_world_script_offer(w);
    ck_assert_int_eq(otac_update(&w->client), OTAC_UPDATED);
    client_world_start(w);
    client_world_script(w, client_world_nothing_new);
    client_world_script(w, client_world_taken);
    ck_assert_int_eq(otac_update(&w->client), OTAC_UP_TO_DATE);
    ck_assert_uint_eq(w->client.record.report_kind, 0);
    client_port_rewind(&w->port);
}

void client_world_make(struct client_world *w, size_t work_n, bool used)
{
    static const uint8_t older[64] = {0xe9};
    memset(w, 0, sizeof *w);
    client_port_init(&w->port);
    w->work_n = work_n;
    w->config = (struct otac_config){.host = "192.168.1.10",
                                     .port = 8070,
                                     .product = "lamp",
                                     .mac = "5C:CF:7F:A1:B2:C3",
                                     .version = "1.0.0",
                                     .family = "ESP8266",
                                     .slot_size = CLIENT_PORT_SLOT,
                                     .describe = otac_err_word};
    for (size_t i = 0; i < CLIENT_WORLD_OLD; i++)
        w->old_image[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < CLIENT_WORLD_NEW; i++)
        w->new_image[i] = (uint8_t)(i * 13 + 1);
    client_world_start(w);
    client_world_make_offer(w, w->old_image, CLIENT_WORLD_OLD, "1.0.0", "41");
    install_and_report(w);
    if (used) {
        client_world_make_offer(w, older, sizeof older, "0.9", "40");
        install_and_report(w);
        client_world_make_offer(w, w->old_image, CLIENT_WORLD_OLD, "1.0.0", "41");
        install_and_report(w);
    }
    ck_assert_uint_eq(w->client.record.active, 0);
    ck_assert((w->client.record.slot[1].state == OTAC_IMAGE_KNOWN) == used);
    client_world_make_offer(w, w->new_image, CLIENT_WORLD_NEW, "1.1.0", "18446744073709551615");
}

/* ---- the server ---------------------------------------------------------------------------- */

static void take_report(struct client_world *w, const char *request)
{
    const char *form = strstr(request, "/report?result="), *end = strstr(request, " HTTP/1.1\r\n");
    ck_assert(form != NULL && end != NULL);
    (void)snprintf(w->report, sizeof w->report, "%.*s", (int)(end - form - 8), form + 8);
    w->successes += strstr(w->report, "=success&") != NULL;
    w->failures += strstr(w->report, "=failed&") != NULL;
    w->rollbacks += strstr(w->report, "=rolled_back&") != NULL;
}

/* The headers of a 206 stand between its status line and those of the 200. */
static void make_rest(struct client_world *w, uint32_t from, struct client_port_answer *out)
{
    const char *etag = strstr(w->offer, "ETag:");
    size_t body_n = w->offer_n - w->head_n, headers_n = w->head_n - (size_t)(etag - w->offer);
    int n = snprintf(w->rest, sizeof w->rest,
                     "HTTP/1.1 206 Partial Content\r\nContent-Length: %zu\r\n"
                     "Content-Range: bytes %u-%zu/%zu\r\n%.*s",
                     body_n - from, from, body_n - 1, body_n, (int)headers_n, etag);
    memcpy(w->rest + n, w->offer + w->head_n + from, body_n - from);
    out->data = w->rest;
    out->n = (size_t)n + body_n - from;
    w->rests++;
    w->rest_from = from;
}

static void serve(void *arg, const char *request, struct client_port_answer *out)
{
    struct client_world *w = arg;
    char etag[70], line[96];
    unsigned from = 0;
    if (strncmp(request, "POST ", 5) == 0) {
        take_report(w, request);
        out->data = client_world_taken;
        out->n = strlen(out->data);
        return;
    }
    (void)snprintf(etag, sizeof etag, "%.66s\r\n", strstr(w->offer, "ETag: ") + 6);
    (void)snprintf(line, sizeof line, "If-None-Match: %s", etag);
    if (strstr(request, line) != NULL) {
        out->data = client_world_nothing_new;
        out->n = strlen(out->data);
        return;
    }
    (void)snprintf(line, sizeof line, "If-Range: %s", etag);
    const char *range = strstr(request, "Range: bytes=");
    ck_assert(range == NULL || sscanf(range, "Range: bytes=%u-\r\n", &from) == 1);
    if (range != NULL && strstr(request, line) != NULL) {
        make_rest(w, from, out);
    } else {
        out->data = w->offer;
        out->n = w->offer_n;
        w->wholes++;
    }
    if (w->drop_at != 0 && w->drop_at < out->n) {
        out->n = w->drop_at;
        out->end = OTAC_E_CONN_LOST;
        w->drop_at = 0;
    }
}

void client_world_serve(struct client_world *w)
{
    w->port.serve = serve;
    w->port.serve_arg = w;
}

bool client_world_boots_new(struct client_world *w, const char *what)
{
    struct otac device;
    long fail_at = w->port.fail_at;
    w->port.fail_at = 0;
    ck_assert_msg(w->port.broken == NULL, "%s: %s", what, w->port.broken);
    ck_assert_msg(w->port.connects == w->port.closes, "%s: connection left open", what);
    ck_assert_int_eq(otac_init(&device, &w->config, &w->port.port, w->work, w->work_n), OTAC_OK);
    unsigned slot = device.record.active;
    ck_assert_msg(slot < OTAC_SLOTS, "%s: nothing boots", what);
    ck_assert_msg(otac_slot_check(&device, slot) == OTAC_OK, "%s: slot %u is damaged", what, slot);
    bool is_new = otac_active(&device)->size == CLIENT_WORLD_NEW;
    ck_assert_mem_eq(w->port.slot[slot], is_new ? w->new_image : w->old_image,
                     is_new ? CLIENT_WORLD_NEW : CLIENT_WORLD_OLD);
    w->port.fail_at = fail_at;
    return is_new;
}
