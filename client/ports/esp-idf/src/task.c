/* SPDX-License-Identifier: MIT
 * Owns the task that keeps a device up to date by itself, with the settings of menuconfig. */
#include "freertos/task.h"
#include "esp_log.h"
#include "esp_system.h"
#include "freertos/FreeRTOS.h"
#include "otad_client_esp_idf.h"
#include "sdkconfig.h"

static const char tag[] = "otad";

static void on_event(void *ctx, enum otac_event event, uint32_t value)
{
    (void)ctx;
    if (event == OTAC_EV_OFFER)
        ESP_LOGI(tag, "an image of %d bytes is coming", (int)value);
    /* One that the boot loader has on trial, and the record doesn't: it could be given another. */
    if (event == OTAC_EV_OFFER && otac_esp_idf_confirm() != OTAC_OK)
        ESP_LOGE(tag, "the running image could not be confirmed");
    if (event == OTAC_EV_RESUME)
        ESP_LOGI(tag, "%d bytes of it are here", (int)value);
    if (event == OTAC_EV_ROLLED_BACK)
        ESP_LOGW(tag, "the new image was given up, the one before is back");
    if (event == OTAC_EV_FAILED)
        ESP_LOGE(tag, "%s", otac_err_text((int32_t)value));
}

/* The server knew what to say to this device, so the next update will find its way: this makes an
 * image good. A status alone does not: anything may answer at a wrong address.
 * @return true when there is something to tell the server at once */
static bool confirm(struct otac *client, int rc)
{
    if (rc != OTAC_UP_TO_DATE && rc != OTAC_E_TRIAL && rc != OTAC_E_REJECTED)
        return false;
    const bool on_trial = client->record.trial != 0;
    const int err = on_trial ? otac_confirm(client) : otac_esp_idf_confirm();
    if (err != OTAC_OK)
        ESP_LOGE(tag, "the running image could not be confirmed");
    return on_trial && err == OTAC_OK;
}

static void live(struct otac *client)
{
    for (;;) {
        int rc = otac_update(client);
        if (confirm(client, rc))
            rc = otac_update(client);
        if (rc == OTAC_UPDATED) {
            ESP_LOGI(tag, "restarting into the new image");
            esp_restart();
        }
        if (rc < 0)
            ESP_LOGW(tag, "%d: %s (status %u %s)", rc, otac_err_text(rc),
                     (unsigned)client->answer.status, client->answer.reason);
        else
            ESP_LOGI(tag, "nothing new: %s", client->answer.reason);
        otac_wait(client, CONFIG_OTAD_INTERVAL_S);
    }
}

void otac_esp_idf_task(void *arg)
{
    static struct otac_esp_idf esp;
    static struct otac_port port;
    static struct otac_config config;
    static struct otac client;
    static uint8_t work[1024];
    (void)arg;
    int rc = otac_esp_idf_open(&esp);
    if (rc == OTAC_OK) {
        port = otac_esp_idf_port(&esp);
        port.log = on_event;
        otac_esp_idf_identify(&esp, &config);
        config.host = CONFIG_OTAD_HOST;
        config.port = CONFIG_OTAD_PORT;
        config.product = CONFIG_OTAD_PRODUCT;
        config.key = CONFIG_OTAD_KEY[0] != '\0' ? CONFIG_OTAD_KEY : NULL;
        config.describe = otac_err_text;
        config.trial_boots = 1; /* the boot loader's rollback knows one */
#ifdef CONFIG_OTAD_SIGNED
        rc = otac_esp_idf_sign_keys(&port, &config, CONFIG_OTAD_SIGN_KEYS);
#endif
    }
    if (rc == OTAC_OK)
        rc = otac_esp_idf_init(&client, &config, &port, work, sizeof work);
    if (rc == OTAC_OK)
        live(&client);
    ESP_LOGE(tag, "no updates: %s", otac_err_text(rc));
    vTaskDelete(NULL);
}
