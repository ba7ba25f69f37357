#!/usr/bin/env bash
# Builds the module of HAProxy: the C library, and the Lua file beside it.
#
#   integrations/haproxy/build.sh PREFIX OUT
#
# PREFIX has include/coalesce.h and lib/libcoalesce.a. OUT gets coalesce.lua and coalesce_core.so,
# which has libcoalesce inside and needs HAProxy's Lua and OpenSSL. Missing packages of Debian are
# installed for root and in CI, and named otherwise.
#
# environment  CC, CFLAGS as usual; LDFLAGS (default: -Wl,--strip-debug)
#              LUA      the version of Lua that HAProxy has, as `haproxy -vv` says it (default: 5.3)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# = 2 ] || {
    echo "usage: build.sh PREFIX OUT" >&2
    exit 2
}
prefix=$1 out=$2
CC=${CC:-cc} LUA=${LUA:-5.3}

# shellcheck source=integrations/packages.sh
. "$here/../packages.sh"
need_packages "$CC" gcc "/usr/include/lua$LUA/lua.h" "liblua$LUA-dev" \
    /usr/include/openssl/x509.h libssl-dev

mkdir -p "$out"
# The library's symbols stay inside, because HAProxy may load other Lua libraries that have them
# too. It is never unloaded (`nodelete`): its statics outlive the Lua states of the threads.
# shellcheck disable=SC2086
"$CC" -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Wpedantic -Werror -O2 -fPIC \
    -fvisibility=hidden ${CFLAGS:-} -isystem "$prefix/include" -isystem "/usr/include/lua$LUA" \
    -shared -o "$out/coalesce_core.so" "$here/coalesce_core.c" \
    -Wl,--exclude-libs,ALL -Wl,--gc-sections -Wl,-z,nodelete ${LDFLAGS:--Wl,--strip-debug} \
    "$prefix/lib/libcoalesce.a" -lcrypto -lpthread -ldl -lm
install -m 644 "$here/coalesce.lua" "$out/coalesce.lua"
