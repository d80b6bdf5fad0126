/* SPDX-License-Identifier: MIT
 * Whether devices could take a build, by what they last said: before anybody tries. */
#ifndef OTAD_FLEET_PREFLIGHT_H
#define OTAD_FLEET_PREFLIGHT_H

#include "fleet/build.h"
#include "fleet/decide.h"
#include "fleet/device.h"

#define PREFLIGHT_SHOWN 20 /* devices named one by one */

/** What a build needs of a device. */
struct fit_need {
    enum build_kind kind;
    const char *chip;    /* "" = unknown */
    int64_t size_bytes;  /* of the file */
    int64_t flash_bytes; /* what its header asks for, 0 = not said */
};

/** Why a device would refuse a build. Pure.
 *  ESP8266: free space is what is left, so the file must fit it; the flash size in the image's
 *  header must not exceed the chip (-107). ESP32: free space is the size of the next slot. What a
 *  device didn't say is no reason; filesystem images have no space report and always pass.
 *  @return REASON_NONE, REASON_WONT_FIT or REASON_WRONG_CHIP
 *  Source: ESP8266httpUpdate.cpp and Updater.cpp, HTTPUpdate.cpp of their cores */
enum reason preflight_check(const struct fit_need *need, const struct device_facts *said);

struct preflight {
    int64_t devices; /* of the product */
    int64_t wont_fit, wrong_chip;
    struct {
        uint64_t mac;
        enum reason reason;
    } shown[PREFLIGHT_SHOWN]; /* the first that would refuse, by MAC */
    size_t n_shown;
};

/** Checks every device of the build's product. Reads all of them: not for an HTTP thread. */
enum otad_err preflight_run(struct db *db, const struct build *b, struct preflight *out,
                            struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
