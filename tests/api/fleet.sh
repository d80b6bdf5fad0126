#!/bin/sh
# SPDX-License-Identifier: MIT
# A small fleet with all faults is updated, and the ledger is right about every device of it.
set -u
here=$(dirname "$0")
out=$(mktemp)
trap 'rm -f "$out"' EXIT
if FLEET_FAULTS=drop=10,power=10,flash=5,old=5,silent=5 "$here/../bench/fleet.sh" "$BUILD" 300 40000 48 > "$out" 2>&1; then
    echo "$(grep -c '^fleet ledger: ' "$out") passed, 0 failed"
else
    cat "$out"
    echo "0 passed, 1 failed"
    exit 1
fi
