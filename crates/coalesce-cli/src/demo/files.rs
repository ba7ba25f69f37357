//! The demo's hosts: a small CA, certificates and a configuration in a temporary folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;

/// The demo's configuration, as a user would write it.
pub(super) const CONFIGURATION: &str = include_str!("site.toml");

/// The certificates that the configuration names, each with the identifiers it presents.
const CERTIFICATES: &[(&str, &[&str])] = &[
    (
        "site",
        &[
            "www.example.test",
            "img.example.test",
            "*.shop.example.test",
            "old.example.test",
            "admin.example.test",
        ],
    ),
    ("api", &["api.example.test"]),
    ("cdn", &["cdn.example.test"]),
    ("admin", &["admin.example.test"]),
];

/// A temporary folder of files, removed when this is dropped.
#[derive(Debug)]
pub(crate) struct DemoFiles {
    folder: TempDir,
    /// The authority that the demo's client trusts.
    pub(super) ca: CertificateDer<'static>,
    /// The client's certificate, which `admin.example.test` requires.
    pub(super) client: CertificateDer<'static>,
    client_key: Vec<u8>,
}

type Issuer = CertifiedIssuer<'static, KeyPair>;

impl DemoFiles {
    /// Makes keys and certificates and writes them beside the configuration.
    pub(crate) fn make() -> Result<Self, DemoFilesError> {
        let folder = tempfile::Builder::new().prefix("coalesce-demo-").tempdir()?;
        let path = |name: &str| folder.path().join(name);

        let ca = authority("Coalesce demo CA")?;
        fs::write(path("ca.pem"), ca.pem())?;
        for (name, identifiers) in CERTIFICATES {
            let (certificate, key) =
                leaf(&ca, name, identifiers, ExtendedKeyUsagePurpose::ServerAuth)?;
            fs::write(path(&format!("{name}.pem")), certificate.pem() + &ca.pem())?;
            fs::write(path(&format!("{name}.key")), key.serialize_pem())?;
        }

        let client_ca = authority("Coalesce demo client CA")?;
        fs::write(path("client-ca.pem"), client_ca.pem())?;
        let (client, client_key) =
            leaf(&client_ca, "demo client", &[], ExtendedKeyUsagePurpose::ClientAuth)?;
        fs::write(path("client.pem"), client.pem())?;
        fs::write(path("client.key"), client_key.serialize_pem())?;

        fs::write(path("site.toml"), CONFIGURATION)?;
        Ok(Self {
            ca: ca.der().clone(),
            client: client.der().clone(),
            client_key: client_key.serialize_der(),
            folder,
        })
    }

    /// Returns the folder of all files.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the configuration file.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.folder.path().join("site.toml")
    }

    /// Returns the key of [`client`](Self::client).
    pub(super) fn client_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.client_key.clone()).into()
    }
}

fn authority(name: &str) -> Result<Issuer, DemoFilesError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn leaf(
    issuer: &Issuer,
    name: &str,
    identifiers: &[&str],
    usage: ExtendedKeyUsagePurpose,
) -> Result<(rcgen::Certificate, KeyPair), DemoFilesError> {
    let identifiers: Vec<String> = identifiers.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(identifiers)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate()?;
    Ok((params.signed_by(&key, issuer)?, key))
}

/// The reason why the demo's files could not be made.
#[derive(Debug)]
pub(crate) enum DemoFilesError {
    Certificate(rcgen::Error),
    File(io::Error),
}

impl From<rcgen::Error> for DemoFilesError {
    fn from(error: rcgen::Error) -> Self {
        Self::Certificate(error)
    }
}

impl From<io::Error> for DemoFilesError {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl std::fmt::Display for DemoFilesError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Certificate(error) => write!(f, "cannot make the demo's certificates: {error}"),
            Self::File(error) => write!(f, "cannot write the demo's files: {error}"),
        }
    }
}
