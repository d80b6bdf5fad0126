/* SPDX-License-Identifier: MIT
 * Owns the judgement of Host headers. */
#include "http/host.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/net.h"

void host_names_add(struct host_names *names, const char *name)
{
    if (names->n == HOST_NAMES_MAX || !address_is_host(name) || host_is_one_of(name, names))
        return;
    (void)snprintf(names->items[names->n++], ADDRESS_HOST_MAX, "%s", name);
}

void host_names_add_url(struct host_names *names, const char *url)
{
    char host[ADDRESS_HOST_MAX];
    const char *start = strstr(url, "://");
    if (start == NULL)
        return;
    start += strlen("://");
    size_t n = strcspn(start, "/");
    const char *at = memchr(start, '@', n);
    if (at != NULL) {
        n -= (size_t)(at + 1 - start);
        start = at + 1;
    }
    (void)snprintf(host, sizeof host, "%.*s", (int)n, start);
    if (host[0] == '[')
        return;
    host[strcspn(host, ":")] = '\0';
    host_names_add(names, host);
}

/* ---- this machine ------------------------------------------------------------------------- */

/* The next word of a line at *at, in `word` when it fits. @return false at the line's end */
static bool next_word(const char **at, char word[ADDRESS_HOST_MAX])
{
    *at += strspn(*at, " \t\r");
    size_t n = strcspn(*at, " \t\r\n#;");
    if (n == 0)
        return false;
    (void)snprintf(word, ADDRESS_HOST_MAX, "%.*s", (int)n, *at);
    *at += n;
    return true;
}

static const char *next_line(const char *at)
{
    at += strcspn(at, "\n");
    return *at == '\n' ? at + 1 : at;
}

/* "127.0.1.1 pi.example.net pi": names of ours are those that begin with our label. */
static void add_from_hosts(struct host_names *names, const char *label, const char *hosts)
{
    char word[ADDRESS_HOST_MAX];
    size_t n = strlen(label);
    for (; *hosts != '\0'; hosts = next_line(hosts)) {
        const char *at = hosts;
        if (!next_word(&at, word)) /* the address */
            continue;
        while (next_word(&at, word))
            if (strncasecmp(word, label, n) == 0 && word[n] == '.')
                host_names_add(names, word);
    }
}

/* "search lan example.net" or "domain lan". */
static void add_from_search(struct host_names *names, const char *label, const char *resolv_conf)
{
    char word[ADDRESS_HOST_MAX], full[2 * ADDRESS_HOST_MAX];
    for (; *resolv_conf != '\0'; resolv_conf = next_line(resolv_conf)) {
        const char *at = resolv_conf;
        if (!next_word(&at, word) || (strcmp(word, "search") != 0 && strcmp(word, "domain") != 0))
            continue;
        while (next_word(&at, word)) {
            (void)snprintf(full, sizeof full, "%s.%s", label, word);
            host_names_add(names, full);
        }
    }
}

void host_names_add_own(struct host_names *names, const char *name, const char *hosts,
                        const char *resolv_conf)
{
    char label[ADDRESS_HOST_MAX], local[ADDRESS_HOST_MAX + 8];
    if (!address_is_host(name))
        return;
    (void)snprintf(label, sizeof label, "%.*s", (int)strcspn(name, "."), name);
    (void)snprintf(local, sizeof local, "%s.local", label);
    host_names_add(names, name);
    host_names_add(names, label);
    host_names_add(names, local);
    add_from_hosts(names, label, hosts);
    add_from_search(names, label, resolv_conf);
}

/* ---- a header ----------------------------------------------------------------------------- */

/* Cuts the port off, and a name's last dot. @return the host's length; 0 when the rest is no port
 */
static size_t host_length(const char *header)
{
    size_t n = header[0] == '[' ? strcspn(header, "]") + 1 : strcspn(header, ":");
    if (n > strlen(header))
        return 0;
    const char *port = header + n;
    if (*port == ':')
        port += 1 + strspn(port + 1, "0123456789");
    if (*port != '\0')
        return 0;
    return n > 1 && header[n - 1] == '.' ? n - 1 : n;
}

static bool ends_with(const char *text, size_t n, const char *end)
{
    size_t end_n = strlen(end);
    return n >= end_n && strncasecmp(text + n - end_n, end, end_n) == 0;
}

static bool is_literal(const char *text, size_t n)
{
    char host[NET_TEXT_MAX];
    struct net_addr addr;
    bool bracket = text[0] == '[';
    if (bracket) {
        text++;
        n -= 2;
    }
    if (n >= sizeof host)
        return false;
    memcpy(host, text, n);
    host[n] = '\0';
    return bracket == (strchr(host, ':') != NULL) && net_addr_parse(host, &addr);
}

bool host_is_harmless(const char *header)
{
    size_t n = host_length(header);
    if (n == 0)
        return header[0] == '\0';
    return is_literal(header, n) ||
           (n == strlen("localhost") && ends_with(header, n, "localhost")) ||
           ends_with(header, n, ".localhost");
}

bool host_is_one_of(const char *header, const struct host_names *names)
{
    size_t n = host_length(header);
    for (size_t i = 0; n > 0 && i < names->n; i++)
        if (strlen(names->items[i]) == n && strncasecmp(names->items[i], header, n) == 0)
            return true;
    return false;
}
