//! Server names as no client library sends them.
//!
//! They are written into the octets of a ClientHello, whose handshake then cannot be completed. In
//! TLS 1.2 its answer is readable all the same, and says all that counts: which certificate is
//! shown, and whether the client is asked for one.

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

/// What the server made of a ClientHello.
#[derive(Debug, Eq, PartialEq)]
enum Outcome {
    /// It shows the certificate in this file, and asks the client for one, or does not.
    Shown {
        certificate: &'static str,
        asks: bool,
    },
    Alert(u8),
}

const PUBLIC: Outcome = Outcome::Shown { certificate: "A", asks: false };
const STRICT: Outcome = Outcome::Shown { certificate: "A", asks: true };

/// What becomes of a ClientHello of TLS 1.2 for `name`, written as `octets` in it, which are as
/// many.
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
    // A server that has answered with an alert is gone already.
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
            // Behind the lengths of the list and of its first certificate.
            message.get(6..).is_some_and(|certificate| certificate.starts_with(&leaf))
        };
        if *kind == 11 {
            shown = ["A", "C"].into_iter().find(of);
        }
        rest = more;
    }
    Outcome::Shown { certificate: shown.expect("a certificate"), asks }
}

/// Attack: the server name of a host that asks for client certificates, spelled so that it is
/// another to whoever compares octets, and the same to the host table: the rules of the host apply,
/// or none at all, but never those of the default.
#[test]
fn a_server_name_spelled_otherwise_is_under_no_weaker_rules() {
    let target = Target::start();
    let other_case = M.to_ascii_uppercase();
    target.under(|| {
        assert_eq!(outcome(&target, A, A.as_bytes()), PUBLIC);
        assert_eq!(outcome(&target, M, M.as_bytes()), STRICT);
        assert_eq!(outcome(&target, M, other_case.as_bytes()), STRICT);
        assert_eq!(outcome(&target, M, b"M.eXaMpLe.TeSt"), STRICT);
        // With a trailing dot, in the place of a longer name.
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
        // Names that nobody has: the default is for those without a name.
        for unknown in [&b"x.example.test"[..], b"m.example.tesu"] {
            let found = outcome(&target, M, unknown);
            assert!(found != STRICT, "{}: {found:?}", unknown.escape_ascii());
        }
    });
}

/// Attack: no server name, an address, or an empty list of names, so that the rules of the default
/// apply, and then requests for hosts under other rules. They stay misdirected.
#[test]
fn without_a_server_name_only_the_default_and_its_like_are_served() {
    let target = Target::start();
    target.under(|| {
        let mut config = tls::config(&target.world, tls::BOTH, Some("client"));
        config.enable_sni = false;
        let mut raw = Raw::over(tls::open(config, A, target.server.connect()));
        raw.begin(&[]);
        assert_eq!(raw.ask(A), served());
        assert_eq!(raw.ask(C), misdirected());
        assert_eq!(raw.ask(M), misdirected(), "covered by the certificate, of another group");
        assert_eq!(raw.ask(A), served());

        assert_eq!(outcome(&target, "abcd.test", b"192.0.2.1"), PUBLIC);
        // An extension without a name in it, by the length of its list.
        let mut hello = client_hello(tls::config(&target.world, tls::EACH[0], None), M);
        let at = hello.windows(M.len()).position(|window| window == M.as_bytes()).unwrap();
        hello[at - 5..at - 3].fill(0);
        let found = answer_to(&target, &hello);
        assert!(matches!(found, Outcome::Alert(_)), "{found:?}");
        assert_ne!(found, Outcome::Alert(UNRECOGNIZED_NAME));
        assert_eq!(found, Outcome::Alert(DECODE_ERROR));
    });
}
