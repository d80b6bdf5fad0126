/* SPDX-License-Identifier: MIT
 * Owns TLS on top of the port's connection, by OpenSSL: the server must prove that it is the host
 * that was asked for. In an object file of its own, so that who speaks plain HTTP links no libssl.
 */
#include "internal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* Notes "what: reason" with the reason that OpenSSL gives, and returns err. */
static int tls_fail(struct otac_posix *p, int err, const char *what)
{
    /* Of a file that isn't there the first one says so, those behind it only "system lib". */
    const unsigned long first = ERR_peek_error();
    const char *reason = ERR_SYSTEM_ERROR(first) ? strerror(ERR_GET_REASON(first))
                                                 : ERR_reason_error_string(ERR_peek_last_error());
    (void)snprintf(p->detail, sizeof p->detail, "%s: %s", what,
                   reason != NULL ? reason : "the connection ended");
    return err;
}

/* What to do after a call that gave rc: again once this returns OTAC_OK, or give up with the error.
 * A peer that goes without saying so is one whose connection broke: only the end that it signs is
 * one (RFC 8446 section 6.1). */
static int wait_after(struct otac_posix *p, int rc, const char *what)
{
    switch (SSL_get_error(p->tls_session, rc)) {
    case SSL_ERROR_WANT_READ:
        return posix_wait_ready(p, POLLIN);
    case SSL_ERROR_WANT_WRITE:
        return posix_wait_ready(p, POLLOUT);
    case SSL_ERROR_SYSCALL:
        if (errno != 0)
            return posix_fail(p, OTAC_E_CONN_LOST, what);
        return tls_fail(p, OTAC_E_CONN_LOST, what);
    default:
        return tls_fail(p, OTAC_E_CONN_LOST, what);
    }
}

/* An address is compared with the certificate's addresses, a name with its names. */
static bool expect_host(SSL *session, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(session);
    char name[OTAC_POSIX_HOST_MAX + 1]; /* OpenSSL's macro wants no const */
    if (X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1)
        return true;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    (void)snprintf(name, sizeof name, "%s", host);
    return X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 &&
           SSL_set_tlsext_host_name(session, name) == 1;
}

static int shake_hands(struct otac_posix *p)
{
    int err = OTAC_OK;
    while (err == OTAC_OK) {
        ERR_clear_error();
        errno = 0;
        int rc = SSL_connect(p->tls_session);
        if (rc == 1)
            return OTAC_OK;
        err = wait_after(p, rc, "starting TLS");
    }
    long verdict = SSL_get_verify_result(p->tls_session);
    if (verdict != X509_V_OK) {
        (void)snprintf(p->detail, sizeof p->detail, "%s", X509_verify_cert_error_string(verdict));
        return OTAC_E_CERTIFICATE;
    }
    return err == OTAC_E_TIMEOUT ? err : OTAC_E_TLS;
}

static void tls_close(void *ctx)
{
    struct otac_posix *p = ctx;
    if (p->tls_session != NULL && SSL_is_init_finished(p->tls_session)) {
        ERR_clear_error();
        (void)SSL_shutdown(p->tls_session); /* says goodbye, and doesn't wait for an answer */
    }
    SSL_free(p->tls_session);
    p->tls_session = NULL;
    posix_net_close(p);
}

static int tls_connect(void *ctx, const char *host, uint16_t port)
{
    struct otac_posix *p = ctx;
    int err = posix_net_connect(p, host, port);
    if (err != OTAC_OK)
        return err;
    ERR_clear_error();
    p->tls_session = SSL_new(p->tls);
    if (p->tls_session == NULL || SSL_set_fd(p->tls_session, p->sock) != 1 ||
        !expect_host(p->tls_session, host))
        err = tls_fail(p, OTAC_E_TLS, "preparing TLS");
    else
        err = shake_hands(p);
    if (err != OTAC_OK)
        tls_close(p);
    return err;
}

static int tls_send(void *ctx, const void *data, size_t n)
{
    struct otac_posix *p = ctx;
    const char *at = data;
    int err = OTAC_OK;
    while (n > 0 && err == OTAC_OK) {
        size_t sent = 0;
        ERR_clear_error();
        errno = 0;
        int rc = SSL_write_ex(p->tls_session, at, n, &sent);
        at += sent;
        n -= sent;
        if (rc != 1)
            err = wait_after(p, rc, "sending");
    }
    return err;
}

static int tls_recv(void *ctx, void *buf, size_t n)
{
    struct otac_posix *p = ctx;
    for (;;) {
        size_t got = 0;
        ERR_clear_error();
        errno = 0;
        int rc = SSL_read_ex(p->tls_session, buf, n, &got);
        if (rc == 1)
            return (int)got;
        if (SSL_get_error(p->tls_session, rc) == SSL_ERROR_ZERO_RETURN)
            return 0;
        int err = wait_after(p, rc, "receiving");
        if (err != OTAC_OK)
            return err;
    }
}

int otac_posix_tls_open(struct otac_posix *p, struct otac_port *port, const char *ca_file)
{
    ERR_clear_error();
    p->tls = SSL_CTX_new(TLS_client_method());
    if (p->tls == NULL || SSL_CTX_set_min_proto_version(p->tls, TLS1_2_VERSION) != 1)
        return tls_fail(p, OTAC_E_TLS, "preparing TLS");
    SSL_CTX_set_verify(p->tls, SSL_VERIFY_PEER, NULL);
    if (ca_file != NULL && SSL_CTX_load_verify_file(p->tls, ca_file) != 1)
        return tls_fail(p, OTAC_E_CERTIFICATE, ca_file);
    if (ca_file == NULL && SSL_CTX_set_default_verify_paths(p->tls) != 1)
        return tls_fail(p, OTAC_E_CERTIFICATE, "the system's authorities");
    port->connect = tls_connect;
    port->send = tls_send;
    port->recv = tls_recv;
    port->close = tls_close;
    return OTAC_OK;
}

void otac_posix_tls_close(struct otac_posix *p)
{
    SSL_free(p->tls_session);
    SSL_CTX_free(p->tls);
    p->tls_session = NULL;
    p->tls = NULL;
}
