#!/usr/bin/env bash
# Runs the live lab against an unmodified server that has the module of this folder: builds the module,
# starts the server on the lab's hosts, runs the driver, ends the server.
#
#   integrations/lab.sh SERVER [ARGUMENTS OF THE DRIVER'S RUN]
#
# SERVER is nginx, apache, haproxy or envoy; it comes from Debian's packages, Envoy from its package of
# Python. SERVER/build.sh builds the module, and SERVER/lab.py writes the configuration. SERVER/known.txt,
# if it exists, lists the scenarios that the server answers before the module; it may differ in them, and
# must.
#
# environment  see server.sh. WORLD=integrations/second-world.toml takes other names and certificates
# exit status and last line are the driver's: 0 fine, 1 a verdict worse than acceptable,
# 2 unreachable; 3 when the lab could not be set up
set -euo pipefail

# shellcheck source=integrations/server.sh
. "$(dirname "${BASH_SOURCE[0]}")/server.sh"

[ $# -gt 0 ] || fail "no server; expected nginx, apache, haproxy or envoy"
name=$1
shift
start_server "$name"
known=$integrations/$name/known.txt
[ -e "$known" ] || known=
status=0
run_driver "$address" "$certificates" "$name with coalesce" "$known" "$@" || status=$?
exit "$status"
