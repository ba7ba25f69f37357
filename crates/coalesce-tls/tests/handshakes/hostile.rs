//! Tests bytes that no well-behaved client sends, and clients that stop.

use std::sync::Arc;
use std::time::Duration;

use coalesce_tls::limits::{CLIENT_HELLO_LEN_MAX, CLOSE_TIMEOUT, HANDSHAKE_TIMEOUT};
use coalesce_tls::{
    AcceptError, Acceptor, ClientAuth, HandshakeRefused, HandshakeTableBuilder, ServerNamePolicy,
    TlsPolicy,
};
use rustls::{ClientConfig, ClientConnection, InvalidMessage};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter, DuplexStream};
use tokio::time::Instant;

use crate::common::{A, B, Ca, EACH_VERSION, acceptor, builder, client, connect, pattern, serve};

const UNRECOGNIZED_NAME: [u8; 7] = [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x70];

fn one_name(ca: &Ca) -> HandshakeTableBuilder {
    let own = ca.issue(&["a.example.test"]);
    let mut builder = builder();
    builder.group(A, TlsPolicy::default()).unwrap();
    let own = builder.certificate(own.chain, own.key).unwrap();
    builder.server_name(pattern("a.example.test"), A, own).unwrap();
    builder
}

/// Returns the record with the ClientHello that `config` sends for `name`.
pub(crate) fn client_hello(config: &Arc<ClientConfig>, name: &str) -> Vec<u8> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut connection = ClientConnection::new(config.clone(), name).unwrap();
    let mut record = Vec::new();
    connection.write_tls(&mut record).unwrap();
    record
}

/// Sends `bytes`, half-closes, and returns everything that comes back.
async fn answer_to(acceptor: &Acceptor, bytes: &[u8]) -> (Vec<u8>, AcceptError) {
    let (mut near, far) = tokio::io::duplex(1 << 18);
    near.write_all(bytes).await.unwrap();
    let error = acceptor.accept(far).await.map(|(_, facts)| facts).unwrap_err();
    let mut answer = Vec::new();
    near.read_to_end(&mut answer).await.unwrap();
    (answer, error)
}

/// RFC 6066 §3 allows no address as server name, and no client library sends one, so the test
/// writes it over a name of the same length.
#[tokio::test]
async fn address_as_server_name_counts_as_absent() {
    let ca = Ca::new("server ca");
    let config = Arc::new(client(&ca, EACH_VERSION[1], None));
    let (name, address) = ("abcd.test", "192.0.2.1");
    let mut hello = client_hello(&config, name);
    let at = hello.windows(name.len()).position(|bytes| bytes == name.as_bytes()).unwrap();
    hello[at..at + name.len()].copy_from_slice(address.as_bytes());

    let (answer, error) = answer_to(&acceptor(&one_name(&ca)), &hello).await;
    assert_eq!(answer, UNRECOGNIZED_NAME);
    assert_eq!(error.refused(), Some(&HandshakeRefused::AbsentServerName));
    assert_eq!(error.to_string(), "no server name; one expected");

    let mut builder = one_name(&ca);
    let fallback = ca.issue(&[address]);
    let certificate = builder.certificate(fallback.chain, fallback.key).unwrap();
    builder.absent_server_name(ServerNamePolicy::Default { group: A, certificate });
    let table = builder.build().unwrap();
    let mut acceptor = rustls::server::Acceptor::default();
    acceptor.read_tls(&mut &hello[..]).unwrap();
    let accepted = acceptor.accept().unwrap().unwrap();
    let choice = table.choose(&accepted.client_hello()).unwrap();
    assert_eq!((choice.facts.certificate(), choice.facts.server_name()), (certificate, None));
}

#[tokio::test]
async fn invalid_server_name_gets_illegal_parameter() {
    let ca = Ca::new("server ca");
    let config = Arc::new(client(&ca, EACH_VERSION[1], None));
    let mut hello = client_hello(&config, "abcd.test");
    let at = hello.windows(9).position(|bytes| bytes == b"abcd.test").unwrap();
    hello[at + 2] = 0;
    let (answer, error) = answer_to(&acceptor(&one_name(&ca)), &hello).await;
    // rustls refuses it before the table is asked.
    assert_eq!(answer, [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 47]);
    assert!(error.tls_error().is_some());
}

#[tokio::test]
async fn anything_but_a_client_hello_gets_an_alert_and_a_close() {
    let ca = Ca::new("server ca");
    let acceptor = acceptor(&one_name(&ca));
    let cases: [(&str, &[u8]); 4] = [
        ("plaintext HTTP", b"GET / HTTP/1.1\r\nhost: a.example.test\r\n\r\n"),
        ("the HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("a handshake message of another type", &[0x16, 3, 1, 0, 4, 2, 0, 0, 0]),
        ("an empty ClientHello", &[0x16, 3, 1, 0, 4, 1, 0, 0, 0]),
    ];
    for (what, bytes) in cases {
        let (answer, error) = answer_to(&acceptor, bytes).await;
        assert!(matches!(answer[..], [0x15, 3, 3, 0, 2, 2, _]), "{what}: {answer:?}");
        assert!(error.tls_error().is_some(), "{what}: {error}");
        let text = error.to_string();
        let (prefix, detail) = text.split_once(": ").unwrap_or(("", &text));
        assert!(
            prefix == "TLS handshake failed" || detail.ends_with("; TLS expected"),
            "{what}: {error}"
        );
    }
}

/// A transport may buffer bytes until it is flushed or closed.
#[tokio::test]
async fn alert_is_flushed_from_a_buffered_transport() {
    let ca = Ca::new("server ca");
    let acceptor = acceptor(&one_name(&ca));
    let config = Arc::new(client(&ca, EACH_VERSION[1], None));
    let cases = [
        ("an unknown name", client_hello(&config, "b.example.test"), 112),
        ("no ClientHello", vec![0x16, 3, 1, 0, 4, 1, 0, 0, 0], 50),
        ("no protocol in common", client_hello(&http1(&ca), "a.example.test"), 120),
    ];
    for (what, sent, alert) in cases {
        let (mut near, far) = tokio::io::duplex(1 << 14);
        near.write_all(&sent).await.unwrap();
        acceptor.accept(BufWriter::new(far)).await.map(|(_, facts)| facts).unwrap_err();
        let mut answer = Vec::new();
        near.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, [0x15, 3, 3, 0, 2, 2, alert], "{what}");
    }
}

/// In TLS 1.2, where the server refuses the client before it sends anything else.
fn http1(ca: &Ca) -> Arc<ClientConfig> {
    let mut config = client(ca, EACH_VERSION[0], None);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

#[tokio::test]
async fn client_hello_with_too_large_length_is_refused_at_once() {
    let ca = Ca::new("server ca");
    let too_long = u32::try_from(CLIENT_HELLO_LEN_MAX + 1).unwrap().to_be_bytes();
    let too_long = [&[0x16, 3, 1, 0, 4, 1][..], &too_long[1..]].concat();
    let (answer, error) = answer_to(&acceptor(&one_name(&ca)), &too_long).await;
    assert_eq!(answer, [], "rustls has no alert for this");
    let expected = rustls::Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge);
    assert_eq!(error.tls_error(), Some(&expected));
}

/// CVE-2026-32305: a server that searched only the first record found no server name.
#[tokio::test]
async fn client_hello_in_many_records_has_the_same_server_name() {
    let (ca, client_ca) = (Ca::new("server ca"), Ca::new("client ca"));
    let own = ca.issue(&["*.example.test"]);
    let mut builder = builder();
    let mut private = TlsPolicy::default();
    private.client_auth = ClientAuth::Required(client_ca.rules([]));
    builder.group(A, TlsPolicy::default()).unwrap().group(B, private).unwrap();
    let certificate = builder.certificate(own.chain, own.key).unwrap();
    builder.server_name(pattern("b.example.test"), B, certificate).unwrap();
    builder.absent_server_name(ServerNamePolicy::Default { group: A, certificate });
    let acceptor = acceptor(&builder);
    let identity = client_ca.issue(&["client.test"]);
    for versions in EACH_VERSION {
        for len in [1, 7, 100] {
            for identity in [None, Some(&identity)] {
                let config = Arc::new(client(&ca, versions, identity));
                let (near, far) = tokio::io::duplex(1 << 14);
                let (mid_near, mid_far) = tokio::io::duplex(1 << 14);
                let (seen, served, ()) = tokio::join!(
                    connect(&config, "b.example.test", near),
                    serve(&acceptor, mid_far),
                    cut_first_record(far, mid_near, len)
                );
                assert_eq!(seen.is_ok(), identity.is_some(), "records of {len} bytes");
                assert_eq!(served.is_ok(), identity.is_some(), "records of {len} bytes");
                if let Ok(served) = served {
                    assert_eq!(served.facts.group(), B);
                }
            }
        }
    }
}

/// Forwards all bytes. Splits the first record from `near` into records of `len` bytes.
async fn cut_first_record(mut near: DuplexStream, mut far: DuplexStream, len: usize) {
    let mut header = [0; 5];
    near.read_exact(&mut header).await.unwrap();
    let mut payload = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
    near.read_exact(&mut payload).await.unwrap();
    for piece in payload.chunks(len) {
        let len = u16::try_from(piece.len()).unwrap().to_be_bytes();
        far.write_all(&[&header[..3], &len, piece].concat()).await.unwrap();
    }
    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
}

#[tokio::test]
async fn connection_that_ends_early_is_an_io_error() {
    let ca = Ca::new("server ca");
    let acceptor = acceptor(&one_name(&ca));
    let hello = client_hello(&Arc::new(client(&ca, EACH_VERSION[1], None)), "a.example.test");
    for sent in [&[][..], &hello[..hello.len() / 2], &hello] {
        let (mut near, far) = tokio::io::duplex(1 << 14);
        near.write_all(sent).await.unwrap();
        drop(near);
        let error = acceptor.accept(far).await.map(|(_, facts)| facts).unwrap_err();
        assert!(error.is_io() && !error.is_timeout(), "{error}");
        let message = error.to_string();
        assert!(message.starts_with("connection lost during the TLS handshake: "), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn handshake_beyond_its_limit_is_ended() {
    let ca = Ca::new("server ca");
    let acceptor = acceptor(&one_name(&ca));
    let hello = client_hello(&Arc::new(client(&ca, EACH_VERSION[1], None)), "a.example.test");
    // The acceptor waits for the longest ClientHello, which shows that the limit is exact.
    let longest = u32::try_from(CLIENT_HELLO_LEN_MAX).unwrap().to_be_bytes();
    let longest = [&[0x16, 3, 1, 0, 4, 1][..], &longest[1..]].concat();
    for sent in [&[][..], &longest, &hello] {
        let (mut near, far) = tokio::io::duplex(1 << 14);
        near.write_all(sent).await.unwrap();
        let start = Instant::now();
        let error = acceptor.accept(far).await.map(|(_, facts)| facts).unwrap_err();
        assert!(error.is_timeout() && !error.is_io(), "{error}");
        // tokio's timer counts in milliseconds.
        assert_eq!(start.elapsed().as_secs(), HANDSHAKE_TIMEOUT.as_secs());
        assert_eq!(error.to_string(), "TLS handshake not complete after 10 s");
    }

    // A client that sends one byte a second is ended too, because the limit is for the whole
    // handshake.
    let (mut near, far) = tokio::io::duplex(1 << 14);
    let drip = async {
        for byte in hello.chunks(1) {
            if near.write_all(byte).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let quick = acceptor.clone().with_handshake_timeout(Duration::from_millis(2500));
    let start = Instant::now();
    tokio::select! {
        () = drip => panic!("the acceptor should end first"),
        accepted = quick.accept(far) => {
            let error = accepted.map(|(_, facts)| facts).unwrap_err();
            assert_eq!(error.to_string(), "TLS handshake not complete after 2.5 s");
        }
    }
    assert_eq!(start.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn refused_client_that_does_not_read_is_closed() {
    let ca = Ca::new("server ca");
    let acceptor = acceptor(&one_name(&ca));
    let hello = client_hello(&Arc::new(client(&ca, EACH_VERSION[1], None)), "b.example.test");
    // The alert does not fit, because the pipe holds one byte.
    let (mut near, far) = tokio::io::duplex(1);
    let start = Instant::now();
    let (sent, accepted) = tokio::join!(near.write_all(&hello), acceptor.accept(far));
    sent.unwrap();
    let error = accepted.map(|(_, facts)| facts).unwrap_err();
    assert!(error.refused().is_some(), "{error}");
    assert_eq!(start.elapsed().as_secs(), CLOSE_TIMEOUT.as_secs());
}
