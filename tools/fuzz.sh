#!/bin/sh
# Builds each fuzz target named on the command line with clang, libFuzzer, ASan and UBSan, and
# runs it for FUZZ_SECONDS (default 60) from its corpus in tests/fuzz/corpus/. New inputs are kept
# in build/fuzz/corpus/, whatever crashes, hangs or eats memory in build/fuzz/artifacts/.
# Exit 1 if a target found something.
set -eu
cd "$(dirname "$0")/.."
seconds=${FUZZ_SECONDS:-60}
out=build/fuzz
sanitizers=address,undefined
libs=$(pkg-config --libs check libcurl libmicrohttpd sqlite3 jansson libcrypto zlib libsystemd inih avahi-client)
mkdir -p "$out/artifacts" "$out/bin"
failed=0
for source in "$@"; do
    name=$(basename "$source" .c)
    seeds=tests/fuzz/corpus/${name#fuzz_}
    make --no-print-directory BUILD="$out" CC=clang SAN="fuzzer-no-link,$sanitizers" \
        "$out/obj/tests/fuzz/$name.o" "$out/libsupport.a" "$out/libclient.a" "$out/libotad.a"
    # shellcheck disable=SC2086 # a list of flags
    clang -pthread -fsanitize="fuzzer,$sanitizers" "$out/obj/tests/fuzz/$name.o" \
        "$out/libsupport.a" "$out/libclient.a" "$out/libotad.a" $libs -o "$out/bin/$name"
    mkdir -p "$out/corpus/$name" "$seeds"
    echo "== $name, $seconds s"
    if "$out/bin/$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=1024 \
        -print_final_stats=1 -artifact_prefix="$out/artifacts/$name-" \
        "$out/corpus/$name" "$seeds" > "$out/$name.log" 2>&1; then
        grep -E 'stat::(number_of_executed_units|average_exec_per_sec)|DONE' "$out/$name.log"
    else
        tail -n 40 "$out/$name.log"
        failed=1
    fi
done
exit "$failed"
