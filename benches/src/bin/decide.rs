//! Decides one request repeatedly, so that callgrind can count the instructions of a decision. The
//! script `count-decide.sh` runs it.
#![allow(clippy::print_stdout, reason = "the program prints the verdicts")]

use std::hint::black_box;

use anyhow::{Context, bail};
use coalesce_core::{
    AuthorityTable, ClientCertificates, DnsName, GroupId, GroupPolicy, IdentifierSet, Memo,
    NamePattern, PresentedIdentifier, RequestTarget, ServerConnection, Verdict, VirtualHostId,
    decide,
};

const GROUP: GroupId = GroupId::new(1);

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [what, authority, decisions] = &words[..] else {
        bail!("usage: decide decide|memo AUTHORITY DECISIONS");
    };
    let decisions: usize = decisions.parse().context("a number of decisions")?;
    let mut table = AuthorityTable::builder();
    table.group(GROUP, GroupPolicy::default())?;
    table.group(GroupId::new(2), GroupPolicy::default())?;
    let own = ["a.own.test", "*.own.test", "other.test"].map(str::to_owned);
    let others = (0..1_000).map(|number| format!("n{number}.example.test"));
    for (number, name) in (0..).zip(own.into_iter().chain(others)) {
        let group = if name == "n1.example.test" { GroupId::new(2) } else { GROUP };
        table.entry(NamePattern::parse(name.as_bytes())?, VirtualHostId::new(number), group)?;
    }
    let table = table.build()?;
    let presented = ["a.own.test", "*.own.test", "gone.test", "b.test", "*.example.test"]
        .into_iter()
        .map(|name| PresentedIdentifier::parse_dns(name.as_bytes()))
        .collect::<Result<Vec<_>, _>>()?;
    let presented = IdentifierSet::build(presented)?;
    let connection = ServerConnection::tls(&presented, GROUP, ClientCertificates::NotAsked, 443)
        .with_server_name(DnsName::parse(b"a.own.test").ok());
    let request = RequestTarget::https(authority.as_bytes());
    let mut served = 0_usize;
    let mut count = |verdict: &Verdict| {
        served += usize::from(matches!(verdict, Verdict::Serve(_)));
    };
    match what.as_str() {
        "decide" => {
            for _ in 0..decisions {
                count(&decide(black_box(&table), black_box(&connection), black_box(&request)));
            }
        }
        "memo" => {
            let mut memo = Memo::new(connection);
            for _ in 0..decisions {
                count(&black_box(&mut memo).decide(black_box(&table), 0, black_box(&request)));
            }
        }
        other => bail!("decide or memo expected, '{other}' found"),
    }
    println!("{served} of {decisions} served");
    Ok(())
}
