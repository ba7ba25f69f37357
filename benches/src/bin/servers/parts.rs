//! Assigns functions to the parts of a program.

/// The parts, and the crates of each.
const CRATES: [(&str, &[&str]); 7] = [
    ("h2", &["h2", "http", "slab", "indexmap", "hashbrown", "fnv", "bytes", "tokio_util"]),
    ("TLS", &["rustls", "tokio_rustls", "ring", "subtle", "zeroize", "rustls_pki_types"]),
    ("Coalesce", &["coalesce", "coalesce_core", "coalesce_h2", "coalesce_http", "coalesce_tls"]),
    ("the baseline's own", &["bare_h2"]),
    ("tokio", &["tokio", "mio", "parking_lot", "parking_lot_core"]),
    ("logging", &["tracing", "tracing_core", "tracing_subscriber", "log"]),
    ("std", &["std", "core", "alloc"]),
];

/// Parts without a crate, and the prefixes of their functions.
const BEGINNINGS: [(&str, &[&str]); 3] = [
    ("TLS", &["ring_core_"]),
    (
        "allocator",
        &[
            "malloc",
            "free",
            "realloc",
            "calloc",
            "_int_",
            "unlink_chunk",
            "__rust_",
            "tcache_",
            "_rjem_",
        ],
    ),
    ("copying", &["memcpy", "memmove", "memset", "memcmp", "__mem"]),
];

/// Everything else: the C library, and the functions that call the kernel.
const REST: &str = "the C library and the rest";

/// Returns all parts, in the order of tables.
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    let crates = CRATES.into_iter().map(|(name, _)| name);
    // The first entry of `BEGINNINGS` belongs to a part that is in `CRATES` already.
    crates.chain(BEGINNINGS.into_iter().skip(1).map(|(name, _)| name)).chain([REST])
}

/// Returns the part of a function, by the crate in its name: `<h2::A as core::B>::c` belongs to h2.
/// Inlined code counts for the function that contains it.
pub(crate) fn part(function: &str) -> &'static str {
    let mut path = function.trim_start_matches(['<', '&', '*', '(', '[']);
    for word in ["mut ", "const ", "dyn "] {
        path = path.strip_prefix(word).unwrap_or(path);
    }
    let end = path.find(|next: char| !next.is_alphanumeric() && next != '_').unwrap_or(path.len());
    let (first, rest) = path.split_at(end);
    if rest.starts_with("::") {
        let of = CRATES.iter().find(|(_, crates)| crates.contains(&first));
        if let Some((name, _)) = of {
            return name;
        }
    }
    let begins = |(_, beginnings): &&(&str, &[&str])| {
        beginnings.iter().any(|beginning| function.starts_with(beginning))
    };
    BEGINNINGS.iter().find(begins).map_or(REST, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_is_the_crate_in_a_function_name() {
        for (function, right) in [
            ("h2::hpack::encoder::Encoder::encode", "h2"),
            ("<h2::proto::streams::store::Ptr as core::ops::deref::Deref>::deref", "h2"),
            ("http::header::map::HeaderMap<T>::try_grow", "h2"),
            ("<&mut rustls::Stream as std::io::Read>::read", "TLS"),
            ("ring_core_0_17_14__gcm_ghash_avx", "TLS"),
            ("coalesce_core::decide::memo::Memo::decide", "Coalesce"),
            ("<alloc::vec::Vec<T,A> as core::clone::Clone>::clone", "std"),
            ("malloc", "allocator"),
            ("_int_free", "allocator"),
            ("_rjem_je_tcache_event_hard", "allocator"),
            ("__memcpy_avx_unaligned_erms", "copying"),
            ("epoll_wait", REST),
            ("h2o_main", REST),
        ] {
            assert_eq!(part(function), right, "{function}");
        }
    }

    #[test]
    fn parts_are_distinct() {
        let mut names: Vec<_> = all().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
