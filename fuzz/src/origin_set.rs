//! Received ORIGIN frames (RFC 8336), with any payload.

use std::collections::BTreeSet;

use coalesce_core::Origin;
use coalesce_pool::{OriginFrame, OriginSet, limits};

/// Reads the payload of an ORIGIN frame. The set stays within its limits, has each origin once, and
/// a second frame with the same payload changes nothing.
pub fn received_origins(payload: &[u8]) {
    let initial = Origin::parse(b"https://a.example.test").expect("an origin");
    let frame = OriginFrame::new(0, 0, payload);
    let mut set = OriginSet::default();
    set.receive(&initial, &frame);
    let listed: Vec<String> = set.origins().map(|origin| origin.to_string()).collect();
    let distinct: BTreeSet<&String> = listed.iter().collect();
    assert_eq!(distinct.len(), listed.len(), "an origin is there twice");
    assert!(set.is_initialised() && listed.len() <= limits::ORIGINS_MAX);
    assert_eq!(listed.first().map(String::as_str), Some("https://a.example.test"));
    if !set.is_overflowed() {
        assert!(set.origins().all(|origin| set.contains(&origin)));
    }
    set.receive(&initial, &frame);
    let again: Vec<String> = set.origins().map(|origin| origin.to_string()).collect();
    assert_eq!(again, listed);
    set.remove(&initial);
    assert!(!set.contains(&initial));
}
