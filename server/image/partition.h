/* SPDX-License-Identifier: MIT
 * Partition tables and the OTA data partition, as they stand in flash.
 *
 *   AA 50 type subtype offset[4] size[4] label[16] flags[4]     32 bytes a row
 *   EB EB FF×14 MD5[16]                                         over the rows before it
 *   FF…                                                         the end; at most 0xC00 in all
 *
 * Source: ESP-IDF gen_esp32part.py, esp_flash_partitions.h. */
#ifndef OTAD_IMAGE_PARTITION_H
#define OTAD_IMAGE_PARTITION_H

#include "image/bytes.h"
#include "image/image.h"

#define PARTITION_TABLE_OFFSET 0x8000u /* where the tools put it unless told otherwise */
#define PARTITION_TABLE_BYTES 0xc00u
#define PARTITION_TYPE_APP 0u

/** Reads the table at `offset`. Strict, because it is also looked for in the middle of files: at
 *  least one row, known types, offsets on sectors, and an end (MD5 row, FF or the end of b).
 *  @return false, and *out unchanged, when there is none */
bool partition_table_parse(struct bytes b, uint64_t offset, struct image_table *out);

/** Whether b is an OTA data partition, as boot_app0.bin is: two sectors, at least one of which
 *  starts with a sequence number and its CRC, the other with the same or erased. */
bool partition_is_otadata(struct bytes b);

#endif
