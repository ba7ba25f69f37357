#!/usr/bin/env bash
# Runs the live lab against `coalesce serve`, or one of the example servers: makes the fixture
# certificates, starts the server on the fixture hosts, runs the driver, ends the server.
#
#   tests/lab/run.sh [ARGUMENTS OF THE DRIVER'S RUN]
#
# environment  SERVER     `serve` (default), or an example that takes a folder, as `axum` and `hyper`
#              COALESCE   the server's binary (default: built here)
#              DRIVER     the driver's binary (default: `coalesce-lab`, built here)
#              SCENARIOS  a file or folder of scenarios (default: those of the driver)
#              LAB        the folder of an outside driver in Python, with `lab.py`, `mkcerts.py` and
#                         `scenarios.toml` (default: the driver of this repository, or, for scenarios
#                         in the other format, ../shared/lab beside this repository)
# exit status and last line are the driver's: 0 fine, 1 a verdict worse than acceptable,
# 2 unreachable; 3 when the lab could not be set up. Examples may differ, and must, in what
# hyper.txt lists.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
SERVER=${SERVER:-serve}
SCENARIOS=${SCENARIOS:-}
fail() {
    echo "run.sh: $*" >&2
    exit 3
}

if [ -n "$SCENARIOS" ]; then
    [ -r "$SCENARIOS" ] || fail "cannot read SCENARIOS=$SCENARIOS"
    SCENARIOS=$(cd "$(dirname "$SCENARIOS")" && pwd)/$(basename "$SCENARIOS")
    # A file of this repository's format says its kind.
    [ -d "$SCENARIOS" ] || grep -q '^kind = ' "$SCENARIOS" || LAB=${LAB:-$root/../shared/lab}
fi
if [ -n "${LAB:-}" ]; then
    [ -d "$LAB" ] || fail "no lab at $LAB"
    LAB=$(cd "$LAB" && pwd)
    SCENARIOS=${SCENARIOS:-$LAB/scenarios.toml}
fi

case $SERVER in
serve) binary=coalesce ;;
*) binary=example-$SERVER ;;
esac
wanted=()
[ -n "${COALESCE:-}" ] || wanted+=(--bin "$binary")
[ -n "${LAB:-}${DRIVER:-}" ] || wanted+=(--bin coalesce-lab)
if [ "${#wanted[@]}" -gt 0 ]; then
    # Of the whole workspace and beside an example, as the tests build it: with other features all of it
    # would be built again.
    cargo build --quiet --workspace "${wanted[@]}" --example soak \
        --manifest-path "$root/Cargo.toml" || exit 3
fi
COALESCE=${COALESCE:-$target/debug/$binary}
DRIVER=${DRIVER:-$target/debug/coalesce-lab}

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

# Of each driver: how it makes the certificates in `$work/certs`, and how it runs the scenarios.
if [ -z "${LAB:-}" ]; then
    make_certificates() {
        "$DRIVER" world "$work/certs"
    }
    run_driver() {
        local arguments=()
        [ -z "$SCENARIOS" ] || arguments+=(--scenarios "$SCENARIOS")
        # Behind hyper some of a request cannot be seen.
        [ "$SERVER" = serve ] || arguments+=(--known "$here/hyper.txt")
        "$DRIVER" run --address "$address" --world "$work/certs" \
            --name "coalesce $SERVER" "${arguments[@]}" "$@"
    }
else
    # The lab's folder may be read-only: everything that is made goes to a folder of this run.
    export PYTHONDONTWRITEBYTECODE=1
    venv=$target/lab-venv
    if ! "$venv/bin/python" -c 'import hpack, hyperframe, cryptography, OpenSSL' 2>/dev/null; then
        {
            python3 -m venv --clear "$venv" &&
                "$venv/bin/pip" install --quiet --disable-pip-version-check \
                    hpack hyperframe cryptography pyopenssl
        } >&2 || fail "cannot install the driver's Python packages"
    fi
    make_certificates() {
        "$venv/bin/python" "$LAB/mkcerts.py" "$work/certs" >&2
    }
    run_driver() {
        local status=0 known unexpected mended
        "$venv/bin/python" "$LAB/lab.py" --target "$address" --ca "$work/certs/ca.pem" \
            --name "coalesce $SERVER" --scenarios "$SCENARIOS" "$@" >"$work/report" || status=$?
        cat "$work/report"
        [ "$SERVER" != serve ] || return "$status"

        # Behind hyper some of a request cannot be seen. Those scenarios may differ, as long as they do.
        [ "$status" -le 1 ] || return "$status"
        known=$(sed -n 's/^\([a-z0-9-]\{1,\}\) .*/\1/p' "$here/hyper.txt")
        unexpected=$(awk '/^[x#!] / { print $2 }' "$work/report" | grep -vxF "$known" || true)
        mended=$(awk '/^[=~] / { print $2 }' "$work/report" | grep -xF "$known" || true)
        [ -n "$unexpected$mended" ] || return 0
        [ -z "$unexpected" ] || echo "run.sh: not in hyper.txt:" $unexpected >&2
        [ -z "$mended" ] || echo "run.sh: fine, and still in hyper.txt:" $mended >&2
        # The summary stays the last line.
        tail -n 1 "$work/report"
        return 1
    }
fi

make_certificates || exit 3
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
run_driver "$@" || status=$?
exit "$status"
