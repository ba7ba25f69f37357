//! The client of the arguments.

use std::fmt;

use coalesce_client::{
    Client, Coalesce, DnsPolicy, FixedEntryError, FixedResolver, HickoryResolver, TlsConfig,
};
use rustls::RootCertStore;

use crate::config::files;
use crate::get::arguments::{ConnectionArguments, GetArguments, OriginFrames, TlsArguments};
use crate::terminal::exit::Failure;

/// Makes the client.
pub(super) fn build(arguments: &GetArguments) -> Result<Client, Failure> {
    let connection = &arguments.connection;
    let mut builder = Client::builder()
        .tls(tls(&arguments.tls)?)
        .resolver(resolver(connection)?)
        .connect_timeout(connection.connect_timeout)
        .http1_only(connection.http1)
        .dns_policy(dns_policy(connection.origin_frames))
        .coalesce(coalescing(connection));
    if let Some(proxy) = &connection.proxy {
        builder = builder.proxy(proxy.clone());
    }
    builder.build().map_err(|error| Failure::runtime(format_args!("the client: {error}")))
}

fn coalescing(arguments: &ConnectionArguments) -> Coalesce {
    match arguments.origin_frames {
        _ if arguments.no_coalesce => Coalesce::Off,
        OriginFrames::CheckAddress => Coalesce::Address,
        OriginFrames::WithEvidence | OriginFrames::Trust => Coalesce::Origins,
    }
}

const fn dns_policy(origin_frames: OriginFrames) -> DnsPolicy {
    match origin_frames {
        OriginFrames::CheckAddress => DnsPolicy::Required,
        OriginFrames::WithEvidence => DnsPolicy::WaivedWithEvidence,
        OriginFrames::Trust => DnsPolicy::WaivedByOriginSet,
    }
}

/// Makes a resolver of `--resolve`, and of `--dns` or the servers of the system for the rest.
fn resolver(arguments: &ConnectionArguments) -> Result<FixedResolver, Failure> {
    let fixed = arguments
        .resolve
        .iter()
        .try_fold(FixedResolver::new(), |resolver, entry| resolver.entry(entry))
        .map_err(|error: FixedEntryError| Failure::usage(error))?;
    let servers = &arguments.dns;
    let asked = if servers.is_empty() {
        HickoryResolver::from_system()
    } else {
        HickoryResolver::with_servers(servers.iter().map(|server| server.0))
    };
    match asked {
        Ok(asked) => Ok(fixed.fallback(asked)),
        // Hosts with an address need no server.
        Err(_) if !arguments.resolve.is_empty() => Ok(fixed),
        Err(error) => Err(Failure::runtime(format_args!(
            "the DNS servers of the system: {error}; name one with --dns IP"
        ))),
    }
}

fn tls(arguments: &TlsArguments) -> Result<TlsConfig, Failure> {
    let unusable =
        |option: &str, error: &dyn fmt::Display| Failure::usage(format_args!("{option}: {error}"));
    let config = if let Some(path) = &arguments.cacert {
        let certificates = files::chain(path).map_err(|error| unusable("--cacert", &error))?;
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            let added = roots.add(certificate);
            added.map_err(|error| {
                let file = path.display();
                unusable("--cacert", &format_args!("{file}: {error}"))
            })?;
        }
        TlsConfig::with_roots(roots)
            .map_err(|error| unusable("--cacert", &format_args!("{}: {error}", path.display())))?
    } else if arguments.insecure {
        TlsConfig::dangerous_without_verification().map_err(Failure::runtime)?
    } else {
        TlsConfig::with_native_roots().map_err(|error| {
            Failure::runtime(format_args!("{error}; name a file of them with --cacert FILE"))
        })?
    };
    let (Some(cert), Some(key)) = (&arguments.cert, &arguments.key) else { return Ok(config) };
    let chain = files::chain(cert).map_err(|error| unusable("--cert", &error))?;
    let key = files::key(key).map_err(|error| unusable("--key", &error))?;
    config.client_certificate(chain, key).map_err(|error| unusable("--cert", &error))
}
