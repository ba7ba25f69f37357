//! The server under attack, and a client that is not to notice.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use coalesce_tests::{CONTENT_421, Server, World};

use coalesce_tests::raw::{Answer, Raw};

/// `a` and `b` share certificate and group; `c` is another certificate's; `m` and `n` are covered
/// by the certificate of `a`, and each asks for client certificates of its own CA.
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

/// Served on connections for itself, and for `B`.
pub(crate) const A: &str = "a.example.test";
/// The folder.
pub(crate) const B: &str = "b.example.test";
/// Misdirected on every connection but its own.
pub(crate) const C: &str = "c.example.test";
/// Asks for certificates of `client-ca`, of which `client` is one.
pub(crate) const M: &str = "m.example.test";
/// Asks for certificates of `other-ca`, of which `other` is one.
pub(crate) const N: &str = "n.example.test";

/// The file `large` of the folder, in bytes: more than the largest window that anybody has by
/// default, and than a socket's buffers.
pub(crate) const LARGE: usize = 8 << 20;

/// Long enough for a busy machine, short enough to fail.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server process of this test's own.
pub(crate) struct Target {
    pub(crate) world: World,
    pub(crate) server: Server,
    /// What it has open without any connection.
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

    /// A client on a connection under this name, with all the window that there is.
    pub(crate) fn connect(&self, server_name: &str) -> Raw {
        Raw::connect(&self.world, &self.server, server_name)
    }

    /// A client that has not even sent the preface.
    pub(crate) fn silent(&self, server_name: &str) -> Raw {
        Raw::silent(&self.world, &self.server, server_name)
    }

    /// The memory that the process has of its own, in bytes: files that it maps are not counted.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.server.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Does `attack` while a bystander asks for a page again and again, and must get all of them,
    /// the last one when the attack is over. Then every connection and file that the attack opened
    /// must be closed: the attack closes its own ends.
    pub(crate) fn under<T>(&self, attack: impl FnOnce() -> T) -> T {
        let bystander = Bystander::start(self.connect(A));
        let result = attack();
        eventually("all connections closed", || open_files(&self.server) == self.idle + 1);
        bystander.end();
        result
    }

    /// The same; the memory that the attack has taken for good must not be more than this. What is
    /// free again is given back by and by.
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

/// The files and sockets that the process has open.
fn open_files(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.id())).unwrap().count()
}

/// Waits for what must come.
pub(crate) fn eventually(what: &str, is_so: impl FnMut() -> bool) {
    assert!(comes_true(is_so), "not so: {what}");
}

/// Whether it is so before patience ends.
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

/// A client on a connection of its own.
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
                // One more when it is over, so that there is one in any case.
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
        assert_eq!(last, [served(), misdirected()], "what a bystander got");
    }
}

fn whole(status: u16, content: &str) -> Answer {
    Answer { status: Some(status), content: content.into(), ended: true, reset: None }
}

/// The answer of `a`.
pub(crate) fn served() -> Answer {
    whole(200, "vhost=a\n")
}

/// The answer of `c` to a connection of anybody else.
pub(crate) fn misdirected() -> Answer {
    whole(421, CONTENT_421)
}
