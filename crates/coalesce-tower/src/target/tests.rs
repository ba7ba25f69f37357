use super::*;

fn parts(method: &str, target: &str, version: Version, hosts: &[&str]) -> Request<()> {
    let mut request = Request::builder().method(method).uri(target).version(version);
    for host in hosts {
        request = request.header(HOST, *host);
    }
    request.body(()).unwrap()
}

/// The authority, `Host` and scheme of the target that is decided.
type Taken = (Option<&'static str>, HostField<'static>, Option<&'static str>);

/// Method, target, the values of `Host`, and the expected target or error.
type Case<'a> = (&'a str, &'a str, &'a [&'a str], Result<Taken, TargetError>);

/// RFC 9112 §3.2: which forms are taken, and what of them is the target.
#[test]
fn each_form_of_http1_has_its_methods() {
    use HostField::{Absent, One};
    let a = One(b"a.test");
    let cases: &[Case<'_>] = &[
        ("GET", "/x", &["a.test"], Ok((None, a, None))),
        ("GET", "//b.test/x", &["a.test"], Ok((None, a, None))),
        ("OPTIONS", "*", &["a.test"], Ok((None, a, None))),
        ("GET", "*", &["a.test"], Err(TargetError::Form)),
        ("GET", "/x", &[], Err(TargetError::NoHost)),
        ("GET", "/x", &["a.test", "a.test"], Ok((None, HostField::Several, None))),
        // absolute-form: Host is ignored, once it is there, is one, and is an authority.
        ("GET", "https://b.test/", &["a.test"], Ok((Some("b.test"), Absent, Some("https")))),
        ("GET", "https://b.test/", &[""], Ok((Some("b.test"), Absent, Some("https")))),
        ("GET", "https://b.test", &["b.test"], Ok((Some("b.test"), Absent, Some("https")))),
        ("OPTIONS", "http://b.test:8", &["x"], Ok((Some("b.test:8"), Absent, Some("http")))),
        ("GET", "https://u@b.test/", &["x"], Ok((Some("u@b.test"), Absent, Some("https")))),
        ("GET", "https://b.test/", &[], Err(TargetError::NoHost)),
        ("GET", "https://b.test/", &["a b"], Err(TargetError::Host)),
        ("GET", "https://b.test/", &["u@b.test"], Err(TargetError::Host)),
        (
            "GET",
            "https://b.test/",
            &["a.test", "b.test"],
            Ok((Some("b.test"), HostField::Several, Some("https"))),
        ),
        // authority-form.
        ("CONNECT", "b.test:443", &["a.test"], Ok((Some("b.test:443"), a, None))),
        ("GET", "b.test:443", &["a.test"], Err(TargetError::Form)),
        ("GET", "b.test", &["a.test"], Err(TargetError::Form)),
        ("CONNECT", "/x", &["a.test"], Err(TargetError::Form)),
        ("CONNECT", "https://b.test/", &["a.test"], Err(TargetError::Form)),
    ];
    for (method, target, hosts, expected) in cases {
        let parts = parts(method, target, Version::HTTP_11, hosts);
        let found = target_of(Head::of(&parts)).map(|found| {
            let text = |bytes: Option<&[u8]>| bytes.map(|b| String::from_utf8(b.into()).unwrap());
            (text(found.authority), found.host, text(found.scheme))
        });
        let expected = expected.map(|(authority, host, scheme)| {
            (authority.map(str::to_owned), host, scheme.map(str::to_owned))
        });
        assert_eq!(found, expected, "{method} {target} {hosts:?}");
    }
}

#[test]
fn http10_may_do_without_a_host() {
    let without = parts("GET", "https://a.test/", Version::HTTP_10, &[]);
    assert_eq!(target_of(Head::of(&without)).unwrap().authority, Some(&b"a.test"[..]));
    let nothing = parts("GET", "/", Version::HTTP_10, &[]);
    let target = target_of(Head::of(&nothing)).unwrap();
    assert_eq!((target.authority, target.host), (None, HostField::Absent), "step 1 refuses it");
}

#[test]
fn http2_without_an_authority_is_not_whole() {
    let alone = parts("GET", "/", Version::HTTP_2, &["a.test"]);
    assert_eq!(target_of(Head::of(&alone)).unwrap_err(), TargetError::Unseen);
    let both = parts("GET", "https://a.test/", Version::HTTP_2, &["b.test"]);
    let target = target_of(Head::of(&both)).unwrap();
    assert_eq!((target.authority, target.host), (Some(&b"a.test"[..]), HostField::One(b"b.test")));
    assert_eq!((target.scheme, target.method), (Some(&b"https"[..]), MethodKind::Ordinary));
}

#[test]
fn connect_with_a_scheme_is_the_extended_one() {
    let kind = |target| {
        let parts = parts("CONNECT", target, Version::HTTP_2, &[]);
        target_of(Head::of(&parts)).unwrap().method
    };
    assert_eq!(kind("a.test:443"), MethodKind::Connect);
    assert_eq!(kind("https://a.test/chat"), MethodKind::ExtendedConnect);
}

#[test]
fn other_versions_are_nobodys() {
    let old = parts("GET", "/", Version::HTTP_09, &["a.test"]);
    assert_eq!(target_of(Head::of(&old)).unwrap_err(), TargetError::Version);
}

/// The application reads the decided authority in `Host`.
#[test]
fn host_follows_an_absolute_form_target() {
    let settled = |target, version, hosts: &[&str]| {
        let mut parts = parts("GET", target, version, hosts);
        settle_host(&mut parts);
        let hosts = parts.headers().get_all(HOST).iter();
        hosts.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let http1 = Version::HTTP_11;
    assert_eq!(settled("https://a.test/", http1, &["b.test"]), ["a.test"]);
    assert_eq!(settled("https://a.test:8443/", http1, &["a.test"]), ["a.test:8443"]);
    assert_eq!(settled("https://a.test/", http1, &[""]), ["a.test"]);
    assert_eq!(settled("https://a.test/", Version::HTTP_10, &[]), ["a.test"]);
    // What says the same may say it in its own way.
    assert_eq!(settled("https://a.test/", http1, &["A.test.:443"]), ["A.test.:443"]);
    assert_eq!(settled("/", http1, &["b.test"]), ["b.test"]);
    assert_eq!(settled("https://a.test/", Version::HTTP_2, &["b.test"]), ["b.test"]);
}
