#!/bin/sh
# SPDX-License-Identifier: MIT
# The main job, end to end, on this machine: `make demo` or `make demo FIRMWARE=Sketch.ino.bin`.
# usage: tools/demo.sh BUILD [FIRMWARE]
set -eu
build=$1 firmware=${2:-}
work=$build/demo
data=$work/data log=$work/otad.log
# shellcheck source=tools/local.sh
. "$(dirname "$0")/local.sh"

mac=5C:CF:7F:A1:B2:C3
chip=ESP8266 product=lamp version1=1.0.0 version2=1.1.0
step=0
next() { step=$((step + 1)); say ""; say "$step. $*"; }

rm -rf "$work"
mkdir -p "$work"
trap stop_otad EXIT
trap 'exit 130' INT TERM

# ---- the user's own file says for which chip the device is, and which version comes second
extra=
if [ -n "$firmware" ]; then
    [ -r "$firmware" ] || die "there is no readable file $firmware"
    if ! answer=$("$build/otad" inspect --json "$firmware"); then
        "$build/otad" inspect "$firmware" >&2 || true
        die "$firmware can't be given to a device (the reason stands above)"
    fi
    chip=$(field chip)
    case "$(field kind)" in
    *app*) ;;
    *) die "$firmware is $(field description), the demo needs an application" ;;
    esac
    [ -n "$chip" ] || die "otad can't tell for which chip $firmware is"
    [ "$chip" = ESP8266 ] || product=lamp-$(printf '%s' "$chip" | tr '[:upper:]' '[:lower:]' | tr -cd 'a-z0-9')
    version2=$(field version)
    [ -n "$version2" ] || { version2=2.0.0; extra=2.0.0; }
    [ "$version2" != "$version1" ] || version1=0.9.0
fi

# upload FILE [VERSION]: shows the command as one types it, and runs it
upload() {
    form=${2:+" -F version=$2"}
    say "   \$ curl -H \"Authorization: Bearer \$KEY\" -F file=@\"$1\"$form $url/api/v1/products/$product/builds"
    api POST "/api/v1/products/$product/builds" -F "file=@\"$1\"" ${2:+-F "version=$2"}
    [ "$status" = 201 ] || die "the upload was answered $status: $(field error.message) $(field error.hint)"
    say "   → 201: build $(field id), version $(field version), $(field chip), $(field size) bytes"
    say "     sha256 $(field sha256)"
}

device() {
    "$build/otad-device" --server "$url" --product "$product" --mac "$mac" --chip "$chip" \
        --state "$work/device" --once > "$work/device.out" 2>&1 || {
        sed 's/^/   /' "$work/device.out"
        die "the device did not get its update"
    }
    sed 's/^/   /' "$work/device.out"
    grep -q 'restarting into' "$work/device.out" || die "the device found nothing to install"
}

say "otad demo: a build goes in with curl and comes out on a device."

next "otad starts, with an empty data folder"
start_otad 127.0.0.1:0 || die "otad did not start"
say "   it listens on $address, its data is in $data"

next "A key for uploads and settings, made beside the running daemon"
say "   \$ KEY=\$($build/otad key create --data-dir $data --name demo --role admin)"
KEY=$("$build/otad" key create --data-dir "$data" --name demo --role admin) || die "making a key failed"

next "A product: a kind of device"
say "   \$ curl -H \"Authorization: Bearer \$KEY\" -d '{\"slug\":\"$product\"}' -H 'Content-Type: application/json' $url/api/v1/products"
api POST /api/v1/products -H 'Content-Type: application/json' -d "{\"slug\":\"$product\",\"name\":\"Lamp\"}"
[ "$status" = 201 ] || die "making the product was answered $status: $answer"

next "The first build, $version1: an $chip image with random content, made on the spot"
"$build/tests/mkimage" --chip "$chip" --version "$version1" --size 393216 --seed 1 \
    --out "$work/Lamp-$version1.ino.bin" > /dev/null || die "making the first image failed"
upload "$work/Lamp-$version1.ino.bin"

next "A device (a program that plays an $chip) checks in and updates itself"
device

if [ -n "$firmware" ]; then
    next "The second build: your file, $firmware"
    upload "$firmware" "$extra"
else
    next "The second build, $version2"
    "$build/tests/mkimage" --chip "$chip" --version "$version2" --size 397312 --seed 2 \
        --out "$work/Lamp-$version2.ino.bin" > /dev/null || die "making the second image failed"
    upload "$work/Lamp-$version2.ino.bin"
fi

next "The same device checks in again"
device

next "What the server knows: the ledger"
say "   \$ curl -H \"Authorization: Bearer \$KEY\" $url/api/v1/products/$product/updates"
api GET "/api/v1/products/$product/updates"
[ "$status" = 200 ] || die "the ledger was answered $status: $answer"
printf '%s' "$answer" | awk -f "$here/json.awk" | awk -F '\t' '
    { n = split($1, k, "."); if (k[1] != "items" || n < 3) next
      if (n == 3) v[k[2], k[3]] = $2
      if (k[3] == "transfers") v[k[2], "t_" k[5]] = $2       # the newest one stays
      if (k[3] == "reports") v[k[2], "r_" k[5]] = $2
      if (k[2] + 0 > last) last = k[2] + 0 }
    END { f = "   %-18s %-10s %-10s %-11s %-19s %-9s %s\n"
        printf f, "DEVICE", "FROM", "TO", "STATE", "BYTES", "REPORT", "WHEN"
        for (i = last; i >= 0; i--)
            printf f, v[i, "mac"], v[i, "from_version"], v[i, "to_version"], v[i, "state"],
                v[i, "t_bytes_acked"] " of " v[i, "t_size"], v[i, "r_result"], v[i, "updated_at"] }'
installed=$(printf '%s' "$answer" | awk -f "$here/json.awk" |
    awk -F '\t' '$1 ~ /^items\.[0-9]+\.state$/ && $2 == "installed"' | wc -l)
[ "$installed" -eq 2 ] || die "the ledger should show two installed updates, it shows $installed"

next "What to put into a sketch (with this server's LAN address: \`make run\` shows it)"
sketch_lines "$url" "$product"

stop_otad
trap - EXIT
say ""
say "Done: two builds went in, the device runs $version2. Next: make run"
