//! Any list of events keeps the invariants of the pool: see the model.

mod model;

use std::path::Path;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_events_keep_the_rules_and_end_every_request(
        bytes in prop::collection::vec(any::<u8>(), 0..900),
    ) {
        model::run(&bytes);
    }
}

/// The seeds of the fuzz target `pool`.
#[test]
fn seeds_reach_shared_connections_and_retries() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/pool");
    let reached = |name: &str| model::run(&std::fs::read(folder.join(name)).unwrap());
    for seed in std::fs::read_dir(&folder).unwrap() {
        let name = seed.unwrap().file_name().into_string().unwrap();
        assert!(reached(&name).sent > 0, "{name}");
    }
    assert_eq!(reached("shared").shared, 1);
    let misdirected = reached("misdirected");
    assert_eq!((misdirected.shared, misdirected.retried), (1, 1), "{misdirected:?}");
}
