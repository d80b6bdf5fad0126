#!/bin/sh
# SPDX-License-Identifier: MIT
# A fleet of simulated devices, each on the device client's core, some with faults, is updated by a
# daemon. Then the ledger is compared with what really happened to each of them.
# Usage: fleet.sh BUILD [DEVICES [SIZE [AT_ONCE]]]; FLEET_FAULTS changes their shares.
set -eu
build=$1
devices=${2:-20000}
size=${3:-65536}
at_once=${4:-256}
faults=${FLEET_FAULTS-drop=5,power=5,flash=2,old=2,silent=1}

dir=$(mktemp -d "${TMPDIR:-/tmp}/otad-fleet-XXXXXX")
pid=
stop() {
    [ -z "$pid" ] || kill "$pid" 2> /dev/null || true
    [ -z "$pid" ] || wait "$pid" 2> /dev/null || true
    pid=
}
trap 'stop; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
fail() {
    echo "fleet: $*" >&2
    exit 1
}

start() {
    "$build/otad" serve --data-dir "$dir/data" --listen 127.0.0.1:0 --log-level warn \
        --devices-new-devices-per-hour 100000 2> "$dir/otad.log" &
    pid=$!
    tries=0
    until [ -s "$dir/data/otad.addr" ]; do
        tries=$((tries + 1))
        if ! kill -0 "$pid" 2> /dev/null || [ $tries -gt 400 ]; then
            fail "otad does not start: $(cat "$dir/otad.log")"
        fi
        sleep 0.05
    done
    port=$(sed 's/.*://' "$dir/data/otad.addr")
    api=http://127.0.0.1:$port/api/v1/products
    key=$("$build/otad" key create --data-dir "$dir/data" --name fleet --role admin)
}
ask() {
    curl -sS --fail-with-body -H "Authorization: Bearer $key" "$@" || fail "otad refuses: $(cat "$dir/answer" 2> /dev/null)"
}
used() { # CPU seconds of the daemon
    sed 's/.*) //' "/proc/$pid/stat" | awk -v hz="$(getconf CLK_TCK)" '{print ($12 + $13) / hz}'
}

start
"$build/tests/mkimage" --chip ESP8266 --size "$size" --out "$dir/lamp.bin"
# A build must not stop itself: devices that fail on purpose are what this is about.
set -- -o "$dir/answer" -H 'Content-Type: application/json'
ask "$@" -d '{"slug":"lamp","name":"Lamp"}' "$api"
ask "$@" -X PATCH -d '{"max_devices":1000000,"stop_window_s":0}' "$api/lamp"
ask -o "$dir/answer" -F "file=@$dir/lamp.bin" -F version=2 -F number=2 "$api/lamp/builds"

before=$(used)
set -- -n "$devices" -j "$at_once" -t "$dir/truth" -p "$port" -i "$dir/lamp.bin"
[ -z "$faults" ] || set -- "$@" -f "$faults"
"$build/tests/bench/fleet" "$@" lamp || fail "the devices did not all come to an end"
awk -v a="$before" -v b="$(used)" -v n="$devices" -v rss="$(awk '/^VmRSS/ {print $2}' "/proc/$pid/status")" \
    'BEGIN {printf "fleet otad_cpu_us_device=%.0f otad_rss_kib=%d\n", (b - a) * 1e6 / n, rss}'

# A list waits for the evidence that came before it.
ask -o "$dir/ledger.csv" "$api/lamp/updates?format=csv"
sed -n 1p "$dir/ledger.csv" > "$dir/head"
for name in mac state cause; do
    tr ',' '\n' < "$dir/head" | tr -d '\r' | grep -nx "$name" | sed 's/:.*//' > "$dir/column.$name"
    [ -s "$dir/column.$name" ] || fail "the ledger has no column '$name': $(cat "$dir/head")"
done
awk -F, -v m="$(cat "$dir/column.mac")" -v s="$(cat "$dir/column.state")" -v c="$(cat "$dir/column.cause")" \
    'NR > 1 {print toupper($m), $s, $c}' "$dir/ledger.csv" | sort > "$dir/says"
sort "$dir/truth" | join -a 1 -a 2 -e missing -o 0,1.2,1.3,2.2,2.3 - "$dir/says" > "$dir/both"
awk '{key = $3 " -> " $4 " " $5; n[key]++} END {for (k in n) print n[k], k}' "$dir/both" |
    sort -k 2 | sed 's/^/fleet ledger: /; s/ missing$//'
wrong=$(awk '$2 != $4' "$dir/both" | wc -l)
[ "$wrong" -eq 0 ] || {
    awk '$2 != $4 {print "fleet: " $1 " (" $3 ") is " $4 " in the ledger, not " $2}' "$dir/both" | head -20 >&2
    fail "the ledger is wrong about $wrong of $devices devices"
}
