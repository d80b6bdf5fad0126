#!/bin/sh
# Runs each test program named on the command line, adds up their checks, and ends with one
# line "N passed, N failed". A program that dies without a count is one failure.
# A program prints either Check's summary or such a line of its own.
set -u
passed=0 failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for program in "$@"; do
    start=$(date +%s)
    timeout -k 10 "${TEST_TIMEOUT_S:-900}" "$program" > "$log" 2>&1
    status=$?
    summary=$(grep -aE '^[0-9]+%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+|^[0-9]+ passed, [0-9]+ failed' "$log" | tail -1)
    case "$summary" in
    *Checks:*)
        checks=$(echo "$summary" | sed 's/.*Checks: \([0-9]*\).*/\1/')
        failures=$(echo "$summary" | sed 's/.*Failures: \([0-9]*\).*/\1/')
        errors=$(echo "$summary" | sed 's/.*Errors: \([0-9]*\).*/\1/')
        fails=$((failures + errors))
        ;;
    *passed*)
        checks=$(echo "$summary" | sed 's/ passed.*//')
        fails=$(echo "$summary" | sed 's/.*passed, \([0-9]*\) failed.*/\1/')
        checks=$((checks + fails))
        ;;
    *) checks=1 fails=1 ;;
    esac
    if [ "$status" -ne 0 ] && [ "$fails" -eq 0 ]; then checks=$((checks + 1)) fails=1; fi
    passed=$((passed + checks - fails))
    failed=$((failed + fails))
    printf '%-44s %4d passed %3d failed  %3d s\n' "${program#"${BUILD:-build}"/}" $((checks - fails)) "$fails" $(($(date +%s) - start))
    if [ "$fails" -ne 0 ]; then tail -n 80 "$log"; fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
