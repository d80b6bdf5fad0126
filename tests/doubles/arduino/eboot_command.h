/* SPDX-License-Identifier: MIT
 * A double of the Arduino cores' header of this name: what client/ports/arduino calls, no more. */
#ifndef OTAD_DOUBLE_EBOOT_COMMAND_H
#define OTAD_DOUBLE_EBOOT_COMMAND_H

#include <stdint.h>

enum action_t { ACTION_COPY_RAW = 1 };

struct eboot_command {
    uint32_t magic;
    enum action_t action;
    uint32_t args[29];
    uint32_t crc32;
};

void eboot_command_write(struct eboot_command *cmd);

#endif
