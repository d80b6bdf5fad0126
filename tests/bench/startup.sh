#!/bin/sh
# Prints what an otad costs that does nothing: memory of an idle daemon, and the time from its start
# to its first answer on a database of 100,000 devices. Usage: tests/bench/startup.sh [BUILD [N]]
set -eu
build=${1:-build}
devices=${2:-100000}
dir=$(mktemp -d "${TMPDIR:-/tmp}/otad-startup-XXXXXX")
pid=
stop() {
    [ -z "$pid" ] || kill "$pid" 2> /dev/null || true
    [ -z "$pid" ] || wait "$pid" 2> /dev/null || true
    pid=
}
trap 'stop; rm -rf "$dir"' EXIT INT TERM

# Starts the daemon and waits for its first answer; prints the milliseconds.
start() {
    rm -f "$dir/data/otad.addr"
    before=$(date +%s%N)
    "$build/otad" serve --data-dir "$dir/data" --listen 127.0.0.1:0 2>> "$dir/log" &
    pid=$!
    until [ -s "$dir/data/otad.addr" ]; do
        kill -0 "$pid" 2> /dev/null || { cat "$dir/log" >&2; exit 1; }
        sleep 0.001
    done
    curl -sf -o /dev/null "http://$(head -n 1 "$dir/data/otad.addr")/healthz"
    took_ms=$((($(date +%s%N) - before) / 1000000))
}
rss_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$pid/status"; }

start
sleep 1
empty_rss=$(rss_kib)
empty_ms=$took_ms
stop

sqlite3 "$dir/data/otad.db" << EOF
PRAGMA foreign_keys=ON;
BEGIN;
INSERT INTO product (id, slug, name, max_devices, created_at_s) VALUES (1, 'lamp', 'Lamp', 10000000, 1);
INSERT INTO channel (product, name) VALUES (1, 'stable');
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $devices)
INSERT INTO device (product, mac, version, chip, md5, address, agent, mode, first_seen_s, last_seen_s)
  SELECT 1, 0x30AEA4000000 + i, '1.4.' || (i % 9), 'ESP8266', lower(hex(randomblob(16))),
         '10.' || (i >> 16 & 255) || '.' || (i >> 8 & 255) || '.' || (i & 255),
         'ESP8266-http-Update', 'sketch', 1700000000 + i, 1760000000 + i FROM n;
COMMIT;
EOF

best_ms=999999
all=
for run in 1 2 3 4 5; do
    start
    all="$all $took_ms"
    [ "$took_ms" -ge "$best_ms" ] || best_ms=$took_ms
    [ "$run" = 5 ] || stop
done
sleep 1
full_rss=$(rss_kib)
kill -9 "$pid"
wait "$pid" 2> /dev/null || true
pid=
start # behind a kill: with a WAL to recover and an unclean end to clear up
killed_ms=$took_ms

echo "idle, empty database: RSS $empty_rss KiB; first start to first answer $empty_ms ms"
echo "idle, $devices devices: RSS $full_rss KiB (goal: under 16384)"
echo "start to first answer, $devices devices: best $best_ms ms of$all; after a kill $killed_ms ms (goal: under 200)"
