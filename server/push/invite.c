/* SPDX-License-Identifier: MIT
 * Owns the datagrams of a push: invitations, and the answer to a challenge. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "push/run.h"

#define INVITE_MS 40000 /* longer than the delay(30000) of many a sketch */
#define REFUSED_MS 5000 /* a device that restarts isn't listening for a moment */
#define ANSWER_MS 5000  /* to the password */
#define SETTLE_MS 150   /* further challenges to earlier invitations arrive within */
#define ROUNDS 6        /* invitations that are answered by a challenge, at most */

/* A UDP port of the device that may be the right one. */
struct door {
    uint16_t port;
    int fd; /* connected: so a host's "nobody listens here" is heard */
    bool refused;
};

#define DOORS 2

/* ---- knocking ----------------------------------------------------------------------------- */

static bool open_door(struct run *r, struct door *d, uint16_t port)
{
    struct sockaddr_in to = r->to;
    to.sin_port = htons(port);
    *d = (struct door){.port = port,
                       .fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (d->fd >= 0 && connect(d->fd, (const struct sockaddr *)&to, sizeof to) == 0)
        return true;
    return run_fail(r, PUSH_CAUSE_FAILED, "opening a UDP socket failed: %s", strerror(errno));
}

static void knock(struct run *r, struct door *d)
{
    char text[ESPOTA_DATAGRAM_MAX];
    size_t n = espota_invite(&r->offer, text);
    if (send(d->fd, text, n, MSG_NOSIGNAL) < 0 && errno == ECONNREFUSED) {
        d->refused = true; /* the answer to an earlier one; this one wasn't sent */
        (void)send(d->fd, text, n, MSG_NOSIGNAL);
    }
}

/* @return whether a datagram arrived */
static bool hear(struct door *d, struct espota_reply *reply)
{
    char bytes[256];
    ssize_t n = recv(d->fd, bytes, sizeof bytes, 0);
    if (n < 0 && errno == ECONNREFUSED)
        d->refused = true;
    if (n < 0)
        return false;
    espota_read(bytes, (size_t)n, reply);
    return true;
}

/* The pause after the n-th invitation. An old one may still wait in a busy device's queue. */
static int64_t pause_ms(int64_t n)
{
    static const int64_t pauses[] = {1000, 2000, 3000, 4000, 5000};
    return pauses[n < (int64_t)OTAD_COUNT(pauses) ? n : (int64_t)OTAD_COUNT(pauses) - 1];
}

/* Invites until somebody answers at one of the doors.
 * @return its number, -1 on cancel (the step has failed), or DOORS when nobody did */
static int knock_until_heard(struct run *r, struct door *doors, size_t n,
                             struct espota_reply *reply)
{
    int64_t until_ms = run_ms(r) + run_patience(r, INVITE_MS), next_ms = 0;
    int64_t refused_ms = run_ms(r) + run_patience(r, REFUSED_MS);
    for (int64_t sent = 0; run_ms(r) < until_ms;) {
        struct pollfd fds[DOORS];
        if (run_ms(r) >= next_ms) {
            for (size_t i = 0; i < n && (i == 0 || sent > 0); i++)
                knock(r, &doors[i]); /* the other port only once the right one is silent */
            next_ms = run_ms(r) + pause_ms(sent++);
            r->tries++;
            run_progress(r);
        }
        for (size_t i = 0; i < n; i++)
            fds[i] = (struct pollfd){.fd = doors[i].fd, .events = POLLIN};
        if (!run_wait(r, fds, n, next_ms < until_ms ? next_ms : until_ms))
            return -1;
        bool all_refused = true;
        for (size_t i = 0; i < n; i++) {
            if (fds[i].revents != 0 && hear(&doors[i], reply))
                return (int)i;
            all_refused = all_refused && doors[i].refused;
        }
        if (all_refused && run_ms(r) > refused_ms)
            break;
    }
    return DOORS;
}

/* ---- silence ------------------------------------------------------------------------------ */

/* Stations, access points and Bluetooth of one chip have addresses next to each other. */
static bool is_same_device(uint64_t a, uint64_t b)
{
    uint64_t low_a = a & 0xFFFFFF, low_b = b & 0xFFFFFF;
    return (low_a > low_b ? low_a - low_b : low_b - low_a) <= 3;
}

static bool nobody_answered(struct run *r, const struct door *doors)
{
    struct evidence *seen = &r->seen;
    const char *address = r->result->address;
    seen->waited_ms = run_ms(r);
    probe_host(&r->to.sin_addr, r->push->cancel, &seen->probe);
    if (doors[0].refused)
        return run_fail(r, PUSH_CAUSE_NOT_LISTENING,
                        "%s is there, but says that nothing listens on UDP port %u", address,
                        (unsigned)seen->asked);
    if (seen->probe.mac != 0 && r->push->mac != 0 && !is_same_device(seen->probe.mac, r->push->mac))
        return run_fail(r, PUSH_CAUSE_OTHER_DEVICE,
                        "another device has the address %s now: its MAC is %012" PRIX64, address,
                        seen->probe.mac);
    if (seen->probe.pinged || seen->probe.mac != 0)
        return run_fail(r, PUSH_CAUSE_NO_ANSWER,
                        "%s is there (it answers %s), but said nothing to %" PRId64
                        " invitations on UDP port %u in %" PRId64 " s",
                        address, seen->probe.pinged ? "pings" : "ARP", r->tries,
                        (unsigned)seen->asked, seen->waited_ms / 1000);
    return run_fail(r, PUSH_CAUSE_OFFLINE,
                    "nothing at all came from %s: no answer to %" PRId64
                    " invitations on UDP port %u, nor to pings",
                    address, r->tries, (unsigned)seen->asked);
}

/* ---- the first answer --------------------------------------------------------------------- */

static bool invite(struct run *r, struct espota_reply *reply)
{
    struct door doors[DOORS];
    uint16_t port = r->push->port;
    if (port == 0)
        port = r->push->esp32 ? PUSH_PORT_ESP32 : PUSH_PORT_ESP8266;
    r->seen.asked = port;
    r->seen.other = port == PUSH_PORT_ESP32 ? PUSH_PORT_ESP8266 : PUSH_PORT_ESP32;
    r->result->port = port;
    if (!open_door(r, &doors[0], port))
        return false;
    if (!open_door(r, &doors[1], r->seen.other)) {
        (void)close(doors[0].fd);
        return false;
    }
    int heard = knock_until_heard(r, doors, DOORS, reply);
    bool ok = heard >= 0 && heard < DOORS;
    if (ok) {
        r->udp = doors[heard].fd;
        r->result->port = doors[heard].port;
        r->to.sin_port = htons(doors[heard].port);
    }
    for (int i = 0; i < DOORS; i++)
        if (i != heard)
            (void)close(doors[i].fd);
    return heard == DOORS ? nobody_answered(r, doors) : ok;
}

static bool invited(struct run *r, const char *what)
{
    if (r->result->port == r->seen.other)
        return run_ok(r, "no answer on UDP port %u; %s on %u, an %s's port, so that one was used",
                      (unsigned)r->seen.asked, what, (unsigned)r->seen.other,
                      r->seen.other == PUSH_PORT_ESP32 ? "ESP32" : "ESP8266");
    return run_ok(r, "%s on UDP port %u, invitation %" PRId64 ", after %" PRId64 " ms", what,
                  (unsigned)r->result->port, r->tries, run_ms(r));
}

/* ---- the challenge ------------------------------------------------------------------------ */

/* Waits for one datagram. @return 1, 0 when none came, -1 on cancel */
static int wait_for(struct run *r, int64_t ms, struct espota_reply *reply)
{
    struct door d = {.fd = r->udp};
    for (int64_t until_ms = run_ms(r) + ms; run_ms(r) < until_ms;) {
        struct pollfd fd = {.fd = r->udp, .events = POLLIN};
        if (!run_wait(r, &fd, 1, until_ms))
            return -1;
        if (fd.revents != 0 && hear(&d, reply))
            return 1;
    }
    return 0;
}

/* A busy device answers all invitations that waited in its queue: the last challenge counts. */
static int latest_challenge(struct run *r, struct espota_reply *reply)
{
    struct espota_reply next;
    int more = r->tries > 1;
    for (int i = 0; i < ROUNDS && more > 0 && reply->word == ESPOTA_CHALLENGE; i++) {
        more = wait_for(r, SETTLE_MS, &next);
        if (more > 0)
            *reply = next;
    }
    return more;
}

static bool send_answer(struct run *r, const char *nonce, enum espota_hash hash)
{
    char text[ESPOTA_DATAGRAM_MAX];
    size_t n;
    const struct push *p = r->push;
    if (espota_answer(&r->offer, hash, nonce, p->password, p->filename != NULL ? p->filename : "",
                      r->result->address, text, &n) != OTAD_E_OK)
        return run_fail(r, PUSH_CAUSE_FAILED, "hashing the password failed");
    (void)send(r->udp, text, n, MSG_NOSIGNAL);
    return true;
}

/* One more invitation, for a fresh challenge. @return as wait_for() */
static int challenge_again(struct run *r, struct espota_reply *reply)
{
    struct door d = {.fd = r->udp};
    knock(r, &d);
    r->tries++;
    int heard = wait_for(r, run_patience(r, ANSWER_MS), reply);
    return heard > 0 ? latest_challenge(r, reply) < 0 ? -1 : 1 : heard;
}

static bool wrong_password(struct run *r)
{
    return run_fail(r, PUSH_CAUSE_WRONG_PASSWORD, "it said 'Authentication Failed'");
}

/* Whether the next way to hash is worth a try after "Authentication Failed". */
static bool next_hash(const struct espota_reply *challenge, enum espota_hash *hash, bool *again)
{
    bool newer = strlen(challenge->nonce) == ESPOTA_NONCE_MAX;
    if (newer && *hash == ESPOTA_SHA256) {
        *hash = ESPOTA_SHA256_OF_MD5;
        return true;
    }
    if (*again) /* the challenge may have been an old one, that once */
        return false;
    *again = true;
    *hash = newer ? ESPOTA_SHA256 : ESPOTA_MD5;
    return true;
}

static bool accepted(struct run *r, enum espota_hash hash)
{
    static const char *const how[] = {[ESPOTA_MD5] = "MD5, as of cores up to 3.3.0",
                                      [ESPOTA_SHA256] = "PBKDF2 with SHA-256",
                                      [ESPOTA_SHA256_OF_MD5] =
                                          "PBKDF2; the sketch holds only the password's MD5"};
    return run_ok(r, "the password was accepted (%s)", how[hash]);
}

/* Where the proving of the password stands. */
struct proof {
    struct espota_reply challenge; /* the latest */
    enum espota_hash hash;
    bool again;  /* it needn't be tried once more with a fresh challenge */
    bool failed; /* the last answer was wrong */
};

enum proof_next { PROOF_ANSWER, PROOF_RENEW, PROOF_ACCEPTED, PROOF_FAILED };

/* What the device's word on an answer means. */
static enum proof_next judge(struct run *r, struct proof *p, const struct espota_reply *reply)
{
    p->failed = reply->word == ESPOTA_AUTH_FAILED;
    if (reply->word == ESPOTA_OK)
        return accepted(r, p->hash) ? PROOF_ACCEPTED : PROOF_FAILED;
    if (reply->word == ESPOTA_CHALLENGE) {
        p->challenge = *reply;
        return PROOF_ANSWER;
    }
    if (!p->failed) {
        (void)run_refused(r, reply);
        return PROOF_FAILED;
    }
    if (next_hash(&p->challenge, &p->hash, &p->again))
        return PROOF_RENEW;
    (void)wrong_password(r);
    return PROOF_FAILED;
}

/* @return false on cancel */
static bool renew(struct run *r, struct proof *p)
{
    struct espota_reply reply;
    int heard = challenge_again(r, &reply);
    if (heard > 0 && reply.word == ESPOTA_CHALLENGE)
        p->challenge = reply;
    return heard >= 0;
}

/* @return whether the device was convinced; else the step has failed */
static bool authenticate(struct run *r, const struct espota_reply *challenge)
{
    struct proof p = {.challenge = *challenge, .again = r->tries == 1};
    p.hash = strlen(challenge->nonce) == ESPOTA_NONCE_MAX ? ESPOTA_SHA256 : ESPOTA_MD5;
    for (int round = 0; round < ROUNDS; round++) {
        struct espota_reply reply;
        enum proof_next next = PROOF_RENEW;
        if (!send_answer(r, p.challenge.nonce, p.hash))
            return false;
        int heard = wait_for(r, run_patience(r, ANSWER_MS), &reply);
        if (heard > 0)
            next = judge(r, &p, &reply);
        if (heard < 0 || next == PROOF_ACCEPTED || next == PROOF_FAILED)
            return next == PROOF_ACCEPTED;
        if (next == PROOF_RENEW && !renew(r, &p))
            return false;
    }
    return p.failed ? wrong_password(r)
                    : run_fail(r, PUSH_CAUSE_AUTH_NO_ANSWER,
                               "it asked for the password and said nothing to the answer");
}

bool run_invite(struct run *r)
{
    struct espota_reply reply;
    run_begin(r, PUSH_INVITE);
    if (!invite(r, &reply))
        return false;
    if (reply.word == ESPOTA_CHALLENGE && latest_challenge(r, &reply) < 0)
        return false;
    if (reply.word == ESPOTA_OK)
        return invited(r, "it accepted");
    if (reply.word != ESPOTA_CHALLENGE)
        return run_refused(r, &reply);
    if (!invited(r, "it asked for a password"))
        return false;
    run_begin(r, PUSH_AUTHENTICATE);
    if (r->push->password == NULL || r->push->password[0] == '\0')
        return run_fail(r, PUSH_CAUSE_PASSWORD_NEEDED, "it asks for a password and none is known");
    return authenticate(r, &reply);
}
