use super::super::exceptions::{Exceptions, PENDING_BYTES_MAX, PENDING_MAX, Sight, Target};

fn target(stream_id: u32) -> Target {
    Target {
        stream_id,
        authority: None,
        host: Some((*b"a").into()),
        host_count: 1,
        scheme: None,
        has_path: true,
    }
}

fn id(nth: usize) -> u32 {
    u32::try_from(2 * nth + 1).unwrap()
}

#[test]
fn takes_the_record_of_a_stream_once() {
    let exceptions = Exceptions::default();
    assert_eq!(exceptions.take(1), None);
    exceptions.push(target(3));
    assert_eq!(exceptions.take(1), None);
    assert_eq!(exceptions.clone().take(3), Some(target(3)));
    assert_eq!(exceptions.take(3), None);
    assert_eq!(exceptions.drain(), []);
}

#[test]
fn records_of_smaller_streams_are_dropped() {
    let exceptions = Exceptions::default();
    for nth in 0..4 {
        exceptions.push(target(id(nth)));
    }
    assert_eq!(exceptions.take(5), Some(target(5)));
    assert_eq!(exceptions.take(3), None);
    assert_eq!(exceptions.take(9), None);
    assert_eq!(exceptions.take(7), None);
}

#[test]
fn the_oldest_records_give_way_and_their_streams_are_doubtful() {
    let exceptions = Exceptions::default();
    for nth in 0..=PENDING_MAX {
        assert_eq!(exceptions.sight(id(0)), Sight::Clear);
        exceptions.push(target(id(nth)));
    }
    assert_eq!(exceptions.sight(id(0)), Sight::Misled);
    assert_eq!(exceptions.sight(id(1)), Sight::Clear);
    assert_eq!(exceptions.take(id(0)), None);
    assert_eq!(exceptions.take(id(1)), Some(target(id(1))));
    assert_eq!(exceptions.drain().len(), PENDING_MAX - 1);
}

#[test]
fn long_values_give_way_sooner() {
    let exceptions = Exceptions::default();
    let long = vec![b'a'; PENDING_BYTES_MAX / 2];
    for nth in 0..3 {
        exceptions.push(Target { authority: Some(long.clone().into()), ..target(id(nth)) });
    }
    assert_eq!(exceptions.sight(id(1)), Sight::Misled);
    let last = exceptions.take(id(2)).unwrap();
    assert_eq!(last.authority(), Some(&*long));
    // What was taken no longer counts.
    exceptions.push(Target { authority: Some(long.clone().into()), ..target(id(3)) });
    assert_eq!(exceptions.sight(id(3)), Sight::Clear);
    assert!(exceptions.take(id(3)).is_some());
}

#[test]
fn blindness_begins_with_a_stream() {
    for (misled, sight) in [(false, Sight::Blind), (true, Sight::Misled)] {
        let exceptions = Exceptions::default();
        assert!(!exceptions.is_blind());
        exceptions.go_blind(8, misled);
        assert!(exceptions.is_blind());
        assert_eq!(exceptions.sight(7), Sight::Clear);
        assert_eq!(exceptions.sight(9), sight);
    }
}
