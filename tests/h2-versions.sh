#!/usr/bin/env bash
# Tests coalesce-h2 with the lowest version of h2 that Cargo.toml allows, and with the newest that
# the registry offers. A statement of crates/coalesce-h2/tests/h2_behaviour that is false for one of
# them fails here.
#
#   tests/h2-versions.sh              both
#   tests/h2-versions.sh VERSION...   these versions, `newest` among them
#
# environment  H2_TESTED  a version that need not be tested, because something else does
#
# Cargo.lock stays as it is: each version has a workspace of symbolic links with a lock file of its
# own below target/h2-versions, and shares the built dependencies.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

lowest=$(sed -n 's/^h2 = "\([0-9.]*\)"$/\1/p' Cargo.toml)
[ -n "$lowest" ] || { echo 'h2-versions.sh: Cargo.toml: expected h2 = "VERSION"' >&2; exit 1; }
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
# The newest, also where it asks for a newer compiler than this workspace does.
export CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS=allow

test_with() {
    local version=$1 checkout=$PWD workspace=$PWD/target/h2-versions/$1 entry
    rm -rf "$workspace"
    mkdir -p "$workspace"
    for entry in Cargo.toml crates tests benches examples; do
        ln -s "$checkout/$entry" "$workspace/$entry"
    done
    cp Cargo.lock "$workspace/Cargo.lock"
    cd "$workspace"
    if [ "$version" = newest ]; then
        cargo update --quiet --package h2
    else
        cargo update --quiet --package h2 --precise "$version"
    fi || {
        echo "h2-versions.sh: h2 $version: cannot be had from the registry; is it reachable?" >&2
        return 1
    }
    local resolved
    resolved=$(sed -n '/^name = "h2"$/{n;s/.*"\(.*\)"/\1/p}' Cargo.lock)
    echo "h2 $version: $resolved"
    [ "$resolved" != "${H2_TESTED:-}" ] || { echo "h2 $resolved: tested elsewhere"; return; }
    cargo test --quiet --no-fail-fast --package coalesce-h2
}

[ $# -gt 0 ] || set -- "$lowest" newest
for version in "$@"; do
    # In a process of its own, in the background, because `set -e` does not hold inside a command
    # whose status is tested.
    (test_with "$version") &
    wait $! || { echo "h2-versions.sh: failed with h2 $version" >&2; exit 1; }
done
