use std::collections::HashMap;
use std::sync::Mutex;

use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::Record;
use hickory_resolver::proto::rr::rdata::svcb::{Alpn as AlpnIds, IpHint, Mandatory};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, HTTPS, SOA};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::*;
use crate::resolve::testing::{addresses, collect, question};

/// A DNS server on loopback. A query without records is answered with NXDOMAIN.
#[derive(Default)]
struct Server {
    records: HashMap<(&'static str, RecordType), Vec<RData>>,
    codes: HashMap<(&'static str, RecordType), ResponseCode>,
    /// Never answered.
    silent: Vec<(&'static str, RecordType)>,
    /// Answered over UDP without records and with the TC bit.
    truncated: Vec<&'static str>,
    asked: Mutex<Vec<String>>,
}

impl Server {
    fn on(mut self, name: &'static str, data: RData) -> Self {
        self.records.entry((name, data.record_type())).or_default().push(data);
        self
    }

    fn a(self, name: &'static str, last: u8) -> Self {
        self.on(name, RData::A(A([192, 0, 2, last].into())))
    }

    fn aaaa(self, name: &'static str, last: u16) -> Self {
        self.on(name, RData::AAAA(AAAA([0x2001, 0xdb8, 0, 0, 0, 0, 0, last].into())))
    }

    fn https(
        self,
        name: &'static str,
        priority: u16,
        target: &str,
        params: Vec<(SvcParamKey, SvcParamValue)>,
    ) -> Self {
        let target = Name::from_ascii(target).unwrap();
        self.on(name, RData::HTTPS(HTTPS(SVCB::new(priority, target, params))))
    }

    /// Returns the answer, or `None` for silence.
    fn answer(&self, bytes: &[u8], udp: bool) -> Option<Vec<u8>> {
        let asked = Message::from_vec(bytes).unwrap();
        let query = asked.queries[0].clone();
        let name = query.name().to_ascii().to_ascii_lowercase();
        let name = name.trim_end_matches('.');
        let kind = query.query_type();
        let way = if udp { "" } else { " tcp" };
        self.asked.lock().unwrap().push(format!("{name} {kind}{way}"));
        let is = |it: &&(&'static str, RecordType)| it.0 == name && it.1 == kind;
        if self.silent.iter().any(|it| is(&it)) {
            return None;
        }
        let mut message = Message::new(asked.metadata.id, MessageType::Response, OpCode::Query);
        message.metadata.recursion_available = true;
        message.add_query(query.clone());
        let found = self.records.iter().find(|(key, _)| is(key));
        let code = self.codes.iter().find(|(key, _)| is(key)).map(|(_, code)| *code);
        if udp && self.truncated.contains(&name) {
            message.metadata.truncation = true;
        } else if let Some((_, records)) = found {
            for data in records {
                message.add_answer(Record::from_rdata(query.name().clone(), 60, data.clone()));
            }
        } else {
            message.metadata.response_code = code.unwrap_or(ResponseCode::NXDomain);
            let root = Name::from_ascii("test.").unwrap();
            let soa = SOA::new(root.clone(), root.clone(), 1, 60, 60, 60, 60);
            message.add_authority(Record::from_rdata(root, 60, RData::SOA(soa)));
        }
        Some(message.to_vec().unwrap())
    }

    async fn start(self) -> (Arc<Self>, HickoryResolver) {
        let server = Arc::new(self);
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().unwrap();
        let this = Arc::clone(&server);
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            loop {
                let (len, from) = udp.recv_from(&mut buffer).await.unwrap();
                if let Some(answer) = this.answer(&buffer[..len], true) {
                    udp.send_to(&answer, from).await.unwrap();
                }
            }
        });
        let this = Arc::clone(&server);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = tcp.accept().await.unwrap();
                let this = Arc::clone(&this);
                tokio::spawn(async move {
                    while let Ok(len) = stream.read_u16().await {
                        let mut bytes = vec![0; len.into()];
                        stream.read_exact(&mut bytes).await.unwrap();
                        let answer = this.answer(&bytes, false).unwrap();
                        stream.write_u16(answer.len().try_into().unwrap()).await.unwrap();
                        stream.write_all(&answer).await.unwrap();
                    }
                });
            }
        });
        // A busy machine may need longer for the second answer than the usual delay.
        let delay = Duration::from_secs(if server.silent.is_empty() { 60 } else { 0 });
        (server, HickoryResolver::with_servers_and_delay([address], delay).unwrap())
    }

    fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.sort();
        asked
    }
}

async fn found(resolver: &HickoryResolver, host: &str, port: u16) -> Result<Vec<String>, String> {
    addresses(resolver.resolve(question(host, port))).await.map_err(|it| it.to_string())
}

fn list(addresses: &[&str]) -> Result<Vec<String>, String> {
    addresses.iter().map(|it| Ok((*it).to_owned())).collect()
}

fn alpn(ids: &[&str]) -> (SvcParamKey, SvcParamValue) {
    let ids = ids.iter().map(|it| (*it).to_owned()).collect();
    (SvcParamKey::Alpn, SvcParamValue::Alpn(AlpnIds(ids)))
}

#[tokio::test]
async fn three_queries_bring_both_families_and_are_remembered() {
    let (server, resolver) = Server::default().a("a.test", 1).aaaa("a.test", 1).start().await;
    let both = list(&["[2001:db8::1]:443", "192.0.2.1:443"]);
    assert_eq!(found(&resolver, "a.test", 443).await, both);
    assert_eq!(server.asked(), ["a.test A", "a.test AAAA", "a.test HTTPS"]);
    assert_eq!(found(&resolver, "a.test", 443).await, both);
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn https_record_brings_port_and_protocols() {
    let port = (SvcParamKey::Port, SvcParamValue::Port(9443));
    let (server, resolver) = Server::default()
        .a("a.test", 1)
        .https("_8443._https.a.test", 1, ".", vec![alpn(&["h2", "h3"]), port])
        .start()
        .await;
    let endpoints = collect(resolver.resolve(question("a.test", 8443))).await.unwrap();
    let of = |text: &str| text.parse::<SocketAddr>().unwrap();
    let expected = [
        (of("192.0.2.1:9443"), Alpn::from_ids([&b"h2"[..], b"h3", b"http/1.1"])),
        (of("192.0.2.1:8443"), Alpn::UNSAID),
    ];
    let endpoints: Vec<_> = endpoints.iter().map(|it| (it.address, it.alpn)).collect();
    assert_eq!(endpoints, expected);
    assert_eq!(server.asked()[0], "_8443._https.a.test HTTPS");
}

#[tokio::test]
async fn endpoint_for_http3_alone_is_marked() {
    let none = (SvcParamKey::NoDefaultAlpn, SvcParamValue::NoDefaultAlpn);
    let (_, resolver) = Server::default()
        .a("a.test", 1)
        .https("a.test", 1, ".", vec![alpn(&["h3"]), none])
        .start()
        .await;
    let endpoints = collect(resolver.resolve(question("a.test", 443))).await.unwrap();
    assert_eq!(endpoints.len(), 1);
    assert!(!endpoints[0].alpn.allows_tcp());
}

#[tokio::test]
async fn record_with_an_unknown_mandatory_parameter_is_ignored() {
    let mandatory = |key| (SvcParamKey::Mandatory, SvcParamValue::Mandatory(Mandatory(vec![key])));
    let port = |number| (SvcParamKey::Port, SvcParamValue::Port(number));
    let (_, resolver) = Server::default()
        .a("a.test", 1)
        .https("a.test", 1, ".", vec![mandatory(SvcParamKey::Key(65300)), port(1443)])
        .https("a.test", 2, ".", vec![mandatory(SvcParamKey::EchConfigList), port(2443)])
        .https("a.test", 3, ".", vec![mandatory(SvcParamKey::Port), port(3443)])
        .start()
        .await;
    let expected = list(&["192.0.2.1:3443", "192.0.2.1:443"]);
    assert_eq!(found(&resolver, "a.test", 443).await, expected);
}

#[tokio::test]
async fn alias_and_target_are_resolved_and_hints_are_not_needed() {
    let hint = IpHint(vec![A([192, 0, 2, 99].into())]);
    let hint = (SvcParamKey::Ipv4Hint, SvcParamValue::Ipv4Hint(hint));
    let (server, resolver) = Server::default()
        .https("a.test", 0, "b.test.", vec![])
        .https("b.test", 1, "c.test.", vec![hint])
        .a("b.test", 2)
        .a("c.test", 3)
        .start()
        .await;
    let expected = list(&["192.0.2.3:443", "192.0.2.2:443"]);
    assert_eq!(found(&resolver, "a.test", 443).await, expected);
    assert_eq!(server.asked().len(), 8);
}

#[tokio::test]
async fn failed_or_silent_https_query_does_not_fail_the_host() {
    let mut server = Server::default().a("a.test", 1).a("b.test", 2);
    server.codes.insert(("a.test", RecordType::HTTPS), ResponseCode::ServFail);
    server.silent.push(("b.test", RecordType::HTTPS));
    let (_, resolver) = server.start().await;
    assert_eq!(found(&resolver, "a.test", 443).await, list(&["192.0.2.1:443"]));
    assert_eq!(found(&resolver, "b.test", 443).await, list(&["192.0.2.2:443"]));
}

#[tokio::test]
async fn canonical_name_is_followed() {
    let cname = RData::CNAME(CNAME(Name::from_ascii("b.test.").unwrap()));
    let mut server = Server::default().a("b.test", 2);
    server.records.insert(("a.test", RecordType::A), vec![cname]);
    let (_, resolver) = server.start().await;
    assert_eq!(found(&resolver, "a.test", 443).await, list(&["192.0.2.2:443"]));
}

#[tokio::test]
async fn truncated_answer_is_asked_for_again_over_tcp() {
    let mut server = Server::default().a("a.test", 1).aaaa("a.test", 1);
    server.truncated.push("a.test");
    let (server, resolver) = server.start().await;
    let both = list(&["[2001:db8::1]:443", "192.0.2.1:443"]);
    assert_eq!(found(&resolver, "a.test", 443).await, both);
    assert!(server.asked().contains(&"a.test A tcp".to_owned()));
}

#[tokio::test]
async fn absent_host_is_an_error_that_is_remembered_and_a_server_failure_is_not() {
    let mut server = Server::default();
    for kind in [RecordType::A, RecordType::AAAA, RecordType::HTTPS] {
        server.codes.insert(("b.test", kind), ResponseCode::ServFail);
    }
    let (server, resolver) = server.start().await;
    let absent = Err("no address for a.test".to_owned());
    assert_eq!(found(&resolver, "a.test", 443).await, absent);
    assert_eq!(server.asked().len(), 3);
    assert_eq!(found(&resolver, "a.test", 443).await, absent);
    assert!(server.asked().is_empty());
    let error = found(&resolver, "b.test", 443).await.unwrap_err();
    assert!(error.starts_with("no address for b.test: DNS error"), "{error}");
    server.asked();
    assert!(found(&resolver, "b.test", 443).await.is_err());
    assert!(!server.asked().is_empty());
}

#[tokio::test]
async fn hosts_file_comes_before_dns() {
    let (server, resolver) = Server::default()
        .a("a.test", 1)
        .aaaa("a.test", 1)
        .https("a.test", 1, "elsewhere.test.", vec![])
        .start()
        .await;
    let mut hosts = Hosts::default();
    hosts.read_hosts_conf(&b"192.0.2.7 a.test\n"[..]).unwrap();
    let lookup = Hickory { resolver: resolver.resolution.lookup().resolver.clone(), hosts };
    let search = SearchList { ndots: 1, suffixes: vec!["x.test".parse().unwrap()] };
    let resolver = HickoryResolver::build(lookup, search, RESOLUTION_DELAY);
    assert_eq!(found(&resolver, "a.test", 443).await, list(&["192.0.2.7:443"]));
    let loopback = list(&["[::1]:443", "127.0.0.1:443"]);
    assert_eq!(found(&resolver, "localhost", 443).await, loopback);
    assert!(server.asked().is_empty());
}

#[test]
fn resolver_can_be_made_outside_of_a_runtime() {
    let resolver = HickoryResolver::with_servers(["127.0.0.1:53".parse().unwrap()]).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let loopback = list(&["[::1]:443", "127.0.0.1:443"]);
    assert_eq!(runtime.block_on(found(&resolver, "localhost", 443)), loopback);
}
