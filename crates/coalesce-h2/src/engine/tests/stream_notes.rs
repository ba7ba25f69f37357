use super::super::stream_notes::{PENDING_BYTES_MAX, PENDING_MAX, StreamNotes, SyncState, Target};

fn target(stream_id: u32) -> Target {
    Target {
        stream_id,
        authority: None,
        host: Some((*b"a").into()),
        host_count: 1,
        scheme: None,
        has_path: true,
        is_malformed: false,
    }
}

fn id(nth: usize) -> u32 {
    u32::try_from(2 * nth + 1).unwrap()
}

#[test]
fn note_of_a_stream_is_taken_once() {
    let mut notes = StreamNotes::default();
    assert_eq!(notes.take(1), None);
    notes.push(target(3));
    assert_eq!(notes.take(1), None);
    assert_eq!(notes.take(3), Some(target(3)));
    assert_eq!(notes.take(3), None);
    assert_eq!(notes.drain(), []);
}

#[test]
fn notes_of_smaller_streams_are_dropped() {
    let mut notes = StreamNotes::default();
    for nth in 0..4 {
        notes.push(target(id(nth)));
    }
    assert_eq!(notes.take(5), Some(target(5)));
    assert_eq!(notes.take(3), None);
    assert_eq!(notes.take(9), None);
    assert_eq!(notes.take(7), None);
}

#[test]
fn oldest_notes_are_dropped_and_their_streams_not_trusted() {
    let mut notes = StreamNotes::default();
    for nth in 0..=PENDING_MAX {
        assert_eq!(notes.sync_state(id(0)), SyncState::InSync);
        notes.push(target(id(nth)));
    }
    assert_eq!(notes.sync_state(id(0)), SyncState::Misleading);
    assert_eq!(notes.sync_state(id(1)), SyncState::InSync);
    assert_eq!(notes.take(id(0)), None);
    assert_eq!(notes.take(id(1)), Some(target(id(1))));
    assert_eq!(notes.drain().len(), PENDING_MAX - 1);
}

#[test]
fn long_values_are_dropped_sooner() {
    let mut notes = StreamNotes::default();
    let long = vec![b'a'; PENDING_BYTES_MAX / 2];
    for nth in 0..3 {
        notes.push(Target { authority: Some(long.clone().into()), ..target(id(nth)) });
    }
    assert_eq!(notes.sync_state(id(1)), SyncState::Misleading);
    let last = notes.take(id(2)).unwrap();
    assert_eq!(last.authority(), Some(&*long));
    // Notes that were taken do not count.
    notes.push(Target { authority: Some(long.clone().into()), ..target(id(3)) });
    assert_eq!(notes.sync_state(id(3)), SyncState::InSync);
    assert!(notes.take(id(3)).is_some());
}

#[test]
fn lost_sync_begins_with_a_stream() {
    for (misleading, sync_state) in [(false, SyncState::LostSync), (true, SyncState::Misleading)] {
        let mut notes = StreamNotes::default();
        assert!(!notes.has_lost_sync());
        notes.lose_sync(8, misleading);
        assert!(notes.has_lost_sync());
        assert_eq!(notes.sync_state(7), SyncState::InSync);
        assert_eq!(notes.sync_state(9), sync_state);
    }
}
