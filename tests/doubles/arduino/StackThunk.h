/* SPDX-License-Identifier: MIT
 * A double of the ESP8266 core's header of this name: what client/ports/arduino calls, no more. */
#ifndef OTAD_DOUBLE_STACKTHUNK_H
#define OTAD_DOUBLE_STACKTHUNK_H

extern "C" {
void stack_thunk_add_ref();
void stack_thunk_del_ref();
}

/* On the chip thunk_fcn goes to another stack first; here it is another name. */
#define make_stack_thunk(fcn) __asm__(".global thunk_" #fcn "\n.set thunk_" #fcn ", " #fcn "\n")

#endif
