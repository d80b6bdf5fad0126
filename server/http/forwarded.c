/* SPDX-License-Identifier: MIT
 * Owns reading the chain of proxies. The rule counts from the right, the code reads from the left
 * and keeps what the rule would say so far: so quoted strings are read as they were written, and
 * no list needs to be kept. */
#include "http/forwarded.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define NODE_MAX 64 /* "[IPv6]:port" has at most 53 bytes; longer is garbage */

/* One proxy's word. */
struct element {
    bool has_for, has_addr, broken;
    struct net_addr addr;
    enum forwarded_scheme scheme;
};

/* An element to the right of all before it. */
static void append(struct forwarded *f, const struct element *e, const struct net_list *trusted)
{
    bool passed_over = e->has_addr && !e->broken && net_list_has(trusted, &e->addr);
    if (!passed_over) {
        f->has_client = e->has_addr && !e->broken;
        f->client = e->addr;
        f->scheme = e->scheme;
        return;
    }
    if (!f->has_client) {
        f->has_client = true;
        f->client = e->addr;
    }
    if (f->scheme == FORWARDED_NO_SCHEME)
        f->scheme = e->scheme;
}

static enum forwarded_scheme scheme_of(const char *text, size_t n)
{
    if (n == 4 && strncasecmp(text, "http", n) == 0)
        return FORWARDED_HTTP;
    return n == 5 && strncasecmp(text, "https", n) == 0 ? FORWARDED_HTTPS : FORWARDED_NO_SCHEME;
}

/* ":8080", or RFC 7239's obfuscated ":_word". */
static bool is_port(const char *text)
{
    static const char word[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-";
    if (text[0] != ':')
        return false;
    if (text[1] == '_')
        return text[2] != '\0' && text[2 + strspn(text + 2, word)] == '\0';
    size_t digits = strspn(text + 1, "0123456789");
    return digits > 0 && digits <= 5 && text[1 + digits] == '\0';
}

/* An address with whatever may stand around it: "192.0.2.1:80", "[2001:db8::1]:80", "2001:db8::1".
 * "unknown" and "_hidden" are none. */
static bool read_node(const char *text, size_t n, struct net_addr *out)
{
    char node[NODE_MAX];
    if (n >= sizeof node)
        return false;
    memcpy(node, text, n);
    node[n] = '\0';
    if (net_addr_parse(node, out))
        return true;
    bool bracket = node[0] == '[';
    char *end = strchr(node, bracket ? ']' : ':');
    if (end == NULL)
        return false;
    const char *port = bracket ? end + 1 : end;
    if (*port != '\0' && !is_port(port))
        return false;
    *end = '\0'; /* behind the host; only IPv6 has brackets */
    return (!bracket || strchr(node, ':') != NULL) && net_addr_parse(node + bracket, out);
}

static const char *skip_blanks(const char *p)
{
    return p + strspn(p, " \t");
}

static size_t without_blanks(const char *text, size_t n)
{
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
        n--;
    return n;
}

void forwarded_add_for(struct forwarded *f, const char *line, const struct net_list *trusted)
{
    for (const char *p = skip_blanks(line); *p != '\0'; p = skip_blanks(p)) {
        size_t n = strcspn(p, ","), text_n = without_blanks(p, n);
        struct element e = {.has_addr = false};
        e.has_addr = read_node(p, text_n, &e.addr);
        if (text_n > 0) /* empty elements don't count, RFC 9110 §5.6.1.2 */
            append(f, &e, trusted);
        p += n + (p[n] == ',');
    }
}

enum forwarded_scheme forwarded_proto(const char *line)
{
    enum forwarded_scheme scheme = FORWARDED_NO_SCHEME;
    for (const char *p = skip_blanks(line); *p != '\0'; p = skip_blanks(p)) {
        size_t n = strcspn(p, ","), text_n = without_blanks(p, n);
        if (text_n > 0)
            scheme = scheme_of(p, text_n);
        p += n + (p[n] == ',');
    }
    return scheme;
}

/* ---- RFC 7239 §4: for="[2001:db8::1]:80";proto=https, for=192.0.2.1 ------------------------- */

static bool is_token_char(char c)
{
    return isalnum((unsigned char)c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* A pair's value, without quotes and their escapes. */
struct value {
    char text[NODE_MAX];
    size_t n;
    bool too_long;
};

static void add_char(struct value *v, char c)
{
    if (v->n < sizeof v->text)
        v->text[v->n++] = c;
    else
        v->too_long = true;
}

/* @return behind the value; NULL when it has no end or holds what it may not. Addresses without
 * their quotes are taken, because many write them so. */
static const char *read_value(const char *p, struct value *v)
{
    if (*p != '"') {
        while (is_token_char(*p) || *p == ':' || *p == '[' || *p == ']')
            add_char(v, *p++);
        return v->n > 0 ? p : NULL;
    }
    for (p++; *p != '"'; p++) {
        if (*p == '\\')
            p++;
        if (*p == '\0')
            return NULL;
        add_char(v, *p);
    }
    return p + 1;
}

/* @return false when it contradicts what was said before */
static bool take_pair(struct element *e, const char *name, size_t n, const struct value *v)
{
    if (n == 3 && strncasecmp(name, "for", n) == 0) {
        if (e->has_for)
            return false;
        e->has_for = true;
        e->has_addr = !v->too_long && read_node(v->text, v->n, &e->addr);
    } else if (n == 5 && strncasecmp(name, "proto", n) == 0) {
        e->scheme = scheme_of(v->text, v->n);
    }
    return true;
}

/* One "name=value" up to the ';', ',' or end behind it. @return there, or NULL on garbage */
static const char *read_pair(const char *p, struct element *e)
{
    struct value v = {.n = 0};
    const char *name = p;
    while (is_token_char(*p))
        p++;
    size_t n = (size_t)(p - name);
    if (n == 0 || *p != '=')
        return NULL;
    p = read_value(p + 1, &v);
    if (p == NULL || !take_pair(e, name, n, &v))
        return NULL;
    p = skip_blanks(p);
    return *p == ';' || *p == ',' || *p == '\0' ? p : NULL;
}

/* One element up to its comma or the end. Garbage goes up to the next comma, even one in quotes:
 * so a quote that a client left open doesn't swallow what its proxy added. @return there */
static const char *read_element(const char *p, struct element *e, bool *empty)
{
    *empty = true;
    for (p = skip_blanks(p); *p != ',' && *p != '\0'; p = skip_blanks(p)) {
        if (*p == ';') {
            p++;
            continue;
        }
        *empty = false;
        const char *behind = read_pair(p, e);
        if (behind == NULL) {
            *e = (struct element){.broken = true};
            return p + strcspn(p, ",");
        }
        p = behind;
    }
    return p;
}

void forwarded_add(struct forwarded *f, const char *line, const struct net_list *trusted)
{
    const char *p = line;
    while (*p != '\0') {
        struct element e = {.has_addr = false};
        bool empty;
        p = read_element(p, &e, &empty);
        if (!empty)
            append(f, &e, trusted);
        p += *p == ',';
    }
}
