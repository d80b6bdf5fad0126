/* SPDX-License-Identifier: MIT
 * Owns reading the version out of an image. A real device knows its version from a macro; the
 * simulated one has nothing but the bytes of its slot, and Blynk firmware carries the same macro
 * there:  "blnkinf\0" "mcu\0" "1.2.0\0" "fw-type\0" "TMPL…\0" … "\0"  (blynk-library,
 * src/BlynkApiArduino.h; search every hit, stop at an empty key, cap the lengths). */
#include "internal.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { TAG_MAX = 1024 };

/* Takes one NUL-ended printable text from [*at, end). @return NULL if there is none */
static const char *take_text(const char **at, const char *end)
{
    const char *text = *at;
    const char *stop = memchr(text, '\0', (size_t)(end - text));
    if (stop == NULL)
        return NULL;
    for (const char *c = text; c < stop; c++)
        if (*c < ' ' || *c > '~')
            return NULL;
    *at = stop + 1;
    return text;
}

/* Looks for `mcu` in the pairs that follow one hit of the tag's name. */
static bool find_mcu(const char *at, const char *end, char out[OTAC_VERSION_MAX + 1])
{
    if (end - at > TAG_MAX)
        end = at + TAG_MAX;
    for (;;) {
        const char *key = take_text(&at, end);
        if (key == NULL || key[0] == '\0')
            return false;
        const char *value = take_text(&at, end);
        if (value == NULL)
            return false;
        size_t n = strlen(value);
        if (strcmp(key, "mcu") == 0 && n > 0 && n <= OTAC_VERSION_MAX) {
            memcpy(out, value, n + 1);
            return true;
        }
    }
}

static bool find_tag(const char *image, size_t n, char out[OTAC_VERSION_MAX + 1])
{
    static const char name[] = "blnkinf"; /* searched with its NUL */
    const char *end = image + n;
    const char *at = image;
    while ((at = memmem(at, (size_t)(end - at), name, sizeof name)) != NULL) {
        at += sizeof name;
        if (find_mcu(at, end, out))
            return true;
    }
    return false;
}

bool otac_posix_image_version(struct otac_posix *p, unsigned slot, uint32_t size,
                              char out[OTAC_VERSION_MAX + 1])
{
    struct stat st;
    int fd = posix_slot_fd(p, slot);
    if (fd < 0 || size == 0 || fstat(fd, &st) != 0 || st.st_size < (off_t)size)
        return false; /* touching a mapping beyond the file's end is a SIGBUS */
    void *image = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (image == MAP_FAILED)
        return false;
    bool found = find_tag(image, size, out);
    (void)munmap(image, size);
    return found;
}
