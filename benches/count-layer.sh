#!/usr/bin/env bash
# Counts with callgrind the instructions of a hyper server for one request, with and
# without the layer, in the same binary. The client is in memory, so the figures include neither TLS
# nor sockets.
#
#   benches/count-layer.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v valgrind >/dev/null || { echo "count-layer.sh: install valgrind" >&2; exit 1; }
cargo build --quiet --profile bench --package coalesce-benches --bin layer
layer=${CARGO_TARGET_DIR:-target}/release/layer

count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$layer" "$@" 2>&1 |
        sed -n 's/.*Collected : *//p'
}

for protocol in http1 http2; do
    for kind in "nothing served" "serve served" "serve misdirected" \
        "facts served" "layer served" "layer misdirected"
    do
        # Both runs include the one-time cost of the connection.
        few=$(count $protocol $kind 1000)
        many=$(count $protocol $kind 3000)
        printf '%s  %-18s %6d instructions\n' "$protocol" "$kind" $(((many - few) / 2000))
    done
done
