# Starts an unmodified server with the module of this folder, on the hosts of the lab. Other scripts
# source this file, and call `start_server SERVER` once. It sets
#
#   server        the process that the server's command began
#   address       the server's address, as HOST:PORT
#   certificates  the folder of the hosts' certificates
#   run           the folder of the configuration, and of the server's output
#
# and the variables and functions of tests/lab/driver.sh. The server ends with the script, and so do all
# files of the run.
#
# environment  COALESCE_PREFIX  where the C library is installed (default: built and installed here)
#              MODULE           the folder of the built module (default: built here)
#              ADDRESS          a loopback address for the server (default: 127.0.3.N)
#              DRIVER, SCENARIOS, LAB, WORLD  which driver, scenarios and hosts; see tests/lab/driver.sh

integrations=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$integrations/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
# Debian has servers in /usr/sbin, for root. Envoy is where the tests install it.
PATH=$PATH:/usr/sbin:/sbin:$root/target/gateways/bin

fail() {
    echo "${0##*/}: $*" >&2
    exit 3
}

# shellcheck source=tests/lab/driver.sh
. "$root/tests/lab/driver.sh"
# shellcheck source=integrations/packages.sh
. "$integrations/packages.sh"

# How long a server may take to begin, and to end, on a machine that has much else to do.
start_seconds=60 end_seconds=10

# What a script needs beside the driver, as arguments of `cargo build`.
wanted=()
work=
server=
finish() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        for _ in $(seq $((end_seconds * 10))); do
            kill -0 "$server" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    [ -z "$work" ] || rm -rf "$work"
}
trap finish EXIT

# The program of the server `$1`, and a loopback address that no other server has.
find_server() {
    case $1 in
    nginx) number=1 && need_packages nginx nginx-light ;;
    apache) number=2 && need_packages apache2 apache2 ;;
    haproxy) number=3 && need_packages haproxy haproxy ;;
    envoy)
        number=4
        command -v envoy >/dev/null || "$root/tests/lab/install-envoy.sh" || fail "cannot install envoy"
        ;;
    *) fail "no server \"$1\"; expected nginx, apache, haproxy or envoy" ;;
    esac
    ADDRESS=${ADDRESS:-127.0.3.$number}
    port=443
    [ "$(id -u)" = 0 ] || port=8443
    address=$ADDRESS:$port
}

listens() {
    # In a subshell, because a failed redirection ends the shell of `exec`.
    (: >"/dev/tcp/$ADDRESS/$port") 2>/dev/null
}

build_module() {
    MODULE=${MODULE:-}
    [ -z "$MODULE" ] || return 0
    COALESCE_PREFIX=${COALESCE_PREFIX:-}
    if [ -z "$COALESCE_PREFIX" ]; then
        COALESCE_PREFIX=$work/prefix
        "$root/crates/coalesce-ffi/install.sh" "$COALESCE_PREFIX" >&2 ||
            fail "cannot install the C library"
    fi
    MODULE=$work/module
    mkdir -p "$MODULE"
    "$integrations/$1/build.sh" "$COALESCE_PREFIX" "$MODULE" >&2 ||
        fail "cannot build the module of $1"
}

start_server() {
    local name=$1 fixture=()
    find_driver
    find_server "$name"
    # Another server there would be judged in this one's place.
    ! listens || fail "something listens on $address already; set ADDRESS"
    prepare_driver "${wanted[@]}"
    work=$(mktemp -d)
    # Servers read it as users that are not root.
    chmod 755 "$work"
    build_module "$name"

    certificates=$work/certificates run=$work/run
    mkdir "$run"
    make_certificates "$certificates" || exit 3
    [ -z "${LAB:-}" ] || fixture=("$LAB/fixture.json")
    python3 "$integrations/fixture.py" "$certificates" "$run" "$port" "${fixture[@]}" || exit 3
    python3 "$integrations/$name/lab.py" "$run/fixture.json" "$MODULE" "$run" "$ADDRESS" "$port" \
        >"$work/command" || fail "cannot make the configuration of $name"
    mapfile -t command <"$work/command"
    # `env`, because the first lines may set variables.
    env "${command[@]}" >"$run/output" 2>&1 &
    server=$!
    for _ in $(seq $((start_seconds * 10))); do
        listens && return
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    cat "$run/output" >&2
    fail "$name did not start"
}
