#!/bin/sh
# SPDX-License-Identifier: MIT
# make install into a folder puts what it should where it should, and make uninstall takes all of
# it away again but nothing else. Also holds the unit, socket and sysusers file to systemd's own
# checkers where those are installed.
set -u
build=${BUILD:-build}
passed=0 failed=0
ok() { passed=$((passed + 1)); }
fail() { failed=$((failed + 1)); echo "install: $*"; }
# check WHAT COMMAND…
check() {
    what=$1
    shift
    if "$@"; then ok; else fail "$what"; fi
}
dest=$(mktemp -d)
trap 'rm -rf "$dest"' EXIT

# MAKEFLAGS of an outer make would pass its job server on.
unset MAKEFLAGS MFLAGS MAKELEVEL
# -o: what is installed is what was built, in whichever flavour.
mk() { make --no-print-directory -o "$build/otad" BUILD="$build" DESTDIR="$dest" "$@" > "$dest.log" 2>&1 || { cat "$dest.log"; return 1; }; rm -f "$dest.log"; }
mode() { [ "$(stat -c '%a' "$dest$1" 2>/dev/null)" = "$2" ]; }

# place PREFIX SYSCONFDIR
round() {
    prefix=$1 etc=$2
    check "make install PREFIX=$prefix" mk install PREFIX="$prefix"
    check "$prefix/bin/otad is 755" mode "$prefix/bin/otad" 755
    for file in "$etc/otad/otad.conf.example" "$prefix/lib/systemd/system/otad.service" \
        "$prefix/lib/systemd/system/otad.socket" "$prefix/lib/sysusers.d/otad.conf"; do
        check "$file is 644" mode "$file" 644
    done
    n=$(find "$dest" -type f | wc -l)
    check "five files were installed, not $n" [ "$n" -eq 5 ]

    unit=$dest$prefix/lib/systemd/system/otad.service
    exec=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$unit")
    check "ExecStart's $exec is installed" [ -x "$dest$exec" ]
    check "the installed otad runs" "$dest$exec" version > /dev/null
    check "no @NAME@ is left in the units" sh -c "! grep -q '@[A-Z]*@' '$unit' '$dest$prefix/lib/systemd/system/otad.socket'"
    check "the unit reads $etc/otad/otad.conf" grep -q -- "--config $etc/otad/otad.conf" "$unit"
    check "the installed example is right" "$dest$exec" config check --config "$dest$etc/otad/otad.conf.example" > /dev/null

    if command -v systemd-analyze > /dev/null; then
        # The checker wants the binary where the unit says it is: show it the one installed here.
        mkdir "$dest/verify"
        sed "s|^ExecStart=$exec|ExecStart=$dest$exec|" "$unit" > "$dest/verify/otad.service"
        cp "$dest$prefix/lib/systemd/system/otad.socket" "$dest/verify/"
        out=$(SYSTEMD_LOG_LEVEL=warning systemd-analyze verify "$dest/verify/otad.service" "$dest/verify/otad.socket" 2>&1 |
            grep -E '/verify/|otad\.(service|socket)')
        check "systemd-analyze verify: $out" [ -z "$out" ]
        rm -r "$dest/verify"
    fi
    if command -v systemd-sysusers > /dev/null; then
        check "systemd-sysusers takes the file" sh -c \
            "systemd-sysusers --dry-run '$dest$prefix/lib/sysusers.d/otad.conf' > /dev/null 2>&1"
    fi

    echo "mine" > "$dest$etc/otad/otad.conf"
    check "make uninstall" mk uninstall PREFIX="$prefix"
    check "your own configuration stays" [ -f "$dest$etc/otad/otad.conf" ]
    rm "$dest$etc/otad/otad.conf"
    check "make uninstall again" mk uninstall PREFIX="$prefix"
    left=$(find "$dest" -type f -o -type l)
    check "files are left: $left" [ -z "$left" ]
    check "the folder $etc/otad is gone" [ ! -d "$dest$etc/otad" ]
    rm -rf "${dest:?}"/*
}

round /usr/local /usr/local/etc
round /usr /etc
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
