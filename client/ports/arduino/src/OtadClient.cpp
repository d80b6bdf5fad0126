/* SPDX-License-Identifier: MIT
 * Owns the sketch's side: when to check in, and what follows. */
#include "OtadClient.h"

#if defined(ESP8266)
#define PORT(name) otac_esp8266_##name
#else
#define PORT(name) otac_esp_idf_##name
#endif

OtadClient::OtadClient(const char *host, uint16_t port, const char *product, const char *version,
                       const char *key)
    : device_(), config_(), port_(), client_(), version_(version), keys_(nullptr), take_keys_(nullptr), result_(OTAC_UP_TO_DATE),
      begun_(false), waiting_(false), since_ms_(0), wait_ms_(0), work_()
{
    config_.host = host;
    config_.port = port;
    config_.product = product;
    config_.key = key;
#if !defined(ESP8266) /* whose texts would be in RAM, 3 KB: the server explains the numbers */
    config_.describe = otac_err_text;
#endif
}

int OtadClient::begin()
{
    int rc = PORT(open)(&device_);
    if (rc != OTAC_OK)
        return rc;
    PORT(identify)(&device_, &config_);
    config_.version = version_; /* the sketch knows it, the image need not */
    port_ = PORT(port)(&device_);
    if (take_keys_ != nullptr)
        rc = take_keys_(&port_, &config_, keys_);
    if (rc == OTAC_OK)
        rc = PORT(init)(&client_, &config_, &port_, work_, sizeof work_);
    if (rc != OTAC_OK)
        PORT(close)(&device_);
    begun_ = rc == OTAC_OK;
    return rc;
}

int OtadClient::update()
{
    result_ = begun_ ? OTAC_OK : begin();
    if (result_ == OTAC_OK)
        result_ = otac_update(&client_);
    return result_;
}

int OtadClient::loop(uint32_t interval_s)
{
    const uint32_t longest_s = 0xffffffffu / 1000;
    if (waiting_ && static_cast<uint32_t>(millis()) - since_ms_ < wait_ms_)
        return result_;
    if (update() == OTAC_UPDATED)
        ESP.restart();
    const uint32_t wait_s = begun_ ? otac_wait_s(&client_, interval_s) : interval_s;
    waiting_ = true;
    since_ms_ = static_cast<uint32_t>(millis());
    wait_ms_ = (wait_s < longest_s ? wait_s : longest_s) * 1000;
    return result_;
}

const char *OtadClient::text(int err) const
{
    return otac_err_text(err);
}

const char *OtadClient::reason() const
{
    return client_.answer.reason;
}
