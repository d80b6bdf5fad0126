/* SPDX-License-Identifier: MIT
 * Owns the look into gzip files. eboot takes the unpacked length from the file's last four bytes,
 * so nothing may follow the first member but a signature (esp8266/Arduino eboot.c, readme.rst). */
#define ZLIB_CONST /* next_in points to const */
#include "image/gzip.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <zlib.h>

#include "base/digest.h"
#include "image/esp8266.h"
#include "image/inspection.h"
#include "image/note.h"
#include "image/scan.h"
#include "image/trailer.h"

#define HEAD_BYTES                                                                                 \
    (132u * 1024) /* reaches behind a partition table and an application's header                  \
                   */
#define CHUNK_BYTES (32u * 1024)
#define SCAN_KEEP (SCAN_REACH + 1) /* and the byte before, which tells where a word begins */
#define INPUT_MAX (1u << 30)       /* zlib counts its input in 32 bits */

#define SKETCH_MAX 1044464u /* the most that a linker script of the core allows */

struct unpack {
    struct inspection in;
    struct bytes file;
    z_stream z;
    int status;           /* of the last inflate() */
    struct digest *all;   /* of everything unpacked */
    struct digest *image; /* of the bytes that an appended digest covers */
    uint64_t position;    /* unpacked bytes that have flowed */
    size_t carry;         /* bytes at the start of the window that flowed before */
    size_t searched;      /* of them, how many the search is done with */
    uint8_t head[HEAD_BYTES];
    uint8_t window[SCAN_KEEP + CHUNK_BYTES];
};

bool gzip_is(struct bytes b)
{
    return bytes_match(b, 0, "\x1f\x8b\x08", 3);
}

static void unpack_free(struct unpack **u)
{
    if (*u == NULL)
        return;
    (void)inflateEnd(&(*u)->z);
    digest_free(&(*u)->all);
    digest_free(&(*u)->image);
    free(*u);
    *u = NULL;
}

static struct unpack *unpack_new(struct bytes file, struct image_info *info)
{
    struct unpack *u = calloc(1, sizeof *u);
    if (u == NULL)
        return NULL;
    u->file = file;
    u->in.info = info;
    u->status = inflateInit2(&u->z, 16 + MAX_WBITS);
    u->all = digest_new();
    u->image = digest_new();
    if (u->status != Z_OK || u->all == NULL || u->image == NULL)
        unpack_free(&u);
    return u;
}

/** Unpacks up to n bytes. @return how many came; fewer than n means that u->status isn't Z_OK */
static size_t unpack_some(struct unpack *u, uint8_t *out, size_t n)
{
    u->z.next_out = out;
    u->z.avail_out = (uInt)n;
    while (u->status == Z_OK && u->z.avail_out > 0) {
        uint64_t left = u->file.n - u->z.total_in;
        u->z.next_in = u->file.data + u->z.total_in;
        u->z.avail_in = left < INPUT_MAX ? (uInt)left : INPUT_MAX;
        u->status = inflate(&u->z, Z_NO_FLUSH);
    }
    return n - u->z.avail_out;
}

/** Adds the part of the bytes from p that the image's own sum covers; they have been walked. */
static void sum_image(struct unpack *u, const uint8_t *p)
{
    struct inspection *in = &u->in;
    uint64_t end = inspection_sum_end(in), from = u->position;
    uint64_t start = in->info->kind == IMAGE_ESP8266_APP ? 0 : in->app.start;
    if (from < start)
        from = start;
    if (from >= end) /* end is never beyond what has been walked */
        return;
    p += from - u->position;
    if (in->info->kind == IMAGE_ESP8266_APP)
        in->crc = esp8266_crc_image(in->crc, from, p, (size_t)(end - from));
    else
        digest_update(u->image, p, (size_t)(end - from));
}

static void flow(struct unpack *u, const uint8_t *p, size_t n)
{
    inspection_walk(&u->in, p, n);
    digest_update(u->all, p, n);
    sum_image(u, p);
    u->position += n;
}

/** Searches the n bytes that end at u->position, but for what a match might still need the next
 *  bytes for; that is kept in the window. */
static void search(struct unpack *u, const uint8_t *p, size_t n, bool last)
{
    size_t keep = n < SCAN_KEEP ? n : SCAN_KEEP;
    size_t stop = last ? n : n > SCAN_REACH ? n - SCAN_REACH : 0;
    size_t from = u->searched < stop ? u->searched : stop;
    size_t went = scan_bytes(u->in.info, p, from, stop, n, u->position - n);
    memmove(u->window, p + n - keep, keep);
    u->searched = went > n - keep ? went - (n - keep) : 0;
    u->carry = keep;
}

static void unpack_rest(struct unpack *u)
{
    while (u->status == Z_OK && u->z.total_out <= IMAGE_UNPACKED_MAX) {
        size_t n = unpack_some(u, u->window + u->carry, CHUNK_BYTES);
        flow(u, u->window + u->carry, n);
        search(u, u->window, u->carry + n, false);
    }
    search(u, u->window, u->carry, true);
}

static void unpack_all(struct unpack *u)
{
    struct inspection *in = &u->in;
    size_t n = unpack_some(u, u->head, sizeof u->head);
    uint64_t claim = u->file.n >= 4 ? le32(u->file.data + u->file.n - 4) : 0;
    in->head = (struct bytes){u->head, n};
    in->total = u->status == Z_STREAM_END || claim < n ? n : claim;
    in->crc = ESP8266_CRC_INIT;
    if (n > 0 || u->status == Z_STREAM_END)
        inspection_plan(in);
    else
        in->info->kind = IMAGE_GZIP;
    flow(u, u->head, n);
    search(u, u->head, n, false);
    unpack_rest(u);
    in->total = u->position;
}

static void judge_packing(struct unpack *u)
{
    struct image_info *info = u->in.info;
    char found[72];
    if (u->status == Z_STREAM_END)
        return;
    if (u->status == Z_BUF_ERROR) {
        note_truncated(info, "gzip data", u->file.n + 1, u->file.n);
        return;
    }
    if (u->status == Z_OK) {
        (void)snprintf(found, sizeof found, "more than %u bytes", IMAGE_UNPACKED_MAX);
        note_defect(info, IMAGE_DEFECT_GZIP, u->z.total_in, "unpacked size",
                    "no more than the flash of an ESP8266", found);
        return;
    }
    (void)snprintf(found, sizeof found, "%s", u->z.msg != NULL ? u->z.msg : "damaged data");
    note_defect(info, IMAGE_DEFECT_GZIP, u->z.total_in, "gzip data", "data that unpacks", found);
}

/** What stands behind the member: the trailer of a signature (compress first, then sign), or
 *  something that makes eboot read a wrong length. */
static void judge_behind(struct unpack *u)
{
    struct image_info *info = u->in.info;
    struct bytes tail = bytes_from(u->file, info->gzip.packed_bytes);
    if (tail.n == 0)
        return;
    if (trailer_is_arduino_esp8266(tail)) {
        info->signature = IMAGE_SIGN_ARDUINO_ESP8266;
        info->signature_offset = info->gzip.packed_bytes;
        info->signature_bytes = (unsigned)tail.n;
        return;
    }
    char found[72];
    (void)snprintf(found, sizeof found, "%zu bytes%s", tail.n,
                   gzip_is(tail) ? ", a second gzip member" : "");
    note_defect(info, IMAGE_DEFECT_GZIP, info->gzip.packed_bytes, "end of the gzip data",
                "nothing behind it", found);
    info->gzip.complete = false;
}

/** The device checks only the packed size before it starts, so the server must. */
static void judge_size(struct image_info *info)
{
    if (info->kind == IMAGE_ESP8266_APP && info->gzip.unpacked_bytes > SKETCH_MAX)
        note_warning(info, IMAGE_WARN_GZIP, info->gzip.packed_bytes,
                     "unpacks to %" PRIu64 " bytes; no layout has room for more than %u",
                     info->gzip.unpacked_bytes, SKETCH_MAX);
}

static enum otad_err sum_up(struct unpack *u)
{
    struct inspection *in = &u->in;
    struct image_info *info = in->info;
    info->md5_unpacked_found = true;
    enum otad_err err = digest_final(u->all, info->md5_unpacked, NULL);
    if (err == OTAD_E_OK)
        err = digest_final(u->image, NULL, in->sha);
    in->crc_known = in->sha_known = err == OTAD_E_OK;
    return err;
}

enum otad_err gzip_inspect(struct bytes file, struct image_info *info)
{
    struct unpack *u OTAD_AUTO(unpack_free) = unpack_new(file, info);
    if (u == NULL)
        return OTAD_E_NOMEM;
    info->gzip.found = true;
    unpack_all(u);
    if (u->status == Z_MEM_ERROR)
        return OTAD_E_NOMEM;
    info->gzip.packed_bytes = u->z.total_in;
    info->gzip.unpacked_bytes = u->position;
    info->gzip.complete = u->status == Z_STREAM_END;
    judge_packing(u);
    if (!info->gzip.complete)
        return OTAD_E_OK; /* what stands in it can't be judged; its kind is known from its head */
    judge_behind(u);
    enum otad_err err = sum_up(u);
    if (err != OTAD_E_OK)
        return err;
    inspection_finish(&u->in);
    judge_size(info);
    if (u->in.head.n == u->in.total)
        return trailer_find(u->in.head, info);
    trailer_unseen(u->in.total, info);
    return OTAD_E_OK;
}
