/* SPDX-License-Identifier: MIT
 * Error numbers in words: every number the clients have, each with its own chip's meaning, and
 * never one without the chip. */
#include <stdio.h>
#include <string.h>

#include "fleet/meaning.h"
#include "otad/err.h"
#include "support/unit.h"

#define E8266 MEANING_OF_ESP8266
#define E32 MEANING_OF_ESP32
#define IDF MEANING_OF_IDF
#define HOME MEANING_OF_ESPHOME
#define ANY MEANING_OF_ANY

static const struct {
    enum meaning_of whose;
    int64_t code;
    const char *want; /* begins so; NULL: no meaning */
} rows[] = {
    {E8266, -100,      "Not enough space: the new image must fit into what is left beside"                 },
    {E32,   -100,      "Not enough space: the image is larger than the other app partition"                },
    {E8266, -101,      "Server did not report the size: "                                                  },
    {E32,   -101,      "Server did not report the size: "                                                  },
    {E8266, -102,      "File not found (404): "                                                            },
    {E32,   -102,      "File not found (404): "                                                            },
    {E8266, -103,      "Forbidden (403): "                                                                 },
    {E32,   -103,      "Forbidden (403): "                                                                 },
    {E8266, -104,      "Wrong HTTP code: "                                                                 },
    {E32,   -104,      "Wrong HTTP code: "                                                                 },
    {E8266, -105,      "Wrong MD5: "                                                                       },
    {E32,   -105,      "Wrong MD5: "                                                                       },
    {E8266, -106,      "Verify bin header failed: what arrived is not an image at its first byte"          },
    {E32,   -106,      "Verify bin header failed: what arrived is not an image at its first byte"          },
    {E8266, -107,      "New binary does not fit the flash size: "                                          },
    {E32,   -107,      "New binary does not fit the flash size: "                                          },
    {E8266, -108,      "Unauthorized (401): "                                                              },
    {E32,   -108,      "Partition could not be found: "                                                    },
    {E8266, -109,      "Server did not report the version: "                                               },
    {E32,   -109,      "Wrong SHA-256: "                                                                   },
    {E8266, -110,      NULL                                                                                },
    {E32,   -110,      NULL                                                                                },
    {E8266, -99,       NULL                                                                                },
    {E8266, -1,        "Connection failed or refused: "                                                    },
    {E32,   -1,        "Connection failed or refused: "                                                    },
    {E8266, -2,        "Sending the request's head failed: "                                               },
    {E8266, -3,        "Sending the request's body failed: "                                               },
    {E8266, -4,        "Not connected: "                                                                   },
    {E8266, -5,        "Connection lost: "                                                                 },
    {E8266, -6,        "No stream: "                                                                       },
    {E8266, -7,        "No HTTP server: "                                                                  },
    {E8266, -8,        "Not enough RAM: "                                                                  },
    {E8266, -9,        "Transfer-Encoding not supported: "                                                 },
    {E8266, -10,       "Writing the stream failed: "                                                       },
    {E8266, -11,       "Read timeout: "                                                                    },
    {E32,   -11,       "Read timeout: "                                                                    },
    {E8266, -12,       NULL                                                                                },
    {E8266, 0,         NULL                                                                                },
    {E32,   0,         NULL                                                                                },
    {E8266, 1,         "Flash write failed: "                                                              },
    {E8266, 2,         "Flash erase failed: "                                                              },
    {E8266, 3,         "Flash read failed: "                                                               },
    {E8266, 4,         "Not enough space: the new image must fit into what is left beside"                 },
    {E8266, 5,         "Bad size given: "                                                                  },
    {E8266, 6,         "Stream read timeout: "                                                             },
    {E8266, 7,         "MD5 verification failed: "                                                         },
    {E8266, 8,         "Flash config wrong: "                                                              },
    {E8266, 9,         "New flash config wrong: "                                                          },
    {E8266, 10,        "Magic byte is not 0xE9: "                                                          },
    {E8266, 11,        "Invalid bootstrapping state: press reset once"                                     },
    {E8266, 12,        "Signature verification failed: "                                                   },
    {E8266, 13,        "No data supplied: "                                                                },
    {E8266, 14,        "Out of memory: "                                                                   },
    {E8266, 15,        "Update already running: "                                                          },
    {E8266, 16,        "Unknown update command: "                                                          },
    {E8266, 17,        NULL                                                                                },
    {E32,   1,         "Flash write failed: "                                                              },
    {E32,   2,         "Flash erase failed: "                                                              },
    {E32,   3,         "Flash read failed: "                                                               },
    {E32,   4,         "Not enough space: "                                                                },
    {E32,   5,         "Bad size given: "                                                                  },
    {E32,   6,         "Stream read timeout: "                                                             },
    {E32,   7,         "MD5 check failed: "                                                                },
    {E32,   8,         "Wrong magic byte: "                                                                },
    {E32,   9,         "Could not activate the firmware: "                                                 },
    {E32,   10,        "Partition could not be found: "                                                    },
    {E32,   11,        "Bad argument: "                                                                    },
    {E32,   12,        "Aborted: "                                                                         },
    {E32,   13,        "Decryption error: "                                                                },
    {E32,   14,        "Signature verification failed: "                                                   },
    {E32,   15,        "SHA-256 check failed: "                                                            },
    {E32,   16,        "SHA-512 check failed: "                                                            },
    {E32,   17,        NULL                                                                                },
    {IDF,   0x1500,    NULL                                                                                },
    {IDF,   0x1501,    "ESP_ERR_OTA_PARTITION_CONFLICT: "                                                  },
    {IDF,   0x1502,    "ESP_ERR_OTA_SELECT_INFO_INVALID: "                                                 },
    {IDF,   0x1503,    "ESP_ERR_OTA_VALIDATE_FAILED: "                                                     },
    {IDF,   0x1504,    "ESP_ERR_OTA_SMALL_SEC_VER: "                                                       },
    {IDF,   0x1505,    "ESP_ERR_OTA_ROLLBACK_FAILED: "                                                     },
    {IDF,   0x1506,    "ESP_ERR_OTA_ROLLBACK_INVALID_STATE: "                                              },
    {IDF,   0x1507,    "ESP_ERR_OTA_ALREADY_IN_PROGRESS: "                                                 },
    {IDF,   0x1508,    "ESP_ERR_OTA_SPI_MODE_MISMATCH: "                                                   },
    {IDF,   0x2001,    "ESP_ERR_IMAGE_FLASH_FAIL: "                                                        },
    {IDF,   0x2002,    "ESP_ERR_IMAGE_INVALID: "                                                           },
    {IDF,   0x7001,    "ESP_ERR_HTTP_MAX_REDIRECT: "                                                       },
    {IDF,   0x7002,    "ESP_ERR_HTTP_CONNECT: "                                                            },
    {IDF,   0x7003,    "ESP_ERR_HTTP_WRITE_DATA: "                                                         },
    {IDF,   0x7004,    "ESP_ERR_HTTP_FETCH_HEADER: "                                                       },
    {IDF,   0x7005,    "ESP_ERR_HTTP_INVALID_TRANSPORT: "                                                  },
    {IDF,   0x7006,    "ESP_ERR_HTTP_CONNECTING: "                                                         },
    {IDF,   0x7007,    "ESP_ERR_HTTP_EAGAIN: "                                                             },
    {IDF,   0x7008,    "ESP_ERR_HTTP_CONNECTION_CLOSED: "                                                  },
    {IDF,   0x7009,    "ESP_ERR_HTTP_NOT_MODIFIED: "                                                       },
    {IDF,   0x700A,    "ESP_ERR_HTTP_RANGE_NOT_SATISFIABLE: "                                              },
    {IDF,   0x700B,    "ESP_ERR_HTTP_READ_TIMEOUT: "                                                       },
    {IDF,   0x700C,    "ESP_ERR_HTTP_INCOMPLETE_DATA: "                                                    },
    {IDF,   0x700D,    "ESP_ERR_HTTP_REDIRECT_DOWNGRADE: "                                                 },
    {IDF,   0x700E,    "ESP_ERR_HTTP_HEADER_TOO_LONG: "                                                    },
    {IDF,   0x9001,    "ESP_ERR_HTTPS_OTA_IN_PROGRESS: "                                                   },
    {IDF,   16,        NULL                                                                                },
    {E32,   0x1503,    "ESP_ERR_OTA_VALIDATE_FAILED: "                                                     },
    {E8266, 0x1503,    NULL                                                                                },
    {HOME,  0x10,      "MD5 invalid: "                                                                     },
    {HOME,  0x11,      "Bad URL: "                                                                         },
    {HOME,  0x12,      "Connection error: "                                                                },
    {HOME,  0x80,      "Magic byte wrong: "                                                                },
    {HOME,  0x81,      "Update could not be prepared: "                                                    },
    {HOME,  0x82,      "Password wrong: "                                                                  },
    {HOME,  0x83,      "Writing the flash failed: "                                                        },
    {HOME,  0x84,      "Update could not be finished: "                                                    },
    {HOME,  0x85,      "Invalid bootstrapping state: press reset once"                                     },
    {HOME,  0x86,      "Wrong current flash config: "                                                      },
    {HOME,  0x87,      "Wrong new flash config: "                                                          },
    {HOME,  0x88,      "Not enough space on the ESP8266: "                                                 },
    {HOME,  0x89,      "Not enough space on the ESP32: "                                                   },
    {HOME,  0x8A,      "No update partition: "                                                             },
    {HOME,  0x8B,      "MD5 mismatch: "                                                                    },
    {HOME,  0x8C,      "Not enough space on the RP2040: "                                                  },
    {HOME,  0xFF,      "Unknown error: "                                                                   },
    {HOME,  -106,      NULL                                                                                },
    {ANY,   0,         NULL                                                                                },
    {ANY,   404,       NULL                                                                                },
    {ANY,   -108,
     "The chip is not known. -108 is, on an ESP8266, ‘Unauthorized (401)’; on an "
     "ESP32, ‘Partition could not be found’"                                                           },
    {ANY,   -5,        "The chip is not known. -5 is, on an ESP8266 and on an ESP32, ‘Connection lost’"},
    {ANY,   16,
     "The chip is not known. 16 is, on an ESP8266, ‘Unknown update command’; on an "
     "ESP32, ‘SHA-512 check failed’; in ESPHome, ‘MD5 invalid’"                                    },
    {ANY,   0x1503,
     "The chip is not known. 5379 is, on an ESP32 and in ESP-IDF, "
     "‘ESP_ERR_OTA_VALIDATE_FAILED’"                                                                   },
    {ANY,   INT64_MIN, NULL                                                                                },
    {E32,   INT64_MAX, NULL                                                                                },
};

START_TEST(number_has_the_meaning_of_its_chip)
{
    char text[MEANING_MAX];
    memset(text, '#', sizeof text);
    bool known = meaning_text(rows[_i].whose, rows[_i].code, text);
    ck_assert_msg(known == (rows[_i].want != NULL), "%d %lld: '%s'", (int)rows[_i].whose,
                  (long long)rows[_i].code, text);
    const char *want = known ? rows[_i].want : "";
    ck_assert_msg(strncmp(text, want, strlen(want)) == 0, "%d %lld: '%s' instead of '%s…'",
                  (int)rows[_i].whose, (long long)rows[_i].code, text, want);
    ck_assert(known || text[0] == '\0');
}
END_TEST

/* None is cut, and none ends in the middle of what there is to do. */
START_TEST(every_text_fits)
{
    char text[MEANING_MAX];
    size_t known = 0;
    for (int whose = 0; whose < MEANING_OF_COUNT; whose++)
        for (int64_t code = -200; code < 0xa000; code++)
            if (meaning_text((enum meaning_of)whose, code, text)) {
                ck_assert_msg(strlen(text) < MEANING_MAX - 1, "%lld: %s", (long long)code, text);
                known++;
            }
    ck_assert_uint_gt(known, 150);
}
END_TEST

static const struct {
    const char *chip, *agent;
    enum meaning_of want;
} devices[] = {
    {"ESP8266",  "ESP8266-http-Update",                   E8266},
    {"",         "ESP8266-http-Update",                   E8266},
    {"",         "ESP8266HTTPClient",                     E8266},
    {"",         "ESP32-http-Update",                     E32  },
    {"",         "ESP32HTTPClient",                       E32  },
    {"ESP32-C3", "",                                      E32  },
    {"ESP32",    "curl/8.0",                              E32  },
    {"ESP32-S3", "ESP32 HTTP Client/1.0",                 IDF  },
    {"",         "ESP32 HTTP Client/1.0",                 IDF  },
    {"",         "ESPHome/2025.1.0 (https://esphome.io)", HOME },
    {"ESP8266",  "ESPHome/2025.1.0",                      HOME },
    {"",         "curl/8.0",                              ANY  },
    {"",         "",                                      ANY  },
    {"RP2040",   "ESP32-http-Update",                     ANY  },
};

START_TEST(device_says_whose_numbers_it_reports)
{
    ck_assert_msg(meaning_whose(devices[_i].chip, devices[_i].agent) == devices[_i].want, "%s, %s",
                  devices[_i].chip, devices[_i].agent);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("meaning");
    TCase *t = tcase_create("meaning");
    tcase_add_loop_test(t, number_has_the_meaning_of_its_chip, 0, (int)OTAD_COUNT(rows));
    tcase_add_test(t, every_text_fits);
    tcase_add_loop_test(t, device_says_whose_numbers_it_reports, 0, (int)OTAD_COUNT(devices));
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
