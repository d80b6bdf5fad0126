# shellcheck shell=sh disable=SC2154,SC2034 # what the caller sets and reads
# SPDX-License-Identifier: MIT
# Sourced by tools/demo.sh and tools/run.sh: starts a daemon on this machine and talks to it.
# Sets `otad_pid` and `url`; $build, $data (the data folder) and $log are the caller's.

here=$(dirname "$0")

say() { printf '%s\n' "$*"; }

# Ends with what went wrong and the last lines of the daemon's log.
die() {
    say "" >&2
    say "FAILED: $*" >&2
    if [ -s "$log" ]; then
        say "The last lines of $log:" >&2
        tail -n 15 "$log" >&2
    fi
    exit 1
}

# Starts otad on ADDR:PORT. Returns 1 when it ended instead of listening.
start_otad() {
    rm -f "$data/otad.addr"
    "$build/otad" serve --data-dir "$data" --listen "$1" 2>> "$log" &
    otad_pid=$!
    tries=0
    while [ ! -s "$data/otad.addr" ]; do
        kill -0 "$otad_pid" 2>/dev/null || { otad_pid=; return 1; }
        tries=$((tries + 1))
        [ "$tries" -lt 200 ] || die "otad did not start to listen within 20 s"
        sleep 0.1
    done
    address=$(head -n 1 "$data/otad.addr")
    url=http://$address
}

stop_otad() {
    [ -n "${otad_pid:-}" ] || return 0
    kill -TERM "$otad_pid" 2>/dev/null || true
    wait "$otad_pid" 2>/dev/null || true
    otad_pid=
}

# api METHOD PATH [curl option…]: one call with the key; the answer lands in $answer, its
# status in $status.
api() {
    method=$1 path=$2
    shift 2
    answer=$(curl -sS -w '\n%{http_code}' -X "$method" -H "Authorization: Bearer $KEY" "$@" \
        "$url$path") || die "$method $path got no answer"
    status=$(printf '%s' "$answer" | tail -n 1)
    answer=$(printf '%s' "$answer" | sed '$d')
}

# field PATH: one value of the JSON in $answer, e.g. field items.0.mac
field() {
    printf '%s' "$answer" | awk -f "$here/json.awk" | awk -F '\t' -v p="$1" '$1 == p {print $2; exit}'
}

# The lines to put into a sketch, for the base address $1 and the product $2.
sketch_lines() {
    say "    ESPhttpUpdate.update(client, \"$1/fw/$2/latest\", \"1.0.0\");   // ESP8266"
    say "    httpUpdate.update(client, \"$1/fw/$2/latest\", \"1.0.0\");      // ESP32"
    say "    const char *fwUrlBase = \"$1/fw/$2/\";   // the self-updating .version sketch"
}
