#!/bin/sh
# SPDX-License-Identifier: MIT
# Pushes between two hosts (network namespaces, joined by a pair of virtual interfaces that nothing
# else touches), with the delay and the loss of a weak Wi-Fi: what loopback can't show. Needs root and
# ip, and for the weak Wi-Fi tc with netem; where they are missing it says so.
set -u
build=${BUILD:-build}
passed=0 failed=0
ok() { passed=$((passed + 1)); }
fail() { failed=$((failed + 1)); echo "push_network: $*"; sed 's/^/  /' "$dir/out"; }
finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}
PATH=$PATH:/usr/sbin:/sbin
dir=$(mktemp -d)
here=otad-a-$$ there=otad-b-$$ device_pid=''
stop_device() {
    [ -z "$device_pid" ] || { kill "$device_pid" && wait "$device_pid"; } 2> /dev/null
    device_pid=''
}
trap 'stop_device; ip netns del "$here"; ip netns del "$there"; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
make_hosts() {
    ip netns add "$here" && ip netns add "$there" &&
        ip link add oa$$ netns "$here" type veth peer name ob$$ netns "$there" &&
        ip -n "$here" addr add 10.99.0.1/24 dev oa$$ && ip -n "$there" addr add 10.99.0.2/24 dev ob$$ &&
        ip -n "$here" link set oa$$ up && ip -n "$there" link set ob$$ up
}
# Weak Wi-Fi, where the kernel has netem.
make_weak() {
    ip netns exec "$here" tc qdisc add dev oa$$ root netem delay 20ms 10ms loss 5% &&
        ip netns exec "$there" tc qdisc add dev ob$$ root netem delay 20ms 10ms loss 5%
}
if ! make_hosts > "$dir/out" 2>&1; then
    echo "push_network: skipped, two hosts can't be made here: $(head -n 1 "$dir/out")"
    finish
fi
make_weak > "$dir/out" 2>&1 || echo "push_network: without delay and loss: $(head -n 1 "$dir/out")"
start_device() {
    ip netns exec "$there" "$build/tests/espota_device" --address 10.99.0.2 "$@" > "$dir/device" &
    device_pid=$!
    for _ in $(seq 100); do
        [ -s "$dir/device" ] && break
        sleep 0.05
    done
    port=$(head -n 1 "$dir/device")
}
# push STATUS ARGUMENT…: the exit status must be that
push() {
    want=$1
    shift
    ip netns exec "$here" timeout 120 "$build/otad" push "$@" > "$dir/out" 2>&1
    got=$?
    if [ $got -eq "$want" ]; then ok; else fail "otad push $*: exit status $got, not $want"; fi
}
says() {
    if grep -q "$1" "$dir/out"; then ok; else fail "it doesn't say '$1'"; fi
}
"$build/tests/mkimage" --chip ESP8266 --size 60000 --out "$dir/lamp.bin"

for core in esp8266 esp32 esp32-new; do
    start_device --core $core --password secret
    push 0 --port "$port" --password secret "$dir/lamp.bin" 10.99.0.2
    says 'segments had to be sent again'
    wait "$device_pid"
    device_pid=''
    if grep -q "updated $(md5sum < "$dir/lamp.bin" | cut -c1-32)" "$dir/device"; then ok; else
        fail "the $core got something else"
    fi
done

start_device --silent
push 1 --port "$port" --timeout 3 "$dir/lamp.bin" 10.99.0.2
says 'is there (it answers'
says '1. Its sketch is busy: ArduinoOTA.handle()'
stop_device

push 1 --port 4711 --timeout 3 "$dir/lamp.bin" 10.99.0.2
says 'nothing listens on UDP port 4711'

push 1 --timeout 3 "$dir/lamp.bin" 10.99.0.77
says 'nothing at all came from 10.99.0.77'
says 'nobody has its address'

start_device --stall 34
( sleep 3; ip -n "$there" link set ob$$ down ) &
push 1 --port "$port" --timeout 6 "$dir/lamp.bin" 10.99.0.2
says 'it stopped'
wait $!
stop_device
finish
