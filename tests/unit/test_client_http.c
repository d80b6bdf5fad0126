/* SPDX-License-Identifier: MIT
 * The device client's response parser: each row fed whole, byte by byte, and split at every byte.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "../../client/src/internal.h"
#include "support/unit.h"

#define SHA "00112233445566778899aabbccddeeff0123456789abcdefABCDEF9876543210"
#define MD5 "00112233445566778899aabbccddeeff"
#define OFFER_REST "ETag: \"" SHA "\"\r\nx-MD5: " MD5 "\r\n\r\n"
#define OFFER "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n" OFFER_REST
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X63 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X1024 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64

/* What the port gives, and how much of it at a time. */
struct wire {
    const char *text;
    size_t n, at, piece;
};

static int wire_recv(void *ctx, void *buf, size_t n)
{
    struct wire *wire = ctx;
    size_t give = wire->n - wire->at;
    give = give < wire->piece ? give : wire->piece;
    give = give < n ? give : n;
    memcpy(buf, wire->text + wire->at, give);
    wire->at += give;
    return (int)give;
}

static uint32_t wire_clock(void *ctx)
{
    (void)ctx;
    return 0;
}

static uint8_t work[OTAC_BUF_MIN + OTAC_SIGNATURE_MAX];
static const uint8_t *const signature = work + OTAC_BUF_MIN;

/* Gives the text in pieces of the given size. @return what a check-in would make of it */
static int parse_as(const struct otac_config *config, const char *text, size_t n, size_t piece,
                    struct otac_answer *a, size_t *head_n)
{
    struct wire wire = {text, n, 0, piece};
    const struct otac_port port = {.ctx = &wire, .recv = wire_recv, .clock_ms = wire_clock};
    struct otac client = {.config = config, .port = &port, .buf = work, .buf_n = OTAC_BUF_MIN};
    struct otac_in in = {.c = &client, .room = OTAC_BUF_MIN};
    memset(a, 0, sizeof *a);
    int rc = otac_answer_read(&in, a);
    *head_n = wire.at - (in.n - in.at);
    return rc == OTAC_OK ? otac_answer_judge(a) : rc;
}

static int parse(const char *text, size_t n, size_t piece, struct otac_answer *a, size_t *head_n)
{
    static const struct otac_config config = {.signing = &otac_signing};
    return parse_as(&config, text, n, piece, a, head_n);
}

struct row {
    const char *what, *text;
    int want;
};

/* clang-format off: one row, one case */
static const struct row rows[] = {
    {"an offer",                    OFFER,                                                                           OTAC_OFFER          },
    {"an offer and its body",       OFFER "body",                                                                    OTAC_OFFER          },
    {"no MD5",                      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nETag: \"" SHA "\"\r\n\r\n",             OTAC_OFFER          },
    {"HTTP/1.0",                    "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n" OFFER_REST,                           OTAC_OFFER          },
    {"no phrase",                   "HTTP/1.1 200\r\nContent-Length: 1\r\n" OFFER_REST,                              OTAC_OFFER          },
    {"empty phrase",                "HTTP/1.1 200 \r\nContent-Length: 1\r\n" OFFER_REST,                             OTAC_OFFER          },
    {"odd phrase",                  "HTTP/1.1 200 Pas \xe9 tout\r\nContent-Length: 1\r\n" OFFER_REST,                OTAC_OFFER          },
    {"bare LF",                     "HTTP/1.1 200 OK\nContent-Length: 1\nETag: \"" SHA "\"\n\n",                     OTAC_OFFER          },
    {"other case",                  "HTTP/1.1 200 OK\r\nCONTENT-length: 1\r\neTaG: \"" SHA "\"\r\n\r\n",             OTAC_OFFER          },
    {"space around",                "HTTP/1.1 200 OK\r\nContent-Length: \t 1 \t\r\n" OFFER_REST,                     OTAC_OFFER          },
    {"no space",                    "HTTP/1.1 200 OK\r\nContent-Length:1\r\n" OFFER_REST,                            OTAC_OFFER          },
    {"empty value",                 "HTTP/1.1 200 OK\r\nX-Empty:\r\nContent-Length: 1\r\n" OFFER_REST,               OTAC_OFFER          },
    {"long unknown header",
     "HTTP/1.1 200 OK\r\nSet-Cookie: " X1024 "\r\nContent-Length: 1\r\n" OFFER_REST,                                 OTAC_OFFER          },
    {"long unknown name",           "HTTP/1.1 200 OK\r\n" X64 ": 1\r\nContent-Length: 1\r\n" OFFER_REST,
     OTAC_OFFER                                                                                                                          },
    {"name that begins like one",
     "HTTP/1.1 200 OK\r\nContent-Length-X: 7\r\nContent-Length: 1\r\n" OFFER_REST,                                   OTAC_OFFER          },
    {"interim answers",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n" OFFER,
     OTAC_OFFER                                                                                                                          },
    {"largest length",              "HTTP/1.1 200 OK\r\nContent-Length: 4294967295\r\n" OFFER_REST,                  OTAC_OFFER          },
    {"leading zeros",
     "HTTP/1.1 200 OK\r\nContent-Length: 0000000000000000000000000001\r\n" OFFER_REST,                               OTAC_OFFER          },
    {"broken version is no harm",
     "HTTP/1.1 200 OK\r\nx-version: \x80\r\nContent-Length: 1\r\n" OFFER_REST,                                       OTAC_OFFER          },

    {"nothing new",                 "HTTP/1.1 304 Not Modified\r\nX-Otad-Reason: same_content\r\n\r\n",
     OTAC_UP_TO_DATE                                                                                                                     },
    {"nothing new, chunked",        "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
     OTAC_UP_TO_DATE                                                                                                                     },

    {"nothing at all",              "",                                                                              OTAC_E_NO_ANSWER    },
    {"garbage",                     "\x16\x03\x01 TLS alert",                                                        OTAC_E_NOT_HTTP     },
    {"an HTML page",                "<html>",                                                                        OTAC_E_NOT_HTTP     },
    {"SSH",                         "SSH-2.0-OpenSSH\r\n",                                                           OTAC_E_NOT_HTTP     },
    {"lower case",                  "http/1.1 200 OK\r\n\r\n",                                                       OTAC_E_NOT_HTTP     },
    {"an empty line first",         "\r\nHTTP/1.1 200 OK\r\n\r\n",                                                   OTAC_E_NOT_HTTP     },
    {"a bare LF first",             "\nHTTP/1.1 200 OK\r\n\r\n",                                                     OTAC_E_NOT_HTTP     },
    {"HTTP only",                   "HTTP\r\n",                                                                      OTAC_E_NOT_HTTP     },
    {"HTTP/2",                      "HTTP/2 200\r\n\r\n",                                                            OTAC_E_BAD_STATUS   },
    {"HTTP/1.x",                    "HTTP/1.x 200 OK\r\n\r\n",                                                       OTAC_E_BAD_STATUS   },
    {"two spaces",                  "HTTP/1.1  200 OK\r\n\r\n",                                                      OTAC_E_BAD_STATUS   },
    {"status of two digits",        "HTTP/1.1 20 OK\r\n\r\n",                                                        OTAC_E_BAD_STATUS   },
    {"status of four digits",       "HTTP/1.1 2000 OK\r\n\r\n",                                                      OTAC_E_BAD_STATUS   },
    {"status 099",                  "HTTP/1.1 099 Low\r\n\r\n",                                                      OTAC_E_BAD_STATUS   },
    {"status 600",                  "HTTP/1.1 600 High\r\n\r\n",                                                     OTAC_E_BAD_STATUS   },
    {"status cut",                  "HTTP/1.1 2\r\n\r\n",                                                            OTAC_E_BAD_STATUS   },
    {"CR in the status line",       "HTTP/1.1 200 O\rK\r\n\r\n",                                                     OTAC_E_BAD_STATUS   },
    {"switching protocols",         "HTTP/1.1 101 Switching\r\n\r\n",                                                OTAC_E_BAD_STATUS   },
    {"cut in the status line",      "HTTP/1.1 200 O",                                                                OTAC_E_CUT_HEAD     },
    {"cut in a name",               "HTTP/1.1 200 OK\r\nConte",                                                      OTAC_E_CUT_HEAD     },
    {"cut in a value",              "HTTP/1.1 200 OK\r\nContent-Length: 1",                                          OTAC_E_CUT_HEAD     },
    {"cut before the last LF",      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r",                                    OTAC_E_CUT_HEAD     },

    {"no colon",                    "HTTP/1.1 200 OK\r\nContent-Length 1\r\n\r\n",                                   OTAC_E_BAD_HEADER   },
    {"no colon to the end",         "HTTP/1.1 200 OK\r\nContent\r\n\r\n",                                            OTAC_E_BAD_HEADER   },
    {"no name",                     "HTTP/1.1 200 OK\r\n: 1\r\n\r\n",                                                OTAC_E_BAD_HEADER   },
    {"space before the colon",      "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\n",                                 OTAC_E_BAD_HEADER   },
    {"folded",                      "HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\n\r\n",                                         OTAC_E_BAD_HEADER   },
    {"CR in a value",               "HTTP/1.1 200 OK\r\nX: 1\r2\r\n\r\n",                                            OTAC_E_BAD_HEADER   },
    {"CR in a name",                "HTTP/1.1 200 OK\r\nX\rY: 1\r\n\r\n",                                            OTAC_E_BAD_HEADER   },
    {"CR before a name",            "HTTP/1.1 200 OK\r\n\rX: 1\r\n\r\n",                                             OTAC_E_BAD_HEADER   },
    {"tab in a name",               "HTTP/1.1 200 OK\r\nX\tY: 1\r\n\r\n",                                            OTAC_E_BAD_HEADER   },
    {"endless headers",             "HTTP/1.1 200 OK\r\nX: " X1024 X1024 X1024 X1024,                                OTAC_E_HEAD_TOO_LONG},
    {"endless status line",         "HTTP/1.1 200 " X1024 X1024 X1024 X1024,                                         OTAC_E_HEAD_TOO_LONG},

    {"no length",                   "HTTP/1.1 200 OK\r\n" OFFER_REST,                                                OTAC_E_NO_LENGTH    },
    {"length of words",             "HTTP/1.1 200 OK\r\nContent-Length: many\r\n" OFFER_REST,
     OTAC_E_BAD_LENGTH                                                                                                                   },
    {"empty length",                "HTTP/1.1 200 OK\r\nContent-Length: \r\n" OFFER_REST,                            OTAC_E_BAD_LENGTH   },
    {"negative length",             "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n" OFFER_REST,                          OTAC_E_BAD_LENGTH   },
    {"signed length",               "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n" OFFER_REST,                          OTAC_E_BAD_LENGTH   },
    {"hex length",                  "HTTP/1.1 200 OK\r\nContent-Length: 0x10\r\n" OFFER_REST,                        OTAC_E_BAD_LENGTH   },
    {"two lengths in one",          "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n" OFFER_REST,
     OTAC_E_BAD_LENGTH                                                                                                                   },
    {"length with a gap",           "HTTP/1.1 200 OK\r\nContent-Length: 1 1\r\n" OFFER_REST,
     OTAC_E_BAD_LENGTH                                                                                                                   },
    {"length of 2^32",              "HTTP/1.1 200 OK\r\nContent-Length: 4294967296\r\n" OFFER_REST,
     OTAC_E_BAD_LENGTH                                                                                                                   },
    {"length of 2^64",              "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n" OFFER_REST,
     OTAC_E_BAD_LENGTH                                                                                                                   },
    {"length beyond all",
     "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n" OFFER_REST,
     OTAC_E_BAD_LENGTH                                                                                                                   },
    {"length twice",                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n" OFFER_REST,
     OTAC_E_DUPLICATE                                                                                                                    },
    {"MD5 twice",                   "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nx-md5: " MD5 "\r\n" OFFER_REST,
     OTAC_E_DUPLICATE                                                                                                                    },
    {"empty image",                 "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" OFFER_REST,                           OTAC_E_EMPTY        },
    {"chunked",                     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" OFFER_REST,                  OTAC_E_CHUNKED      },
    {"chunked and a length",
     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: identity\r\n" OFFER_REST,
     OTAC_E_CHUNKED                                                                                                                      },
    {"compressed",                  "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Encoding: gzip\r\n" OFFER_REST,
     OTAC_E_ENCODED                                                                                                                      },
    {"no ETag",                     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nx-MD5: " MD5 "\r\n\r\n",                OTAC_E_NO_SHA256    },
    {"weak ETag",                   "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nETag: W/\"" SHA "\"\r\n\r\n",
     OTAC_E_NO_SHA256                                                                                                                    },
    {"bare ETag",                   "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nETag: " SHA "\r\n\r\n",
     OTAC_E_NO_SHA256                                                                                                                    },
    {"ETag of another kind",        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nETag: \"64a1-5\"\r\n\r\n",
     OTAC_E_NO_SHA256                                                                                                                    },
    {"ETag not closed",             "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nETag: \"" SHA "\r\n\r\n",
     OTAC_E_NO_SHA256                                                                                                                    },
    {"ETag too long",               "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nETag: \"" SHA "\"0\r\n\r\n",
     OTAC_E_NO_SHA256                                                                                                                    },
    {"ETag with a gap",             "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nETag: \"" SHA "\" 0\r\n\r\n",
     OTAC_E_NO_SHA256                                                                                                                    },
    {"short MD5",
     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nx-MD5: 0011\r\nETag: \"" SHA "\"\r\n\r\n",
     OTAC_E_BAD_MD5                                                                                                                      },
    {"MD5 in base64",
     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nx-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==\r\nETag: \"" SHA
     "\"\r\n\r\n",                                                                                                   OTAC_E_BAD_MD5      },

    {"moved",                       "HTTP/1.1 301 Moved\r\nLocation: https://x/\r\n\r\n",                            OTAC_E_REDIRECT     },
    {"found",                       "HTTP/1.1 302 Found\r\nTransfer-Encoding: chunked\r\n\r\n",                      OTAC_E_REDIRECT     },
    {"permanent redirect",          "HTTP/1.1 308 Permanent Redirect\r\n\r\n",                                       OTAC_E_REDIRECT     },
    {"unauthorized",                "HTTP/1.1 401 Unauthorized\r\n\r\n",                                             OTAC_E_UNAUTHORIZED },
    {"forbidden",                   "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",                           OTAC_E_REFUSED      },
    {"not found",                   "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",                           OTAC_E_NOT_FOUND    },
    {"gone",                        "HTTP/1.1 410 Gone\r\n\r\n",                                                     OTAC_E_GONE         },
    {"too many",                    "HTTP/1.1 429 Too Many Requests\r\n\r\n",                                        OTAC_E_BUSY         },
    {"unavailable",                 "HTTP/1.1 503 Service Unavailable\r\n\r\n",                                      OTAC_E_BUSY         },
    {"no content",                  "HTTP/1.1 204 No Content\r\n\r\n",                                               OTAC_E_STATUS       },
    {"partial",                     "HTTP/1.1 206 Partial Content\r\n\r\n",                                          OTAC_E_NO_LENGTH    },
    {"no rest",                     "HTTP/1.1 416 Range Not Satisfiable\r\n\r\n",                                    OTAC_E_NO_REST      },
    {"the rest without a range",    "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\n" OFFER_REST,
     OTAC_E_RANGE                                                                                                                        },
    {"the rest",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes "
     "5-9/10\r\n" OFFER_REST,
     OTAC_OFFER                                                                                                                          },
    {"the rest with space behind",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 5-9/10  "
     "\r\n" OFFER_REST,
     OTAC_OFFER                                                                                                                          },
    {"the rest in capitals",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: BYTES "
     "5-9/10\r\n" OFFER_REST,
     OTAC_OFFER                                                                                                                          },
    {"all as the rest",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes "
     "0-4/5\r\n" OFFER_REST,
     OTAC_OFFER                                                                                                                          },
    {"last of 4 GiB",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes "
     "4294967290-4294967294/4294967295\r\n" OFFER_REST,
     OTAC_OFFER                                                                                                                          },
    {"rest shorter than its range",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes "
     "5-10/11\r\n" OFFER_REST,
     OTAC_E_RANGE                                                                                                                        },
    {"rest from behind",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes "
     "9-5/6\r\n" OFFER_REST,
     OTAC_E_RANGE                                                                                                                        },
    {"range before the end",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes "
     "5-9/11\r\n" OFFER_REST,
     OTAC_E_RANGE                                                                                                                        },
    {"range of unknown total",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes "
     "5-9/*\r\n" OFFER_REST,
     OTAC_E_RANGE                                                                                                                        },
    {"range of no unit",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: 5-9/10\r\n" OFFER_REST,
     OTAC_E_RANGE                                                                                                                        },
    {"range of another unit",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: lines "
     "5-9/10\r\n" OFFER_REST,
     OTAC_E_RANGE                                                                                                                        },
    {"range with a tab",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: "
     "bytes\t5-9/10\r\n" OFFER_REST,
     OTAC_E_RANGE                                                                                                                        },
    {"range without first",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes "
     "-9/10\r\n" OFFER_REST,
     OTAC_E_RANGE                                                                                                                        },
    {"range without last",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes "
     "5-/10\r\n" OFFER_REST,
     OTAC_E_RANGE                                                                                                                        },
    {"range without total",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes "
     "5-9/\r\n" OFFER_REST,
     OTAC_E_RANGE                                                                                                                        },
    {"range cut in first",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 5\r\n" OFFER_REST,
     OTAC_E_RANGE                                                                                                                        },
    {"range that only looks whole",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 1\r\n" OFFER_REST,
     OTAC_E_RANGE                                                                                                                        },
    {"range cut in last",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 5-9\r\n" OFFER_REST,
     OTAC_E_RANGE                                                                                                                        },
    {"range cut in the unit",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: byt\r\n" OFFER_REST,
     OTAC_E_RANGE                                                                                                                        },
    {"range unsatisfied",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes "
     "*/10\r\n" OFFER_REST,
     OTAC_E_RANGE                                                                                                                        },
    {"range with too much",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 5-9/10 "
     "11\r\n" OFFER_REST,
     OTAC_E_RANGE                                                                                                                        },
    {"range with more",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes "
     "5-9/10,\r\n" OFFER_REST,
     OTAC_E_RANGE                                                                                                                        },
    {"range beyond 32 bits",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes "
     "4294967296-4294967300/4294967301\r\n" OFFER_REST,
     OTAC_E_RANGE                                                                                                                        },
    {"range beyond 64 bits",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes "
     "5-9/18446744073709551626\r\n" OFFER_REST,
     OTAC_E_RANGE                                                                                                                        },
    {"range of nothing",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes "
     "5-9/0\r\n" OFFER_REST,
     OTAC_E_RANGE                                                                                                                        },
    {"range that wraps",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes "
     "4294967291-4294967295/0\r\n" OFFER_REST,
     OTAC_E_RANGE                                                                                                                        },
    {"value that ends in a tab",    "HTTP/1.1 200 OK\r\nContent-Length: 1\t\r\n" OFFER_REST,
     OTAC_OFFER                                                                                                                          },
    {"range with a word",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 5-9/10 "
     "x\r\n" OFFER_REST,
     OTAC_E_RANGE                                                                                                                        },
    {"two ranges",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes "
     "5-9/10\r\nContent-Range: bytes 5-9/10\r\n" OFFER_REST,
     OTAC_E_DUPLICATE                                                                                                                    },
    {"server error",                "HTTP/1.1 500 Internal Server Error\r\n\r\n",                                    OTAC_E_STATUS       },
};
/* clang-format on */

START_TEST(answer_in_any_pieces_gives_the_same)
{
    const struct row *row = &rows[_i];
    size_t n = strlen(row->text);
    size_t whole_n = 0;
    struct otac_answer whole;
    int got = parse(row->text, n, n + 1, &whole, &whole_n);
    ck_assert_msg(got == row->want, "%s: %s, want %s", row->what, otac_err_word(got),
                  otac_err_word(row->want));
    for (size_t piece = 1; piece < n; piece = piece < 40 ? piece + 1 : piece * 2) {
        struct otac_answer a;
        size_t head_n = 0;
        got = parse(row->text, n, piece, &a, &head_n);
        ck_assert_msg(got == row->want, "%s in pieces of %zu: %d", row->what, piece, got);
        if (got < 0)
            continue;
        ck_assert_uint_eq(head_n, whole_n);
        ck_assert_mem_eq(&a, &whole, sizeof a);
    }
}
END_TEST

START_TEST(nul_is_no_text)
{
    static const char name[] = "HTTP/1.1 200 OK\r\nX\0Y: 1\r\n\r\n",
                      value[] = "HTTP/1.1 200 OK\r\nX: \0\r\n\r\n",
                      first[] = "\0HTTP/1.1 200 OK\r\n\r\n";
    struct otac_answer a;
    size_t head_n;
    ck_assert_int_eq(parse(name, sizeof name - 1, 3, &a, &head_n), OTAC_E_BAD_HEADER);
    ck_assert_int_eq(parse(value, sizeof value - 1, 3, &a, &head_n), OTAC_E_BAD_HEADER);
    ck_assert_int_eq(parse(first, sizeof first - 1, 3, &a, &head_n), OTAC_E_NOT_HTTP);
}
END_TEST

START_TEST(answer_values_arrive)
{
    static const char text[] = "HTTP/1.1 200 OK\r\n"
                               "x-version: 1.2.0 (build 7) \r\n"
                               "X-Otad-Build: 18446744073709551615\r\n"
                               "X-Otad-Reason: same_content\r\n"
                               "Retry-After: 120\r\n"
                               "Content-Length: 869965\r\n" OFFER_REST "body";
    static const uint8_t sha[] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa,
                                  0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab,
                                  0xcd, 0xef, 0xab, 0xcd, 0xef, 0x98, 0x76, 0x54, 0x32, 0x10};
    struct otac_answer a;
    size_t head_n;
    ck_assert_int_eq(parse(text, sizeof text - 1, 3, &a, &head_n), OTAC_OFFER);
    ck_assert_str_eq(text + head_n, "body");
    ck_assert_uint_eq(a.status, 200);
    ck_assert_uint_eq(a.image.size, 869965);
    ck_assert_uint_eq(a.image.build, UINT64_MAX);
    ck_assert_str_eq(a.image.version, "1.2.0 (build 7)");
    ck_assert_str_eq(a.reason, "same_content");
    ck_assert_uint_eq(a.retry_after_s, 120);
    ck_assert_mem_eq(a.image.sha256, sha, sizeof sha);
    ck_assert(a.have >> OTAC_FIELD_MD5 & 1);
    ck_assert_mem_eq(a.md5, sha, sizeof a.md5);
}
END_TEST

struct value_row {
    const char *what, *header;
    const char *version, *reason;
    uint32_t retry_after_s;
    uint64_t build;
};

/* clang-format off */
static const struct value_row value_rows[] = {
    {"nothing", "", "", "", 0, 0},
    {"longest version", "x-version: " X63, X63, "", 0, 0},
    {"version too long is cut", "x-version: " X63 "yz", X63, "", 0, 0},
    {"version with bytes above ASCII", "x-version: 1\xc3\xa9\x7f", "1???", "", 0, 0},
    {"version with a tab", "x-version: 1\t2", "1", "", 0, 0},
    {"blank version", "x-version:  ", "", "", 0, 0},
    {"longest reason", "X-Otad-Reason: 1234567890123456789012345678901", "", "1234567890123456789012345678901", 0, 0},
    {"reason too long is cut", "X-Otad-Reason: 12345678901234567890123456789012345", "", "1234567890123456789012345678901", 0, 0},
    {"reason in another language", "X-Otad-Reason: a\xff", "", "a?", 0, 0},
    {"retry of no time", "Retry-After: 0", "", "", 0, 0},
    {"retry at a date", "Retry-After: Fri, 31 Dec 2027 23:59:59 GMT", "", "", 0, 0},
    {"retry in ages", "Retry-After: 99999999999", "", "", UINT32_MAX, 0},
    {"retry beyond numbers", "Retry-After: 99999999999999999999999", "", "", 0, 0},
    {"build 2^64", "X-Otad-Build: 18446744073709551616", "", "", 0, 0},
    {"negative build", "X-Otad-Build: -5", "", "", 0, 0},
    {"build", "X-Otad-Build: 7", "", "", 0, 7},
    {"only the first counts", "X-Otad-Build: 7\r\nX-Otad-Build: 8", "", "", 0, 7},
};
/* clang-format on */

START_TEST(answer_values_at_their_edges)
{
    const struct value_row *row = &value_rows[_i];
    char text[512];
    struct otac_answer a;
    size_t head_n;
    int n = snprintf(text, sizeof text, "HTTP/1.1 304 Not Modified\r\n%s%s\r\n", row->header,
                     row->header[0] != '\0' ? "\r\n" : "");
    ck_assert_int_eq(parse(text, (size_t)n, 1, &a, &head_n), OTAC_UP_TO_DATE);
    ck_assert_msg(strcmp(a.image.version, row->version) == 0, "%s: %s", row->what, a.image.version);
    ck_assert_msg(strcmp(a.reason, row->reason) == 0, "%s: %s", row->what, a.reason);
    ck_assert_msg(a.retry_after_s == row->retry_after_s, "%s: %u", row->what, a.retry_after_s);
    ck_assert_msg(a.image.build == row->build, "%s", row->what);
}
END_TEST

struct signed_row {
    const char *what, *headers;
    int want;
};

/* clang-format off */
#define COUNTER "x-otad-counter: 7\r\n"
#define A107 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
static const struct signed_row signed_rows[] = {
    {"signed", "x-otad-signature: AP+/aZ09\r\n" COUNTER, OTAC_OK},
    {"one byte of padding", "x-otad-signature: AP8=\r\n" COUNTER, OTAC_OK},
    {"two bytes of padding", "x-otad-signature: AA==\r\n" COUNTER, OTAC_OK},
    {"80 bytes", "x-otad-signature: " A107 "=\r\n" COUNTER, OTAC_OK},
    {"81 bytes", "x-otad-signature: " A107 "A\r\n" COUNTER, OTAC_E_BAD_SIGNATURE},
    {"nothing", "", OTAC_E_NO_SIGNATURE},
    {"no counter", "x-otad-signature: AA==\r\n", OTAC_E_NO_SIGNATURE},
    {"no signature", COUNTER, OTAC_E_NO_SIGNATURE},
    {"empty signature", "x-otad-signature: \r\n" COUNTER, OTAC_E_BAD_SIGNATURE},
    {"cut signature", "x-otad-signature: AAA\r\n" COUNTER, OTAC_E_BAD_SIGNATURE},
    {"padding too early", "x-otad-signature: A===\r\n" COUNTER, OTAC_E_BAD_SIGNATURE},
    {"padding in the middle", "x-otad-signature: AA=A\r\n" COUNTER, OTAC_E_BAD_SIGNATURE},
    {"padding after the end", "x-otad-signature: AAAA=\r\n" COUNTER, OTAC_E_BAD_SIGNATURE},
    {"no base64 above", "x-otad-signature: AA{=\r\n" COUNTER, OTAC_E_BAD_SIGNATURE},
    {"no base64", "x-otad-signature: AA*=\r\n" COUNTER, OTAC_E_BAD_SIGNATURE},
    {"largest counter", "x-otad-signature: AA==\r\nx-otad-counter: 4294967295\r\n", OTAC_OK},
    {"counter too large", "x-otad-signature: AA==\r\nx-otad-counter: 4294967296\r\n", OTAC_E_BAD_SIGNATURE},
    {"empty counter", "x-otad-signature: AA==\r\nx-otad-counter: \r\n", OTAC_E_BAD_SIGNATURE},
    {"counter of words", "x-otad-signature: AA==\r\nx-otad-counter: x\r\n", OTAC_E_BAD_SIGNATURE},
};
/* clang-format on */

START_TEST(answer_tells_its_signature)
{
    const struct signed_row *row = &signed_rows[_i];
    char text[512];
    struct otac_answer a;
    size_t head_n;
    int n = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s\r\n", row->headers);
    (void)parse(text, (size_t)n, 1, &a, &head_n);
    int rc = otac_answer_signed(&a);
    ck_assert_msg(rc == row->want, "%s: %s", row->what, otac_err_word(rc));
}
END_TEST

START_TEST(signature_is_decoded)
{
    static const uint8_t want[] = {0x00, 0xff, 0xbf, 0x69, 0x9d, 0x3d};
    static const char head[] = "HTTP/1.1 200 OK\r\nx-otad-signature: AP+/aZ09\r\nx-otad-counter: "
                               "4294967295\r\n\r\n";
    struct otac_answer a;
    size_t head_n;
    (void)parse(head, sizeof head - 1, 1, &a, &head_n);
    ck_assert_uint_eq(a.signature_n, sizeof want);
    ck_assert_mem_eq(signature, want, sizeof want);
    ck_assert_uint_eq(a.counter, UINT32_MAX);
    static const struct otac_config config = {.host = "h"}; /* nobody asks for it */
    (void)parse_as(&config, head, sizeof head - 1, 1, &a, &head_n);
    ck_assert_uint_eq(a.signature_n, 0);
}
END_TEST

START_TEST(head_of_exactly_the_limit_is_taken)
{
    static const char start[] = "HTTP/1.1 304 Not Modified\r\nX: ";
    static char text[OTAC_HEAD_MAX + 1];
    struct otac_answer a;
    size_t head_n;
    memset(text, 'x', sizeof text);
    memcpy(text, start, sizeof start - 1);
    memcpy(text + OTAC_HEAD_MAX - 4, "\r\n\r\n", 4);
    ck_assert_int_eq(parse(text, OTAC_HEAD_MAX, 100, &a, &head_n), OTAC_UP_TO_DATE);
    memset(text + OTAC_HEAD_MAX - 4, 'x', 4);
    memcpy(text + OTAC_HEAD_MAX - 3, "\r\n\r\n", 4);
    ck_assert_int_eq(parse(text, OTAC_HEAD_MAX + 1, 100, &a, &head_n), OTAC_E_HEAD_TOO_LONG);
}
END_TEST

START_TEST(nul_is_no_part_of_a_head)
{
    static const char name[] = "HTTP/1.1 200 OK\r\nX\0Y: 1\r\n\r\n";
    static const char value[] = "HTTP/1.1 200 OK\r\nX: 1\0\r\n\r\n";
    static const char first[] = "\0HTTP/1.1 200 OK\r\n\r\n";
    struct otac_answer a;
    size_t head_n;
    ck_assert_int_eq(parse(name, sizeof name - 1, 100, &a, &head_n), OTAC_E_BAD_HEADER);
    ck_assert_int_eq(parse(value, sizeof value - 1, 100, &a, &head_n), OTAC_E_BAD_HEADER);
    ck_assert_int_eq(parse(first, sizeof first - 1, 100, &a, &head_n), OTAC_E_NOT_HTTP);
}
END_TEST

START_TEST(errors_have_words_and_sentences)
{
#define X(name, value, word, text) value,
    static const int all[] = {OTAC_ERR_TABLE(X)};
#undef X
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        ck_assert_int_lt(all[i], -200); /* stock updaters use the numbers above */
        ck_assert_str_ne(otac_err_word(all[i]), "unknown");
        ck_assert_uint_gt(strlen(otac_err_text(all[i])), 10);
        for (size_t k = 0; k < i; k++)
            ck_assert_str_ne(otac_err_word(all[i]), otac_err_word(all[k]));
    }
    ck_assert_str_eq(otac_err_word(OTAC_OK), "ok");
    ck_assert_str_eq(otac_err_text(OTAC_OK), "all is well");
    ck_assert_str_eq(otac_err_word(-9999), "unknown");
    ck_assert_uint_gt(strlen(otac_err_text(-9999)), 10);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("client_http");
    TCase *tc = tcase_create("answer");
    tcase_add_loop_test(tc, answer_in_any_pieces_gives_the_same, 0, sizeof rows / sizeof rows[0]);
    tcase_add_test(tc, nul_is_no_text);
    tcase_add_test(tc, answer_values_arrive);
    tcase_add_loop_test(tc, answer_values_at_their_edges, 0,
                        sizeof value_rows / sizeof value_rows[0]);
    tcase_add_loop_test(tc, answer_tells_its_signature, 0,
                        sizeof signed_rows / sizeof signed_rows[0]);
    tcase_add_test(tc, signature_is_decoded);
    tcase_add_test(tc, head_of_exactly_the_limit_is_taken);
    tcase_add_test(tc, nul_is_no_part_of_a_head);
    tcase_add_test(tc, errors_have_words_and_sentences);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
