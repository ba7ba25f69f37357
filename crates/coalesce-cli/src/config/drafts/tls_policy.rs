//! The TLS policy of a group, from its fields and the files that they name.

use std::ops::{Range, RangeInclusive};
use std::path::Path;

use coalesce_site::GroupSettings;
use coalesce_tls::{CipherSuites, ClientAuth, ClientRules, TlsVersion, cipher_suite_name};
use rustls::{CipherSuite, SupportedCipherSuite};
use toml::Spanned;

use crate::config::entries::model::{ClientCertificate, FileList, PolicyFields};
use crate::config::entries::{Faults, Notes};
use crate::config::files::{self, FileError};
use crate::config::site::crypto_provider;

/// Reads what the fields say of TLS. A file that cannot be read is a fault, and then the whole
/// configuration is refused: what it would have said must not be taken for nothing.
pub(crate) fn read(fields: &PolicyFields, folder: &Path, notes: &mut Notes) -> GroupSettings {
    let mut settings = GroupSettings::new().client_auth(client_auth(fields, folder, notes));
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
        settings = settings.cipher_suites(cipher_suites(suites, &versions, &mut notes.faults));
    }
    settings
}

fn client_auth(fields: &PolicyFields, folder: &Path, notes: &mut Notes) -> ClientAuth {
    let Some(cas) = &fields.client_ca else {
        let certificate = fields.client_certificate.as_ref().map(Spanned::span);
        let crl = fields.client_crl.as_ref().map(Spanned::span);
        for at in certificate.into_iter().chain(crl) {
            notes
                .faults
                .add(at, "only allowed with client_ca, which says whose certificates count");
        }
        return ClientAuth::None;
    };
    let lists = fields.client_crl.as_ref();
    let found = each(cas, folder, &mut notes.faults, files::client_cas).zip(match lists {
        None => Some(Vec::new()),
        Some(lists) => each(lists, folder, &mut notes.faults, files::revocation_lists),
    });
    let rules = found.and_then(|(cas_found, lists_found)| {
        notes.faults.take(cas.span(), ClientRules::new(cas_found, lists_found))
    });
    // Without rules there is a fault, and no site.
    let Some(rules) = rules else { return ClientAuth::None };
    match fields.client_certificate.as_ref().map(Spanned::get_ref) {
        None | Some(ClientCertificate::Required) => ClientAuth::Required(rules),
        Some(ClientCertificate::Optional) => ClientAuth::Optional(rules),
    }
}

/// What is in all of the files; `None` when one of them cannot be read, or there is none.
fn each<T>(
    list: &Spanned<FileList>,
    folder: &Path,
    faults: &mut Faults,
    read: impl Fn(&Path) -> Result<Vec<T>, FileError>,
) -> Option<Vec<T>> {
    let files: Vec<(&Path, Range<usize>)> = list.get_ref().files(list.span());
    if files.is_empty() {
        faults.add(list.span(), "no file; at least one expected, or no field at all");
        return None;
    }
    let mut found = Some(Vec::new());
    for (path, at) in files {
        let here = faults.take(at, read(&folder.join(path)));
        found = found.zip(here).map(|(mut all, here)| {
            all.extend(here);
            all
        });
    }
    found
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
