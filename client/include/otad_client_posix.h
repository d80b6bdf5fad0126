/* SPDX-License-Identifier: MIT
 * The client's port to a POSIX system: sockets, TLS, and a state folder in place of the flash chip.
 *
 *     DIR/slot0.bin  DIR/slot1.bin  the two slots     DIR/boot.rec  the boot record
 *     DIR/lock       held while a program uses the folder */
#ifndef OTAD_CLIENT_POSIX_H
#define OTAD_CLIENT_POSIX_H

#include "otad_client.h"

#define OTAC_POSIX_HOST_MAX 255
#define OTAC_POSIX_STEP                                                                            \
    65536 /* a power of two: bytes after which a download is sure to go on from */
#define OTAC_POSIX_KEYS_MAX 4
#define OTAC_POSIX_MAC_TEXT 18 /* "5C:CF:7F:A1:B2:C3" and its NUL */

struct evp_md_ctx_st; /* OpenSSL's EVP_MD_CTX */
struct evp_pkey_st;   /* and EVP_PKEY */
struct ssl_ctx_st;    /* and SSL_CTX */
struct ssl_st;        /* and SSL */
struct otac_faults;

/** State of one port. Set up by otac_posix_open(); the fields are for its functions only. */
struct otac_posix {
    int dir_fd, lock_fd, sock;
    int slot_fd[OTAC_SLOTS]; /* -1 until used */
    uint32_t slot_size;      /* bytes */
    uint32_t timeout_ms;     /* idle time-out of the connection; may be changed */
    struct evp_md_ctx_st *sha256, *md5;
    struct ssl_ctx_st *tls;     /* or NULL: plain TCP */
    struct ssl_st *tls_session; /* of the open connection */
    struct otac_faults *faults; /* or NULL */
    char detail[160];           /* what the system said about the last error, or "" */
};

/** Opens (and if need be makes) the state folder, and takes its lock.
 *  @return OTAC_OK, or OTAC_E_RECORD_IO or OTAC_E_HASH with p->detail saying why; *p then holds
 *          nothing that needs closing */
int otac_posix_open(struct otac_posix *p, const char *dir, uint32_t slot_size) OTAC_MUSTCHECK;

/** Gives everything back, the lock too. */
void otac_posix_close(struct otac_posix *p);

/** The port struct for *p; `log` is NULL and may be set by the caller, its ctx is p. */
struct otac_port otac_posix_port(struct otac_posix *p);

/** What the system said about the last error of the port, or "". Valid until the next call. */
const char *otac_posix_detail(const struct otac_posix *p);

/** Makes the port speak TLS (1.2 or later), to a server whose certificate is for config.host, by an
 *  authority of ca_file. Call it before otac_faults_install(). The program must ignore SIGPIPE.
 *  @param ca_file  certificates in PEM; NULL: those that the system trusts
 *  @return OTAC_OK, or OTAC_E_CERTIFICATE (ca_file) or OTAC_E_TLS with p->detail saying why; call
 *          otac_posix_tls_close() in any case */
int otac_posix_tls_open(struct otac_posix *p, struct otac_port *port,
                        const char *ca_file) OTAC_MUSTCHECK;

/** Gives TLS back; before otac_posix_close(). */
void otac_posix_tls_close(struct otac_posix *p);

/** The keys that may sign images: what this port takes as config.sign_keys. Start with {0}. */
struct otac_posix_keys {
    struct evp_pkey_st *key[OTAC_POSIX_KEYS_MAX];
    unsigned n;
};

/** Adds a public P-256 key from a PEM file (`openssl ec -in sign.key -pubout`).
 *  @return NULL, or what is wrong: it can't be read, is no such key, or is one too many */
const char *otac_posix_keys_add(struct otac_posix_keys *keys, const char *path) OTAC_MUSTCHECK;

/** Gives the keys back. */
void otac_posix_keys_free(struct otac_posix_keys *keys);

/** Finds the firmware version in the image of a slot: the value of `mcu` in the info tag that
 *  Blynk firmware carries (`blnkinf` NUL, key NUL value NUL …, an empty key at the end).
 *  @param size  bytes of the image
 *  @param out   the version; unchanged when there is none
 *  @return true if found */
bool otac_posix_image_version(struct otac_posix *p, unsigned slot, uint32_t size,
                              char out[OTAC_VERSION_MAX + 1]);

/** Takes "http://HOST[:PORT][/]" or the same with https apart; an IPv6 address stands in brackets,
 *  the port is 80, or 443, when there is none.
 *  @return false, and nothing written, for anything else */
bool otac_posix_parse_server(const char *url, char host[OTAC_POSIX_HOST_MAX + 1], uint16_t *port,
                             bool *tls) OTAC_MUSTCHECK;

/** Any usual spelling of a MAC (colons, hyphens, dots, none) into 5C:CF:7F:A1:B2:C3.
 *  @return false, and nothing written, for anything else */
bool otac_posix_parse_mac(const char *text, char out[OTAC_POSIX_MAC_TEXT]) OTAC_MUSTCHECK;

/* Row: name, word, error that is met there. */
#define OTAC_POINT_TABLE(X)                                                                        \
    X(CONNECT, "connect", CONNECT)                                                                 \
    X(ANSWER, "answer", TIMEOUT)                                                                   \
    X(ERASE, "erase", FLASH_ERASE)                                                                 \
    X(DOWNLOAD, "download", CONN_LOST) /* half of the image is there */                            \
    X(WRITE, "write", FLASH_WRITE)     /* likewise */                                              \
    X(FINISH, "finish", FLASH_WRITE)                                                               \
    X(VERIFY, "verify", FLASH_READ)                                                                \
    X(SWITCH, "switch", RECORD_IO) /* the save that makes the new image boot */                    \
    X(BOOT, "boot", UNHEALTHY)     /* a start on trial; the program itself asks */                 \
    X(CONFIRM, "confirm", RECORD_IO)                                                               \
    X(REPORT, "report", CONN_LOST)

/** Where a device can misbehave on purpose. */
enum otac_point {
    OTAC_POINT_NONE,
#define X(name, word, err) OTAC_POINT_##name,
    OTAC_POINT_TABLE(X)
#undef X
};

/** Set fail_at and crash_at (enum otac_point), the rest 0. */
struct otac_faults {
    int fail_at, crash_at;
    struct otac_port real;
    uint32_t size, done; /* of the download */
    bool answered, finished;
    uint8_t active, trial; /* as the stored record has them */
};

/** The point of this name, or OTAC_POINT_NONE. */
int otac_faults_parse(const char *text);

/** Makes the port misbehave; *f must outlive it. */
void otac_faults_install(struct otac_faults *f, struct otac_posix *p, struct otac_port *port);

/** Doesn't return at crash_at (SIGKILL). @return the point's error at fail_at, else OTAC_OK */
int otac_faults_meet(struct otac_faults *f, enum otac_point point);

/** Shows the client's events on stdout. Set `client` and `terminal`, the rest 0. */
struct otac_screen {
    const struct otac *client;
    bool terminal;   /* draw a bar instead of a line for each quarter */
    int64_t offered; /* bytes of the image that is coming */
    int64_t shown;   /* step of the progress that stands on the screen */
};

/** To be called from the port's log function. */
void otac_screen_event(struct otac_screen *s, enum otac_event event, uint32_t value);

#endif
