#!/usr/bin/env bash
# Passes every test: unit, property, documentation and end-to-end tests with real clients, then the
# live lab. Installs the clients and Python packages it needs when they are missing.
#
#   tests/run.sh
#
# The live lab is run when its folder is there (LAB, default ../shared/lab) and must be there when
# the environment says CI. The last lines are the summaries: the lab's, then `N passed, N failed`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# command:package pairs of what the tests drive; Debian's names.
missing=()
for need in curl:curl nghttp:nghttp2-client h2load:nghttp2-client cc:build-essential \
    pkg-config:pkg-config
do
    command -v "${need%%:*}" >/dev/null || missing+=("${need##*:}")
done
# One of the peers that run the vectors is OpenSSL.
[ -e /usr/include/openssl/ssl.h ] || missing+=(libssl-dev)
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3 python3-venv)
if [ "${#missing[@]}" -gt 0 ]; then
    echo "tests/run.sh: installing ${missing[*]}"
    as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
cargo test --workspace --no-fail-fast 2>&1 | tee "$log" || status=1

lab="lab: not run, no folder at ${LAB:-../shared/lab}"
if [ -d "${LAB:-../shared/lab}" ] || [ -n "${CI:-}" ]; then
    # Our own scenarios, then the lab's or those that SCENARIOS names.
    SCENARIOS=tests/lab/more.toml tests/lab/run.sh 2>&1 | tee -a "$log" || status=1
    # The same, as far as hyper lets a layer see them, against the examples.
    for server in axum hyper; do
        for scenarios in tests/lab/more.toml ""; do
            SERVER=$server SCENARIOS=$scenarios tests/lab/run.sh 2>&1 | tee -a "$log" || status=1
        done
    done
    tests/lab/run.sh 2>&1 | tee -a "$log" || status=1
    lab=$(tail -n 1 "$log")
fi

echo "$lab"
awk '/^test result: / { passed += $4; failed += $6 }
     END { printf "%d passed, %d failed\n", passed, failed; exit passed == 0 }' "$log" || status=1
exit "$status"
