/* SPDX-License-Identifier: MIT
 * Owns the rules of the decision. */
#include "fleet/decide.h"

#include <string.h>

#include "base/version.h"

static const char *const words[] = {
#define X(name, word) word,
    REASON_TABLE(X)
#undef X
};

const char *reason_name(enum reason reason)
{
    return words[reason];
}

/* Whether `digest` is one of the blank-separated words. */
static bool has_word(const char *list, const char *digest)
{
    size_t n = strlen(digest);
    for (const char *at = strstr(list, digest); at != NULL; at = strstr(at + 1, digest))
        if ((at == list || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
            return true;
    return false;
}

static bool same_digest(const struct identity *image, const char *digest, const char *of_file)
{
    return digest[0] != '\0' && (strcmp(digest, of_file) == 0 || has_word(image->also, digest));
}

enum reason identity_match(const struct identity *image, const struct running *running,
                           enum checkin_mode mode)
{
    if (mode != MODE_FS && (same_digest(image, running->md5, image->md5) ||
                            same_digest(image, running->sha256, image->sha256)))
        return REASON_SAME_CONTENT;
    if (running->version[0] != '\0' && version_matches(running->version, image->version))
        return REASON_SAME_VERSION;
    return REASON_NONE;
}

struct decision decide(const struct decide_facts *f)
{
    if (f->product_disabled)
        return (struct decision){VERDICT_REFUSE, REASON_DISABLED};
    if (f->device_blocked)
        return (struct decision){VERDICT_REFUSE, REASON_BLOCKED};
    if (f->mode == MODE_UNKNOWN)
        return (struct decision){VERDICT_REFUSE, REASON_WRONG_MODE};
    if (!f->has_target)
        return (struct decision){VERDICT_REFUSE, REASON_NO_BUILD};
    enum reason same = identity_match(&f->target, &f->running, f->mode);
    if (same != REASON_NONE)
        return (struct decision){VERDICT_UP_TO_DATE, same};
    if (f->device_held)
        return (struct decision){VERDICT_HOLD, REASON_HELD};
    if (f->channel_paused)
        return (struct decision){VERDICT_HOLD, REASON_PAUSED};
    return (struct decision){VERDICT_SERVE, REASON_NONE};
}
