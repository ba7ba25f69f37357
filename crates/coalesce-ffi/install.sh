#!/bin/sh
# Builds the library and installs it with its headers and its file for pkg-config.
#
#   crates/coalesce-ffi/install.sh PREFIX
#
# Needs cargo, and a linker for the shared library. The environment may say:
#
#   DESTDIR   a folder before every path, for packages; no installed file names it
#   LIBDIR    the folder of the libraries, by default PREFIX/lib
#   PROFILE   the profile of cargo, by default release
set -eu

fail() {
    echo "$0: $*" >&2
    exit 2
}
[ $# = 1 ] || { echo "usage: $0 PREFIX" >&2; exit 2; }
prefix=$1 libdir=${LIBDIR:-$1/lib} profile=${PROFILE:-release}
case $prefix in /*) ;; *) fail "PREFIX \"$prefix\": expected an absolute path" ;; esac
case $libdir in /*) ;; *) fail "LIBDIR \"$libdir\": expected an absolute path" ;; esac
cd "$(dirname "$0")"

version=$(cargo pkgid | sed 's/.*[#@]//')
soname=$(sed -n 's/^const SONAME_VERSION: u32 = \([0-9]*\);$/\1/p' build.rs)
target=$(cargo metadata --format-version 1 --no-deps |
    sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
built=$target/${CARGO_BUILD_TARGET:+$CARGO_BUILD_TARGET/}
case $profile in dev) built=${built}debug ;; *) built=$built$profile ;; esac
cargo build --quiet --profile "$profile" --package coalesce-ffi
# The libraries of the system that a program needs which links the static one.
# As root, rustc would replace a device that `-o` names.
scratch=$(mktemp)
trap 'rm -f "$scratch"' EXIT
private=$(echo | rustc --crate-type staticlib --print native-static-libs -o "$scratch" - 2>&1 |
    sed -n 's/.*native-static-libs: //p')

to=${DESTDIR:-}$prefix lib=${DESTDIR:-}$libdir
mkdir -p "$to/include" "$lib/pkgconfig"
install -m 644 include/coalesce.h include/coalesce.hpp "$to/include"
install -m 644 "$built/libcoalesce_ffi.a" "$lib/libcoalesce.a"
install -m 755 "$built/libcoalesce_ffi.so" "$lib/libcoalesce.so.$version"
ln -sf "libcoalesce.so.$version" "$lib/libcoalesce.so.$soname"
ln -sf "libcoalesce.so.$soname" "$lib/libcoalesce.so"
# In words of the prefix, so that pkg-config can move it.
case $libdir in "$prefix"/*) libdir=\${prefix}${libdir#"$prefix"} ;; esac
cat >"$lib/pkgconfig/coalesce.pc" <<END
prefix=$prefix
includedir=\${prefix}/include
libdir=$libdir

Name: coalesce
Description: Decides which requests an HTTP server serves on a connection, and which get a 421
Version: $version
Cflags: -I\${includedir}
Libs: -L\${libdir} -lcoalesce
Libs.private: $private
END
echo "installed coalesce $version in $to"
