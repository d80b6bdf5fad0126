/* SPDX-License-Identifier: MIT
 * One simulated device: the device client's core on sockets, with flash in memory and a fault that
 * it was born with. Tens of thousands fit into one process, because they share one copy of the
 * image that they are to install: a slot keeps only how much of it was written.
 *
 * Not thread-safe for one device; different devices may run on different threads. */
#ifndef OTAD_TESTS_FLEET_DEVICE_H
#define OTAD_TESTS_FLEET_DEVICE_H

#include <openssl/evp.h>
#include <otad_client.h>

/* Row: name, what the ledger must say in the end. */
#define FLEET_FAULTS(X)                                                                            \
    X(NONE, "none", "installed")                                                                   \
    X(DROP, "drop", "installed")            /* the first download breaks somewhere */              \
    X(POWER, "power", "installed")          /* power goes during the first download */             \
    X(FLASH, "flash", "attempts_exhausted") /* flash gives back other bytes than were written */   \
    X(OLD, "old", "attempts_exhausted") /* the boot loader always starts the old image again */    \
    X(SILENT, "silent", "sent")         /* gets the image and is never seen again */

enum fleet_fault {
#define X(name, word, fate) FLEET_##name,
    FLEET_FAULTS(X)
#undef X
        FLEET_FAULT_N
};

/** Words of the faults, and the states that follow, by enum fleet_fault. */
extern const char *const fleet_fault_word[FLEET_FAULT_N];
extern const char *const fleet_fate[FLEET_FAULT_N];

/** What all devices of a fleet have in common. */
struct fleet {
    const char *host; /* an IPv4 address of loopback */
    uint16_t port;
    const char *product;
    const uint8_t *image; /* what they are to install */
    uint32_t image_n;     /* bytes */
};

enum fleet_end {
    FLEET_GOES_ON,
    FLEET_INSTALLED, /* runs the image, and the server was told */
    FLEET_HELD,      /* runs the old one, and the server doesn't offer the new one any more */
    FLEET_GONE,      /* FLEET_SILENT, after its download */
};

struct fleet_device {
    const struct fleet *fleet;
    struct otac client;
    struct otac_config config;
    struct otac_port port;
    enum fleet_fault fault;
    uint32_t rng;
    uint32_t number; /* within the fleet: MAC and source address */
    int fd;
    bool spent;        /* a fault that strikes once has struck */
    bool off;          /* no power: nothing works until it starts again */
    bool wrong;        /* other bytes reached the flash than those of the image */
    uint32_t budget;   /* bytes until the fault strikes */
    uint32_t written;  /* bytes of the image in the slot that doesn't run */
    uint64_t received; /* bytes of all answers */
    unsigned rounds;
    bool has_record;
    uint8_t record[OTAC_RECORD_SIZE];
    EVP_MD_CTX *sha256, *md5; /* during a round */
    char mac[18];
};

/** A device that has version "1" from the factory. */
void fleet_device_init(struct fleet_device *d, const struct fleet *fleet, uint32_t number,
                       enum fleet_fault fault);

/** Starts the device and lets it do one round; blocks meanwhile.
 *  @param error  receives what otac_update() gave, if negative, else 0 */
enum fleet_end fleet_device_round(struct fleet_device *d, int *error);

#endif
