//! The fixture world: which hosts a server under test has, and certificates for them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use serde::Deserialize;

use crate::error::LabError;
use crate::renames::Renames;
use crate::scenario::Scenario;
use crate::scenarios::Scenarios;

/// The description that this crate has.
const BUILT_IN: &str = include_str!("../world.toml");

/// The name of the description in a folder of certificates.
const FILE: &str = "world.toml";

/// The file of the root that signs the server's certificates.
pub(crate) const ROOT: &str = "ca.pem";

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// The hosts of a server under test, and their certificates.
///
/// # Example
///
/// ```
/// use coalesce_lab::World;
///
/// let folder = tempfile::tempdir()?;
/// World::built_in()?.write(folder.path())?;
/// assert!(folder.path().join("ca.pem").exists() && folder.path().join("API.key").exists());
/// assert_eq!(World::read(folder.path())?.default_host(), "a.example.test");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct World {
    text: String,
    description: Description,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    client_cas: Vec<String>,
    default_host: String,
    certificates: BTreeMap<String, Vec<String>>,
    client_certificates: BTreeMap<String, String>,
    virtual_hosts: BTreeMap<String, VirtualHost>,
    /// What this world calls the names of the scenarios.
    #[serde(default)]
    renames: Renames,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VirtualHost {
    #[serde(rename = "names")]
    _names: Vec<String>,
    certificate: String,
    client_ca: Option<String>,
}

impl World {
    /// Returns the world of the built-in scenarios.
    pub fn built_in() -> Result<Self, LabError> {
        Self::parse(FILE, BUILT_IN.to_owned())
    }

    /// Reads `world.toml` in a folder of certificates.
    pub fn read(folder: &Path) -> Result<Self, LabError> {
        Self::read_description(&folder.join(FILE))
    }

    /// Reads the description of a world, which needs no certificates.
    pub fn read_description(file: &Path) -> Result<Self, LabError> {
        let text = fs::read_to_string(file);
        let text = text.map_err(|error| LabError::new(file.display(), error))?;
        Self::parse(&file.display().to_string(), text)
    }

    fn parse(name: &str, text: String) -> Result<Self, LabError> {
        let description: Description =
            toml::from_str(&text).map_err(|error| LabError::new(name, error))?;
        for (host, values) in &description.virtual_hosts {
            let certificate = &values.certificate;
            let knows_ca = |ca| description.client_cas.contains(ca);
            if !description.certificates.contains_key(certificate)
                || !values.client_ca.as_ref().is_none_or(knows_ca)
            {
                let message = format!(
                    "virtual host \"{host}\": expected a certificate and a client CA of this file"
                );
                return Err(LabError::new(name, message));
            }
        }
        Ok(Self { text, description })
    }

    /// Returns the host of an ordinary request on a connection without a server name.
    pub fn default_host(&self) -> &str {
        &self.description.default_host
    }

    /// Returns the names of the client certificates.
    pub(crate) fn client_certificates(&self) -> impl Iterator<Item = &str> {
        self.description.client_certificates.keys().map(String::as_str)
    }

    /// Returns a scenario with the names of this world.
    pub(crate) fn rename(&self, scenario: &Scenario) -> Scenario {
        scenario.renamed(&self.description.renames)
    }

    /// Makes every certificate, and writes them to `folder` beside a copy of the description.
    ///
    /// | file | has |
    /// | --- | --- |
    /// | `ca.pem`, `CLIENT-CA.pem` | a root |
    /// | `NAME.pem`, `NAME.key` | a certificate with its root, and its private key |
    /// | `NAME.both.pem` | all of that in one file, for servers that want it so |
    pub fn write(&self, folder: &Path) -> Result<(), LabError> {
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).map_err(|error| LabError::new(path.display(), error))
        };
        fs::create_dir_all(folder).map_err(|error| LabError::new(folder.display(), error))?;
        let failed = |name: &str| {
            let place = format!("certificate \"{name}\"");
            move |error: rcgen::Error| LabError::new(place, error)
        };
        let write = |name: &str, (certificate, key): (String, String)| {
            file(&format!("{name}.pem"), &certificate)?;
            file(&format!("{name}.key"), &key)?;
            file(&format!("{name}.both.pem"), &(certificate + &key))
        };
        file(FILE, &self.text)?;
        let root = issuer("server root of the lab").map_err(failed("ca"))?;
        file(ROOT, &root.pem())?;
        for (name, names) in &self.description.certificates {
            let usage = ExtendedKeyUsagePurpose::ServerAuth;
            write(name, leaf(&root, name, names, usage).map_err(failed(name))?)?;
        }
        for ca in &self.description.client_cas {
            let issuer = issuer(&format!("{ca} of the lab")).map_err(failed(ca))?;
            file(&format!("{ca}.pem"), &issuer.pem())?;
            let signed = self.description.client_certificates.iter();
            for (name, _) in signed.filter(|(_, issued_by)| *issued_by == ca) {
                let usage = ExtendedKeyUsagePurpose::ClientAuth;
                write(name, leaf(&issuer, name, &[], usage).map_err(failed(name))?)?;
            }
        }
        Ok(())
    }

    /// Checks that the world has every virtual host and client certificate that scenarios name.
    pub fn check(&self, scenarios: &Scenarios) -> Result<(), LabError> {
        for scenario in scenarios.iter().map(|scenario| self.rename(scenario)) {
            let hosts = &self.description.virtual_hosts;
            let host = scenario.virtual_hosts().find(|host| !hosts.contains_key(*host));
            let known = &self.description.client_certificates;
            let certificate = scenario.client_certificate.as_ref();
            let certificate = certificate.filter(|name| !known.contains_key(*name));
            if let Some(name) = host.or(certificate.map(String::as_str)) {
                let place = format!("scenario \"{}\"", scenario.id());
                let message = format!("the world has no \"{name}\"");
                return Err(LabError::new(place, message));
            }
        }
        Ok(())
    }
}

fn issuer(name: &str) -> Result<Issuer, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

/// Returns a certificate with its root, and the private key.
fn leaf(
    issuer: &Issuer,
    name: &str,
    names: &[String],
    usage: ExtendedKeyUsagePurpose,
) -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    // The subject differs from the root's, because OpenSSL takes an equal one for self-signed.
    params.distinguished_name.push(DnType::CommonName, format!("{name} of the lab"));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?;
    Ok((certificate.pem() + &issuer.pem(), key.serialize_pem()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn world_has_what_the_built_in_scenarios_name() {
        World::built_in().unwrap().check(&Scenarios::built_in().unwrap()).unwrap();
    }

    #[test]
    fn unknown_names_of_a_scenario_are_an_error() {
        for (certificate, outcome) in [("client3", "200 from a"), ("client1", "200 from z")] {
            let text = format!(
                "kind = \"k\"\nabout = \"a\"\n[[scenario]]\nid = \"i\"\nsummary = \"s\"\n\
                 rfc = [\"R\"]\nclient_certificate = \"{certificate}\"\n\
                 accepts = [\"{outcome}\"]\nrequests = [{{}}]\n"
            );
            let scenarios = Scenarios::parse("f.toml", &text).unwrap();
            let error = World::built_in().unwrap().check(&scenarios).unwrap_err().to_string();
            assert!(error.starts_with("scenario \"i\": the world has no "), "{error}");
        }
    }

    #[test]
    fn virtual_host_without_a_known_certificate_is_an_error() {
        let text = BUILT_IN.replace("certificate = \"CDN\"", "certificate = \"NONE\"");
        let error = World::parse("w.toml", text).unwrap_err().to_string();
        assert!(error.starts_with("w.toml: virtual host \"cdn\": expected"), "{error}");
    }
}
