//! The arguments of `coalesce get`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use coalesce_client::{FixedResolver, ProxyConfig};
use http::{HeaderName, HeaderValue, Method};

use crate::get::dns_server::DnsServer;
use crate::get::limits::{CONTENT_BYTES_MAX, SECONDS_MAX};
use crate::get::target::Target;

const REQUEST: &str = "Request";
const OUTPUT: &str = "Output";
const CONNECTION: &str = "Connection";
const TLS: &str = "TLS";

/// The arguments of `coalesce get`.
#[derive(Args, Debug)]
pub(crate) struct GetArguments {
    /// The URLs, which begin with https:// or http://
    #[arg(value_name = "URL", required = true)]
    pub(crate) urls: Vec<Target>,
    #[command(flatten)]
    pub(crate) request: RequestArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
    #[command(flatten)]
    pub(crate) connection: ConnectionArguments,
    #[command(flatten)]
    pub(crate) tls: TlsArguments,
}

/// The arguments that change the requests.
#[derive(Args, Debug)]
pub(crate) struct RequestArguments {
    /// The method [default: GET, or POST with --data]
    #[arg(short = 'X', long = "request", value_name = "METHOD", help_heading = REQUEST)]
    pub(crate) method: Option<Method>,
    /// A field of every request; may be given more than once
    #[arg(
        short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = field,
        help_heading = REQUEST
    )]
    pub(crate) fields: Vec<(HeaderName, HeaderValue)>,
    /// The content of every request, or @FILE
    #[arg(short, long, value_name = "DATA", help_heading = REQUEST)]
    pub(crate) data: Option<String>,
    /// Ask for the head alone, and print it
    #[arg(short = 'I', long, conflicts_with_all = ["method", "data"], help_heading = REQUEST)]
    pub(crate) head: bool,
}

/// The arguments that choose the output.
#[derive(Args, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct OutputArguments {
    /// Show every decision on the way of each request
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) trace: bool,
    /// Answer as one JSON document, with every decision
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) json: bool,
    /// Print the head of the response before its content; for one URL
    #[arg(short, long, conflicts_with_all = ["trace", "json"], help_heading = OUTPUT)]
    pub(crate) include: bool,
    /// Write the content to FILE; for one URL
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUT)]
    pub(crate) output: Option<PathBuf>,
    /// Write each content to a file of this folder
    #[arg(long, value_name = "FOLDER", conflicts_with = "output", help_heading = OUTPUT)]
    pub(crate) output_folder: Option<PathBuf>,
    /// Take a status of 400 or more as a failure
    #[arg(short, long, help_heading = OUTPUT)]
    pub(crate) fail: bool,
    /// Stop a response whose content is longer
    #[arg(
        long, value_name = "BYTES", default_value_t = CONTENT_BYTES_MAX, help_heading = OUTPUT
    )]
    pub(crate) max_filesize: u64,
}

/// The arguments that choose connections.
#[derive(Args, Debug)]
pub(crate) struct ConnectionArguments {
    /// Use a connection for one origin only
    #[arg(long, help_heading = CONNECTION)]
    pub(crate) no_coalesce: bool,
    /// The effect of an ORIGIN frame on the comparison of addresses
    #[arg(
        long, value_enum, value_name = "POLICY", default_value_t = OriginFrames::CheckAddress,
        help_heading = CONNECTION
    )]
    pub(crate) origin_frames: OriginFrames,
    /// Offer HTTP/1.1 alone
    #[arg(long = "http1.1", help_heading = CONNECTION)]
    pub(crate) http1: bool,
    /// Connect for HOST and PORT to ADDR, which may have another port. '*' is every host
    #[arg(
        long, value_name = "HOST:PORT:ADDR[,ADDR]", value_parser = resolver_entry,
        help_heading = CONNECTION
    )]
    pub(crate) resolve: Vec<String>,
    /// Ask this DNS server; may be given more than once
    #[arg(long, value_name = "IP[:PORT]", help_heading = CONNECTION)]
    pub(crate) dns: Vec<DnsServer>,
    /// Connect through this HTTP proxy, with CONNECT. No connection is shared
    #[arg(
        long, value_name = "http://HOST:PORT", value_parser = ProxyConfig::new,
        help_heading = CONNECTION
    )]
    pub(crate) proxy: Option<ProxyConfig>,
    /// Give a connection up after this time
    #[arg(
        long, value_name = "SECONDS", value_parser = seconds, default_value = "10",
        help_heading = CONNECTION
    )]
    pub(crate) connect_timeout: Duration,
    /// Give all requests up after this time
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds, help_heading = CONNECTION)]
    pub(crate) max_time: Option<Duration>,
}

/// The arguments of handshakes.
#[derive(Args, Debug)]
pub(crate) struct TlsArguments {
    /// Trust the certificates in this file (PEM) instead of those of the system
    #[arg(long, value_name = "FILE", help_heading = TLS)]
    pub(crate) cacert: Option<PathBuf>,
    /// The client certificate and its chain (PEM)
    #[arg(long, value_name = "FILE", requires = "key", help_heading = TLS)]
    pub(crate) cert: Option<PathBuf>,
    /// The key of the client certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = TLS)]
    pub(crate) key: Option<PathBuf>,
    /// Accept every certificate. No connection is shared
    #[arg(short = 'k', long, conflicts_with = "cacert", help_heading = TLS)]
    pub(crate) insecure: bool,
}

/// The effect of ORIGIN frames. An origin set always restricts a connection (RFC 8336 §2.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OriginFrames {
    /// The host must have the connected address
    #[default]
    CheckAddress,
    /// The address does not count if the handshake had a stapled OCSP response
    WithEvidence,
    /// The address does not count
    Trust,
}

/// Fields that belong to a connection (RFC 9110 §7.6.1), or that the URL and the content set.
const SET_BY_THE_CLIENT: [&str; 8] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

fn field(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("expected NAME: VALUE")?;
    let name: HeaderName =
        name.parse().map_err(|_| format!("invalid name {name:?}: expected a token"))?;
    if name == http::header::HOST {
        return Err("the URL has the host; --resolve chooses its address".to_owned());
    }
    if SET_BY_THE_CLIENT.contains(&name.as_str()) {
        return Err(format!("the client sets {name:?} itself"));
    }
    let value = value.trim_matches([' ', '\t']);
    let value = value.parse().map_err(|_| {
        format!("invalid value {value:?}: expected text without control characters")
    })?;
    Ok((name, value))
}

/// Checks an entry of the resolver, and returns it as it was written.
fn resolver_entry(text: &str) -> Result<String, String> {
    match FixedResolver::new().entry(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let expected = || format!("expected seconds, more than 0 and at most {SECONDS_MAX}");
    let seconds: f64 = text.parse().map_err(|_| expected())?;
    if seconds > 0.0 && seconds <= SECONDS_MAX {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(expected())
    }
}
