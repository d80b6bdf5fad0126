/* SPDX-License-Identifier: MIT
 * Owns the round: configuration, check-in, what follows from its answer, reports, waiting. */
#include <string.h>

#include "internal.h"

void otac_log(const struct otac *c, enum otac_event event, int64_t value)
{
    if (c->port->log != NULL)
        c->port->log(c->port->ctx, event, value);
}

const struct otac_image *otac_active(const struct otac *c)
{
    return c->record.active < OTAC_SLOTS ? &c->record.slot[c->record.active] : NULL;
}

/* ---- configuration ------------------------------------------------------------------------- */

/* Visible ASCII only, so that no text can end a header line or a request line early. */
static bool is_visible(const char *text, size_t max)
{
    size_t n = 0;
    if (text == NULL)
        return false;
    for (; text[n] != '\0'; n++)
        if (text[n] <= ' ' || text[n] > '~' || n >= max)
            return false;
    return n > 0;
}

/* Also fit to stand in a path. */
static bool is_word(const char *text, size_t max)
{
    return is_visible(text, max) && strpbrk(text, "/?#&%\"<>\\^`{|}") == NULL;
}

static bool is_version(const char *text)
{
    size_t n = 0;
    while (text != NULL && n <= OTAC_VERSION_MAX && text[n] != '\0')
        n++;
    return n > 0 && n <= OTAC_VERSION_MAX;
}

static bool is_config_sound(const struct otac_config *config)
{
    const size_t host_max = 255, product_max = 63, mac_max = 32, family_max = 16, chip_max = 16,
                 key_max = 255;
    return is_word(config->host, host_max) && config->port != 0 &&
           is_word(config->product, product_max) && is_word(config->mac, mac_max) &&
           is_version(config->version) &&
           (config->family == NULL || is_word(config->family, family_max)) &&
           (config->chip == NULL || is_word(config->chip, chip_max)) &&
           (config->key == NULL || is_visible(config->key, key_max));
}

static bool is_port_sound(const struct otac_port *port)
{
    return port->slot_resume == NULL ||
           (port->resume_step != 0 && port->resume_step % OTAC_PROGRESS_UNIT == 0);
}

int otac_start(struct otac *c, const struct otac_port *port, void *buf, size_t buf_n)
{
    const size_t buf_max = 65520;
    if (buf_n < OTAC_BUF_MIN || !is_port_sound(port))
        return OTAC_E_CONFIG;
    memset(c, 0, sizeof *c);
    c->port = port;
    c->buf = buf;
    if (buf_n > buf_max)
        buf_n = buf_max;
    c->buf_n = (uint16_t)(buf_n - buf_n % OTAC_WRITE_ALIGN);
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
        bool known = runs < OTAC_SLOTS && c->record.slot[runs].known;
        c->record.active = known ? (uint8_t)runs : OTAC_NO_SLOT;
    }
    return err;
}

int otac_init(struct otac *c, const struct otac_config *config, const struct otac_port *port,
              void *buf, size_t buf_n)
{
    if (!is_config_sound(config))
        return OTAC_E_CONFIG;
    const bool is_signed = config->sign_keys != NULL;
    if (is_signed && (port->verify == NULL || buf_n < OTAC_BUF_MIN + OTAC_SIGNATURE_MAX))
        return OTAC_E_CONFIG; /* never quietly without the signatures that were asked for */
    int err = otac_start(c, port, buf, is_signed ? buf_n - OTAC_SIGNATURE_MAX : buf_n);
    c->config = config;
    if (is_signed)
        c->answer.signature = c->buf + c->buf_n;
    return err == OTAC_OK ? follow_loader(c) : err;
}

/* ---- reports ------------------------------------------------------------------------------- */

/* True when sending the same report again could end differently. */
static bool is_worth_repeating(uint16_t status)
{
    return status == 429 || status / 100 == 3 || status / 100 == 5;
}

/* @return true when the server took the report, or never will */
static bool send_report(struct otac *c)
{
    struct otac_answer answer;
    size_t body_n;
    answer.signature = NULL;
    int err = otac_exchange(c, otac_write_report, &answer, &body_n);
    if (err == OTAC_OK)
        c->port->close(c->port->ctx);
    if (err != OTAC_OK || is_worth_repeating(answer.status)) {
        otac_log(c, OTAC_EV_REPORT_KEPT, err != OTAC_OK ? err : answer.status);
        return false;
    }
    c->record.report.kind = OTAC_REPORT_NONE;
    otac_log(c, OTAC_EV_REPORTED, answer.status);
    return true;
}

/* Makes the stored record say what is still to be reported. Should that fail, a report is sent
 * once more after the next start, or a failure is told only by the server's own evidence. */
static void remember_report(struct otac *c)
{
    int err = otac_record_store(c);
    if (err != OTAC_OK)
        otac_log(c, OTAC_EV_REPORT_KEPT, err);
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
    const struct otac_report failed = {OTAC_REPORT_FAILED, err, c->answer.image.build};
    otac_log(c, OTAC_EV_FAILED, err);
    if (is_of_the_network(err))
        return;
    bool resumed = is_of_the_resume(c, err);
    otac_drop_progress(c);
    if (resumed)
        return;
    c->record.report = failed;
    bool sent = send_report(c);
    if (!sent || c->report_stored)
        remember_report(c);
}

/* ---- the round ----------------------------------------------------------------------------- */

/* One that said something about this device, so that it will take a report too. */
static bool was_answered(int rc)
{
    return rc >= 0 || rc == OTAC_E_REFUSED || rc == OTAC_E_NOT_FOUND || rc == OTAC_E_GONE ||
           rc == OTAC_E_TRIAL || rc == OTAC_E_REJECTED;
}

static bool is_running(const struct otac *c, const struct otac_image *offer)
{
    const struct otac_image *running = otac_active(c);
    return running != NULL && memcmp(running->sha256, offer->sha256, sizeof offer->sha256) == 0;
}

/* The part that was asked for, of the image whose first part is in flash. */
static bool is_the_rest(const struct otac *c)
{
    const struct otac_answer *a = &c->answer;
    const struct otac_image *begun = &c->record.slot[otac_free_slot(c)];
    return otac_may_resume(c) && a->range_first == c->record.progress &&
           a->range_last == begun->size - 1 &&
           memcmp(a->image.sha256, begun->sha256, sizeof begun->sha256) == 0;
}

/* What the answer means to this device, beyond what it means by itself. */
static int judge(struct otac *c)
{
    struct otac_answer *a = &c->answer;
    int rc = otac_answer_judge(a);
    if (rc == OTAC_OFFER && a->status == 206) {
        if (!is_the_rest(c))
            return OTAC_E_RANGE;
        a->image.size = a->range_last + 1;
    }
    if (rc != OTAC_OFFER)
        return rc;
    if (is_running(c, &a->image))
        return OTAC_UP_TO_DATE; /* a server that doesn't look at If-None-Match */
    if (c->record.trial != 0)
        return OTAC_E_TRIAL; /* the other slot is the way back */
    return otac_fingerprint(&a->image) == c->record.rejected ? OTAC_E_REJECTED : OTAC_OFFER;
}

/* True when these statuses came to nothing: the server won't go on with what was begun. */
static bool ends_resume(uint16_t status)
{
    return status == 206 || status == 410 || status == 416;
}

/* @return OTAC_OFFER with the connection open and body_n bytes of the image in the work buffer;
 *         anything else with the connection closed */
static int check_in(struct otac *c, size_t *body_n)
{
    int rc = otac_exchange(c, otac_write_check_in, &c->answer, body_n);
    if (rc != OTAC_OK)
        return rc;
    otac_log(c, OTAC_EV_ANSWER, c->answer.status);
    rc = judge(c);
    if (rc == OTAC_OFFER)
        return rc;
    c->port->close(c->port->ctx);
    if (rc < 0 && ends_resume(c->answer.status))
        otac_drop_progress(c);
    else if (rc < 0 && c->answer.status == 200 && !was_answered(rc))
        report_failure(c, rc); /* an offer that something on the way spoilt */
    return rc;
}

/* Checks in, and if a report is due sends it right after: the server has then seen what runs now,
 * which is the better evidence. There is one connection at a time, so an offer is dropped for the
 * report and asked for again. */
static int check_in_and_report(struct otac *c, size_t *body_n)
{
    int rc = check_in(c, body_n);
    if (c->record.report.kind == OTAC_REPORT_NONE || !was_answered(rc))
        return rc;
    if (rc == OTAC_OFFER)
        c->port->close(c->port->ctx);
    if (send_report(c))
        remember_report(c);
    return rc == OTAC_OFFER ? check_in(c, body_n) : rc;
}

static int round_of(struct otac *c)
{
    size_t body_n = 0;
    int rc = check_in_and_report(c, &body_n);
    if (rc != OTAC_OFFER)
        return rc;
    otac_log(c, OTAC_EV_OFFER, c->answer.image.size);
    rc = otac_install(c, body_n);
    c->port->close(c->port->ctx);
    if (rc < 0)
        report_failure(c, rc);
    else
        c->restart_due = true;
    return rc;
}

int otac_update(struct otac *c)
{
    if (c->restart_due)
        return OTAC_UPDATED;
    int rc = round_of(c);
    if (was_answered(rc))
        c->failures = 0; /* "no" and "nothing" are no reason to ask less often */
    else if (c->failures < UINT8_MAX)
        c->failures++;
    return rc;
}

/* ---- waiting ------------------------------------------------------------------------------- */

uint32_t otac_wait_s(const struct otac *c, uint32_t interval_s)
{
    const uint32_t day_s = 86400;
    const uint32_t cap = interval_s > day_s ? interval_s : day_s;
    uint32_t wait_s = interval_s;
    for (unsigned i = 0; i < c->failures && i < 4 && wait_s <= cap / 2; i++)
        wait_s *= 2;
    if (wait_s < c->answer.retry_after_s)
        wait_s = c->answer.retry_after_s < cap ? c->answer.retry_after_s : cap;
    uint32_t spread_s = wait_s / 8;
    if (spread_s > UINT32_MAX - wait_s)
        spread_s = UINT32_MAX - wait_s;
    return wait_s + c->port->random(c->port->ctx) % (spread_s + 1);
}

void otac_wait(struct otac *c, uint32_t interval_s)
{
    const uint32_t longest_s = UINT32_MAX / 1000;
    uint32_t wait_s = otac_wait_s(c, interval_s);
    c->port->sleep_ms(c->port->ctx, (wait_s < longest_s ? wait_s : longest_s) * 1000);
}
