#!/usr/bin/env bash
# Runs the lab in both worlds and the proof of each server with a module, and its own tests: SERVER/test.sh,
# and SERVER/tests/run.sh without the server.
#
#   integrations/run.sh [SERVER...]
#
# Each SERVER is nginx, envoy, haproxy or apache; all of them by default. The C library and each module are
# built once. The last lines are the drivers' summaries, with the result of each proof.
#
# environment  PROOF_SECONDS  the time of each proof (default: 8)
#              COALESCE_PREFIX  where the C library is installed (default: built and installed here)
#              LAB, SCENARIOS  another driver or other scenarios, which run too; see tests/lab/driver.sh
# exit status  0 each run was fine, 1 one was not
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ $# -gt 0 ] || set -- nginx envoy haproxy apache
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "${COALESCE_PREFIX:-}" ]; then
    export COALESCE_PREFIX=$work/prefix
    crates/coalesce-ffi/install.sh "$COALESCE_PREFIX"
fi

status=0
# Runs a script of this folder, and keeps its last line. The output is shown if it is not fine.
run() {
    echo "== $*"
    if "$@" >"$work/output" 2>&1; then
        tail -n 1 "$work/output" | tee -a "$work/summary"
    else
        cat "$work/output"
        { tail -n 1 "$work/output" | sed 's/^/failed: /'; } >>"$work/summary"
        status=1
    fi
}

for server in "$@"; do
    export MODULE=$work/$server
    mkdir "$MODULE"
    if ! "integrations/$server/build.sh" "$COALESCE_PREFIX" "$MODULE" >"$work/output" 2>&1; then
        cat "$work/output"
        echo "failed: the module of $server is not built" >>"$work/summary"
        status=1
        continue
    fi
    tests=integrations/$server/tests/run.sh
    [ ! -e "$tests" ] || run "$tests" "$COALESCE_PREFIX"
    LAB= SCENARIOS= run integrations/lab.sh "$server"
    LAB= SCENARIOS= WORLD=integrations/second-world.toml run integrations/lab.sh "$server"
    [ -z "${LAB:-}${SCENARIOS:-}" ] || run integrations/lab.sh "$server"
    run integrations/proof.sh "$server" "${PROOF_SECONDS:-8}"
    [ ! -e "integrations/$server/test.sh" ] || run "integrations/$server/test.sh" "$MODULE"
done
echo "== summaries"
cat "$work/summary"
exit "$status"
