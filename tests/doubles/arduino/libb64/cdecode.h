/* SPDX-License-Identifier: MIT
 * A double of the ESP8266 core's header of this name: what client/ports/arduino calls, no more. */
#ifndef OTAD_DOUBLE_LIBB64_CDECODE_H
#define OTAD_DOUBLE_LIBB64_CDECODE_H

extern "C" int base64_decode_chars(const char *code_in, const int length_in, char *plaintext_out);

#endif
