//! The site of the example servers, read from a folder with certificates and a file `hosts` with
//! one name per line.
//!
//! ```text
//! # virtual host   name             certificate   roots of client certificates
//! shop             shop.test        site          -
//! www              *.www.test       site          -
//! staff            staff.test       site          staff-ca
//! ```
//!
//! `site` means `site.pem` and `site.key`, `staff-ca` means `staff-ca.pem`. Hosts with the same
//! client rules are one coalescing group. A client without a server name gets
//! the certificate of the first host.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Context;
use coalesce_site::{GroupSettings, Host, Identity, Site};

/// Reads the folder named on the command line, for servers of these protocols (RFC 7301). The value
/// of each host is its answer. Clients also reach the server at port 443, through a port map.
///
/// # Errors
/// A file is missing or wrong.
pub fn from_command_line(alpn: &[&str]) -> anyhow::Result<Site<String>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let folder = PathBuf::from(std::env::args_os().nth(1).context("usage: EXAMPLE FOLDER")?);
    let file = |name: &str, kind: &str| folder.join(format!("{name}.{kind}"));
    let hosts = std::fs::read_to_string(folder.join("hosts"))?;
    let mut site = Site::builder().protocols(alpn.iter().copied()).ports([443]);
    let (mut identities, mut groups) = (BTreeMap::new(), BTreeSet::new());
    for line in hosts.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [virtual_host, name, certificate, roots] = words[..] else {
            anyhow::bail!("hosts: four words expected in '{line}'");
        };
        if identities.is_empty() {
            site = site.default_host(name);
        }
        let read = || Identity::from_pem_files(file(certificate, "pem"), file(certificate, "key"));
        let identity = identities.entry(certificate).or_insert_with(read).clone();
        let mut host = Host::new(name, identity, format!("vhost={virtual_host}\n"));
        if roots != "-" {
            if groups.insert(roots) {
                let settings = GroupSettings::new().require_client_ca_files([file(roots, "pem")]);
                site = site.group(roots, settings);
            }
            host = host.group(roots);
        }
        site = site.add_host(host);
    }
    Ok(site.build()?)
}
