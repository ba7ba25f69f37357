//! Runs the commands of `docs/421.md` against a server with the two hosts that the page names.

use std::fs;
use std::path::Path;
use std::process::Command;

use coalesce_tests::{World, binary};

const SITE: &str = r#"
[[listener]]
address = "127.0.0.1:0"
ports = [443]

[[virtual_host]]
name = "shop"
names = ["shop.test"]
certificate = "shop.pem"
key = "shop.key"
answer = { text = "shop\n" }

[[virtual_host]]
name = "admin"
names = ["admin.test"]
certificate = "admin.pem"
key = "admin.key"
answer = { text = "admin\n" }
"#;

/// Makes curl resolve the page's names to the server under test and trust its CA.
fn prelude(address: &str) -> String {
    let coalesce = binary().display();
    format!(
        r#"curl() {{ command curl --silent --cacert ca.pem --connect-to "::{address}" "$@"; }}
openssl() {{ command openssl "${{@/#shop.test:443/{address}}}"; }}
coalesce() {{
    case $1 in
        get) set -- "$@" --cacert ca.pem --resolve '*:443:{address}' ;;
    esac
    '{coalesce}' "$@"
}}
"#
    )
}

#[test]
fn commands_of_the_page_show_the_421_and_its_cause() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/421.md");
    let page = fs::read_to_string(path).unwrap();
    let blocks = page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let world = World::new(&[("shop", &["shop.test"]), ("admin", &["admin.test"])], SITE);
    let server = world.serve();
    let prelude = prelude(&server.address.to_string());
    let outputs: Vec<String> = blocks
        .map(|block| {
            let script = format!("{prelude}{block}");
            let folder = world.path("");
            let run = Command::new("bash").args(["-c", &script]).current_dir(folder).output();
            let output = run.unwrap();
            assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        })
        .collect();
    let [own, reused, explained, shared, names] = &outputs[..] else { panic!("{outputs:#?}") };
    assert!(own.starts_with("HTTP/2 200"), "{own}");
    assert!(reused.starts_with("HTTP/2 421"), "{reused}");
    assert!(explained.contains("certificate"), "{explained}");
    assert!(shared.contains("2 requests on 2 connections: 2 answered"), "{shared}");
    assert!(names.contains("DNS:shop.test"), "{names}");
}
