/* SPDX-License-Identifier: MIT
 * Owns partition tables and OTA data. */
#include "image/partition.h"

#include <zlib.h>

#include "base/digest.h"
#include "image/note.h"

#define ROW 32u
#define SECTOR 4096u

static bool parse_row(const uint8_t *p, struct image_partition *row)
{
    /* types: 0 app, 1 data, 2 boot loader, 3 table, 0x40 and above the project's own */
    if (p[0] != 0xaa || p[1] != 0x50 || (p[2] > 3 && p[2] < 0x40))
        return false;
    row->type = p[2];
    row->subtype = p[3];
    row->offset = le32(p + 4);
    row->size = le32(p + 8);
    note_printable(row->label, p + 12, 16);
    return row->offset % SECTOR == 0 && row->size > 0;
}

/** Whether the row at p ends the table; takes the MD5 row if that is what it is. */
static bool parse_end(struct bytes rows, uint64_t used, const uint8_t *p, struct image_table *out)
{
    struct bytes row = {p, ROW};
    uint8_t md5[OTAD_MD5_LEN];
    if (bytes_all(row, 0, ROW, 0xff))
        return true;
    if (p[0] != 0xeb || p[1] != 0xeb || !bytes_all(row, 2, 14, 0xff))
        return false;
    out->md5_present = true;
    out->md5_valid = digest_md5(rows.data, (size_t)used, md5) == OTAD_E_OK &&
                     memcmp(md5, p + 16, sizeof md5) == 0;
    return true;
}

bool partition_table_parse(struct bytes b, uint64_t offset, struct image_table *out)
{
    struct bytes rows = bytes_from(b, offset);
    struct image_table table = {.found = true, .offset = offset};
    struct image_partition row;
    uint64_t at = 0;
    for (; at + ROW <= PARTITION_TABLE_BYTES && bytes_has(rows, at, ROW); at += ROW) {
        if (!parse_row(rows.data + at, &row)) {
            if (at == 0 || !parse_end(rows, at, rows.data + at, &table))
                return false;
            break;
        }
        if (table.count < IMAGE_PARTITIONS_MAX)
            table.rows[table.count++] = row;
    }
    if (at == 0)
        return false;
    *out = table;
    return true;
}

/** sequence[4] label[20] state[4] CRC-32 of the sequence (initial value FFFFFFFF)[4] */
static bool is_otadata_entry(const uint8_t *p)
{
    uint32_t sequence = le32(p);
    return sequence != 0 && sequence != 0xffffffffu &&
           le32(p + 28) == (uint32_t)crc32(0xffffffffu, p, 4);
}

bool partition_is_otadata(struct bytes b)
{
    if (b.n != 2 * SECTOR)
        return false;
    bool first = is_otadata_entry(b.data), second = is_otadata_entry(b.data + SECTOR);
    /* behind an entry the sector is erased */
    return (first || second) && bytes_all(b, ROW, SECTOR - ROW, 0xff) &&
           bytes_all(b, SECTOR + ROW, SECTOR - ROW, 0xff);
}
