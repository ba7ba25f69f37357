//! The lab's hosts and certificates in a temporary folder, and the binary run there.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, SerialNumber, date_time_ymd,
};
use serde_json::Value;
use tempfile::TempDir;

/// The lab's certificates and their identifiers.
const CERTIFICATES: [(&str, &[&str]); 5] = [
    (
        "A",
        &[
            "a.example.test",
            "b.example.test",
            "*.wild.example.test",
            "xn--bcher-kva.example.test",
            "dead.example.test",
            "m.example.test",
        ],
    ),
    ("B", &["c.example.test", "*.example.test"]),
    ("API", &["api.example.test"]),
    ("CDN", &["cdn.example.test"]),
    ("M", &["m.example.test", "m2.example.test"]),
];

/// The identifiers of the certificate that all listeners of the Gateway API's conformance tests
/// share.
const GATEWAY: [&str; 9] = [
    "example.org",
    "second-example.org",
    "unknown-example.org",
    "*.wildcard.org",
    "bar.com",
    "bar.example.com",
    "bar.foo.example.com",
    "abc.foo.example.com",
    "x.abc.foo.example.com",
];

/// The lab's virtual hosts: name, host, certificate, client CA.
const VIRTUAL_HOSTS: [(&str, &str, &str, Option<&str>); 9] = [
    ("a", "a.example.test", "A", None),
    ("b", "b.example.test", "A", None),
    ("wild", "*.wild.example.test", "A", None),
    ("idn", "xn--bcher-kva.example.test", "A", None),
    ("c", "c.example.test", "B", None),
    ("api", "api.example.test", "API", None),
    ("cdn", "cdn.example.test", "CDN", None),
    ("m", "m.example.test", "M", Some("client-ca1")),
    ("m2", "m2.example.test", "M", Some("client-ca2")),
];

/// A folder of certificates.
pub(crate) struct World {
    folder: TempDir,
    ca: Ca,
}

type Ca = CertifiedIssuer<'static, KeyPair>;

impl World {
    /// The certificates of the lab, its clients' included.
    pub(crate) fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap(), ca: authority() };
        fs::create_dir(world.path("certs")).unwrap();
        world.write("certs/ca.pem", &world.ca.pem());
        for (name, identifiers) in CERTIFICATES {
            world.issue(name, identifiers);
        }
        world.leaf("GATEWAY", &GATEWAY, &world.ca, ExtendedKeyUsagePurpose::ServerAuth);
        world.issue("IP", &["127.0.0.1", "::1"]);
        for number in 1..=2 {
            let ca = authority();
            world.write(&format!("certs/client-ca{number}.pem"), &ca.pem());
            world.write(&format!("certs/client-ca{number}.crl"), &nothing_revoked(&ca));
            let name = format!("client{number}");
            world.leaf(&name, &[], &ca, ExtendedKeyUsagePurpose::ClientAuth);
            let name = format!("expired{number}");
            world.leaf_until(&name, &[], &ca, ExtendedKeyUsagePurpose::ClientAuth, 2021);
        }
        world
    }

    /// Makes a world with the lab's configuration as `site.toml`.
    pub(crate) fn lab() -> Self {
        let world = Self::new();
        let mut text = "[[listener]]\naddress = \"127.0.0.1:8443\"\nports = [443, 8443]\n\
                        default_virtual_host = \"a\"\n"
            .to_owned();
        for (name, host, certificate, client_ca) in VIRTUAL_HOSTS {
            text.push_str(&virtual_host(name, host, certificate));
            if let Some(ca) = client_ca {
                writeln!(text, "client_ca = \"certs/{ca}.pem\"").unwrap();
            }
        }
        world.write("site.toml", &text);
        world
    }

    /// Issues a server certificate: `certs/NAME.pem` and its key. Replaces an existing one.
    pub(crate) fn issue(&self, name: &str, identifiers: &[&str]) {
        self.leaf(name, identifiers, &self.ca, ExtendedKeyUsagePurpose::ServerAuth);
    }

    fn leaf(&self, name: &str, identifiers: &[&str], ca: &Ca, usage: ExtendedKeyUsagePurpose) {
        self.leaf_until(name, identifiers, ca, usage, 4096);
    }

    /// Issues a certificate that expires at the beginning of this year.
    fn leaf_until(
        &self,
        name: &str,
        identifiers: &[&str],
        ca: &Ca,
        usage: ExtendedKeyUsagePurpose,
        until: i32,
    ) {
        let identifiers: Vec<String> = identifiers.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(identifiers).unwrap();
        params.extended_key_usages = vec![usage];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let certificate = params.signed_by(&key, ca).unwrap();
        self.write(&format!("certs/{name}.pem"), &certificate.pem());
        self.write(&format!("certs/{name}.key"), &key.serialize_pem());
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn read_bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Replaces a file by `text` atomically.
    pub(crate) fn replace(&self, name: &str, text: &str) {
        self.write("new", text);
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    /// Makes a command that runs the binary in this folder.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coalesce"));
        command.current_dir(self.folder()).env_remove("RUST_LOG");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    /// Runs the binary, which must exit with `code`. Returns its standard output, or its standard
    /// error if there is no answer.
    pub(crate) fn say(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        text(if code < 2 { &output.stdout } else { &output.stderr }).to_owned()
    }

    /// Runs the binary with `input`; returns its exit code and its lines as JSON.
    pub(crate) fn batch(&self, arguments: &[&str], input: &str) -> (i32, Vec<Value>) {
        let mut child = self
            .command()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // The input fits the pipe, so the write does not block.
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let lines = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap());
        (output.status.code().unwrap(), lines.collect())
    }
}

/// An entry of a configuration. More of its fields may follow.
pub(crate) fn virtual_host(name: &str, host: &str, certificate: &str) -> String {
    format!(
        "\n[[virtual_host]]\nname = \"{name}\"\nnames = [\"{host}\"]\n\
         certificate = \"certs/{certificate}.pem\"\nkey = \"certs/{certificate}.key\"\n\
         answer = {{ text = \"vhost={name}\\n\" }}\n"
    )
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Makes a revocation list of a CA that has revoked no certificate.
fn nothing_revoked(ca: &Ca) -> String {
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(2999, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    list.signed_by(ca).unwrap().pem().unwrap()
}

fn authority() -> Ca {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}
