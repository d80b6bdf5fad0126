#!/bin/sh
# SPDX-License-Identifier: MIT
# Devices that announce ArduinoOTA by mDNS: off without avahi, and it says so; with an avahi-daemon of
# our own (loopback only, on a D-Bus of its own; needs root) a device comes, goes, and comes back
# after the daemon was restarted.
set -u
build=${BUILD:-build}
passed=0 failed=0
ok() { passed=$((passed + 1)); }
fail() { failed=$((failed + 1)); echo "discovery: $*"; }
dir=$(mktemp -d)
otad_pid='' bus_pid='' avahi_pid='' device_pid=''
stop() {
    [ -z "$1" ] || { kill "$1" && wait "$1"; } 2> /dev/null
}
trap 'stop "$device_pid"; stop "$otad_pid"; stop "$avahi_pid"; stop "$bus_pid"; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
export DBUS_SYSTEM_BUS_ADDRESS="unix:path=$dir/bus"

start_otad() {
    "$build/otad" serve --data-dir "$dir/data" --listen 127.0.0.1:0 2> "$dir/otad.log" &
    otad_pid=$!
    for _ in $(seq 200); do
        grep -q ' ready ' "$dir/otad.log" && break
        sleep 0.05
    done
    port=$(sed -n 's/.* address=127\.0\.0\.1:\([0-9]*\)$/\1/p' "$dir/otad.log")
}
# candidates PATTERN: waits until the answer has it
candidates() {
    for _ in $(seq 100); do
        curl -s -m 5 -H "Authorization: Bearer $key" "http://127.0.0.1:$port/api/v1/candidates" > "$dir/answer"
        grep -q "$1" "$dir/answer" && return 0
        sleep 0.1
    done
    return 1
}
expect() {
    what=$1
    shift
    if candidates "$1"; then ok; else fail "$what: got $(cat "$dir/answer")"; fi
}

key=$("$build/otad" key create --data-dir "$dir/data" --name test --role viewer 2> /dev/null)
start_otad
expect "without avahi it is off and says so" '"items":\[\].*"listening":false,"reason":"avahi: [A-Z]'
if grep -q "discovery.off .*hint='install and start avahi-daemon" "$dir/otad.log"; then ok; else
    fail "the log doesn't say what to install"
fi
stop "$otad_pid"
otad_pid=''

PATH=$PATH:/usr/sbin
missing=''
for tool in dbus-daemon avahi-daemon avahi-publish unshare; do
    command -v $tool > /dev/null || missing="$missing $tool"
done
if [ -n "$missing" ] || [ "$(id -u)" -ne 0 ] || ! unshare -m true 2> /dev/null; then
    echo "discovery: skipped with a real avahi: it needs root${missing:+ and}$missing"
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
fi

cat > "$dir/bus.conf" << END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=$dir/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/><allow user="*"/></policy></busconfig>
END
printf '[server]\nhost-name=otadtest\nallow-interfaces=lo\nuse-ipv6=no\n[publish]\npublish-workstation=no\n[rlimits]\n' > "$dir/avahi.conf"
dbus-daemon --config-file="$dir/bus.conf" --nofork --nopidfile 2> "$dir/bus.log" &
bus_pid=$!
# Its pid file must not meet a system's own avahi: a /run of its own.
start_avahi() {
    # shellcheck disable=SC2016 # the inner shell expands it
    unshare -m sh -c 'mount -t tmpfs none /run && mkdir /run/avahi-daemon && exec avahi-daemon -f "$1" --no-drop-root --no-chroot --no-rlimits' sh "$dir/avahi.conf" 2>> "$dir/avahi.log" &
    avahi_pid=$!
}
start_device() {
    avahi-publish -s esp32-30aea48436f0 _arduino._tcp 3232 tcp_check=no ssh_upload=no board=esp32dev auth_upload=yes 2> "$dir/device.log" &
    device_pid=$!
}
for _ in $(seq 100); do
    [ -S "$dir/bus" ] && break
    sleep 0.05
done
start_otad
start_avahi
expect "avahi that starts later is found" '"listening":true,"reason":""'
start_device
expect "a device is found" '"name":"esp32-30aea48436f0".*"port":3232,"board":"esp32dev","auth":true,"mac":"30:AE:A4:84:36:F0"'
stop "$device_pid"
device_pid=''
expect "a device that says goodbye is gone" '"items":\[\].*"listening":true'
stop "$avahi_pid"
expect "avahi that ends is noticed" '"listening":false'
start_avahi
expect "avahi that comes back is found" '"listening":true'
start_device
expect "a device is found again" '"name":"esp32-30aea48436f0"'
if stop "$otad_pid"; then ok; else fail "otad ended with an error"; fi
otad_pid=''
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
