/* SPDX-License-Identifier: MIT
 * Owns the double of ArduinoOTA: written from its protocol, not from its code. */
#include "support/espota_device.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#define TURN_MS 50
#define DATA_MS 1000 /* a device waits so long for more of its image */

static void nap(int ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)nanosleep(&t, NULL);
}

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    abort();
}

static const char *own_address(const struct espota_device *d)
{
    return d->address != NULL ? d->address : "127.0.0.1";
}

/* Waits for a socket, but not longer than the double lives. */
static bool ready(const struct espota_device *d, int fd, int ms)
{
    for (; ms > 0 && !atomic_load(&d->stop); ms -= TURN_MS) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, TURN_MS) > 0)
            return true;
    }
    return false;
}

/* ---- hashes ------------------------------------------------------------------------------- */

static void hash_hex(const char *digest, const void *data, size_t n, char out[65])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned int length;
    must(EVP_Digest(data, n, sum, &length, EVP_get_digestbyname(digest), NULL) == 1, digest);
    for (unsigned int i = 0; i < length; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

static void hash_text(const char *digest, const char *text, char out[65])
{
    hash_hex(digest, text, strlen(text), out);
}

static void expected_response(const struct espota_device *d, const char *nonce, const char *cnonce,
                              char out[65])
{
    char hash[65], text[256];
    if (d->core != CORE_ESP32_PBKDF2) {
        hash_text("MD5", d->password, hash);
        (void)snprintf(text, sizeof text, "%s:%s:%s", hash, nonce, cnonce);
        hash_text("MD5", text, out);
        return;
    }
    unsigned char key[32];
    char key_hex[65];
    hash_text(d->holds_md5 ? "MD5" : "SHA256", d->password, hash);
    (void)snprintf(text, sizeof text, "%s:%s", nonce, cnonce);
    must(PKCS5_PBKDF2_HMAC(hash, (int)strlen(hash), (unsigned char *)text, (int)strlen(text), 10000,
                           EVP_sha256(), sizeof key, key) == 1,
         "PBKDF2");
    for (size_t i = 0; i < sizeof key; i++)
        (void)snprintf(key_hex + 2 * i, 3, "%02x", key[i]);
    (void)snprintf(text, sizeof text, "%s:%s:%s", key_hex, nonce, cnonce);
    hash_text("SHA256", text, out);
}

/* ---- datagrams ---------------------------------------------------------------------------- */

static void say(struct espota_device *d, const struct sockaddr_in *to, const char *text)
{
    (void)snprintf(d->said[d->n_said++ % 8], sizeof d->said[0], "%s", text);
    (void)sendto(d->udp, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)to, sizeof *to);
}

/* @return false when nothing came in that time */
static bool hear(struct espota_device *d, int ms, char text[256], struct sockaddr_in *from)
{
    socklen_t n = sizeof *from;
    if (!ready(d, d->udp, ms))
        return false;
    ssize_t got = recvfrom(d->udp, text, 255, 0, (struct sockaddr *)from, &n);
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* Reads "<command> <port> <size> <md5>". What isn't one gets no answer, as on the device. */
static bool read_invitation(struct espota_device *d, const char *text)
{
    int command, port;
    unsigned long size;
    char md5[40];
    if (sscanf(text, "%d %d %lu %39s", &command, &port, &size, md5) != 4 || strlen(md5) != 32 ||
        (command != 0 && command != 100))
        return false;
    d->command = command;
    d->offer.port = port;
    d->offer.size = size;
    memcpy(d->offer.md5, md5, 33);
    (void)atomic_fetch_add(&d->invitations, 1);
    return true;
}

static void make_nonce(const struct espota_device *d, char out[65])
{
    unsigned char random[32];
    if (d->nonce != NULL) {
        (void)snprintf(out, 65, "%s", d->nonce);
        return;
    }
    must(getrandom(random, sizeof random, 0) == (ssize_t)sizeof random, "getrandom");
    hash_hex(d->core == CORE_ESP32_PBKDF2 ? "SHA256" : "MD5", random, sizeof random, out);
}

/* @return whether the other side knows the password */
static bool authenticate(struct espota_device *d, struct sockaddr_in *peer)
{
    char nonce[65], text[256], cnonce[80], response[80], want[65];
    struct sockaddr_in from;
    make_nonce(d, nonce);
    (void)snprintf(text, sizeof text, "AUTH %s", nonce);
    say(d, peer, text);
    if (!hear(d, 20000, text, &from) || d->fault == FAULT_AUTH_SILENT)
        return false;
    if (d->core != CORE_ESP8266) /* an ESP8266 goes on answering the first packet's port */
        *peer = from;
    if (sscanf(text, "200 %79s %79s", cnonce, response) != 2 || strlen(cnonce) != strlen(nonce) ||
        strlen(response) != strlen(nonce))
        return false; /* back to idle without a word: a second invitation does that too */
    expected_response(d, nonce, cnonce, want);
    if (strcmp(response, want) == 0)
        return true;
    say(d, peer, "Authentication Failed");
    return false;
}

/* ---- the connection ----------------------------------------------------------------------- */

static int connect_from(const struct espota_device *d, const struct sockaddr_in *peer,
                        const char *address)
{
    struct sockaddr_in to = *peer, from = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    to.sin_port = htons((uint16_t)d->offer.port);
    (void)inet_pton(AF_INET, address, &from.sin_addr);
    must(fd >= 0, "socket");
    if (bind(fd, (const struct sockaddr *)&from, sizeof from) == 0 &&
        connect(fd, (const struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static void tell(int fd, const char *text)
{
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* Digit by digit, or glued to the next ones. */
static void acknowledge(const struct espota_device *d, int fd, size_t n, char glued[64])
{
    char text[32];
    (void)snprintf(text, sizeof text, "%zu", n);
    if (d->fault != FAULT_SPLIT) {
        tell(fd, text);
        return;
    }
    if (n % 2 == 0 && strlen(glued) < 24) {
        (void)strncat(glued, text, 63 - strlen(glued));
        return;
    }
    for (const char *at = glued; *at != '\0'; at++)
        (void)send(fd, at, 1, MSG_NOSIGNAL);
    glued[0] = '\0';
    for (const char *at = text; *at != '\0'; at++) {
        (void)send(fd, at, 1, MSG_NOSIGNAL);
        nap(1);
    }
}

/* Whether it does now what it does wrong in the middle. */
static bool breaks(struct espota_device *d, int fd)
{
    const struct linger at_once = {.l_onoff = 1};
    if (d->received * 100 < d->offer.size * (size_t)d->percent)
        return false;
    while (d->fault == FAULT_STALL && !atomic_load(&d->stop))
        nap(TURN_MS);
    while (d->fault == FAULT_FLOOD && !atomic_load(&d->stop) &&
           send(fd, "9999999999", 10, MSG_NOSIGNAL) > 0)
        continue;
    if (d->fault == FAULT_RESET)
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    if (d->fault == FAULT_ERROR)
        tell(fd, "ERROR[3]: Receive Failed\n");
    return d->fault == FAULT_STALL || d->fault == FAULT_FLOOD || d->fault == FAULT_RESET ||
           d->fault == FAULT_ERROR || d->fault == FAULT_CLOSE;
}

/* @return whether all of it arrived */
static bool receive(struct espota_device *d, int fd, EVP_MD_CTX *md)
{
    unsigned char piece[1460];
    char glued[64] = "";
    size_t most = d->core == CORE_ESP32_MD5 ? 1024 : sizeof piece;
    for (d->received = 0; d->received < d->offer.size;) {
        size_t room = d->fault == FAULT_SPLIT ? 1 + (d->received * 7919 + 13) % 900 : most;
        if (breaks(d, fd) || !ready(d, fd, 4 * DATA_MS))
            return false;
        ssize_t n = recv(fd, piece, room, 0);
        if (n <= 0)
            return false;
        nap(d->write_ms);
        d->received += (size_t)n;
        must(EVP_DigestUpdate(md, piece, (size_t)n) == 1, "MD5");
        bool last = d->received == d->offer.size;
        if (last && d->fault == FAULT_GLUED) {
            char text[32];
            (void)snprintf(text, sizeof text, "%zdOK", n);
            tell(fd, text);
        } else {
            acknowledge(d, fd, (size_t)n, glued);
        }
        if (d->fault == FAULT_SPLIT && glued[0] != '\0' && !last) {
            struct pollfd p = {.fd = fd, .events = POLLIN};
            if (poll(&p, 1, 5) == 0) { /* nothing more comes before these are told */
                tell(fd, glued);
                glued[0] = '\0';
            }
        }
    }
    tell(fd, glued);
    return true;
}

static void finish(struct espota_device *d, int fd)
{
    bool same = strcmp(d->md5, d->offer.md5) == 0;
    if (d->fault == FAULT_NO_OK)
        return;
    if (!same || d->fault == FAULT_END_ERROR) {
        tell(fd, "ERROR[7]: MD5 Check Failed\n");
        return;
    }
    nap(20); /* a second on an ESP8266, to let the last count go alone */
    if (d->fault != FAULT_GLUED)
        tell(fd, "OK");
    (void)atomic_fetch_add(&d->updates, 1);
    nap(20);
}

static void fetch(struct espota_device *d, const struct sockaddr_in *peer)
{
    unsigned char sum[16];
    if (d->fault == FAULT_STRANGER) {
        int other = connect_from(d, peer, "127.0.0.2");
        nap(50);
        if (other >= 0)
            (void)close(other);
    }
    int fd = connect_from(d, peer, own_address(d));
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (fd < 0) {
        EVP_MD_CTX_free(md);
        return;
    }
    must(md != NULL && EVP_DigestInit_ex(md, EVP_md5(), NULL) == 1, "MD5");
    if (receive(d, fd, md)) {
        must(EVP_DigestFinal_ex(md, sum, NULL) == 1, "MD5");
        for (size_t i = 0; i < sizeof sum; i++)
            (void)snprintf(d->md5 + 2 * i, 3, "%02x", sum[i]);
        finish(d, fd);
    }
    EVP_MD_CTX_free(md);
    (void)close(fd);
}

/* ---- its loop() --------------------------------------------------------------------------- */

static void handle(struct espota_device *d, struct sockaddr_in *peer)
{
    bool esp8266 = d->core == CORE_ESP8266;
    if (d->password != NULL && !authenticate(d, peer))
        return;
    if (d->fault == FAULT_GARBAGE) {
        say(d, peer, "\x01hello\xff");
        return;
    }
    if (esp8266 && d->fault == FAULT_NO_SPACE) {
        say(d, peer, "ERR: ERROR[4]: Not Enough Space\n");
        return;
    }
    if (esp8266 && d->fault == FAULT_NEEDS_RESET) {
        say(d, peer,
            "ERR: ERROR[11]: Invalid bootstrapping state, reset ESP8266 before updating\n");
        return;
    }
    say(d, peer, "OK");
    if (d->fault == FAULT_NO_CONNECT || d->fault == FAULT_NO_SPACE)
        return;
    fetch(d, peer);
}

static void *loop(void *arg)
{
    struct espota_device *d = arg;
    char text[256];
    struct sockaddr_in peer;
    for (int ms = 0; d->fault == FAULT_DELAY && ms < d->delay_ms && !atomic_load(&d->stop);
         ms += TURN_MS)
        nap(TURN_MS);
    while (!atomic_load(&d->stop)) {
        if (d->fault == FAULT_SILENT)
            nap(TURN_MS);
        else if (hear(d, TURN_MS, text, &peer) && read_invitation(d, text))
            handle(d, &peer);
    }
    return NULL;
}

void espota_device_start(struct espota_device *d)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(d->port)};
    socklen_t n = sizeof at;
    must(inet_pton(AF_INET, own_address(d), &at.sin_addr) == 1, "address");
    d->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    must(d->udp >= 0 && bind(d->udp, (const struct sockaddr *)&at, n) == 0 &&
             getsockname(d->udp, (struct sockaddr *)&at, &n) == 0,
         "UDP");
    d->port = ntohs(at.sin_port);
    atomic_store(&d->stop, false);
    must(pthread_create(&d->thread, NULL, loop, d) == 0, "thread");
}

void espota_device_stop(struct espota_device *d)
{
    atomic_store(&d->stop, true);
    (void)pthread_join(d->thread, NULL);
    (void)close(d->udp);
}
