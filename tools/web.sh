#!/bin/sh
# SPDX-License-Identifier: MIT
# The dashboard's files: which folder holds them, and making them.
# usage: tools/web.sh which MODE      prints the folder that is to be embedded
#        tools/web.sh build FOLDER    makes what is in it
# MODE auto: web/dist of a release tarball, else made here when there are node and npm, else a page
# that says what was left out. yes: node and npm must be there. no: left out.
set -eu
cd "$(dirname "$0")/.."
work=build/web

case "$1" in
which)
    mode=$2
    if [ "$mode" = no ]; then
        echo web/absent
    elif [ -f web/dist/index.html ]; then
        echo web/dist
    elif [ "$mode" = yes ] || { command -v node && command -v npm; } > /dev/null 2>&1; then
        echo "$work/dist"
    else
        echo "  NOTE  node and npm are missing: this otad gets no dashboard. Install them (tools/install-deps.sh web) and run make again." >&2
        echo web/absent
    fi
    exit 0
    ;;
build)
    [ "$2" = "$work/dist" ] || exit 0 # the others are there as they are
    ;;
*)
    echo "usage: $0 which auto|yes|no | build FOLDER" >&2
    exit 2
    ;;
esac

mkdir -p "$work"
exec 9> "$work/lock"
flock 9 # two builds of otad may run at once

if ! cmp -s web/package-lock.json "$work/node_modules/.made-of"; then
    cp web/package.json web/package-lock.json web/.npmrc "$work/"
    if ! (cd "$work" && npm ci --no-audit --no-fund --loglevel=error > npm.log 2>&1); then
        cat "$work/npm.log" >&2
        echo "The dashboard's libraries could not be fetched (npm ci, see above). Try again with the network up, or build without it: make WEB=no" >&2
        exit 1
    fi
    cp web/package-lock.json "$work/node_modules/.made-of"
fi

modules=$PWD/$work/node_modules
: > "$work/licenses.txt"
for library in preact uplot qrcode-generator; do
    printf '==== %s\n\n' "$library" >> "$work/licenses.txt"
    if [ -f "$modules/$library/LICENSE" ]; then
        cat "$modules/$library/LICENSE" >> "$work/licenses.txt"
    else
        sed -n 's/^ *"license": "\(.*\)",*$/\1/p; s/^ *"author": "\(.*\)",*$/Copyright \1/p' "$modules/$library/package.json" >> "$work/licenses.txt"
    fi
    printf '\n\n' >> "$work/licenses.txt"
done

rm -rf "$work/new"
NODE_PATH=$modules "$modules/.bin/esbuild" web/src/main.jsx \
    --bundle --splitting --minify --format=esm --target=es2020 --jsx=automatic --jsx-import-source=preact \
    --loader:.txt=file --alias:licenses="$PWD/$work/licenses.txt" \
    --entry-names='app-[hash]' --chunk-names='part-[hash]' --asset-names='[name]-[hash]' --public-path=/assets \
    --legal-comments=none --log-level=warning --outdir="$work/new/assets"

js=$(cd "$work/new/assets" && echo app-*.js)
css=$(cd "$work/new/assets" && echo app-*.css)
icon=icon-$(sha256sum < web/icon.svg | cut -c1-8).svg
cp web/icon.svg "$work/new/assets/$icon"
sed "s|@JS@|/assets/$js|; s|@CSS@|/assets/$css|; s|@ICON@|/assets/$icon|" web/index.html > "$work/new/index.html"
rm -rf "$work/dist"
mv "$work/new" "$work/dist"
