/* SPDX-License-Identifier: MIT
 * Owns matching of path templates. */
#include "http/route.h"

#include <stdio.h>
#include <string.h>

static const struct {
    unsigned bit;
    const char *token;
} methods[] = {
    {HTTP_GET,    "GET"   },
    {HTTP_HEAD,   "HEAD"  },
    {HTTP_POST,   "POST"  },
    {HTTP_PATCH,  "PATCH" },
    {HTTP_PUT,    "PUT"   },
    {HTTP_DELETE, "DELETE"},
};

unsigned route_method(const char *token)
{
    for (size_t i = 0; i < OTAD_COUNT(methods); i++)
        if (strcmp(methods[i].token, token) == 0)
            return methods[i].bit;
    return 0;
}

void route_methods_text(unsigned bits, char *out, size_t room)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < OTAD_COUNT(methods) && used < room; i++)
        if ((bits & methods[i].bit) != 0)
            used += (size_t)snprintf(out + used, room - used, "%s%s", used == 0 ? "" : ", ",
                                     methods[i].token);
}

/* One segment of a template: literal text before, an optional {name}, literal text behind. */
struct piece {
    const char *head, *name, *tail;
    size_t head_n, name_n, tail_n;
};

/* Takes the next segment off a template. @return false at its end. */
static bool next_piece(const char **path, struct piece *out)
{
    if (**path != '/' || (*path)[1] == '\0')
        return false;
    const char *p = *path + 1;
    size_t len = (size_t)(strchrnul(p, '/') - p);
    const char *open = memchr(p, '{', len);
    *out = (struct piece){.head = p, .head_n = len, .tail = p + len};
    if (open != NULL) {
        const char *close = memchr(open, '}', len - (size_t)(open - p));
        out->head_n = (size_t)(open - p);
        out->name = open + 1;
        out->name_n = (size_t)(close - open) - 1;
        out->tail = close + 1;
        out->tail_n = len - (size_t)(close + 1 - p);
    }
    *path = p + len;
    return true;
}

static bool piece_matches(const struct piece *p, const char *segment)
{
    size_t n = strlen(segment);
    if (p->name == NULL)
        return n == p->head_n && memcmp(segment, p->head, n) == 0;
    return n > p->head_n + p->tail_n && memcmp(segment, p->head, p->head_n) == 0 &&
           memcmp(segment + n - p->tail_n, p->tail, p->tail_n) == 0;
}

static long piece_weight(const struct piece *p)
{
    return p->name == NULL ? 1000 : (long)(p->head_n + p->tail_n);
}

/* How literal a match is: literal segments first, then longer literal text around names.
 * -1 = no match. */
static long match(const char *path, const struct target *target)
{
    struct piece p;
    long weight = 0;
    size_t i = 0;
    if (target->n_segments > 0 && path[1] != '{' && path[1] != target->segments[0][0])
        return -1; /* most rows: another first letter */
    for (; next_piece(&path, &p); i++) {
        if (i == target->n_segments || !piece_matches(&p, target->segments[i]))
            return -1;
        weight += piece_weight(&p);
    }
    return i == target->n_segments ? weight : -1;
}

static void keep_params(const char *path, struct target *target, struct route_params *params)
{
    struct piece p;
    params->n = 0;
    for (size_t i = 0; next_piece(&path, &p); i++) {
        if (p.name == NULL || params->n == ROUTE_PARAMS_MAX)
            continue;
        char *value = target->segments[i] + p.head_n;
        value[strlen(value) - p.tail_n] = '\0';
        params->items[params->n].name = p.name;
        params->items[params->n].name_n = p.name_n;
        params->items[params->n++].value = value;
    }
}

const struct http_route *route_find(const struct http_route_table *t, unsigned method,
                                    struct target *target, struct route_params *params,
                                    unsigned *allow)
{
    const struct http_route *best = NULL;
    long best_weight = -1;
    *allow = 0;
    for (size_t i = 0; i < t->n; i++) {
        long weight = match(t->rows[i].path, target);
        if (weight < best_weight || weight < 0)
            continue;
        if (weight > best_weight) {
            best = NULL;
            *allow = 0;
        }
        best_weight = weight;
        *allow |= t->rows[i].methods;
        if ((t->rows[i].methods & method) != 0)
            best = &t->rows[i];
    }
    if (best != NULL)
        keep_params(best->path, target, params);
    return best;
}

/* Whether some segment matches both pieces. */
static bool pieces_agree(const struct piece *a, const struct piece *b)
{
    if (a->name == NULL && b->name == NULL)
        return a->head_n == b->head_n && memcmp(a->head, b->head, a->head_n) == 0;
    if (a->name == NULL || b->name == NULL) {
        const struct piece *literal = a->name == NULL ? a : b, *named = a->name == NULL ? b : a;
        return literal->head_n > named->head_n + named->tail_n &&
               memcmp(literal->head, named->head, named->head_n) == 0 &&
               memcmp(literal->head + literal->head_n - named->tail_n, named->tail,
                      named->tail_n) == 0;
    }
    size_t head = a->head_n < b->head_n ? a->head_n : b->head_n;
    size_t tail = a->tail_n < b->tail_n ? a->tail_n : b->tail_n;
    return memcmp(a->head, b->head, head) == 0 &&
           memcmp(a->tail + a->tail_n - tail, b->tail + b->tail_n - tail, tail) == 0;
}

bool route_overlap(const char *a, const char *b)
{
    struct piece x, y;
    long weight_a = 0, weight_b = 0;
    for (;;) {
        bool more_a = next_piece(&a, &x), more_b = next_piece(&b, &y);
        if (!more_a && !more_b)
            return weight_a == weight_b;
        if (more_a != more_b || !pieces_agree(&x, &y))
            return false;
        weight_a += piece_weight(&x);
        weight_b += piece_weight(&y);
    }
}

const char *route_param(const struct route_params *params, const char *name)
{
    for (size_t i = 0; i < params->n; i++)
        if (params->items[i].name_n == strlen(name) &&
            memcmp(params->items[i].name, name, params->items[i].name_n) == 0)
            return params->items[i].value;
    return "";
}
