#!/bin/sh
# SPDX-License-Identifier: MIT
# nginx and otad side by side on this machine, serving the same bytes on loopback: four rows, each
# measured in short runs that alternate, so that whatever else the machine does meets both.
# The ratio is the median of the ratios of neighbouring runs. docs/performance.md says how to read it.
# Usage: quick.sh BUILD
# BENCH_RUNS, BENCH_SECONDS and BENCH_PARKED change the effort, BENCH_ROWS names some of the rows.
set -eu
build=$1
runs=${BENCH_RUNS:-7}
seconds=${BENCH_SECONDS:-1}
parked=${BENCH_PARKED:-2000}
rows=${BENCH_ROWS:-version checkin image parked}
devices=1000 # as in load.c
load=$build/tests/bench/load

dir=$(mktemp -d)
nginx_pid='' otad_pid='' park_pid=''
stop() {
    [ -z "$1" ] || { kill "$1" && wait "$1"; } 2>/dev/null || true
}
trap 'stop "$park_pid"; stop "$otad_pid"; stop "$nginx_pid"; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
fail() {
    echo "bench: $*" >&2
    exit 1
}
# Waits a moment for a process. @return whether it lives and there is time left.
patience() {
    tries=$((tries + 1))
    sleep 0.05
    kill -0 "$1" 2> /dev/null && [ $tries -lt 200 ]
}

# ---- the two servers ------------------------------------------------------------------------
make_files() {
    "$build/tests/mkimage" --chip ESP8266 --size 1048576 --out "$dir/lamp.bin"
    mkdir -p "$dir/www/fw/lamp"
    printf 2 > "$dir/www/fw/lamp/latest"
    i=0
    while [ $i -lt $devices ]; do
        printf '%04x\n' $i
        i=$((i + 1))
    done | while read -r word; do
        ln "$dir/lamp.bin" "$dir/www/fw/lamp/5ccf7fa0$word.bin"
        ln "$dir/www/fw/lamp/latest" "$dir/www/fw/lamp/5ccf7fa0$word.version"
    done
}

# Tries ports until one is free: nginx can't be told to take any.
start_nginx() {
    user=
    [ "$(id -u)" -ne 0 ] || user='user root;'
    nginx_port=$((20000 + $$ % 8000))
    while :; do
        cat > "$dir/nginx.conf" <<CONF
$user
daemon off;
pid $dir/nginx.pid;
error_log $dir/nginx.log warn;
worker_processes auto;
events { worker_connections 8192; }
http {
    access_log off;
    sendfile on;
    keepalive_timeout 75s;
    keepalive_requests 1000000000;
    default_type application/octet-stream;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
    server { listen 127.0.0.1:$nginx_port; root $dir/www; }
}
CONF
        nginx -p "$dir" -c "$dir/nginx.conf" 2> "$dir/nginx.err" &
        nginx_pid=$!
        wait_for "http://127.0.0.1:$nginx_port/fw/lamp/latest" "$nginx_pid" && return
        nginx_port=$((nginx_port + 1))
        grep -q 'Address already in use' "$dir/nginx.err" "$dir/nginx.log" ||
            fail "nginx does not start: $(cat "$dir/nginx.err" "$dir/nginx.log")"
        stop "$nginx_pid"
    done
}

start_otad() {
    rm -f "$dir/data/otad.addr"
    "$build/otad" serve --data-dir "$dir/data" --listen 127.0.0.1:0 --log-level warn \
        --devices-new-devices-per-hour 100000 2> "$dir/otad.log" &
    otad_pid=$!
    tries=0
    until [ -s "$dir/data/otad.addr" ]; do
        patience "$otad_pid" || fail "otad does not start: $(cat "$dir/otad.log")"
    done
    otad_port=$(sed 's/.*://' "$dir/data/otad.addr")
}

wait_for() { # URL PID
    tries=0
    until curl -sf -o /dev/null "$1"; do
        patience "$2" || return 1
    done
}

# One product, one build of version 2, and every device known.
fill_otad() {
    key=$("$build/otad" key create --data-dir "$dir/data" --name bench --role admin)
    api=http://127.0.0.1:$otad_port/api/v1/products
    curl -sf -o "$dir/answer" -H "Authorization: Bearer $key" -d '{"slug":"lamp","name":"Lamp"}' \
        -H 'Content-Type: application/json' "$api" || fail "no product: $(cat "$dir/answer")"
    # The same devices take the image again and again: nobody is to be held for that.
    curl -sf -o "$dir/answer" -H "Authorization: Bearer $key" -X PATCH -d '{"attempts":1000,"stop_window_s":0}' \
        -H 'Content-Type: application/json' "$api/lamp" || fail "no policy: $(cat "$dir/answer")"
    curl -s -f -o "$dir/answer" -H "Authorization: Bearer $key" -F "file=@$dir/lamp.bin" \
        -F version=2 -F number=2 "$api/lamp/builds" || fail "no build: $(cat "$dir/answer")"
    "$load" -s 304 -n $((devices + 200)) checkin "$otad_port" > /dev/null
    sleep 1.2 # the evidence is on the disk
}

# ---- measuring ------------------------------------------------------------------------------
nginx_pids() {
    echo "$nginx_pid $(cat "/proc/$nginx_pid/task/$nginx_pid/children")"
}

# CPU seconds that processes have used.
cpu() {
    for pid in "$@"; do cat "/proc/$pid/stat"; done |
        awk -v hz="$(getconf CLK_TCK)" '{sub(/.*\) /, ""); t += $12 + $13} END {print t / hz}'
}

# KiB of one field of /proc/PID/status, all processes together.
memory() { # FIELD PID…
    field=$1
    shift
    for pid in "$@"; do cat "/proc/$pid/status"; done |
        awk -v f="$field:" '$1 == f {n += $2} END {print n + 0}'
}

# KiB of socket buffers on this machine, of both ends.
socket_memory() {
    awk -v page="$(getconf PAGESIZE)" '/^TCP:/ {for (i = 2; i < NF; i++) if ($i == "mem") print $(i + 1) * page / 1024}' \
        /proc/net/sockstat
}

# Appends "RATE CPU" of one run to a file: answers (or MB) a second, CPU of the server for each.
one_run() { # FILE UNIT KIND PORT PIDS STATUS CONNECTIONS
    # shellcheck disable=SC2086 # a list of pids
    before=$(cpu $5)
    result=$("$load" -d "$seconds" -s "$6" -c "$7" "$3" "$4") || fail "the clients of $3 failed"
    # shellcheck disable=SC2086
    after=$(cpu $5)
    echo "$result $before $after" | awk -v unit="$2" '
        {n = unit == "MB/s" ? $3 / 1e6 : $1; printf "%.1f %.3f\n", n / $2, ($6 - $5) * 1e6 / n}
        $4 > 0 {print "bench: " $4 " answers were not what they should be" > "/dev/stderr"; exit 1}' \
        >> "$1" || fail "the answers to $3 are wrong"
}

median() {
    sort -n | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'
}

measure() { # SERVER UNIT KIND NGINX_STATUS OTAD_STATUS CONNECTIONS
    if [ "$1" = nginx ]; then
        one_run "$dir/nginx.runs" "$2" "$3" "$nginx_port" "$(nginx_pids)" "$4" "$6"
    else
        one_run "$dir/otad.runs" "$2" "$3" "$otad_port" "$otad_pid" "$5" "$6"
    fi
}

# Measures and prints one row; every second pair runs the other way round.
row() { # NAME TEXT UNIT KIND NGINX_STATUS OTAD_STATUS CONNECTIONS
    name=$1 text=$2
    shift 2
    rm -f "$dir/nginx.runs" "$dir/otad.runs"
    i=0
    while [ $i -lt "$runs" ]; do
        [ $((i % 2)) -eq 0 ] || measure otad "$@"
        measure nginx "$@"
        [ $((i % 2)) -eq 1 ] || measure otad "$@"
        i=$((i + 1))
    done
    ratio=$(paste -d' ' "$dir/nginx.runs" "$dir/otad.runs" | awk '{print $3 / $1}' | median)
    n=$(cut -d' ' -f1 "$dir/nginx.runs" | median) nc=$(cut -d' ' -f2 "$dir/nginx.runs" | median)
    o=$(cut -d' ' -f1 "$dir/otad.runs" | median) oc=$(cut -d' ' -f2 "$dir/otad.runs" | median)
    printf '%-52s | %8.0f %-5s | %8.0f %-5s | %5.2f | %6.1f | %6.1f\n' \
        "$text" "$n" "$1" "$o" "$1" "$ratio" "$nc" "$oc"
    printf 'bench row=%s unit=%s nginx=%s otad=%s ratio=%s nginx_cpu_us=%s otad_cpu_us=%s\n' \
        "$name" "$1" "$n" "$o" "$ratio" "$nc" "$oc" >> "$dir/lines"
}

# Parks downloads at one server; sets anon, shmem, rss (bytes a connection) and sock (KiB, all).
park() { # PORT PID…
    port=$1
    shift
    sock=$(socket_memory)
    anon=$(memory RssAnon "$@") shmem=$(memory RssShmem "$@") rss=$(memory VmRSS "$@")
    mkfifo "$dir/hold"
    "$load" -c "$parked" park "$port" < "$dir/hold" > "$dir/parked" &
    park_pid=$!
    exec 3> "$dir/hold"
    tries=0
    until grep -q parked "$dir/parked"; do
        patience "$park_pid" || fail "the downloads don't park"
    done
    sleep 2 # buffers fill, evidence is flushed
    anon=$((($(memory RssAnon "$@") - anon) * 1024 / parked))
    shmem=$((($(memory RssShmem "$@") - shmem) * 1024 / parked))
    rss=$((($(memory VmRSS "$@") - rss) * 1024 / parked))
    sock=$(awk -v a="$(socket_memory)" -v b="$sock" 'BEGIN {print a - b}')
    exec 3>&-
    wait "$park_pid" || true
    park_pid=
    rm -f "$dir/hold"
}

# Both servers start afresh: memory that earlier rows left behind would hide what is needed.
parked_row() {
    stop "$otad_pid"
    stop "$nginx_pid"
    start_nginx
    start_otad
    idle=$(memory VmRSS "$otad_pid") idle_anon=$(memory RssAnon "$otad_pid")
    # The image is loaded, and SQLite's page caches, which are bounded, are full.
    "$load" -n 32 image "$nginx_port" > /dev/null
    "$load" -n 32 image "$otad_port" > /dev/null
    "$load" -s 304 -n $((devices + 200)) checkin "$otad_port" > /dev/null
    sleep 1.2
    # shellcheck disable=SC2046 # a list of pids
    park "$nginx_port" $(nginx_pids)
    n_anon=$anon n_shmem=$shmem n_rss=$rss n_sock=$sock
    park "$otad_port" "$otad_pid"
    printf '%-52s | %8s %-5s | %8s %-5s | %5s\n' \
        "$parked parked downloads: anonymous memory of each" "$n_anon" B "$anon" B \
        "$(awk -v a="$anon" -v b="$n_anon" 'BEGIN {printf "%.2f", (b ? a / b : 0)}')" \
        "  shared memory (the image's mapping)" "$n_shmem" B "$shmem" B "" \
        "  RSS, everything counted" "$n_rss" B "$rss" B "" \
        "  socket buffers in the kernel, both ends, all" "$((${n_sock%.*} / 1024))" MiB \
        "$((${sock%.*} / 1024))" MiB ""
    printf '%-52s | %14s | %8s %-5s | %5s\n' "otad idle: RSS" "" "$idle" KiB "" \
        "otad idle: anonymous memory" "" "$idle_anon" KiB ""
    printf 'bench row=parked unit=bytes_each nginx=%s otad=%s nginx_shmem=%s otad_shmem=%s nginx_rss=%s otad_rss=%s nginx_socket_kib=%s otad_socket_kib=%s\n' \
        "$n_anon" "$anon" "$n_shmem" "$shmem" "$n_rss" "$rss" "$n_sock" "$sock" >> "$dir/lines"
    echo "bench row=idle unit=KiB otad_rss=$idle otad_anon=$idle_anon" >> "$dir/lines"
}

nginx -v 2> /dev/null || fail "nginx is missing: make deps of the group bench installs it"
prlimit --nofile=$((3 * parked)): --pid $$ 2> /dev/null || true
make_files
start_nginx
start_otad
fill_otad
printf '%-52s | %-14s | %-14s | %-5s | %s\n' row nginx otad ratio 'server CPU µs each: nginx | otad'
for one in $rows; do
    case $one in
    version) row version '.version over kept connections' /s version 200 200 32 ;;
    checkin) row checkin 'check-in: 304, recorded (nginx: 200, 1-byte file)' /s checkin 200 304 32 ;;
    image) row image '1 MiB image, recorded; CPU for each MB' MB/s image 200 200 8 ;;
    parked) parked_row ;;
    *) fail "no such row: $one" ;;
    esac
done
echo
cat "$dir/lines"
