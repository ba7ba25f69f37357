//! Broken configurations: every fault names file, line, entry and field.

use crate::world::{World, text};

const SOUND: &str = r#"[[listener]]
name = "main"
address = "127.0.0.1:8443"
ports = [443]
default_virtual_host = "a"

[[group]]
name = "public"
minimum_version = "1.2"
coalesce = "certificate-and-group"
unknown_authority = "misdirected"
listeners = ["main"]

[[virtual_host]]
name = "a"
names = ["a.example.test", "b.example.test"]
group = "public"
certificate = "certs/A.pem"
key = "certs/A.key"
answer = { text = "a" }

[[virtual_host]]
name = "m"
names = ["m.example.test"]
certificate = "certs/M.pem"
key = "certs/M.key"
client_ca = "certs/client-ca1.pem"
answer = { text = "m" }
"#;

/// Replacements in the valid configuration, and the messages.
const BROKEN: &[(&str, &str, &str)] = &[
    // Syntax and types.
    (
        "name = \"a\"\n",
        "name = a\n",
        "site.toml:15: virtual_host \"a\": name: string values must be quoted",
    ),
    ("[[group]]", "[group", "site.toml:7: "),
    (
        "[[group]]",
        "[[groups]]",
        "site.toml:7: groups: unknown field \"groups\"; did you mean \"group\"?",
    ),
    ("[[group]]", "[group]", "site.toml:7: group: expected a list of tables"),
    (
        "ports = [443]",
        "ports = \"443\"",
        "site.toml:4: listener \"main\": ports: found the text \"443\"",
    ),
    (
        "ports = [443]",
        "ports = [70000]",
        "site.toml:4: listener \"main\": ports: found the number 70000",
    ),
    (
        "ports",
        "port",
        "site.toml:4: listener \"main\": port: unknown field \"port\"; did you mean \"ports\"?",
    ),
    (
        "\"1.2\"",
        "\"1.1\"",
        "site.toml:9: group \"public\": minimum_version: found \"1.1\", expected \"1.2\"",
    ),
    ("key = \"certs/M.key\"\n", "", "site.toml:22: virtual_host \"m\": missing field \"key\""),
    (
        "text = \"m\"",
        "text = \"m\", code = 1",
        "site.toml:28: virtual_host \"m\": answer.code: unknown field \"code\", expected \"text\"",
    ),
    // Listeners.
    ("127.0.0.1:8443", "localhost", "site.toml:3: listener \"main\": address: \"localhost\" is no"),
    ("[443]", "[]", "site.toml:4: listener \"main\": ports: no port"),
    ("[443]", "[443, 0]", "site.toml:4: listener \"main\": ports: port 0"),
    (
        "default_virtual_host = \"a\"",
        "default_virtual_host = \"z\"",
        "site.toml:5: listener \"main\": default_virtual_host: no host has the name \"z\"",
    ),
    (
        "[[group]]",
        "[[listener]]\nname = \"main\"\naddress = \"127.0.0.1:1\"\n[[group]]",
        "site.toml:8: listener \"main\": name: already the name of the one in line 1",
    ),
    (
        "[[group]]",
        "[[listener]]\nname = \"x\"\naddress = \"127.0.0.1:8443\"\n[[group]]",
        "site.toml:9: listener \"x\": address: already the address of listener \"main\"",
    ),
    (
        "[[group]]",
        "[[listener]]\naddress = \"127.0.0.1:1\"\n[[group]]",
        "site.toml:7: listener 2: no name; each of several listeners needs one",
    ),
    // Groups.
    (
        "listeners = [\"main\"]",
        "listeners = []",
        "site.toml:12: group \"public\": listeners: no li",
    ),
    (
        "listeners = [\"main\"]",
        "listeners = [\"other\"]",
        "site.toml:12: group \"public\": listeners: no listener has the name \"other\"; there",
    ),
    (
        "[[group]]",
        "[[group]]\nname = \"public\"\n\n[[group]]",
        "site.toml:11: group \"public\": name: already the name of the one in line 8",
    ),
    (
        "group = \"public\"\n",
        "group = \"pubic\"\n",
        "site.toml:17: virtual_host \"a\": group: no group has the name \"pubic\"; there",
    ),
    (
        "group = \"public\"\n",
        "group = \"public\"\nisolate = true\n",
        "site.toml:18: virtual_host \"a\": isolate: isolate is not allowed beside group",
    ),
    (
        "certs/client-ca1.pem",
        "certs/A.key",
        "site.toml:27: virtual_host \"m\": client_ca: certs/A.key: no CERTIFICATE section",
    ),
    (
        "certs/client-ca1.pem",
        "certs/empty.pem",
        "site.toml:27: virtual_host \"m\": client_ca: certs/empty.pem: no CERTIFICATE section",
    ),
    (
        "certs/client-ca1.pem",
        "certs/missing.pem",
        "site.toml:27: virtual_host \"m\": client_ca: cannot read certs/missing.pem: No such file",
    ),
    (
        "client_ca = \"certs/client-ca1.pem\"",
        "client_ca = [\"certs/client-ca1.pem\", \"certs/missing.pem\"]",
        "site.toml:27: virtual_host \"m\": client_ca: cannot read certs/missing.pem: No such file",
    ),
    (
        "client_ca = \"certs/client-ca1.pem\"",
        "client_ca = []",
        "site.toml:27: virtual_host \"m\": client_ca: no file; at least one expected",
    ),
    (
        "client_ca = \"certs/client-ca1.pem\"",
        "client_ca = 1",
        "site.toml:27: virtual_host \"m\": client_ca: found the number 1, expected a file",
    ),
    (
        "client_ca = ",
        "client_crl = \"certs/missing.crl\"\nclient_ca = ",
        "site.toml:27: virtual_host \"m\": client_crl: cannot read certs/missing.crl: No such file",
    ),
    (
        "client_ca = ",
        "client_crl = \"certs/A.pem\"\nclient_ca = ",
        "site.toml:27: virtual_host \"m\": client_crl: certs/A.pem: no X509 CRL section in the PEM",
    ),
    (
        "client_ca = \"certs/client-ca1.pem\"",
        "client_certificate = \"optional\"",
        "site.toml:27: virtual_host \"m\": client_certificate: only allowed with client_ca",
    ),
    (
        "minimum_version = \"1.2\"",
        "minimum_version = \"1.3\"\nmaximum_version = \"1.2\"",
        "site.toml:10: group \"public\": maximum_version: lowest version TLS 1.3 is above highest",
    ),
    (
        "minimum_version = \"1.2\"",
        "minimum_version = \"1.3\"\ncipher_suites = [\"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\"]",
        "site.toml:10: group \"public\": cipher_suites: \
         \"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\" is no cipher suite of this group's versions; \
         there is TLS_",
    ),
    (
        "minimum_version = \"1.2\"",
        "cipher_suites = []",
        "site.toml:9: group \"public\": cipher_suites: no cipher suite; at least one expected",
    ),
    // Virtual hosts.
    (
        "name = \"m\"\n",
        "name = \"a\"\n",
        "site.toml:23: virtual_host \"a\": name: already the name of the one in line 15",
    ),
    (
        "\"m.example.test\"",
        "\"A.Example.Test.\"",
        "site.toml:24: virtual_host \"m\": names: \"A.Example.Test.\" is a name of",
    ),
    ("[\"m.example.test\"]", "[]", "site.toml:24: virtual_host \"m\": names: no name"),
    (
        "\"m.example.test\"",
        "\"m*.example.test\"",
        "site.toml:24: virtual_host \"m\": names: \"m*.example.test\": '*' must be alone",
    ),
    (
        "\"b.example.test\"",
        "\n  \"x.example.test\"",
        "site.toml:17: virtual_host \"a\": names: \"x.example.test\" is not covered by certs/A.pem",
    ),
    (
        "\"b.example.test\"",
        "\"*.example.test\"",
        "(see: coalesce match --certificate certs/A.pem x.example.test)",
    ),
    (
        "\"b.example.test\"",
        "\"192.0.2.1\"",
        "site.toml:16: virtual_host \"a\": names: \"192.0.2.1\" is not covered by certs/A.pem",
    ),
    ("\"b.example.test\"", "\"**.nobody.test\"", "site.toml:16: virtual_host \"a\": names: "),
    (
        "certs/M.pem",
        "certs/N.pem",
        "site.toml:25: virtual_host \"m\": certificate: cannot read certs/N.pem: No such file",
    ),
    (
        "certs/M.pem",
        "certs/client1.pem",
        "site.toml:25: virtual_host \"m\": certificate: certs/client1.pem: ",
    ),
    ("certs/M.key", "certs/A.key", "site.toml:26: virtual_host \"m\": key: certs/A.key: "),
    (
        "certs/M.key",
        "certs/M.pem",
        "site.toml:26: virtual_host \"m\": key: certs/M.pem: no PRIVATE KEY section",
    ),
    (
        "{ text = \"m\" }",
        "{}",
        "site.toml:28: virtual_host \"m\": answer: one of text, folder and upstream expected",
    ),
    (
        "{ text = \"m\" }",
        "{ folder = \"public\" }",
        "site.toml:28: virtual_host \"m\": answer.folder: cannot read public: No such file",
    ),
    (
        "{ text = \"m\" }",
        "{ upstream = \"https://127.0.0.1\" }",
        "site.toml:28: virtual_host \"m\": answer.upstream: \"https://127.0.0.1\": https is not",
    ),
    (
        "\"m.example.test\"",
        "\"münchen.example.test\"",
        "virtual_host \"m\": names: \"münchen.example.test\": ",
    ),
    (
        "\"m.example.test\"",
        "\"münchen.example.test\"",
        "; write its A-labels (IDNA): \"xn--mnchen-3ya.example.test\"",
    ),
    (
        "\"m.example.test\"",
        "\"https://m.example.test:8443/\"",
        "; expected a name without scheme and port: \"m.example.test\"",
    ),
    // Files in other forms.
    (
        "certs/M.pem",
        "certs/wide.pem",
        "certificate: certs/wide.pem: found UTF-16 text, expected PEM text; convert it with: iconv",
    ),
    (
        "certs/M.key",
        "certs/locked.key",
        "key: certs/locked.key: the private key is encrypted; one without a passphrase expected; \
         convert it with: openssl pkey -in certs/locked.key -out plain.key",
    ),
    (
        "certs/M.key",
        "certs/M.p12",
        "key: certs/M.p12: found a PKCS #12 file, expected PEM text; convert it with: openssl pkcs12",
    ),
    (
        "certs/M.pem\"\nkey = \"certs/M.key",
        "certs/short.pem\"\nkey = \"certs/short.key",
        "site.toml:26: virtual_host \"m\": key: certs/short.key: RSA key of 1024 bits, expected at \
         least 2048",
    ),
    // Faults of the whole configuration whose parts are valid.
    (
        "certs/M.pem\"\nkey = \"certs/M.key",
        "certs/IP.pem\"\nkey = \"certs/IP.key",
        "site.toml:24: virtual_host \"m\": names: \"m.example.test\" is not covered by",
    ),
    (
        "names = [\"m.example.test\"]\ncertificate = \"certs/M.pem\"\nkey = \"certs/M.key\"",
        "names = [\"127.0.0.1\"]\ncertificate = \"certs/IP.pem\"\nkey = \"certs/IP.key\"",
        "site.toml:24: virtual_host \"m\": names: \"127.0.0.1\" would be answered 421 on its own",
    ),
];

#[test]
fn each_fault_names_file_line_entry_and_field() {
    let world = World::new();
    world.write("certs/empty.pem", "");
    write_other_forms(&world);
    world.write("site.toml", SOUND);
    let explain = ["explain", "--config", "site.toml", "--authority", "a.example.test"];
    let sound = world.run(&explain);
    assert_eq!(sound.status.code(), Some(0), "{sound:?}");
    let mut wrong = Vec::new();
    for (from, to, message) in BROKEN {
        assert!(SOUND.contains(from), "{from}");
        world.write("site.toml", &SOUND.replacen(from, to, 1));
        let output = world.run(&explain);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{to}: {said}");
        assert_eq!(text(&output.stdout), "", "{to}");
        if !said.lines().any(|line| line.contains(message)) {
            wrong.push(format!("{message:?} missing in:\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Writes certificates and keys in forms that are not read.
fn write_other_forms(world: &World) {
    let pem = std::fs::read_to_string(world.path("certs/M.pem")).unwrap();
    let wide: Vec<u8> = pem.encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(world.path("certs/wide.pem"), [b"\xff\xfe", &wide[..]].concat()).unwrap();
    let locked =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    world.write("certs/locked.key", locked);
    let archive =
        b"\x30\x82\x0a\x00\x02\x01\x03\x30\x82\x09\xc6\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
    std::fs::write(world.path("certs/M.p12"), archive).unwrap();
    world.write("certs/short.pem", include_str!("short-rsa.pem"));
    world.write("certs/short.key", include_str!("short-rsa.key"));
}

#[test]
fn configuration_in_utf_16_is_named() {
    let world = World::new();
    let wide: Vec<u8> = SOUND.encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(world.path("site.toml"), [b"\xff\xfe", &wide[..]].concat()).unwrap();
    let said = world.say(&["groups", "--config", "site.toml"], 3);
    assert!(said.starts_with("site.toml: found UTF-16 text, expected UTF-8; convert it"), "{said}");
    std::fs::write(world.path("site.toml"), b"# a\n# \xff\n").unwrap();
    let said = world.say(&["groups", "--config", "site.toml"], 3);
    assert_eq!(said, "site.toml: found a byte that is no UTF-8 in line 2\n");
}

#[test]
fn all_faults_are_shown_at_once_in_the_order_of_the_file() {
    let world = World::new();
    let site = SOUND
        .replace("127.0.0.1:8443", "nowhere")
        .replace("certs/A.key", "certs/missing.key")
        .replace("\"m.example.test\"", "\"x.example.test\"");
    world.write("site.toml", &site);
    let output = world.run(&["serve", "--config", "site.toml"]);
    let said = text(&output.stderr);
    let places: Vec<&str> =
        said.lines().map(|line| line.split(": ").next().unwrap_or_default()).collect();
    let places: Vec<&str> = places.into_iter().filter(|it| it.starts_with("site.toml")).collect();
    assert_eq!(places, ["site.toml:3", "site.toml:19", "site.toml:24"], "{said}");
    // Each message is followed by the line of the file, with a mark below the value.
    let shown: Vec<&str> = said.lines().filter(|line| !line.starts_with("site.toml")).collect();
    let expected = [
        "  |",
        "3 | address = \"nowhere\"",
        "  |           ^^^^^^^^^",
        "   |",
        "19 | key = \"certs/missing.key\"",
        "   |       ^^^^^^^^^^^^^^^^^^^",
        "   |",
        "24 | names = [\"x.example.test\"]",
        "   |          ^^^^^^^^^^^^^^^^",
    ];
    let trimmed: Vec<&str> = shown.iter().map(|line| line.trim_end()).collect();
    assert_eq!(trimmed, expected, "{said}");
}

#[test]
fn paths_start_at_the_folder_of_the_file() {
    let world = World::new();
    std::fs::create_dir(world.path("elsewhere")).unwrap();
    world.write("site.toml", SOUND);
    let config = world.path("site.toml");
    let output = world
        .command()
        .current_dir(world.path("elsewhere"))
        .args(["explain", "--config"])
        .arg(config)
        .args(["--authority", "a.example.test"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn empty_file_lacks_both_lists() {
    let world = World::new();
    world.write("site.toml", "");
    let output = world.run(&["explain", "--config", "site.toml"]);
    assert_eq!(output.status.code(), Some(3));
    let said = text(&output.stderr);
    assert!(said.contains("site.toml: no [[listener]]; at least one expected"), "{said}");
    assert!(said.contains("site.toml: no [[virtual_host]]; at least one expected"), "{said}");
}
