/* SPDX-License-Identifier: MIT
 * Owns turning text into option values and back. */
#include "base/options.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#include "base/address.h"
#include "base/net.h"

static void *slot(const struct option_row *row, void *values)
{
    return (char *)values + row->offset;
}

static const void *slot_const(const struct option_row *row, const void *values)
{
    return (const char *)values + row->offset;
}

static enum otad_err set_number(const struct option_row *row, const char *text, int64_t *out,
                                struct otad_errinfo *ei)
{
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    int64_t scale = 1;
    if (row->type == OPTION_SIZE && end != text && *end != '\0' && end[1] == '\0') {
        const char *at = strchr("KMG", toupper((unsigned char)*end));
        if (at != NULL) {
            scale = at[0] == 'K' ? 1024 : at[0] == 'M' ? 1048576 : 1073741824;
            end++;
        }
    }
    if (end == text || *end != '\0' || errno != 0 || n < row->min / scale || n > row->max / scale ||
        n * scale < row->min)
        return otad_fail(
            ei, OTAD_E_INVALID,
            "'%s.%s' is '%.60s', expected a whole number from %" PRId64 " to %" PRId64 "%s%s",
            row->section, row->key, text, row->min, row->max, *row->unit ? " " : "", row->unit);
    *out = n * scale;
    return OTAD_E_OK;
}

static enum otad_err set_bool(const struct option_row *row, const char *text, bool *out,
                              struct otad_errinfo *ei)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    for (size_t i = 0; i < OTAD_COUNT(words); i++)
        if (strcasecmp(text, words[i]) == 0) {
            *out = i % 2 == 1;
            return OTAD_E_OK;
        }
    return otad_fail(ei, OTAD_E_INVALID, "'%s.%s' is '%.60s', expected yes or no", row->section,
                     row->key, text);
}

static enum otad_err set_choice(const struct option_row *row, const char *text, int64_t *out,
                                struct otad_errinfo *ei)
{
    char list[128] = "";
    size_t used = 0;
    for (int64_t i = 0; row->choices[i] != NULL; i++) {
        if (strcmp(text, row->choices[i]) == 0) {
            *out = i;
            return OTAD_E_OK;
        }
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "" : ", ",
                                 row->choices[i]);
    }
    return otad_fail(ei, OTAD_E_INVALID, "'%s.%s' is '%.60s', expected one of: %s", row->section,
                     row->key, text, list);
}

/* What a file can't hold: there a ';' at the start or behind a blank begins a comment. */
static bool has_comment(const char *text)
{
    for (const char *p = strchr(text, ';'); p != NULL; p = strchr(p + 1, ';'))
        if (p == text || isspace((unsigned char)p[-1]))
            return true;
    return false;
}

/* What a row's unit says about its texts. */
static const struct form {
    const char *unit;
    bool (*holds)(const char *text);
    const char *expected;
} forms[] = {
    {"ADDR:PORT", address_is_listen,   "ADDR:PORT, e.g. 0.0.0.0:8070 or [::]:8070"                             },
    {"URL",       address_is_base_url, "http://HOST or https://HOST, or nothing"                               },
    {"NET",       net_is_net,          "an address or a network, e.g. 192.168.1.2, 10.0.0.0/8 or 2001:db8::/32"},
    {"PORTS",     address_is_ports,    "a port or a range of them, e.g. 40000-40009, or nothing"               },
    {"HOST",      address_is_host,     "a name without scheme and port, e.g. fw.example.net"                   },
};

/* What the row asks for and the text is not; NULL when it is. */
static const char *form_missed(const struct option_row *row, const char *text)
{
    for (size_t i = 0; i < OTAD_COUNT(forms); i++)
        if (strcmp(row->unit, forms[i].unit) == 0)
            return forms[i].holds(text) ? NULL : forms[i].expected;
    return NULL;
}

static enum otad_err set_text(const struct option_row *row, const char *text,
                              char out[OPTION_TEXT_MAX], struct otad_errinfo *ei)
{
    size_t n = strlen(text);
    if (n >= OPTION_TEXT_MAX)
        return otad_fail(ei, OTAD_E_INVALID, "'%s.%s' is %zu bytes long, at most %d are allowed",
                         row->section, row->key, n, OPTION_TEXT_MAX - 1);
    if (has_comment(text))
        return otad_fail(ei, OTAD_E_INVALID,
                         "'%s.%s' is '%.60s': from the ';' on it would be a "
                         "comment in the file",
                         row->section, row->key, text);
    const char *expected = form_missed(row, text);
    if (expected != NULL)
        return otad_fail(ei, OTAD_E_INVALID, "'%s.%s' is '%.60s', expected %s", row->section,
                         row->key, text, expected);
    memcpy(out, text, n + 1);
    return OTAD_E_OK;
}

static enum otad_err add_item(const struct option_row *row, const char *text,
                              struct option_list *list, struct otad_errinfo *ei)
{
    if (list->n == OPTION_LIST_MAX)
        return otad_fail(ei, OTAD_E_INVALID, "'%s.%s' has more than %d values", row->section,
                         row->key, OPTION_LIST_MAX);
    enum otad_err err = set_text(row, text, list->items[list->n], ei);
    if (err == OTAD_E_OK)
        list->n++;
    return err;
}

static enum otad_err set_list(const struct option_row *row, const char *text,
                              struct option_list *list, struct otad_errinfo *ei)
{
    struct option_list fresh = {.n = 0};
    char item[OPTION_TEXT_MAX];
    while (*text != '\0') {
        text += strspn(text, ", \t");
        size_t n = strcspn(text, ", \t");
        if (n == 0)
            break;
        if (n >= sizeof item)
            return otad_fail(ei, OTAD_E_INVALID, "A value of '%s.%s' is too long", row->section,
                             row->key);
        memcpy(item, text, n);
        item[n] = '\0';
        enum otad_err err = add_item(row, item, &fresh, ei);
        if (err != OTAD_E_OK)
            return err;
        text += n;
    }
    *list = fresh;
    return OTAD_E_OK;
}

static enum otad_err set_value(const struct option_row *row, const char *text, void *values,
                               struct otad_errinfo *ei)
{
    void *to = slot(row, values);
    switch (row->type) {
    case OPTION_TEXT:
        return set_text(row, text, to, ei);
    case OPTION_LIST:
        return set_list(row, text, to, ei);
    case OPTION_BOOL:
        return set_bool(row, text, to, ei);
    case OPTION_CHOICE:
        return set_choice(row, text, to, ei);
    case OPTION_INT:
    case OPTION_SIZE:
        break;
    }
    return set_number(row, text, to, ei);
}

enum otad_err options_default(const struct option_table *t, void *values, struct otad_errinfo *ei)
{
    for (size_t i = 0; i < t->n; i++) {
        enum otad_err err = set_value(&t->rows[i], t->rows[i].fallback, values, ei);
        if (err != OTAD_E_OK)
            return err;
    }
    return OTAD_E_OK;
}

static const struct option_row *find_row(const struct option_table *t, const char *section,
                                         const char *key)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->rows[i].section, section) == 0 && strcmp(t->rows[i].key, key) == 0)
            return &t->rows[i];
    return NULL;
}

/* ---- the nearest known key ---------------------------------------------------------------- */

#define NAME_MAX_CHARS 64

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Levenshtein distance of two short names. */
static size_t distance(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    if (na > NAME_MAX_CHARS || nb > NAME_MAX_CHARS)
        return SIZE_MAX / 2; /* far, and still addable */
    size_t row[NAME_MAX_CHARS + 1];
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t above = row[j];
            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[nb];
}

const char *options_nearest(const struct option_table *t, const char *name, char buf[128])
{
    size_t best = SIZE_MAX;
    const struct option_row *found = NULL;
    const char *bare = strrchr(name, '.') != NULL ? strrchr(name, '.') + 1 : name;
    for (size_t i = 0; i < t->n; i++) {
        char full[128];
        (void)snprintf(full, sizeof full, "%s.%s", t->rows[i].section, t->rows[i].key);
        size_t d = distance(name, full);
        size_t in_other_section = distance(bare, t->rows[i].key) + 1;
        d = d < in_other_section ? d : in_other_section;
        if (d < best) {
            best = d;
            found = &t->rows[i];
        }
    }
    if (found == NULL || best > 6)
        return NULL;
    (void)snprintf(buf, 128, "%s.%s", found->section, found->key);
    return buf;
}

static enum otad_err unknown_key(const struct option_table *t, const char *where, const char *name,
                                 struct otad_errinfo *ei)
{
    char buf[128];
    const char *near = options_nearest(t, name, buf);
    (void)otad_fail(ei, OTAD_E_INVALID, "%sunknown key '%.80s'%s%s%s", where, name,
                    near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
    return otad_hint(ei, "`otad config dump` lists every known key.");
}

/* ---- file --------------------------------------------------------------------------------- */

#define ROWS_MAX 256 /* rows whose repetition is noticed */

struct file_state {
    const struct option_table *table;
    void *values;
    bool seen[ROWS_MAX];
    struct otad_errinfo first; /* the first error: inih tells only its line */
};

/* inih takes an indented line for one more value of the key above it: "  port = 1" below "dir = /x"
 * would set dir. As every key stands once, that shows as a key given twice. */
static bool is_again(struct file_state *s, const struct option_row *row)
{
    size_t i = (size_t)(row - s->table->rows);
    if (i >= ROWS_MAX || !s->seen[i]) {
        if (i < ROWS_MAX)
            s->seen[i] = true;
        return false;
    }
    (void)otad_fail(&s->first, OTAD_E_INVALID, "'%s.%s' is given a second time", row->section,
                    row->key);
    (void)otad_hint(&s->first, "Each key stands once. An indented line counts as a further value "
                               "of the key above it: begin every line at the margin.");
    return true;
}

/* inih cuts lines at 199 bytes and takes the rest for the next one. */
#define FILE_LINE_MAX 198
#define DUMP_LINE_MAX 195

/* What was read must fit into a line when it is dumped, where lists have ", " between values. */
static enum otad_err fits_a_line(const struct option_row *row, const void *values,
                                 struct otad_errinfo *ei)
{
    size_t n = strlen(row->key) + strlen(" = ");
    if (row->type == OPTION_TEXT)
        n += strlen(slot_const(row, values));
    const struct option_list *list = row->type == OPTION_LIST ? slot_const(row, values) : NULL;
    for (size_t i = 0; list != NULL && i < list->n; i++)
        n += strlen(list->items[i]) + strlen(", ");
    if (n <= DUMP_LINE_MAX)
        return OTAD_E_OK;
    return otad_fail(ei, OTAD_E_INVALID,
                     "'%s.%s' is too long for a line of the file, which has %d "
                     "bytes",
                     row->section, row->key, DUMP_LINE_MAX);
}

static int on_pair(void *user, const char *section, const char *name, const char *value)
{
    struct file_state *s = user;
    if (s->first.code != OTAD_E_OK)
        return 0;
    const struct option_row *row = find_row(s->table, section, name);
    if (row != NULL)
        return !is_again(s, row) && set_value(row, value, s->values, &s->first) == OTAD_E_OK &&
               fits_a_line(row, s->values, &s->first) == OTAD_E_OK;
    char full[128];
    (void)snprintf(full, sizeof full, "%.60s%s%.60s", section, *section ? "." : "", name);
    (void)unknown_key(s->table, "", full, &s->first);
    return 0;
}

struct source {
    FILE *file;
    int line;
    bool refused;
};

static char *read_line(char *to, int room, void *stream)
{
    struct source *s = stream;
    if (fgets(to, room, s->file) == NULL)
        return NULL;
    s->line++;
    size_t n = strlen(to);
    s->refused = n > FILE_LINE_MAX || (to[n - (n > 0)] != '\n' && !feof(s->file));
    return s->refused ? NULL : to;
}

static int parse_file(const char *path, struct file_state *s, struct source *source)
{
    source->file = fopen(path, "re");
    if (source->file == NULL)
        return -1;
    int line = ini_parse_stream(read_line, source, on_pair, s);
    (void)fclose(source->file);
    return line;
}

enum otad_err options_file(const struct option_table *t, const char *path, void *values,
                           struct otad_errinfo *ei)
{
    struct file_state s = {.table = t, .values = values};
    struct source source = {.line = 0};
    int line = parse_file(path, &s, &source);
    if (line == 0 && source.refused)
        return otad_fail(ei, OTAD_E_INVALID,
                         "%.100s, line %d: longer than %d bytes, or with a NUL byte in it", path,
                         source.line, FILE_LINE_MAX);
    if (line == 0)
        return OTAD_E_OK;
    if (line < 0) {
        (void)otad_fail(ei, OTAD_E_NOENT, "Can't read the configuration file %.150s: %s", path,
                        strerror(errno));
        return otad_hint(ei, "Check the path given with --config.");
    }
    if (s.first.code == OTAD_E_OK)
        return otad_fail(ei, OTAD_E_INVALID,
                         "%.100s, line %d: expected '[section]', 'key = value' or a comment", path,
                         line);
    (void)otad_fail(ei, s.first.code, "%.100s, line %d: %.140s", path, line, s.first.msg);
    return otad_hint(ei, "%s", s.first.hint);
}

/* ---- environment and flags ---------------------------------------------------------------- */

static void env_name(const struct option_row *row, char out[128])
{
    (void)snprintf(out, 128, "OTAD_%s_%s", row->section, row->key);
    for (char *p = out; *p != '\0'; p++)
        *p = (char)toupper((unsigned char)*p);
}

static enum otad_err env_one(const struct option_table *t, const char *variable,
                             const char *const *others, void *values, struct otad_errinfo *ei)
{
    char name[128];
    size_t n = strcspn(variable, "=");
    for (size_t i = 0; i < t->n; i++) {
        env_name(&t->rows[i], name);
        if (strlen(name) == n && strncmp(name, variable, n) == 0)
            return set_value(&t->rows[i], variable + n + (variable[n] == '='), values, ei);
    }
    for (; *others != NULL; others++)
        if (strlen(*others) == n && strncmp(*others, variable, n) == 0)
            return OTAD_E_OK;
    (void)otad_fail(ei, OTAD_E_INVALID, "The environment variable %.*s names no known option",
                    (int)(n < 80 ? n : 80), variable);
    return otad_hint(ei, "The names are OTAD_SECTION_KEY; `otad config dump` lists the keys.");
}

enum otad_err options_env(const struct option_table *t, char *const *environ_,
                          const char *const *others, void *values, struct otad_errinfo *ei)
{
    for (; *environ_ != NULL; environ_++) {
        if (strncmp(*environ_, "OTAD_", 5) != 0)
            continue;
        enum otad_err err = env_one(t, *environ_, others, values, ei);
        if (err != OTAD_E_OK)
            return err;
    }
    return OTAD_E_OK;
}

static void flag_name(const struct option_row *row, char out[128])
{
    (void)snprintf(out, 128, "%s-%s", row->section, row->key);
    for (char *p = out; *p != '\0'; p++)
        if (*p == '_')
            *p = '-';
}

enum otad_err options_flag(const struct option_table *t, const char *flag, const char *value,
                           bool *seen, void *values, struct otad_errinfo *ei)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct option_row *row = &t->rows[i];
        char name[128];
        flag_name(row, name);
        if (strcmp(flag, name) != 0 && (row->flag == NULL || strcmp(flag, row->flag) != 0))
            continue;
        bool first = !seen[i];
        seen[i] = true;
        if (row->type == OPTION_LIST && !first)
            return add_item(row, value, slot(row, values), ei);
        return set_value(row, value, values, ei);
    }
    return otad_fail(ei, OTAD_E_NOENT, "Unknown option --%.80s", flag);
}

/* ---- printing ----------------------------------------------------------------------------- */

static void print_value(const struct option_row *row, const void *values, FILE *to)
{
    const void *from = slot_const(row, values);
    if (row->type == OPTION_TEXT) {
        fputs((const char *)from, to);
    } else if (row->type == OPTION_LIST) {
        const struct option_list *list = from;
        for (size_t i = 0; i < list->n; i++)
            fprintf(to, "%s%s", i == 0 ? "" : ", ", list->items[i]);
    } else if (row->type == OPTION_BOOL) {
        fputs(*(const bool *)from ? "yes" : "no", to);
    } else if (row->type == OPTION_CHOICE) {
        fputs(row->choices[*(const int64_t *)from], to);
    } else {
        fprintf(to, "%" PRId64, *(const int64_t *)from);
    }
}

static void print_comment(const struct option_row *row, FILE *to)
{
    fprintf(to, "# %s", row->help);
    if (row->type == OPTION_INT || row->type == OPTION_SIZE)
        fprintf(to, " (%" PRId64 " to %" PRId64 "%s%s)", row->min, row->max, *row->unit ? " " : "",
                row->unit);
    if (row->type == OPTION_CHOICE)
        for (size_t i = 0; row->choices[i] != NULL; i++)
            fprintf(to, "%s%s", i == 0 ? " (" : ", ", row->choices[i]);
    fprintf(to, "%s%s\n", row->type == OPTION_CHOICE ? ")" : "",
            row->reloadable ? "; SIGHUP rereads it" : "");
}

void options_dump(const struct option_table *t, const void *values, bool commented, FILE *to)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct option_row *row = &t->rows[i];
        if (i == 0 || strcmp(row->section, t->rows[i - 1].section) != 0)
            fprintf(to, "%s[%s]\n", i == 0 ? "" : "\n", row->section);
        else if (commented)
            fputc('\n', to);
        if (commented)
            print_comment(row, to);
        fprintf(to, "%s%s = ", commented ? "#" : "", row->key);
        print_value(row, values, to);
        fputc('\n', to);
    }
}

void options_help(const struct option_table *t, FILE *to)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct option_row *row = &t->rows[i];
        char name[128], shown[160];
        flag_name(row, name);
        (void)snprintf(shown, sizeof shown, "--%s%s%s", name, row->flag ? ", --" : "",
                       row->flag ? row->flag : "");
        fprintf(to, "  %-44s %s [%s]\n", shown, row->help, row->fallback);
    }
}

/* ---- reload ------------------------------------------------------------------------------- */

static size_t value_size(const struct option_row *row)
{
    switch (row->type) {
    case OPTION_TEXT:
        return OPTION_TEXT_MAX;
    case OPTION_LIST:
        return sizeof(struct option_list);
    case OPTION_BOOL:
        return sizeof(bool);
    case OPTION_INT:
    case OPTION_SIZE:
    case OPTION_CHOICE:
        break;
    }
    return sizeof(int64_t);
}

static bool same_value(const struct option_row *row, const void *a, const void *b)
{
    if (row->type == OPTION_TEXT)
        return strcmp(a, b) == 0;
    if (row->type != OPTION_LIST)
        return memcmp(a, b, value_size(row)) == 0;
    const struct option_list *x = a, *y = b;
    if (x->n != y->n)
        return false;
    for (size_t i = 0; i < x->n; i++)
        if (strcmp(x->items[i], y->items[i]) != 0)
            return false;
    return true;
}

size_t options_reload(const struct option_table *t, const void *from, void *to)
{
    size_t stay = 0;
    for (size_t i = 0; i < t->n; i++) {
        const struct option_row *row = &t->rows[i];
        if (same_value(row, slot_const(row, from), slot(row, to)))
            continue;
        if (row->reloadable)
            memcpy(slot(row, to), slot_const(row, from), value_size(row));
        else
            stay++;
    }
    return stay;
}
