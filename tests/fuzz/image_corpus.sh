#!/bin/sh
# Makes the corpora of the fuzz_image_* targets anew with mkimage: small files, no real firmware.
# Run it from the root of the source after `make build/tests/mkimage`.
set -eu
mkimage=${1:-build/tests/mkimage}
corpus=tests/fuzz/corpus

make_one() { # target file options…
    mkdir -p "$corpus/$1"
    out=$corpus/$1/$2
    shift 2
    "$mkimage" --out "$out" "$@"
}

for target in image_inspect image_gzip; do
    make_one "$target" esp8266.bin --chip ESP8266 --version 1.0.0 --fw-type TMPL
    make_one "$target" esp8266-old.bin --chip ESP8266 --old-core
    make_one "$target" esp32.bin --chip ESP32 --version 1.0.0 --desc library
    make_one "$target" esp32-c3.bin --chip ESP32-C3 --desc own --no-hash
done
make_one image_inspect esp8266.gz --chip ESP8266 --version 2 --gzip --compressible
make_one image_inspect esp8266-signed.gz --chip ESP8266 --gzip --compressible --sign arduino-esp8266
make_one image_inspect esp8266-signed.bin --chip ESP8266 --sign arduino-esp8266
make_one image_inspect esp32-signed.bin --chip ESP32 --sign arduino-esp32
make_one image_inspect secure-boot-v1.bin --chip ESP32 --sign secure-boot-v1
make_one image_inspect secure-boot-v2.bin --chip ESP32 --sign secure-boot-v2
make_one image_inspect bootloader.bin --chip ESP32-S3 --kind bootloader
make_one image_inspect eboot.bin --chip ESP8266 --kind bootloader
make_one image_inspect table.bin --chip ESP32 --kind partition-table
make_one image_inspect otadata.bin --chip ESP32 --kind otadata
make_one image_inspect merged-esp32.gz --chip ESP32 --kind merged --gzip
make_one image_inspect merged-c3.gz --chip ESP32-C3 --kind merged --gzip
make_one image_inspect littlefs.bin --chip ESP8266 --kind littlefs
make_one image_inspect spiffs.bin --chip ESP32 --kind spiffs
make_one image_inspect v1.bin --chip ESP8266 --kind esp8266-v1
make_one image_inspect v2.bin --chip ESP8266 --kind esp8266-v2
make_one image_inspect rtos.bin --chip ESP8266 --kind esp8266-rtos
make_one image_inspect cut.bin --chip ESP8266 --cut 5

# behind a byte for header and start, and one for the pieces: see fuzz_image_esp.c
mkdir -p "$corpus/image_esp"
{ printf '\001\003' && cat "$corpus/image_inspect/esp32.bin"; } > "$corpus/image_esp/long.bin"
{ printf '\000\007' && cat "$corpus/image_inspect/v1.bin"; } > "$corpus/image_esp/short.bin"
{ printf '\011\001abcd' && cat "$corpus/image_inspect/rtos.bin"; } > "$corpus/image_esp/shifted.bin"

mkdir -p "$corpus/image_scan"
printf 'blnkinf\0mcu\0001.2.3\0fw-type\0TMPL\0build\0Mar  9 2024\0\0' > "$corpus/image_scan/tag"
printf 'blnkopt\0ssid\0home\0pass\0sesame\0auth\0token\0\0' > "$corpus/image_scan/options"
printf -- '-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIBkg4LVWM9nuwNSk3yByxZpYRTBnVmMHcCAQEE\n' \
    > "$corpus/image_scan/pem"
printf ' AKIA0123456789ABCDEF ghp_abcdefghijklmnopqrstuvwxyz0123456789 ' > "$corpus/image_scan/cloud"
printf 'mqtt://home:sesame@broker.lan 123456789:AAabcdefghijklmnopqrstuvwxyz0123456 ' \
    > "$corpus/image_scan/url"
printf ' eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijklmnop ' > "$corpus/image_scan/jwt"

make_one image_partition table.bin --chip ESP32 --kind partition-table
make_one image_partition otadata.bin --chip ESP32 --kind otadata
make_one image_filesystem littlefs.bin --chip ESP8266 --kind littlefs
make_one image_filesystem spiffs.bin --chip ESP8266 --kind spiffs
make_one image_filesystem spiffs-idf.bin --chip ESP32 --kind spiffs
"$mkimage" --chip ESP32 --kind fat --cut 65000 --out "$corpus/image_filesystem/fat.bin"

mkdir -p "$corpus/image_text"
printf ':10000000E90402200000000000000000000000008F\r\n:00000001FF\r\n' > "$corpus/image_text/hex"
printf '<!DOCTYPE html><title>404</title>' > "$corpus/image_text/html"
printf '{"message": "Not Found"}\n' > "$corpus/image_text/json"
printf '# Name, Type, SubType, Offset, Size\nnvs, data, nvs, 0x9000, 0x5000\n' > "$corpus/image_text/csv"
printf '\357\273\277void setup() { /* \303\251 */ }\n' > "$corpus/image_text/utf8"

mkdir -p "$corpus/image_trailer"
printf '\377\377\377\377' > "$corpus/image_trailer/padding"
cp "$corpus/image_inspect/esp32.bin" "$corpus/image_trailer/second-image"
tail -c 260 "$corpus/image_inspect/esp8266-signed.bin" > "$corpus/image_trailer/signature"
tail -c 7872 "$corpus/image_inspect/secure-boot-v2.bin" > "$corpus/image_trailer/secure-boot-v2"
