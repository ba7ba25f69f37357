#!/usr/bin/env bash
# Makes HAProxy read its configuration again; `proof.sh` calls it.
#
#   integrations/haproxy/reload.sh PROCESS RUN
#
# PROCESS is HAProxy's master process.
set -euo pipefail
kill -USR2 "$1"
