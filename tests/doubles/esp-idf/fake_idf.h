/* SPDX-License-Identifier: MIT
 * An ESP32 behind the doubles of ESP-IDF's headers: flash that only clears bits until it is erased,
 * NVS, otadata with trial boots and going back, the network, and a power supply that fails.
 * Breaking a rule of ESP-IDF fails the running test. */
#ifndef OTAD_TESTS_FAKE_IDF_H
#define OTAD_TESTS_FAKE_IDF_H

#include <setjmp.h>
#include <stdbool.h>

#include "esp_ota_ops.h"
#include "sdkconfig.h"

enum { FAKE_IDF_SLOT = 256 * 1024 };

struct fake_idf {
    uint8_t flash[2][FAKE_IDF_SLOT];
    unsigned running; /* partition */
    struct {
        uint32_t seq; /* 0: empty; partition (seq - 1) % 2 */
        esp_ota_img_states_t state;
    } otadata[2];       /* the entry in force is the highest whose image isn't invalid or aborted */
    bool rollback;      /* CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE */
    unsigned went_back; /* images that the boot loader gave up */
    int cut_at_switch;  /* power goes when otadata is to name the next image: 1 before its entry is
                           erased, 2 behind that; then 0 */
    uint8_t nvs[1024], nvs_new[1024];
    size_t nvs_n, nvs_new_n; /* 0: no such key */
    uint8_t serial;          /* added to the last byte of its MAC */
    char version[32];        /* of the running application */
    long changes, cut_at;    /* changes of flash, NVS or otadata; power goes in the cut_at-th */
    jmp_buf power;           /* to where the power cut jumps, and a restart */
    bool restarted;          /* esp_restart() and not a cut */
    char log[2048];
};

extern struct fake_idf fake_idf;

/** A device that runs this image from ota_0, over serial: no otadata, no NVS. */
void fake_idf_factory(const void *image, size_t n, const char *version);

/** What the boot loader does at a start. @return the partition that runs */
unsigned fake_idf_boot(void);

/** What otadata says of the image that boots. */
esp_ota_img_states_t fake_idf_state(void);

#endif
