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

static void parse(const uint8_t *data, size_t n, size_t piece, struct outcome *out)
{
    size_t at = 0;
    memset(out, 0, sizeof *out);
    out->answer.signature = out->signature;
    otac_answer_reset(&out->answer);
    while (at < n && !otac_answer_complete(&out->answer)) {
        size_t give = n - at < piece ? n - at : piece;
        int used = otac_answer_feed(&out->answer, data + at, give);
        if (used < 0) {
            out->verdict = used;
            memset(&out->answer, 0, sizeof out->answer); /* of no further use */
            return;
        }
        at += (size_t)used;
    }
    out->head_n = at;
    out->verdict = otac_answer_complete(&out->answer) ? otac_answer_judge(&out->answer)
                                                      : otac_answer_eof(&out->answer);
    out->answer.signature = NULL; /* the outcomes are compared, and each has its own */
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
    if (otac_answer_complete(&whole.answer)) {
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
