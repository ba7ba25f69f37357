#!/usr/bin/env bash
# Runs the live lab against `coalesce serve`, or one of the example servers: makes the fixture
# certificates, starts the server on the fixture hosts, runs the driver, ends the server.
#
#   tests/lab/run.sh [ARGUMENTS OF THE DRIVER'S RUN]
#
# environment  SERVER     `serve` (default), or an example that takes a folder, as `axum` and `hyper`
#              COALESCE   the server's binary (default: built here)
#              DRIVER, SCENARIOS, LAB  which driver and scenarios; see driver.sh
# exit status and last line are the driver's: 0 fine, 1 a verdict worse than acceptable,
# 2 unreachable; 3 when the lab could not be set up. Examples may differ, and must, in what
# hyper.txt lists.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
SERVER=${SERVER:-serve}
fail() {
    echo "run.sh: $*" >&2
    exit 3
}

# shellcheck source=tests/lab/driver.sh
. "$here/driver.sh"
find_driver
# The fixture below is for the hosts of the program.
[ -z "$WORLD" ] || fail "found WORLD=$WORLD, expected none: the hosts are those of fixture.toml"

case $SERVER in
serve) binary=coalesce known= ;;
# Behind hyper some of a request cannot be seen.
*) binary=example-$SERVER known=$here/hyper.txt ;;
esac
wanted=()
[ -n "${COALESCE:-}" ] || wanted=(--bin "$binary")
prepare_driver "${wanted[@]}"
COALESCE=${COALESCE:-$target/debug/$binary}

work=$(mktemp -d)
server=
finish() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap finish EXIT

make_certificates "$work/certs" || exit 3
cp "$here/fixture.toml" "$here/hosts" "$work/"
case $SERVER in
serve) arguments=(serve --config "$work/fixture.toml") ;;
*) arguments=("$work") ;;
esac
# Before the server, which may begin later than the look at what it says.
: >"$work/out"
"$COALESCE" "${arguments[@]}" >>"$work/out" 2>"$work/log" &
server=$!
address=
for _ in $(seq 100); do
    address=$(sed -n 's/^listening on \([^ ]*\).*/\1/p' "$work/out")
    [ -z "$address" ] || break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
if [ -z "$address" ]; then
    echo "run.sh: the server did not start:" >&2
    cat "$work/log" >&2
    exit 3
fi

status=0
run_driver "$address" "$work/certs" "coalesce $SERVER" "$known" "$@" || status=$?
exit "$status"
