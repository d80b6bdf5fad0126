/* SPDX-License-Identifier: MIT
 * Owns the command line's requests to a server. */
#include "cli/remote.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#define LIBRARY "libcurl.so.4"
#define ANSWER_MAX (4 << 20)
#define TIMEOUT_S 30L

/* What is used of libcurl, by its own names. */
#define FUNCTIONS(X)                                                                               \
    X(curl_easy_init)                                                                              \
    X(curl_easy_setopt)                                                                            \
    X(curl_easy_perform)                                                                           \
    X(curl_easy_getinfo)                                                                           \
    X(curl_easy_strerror)                                                                          \
    X(curl_easy_cleanup)                                                                           \
    X(curl_slist_append)                                                                           \
    X(curl_slist_free_all)

struct remote {
    void *library;
#define X(name) __typeof__ (&(name))(name);
    FUNCTIONS(X)
#undef X
    CURL *curl;
    struct curl_slist *headers;
    char base[256];
    char *answer;
    size_t n;
};

/* curl.h makes macros of some names, to check types. */
#undef curl_easy_setopt
#undef curl_easy_getinfo

static enum otad_err load(struct remote *r, struct otad_errinfo *ei)
{
    r->library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    bool ok = r->library != NULL;
#define X(name) ok = ok && (*(void **)&r->name = dlsym(r->library, #name)) != NULL;
    FUNCTIONS(X)
#undef X
    if (ok)
        return OTAD_E_OK;
    (void)otad_fail(ei, OTAD_E_IO, "Asking a server needs libcurl: %.180s", dlerror());
    return otad_hint(ei, "Install the package libcurl4.");
}

/* "key\n" of a file, or what the environment says. */
static enum otad_err read_key(const char *file, char out[128], struct otad_errinfo *ei)
{
    const char *env = getenv("OTAD_KEY");
    if (file == NULL && env != NULL) {
        (void)snprintf(out, 128, "%s", env);
        return OTAD_E_OK;
    }
    if (file == NULL) {
        (void)otad_fail(ei, OTAD_E_INVALID, "No API key is known");
        return otad_hint(ei, "Put it into the environment as OTAD_KEY, or into a file named by "
                             "--key-file. `otad key create --role publisher` makes one.");
    }
    FILE *f = fopen(file, "re");
    bool ok = f != NULL && fgets(out, 128, f) != NULL;
    int error = errno;
    if (f != NULL)
        (void)fclose(f);
    if (!ok)
        return otad_fail(ei, OTAD_E_IO, "Can't read a key from %.180s: %s", file,
                         f == NULL ? strerror(error) : "it is empty");
    out[strcspn(out, "\r\n")] = '\0';
    return OTAD_E_OK;
}

static size_t take(char *data, size_t size, size_t n, void *arg)
{
    struct remote *r = arg;
    size_t more = size * n;
    char *grown = r->n + more < ANSWER_MAX ? realloc(r->answer, r->n + more + 1) : NULL;
    if (grown == NULL)
        return 0; /* libcurl fails the transfer */
    r->answer = grown;
    memcpy(grown + r->n, data, more);
    r->n += more;
    grown[r->n] = '\0';
    return more;
}

static bool add_header(struct remote *r, const char *line)
{
    struct curl_slist *longer = r->curl_slist_append(r->headers, line);
    if (longer == NULL)
        return false;
    r->headers = longer;
    return true;
}

static enum otad_err set_up(struct remote *r, const char *key, struct otad_errinfo *ei)
{
    char line[160];
    (void)snprintf(line, sizeof line, "Authorization: Bearer %s", key);
    r->curl = r->curl_easy_init();
    if (r->curl == NULL || !add_header(r, line) || !add_header(r, "Content-Type: application/json"))
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    (void)r->curl_easy_setopt(r->curl, CURLOPT_HTTPHEADER, r->headers);
    (void)r->curl_easy_setopt(r->curl, CURLOPT_WRITEFUNCTION, take);
    (void)r->curl_easy_setopt(r->curl, CURLOPT_WRITEDATA, r);
    (void)r->curl_easy_setopt(r->curl, CURLOPT_TIMEOUT, TIMEOUT_S);
    (void)r->curl_easy_setopt(r->curl, CURLOPT_NOSIGNAL, 1L);
    (void)r->curl_easy_setopt(r->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    return OTAD_E_OK;
}

enum otad_err remote_open(const char *base, const char *key_file, struct remote **out,
                          struct otad_errinfo *ei)
{
    char key[128];
    size_t n = strlen(base);
    while (n > 0 && base[n - 1] == '/')
        n--;
    if (n >= sizeof((struct remote *)0)->base ||
        (strncmp(base, "http://", 7) != 0 && strncmp(base, "https://", 8) != 0))
        return otad_fail(ei, OTAD_E_INVALID,
                         "--server must begin with http:// or https://, not '%.60s'", base);
    struct remote *r = calloc(1, sizeof *r);
    if (r == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    memcpy(r->base, base, n);
    enum otad_err err = read_key(key_file, key, ei);
    if (err == OTAD_E_OK)
        err = load(r, ei);
    if (err == OTAD_E_OK)
        err = set_up(r, key, ei);
    if (err != OTAD_E_OK)
        remote_close(&r);
    *out = r;
    return err;
}

void remote_close(struct remote **remote)
{
    struct remote *r = *remote;
    if (r == NULL)
        return;
    if (r->curl != NULL)
        r->curl_easy_cleanup(r->curl);
    if (r->headers != NULL)
        r->curl_slist_free_all(r->headers);
    free(r->answer); /* the library stays: what it holds globally goes with the process */
    free(r);
    *remote = NULL;
}

/* The server's own words, or its status. */
static enum otad_err refused(long status, const json_t *answer, struct otad_errinfo *ei)
{
    const json_t *error = json_object_get(answer, "error");
    const char *message = json_string_value(json_object_get(error, "message"));
    const char *hint = json_string_value(json_object_get(error, "hint"));
    if (message != NULL)
        (void)otad_fail(ei, OTAD_E_CONFLICT, "%s", message);
    else
        (void)otad_fail(ei, OTAD_E_CONFLICT, "The server answered with status %ld", status);
    return hint != NULL ? otad_hint(ei, "%s", hint) : OTAD_E_CONFLICT;
}

enum otad_err remote_ask(struct remote *r, const char *path, const json_t *body, json_t **out,
                         struct otad_errinfo *ei)
{
    char url[1024];
    long status = 0;
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    (void)snprintf(url, sizeof url, "%s%s", r->base, path);
    r->n = 0;
    *out = NULL;
    (void)r->curl_easy_setopt(r->curl, CURLOPT_URL, url);
    (void)r->curl_easy_setopt(r->curl, CURLOPT_HTTPGET, 1L);
    if (text != NULL)
        (void)r->curl_easy_setopt(r->curl, CURLOPT_COPYPOSTFIELDS, text);
    CURLcode rc = r->curl_easy_perform(r->curl);
    free(text);
    if (rc != CURLE_OK)
        return otad_fail(ei, OTAD_E_IO, "No answer from %s: %s", r->base,
                         r->curl_easy_strerror(rc));
    (void)r->curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
    *out = r->n > 0 ? json_loads(r->answer, 0, NULL) : NULL;
    if (status >= 200 && status < 300)
        return OTAD_E_OK;
    enum otad_err err = refused(status, *out, ei);
    json_decref(*out);
    *out = NULL;
    return err;
}
