/* SPDX-License-Identifier: MIT
 * The one table of errors: name, HTTP status, stable API string. */
#ifndef OTAD_ERR_H
#define OTAD_ERR_H

/* Row: name, HTTP status, the string in {"error":{"code":…}}. The strings are API: never renamed.
 */
#define OTAD_ERR_TABLE(X)                                                                          \
    X(OK, 200, "ok")                                                                               \
    X(BAD_REQUEST, 400, "bad_request")                                                             \
    X(UNAUTHORIZED, 401, "unauthorized")                                                           \
    X(FORBIDDEN, 403, "forbidden")                                                                 \
    X(NOENT, 404, "not_found")                                                                     \
    X(METHOD, 405, "method_not_allowed")                                                           \
    X(CONFLICT, 409, "conflict")                                                                   \
    X(GONE, 410, "gone")                                                                           \
    X(LENGTH_REQUIRED, 411, "length_required")                                                     \
    X(TOO_LARGE, 413, "too_large")                                                                 \
    X(MEDIA_TYPE, 415, "unsupported_media_type")                                                   \
    X(RANGE, 416, "range_not_satisfiable")                                                         \
    X(MISDIRECTED, 421, "misdirected")                                                             \
    X(INVALID, 422, "invalid")                                                                     \
    X(RATE, 429, "too_many_requests")                                                              \
    X(INTERNAL, 500, "internal")                                                                   \
    X(DB, 500, "database")                                                                         \
    X(IO, 500, "io")                                                                               \
    X(NOMEM, 503, "out_of_memory")                                                                 \
    X(BUSY, 503, "busy")                                                                           \
    X(NOSPACE, 507, "insufficient_storage")

enum otad_err {
#define X(name, status, text) OTAD_E_##name,
    OTAD_ERR_TABLE(X)
#undef X
        OTAD_E_COUNT,
    /* Not an error: the answer will come from a completion (see server/http/wait.h). */
    OTAD_PENDING
};

/** What went wrong, in words for a person. Owned by the caller, no heap: running out of memory
 *  can be reported too. `msg` says what was wrong and what was expected, `hint` what to do. */
struct otad_errinfo {
    enum otad_err code;
    char msg[256];
    char hint[384];
};

#define OTAD_MUSTCHECK __attribute__((warn_unused_result))
#define OTAD_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
/** Runs fn(&variable) when the variable leaves its scope. */
#define OTAD_AUTO(fn) __attribute__((cleanup(fn)))
/** Hands a pointer over: gives its value and sets the variable to NULL. */
#define OTAD_STEAL(p)                                                                              \
    __extension__({                                                                                \
        __typeof__(p) stolen_ = (p);                                                               \
        (p) = NULL;                                                                                \
        stolen_;                                                                                   \
    })
#define OTAD_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/** Fills *ei and returns the code, so that failing stays one line. ei may be NULL. */
enum otad_err otad_fail(struct otad_errinfo *ei, enum otad_err code, const char *fmt, ...)
    OTAD_PRINTF(3, 4);

/** Sets what the reader should do about an error that otad_fail() described. Returns ei->code. */
enum otad_err otad_hint(struct otad_errinfo *ei, const char *fmt, ...) OTAD_PRINTF(2, 3);

/** HTTP status of a code; 500 for a value outside the table. */
unsigned otad_err_status(enum otad_err code);

/** The stable API string of a code; "internal" for a value outside the table. */
const char *otad_err_name(enum otad_err code);

#endif
