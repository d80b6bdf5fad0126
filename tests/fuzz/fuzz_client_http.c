/* SPDX-License-Identifier: MIT
 * Fuzzes the device client's response parser. The first byte is a piece size: fed whole and fed in
 * such pieces, the same bytes must give the same verdict and the same values, and what was decoded
 * must be text with an end. */
#include <stdlib.h>
#include <string.h>

#include "../../client/src/internal.h"

struct outcome {
    struct otac_answer answer;
    uint8_t signature[OTAC_SIGNATURE_MAX];
    int verdict;
    size_t head_n;
};

/* What the port gives, and how much of it at a time. */
struct wire {
    const uint8_t *data;
    size_t n, at, piece;
};

static int wire_recv(void *ctx, void *buf, size_t n)
{
    struct wire *wire = ctx;
    size_t give = wire->n - wire->at;
    give = give < wire->piece ? give : wire->piece;
    give = give < n ? give : n;
    memcpy(buf, wire->data + wire->at, give);
    wire->at += give;
    return (int)give;
}

static uint32_t wire_clock(void *ctx)
{
    (void)ctx;
    return 0;
}

static void parse(const uint8_t *data, size_t n, size_t piece, struct outcome *out)
{
    static uint8_t work[OTAC_BUF_MIN + OTAC_SIGNATURE_MAX];
    static const struct otac_config config = {.signing = &otac_signing};
    struct wire wire = {data, n, 0, piece};
    const struct otac_port port = {.ctx = &wire, .recv = wire_recv, .clock_ms = wire_clock};
    struct otac client = {.config = &config, .port = &port, .buf = work, .buf_n = OTAC_BUF_MIN};
    struct otac_in in = {.c = &client, .room = OTAC_BUF_MIN};
    memset(out, 0, sizeof *out);
    memset(work, 0, sizeof work);
    int rc = otac_answer_read(&in, &out->answer);
    if (rc != OTAC_OK) {
        out->verdict = rc;
        memset(&out->answer, 0, sizeof out->answer); /* of no further use */
        return;
    }
    out->head_n = wire.at - (in.n - in.at);
    out->verdict = otac_answer_judge(&out->answer);
    memcpy(out->signature, work + OTAC_BUF_MIN, sizeof out->signature);
}

static void require(bool true_always)
{
    if (!true_always)
        abort();
}

static void check_text(const char *text, size_t size)
{
    const char *end = memchr(text, '\0', size);
    require(end != NULL);
    for (; text < end; text++)
        require(*text >= ' ' && *text <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct outcome whole, pieces;
    if (n == 0)
        return 0;
    size_t piece = (size_t)data[0] % 64 + 1;
    parse(data + 1, n - 1, n, &whole);
    parse(data + 1, n - 1, piece, &pieces);
    require(memcmp(&whole, &pieces, sizeof whole) == 0);
    require(whole.head_n <= OTAC_HEAD_MAX);
    if (whole.head_n > 0) {
        check_text(whole.answer.image.version, sizeof whole.answer.image.version);
        check_text(whole.answer.reason, sizeof whole.answer.reason);
        require(whole.answer.status >= 200 && whole.answer.status <= 599);
    }
    require(whole.answer.signature_n <= OTAC_SIGNATURE_MAX);
    if (whole.verdict == OTAC_OFFER && whole.answer.status == 206)
        require(whole.answer.image.size == whole.answer.range_last - whole.answer.range_first + 1);
    if (whole.verdict == OTAC_OFFER)
        require(whole.answer.image.size > 0 &&
                (whole.answer.status == 200 || whole.answer.status == 206));
    return 0;
}
