#!/usr/bin/env bash
# Builds mod_coalesce.so.
#
#   integrations/apache/build.sh PREFIX OUT
#
# PREFIX has the installed library (include/coalesce.h, lib/libcoalesce.a). OUT is the folder for
# the module. Root gets missing Debian packages installed; other users are told their names.
#
# environment  CC      the compiler (default: cc)
#              CFLAGS  more flags, as -fsanitize=address
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# = 2 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2; }
prefix=$1 out=$2
# Debian has them there, for root.
PATH=$PATH:/usr/sbin:/sbin

# shellcheck source=integrations/packages.sh
. "$here/../packages.sh"
need_packages apache2 apache2 apxs2 apache2-dev \
    /usr/include/apache2/mod_ssl_openssl.h apache2-ssl-dev /usr/include/openssl/ssl.h libssl-dev

mkdir -p "$out"
# nodelete: Apache unloads its modules at each reload, and the library in Rust leaves some memory
# behind each time it is unloaded.
# The headers of Apache are those of another project, so they are exempt from our warnings.
read -ra flags < <(apr-1-config --cppflags)
read -ra more <<<"${CFLAGS:-}"
"${CC:-cc}" -std=c11 -O2 -g -fPIC -fvisibility=hidden -shared -Wall -Wextra -Wpedantic -Werror \
    "${flags[@]}" -D_DEFAULT_SOURCE -isystem "$(apxs2 -q INCLUDEDIR)" \
    -isystem "$(apr-1-config --includedir)" -isystem "$prefix/include" "${more[@]}" \
    -Wl,--gc-sections -Wl,-z,nodelete -Wl,--exclude-libs,ALL -o "$out/mod_coalesce.so" "$here"/*.c \
    "$prefix/lib/libcoalesce.a" -lssl -lcrypto
