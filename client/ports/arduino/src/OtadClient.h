/* SPDX-License-Identifier: MIT
 * The otad device client for Arduino sketches on ESP8266 and ESP32. Two lines in a sketch:
 *
 *     OtadClient otad("192.168.1.10", 8070, "lamp", VERSION);
 *     void loop() { otad.loop(3600); }     // once Wi-Fi is up
 */
#ifndef OTAD_CLIENT_ARDUINO_H
#define OTAD_CLIENT_ARDUINO_H

#include <Arduino.h>

#include "otad_client.h"
#if defined(ESP8266)
#include "otad_client_esp8266.h"
#else
#include "otad_client_esp_idf.h"
#endif

class OtadClient {
  public:
    /** The texts must stay where they are. key: of a locked product, or nullptr. */
    OtadClient(const char *host, uint16_t port, const char *product, const char *version,
               const char *key = nullptr);

    /** Takes only images that one of these keys signed: see otac_esp8266_sign_keys(). Call it in
     *  setup(); with a text that holds no key update() gives OTAC_E_CONFIG. */
    void signKeys(const char *keys)
    {
        keys_ = keys;
#if defined(ESP8266)
        take_keys_ = otac_esp8266_sign_keys;
#else
        take_keys_ = otac_esp_idf_sign_keys;
#endif
    }

    /** Checks in when it is time to, and restarts into a new image. Call it often; it blocks while
     *  an image is coming.
     *  @return what the last round gave, see update() */
    int loop(uint32_t interval_s);

    /** One round now. @return OTAC_UP_TO_DATE, OTAC_UPDATED (restart now), or a negative error */
    int update();

    /** The sentence of an error. */
    const char *text(int err) const;

    /** What the server said besides, e.g. "held"; "" when nothing. */
    const char *reason() const;

  private:
    int begin();

#if defined(ESP8266)
    struct otac_esp8266 device_;
#else
    struct otac_esp_idf device_;
#endif
    struct otac_config config_;
    struct otac_port port_;
    struct otac client_;
    const char *version_, *keys_;
    int (*take_keys_)(struct otac_port *, struct otac_config *, const char *); /* or nullptr */
    int result_;
    bool begun_, waiting_;
    uint32_t since_ms_, wait_ms_;
    uint8_t work_[512];
};

#endif
