//! What the example servers serve: a folder with certificates and a file `hosts`, one name a line.
//!
//! ```text
//! # virtual host   name             certificate   roots of client certificates
//! shop             shop.test        site          -
//! www              *.www.test       site          -
//! staff            staff.test       site          staff-ca
//! ```
//!
//! `site` stands for `site.pem` and `site.key`, `staff-ca` for `staff-ca.pem`. Hosts with the same
//! client rules are one coalescing group. A client that names nobody gets the first one's
//! certificate.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use coalesce_core::{AuthorityTable, GroupId, GroupPolicy, NamePattern, VirtualHostId};
use coalesce_tls::{
    ClientAuth, ClientRules, HandshakeTable, HandshakeTableBuilder, ServerNamePolicy, TlsPolicy,
};

/// Everything that a server needs to know.
#[derive(Debug)]
pub struct Site {
    /// The virtual hosts, by their numbers.
    pub virtual_hosts: Vec<String>,
    /// Which requests are whose.
    pub table: Arc<AuthorityTable>,
    /// Which ClientHello gets which certificate and client rules, for `alpn`.
    pub handshakes: Arc<HandshakeTable>,
}

impl Site {
    /// Reads the folder that the command line names, for servers of these protocols (RFC 7301).
    ///
    /// # Errors
    /// What is missing, or wrong with what is there.
    pub fn from_command_line(alpn: &[&str]) -> anyhow::Result<Self> {
        tracing_subscriber::fmt().with_writer(std::io::stderr).init();
        let folder = PathBuf::from(std::env::args_os().nth(1).context("usage: EXAMPLE FOLDER")?);
        let read = |name: String| {
            let path = folder.join(name);
            fs::read(&path).with_context(|| path.display().to_string())
        };
        let mut table = AuthorityTable::builder();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut handshakes = HandshakeTableBuilder::new(provider);
        let (mut virtual_hosts, mut groups, mut certificates) = (vec![], vec![], vec![]);
        let hosts = String::from_utf8(read("hosts".into())?)?;
        for line in hosts.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [virtual_host, name, certificate, roots] = words[..] else {
                anyhow::bail!("hosts: four words expected in '{line}'");
            };
            let pattern = NamePattern::parse(name.as_bytes())?;
            let number = place(&mut virtual_hosts, virtual_host, |_| Ok(()))?;
            let group = place(&mut groups, roots, |id| {
                let mut tls = TlsPolicy::default();
                tls.alpn = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
                if roots != "-" {
                    let cas = coalesce_tls::client_cas_from_pem(&read(format!("{roots}.pem"))?)?;
                    tls.client_auth = ClientAuth::Required(ClientRules::new(cas, vec![])?);
                }
                handshakes.group(GroupId::new(id), tls)?;
                table.group(GroupId::new(id), GroupPolicy::default())?;
                Ok(())
            })?;
            let group = GroupId::new(group);
            let known = certificates.iter().find(|(known, _)| known == certificate);
            let id = if let Some((_, id)) = known {
                *id
            } else {
                let chain = read(format!("{certificate}.pem"))?;
                let key = read(format!("{certificate}.key"))?;
                let chain = coalesce_tls::certificates_from_pem(&chain)?;
                let key = coalesce_tls::private_key_from_pem(&key)?;
                let id = handshakes.certificate(chain, key)?;
                certificates.push((certificate.to_owned(), id));
                id
            };
            if virtual_hosts.len() == 1 {
                let first = ServerNamePolicy::Default { group, certificate: id };
                handshakes.absent_server_name(first).unknown_server_name(first);
            }
            table.entry(pattern, VirtualHostId::new(number), group)?;
            handshakes.server_name(pattern, group, id)?;
        }
        Ok(Self {
            virtual_hosts,
            table: Arc::new(table.build()?),
            handshakes: Arc::new(handshakes.build()?),
        })
    }

    /// What is answered for a virtual host.
    pub fn text(&self, host: VirtualHostId) -> String {
        let name = self.virtual_hosts.get(host.get() as usize);
        format!("vhost={}\n", name.map_or("nobody", String::as_str))
    }
}

/// The number of `word` among `words`; a new one is added after `begin`.
fn place(
    words: &mut Vec<String>,
    word: &str,
    begin: impl FnOnce(u32) -> anyhow::Result<()>,
) -> anyhow::Result<u32> {
    let found = words.iter().position(|known| known == word);
    let number = u32::try_from(found.unwrap_or(words.len()))?;
    if found.is_none() {
        begin(number)?;
        words.push(word.to_owned());
    }
    Ok(number)
}
