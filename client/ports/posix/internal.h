/* SPDX-License-Identifier: MIT
 * What the files of the POSIX port share: each fills its part of the port struct. */
#ifndef OTAC_POSIX_INTERNAL_H
#define OTAC_POSIX_INTERNAL_H

#include "otad_client_posix.h"

void posix_transport_fill(struct otac_port *port);
void posix_flash_fill(struct otac_port *port);
void posix_hash_fill(struct otac_port *port);
void posix_verify_fill(struct otac_port *port);

/** Notes "what: strerror(errno)" as the detail and returns err. */
int posix_fail(struct otac_posix *p, int err, const char *what);

/** Waits until the connection is ready for `events` of poll().
 *  @return OTAC_OK, OTAC_E_TIMEOUT, OTAC_E_CONN_LOST */
int posix_wait_ready(struct otac_posix *p, short events);

/** The connection without TLS, as in struct otac_port. */
int posix_net_connect(void *ctx, const char *host, uint16_t port);
void posix_net_close(void *ctx);

/** The open file of a slot, made if it isn't there. @return -1 with errno set on failure */
int posix_slot_fd(struct otac_posix *p, unsigned slot);

#endif
