//! A DNS server that knows the hosts of the pages and counts the questions for them.

use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::net::UdpSocket;

use crate::counts::Counters;

/// The types of records (RFC 1035 §3.2.2, RFC 3596 §2.1, RFC 9460 §14.1).
const A: u16 = 1;
const AAAA: u16 = 28;
const HTTPS: u16 = 65;

/// The record of a zone (RFC 1035 §3.3.13) behind an answer without records. Resolvers keep such an
/// answer for five minutes because of it (RFC 2308 §5). The name is a pointer to the question.
#[rustfmt::skip]
const SOA: [u8; 34] = [
    0xc0, 12, 0, 6, 0, 1, 0, 0, 1, 44, 0, 22, 0, 0,
    0, 0, 0, 1, 0, 0, 14, 16, 0, 0, 3, 132, 0, 9, 58, 128, 0, 0, 1, 44,
];

/// The length of a message's header (RFC 1035 §4.1.1).
const HEADER: usize = 12;

/// Answers questions until the socket fails.
pub(crate) async fn serve(
    socket: UdpSocket,
    hosts: HashMap<String, Vec<Ipv4Addr>>,
    counters: Arc<Counters>,
) -> io::Result<()> {
    let mut buffer = [0; 1500];
    loop {
        let (len, from) = socket.recv_from(&mut buffer).await?;
        if let Some(answer) = answer(&buffer[..len], &hosts, &counters) {
            socket.send_to(&answer, from).await?;
        }
    }
}

/// Returns the answer to a question. A host has addresses of version 4 and no other records.
fn answer(
    message: &[u8],
    hosts: &HashMap<String, Vec<Ipv4Addr>>,
    counters: &Counters,
) -> Option<Vec<u8>> {
    let (name, end) = name(message)?;
    let kind = u16::from_be_bytes(message.get(end..end + 2)?.try_into().ok()?);
    let question = message.get(HEADER..end + 4)?;
    match kind {
        A => counters.dns_a.add(),
        AAAA => counters.dns_aaaa.add(),
        HTTPS => counters.dns_https.add(),
        _ => counters.dns_other.add(),
    }
    let known = hosts.get(&name);
    let addresses = known.filter(|_| kind == A).map_or(&[][..], Vec::as_slice);
    let mut answer = message.get(..2)?.to_vec();
    // An authoritative answer. The code is 3 for a name that does not exist.
    answer.extend([0x85, if known.is_some() { 0x80 } else { 0x83 }, 0, 1, 0]);
    answer.push(u8::try_from(addresses.len()).ok()?);
    answer.extend([0, u8::from(addresses.is_empty()), 0, 0]);
    answer.extend_from_slice(question);
    if addresses.is_empty() {
        answer.extend(SOA);
    }
    for address in addresses {
        // The name is a pointer to the question; the record lives for five minutes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4]);
        answer.extend(address.octets());
    }
    Some(answer)
}

/// Reads the name of the first question, and returns its end.
fn name(message: &[u8]) -> Option<(String, usize)> {
    let (mut name, mut at) = (String::new(), HEADER);
    loop {
        let len = usize::from(*message.get(at)?);
        at += 1;
        match len {
            0 => return Some((name, at)),
            1..=63 => {
                if !name.is_empty() {
                    name.push('.');
                }
                let label = std::str::from_utf8(message.get(at..at + len)?).ok()?;
                name.push_str(&label.to_ascii_lowercase());
                at += len;
            }
            // No client compresses a question.
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(name: &str, kind: u16) -> Vec<u8> {
        let mut message = vec![7, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            message.push(u8::try_from(label.len()).unwrap());
            message.extend(label.as_bytes());
        }
        message.push(0);
        message.extend(kind.to_be_bytes());
        message.extend([0, 1]);
        message
    }

    #[test]
    fn question_for_addresses_gets_all_of_them() {
        let hosts = HashMap::from([("a.test".to_owned(), vec![Ipv4Addr::new(10, 77, 1, 2); 2])]);
        let counters = Counters::default();
        let asked = question("A.test", A);
        let got = answer(&asked, &hosts, &counters).unwrap();
        assert_eq!(got[..4], [7, 9, 0x85, 0x80]);
        assert_eq!(got[7], 2);
        assert_eq!(got[HEADER..asked.len()], asked[HEADER..]);
        assert_eq!(got[got.len() - 4..], [10, 77, 1, 2]);
        assert_eq!(counters.take().dns_a, 1);
    }

    #[test]
    fn other_questions_get_no_record() {
        let hosts = HashMap::from([("a.test".to_owned(), vec![Ipv4Addr::LOCALHOST])]);
        let counters = Counters::default();
        let got = answer(&question("a.test", HTTPS), &hosts, &counters).unwrap();
        assert_eq!((got[3], got[7], got[9]), (0x80, 0, 1));
        assert_eq!(got[got.len() - 4..], [0, 0, 1, 44], "kept for five minutes");
        let got = answer(&question("b.test", A), &hosts, &counters).unwrap();
        assert_eq!((got[3], got[7]), (0x83, 0));
        assert!(answer(&[0; 5], &hosts, &counters).is_none());
    }
}
