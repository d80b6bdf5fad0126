/* SPDX-License-Identifier: MIT
 * The client's port to ESP-IDF 5: tcp_transport, two app partitions, NVS for the boot record, and
 * ESP-IDF's own otadata as what the boot loader reads. Most applications need one line, behind the
 * network's start:
 *
 *     xTaskCreate(otac_esp_idf_task, "otad", OTAC_ESP_IDF_STACK, NULL, 5, NULL);
 *
 * Slots: "the one that boots" is always the partition that runs. Where the record names another
 * one, otadata tells why. The boot loader gave the new image up: a rollback, if the record has it
 * on trial. It never heard of the new image, because the power went between NVS and otadata: the
 * record before is true again. Somebody flashed over serial: the record is about an image that
 * isn't there, and is dropped; the device is factory-fresh to the client.
 *
 * With CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE a new image is on trial until it is confirmed; one
 * restart before that goes back. Until then no other image is taken, because it would be written
 * over the one to go back to. Set config.trial_boots to 1 and call otac_confirm(), and the client
 * knows of the trial: a rollback is reported and its build not taken again. With 0 only the boot
 * loader does, and otac_esp_idf_confirm() tells it. */
#ifndef OTAD_CLIENT_ESP_IDF_H
#define OTAD_CLIENT_ESP_IDF_H

#include "esp_partition.h"
#include "esp_rom_md5.h"
#include "esp_transport.h"
#include "mbedtls/sha256.h"
#include "nvs.h"
#include "otad_client.h"

#ifdef __cplusplus
extern "C" {
#endif

#define OTAC_ESP_IDF_STACK 8192   /* bytes, for otac_esp_idf_task(); 6144 without signatures */
#define OTAC_ESP_IDF_MAC_TEXT 18  /* "24:0A:C4:A3:15:3C" and its NUL */
#define OTAC_ESP_IDF_CHIP_TEXT 16 /* "ESP32-C3" and its NUL */

/** State of one port. Set up by otac_esp_idf_open(); the fields are for its functions only, but
 *  for the two that may be changed before the first round. */
struct otac_esp_idf {
    esp_transport_handle_t transport; /* plain TCP; may be set to one of esp_transport_ssl_init(),
                                         for a server behind a TLS proxy */
    int timeout_ms;                   /* of each step on the network; 15000 */
    const esp_partition_t *slot[OTAC_SLOTS];
    nvs_handle_t nvs;
    mbedtls_sha256_context sha256;
    md5_context_t md5;
    char mac[OTAC_ESP_IDF_MAC_TEXT], chip[OTAC_ESP_IDF_CHIP_TEXT];
};

/** Opens NVS and finds the partitions. nvs_flash_init() must have been called.
 *  @return OTAC_OK; OTAC_E_RECORD_IO (NVS); OTAC_E_CONFIG: the partition table has no second app
 *          partition; OTAC_E_CONNECT: no memory. *p then holds nothing that needs closing */
int otac_esp_idf_open(struct otac_esp_idf *p) OTAC_MUSTCHECK;

/** Gives everything back. */
void otac_esp_idf_close(struct otac_esp_idf *p);

/** The port struct for *p; `log` is NULL and may be set by the caller, its ctx is p. */
struct otac_port otac_esp_idf_port(struct otac_esp_idf *p);

/** Fills in who this device is: MAC, chip, family, slot size, and the version of the running
 *  application's descriptor. What it points to lives as long as *p. */
void otac_esp_idf_identify(struct otac_esp_idf *p, struct otac_config *config);

/** Takes only images that one of these keys signed; before otac_esp_idf_init(). How an image is
 *  signed stands at struct otac_config.
 *  @param keys  one or several, a space between them, each the base64 of a public P-256 key's DER,
 *               124 characters: `openssl ec -in sign.key -pubout -outform DER | base64 -w0`. The
 *               text must stay
 *  @return OTAC_OK, OTAC_E_CONFIG (no key, or one that is none) with nothing changed */
int otac_esp_idf_sign_keys(struct otac_port *port, struct otac_config *config,
                           const char *keys) OTAC_MUSTCHECK;

/** otac_init(), and once more without the record if that is about an image that isn't there. Call
 *  it once after each start. */
int otac_esp_idf_init(struct otac *c, const struct otac_config *config,
                      const struct otac_port *port, void *buf, size_t buf_n) OTAC_MUSTCHECK;

/** Says that the running image is good, so that the boot loader stays with it; otac_confirm() does
 *  it too, for an image that the client has on trial.
 *  @return OTAC_OK (also when it was not on trial), OTAC_E_RECORD_IO */
int otac_esp_idf_confirm(void);

/** Checks in for ever with the settings of `idf.py menuconfig`, "otad client"; confirms the running
 *  image at the first answer of the server, and restarts into new ones. arg is not used. */
void otac_esp_idf_task(void *arg);

#ifdef __cplusplus
}
#endif

#endif
