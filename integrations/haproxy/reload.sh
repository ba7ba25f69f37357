#!/usr/bin/env bash
# Makes HAProxy read its configuration again, and waits for the new worker; `proof.sh` calls it.
#
#   integrations/haproxy/reload.sh PROCESS RUN
#
# PROCESS is HAProxy's master process.
set -euo pipefail

workers() {
    cat "/proc/$1/task/$1/children"
}

before=" $(workers "$1")"
kill -USR2 "$1"
for _ in $(seq 100); do
    sleep 0.1
    for worker in $(workers "$1"); do
        # The new worker also needs connections before its memory is that of a working process.
        [[ $before == *" $worker "* ]] || { sleep 0.5; exit 0; }
    done
done
echo "reload.sh: found no new worker in 10 seconds" >&2
exit 1
