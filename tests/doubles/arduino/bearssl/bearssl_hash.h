/* SPDX-License-Identifier: MIT
 * A double of the Arduino cores' header of this name: what client/ports/arduino calls, no more. */
#ifndef OTAD_DOUBLE_BEARSSL_BEARSSL_HASH_H
#define OTAD_DOUBLE_BEARSSL_BEARSSL_HASH_H

#include <stddef.h>

typedef struct {
    void *run;
} br_sha256_context, br_md5_context;

extern "C" {
void br_sha256_init(br_sha256_context *ctx);
void br_sha256_update(br_sha256_context *ctx, const void *data, size_t n);
void br_sha256_out(const br_sha256_context *ctx, void *out);
void br_md5_init(br_md5_context *ctx);
void br_md5_update(br_md5_context *ctx, const void *data, size_t n);
void br_md5_out(const br_md5_context *ctx, void *out);
}

#endif
