/* SPDX-License-Identifier: MIT
 * Lengths and names that the daemon, the device client and their tests share. */
#ifndef OTAD_LIMITS_H
#define OTAD_LIMITS_H

#define OTAD_SLUG_MAX 63             /* product slug, characters */
#define OTAD_NAME_MAX 128            /* product and key names, bytes */
#define OTAD_CHANNEL_MAX 32          /* channel name, characters */
#define OTAD_VERSION_MAX 64          /* version text, bytes */
#define OTAD_NUMBER_MAX 2147483647   /* sketches read `.version` with toInt(): signed 32 bit */
#define OTAD_FILENAME_MAX 255        /* file name as uploaded, bytes; shown, never opened */
#define OTAD_NOTES_MAX 4096          /* build and device notes, bytes */
#define OTAD_MAC_WORD_MAX 32         /* what may stand in a path where a MAC is expected */
#define OTAD_MAC_TEXT 18             /* "30:AE:A4:84:36:F0" and its NUL */
#define OTAD_REPORT_MESSAGE_MAX 1024 /* a device's own words, bytes */
#define OTAD_REPORTS_PER_UPDATE 20
#define OTAD_MD5_LEN 16
#define OTAD_SHA256_LEN 32

#endif
