//! What a gateway says in a PROXY protocol header, version 2, before the first byte of a
//! connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use coalesce_core::{ClientCertificates, DnsName, Ports, Scheme};
use proxy_header::Error::BufferTooShort;
use proxy_header::{ParseConfig, ProxyHeader, SslInfo, Tlv};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Forwarded, TrustedGateways};
use crate::connection::ConnectionInfo;
use crate::limits::{PROXY_HEADER_LEN_MAX, PROXY_HEADER_TIMEOUT};
use crate::lines::{refusal_limit, say};

/// Signature, version and command, family, length.
const FIXED_LEN: usize = 16;

const CONFIG: ParseConfig = ParseConfig { include_tlvs: true, allow_v1: false, allow_v2: true };

const NO_HEADER: &str = "not a PROXY protocol header of version 2";

/// Signature, version 2, and the command `LOCAL`: the connection is the gateway's own, for a health
/// check. The receiver must accept it and discard the rest of the header, whatever that is
/// (PROXY protocol §2.2).
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20";

fn is_local(header: &[u8]) -> bool {
    header.starts_with(LOCAL)
}

/// Connections that begin with a header of a trusted gateway, and no others.
#[derive(Clone, Debug)]
pub(crate) struct ProxyProtocol {
    pub(crate) gateways: TrustedGateways,
}

impl ProxyProtocol {
    /// Reads the header of a connection, or refuses it with the reason in the log.
    pub(crate) async fn admit(
        self,
        mut socket: TcpStream,
        peer: SocketAddr,
        ports: Ports<'static>,
        limit: Option<Duration>,
    ) -> Option<(TcpStream, ConnectionInfo)> {
        let limit = limit.unwrap_or(PROXY_HEADER_TIMEOUT);
        let info = match timeout(limit, self.read(&mut socket, peer, ports)).await {
            Ok(Ok(info)) => info,
            Ok(Err(error)) => {
                say(refusal_limit!(), |unlogged| {
                    let message = "a connection without a gateway's facts is refused";
                    tracing::info!(%peer, %error, unlogged, "{message}");
                });
                return None;
            }
            Err(_elapsed) => {
                say(refusal_limit!(), |unlogged| {
                    tracing::info!(%peer, unlogged, "no PROXY protocol header in time");
                });
                return None;
            }
        };
        Some((socket, info.with_peer(peer)))
    }

    async fn read(
        &self,
        socket: &mut TcpStream,
        peer: SocketAddr,
        ports: Ports<'static>,
    ) -> io::Result<ConnectionInfo> {
        if !self.gateways.contain(peer.ip()) {
            return Err(invalid("not from a trusted gateway"));
        }
        let mut header = vec![0; FIXED_LEN];
        socket.read_exact(&mut header).await?;
        // What does not begin like a header has no length to wait for.
        if !is_local(&header)
            && matches!(ProxyHeader::parse(&header, CONFIG), Err(error) if error != BufferTooShort)
        {
            return Err(invalid(NO_HEADER));
        }
        // The last two bytes are the length.
        let length = header.last_chunk().map_or(0, |bytes| usize::from(u16::from_be_bytes(*bytes)));
        if length > PROXY_HEADER_LEN_MAX {
            return Err(invalid("a PROXY protocol header that is too long"));
        }
        header.resize(FIXED_LEN.saturating_add(length), 0);
        socket.read_exact(header.get_mut(FIXED_LEN..).unwrap_or_default()).await?;
        self.info(&header, ports)
    }

    fn info(&self, header: &[u8], ports: Ports<'static>) -> io::Result<ConnectionInfo> {
        if is_local(header) {
            let (scheme, server_name) = (Scheme::Http, None);
            let (certificate_verified, is_gateway) = (false, true);
            let own = Forwarded { scheme, server_name, certificate_verified, is_gateway };
            return self.connection(&own, ports);
        }
        let parsed = ProxyHeader::parse(header, CONFIG);
        let (parsed, _) = parsed.map_err(|_| invalid(NO_HEADER))?;
        let (mut authority, mut ssl) = (None, None);
        for tlv in parsed.tlvs() {
            let twice = match tlv.map_err(|_| invalid("a TLV that is not whole"))? {
                Tlv::Authority(name) => authority.replace(name).is_some(),
                Tlv::Ssl(info) => ssl.replace(info).is_some(),
                _ => false,
            };
            if twice {
                return Err(invalid("two TLVs that say the same thing"));
            }
        }
        let ssl = ssl.as_ref().filter(|ssl| ssl.client_ssl());
        let server_name = match authority.as_deref() {
            Some(name) if ssl.is_some() => Some(
                DnsName::parse(name.as_bytes())
                    .map_err(|_| invalid("an authority TLV that is no DNS name"))?,
            ),
            _ => None,
        };
        let client = Forwarded {
            scheme: if ssl.is_some() { Scheme::Https } else { Scheme::Http },
            server_name,
            certificate_verified: ssl.is_some_and(verified),
            is_gateway: false,
        };
        self.connection(&client, ports)
    }

    fn connection(
        &self,
        client: &Forwarded<'_>,
        ports: Ports<'static>,
    ) -> io::Result<ConnectionInfo> {
        let group = self.gateways.group_of(client);
        let group = group.ok_or_else(|| invalid("the gateway's client belongs to no group"))?;
        // Whether the gateway asked its client for a certificate is not in its header.
        let (scheme, clients) = (client.scheme, ClientCertificates::Asked);
        Ok(ConnectionInfo::trusted_gateway(scheme, client.server_name, group, clients, ports))
    }
}

/// A certificate was shown, on this connection or in the session it resumes, and found good.
fn verified(ssl: &SslInfo<'_>) -> bool {
    (ssl.client_cert_conn() || ssl.client_cert_sess()) && ssl.verify() == 0
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
