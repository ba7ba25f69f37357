#!/usr/bin/env bash
# Counts the instructions of one decision with callgrind, with and without a memo, for a request that
# each step decides.
#
#   benches/count-decide.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v valgrind >/dev/null || { echo "count-decide.sh: install valgrind" >&2; exit 1; }
cargo build --quiet --profile bench --package coalesce-benches --bin decide
decide=${CARGO_TARGET_DIR:-target}/release/decide

count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$decide" "$@" 2>&1 |
        sed -n 's/.*Collected : *//p'
}

for how in decide memo; do
    for authority in a.own.test A.Own.Test:443 x.own.test gone.test a.own.test:8443 other.test \
        user@a.own.test n1.example.test
    do
        # Both runs include the one-time cost of the table.
        few=$(count "$how" "$authority" 1000)
        many=$(count "$how" "$authority" 3000)
        printf '%-6s  %-16s %6d instructions\n' "$how" "$authority" $(((many - few) / 2000))
    done
done
