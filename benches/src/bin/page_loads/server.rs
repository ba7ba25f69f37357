//! The process in the server's namespace: DNS and all origin servers, on one thread.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::{TcpListener, UdpSocket};

use crate::certificates::Authority;
use crate::counts::Counters;
use crate::dns;
use crate::namespaces::SERVER;
use crate::origin::Origins;
use crate::trace;

/// Returns the file with the certificate of the CA.
pub(crate) fn ca(folder: &Path) -> PathBuf {
    folder.join("ca.pem")
}

/// Serves the pages until standard input ends. A line on standard input asks for the counts, which
/// start again from 0. The first counts are the sign that the servers are ready.
pub(crate) fn run(folder: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(folder))
}

async fn serve(folder: &Path) -> Result<()> {
    let traces = trace::all();
    let counters = Arc::new(Counters::default());
    let authority = Authority::make()?;
    let origins = Arc::new(Origins::make(&traces, &authority, counters.clone())?);
    fs::write(ca(folder), authority.pem())?;
    let hosts: HashMap<String, Vec<Ipv4Addr>> = traces
        .iter()
        .flat_map(|trace| &trace.operators)
        .flat_map(|operator| &operator.hosts)
        .map(|host| (host.name.clone(), vec![host.address]))
        .collect();
    let socket = UdpSocket::bind((SERVER, 53)).await.context("could not bind the DNS server")?;
    let listener = TcpListener::bind(("0.0.0.0", 443)).await.context("could not bind port 443")?;
    tokio::spawn(dns::serve(socket, hosts, counters.clone()));
    tokio::spawn(origins.serve(listener));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        let counts = serde_json::to_string(&counters.take())?;
        writeln!(std::io::stdout().lock(), "{counts}")?;
        if lines.next_line().await?.is_none() {
            return Ok(());
        }
    }
}
