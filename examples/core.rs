//! The core alone in a server with threads and blocking sockets: `example-core`. It speaks plain
//! HTTP/1.1 and has two virtual hosts in two groups; its listener accepts one of the groups.
#![allow(clippy::print_stdout, reason = "prints the address it listens on")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use coalesce_core::{
    AuthorityTable, GroupId, GroupPolicy, HostField, MethodKind, NamePattern, RequestTarget,
    ServerConnection, Verdict, VirtualHostId, decide,
};

const PUBLIC: GroupId = GroupId::new(0);
const STAFF: GroupId = GroupId::new(1);

fn main() -> anyhow::Result<()> {
    let mut table = AuthorityTable::builder();
    table.group(PUBLIC, GroupPolicy::default())?.group(STAFF, GroupPolicy::default())?;
    table.entry(NamePattern::parse(b"shop.test")?, VirtualHostId::new(0), PUBLIC)?;
    table.entry(NamePattern::parse(b"staff.test")?, VirtualHostId::new(1), STAFF)?;
    let table = Arc::new(table.build()?);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    println!("listening on 127.0.0.1:{port}");
    for socket in listener.incoming() {
        let (socket, table) = (socket?, table.clone());
        // An error ends this connection only.
        thread::spawn(move || serve(socket, &table, port).ok());
    }
    Ok(())
}

/// Serves one request after the other, without bodies, until the client closes or sends a malformed
/// request.
fn serve(mut socket: TcpStream, table: &AuthorityTable, port: u16) -> anyhow::Result<()> {
    let connection = ServerConnection::cleartext(PUBLIC, [port, 80]);
    let (mut buffer, mut filled) = ([0; 8192], 0);
    while let count @ 1.. = socket.read(&mut buffer[filled..])? {
        filled += count;
        loop {
            let mut fields = [httparse::EMPTY_HEADER; 64];
            let mut request = httparse::Request::new(&mut fields);
            let httparse::Status::Complete(end) = request.parse(&buffer[..filled])? else { break };
            let fields = || request.headers.iter().map(|field| (field.name, field.value));
            let named = |wanted: &'static str| {
                fields().filter(move |(name, _)| name.eq_ignore_ascii_case(wanted))
            };
            let plain = ["content-length", "transfer-encoding", "expect"];
            let origin_form = request.path.is_some_and(|path| path.starts_with('/'));
            anyhow::ensure!(origin_form && plain.iter().all(|name| named(name).next().is_none()));
            let target = RequestTarget {
                authority: None,
                host: HostField::collect(named("host").map(|(_, value)| value)),
                scheme: None,
                method: MethodKind::Ordinary,
            };
            let (status, text) = match decide(table, &connection, &target) {
                Verdict::Serve(proof) => ("200 OK", format!("{:?}\n", proof.virtual_host())),
                Verdict::Misdirected(_) => ("421 Misdirected Request", "not here\n".into()),
                Verdict::Malformed(_) => ("400 Bad Request", "not understood\n".into()),
            };
            let length = text.len();
            write!(socket, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{text}")?;
            buffer.copy_within(end..filled, 0);
            filled -= end;
        }
    }
    Ok(())
}
