/* SPDX-License-Identifier: MIT
 * Owns the translation of what clients send into a check-in. */
#include "device_api/identify.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mac.h"
#include "fleet/channel.h"
#include "fleet/checkin.h"

/* A header's name in either family. */
struct esp_name {
    const char *esp8266, *esp32;
};
#define ESP(name) ((struct esp_name){"x-ESP8266-" name, "x-ESP32-" name})

static const char *esp_header(const struct http_req *req, struct esp_name name)
{
    const char *value = http_req_header(req, name.esp8266);
    return value != NULL ? value : http_req_header(req, name.esp32);
}

/* A header, else the query parameter that gives sketches without headers the same power. */
static const char *said(const struct http_req *req, struct esp_name header, const char *key)
{
    const char *value = esp_header(req, header);
    return value != NULL ? value : http_req_query(req, key);
}

/* Copies printable ASCII; anything else makes the value worthless. */
static void copy_text(const char *from, char *to, size_t room)
{
    size_t n = from != NULL ? strlen(from) : 0;
    to[0] = '\0';
    if (n == 0 || n >= room)
        return;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)from[i] < 0x20 || (unsigned char)from[i] > 0x7e)
            return;
    memcpy(to, from, n + 1);
}

/* Copies a hex digest of exactly n digits in lowercase (ESP32 sends SHA-256 in uppercase). */
static void copy_digest(const char *from, char *to, size_t n)
{
    to[0] = '\0';
    if (from == NULL || strlen(from) != n || strspn(from, "0123456789abcdefABCDEF") != n)
        return;
    for (size_t i = 0; i <= n; i++)
        to[i] = (char)tolower((unsigned char)from[i]);
}

static int64_t number(const char *text)
{
    if (text == NULL || !isdigit((unsigned char)text[0]))
        return -1;
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    return *end == '\0' && errno == 0 ? n : -1;
}

/* STA before BASE before AP: chips without Wi-Fi send only BASE. @return whether a header said it
 */
static bool read_mac(const struct http_req *req, const char *path_word, uint64_t *mac)
{
    const struct esp_name headers[] = {ESP("STA-MAC"), ESP("BASE-MAC"), ESP("AP-MAC")};
    for (size_t i = 0; i < OTAD_COUNT(headers); i++) {
        const char *value = esp_header(req, headers[i]);
        if (value != NULL && mac_parse(value, mac))
            return true;
    }
    if (path_word != NULL && mac_parse(path_word, mac))
        return false;
    const char *asked = http_req_query(req, "mac");
    if (asked != NULL)
        (void)mac_parse(asked, mac); /* else it stays anonymous */
    return false;
}

static void read_chip(const struct http_req *req, char *chip, size_t room)
{
    const char *agent = http_req_header(req, "User-Agent");
    const char *name = "";
    if (agent != NULL && strncmp(agent, "ESP8266", 7) == 0)
        name = "ESP8266";
    else if (http_req_query(req, "chip") != NULL)
        name = http_req_query(req, "chip");
    copy_text(name, chip, room); /* "ESP32…" in the agent names a family, not a chip */
}

/* The validator our own client and curl send: the SHA-256 of the file they have. */
static void read_etag(const struct http_req *req, struct device_facts *f)
{
    const char *etag = http_req_header(req, "If-None-Match");
    if (f->sha256[0] != '\0')
        return;
    /* The first of a list that is a SHA-256; weak or strong makes no difference here. */
    while (etag != NULL && (etag = strchr(etag, '"')) != NULL) {
        size_t n = strcspn(++etag, "\"");
        char hex[65] = "";
        if (n == 64)
            memcpy(hex, etag, n);
        copy_digest(hex, f->sha256, 64);
        etag = f->sha256[0] == '\0' && etag[n] == '"' ? etag + n + 1 : NULL;
    }
}

static void read_facts(const struct http_req *req, int64_t now_s, struct device_facts *f)
{
    *f = (struct device_facts){.at_s = now_s};
    copy_text(said(req, ESP("version"), "version"), f->version, sizeof f->version);
    copy_digest(said(req, ESP("sketch-md5"), "md5"), f->md5, 32);
    copy_digest(said(req, ESP("sketch-sha256"), "sha256"), f->sha256, 64);
    read_etag(req, f);
    f->free_space = number(said(req, ESP("free-space"), "free_space"));
    f->chip_size = number(said(req, ESP("chip-size"), "chip_size"));
    copy_text(said(req, ESP("mode"), "mode"), f->mode, sizeof f->mode);
    copy_text(http_req_header(req, "User-Agent"), f->agent, sizeof f->agent);
    copy_text(http_req_address(req), f->address, sizeof f->address);
    read_chip(req, f->chip, sizeof f->chip);
}

/* "12.1.1(tasmota)", and its other images: "12.1.1(lite)", "12.1.1.2(minimal)". */
static bool is_tasmota(const char *version)
{
    size_t n = strlen(version), digits = strspn(version, "0123456789.");
    const char *first = strchr(version, '.'), *second = first ? strchr(first + 1, '.') : NULL;
    if (strstr(version, "(tasmota") != NULL)
        return true;
    return version[digits] == '(' && version[n - 1] == ')' && second != NULL &&
           second < version + digits;
}

void identify(const struct http_req *req, const char *path_word, int64_t now_s, struct checkin *out)
{
    *out = (struct checkin){.mac = 0};
    out->mac_by_header = read_mac(req, path_word, &out->mac);
    read_facts(req, now_s, &out->said);
    out->mode = checkin_mode(said(req, ESP("mode"), "mode"));
    out->updater = said(req, ESP("mode"), "mode") != NULL ||
                   esp_header(req, ESP("STA-MAC")) != NULL || out->said.version[0] != '\0' ||
                   out->said.md5[0] != '\0' || out->said.sha256[0] != '\0';
    out->tasmota = is_tasmota(out->said.version);
    const char *channel = http_req_query(req, "channel");
    if (channel != NULL && channel_name_is_valid(channel))
        memcpy(out->said.channel, channel, strlen(channel) + 1);
}

bool identify_has(const struct http_req *req, const char *sha256)
{
    const char *header = http_req_header(req, "If-None-Match");
    char etag[2 * OTAD_SHA256_LEN + 3];
    if (header == NULL)
        return false;
    (void)snprintf(etag, sizeof etag, "\"%s\"", sha256);
    return strstr(header, etag) != NULL;
}
