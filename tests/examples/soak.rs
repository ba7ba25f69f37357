//! Reloads a table of 100,000 names again and again while `h2load` asks on ten connections, and
//! says what that cost: failed requests, wrong answers, latencies, memory.
//!
//! ```sh
//! cargo run --release -p coalesce-tests --example soak [-- compiled | built] [RELOADS] [SECONDS]
//! ```
//!
//! `compiled` (the default) replaces a compiled table by renaming; `built` has all names in the
//! configuration itself, which the server builds a table of. Beside `h2load` a client of this
//! program checks the content of every answer. The exit code is 0 when nothing failed, nothing was
//! wrong, the 99th percentile with reloads is within 1.5 times the one without, and the memory is
//! back to that of one table; else 1.
#![allow(clippy::print_stdout, reason = "a program that reports")]

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use coalesce_tests::{Server, World, binary};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};

const NAMES: usize = 100_000;
const CONNECTIONS: usize = 10;
/// The promise: the 99th percentile with reloads, in those without.
const RATIO_MAX: f64 = 1.5;

/// Half of the measurement is without reloads, in turns with the other half: so that whatever else
/// the machine does is done to both.
const TURNS: u32 = 10;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let built = match arguments.next_if(|argument| argument.parse::<u32>().is_err()).as_deref() {
        None | Some("compiled") => false,
        Some("built") => true,
        Some(other) => panic!("{other:?}: compiled or built expected"),
    };
    let mut number =
        |default: u32| arguments.next().map_or(default, |text| text.parse().expect("a number"));
    let (reloads, seconds) = (number(50).div_ceil(TURNS), number(40));
    let world = world(built);
    let server = world.serve_with(&["--no-watch"]);
    let at_start = memory(server.id());
    // Whatever grows by serving at all has grown before it is measured.
    load(&world, &server, 2, || {});
    let before = memory(server.id());
    let looking = Checker::start(&world, &server);
    let turn = Duration::from_secs(seconds.into()) / (2 * TURNS);
    let (mut took, mut reloading) = (Vec::new(), Vec::new());
    let requests = load(&world, &server, seconds, || {
        for _ in 0..TURNS {
            sleep(turn);
            let began = now();
            for number in 0..reloads {
                let until = Instant::now() + turn / reloads;
                took.push(reload(&world, &server, took.len() + 1));
                sleep(until.saturating_duration_since(Instant::now()));
                if number + 1 == reloads {
                    reloading.push(began..now());
                }
            }
        }
    });
    let (checked, wrong) = looking.end();
    let table = fs::metadata(world.path("0.table")).map_or(0, |file| file.len() / 1024);
    let after = settled(&server, before.total() + table.max(1024));

    took.sort_by(f64::total_cmp);
    let (with, without): (Vec<Request>, Vec<Request>) = requests
        .iter()
        .partition(|request| reloading.iter().any(|span| span.contains(&request.began)));
    let failed = requests.iter().filter(|request| request.failed).count();
    println!("{NAMES} names, {} reloads in {seconds} s, {CONNECTIONS} connections", took.len());
    println!("requests            {} without reloads, {} with", without.len(), with.len());
    println!("failed or not 200   {failed}");
    println!("contents checked    {checked}, {wrong} wrong");
    let of = |requests: &[Request]| [0.5, 0.99, 0.999].map(|part| percentile(requests, part));
    println!(
        "latency, us         p50, p99, p99.9: {:?} without, {:?} with",
        of(&without),
        of(&with)
    );
    let ratio = percentile(&with, 0.99) / percentile(&without, 0.99);
    println!("p99 ratio           {ratio:.2}");
    let last = took.len().saturating_sub(1);
    println!("a reload took, s    median {:.3}, longest {:.3}", took[last / 2], took[last]);
    println!("memory, KiB         {at_start:?} at the start, {before:?} warm, {after:?} after");
    println!("one table, KiB      {table}");
    let grown = after.total().saturating_sub(before.total());
    let fine = failed + wrong == 0 && ratio <= RATIO_MAX && grown < table.max(1024);
    println!("{}", if fine { "holds" } else { "does not hold" });
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The memory of the server once it is below `wanted`, or after a while: the last table but one is
/// freed when the last handshake with it has ended, and free memory goes back after ten seconds.
fn settled(server: &Server, wanted: u64) -> Memory {
    let begun = Instant::now();
    loop {
        let now = memory(server.id());
        if now.total() < wanted || begun.elapsed() > Duration::from_secs(20) {
            return now;
        }
        sleep(Duration::from_millis(500));
    }
}

/// Microseconds since the epoch, as `h2load` logs them.
fn now() -> u128 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.expect("a clock that is set").as_micros()
}

/// Two configurations that differ in who serves one name, in half of the other names and in the
/// order of their groups.
fn world(built: bool) -> World {
    let identifiers = ["a.example.test", "b.example.test", "m.example.test", "*.bulk.example.test"];
    let world = World::new(&[("A", &identifiers)], "");
    for turn in 0..2_usize {
        let mut list = String::new();
        for name in 0..NAMES {
            // Every second name is in one of them only.
            let name = if name % 2 == 0 { name } else { name + turn * NAMES };
            writeln!(list, "h{name}.bulk.example.test a").expect("a string");
        }
        let config = |table: &str, names: &str| {
            let groups = [
                "[[group]]\nname = \"open\"\n",
                "[[group]]\nname = \"closed\"\n\
                 client_ca = \"client-ca.pem\"\n",
            ];
            let host = |name: &str, names: &str, group: &str| {
                format!(
                    "[[virtual_host]]\nname = \"{name}\"\nnames = [{names}]\n\
                 certificate = \"A.pem\"\nkey = \"A.key\"\ngroup = \"{group}\"\n\
                 answer = {{ text = \"{name}\\n\" }}\n"
                )
            };
            format!(
                "{table}[[listener]]\naddress = \"127.0.0.1:0\"\n{}{}{}{}{}",
                groups[turn],
                groups[1 - turn],
                host("a", &format!("\"a.example.test\"{names}"), "open"),
                host(["b", "c"][turn], "\"b.example.test\"", "open"),
                host("m", "\"m.example.test\"", "closed"),
            )
        };
        let file = |end: &str| world.path(&format!("{turn}.{end}"));
        // Compiled in both cases: it says how large a table is.
        fs::write(file("list"), &list).expect("a list");
        fs::write(file("toml"), config("", "")).expect("a configuration");
        let status = Command::new(binary())
            .args(["compile", "-q", "--config"])
            .args([file("toml"), file("list")])
            .arg("-o")
            .arg(file("table"))
            .stdout(Stdio::null())
            .status();
        assert!(status.expect("the binary runs").success(), "the table does not compile");
        let text = if built {
            let names = list.lines().filter_map(|line| line.split(' ').next());
            let names: Vec<String> = names.map(|name| format!(", \"{name}\"")).collect();
            config("", &names.concat())
        } else {
            config(&format!("table = \"{turn}.table\"\n"), "")
        };
        fs::write(file("toml"), text).expect("a configuration");
    }
    put(&world, 0);
    world
}

/// Puts a configuration in its place.
fn put(world: &World, turn: usize) {
    let new = world.path("new.toml");
    fs::copy(world.path(&format!("{}.toml", turn % 2)), &new).expect("a copy");
    fs::rename(new, world.path("site.toml")).expect("a file in its place");
}

/// Has the other configuration served, the `times`th reload; the seconds until it was.
fn reload(world: &World, server: &Server, times: usize) -> f64 {
    put(world, times);
    let begun = Instant::now();
    server.hang_up();
    loop {
        let log = fs::read_to_string(world.path("log")).expect("a log");
        if log.lines().filter(|line| line.contains(": reloaded ")).count() >= times {
            return begun.elapsed().as_secs_f64();
        }
        assert!(!log.contains("refused"), "{log}");
        assert!(begun.elapsed() < Duration::from_secs(60), "it is not reloaded: {log}");
        sleep(Duration::from_millis(5));
    }
}

/// A request of `h2load`.
#[derive(Clone, Copy)]
struct Request {
    began: u128,
    failed: bool,
    /// Until the end of its answer, in microseconds.
    latency: f64,
}

/// The latency that this part of the requests does not exceed, which are sorted by it.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "far fewer requests than 2^52"
)]
fn percentile(sorted: &[Request], part: f64) -> f64 {
    let at = (sorted.len() as f64 * part) as usize;
    sorted.get(at).map_or(f64::NAN, |request| request.latency)
}

/// Asks for `seconds`, while `meanwhile` runs.
fn load(world: &World, server: &Server, seconds: u32, meanwhile: impl FnOnce()) -> Vec<Request> {
    let log = world.path("h2load.tsv");
    let _ = fs::remove_file(&log);
    let port = server.address.port();
    let mut command = Command::new("h2load");
    command
        .args(["--threads", "1", "--max-concurrent-streams", "1", "--duration"])
        .arg(seconds.to_string())
        .args(["--clients", &CONNECTIONS.to_string(), "--log-file"])
        .arg(&log)
        .arg(format!("--connect-to={}", server.address))
        .arg(format!("https://h4242.bulk.example.test:{port}/"));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("h2load is installed (nghttp2-client)");
    meanwhile();
    let output = child.wait_with_output().expect("h2load ends");
    assert!(output.status.success(), "{output:?}");
    let log = fs::read_to_string(&log).expect("a log");
    // When it began, status, microseconds.
    let request = |line: &str| {
        let mut fields = line.split('\t');
        Some(Request {
            began: fields.next()?.parse().ok()?,
            failed: fields.next()? != "200",
            latency: fields.next()?.parse().ok()?,
        })
    };
    let requests = log.lines().map(|line| request(line).unwrap_or_else(|| panic!("{line:?}")));
    let mut requests: Vec<Request> = requests.collect();
    requests.sort_by(|one, other| one.latency.total_cmp(&other.latency));
    requests
}

/// A client that looks at what it is answered.
struct Checker {
    done: Arc<AtomicBool>,
    thread: JoinHandle<(usize, usize)>,
}

impl Checker {
    fn start(world: &World, server: &Server) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let ca = fs::read(world.path("ca.pem")).expect("the CA");
        let (address, ended) = (server.address, done.clone());
        let thread = spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(check(&ca, address, &ended))
        });
        Self { done, thread }
    }

    /// How many answers were looked at, and how many of them were wrong.
    fn end(self) -> (usize, usize) {
        self.done.store(true, Ordering::Relaxed);
        self.thread.join().expect("the checker ends")
    }
}

/// What each host may be answered under either configuration: contents, or the status.
fn expected(turn: usize) -> (String, &'static [&'static str]) {
    match turn % 5 {
        0 => ("a.example.test".to_owned(), &["a\n"]),
        1 => ("b.example.test".to_owned(), &["b\n", "c\n"]),
        2 => ("m.example.test".to_owned(), &["421"]),
        // In both tables, and in one.
        3 => (format!("h{}.bulk.example.test", turn * 2 % NAMES), &["a\n"]),
        _ => (format!("h{}.bulk.example.test", (turn * 2 + 1) % (2 * NAMES)), &["a\n", "421"]),
    }
}

async fn check(ca: &[u8], address: SocketAddr, done: &AtomicBool) -> (usize, usize) {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca).expect("the CA")).expect("the CA");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = tokio::net::TcpStream::connect(address).await.expect("the server listens");
    let name = ServerName::try_from("a.example.test").expect("a name");
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect(name, stream).await.expect("a handshake");
    let (send, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    tokio::spawn(connection);
    let (mut checked, mut wrong) = (0, 0);
    while !done.load(Ordering::Relaxed) {
        let (host, allowed) = expected(checked);
        let got = ask(send.clone(), &format!("https://{host}:{}/", address.port())).await;
        if !got.as_deref().is_ok_and(|got| allowed.contains(&got)) {
            wrong += 1;
            println!("{host}: {got:?}, and {allowed:?} expected");
        }
        checked += 1;
        // A little of the machine is for the measurement.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    (checked, wrong)
}

/// The content of a 200, or the status.
async fn ask(send: h2::client::SendRequest<Bytes>, url: &str) -> Result<String, h2::Error> {
    let request = http::Request::get(url).body(()).expect("a request");
    let (response, _) = send.ready().await?.send_request(request, true)?;
    let response = response.await?;
    if response.status() != 200 {
        return Ok(response.status().as_u16().to_string());
    }
    let mut content = response.into_body();
    let mut all = Vec::new();
    while let Some(data) = content.data().await {
        let data = data?;
        content.flow_control().release_capacity(data.len())?;
        all.extend_from_slice(&data);
    }
    Ok(String::from_utf8_lossy(&all).into_owned())
}

/// What a process has in memory, in KiB: its own, and mapped files.
#[derive(Clone, Copy, Debug)]
struct Memory {
    anonymous: u64,
    files: u64,
}

impl Memory {
    const fn total(self) -> u64 {
        self.anonymous + self.files
    }
}

fn memory(process: u32) -> Memory {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("Linux's /proc");
    let field = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name));
        value.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok()).expect("a size")
    };
    Memory { anonymous: field("RssAnon:"), files: field("RssFile:") }
}
