//! Shared parts of the end-to-end tests: certificates, running servers and real clients.
#![allow(clippy::exhaustive_structs, reason = "the crate is not published")]

pub mod installed;
pub mod raw;
pub mod tls;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::OnceLock;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use tempfile::TempDir;

/// The content of every 421.
pub const CONTENT_421: &str = r#"{"error":"misdirected_request"}"#;

/// Returns the `coalesce` binary. The first call builds it with the profile of the tests.
///
/// # Panics
/// If the build fails.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| build("coalesce"))
}

/// Builds a binary with the profile of these tests, and returns its path.
///
/// The build covers the whole workspace and one example: cargo then selects the same features for
/// the dependencies as it did for the tests, and compiles none of them again.
fn build(name: &str) -> PathBuf {
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--message-format", "json", "--profile", profile])
        .args(["--workspace", "--bin", name, "--example", "soak"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "the binary does not build");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
        .expect("cargo names the binary it built")
}

/// A temporary folder with a CA, certificates and a configuration.
#[derive(Debug)]
pub struct World {
    folder: TempDir,
}

impl World {
    /// Makes `ca.pem`, `client-ca.pem`, `client.pem` with its key, and NAME.pem with NAME.key for
    /// each name and its identifiers. Writes `configuration` to `site.toml`.
    ///
    /// # Panics
    /// If the disk or the random generator fails.
    pub fn new(certificates: &[(&str, &[&str])], configuration: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, content: &str| {
            fs::write(folder.path().join(name), content).expect("the temporary folder is writable");
        };
        let ca = authority("CA of the tests");
        write("ca.pem", &ca.pem());
        for (name, identifiers) in certificates {
            let (certificate, key) = leaf(&ca, identifiers, ExtendedKeyUsagePurpose::ServerAuth);
            write(&format!("{name}.pem"), &certificate);
            write(&format!("{name}.key"), &key);
        }
        let client_ca = authority("client CA of the tests");
        write("client-ca.pem", &client_ca.pem());
        let (certificate, key) = leaf(&client_ca, &[], ExtendedKeyUsagePurpose::ClientAuth);
        write("client.pem", &certificate);
        write("client.key", &key);
        write("site.toml", configuration);
        Self { folder }
    }

    /// Returns the path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts `coalesce serve` and waits until it listens.
    ///
    /// # Panics
    /// If the server does not start.
    pub fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    /// Starts `coalesce serve` with further arguments and waits until it listens.
    ///
    /// # Panics
    /// If the server does not start.
    pub fn serve_with(&self, more: &[&str]) -> Server {
        let mut command = Command::new(binary());
        command.args(["serve", "--config"]).arg(self.path("site.toml")).args(more);
        self.start(command)
    }

    /// Returns a command that runs an example in the folder.
    ///
    /// # Panics
    /// If the build fails.
    pub fn example_command(&self, name: &str) -> Command {
        let mut command = Command::new(build(&format!("example-{name}")));
        command.current_dir(self.path(""));
        command
    }

    /// Starts an example server with the file `hosts`, and waits until it listens.
    ///
    /// # Panics
    /// If the server does not start.
    pub fn example(&self, name: &str, hosts: &str) -> Server {
        fs::write(self.path("hosts"), hosts).expect("the temporary folder is writable");
        let mut command = Command::new(build(&format!("example-{name}")));
        command.arg(self.path(""));
        self.start(command)
    }

    /// Starts a server whose first line of output names its address.
    ///
    /// # Panics
    /// If the server does not start.
    pub fn start(&self, mut command: Command) -> Server {
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(fs::File::create(self.path("log")).expect("a log file"))
            .spawn()
            .expect("the server starts");
        let mut output = BufReader::new(process.stdout.take().expect("standard output is a pipe"));
        let line = output.by_ref().lines().next();
        let log = || fs::read_to_string(self.path("log")).unwrap_or_default();
        let line = line.and_then(Result::ok).unwrap_or_else(|| panic!("no server: {}", log()));
        let address = line
            .strip_prefix("listening on ")
            .and_then(|rest| rest.split(' ').next())
            .and_then(|address| address.parse().ok())
            .unwrap_or_else(|| panic!("unexpected first line: {line}"));
        Server { process, output: Some(output), address }
    }
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a signature")
}

fn leaf(
    issuer: &CertifiedIssuer<'static, KeyPair>,
    identifiers: &[&str],
    usage: ExtendedKeyUsagePurpose,
) -> (String, String) {
    let identifiers: Vec<String> = identifiers.iter().map(|&name| name.into()).collect();
    let mut params = CertificateParams::new(identifiers).expect("valid identifiers");
    // OpenSSL takes a certificate for self-signed if its subject equals its issuer.
    params.distinguished_name.push(DnType::CommonName, "a leaf of the tests");
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, issuer).expect("a signature");
    (certificate.pem() + &issuer.pem(), key.serialize_pem())
}

/// A running server. Dropping it kills the process.
#[derive(Debug)]
pub struct Server {
    process: Child,
    output: Option<BufReader<ChildStdout>>,
    /// The address that the server listens on.
    pub address: SocketAddr,
}

impl Server {
    /// Connects to the server.
    ///
    /// # Panics
    /// If the connection fails.
    pub fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address).expect("the server listens");
        socket.set_nodelay(true).expect("a socket of TCP");
        socket
    }

    /// Returns the process number.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Returns the server's output after its first line.
    ///
    /// # Panics
    /// On the second call.
    pub fn output(&mut self) -> BufReader<ChildStdout> {
        self.output.take().expect("the output is read in one place")
    }

    /// Sends SIGHUP, so the server reloads its configuration.
    ///
    /// # Panics
    /// If the signal cannot be sent.
    pub fn hang_up(&self) {
        self.signal("-HUP");
    }

    fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        let kill = Command::new("kill").args([signal, &id]).status().expect("kill runs");
        assert!(kill.success());
    }

    /// Sends SIGTERM, as an operator would, and waits for the exit status.
    ///
    /// # Panics
    /// If the signal cannot be sent or the wait fails.
    pub fn terminate(mut self) -> std::process::ExitStatus {
        self.signal("-TERM");
        self.process.wait().expect("the server is a child of this process")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails if the process has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The result of one run of curl.
#[derive(Debug)]
pub struct Curl {
    /// The status code; 0 without a response.
    pub status: u16,
    /// The protocol, `2` for HTTP/2.
    pub version: String,
    /// The header fields, one per line, in lower case as HTTP/2 requires.
    pub headers: String,
    /// The content.
    pub body: String,
    /// curl's exit code: 0 after a complete exchange, 92 if the stream was reset.
    pub exit: i32,
}

impl Curl {
    /// Returns the value of a header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// Runs `curl --http2` in `world` against `server`. The host of `url` is the server name. If
/// `authority` is given, the request carries it instead of that host.
///
/// # Panics
/// If curl is not installed.
pub fn curl(
    world: &World,
    server: &Server,
    url: &str,
    authority: Option<&str>,
    more: &[&str],
) -> Curl {
    let headers = world.path("curl-headers");
    let _ = fs::remove_file(&headers);
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--http2", "--max-time", "20", "--connect-to"])
        .arg(format!("::{}", server.address))
        .arg("--cacert")
        .arg(world.path("ca.pem"))
        .arg("--dump-header")
        .arg(&headers)
        .args(["--write-out", "\n%{http_code} %{http_version}"]);
    if let Some(authority) = authority {
        command.arg("--header").arg(format!("Host: {authority}"));
    }
    let Output { status, stdout, .. } = command
        .args(more)
        .arg(url)
        .current_dir(world.path(""))
        .output()
        .expect("curl is installed");
    let stdout = String::from_utf8_lossy(&stdout).into_owned();
    let (body, trailer) = stdout.rsplit_once('\n').unwrap_or_default();
    let (code, version) = trailer.split_once(' ').unwrap_or_default();
    Curl {
        status: code.parse().unwrap_or(0),
        version: version.to_owned(),
        headers: fs::read_to_string(headers).unwrap_or_default().replace('\r', ""),
        body: body.to_owned(),
        exit: status.code().unwrap_or(-1),
    }
}

/// Runs one of nghttp2's clients to its end and returns its output.
///
/// # Panics
/// If the client is not installed or fails.
pub fn nghttp2(client: &str, arguments: &[&str]) -> String {
    let output =
        Command::new(client).args(arguments).output().expect("nghttp2's clients are installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{client}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Compiles the README's Rust examples as doctests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// Compiles the Rust examples of the client's page as doctests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/client.md")]
struct ClientPage;
