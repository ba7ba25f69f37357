//! nginx, Apache and HAProxy of the system's packages, and `coalesce serve`: hosts that share a
//! connection, and a host that none of them serves on a shared connection.
//!
//! One certificate covers `a`, `b` and `c`. `c` is served only if it is the server name.

mod configuration;

use std::io::BufRead;
use std::net::SocketAddr;

use coalesce_client::{Client, FixedResolver, TlsConfig};
use coalesce_tests::{Server, World, installed};
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;

use crate::asking::{builder, get};
use crate::place::{Place, name};

const HOSTS: [&str; 3] = ["a", "b", "c"];

/// A server that is installed.
struct Kind {
    name: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    configuration: fn(SocketAddr, &World) -> String,
}

const KINDS: [Kind; 3] = [
    Kind {
        name: "nginx",
        program: "nginx",
        arguments: &["-e", "stderr", "-c"],
        configuration: configuration::nginx,
    },
    Kind {
        name: "Apache",
        program: "apache2",
        arguments: &["-D", "FOREGROUND", "-f"],
        configuration: configuration::apache,
    },
    Kind {
        name: "HAProxy",
        program: "haproxy",
        arguments: &["-db", "-f"],
        configuration: configuration::haproxy,
    },
];

fn world(configuration: &str) -> World {
    let names = HOSTS.map(name);
    World::new(&[("site", &names.each_ref().map(String::as_str))], configuration)
}

fn client(world: &World, server: &Server, http1_only: bool) -> Client {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(world.path("ca.pem")).unwrap()).unwrap();
    let resolver = HOSTS
        .iter()
        .fold(FixedResolver::new(), |resolver, host| resolver.host(&name(host), [server.address]));
    let tls = TlsConfig::with_roots(roots).unwrap();
    builder().tls(tls).resolver(resolver).http1_only(http1_only).build().unwrap()
}

/// The requests, one after the other.
const ASKED: [&str; 6] = ["a", "b", "c", "c", "a", "b"];

/// Groups the requests by their connection, in the order of the connections.
fn grouped(requests: &[(String, String)]) -> Vec<String> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for (connection, host) in requests {
        match groups.iter_mut().find(|(known, _)| known == connection) {
            Some((_, hosts)) => hosts.push(host),
            None => groups.push((connection, vec![host])),
        }
    }
    groups.into_iter().map(|(_, hosts)| hosts.join(" ")).collect()
}

/// Each answer of these servers is the host and the client's port, which tells the connection.
async fn asked(client: &Client) -> Vec<String> {
    let mut requests = Vec::new();
    for host in ASKED {
        let answered = get(client, &format!("https://{}/", name(host))).await;
        assert_eq!(answered.status, 200, "{host}: {}", answered.trail);
        let (served, port) = answered.content.trim().split_once(' ').expect("host and port");
        assert_eq!(served, name(host), "a wrong answer");
        requests.push((port.to_owned(), host.to_owned()));
    }
    grouped(&requests)
}

#[tokio::test]
async fn hosts_of_packaged_servers_share_what_these_serve() {
    for kind in &KINDS {
        let what = format!("the client with {}", kind.name);
        let Some(program) = installed::find(kind.program, &what) else { continue };
        let (world, address) = (world(""), Place::new().address(1));
        let configuration = (kind.configuration)(address, &world);
        let server = installed::start(&world, address, &program, kind.arguments, &configuration);
        let found = asked(&client(&world, &server, false)).await;
        assert_eq!(found, ["a b a b", "c c"], "{} over HTTP/2", kind.name);
        let found = asked(&client(&world, &server, true)).await;
        assert_eq!(found, ["a a", "b b", "c c"], "{} over HTTP/1.1", kind.name);
    }
}

/// The same with `coalesce serve`, whose access log has the connections.
#[tokio::test]
async fn hosts_of_our_server_share_what_it_serves() {
    let rule = "client_ca = \"client-ca.pem\"\nclient_certificate = \"optional\"\n";
    let host = |host: &str| {
        let (name, rule) = (name(host), if host == "c" { rule } else { "" });
        format!(
            "[[virtual_host]]\nname = \"{host}\"\nnames = [\"{name}\"]\n{rule}\
             certificate = \"site.pem\"\nkey = \"site.key\"\nanswer = {{ text = '{host}' }}\n"
        )
    };
    let listener = "[[listener]]\naddress = \"127.0.0.1:0\"\nports = [443]\n".to_owned();
    let world = world(&(listener + &HOSTS.map(host).concat()));
    for (flags, expected) in [
        // The announced origin set leaves `c` out, so no request for it comes.
        (&[][..], ["a b a b", "c c"]),
        // Without it, the first request for `c` gets a 421.
        (&["--no-origins"], ["a b c a b", "c c"]),
    ] {
        let mut server = world.serve_with(&[&["--access-log", "-"], flags].concat());
        let lines = server.output();
        let client = client(&world, &server, false);
        for host in ASKED {
            let answered = get(&client, &format!("https://{}/", name(host))).await;
            assert_eq!((answered.status, &*answered.content), (200, host));
        }
        drop(client);
        assert!(server.terminate().success());
        let requests = lines.lines().map(|line| {
            let line: Value = serde_json::from_str(&line.unwrap()).expect("the log is JSON");
            let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
            let authority = text("authority");
            let host = authority.split('.').next().unwrap_or_default();
            (text("peer"), host.to_owned())
        });
        assert_eq!(grouped(&requests.collect::<Vec<_>>()), expected, "{flags:?}");
    }
}
