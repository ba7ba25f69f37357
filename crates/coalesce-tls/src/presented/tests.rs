use super::*;
use coalesce_core::NameError;
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, CustomExtension, DnType, KeyPair, OtherNameValue, SanType};

fn dns(name: &str) -> SanType {
    SanType::DnsName(Ia5String::try_from(name).unwrap())
}

fn made(sans: Vec<SanType>, extensions: Vec<CustomExtension>) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "common.example.test");
    params.subject_alt_names = sans;
    params.custom_extensions = extensions;
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn with_sans(sans: Vec<SanType>) -> Vec<u8> {
    made(sans, Vec::new())
}

/// Returns a subjectAltName with these bytes inside its SEQUENCE.
fn with_raw_sans(general_names: &[u8]) -> Vec<u8> {
    let len = u8::try_from(general_names.len()).unwrap();
    assert!(len < 128, "short form of a DER length");
    let content = [&[0x30, len], general_names].concat();
    made(Vec::new(), vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], content)])
}

fn host(text: &str) -> Host<'_> {
    Host::parse(text.as_bytes()).unwrap()
}

#[test]
fn most_specific_name_covers_the_host() {
    let der = with_sans(vec![
        dns("A.Example.Test"),
        dns("f*.example.test"),
        dns("*.example.test"),
        SanType::IpAddress("192.0.2.1".parse().unwrap()),
        dns("a.example.test"),
        SanType::IpAddress("2001:db8::1".parse().unwrap()),
    ]);
    let presented = PresentedNames::read_der(&der).unwrap();
    let expected = [
        "DNS:a.example.test",
        "DNS:*.example.test",
        "IP:192.0.2.1",
        "DNS:a.example.test",
        "IP:2001:db8::1",
    ];
    assert_eq!(presented.names(), expected);
    // A repeated name is one identifier.
    assert_eq!(presented.identifiers().len(), expected.len() - 1);
    assert!(!presented.is_empty());
    let cases = [
        ("a.example.test", Some("DNS:a.example.test")),
        ("B.EXAMPLE.TEST.", Some("DNS:*.example.test")),
        ("192.0.2.1", Some("IP:192.0.2.1")),
        ("2001:db8:0::1", Some("IP:2001:db8::1")),
        ("192.0.2.2", None),
        ("::ffff:192.0.2.1", None),
        ("a.b.example.test", None),
        ("example.test", None),
        ("foo.example.test.invalid", None),
        ("common.example.invalid", None),
    ];
    for (reference, covering) in cases {
        assert_eq!(presented.covering(&host(reference)), covering, "{reference}");
    }
    let number = presented.identifiers().find(&host("2001:db8::1")).unwrap();
    let listed = presented.identifiers().identifiers().nth(number).map(|name| name.to_string());
    assert_eq!(listed.as_deref(), Some("2001:db8::1"));
}

#[test]
fn unusable_name_is_ignored_with_its_reason() {
    use IgnoredReason::{Invalid, OtherKind};
    let other_name = OtherNameValue::Utf8String("a@example.test".to_owned());
    let der = with_sans(vec![
        dns("f*.example.test"),
        dns("a.*.example.test"),
        dns("*"),
        dns("a\0.example.test"),
        dns("a.example.test."),
        dns("192.0.2.1"),
        dns(""),
        SanType::Rfc822Name("a@example.test".try_into().unwrap()),
        SanType::URI("https://a.example.test/\n".try_into().unwrap()),
        SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3], other_name)),
    ]);
    let presented = PresentedNames::read_der(&der).unwrap();
    let expected = [
        ("DNS:f*.example.test", Invalid(IdentifierError::Wildcard)),
        ("DNS:a.*.example.test", Invalid(IdentifierError::Wildcard)),
        ("DNS:*", Invalid(IdentifierError::Wildcard)),
        (
            "DNS:a\\x00.example.test",
            Invalid(IdentifierError::Name(NameError::ForbiddenByte { at: 1, byte: 0 })),
        ),
        ("DNS:a.example.test.", Invalid(IdentifierError::TrailingDot)),
        ("DNS:192.0.2.1", Invalid(IdentifierError::Name(NameError::LastLabelNumeric { at: 8 }))),
        ("DNS:", Invalid(IdentifierError::Name(NameError::Empty))),
        ("email:a@example.test", OtherKind),
        ("URI:https://a.example.test/\\n", OtherKind),
        ("othername:1.3.6.1.4.1.311.20.2.3", OtherKind),
    ];
    let found: Vec<_> =
        presented.ignored().iter().map(|name| (name.text(), name.reason())).collect();
    assert_eq!(found, expected);
    assert!(presented.is_empty());
    assert!(presented.covering(&host("a.example.test")).is_none());
    assert!(presented.covering(&host("192.0.2.1")).is_none());
}

#[test]
fn general_name_of_other_kind_is_ignored_with_its_text() {
    use IgnoredReason::{Invalid, OtherKind};
    let cases: &[(&[u8], &str, IgnoredReason)] = &[
        // A dNSName that is not UTF-8, and therefore not IA5.
        (
            &[0x82, 3, b'a', 0xff, b'b'],
            "DNS:a\\xffb",
            Invalid(IdentifierError::Name(NameError::ForbiddenByte { at: 1, byte: 0xff })),
        ),
        (
            &[0x82, 2, 0xc3, 0xbc],
            "DNS:\\xc3\\xbc",
            Invalid(IdentifierError::Name(NameError::ForbiddenByte { at: 0, byte: 0xc3 })),
        ),
        // An iPAddress of 5 octets, and an IPv4 address with a mask as in name constraints.
        (
            &[0x87, 5, 192, 0, 2, 1, 9],
            "IP:c0:00:02:01:09",
            Invalid(IdentifierError::AddressLength { len: 5 }),
        ),
        (
            &[0x87, 8, 192, 0, 2, 0, 255, 255, 255, 0],
            "IP:c0:00:02:00:ff:ff:ff:00",
            Invalid(IdentifierError::AddressLength { len: 8 }),
        ),
        (&[0x87, 0], "IP:", Invalid(IdentifierError::AddressLength { len: 0 })),
        // The other kinds: X.400 address, directory name, EDI party name, registered id, unknown.
        (&[0xa3, 2, 0x30, 0], "X400Name", OtherKind),
        (
            &[0xa4, 14, 0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 85, 4, 3, 0x0c, 1, b'x'],
            "DirName:CN=x",
            OtherKind,
        ),
        (&[0xa5, 2, 0x30, 0], "EdiPartyName", OtherKind),
        (&[0x88, 3, 0x2a, 3, 4], "Registered ID:1.2.3.4", OtherKind),
        (&[0x89, 1, b'x'], "[9]:x", OtherKind),
    ];
    for (bytes, text, reason) in cases {
        let presented = PresentedNames::read_der(&with_raw_sans(bytes)).unwrap();
        let [ignored] = presented.ignored() else { panic!("{text}: {presented:?}") };
        assert_eq!((ignored.text(), ignored.reason()), (*text, *reason));
        assert!(presented.is_empty(), "{text}");
    }
}

#[test]
fn unreadable_certificate_returns_its_error() {
    let own = with_sans(vec![dns("a.example.test")]);
    let second = CustomExtension::from_oid_content(&[2, 5, 29, 17], vec![0x30, 3, 0x82, 1, b'b']);
    let overfull = vec![0x30, 3, 0x82, 1, b'a', 0x82, 1, b'b'];
    let overfull = CustomExtension::from_oid_content(&[2, 5, 29, 17], overfull);
    let cases = [
        (
            "names after the sequence",
            made(Vec::new(), vec![overfull]),
            CertificateError::MalformedSubjectAltName,
        ),
        ("common name only", with_sans(Vec::new()), CertificateError::NoSubjectAltName),
        ("empty sequence", with_raw_sans(&[]), CertificateError::EmptySubjectAltName),
        (
            "no general name",
            with_raw_sans(&[0x0c, 1, b'a']),
            CertificateError::MalformedSubjectAltName,
        ),
        ("cut off", with_raw_sans(&[0x82, 9, b'a']), CertificateError::MalformedSubjectAltName),
        (
            "two extensions",
            made(vec![dns("a.example.test")], vec![second]),
            CertificateError::DuplicateSubjectAltName,
        ),
        (
            "another extension twice",
            made(
                vec![dns("a.example.test")],
                vec![
                    CustomExtension::from_oid_content(&[1, 2, 3], vec![5, 0]),
                    CustomExtension::from_oid_content(&[1, 2, 3], vec![5, 0]),
                ],
            ),
            CertificateError::DuplicateExtension { oid: "1.2.3".to_owned() },
        ),
        ("trailing byte", [&own[..], &[0]].concat(), CertificateError::TrailingData { len: 1 }),
        (
            "too long",
            vec![0x30; CERTIFICATE_LEN_MAX + 1],
            CertificateError::TooLong { len: 65_536, max: 65_535 },
        ),
    ];
    for (what, der, error) in cases {
        assert_eq!(PresentedNames::read_der(&der).unwrap_err(), error, "{what}");
    }
    for junk in [&b""[..], b"junk", &own[..own.len() - 1], &[0x30, 0x80, 0, 0]] {
        let error = PresentedNames::read_der(junk).unwrap_err();
        assert!(matches!(error, CertificateError::Malformed { .. }), "{error}");
    }
    let error = PresentedNames::read_der(&own[..own.len() - 1]).unwrap_err();
    assert_eq!(error.to_string(), "not an X.509 certificate in DER: it ends too early");
}

#[test]
fn debug_output_lists_names() {
    let presented = PresentedNames::from_text(["DNS:a.test", "DNS:*"]).unwrap();
    assert_eq!(
        format!("{presented:?}"),
        "PresentedNames { names: [\"DNS:a.test\"], ignored: [\"DNS:*\"], .. }"
    );
}

#[test]
fn damaged_certificate_does_not_panic() {
    let der = with_sans(vec![dns("*.example.test"), SanType::IpAddress("::1".parse().unwrap())]);
    for at in 0..der.len() {
        let _ = PresentedNames::read_der(&der[..at]);
        let mut flipped = der.clone();
        flipped[at] ^= 0xff;
        let _ = PresentedNames::read_der(&flipped);
    }
}

#[test]
fn number_of_names_is_limited() {
    // A certificate of 65,535 bytes cannot hold so many names, but a list of texts can.
    let name = |count| std::iter::repeat_n("DNS:a.example.test", count);
    let presented = PresentedNames::from_text(name(SUBJECT_ALT_NAMES_MAX)).unwrap();
    assert_eq!(presented.names().len(), SUBJECT_ALT_NAMES_MAX);
    let error = PresentedNames::from_text(name(SUBJECT_ALT_NAMES_MAX + 1)).unwrap_err();
    assert_eq!(error, TOO_MANY_NAMES);
    // Ignored names count as well.
    let ignored =
        PresentedNames::from_text(std::iter::repeat_n("DNS:*", SUBJECT_ALT_NAMES_MAX + 1));
    assert_eq!(ignored.unwrap_err(), TOO_MANY_NAMES);
}

#[test]
fn names_written_as_text_are_read_back() {
    let texts = ["DNS:a.example.test", "DNS:*.example.test", "IP:192.0.2.1", "IP:2001:db8::1"];
    let presented = PresentedNames::from_text(texts).unwrap();
    assert_eq!(presented.names(), texts);
    let presented = PresentedNames::from_text(["DNS:f*.test", "DNS:a.test"]).unwrap();
    assert_eq!(presented.names(), ["DNS:a.test"]);
    assert_eq!(presented.ignored()[0].text(), "DNS:f*.test");
    assert!(PresentedNames::from_text([]).unwrap().is_empty());
    for text in ["a.test", "dns:a.test", "email:a@b", "", "IP Address:192.0.2.1"] {
        let text = text.to_owned();
        let error = PresentedNames::from_text([text.as_str()]).unwrap_err();
        assert_eq!(error, CertificateError::UnknownKind { text });
    }
    for text in ["IP:", "IP:a.test", "IP:192.0.2", "IP:[::1]"] {
        let error = PresentedNames::from_text([text]).unwrap_err();
        assert_eq!(error, CertificateError::AddressText { text: text.to_owned() });
    }
}

#[test]
fn error_messages_contain_the_found_value() {
    use CertificateError as E;
    let text = "DNS\\n".to_owned();
    let cases = [
        (E::TooLong { len: 9, max: 8 }, "certificate of 9 bytes; at most 8 allowed"),
        (
            E::Malformed { reason: "invalid date".to_owned() },
            "not an X.509 certificate in DER: invalid date",
        ),
        (E::TrailingData { len: 1 }, "1 bytes after the end of the certificate; none expected"),
        (
            E::NoSubjectAltName,
            "no subjectAltName extension; one expected, since the common name does not count",
        ),
        (E::EmptySubjectAltName, "subjectAltName extension without names; at least one expected"),
        (
            E::DuplicateSubjectAltName,
            "more than one subjectAltName extension; exactly one expected",
        ),
        (
            E::DuplicateExtension { oid: "1.2.3".to_owned() },
            "more than one extension 1.2.3; at most one of each expected",
        ),
        (E::MalformedSubjectAltName, "subjectAltName extension is not a sequence of general names"),
        (TOO_MANY_NAMES, "too many subject alternative names; at most 10000 allowed"),
        (
            E::UnknownKind { text: text.clone() },
            "name 'DNS\\n' of unknown kind; 'DNS:' or 'IP:' expected",
        ),
        (E::AddressText { text }, "no address in 'DNS\\n'; IPv4 or IPv6 expected after 'IP:'"),
    ];
    for (error, message) in cases {
        assert_eq!(error.to_string(), message);
    }
    let presented =
        PresentedNames::read_der(&with_sans(vec![SanType::Rfc822Name("a@b".try_into().unwrap())]));
    assert_eq!(
        presented.unwrap().ignored()[0].to_string(),
        "email:a@b: neither a DNS name nor an address"
    );
    let presented = PresentedNames::from_text(["DNS:*"]).unwrap();
    assert_eq!(presented.ignored()[0].to_string(), "DNS:*: '*' must be the whole left-most label");
}
