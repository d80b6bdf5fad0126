/* SPDX-License-Identifier: MIT
 * Owns the answers of `latest`, `latest.bin` and `{mac}.bin`. */
#include "device_api/device_api.h"
#include "device_api/resume.h"
#include "device_api/serve.h"
#include "http/reply.h"

/* Whether nothing is to be sent to this client, of whatever build. */
static bool is_final(const struct ask *a)
{
    if (a->decision.verdict == VERDICT_REFUSE)
        return a->decision.reason != REASON_NO_BUILD;
    return a->decision.verdict == VERDICT_UP_TO_DATE && a->in.updater;
}

static enum otad_err answer(struct http_req *req, struct ask *a, struct otad_errinfo *ei)
{
    bool answered = false;
    enum otad_err err = OTAD_E_OK;
    if (a->in.mode == MODE_VERSION)
        return a->decision.verdict == VERDICT_REFUSE ? ask_refuse(req, a) : serve_version(req, a);
    if (!is_final(a))
        err = resume_choose(req, a, &answered, ei);
    if (answered || err != OTAD_E_OK)
        return err;
    /* A plain client can't say what it runs: for it there is always something new. */
    if (a->decision.verdict == VERDICT_SERVE ||
        (a->decision.verdict == VERDICT_UP_TO_DATE && !a->in.updater))
        return serve_image(req, a, ei);
    return ask_refuse(req, a);
}

enum otad_err device_latest(struct http_req *req, struct otad_errinfo *ei)
{
    return ask(req, NULL, ASK_IMAGE, answer, ei);
}

enum otad_err device_mac_bin(struct http_req *req, struct otad_errinfo *ei)
{
    const char *word = http_req_param(req, "mac");
    if (!ask_is_word(word))
        return http_reply_refuse(req, 404, "no_variant");
    return ask(req, word, ASK_IMAGE, answer, ei);
}
