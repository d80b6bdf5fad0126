#!/bin/sh
# SPDX-License-Identifier: MIT
# Writes the files of a folder (index.html and assets/) as the C table that
# server/dashboard/assets.c includes: each as it is and as gzip.
# usage: tools/embed_assets.sh FOLDER > dashboard.inc
set -eu
folder=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

media_type() {
    case "$1" in
    *.html) echo 'text/html; charset=utf-8' ;;
    *.js) echo 'text/javascript; charset=utf-8' ;;
    *.css) echo 'text/css; charset=utf-8' ;;
    *.svg) echo 'image/svg+xml' ;;
    *.txt) echo 'text/plain; charset=utf-8' ;;
    *) echo "$0: what is $1?" >&2; exit 1 ;;
    esac
}

# bytes NAME FILE
bytes() {
    printf 'static const unsigned char %s[] = {\n' "$1"
    od -An -v -tu1 "$2" | sed 's/  */,/g; s/^,/ /; s/$/,/'
    printf '};\n'
}

echo "/* Made by tools/embed_assets.sh of the files in web/. */"
n=0
: > "$work/table"
for file in "$folder"/index.html "$folder"/assets/*; do
    [ -f "$file" ] || continue
    name=$(basename "$file")
    type=$(media_type "$name")
    gzip -9n < "$file" > "$work/gz"
    tag=$(sha256sum < "$file" | cut -c1-24)
    bytes "plain_$n" "$file"
    bytes "gzip_$n" "$work/gz"
    cat >> "$work/table" << ROW
    {"$name", "$type", "\"$tag\"", "\"$tag-gz\"", plain_$n, gzip_$n, sizeof plain_$n, sizeof gzip_$n},
ROW
    n=$((n + 1))
done
echo "static const struct asset assets[] = {"
cat "$work/table"
echo "};"
