/* SPDX-License-Identifier: MIT
 * BearSSL's signatures, by OpenSSL, and what the core has around them. */
#include <StackThunk.h>
#include <bearssl/bearssl_ec.h>
#include <libb64/cdecode.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

extern "C" {
#include "support/unit.h"
}

static int thunk_refs;

void stack_thunk_add_ref()
{
    thunk_refs++;
}

void stack_thunk_del_ref()
{
    ck_assert_int_gt(thunk_refs, 0);
    thunk_refs--;
}

const br_ec_impl br_ec_p256_m15 = {1u << BR_EC_secp256r1};

uint32_t br_ecdsa_i15_vrfy_asn1(const br_ec_impl *impl, const void *hash, size_t hash_len,
                                const br_ec_public_key *pk, const void *sig, size_t sig_len)
{
    static const unsigned char head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                         0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                         0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
    unsigned char der[sizeof head + 65];
    const unsigned char *at = der;
    ck_assert_msg(thunk_refs > 0, "BearSSL on the sketch's stack");
    ck_assert(impl == &br_ec_p256_m15 && hash_len == 32);
    ck_assert(pk->curve == BR_EC_secp256r1 && pk->qlen == 65);
    memcpy(der, head, sizeof head);
    memcpy(der + sizeof head, pk->q, 65);
    EVP_PKEY *key = d2i_PUBKEY(nullptr, &at, sizeof der);
    if (key == nullptr)
        return 0;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, nullptr);
    const bool ok = EVP_PKEY_verify_init(ctx) == 1 &&
                    EVP_PKEY_verify(ctx, static_cast<const unsigned char *>(sig), sig_len,
                                    static_cast<const unsigned char *>(hash), hash_len) == 1;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
    return ok ? 1 : 0;
}

/* As libb64 does: skips what is no base64, and ends the text that it takes it for. */
int base64_decode_chars(const char *code_in, const int length_in, char *plaintext_out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = 0, have = 0;
    int n = 0;
    for (int i = 0; i < length_in; i++) {
        const char *digit = strchr(digits, code_in[i]);
        if (digit == nullptr || code_in[i] == '\0')
            continue;
        bits = bits << 6 | static_cast<unsigned>(digit - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            plaintext_out[n++] = static_cast<char>(bits >> have);
        }
    }
    plaintext_out[n] = '\0';
    return n;
}
