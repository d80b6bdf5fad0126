/* SPDX-License-Identifier: MIT
 * Owns the table of error numbers. */
#include "fleet/meaning.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "otad/err.h"

#define E8266 (1u << MEANING_OF_ESP8266)
#define E32 (1u << MEANING_OF_ESP32)
#define IDF (1u << MEANING_OF_IDF | E32) /* a sketch on an ESP32 may call ESP-IDF itself */
#define HOME (1u << MEANING_OF_ESPHOME)
#define ARDUINO (E8266 | E32)

/* Numbers and names: HTTPClient.h and HTTPUpdate.h of both Arduino cores; Updater.h (ESP8266);
 * Update.h (ESP32); esp_ota_ops.h, esp_image_format.h, esp_http_client.h, esp_https_ota.h
 * (ESP-IDF); components/ota and http_request/ota (ESPHome). */
/* clang-format off */
static const struct {
    unsigned whose;
    int64_t code;
    const char *name;
    const char *todo; /* NULL: nothing that its owner could do */
} rows[] = {
    /* ESPhttpUpdate, HTTPUpdate */
    {E8266, -100, "Not enough space",
     "the new image must fit into what is left beside the running sketch. Choose a flash layout with a smaller filesystem, make the sketch smaller, or upload it gzipped"},
    {E32, -100, "Not enough space",
     "the image is larger than the other app partition. Choose a partition scheme with larger app partitions (flashed by cable once), or make the sketch smaller"},
    {ARDUINO, -101, "Server did not report the size",
     "the answer had no Content-Length. otad always sends one, so something between it and the device took it away: look at the proxy"},
    {ARDUINO, -102, "File not found (404)",
     "look at the product's name in the device's URL, and whether its channel has a build"},
    {ARDUINO, -103, "Forbidden (403)",
     "the device is blocked, its product is disabled, or its URL's token is wrong or too old"},
    {ARDUINO, -104, "Wrong HTTP code",
     "the server answered something an updater doesn't expect: a redirect of a proxy, a 5xx, or (ESP32 and older ESP8266 cores) 401. otad's log of that minute says which"},
    {ARDUINO, -105, "Wrong MD5",
     "what arrived is not what was sent, or a proxy adds a second x-MD5 header. Try again; if it stays, look at the proxy"},
    {E8266, -106, "Verify bin header failed",
     "what arrived is not an image at its first byte: a captive portal's or proxy's page, or the wrong file"},
    {E32, -106, "Verify bin header failed",
     "what arrived is not an image at its first byte: a captive portal's or proxy's page, the wrong file (ESP32 takes no gzip), or the first byte came later than 100 ms after the headers, as through a slow proxy"},
    {ARDUINO, -107, "New binary does not fit the flash size",
     "the image was built for a larger flash than this board has. Select the board's real flash size and export again"},
    {E8266, -108, "Unauthorized (401)",
     "otad never answers that on a device's path: look at the proxy, and at the name and password in the URL"},
    {E8266, -109, "Server did not report the version",
     "the answer to a question for the version had no x-version header: look at the proxy, and at the URL"},
    {E32, -108, "Partition could not be found",
     "the device has no second app partition to update into. Flash a partition scheme with OTA by cable once"},
    {E32, -109, "Wrong SHA-256",
     "what arrived is not what was sent, or a proxy changed x-SHA256. Try again; if it stays, look at the proxy"},

    /* HTTPClient */
    {ARDUINO, -1, "Connection failed or refused",
     "the device could not reach the server: address and port in its URL, Wi-Fi, firewall"},
    {ARDUINO, -2, "Sending the request's head failed", "the connection broke: look at the Wi-Fi's strength"},
    {ARDUINO, -3, "Sending the request's body failed", "the connection broke: look at the Wi-Fi's strength"},
    {ARDUINO, -4, "Not connected", "the connection was gone before the request: look at the Wi-Fi's strength"},
    {ARDUINO, -5, "Connection lost", "it broke while the answer was on its way: look at the Wi-Fi's strength"},
    {ARDUINO, -6, "No stream", "the connection was gone when the body was to be read"},
    {ARDUINO, -7, "No HTTP server", "something answers at that address and port, but not in HTTP: look at the URL"},
    {ARDUINO, -8, "Not enough RAM", "free memory before updating: close other connections, TLS ones most of all"},
    {ARDUINO, -9, "Transfer-Encoding not supported", "otad never sends one: a proxy re-encodes the answers"},
    {ARDUINO, -10, "Writing the stream failed", "the flash or the memory took no more bytes"},
    {ARDUINO, -11, "Read timeout", "the answer stopped for too long: look at the Wi-Fi's strength and at the server's load"},

    /* UPDATE_ERROR of the ESP8266 */
    {E8266, 1, "Flash write failed", "try again; if it stays, the flash chip or its power is bad"},
    {E8266, 2, "Flash erase failed", "try again; if it stays, the flash chip or its power is bad"},
    {E8266, 3, "Flash read failed", "try again; if it stays, the flash chip or its power is bad"},
    {E8266, 4, "Not enough space",
     "the new image must fit into what is left beside the running sketch. Choose a flash layout with a smaller filesystem, make the sketch smaller, or upload it gzipped"},
    {E8266, 5, "Bad size given", "the download's length was 0 or not what was announced"},
    {E8266, 6, "Stream read timeout", "the download stopped for too long: look at the Wi-Fi's strength"},
    {E8266, 7, "MD5 verification failed", "what arrived is not what was sent. Try again"},
    {E8266, 8, "Flash config wrong", "the flash size the sketch was built for is not the chip's real one. Select it and flash by cable once"},
    {E8266, 9, "New flash config wrong", "the image was built for a larger flash than this board has. Select the board's real flash size and export again"},
    {E8266, 10, "Magic byte is not 0xE9", "what arrived is not an image at its first byte: a captive portal's or proxy's page, or the wrong file"},
    {E8266, 11, "Invalid bootstrapping state",
     "press reset once: after flashing by cable the ESP8266 can't restart into an update until it has been reset by hand"},
    {E8266, 12, "Signature verification failed", "the image is not signed with the key this sketch was built with"},
    {E8266, 13, "No data supplied", "the connection ended before the first byte"},
    {E8266, 14, "Out of memory", "free memory before updating: close other connections, TLS ones most of all"},
    {E8266, 15, "Update already running", "the sketch began a second update: begin one at a time"},
    {E8266, 16, "Unknown update command", "the sketch asked for something that is neither sketch nor filesystem"},

    /* UPDATE_ERROR of the ESP32 */
    {E32, 1, "Flash write failed", "try again; if it stays, the flash chip or its power is bad"},
    {E32, 2, "Flash erase failed", "try again; if it stays, the flash chip or its power is bad"},
    {E32, 3, "Flash read failed", "try again; if it stays, the flash chip or its power is bad"},
    {E32, 4, "Not enough space",
     "the image is larger than the other app partition. Choose a partition scheme with larger app partitions (flashed by cable once), or make the sketch smaller"},
    {E32, 5, "Bad size given", "the download's length was 0 or not what was announced"},
    {E32, 6, "Stream read timeout", "the download stopped for too long: look at the Wi-Fi's strength"},
    {E32, 7, "MD5 check failed", "what arrived is not what was sent. Try again"},
    {E32, 8, "Wrong magic byte", "what arrived is not an image at its first byte: a captive portal's or proxy's page, the wrong file, or gzip, which an ESP32 can't take"},
    {E32, 9, "Could not activate the firmware",
     "the whole image arrived and was refused: it is for another chip or chip revision, damaged, or not signed with the right key"},
    {E32, 10, "Partition could not be found",
     "the device has no second app partition to update into. Flash a partition scheme with OTA by cable once"},
    {E32, 11, "Bad argument", "the sketch called Update with something it can't take"},
    {E32, 12, "Aborted", "the sketch itself stopped the update"},
    {E32, 13, "Decryption error", "the first byte is not an image's and no key is set: the wrong file, or an encrypted one"},
    {E32, 14, "Signature verification failed", "the image is not signed with the key this sketch was built with"},
    {E32, 15, "SHA-256 check failed", "what arrived is not what was sent. Try again"},
    {E32, 16, "SHA-512 check failed", "what arrived is not what was sent. Try again"},

    /* esp_err_t: ESP_ERR_OTA_* */
    {IDF, 0x1501, "ESP_ERR_OTA_PARTITION_CONFLICT", "the update would overwrite the app that runs: give it the other partition"},
    {IDF, 0x1502, "ESP_ERR_OTA_SELECT_INFO_INVALID", "the otadata partition is damaged or missing: flash the partition table by cable once"},
    {IDF, 0x1503, "ESP_ERR_OTA_VALIDATE_FAILED", "the whole image arrived and was refused: damaged, for another chip, or not signed with the right key"},
    {IDF, 0x1504, "ESP_ERR_OTA_SMALL_SEC_VER", "the image's security version is below the chip's: anti-rollback never goes back"},
    {IDF, 0x1505, "ESP_ERR_OTA_ROLLBACK_FAILED", "there is no valid app to go back to"},
    {IDF, 0x1506, "ESP_ERR_OTA_ROLLBACK_INVALID_STATE",
     "the running app has not been confirmed yet: it must call esp_ota_mark_app_valid_cancel_rollback() before it updates"},
    {IDF, 0x1507, "ESP_ERR_OTA_ALREADY_IN_PROGRESS", "the app began a second update: begin one at a time"},
    {IDF, 0x1508, "ESP_ERR_OTA_SPI_MODE_MISMATCH", "the image was built for another SPI flash mode than the running app: build both with the same"},
    /* ESP_ERR_IMAGE_* */
    {IDF, 0x2001, "ESP_ERR_IMAGE_FLASH_FAIL", "reading the image back from the flash failed. Try again; if it stays, the flash chip or its power is bad"},
    {IDF, 0x2002, "ESP_ERR_IMAGE_INVALID", "what arrived is no image for this chip: damaged, for another chip, or the wrong file"},
    /* ESP_ERR_HTTP_* */
    {IDF, 0x7001, "ESP_ERR_HTTP_MAX_REDIRECT", "otad never redirects: look at the proxy"},
    {IDF, 0x7002, "ESP_ERR_HTTP_CONNECT", "the device could not reach the server: address and port in its URL, Wi-Fi, firewall, the certificate"},
    {IDF, 0x7003, "ESP_ERR_HTTP_WRITE_DATA", "the connection broke: look at the Wi-Fi's strength"},
    {IDF, 0x7004, "ESP_ERR_HTTP_FETCH_HEADER", "no complete answer came: look at the Wi-Fi's strength and at the proxy"},
    {IDF, 0x7005, "ESP_ERR_HTTP_INVALID_TRANSPORT", "the URL's scheme is not one this app was built with"},
    {IDF, 0x7006, "ESP_ERR_HTTP_CONNECTING", "the connection was not there yet"},
    {IDF, 0x7007, "ESP_ERR_HTTP_EAGAIN", "the answer was not there yet"},
    {IDF, 0x7008, "ESP_ERR_HTTP_CONNECTION_CLOSED", "the connection was closed: look at the Wi-Fi's strength"},
    {IDF, 0x7009, "ESP_ERR_HTTP_NOT_MODIFIED", "there was nothing new: not an error"},
    {IDF, 0x700A, "ESP_ERR_HTTP_RANGE_NOT_SATISFIABLE", "the download could not go on where it stopped: the next try begins with the first byte"},
    {IDF, 0x700B, "ESP_ERR_HTTP_READ_TIMEOUT", "the answer stopped for too long: look at the Wi-Fi's strength"},
    {IDF, 0x700C, "ESP_ERR_HTTP_INCOMPLETE_DATA", "the connection ended before the image did: look at the Wi-Fi's strength"},
    {IDF, 0x700D, "ESP_ERR_HTTP_REDIRECT_DOWNGRADE", "a proxy redirects from https to http: look at the proxy"},
    {IDF, 0x700E, "ESP_ERR_HTTP_HEADER_TOO_LONG", "raise buffer_size in the app's esp_http_client_config_t; a proxy may add headers"},
    {IDF, 0x9001, "ESP_ERR_HTTPS_OTA_IN_PROGRESS", "the download is not complete yet: not an error"},

    /* ESPHome */
    {HOME, 0x10, "MD5 invalid", "the answer to md5_url was not 32 lowercase hex digits: take latest.md5 as md5_url"},
    {HOME, 0x11, "Bad URL", "the URL must begin with http:// or https://"},
    {HOME, 0x12, "Connection error", "the device could not reach the server, or it did not answer 200: address, port and product in the URL, Wi-Fi, firewall"},
    {HOME, 0x80, "Magic byte wrong", "what arrived is not an image at its first byte: a captive portal's or proxy's page, or the wrong file"},
    {HOME, 0x81, "Update could not be prepared", "the flash could not be made ready. Restart the device and try again"},
    {HOME, 0x82, "Password wrong", "the OTA password is not the one the device was built with"},
    {HOME, 0x83, "Writing the flash failed", "try again; if it stays, the flash chip or its power is bad"},
    {HOME, 0x84, "Update could not be finished", "the whole image arrived and was refused: damaged, or for another chip"},
    {HOME, 0x85, "Invalid bootstrapping state",
     "press reset once: after flashing by cable an ESP8266 can't restart into an update until it has been reset by hand"},
    {HOME, 0x86, "Wrong current flash config", "the board's flash size in the configuration is not the chip's real one. Correct it and flash by cable once"},
    {HOME, 0x87, "Wrong new flash config", "the image was built for another flash size than this board has"},
    {HOME, 0x88, "Not enough space on the ESP8266", "the new image must fit into what is left beside the running one: leave components out"},
    {HOME, 0x89, "Not enough space on the ESP32", "the image is larger than the app partition: leave components out, or flash a partition table with larger ones by cable once"},
    {HOME, 0x8A, "No update partition", "the device has no second app partition. Flash a partition table with OTA by cable once"},
    {HOME, 0x8B, "MD5 mismatch", "what arrived is not what was sent, or .md5 and image came from two builds. Try again"},
    {HOME, 0x8C, "Not enough space on the RP2040", "the new image must fit into what is left beside the running one: leave components out"},
    {HOME, 0xFF, "Unknown error", "the device's own log says more"},
};
/* clang-format on */

static const char *const owners[MEANING_OF_COUNT] = {[MEANING_OF_ESP8266] = "on an ESP8266",
                                                     [MEANING_OF_ESP32] = "on an ESP32",
                                                     [MEANING_OF_IDF] = "in ESP-IDF",
                                                     [MEANING_OF_ESPHOME] = "in ESPHome"};

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

enum meaning_of meaning_whose(const char *chip, const char *agent)
{
    if (begins(agent, "ESPHome"))
        return MEANING_OF_ESPHOME;
    if (begins(agent, "ESP32 HTTP Client"))
        return MEANING_OF_IDF;
    const char *family = chip[0] != '\0' ? chip : agent;
    if (begins(family, "ESP8266"))
        return MEANING_OF_ESP8266;
    return begins(family, "ESP32") ? MEANING_OF_ESP32 : MEANING_OF_ANY;
}

/* @return its row, or OTAD_COUNT(rows) */
static size_t find(enum meaning_of whose, int64_t code)
{
    for (size_t i = 0; i < OTAD_COUNT(rows); i++)
        if (rows[i].code == code && (rows[i].whose & 1u << whose) != 0)
            return i;
    return OTAD_COUNT(rows);
}

/* Both Arduino cores share many numbers: what has one name is said once. */
static bool list_all(int64_t code, char out[MEANING_MAX])
{
    const char *last = NULL;
    int used = 0;
    for (int whose = MEANING_OF_ESP8266; whose < MEANING_OF_COUNT; whose++) {
        size_t row = find((enum meaning_of)whose, code);
        if (row == OTAD_COUNT(rows))
            continue;
        size_t room = MEANING_MAX - (size_t)used;
        const char *name = rows[row].name != NULL ? rows[row].name : ""; /* each row has one */
        if (last == NULL)
            used += snprintf(out, room, "The chip is not known. %" PRId64 " is, %s", code,
                             owners[whose]);
        else if (strcmp(last, name) == 0)
            used += snprintf(out + used, room, " and %s", owners[whose]);
        else
            used += snprintf(out + used, room, ", ‘%s’; %s", last, owners[whose]);
        last = name;
    }
    if (last != NULL)
        (void)snprintf(out + used, MEANING_MAX - (size_t)used, ", ‘%s’", last);
    return last != NULL;
}

bool meaning_text(enum meaning_of whose, int64_t code, char out[MEANING_MAX])
{
    out[0] = '\0';
    if (whose == MEANING_OF_ANY)
        return list_all(code, out);
    size_t row = find(whose, code);
    if (row == OTAD_COUNT(rows))
        return false;
    (void)snprintf(out, MEANING_MAX, "%s%s%s", rows[row].name, rows[row].todo != NULL ? ": " : "",
                   rows[row].todo != NULL ? rows[row].todo : "");
    return true;
}
