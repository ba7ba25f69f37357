//! Injected frames between the frames of `h2`.

use proptest::collection::vec;
use proptest::prelude::*;

use super::harness::announce;

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn frames_go_out_whole_and_between_those_of_h2(script in vec(any::<u8>(), 0..400)) {
        announce(&script);
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]

    /// The same for peers that take single octets.
    #[test]
    fn frames_stay_whole_for_single_octets(script in vec(1_u8.., 0..200), pause in 0_u8..4) {
        announce(&[&[0, 0, pause], &*script].concat());
    }
}
