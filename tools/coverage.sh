#!/bin/sh
# Measures coverage of an instrumented build folder after its tests ran, and holds the gates: every
# branch of the pure rules, most lines of everything.
# usage: coverage.sh BUILD
set -eu
build=$1
# Modules whose every branch is a promise to a device.
every_branch='server/fleet/decide.c server/base/version.c server/base/mac.c server/http/target.c client/src/'
lines_percent=85

gcovr --root . --object-directory "$build/obj" --exclude-throw-branches --exclude-unreachable-branches \
    --filter server/ --filter client/src/ --json-summary "$build/coverage.json" \
    --txt "$build/coverage.txt" --print-summary > "$build/coverage.summary"
cat "$build/coverage.summary"
echo "per file: $build/coverage.txt"

bad=0
for path in $every_branch; do
    missing=$(tr -d '\n' < "$build/coverage.json" | sed 's/{"branch_/\n{"branch_/g' |
        awk -v path="$path" 'index($0, "\"filename\": \"" path) {
            covered = total = $0
            sub(/.*"branch_covered": /, "", covered); sub(/[,}].*/, "", covered)
            sub(/.*"branch_total": /, "", total); sub(/[,}].*/, "", total)
            name = $0; sub(/.*"filename": "/, "", name); sub(/".*/, "", name)
            if (covered + 0 < total + 0) print name ": " covered " of " total " branches"
        }')
    if [ -n "$missing" ]; then echo "not every branch: $missing"; bad=1; fi
done
lines=$(awk '/^lines:/ {sub(/%.*/, "", $2); print int($2)}' "$build/coverage.summary")
if [ "$lines" -lt "$lines_percent" ]; then
    echo "lines: $lines %, at least $lines_percent % are wanted"
    bad=1
fi
exit $bad
