//! Any list of events keeps the invariants of the pool: see the model.

mod model;

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
