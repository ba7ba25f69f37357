//! The differences between two groups.

use coalesce_core::{CoalescePolicy, Enforcement, UnknownAuthority};
use coalesce_site::SiteGroup;
use coalesce_tls::{CipherSuites, ClientAuth, ClientRules, cipher_suite_name};
use serde::Serialize;

/// One difference that keeps two groups apart.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    /// The field of the configuration.
    pub(super) field: &'static str,
    /// The values of the two groups, in their order.
    pub(super) values: [String; 2],
}

/// Returns all differences that keep two groups apart.
pub(super) fn between(one: &SiteGroup, other: &SiteGroup) -> Vec<Difference> {
    let (mine, others) = (fields(one), fields(other));
    let rules = [one, other].map(|group| group.tls_policy().client_auth.rules());
    let [my_cas, other_cas] = rules.map(|rules| rules.map(ClientRules::cas));
    let [my_lists, other_lists] = rules.map(|rules| rules.map(ClientRules::revocation_lists));
    let mut differences = Vec::new();
    for ((field, one), (_, other)) in mine.into_iter().zip(others) {
        // Groups with equal descriptions may still name different files.
        let differs = match field {
            "client_ca" => my_cas != other_cas,
            "client_crl" => my_lists != other_lists,
            _ => one != other,
        };
        if differs {
            let other = if one == other { format!("others: {other}") } else { other };
            differences.push(Difference { field, values: [one, other] });
        }
    }
    differences
}

/// Returns the rules of a group for its clients and their requests, as text.
pub(super) fn fields(group: &SiteGroup) -> [(&'static str, String); 11] {
    let tls = group.tls_policy();
    let rules = tls.client_auth.rules();
    let cas = rules.map(ClientRules::describe_cas).unwrap_or_default();
    let lists = rules.map(ClientRules::describe_revocation_lists).unwrap_or_default();
    let listeners: Vec<&str> = tls.listeners.iter().map(String::as_str).collect();
    [
        ("client_certificate", client_certificate(&tls.client_auth).to_owned()),
        ("client_ca", or_none(&cas.join("; "))),
        ("client_crl", or_none(&lists.join("; "))),
        ("minimum_version", tls.minimum_version.to_string()),
        ("maximum_version", tls.maximum_version.to_string()),
        ("cipher_suites", cipher_suites(&tls.cipher_suites)),
        ("coalesce", coalesce(group.policy().coalesce).to_owned()),
        ("unknown_authority", unknown_authority(group.policy().unknown_authority).to_owned()),
        ("listeners", if listeners.is_empty() { "all".to_owned() } else { listeners.join(", ") }),
        ("observe", (group.policy().enforcement != Enforcement::Enforce).to_string()),
        ("isolate", tls.isolation.clone().unwrap_or_else(|| "no".to_owned())),
    ]
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { text.to_owned() }
}

fn client_certificate(client_auth: &ClientAuth) -> &'static str {
    match client_auth {
        ClientAuth::Optional(_) => "optional",
        ClientAuth::Required(_) => "required",
        _ => "none",
    }
}

fn cipher_suites(suites: &CipherSuites) -> String {
    match suites.named() {
        None => "all".to_owned(),
        Some(named) => named.map(cipher_suite_name).collect::<Vec<_>>().join(", "),
    }
}

pub(super) fn coalesce(policy: CoalescePolicy) -> &'static str {
    match policy {
        CoalescePolicy::StrictServerName => "strict-server-name",
        CoalescePolicy::Never => "never",
        _ => "certificate-and-group",
    }
}

fn unknown_authority(policy: UnknownAuthority) -> &'static str {
    match policy {
        UnknownAuthority::HandToApplication => "not-found",
        _ => "misdirected",
    }
}
