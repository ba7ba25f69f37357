#!/bin/sh
# Builds the library without the standard library and without an allocator, links a C program with it
# that has neither, runs the program, and prints the size of its code. Needs the Rust target
# x86_64-unknown-none, and runs on x86-64 Linux.
set -eu
cd "$(dirname "$0")/.."
target=$(cargo metadata --format-version 1 --no-deps |
    sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/bare-c
golden=$PWD/../coalesce-core/tests/golden

CARGO_PROFILE_RELEASE_LTO=fat CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1 \
    cargo rustc --release --quiet --package coalesce-ffi --no-default-features \
    --target x86_64-unknown-none --target-dir "$target" --crate-type staticlib
"${CC:-cc}" -std=gnu11 -Wall -Wextra -Werror -O2 -ffreestanding -fno-stack-protector -nostdlib \
    -static -no-pie -I include -Wl,--gc-sections "-DTABLE=\"$golden/table-fast.image\"" \
    "-DIDENTIFIERS=\"$golden/identifiers.image\"" tests/c/bare.c -o "$target/bare" \
    "$target/x86_64-unknown-none/release/libcoalesce_ffi.a"
"$target/bare"
size -A "$target/bare" | awk '$1 == ".text" { printf "code without std: %.0f KB\n", $2 / 1000 }'
