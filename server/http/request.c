/* SPDX-License-Identifier: MIT
 * Owns what handlers may ask a request. */
#include "http/internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *http_req_app(const struct http_req *req)
{
    return req->http->settings.app;
}

const char *http_req_param(const struct http_req *req, const char *name)
{
    return req->asked != NULL ? route_param(&req->asked->params, name) : "";
}

const char *http_req_query(const struct http_req *req, const char *key)
{
    return req->asked != NULL ? target_query(&req->asked->target, key) : NULL;
}

size_t http_req_query_count(const struct http_req *req)
{
    return req->asked->target.n_query;
}

const char *http_req_query_key(const struct http_req *req, size_t i)
{
    return req->asked->target.query[i].key;
}

const char *http_req_header(const struct http_req *req, const char *name)
{
    return MHD_lookup_connection_value(req->mhd, MHD_HEADER_KIND, name);
}

bool http_req_is_head(const struct http_req *req)
{
    return req->method == HTTP_HEAD;
}

bool http_req_is_safe(const struct http_req *req)
{
    return req->method == HTTP_GET || req->method == HTTP_HEAD;
}

const char *http_req_path(const struct http_req *req)
{
    return req->path;
}

static void sockaddr_text(const struct sockaddr *addr, char host[NET_TEXT_MAX], unsigned *port)
{
    struct net_addr ip;
    struct sockaddr_in in;
    host[0] = '\0';
    *port = 0;
    if (!net_addr_of(addr, &ip))
        return;
    net_addr_text(&ip, host);
    memcpy(&in, addr, sizeof in); /* the port's place is the same in IPv6 */
    *port = ntohs(in.sin_port);
}

const char *http_req_address(const struct http_req *req)
{
    return req->address;
}

const char *http_req_proxy(const struct http_req *req)
{
    return req->proxy != NULL ? req->proxy : "";
}

const char *http_req_scheme(const struct http_req *req)
{
    return req->https ? "https" : "http";
}

const char *http_req_local(const struct http_req *const_req)
{
    struct http_req *req;
    /* A cache, filled at the first call. NOLINTNEXTLINE(bugprone-sizeof-expression) */
    memcpy(&req, &const_req, sizeof req);
    if (req->local != NULL)
        return req->local;
    struct sockaddr_storage addr = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof addr;
    char host[INET6_ADDRSTRLEN];
    unsigned port;
    (void)getsockname(req->conn->fd, (struct sockaddr *)&addr, &len);
    sockaddr_text((struct sockaddr *)&addr, host, &port);
    req->local = malloc(INET6_ADDRSTRLEN + 10);
    if (req->local == NULL)
        return "localhost";
    (void)snprintf(req->local, INET6_ADDRSTRLEN + 10, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
                   port);
    return req->local;
}

const struct http_who *http_req_who(const struct http_req *req)
{
    static const struct http_who nobody = {.name = ""};
    return req->who != NULL ? req->who : &nobody;
}

enum otad_err http_req_authorise_again(struct http_req *req, struct otad_errinfo *ei)
{
    struct http_who who = {.role = 0};
    return req->http->settings.authorise(req, req->route->access, &who, ei);
}

const char *http_req_body(const struct http_req *req, size_t *n)
{
    *n = req->body_n;
    return req->body != NULL ? req->body : "";
}

const char *http_req_content_type(const struct http_req *req)
{
    const char *type = http_req_header(req, "Content-Type");
    return type != NULL ? type : "";
}

void http_req_set_state(struct http_req *req, void *state, void (*free_state)(void *state))
{
    req->state = state;
    req->free_state = free_state;
}

void *http_req_state(const struct http_req *req)
{
    return req->state;
}

enum otad_err http_req_follow(struct http_req *req, const struct http_follow *f)
{
    req->follow = watch_new_follow(f);
    return req->follow != NULL ? OTAD_E_OK : OTAD_E_NOMEM;
}

void http_settle(struct http_req *req, uint64_t tag)
{
    watch_settle(req->http->watch, tag, http_now_ms());
}

void request_set_address(struct http_req *req)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    unsigned port;
    if (info != NULL && info->client_addr != NULL)
        sockaddr_text(info->client_addr, req->address, &port);
}
