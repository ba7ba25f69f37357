#!/usr/bin/env bash
# Tests the Lua file and the C library in Debian's lua5.3, without HAProxy. The C library is built
# with AddressSanitizer and UndefinedBehaviorSanitizer.
#
#   integrations/haproxy/tests/run.sh PREFIX
#
# PREFIX is where libcoalesce is installed; see ../build.sh, which also says how it treats missing
# packages.
#
# environment  CALLS, SEED  how many calls hostile.lua makes, and from which random state
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# shellcheck source=integrations/packages.sh
. "$here/../../packages.sh"
need_packages lua5.3 lua5.3 openssl openssl

CFLAGS="-g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all" \
    "$here/../build.sh" "$1" "$work"

# CAs, certificates of a server, and clients: one of the CA, one of an intermediate CA below it,
# one of another CA.
certificate() {
    local name=$1 issuer=$2 extensions=$3
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" \
        -keyout "$work/$name.key" -out "$work/$name.csr" 2>/dev/null
    local signer=(-CA "$work/$issuer.pem" -CAkey "$work/$issuer.key" -CAcreateserial)
    [ "$issuer" != "$name" ] || signer=(-signkey "$work/$name.key")
    openssl x509 -req -days 2 -in "$work/$name.csr" "${signer[@]}" -out "$work/$name.pem" \
        -extfile <(printf '%b\n' "$extensions") 2>/dev/null
    openssl x509 -in "$work/$name.pem" -outform DER -out "$work/$name.der"
}
ca='basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign'
certificate ca ca "$ca"
certificate other-ca other-ca "$ca"
certificate below ca "$ca"
certificate server ca 'subjectAltName=DNS:a.test,DNS:b.test,DNS:*.wild.test,IP:192.0.2.1'
certificate inner ca 'subjectAltName=DNS:new.test,DNS:m.test,DNS:m2.test,DNS:o.test,DNS:l.test'
certificate all ca 'subjectAltName=DNS:*.test'
certificate client ca 'extendedKeyUsage=clientAuth'
certificate revoked ca 'extendedKeyUsage=clientAuth'
certificate client-below below 'extendedKeyUsage=clientAuth'
certificate other-client other-ca 'extendedKeyUsage=clientAuth'

revoke() {
    openssl ca -config "$work/ca.cnf" -keyfile "$work/ca.key" -cert "$work/ca.pem" "$@" 2>/dev/null
}
printf '[ca]\ndefault_ca=one\n[one]\ndatabase=%s/index\ndefault_md=sha256\ndefault_crl_days=2\n' \
    "$work" >"$work/ca.cnf"
touch "$work/index"
revoke -revoke "$work/revoked.pem"
revoke -gencrl -out "$work/crl.pem"

# The interpreter is not built with the sanitizer, so its library comes first. Lua leaves nothing
# behind that the C library allocated.
export LD_PRELOAD ASAN_OPTIONS=detect_leaks=1 LUA_INIT=
LD_PRELOAD=$(gcc -print-file-name=libasan.so)
export LUA_PATH="$work/?.lua;$here/?.lua" LUA_CPATH="$work/?.so"
for test in crt_list decision hostile; do
    lua5.3 "$here/$test.lua" "$work"
done
echo "haproxy: the action and its library are fine"
