/* SPDX-License-Identifier: MIT
 * The ESP8266 of fake_esp8266.h. No C++ library: a C program links it. */
#include "fake_esp8266.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "Arduino.h"
#include "ESP8266WiFi.h"
#include "LittleFS.h"
#include "bearssl/bearssl_hash.h"
extern "C" {
#include "eboot_command.h"
#include "support/unit.h"
}

struct fake_8266 fake_8266;
EspClass ESP;
HardwareSerial Serial;
WiFiClass WiFi;
FS LittleFS;

static const uint32_t sector = 4096;

/* Each change of what survives passes here; half of it has happened when the power goes. */
static bool power_goes()
{
    return ++fake_8266.changes == fake_8266.cut_at;
}

static void cut()
{
    longjmp(fake_8266.power, 1);
}

/* ---- the boot loader ----------------------------------------------------------------------- */

void fake_8266_factory(const void *image, size_t n, const char *version)
{
    const uint16_t port = fake_8266.port;
    memset(&fake_8266, 0, sizeof fake_8266);
    memset(fake_8266.flash, 0xff, sizeof fake_8266.flash);
    memcpy(fake_8266.flash, image, n);
    fake_8266.sketch_n = static_cast<uint32_t>(n);
    fake_8266.port = port;
    (void)snprintf(fake_8266.version, sizeof fake_8266.version, "%s", version);
}

void fake_8266_boot(bool power_was_cut)
{
    if (!power_was_cut && fake_8266.copy_n != 0) {
        memmove(fake_8266.flash, fake_8266.flash + fake_8266.copy_from, fake_8266.copy_n);
        fake_8266.sketch_n = fake_8266.copy_n;
    }
    fake_8266.copy_n = 0;
    WiFiClient().stop();
}

void eboot_command_write(struct eboot_command *cmd)
{
    ck_assert(cmd->action == ACTION_COPY_RAW && cmd->args[1] == 0);
    ck_assert_uint_eq(cmd->args[0] % sector, 0);
    fake_8266.copy_from = cmd->args[0];
    fake_8266.copy_n = cmd->args[2];
}

/* ---- the chip ------------------------------------------------------------------------------ */

void EspClass::restart()
{
    longjmp(fake_8266.power, 2);
}

uint32_t EspClass::random()
{
    return 7;
}

uint32_t EspClass::getSketchSize()
{
    return fake_8266.sketch_n;
}

uint32_t EspClass::getFreeSketchSpace()
{
    return FAKE_8266_FS - (fake_8266.sketch_n + sector - 1) / sector * sector;
}

FlashMode_t EspClass::magicFlashChipMode(uint8_t byte)
{
    return byte <= FM_DOUT ? static_cast<FlashMode_t>(byte) : FM_UNKNOWN;
}

FlashMode_t EspClass::getFlashChipMode()
{
    return magicFlashChipMode(fake_8266.flash[2]);
}

bool EspClass::flashEraseSector(uint32_t number)
{
    ck_assert_msg(number * sector >= fake_8266.sketch_n && number * sector < FAKE_8266_FS,
                  "the sketch or the file system is erased");
    const bool cuts = power_goes();
    memset(fake_8266.flash + number * sector, 0xff, cuts ? sector / 2 : sector);
    if (cuts)
        cut();
    return true;
}

bool EspClass::flashWrite(uint32_t address, const uint8_t *data, size_t size)
{
    ck_assert_msg(address % 4 == 0 && size % 4 == 0, "a write of %zu bytes at %u", size, address);
    ck_assert(address >= fake_8266.sketch_n && address + size <= FAKE_8266_FS);
    const bool cuts = power_goes();
    for (size_t i = 0; i < (cuts ? size / 2 : size); i++) {
        ck_assert_msg(fake_8266.flash[address + i] == 0xff, "written where nothing was erased");
        fake_8266.flash[address + i] = data[i];
    }
    if (cuts)
        cut();
    return true;
}

bool EspClass::flashRead(uint32_t address, uint8_t *data, size_t size)
{
    ck_assert(address + size <= FAKE_8266_FS);
    memcpy(data, fake_8266.flash + address, size);
    return true;
}

unsigned long millis()
{
    return fake_8266.now_ms += 1;
}

void delay(unsigned long ms)
{
    fake_8266.now_ms += static_cast<uint32_t>(ms);
}

void HardwareSerial::begin(unsigned long baud)
{
    ck_assert_uint_eq(baud, 115200);
}

size_t HardwareSerial::println(const char *text)
{
    const size_t n = strlen(fake_8266.said);
    (void)snprintf(fake_8266.said + n, sizeof fake_8266.said - n, "%s\n", text);
    return strlen(text);
}

/* ---- network ------------------------------------------------------------------------------- */

static int sock = -1;

bool WiFiClass::mode(WiFiMode_t mode)
{
    return mode == WIFI_STA;
}

wl_status_t WiFiClass::begin(const char *name, const char *password)
{
    ck_assert(name != nullptr && password != nullptr);
    return WL_CONNECTED;
}

wl_status_t WiFiClass::status()
{
    return WL_CONNECTED;
}

uint8_t *WiFiClass::macAddress(uint8_t *mac)
{
    static const uint8_t own[] = {0x5c, 0xcf, 0x7f, 0xa1, 0xb2, 0xc3};
    memcpy(mac, own, sizeof own);
    mac[5] = static_cast<uint8_t>(mac[5] + fake_8266.serial);
    return mac;
}

int WiFiClient::connect(const char *host, uint16_t port)
{
    struct sockaddr_in to = {};
    ck_assert_msg(sock < 0, "connected while connected");
    ck_assert(host != nullptr && port != 0);
    to.sin_family = AF_INET;
    to.sin_port = htons(fake_8266.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(sock, reinterpret_cast<struct sockaddr *>(&to), sizeof to) == 0)
        return 1;
    stop();
    return 0;
}

size_t WiFiClient::write(const uint8_t *data, size_t n)
{
    ssize_t sent = send(sock, data, n, MSG_NOSIGNAL);
    return sent < 0 ? 0 : static_cast<size_t>(sent);
}

/* Time passes for the sketch only while it waits, so a slow machine is no time-out. */
int WiFiClient::available()
{
    char byte;
    struct pollfd p = {sock, POLLIN, 0};
    return sock >= 0 && poll(&p, 1, 20) == 1 && recv(sock, &byte, 1, MSG_PEEK) == 1 ? 1 : 0;
}

int WiFiClient::read(uint8_t *to, size_t n)
{
    return static_cast<int>(recv(sock, to, n, 0));
}

uint8_t WiFiClient::connected()
{
    char byte;
    return sock >= 0 && recv(sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0 ? 1 : 0;
}

void WiFiClient::stop()
{
    if (sock >= 0)
        (void)close(sock);
    sock = -1;
}

void WiFiClient::setTimeout(unsigned long ms)
{
    ck_assert_uint_eq(ms, 15000);
}

/* ---- file system --------------------------------------------------------------------------- */

static int file_of(const char *path)
{
    ck_assert(strcmp(path, "/otad.rec") == 0 || strcmp(path, "/otad.new") == 0);
    return strcmp(path, "/otad.new") == 0 ? 1 : 0;
}

bool FS::begin()
{
    return true;
}

bool FS::exists(const char *path)
{
    return fake_8266.file[file_of(path)].exists;
}

File FS::open(const char *path, const char *mode)
{
    const int file = file_of(path);
    if (mode[0] == 'r')
        return File(fake_8266.file[file].exists ? file : -1);
    if (power_goes())
        cut();
    fake_8266.file[file].exists = true;
    fake_8266.file[file].n = 0;
    return File(file);
}

bool FS::rename(const char *from, const char *to)
{
    if (power_goes())
        cut();
    fake_8266.file[file_of(to)] = fake_8266.file[file_of(from)];
    fake_8266.file[file_of(from)].exists = false;
    return true;
}

bool FS::remove(const char *path)
{
    if (power_goes())
        cut();
    fake_8266.file[file_of(path)].exists = false;
    return true;
}

size_t File::size() const
{
    return fake_8266.file[file_].n;
}

int File::read(uint8_t *to, size_t n)
{
    memcpy(to, fake_8266.file[file_].data, n);
    return static_cast<int>(n);
}

size_t File::write(const uint8_t *from, size_t n)
{
    ck_assert_uint_le(n, sizeof fake_8266.file[file_].data);
    const bool cuts = power_goes();
    const size_t done = cuts ? n / 2 : n;
    memcpy(fake_8266.file[file_].data, from, done);
    fake_8266.file[file_].n = done;
    if (cuts)
        cut();
    return n;
}

void File::close()
{
    ck_assert_int_ge(file_, 0);
}

/* ---- hashes: one run of each at a time ----------------------------------------------------- */

static EVP_MD_CTX *sha256_run, *md5_run;

static void start(EVP_MD_CTX **run, const EVP_MD *kind)
{
    if (*run == nullptr)
        *run = EVP_MD_CTX_new();
    ck_assert_int_eq(EVP_DigestInit_ex(*run, kind, nullptr), 1);
}

void br_sha256_init(br_sha256_context *)
{
    start(&sha256_run, EVP_sha256());
}

void br_sha256_update(br_sha256_context *, const void *data, size_t n)
{
    ck_assert_int_eq(EVP_DigestUpdate(sha256_run, data, n), 1);
}

void br_sha256_out(const br_sha256_context *, void *out)
{
    ck_assert_int_eq(EVP_DigestFinal_ex(sha256_run, static_cast<uint8_t *>(out), nullptr), 1);
}

void br_md5_init(br_md5_context *)
{
    start(&md5_run, EVP_md5());
}

void br_md5_update(br_md5_context *, const void *data, size_t n)
{
    ck_assert_int_eq(EVP_DigestUpdate(md5_run, data, n), 1);
}

void br_md5_out(const br_md5_context *, void *out)
{
    ck_assert_int_eq(EVP_DigestFinal_ex(md5_run, static_cast<uint8_t *>(out), nullptr), 1);
}
