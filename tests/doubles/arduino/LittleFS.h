/* SPDX-License-Identifier: MIT
 * A double of the Arduino cores' header of this name: what client/ports/arduino calls, no more. */
#ifndef OTAD_DOUBLE_LITTLEFS_H
#define OTAD_DOUBLE_LITTLEFS_H

#include <stddef.h>
#include <stdint.h>

class File {
  public:
    explicit File(int file) : file_(file)
    {
    }
    explicit operator bool() const
    {
        return file_ >= 0;
    }
    size_t size() const;
    int read(uint8_t *to, size_t n);
    size_t write(const uint8_t *from, size_t n);
    void close();

  private:
    int file_;
};

class FS {
  public:
    bool begin();
    bool exists(const char *path);
    File open(const char *path, const char *mode);
    bool rename(const char *from, const char *to);
    bool remove(const char *path);
};

extern FS LittleFS;

#endif
