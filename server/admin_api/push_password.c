/* SPDX-License-Identifier: MIT
 * Owns reading "push_password". */
#include "admin_api/push_password.h"

#include "base/json.h"
#include "fleet/push_password.h"

enum otad_err change_push_password(struct change *c, struct db *db, uint64_t mac,
                                   struct otad_errinfo *ei)
{
    const char *password;
    enum otad_err err =
        json_get_str(c->body, "push_password", PUSH_PASSWORD_MAX, false, &password, ei);
    if (err != OTAD_E_OK || json_object_get(c->body, "push_password") == NULL)
        return err;
    return push_password_set(db, c->otad->seal_key, c->product.id, mac, password, ei);
}
