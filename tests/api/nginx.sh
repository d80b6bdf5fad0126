#!/bin/sh
# SPDX-License-Identifier: MIT
# otad behind a real nginx that runs config/nginx-otad.conf as it is, but for its two ports: what
# devices get through it is what otad sends, and otad knows who asked.
set -u
build=${BUILD:-build}
nginx=$(PATH=$PATH:/usr/sbin command -v nginx) || {
    echo "nginx is missing: tools/install-deps.sh check"
    echo "0 passed, 1 failed"
    exit 1
}
passed=0 failed=0
ok() { passed=$((passed + 1)); }
fail() { failed=$((failed + 1)); echo "nginx: $*"; }
# check WHAT COMMAND…
check() {
    what=$1
    shift
    if "$@"; then ok; else fail "$what"; fi
}
dir=$(mktemp -d)
data=$dir/data nginx_pid='' otad_pid=''
stop() {
    [ -z "$1" ] || { kill "$1" && wait "$1"; } 2> /dev/null
}
trap 'stop "$nginx_pid"; stop "$otad_pid"; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
give_up() {
    fail "$*"
    tail -n 20 "$dir"/*.log "$dir"/*.err 2> /dev/null
    echo "$passed passed, $failed failed"
    exit 1
}
# Waits a moment for a process. @return whether it lives and there is time left.
patience() {
    tries=$((tries + 1))
    sleep 0.05
    kill -0 "$1" 2> /dev/null && [ $tries -lt 600 ]
}

# ---- the two servers ------------------------------------------------------------------------
start_otad() {
    "$build/otad" serve --data-dir "$data" --listen 127.0.0.1:0 --http-trusted-proxies 127.0.0.1 \
        2> "$dir/otad.log" &
    otad_pid=$! tries=0
    until [ -s "$data/otad.addr" ]; do patience "$otad_pid" || give_up "otad doesn't start"; done
    direct=$(head -n 1 "$data/otad.addr")
    key=$("$build/otad" key create --data-dir "$data" --name test --role admin)
}

# Tries ports until one is free: nginx can't be told to take any.
start_nginx() {
    user=
    [ "$(id -u)" -ne 0 ] || user='user root;'
    port=$((20000 + $$ % 8000)) last=$((20000 + $$ % 8000 + 50))
    while [ "$port" -lt "$last" ]; do
        sed "s/listen 80;/listen 127.0.0.1:$port;/; s/127\.0\.0\.1:8070;/$direct;/" \
            config/nginx-otad.conf > "$dir/otad.conf"
        cat > "$dir/nginx.conf" << CONF
$user
daemon off;
pid $dir/nginx.pid;
error_log $dir/nginx.log warn;
worker_processes 1;
events { worker_connections 256; }
http {
    access_log off;
    gzip on;
    gzip_types *;
    gzip_proxied any;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
    include $dir/otad.conf;
}
CONF
        "$nginx" -p "$dir" -c "$dir/nginx.conf" 2> "$dir/nginx.err" &
        nginx_pid=$! tries=0
        until curl -s -o /dev/null "http://127.0.0.1:$port/healthz"; do
            patience "$nginx_pid" || break
        done
        kill -0 "$nginx_pid" 2> /dev/null && break
        grep -qs 'Address already in use' "$dir/nginx.err" "$dir/nginx.log" || break
        port=$((port + 1))
    done
    kill -0 "$nginx_pid" 2> /dev/null || give_up "nginx doesn't start"
    url=http://127.0.0.1:$port
}

# ---- what is asked --------------------------------------------------------------------------
api() { curl -s -H "Authorization: Bearer $key" "$@"; }
head_has() { grep -qi "^$1"'.$' "$dir/head"; }
same() { cmp -s "$1" "$2"; }
lacks() { ! grep -qiE "$1" "$2"; }
# The address that otad has noted for a device. $1: MAC
address_of() {
    api "http://$direct/api/v1/products/lamp/devices/$1" | sed 's/.*"address":"\([^"]*\)".*/\1/'
}
# check_address WHAT MAC WANT
check_address() {
    got=$(address_of "$2")
    check "$1: the device's address is '$got', not $3" [ "$got" = "$3" ]
}
is() { [ "$1" = "$2" ]; }
# A stock ESP8266's request. $1: MAC, then what curl is told else
esp8266() {
    mac=$1
    shift
    curl -s -0 -A ESP8266-http-Update -H "x-ESP8266-STA-MAC: $mac" -H "x-ESP8266-AP-MAC: $mac" \
        -H 'x-ESP8266-free-space: 2000000' -H 'x-ESP8266-sketch-size: 300000' \
        -H 'x-ESP8266-sketch-md5: 00000000000000000000000000000000' \
        -H 'x-ESP8266-chip-size: 4194304' -H 'x-ESP8266-sdk-version: 2.2.2' \
        -H 'x-ESP8266-mode: sketch' -H 'x-ESP8266-version: 0.1' -H 'Accept-Encoding: gzip' "$@"
}

start_otad
start_nginx

check "healthz through nginx" curl -sf -o /dev/null "$url/healthz"
status=$(curl -s -o "$dir/answer" -w '%{http_code}' -H 'Host: evil.example' "$url/healthz")
check "a stranger's name through nginx: $status" is "$status" 421
status=$(api -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json' \
    -d '{"slug":"lamp","name":"Lamp"}' "$url/api/v1/products")
check "a product through nginx: $status" is "$status" 201

"$build/tests/mkimage" --chip ESP8266 --seed 1 --size 300000 --out "$dir/small.bin" > /dev/null
"$build/tests/mkimage" --chip ESP8266 --seed 2 --size 1000000 --out "$dir/large.bin" > /dev/null
"$build/tests/mkimage" --chip ESP32 --seed 3 --size 1500000 --out "$dir/huge.bin" > /dev/null
status=$(api -o "$dir/answer" -w '%{http_code}' -F "file=@$dir/small.bin" -F version=1 \
    "$url/api/v1/products/lamp/builds")
check "an upload through nginx: $status $(cat "$dir/answer")" is "$status" 201
status=$(api -o "$dir/answer" -w '%{http_code}' -F "file=@$dir/large.bin" -F version=2 \
    "$url/api/v1/products/lamp/builds")
check "a larger upload through nginx: $status $(cat "$dir/answer")" is "$status" 201
status=$(api -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json' \
    -d '{"slug":"screen","name":"Screen"}' "$url/api/v1/products")
check "another product: $status" is "$status" 201
status=$(api -v -o "$dir/answer" -w '%{http_code}' -F "file=@$dir/huge.bin" -F version=1 \
    "$url/api/v1/products/screen/builds" 2> "$dir/verbose")
check "an upload above 1 MiB through nginx: $status $(cat "$dir/answer")" is "$status" 201
check "curl sent it with Expect" grep -q '^> Expect: 100-continue' "$dir/verbose"
curl -s -o "$dir/got" "$url/fw/screen/latest.bin"
check "its bytes" same "$dir/got" "$dir/huge.bin"

esp8266 5C:CF:7F:00:00:01 --interface 127.0.0.7 -D "$dir/head" -o "$dir/got" "$url/fw/lamp/latest"
check "the image's bytes" same "$dir/got" "$dir/large.bin"
check "200 and not $(head -n 1 "$dir/head")" grep -q ' 200 ' "$dir/head"
check "Content-Length in this spelling" grep -q "^Content-Length: $(wc -c < "$dir/large.bin")" "$dir/head"
check "x-MD5" head_has "x-MD5: $(md5sum < "$dir/large.bin" | cut -d' ' -f1)"
check "one x-MD5" is "$(grep -ci '^x-md5:' "$dir/head")" 1
check "Connection: close to 1.0" head_has 'Connection: close'
check "no Transfer-Encoding, Content-Encoding or Location" \
    lacks '^(Transfer-Encoding|Content-Encoding|Location):' "$dir/head"
check_address "through nginx" 5C:CF:7F:00:00:01 127.0.0.7

curl -s -o "$dir/got" -D "$dir/head" -H 'Accept-Encoding: gzip' "$url/fw/lamp/latest.bin"
check "the image's bytes in HTTP/1.1" same "$dir/got" "$dir/large.bin"
check "Content-Length in HTTP/1.1" head_has "Content-Length: $(wc -c < "$dir/large.bin")"
check "nothing encoded in HTTP/1.1" lacks '^(Transfer-Encoding|Content-Encoding):' "$dir/head"
status=$(curl -s -o /dev/null -w '%{http_code}' -H 'Host: fw' \
    "$url/fw/lamp/latest?mac=5C:CF:7F:00:00:01&version=2")
check "304 stays 304: $status" is "$status" 304
status=$(curl -s -o "$dir/got" -D "$dir/head" -w '%{http_code}' "$url/fw/none/latest")
check "404 without a body: $status" is "$status" 404
check "404 without a body" [ ! -s "$dir/got" ]
check "404 with its reason" grep -qi '^X-Otad-Reason:' "$dir/head"

# ---- who may say who asked ------------------------------------------------------------------
esp8266 5C:CF:7F:00:00:02 --interface 127.0.0.7 -o /dev/null -H 'X-Forwarded-For: 192.0.2.66' \
    "$url/fw/lamp/latest"
check_address "a lie to nginx" 5C:CF:7F:00:00:02 127.0.0.7
esp8266 5C:CF:7F:00:00:03 --interface 127.0.0.7 -o /dev/null -H 'Forwarded: for=192.0.2.66' \
    "$url/fw/lamp/latest"
check_address "a lie in Forwarded to nginx" 5C:CF:7F:00:00:03 127.0.0.7
esp8266 5C:CF:7F:00:00:04 --interface 127.0.0.9 -o /dev/null -H 'X-Forwarded-For: 192.0.2.66' \
    -H 'Forwarded: for=192.0.2.66' "http://$direct/fw/lamp/latest"
check_address "a lie to otad itself" 5C:CF:7F:00:00:04 127.0.0.9

stop "$nginx_pid"
nginx_pid=
kill "$otad_pid"
wait "$otad_pid"
status=$?
otad_pid=
check "otad ended with $status" is "$status" 0
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
