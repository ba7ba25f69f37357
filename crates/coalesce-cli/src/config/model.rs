//! The configuration file as it is written.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

/// `[admin]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdminEntry {
    pub(crate) address: Spanned<String>,
}

/// `[[listener]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListenerEntry {
    pub(crate) name: Option<Spanned<String>>,
    pub(crate) address: Spanned<String>,
    pub(crate) ports: Option<Spanned<Vec<Spanned<u16>>>>,
    pub(crate) default_virtual_host: Option<Spanned<String>>,
}

/// `[[group]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupEntry {
    pub(crate) name: Spanned<String>,
    pub(crate) client_ca: Option<Spanned<PathBuf>>,
    pub(crate) minimum_version: Option<Spanned<MinimumVersion>>,
    pub(crate) coalesce: Option<Spanned<Coalesce>>,
    pub(crate) unknown_authority: Option<Spanned<Unknown>>,
    pub(crate) listeners: Option<Spanned<Vec<Spanned<String>>>>,
}

/// `[[virtual_host]]`, which may have the fields of a group itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VirtualHostEntry {
    pub(crate) name: Spanned<String>,
    pub(crate) names: Spanned<Vec<Spanned<String>>>,
    pub(crate) certificate: Spanned<PathBuf>,
    pub(crate) key: Spanned<PathBuf>,
    pub(crate) answer: Spanned<AnswerEntry>,
    pub(crate) group: Option<Spanned<String>>,
    pub(crate) client_ca: Option<Spanned<PathBuf>>,
    pub(crate) minimum_version: Option<Spanned<MinimumVersion>>,
    pub(crate) coalesce: Option<Spanned<Coalesce>>,
    pub(crate) unknown_authority: Option<Spanned<Unknown>>,
    pub(crate) listeners: Option<Spanned<Vec<Spanned<String>>>>,
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
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub(crate) enum MinimumVersion {
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    #[serde(rename = "1.3")]
    Tls13,
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

/// The fields of a group, wherever they stand.
#[derive(Debug, Default)]
pub(crate) struct PolicyFields {
    pub(crate) client_ca: Option<Spanned<PathBuf>>,
    pub(crate) minimum_version: Option<Spanned<MinimumVersion>>,
    pub(crate) coalesce: Option<Spanned<Coalesce>>,
    pub(crate) unknown_authority: Option<Spanned<Unknown>>,
    pub(crate) listeners: Option<Spanned<Vec<Spanned<String>>>>,
}

impl GroupEntry {
    pub(crate) fn take_policy(&mut self) -> PolicyFields {
        PolicyFields {
            client_ca: self.client_ca.take(),
            minimum_version: self.minimum_version.take(),
            coalesce: self.coalesce.take(),
            unknown_authority: self.unknown_authority.take(),
            listeners: self.listeners.take(),
        }
    }
}

impl VirtualHostEntry {
    pub(crate) fn take_policy(&mut self) -> PolicyFields {
        PolicyFields {
            client_ca: self.client_ca.take(),
            minimum_version: self.minimum_version.take(),
            coalesce: self.coalesce.take(),
            unknown_authority: self.unknown_authority.take(),
            listeners: self.listeners.take(),
        }
    }
}

impl PolicyFields {
    /// The first of the fields that are there: its name, and where its value stands.
    pub(crate) fn first(&self) -> Option<(&'static str, Range<usize>)> {
        [
            ("client_ca", self.client_ca.as_ref().map(Spanned::span)),
            ("minimum_version", self.minimum_version.as_ref().map(Spanned::span)),
            ("coalesce", self.coalesce.as_ref().map(Spanned::span)),
            ("unknown_authority", self.unknown_authority.as_ref().map(Spanned::span)),
            ("listeners", self.listeners.as_ref().map(Spanned::span)),
        ]
        .into_iter()
        .find_map(|(name, span)| span.map(|span| (name, span)))
    }

    /// What the fields say, without where they say it; a default that is written out is the same
    /// as none. Virtual hosts whose keys are equal share a group.
    pub(crate) fn key(&self) -> PolicyKey {
        PolicyKey {
            client_ca: self.client_ca.as_ref().map(|path| path.get_ref().clone()),
            minimum_version: value_or_default(self.minimum_version.as_ref()),
            coalesce: value_or_default(self.coalesce.as_ref()),
            unknown_authority: value_or_default(self.unknown_authority.as_ref()),
            listeners: self
                .listeners
                .as_ref()
                .map(|names| names.get_ref().iter().map(|name| name.get_ref().clone()).collect()),
        }
    }
}

fn value_or_default<T: Copy + Default>(field: Option<&Spanned<T>>) -> T {
    field.map(|value| *value.get_ref()).unwrap_or_default()
}

/// What makes two groups the same one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PolicyKey {
    client_ca: Option<PathBuf>,
    minimum_version: MinimumVersion,
    coalesce: Coalesce,
    unknown_authority: Unknown,
    listeners: Option<BTreeSet<String>>,
}

impl fmt::Display for PolicyKey {
    /// The name of the group that hosts with this key share.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = Self::default();
        if *self == default {
            return f.write_str("default");
        }
        let mut parts = Vec::new();
        if let Some(path) = &self.client_ca {
            parts.push(format!("client_ca={}", path.display()));
        }
        if self.minimum_version != default.minimum_version {
            parts.push("minimum_version=1.3".to_owned());
        }
        match self.coalesce {
            Coalesce::CertificateAndGroup => {}
            Coalesce::StrictServerName => parts.push("coalesce=strict-server-name".to_owned()),
            Coalesce::Never => parts.push("coalesce=never".to_owned()),
        }
        if self.unknown_authority != default.unknown_authority {
            parts.push("unknown_authority=not-found".to_owned());
        }
        if let Some(listeners) = &self.listeners {
            let names: Vec<&str> = listeners.iter().map(String::as_str).collect();
            parts.push(format!("listeners={}", names.join("+")));
        }
        f.write_str(&parts.join(","))
    }
}

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
    fn a_group_of_equal_fields_is_named_by_them() {
        let cases = [
            ("", "default"),
            ("minimum_version = \"1.2\"\ncoalesce = \"certificate-and-group\"", "default"),
            ("client_ca = \"ca.pem\"", "client_ca=ca.pem"),
            (
                "coalesce = \"never\"\nminimum_version = \"1.3\"",
                "minimum_version=1.3,coalesce=never",
            ),
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
