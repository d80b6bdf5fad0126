#!/bin/sh
# Installs the packages of the named groups of tools/packages that are not installed yet.
# Needs root (or sudo) and the network only while one is missing. A package whose row names a command
# behind it is not needed where that command is there already, from wherever (node of another source).
set -eu
here=$(dirname "$0")
[ $# -gt 0 ] || { echo "usage: $0 GROUP…   (groups: $(sed 's/#.*//' "$here/packages" | awk 'NF{print $1}' | sort -u | tr '\n' ' '))" >&2; exit 2; }

missing=
for group in "$@"; do
    # shellcheck disable=SC2013 # one word a line by construction
    for row in $(sed 's/#.*//' "$here/packages" | awk -v g="$group" '$1 == g {print $2 "," $3}'); do
        package=${row%%,*} command=${row#*,}
        if [ -n "$command" ] && command -v "$command" > /dev/null; then continue; fi
        status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
        [ "$status" = "install ok installed" ] || missing="$missing $package"
    done
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "These packages are missing:$missing" >&2
        echo "Run this as root, or install them yourself: apt-get install$missing" >&2
        exit 1
    }
    sudo=sudo
fi
echo "Installing:$missing"
$sudo apt-get update -qq
# shellcheck disable=SC2086 # the list is words by intent
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing
