#!/bin/sh
# Holds the tree to the layers of docs/architecture.md: which folder may include which, and
# which libraries stay behind which files. Prints every breach; exit 1 if there is one.
set -eu
cd "$(dirname "$0")/.."
bad=0
found=$(mktemp)
trap 'rm -f "$found"' EXIT
breach() { echo "layers: $1"; bad=1; }

# folder: the folders whose headers it may include (its own and otad/ always)
rules='base:
db: base
image: base
http: base
fleet: base db image
device_api: base db http fleet image
admin_api: base db http fleet image push
push: base db fleet
dashboard: base http
cli: base db http fleet image device_api admin_api push'

echo "$rules" | while IFS=: read -r folder allowed; do
    [ -d "server/$folder" ] || continue
    grep -nHE '^#include "' server/"$folder"/*.[ch] 2>/dev/null | while IFS= read -r line; do
        target=$(echo "$line" | sed 's/.*#include "//; s/".*//')
        layer=${target%%/*}
        case "$target" in */*) ;; *.inc | routes.h | version.h) continue ;; *) echo "$line: name the folder of the header"; continue ;; esac
        [ "$layer" = otad ] && continue
        case " $folder $allowed " in *" $layer "*) ;; *) echo "$line: $folder/ may not include $layer/" ;; esac
    done
done > "$found"
grep -rnE '#include <microhttpd' server --include=*.[ch] | grep -v '^server/http/' >> "$found" || true
grep -rnE '#include <sqlite3' server --include=*.[ch] | grep -vE '^server/(db|fleet)/' >> "$found" || true
grep -rnE '#include <gnutls' server --include=*.[ch] | grep -v '^server/http/tls' >> "$found" || true
grep -rnE '#include <openssl' server --include=*.[ch] | grep -vE '^server/(base/digest|fleet/token|fleet/seal|fleet/signature)\.' >> "$found" || true
grep -rnE '\b(sprintf|strcpy|strcat|atoi|strtok|gets)\(' server client include --include=*.[ch] >> "$found" || true
grep -rnE '#include "(base|db|http|fleet|image)/' client --include=*.[ch] >> "$found" || true
if [ -s "$found" ]; then
    while IFS= read -r line; do breach "$line"; done < "$found"
fi
exit $bad
