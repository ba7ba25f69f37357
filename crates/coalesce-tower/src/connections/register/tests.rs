//! The register alone: which connection is ended, and when.

use super::*;

fn limits() -> ConnectionLimits {
    ConnectionLimits::new().connections_max(3).handshakes_max(2)
}

fn connect(register: &Arc<Register>) -> Registered {
    let registered = register.enter().expect("there is room");
    registered.established();
    registered
}

fn ended(connections: &[Registered]) -> Vec<usize> {
    let ended = connections.iter().enumerate().filter(|(_, one)| one.life.is_ended());
    ended.map(|(number, _)| number).collect()
}

#[tokio::test]
async fn full_register_ends_the_connection_without_a_request_for_the_longest() {
    let register = Register::new(limits());
    let mut connections: Vec<_> = (0..3).map(|_| connect(&register)).collect();
    assert_eq!(ended(&connections), [0; 0]);
    // The first two have a request after the third has come.
    register.clock.set(1_000);
    for busy in &connections[..2] {
        busy.life.request_begins();
        busy.life.request_ends();
    }
    connections.push(connect(&register));
    assert_eq!(ended(&connections), [2]);
    // The oldest of those with the same time.
    connections.push(connect(&register));
    assert_eq!(ended(&connections), [0, 2]);
    // The next one has had a request since the last search.
    register.clock.set(2_000);
    connections[1].life.request_begins();
    connections[1].life.request_ends();
    connections.push(connect(&register));
    assert_eq!(ended(&connections), [0, 2, 3]);
}

#[tokio::test]
async fn full_register_ends_no_connection_with_an_open_request() {
    let register = Register::new(limits().idle_timeout(Duration::from_secs(75)));
    let connections: Vec<_> = (0..3).map(|_| connect(&register)).collect();
    for busy in &connections {
        busy.life.request_begins();
    }
    assert!(register.enter().is_none());
    assert!(register.poll_enter(&Context::from_waker(Waker::noop())).is_pending());
    // One that has not moved for as long as an idle one may is ended all the same, at last.
    register.clock.set(80_000);
    connections[0].life.was_read();
    connections[2].life.was_written(1_000);
    let next = connect(&register);
    assert_eq!(ended(&connections), [1]);
    next.life.request_begins();
    assert!(register.enter().is_none());
    drop(next);
    assert!(register.poll_enter(&Context::from_waker(Waker::noop())).is_ready());
}

#[tokio::test]
async fn too_many_handshakes_end_the_oldest_one() {
    let register = Register::new(limits().connections_max(100));
    let handshakes: Vec<_> = (0..5).map(|_| register.enter().unwrap()).collect();
    assert_eq!(ended(&handshakes), [0, 1, 2]);
    // One whose handshake is over is no longer among them.
    handshakes[3].established();
    let more = [register.enter().unwrap()];
    assert_eq!((ended(&handshakes), ended(&more)), (vec![0, 1, 2], vec![]));
    // One that was ended does not come back.
    handshakes[0].established();
    assert_eq!(register.state().len(), 3);
}

#[tokio::test]
async fn full_register_ends_the_older_of_a_handshake_and_an_idle_connection() {
    let register = Register::new(limits());
    let handshake = register.enter().unwrap();
    register.clock.set(1_000);
    let connections = [connect(&register), connect(&register)];
    let next = register.enter().unwrap();
    assert!(handshake.life.is_ended() && ended(&connections).is_empty());
    register.clock.set(2_000);
    let _more = register.enter().unwrap();
    assert!(!next.life.is_ended());
    assert_eq!(ended(&connections), [0]);
}

#[tokio::test]
async fn sweep_ends_what_is_overdue_and_nothing_else() {
    let times = limits().connections_max(100).idle_timeout(Duration::from_secs(75));
    let register = Register::new(times.header_timeout(Duration::from_secs(30)));
    let names = ["idle", "open", "blocked", "head", "block", "pinged", "written", "tunnel"];
    let connections: Vec<_> = names.iter().map(|_| connect(&register)).collect();
    let life = |name| &connections[names.iter().position(|it| *it == name).unwrap()].life;
    life("open").request_begins();
    life("blocked").request_begins();
    life("blocked").set_write_blocked(true);
    life("head").head_begins();
    life("block").request_begins();
    life("block").block_begins();
    life("tunnel").request_begins();
    let now = |seconds: u64| {
        register.sweep(seconds * 1_000);
        ended(&connections).into_iter().map(|number| names[number]).collect::<Vec<_>>()
    };
    assert_eq!(now(30), [""; 0]);
    assert_eq!(now(32), ["head", "block"]);
    life("pinged").was_read();
    life("pinged").was_written(ACKNOWLEDGED);
    life("written").was_written(ACKNOWLEDGED + 1);
    assert_eq!(now(75), ["head", "block"]);
    assert_eq!(now(77), ["idle", "blocked", "head", "block", "pinged"]);
    assert_eq!(now(109), ["idle", "blocked", "head", "block", "pinged", "written"]);
    life("open").request_ends();
    assert_eq!(now(180).len(), 6, "the time begins with the end of the request");
    assert_eq!(now(190).len(), 7);
    assert!(!life("tunnel").is_ended());
}

/// The length of what answers a `PING` and `SETTINGS`.
const ACKNOWLEDGED: usize = 26;

#[tokio::test]
async fn listener_without_timeouts_ends_nothing() {
    let limits = limits().idle_timeout(None).header_timeout(None);
    let register = Register::new(limits);
    let connection = connect(&register);
    connection.life.head_begins();
    register.sweep(u64::MAX - 1);
    assert!(!connection.life.is_ended());
}
