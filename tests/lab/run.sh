#!/usr/bin/env bash
# Runs the live lab against `coalesce serve`, or one of the example servers: makes the fixture
# certificates, starts the server on the fixture hosts, runs the driver, ends the server.
#
#   tests/lab/run.sh [ARGUMENTS OF lab.py]
#
# environment  LAB        the lab's folder (default: ../shared/lab beside this repository)
#              SCENARIOS  a scenario file (default: the lab's own)
#              SERVER     `serve` (default), or an example that takes a folder, as `axum` and `hyper`
#              COALESCE   the binary to test (default: built here)
# exit status and last line are the driver's: 0 fine, 1 a verdict worse than acceptable,
# 2 unreachable; 3 when the lab could not be set up. Examples may differ, and must, in what
# hyper.txt lists.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
LAB=${LAB:-$root/../shared/lab}
LAB=$(cd "$LAB" 2>/dev/null && pwd) || { echo "run.sh: no lab at ${LAB:-}" >&2; exit 3; }
SCENARIOS=${SCENARIOS:-$LAB/scenarios.toml}
[ -r "$SCENARIOS" ] || { echo "run.sh: cannot read SCENARIOS=$SCENARIOS" >&2; exit 3; }
SCENARIOS=$(cd "$(dirname "$SCENARIOS")" && pwd)/$(basename "$SCENARIOS")

SERVER=${SERVER:-serve}
case $SERVER in
serve) binary=coalesce ;;
*) binary=example-$SERVER ;;
esac
if [ -z "${COALESCE:-}" ]; then
    # Of the whole workspace and beside an example, as the tests build it: with other features all of it
    # would be built again.
    cargo build --quiet --workspace --bin "$binary" --example soak \
        --manifest-path "$root/Cargo.toml" || exit 3
    COALESCE=${CARGO_TARGET_DIR:-$root/target}/debug/$binary
fi

# The lab's folder may be read-only: everything that is made goes to a folder of this run.
export PYTHONDONTWRITEBYTECODE=1
venv=${CARGO_TARGET_DIR:-$root/target}/lab-venv
if ! "$venv/bin/python" -c 'import hpack, hyperframe, cryptography, OpenSSL' 2>/dev/null; then
    {
        python3 -m venv --clear "$venv" &&
            "$venv/bin/pip" install --quiet --disable-pip-version-check \
                hpack hyperframe cryptography pyopenssl
    } >&2 || { echo "run.sh: cannot install the driver's Python packages" >&2; exit 3; }
fi

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

"$venv/bin/python" "$LAB/mkcerts.py" "$work/certs" >&2 || exit 3
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
"$venv/bin/python" "$LAB/lab.py" --target "$address" --ca "$work/certs/ca.pem" \
    --name "coalesce $SERVER" --scenarios "$SCENARIOS" "$@" >"$work/report" || status=$?
cat "$work/report"
[ "$SERVER" != serve ] || exit "$status"

# Behind hyper some of a request cannot be seen. Those scenarios may differ, as long as they do.
[ "$status" -le 1 ] || exit "$status"
known=$(sed -n 's/^\([a-z0-9-]\{1,\}\) .*/\1/p' "$here/hyper.txt")
unexpected=$(awk '/^[x#!] / { print $2 }' "$work/report" | grep -vxF "$known" || true)
mended=$(awk '/^[=~] / { print $2 }' "$work/report" | grep -xF "$known" || true)
[ -n "$unexpected$mended" ] || exit 0
[ -z "$unexpected" ] || echo "run.sh: not in hyper.txt:" $unexpected >&2
[ -z "$mended" ] || echo "run.sh: fine, and still in hyper.txt:" $mended >&2
# The summary stays the last line.
tail -n 1 "$work/report"
exit 1
