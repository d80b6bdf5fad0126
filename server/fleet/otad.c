/* SPDX-License-Identifier: MIT
 * Owns reading the shared context. */
#include "fleet/otad.h"

#include <stdio.h>

int64_t otad_config_int(struct otad *o, const int64_t *field)
{
    (void)pthread_rwlock_rdlock(&o->config_lock);
    int64_t value = *field;
    (void)pthread_rwlock_unlock(&o->config_lock);
    return value;
}

void otad_config_text(struct otad *o, const char *field, char out[OPTION_TEXT_MAX])
{
    (void)pthread_rwlock_rdlock(&o->config_lock);
    (void)snprintf(out, OPTION_TEXT_MAX, "%s", field);
    (void)pthread_rwlock_unlock(&o->config_lock);
}

enum otad_err otad_reader(struct otad *o, struct db **out, struct otad_errinfo *ei)
{
    return db_pool_get(o->readers, out, ei);
}
