//! Hostile certificates, keys and PEM files: each is refused with the file, the field and the
//! expected content, or accepted as `docs/certificates.md` documents.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, CertifiedIssuer, CustomExtension, DnType, IsCa, Issuer, KeyPair, SanType,
    date_time_ymd,
};

use crate::client::{Client, Server};
use crate::world::{World, text};

/// A file that is read as a certificate, and its key.
struct Files {
    pem: Vec<u8>,
    key: String,
}

const HOST: &str = "a.example.test";

const SUBJECT_ALT_NAME: &[u64] = &[2, 5, 29, 17];

fn named(name: &str) -> SanType {
    SanType::DnsName(Ia5String::try_from(name).unwrap())
}

/// Makes a certificate with these names, after `change`.
fn with(sans: Vec<SanType>, change: impl FnOnce(&mut CertificateParams)) -> Files {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, HOST);
    params.subject_alt_names = sans;
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Files { pem: certificate.pem().into_bytes(), key: key.serialize_pem() }
}

fn good() -> Files {
    with(vec![named(HOST)], |_| {})
}

/// Makes a certificate whose subjectAltName has these bytes within its SEQUENCE.
fn raw(names: &[&[u8]]) -> Files {
    let names = names.concat();
    let content = [&[0x30, u8::try_from(names.len()).unwrap()], &*names].concat();
    with(Vec::new(), |params| {
        params.custom_extensions =
            vec![CustomExtension::from_oid_content(SUBJECT_ALT_NAME, content)];
    })
}

/// A `GeneralName` (RFC 5280 §4.2.1.6): 2 is a `dNSName`, 7 an `iPAddress`.
fn name(tag: u8, octets: &[u8]) -> Vec<u8> {
    [&[0x80 | tag, u8::try_from(octets.len()).unwrap()], octets].concat()
}

/// Makes a certificate with the host and `count` names of four letters.
fn many(count: usize) -> Files {
    let letter = |at: usize| char::from(b'a' + u8::try_from(at % 26).unwrap());
    let mut sans = vec![named(HOST)];
    sans.extend((1..count).map(|nth| {
        let letters = [nth / 17_576, nth / 676, nth / 26, nth].map(letter);
        named(&letters.iter().collect::<String>())
    }));
    with(sans, |_| {})
}

fn pem_of(der: &[u8]) -> Vec<u8> {
    pem::encode(&pem::Pem::new("CERTIFICATE", der)).into_bytes()
}

fn der_of(pem: &[u8]) -> Vec<u8> {
    use rustls_pki_types::pem::PemObject;
    rustls_pki_types::CertificateDer::from_pem_slice(pem).unwrap().to_vec()
}

/// A leaf of a CA, and the certificate of that.
fn issued() -> (Files, Vec<u8>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![HOST.to_owned()]).unwrap();
    params.use_authority_key_identifier_extension = true;
    let issuer: &Issuer<'_, KeyPair> = &ca;
    let leaf = params.signed_by(&key, issuer).unwrap();
    let files = Files { pem: leaf.pem().into_bytes(), key: key.serialize_pem() };
    (files, ca.pem().into_bytes())
}

fn changed(change: impl FnOnce(&mut Files)) -> Files {
    let mut files = good();
    change(&mut files);
    files
}

/// Each hostile pair of files, by its description in the document.
fn cases() -> Vec<(&'static str, Files)> {
    [names(), certificates(), texts()].into_iter().flatten().collect()
}

/// Hostile names.
fn names() -> Vec<(&'static str, Files)> {
    let duplicate = |oid: &'static [u64], content: &'static [u8]| {
        move |params: &mut CertificateParams| {
            let twice = || CustomExtension::from_oid_content(oid, content.to_vec());
            params.custom_extensions = vec![twice(), twice()];
        }
    };
    vec![
        ("10,000 names", many(10_000)),
        ("10,001 names", many(10_001)),
        (
            "10,000 names of a common length",
            with(
                (0..10_000).map(|nth| named(&format!("host-{nth}.example.test"))).collect(),
                |_| {},
            ),
        ),
        ("a file of 10 MB", changed(|files| files.pem.resize(10_000_000, b'\n'))),
        (
            "a NUL in a name, beside a good one",
            with(vec![named("a.example.test\0.evil.test"), named(HOST)], |_| {}),
        ),
        ("a NUL in the only name", with(vec![named("a.example.test\0")], |_| {})),
        ("control characters in the only name", with(vec![named("a.\r\n\u{1b}.test")], |_| {})),
        ("an address of 5 bytes", raw(&[&name(7, &[192, 0, 2, 1, 9])])),
        (
            "an address with a mask, beside a good name",
            raw(&[&name(7, &[192, 0, 2, 0, 255, 255, 255, 0]), &name(2, HOST.as_bytes())]),
        ),
        ("a name that is not UTF-8", raw(&[&name(2, b"a.\xff.test")])),
        ("a name in UTF-8 that is not ASCII", raw(&[&name(2, "b\u{fc}cher.test".as_bytes())])),
        ("a wildcard in the wrong place", with(vec![named("a.*.example.test")], |_| {})),
        ("an address written as a DNS name", with(vec![named("192.0.2.1")], |_| {})),
        ("an empty name", with(vec![named("")], |_| {})),
        (
            "a mail address and no name",
            with(vec![SanType::Rfc822Name("a@example.test".try_into().unwrap())], |_| {}),
        ),
        ("a subjectAltName without a name", raw(&[])),
        ("a subjectAltName that is cut off", raw(&[&[0x82, 20, b'a']])),
        ("no subjectAltName, but the host as common name", with(Vec::new(), |_| {})),
        (
            "two subjectAltNames",
            with(Vec::new(), duplicate(SUBJECT_ALT_NAME, b"\x30\x10\x82\x0ea.example.test")),
        ),
        (
            "another extension twice",
            with(
                vec![named(HOST)],
                duplicate(&[2, 5, 29, 37], b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01"),
            ),
        ),
        (
            "an extension with nonsense in it",
            with(vec![named(HOST)], |params| {
                let nonsense =
                    CustomExtension::from_oid_content(&[2, 5, 29, 19], vec![0x0c, 1, b'a']);
                params.custom_extensions = vec![nonsense];
            }),
        ),
    ]
}

/// Hostile certificates and chains.
fn certificates() -> Vec<(&'static str, Files)> {
    let (leaf, ca) = issued();
    let (key_of_leaf, leaf_pem) = (leaf.key.clone(), leaf.pem.clone());
    let long_chain = [leaf_pem.clone(), many(9_000).pem, many(9_000).pem].concat();
    let chain = |parts: &[&[u8]]| Files { pem: parts.concat(), key: key_of_leaf.clone() };
    vec![
        ("a chain of more than 65,535 bytes", Files { pem: long_chain, key: key_of_leaf.clone() }),
        ("names that are not the virtual host's", with(vec![named("b.example.test")], |_| {})),
        ("the key of another certificate", changed(|files| files.key = good().key)),
        (
            "expired",
            with(vec![named(HOST)], |params| {
                params.not_before = date_time_ymd(2000, 1, 1);
                params.not_after = date_time_ymd(2001, 1, 1);
            }),
        ),
        (
            "not valid yet",
            with(vec![named(HOST)], |params| {
                params.not_before = date_time_ymd(2999, 1, 1);
                params.not_after = date_time_ymd(3000, 1, 1);
            }),
        ),
        ("a chain in its order", chain(&[&leaf_pem, &ca])),
        ("a chain with the CA first", chain(&[&ca, &leaf_pem])),
        ("a chain with a stranger in it", chain(&[&leaf_pem, &good().pem, &ca])),
        (
            "bytes after the certificate",
            changed(|files| {
                files.pem = pem_of(&[der_of(&files.pem), vec![0]].concat());
            }),
        ),
        (
            "a certificate that is cut off",
            changed(|files| {
                let der = der_of(&files.pem);
                files.pem = pem_of(&der[..der.len() - 1]);
            }),
        ),
        ("bytes that are no certificate", changed(|files| files.pem = pem_of(b"no certificate"))),
    ]
}

/// Hostile PEM text and keys.
fn texts() -> Vec<(&'static str, Files)> {
    vec![
        (
            "text around the PEM sections",
            changed(|files| {
                files.pem = [b"Subject: a\n\xff\xfe\0\n", &files.pem[..], b"\nmore\n"].concat();
            }),
        ),
        (
            "junk within a PEM section",
            changed(|files| {
                files.pem = text(&files.pem).replacen("\nMII", "\n!!!", 1).into_bytes();
            }),
        ),
        (
            "a PEM section without its end",
            changed(|files| {
                files.pem = text(&files.pem).replace("-----END CERTIFICATE-----", "").into_bytes();
            }),
        ),
        (
            "a second PEM section that is cut off",
            changed(|files| {
                let half = files.pem[..files.pem.len() / 2].to_vec();
                files.pem.extend(half);
            }),
        ),
        ("an empty file", changed(|files| files.pem.clear())),
        ("DER instead of PEM", changed(|files| files.pem = der_of(&files.pem))),
        (
            "a request instead of a certificate",
            changed(|files| {
                files.pem =
                    text(&files.pem).replace("CERTIFICATE", "CERTIFICATE REQUEST").into_bytes();
            }),
        ),
        (
            "the key in the place of the certificate",
            changed(|files| {
                files.pem = files.key.clone().into_bytes();
            }),
        ),
        (
            "the certificate in the place of the key",
            changed(|files| {
                files.key = text(&files.pem).to_owned();
            }),
        ),
        ("two keys", changed(|files| files.key = files.key.repeat(2))),
        (
            "a key with a passphrase",
            changed(|files| {
                files.key = files.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
            }),
        ),
        (
            "a key that is none",
            changed(|files| files.key = pem::encode(&pem::Pem::new("PRIVATE KEY", [0x30, 0]))),
        ),
    ]
}

const SITE: &str = r#"[[listener]]
address = "127.0.0.1:0"

[[virtual_host]]
name = "a"
names = ["a.example.test"]
certificate = "own.pem"
key = "own.key"
answer = { text = "a" }
"#;

fn put(world: &World, files: &Files) {
    fs::write(world.path("own.pem"), &files.pem).unwrap();
    world.write("own.key", &files.key);
}

/// Returns the documented outcome of these files: `accepted` with the ignored parts, or the
/// message.
fn outcome(world: &World, files: &Files) -> String {
    put(world, files);
    let loaded = world.run(&["groups", "--config", "site.toml"]);
    let said = text(&loaded.stderr);
    assert!(!said.contains("panicked"), "{said}");
    if loaded.status.code() != Some(0) {
        assert_eq!(loaded.status.code(), Some(3), "{said}");
        let line = said.lines().next().unwrap_or_default();
        // Remove the place: the line of the field and its virtual host.
        let said = line.split_once(": virtual_host \"a\": ");
        let (place, said) = said.unwrap_or_else(|| panic!("no place in {line}"));
        assert!(place.starts_with("site.toml:"), "{line}");
        return format!("`{}`", without_length(said));
    }
    let matched = world.run(&["match", "--certificate", "own.pem", HOST]);
    let matched = text(&matched.stdout);
    let ignored = matched.lines().filter_map(|line| line.trim().strip_prefix("ignored "));
    let ignored: Vec<String> = ignored.map(|name| format!("`{name}`")).collect();
    if ignored.is_empty() {
        "accepted".to_owned()
    } else {
        format!("accepted; ignores {}", ignored.join(", "))
    }
}

/// Removes the length of a certificate, which varies with the length of its signature.
fn without_length(line: &str) -> String {
    let words = line.split(' ').zip(line.split(' ').skip(1).chain([""]));
    let words = words.map(|(word, next)| {
        let is_len = next == "bytes;" && word.parse::<usize>().is_ok();
        if is_len { "N" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn each_hostile_file_has_the_outcome_that_is_documented() {
    let world = World::new();
    world.write("site.toml", SITE);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/certificates.md");
    let document = fs::read_to_string(path).unwrap();
    let rows = document.lines().filter_map(|line| {
        let line = line.strip_prefix("| ")?.strip_suffix(" |")?;
        line.split_once(" | ").map(|(what, outcome)| (what.to_owned(), outcome.to_owned()))
    });
    let documented: BTreeMap<String, String> =
        rows.filter(|(what, _)| !what.starts_with("---") && what != "files").collect();
    let cases = cases();
    let found: BTreeMap<String, String> =
        cases.iter().map(|(what, files)| ((*what).to_owned(), outcome(&world, files))).collect();
    assert_eq!(found.len(), cases.len(), "each case has words of its own");
    let mut wrong = String::new();
    for what in found.keys().chain(documented.keys().filter(|what| !found.contains_key(*what))) {
        if found.get(what) != documented.get(what) {
            let outcome = found.get(what).map_or("no such case", String::as_str);
            wrong.extend(["| ", what, " | ", outcome, " |\n"]);
        }
    }
    assert!(wrong.is_empty(), "docs/certificates.md says otherwise:\n{wrong}");
}

/// The largest certificate that is accepted is served, to a client that checks it.
#[tokio::test]
async fn certificate_of_ten_thousand_names_is_served() {
    let world = World::new();
    world.write("site.toml", SITE);
    let files = many(10_000);
    put(&world, &files);
    fs::write(world.path("certs/ca.pem"), &files.pem).unwrap();
    let server = Server::start(&world, 1);
    let client = Client::connect(&world, server.address(), HOST).await;
    let (head, content) = client.get(HOST, "/").await;
    assert_eq!((head.status.as_u16(), &content[..]), (200, &b"a"[..]));
}
