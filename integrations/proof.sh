#!/usr/bin/env bash
# Proves that a server with its module keeps the decision while it reloads: requests to be served and to be
# refused, on several connections, beside one reload a second. Then the scenarios of resumed sessions and of
# client certificates run against the same server. No answer may be wrong, no request lost, and the memory
# of the server's processes must not grow; tests/examples/reloads.rs has the limits. Only Apache may lose
# some requests, because it does so without the module too.
#
#   integrations/proof.sh SERVER [SECONDS]
#
# SERVER is nginx, apache, haproxy or envoy; SECONDS is 30 by default. `SERVER/reload.sh PROCESS RUN` makes
# one reload: PROCESS is the server's first process, RUN the folder of its configuration.
#
# environment  RELOADS  the binary of tests/examples/reloads.rs (default: built here)
#              and that of server.sh
# exit status  0 it holds, 1 it does not, 3 the proof could not be set up
set -euo pipefail

# shellcheck source=integrations/server.sh
. "$(dirname "${BASH_SOURCE[0]}")/server.sh"

[ $# -gt 0 ] || fail "no server; expected nginx, apache, haproxy or envoy"
name=$1 seconds=${2:-30}
# The proof has its own scenarios.
LAB= SCENARIOS=
[ -n "${RELOADS:-}" ] || wanted=(--example reloads)
start_server "$name"
RELOADS=${RELOADS:-$target/debug/examples/reloads}

# Apache alone loses requests when it reloads: it closes some connections without an answer. A slow machine
# sends fewer requests between two reloads, so the share is larger there.
lost_max=0
[ "$name" != apache ] || lost_max=25
status=0
"$RELOADS" "$address" "$certificates" "$server" "$seconds" "$lost_max" \
    "$integrations/$name/reload.sh" "$server" "$run" || status=1
known=$integrations/$name/known.txt
[ -e "$known" ] || known=
run_driver "$address" "$certificates" "$name with coalesce, after the reloads" "$known" \
    --only 'resumption,client-certificate' || status=1
kill -0 "$server" 2>/dev/null || {
    echo "proof.sh: $name ended"
    status=1
}
if [ "$status" = 0 ]; then echo "proof: $name: holds"; else echo "proof: $name: does not hold"; fi
exit "$status"
