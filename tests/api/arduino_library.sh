#!/bin/sh
# SPDX-License-Identifier: MIT
# The Arduino library as it is handed out: every file compiles for both chips with nothing but the
# library and the (doubles of the) core's headers in reach, and so does the example sketch.
set -u
cd "$(dirname "$0")/../.." || exit 1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
check() {
    if "$@" > "$dir/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "arduino_library: $*"
        cat "$dir/log"
    fi
}
check tools/arduino-library.sh "$dir"
check test -s "$dir/OtadClient.zip"
check grep -q '^architectures=esp8266,esp32$' "$dir/OtadClient/library.properties"
cp "$dir/OtadClient/examples/OtadDevice/OtadDevice.ino" "$dir/sketch.cpp"
for chip in ESP8266 ESP32; do
    flags="-O1 -Wall -Wextra -Werror -fsyntax-only -D$chip -I$dir/OtadClient/src -Itests/doubles/arduino"
    [ $chip = ESP8266 ] || flags="$flags -Itests/doubles/esp-idf"
    for file in "$dir"/OtadClient/src/*.c "$dir"/OtadClient/src/core/*.c; do
        # shellcheck disable=SC2086 # words by intent
        check "${CC:-cc}" -std=gnu99 $flags "$file"
    done
    for file in "$dir"/OtadClient/src/*.cpp "$dir/sketch.cpp"; do
        # shellcheck disable=SC2086
        check "${CXX:-c++}" -std=gnu++17 -include Arduino.h $flags "$file"
    done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
