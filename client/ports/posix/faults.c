/* SPDX-License-Identifier: MIT
 * Owns misbehaving on purpose: calls of the port that fail, or end the program, at a chosen point.
 */
#include "internal.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int otac_faults_parse(const char *text)
{
#define X(name, word, err) word,
    static const char *const words[] = {OTAC_POINT_TABLE(X)};
#undef X
    for (int i = 0; i < (int)(sizeof words / sizeof words[0]); i++)
        if (strcmp(words[i], text) == 0)
            return i + 1;
    return OTAC_POINT_NONE;
}

static int error_at(enum otac_point point)
{
#define X(name, word, err) OTAC_E_##err,
    static const int errors[] = {OTAC_POINT_TABLE(X)};
#undef X
    return errors[point - 1];
}

int otac_faults_meet(struct otac_faults *f, enum otac_point point)
{
    if (f->crash_at == (int)point)
        (void)kill(getpid(), SIGKILL); /* as a power cut: nothing is tidied up */
    return f->fail_at == (int)point ? error_at(point) : OTAC_OK;
}

/* A fault on purpose is the whole story; what the system said before isn't. */
static int meet(void *ctx, enum otac_point point)
{
    struct otac_posix *p = ctx;
    int err = otac_faults_meet(p->faults, point);
    if (err != OTAC_OK)
        (void)snprintf(p->detail, sizeof p->detail, "on purpose");
    return err;
}

static struct otac_faults *faults_of(void *ctx)
{
    return ((struct otac_posix *)ctx)->faults;
}

static bool is_half_done(const struct otac_faults *f)
{
    return f->size != 0 && !f->finished && f->done >= f->size / 2;
}

static int faulty_connect(void *ctx, const char *host, uint16_t port)
{
    int err = meet(ctx, OTAC_POINT_CONNECT);
    faults_of(ctx)->size = 0;
    faults_of(ctx)->answered = false;
    return err != OTAC_OK ? err : faults_of(ctx)->real.connect(ctx, host, port);
}

static int faulty_send(void *ctx, const void *data, size_t n)
{
    bool report = n > 5 && memcmp(data, "POST ", 5) == 0;
    int err = report ? meet(ctx, OTAC_POINT_REPORT) : OTAC_OK;
    return err != OTAC_OK ? err : faults_of(ctx)->real.send(ctx, data, n);
}

static int faulty_recv(void *ctx, void *buf, size_t n)
{
    struct otac_faults *f = faults_of(ctx);
    int err = f->answered ? OTAC_OK : meet(ctx, OTAC_POINT_ANSWER);
    f->answered = true;
    if (err == OTAC_OK && is_half_done(f))
        err = meet(ctx, OTAC_POINT_DOWNLOAD);
    return err != OTAC_OK ? err : f->real.recv(ctx, buf, n);
}

static void begin(struct otac_faults *f, uint32_t size, uint32_t done)
{
    f->size = size;
    f->done = done;
    f->finished = false;
}

static int faulty_begin(void *ctx, unsigned slot, uint32_t size)
{
    int err = meet(ctx, OTAC_POINT_ERASE);
    begin(faults_of(ctx), size, 0);
    return err != OTAC_OK ? err : faults_of(ctx)->real.slot_begin(ctx, slot, size);
}

static int faulty_resume(void *ctx, unsigned slot, uint32_t size, uint32_t offset)
{
    int err = meet(ctx, OTAC_POINT_ERASE);
    begin(faults_of(ctx), size, offset);
    return err != OTAC_OK ? err : faults_of(ctx)->real.slot_resume(ctx, slot, size, offset);
}

static int faulty_write(void *ctx, unsigned slot, uint32_t offset, const void *data, size_t n)
{
    struct otac_faults *f = faults_of(ctx);
    int err = is_half_done(f) ? meet(ctx, OTAC_POINT_WRITE) : OTAC_OK;
    f->done = offset + (uint32_t)n;
    return err != OTAC_OK ? err : f->real.slot_write(ctx, slot, offset, data, n);
}

static int faulty_finish(void *ctx, unsigned slot)
{
    int err = meet(ctx, OTAC_POINT_FINISH);
    faults_of(ctx)->finished = true;
    return err != OTAC_OK ? err : faults_of(ctx)->real.slot_finish(ctx, slot);
}

static int faulty_read(void *ctx, unsigned slot, uint32_t offset, void *buf, size_t n)
{
    struct otac_faults *f = faults_of(ctx);
    int err = f->size != 0 && f->finished ? meet(ctx, OTAC_POINT_VERIFY) : OTAC_OK;
    return err != OTAC_OK ? err : f->real.slot_read(ctx, slot, offset, buf, n);
}

/* Bytes 5 and 7 are the slot that boots, and the trial. */
static void note_record(struct otac_faults *f, const uint8_t *record)
{
    f->active = record[5];
    f->trial = record[7];
}

static int faulty_load(void *ctx, void *buf, size_t n)
{
    struct otac_faults *f = faults_of(ctx);
    int got = f->real.record_load(ctx, buf, n);
    f->active = OTAC_NO_SLOT;
    if (got == OTAC_RECORD_SIZE)
        note_record(f, buf);
    return got;
}

static int faulty_save(void *ctx, const void *data, size_t n)
{
    struct otac_faults *f = faults_of(ctx);
    const uint8_t *record = data;
    int err = OTAC_OK;
    if (record[5] != f->active && f->finished)
        err = meet(ctx, OTAC_POINT_SWITCH);
    else if (record[5] == f->active && record[7] == 0 && f->trial != 0)
        err = meet(ctx, OTAC_POINT_CONFIRM);
    if (err == OTAC_OK)
        err = f->real.record_save(ctx, data, n);
    if (err == OTAC_OK)
        note_record(f, record);
    return err;
}

void otac_faults_install(struct otac_faults *f, struct otac_posix *p, struct otac_port *port)
{
    f->real = *port;
    p->faults = f;
    port->connect = faulty_connect;
    port->send = faulty_send;
    port->recv = faulty_recv;
    port->slot_begin = faulty_begin;
    port->slot_resume = faulty_resume;
    port->slot_write = faulty_write;
    port->slot_finish = faulty_finish;
    port->slot_read = faulty_read;
    port->record_load = faulty_load;
    port->record_save = faulty_save;
}
