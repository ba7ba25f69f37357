//! The files of the servers: a folder with certificates, documents and configurations, and a place
//! for each server.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls_pki_types::CertificateDer;
use tempfile::TempDir;

use crate::case::{CONTENT, ELSEWHERE, SERVED};

/// Files that exist as long as this value.
pub(crate) struct World {
    folder: TempDir,
    /// The CA that the program's own client trusts.
    pub(crate) ca: CertificateDer<'static>,
}

/// The files of one certificate. A chain is the certificate, then the CA's.
pub(crate) struct Files {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
    /// Chain and key in one file, the form that haproxy reads.
    pub(crate) both: PathBuf,
}

/// The place of a server.
pub(crate) struct Place {
    /// A port that was free when the program looked.
    pub(crate) port: u16,
    pub(crate) workers: usize,
    /// Whether `coalesce serve` has a flag for its number of workers. Otherwise it starts one per
    /// core.
    pub(crate) has_workers_flag: bool,
    /// The server's own folder.
    pub(crate) scratch: PathBuf,
}

impl Place {
    /// Returns the arguments for the number of workers.
    pub(crate) fn worker_arguments(&self) -> Vec<String> {
        if self.has_workers_flag {
            vec!["--workers".into(), self.workers.to_string()]
        } else {
            Vec::new()
        }
    }
}

impl World {
    pub(crate) fn make() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("coalesce-servers-").tempdir()?;
        // Servers that root starts read their documents as another user.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "Coalesce measuring CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let world = Self { folder, ca: issuer.der().clone() };
        for host in [SERVED, ELSEWHERE] {
            let mut params = CertificateParams::new(vec![host.to_owned()])?;
            params.use_authority_key_identifier_extension = true;
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            let key = KeyPair::generate()?;
            let chain = params.signed_by(&key, &issuer)?.pem() + &issuer.pem();
            let files = world.files(host);
            fs::write(files.chain, &chain)?;
            fs::write(files.key, key.serialize_pem())?;
            fs::write(files.both, chain + &key.serialize_pem())?;
            let documents = world.documents(host);
            fs::create_dir_all(&documents)?;
            fs::write(documents.join("index.html"), CONTENT)?;
        }
        Ok(world)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn files(&self, host: &str) -> Files {
        let path = |extension: &str| self.folder().join(format!("{host}.{extension}"));
        Files { chain: path("pem"), key: path("key"), both: path("both.pem") }
    }

    /// Returns the folder of a host's one document.
    pub(crate) fn documents(&self, host: &str) -> PathBuf {
        self.folder().join("documents").join(host)
    }

    /// Writes a configuration.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder().join(name);
        fs::write(&path, text).with_context(|| format!("could not write {}", path.display()))?;
        Ok(path)
    }

    /// Makes a folder for the files that a server writes.
    pub(crate) fn scratch(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder().join(name);
        fs::create_dir_all(&path).with_context(|| format!("could not make {}", path.display()))?;
        Ok(path)
    }
}
