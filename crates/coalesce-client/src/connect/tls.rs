//! TLS handshakes, and their facts.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;

use coalesce_pool::VerifierKind;
use rustls::HandshakeKind;
use rustls_pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::target::{Io, PeerTls};
use crate::tls_config::TlsSetup;
use crate::verify::{self, HandshakeNotes};

/// Makes a handshake.
pub(crate) async fn handshake<T: Io>(
    setup: &TlsSetup,
    connector: TlsConnector,
    name: ServerName<'static>,
    io: T,
) -> io::Result<(TlsStream<T>, PeerTls)> {
    let mut notes = HandshakeNotes::default();
    let mut connecting = pin!(connector.connect(name, io));
    let stream = poll_fn(|context| notes.collect(|| connecting.as_mut().poll(context))).await?;
    let session = stream.get_ref().1;
    let resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
    let chain = session.peer_certificates().unwrap_or_default().to_vec();
    let client_certificate_sent = if resumed {
        // The session may stem from a handshake with a certificate, and does not say so.
        setup.has_client_certificate()
    } else {
        notes.client_certificate_sent
    };
    let evidence = setup.ocsp_is_checked() && !notes.ocsp.is_empty();
    let leaf = chain.first().map(AsRef::as_ref).unwrap_or_default();
    let (names, readable) = verify::presented(leaf).map_err(io::Error::other)?;
    let tls = PeerTls {
        names,
        verifier: if readable == VerifierKind::Opaque { readable } else { setup.verifier_kind() },
        check: setup.check(),
        chain,
        resumed,
        client_certificate_sent,
        ocsp: notes.ocsp,
        evidence,
    };
    Ok((stream, tls))
}
