/* SPDX-License-Identifier: MIT
 * Whatever a device says: as a datagram, and on its connection in pieces. The first byte is the
 * size of the pieces. Texts stay printable and within their room, counts within what was sent. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "push/acks.h"
#include "push/espota.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_text(const char *text, size_t room)
{
    size_t n = strnlen(text, room);
    if (n == room)
        abort();
    for (size_t i = 0; i < n; i++)
        if (text[i] < 0x20 || text[i] > 0x7e)
            abort();
}

static void check_reply(const uint8_t *data, size_t n)
{
    struct espota_reply reply;
    espota_read(data, n, &reply);
    check_text(reply.text, sizeof reply.text);
    check_text(reply.nonce, sizeof reply.nonce);
    size_t nonce = strlen(reply.nonce);
    if (reply.word == ESPOTA_CHALLENGE ? nonce != 32 && nonce != 64 : nonce != 0)
        abort();
}

static void check_acks(const uint8_t *data, size_t n, size_t piece)
{
    static const size_t outstanding[] = {1, 48, 1024, 1460, 4096};
    struct acks whole = {.n = 0}, pieces = {.n = 0};
    acks_add(&whole, data, n);
    for (size_t at = 0; at < n; at += piece)
        acks_add(&pieces, data + at, n - at < piece ? n - at : piece);
    if (memcmp(&whole, &pieces, sizeof whole) != 0 || (whole.ok && whole.error))
        abort();
    check_text(whole.text, sizeof whole.text);
    for (size_t i = 0; i < sizeof outstanding / sizeof outstanding[0]; i++) {
        size_t count = acks_count(&whole, outstanding[i]);
        if (count > outstanding[i] ||
            (count == outstanding[i] && !acks_enough(&whole, outstanding[i])))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    check_reply(data, n);
    if (n > 0)
        check_acks(data + 1, n - 1, data[0] % 16 + 1);
    return 0;
}
