/* SPDX-License-Identifier: MIT
 * The device client without power: whole lives of a device (install, resume, confirm, roll back),
 * each lived again with the power cut before, during and after every single step of its flash. At
 * every start a whole image boots, and every life ends where it would have ended. */
#include <check.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "support/client_world.h"
#include "support/unit.h"

enum { WORK = 256, STARTS_MAX = 30, ROUNDS_MAX = 6 };

/** One life. */
struct life {
    const char *what;
    bool used;    /* the other slot holds an image at the start */
    bool factory; /* nothing was ever installed */
    uint8_t trial_boots;
    bool unhealthy; /* the new image crashes before it can say anything */
    bool rejects;   /* the new image says itself that it is unfit */
    size_t drop_at; /* the first download breaks after so many bytes */
    bool no_resume; /* the port can't go on with a download */
    bool lazy;      /* what isn't synced is lost with the power */
};

/* clang-format off */
static const struct life lives[] = {
    {"install", .used = true, .no_resume = true},
    {"install in steps", .used = true},
    {"first install", .factory = true},
    {"resume", .used = true, .drop_at = 900},
    {"resume, lazy flash", .used = true, .drop_at = 900, .lazy = true},
    {"confirm", .used = true, .trial_boots = 3},
    {"confirm the first", .factory = true, .trial_boots = 3, .lazy = true},
    {"resume and confirm", .drop_at = 1200, .trial_boots = 3, .lazy = true},
    {"roll back", .used = true, .trial_boots = 2, .unhealthy = true},
    {"roll back to the factory's", .factory = true, .trial_boots = 2, .unhealthy = true},
    {"resume and roll back", .drop_at = 700, .trial_boots = 1, .unhealthy = true, .lazy = true},
    {"reject", .used = true, .trial_boots = 3, .rejects = true},
};
/* clang-format on */

static struct client_world w;
static jmp_buf off;

/* What otac_boot() names must be a whole image, at every start. @return true for the new one */
static bool boot(const struct life *life)
{
    int slot = otac_boot(&w.client, &w.port.port, w.work, w.work_n);
    ck_assert_msg(slot >= 0, "%s, step %ld: %s", life->what, w.port.steps, otac_err_word(slot));
    ck_assert_msg(w.port.broken == NULL, "%s: %s", life->what, w.port.broken);
    client_world_start(&w);
    ck_assert_int_eq(w.client.record.active, slot);
    if (slot == OTAC_NO_SLOT) {
        ck_assert(life->factory);
        return false;
    }
    bool is_new = otac_active(&w.client)->size == CLIENT_WORLD_NEW;
    ck_assert(is_new || !life->factory);
    ck_assert_mem_eq(w.port.slot[slot], is_new ? w.new_image : w.old_image,
                     is_new ? CLIENT_WORLD_NEW : CLIENT_WORLD_OLD);
    return is_new;
}

static bool is_settled(int rc)
{
    return (rc == OTAC_UP_TO_DATE || rc == OTAC_E_REJECTED) && w.client.record.report_kind == 0;
}

/* One start of the device. @return true when there is nothing left to do, false for a restart */
static bool start(const struct life *life)
{
    int rc = OTAC_E_NO_ANSWER;
    if (boot(life)) {
        if (life->unhealthy)
            return false;
        if (life->rejects && w.client.record.trial != 0) {
            ck_assert_int_eq(otac_reject(&w.client), OTAC_OK);
            ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
            return false;
        }
        ck_assert_int_eq(otac_confirm(&w.client), OTAC_OK);
    }
    for (int round = 0; round < ROUNDS_MAX && !is_settled(rc); round++) {
        rc = otac_update(&w.client);
        if (rc == OTAC_UPDATED)
            return false;
        ck_assert_msg(rc >= 0 || rc == OTAC_E_CONN_LOST || rc == OTAC_E_REJECTED, "%s: %s",
                      life->what, otac_err_word(rc));
    }
    ck_assert_msg(is_settled(rc), "%s: never settles", life->what);
    return true;
}

static void check_end(const struct life *life, bool was_cut)
{
    bool back = life->unhealthy || life->rejects;
    bool is_new = boot(life);
    ck_assert_msg(is_new != back, "%s: ends with the wrong image", life->what);
    ck_assert_uint_eq(w.client.record.trial, 0);
    ck_assert_msg(w.failures == 0, "%s: %s", life->what, w.report);
    ck_assert_msg((w.successes > 0) == is_new && (w.rollbacks > 0) == back, "%s: %s", life->what,
                  w.report);
    ck_assert(was_cut || w.successes + w.rollbacks == 1);
    if (back)
        ck_assert_int_eq(otac_update(&w.client), OTAC_E_REJECTED);
    ck_assert_msg(w.port.broken == NULL, "%s: %s", life->what, w.port.broken);
}

static void make(const struct life *life)
{
    client_world_make(&w, WORK, life->used);
    client_port_rewind(&w.port);
    if (life->factory)
        w.port.has_record = false;
    if (!life->no_resume)
        client_port_resumable(&w.port);
    w.config.trial_boots = life->trial_boots;
    w.drop_at = life->drop_at;
    w.port.lazy = life->lazy;
    client_world_serve(&w);
}

/* Lives one life with a cut at step `first`, and a second one `second` steps after the power is
 * back (0: none). @return true if the last of them was reached */
static bool live(const struct life *life, enum client_port_cut cut, long first, long second)
{
    static int starts, cuts; /* kept over the cut */
    starts = cuts = 0;
    make(life);
    w.port.cut_at = first;
    w.port.cut = cut;
    client_port_power(&w.port, &off);
    if (setjmp(off) != 0) {
        client_port_power_on(&w.port);
        if (++cuts == 1 && second != 0)
            w.port.cut_at = w.port.steps + second;
    }
    while (!start(life))
        ck_assert_msg(++starts < STARTS_MAX, "%s: restarts for ever", life->what);
    w.port.cut_at = 0;
    check_end(life, cuts > 0);
    return cuts == (second != 0 ? 2 : first != 0 ? 1 : 0);
}

START_TEST(every_step_of_a_life_survives_a_cut)
{
    const struct life *life = &lives[_i];
    ck_assert(live(life, CLIENT_PORT_BEFORE, 0, 0));
    const long steps = w.port.steps;
    ck_assert_int_gt(steps, 10);
    for (int cut = CLIENT_PORT_BEFORE; cut <= CLIENT_PORT_AFTER; cut++) {
        long at = 1;
        while (live(life, (enum client_port_cut)cut, at, 0))
            at++;
        ck_assert_msg(at > steps, "%s: only %ld of %ld steps", life->what, at - 1, steps);
    }
}
END_TEST

/* Cut while it recovers from a cut. With three starts a trial outlives two. */
START_TEST(every_two_cuts_are_survived)
{
    const struct life *life = &lives[_i];
    for (int cut = CLIENT_PORT_BEFORE; cut <= CLIENT_PORT_AFTER; cut++)
        for (long first = 1; live(life, (enum client_port_cut)cut, first, 0); first++)
            for (long second = 1; live(life, (enum client_port_cut)cut, first, second);)
                second++;
}
END_TEST

/* ---- resume -------------------------------------------------------------------------------- */

static void start_resumable(size_t work_n)
{
    client_world_make(&w, work_n, false);
    client_port_rewind(&w.port);
    client_port_resumable(&w.port);
    client_world_start(&w);
    client_world_serve(&w);
}

static const size_t work_sizes[] = {OTAC_BUF_MIN, 256, 300};
static const size_t pieces[] = {0, 1, 7, 100};

/* The connection breaks after every byte of the answer; the next round goes on behind the last
 * step, with the device restarted in between or not. */
START_TEST(drop_at_every_byte_is_gone_on_from)
{
    for (size_t cut = 1; cut < 300 + CLIENT_WORLD_NEW; cut++) {
        start_resumable(work_sizes[_i]);
        if (cut >= w.offer_n)
            break;
        w.port.piece = pieces[cut % 4];
        w.drop_at = cut;
        ck_assert_int_eq(otac_update(&w.client), OTAC_E_CONN_LOST);
        uint32_t kept = w.client.record.slot[1].state;
        ck_assert(kept % 256 == 0 && (kept == 0 || kept + w.head_n <= cut));
        size_t lost = cut > w.head_n ? cut - w.head_n - kept : 0;
        ck_assert_msg(lost <= 256u + w.client.buf_n, "lost %zu", lost);
        ck_assert(!client_world_boots_new(&w, "cut"));
        if (cut % 2 == 0)
            client_world_start(&w);
        ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
        ck_assert(client_world_boots_new(&w, "resumed"));
        ck_assert_uint_eq(w.rests, kept > 0);
        ck_assert_uint_eq(w.rest_from, kept);
        ck_assert_uint_eq(w.client.record.slot[1].state, OTAC_IMAGE_KNOWN);
    }
}
END_TEST

/* And the rest itself breaks, at every byte of its answer. */
START_TEST(drop_at_every_byte_of_the_rest)
{
    for (size_t cut = 1;; cut++) {
        start_resumable(work_sizes[_i]);
        w.drop_at = w.head_n + 600;
        ck_assert_int_eq(otac_update(&w.client), OTAC_E_CONN_LOST);
        w.port.piece = pieces[cut % 4];
        w.drop_at = cut;
        int rc = otac_update(&w.client);
        if (rc == OTAC_UPDATED)
            break;
        ck_assert_int_eq(rc, OTAC_E_CONN_LOST);
        ck_assert(!client_world_boots_new(&w, "cut again"));
        ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
        ck_assert_uint_eq(w.rests, 2);
        ck_assert(client_world_boots_new(&w, "resumed twice"));
    }
}
END_TEST

/* Leaves a device with 512 bytes of the new image. */
static void break_off(void)
{
    start_resumable(256);
    w.drop_at = w.head_n + 600;
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_CONN_LOST);
    ck_assert_uint_eq(w.client.record.slot[1].state, 512);
    client_port_rewind(&w.port);
}

START_TEST(resume_asks_for_the_rest_of_that_image)
{
    char want[160], sha[65];
    break_off();
    client_world_start(&w);
    client_world_sha256(w.new_image, CLIENT_WORLD_NEW, sha);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    (void)snprintf(want, sizeof want, "\r\nRange: bytes=512-\r\nIf-Range: \"%s\"\r\n\r\n", sha);
    ck_assert_ptr_nonnull(strstr(w.port.sent[0], want));
    ck_assert(client_port_saw(&w.port, OTAC_EV_RESUME, 512));
    ck_assert_uint_eq(w.port.begins, 0);
}
END_TEST

START_TEST(another_image_starts_over)
{
    break_off();
    for (size_t i = 0; i < CLIENT_WORLD_NEW; i++)
        w.new_image[i] ^= 0x55;
    client_world_make_offer(&w, w.new_image, CLIENT_WORLD_NEW, "1.2.0", "43");
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    ck_assert_uint_eq(w.rests, 0);
    ck_assert_uint_eq(w.port.begins, 1);
    ck_assert(client_world_boots_new(&w, "another"));
}
END_TEST

struct rest_row {
    const char *what, *answer; /* with the image's SHA-256 for %s */
    int want;
    bool keeps; /* the next round goes on */
};

/* clang-format off */
static const struct rest_row rest_rows[] = {
    {"not there", "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */1111\r\n\r\n", OTAC_E_NO_REST, false},
    {"withdrawn", "HTTP/1.1 410 Gone\r\n\r\n", OTAC_E_GONE, false},
    {"nothing new", "HTTP/1.1 304 Not Modified\r\n\r\n", OTAC_UP_TO_DATE, true},
    {"held", "HTTP/1.1 503 Busy\r\n\r\n", OTAC_E_BUSY, true},
    {"no range", "HTTP/1.1 206 Partial Content\r\nContent-Length: 599\r\nETag: \"%s\"\r\n\r\n", OTAC_E_RANGE, false},
    {"other start", "HTTP/1.1 206 Partial Content\r\nContent-Length: 600\r\nContent-Range: bytes 511-1110/1111\r\nETag: \"%s\"\r\n\r\n", OTAC_E_RANGE, false},
    {"other end", "HTTP/1.1 206 Partial Content\r\nContent-Length: 600\r\nContent-Range: bytes 512-1111/1112\r\nETag: \"%s\"\r\n\r\n", OTAC_E_RANGE, false},
    {"other image", "HTTP/1.1 206 Partial Content\r\nContent-Length: 599\r\nContent-Range: bytes 512-1110/1111\r\nETag: \"ff%.62s\"\r\n\r\n", OTAC_E_RANGE, false},
    {"chunked", "HTTP/1.1 206 Partial Content\r\nTransfer-Encoding: chunked\r\nETag: \"%s\"\r\n\r\n", OTAC_E_CHUNKED, false},
    {"cut", "HTTP/1.1 206 Partial Content\r\nContent-Length: 599\r\nContent-Range: bytes 512-1110/1111\r\nETag: \"%s\"\r\n\r\nab", OTAC_E_SHORT_BODY, true},
    {"wrong bytes", NULL, OTAC_E_SHA256, false},
};
/* clang-format on */

/* Spoils the rest, which stands in w.rest. */
static void spoil(void *arg, const char *request, struct client_port_answer *out)
{
    static char text[1024];
    char sha[65];
    const struct rest_row *row = arg;
    (void)request;
    client_world_sha256(w.new_image, CLIENT_WORLD_NEW, sha);
    const char *percent = row->answer != NULL ? strchr(row->answer, '%') : NULL;
    int head = percent != NULL ? (int)(percent - row->answer) : (int)strlen(row->answer);
    int sha_n = percent != NULL && percent[1] == '.' ? 62 : 64;
    const char *tail = percent != NULL ? strchr(percent, '"') : "";
    int n = snprintf(text, sizeof text, "%.*s%.*s%s", head, row->answer,
                     percent != NULL ? sha_n : 0, sha, tail);
    out->data = text;
    out->n = (size_t)n;
}

START_TEST(rest_that_is_no_rest_has_a_name)
{
    struct rest_row row = rest_rows[_i];
    break_off();
    if (row.answer != NULL) {
        w.port.serve = spoil;
        w.port.serve_arg = &row;
    } else {
        w.port.slot[1][300] ^= 1; /* what was in flash is no more */
    }
    int rc = otac_update(&w.client);
    ck_assert_msg(rc == row.want, "%s: %s", row.what, otac_err_word(rc));
    ck_assert_msg((w.client.record.slot[1].state == 512) == row.keeps, "%s", row.what);
    ck_assert_msg(!client_world_boots_new(&w, row.what), "%s", row.what);
    ck_assert_uint_eq(w.client.record.report_kind, 0); /* nothing of this is the build's fault */
    client_world_start(&w);
    client_world_serve(&w);
    w.rests = 0;
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    ck_assert_uint_eq(w.rests, row.keeps);
    ck_assert_uint_eq(w.failures, 0);
    ck_assert(client_world_boots_new(&w, "after all"));
}
END_TEST

/* The sum of a rest that doesn't fit what was begun is not the build's fault either. */
START_TEST(wrong_md5_of_a_rest_starts_over)
{
    break_off();
    char *md5 = strstr(w.offer, "x-MD5: ");
    md5[7] = md5[7] == '0' ? '1' : '0';
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_MD5);
    ck_assert_uint_eq(w.client.record.slot[1].state, 0);
    ck_assert_uint_eq(w.failures, 0);
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_MD5); /* of the whole, it is */
    ck_assert_uint_eq(w.failures, 1);
}
END_TEST

/* A port that lost the ability (a downgrade) neither asks for a rest nor takes one. */
START_TEST(port_that_cannot_resume_starts_over)
{
    break_off();
    w.port.port.slot_resume = NULL;
    client_world_start(&w);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    ck_assert_ptr_null(strstr(w.port.sent[0], "Range"));
    ck_assert_uint_eq(w.rests, 0);
}
END_TEST

START_TEST(flash_without_sync_resumes_too)
{
    start_resumable(256);
    w.port.port.slot_sync = NULL;
    w.drop_at = w.head_n + 600;
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_CONN_LOST);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    ck_assert_uint_eq(w.rests, 1);
}
END_TEST

/* One call after the other fails, in the round that breaks off, and in the one that goes on. */
START_TEST(fault_at_every_call_of_a_resume)
{
    bool through = false;
    for (long fail_at = 1; !through; fail_at++) {
        start_resumable(256);
        client_port_rewind(&w.port);
        w.port.save_then_fail = _i == 1;
        w.drop_at = w.head_n + 900;
        w.port.fail_at = fail_at;
        for (int round = 0; round < 2; round++)
            (void)!otac_update(&w.client);
        through = !w.port.failed;
        bool is_new = client_world_boots_new(&w, "fault");
        w.port.fail_at = 0;
        client_world_start(&w);
        for (int round = 0; round < 3 && !is_new; round++)
            is_new = otac_update(&w.client) == OTAC_UPDATED;
        ck_assert_msg(is_new && client_world_boots_new(&w, "after the fault"), "call %ld", fail_at);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("client_power");
    TCase *tc = tcase_create("power");
    const int lives_n = sizeof lives / sizeof lives[0];
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, every_step_of_a_life_survives_a_cut, 0, lives_n);
    tcase_add_loop_test(tc, every_two_cuts_are_survived, 0, lives_n);
    tcase_add_loop_test(tc, drop_at_every_byte_is_gone_on_from, 0,
                        sizeof work_sizes / sizeof work_sizes[0]);
    tcase_add_loop_test(tc, drop_at_every_byte_of_the_rest, 0,
                        sizeof work_sizes / sizeof work_sizes[0]);
    tcase_add_test(tc, resume_asks_for_the_rest_of_that_image);
    tcase_add_test(tc, another_image_starts_over);
    tcase_add_loop_test(tc, rest_that_is_no_rest_has_a_name, 0,
                        sizeof rest_rows / sizeof rest_rows[0]);
    tcase_add_test(tc, wrong_md5_of_a_rest_starts_over);
    tcase_add_test(tc, port_that_cannot_resume_starts_over);
    tcase_add_test(tc, flash_without_sync_resumes_too);
    tcase_add_loop_test(tc, fault_at_every_call_of_a_resume, 0, 2);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
