/* SPDX-License-Identifier: MIT
 * The data folder as the running daemon holds it: made, locked, and its address told. */
#ifndef OTAD_CLI_DATADIR_H
#define OTAD_CLI_DATADIR_H

#include <stdbool.h>

#include "otad/err.h"

/** Makes the folder when it is missing and takes its lock, which lasts as long as *lock_fd is open.
 *  @return OTAD_E_OK, OTAD_E_BUSY with the holder's pid, or OTAD_E_IO */
enum otad_err datadir_lock(const char *dir, int *lock_fd, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Whether the folder's disk has less than a mebibyte left. */
bool datadir_is_full(const char *dir);

/** Writes the addresses, one a line, to DIR/otad.addr: whole or not at all.
 *  @return OTAD_E_OK, OTAD_E_NOSPACE when the disk is full, OTAD_E_IO */
enum otad_err datadir_write_addresses(const char *dir, const char *text,
                                      struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Removes DIR/otad.addr: nobody listens there any more. */
void datadir_remove_addresses(const char *dir);

#endif
