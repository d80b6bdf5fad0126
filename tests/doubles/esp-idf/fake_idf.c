/* SPDX-License-Identifier: MIT
 * The ESP32 of fake_idf.h. */
#include "fake_idf.h"

#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "esp_app_desc.h"
#include "esp_log.h"
#include "esp_mac.h"
#include "esp_random.h"
#include "esp_rom_md5.h"
#include "esp_system.h"
#include "esp_timer.h"
#include "esp_transport_tcp.h"
#include "freertos/task.h"
#include "mbedtls/sha256.h"
#include "nvs.h"
#include "support/unit.h"

struct fake_idf fake_idf;
char fake_idf_host[64];
uint16_t fake_idf_port;
const char *fake_idf_keys = "";

static const esp_partition_t parts[2] = {
    {0x10000,                 FAKE_IDF_SLOT, "ota_0"},
    {0x10000 + FAKE_IDF_SLOT, FAKE_IDF_SLOT, "ota_1"}
};

static unsigned index_of(const esp_partition_t *partition)
{
    ck_assert(partition == &parts[0] || partition == &parts[1]);
    return (unsigned)(partition - parts);
}

/* Each change of what survives passes here; half of it has happened when the power goes. */
static bool power_goes(void)
{
    return ++fake_idf.changes == fake_idf.cut_at;
}

static void cut(void)
{
    fake_idf.restarted = false;
    longjmp(fake_idf.power, 1);
}

/* ---- the boot loader ----------------------------------------------------------------------- */

void fake_idf_factory(const void *image, size_t n, const char *version)
{
    memset(&fake_idf, 0, sizeof fake_idf);
    memset(fake_idf.flash, 0xff, sizeof fake_idf.flash);
    memcpy(fake_idf.flash[0], image, n);
    (void)snprintf(fake_idf.version, sizeof fake_idf.version, "%s", version);
}

static bool is_given_up(const struct fake_idf *f, unsigned entry)
{
    return f->otadata[entry].seq != 0 && (f->otadata[entry].state == ESP_OTA_IMG_INVALID ||
                                          f->otadata[entry].state == ESP_OTA_IMG_ABORTED);
}

/* The highest entry that was given up, or wasn't. @return 0, 1, or -1 */
static int find_entry(const struct fake_idf *f, bool given_up)
{
    int found = -1;
    uint32_t seq = 0;
    for (unsigned i = 0; i < 2; i++)
        if (f->otadata[i].seq > seq && is_given_up(f, i) == given_up) {
            seq = f->otadata[i].seq;
            found = (int)i;
        }
    return found;
}

static unsigned part_of(const struct fake_idf *f, int entry)
{
    return entry < 0 ? 0 : (f->otadata[entry].seq - 1) % 2;
}

/* Erases the sector of an entry, and writes it. */
static void write_entry(struct fake_idf *f, int entry, uint32_t seq, esp_ota_img_states_t state)
{
    if (power_goes())
        cut();
    f->otadata[entry].seq = 0;
    if (power_goes())
        cut();
    f->otadata[entry].seq = seq;
    f->otadata[entry].state = state;
}

unsigned fake_idf_boot(void)
{
    struct fake_idf *f = &fake_idf;
    for (unsigned i = 0; i < 2; i++)
        if (f->rollback && f->otadata[i].seq != 0 &&
            f->otadata[i].state == ESP_OTA_IMG_PENDING_VERIFY) {
            f->otadata[i].state = ESP_OTA_IMG_ABORTED; /* it had its chance */
            f->went_back++;
        }
    int entry = find_entry(f, false);
    if (entry < 0) { /* no factory partition: ota_0, and otadata says so from now on */
        entry = 0;
        f->otadata[0].seq = 1;
        f->otadata[0].state = ESP_OTA_IMG_VALID;
    }
    if (f->rollback && f->otadata[entry].state == ESP_OTA_IMG_NEW)
        f->otadata[entry].state = ESP_OTA_IMG_PENDING_VERIFY;
    f->nvs_new_n = f->nvs_n;
    memcpy(f->nvs_new, f->nvs, sizeof f->nvs);
    f->running = part_of(f, entry);
    ck_assert_msg(f->flash[f->running][0] == 0xe9, "there is no image where the device boots");
    return f->running;
}

esp_ota_img_states_t fake_idf_state(void)
{
    const int entry = find_entry(&fake_idf, false);
    return entry < 0 ? ESP_OTA_IMG_UNDEFINED : fake_idf.otadata[entry].state;
}

const esp_partition_t *esp_ota_get_running_partition(void)
{
    return &parts[fake_idf.running];
}

const esp_partition_t *esp_ota_get_boot_partition(void)
{
    return &parts[part_of(&fake_idf, find_entry(&fake_idf, false))];
}

const esp_partition_t *esp_ota_get_next_update_partition(const esp_partition_t *start_from)
{
    return &parts[1 - (start_from != NULL ? index_of(start_from) : fake_idf.running)];
}

/* The real one, too, looks at the image, and knows of none when it is damaged. */
const esp_partition_t *esp_ota_get_last_invalid_partition(void)
{
    const int entry = find_entry(&fake_idf, true);
    if (entry < 0 || fake_idf.flash[part_of(&fake_idf, entry)][0] != 0xe9)
        return NULL;
    return &parts[part_of(&fake_idf, entry)];
}

esp_err_t esp_ota_set_boot_partition(const esp_partition_t *partition)
{
    struct fake_idf *f = &fake_idf;
    const unsigned to = index_of(partition);
    const int entry = find_entry(f, false);
    if (f->flash[to][0] != 0xe9)
        return ESP_ERR_OTA_VALIDATE_FAILED;
    if (f->cut_at_switch != 0)
        f->cut_at = f->changes + f->cut_at_switch;
    f->cut_at_switch = 0;
    uint32_t seq = to + 1;
    while (entry >= 0 && seq < f->otadata[entry].seq)
        seq += 2;
    write_entry(f, entry == 0 ? 1 : 0, seq, f->rollback ? ESP_OTA_IMG_NEW : ESP_OTA_IMG_UNDEFINED);
    return ESP_OK;
}

esp_err_t esp_ota_get_state_partition(const esp_partition_t *partition, esp_ota_img_states_t *state)
{
    for (int i = 0; i < 2; i++)
        if (fake_idf.otadata[i].seq != 0 && part_of(&fake_idf, i) == index_of(partition)) {
            *state = fake_idf.otadata[i].state;
            return ESP_OK;
        }
    return ESP_ERR_NOT_FOUND;
}

esp_err_t esp_ota_mark_app_valid_cancel_rollback(void)
{
    struct fake_idf *f = &fake_idf;
    const int entry = find_entry(f, false);
    if (entry >= 0 && f->otadata[entry].state != ESP_OTA_IMG_VALID)
        write_entry(f, entry, f->otadata[entry].seq, ESP_OTA_IMG_VALID);
    return ESP_OK;
}

const esp_app_desc_t *esp_app_get_description(void)
{
    static esp_app_desc_t description;
    memcpy(description.version, fake_idf.version, sizeof description.version);
    return &description;
}

void esp_restart(void)
{
    fake_idf.restarted = true;
    longjmp(fake_idf.power, 1);
}

/* ---- flash and NVS ------------------------------------------------------------------------- */

static uint8_t *change_at(const esp_partition_t *partition, size_t offset, size_t n)
{
    const unsigned to = index_of(partition);
    ck_assert_msg(to != fake_idf.running, "the running partition is changed");
    ck_assert(offset + n <= partition->size);
    return fake_idf.flash[to] + offset;
}

esp_err_t esp_partition_erase_range(const esp_partition_t *partition, size_t offset, size_t n)
{
    uint8_t *at = change_at(partition, offset, n);
    ck_assert(offset % 4096 == 0 && n % 4096 == 0);
    const bool cuts = power_goes();
    memset(at, 0xff, cuts ? n / 2 : n);
    if (cuts)
        cut();
    return ESP_OK;
}

esp_err_t esp_partition_write(const esp_partition_t *partition, size_t offset, const void *from,
                              size_t n)
{
    uint8_t *at = change_at(partition, offset, n);
    ck_assert_msg(offset % 16 == 0 && n % 16 == 0, "encrypted flash would refuse this write");
    const bool cuts = power_goes();
    for (size_t i = 0; i < (cuts ? n / 2 : n); i++) {
        ck_assert_msg(at[i] == 0xff, "written where nothing was erased, at %zu", offset + i);
        at[i] = ((const uint8_t *)from)[i];
    }
    if (cuts)
        cut();
    return ESP_OK;
}

esp_err_t esp_partition_read(const esp_partition_t *partition, size_t offset, void *to, size_t n)
{
    ck_assert(offset + n <= partition->size);
    memcpy(to, fake_idf.flash[index_of(partition)] + offset, n);
    return ESP_OK;
}

esp_err_t nvs_open(const char *space, nvs_open_mode_t mode, nvs_handle_t *out)
{
    ck_assert(strlen(space) <= 15 && mode == NVS_READWRITE);
    *out = 1;
    return ESP_OK;
}

void nvs_close(nvs_handle_t handle)
{
    ck_assert_uint_eq(handle, 1);
}

esp_err_t nvs_get_blob(nvs_handle_t handle, const char *key, void *out, size_t *n)
{
    ck_assert(handle == 1 && strcmp(key, "record") == 0);
    if (fake_idf.nvs_new_n == 0)
        return ESP_ERR_NVS_NOT_FOUND;
    ck_assert_uint_ge(*n, fake_idf.nvs_new_n);
    memcpy(out, fake_idf.nvs_new, fake_idf.nvs_new_n);
    *n = fake_idf.nvs_new_n;
    return ESP_OK;
}

esp_err_t nvs_set_blob(nvs_handle_t handle, const char *key, const void *value, size_t n)
{
    ck_assert(handle == 1 && strcmp(key, "record") == 0 && n <= sizeof fake_idf.nvs);
    memcpy(fake_idf.nvs_new, value, n);
    fake_idf.nvs_new_n = n;
    return ESP_OK;
}

esp_err_t nvs_erase_key(nvs_handle_t handle, const char *key)
{
    ck_assert(handle == 1 && strcmp(key, "record") == 0);
    if (fake_idf.nvs_new_n == 0)
        return ESP_ERR_NVS_NOT_FOUND;
    fake_idf.nvs_new_n = 0;
    return ESP_OK;
}

esp_err_t nvs_commit(nvs_handle_t handle)
{
    ck_assert_uint_eq(handle, 1);
    if (power_goes())
        cut();
    fake_idf.nvs_n = fake_idf.nvs_new_n;
    memcpy(fake_idf.nvs, fake_idf.nvs_new, sizeof fake_idf.nvs);
    return ESP_OK;
}

/* ---- network ------------------------------------------------------------------------------- */

struct esp_transport_item_t {
    int fd;
};

static struct esp_transport_item_t tcp = {-1};

esp_transport_handle_t esp_transport_tcp_init(void)
{
    return &tcp;
}

int esp_transport_connect(esp_transport_handle_t t, const char *host, int port, int timeout_ms)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    char service[8];
    (void)timeout_ms;
    ck_assert_msg(t->fd < 0, "connected while connected");
    (void)snprintf(service, sizeof service, "%d", port);
    if (getaddrinfo(host, service, &hints, &list) != 0)
        return -1;
    t->fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = connect(t->fd, list->ai_addr, list->ai_addrlen);
    freeaddrinfo(list);
    return rc;
}

int esp_transport_read(esp_transport_handle_t t, char *buffer, int len, int timeout_ms)
{
    struct pollfd p = {.fd = t->fd, .events = POLLIN};
    int ready = poll(&p, 1, timeout_ms);
    if (ready <= 0)
        return ready == 0 ? ERR_TCP_TRANSPORT_CONNECTION_TIMEOUT
                          : ERR_TCP_TRANSPORT_CONNECTION_FAILED;
    ssize_t got = recv(t->fd, buffer, (size_t)len, 0);
    if (got == 0)
        return ERR_TCP_TRANSPORT_CONNECTION_CLOSED_BY_FIN;
    return got < 0 ? ERR_TCP_TRANSPORT_CONNECTION_FAILED : (int)got;
}

int esp_transport_write(esp_transport_handle_t t, const char *buffer, int len, int timeout_ms)
{
    (void)timeout_ms;
    return (int)send(t->fd, buffer, (size_t)len, MSG_NOSIGNAL);
}

int esp_transport_close(esp_transport_handle_t t)
{
    if (t->fd >= 0)
        (void)close(t->fd);
    t->fd = -1;
    return 0;
}

esp_err_t esp_transport_destroy(esp_transport_handle_t t)
{
    (void)esp_transport_close(t);
    return ESP_OK;
}

/* ---- the rest ------------------------------------------------------------------------------ */

/* One run of each hash at a time, kept here: a device that restarts frees nothing. */
static EVP_MD_CTX *sha256_run, *md5_run;

static int start(EVP_MD_CTX **run, const EVP_MD *kind)
{
    if (*run == NULL)
        *run = EVP_MD_CTX_new();
    return EVP_DigestInit_ex(*run, kind, NULL) == 1 ? 0 : -1;
}

void mbedtls_sha256_init(mbedtls_sha256_context *ctx)
{
    ctx->run = NULL;
}

void mbedtls_sha256_free(mbedtls_sha256_context *ctx)
{
    ctx->run = NULL;
}

int mbedtls_sha256_starts(mbedtls_sha256_context *ctx, int is224)
{
    ck_assert_msg(is224 == 0 && ctx->run == NULL, "started without free and init");
    int rc = start(&sha256_run, EVP_sha256());
    ctx->run = sha256_run;
    return rc;
}

int mbedtls_sha256_update(mbedtls_sha256_context *ctx, const unsigned char *input, size_t n)
{
    return EVP_DigestUpdate(ctx->run, input, n) - 1;
}

int mbedtls_sha256_finish(mbedtls_sha256_context *ctx, unsigned char *output)
{
    return EVP_DigestFinal_ex(ctx->run, output, NULL) - 1;
}

void esp_rom_md5_init(md5_context_t *context)
{
    (void)context;
    ck_assert_int_eq(start(&md5_run, EVP_md5()), 0);
}

void esp_rom_md5_update(md5_context_t *context, const void *buf, uint32_t len)
{
    (void)context;
    ck_assert_int_eq(EVP_DigestUpdate(md5_run, buf, len), 1);
}

void esp_rom_md5_final(uint8_t *digest, md5_context_t *context)
{
    (void)context;
    ck_assert_int_eq(EVP_DigestFinal_ex(md5_run, digest, NULL), 1);
}

int64_t esp_timer_get_time(void)
{
    static int64_t now_us;
    return now_us += 1000;
}

uint32_t esp_random(void)
{
    return 7;
}

esp_err_t esp_read_mac(uint8_t *mac, esp_mac_type_t type)
{
    static const uint8_t own[] = {0x24, 0x0a, 0xc4, 0xa3, 0x15, 0x3c};
    (void)type;
    memcpy(mac, own, sizeof own);
    mac[5] = (uint8_t)(mac[5] + fake_idf.serial);
    return ESP_OK;
}

/* The task sleeps an hour now: for the test its day is over. */
void vTaskDelay(const TickType_t ticks)
{
    (void)ticks;
    fake_idf.restarted = false;
    longjmp(fake_idf.power, 2);
}

void vTaskDelete(TaskHandle_t task)
{
    ck_assert_ptr_null(task);
}

void fake_log(char level, const char *tag, const char *format, ...)
{
    const size_t n = strlen(fake_idf.log);
    char line[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    (void)snprintf(fake_idf.log + n, sizeof fake_idf.log - n, "%c %s: %s\n", level, tag, line);
}
