#!/bin/sh
# SPDX-License-Identifier: MIT
# How the dashboard gets into the program: with node, without, left out by choice, and from a release
# tarball. Builds of whole daemons aren't needed for that: the table of files is.
set -u
cd "$(dirname "$0")/../.." || exit 1
passed=0 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

check() { # check WORDS: the last status says whether it is so
    if [ "$?" -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "dashboard_build: $1"; fi
}

# A tree with the tools in it, where no node can be found.
mkdir -p "$work/tree" "$work/bin"
cp -r web tools "$work/tree/"
rm -rf "$work/tree/web/dist"
for program in sh dirname cat cmp mkdir flock cut sed awk od gzip sha256sum mktemp rm basename tr; do
    ln -s "$(command -v "$program")" "$work/bin/$program"
done
without_node() { (cd "$work/tree" && PATH="$work/bin" tools/web.sh "$@"); }

folder=$(without_node which auto 2> "$work/said")
[ "$folder" = web/absent ]
check "without node, $folder is embedded"
grep -q 'node and npm are missing' "$work/said"
check "nobody says what is left out: $(cat "$work/said")"
[ "$(tools/web.sh which no)" = web/absent ]
check "WEB=no embeds $(tools/web.sh which no)"
[ "$(without_node which yes)" = build/web/dist ]
check "WEB=yes embeds $(without_node which yes) without node, instead of failing there"
! without_node build build/web/dist > /dev/null 2>&1
check "WEB=yes without node builds something"

# What a release tarball carries is taken, whatever is installed.
mkdir -p "$work/tree/web/dist/assets"
echo '<!doctype html>' > "$work/tree/web/dist/index.html"
echo 'x()' > "$work/tree/web/dist/assets/app-1.js"
[ "$(without_node which auto)" = web/dist ] && [ "$(without_node which yes)" = web/dist ]
check "web/dist is not taken"

# The table compiles, is found by name, and both forms of a file are the same bytes.
tools/embed_assets.sh "$work/tree/web/dist" > "$work/dashboard.inc"
check "embedding failed"
cat > "$work/main.c" << 'C'
#include <stdio.h>
#include <string.h>
#include "dashboard/assets.h"
int main(int argc, char **argv)
{
    const struct asset *a = argc > 2 ? asset_find(argv[1]) : NULL;
    if (a == NULL)
        return 1;
    int gzip = strcmp(argv[2], "gzip") == 0;
    return fwrite(gzip ? a->gzip : a->plain, 1, gzip ? a->gzip_n : a->plain_n, stdout) == 0;
}
C
cc -std=c11 -Iserver -Iinclude -I"$work" -o "$work/assets" "$work/main.c" server/dashboard/assets.c
check "the table does not compile"
for name in index.html app-1.js; do
    file=$(find "$work/tree/web/dist" -name "$name")
    "$work/assets" "$name" plain | cmp -s - "$file"
    check "$name is not embedded as it is"
    "$work/assets" "$name" gzip | gzip -dc | cmp -s - "$file"
    check "$name is not embedded as gzip"
done
! "$work/assets" nothing.js plain > /dev/null
check "a name that isn't there is found"

# Neither lock file names a registry, and all versions are exact.
! grep -lE '"resolved"|https?://[^"]*registry' web/package-lock.json tests/browser/package-lock.json
check "a lock file names a registry"
! grep -E '"[~^]' web/package.json tests/browser/package.json
check "a version is not pinned"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
