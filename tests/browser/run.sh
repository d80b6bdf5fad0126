#!/bin/sh
# SPDX-License-Identifier: MIT
# The dashboard in Debian's Chromium: fetches what the tests are written with (npm, into
# build/browser) and runs them.
# usage: tests/browser/run.sh [SCENARIO…] | screenshots | load
set -eu
cd "$(dirname "$0")/../.."
modules=build/browser

for program in node npm chromium; do
    command -v "$program" > /dev/null || {
        echo "browser tests: $program is missing; tools/install-deps.sh web browser installs it"
        exit 1
    }
done
mkdir -p "$modules"
exec 9> "$modules/lock"
flock 9
if ! cmp -s tests/browser/package-lock.json "$modules/node_modules/.made-of"; then
    cp tests/browser/package.json tests/browser/package-lock.json tests/browser/.npmrc "$modules/"
    (cd "$modules" && npm ci --no-audit --no-fund --loglevel=error > npm.log 2>&1) || { cat "$modules/npm.log"; exit 1; }
    cp tests/browser/package-lock.json "$modules/node_modules/.made-of"
fi
flock -u 9
export BROWSER_MODULES="$modules"

case "${1:-}" in
screenshots)
    node tests/browser/screenshots.mjs build/screenshots
    mkdir -p docs/images # those of the README
    cp build/screenshots/fleet-desktop-light.png docs/images/fleet.png
    cp build/screenshots/device-desktop-light.png docs/images/device.png
    ;;
load) exec node tests/browser/load.mjs ;;
*) exec node tests/browser/test.mjs "$@" ;;
esac
