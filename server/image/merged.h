/* SPDX-License-Identifier: MIT
 * Merged images (esptool merge-bin, NAME.merged.bin, NAME.factory.bin, flash dumps): boot loader,
 * partition table, OTA data and application at their places in flash, FF between them.
 * On chips whose boot loader stands at 0 such a file starts with 0xE9 like an application. */
#ifndef OTAD_IMAGE_MERGED_H
#define OTAD_IMAGE_MERGED_H

#include "image/inspection.h"

/** Recognises a merged image by its partition table behind the boot loader, or by an application
 *  at 0x10000 behind a boot loader that ends before; sets up the walks.
 *  @return false, and nothing changed, for anything else */
bool merged_plan(struct inspection *in);

/** Judges the boot loader in it; the application is esp32_judge()'s. */
void merged_finish(struct inspection *in);

#endif
