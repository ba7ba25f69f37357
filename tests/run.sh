#!/usr/bin/env bash
# Passes every test: unit, property, documentation and end-to-end tests with real clients, then the
# live lab. Installs the clients, browsers, gateways and Python packages it needs when they are missing.
#
#   tests/run.sh
#
# The browsers and gateways must be there when the environment says CI. Where it says LAB or SCENARIOS,
# that driver or those scenarios are run as well; see tests/lab/run.sh. The last lines are the summaries:
# the lab's, then `N passed, N failed`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

as_root=
[ "$(id -u)" = 0 ] || as_root=sudo
install_packages() {
    echo "tests/run.sh: installing $*"
    $as_root apt-get update -qq &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null
}

# Into `missing`: the packages of those command:package pairs whose command is not there.
find_missing() {
    local need
    missing=()
    for need in "$@"; do
        command -v "${need%%:*}" >/dev/null || missing+=("${need##*:}")
    done
}

# What the tests drive; Debian's names.
find_missing curl:curl nghttp:nghttp2-client h2load:nghttp2-client cc:build-essential \
    pkg-config:pkg-config
# One of those who run the vectors is OpenSSL.
[ -e /usr/include/openssl/ssl.h ] || missing+=(libssl-dev)
# Envoy comes in a package of Python, and an outside driver of the lab is in Python.
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3 python3-venv)
[ "${#missing[@]}" = 0 ] || install_packages "${missing[@]}"

# The browsers, which not every system packages under these names. Without them, their tests say so
# and pass, unless the environment says CI.
find_missing chromium:chromium firefox-esr:firefox-esr certutil:libnss3-tools
[ "${#missing[@]}" = 0 ] || install_packages --no-install-recommends "${missing[@]}" ||
    echo "tests/run.sh: going on without ${missing[*]}"

# The gateways in front of a server behind the layer, likewise. Debian has their programs in a folder
# that is not everybody's.
PATH=$PATH:/usr/sbin find_missing nginx:nginx-light haproxy:haproxy
[ "${#missing[@]}" = 0 ] || install_packages --no-install-recommends "${missing[@]}" ||
    echo "tests/run.sh: going on without ${missing[*]}"

# Debian does not have Envoy.
command -v envoy >/dev/null || tests/lab/install-envoy.sh ||
    echo "tests/run.sh: going on without envoy"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# What failed, each in a word or two.
failed=()
cargo test --workspace --no-fail-fast 2>&1 | tee "$log" || failed+=("cargo test")

# Runs the lab against a server. Those behind hyper may differ in what hyper.txt lists.
run_lab() {
    SERVER=$1 tests/lab/run.sh 2>&1 | tee -a "$log" || failed+=("lab: $*")
}

# With the driver and the scenarios of this repository, then with those that the environment names.
for server in axum hyper serve; do
    LAB= SCENARIOS= run_lab "$server"
done
if [ -n "${LAB:-}${SCENARIOS:-}" ]; then
    for server in axum hyper serve; do
        run_lab "$server" "${LAB:-}" "${SCENARIOS:-}"
    done
fi
lab=$(tail -n 1 "$log")

[ "${#failed[@]}" = 0 ] || printf 'failed: %s\n' "${failed[@]}"
echo "$lab"
awk '/^test result: / { passed += $4; failed += $6 }
     END { printf "%d passed, %d failed\n", passed, failed; exit passed == 0 }' "$log" &&
    [ "${#failed[@]}" = 0 ]
