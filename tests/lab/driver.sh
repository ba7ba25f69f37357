# The driver of the lab: the program of this repository, or an outside driver in Python. Other scripts
# source this file. They set `root` and `target` before, and define `fail`, which ends the script.
#
#   find_driver                     sets `LAB` and `SCENARIOS` from the environment
#   prepare_driver                  sets `DRIVER`; builds the program, or installs Python packages
#   make_certificates FOLDER        makes the certificates of the hosts
#   run_driver ADDRESS CERTIFICATES NAME KNOWN [ARGUMENTS OF THE DRIVER'S RUN]
#                                   runs the scenarios against a server. KNOWN is the file of those in
#                                   which the server may differ, and must; it may be empty
#
# environment  DRIVER     the program's binary (default: built here)
#              SCENARIOS  a file or folder of scenarios (default: those of the driver)
#              LAB        the folder of an outside driver, with `lab.py`, `mkcerts.py` and
#                         `scenarios.toml` (default: the program, or, for scenarios in the other
#                         format, ../shared/lab beside this repository)
#              WORLD      a description of other hosts, for the program

find_driver() {
    SCENARIOS=${SCENARIOS:-}
    WORLD=${WORLD:-}
    if [ -n "$SCENARIOS" ]; then
        [ -r "$SCENARIOS" ] || fail "cannot read SCENARIOS=$SCENARIOS"
        SCENARIOS=$(cd "$(dirname "$SCENARIOS")" && pwd)/$(basename "$SCENARIOS")
        # A file of this repository's format says its kind.
        [ -d "$SCENARIOS" ] || grep -q '^kind = ' "$SCENARIOS" || LAB=${LAB:-$root/../shared/lab}
    fi
    [ -n "${LAB:-}" ] || return 0
    [ -z "$WORLD" ] || fail "WORLD is for the program: found LAB=$LAB too, expected one of them"
    [ -d "$LAB" ] || fail "no lab at $LAB"
    LAB=$(cd "$LAB" && pwd)
    SCENARIOS=${SCENARIOS:-$LAB/scenarios.toml}
}

prepare_driver() {
    local wanted=("$@")
    [ -n "${LAB:-}${DRIVER:-}" ] || wanted+=(--bin coalesce-lab)
    if [ "${#wanted[@]}" -gt 0 ]; then
        # Of the whole workspace and beside an example, as the tests build it: with other features all
        # of it would be built again.
        cargo build --quiet --workspace "${wanted[@]}" --example soak \
            --manifest-path "$root/Cargo.toml" || exit 3
    fi
    DRIVER=${DRIVER:-$target/debug/coalesce-lab}
    [ -n "${LAB:-}" ] || return 0
    # The lab's folder may be read-only: everything that is made goes to a folder of this run.
    export PYTHONDONTWRITEBYTECODE=1
    python=$target/lab-venv/bin/python
    "$python" -c 'import hpack, hyperframe, cryptography, OpenSSL' 2>/dev/null || {
        python3 -m venv --clear "$target/lab-venv" &&
            "$target/lab-venv/bin/pip" install --quiet --disable-pip-version-check \
                hpack hyperframe cryptography pyopenssl
    } >&2 || fail "cannot install the driver's Python packages"
}

make_certificates() {
    local description=()
    if [ -n "${LAB:-}" ]; then
        "$python" "$LAB/mkcerts.py" "$1" >&2
    else
        [ -z "$WORLD" ] || description=(--description "$WORLD")
        "$DRIVER" world "$1" "${description[@]}"
    fi
}

run_driver() {
    local address=$1 certificates=$2 name=$3 known=$4 arguments=()
    shift 4
    if [ -n "${LAB:-}" ]; then
        run_outside_driver "$@"
        return
    fi
    [ -z "$SCENARIOS" ] || arguments+=(--scenarios "$SCENARIOS")
    [ -z "$known" ] || arguments+=(--known "$known")
    "$DRIVER" run --address "$address" --world "$certificates" --name "$name" "${arguments[@]}" "$@"
}

# With the variables of `run_driver`. The outside driver knows no known differences.
run_outside_driver() {
    local status=0 report ids unexpected mended
    report=$("$python" "$LAB/lab.py" --target "$address" --ca "$certificates/ca.pem" \
        --name "$name" --scenarios "$SCENARIOS" "$@") || status=$?
    echo "$report"
    [ -n "$known" ] && [ "$status" -le 1 ] || return "$status"

    ids=$(sed -n 's/^\([a-z0-9-]\{1,\}\) .*/\1/p' "$known")
    unexpected=$(awk '/^[x#!] / { print $2 }' <<<"$report" | grep -vxF "$ids" || true)
    mended=$(awk '/^[=~] / { print $2 }' <<<"$report" | grep -xF "$ids" || true)
    [ -n "$unexpected$mended" ] || return 0
    known=$(basename "$known")
    [ -z "$unexpected" ] || echo "$0: not in $known:" $unexpected >&2
    [ -z "$mended" ] || echo "$0: fine, and still in $known:" $mended >&2
    # The summary stays the last line.
    tail -n 1 <<<"$report"
    return 1
}
