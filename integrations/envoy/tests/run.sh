#!/usr/bin/env bash
# Tests the filter without a running Envoy: its hooks under AddressSanitizer and UBSan, and the generator.
#
#   integrations/envoy/tests/run.sh PREFIX
#
# PREFIX has the installed library. Where there is an `envoy`, it checks what the generator writes.
#
# exit status  0 all passed
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=$PATH:$here/../../../target/gateways/bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$here/../build.sh" "$1" "$work"
# shellcheck source=integrations/packages.sh
. "$here/../../packages.sh"
need_packages openssl openssl
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/host.key" \
    -out "$work/host.pem" -subj /CN=test -addext 'subjectAltName=DNS:a.test,DNS:*.w.test' 2>/dev/null
openssl x509 -in "$work/host.pem" -outform DER -out "$work/host.der"

# `-Wno-override-init`: a test names the fields in which its request differs from the usual one.
"${CC:-cc}" -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wno-override-init -Werror -g \
    -fsanitize=address,undefined -fno-sanitize-recover=all -isystem "$1/include" \
    -o "$work/hooks_test" "$here/hooks_test.c" "$here"/../*.c "$1/lib/libcoalesce.a" \
    -l:libjson-c.a -lpthread -ldl -lm
"$work/hooks_test" "$work/table" "$work/host.pem" "$work/host.der"
MODULE=$work CERTIFICATE=$work/host.pem KEY=$work/host.key python3 "$here/generate_test.py"
echo "envoy: hooks and generator are fine"
