/* SPDX-License-Identifier: MIT
 * Owns the keys and certificates of tests. */
#include "support/certificates.h"

#include <check.h>
#include <stdio.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum { DAY_S = 86400 };

static void add_extension(X509 *to, X509 *by, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, by, to, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ck_assert_ptr_nonnull(extension);
    ck_assert_int_eq(X509_add_ext(to, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static struct certificate begin(const char *name, long begins_s, long ends_s)
{
    struct certificate c = {X509_new(), EVP_EC_gen("P-256")};
    ck_assert(c.x509 != NULL && c.key != NULL);
    ck_assert_int_eq(X509_set_version(c.x509, X509_VERSION_3), 1);
    ck_assert_int_eq(ASN1_INTEGER_set(X509_get_serialNumber(c.x509), 1), 1);
    ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notBefore(c.x509), begins_s));
    ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notAfter(c.x509), ends_s));
    ck_assert_int_eq(X509_set_pubkey(c.x509, c.key), 1);
    ck_assert_int_eq(X509_NAME_add_entry_by_txt(X509_get_subject_name(c.x509), "CN", MBSTRING_UTF8,
                                                (const unsigned char *)name, -1, -1, 0),
                     1);
    return c;
}

static void finish(struct certificate *c, const struct certificate *by)
{
    ck_assert_int_eq(X509_set_issuer_name(c->x509, X509_get_subject_name(by->x509)), 1);
    ck_assert_int_gt(X509_sign(c->x509, by->key, EVP_sha256()), 0);
}

struct certificate certificate_authority(const char *name)
{
    struct certificate c = begin(name, -2 * DAY_S, DAY_S);
    add_extension(c.x509, c.x509, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(c.x509, c.x509, NID_key_usage, "critical,keyCertSign");
    finish(&c, &c);
    return c;
}

struct certificate certificate_issue(const struct certificate *authority, const char *names,
                                     bool expired)
{
    struct certificate c = begin("otad test", -2 * DAY_S, expired ? -DAY_S : DAY_S);
    add_extension(c.x509, authority->x509, NID_subject_alt_name, names);
    finish(&c, authority);
    return c;
}

void certificate_free(struct certificate *c)
{
    X509_free(c->x509);
    EVP_PKEY_free(c->key);
    *c = (struct certificate){NULL, NULL};
}

void certificate_write(const struct certificate *c, const char *path)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(PEM_write_X509(file, c->x509), 1);
    ck_assert_int_eq(fclose(file), 0);
}

void public_key_write(EVP_PKEY *key, const char *path)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(PEM_write_PUBKEY(file, key), 1);
    ck_assert_int_eq(fclose(file), 0);
}

void public_key_text(EVP_PKEY *key, char out[PUBLIC_KEY_TEXT])
{
    unsigned char der[128], *end = der;
    int n = i2d_PUBKEY(key, NULL);
    ck_assert_int_eq(n, 91);
    (void)i2d_PUBKEY(key, &end);
    ck_assert_int_eq(EVP_EncodeBlock((unsigned char *)out, der, n), PUBLIC_KEY_TEXT - 1);
}

SSL_CTX *certificate_context(const struct certificate *c)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    ck_assert_ptr_nonnull(ctx);
    ck_assert_int_eq(SSL_CTX_use_certificate(ctx, c->x509), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(ctx, c->key), 1);
    return ctx;
}
