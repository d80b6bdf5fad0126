/* SPDX-License-Identifier: MIT
 * The device side of otad: checks in, streams an image into the slot that does not run, proves
 * what was written and only then lets it boot, and tells the server how it went.
 *
 * Portable C99: no heap, no stdio, no recursion, no global state. All memory is the caller's
 * (struct otac and one work buffer), all I/O goes through struct otac_port. Not reentrant: one
 * task at a time may use one struct otac.
 *
 *     static struct otac client;
 *     static uint8_t work[512];
 *
 *     if (otac_init(&client, &config, &port, work, sizeof work) != OTAC_OK)
 *         return;                             // the device does its work, without updates
 *     for (;;) {
 *         int rc = otac_update(&client);
 *         if (rc == OTAC_UPDATED)
 *             restart();                      // boots the new image, which calls otac_init()
 *         if (rc == OTAC_UP_TO_DATE && self_test_passed())
 *             rc = otac_confirm(&client);     // this image stays; needed only with trial_boots
 *         otac_wait(&client, 3600);
 *     }
 *
 * The rule that everything here serves: the slot that runs is never written, and the boot record
 * names another slot only after its image was read back from flash and its SHA-256 was right.
 *
 * Four things are there for those who ask for them, and cost nothing else:
 *  resume      port.slot_resume and .resume_step: a download that broke goes on, also after a
 *              restart, where the flash was complete and the record knows it
 *  trial       config.trial_boots, otac_boot(), otac_confirm(): a new image that nobody confirms
 *              makes way for the one before
 *  signatures  config.signing, config.sign_keys and port.verify
 *  messages    config.describe */
#ifndef OTAD_CLIENT_H
#define OTAD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define OTAC_MUSTCHECK __attribute__((warn_unused_result))
#else
#define OTAC_MUSTCHECK
#endif

#define OTAC_USER_AGENT "otad-client/1"
#define OTAC_VERSION_MAX 64   /* version text, bytes; the server takes no longer one */
#define OTAC_REASON_MAX 31    /* X-Otad-Reason, bytes; a longer one is cut */
#define OTAC_SIGNATURE_MAX 80 /* bytes of a signature; ECDSA P-256 in DER has up to 72 */
#define OTAC_TRIAL_BOOTS 3    /* for config.trial_boots, when you have no better number */
#define OTAC_HEAD_MAX 4096    /* status line and headers of one answer, bytes */
#define OTAC_BUF_MIN 64     /* smallest work buffer, bytes; 256 and more keep flash writes large */
#define OTAC_WRITE_ALIGN 16 /* flash writes start at, and but for the last are, multiples of it */
#define OTAC_RECORD_SIZE 256
#define OTAC_INTERVAL_MAX_S                                                                        \
    3800000 /* between check-ins: 44 days, in ms with the jitter 32 bits                           \
             */
#define OTAC_SLOTS 2
#define OTAC_NO_SLOT 255 /* factory-fresh: nothing of ours is installed */

/* Row: name, value, word for reports and logs, sentence for a person. Values are what a report
 * carries as `code`: they never change, and stay clear of the numbers that the stock updaters use
 * (-1 to -11, -100 to -109 and 0 to 20). */
#define OTAC_ERR_TABLE(X)                                                                          \
    X(CONFIG, -201, "config", "the client is set up wrongly")                                      \
    X(RESOLVE, -202, "resolve", "the server's name could not be found")                            \
    X(CONNECT, -203, "connect", "the server could not be reached")                                 \
    X(TIMEOUT, -204, "timeout", "the server stopped answering")                                    \
    X(CONN_LOST, -205, "connection_lost", "the connection to the server broke")                    \
    X(HASH, -206, "hash_engine", "the hash engine failed")                                         \
    X(CERTIFICATE, -207, "certificate", "the server's certificate proves nothing to this device")  \
    X(TLS, -208, "tls", "no TLS connection to the server came about")                              \
    X(NO_ANSWER, -210, "no_answer", "the server closed the connection without an answer")          \
    X(NOT_HTTP, -211, "not_http", "what answers there does not speak HTTP/1")                      \
    X(BAD_STATUS, -212, "bad_status_line", "the first line of the answer is broken")               \
    X(BAD_HEADER, -213, "bad_header", "a header of the answer is broken")                          \
    X(HEAD_TOO_LONG, -214, "head_too_long", "the headers of the answer do not end")                \
    X(CUT_HEAD, -215, "cut_head", "the connection ended inside the headers")                       \
    X(REDIRECT, -216, "redirect", "the answer is a redirect, and redirects are not followed")      \
    X(CHUNKED, -217, "transfer_encoding", "the image came in chunks, its length unknown")          \
    X(ENCODED, -218, "content_encoding", "something on the way compressed the image")              \
    X(DUPLICATE, -219, "duplicate_header", "a header that may come once came twice")               \
    X(NO_LENGTH, -220, "no_length", "the answer does not say how long the image is")               \
    X(BAD_LENGTH, -221, "bad_length", "the announced length is not a number that makes sense")     \
    X(EMPTY, -222, "empty_image", "the image is announced as empty")                               \
    X(NO_SHA256, -223, "no_sha256", "the answer has no ETag with the image's SHA-256")             \
    X(BAD_MD5, -224, "bad_md5_header", "the x-MD5 header is not an MD5")                           \
    X(SHORT_BODY, -225, "short_body", "the image ended before its announced length")               \
    X(LONG_BODY, -226, "long_body", "more bytes came than the announced length")                   \
    X(STATUS, -227, "unexpected_status", "the server answered with a status that fits nothing")    \
    X(RANGE, -228, "bad_content_range", "the part that came is not the part that was asked for")   \
    X(NO_REST, -229, "no_rest", "the server can't go on with the image that is half here")         \
    X(UNAUTHORIZED, -230, "unauthorized", "the server wants a key, or another one")                \
    X(REFUSED, -231, "refused", "the server refuses this device")                                  \
    X(NOT_FOUND, -232, "not_found", "the server has no such product, or no build for it")          \
    X(GONE, -233, "gone", "the build was withdrawn")                                               \
    X(BUSY, -234, "busy", "the server asks to come back later")                                    \
    X(REJECTED, -235, "rolled_back_before", "this build was tried here and rolled back")           \
    X(TRIAL, -236, "on_trial", "what runs now must be confirmed before another build comes")       \
    X(NO_SPACE, -240, "no_space", "the image is larger than the free slot")                        \
    X(FLASH_ERASE, -241, "flash_erase", "the free slot could not be prepared")                     \
    X(FLASH_WRITE, -242, "flash_write", "writing the image to flash failed")                       \
    X(FLASH_READ, -243, "flash_read", "reading the image back from flash failed")                  \
    X(FLASH_VERIFY, -244, "flash_verify", "what was read back from flash is not what came")        \
    X(SHA256, -245, "sha256_mismatch", "the SHA-256 of what came is not the announced one")        \
    X(MD5, -246, "md5_mismatch", "the MD5 of what came is not the announced one")                  \
    X(NO_SIGNATURE, -247, "no_signature", "the image is not signed")                               \
    X(BAD_SIGNATURE, -248, "bad_signature", "the signature's headers are broken")                  \
    X(SIGNATURE, -249, "wrong_signature", "none of this device's keys signed the image")           \
    X(RECORD, -250, "record_damaged", "the boot record is damaged")                                \
    X(RECORD_IO, -251, "record_io", "the boot record could not be read or saved")                  \
    X(OLD_COUNTER, -252, "old_counter", "the image was signed before the one that is installed")   \
    X(UNCONFIRMED, -260, "not_confirmed", "the new build was started often, and never confirmed")  \
    X(UNHEALTHY, -261, "unhealthy", "the new build found itself unfit")

enum otac_err {
    OTAC_OK = 0,
#define X(name, value, word, text) OTAC_E_##name = (value),
    OTAC_ERR_TABLE(X)
#undef X
};

/** What otac_update() gives when nothing failed. */
enum otac_result {
    OTAC_UP_TO_DATE = 0, /* nothing to do; answer.reason may say why */
    OTAC_UPDATED = 1     /* the other slot boots next: restart now */
};

/** The word of an error, for logs; "ok" for 0, "unknown" for a number outside the table. */
const char *otac_err_word(int err);
/** The sentence of an error, for a person. Each in an object file of its own: not linked unless
 *  used. */
const char *otac_err_text(int err);

/** What the client is doing, for a log or a progress bar; `value` in the comment. An error is one
 *  as int32_t. */
enum otac_event {
    OTAC_EV_CONNECT,     /* 0 */
    OTAC_EV_ANSWER,      /* HTTP status of the check-in */
    OTAC_EV_OFFER,       /* size of the offered image, bytes */
    OTAC_EV_PROGRESS,    /* bytes in flash so far */
    OTAC_EV_VERIFY,      /* size of the image that is read back now, bytes */
    OTAC_EV_INSTALLED,   /* slot that boots next */
    OTAC_EV_FAILED,      /* the (negative) error the offered build failed with */
    OTAC_EV_REPORTED,    /* HTTP status: the server took, or will never take, the report */
    OTAC_EV_REPORT_KEPT, /* HTTP status or negative error: to be sent after the next check-in */
    OTAC_EV_RESUME,      /* bytes that are in flash from an earlier round; the rest comes now */
    OTAC_EV_ROLLED_BACK  /* the (negative) error that made the slot before boot again */
};

/** Everything the client needs of its platform. `ctx` is handed to each function. Functions that
 *  can fail return 0 or a negative enum otac_err; the ones in brackets are expected.
 *
 *  transport (one connection at a time, idle time-outs are the port's):
 *   connect   opens a connection [RESOLVE, CONNECT, TIMEOUT]
 *   send      sends all n bytes [CONN_LOST, TIMEOUT]
 *   recv      waits for at least one byte; gives the number read (1..n), 0 when the server has
 *             closed properly [CONN_LOST, TIMEOUT]
 *   close     ends the connection; called once for each connect that succeeded
 *
 *  flash, two slots, numbered 0 and 1; only the one that does not run is begun and written:
 *   slot_begin   makes room for `size` bytes at the slot's start [NO_SPACE, FLASH_ERASE]
 *   slot_write   writes consecutive pieces, see OTAC_WRITE_ALIGN [NO_SPACE, FLASH_WRITE]
 *   slot_finish  returns when all written bytes survive a power cut [FLASH_WRITE]
 *   slot_read    reads n bytes back, past any cache the platform lets it pass [FLASH_READ]
 *   slot_resume  NULL (a download that broke starts over), or: goes on at
 * `offset`, a multiple of resume_step, with an image of `size` bytes. What stands before it stays;
 * what follows becomes writable, whatever a power cut has left there. May come instead of
 *                slot_begin after a restart [FLASH_ERASE]
 *   resume_step  bytes: a power of two, not less than the flash's erase block. After each so
 *                many bytes the boot record is saved, so not too small: 64 KiB is 16 saves a
 *                megabyte. 0: never
 *   slot_sync    NULL when written bytes are there for good once slot_write has returned, or:
 *                returns when they are [FLASH_WRITE]
 *
 *  boot record, OTAC_RECORD_SIZE bytes (layout: see below):
 *   record_load  @return OTAC_RECORD_SIZE, 0 when none was ever saved [RECORD_IO]
 *   record_save  replaces it atomically: after a power cut at any instant record_load gives the
 *                old or the new one, whole. When byte 5 has changed, that slot boots next: a port
 *                whose boot loader keeps a record of its own (ESP-IDF's otadata) sets it last.
 *                When byte 7 became 0 and byte 5 is the same, what runs was confirmed. [RECORD_IO]
 *
 *  hash, SHA-256 and MD5 over the same bytes, one run at a time (a begin ends an earlier run):
 *   hash_begin, hash_update, hash_finish [HASH]
 *
 *  running_slot  NULL when what the record says is what runs (so with otac_boot()), or: the slot
 *                that runs, OTAC_NO_SLOT when it is neither. For platforms whose own boot loader
 *                goes back (ESP-IDF's app rollback): otac_init() learns of it here, and reports it.
 *                A slot that it names is never written, whatever the record says
 *
 *  verify     NULL, or: proves an ECDSA P-256 signature in DER over a digest that is a SHA-256.
 *             `keys` is config.sign_keys, whatever that is to this port; one key that fits is
 *             enough [SIGNATURE]
 *
 *  clock_ms   monotonic, may wrap       sleep_ms   may return early
 *  random     32 bits, need not be secret (spreads check-ins over time)
 *  log        NULL, or told of each event; must not call into the client */
struct otac_port {
    void *ctx;
    int (*connect)(void *ctx, const char *host, uint16_t port);
    int (*send)(void *ctx, const void *data, size_t n);
    int (*recv)(void *ctx, void *buf, size_t n);
    void (*close)(void *ctx);
    int (*slot_begin)(void *ctx, unsigned slot, uint32_t size);
    int (*slot_write)(void *ctx, unsigned slot, uint32_t offset, const void *data, size_t n);
    int (*slot_finish)(void *ctx, unsigned slot);
    int (*slot_read)(void *ctx, unsigned slot, uint32_t offset, void *buf, size_t n);
    int (*record_load)(void *ctx, void *buf, size_t n);
    int (*record_save)(void *ctx, const void *data, size_t n);
    int (*hash_begin)(void *ctx);
    int (*hash_update)(void *ctx, const void *data, size_t n);
    int (*hash_finish)(void *ctx, uint8_t sha256[32], uint8_t md5[16]);
    uint32_t (*clock_ms)(void *ctx);
    void (*sleep_ms)(void *ctx, uint32_t ms);
    uint32_t (*random)(void *ctx);
    void (*log)(void *ctx, enum otac_event event, uint32_t value);
    int (*slot_resume)(void *ctx, unsigned slot, uint32_t size, uint32_t offset);
    int (*slot_sync)(void *ctx, unsigned slot);
    int (*verify)(void *ctx, const void *keys, const uint8_t digest[32], const uint8_t *signature,
                  size_t n);
    uint32_t resume_step;
    unsigned (*running_slot)(void *ctx);
};

/** Signatures, for config.signing. */
struct otac_signing;
extern const struct otac_signing otac_signing;

/** Who this device is and where its server stands. Must outlive the struct otac it is given to.
 *  A text may not be empty, hold control characters, or have more than 255 bytes, the version not
 *  more than OTAC_VERSION_MAX; the optional ones may be NULL. */
struct otac_config {
    /* The texts stand first: src/client.c goes through them in this order. */
    const char *host;    /* name or address, an IPv6 address without brackets */
    const char *product; /* slug, [a-z0-9._-] */
    const char *mac;     /* e.g. "5C:CF:7F:A1:B2:C3" */
    const char *version; /* what runs now; "0" when there is none */
    const char *family;  /* "ESP8266" or "ESP32": device headers x-<family>-… are sent; or NULL */
    const char *chip;    /* the exact chip, e.g. "ESP32-C3"; or NULL */
    const char *key;     /* sent as `Authorization: Bearer`; or NULL */
    uint16_t port;       /* TCP port */
    uint32_t
        slot_size; /* bytes that an image may have, announced as free space; 0: not announced */
    /** The message of a report about a failure: otac_err_text, otac_err_word, your own (a sentence,
     *  not a log: it goes into the request line), or NULL to send the number alone, which costs the
     *  device no texts. */
    const char *(*describe)(int err);
    /** Starts of a new image before otac_boot() gives up on it, up to 254 (OTAC_TRIAL_BOOTS is a
     *  good number). 0: no trial, a new image is final once it is installed. */
    uint8_t trial_boots;
    /** The keys that may sign images, for port.verify; NULL: signatures are not looked at. With
     *  keys the work buffer must be OTAC_SIGNATURE_MAX bytes larger, and an image is taken only if
     *  its answer has both
     *      x-otad-signature: base64 of an ECDSA P-256 signature in DER over
     *                        "otad-image-1" || SHA-256 of the image (32 bytes) || counter (u64,
     *                        big endian), hashed with SHA-256
     *      x-otad-counter:   decimal, at most 4294967295, not less than that of any image that was
     *                        installed here: an image that was signed earlier can't be replayed
     *  Both are this client's own: otad doesn't send them yet, a server in front of it may. */
    const void *sign_keys;
    /** &otac_signing with keys, else NULL: what only signatures need is linked into a program that
     *  names it, and into no other. */
    const struct otac_signing *signing;
};

/** The state of an image that is whole, and may boot. */
#define OTAC_IMAGE_KNOWN UINT32_MAX

/** One image: what a slot holds, or what the server offers. */
struct otac_image {
    uint64_t build; /* the server's number for it; 0: not told */
    uint8_t sha256[32];
    uint32_t size;  /* bytes */
    uint32_t state; /* OTAC_IMAGE_KNOWN, or bytes of a broken download that are here; 0: none */
    char version[OTAC_VERSION_MAX]; /* as the server calls it, for people: a last 64th byte is cut,
                                     * what isn't ASCII is '?'; "": not told */
};

/** What the server answered to a check-in. What is small and often read stands first, in words: so
 *  it costs the least code. `seen`, `have` and what follows up to `counter` are the client's. */
struct otac_answer {
    uint32_t status;                  /* 0: no status line yet */
    uint32_t retry_after_s;           /* 0: not told, or as a date */
    uint32_t seen, have;              /* one bit per header: came, and was understood */
    uint32_t range_first, range_last; /* of a 206 that reaches the image's end */
    uint32_t counter;
    uint32_t signature_n;    /* bytes of the signature, behind the work buffer */
    struct otac_image image; /* of a 200; `state` unused */
    uint8_t md5[16];         /* of a 200 that told it */
    char reason[OTAC_REASON_MAX + 1];
};

/** What must survive a power cut. Stored as OTAC_RECORD_SIZE bytes, little endian:
 *  0 "OTAC"  4 format (2)  5 slot that boots  6 report kind  7 trial  8 report code i32
 *  12 rejected u32  16 report build u64
 *  24 and 136, one per slot: build u64, SHA-256, size u32, state u32, version (64 bytes, padded
 *  with NUL)
 *  248 counter u32   252 CRC-32 (IEEE 802.3) of bytes 0 to 251.
 *  A slot that isn't known may still name an image: the one that is half there, or was.
 *  In memory it has the same layout, so that loading and saving it is no work, but for the order of
 *  bytes in the numbers of a big-endian chip. */
struct otac_record {
    char magic[4];
    uint8_t format;
    uint8_t active; /* slot that boots, or OTAC_NO_SLOT */
    uint8_t
        report_kind; /* what the server is still to be told: enum in src/internal.h; 0: nothing */
    uint8_t trial;   /* starts that are left to the slot that boots, and one more; 0: final */
    int32_t report_code;   /* negative enum otac_err of a failure */
    uint32_t rejected;     /* fingerprint of the build that was rolled back; 0: none */
    uint64_t report_build; /* of the report */
    struct otac_image slot[OTAC_SLOTS];
    uint32_t counter; /* highest that was installed */
    uint32_t crc;
};

/** One client. Read `record` and `answer` freely between calls, write nothing. */
struct otac {
    const struct otac_config *config;
    const struct otac_port *port;
    uint8_t *buf;
    uint32_t buf_n;
    uint32_t failures;      /* rounds that failed since the last that didn't */
    uint32_t restart_due;   /* 1: the other slot boots next */
    uint32_t report_stored; /* 1: the stored record names a report */
    uint32_t is_open;       /* 1: there is a connection */
    uint32_t unsaved;       /* 1: the last save failed: nobody knows which record is stored */
    struct otac_record record;
    struct otac_answer answer; /* to the last check-in */
};

/** Checks the configuration and loads the boot record. Call it once after each start.
 *  @param buf  work buffer of at least OTAC_BUF_MIN bytes (what exceeds 65520 is left unused);
 *              it and `config` and `port` stay in use until *c is no longer used
 *  With port.running_slot, a trial that isn't what runs was ended by the platform's boot loader:
 *  it is then recorded as rolled back.
 *  @return OTAC_OK, OTAC_E_CONFIG (also for keys without port.verify or config.signing),
 *          OTAC_E_RECORD (damaged: nothing may be written, since nobody knows which slot runs),
 *          OTAC_E_RECORD_IO */
int otac_init(struct otac *c, const struct otac_config *config, const struct otac_port *port,
              void *buf, size_t buf_n) OTAC_MUSTCHECK;

/** One round: checks in, sends the report that an earlier round left, and if a build is offered
 *  downloads it into the slot that does not run, verifies it and makes it boot next. Whatever
 *  fails, and whenever the power goes, the slot that ran before still boots.
 *  A build that was taken and proved bad is reported as failed at once; a connection that broke
 *  is not, since that says nothing about the build: the next round goes on where it broke. Nor is
 *  an answer that names no build (a hotel's sign-in page). A report stays due until otad has taken
 *  or refused it: 204, or a status with X-Otad-Reason, but for 429 and what is above 499.
 *  While the image that runs is on trial, nothing is installed (OTAC_E_TRIAL): the other slot is
 *  the way back. A build that was rolled back is not installed again (OTAC_E_REJECTED), until
 *  another one was confirmed; the same bytes as another build of the server are another one.
 *  @return OTAC_UP_TO_DATE, OTAC_UPDATED (again and again until the device restarts), or a
 *          negative enum otac_err; answer.status, .reason and .retry_after_s say more */
int otac_update(struct otac *c) OTAC_MUSTCHECK;

/** How long to wait before the next otac_update(): the interval, doubled for each failed round up
 *  to sixteenfold, at least what Retry-After asked for, at most a day (or the interval), and up to
 *  an eighth more at random, so that a fleet does not stay in step.
 *  @param interval_s  seconds between check-ins when all is well; more than OTAC_INTERVAL_MAX_S
 *                     is taken for that
 *  @return seconds */
uint32_t otac_wait_s(const struct otac *c, uint32_t interval_s);

/** Sleeps for otac_wait_s(). */
void otac_wait(struct otac *c, uint32_t interval_s);

/** The image in the slot that boots, or NULL on a factory-fresh device. Valid until otac_init(). */
const struct otac_image *otac_active(const struct otac *c);

/** Reads a slot back and compares it with the SHA-256 that the record has for it: what a boot
 *  loader asks before it starts a slot.
 *  @return OTAC_OK, OTAC_E_FLASH_VERIFY (differs, or holds nothing known), OTAC_E_FLASH_READ,
 *          OTAC_E_HASH */
int otac_slot_check(struct otac *c, unsigned slot) OTAC_MUSTCHECK;

/** For a platform that knows what runs without the record, when otac_slot_check() says that it
 * isn't what the record says (flashed by cable, say): forgets what the slots hold, as on a device
 * from the factory. What must not be forgotten stays: the counter of signatures, the build that was
 *  rolled back, the report of a failure that is due. Call otac_init() again.
 *  @return OTAC_OK, OTAC_E_RECORD_IO */
int otac_start_over(struct otac *c) OTAC_MUSTCHECK;

/** The boot loader's part: which slot starts now. Call it at each start, before otac_init(), in the
 *  boot loader or first thing in the program that stands for one. Counts the start of an image on
 *  trial; when none is left, or the image is damaged, makes the slot before boot again, which the
 *  server is told as `rolled_back` after the next check-in. Reads the whole image.
 *  @param c, buf  as for otac_init(), which may use them afterwards; *c needs no config here
 *  @return a slot; OTAC_NO_SLOT (what the factory put there); or OTAC_E_CONFIG, OTAC_E_RECORD,
 *          OTAC_E_RECORD_IO (start over), OTAC_E_FLASH_VERIFY, OTAC_E_FLASH_READ, OTAC_E_HASH
 *          (no slot holds a whole image, as far as can be told) */
int otac_boot(struct otac *c, const struct otac_port *port, void *buf, size_t buf_n) OTAC_MUSTCHECK;

/** Says that the image which runs is healthy: the trial is over, it stays, and the server is told
 *  after the next check-in. Call it when the device has done what it is for, and reached its server
 *  (otac_update() gave OTAC_UP_TO_DATE or OTAC_E_TRIAL). Does nothing when there is no trial.
 *  @return OTAC_OK, OTAC_E_RECORD_IO (still on trial: try again) */
int otac_confirm(struct otac *c) OTAC_MUSTCHECK;

/** Says that the image which runs, on trial, is unfit: the slot before boots next. Restart then;
 *  until that otac_update() does nothing but say OTAC_UPDATED.
 *  @return OTAC_OK, OTAC_E_CONFIG (there is no trial), OTAC_E_RECORD_IO (still on trial) */
int otac_reject(struct otac *c) OTAC_MUSTCHECK;

#ifdef __cplusplus
}
#endif

#endif
