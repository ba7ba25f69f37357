#!/bin/sh
# Builds the library and installs it with its header and its file for pkg-config.
#
#   crates/coalesce-ffi/install.sh PREFIX
#
# DESTDIR, if it is set, comes before every path, as packagers need it; the file for pkg-config names
# PREFIX alone. Needs cargo, and a linker for the shared library.
set -eu

[ $# = 1 ] || { echo "usage: $0 PREFIX" >&2; exit 2; }
case $1 in
/*) prefix=$1 ;;
*) echo "$0: PREFIX \"$1\": expected an absolute path" >&2; exit 2 ;;
esac
cd "$(dirname "$0")"

version=$(cargo pkgid | sed 's/.*[#@]//')
soname=$(sed -n 's/^const SONAME_VERSION: u32 = \([0-9]*\);$/\1/p' build.rs)
target=$(cargo metadata --format-version 1 --no-deps |
    sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
cargo build --release --quiet --package coalesce-ffi
# The libraries of the system that a program needs which links the static one.
private=$(echo | rustc --crate-type staticlib --print native-static-libs -o /dev/null - 2>&1 |
    sed -n 's/.*native-static-libs: //p')

to=${DESTDIR:-}$prefix
mkdir -p "$to/include" "$to/lib/pkgconfig"
install -m 644 include/coalesce.h "$to/include/coalesce.h"
install -m 644 "$target/release/libcoalesce_ffi.a" "$to/lib/libcoalesce.a"
install -m 755 "$target/release/libcoalesce_ffi.so" "$to/lib/libcoalesce.so.$version"
ln -sf "libcoalesce.so.$version" "$to/lib/libcoalesce.so.$soname"
ln -sf "libcoalesce.so.$soname" "$to/lib/libcoalesce.so"
cat >"$to/lib/pkgconfig/coalesce.pc" <<END
prefix=$prefix
includedir=\${prefix}/include
libdir=\${prefix}/lib

Name: coalesce
Description: Decides which requests an HTTP server serves on a connection, and which get a 421
Version: $version
Cflags: -I\${includedir}
Libs: -L\${libdir} -lcoalesce
Libs.private: $private
END
echo "installed coalesce $version in $to"
