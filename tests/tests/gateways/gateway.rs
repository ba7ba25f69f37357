//! Gateways as the system has them, and their clients.

use std::fmt;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use coalesce_tests::installed::{self, START_MAX};
use coalesce_tests::{Curl, Server, World, curl, tls};
use rustls::{ClientConnection, StreamOwned};
use serde_json::{Value, json};

use crate::application;

/// A kind of gateway.
struct Kind {
    name: &'static str,
    program: &'static str,
    /// How the server is reached.
    upstream: &'static str,
    /// Returns the configuration of a gateway at the first address, for the server at the second.
    configuration: fn(address: SocketAddr, upstream: SocketAddr, world: &World) -> String,
    arguments: &'static [&'static str],
}

static KINDS: [Kind; 5] = [
    Kind {
        name: "nginx",
        program: "nginx",
        upstream: "HTTP/1.1, gRPC",
        configuration: nginx,
        arguments: &["-e", "stderr", "-c"],
    },
    Kind {
        name: "HAProxy",
        program: "haproxy",
        upstream: "HTTP/1.1",
        configuration: |address, upstream, world| haproxy(address, upstream, world, ""),
        arguments: &["-db", "-f"],
    },
    Kind {
        name: "HAProxy",
        program: "haproxy",
        upstream: "HTTP/2",
        configuration: |address, upstream, world| haproxy(address, upstream, world, "proto h2"),
        arguments: &["-db", "-f"],
    },
    Kind {
        name: "Envoy",
        program: "envoy",
        upstream: "HTTP/1.1",
        configuration: |address, upstream, world| envoy(address, upstream, world, "all"),
        arguments: ENVOY_ARGUMENTS,
    },
    Kind {
        name: "Envoy",
        program: "envoy",
        upstream: "HTTP/2",
        configuration: |address, upstream, world| envoy(address, upstream, world, "http2"),
        arguments: ENVOY_ARGUMENTS,
    },
];

/// Without hot restart, several processes share nothing.
const ENVOY_ARGUMENTS: &[&str] =
    &["--disable-hot-restart", "--concurrency", "1", "--log-level", "error", "-c"];

/// Everything of nginx stays in its folder, and it is one process.
fn nginx(address: SocketAddr, upstream: SocketAddr, world: &World) -> String {
    let folder = world.path("");
    let folder = folder.display();
    let fields = |directive: &str| {
        format!("{directive} Host $http_host; {directive} X-Forwarded-Proto $scheme;")
    };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {folder}/{name};\n"))
        .concat();
    format!(
        "daemon off; master_process off; pid {folder}/pid;
events {{}}
http {{
  access_log off;
  {temporary}
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream server {{ server {upstream}; keepalive 4; }}
  server {{
    listen {address} ssl http2;
    ssl_certificate {folder}/site.pem;
    ssl_certificate_key {folder}/site.key;
    client_max_body_size 0;
    location / {{
      proxy_pass http://server;
      proxy_http_version 1.1;
      {proxy}
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
    }}
    location /grpc. {{ grpc_pass grpc://server; {grpc} }}
  }}
}}
",
        proxy = fields("proxy_set_header"),
        grpc = fields("grpc_set_header"),
    )
}

/// gRPC goes to the server over HTTP/2, whatever the others do.
fn haproxy(address: SocketAddr, upstream: SocketAddr, world: &World, protocol: &str) -> String {
    let both = ["pem", "key"].map(|end| fs::read(world.path(&format!("site.{end}"))));
    let both = both.map(|file| file.expect("a file of this world")).concat();
    fs::write(world.path("both.pem"), both).expect("the folder is writable");
    let certificate = world.path("both.pem");
    format!(
        "global
  maxconn 100
defaults
  mode http
  timeout connect 60s
  timeout client 60s
  timeout server 60s
frontend clients
  bind {address} ssl crt {certificate} alpn h2,http/1.1
  http-request set-header X-Forwarded-Proto https
  use_backend grpc if {{ path_beg /grpc. }}
  default_backend all
backend all
  server one {upstream} {protocol}
backend grpc
  server one {upstream} proto h2
",
        certificate = certificate.display(),
    )
}

const ENVOY_EXTENSIONS: &str = "type.googleapis.com/envoy.extensions";

/// Returns an extension of this kind.
fn extension(name: &str, kind: &str, mut options: Value) -> Value {
    options["@type"] = format!("{ENVOY_EXTENSIONS}.{kind}").into();
    json!({ "name": name, "typed_config": options })
}

fn envoy_address(address: SocketAddr) -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": address.port() } })
}

/// Returns the server at this address, which Envoy reaches by this protocol.
fn envoy_cluster(name: &str, upstream: SocketAddr, protocol: &Value) -> Value {
    let endpoint = json!({ "endpoint": { "address": envoy_address(upstream) } });
    json!({
        "name": name,
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [endpoint] }],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": format!("{ENVOY_EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions"),
                "explicit_http_config": protocol,
            },
        },
    })
}

/// `cluster` gets all requests except gRPC calls, which go to the server over HTTP/2.
fn envoy(address: SocketAddr, upstream: SocketAddr, world: &World, cluster: &str) -> String {
    let file = |name: &str| json!({ "filename": world.path(name) });
    let route = |prefix: &str, cluster: &str| json!({ "match": { "prefix": prefix }, "route": { "cluster": cluster, "timeout": "0s" } });
    let routes = [route("/grpc.", "http2"), route("/", cluster)];
    let filter = extension("envoy.filters.http.router", "filters.http.router.v3.Router", json!({}));
    let manager = json!({
        "stat_prefix": "clients",
        "use_remote_address": true,
        "upgrade_configs": [{ "upgrade_type": "websocket" }],
        "route_config": {
            "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": routes }],
        },
        "http_filters": [filter],
    });
    let manager = extension(
        "envoy.filters.network.http_connection_manager",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        manager,
    );
    let certificate =
        json!({ "certificate_chain": file("site.pem"), "private_key": file("site.key") });
    let tls = extension(
        "envoy.transport_sockets.tls",
        "transport_sockets.tls.v3.DownstreamTlsContext",
        json!({ "common_tls_context": {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_certificates": [certificate],
        } }),
    );
    let chain = json!({ "transport_socket": tls, "filters": [manager] });
    let listener = json!({ "address": envoy_address(address), "filter_chains": [chain] });
    let clusters = [
        envoy_cluster("all", upstream, &json!({ "http_protocol_options": {} })),
        envoy_cluster(
            "http2",
            upstream,
            &json!({ "http2_protocol_options": { "allow_connect": true } }),
        ),
    ];
    let resources = json!({ "listeners": [listener], "clusters": clusters });
    json!({ "static_resources": resources }).to_string()
}

/// A running gateway.
pub(crate) struct Gateway {
    kind: &'static Kind,
    world: World,
    server: Server,
}

/// Starts those that are installed, each in front of another server.
pub(crate) fn all() -> impl Iterator<Item = Gateway> {
    KINDS.iter().filter_map(Gateway::start)
}

impl Gateway {
    /// `None` and a line on standard error where the program is not installed, or a panic when the
    /// environment says CI.
    fn start(kind: &'static Kind) -> Option<Self> {
        let program = installed::find(kind.program, &format!("behind {}", kind.name))?;
        let world = World::new(&[("site", &["shop.test", "elsewhere.test"])], "");
        fs::write(world.path("call"), [0; 5]).expect("the folder is writable");
        fs::write(world.path("upload"), vec![b'x'; 200_000]).expect("the folder is writable");
        let upstream = application::start();
        // Free until the gateway takes it: the system gives no port twice in a row.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let address = free.expect("a free port");
        let configuration = (kind.configuration)(address, upstream, &world);
        let server = installed::start(&world, address, &program, kind.arguments, &configuration);
        Some(Self { kind, world, server })
    }

    /// Returns whether it speaks HTTP/1.1 to the server.
    pub(crate) fn speaks_http1(&self) -> bool {
        self.kind.upstream.starts_with("HTTP/1.1")
    }

    pub(crate) fn get(&self, host: &str, more: &[&str]) -> Curl {
        self.ask(host, "/", more)
    }

    pub(crate) fn ask(&self, host: &str, path: &str, more: &[&str]) -> Curl {
        curl(&self.world, &self.server, &format!("https://{host}{path}"), None, more)
    }

    /// Asks for a WebSocket over HTTP/1.1.
    pub(crate) fn upgrade(&self, host: &str, path: &str) -> Upgraded {
        let mut config = tls::config(&self.world, tls::BOTH, None);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let socket = TcpStream::connect(self.server.address).expect("the gateway listens");
        socket.set_read_timeout(Some(START_MAX)).expect("a timeout");
        let mut stream = StreamOwned::new(tls::connection(config, host), socket);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("the gateway reads");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("the gateway answers");
            head.extend(byte);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let status = head.get(9..12).and_then(|digits| digits.parse().ok()).unwrap_or(0);
        Upgraded { status, head, stream }
    }
}

impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} over {}", self.kind.name, self.kind.upstream)
    }
}

/// The answer to a handshake, and the connection after it.
pub(crate) struct Upgraded {
    pub(crate) status: u16,
    pub(crate) head: String,
    stream: StreamOwned<ClientConnection, TcpStream>,
}

impl Upgraded {
    /// Sends a message and returns as many bytes of the answer.
    pub(crate) fn echo(&mut self, message: &str) -> String {
        self.stream.write_all(message.as_bytes()).expect("the connection is open");
        let mut answer = vec![0; message.len()];
        self.stream.read_exact(&mut answer).expect("the connection is open");
        String::from_utf8_lossy(&answer).into_owned()
    }
}
