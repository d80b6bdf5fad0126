/* SPDX-License-Identifier: MIT
 * Owns the round: configuration, check-in, what follows from its answer, reports, waiting. */
#include <string.h>

#include "internal.h"

void otac_log(const struct otac *c, enum otac_event event, uint32_t value)
{
    if (c->port->log != NULL)
        c->port->log(c->port->ctx, event, value);
}

const struct otac_image *otac_active(const struct otac *c)
{
    return otac_known(&c->record, c->record.active);
}

/* ---- configuration ------------------------------------------------------------------------- */

/* The texts are the first members: those that must be there, and then the others. */
enum { TEXTS = 7, VERSION = 3, MANDATORY = 4, TEXT_MAX = 255 };

static bool is_text_sound(const char *text, size_t max)
{
    size_t n = 0;
    while ((uint8_t)text[n] >= ' ' && n < max)
        n++;
    return n > 0 && text[n] == '\0';
}

static bool is_config_sound(const struct otac_config *config)
{
    for (size_t i = 0; i < TEXTS; i++) {
        const void *at = (const char *)config + i * sizeof config->host;
        const char *text = *(const char *const *)at;
        if (text == NULL ? i < MANDATORY
                         : !is_text_sound(text, i == VERSION ? OTAC_VERSION_MAX : TEXT_MAX))
            return false;
    }
    return config->port != 0;
}

int otac_start(struct otac *c, const struct otac_port *port, void *buf, size_t buf_n)
{
    const size_t buf_max = 65520;
    if (buf_n < OTAC_BUF_MIN)
        return OTAC_E_CONFIG;
    memset(c, 0, sizeof *c);
    c->port = port;
    c->buf = buf;
    if (buf_n > buf_max)
        buf_n = buf_max;
    c->buf_n = (uint32_t)(buf_n - buf_n % OTAC_WRITE_ALIGN);
    return otac_record_load(c);
}

/* Where the platform has a boot loader of its own, what runs is what it says. */
static int follow_loader(struct otac *c)
{
    if (c->port->running_slot == NULL)
        return OTAC_OK;
    unsigned runs = c->port->running_slot(c->port->ctx);
    if (runs == c->record.active)
        return OTAC_OK;
    int err = c->record.trial != 0 ? otac_roll_back(c, OTAC_E_UNCONFIRMED) : OTAC_OK;
    if (err == OTAC_OK && runs != c->record.active) {
        c->record.active = otac_known(&c->record, runs) != NULL ? (uint8_t)runs : OTAC_NO_SLOT;
        if (c->record.report_kind == OTAC_REPORT_SUCCESS)
            c->record.report_kind = OTAC_REPORT_NONE; /* of the image that doesn't run */
    }
    return err;
}

int otac_init(struct otac *c, const struct otac_config *config, const struct otac_port *port,
              void *buf, size_t buf_n)
{
    if (!is_config_sound(config))
        return OTAC_E_CONFIG;
    int err = otac_start(c, port, buf, buf_n);
    c->config = config;
    if (err != OTAC_OK)
        return err;
    if (config->signing != NULL)
        err = config->signing->start(c);
    else if (config->sign_keys != NULL)
        err = OTAC_E_CONFIG; /* never quietly without the signatures that were asked for */
    return err == OTAC_OK ? follow_loader(c) : err;
}

/* ---- reports ------------------------------------------------------------------------------- */

/* True when sending the same report again could end differently: the server has trouble, or it was
 * another's answer, without the reason that ours gives (a proxy, a hotel's sign-in page).
 * outcome: a status, or an error, which as a number without a sign is larger than any status */
static bool is_worth_repeating(uint32_t outcome, const struct otac_answer *a)
{
    return outcome == 429 || outcome >= 500 || (outcome != 204 && a->reason[0] == '\0');
}

/* Sends the record's report, and makes the stored record say what is still to be reported: when the
 * server took it, or never will, nothing; else this one, if it `is_new`. Should that not be saved,
 * a report is sent once more after the next start, or a failure is told only by the server's own
 * evidence. */
static void deliver(struct otac *c, bool is_new)
{
    struct otac_answer answer;
    size_t body_n;
    int err = otac_exchange(c, true, &answer, &body_n);
    uint32_t outcome = err != OTAC_OK ? (uint32_t)err : answer.status;
    bool kept = is_worth_repeating(outcome, &answer);
    otac_log(c, kept ? OTAC_EV_REPORT_KEPT : OTAC_EV_REPORTED, outcome);
    if (!kept)
        c->record.report_kind = OTAC_REPORT_NONE;
    if (kept ? !is_new : c->report_stored == 0)
        return;
    err = otac_record_store(c, &c->record);
    if (err != OTAC_OK)
        otac_log(c, OTAC_EV_REPORT_KEPT, (uint32_t)err);
}

static bool is_of_the_network(int err)
{
    return err == OTAC_E_TIMEOUT || err == OTAC_E_CONN_LOST || err == OTAC_E_SHORT_BODY;
}

/* True when the part of the image that an earlier round left in flash may be to blame. */
static bool is_of_the_resume(const struct otac *c, int err)
{
    return c->answer.status == 206 && (err == OTAC_E_SHA256 || err == OTAC_E_MD5);
}

/* Says that the offered build came to nothing. A broken connection says nothing about a build. */
static void report_failure(struct otac *c, int err)
{
    otac_log(c, OTAC_EV_FAILED, (uint32_t)err);
    if (is_of_the_network(err))
        return;
    otac_drop_progress(c);
    /* One that waits says more than this, which the next round meets again. */
    if (is_of_the_resume(c, err) || c->record.report_kind != OTAC_REPORT_NONE)
        return;
    otac_record_report(&c->record, OTAC_REPORT_FAILED, err, &c->answer.image);
    deliver(c, true);
}

/* ---- the round ----------------------------------------------------------------------------- */

/* One that said something about this device, so that it will take a report too. */
OTAC_APART static bool was_answered(int rc)
{
    return rc >= OTAC_E_TRIAL && (rc <= OTAC_E_REFUSED || rc >= 0) && rc != OTAC_E_BUSY;
}

/* An offer that something on the way spoilt. What names no build is nobody's offer. */
static bool is_spoilt(const struct otac *c, int rc)
{
    return c->answer.status == 200 && (c->answer.have >> OTAC_FIELD_BUILD & 1) != 0 &&
           rc <= OTAC_E_CHUNKED && rc >= OTAC_E_BAD_MD5;
}

static bool is_same(const struct otac_image *a, const struct otac_image *b)
{
    return memcmp(a->sha256, b->sha256, sizeof a->sha256) == 0;
}

/* What the answer means to this device, beyond what it means by itself. */
static int judge(struct otac *c)
{
    struct otac_answer *a = &c->answer;
    const struct otac_image *begun = otac_free_slot(c), *running = otac_active(c);
    int rc = otac_answer_judge(a);
    if (rc != OTAC_OFFER)
        return rc;
    if (a->status == 206) {
        /* The part that was asked for, of the image whose first part is in flash. */
        if (otac_progress(c) == 0 || a->range_first != begun->state ||
            a->range_last != begun->size - 1 || !is_same(&a->image, begun))
            return OTAC_E_RANGE;
        a->image.size = begun->size;
    }
    if (running != NULL && is_same(&a->image, running))
        return OTAC_UP_TO_DATE; /* a server that doesn't look at If-None-Match */
    if (c->record.trial != 0)
        return OTAC_E_TRIAL; /* the other slot is the way back */
    return otac_fingerprint(&a->image) == c->record.rejected ? OTAC_E_REJECTED : OTAC_OFFER;
}

/* True when these statuses came to nothing: the server won't go on with what was begun. */
static bool ends_resume(uint32_t status)
{
    switch (status) { /* on one of the chips less code than || */
    case 206:
    case 410:
    case 416:
        return true;
    default:
        return false;
    }
}

/* @return OTAC_OFFER: body_n bytes of the image are in the work buffer, the connection has more */
static int check_in(struct otac *c, size_t *body_n)
{
    int rc = otac_exchange(c, false, &c->answer, body_n);
    if (rc != OTAC_OK)
        return rc;
    otac_log(c, OTAC_EV_ANSWER, c->answer.status);
    rc = judge(c);
    if (rc < 0 && ends_resume(c->answer.status))
        otac_drop_progress(c);
    return rc;
}

static int round_of(struct otac *c)
{
    size_t body_n = 0;
    int rc = check_in(c, &body_n);
    /* The server has now seen what runs, which is the better evidence; so a report follows. There
     * is one connection at a time, so an offer is dropped for it and asked for again. */
    if (c->record.report_kind != OTAC_REPORT_NONE && was_answered(rc)) {
        deliver(c, false);
        if (rc == OTAC_OFFER)
            rc = check_in(c, &body_n);
    }
    bool failed;
    if (rc == OTAC_OFFER) {
        otac_log(c, OTAC_EV_OFFER, c->answer.image.size);
        rc = otac_install(c, body_n);
        failed = rc != OTAC_UPDATED;
        c->restart_due = !failed;
    } else {
        failed = is_spoilt(c, rc);
    }
    if (failed)
        report_failure(c, rc);
    return rc;
}

int otac_update(struct otac *c)
{
    if (c->restart_due)
        return OTAC_UPDATED;
    int rc = round_of(c);
    otac_hang_up(c);
    if (was_answered(rc))
        c->failures = 0; /* "no" and "nothing" are no reason to ask less often */
    else
        c->failures++;
    return rc;
}

/* ---- waiting ------------------------------------------------------------------------------- */

uint32_t otac_wait_s(const struct otac *c, uint32_t interval_s)
{
    const uint32_t day_s = 86400;
    if (interval_s > OTAC_INTERVAL_MAX_S)
        interval_s = OTAC_INTERVAL_MAX_S;
    const uint32_t cap = interval_s > day_s ? interval_s : day_s;
    uint32_t wait_s = interval_s;
    for (unsigned i = 0; i < c->failures && i < 4 && wait_s <= cap / 2; i++)
        wait_s *= 2;
    if (wait_s < c->answer.retry_after_s)
        wait_s = c->answer.retry_after_s < cap ? c->answer.retry_after_s : cap;
    return wait_s + c->port->random(c->port->ctx) % (wait_s / 8 + 1);
}

void otac_wait(struct otac *c, uint32_t interval_s)
{
    c->port->sleep_ms(c->port->ctx, otac_wait_s(c, interval_s) * 1000);
}
