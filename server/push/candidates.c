/* SPDX-License-Identifier: MIT
 * Owns the list of announced devices. */
#include "push/candidates.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mac.h"
#include "push/espota.h"

struct candidates {
    pthread_mutex_t lock;
    struct candidate items[CANDIDATES_MAX];
    size_t n;
};

struct candidates *candidates_new(void)
{
    struct candidates *list = calloc(1, sizeof *list);
    if (list != NULL)
        (void)pthread_mutex_init(&list->lock, NULL);
    return list;
}

void candidates_free(struct candidates **list)
{
    if (*list != NULL)
        (void)pthread_mutex_destroy(&(*list)->lock);
    free(*list);
    *list = NULL;
}

/* An ESP32's host name is "esp32-" and the 12 digits of its MAC, unless the sketch says otherwise.
 */
static uint64_t mac_of(const char *name)
{
    uint64_t mac = 0;
    if (strncmp(name, "esp32-", 6) == 0 && !mac_parse(name + 6, &mac))
        mac = 0;
    return mac;
}

static void read_txt(struct candidate *c, const char *item)
{
    if (strncmp(item, "board=", 6) == 0)
        espota_printable(item + 6, strlen(item + 6), c->board, sizeof c->board);
    if (strncmp(item, "auth_upload=", 12) == 0)
        c->auth = strcmp(item + 12, "yes") == 0;
}

/* By name, then interface. @return where it is, or belongs */
static size_t find(const struct candidates *list, const char *name, int interface, bool *found)
{
    size_t i = 0;
    int order = -1;
    for (; i < list->n; i++) {
        order = strcmp(list->items[i].name, name);
        if (order == 0)
            order = list->items[i].interface - interface;
        if (order >= 0)
            break;
    }
    *found = i < list->n && order == 0;
    return i;
}

static void insert(struct candidates *list, const struct candidate *c)
{
    bool found;
    size_t i = find(list, c->name, c->interface, &found);
    if (!found && list->n == CANDIDATES_MAX)
        return;
    if (!found) {
        memmove(&list->items[i + 1], &list->items[i], (list->n - i) * sizeof list->items[0]);
        list->n++;
    }
    list->items[i] = *c;
}

void candidates_put(struct candidates *list, const char *name, const char *host, int interface,
                    const char *address, uint16_t port, const char *const *txt, size_t n_txt,
                    int64_t now_s)
{
    struct candidate c = {.interface = interface, .port = port, .seen_s = now_s};
    espota_printable(name, strlen(name), c.name, sizeof c.name);
    espota_printable(host, strlen(host), c.host, sizeof c.host);
    (void)snprintf(c.address, sizeof c.address, "%s", address);
    c.mac = mac_of(c.name);
    for (size_t i = 0; i < n_txt; i++)
        read_txt(&c, txt[i]);
    (void)pthread_mutex_lock(&list->lock);
    insert(list, &c);
    (void)pthread_mutex_unlock(&list->lock);
}

void candidates_remove(struct candidates *list, const char *name, int interface)
{
    bool found;
    char printable[CANDIDATE_TEXT];
    espota_printable(name, strlen(name), printable, sizeof printable);
    (void)pthread_mutex_lock(&list->lock);
    size_t i = find(list, printable, interface, &found);
    if (found) {
        list->n--;
        memmove(&list->items[i], &list->items[i + 1], (list->n - i) * sizeof list->items[0]);
    }
    (void)pthread_mutex_unlock(&list->lock);
}

void candidates_clear(struct candidates *list)
{
    (void)pthread_mutex_lock(&list->lock);
    list->n = 0;
    (void)pthread_mutex_unlock(&list->lock);
}

size_t candidates_copy(struct candidates *list, struct candidate *out, size_t room)
{
    (void)pthread_mutex_lock(&list->lock);
    size_t n = list->n < room ? list->n : room;
    memcpy(out, list->items, n * sizeof out[0]);
    (void)pthread_mutex_unlock(&list->lock);
    return n;
}

bool candidates_address(struct candidates *list, uint64_t mac, char out[NET_TEXT_MAX])
{
    bool found = false;
    (void)pthread_mutex_lock(&list->lock);
    for (size_t i = 0; i < list->n && !found; i++) {
        found = mac != 0 && list->items[i].mac == mac;
        if (found)
            memcpy(out, list->items[i].address, NET_TEXT_MAX);
    }
    (void)pthread_mutex_unlock(&list->lock);
    return found;
}
