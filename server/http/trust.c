/* SPDX-License-Identifier: MIT
 * Owns whom to believe: which peers are proxies and may say who the client is, and under which
 * names a browser may come. */
#include "http/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX 16384 /* of /etc/hosts and /etc/resolv.conf what is read at most */

/* ---- settings ----------------------------------------------------------------------------- */

static void read_file(const char *path, char text[FILE_MAX])
{
    FILE *f = fopen(path, "re");
    size_t n = f != NULL ? fread(text, 1, FILE_MAX - 1, f) : 0;
    text[n] = '\0';
    if (f != NULL)
        (void)fclose(f);
}

void trust_init(struct http_trust *trust)
{
    char name[ADDRESS_HOST_MAX] = "", hosts[FILE_MAX], resolv_conf[FILE_MAX];
    (void)pthread_rwlock_init(&trust->lock, NULL);
    (void)gethostname(name, sizeof name - 1);
    read_file("/etc/hosts", hosts);
    read_file("/etc/resolv.conf", resolv_conf);
    host_names_add_own(&trust->own, name, hosts, resolv_conf);
}

void trust_free(struct http_trust *trust)
{
    (void)pthread_rwlock_destroy(&trust->lock);
}

void trust_set(struct http_trust *trust, const struct http_limits *limits)
{
    const struct option_list *proxies = limits->trusted_proxies, *hosts = limits->allowed_hosts;
    (void)pthread_rwlock_wrlock(&trust->lock);
    trust->proxies.n = trust->allowed.n = 0;
    for (size_t i = 0; proxies != NULL && i < proxies->n; i++)
        if (net_parse(proxies->items[i], &trust->proxies.items[trust->proxies.n]))
            trust->proxies.n++;
    if (limits->public_url != NULL)
        host_names_add_url(&trust->allowed, limits->public_url);
    for (size_t i = 0; hosts != NULL && i < hosts->n; i++)
        host_names_add(&trust->allowed, hosts->items[i]);
    atomic_store(&trust->any_proxy, trust->proxies.n > 0);
    (void)pthread_rwlock_unlock(&trust->lock);
}

/* ---- proxies ------------------------------------------------------------------------------ */

struct chains {
    const struct net_list *trusted;
    struct forwarded rfc, x;
    enum forwarded_scheme x_proto;
    bool has_rfc, has_x;
};

static enum MHD_Result look(void *cls, enum MHD_ValueKind kind, const char *key, size_t key_n,
                            const char *value, size_t value_n)
{
    struct chains *c = cls;
    (void)kind;
    if (value == NULL || strlen(value) != value_n)
        value = "?"; /* a NUL inside: as good as garbage, but still an element */
    if (header_name_is(key, key_n, "Forwarded")) {
        c->has_rfc = true;
        forwarded_add(&c->rfc, value, c->trusted);
    } else if (header_name_is(key, key_n, "X-Forwarded-For")) {
        c->has_x = true;
        forwarded_add_for(&c->x, value, c->trusted);
    } else if (header_name_is(key, key_n, "X-Forwarded-Proto")) {
        c->has_x = true;
        c->x_proto = forwarded_proto(value);
    }
    return MHD_YES;
}

static void take_chains(struct http_req *req, const struct chains *c)
{
    const struct forwarded *f = c->has_rfc ? &c->rfc : &c->x;
    enum forwarded_scheme scheme = f->scheme != FORWARDED_NO_SCHEME ? f->scheme : c->x_proto;
    if (!c->has_rfc && !c->has_x)
        return;                        /* a person on the proxy's machine */
    req->proxy = strdup(req->address); /* out of memory: it isn't told, that's all */
    req->https = scheme == FORWARDED_HTTPS;
    if (f->has_client)
        net_addr_text(&f->client, req->address);
}

void trust_proxy(struct http_req *req)
{
    struct http_trust *trust = &req->http->trust;
    if (!atomic_load_explicit(&trust->any_proxy, memory_order_relaxed))
        return;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct net_addr peer;
    if (info == NULL || info->client_addr == NULL || !net_addr_of(info->client_addr, &peer))
        return;
    struct chains c = {.trusted = &trust->proxies};
    (void)pthread_rwlock_rdlock(&trust->lock);
    bool trusted = net_list_has(&trust->proxies, &peer);
    if (trusted)
        (void)MHD_get_connection_values_n(req->mhd, MHD_HEADER_KIND, look, &c);
    (void)pthread_rwlock_unlock(&trust->lock);
    if (trusted)
        take_chains(req, &c);
}

/* ---- names -------------------------------------------------------------------------------- */

static bool is_allowed(struct http_trust *trust, const char *host)
{
    if (host_is_harmless(host) || host_is_one_of(host, &trust->own))
        return true;
    (void)pthread_rwlock_rdlock(&trust->lock);
    bool allowed = host_is_one_of(host, &trust->allowed);
    (void)pthread_rwlock_unlock(&trust->lock);
    return allowed;
}

enum otad_err trust_host(struct http_req *req, struct otad_errinfo *ei)
{
    /* A page that was bound to another address has no key of ours, and a device no choice. */
    if (req->device_path || http_req_header(req, "Authorization") != NULL)
        return OTAD_E_OK;
    const char *host = http_req_header(req, "Host");
    if (host == NULL || is_allowed(&req->http->trust, host))
        return OTAD_E_OK;
    (void)otad_fail(ei, OTAD_E_MISDIRECTED, "This server isn't known as '%.120s'", host);
    return otad_hint(ei, "If that is its name, set server.public_url to its URL, or add the name "
                         "to http.allowed_hosts. Its addresses and localhost always work.");
}
