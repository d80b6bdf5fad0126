/* SPDX-License-Identifier: MIT
 * Any bytes as forwarding headers, a line each: none is read beyond its end, an untrusted word
 * that a proxy adds at the right, on a line of its own or not, is always the client. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_client(const struct forwarded *f, const char *client)
{
    char text[NET_TEXT_MAX] = "";
    if (f->has_client)
        net_addr_text(&f->client, text);
    if (strcmp(text, client) != 0)
        abort();
}

/* The line with something behind it, in a block of exactly its size for the sanitizers. */
static char *make_line(const char *from, size_t n, const char *behind)
{
    size_t more = strlen(behind);
    char *line = malloc(n + more + 1);
    if (line == NULL)
        abort();
    memcpy(line, from, n);
    memcpy(line + n, behind, more + 1);
    return line;
}

static void add_line(struct forwarded *rfc, struct forwarded *x, const char *from, size_t n,
                     const struct net_list *trusted)
{
    char *line = make_line(from, n, "");
    struct forwarded added = *rfc;
    forwarded_add(rfc, line, trusted);
    forwarded_add_for(x, line, trusted);
    (void)forwarded_proto(line);
    free(line);
    if (memchr(from, '\0', n) != NULL)
        return;
    line = make_line(from, n, ", for=\"[2001:db8::1]\"");
    forwarded_add(&added, line, trusted);
    check_client(&added, "2001:db8::1");
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct forwarded rfc = {.has_client = false}, x = {.has_client = false};
    struct net_list trusted = {.n = 1};
    if (!net_parse("10.0.0.0/8", &trusted.items[0]))
        abort();
    const char *p = (const char *)data, *end = p + n;
    while (p < end) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        stop = stop != NULL ? stop : end;
        add_line(&rfc, &x, p, (size_t)(stop - p), &trusted);
        p = stop < end ? stop + 1 : end;
    }
    forwarded_add(&rfc, "for=192.0.2.1", &trusted);
    forwarded_add(&rfc, "for=10.0.0.1", &trusted);
    forwarded_add_for(&x, "192.0.2.1, 10.0.0.1", &trusted);
    check_client(&rfc, "192.0.2.1");
    check_client(&x, "192.0.2.1");
    return 0;
}
