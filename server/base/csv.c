/* SPDX-License-Identifier: MIT
 * Owns the form of CSV. */
#include "base/csv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(struct csv *csv, const char *data, size_t n)
{
    if (csv->failed || n == 0)
        return;
    if (csv->room - csv->n < n) {
        size_t room = 2 * csv->room + n + 256;
        char *text = realloc(csv->text, room);
        csv->failed = text == NULL;
        if (csv->failed)
            return;
        csv->text = text;
        csv->room = room;
    }
    memcpy(csv->text + csv->n, data, n);
    csv->n += n;
}

static void begin_field(struct csv *csv)
{
    if (csv->in_row)
        put(csv, ",", 1);
    csv->in_row = true;
}

/* Every quote is doubled. */
static void put_doubled(struct csv *csv, const char *text)
{
    for (const char *quote; (quote = strchr(text, '"')) != NULL; text = quote + 1) {
        put(csv, text, (size_t)(quote - text));
        put(csv, "\"\"", 2);
    }
    put(csv, text, strlen(text));
}

void csv_field(struct csv *csv, const char *text)
{
    bool formula = text[0] != '\0' && strchr("=+-@\t\r", text[0]) != NULL;
    size_t quotes = strpbrk(text, ",\"\r\n") != NULL;
    begin_field(csv);
    put(csv, "\"", quotes);
    put(csv, "'", formula);
    put_doubled(csv, text);
    put(csv, "\"", quotes);
}

void csv_number(struct csv *csv, int64_t n)
{
    char text[24];
    int length = snprintf(text, sizeof text, "%" PRId64, n);
    begin_field(csv);
    put(csv, text, (size_t)length);
}

void csv_end_row(struct csv *csv)
{
    put(csv, "\r\n", 2);
    csv->in_row = false;
}

void csv_clear(struct csv *csv)
{
    csv->n = 0;
    csv->in_row = false;
}

void csv_free(struct csv *csv)
{
    free(csv->text);
    *csv = (struct csv){.text = NULL};
}
