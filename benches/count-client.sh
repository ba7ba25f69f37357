#!/usr/bin/env bash
# Counts with callgrind the instructions of an `h2` client for one request, with and without the
# stream that reports the server's frames, in the same binary. The server is in memory and prepared.
#
#   benches/count-client.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v valgrind >/dev/null || { echo "count-client.sh: install valgrind" >&2; exit 1; }
cargo build --quiet --profile bench --package coalesce-benches --bin client
client=${CARGO_TARGET_DIR:-target}/release/client

count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$client" "$@" 2>&1 |
        sed -n 's/.*Collected : *//p'
}

# Both runs include the one-time cost of the connection; a burst has 100 requests.
for content in 0 1000 16384; do
    for stream in bare observed; do
        few=$(count "$stream" "$content" 5)
        many=$(count "$stream" "$content" 25)
        printf -v "$stream" '%d' $(((many - few) / 2000))
    done
    printf '%5d octets of content  bare %6d  observed %6d instructions, ratio %s\n' "$content" \
        "$bare" "$observed" "$(awk -v a="$bare" -v b="$observed" 'BEGIN { printf "%.4f", b / a }')"
done
