/* SPDX-License-Identifier: MIT
 * Which bytes are UTF-8. */
#ifndef OTAD_BASE_UTF8_H
#define OTAD_BASE_UTF8_H

#include <stddef.h>

/** Bytes of the UTF-8 character at the start of a text, 0 when there is none: at its end, and for
 *  whatever RFC 3629 section 4 doesn't list (overlong forms, surrogates, beyond U+10FFFF).
 *  Reads no further than the first byte that doesn't fit. */
size_t utf8_length(const char *text);

#endif
