#!/usr/bin/env bash
# Counts the instructions of the client's pool for a request with callgrind, in loads of several
# sizes: see the example `cost` of coalesce-pool.
#
#   benches/count-pool.sh [LOAD...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v valgrind >/dev/null || { echo "count-pool.sh: install valgrind" >&2; exit 1; }
cargo build --quiet --profile bench --package coalesce-pool --example cost
cost=${CARGO_TARGET_DIR:-target}/release/examples/cost

count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$cost" "$@" 2>&1 |
        sed -n 's/.*Collected : *//p'
}

[ $# -gt 0 ] || set -- one-host queued covered separate idle
for load; do
    for size in 1 100 1000; do
        requests=$size
        [ "$load" = idle ] && requests=1000
        all=$(count "$load" "$size")
        if [ "$load" = idle ]; then
            all=$((all - $(count separate 1)))
        fi
        printf '%-9s %5d %8d instructions a request\n' "$load" "$size" $((all / requests))
    done
done
