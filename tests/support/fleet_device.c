/* SPDX-License-Identifier: MIT
 * Owns the port on which simulated devices run, and their faults. */
#include "support/fleet_device.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 30
#define WORK_N 512 /* what a small device would give it */

const char *const fleet_fault_word[FLEET_FAULT_N] = {
#define X(name, word, fate) word,
    FLEET_FAULTS(X)
#undef X
};
const char *const fleet_fate[FLEET_FAULT_N] = {
#define X(name, word, fate) fate,
    FLEET_FAULTS(X)
#undef X
};

static uint32_t draw(void *ctx)
{
    struct fleet_device *d = ctx;
    d->rng = d->rng * 1664525u + 1013904223u;
    return d->rng >> 8;
}

/* ---- transport ----------------------------------------------------------------------------- */

/* Each device has an address of its own, as in the field. */
static int open_socket(const struct fleet_device *d)
{
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(0x7f010000u + d->number)};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(d->fleet->port)};
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (inet_pton(AF_INET, d->fleet->host, &to.sin_addr) == 1 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) == 0 &&
        bind(fd, (struct sockaddr *)&from, sizeof from) == 0 &&
        connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static int port_connect(void *ctx, const char *host, uint16_t port)
{
    struct fleet_device *d = ctx;
    (void)host;
    (void)port;
    d->fd = d->off ? -1 : open_socket(d);
    return d->fd < 0 ? OTAC_E_CONNECT : OTAC_OK;
}

static int port_send(void *ctx, const void *data, size_t n)
{
    struct fleet_device *d = ctx;
    const char *from = data;
    while (n > 0 && !d->off) {
        ssize_t done = send(d->fd, from, n, MSG_NOSIGNAL);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            break;
        from += done;
        n -= (size_t)done;
    }
    return n == 0 ? OTAC_OK : OTAC_E_CONN_LOST;
}

/* Whether the fault that this device was born with strikes before the next byte. */
static bool strikes(struct fleet_device *d, size_t *n)
{
    if (d->spent || (d->fault != FLEET_DROP && d->fault != FLEET_POWER))
        return false;
    if (d->budget > 0) {
        if (*n > d->budget)
            *n = d->budget;
        return false;
    }
    d->spent = true;
    d->off = d->fault == FLEET_POWER;
    return true;
}

static int port_recv(void *ctx, void *buf, size_t n)
{
    struct fleet_device *d = ctx;
    if (d->off || strikes(d, &n))
        return OTAC_E_CONN_LOST;
    ssize_t got;
    do
        got = recv(d->fd, buf, n, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN ? OTAC_E_TIMEOUT : OTAC_E_CONN_LOST;
    d->received += (uint64_t)got;
    d->budget -= d->budget < (size_t)got ? d->budget : (uint32_t)got;
    return (int)got;
}

static void port_close(void *ctx)
{
    struct fleet_device *d = ctx;
    if (d->fd >= 0)
        (void)close(d->fd);
    d->fd = -1;
}

/* ---- flash --------------------------------------------------------------------------------- */

static int slot_begin(void *ctx, unsigned slot, uint32_t size)
{
    struct fleet_device *d = ctx;
    (void)slot;
    d->written = 0;
    if (size != d->fleet->image_n)
        d->wrong = true;
    return d->off ? OTAC_E_FLASH_ERASE : OTAC_OK;
}

static int slot_write(void *ctx, unsigned slot, uint32_t offset, const void *data, size_t n)
{
    struct fleet_device *d = ctx;
    (void)slot;
    if (d->off)
        return OTAC_E_FLASH_WRITE;
    if (offset != d->written || n > d->fleet->image_n - offset ||
        memcmp(d->fleet->image + offset, data, n) != 0) {
        d->wrong = true;
        return OTAC_E_FLASH_WRITE;
    }
    d->written += (uint32_t)n;
    return OTAC_OK;
}

static int slot_finish(void *ctx, unsigned slot)
{
    const struct fleet_device *d = ctx;
    (void)slot;
    return d->off ? OTAC_E_FLASH_WRITE : OTAC_OK;
}

static int slot_read(void *ctx, unsigned slot, uint32_t offset, void *buf, size_t n)
{
    const struct fleet_device *d = ctx;
    uint8_t *to = buf;
    (void)slot;
    if (d->off || offset > d->written || n > d->written - offset)
        return OTAC_E_FLASH_READ;
    memcpy(to, d->fleet->image + offset, n);
    if (d->fault == FLEET_FLASH && offset == 0 && n > 0)
        to[0] ^= 1;
    return OTAC_OK;
}

static int record_load(void *ctx, void *buf, size_t n)
{
    const struct fleet_device *d = ctx;
    if (!d->has_record || n != sizeof d->record)
        return 0;
    memcpy(buf, d->record, n);
    return (int)n;
}

static int record_save(void *ctx, const void *data, size_t n)
{
    struct fleet_device *d = ctx;
    if (d->off || n != sizeof d->record)
        return OTAC_E_RECORD_IO;
    memcpy(d->record, data, n);
    d->has_record = true;
    return OTAC_OK;
}

/* ---- the rest of the port ------------------------------------------------------------------ */

static int hash_begin(void *ctx)
{
    struct fleet_device *d = ctx;
    return EVP_DigestInit_ex(d->sha256, EVP_sha256(), NULL) == 1 &&
                   EVP_DigestInit_ex(d->md5, EVP_md5(), NULL) == 1
               ? OTAC_OK
               : OTAC_E_HASH;
}

static int hash_update(void *ctx, const void *data, size_t n)
{
    struct fleet_device *d = ctx;
    return EVP_DigestUpdate(d->sha256, data, n) == 1 && EVP_DigestUpdate(d->md5, data, n) == 1
               ? OTAC_OK
               : OTAC_E_HASH;
}

static int hash_finish(void *ctx, uint8_t sha256[32], uint8_t md5[16])
{
    struct fleet_device *d = ctx;
    return EVP_DigestFinal_ex(d->sha256, sha256, NULL) == 1 &&
                   EVP_DigestFinal_ex(d->md5, md5, NULL) == 1
               ? OTAC_OK
               : OTAC_E_HASH;
}

static uint32_t clock_ms(void *ctx)
{
    (void)ctx;
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint32_t)(ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
}

/* Whoever runs the fleet waits between rounds; within one the core doesn't sleep. */
static void sleep_ms(void *ctx, uint32_t ms)
{
    (void)ctx;
    (void)ms;
}

void fleet_device_init(struct fleet_device *d, const struct fleet *fleet, uint32_t number,
                       enum fleet_fault fault)
{
    *d = (struct fleet_device){.fleet = fleet,
                               .fault = fault,
                               .rng = number * 2654435761u + 1,
                               .number = number,
                               .fd = -1};
    /* Within the answer to the first check-in, which carries the image. */
    d->budget = draw(d) % fleet->image_n + 1;
    (void)snprintf(d->mac, sizeof d->mac, "5C:CF:7F:%02X:%02X:%02X", number >> 16 & 0xff,
                   number >> 8 & 0xff, number & 0xff);
    d->config = (struct otac_config){.host = fleet->host,
                                     .port = fleet->port,
                                     .product = fleet->product,
                                     .mac = d->mac,
                                     .family = "ESP8266",
                                     .slot_size = 0x100000,
                                     .describe = otac_err_text};
    d->port = (struct otac_port){.ctx = d,
                                 .connect = port_connect,
                                 .send = port_send,
                                 .recv = port_recv,
                                 .close = port_close,
                                 .slot_begin = slot_begin,
                                 .slot_write = slot_write,
                                 .slot_finish = slot_finish,
                                 .slot_read = slot_read,
                                 .record_load = record_load,
                                 .record_save = record_save,
                                 .hash_begin = hash_begin,
                                 .hash_update = hash_update,
                                 .hash_finish = hash_finish,
                                 .clock_ms = clock_ms,
                                 .sleep_ms = sleep_ms,
                                 .random = draw};
}

/* The version that runs, as the program knows it: not before the record is loaded. */
static int start(struct fleet_device *d, void *work)
{
    d->off = false;
    d->config.version = "1";
    int rc = otac_init(&d->client, &d->config, &d->port, work, WORK_N);
    const struct otac_image *active = otac_active(&d->client);
    if (rc == OTAC_OK && active != NULL)
        d->config.version = active->version;
    return rc;
}

static enum fleet_end judge(struct fleet_device *d, int rc)
{
    bool installed = otac_active(&d->client) != NULL;
    if (rc == OTAC_UPDATED && d->fault == FLEET_SILENT)
        return FLEET_GONE;
    if (rc == OTAC_UPDATED && d->fault == FLEET_OLD)
        d->has_record = false; /* as if nothing had been installed */
    if (rc != OTAC_UP_TO_DATE)
        return FLEET_GOES_ON;
    if (!installed)
        return FLEET_HELD;
    return d->client.record.report_kind == 0 ? FLEET_INSTALLED : FLEET_GOES_ON;
}

enum fleet_end fleet_device_round(struct fleet_device *d, int *error)
{
    uint8_t work[WORK_N];
    d->rounds++;
    d->sha256 = EVP_MD_CTX_new();
    d->md5 = EVP_MD_CTX_new();
    int rc = d->sha256 == NULL || d->md5 == NULL ? OTAC_E_HASH : start(d, work);
    if (rc == OTAC_OK)
        rc = otac_update(&d->client);
    EVP_MD_CTX_free(d->sha256);
    EVP_MD_CTX_free(d->md5);
    d->sha256 = d->md5 = NULL;
    *error = rc < 0 ? rc : 0;
    return judge(d, rc);
}
