//! Certificate files that commands read.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;

use coalesce_site::open_regular_file;
use coalesce_tls::{
    FileFormat, PemError, PresentedNames, certificates_from_pem, private_key_from_pem,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::terminal::exit::Failure;
use crate::terminal::text::without_code;

/// The longest file of certificates or keys that is read, in bytes: the bundle of every public CA
/// is a quarter of it.
const FILE_LEN_MAX: u64 = 1 << 20;

/// Reads the chain in the file `path`, its own certificate first.
pub(crate) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let pem = read(path)?;
    certificates_from_pem(&pem).map_err(|error| FileError::not_pem(path, &error))
}

/// Reads the private key in the file `path`.
pub(crate) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, FileError> {
    let pem = read(path)?;
    private_key_from_pem(&pem).map_err(|error| FileError::not_pem(path, &error))
}

/// Reads the first certificate in the file `path`, PEM or DER.
pub(crate) fn first_certificate(path: &Path) -> Result<CertificateDer<'static>, FileError> {
    let bytes = read(path)?;
    let chain = match certificates_from_pem(&bytes) {
        Err(PemError::NotPem { format: FileFormat::Der, .. }) => {
            return Ok(CertificateDer::from(bytes));
        }
        read => read.map_err(|error| FileError::not_pem(path, &error))?,
    };
    chain.into_iter().next().ok_or_else(|| FileError::content(path, "no certificate"))
}

/// Reads the names of the first certificate in the file of `--certificate`.
pub(crate) fn certificate_names(path: &Path) -> Result<PresentedNames, Failure> {
    let der = first_certificate(path)
        .map_err(|error| Failure::usage(format_args!("--certificate: {error}")))?;
    PresentedNames::read_der(&der).map_err(|error| unusable_certificate(path, &error))
}

/// Returns the failure of a certificate in `--certificate` that covers no host.
pub(crate) fn without_names(path: &Path) -> Failure {
    unusable_certificate(path, &"no name that can match; at least one expected")
}

fn unusable_certificate(path: &Path, error: &dyn fmt::Display) -> Failure {
    Failure::configuration(format_args!("--certificate {}: {error}", path.display()))
}

fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let cannot = |error: io::Error| FileError {
        message: format!("cannot read {}: {}", path.display(), without_code(&error)),
    };
    let mut bytes = Vec::new();
    let file = open_regular_file(path).map_err(cannot)?;
    file.take(FILE_LEN_MAX + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > FILE_LEN_MAX {
        let message = format!("more than the {FILE_LEN_MAX} bytes allowed");
        return Err(FileError::content(path, message));
    }
    Ok(bytes)
}

/// The fault of a file, with its path.
#[derive(Debug)]
pub(crate) struct FileError {
    message: String,
}

impl FileError {
    /// Names the command that converts the file, if there is one.
    fn not_pem(path: &Path, error: &PemError) -> Self {
        match error.conversion(&path.display().to_string()) {
            Some(command) => {
                Self::content(path, format_args!("{error}; convert it with: {command}"))
            }
            None => Self::content(path, error),
        }
    }

    fn content(path: &Path, error: impl fmt::Display) -> Self {
        Self { message: format!("{}: {error}", path.display()) }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_file_and_no_number() {
        let missing = chain(Path::new("no/such.pem")).unwrap_err();
        assert_eq!(missing.to_string(), "cannot read no/such.pem: No such file or directory");
        let device = chain(Path::new("/dev/zero")).unwrap_err();
        let expected = "cannot read /dev/zero: found a device, expected a regular file";
        assert_eq!(device.to_string(), expected);
    }
}
