//! The configuration file as written.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use coalesce_core::CoalescePolicy;
use coalesce_site::OriginPolicy;
use coalesce_tls::TlsVersion;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

/// `profile = "..."`: the source of the default rules.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Profile {
    /// Listeners as in the Kubernetes Gateway API (GEP-3567).
    GatewayApi,
}

/// `announce_origins = ...`: when connections announce their origin sets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnnounceOrigins(pub(crate) OriginPolicy);

impl<'de> Deserialize<'de> for AnnounceOrigins {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        struct WordOrBool;

        impl Visitor<'_> for WordOrBool {
            type Value = AnnounceOrigins;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"when-complete\", \"always\", \"never\", true or false")
            }

            fn visit_bool<E: de::Error>(self, announce: bool) -> Result<AnnounceOrigins, E> {
                Ok(AnnounceOrigins(announce.into()))
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<AnnounceOrigins, E> {
                match word {
                    "when-complete" => Ok(AnnounceOrigins(OriginPolicy::WhenComplete)),
                    "always" => Ok(AnnounceOrigins(OriginPolicy::Always)),
                    "never" => Ok(AnnounceOrigins(OriginPolicy::Never)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
                }
            }
        }

        value.deserialize_any(WordOrBool)
    }
}

/// `[admin]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdminEntry {
    pub(crate) address: Spanned<String>,
    pub(crate) hosts: Option<Spanned<Vec<Spanned<String>>>>,
}

/// `[[listener]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListenerEntry {
    pub(crate) name: Option<Spanned<String>>,
    pub(crate) address: Spanned<String>,
    pub(crate) hostname: Option<Spanned<String>>,
    pub(crate) ports: Option<Spanned<Vec<Spanned<u16>>>>,
    pub(crate) default_virtual_host: Option<Spanned<String>>,
}

/// Calls a macro with the fields of a group, so that they are listed only here.
macro_rules! with_policy_fields {
    ($call:ident! $($own:tt)*) => {
        $call! {
            $($own)*
            client_ca: FileList,
            client_certificate: ClientCertificate,
            client_crl: FileList,
            minimum_version: Version,
            maximum_version: Version,
            cipher_suites: Vec<Spanned<String>>,
            coalesce: Coalesce,
            unknown_authority: Unknown,
            listeners: Vec<Spanned<String>>,
            isolate: bool,
            observe: bool,
        }
    };
}

/// Defines [`PolicyFields`].
macro_rules! policy_fields {
    ($($field:ident: $kind:ty,)*) => {
        /// The fields of a group, in a `[[group]]` or a `[[virtual_host]]`.
        #[derive(Debug, Default)]
        pub(crate) struct PolicyFields {
            $(pub(crate) $field: Option<Spanned<$kind>>,)*
        }

        impl PolicyFields {
            /// Returns the name of each field that is set, and the place of its value.
            pub(crate) fn places(&self) -> Vec<(&'static str, Range<usize>)> {
                [$((stringify!($field), self.$field.as_ref().map(Spanned::span)),)*]
                    .into_iter()
                    .filter_map(|(name, span)| span.map(|span| (name, span)))
                    .collect()
            }
        }
    };
}

/// Defines an entry whose fields include those of a group.
macro_rules! entry_with_policy {
    (
        { $(#[$meta:meta])* $name:ident { $($own:ident: $own_kind:ty),* $(,)? } }
        $($field:ident: $kind:ty,)*
    ) => {
        $(#[$meta])*
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            $(pub(crate) $own: $own_kind,)*
            $(pub(crate) $field: Option<Spanned<$kind>>,)*
        }

        impl $name {
            pub(crate) fn take_policy(&mut self) -> PolicyFields {
                PolicyFields { $($field: self.$field.take(),)* }
            }
        }
    };
}

with_policy_fields!(policy_fields!);

with_policy_fields! {
    entry_with_policy! {
        /// `[[group]]`
        GroupEntry { name: Spanned<String> }
    }
}

with_policy_fields! {
    entry_with_policy! {
        /// `[[virtual_host]]`, which may have the fields of a group.
        VirtualHostEntry {
            name: Spanned<String>,
            names: Spanned<Vec<Spanned<String>>>,
            certificate: Spanned<PathBuf>,
            key: Spanned<PathBuf>,
            answer: Spanned<AnswerEntry>,
            group: Option<Spanned<String>>,
        }
    }
}

/// One file, or a list of them.
#[derive(Clone, Debug)]
pub(crate) enum FileList {
    One(PathBuf),
    Several(Vec<Spanned<PathBuf>>),
}

impl FileList {
    /// Returns each file with its place; `whole` is the place of the list.
    pub(crate) fn files(&self, whole: Range<usize>) -> Vec<(&Path, Range<usize>)> {
        match self {
            Self::One(path) => vec![(path, whole)],
            Self::Several(paths) => {
                paths.iter().map(|path| (path.get_ref().as_path(), path.span())).collect()
            }
        }
    }

    fn paths(&self) -> BTreeSet<PathBuf> {
        self.files(0..0).into_iter().map(|(path, _)| path.to_owned()).collect()
    }
}

impl<'de> Deserialize<'de> for FileList {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        struct OneOrSeveral;

        impl<'de> Visitor<'de> for OneOrSeveral {
            type Value = FileList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a file or a list of files")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<FileList, E> {
                Ok(FileList::One(path.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<FileList, A::Error> {
                let mut paths = Vec::new();
                while let Some(path) = list.next_element()? {
                    paths.push(path);
                }
                Ok(FileList::Several(paths))
            }
        }

        value.deserialize_any(OneOrSeveral)
    }
}

/// `answer = { ... }`: one of text, folder and upstream.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerEntry {
    pub(crate) text: Option<Spanned<String>>,
    pub(crate) status: Option<Spanned<u16>>,
    pub(crate) content_type: Option<Spanned<String>>,
    pub(crate) folder: Option<Spanned<PathBuf>>,
    pub(crate) upstream: Option<Spanned<String>>,
    pub(crate) client_certificate: Option<Spanned<ForwardedCertificate>>,
}

/// The parts of a verified client certificate that an upstream gets (RFC 9440).
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ForwardedCertificate {
    None,
    /// `Client-Cert`.
    #[default]
    Leaf,
    /// `Client-Cert` and `Client-Cert-Chain`.
    Chain,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(crate) enum Version {
    #[serde(rename = "1.2")]
    Tls12,
    #[serde(rename = "1.3")]
    Tls13,
}

impl From<Version> for TlsVersion {
    fn from(version: Version) -> Self {
        match version {
            Version::Tls12 => Self::Tls12,
            Version::Tls13 => Self::Tls13,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClientCertificate {
    #[default]
    Required,
    Optional,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Coalesce {
    #[default]
    CertificateAndGroup,
    StrictServerName,
    Never,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unknown {
    #[default]
    Misdirected,
    NotFound,
}

impl PolicyFields {
    /// Returns true if the group is kept apart from equal groups.
    pub(crate) fn isolated(&self) -> bool {
        value_or_default(self.isolate.as_ref())
    }

    /// Returns true if misdirected requests are only recorded.
    pub(crate) fn observed(&self) -> bool {
        value_or_default(self.observe.as_ref())
    }

    /// Returns the values of the fields without their places. An explicit default equals an absent
    /// field.
    pub(crate) fn key(&self) -> PolicyKey {
        let files = |list: Option<&Spanned<FileList>>| {
            list.map(|list| list.get_ref().paths()).unwrap_or_default()
        };
        let words = |list: Option<&Spanned<Vec<Spanned<String>>>>| {
            list.map(|words| words.get_ref().iter().map(|word| word.get_ref().clone()).collect())
        };
        PolicyKey {
            client_ca: files(self.client_ca.as_ref()),
            client_certificate: value_or_default(self.client_certificate.as_ref()),
            client_crl: files(self.client_crl.as_ref()),
            minimum_version: self.minimum_version.as_ref().map(|version| *version.get_ref()),
            maximum_version: self.maximum_version.as_ref().map(|version| *version.get_ref()),
            cipher_suites: words(self.cipher_suites.as_ref()),
            unknown_authority: value_or_default(self.unknown_authority.as_ref()),
            listeners: words(self.listeners.as_ref()),
            observe: self.observed(),
        }
    }
}

fn value_or_default<T: Copy + Default>(field: Option<&Spanned<T>>) -> T {
    field.map(|value| *value.get_ref()).unwrap_or_default()
}

/// The fields of a virtual host that make a group. They give the group its name, and equal ones are
/// read once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PolicyKey {
    client_ca: BTreeSet<PathBuf>,
    client_certificate: ClientCertificate,
    client_crl: BTreeSet<PathBuf>,
    minimum_version: Option<Version>,
    maximum_version: Option<Version>,
    cipher_suites: Option<BTreeSet<String>>,
    unknown_authority: Unknown,
    listeners: Option<BTreeSet<String>>,
    observe: bool,
}

impl From<Coalesce> for CoalescePolicy {
    fn from(coalesce: Coalesce) -> Self {
        match coalesce {
            Coalesce::CertificateAndGroup => Self::CertificateAndGroup,
            Coalesce::StrictServerName => Self::StrictServerName,
            Coalesce::Never => Self::Never,
        }
    }
}

impl fmt::Display for Coalesce {
    /// Writes the value as in the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CertificateAndGroup => "certificate-and-group",
            Self::StrictServerName => "strict-server-name",
            Self::Never => "never",
        })
    }
}

impl fmt::Display for PolicyKey {
    /// Writes the name of the group that hosts with this key share.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = Self::default();
        let mut parts = Vec::new();
        let mut add = |field: &str, value: &str| parts.push(format!("{field}={value}"));
        for (field, files) in [("client_ca", &self.client_ca), ("client_crl", &self.client_crl)] {
            let files: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
            if !files.is_empty() {
                add(field, &files.join("+"));
            }
        }
        if self.client_certificate != default.client_certificate {
            add("client_certificate", "optional");
        }
        if self.minimum_version == Some(Version::Tls13) {
            add("minimum_version", "1.3");
        }
        if self.maximum_version == Some(Version::Tls12) {
            add("maximum_version", "1.2");
        }
        let words = |words: &BTreeSet<String>| Vec::from_iter(words.clone()).join("+");
        if let Some(suites) = &self.cipher_suites {
            add("cipher_suites", &words(suites));
        }
        if self.unknown_authority != default.unknown_authority {
            add("unknown_authority", "not-found");
        }
        if let Some(listeners) = &self.listeners {
            add("listeners", &words(listeners));
        }
        if self.observe {
            add("observe", "true");
        }
        f.write_str(if parts.is_empty() { DEFAULT } else { "" })?;
        f.write_str(&parts.join(","))
    }
}

/// The group of virtual hosts that name no group and have no fields of one.
pub(crate) const DEFAULT: &str = "default";

#[cfg(test)]
mod tests {
    use super::*;

    fn key(fields: &str) -> PolicyKey {
        let text = format!(
            "name = \"a\"\nnames = []\ncertificate = \"\"\nkey = \"\"\nanswer = {{}}\n{fields}"
        );
        toml::from_str::<VirtualHostEntry>(&text).unwrap().take_policy().key()
    }

    #[test]
    fn group_without_name_is_named_by_its_fields() {
        let cases = [
            ("", "default"),
            ("minimum_version = \"1.2\"\nobserve = false", "default"),
            // The strictness of names is not a property of the group.
            ("coalesce = \"never\"", "default"),
            ("client_ca = \"ca.pem\"", "client_ca=ca.pem"),
            (
                "client_ca = [\"b.pem\", \"a.pem\"]\nclient_certificate = \"optional\"",
                "client_ca=a.pem+b.pem,client_certificate=optional",
            ),
            ("client_ca = \"a.pem\"\nclient_crl = \"a.crl\"", "client_ca=a.pem,client_crl=a.crl"),
            (
                "maximum_version = \"1.2\"\ncipher_suites = [\"B\", \"A\"]",
                "maximum_version=1.2,cipher_suites=A+B",
            ),
            ("observe = true\nminimum_version = \"1.3\"", "minimum_version=1.3,observe=true"),
            ("unknown_authority = \"not-found\"", "unknown_authority=not-found"),
            ("listeners = [\"b\", \"a\", \"b\"]", "listeners=a+b"),
        ];
        for (fields, name) in cases {
            assert_eq!(key(fields).to_string(), name, "{fields}");
        }
        assert_eq!(key("listeners = [\"a\", \"b\"]"), key("listeners = [\"b\", \"a\"]"));
        assert_ne!(key("client_ca = \"a.pem\""), key("client_ca = \"b.pem\""));
    }
}
