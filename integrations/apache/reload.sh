#!/bin/sh
# Makes one graceful reload. `integrations/proof.sh` calls it.
#
#   reload.sh PROCESS RUN
#
# PROCESS is the server's first process, and RUN the folder of its configuration.
set -eu
kill -USR1 "$1"
