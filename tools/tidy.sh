#!/bin/sh
# SPDX-License-Identifier: MIT
# clang-tidy over the product's C files (server, client), one process a file and one a core, with
# the compiler flags given on the command line. Prints what it finds; ends with "N passed, N
# failed" files and exit 1 if one failed. TIDY_FILES="server/base/hex.c …" looks at those only.
set -eu
cd "$(dirname "$0")/.."
if [ "${1:-}" = --one ]; then # --one FOLDER FILE FLAG…
    shift
    out=$1/$(echo "$2" | tr / _) file=$2
    shift 2
    clang-tidy --quiet "$file" -- -std=c11 "$@" > "$out" 2>&1 && rm "$out"
    exit 0
fi
files=${TIDY_FILES:-$(git ls-files 'server/*.c' 'client/src/*.c' 'client/ports/posix/*.c' 'client/ports/esp-idf/src/*.c' 'client/examples/*.c')}
found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT
# shellcheck disable=SC2086 # a list of words
printf '%s\n' $files | xargs -P "$(nproc)" -I{} "$0" --one "$found" {} "$@"
# shellcheck disable=SC2086
n=$(printf '%s\n' $files | wc -l)
failed=0
for out in "$found"/*; do
    [ -e "$out" ] || break
    failed=$((failed + 1))
    grep -vE '^[0-9]+ warnings? (generated|treated)|^Suppressed|^Use -header-filter' "$out" || true
done
echo "$((n - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
