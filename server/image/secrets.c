/* SPDX-License-Identifier: MIT
 * Owns the shapes of secrets. Shapes without a telling prefix are left out: they would cry wolf in
 * every image. */
#include "image/secrets.h"

#include <string.h>

#include "otad/err.h"

enum alphabet {
    UPPER = 1, /* A-Z 0-9 */
    ALNUM = 2,
    URL64 = 4,  /* A-Z a-z 0-9 _ - */
    WORD = 8,   /* A-Z a-z 0-9 _ */
    HEX = 16,   /* 0-9 a-f */
    BASE64 = 32 /* A-Z a-z 0-9 + / */
};

struct shape {
    const char *prefix;
    enum alphabet alphabet;
    size_t min, max; /* characters behind the prefix */
    const char *suffix;
    const char *name;
};

static const struct shape shapes[] = {
    {"AKIA",             UPPER,  16, 16,  "",   "AWS access key"         },
    {"ASIA",             UPPER,  16, 16,  "",   "AWS access key"         },
    {"ghp_",             ALNUM,  36, 36,  "",   "GitHub token"           },
    {"gho_",             ALNUM,  36, 36,  "",   "GitHub token"           },
    {"ghu_",             ALNUM,  36, 36,  "",   "GitHub token"           },
    {"ghs_",             ALNUM,  36, 36,  "",   "GitHub token"           },
    {"ghr_",             ALNUM,  36, 76,  "",   "GitHub token"           },
    {"github_pat_",      WORD,   82, 82,  "",   "GitHub token"           },
    {"glpat-",           URL64,  20, 20,  "",   "GitLab token"           },
    {"npm_",             ALNUM,  36, 36,  "",   "npm token"              },
    {"hf_",              ALNUM,  34, 34,  "",   "Hugging Face token"     },
    {"dop_v1_",          HEX,    64, 64,  "",   "DigitalOcean token"     },
    {"xoxb-",            URL64,  20, 200, "",   "Slack token"            },
    {"xoxp-",            URL64,  20, 200, "",   "Slack token"            },
    {"xoxa-",            URL64,  20, 200, "",   "Slack token"            },
    {"AIza",             URL64,  35, 35,  "",   "Google API key"         },
    {"sk_live_",         ALNUM,  24, 99,  "",   "Stripe key"             },
    {"rk_live_",         ALNUM,  24, 99,  "",   "Stripe key"             },
    {"sk-",              URL64,  40, 200, "",   "API key (sk-)"          },
    {"SharedAccessKey=", BASE64, 43, 43,  "=",  "Azure shared access key"},
    {"AccountKey=",      BASE64, 86, 86,  "==", "Azure storage key"      },
};

static bool in_alphabet(uint8_t c, enum alphabet alphabet)
{
    bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z', digit = c >= '0' && c <= '9';
    switch (alphabet) {
    case UPPER:
        return upper || digit;
    case ALNUM:
        return upper || lower || digit;
    case URL64:
        return upper || lower || digit || c == '_' || c == '-';
    case WORD:
        return upper || lower || digit || c == '_';
    case HEX:
        return digit || (c >= 'a' && c <= 'f');
    case BASE64:
        return upper || lower || digit || c == '+' || c == '/';
    }
    return false;
}

/** How many of the n characters at p belong to the alphabet. */
static size_t run_of(const uint8_t *p, size_t n, enum alphabet alphabet)
{
    size_t i = 0;
    while (i < n && in_alphabet(p[i], alphabet))
        i++;
    return i;
}

static bool has(const uint8_t *p, size_t n, const char *text)
{
    size_t want = strlen(text);
    return n >= want && memcmp(p, text, want) == 0;
}

static size_t match_shape(const struct shape *shape, const uint8_t *p, size_t n)
{
    size_t prefix = strlen(shape->prefix);
    if (!has(p, n, shape->prefix))
        return 0;
    size_t left = n - prefix;
    size_t run = run_of(p + prefix, left < shape->max + 1 ? left : shape->max + 1, shape->alphabet);
    if (run < shape->min || run > shape->max || !has(p + prefix + run, left - run, shape->suffix))
        return 0;
    return prefix + run + strlen(shape->suffix);
}

/** "-----BEGIN … PRIVATE KEY-----", a line break (real or as \n in a literal), base64. The header
 *  alone stands in every TLS library. */
static size_t match_pem(const uint8_t *p, size_t n)
{
    static const char begin[] = "-----BEGIN ", end[] = "PRIVATE KEY-----";
    size_t at = sizeof begin - 1;
    if (!has(p, n, begin))
        return 0;
    for (size_t words = 0; words < 24 && !has(p + at, n - at, end); words++, at++)
        if (at + 1 >= n || (p[at] != ' ' && !in_alphabet(p[at], UPPER)))
            return 0;
    if (!has(p + at, n - at, end))
        return 0;
    at += sizeof end - 1;
    for (unsigned i = 0; i < 4 && at < n && strchr("\r\n\\", p[at]) != NULL && p[at] != 0; i++)
        at += p[at] == '\\' && at + 1 < n ? 2 : 1;
    size_t run = at < n ? run_of(p + at, n - at < 64 ? n - at : 64, BASE64) : 0;
    return run >= 40 ? at + run : 0;
}

/** Three base64url parts with dots between; the first two are JSON objects, so start with eyJ. */
static size_t match_jwt(const uint8_t *p, size_t n)
{
    size_t at = 0;
    for (unsigned part = 0; part < 3; part++) {
        if (part < 2 && !has(p + at, n - at, "eyJ"))
            return 0;
        size_t run = run_of(p + at, n - at, URL64);
        if (run < 10)
            return 0;
        at += run;
        if (part < 2 && (at >= n || p[at++] != '.'))
            return 0;
    }
    return at;
}

/** 8 to 10 digits, ":AA", 33 characters: the token of a Telegram bot. */
static size_t match_telegram(const uint8_t *p, size_t n)
{
    size_t digits = 0;
    while (digits < n && digits < 11 && p[digits] >= '0' && p[digits] <= '9')
        digits++;
    if (digits < 8 || digits > 10 || !has(p + digits, n - digits, ":AA"))
        return 0;
    size_t at = digits + 1;
    size_t run = run_of(p + at, n - at < 36 ? n - at : 36, URL64);
    return run == 35 ? at + run : 0;
}

/** Characters of a user name or password in a URL; no '%', so format strings don't count. */
static size_t url_run(const uint8_t *p, size_t n)
{
    size_t i = 0;
    while (i < n && i < 64 && p[i] > 0x20 && p[i] < 0x7f && strchr("/:@%?#\"'<>", p[i]) == NULL)
        i++;
    return i;
}

/** "://user:password@" */
static size_t match_url(const uint8_t *p, size_t n)
{
    size_t at = 3;
    if (!has(p, n, "://"))
        return 0;
    size_t user = url_run(p + at, n - at);
    at += user;
    if (user == 0 || at >= n || p[at++] != ':')
        return 0;
    size_t password = url_run(p + at, n - at);
    at += password;
    if (password < 3 || at + 1 >= n || p[at] != '@' || !in_alphabet(p[at + 1], ALNUM))
        return 0;
    return at;
}

void secrets_each_start(void (*visit)(void *context, uint8_t first, uint8_t second), void *context)
{
    for (size_t i = 0; i < OTAD_COUNT(shapes); i++)
        visit(context, (uint8_t)shapes[i].prefix[0], (uint8_t)shapes[i].prefix[1]);
    visit(context, '-', '-');
    visit(context, 'e', 'y');
    visit(context, ':', '/');
    for (uint8_t a = '0'; a <= '9'; a++)
        for (uint8_t b = '0'; b <= '9'; b++)
            visit(context, a, b);
}

static size_t match_shapes(const uint8_t *p, size_t n, const char **name)
{
    for (size_t i = 0; i < OTAD_COUNT(shapes); i++) {
        size_t length = match_shape(&shapes[i], p, n);
        *name = shapes[i].name;
        if (length > 0)
            return length;
    }
    return 0;
}

size_t secrets_match(const uint8_t *p, size_t n, uint8_t before, const char **name)
{
    if (n < 2)
        return 0;
    if (p[0] == ':') {
        *name = "password in a URL";
        return match_url(p, n);
    }
    if (p[0] == '-') {
        *name = "private key (PEM)";
        return match_pem(p, n);
    }
    if (in_alphabet(before, WORD)) /* inside a longer word it is something else */
        return 0;
    if (p[0] >= '0' && p[0] <= '9') {
        *name = "Telegram bot token";
        return match_telegram(p, n);
    }
    if (p[0] == 'e') {
        *name = "JSON web token";
        return match_jwt(p, n);
    }
    return match_shapes(p, n, name);
}
