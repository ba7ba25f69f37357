//! The attacked server, and a client that must not be affected.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use coalesce_tests::{CONTENT_421, Server, World};

use coalesce_tests::raw::{Answer, Raw};

/// `a` and `b` share a certificate and a group. `c` has another certificate. The certificate of `a`
/// also covers `m` and `n`, each of which requires client certificates of a different CA.
const CONFIGURATION: &str = r#"
[[listener]]
address = "127.0.0.1:0"
ports = [443]
default_virtual_host = "a"

[[virtual_host]]
name = "a"
names = ["a.example.test"]
certificate = "A.pem"
key = "A.key"
answer = { text = "vhost=a\n" }

[[virtual_host]]
name = "b"
names = ["b.example.test"]
certificate = "A.pem"
key = "A.key"
answer = { folder = "files" }

[[virtual_host]]
name = "c"
names = ["c.example.test"]
certificate = "C.pem"
key = "C.key"
answer = { text = "vhost=c\n" }

[[virtual_host]]
name = "m"
names = ["m.example.test"]
certificate = "A.pem"
key = "A.key"
client_ca = "client-ca.pem"
answer = { text = "vhost=m\n" }

[[virtual_host]]
name = "n"
names = ["n.example.test"]
certificate = "A.pem"
key = "A.key"
client_ca = "other-ca.pem"
answer = { text = "vhost=n\n" }
"#;

/// A host that connections for `A` and `B` serve.
pub(crate) const A: &str = "a.example.test";
/// The host of the folder.
pub(crate) const B: &str = "b.example.test";
/// A host that is misdirected on every connection but its own.
pub(crate) const C: &str = "c.example.test";
/// Requires certificates of `client-ca`, such as `client`.
pub(crate) const M: &str = "m.example.test";
/// Requires certificates of `other-ca`, such as `other`.
pub(crate) const N: &str = "n.example.test";

/// The size of the folder's file `large` in bytes: more than the largest default window of any
/// client, and more than a socket's buffers.
pub(crate) const LARGE: usize = 8 << 20;

/// The longest wait for a condition: enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// The server process of one test.
pub(crate) struct Target {
    pub(crate) world: World,
    pub(crate) server: Server,
    /// The number of open files and sockets without any connection.
    idle: usize,
}

impl Target {
    pub(crate) fn start() -> Self {
        let names: &[&str] = &[A, B, M, N];
        let world = World::new(&[("A", names), ("C", &[C])], CONFIGURATION);
        let other = World::new(&[], "");
        for (from, to) in [
            ("client-ca.pem", "other-ca.pem"),
            ("client.pem", "other.pem"),
            ("client.key", "other.key"),
        ] {
            fs::copy(other.path(from), world.path(to)).unwrap();
        }
        fs::create_dir(world.path("files")).unwrap();
        fs::write(world.path("files/large"), vec![b'x'; LARGE]).unwrap();
        let server = world.serve();
        let idle = open_files(&server);
        Self { world, server, idle }
    }

    /// Connects under this name with the largest windows.
    pub(crate) fn connect(&self, server_name: &str) -> Raw {
        Raw::connect(&self.world, &self.server, server_name)
    }

    /// Connects under this name without sending the preface.
    pub(crate) fn silent(&self, server_name: &str) -> Raw {
        Raw::silent(&self.world, &self.server, server_name)
    }

    /// Returns the private memory of the process in bytes, without mapped files.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.server.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Runs `attack` while a bystander requests a page repeatedly, at least once after the attack.
    /// The bystander must get all answers. Then all connections and files that the attack opened
    /// must be closed; the attack closes its own ends.
    pub(crate) fn under<T>(&self, attack: impl FnOnce() -> T) -> T {
        let bystander = Bystander::start(self.connect(A));
        let result = attack();
        eventually("all connections closed", || open_files(&self.server) == self.idle + 1);
        bystander.end();
        result
    }

    /// Runs `attack` like [`under`](Self::under), and checks that the memory grew by at most
    /// `growth`. Waits for the allocator, which returns free memory later.
    pub(crate) fn under_within(&self, growth: u64, attack: impl FnOnce()) {
        let before = self.memory();
        self.under(attack);
        let mut after = before;
        let settled = comes_true(|| {
            after = self.memory();
            after <= before + growth
        });
        assert!(settled, "{before} bytes before, {after} after it: more than {growth} bytes more");
    }
}

/// Counts the open files and sockets of the process.
fn open_files(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.id())).unwrap().count()
}

/// Waits until a condition holds; panics if it does not.
pub(crate) fn eventually(what: &str, is_so: impl FnMut() -> bool) {
    assert!(comes_true(is_so), "not so: {what}");
}

/// Waits until a condition holds; returns false after [`PATIENCE`].
fn comes_true(mut is_so: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while !is_so() {
        if begun.elapsed() > PATIENCE {
            return false;
        }
        sleep(Duration::from_millis(5));
    }
    true
}

/// A client on another connection, which the attack must not affect.
struct Bystander {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Answer>>,
}

impl Bystander {
    fn start(mut raw: Raw) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let ended = over.clone();
        let thread = spawn(move || {
            loop {
                // Make one more request after the end, so that there is at least one.
                let last = ended.load(Ordering::Relaxed);
                let got = vec![raw.ask(A), raw.ask(C)];
                if last || got != [served(), misdirected()] {
                    return got;
                }
                sleep(Duration::from_millis(5));
            }
        });
        Self { over, thread }
    }

    fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        let last = self.thread.join().expect("the bystander ends");
        assert_eq!(last, [served(), misdirected()], "the bystander's last answers");
    }
}

fn whole(status: u16, content: &str) -> Answer {
    Answer { status: Some(status), content: content.into(), ended: true, reset: None }
}

/// Returns the answer for `a`.
pub(crate) fn served() -> Answer {
    whole(200, "vhost=a\n")
}

/// Returns the answer for `c` on a connection for another host.
pub(crate) fn misdirected() -> Answer {
    whole(421, CONTENT_421)
}
