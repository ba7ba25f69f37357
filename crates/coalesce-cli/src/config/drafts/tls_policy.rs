//! The TLS policy of a group, from its fields and the files that they name.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use coalesce_site::GroupSettings;
use coalesce_tls::{CipherSuites, TlsVersion, cipher_suite_name};
use rustls::{CipherSuite, SupportedCipherSuite};
use toml::Spanned;

use crate::config::entries::Faults;
use crate::config::entries::model::{ClientCertificate, FileList, PolicyFields};
use crate::config::site::crypto_provider;

/// Reads the TLS fields. The site reads the files: if one cannot be read, the whole configuration
/// is refused.
pub(crate) fn read(fields: &PolicyFields, folder: &Path, faults: &mut Faults) -> GroupSettings {
    let mut settings = client_rules(fields, folder, faults);
    let versions = [&fields.minimum_version, &fields.maximum_version];
    let [minimum, maximum] =
        versions.map(|field| field.as_ref().map(|version| TlsVersion::from(*version.get_ref())));
    if let Some(minimum) = minimum {
        settings = settings.minimum_version(minimum);
    }
    if let Some(maximum) = maximum {
        settings = settings.maximum_version(maximum);
    }
    if let Some(suites) = &fields.cipher_suites {
        let versions = minimum.unwrap_or(TlsVersion::Tls12)..=maximum.unwrap_or(TlsVersion::Tls13);
        settings = settings.cipher_suites(cipher_suites(suites, &versions, faults));
    }
    settings
}

fn client_rules(fields: &PolicyFields, folder: &Path, faults: &mut Faults) -> GroupSettings {
    let settings = GroupSettings::new();
    let Some(cas) = &fields.client_ca else {
        let certificate = fields.client_certificate.as_ref().map(Spanned::span);
        let crl = fields.client_crl.as_ref().map(Spanned::span);
        for at in certificate.into_iter().chain(crl) {
            faults.add(at, "only allowed with client_ca, which names the accepted CAs");
        }
        return settings;
    };
    let cas = paths(cas, folder, faults);
    let settings = match fields.client_certificate.as_ref().map(Spanned::get_ref) {
        None | Some(ClientCertificate::Required) => settings.require_client_ca_files(cas),
        Some(ClientCertificate::Optional) => settings.request_client_ca_files(cas),
    };
    match &fields.client_crl {
        None => settings,
        Some(lists) => settings.revocation_list_files(paths(lists, folder, faults)),
    }
}

fn paths(list: &Spanned<FileList>, folder: &Path, faults: &mut Faults) -> Vec<PathBuf> {
    let files = list.get_ref().files(list.span());
    if files.is_empty() {
        faults.add(list.span(), "no file; at least one expected, or no field at all");
    }
    files.into_iter().map(|(path, _)| folder.join(path)).collect()
}

fn cipher_suites(
    names: &Spanned<Vec<Spanned<String>>>,
    versions: &RangeInclusive<TlsVersion>,
    faults: &mut Faults,
) -> CipherSuites {
    let provider = crypto_provider();
    let usable = provider.cipher_suites.iter().filter(|suite| {
        versions.contains(&match suite.tls13() {
            Some(_) => TlsVersion::Tls13,
            None => TlsVersion::Tls12,
        })
    });
    let known: Vec<CipherSuite> = usable.map(SupportedCipherSuite::suite).collect();
    let mut chosen = Vec::new();
    for name in names.get_ref() {
        let same = |suite: &&CipherSuite| cipher_suite_name(**suite) == *name.get_ref();
        let found = known.iter().find(same).ok_or_else(|| {
            let known = known.iter().map(|suite| cipher_suite_name(*suite));
            format!(
                "{:?} is no cipher suite of this group's versions; there is {}",
                name.get_ref(),
                known.collect::<Vec<_>>().join(", ")
            )
        });
        chosen.extend(faults.take(name.span(), found));
    }
    if names.get_ref().is_empty() {
        faults.add(names.span(), "no cipher suite; at least one expected, or no list at all");
    }
    CipherSuites::only(chosen)
}
