#!/usr/bin/env bash
# Builds the filter with the installed library.
#
#   integrations/envoy/build.sh PREFIX OUT
#
# PREFIX has include/coalesce.h and lib/libcoalesce.a. OUT gets libcoalesce_envoy.so, which needs
# nothing but the C library. Envoy finds it there by ENVOY_DYNAMIC_MODULES_SEARCH_PATH=OUT.
#
# environment  CC, CFLAGS  the compiler (default: cc) and its options (default: -O2 -g)
# exit status  0 built, 1 not built, 2 wrong arguments, 3 a package is missing
set -euo pipefail

if [ $# != 2 ]; then
    echo "usage: build.sh PREFIX OUT" >&2
    exit 2
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
prefix=$1 out=$2

# shellcheck source=integrations/packages.sh
. "$here/../packages.sh"
need_packages "${CC:-cc}" gcc /usr/include/json-c/json.h libjson-c-dev

mkdir -p "$out"
# Symbols that are not hooks are hidden: another module may have another copy of the library. Envoy
# unloads a module that no listener uses, and threads may still hold state of the library (`nodelete`).
# shellcheck disable=SC2086 # CFLAGS has several words.
${CC:-cc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Werror ${CFLAGS:--O2 -g} -fPIC \
    -fvisibility=hidden -shared -isystem "$prefix/include" -o "$out/libcoalesce_envoy.so" \
    "$here"/*.c "$prefix/lib/libcoalesce.a" -l:libjson-c.a -lpthread -ldl -lm \
    -static-libgcc -Wl,--exclude-libs,ALL -Wl,--gc-sections -Wl,-z,relro,-z,now,-z,nodelete
