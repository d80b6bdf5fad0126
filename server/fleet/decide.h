/* SPDX-License-Identifier: MIT
 * The decision: what one check-in is answered. Pure: facts in, verdict out, no I/O. */
#ifndef OTAD_FLEET_DECIDE_H
#define OTAD_FLEET_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

/** What the device asks for. */
enum checkin_mode {
    MODE_SKETCH,  /* an application; also clients that don't say */
    MODE_FS,      /* a filesystem image, of any kind of filesystem */
    MODE_VERSION, /* only the version there is (getAvailableVersion) */
    MODE_UNKNOWN  /* a word we don't know: never answered with an image */
};

enum verdict { VERDICT_SERVE, VERDICT_UP_TO_DATE, VERDICT_HOLD, VERDICT_REFUSE };

/* Row: enum name, the API word. */
#define REASON_TABLE(X)                                                                            \
    X(NONE, "")                                                                                    \
    X(SAME_VERSION, "same_version")                                                                \
    X(SAME_CONTENT, "same_content")                                                                \
    X(NO_BUILD, "no_build")                                                                        \
    X(BLOCKED, "blocked")                                                                          \
    X(DISABLED, "disabled")                                                                        \
    X(WRONG_MODE, "wrong_mode")                                                                    \
    X(WONT_FIT, "wont_fit")                                                                        \
    X(WRONG_CHIP, "wrong_chip")                                                                    \
    X(ATTEMPTS_EXHAUSTED, "attempts_exhausted")                                                    \
    X(ROLLED_BACK, "rolled_back")                                                                  \
    X(HELD, "held")                                                                                \
    X(PAUSED, "paused")

enum reason {
#define X(name, word) REASON_##name,
    REASON_TABLE(X)
#undef X
};

/** What an image is known by. Texts are lowercase hex; "" = unknown. */
struct identity {
    const char *version;
    const char *md5;    /* of the file */
    const char *sha256; /* of the file */
    const char *also;   /* further digests a device may report: hex words split by blanks */
};

/** What a device says it runs. Empty text = not said. */
struct running {
    const char *version;
    const char *md5;    /* lowercase hex */
    const char *sha256; /* lowercase hex: the image's own (appended) digest, or the file's */
};

struct decide_facts {
    bool product_disabled;
    bool device_blocked;
    bool device_held;
    bool channel_paused;
    enum checkin_mode mode;
    bool has_target;
    struct identity target;
    struct running running;
    enum reason unfit;    /* why the image can't be this device's; REASON_NONE = nothing known */
    bool done;            /* the device got this build and can't say what it runs (filesystems) */
    bool rolled_back;     /* it ran this build and went back */
    int64_t attempts;     /* whole images of this build that arrived and led to nothing */
    int64_t attempts_max; /* of the product; 0 = no limit */
};

struct decision {
    enum verdict verdict;
    enum reason reason;
};

/** Whether a device runs an image: by content if it reported a digest that is the image's, by
 *  version if that is equal. Unequal means unknown, never "different". In a filesystem mode only
 *  the version counts, because the digests describe the sketch.
 *  @return REASON_SAME_CONTENT, REASON_SAME_VERSION or REASON_NONE */
enum reason identity_match(const struct identity *image, const struct running *running,
                           enum checkin_mode mode);

/** The rules of docs/architecture.md in their order; the first that matches ends it. */
struct decision decide(const struct decide_facts *facts);

enum decide_rule {
    RULE_ALLOWED,  /* product enabled, device not blocked */
    RULE_MODE,     /* the client asks for something there is */
    RULE_TARGET,   /* there is a build for it */
    RULE_SAME,     /* it runs that build already */
    RULE_FIT,      /* the build fits it */
    RULE_ATTEMPTS, /* it hasn't failed with it too often */
    RULE_HELD,     /* nobody holds it back */
    RULE_SERVE,
    RULES
};

/** The API word of a rule. */
const char *rule_name(enum decide_rule rule);

/** What one rule alone says of these facts.  @return whether it ends the decision, with *out */
bool decide_rule(enum decide_rule rule, const struct decide_facts *facts, struct decision *out);

/** The API word of a reason; "" for REASON_NONE. */
const char *reason_name(enum reason reason);

#endif
