/* SPDX-License-Identifier: MIT
 * Texts that name an address: to listen on, or to be reached at. */
#ifndef OTAD_BASE_ADDRESS_H
#define OTAD_BASE_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#define ADDRESS_HOST_MAX 256 /* bytes of a host, NUL included */
#define ADDRESS_PORT_MAX 8

/** Splits "ADDR:PORT", "[ADDR]:PORT" (IPv6 needs its brackets) or ":PORT" (host "", every address).
 *  @return false, outputs unchanged, on anything else or a port above 65535 */
bool address_split(const char *text, char host[ADDRESS_HOST_MAX], char port[ADDRESS_PORT_MAX]);

/** Whether address_split() takes it. */
bool address_is_listen(const char *text);

/** Reads a range of ports: "40000-40009", "40000", or "" for any (0 and 0).
 *  @return false, outputs unchanged, on anything else */
bool address_ports(const char *text, uint16_t *first, uint16_t *last);

/** Whether address_ports() takes it. */
bool address_is_ports(const char *text);

/** Whether text is "" or "http://HOST…" / "https://HOST…" of printable ASCII without blanks,
 * quotes, query and fragment: fit to be put before a path. */
bool address_is_base_url(const char *text);

/** Whether text is a host's name: labels of letters, digits, '-' and '_' with single dots between,
 *  shorter than ADDRESS_HOST_MAX. No scheme, port or wildcard. */
bool address_is_host(const char *text);

#endif
