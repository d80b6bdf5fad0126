#!/bin/sh
# Prints the migrations of a folder as rows of a C array: {number, name, SQL}.
set -eu
for file in "$1"/[0-9][0-9][0-9][0-9]_*.sql; do
    name=$(basename "$file" .sql)
    number=$(echo "$name" | sed 's/_.*//; s/^0*//')
    printf '{%s, "%s",\n' "$number" "$name"
    sed 's/\\/\\\\/g; s/"/\\"/g; s/^/ "/; s/$/\\n"/' "$file"
    printf '},\n'
done
