//! Sets the cfg alias `coalesce_avx2` where the AVX2 code is compiled in.
//!
//! The target must be x86-64. In addition, either `std` is on, so that the program can detect AVX2
//! when it runs, or the program is compiled for AVX2 anyway.
#![allow(clippy::print_stdout, reason = "Cargo reads a build script's output")]

use std::env;

/// The instruction sets that `src/simd/avx2.rs` uses.
const USED: [&str; 3] = ["avx2", "bmi1", "bmi2"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(coalesce_avx2)");
    let x86_64 = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64");
    let detects = env::var_os("CARGO_FEATURE_STD").is_some();
    let enabled = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    let compiled_for = USED.iter().all(|used| enabled.split(',').any(|feature| feature == *used));
    if x86_64 && (detects || compiled_for) {
        println!("cargo::rustc-cfg=coalesce_avx2");
    }
}
