//! Names the shared library for the linker of a program that uses it.

/// The number in the file name of the shared library. Programs that were linked with another number
/// do not load it. It is not `COALESCE_ABI_VERSION`: a version of the interface that still serves
/// old programs keeps the number.
const SONAME_VERSION: u32 = 0;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if ["linux", "freebsd", "netbsd", "openbsd", "dragonfly", "android"].contains(&&*target) {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libcoalesce.so.{SONAME_VERSION}");
    }
}
