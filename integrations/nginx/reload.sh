#!/usr/bin/env sh
# Makes nginx read its configuration again.
#
#   reload.sh PROCESS RUN
#
# PROCESS is the master process, RUN the folder of the configuration, which nginx knows.
kill -HUP "$1"
