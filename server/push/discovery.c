/* SPDX-License-Identifier: MIT
 * Owns the conversation with avahi's daemon. All callbacks run on avahi's thread, under its lock.
 */
#include "push/discovery.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <avahi-client/client.h>
#include <avahi-client/lookup.h>
#include <avahi-common/error.h>
#include <avahi-common/thread-watch.h>

#include "base/clock.h"

#define SERVICE "_arduino._tcp"
#define TXT_MAX 16

struct discovery {
    struct log *log;
    struct candidates *found;
    AvahiThreadedPoll *poll;
    AvahiClient *client;
    AvahiServiceBrowser *browser;
    pthread_mutex_t lock;
    bool on;
    char why[128]; /* it isn't */
};

/* ---- on and off --------------------------------------------------------------------------- */

static void set_on(struct discovery *d)
{
    (void)pthread_mutex_lock(&d->lock);
    bool was = d->on;
    d->on = true;
    (void)pthread_mutex_unlock(&d->lock);
    if (!was)
        log_info(d->log, "discovery.on", "service=" SERVICE);
}

static void set_off(struct discovery *d, int error)
{
    (void)pthread_mutex_lock(&d->lock);
    bool told = !d->on && d->why[0] != '\0';
    d->on = false;
    (void)snprintf(d->why, sizeof d->why, "avahi: %s", avahi_strerror(error));
    (void)pthread_mutex_unlock(&d->lock);
    candidates_clear(d->found);
    if (!told)
        log_info(d->log, "discovery.off",
                 "reason='avahi: %s' hint='install and start avahi-daemon to find devices by mDNS'",
                 avahi_strerror(error));
}

bool discovery_is_on(struct discovery *d, char *why, size_t room)
{
    (void)pthread_mutex_lock(&d->lock);
    bool on = d->on;
    (void)snprintf(why, room, "%s", on ? "" : d->why);
    (void)pthread_mutex_unlock(&d->lock);
    return on;
}

/* ---- what is announced -------------------------------------------------------------------- */

/* NOLINTNEXTLINE(readability-function-size): avahi says which parameters */
static void resolved(AvahiServiceResolver *resolver, AvahiIfIndex interface, AvahiProtocol protocol,
                     AvahiResolverEvent event, const char *name, const char *type,
                     const char *domain, const char *host, const AvahiAddress *address,
                     uint16_t port, AvahiStringList *txt, AvahiLookupResultFlags flags, void *arg)
{
    struct discovery *d = arg;
    const char *items[TXT_MAX];
    size_t n = 0;
    char text[AVAHI_ADDRESS_STR_MAX];
    (void)protocol;
    (void)type;
    (void)domain;
    (void)flags;
    if (event == AVAHI_RESOLVER_FOUND) {
        for (; txt != NULL && n < TXT_MAX; txt = avahi_string_list_get_next(txt))
            items[n++] = (const char *)avahi_string_list_get_text(txt); /* ends with a NUL */
        candidates_put(d->found, name, host, interface,
                       avahi_address_snprint(text, sizeof text, address), port, items, n,
                       clock_wall_s(&(struct clock){.fixed_wall_s = 0}));
    }
    (void)avahi_service_resolver_free(resolver);
}

static void browsed(AvahiServiceBrowser *browser, AvahiIfIndex interface, AvahiProtocol protocol,
                    AvahiBrowserEvent event, const char *name, const char *type, const char *domain,
                    AvahiLookupResultFlags flags, void *arg)
{
    struct discovery *d = arg;
    (void)browser;
    (void)flags;
    if (event == AVAHI_BROWSER_NEW) /* its resolver frees itself */
        (void)avahi_service_resolver_new(d->client, interface, protocol, name, type, domain,
                                         AVAHI_PROTO_INET, 0, resolved, d);
    else if (event == AVAHI_BROWSER_REMOVE)
        candidates_remove(d->found, name, interface);
    else if (event == AVAHI_BROWSER_FAILURE)
        set_off(d, avahi_client_errno(d->client));
}

/* ---- avahi's daemon ----------------------------------------------------------------------- */

static void browse(struct discovery *d)
{
    if (d->browser == NULL)
        d->browser = avahi_service_browser_new(d->client, AVAHI_IF_UNSPEC, AVAHI_PROTO_INET,
                                               SERVICE, NULL, 0, browsed, d);
    if (d->browser != NULL)
        set_on(d);
    else
        set_off(d, avahi_client_errno(d->client));
}

static void connect_daemon(struct discovery *d);

/* The daemon may come, go and come back while we run. */
static void changed(AvahiClient *client, AvahiClientState state, void *arg)
{
    struct discovery *d = arg;
    d->client = client; /* this is called from within avahi_client_new() too */
    switch (state) {
    case AVAHI_CLIENT_S_RUNNING:
    case AVAHI_CLIENT_S_REGISTERING:
    case AVAHI_CLIENT_S_COLLISION:
        browse(d);
        break;
    case AVAHI_CLIENT_CONNECTING:
        set_off(d, AVAHI_ERR_NO_DAEMON);
        break;
    case AVAHI_CLIENT_FAILURE:
        set_off(d, avahi_client_errno(client));
        if (avahi_client_errno(client) != AVAHI_ERR_DISCONNECTED)
            break;
        d->browser = NULL; /* goes with its client */
        d->client = NULL;
        avahi_client_free(client);
        connect_daemon(d);
        break;
    }
}

static void connect_daemon(struct discovery *d)
{
    int error = 0;
    AvahiClient *client = avahi_client_new(avahi_threaded_poll_get(d->poll), AVAHI_CLIENT_NO_FAIL,
                                           changed, d, &error);
    d->client = client;
    if (client == NULL)
        set_off(d, error);
}

/* ---- life --------------------------------------------------------------------------------- */

struct discovery *discovery_new(struct log *log)
{
    struct discovery *d = calloc(1, sizeof *d);
    if (d == NULL)
        return NULL;
    (void)pthread_mutex_init(&d->lock, NULL);
    d->log = log;
    d->found = candidates_new();
    d->poll = avahi_threaded_poll_new();
    if (d->found == NULL || d->poll == NULL) {
        discovery_free(&d);
        return NULL;
    }
    connect_daemon(d);
    if (d->client != NULL && avahi_threaded_poll_start(d->poll) < 0)
        set_off(d, AVAHI_ERR_FAILURE);
    return d;
}

void discovery_free(struct discovery **discovery)
{
    struct discovery *d = *discovery;
    if (d == NULL)
        return;
    if (d->poll != NULL)
        (void)avahi_threaded_poll_stop(d->poll); /* fails when it wasn't started */
    if (d->client != NULL)
        avahi_client_free(d->client); /* with its browser and resolvers */
    if (d->poll != NULL)
        avahi_threaded_poll_free(d->poll);
    candidates_free(&d->found);
    (void)pthread_mutex_destroy(&d->lock);
    free(d);
    *discovery = NULL;
}

struct candidates *discovery_found(struct discovery *d)
{
    return d->found;
}
