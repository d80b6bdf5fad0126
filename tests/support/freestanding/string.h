/* SPDX-License-Identifier: MIT
 * What client/src takes of the C library, for compilers that come without one: make client-size
 * measures with it. A device's own C library has these. */
#ifndef OTAC_FREESTANDING_STRING_H
#define OTAC_FREESTANDING_STRING_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *data, int byte, size_t n);
size_t strlen(const char *text);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *text, int byte);
char *strpbrk(const char *text, const char *bytes);

#endif
