/* SPDX-License-Identifier: MIT
 * Owns the port struct for ESP-IDF: each function is one or two calls of ESP-IDF, with its errors
 * put into ours. */
#include "otad_client_esp_idf.h"

#include <string.h>

#include "esp_app_desc.h"
#include "esp_mac.h"
#include "esp_ota_ops.h"
#include "esp_random.h"
#include "esp_timer.h"
#include "esp_transport_tcp.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "sdkconfig.h"

#define SECTOR 4096u       /* flash is erased by it */
#define RESUME_STEP 65536u /* a power of two; a save of the record each: 16 for a megabyte */

static const char nvs_space[] = "otad", nvs_key[] = "record";

/* ---- transport ----------------------------------------------------------------------------- */

static int net_connect(void *ctx, const char *host, uint16_t port)
{
    struct otac_esp_idf *p = ctx;
    if (esp_transport_connect(p->transport, host, port, p->timeout_ms) == 0)
        return OTAC_OK;
    (void)esp_transport_close(p->transport);
    return OTAC_E_CONNECT;
}

static int net_send(void *ctx, const void *data, size_t n)
{
    struct otac_esp_idf *p = ctx;
    const char *at = data;
    while (n > 0) {
        int sent = esp_transport_write(p->transport, at, (int)n, p->timeout_ms);
        if (sent <= 0)
            return sent == 0 ? OTAC_E_TIMEOUT : OTAC_E_CONN_LOST;
        at += sent;
        n -= (size_t)sent;
    }
    return OTAC_OK;
}

static int net_recv(void *ctx, void *buf, size_t n)
{
    struct otac_esp_idf *p = ctx;
    int got = esp_transport_read(p->transport, buf, (int)n, p->timeout_ms);
    if (got > 0)
        return got;
    if (got == ERR_TCP_TRANSPORT_CONNECTION_TIMEOUT)
        return OTAC_E_TIMEOUT;
    return got == ERR_TCP_TRANSPORT_CONNECTION_CLOSED_BY_FIN ? 0 : OTAC_E_CONN_LOST;
}

static void net_close(void *ctx)
{
    struct otac_esp_idf *p = ctx;
    (void)esp_transport_close(p->transport);
}

/* ---- flash --------------------------------------------------------------------------------- */

static bool is_on_trial(void)
{
    esp_ota_img_states_t state;
    return esp_ota_get_state_partition(esp_ota_get_running_partition(), &state) == ESP_OK &&
           state == ESP_OTA_IMG_PENDING_VERIFY;
}

static int flash_begin(void *ctx, unsigned slot, uint32_t size)
{
    struct otac_esp_idf *p = ctx;
    if (size > p->slot[slot]->size)
        return OTAC_E_NO_SPACE;
    /* The other partition may be where the boot loader goes back to. */
    return p->slot[slot] == esp_ota_get_running_partition() || is_on_trial() ? OTAC_E_FLASH_ERASE
                                                                             : OTAC_OK;
}

/* A step is whole sectors, and a sector is erased when its first byte is written. */
static int flash_resume(void *ctx, unsigned slot, uint32_t size, uint32_t offset)
{
    (void)offset;
    return flash_begin(ctx, slot, size);
}

/* Erases what these bytes are the first to touch: a sector at a time, so that no connection times
 * out meanwhile. */
static int erase_for(const esp_partition_t *slot, uint32_t offset, size_t n)
{
    for (uint32_t at = (offset + SECTOR - 1) / SECTOR * SECTOR; at < offset + n; at += SECTOR)
        if (esp_partition_erase_range(slot, at, SECTOR) != ESP_OK)
            return OTAC_E_FLASH_ERASE;
    return OTAC_OK;
}

static int flash_write(void *ctx, unsigned slot, uint32_t offset, const void *data, size_t n)
{
    struct otac_esp_idf *p = ctx;
    const esp_partition_t *to = p->slot[slot];
    uint8_t tail[OTAC_WRITE_ALIGN]; /* encrypted flash takes nothing but whole ones */
    const size_t rest = n % sizeof tail;
    int err = erase_for(to, offset, n);
    if (err != OTAC_OK)
        return err;
    if (n > rest && esp_partition_write(to, offset, data, n - rest) != ESP_OK)
        return OTAC_E_FLASH_WRITE;
    if (rest == 0)
        return OTAC_OK;
    memset(tail, 0xff, sizeof tail);
    memcpy(tail, (const uint8_t *)data + n - rest, rest);
    return esp_partition_write(to, offset + n - rest, tail, sizeof tail) == ESP_OK
               ? OTAC_OK
               : OTAC_E_FLASH_WRITE;
}

/* esp_partition_write() returns when the chip has it. */
static int flash_finish(void *ctx, unsigned slot)
{
    (void)ctx;
    (void)slot;
    return OTAC_OK;
}

static int flash_read(void *ctx, unsigned slot, uint32_t offset, void *buf, size_t n)
{
    struct otac_esp_idf *p = ctx;
    return esp_partition_read(p->slot[slot], offset, buf, n) == ESP_OK ? OTAC_OK
                                                                       : OTAC_E_FLASH_READ;
}

/* ---- boot record: one NVS blob, and otadata, which counts ----------------------------------- */

/* The record, and the address of the partition that is slot 0. While what it makes boot may still
 * be given up, or the boot loader not have been told, also the record before, to go back to. */
enum {
    AT_ACTIVE = 5,
    AT_TRIAL = 7,
    AT_SLOT_0 = OTAC_RECORD_SIZE,
    PLAIN_SIZE = AT_SLOT_0 + 4,
    AT_STALE = PLAIN_SIZE, /* 1: the boot loader had given up this partition before */
    AT_HAS_BEFORE,         /* 0: there was no record */
    AT_BEFORE = AT_STALE + 4,
    FULL_SIZE = AT_BEFORE + OTAC_RECORD_SIZE
};

/* The slot that runs gets that number, the other one the other. */
static void number_slots(struct otac_esp_idf *p, unsigned running)
{
    p->slot[running] = esp_ota_get_running_partition();
    p->slot[1 - running] = esp_ota_get_next_update_partition(NULL);
}

static unsigned running_slot(void *ctx)
{
    const struct otac_esp_idf *p = ctx;
    return p->slot[0] == esp_ota_get_running_partition() ? 0 : 1;
}

static bool is_given_up(const struct otac_esp_idf *p, unsigned slot)
{
    return esp_ota_get_last_invalid_partition() == p->slot[slot];
}

static int blob_save(struct otac_esp_idf *p, const uint8_t *blob, size_t n)
{
    if (nvs_set_blob(p->nvs, nvs_key, blob, n) != ESP_OK || nvs_commit(p->nvs) != ESP_OK)
        return OTAC_E_RECORD_IO;
    return OTAC_OK;
}

/* @return bytes, 0 when there is none, 1 when it is damaged, OTAC_E_RECORD_IO */
static int blob_load(struct otac_esp_idf *p, uint8_t blob[FULL_SIZE])
{
    size_t got = FULL_SIZE;
    const esp_err_t err = nvs_get_blob(p->nvs, nvs_key, blob, &got);
    if (err == ESP_ERR_NVS_NOT_FOUND)
        return 0;
    if (err != ESP_OK && err != ESP_ERR_NVS_INVALID_LENGTH)
        return OTAC_E_RECORD_IO;
    return err == ESP_OK && (got == PLAIN_SIZE || got == FULL_SIZE) ? (int)got : 1;
}

static int blob_erase(struct otac_esp_idf *p)
{
    if (nvs_erase_key(p->nvs, nvs_key) != ESP_OK || nvs_commit(p->nvs) != ESP_OK)
        return OTAC_E_RECORD_IO;
    return 0;
}

/* The record names an image that doesn't run, although the boot loader tried none: the power went
 * before it was told. What was before is so again. @return as record_load() */
static int take_before(struct otac_esp_idf *p, uint8_t blob[FULL_SIZE])
{
    if (!blob[AT_HAS_BEFORE])
        return blob_erase(p);
    memmove(blob, blob + AT_BEFORE, OTAC_RECORD_SIZE);
    const int err = blob_save(p, blob, PLAIN_SIZE);
    return err == OTAC_OK ? OTAC_RECORD_SIZE : err;
}

/* True when the image that the record makes boot was tried, on trial, and given up. Only then does
 * the client hear of it; an entry of otadata that was there before says nothing about it. */
static bool was_rolled_back(const struct otac_esp_idf *p, const uint8_t blob[FULL_SIZE])
{
    return blob[AT_TRIAL] != 0 && !blob[AT_STALE] && is_given_up(p, blob[AT_ACTIVE]);
}

static int record_load(void *ctx, void *buf, size_t n)
{
    struct otac_esp_idf *p = ctx;
    uint8_t blob[FULL_SIZE] = {0};
    uint32_t slot_0;
    number_slots(p, 1);
    int got = blob_load(p, blob);
    if (got < PLAIN_SIZE)
        return got;
    memcpy(&slot_0, blob + AT_SLOT_0, sizeof slot_0);
    const unsigned running = esp_ota_get_running_partition()->address == slot_0 ? 0 : 1;
    number_slots(p, running);
    const bool runs = blob[AT_ACTIVE] >= OTAC_SLOTS || blob[AT_ACTIVE] == running;
    if (!runs && got == FULL_SIZE && !was_rolled_back(p, blob))
        got = take_before(p, blob);
    if (got > 0)
        memcpy(buf, blob, n);
    return got > 0 ? OTAC_RECORD_SIZE : got;
}

/* Tells the boot loader. It looks at the image once more, and refuses one that it would not start.
 */
static int switch_to(struct otac_esp_idf *p, uint8_t blob[FULL_SIZE])
{
    if (esp_ota_set_boot_partition(p->slot[blob[AT_ACTIVE]]) != ESP_OK)
        return OTAC_E_RECORD_IO;
    if (!blob[AT_STALE])
        return OTAC_OK;
    blob[AT_STALE] = 0; /* the entry is overwritten: the next one is about this image */
    return blob_save(p, blob, FULL_SIZE);
}

static int record_save(void *ctx, const void *data, size_t n)
{
    struct otac_esp_idf *p = ctx;
    uint8_t blob[FULL_SIZE] = {0};
    const uint8_t active = ((const uint8_t *)data)[AT_ACTIVE];
    const uint8_t trial = ((const uint8_t *)data)[AT_TRIAL];
    int got = blob_load(p, blob);
    if (got < 0 || n != OTAC_RECORD_SIZE)
        return OTAC_E_RECORD_IO;
    const bool stored = got >= PLAIN_SIZE;
    /* Before the record says so: an image that is confirmed here and given up there can't be. */
    if (stored && blob[AT_TRIAL] != 0 && trial == 0 && blob[AT_ACTIVE] == active &&
        otac_esp_idf_confirm() != OTAC_OK)
        return OTAC_E_RECORD_IO;
    /* What runs on trial the boot loader gives up by itself. */
    const bool switches =
        active < OTAC_SLOTS && !is_on_trial() && esp_ota_get_boot_partition() != p->slot[active];
    blob[AT_STALE] = switches && is_given_up(p, active);
    if (switches) {
        memmove(blob + AT_BEFORE, blob, OTAC_RECORD_SIZE);
        blob[AT_HAS_BEFORE] = stored;
    }
    memcpy(blob, data, n);
    memcpy(blob + AT_SLOT_0, &p->slot[0]->address, 4);
    const bool keeps_before = switches || (trial != 0 && got == FULL_SIZE);
    const int err = blob_save(p, blob, keeps_before ? FULL_SIZE : PLAIN_SIZE);
    return err == OTAC_OK && switches ? switch_to(p, blob) : err;
}

/* ---- hash, clock, chance ------------------------------------------------------------------- */

static int hash_begin(void *ctx)
{
    struct otac_esp_idf *p = ctx;
    mbedtls_sha256_free(&p->sha256); /* an earlier run may hold the accelerator */
    mbedtls_sha256_init(&p->sha256);
    esp_rom_md5_init(&p->md5);
    return mbedtls_sha256_starts(&p->sha256, 0) == 0 ? OTAC_OK : OTAC_E_HASH;
}

static int hash_update(void *ctx, const void *data, size_t n)
{
    struct otac_esp_idf *p = ctx;
    esp_rom_md5_update(&p->md5, data, (uint32_t)n);
    return mbedtls_sha256_update(&p->sha256, data, n) == 0 ? OTAC_OK : OTAC_E_HASH;
}

static int hash_finish(void *ctx, uint8_t sha256[32], uint8_t md5[16])
{
    struct otac_esp_idf *p = ctx;
    esp_rom_md5_final(md5, &p->md5);
    return mbedtls_sha256_finish(&p->sha256, sha256) == 0 ? OTAC_OK : OTAC_E_HASH;
}

static uint32_t clock_ms(void *ctx)
{
    (void)ctx;
    return (uint32_t)(esp_timer_get_time() / 1000);
}

static void sleep_ms(void *ctx, uint32_t ms)
{
    (void)ctx;
    vTaskDelay(ms / portTICK_PERIOD_MS);
}

static uint32_t random_32(void *ctx)
{
    (void)ctx;
    return esp_random();
}

/* ---- for the application ------------------------------------------------------------------- */

int otac_esp_idf_open(struct otac_esp_idf *p)
{
    memset(p, 0, sizeof *p);
    p->timeout_ms = 15000;
    number_slots(p, 1);
    if (p->slot[0] == NULL || p->slot[1] == NULL || p->slot[0] == p->slot[1])
        return OTAC_E_CONFIG;
    if (nvs_open(nvs_space, NVS_READWRITE, &p->nvs) != ESP_OK)
        return OTAC_E_RECORD_IO;
    p->transport = esp_transport_tcp_init();
    if (p->transport == NULL) {
        nvs_close(p->nvs);
        return OTAC_E_CONNECT;
    }
    mbedtls_sha256_init(&p->sha256);
    return OTAC_OK;
}

void otac_esp_idf_close(struct otac_esp_idf *p)
{
    (void)esp_transport_destroy(p->transport);
    mbedtls_sha256_free(&p->sha256);
    nvs_close(p->nvs);
}

struct otac_port otac_esp_idf_port(struct otac_esp_idf *p)
{
    const struct otac_port port = {.ctx = p,
                                   .connect = net_connect,
                                   .send = net_send,
                                   .recv = net_recv,
                                   .close = net_close,
                                   .slot_begin = flash_begin,
                                   .slot_resume = flash_resume,
                                   .resume_step = RESUME_STEP,
                                   .slot_write = flash_write,
                                   .slot_finish = flash_finish,
                                   .slot_read = flash_read,
                                   .record_load = record_load,
                                   .record_save = record_save,
                                   .running_slot = running_slot,
                                   .hash_begin = hash_begin,
                                   .hash_update = hash_update,
                                   .hash_finish = hash_finish,
                                   .clock_ms = clock_ms,
                                   .sleep_ms = sleep_ms,
                                   .random = random_32};
    return port;
}

static void write_mac(const uint8_t mac[6], char out[OTAC_ESP_IDF_MAC_TEXT])
{
    static const char digits[] = "0123456789ABCDEF";
    for (unsigned i = 0; i < 6; i++) {
        out[3 * i] = digits[mac[i] >> 4];
        out[3 * i + 1] = digits[mac[i] & 15];
        out[3 * i + 2] = i < 5 ? ':' : '\0';
    }
}

/* "esp32c3" as the server writes it: "ESP32-C3". */
static void write_chip(const char *target, char out[OTAC_ESP_IDF_CHIP_TEXT])
{
    const size_t base = sizeof "esp32" - 1;
    size_t n = 0;
    for (size_t i = 0; target[i] != '\0' && n < OTAC_ESP_IDF_CHIP_TEXT - 2; i++) {
        if (i == base)
            out[n++] = '-';
        out[n++] = (char)(target[i] >= 'a' && target[i] <= 'z' ? target[i] - 'a' + 'A' : target[i]);
    }
    out[n] = '\0';
}

void otac_esp_idf_identify(struct otac_esp_idf *p, struct otac_config *config)
{
    uint8_t mac[6] = {0};
    (void)esp_read_mac(mac, ESP_MAC_WIFI_STA);
    write_mac(mac, p->mac);
    write_chip(CONFIG_IDF_TARGET, p->chip);
    config->mac = p->mac;
    config->chip = p->chip;
    config->family = "ESP32";
    config->version = esp_app_get_description()->version;
    config->slot_size = esp_ota_get_next_update_partition(NULL)->size;
}

int otac_esp_idf_init(struct otac *c, const struct otac_config *config,
                      const struct otac_port *port, void *buf, size_t buf_n)
{
    struct otac_esp_idf *p = port->ctx;
    int rc = otac_init(c, config, port, buf, buf_n);
    if (rc == OTAC_OK && otac_active(c) != NULL)
        rc = otac_slot_check(c, c->record.active);
    /* Otherwise than a bare chip, this one knows which slot runs without the record. */
    if (rc == OTAC_E_FLASH_VERIFY)
        rc = otac_start_over(c);
    else if (rc == OTAC_E_RECORD)
        rc = blob_erase(p);
    else
        return rc;
    return rc == OTAC_OK ? otac_init(c, config, port, buf, buf_n) : rc;
}

int otac_esp_idf_confirm(void)
{
    if (!is_on_trial())
        return OTAC_OK;
    return esp_ota_mark_app_valid_cancel_rollback() == ESP_OK ? OTAC_OK : OTAC_E_RECORD_IO;
}
