#!/bin/sh
# SPDX-License-Identifier: MIT
# Puts the Arduino library together: client/ports/arduino, the core, and for ESP32 the ESP-IDF port.
# usage: tools/arduino-library.sh DIR     makes DIR/OtadClient and DIR/OtadClient.zip
set -eu
cd "$(dirname "$0")/.."
dir=$1/OtadClient
rm -rf "$dir" "$1/OtadClient.zip"
mkdir -p "$dir/src/core"
cp -r client/ports/arduino/* "$dir"
cp client/include/otad_client.h client/ports/esp-idf/include/otad_client_esp_idf.h "$dir/src"
cp client/src/*.c client/src/*.h "$dir/src/core"
# The Arduino builders compile all of src for every chip.
for part in port verify; do
    {
        echo '#if defined(ESP32)'
        cat client/ports/esp-idf/src/$part.c
        echo '#endif'
    } > "$dir/src/otad_client_esp_idf_$part.c"
done
cp LICENSE "$dir"
(cd "$1" && python3 -m zipfile -c OtadClient.zip OtadClient)
echo "$1/OtadClient.zip: Sketch > Include Library > Add .ZIP Library; PlatformIO: lib_deps = $1/OtadClient"
