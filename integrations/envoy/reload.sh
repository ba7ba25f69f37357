#!/usr/bin/env bash
# Reloads Envoy in the lab as an operator does: a new file of listeners is moved into the place of the old.
#
#   reload.sh PROCESS RUN
#
# Envoy ignores a file that says the same, so each reload gives the filter another name. That makes every
# filter chain new.
set -euo pipefail

listeners=$2/listeners.json
sed -E "s/(\"filter_name\": \"coalesce)[^\"]*/\1 $(date +%s%N)/" "$listeners" >"$listeners.new"
mv "$listeners.new" "$listeners"
