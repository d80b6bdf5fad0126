#!/bin/sh
# SPDX-License-Identifier: MIT
# A server to play with: `make run`. Data folder and key stay in BUILD/run between runs.
# usage: tools/run.sh BUILD        RUN_LISTEN=ADDR:PORT listens there and nowhere else
set -eu
build=$1
work=$build/run
data=$work/data log=$work/otad.log
# shellcheck source=tools/local.sh
. "$(dirname "$0")/local.sh"

mkdir -p "$work"
# Before anything of the running one is touched.
if [ -e "$data/lock" ] && ! flock -n "$data/lock" true; then
    die "make run is at work here already (pid $(cat "$data/lock")): its address is $(cat "$data/otad.addr" 2>/dev/null)"
fi
: > "$log"
trap stop_otad EXIT
trap 'exit 0' INT TERM

if [ -n "${RUN_LISTEN:-}" ]; then
    start_otad "$RUN_LISTEN" || die "otad did not start"
else
    port=8070
    until start_otad "0.0.0.0:$port"; do
        grep -q 'Another program has this port' "$log" || die "otad did not start"
        [ "$port" -lt 8099 ] || die "the ports 8070 to 8099 are all taken"
        port=$((port + 1))
        : > "$log"
    done
fi

# What a device on the LAN types, and what we type here.
port=${address##*:}
case "$address" in
0.0.0.0:*) url=http://127.0.0.1:$port lan=$(hostname -I 2>/dev/null | awk '{print $1}') ;;
*) lan= ;;
esac
base=$url
[ -z "$lan" ] || base=http://$lan:$port

key_works() {
    [ -s "$work/key" ] || return 1
    KEY=$(cat "$work/key")
    api GET /api/v1/endpoints
    [ "$status" = 200 ]
}

if ! key_works; then
    (umask 077 && "$build/otad" key create --data-dir "$data" --name "run-$(date +%s)" --role admin \
        > "$work/key") || die "making a key failed"
    KEY=$(cat "$work/key")
fi
api POST /api/v1/products -H 'Content-Type: application/json' -d '{"slug":"lamp","name":"Lamp"}'
case "$status" in
201 | 409) ;; # 409: it is there from an earlier run
*) die "making the product 'lamp' was answered $status: $answer" ;;
esac

say "otad runs. Data: $data   Log: $log   Ctrl-C stops it."
say ""
say "  here     $url"
[ -z "$lan" ] || say "  the LAN  $base   (what a device needs)"
say "  key      $KEY   (also in $work/key)"
say ""
say "Open one of them in a browser and sign in with the key, or go on here."
say ""
say "Upload a build of the product 'lamp':"
say "    curl -H \"Authorization: Bearer $KEY\" -F file=@Lamp.ino.bin -F version=1.0.1 $base/api/v1/products/lamp/builds"
say "Put into the sketch that is running now:"
sketch_lines "$base" lamp
say "See what happened:"
say "    curl -H \"Authorization: Bearer $KEY\" $base/api/v1/products/lamp/updates"

wait "$otad_pid" || die "otad ended"
