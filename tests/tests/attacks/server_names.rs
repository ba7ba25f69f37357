//! Server names that no client library sends.
//!
//! The tests write them into the bytes of a ClientHello, so the handshake cannot be completed. In
//! TLS 1.2 the server's answer is readable all the same: it shows the certificate, and whether the
//! server requests a client certificate.

use std::io::{Read, Write};
use std::net::Shutdown;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::server::{A, C, M, Target, misdirected, served};
use coalesce_tests::raw::Raw;
use coalesce_tests::tls::{self, client_hello};

/// TLS alerts (RFC 8446 §6).
const ILLEGAL_PARAMETER: u8 = 47;
const DECODE_ERROR: u8 = 50;
const UNRECOGNIZED_NAME: u8 = 112;

/// The server's answer to a ClientHello.
#[derive(Debug, Eq, PartialEq)]
enum Outcome {
    /// The certificate in this file, with or without a request for a client certificate.
    Shown {
        certificate: &'static str,
        asks: bool,
    },
    Alert(u8),
}

const PUBLIC: Outcome = Outcome::Shown { certificate: "A", asks: false };
const STRICT: Outcome = Outcome::Shown { certificate: "A", asks: true };

/// Sends a TLS 1.2 ClientHello for `name` in which `octets`, of the same length, replace the name.
fn outcome(target: &Target, name: &str, octets: &[u8]) -> Outcome {
    let mut config = tls::config(&target.world, tls::EACH[0], None);
    config.enable_sni = true;
    let mut hello = client_hello(config, name);
    let at = hello.windows(name.len()).position(|window| window == name.as_bytes()).unwrap();
    hello[at..at + octets.len()].copy_from_slice(octets);
    answer_to(target, &hello)
}

fn answer_to(target: &Target, hello: &[u8]) -> Outcome {
    let mut socket = target.server.connect();
    socket.write_all(hello).unwrap();
    // Fails if the server has closed the connection after an alert.
    let _ = socket.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    if let [0x15, _, _, 0, 2, 2, alert, ..] = answer[..] {
        return Outcome::Alert(alert);
    }
    let mut messages = Vec::new();
    let mut rest = &answer[..];
    while let [0x16, _, _, l0, l1, more @ ..] = rest {
        let (record, more) = more.split_at(usize::from(u16::from_be_bytes([*l0, *l1])));
        messages.extend_from_slice(record);
        rest = more;
    }
    // The types of the messages (RFC 5246 §7.4): 11 Certificate, 13 CertificateRequest.
    let (mut shown, mut asks) = (None, false);
    let mut rest = &messages[..];
    while let [kind, l0, l1, l2, more @ ..] = rest {
        let (message, more) = more.split_at(u32::from_be_bytes([0, *l0, *l1, *l2]) as usize);
        asks |= *kind == 13;
        let of = |file: &&str| {
            let path = target.world.path(&format!("{file}.pem"));
            let leaf = CertificateDer::from_pem_file(path).unwrap();
            // Skip the lengths of the list and of its first certificate.
            message.get(6..).is_some_and(|certificate| certificate.starts_with(&leaf))
        };
        if *kind == 11 {
            shown = ["A", "C"].into_iter().find(of);
        }
        rest = more;
    }
    Outcome::Shown { certificate: shown.expect("a certificate"), asks }
}

/// Attack: the server name of a host that requires client certificates, spelled differently but
/// equal for the host table. The server applies the rules of the host or refuses the handshake; it
/// never applies the rules of the default host.
#[test]
fn server_name_spelled_differently_gets_no_weaker_rules() {
    let target = Target::start();
    let other_case = M.to_ascii_uppercase();
    target.under(|| {
        assert_eq!(outcome(&target, A, A.as_bytes()), PUBLIC);
        assert_eq!(outcome(&target, M, M.as_bytes()), STRICT);
        assert_eq!(outcome(&target, M, other_case.as_bytes()), STRICT);
        assert_eq!(outcome(&target, M, b"M.eXaMpLe.TeSt"), STRICT);
        // A trailing dot, in place of a longer name.
        assert_eq!(outcome(&target, "m.example.testx", b"m.example.test."), STRICT);
        assert_eq!(outcome(&target, "a.example.testx", b"a.example.test."), PUBLIC);
        let nul = outcome(&target, M, b"m\0example.test");
        assert_eq!(nul, Outcome::Alert(ILLEGAL_PARAMETER));
        for bad in
            [&b"m.example.tes\0"[..], b"m.example.tes ", b"*.example.test", b"m..xample.test"]
        {
            let found = outcome(&target, M, bad);
            assert!(matches!(found, Outcome::Alert(_)), "{}: {found:?}", bad.escape_ascii());
        }
        // Unknown names are refused: the default host is for clients without a server name.
        for unknown in [&b"x.example.test"[..], b"m.example.tesu"] {
            let found = outcome(&target, M, unknown);
            assert!(found != STRICT, "{}: {found:?}", unknown.escape_ascii());
        }
    });
}

/// Attack: a client sends no server name, an address, or an empty list of names, so that the rules
/// of the default host apply. Then it requests hosts under other rules. They stay misdirected.
#[test]
fn connection_without_a_server_name_serves_only_the_default_group() {
    let target = Target::start();
    target.under(|| {
        let mut config = tls::config(&target.world, tls::BOTH, Some("client"));
        config.enable_sni = false;
        let mut raw = Raw::over(tls::open(config, A, target.server.connect()));
        raw.begin(&[]);
        assert_eq!(raw.ask(A), served());
        assert_eq!(raw.ask(C), misdirected());
        assert_eq!(raw.ask(M), misdirected(), "in the certificate, but in another group");
        assert_eq!(raw.ask(A), served());

        assert_eq!(outcome(&target, "abcd.test", b"192.0.2.1"), PUBLIC);
        // Empty the list of names by setting its length to 0.
        let mut hello = client_hello(tls::config(&target.world, tls::EACH[0], None), M);
        let at = hello.windows(M.len()).position(|window| window == M.as_bytes()).unwrap();
        hello[at - 5..at - 3].fill(0);
        let found = answer_to(&target, &hello);
        assert!(matches!(found, Outcome::Alert(_)), "{found:?}");
        assert_ne!(found, Outcome::Alert(UNRECOGNIZED_NAME));
        assert_eq!(found, Outcome::Alert(DECODE_ERROR));
    });
}
