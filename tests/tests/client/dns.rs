//! A scriptable DNS server, over UDP and TCP.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::svcb::{Alpn, IpHint, SvcParamKey, SvcParamValue};
use hickory_proto::rr::rdata::{A, AAAA, HTTPS, SOA, SVCB};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::AbortHandle;

use crate::gate::Gate;
use crate::place::{Place, name};

/// The number of the address where every DNS server of these tests is.
const NUMBER: u8 = 253;

/// The answer to a question.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Records with this time to live in seconds.
    Records(u32, Vec<RData>),
    /// A response code, as SERVFAIL.
    Fails(ResponseCode),
    /// The same over TCP, and an empty answer with the TC bit over UDP.
    OverTcp(Box<Reply>),
    /// The answer comes when the gate opens.
    After(Gate, Box<Reply>),
    Never,
}

/// A record of the type HTTPS (RFC 9460).
#[derive(Clone, Debug, Default)]
pub(crate) struct Https {
    pub(crate) priority: u16,
    /// The host of the target; empty for the owner.
    pub(crate) target: &'static str,
    pub(crate) alpn: &'static [&'static str],
    pub(crate) port: Option<u16>,
    pub(crate) hints: Vec<Ipv4Addr>,
}

impl From<Https> for RData {
    fn from(https: Https) -> Self {
        let target = match https.target {
            "" => Name::root(),
            host => Name::from_str(&format!("{}.", name(host))).expect("a name"),
        };
        let mut params = Vec::new();
        if !https.alpn.is_empty() {
            let ids = https.alpn.iter().map(|&id| id.to_owned()).collect();
            params.push((SvcParamKey::Alpn, SvcParamValue::Alpn(Alpn(ids))));
        }
        if let Some(port) = https.port {
            params.push((SvcParamKey::Port, SvcParamValue::Port(port)));
        }
        if !https.hints.is_empty() {
            let hints = IpHint(https.hints.into_iter().map(A).collect());
            params.push((SvcParamKey::Ipv4Hint, SvcParamValue::Ipv4Hint(hints)));
        }
        Self::HTTPS(HTTPS(SVCB::new(https.priority, target, params)))
    }
}

#[derive(Debug, Default)]
struct Zone {
    replies: HashMap<(String, RecordType), Reply>,
    asked: BTreeMap<(String, RecordType), usize>,
}

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Dns {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    tasks: [AbortHandle; 2],
}

impl Dns {
    pub(crate) async fn start(place: Place) -> Self {
        let address = place.address(NUMBER);
        let zone = Arc::<Mutex<Zone>>::default();
        let udp = UdpSocket::bind(address).await.expect("a free address");
        let tcp = TcpListener::bind(address).await.expect("a free address");
        let udp = tokio::spawn(serve_udp(Arc::new(udp), Arc::clone(&zone))).abort_handle();
        let tcp = tokio::spawn(serve_tcp(tcp, Arc::clone(&zone))).abort_handle();
        Self { address, zone, tasks: [udp, tcp] }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets the addresses of a host, which are stored for an hour.
    pub(crate) fn host(&self, host: &str, addresses: &[Ipv4Addr]) {
        self.host_with(3_600, host, addresses);
    }

    /// Sets the addresses of a host with a time to live.
    pub(crate) fn host_with(&self, ttl: u32, host: &str, addresses: &[Ipv4Addr]) {
        let records = addresses.iter().map(|&it| RData::A(A(it))).collect();
        self.reply(host, RecordType::A, Reply::Records(ttl, records));
    }

    /// Sets addresses of both families.
    pub(crate) fn addresses(&self, host: &str, addresses: &[IpAddr]) {
        for kind in [RecordType::A, RecordType::AAAA] {
            let of_kind = addresses.iter().filter(|it| it.is_ipv4() == (kind == RecordType::A));
            let records = of_kind.map(|it| match *it {
                IpAddr::V4(it) => RData::A(A(it)),
                IpAddr::V6(it) => RData::AAAA(AAAA(it)),
            });
            self.reply(host, kind, Reply::Records(3_600, records.collect()));
        }
    }

    /// Sets the HTTPS records of a host.
    pub(crate) fn https(&self, host: &str, records: impl IntoIterator<Item = Https>) {
        let records = records.into_iter().map(RData::from).collect();
        self.reply(host, RecordType::HTTPS, Reply::Records(3_600, records));
    }

    /// Sets the reply to a question. A host without replies does not exist, and a host without a
    /// reply of this type has no such records.
    pub(crate) fn reply(&self, host: &str, kind: RecordType, reply: Reply) {
        lock(&self.zone).replies.insert((name(host), kind), reply);
    }

    /// Returns how often a question was asked.
    pub(crate) fn asked(&self, host: &str, kind: RecordType) -> usize {
        lock(&self.zone).asked.get(&(name(host), kind)).copied().unwrap_or(0)
    }

    /// Returns the number of all questions.
    pub(crate) fn questions(&self) -> usize {
        lock(&self.zone).asked.values().sum()
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

fn lock(zone: &Mutex<Zone>) -> MutexGuard<'_, Zone> {
    zone.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve_udp(socket: Arc<UdpSocket>, zone: Arc<Mutex<Zone>>) {
    let mut query = [0; 4_096];
    loop {
        let (length, peer) = socket.recv_from(&mut query).await.expect("a datagram");
        let (query, zone, socket) = (query[..length].to_vec(), zone.clone(), socket.clone());
        tokio::spawn(async move {
            if let Some(answer) = answer(&query, &zone, false).await {
                // Fails if the client is gone.
                let _ = socket.send_to(&answer, peer).await;
            }
        });
    }
}

async fn serve_tcp(listener: TcpListener, zone: Arc<Mutex<Zone>>) {
    loop {
        let (socket, _) = listener.accept().await.expect("a connection");
        tokio::spawn(serve_stream(socket, zone.clone()));
    }
}

/// Answers the messages of a connection, each of which follows its length (RFC 1035 §4.2.2).
async fn serve_stream(mut socket: TcpStream, zone: Arc<Mutex<Zone>>) {
    while let Ok(length) = socket.read_u16().await {
        let mut query = vec![0; usize::from(length)];
        if socket.read_exact(&mut query).await.is_err() {
            return;
        }
        let Some(answer) = answer(&query, &zone, true).await else { continue };
        let length = u16::try_from(answer.len()).expect("a short answer").to_be_bytes();
        if socket.write_all(&[&length, &*answer].concat()).await.is_err() {
            return;
        }
    }
}

async fn answer(query: &[u8], zone: &Mutex<Zone>, over_tcp: bool) -> Option<Vec<u8>> {
    let query = Message::from_vec(query).expect("a DNS message");
    let question = query.queries.first().expect("a question").clone();
    let key = (question.name().to_ascii().trim_end_matches('.').to_owned(), question.query_type());
    let mut reply = {
        let mut zone = lock(zone);
        *zone.asked.entry(key.clone()).or_default() += 1;
        let exists = || zone.replies.keys().any(|(name, _)| *name == key.0);
        zone.replies.get(&key).cloned().unwrap_or_else(|| {
            if exists() {
                Reply::Records(0, Vec::new())
            } else {
                Reply::Fails(ResponseCode::NXDomain)
            }
        })
    };
    let zone_name = Name::from_str("test.").expect("a name");
    // How long a client may remember that there are no such records (RFC 2308 §5).
    let soa = SOA::new(zone_name.clone(), Name::root(), 1, 1, 1, 1, 3_600);
    let soa = Record::from_rdata(zone_name, 3_600, RData::SOA(soa));
    let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
    answer.metadata.recursion_available = true;
    answer.add_query(question.clone());
    loop {
        reply = match reply {
            Reply::Records(ttl, records) => {
                let name = question.name();
                let record = |data| Record::from_rdata(name.clone(), ttl, data);
                if records.is_empty() {
                    answer.add_authority(soa);
                }
                answer.add_answers(records.into_iter().map(record));
                break;
            }
            Reply::Fails(code) => {
                answer.metadata.response_code = code;
                answer.add_authority(soa);
                break;
            }
            Reply::OverTcp(reply) if over_tcp => *reply,
            Reply::OverTcp(_) => {
                answer.metadata.truncation = true;
                break;
            }
            Reply::After(gate, reply) => {
                gate.passed().await;
                *reply
            }
            Reply::Never => return None,
        };
    }
    Some(answer.to_vec().expect("a valid message"))
}
