#!/usr/bin/env bash
# Builds the module for the nginx of Debian's packages.
#
#   integrations/nginx/build.sh PREFIX OUT
#
# PREFIX has the library (`crates/coalesce-ffi/install.sh PREFIX`). OUT gets
# ngx_http_coalesce_module.so. The module fits the nginx of the installed package `nginx-dev`. Missing packages
# are installed by root or in CI, and named elsewhere.
#
# environment  CFLAGS  more options of the compiler, as -fsanitize=address
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# = 2 ] || {
    echo "build.sh: expected two arguments, PREFIX and OUT" >&2
    exit 2
}
[ -r "$1/include/coalesce.h" ] || {
    echo "build.sh: found no include/coalesce.h in \"$1\"; run crates/coalesce-ffi/install.sh \"$1\"" >&2
    exit 2
}
COALESCE_PREFIX=$(cd "$1" && pwd)
export COALESCE_PREFIX
mkdir -p "$2"
out=$(cd "$2" && pwd)

PATH=$PATH:/usr/sbin:/sbin
# shellcheck source=integrations/packages.sh
. "$here/../packages.sh"
need_packages gcc gcc make make nginx nginx-light /usr/share/nginx/src/conf_flags nginx-dev \
    /usr/include/pcre2.h libpcre2-dev /usr/include/openssl/ssl.h libssl-dev \
    /usr/include/zlib.h zlib1g-dev

# The build of nginx writes to the folder of its sources.
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cp -r /usr/share/nginx/src/. "$tree"
NGX_CONF_FLAGS=()
. "$tree/conf_flags"
cd "$tree"
./configure "${NGX_CONF_FLAGS[@]}" --with-cc-opt="-g -O2 -fPIC ${CFLAGS:-}" \
    --add-dynamic-module="$here" >"$tree/log" || {
    cat "$tree/log" >&2
    exit 3
}

# Strict for the files of this module. The headers of nginx are not ours to mend.
includes=(-isystem "$COALESCE_PREFIX/include")
for folder in src/core src/event src/event/modules src/os/unix src/http src/http/modules \
    src/http/v2 objs; do
    includes+=(-isystem "$tree/$folder")
done
for file in "$here"/*.c; do
    gcc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Werror -fsyntax-only "${includes[@]}" \
        "$file"
done
make -s -j2 -f objs/Makefile modules >"$tree/log" 2>&1 || {
    cat "$tree/log" >&2
    exit 3
}
cp objs/ngx_http_coalesce_module.so "$out/"
