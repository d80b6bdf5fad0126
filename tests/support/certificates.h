/* SPDX-License-Identifier: MIT
 * Keys and certificates that are made for one test. What can't be made fails the running test. */
#ifndef OTAD_TESTS_CERTIFICATES_H
#define OTAD_TESTS_CERTIFICATES_H

#include <stdbool.h>

#include <openssl/ssl.h>

/** A certificate and the private key to it; freed by certificate_free(). */
struct certificate {
    X509 *x509;
    EVP_PKEY *key;
};

/** An authority that trusts itself. */
struct certificate certificate_authority(const char *name);

/** A server's certificate by that authority.
 *  @param names    what it is for, e.g. "IP:127.0.0.1" or "DNS:localhost"
 *  @param expired  its time ended yesterday */
struct certificate certificate_issue(const struct certificate *authority, const char *names,
                                     bool expired);

void certificate_free(struct certificate *c);

/** Writes the certificate, or a public key, as PEM. */
void certificate_write(const struct certificate *c, const char *path);
void public_key_write(EVP_PKEY *key, const char *path);

/** A public P-256 key as the base64 of its DER, and NUL. */
#define PUBLIC_KEY_TEXT 125
void public_key_text(EVP_PKEY *key, char out[PUBLIC_KEY_TEXT]);

/** What a TLS server with this certificate works with; freed by SSL_CTX_free(). */
SSL_CTX *certificate_context(const struct certificate *c);

#endif
