/* SPDX-License-Identifier: MIT
 * An ESP8266 behind the doubles of the Arduino core's headers: flash that only clears bits until it
 * is erased, a boot loader that copies, a file system, the network. Breaking a rule of the chip
 * fails the running test. */
#ifndef OTAD_TESTS_FAKE_ESP8266_H
#define OTAD_TESTS_FAKE_ESP8266_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { FAKE_8266_FS = 512 * 1024 }; /* where the file system begins */

struct fake_8266 {
    uint8_t flash[FAKE_8266_FS];
    uint32_t sketch_n;
    char version[32];
    uint32_t copy_from, copy_n; /* the boot loader's order; copy_n 0: none. Lost without power */
    struct {
        uint8_t data[512];
        size_t n;
        bool exists;
    } file[2];
    long changes, cut_at; /* of flash and files; power goes in the cut_at-th */
    uint32_t now_ms;
    uint8_t serial;   /* added to the last byte of its MAC */
    uint16_t port;    /* whatever the sketch says, it reaches 127.0.0.1 there */
    const char *keys; /* for signKeys(), or NULL */
    jmp_buf power;    /* 1: cut, 2: restart */
    char said[512];   /* on Serial */
};

extern struct fake_8266 fake_8266;

/** A device with that sketch, flashed over serial. */
void fake_8266_factory(const void *image, size_t n, const char *version);

/** Power comes back, or a restart: the boot loader copies if it has the order. */
void fake_8266_boot(bool power_was_cut);

/** The functions of the example sketch, and what the start does before them. */
void fake_8266_start(void);
void fake_8266_loop(void);

#ifdef __cplusplus
}
#endif

#endif
