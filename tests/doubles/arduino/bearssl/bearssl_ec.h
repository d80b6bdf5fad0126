/* SPDX-License-Identifier: MIT
 * A double of BearSSL's header of this name: what client/ports/arduino calls, no more. */
#ifndef OTAD_DOUBLE_BEARSSL_BEARSSL_EC_H
#define OTAD_DOUBLE_BEARSSL_BEARSSL_EC_H

#include <stddef.h>
#include <stdint.h>

#define BR_EC_secp256r1 23

typedef struct {
    int curve;
    unsigned char *q;
    size_t qlen;
} br_ec_public_key;

typedef struct {
    uint32_t supported_curves;
} br_ec_impl;

extern "C" {
extern const br_ec_impl br_ec_p256_m15;
uint32_t br_ecdsa_i15_vrfy_asn1(const br_ec_impl *impl, const void *hash, size_t hash_len,
                                const br_ec_public_key *pk, const void *sig, size_t sig_len);
}

#endif
