/* SPDX-License-Identifier: MIT
 * Owns the likely causes of a failed push: from what was seen to what a person can look at, the
 * likeliest first. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"
#include "push/run.h"

enum push_cause run_cause_of(const char *words)
{
    if (strcasestr(words, "not enough space") != NULL ||
        strcasestr(words, "no partition") != NULL || strcasestr(words, "bad size") != NULL)
        return PUSH_CAUSE_NO_SPACE;
    if (strcasestr(words, "bootstrap") != NULL || strcasestr(words, "reset ESP8266") != NULL)
        return PUSH_CAUSE_NEEDS_RESET;
    return PUSH_CAUSE_REFUSED;
}

/* The lines so far. */
struct lines {
    char *out;
    size_t n;
};

static void line(struct lines *l, const char *fmt, ...) OTAD_PRINTF(2, 3);
static void line(struct lines *l, const char *fmt, ...)
{
    va_list args;
    char text[PUSH_CAUSES_MAX];
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n > 0 && l->n + (size_t)n + 2 <= PUSH_CAUSES_MAX)
        l->n += (size_t)snprintf(l->out + l->n, PUSH_CAUSES_MAX - l->n, "%s%s",
                                 l->n > 0 ? "\n" : "", text);
}

/* Larger than what the device last said it has room for. */
static bool too_large(const struct run *r)
{
    return r->push->free_space >= 0 && (int64_t)r->push->size_bytes > r->push->free_space;
}

static void space(const struct run *r, struct lines *l)
{
    char size[NUMBER_TEXT], room[NUMBER_TEXT];
    (void)number_text((int64_t)r->push->size_bytes, size);
    if (too_large(r))
        line(l, "The image has %s bytes, the device said it has room for %s.", size,
             number_text(r->push->free_space, room));
    else if (r->push->esp32)
        line(l,
             "The image (%s bytes) doesn't fit its app slot: 1,310,720 bytes with the default "
             "partition table of a 4 MB board, whatever the size of its flash.",
             size);
    else
        line(l,
             "The image (%s bytes) doesn't fit beside the running sketch: both must fit into "
             "the flash at once.",
             size);
}

static void not_listening(const struct run *r, struct lines *l)
{
    line(l, "Its sketch has no ArduinoOTA, or never got to ArduinoOTA.begin(): that comes after "
            "Wi-Fi is connected.");
    line(l,
         "It listens on another port: ArduinoOTA.setPort() in its sketch (usual: %d on an "
         "ESP32, %d on an ESP8266; UDP port %u was tried too).",
         PUSH_PORT_ESP32, PUSH_PORT_ESP8266, (unsigned)r->seen.other);
    line(l, "The address belongs to something else now.");
}

static void no_answer(const struct run *r, struct lines *l)
{
    line(l, "Its sketch is busy: ArduinoOTA.handle() must run often in loop(), and a delay() of "
            "seconds, or a loop that waits, keeps it from that.");
    line(l,
         "It listens on another port than %u (%u was tried too): see ArduinoOTA.setPort() in "
         "its sketch.",
         (unsigned)r->seen.asked, (unsigned)r->seen.other);
    line(l,
         "A firewall, or an access point that isolates its clients, drops UDP between %s and "
         "%s.",
         r->local, r->result->address);
}

static void offline(const struct run *r, struct lines *l)
{
    if (r->seen.probe.near)
        line(l, "It is off, sleeps, or isn't in this network any more: nobody has its address.");
    else
        line(l, "It is off, sleeps, or has another address now.");
    line(l,
         "A firewall, or an access point that isolates its clients, drops everything between "
         "%s and %s.",
         r->local, r->result->address);
}

static void wrong_password(struct lines *l)
{
    line(l, "The password is not the one of ArduinoOTA.setPassword() (or the MD5 of it, of "
            "setPasswordHash()) in the sketch that runs on it now.");
    line(l, "It was changed with an earlier update of the sketch.");
}

static void no_connect_back(const struct run *r, struct lines *l)
{
    if (r->push->esp32 && too_large(r))
        space(r, l);
    line(l,
         "A firewall keeps the device from connecting: TCP from %s to %s:%u must be let "
         "through (push.listen_ports gives a fixed range of ports).",
         r->result->address, r->local, (unsigned)r->offer.port);
    line(l, "This machine is behind address translation (a container, a virtual machine, another "
            "network): the device connects to the address the invitation came from.");
    if (r->push->esp32 && !too_large(r))
        space(r, l);
    if (r->push->esp32)
        line(l, "An ESP32 says nothing when it can't begin: its serial console names the reason.");
}

static void stalled(const struct run *r, struct lines *l)
{
    bool heard = r->seen.tcp_acked >= r->seen.sent;
    if (heard)
        line(l,
             "The device is still there (its TCP took all that was sent) but its sketch reads no "
             "more: something else keeps it busy or it has crashed.");
    else
        line(l,
             "Its network is gone or very weak: %" PRId64
             " bytes are on the way unacknowledged, %" PRId64 " segments were sent again.",
             r->seen.sent - r->seen.tcp_acked, r->seen.retransmitted);
    line(l, "Its power supply is too weak for Wi-Fi and flash at once, and it has restarted.");
    line(l, "The sketch does other work while it updates: stop timers and tasks in "
            "ArduinoOTA.onStart().");
}

static void connection_lost(const struct run *r, struct lines *l)
{
    if (r->seen.reset)
        line(l, "It restarted in the middle: a crash, the watchdog, or a weak power supply.");
    else
        line(l, "It gave up: it waits only a second for more data, so a weak network ends it.");
    line(l, "The sketch does other work while it updates: stop timers and tasks in "
            "ArduinoOTA.onStart().");
    line(l, "Writing its flash failed.");
}

static void not_confirmed(const struct run *r, struct lines *l)
{
    if (r->push->fs)
        line(l, "Its filesystem partition is smaller than the image.");
    line(l, "It restarted before it could say so: see whether it runs the new build now.");
    line(l, "What arrived didn't have the MD5 it was announced with, or its flash failed.");
}

static void listener(const struct run *r, struct lines *l)
{
    line(l, "Other pushes or programs use the ports %u to %u: give push.listen_ports more of them.",
         (unsigned)r->push->listen_first, (unsigned)r->push->listen_last);
}

void run_causes(const struct run *r, enum push_cause cause, char out[PUSH_CAUSES_MAX])
{
    struct lines l = {.out = out};
    out[0] = '\0';
    switch (cause) {
    case PUSH_CAUSE_UNKNOWN_ADDRESS:
        line(&l, "The name is spelled differently, or only mDNS (.local) knows it and this machine "
                 "doesn't ask mDNS: give the address instead.");
        break;
    case PUSH_CAUSE_NOT_ALLOWED:
        line(&l, "Only private, link-local and loopback addresses may be pushed to; push.networks "
                 "allows more.");
        break;
    case PUSH_CAUSE_NO_LISTENER:
        listener(r, &l);
        break;
    case PUSH_CAUSE_NOT_LISTENING:
        not_listening(r, &l);
        break;
    case PUSH_CAUSE_NO_ANSWER:
        no_answer(r, &l);
        break;
    case PUSH_CAUSE_OFFLINE:
        offline(r, &l);
        break;
    case PUSH_CAUSE_OTHER_DEVICE:
        line(&l, "The router gave its address to another device: look up its new one.");
        break;
    case PUSH_CAUSE_NO_SPACE:
        space(r, &l);
        break;
    case PUSH_CAUSE_NEEDS_RESET:
        line(&l,
             "After flashing by the serial port an ESP8266 must be reset once, by its button or "
             "by power, before it can update itself.");
        break;
    case PUSH_CAUSE_REFUSED:
    case PUSH_CAUSE_DEVICE_ERROR:
        if (r->seen.words[0] != '\0')
            line(&l, "These are the device's own words: '%s'.", r->seen.words);
        else
            line(&l, "What connected doesn't talk as ArduinoOTA does.");
        break;
    case PUSH_CAUSE_BAD_ANSWER:
        line(&l, "Something else than ArduinoOTA listens on that port.");
        break;
    case PUSH_CAUSE_PASSWORD_NEEDED:
        line(&l, "Its sketch calls ArduinoOTA.setPassword(): give that password.");
        break;
    case PUSH_CAUSE_WRONG_PASSWORD:
        wrong_password(&l);
        break;
    case PUSH_CAUSE_AUTH_NO_ANSWER:
        line(&l, "Its sketch became busy, or datagrams are lost: try again.");
        line(&l, "It runs something else than ArduinoOTA.");
        break;
    case PUSH_CAUSE_NO_CONNECT_BACK:
        no_connect_back(r, &l);
        break;
    case PUSH_CAUSE_STALLED:
        stalled(r, &l);
        break;
    case PUSH_CAUSE_CONNECTION_LOST:
        connection_lost(r, &l);
        break;
    case PUSH_CAUSE_NOT_CONFIRMED:
        not_confirmed(r, &l);
        break;
    case PUSH_CAUSE_NONE:
    case PUSH_CAUSE_CANCELLED:
    case PUSH_CAUSE_FAILED:
        break;
    }
}
