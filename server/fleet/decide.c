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

static bool allowed(const struct decide_facts *f, struct decision *out)
{
    *out =
        (struct decision){VERDICT_REFUSE, f->product_disabled ? REASON_DISABLED : REASON_BLOCKED};
    return f->product_disabled || f->device_blocked;
}

static bool mode(const struct decide_facts *f, struct decision *out)
{
    *out = (struct decision){VERDICT_REFUSE, REASON_WRONG_MODE};
    return f->mode == MODE_UNKNOWN;
}

static bool target(const struct decide_facts *f, struct decision *out)
{
    *out = (struct decision){VERDICT_REFUSE, REASON_NO_BUILD};
    return !f->has_target;
}

static bool same(const struct decide_facts *f, struct decision *out)
{
    enum reason why = identity_match(&f->target, &f->running, f->mode);
    if (why == REASON_NONE && f->done)
        why = REASON_SAME_CONTENT;
    *out = (struct decision){VERDICT_UP_TO_DATE, why};
    return why != REASON_NONE;
}

static bool fit(const struct decide_facts *f, struct decision *out)
{
    *out = (struct decision){VERDICT_HOLD, f->unfit};
    return f->unfit != REASON_NONE;
}

static bool attempts(const struct decide_facts *f, struct decision *out)
{
    *out = (struct decision){VERDICT_HOLD,
                             f->rolled_back ? REASON_ROLLED_BACK : REASON_ATTEMPTS_EXHAUSTED};
    return f->rolled_back || (f->attempts_max > 0 && f->attempts >= f->attempts_max);
}

static bool held(const struct decide_facts *f, struct decision *out)
{
    *out = (struct decision){VERDICT_HOLD, f->device_held ? REASON_HELD : REASON_PAUSED};
    return f->device_held || f->channel_paused;
}

static bool serve(const struct decide_facts *f, struct decision *out)
{
    (void)f;
    *out = (struct decision){VERDICT_SERVE, REASON_NONE};
    return true;
}

static const struct {
    const char *name;
    bool (*ends)(const struct decide_facts *f, struct decision *out);
} rules[RULES] = {
    [RULE_ALLOWED] = {"allowed",  allowed },
    [RULE_MODE] = {"mode",     mode    },
    [RULE_TARGET] = {"target",   target  },
    [RULE_SAME] = {"same",     same    },
    [RULE_FIT] = {"fit",      fit     },
    [RULE_ATTEMPTS] = {"attempts", attempts},
    [RULE_HELD] = {"held",     held    },
    [RULE_SERVE] = {"serve",    serve   },
};

const char *rule_name(enum decide_rule rule)
{
    return rules[rule].name;
}

bool decide_rule(enum decide_rule rule, const struct decide_facts *facts, struct decision *out)
{
    return rules[rule].ends(facts, out);
}

struct decision decide(const struct decide_facts *facts)
{
    struct decision d;
    enum decide_rule rule = RULE_ALLOWED;
    while (!decide_rule(rule, facts, &d))
        rule++; /* the last one always ends it */
    return d;
}
