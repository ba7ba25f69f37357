//! Runs every step of `docs/quickstart.md` unchanged, in a new folder.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use coalesce_tests::World;

/// The most lines of the page's server, without empty ones.
const LINES_MAX: usize = 15;

/// The code blocks of a language, in order.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    let behind = text.split(&opening).skip(1);
    behind.map(|rest| rest.split("\n```").next().unwrap().to_owned() + "\n").collect()
}

fn shell(folder: &Path, script: &str) -> Output {
    let output = Command::new("bash").args(["-euc", script]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// A running server and its log. Dropping it kills the process.
struct Server {
    process: Child,
    log: Lines<BufReader<ChildStdout>>,
}

impl Server {
    fn start(mut command: Command) -> Self {
        let mut process = command.env("NO_COLOR", "1").stdout(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, log }
    }

    /// Reads the log up to a line with this text, and returns the line.
    fn logged(&mut self, text: &str) -> String {
        let lines = self.log.by_ref().map(Result::unwrap);
        lines.into_iter().find(|line| line.contains(text)).unwrap_or_else(|| panic!("no {text:?}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn quickstart_to_the_letter_gives_a_421_and_its_reason() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let text = fs::read_to_string(root.join("docs/quickstart.md")).unwrap();
    let [project, certificates, run, ask] = &blocks(&text, "sh")[..] else {
        panic!("four steps expected")
    };
    let [program] = &blocks(&text, "rust")[..] else { panic!("one program expected") };
    let [expected, reason] = &blocks(&text, "text")[..] else { panic!("two outputs expected") };
    let lines = program.lines().filter(|line| !line.is_empty()).count();
    assert!(lines <= LINES_MAX, "the server has {lines} lines");

    // Take the versions of the workspace, and a free port.
    let world = World::new(&[], "");
    symlink(&root, world.path("coalesce")).unwrap();
    shell(&world.path(""), project);
    let folder = world.path("hosts");
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    shell(&folder, certificates);
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    fs::write(folder.join("src/main.rs"), program.replace("8443", &port)).unwrap();

    assert_eq!(run, "cargo run\n");
    let target = root.join("target/quickstart");
    let build = format!("cargo build --quiet --target-dir '{}'", target.display());
    shell(&folder, &build);
    let mut command = Command::new(target.join("debug/hosts"));
    command.current_dir(&folder);
    let mut server = Server::start(command);
    assert!(server.logged("listening").ends_with(&format!("address=127.0.0.1:{port}")));
    for version in ["", " --http1.1"] {
        let ask = ask.replace("8443", &port).replace("curl ", &format!("curl{version} "));
        let output = shell(&folder, &ask);
        assert_eq!(&String::from_utf8(output.stdout).unwrap(), expected);
        let logged = server.logged("misdirected");
        assert!(logged.ends_with(reason.replace("8443", &port).trim_end()), "{logged}");
    }
}
