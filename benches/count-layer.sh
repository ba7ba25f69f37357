#!/usr/bin/env bash
# Counts, with callgrind, the instructions that a hyper server takes for one request: with and
# without the layer, by the same binary. The client is bytes in memory; neither TLS nor sockets are
# in the figures.
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
    for what in "nothing served" "serve served" "serve misdirected" \
        "facts served" "layer served" "layer misdirected"
    do
        # What a connection costs once is in both.
        few=$(count $protocol $what 1000)
        many=$(count $protocol $what 3000)
        printf '%s  %-18s %6d instructions\n' "$protocol" "$what" $(((many - few) / 2000))
    done
done
