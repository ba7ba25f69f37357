//! Names from a compiled table.

use coalesce_core::{
    AuthorityTable, Entry, GroupId, GroupPolicy, NamePattern, TableEntry, VirtualHostId,
};
use coalesce_site::{GroupSettings, Host, SiteBuilder, Subject, TableMismatch};

use crate::support::{Ca, Client, Text, builder, misdirected, serve, served};

/// Makes a table of the groups of `site`, with its names and these: pattern, host, group.
fn table(site: SiteBuilder<Text>, more: &[(&str, u32, u32)]) -> Vec<u8> {
    let site = site.build().unwrap();
    let snapshot = site.snapshot();
    let own = snapshot.authorities();
    let mut table = AuthorityTable::builder();
    for (id, policy) in own.groups() {
        table.group(id, policy).unwrap();
    }
    for TableEntry { pattern, virtual_host, group, .. } in own.entries() {
        table.entry(pattern.as_pattern().unwrap(), virtual_host, group).unwrap();
    }
    for (name, host, group) in more {
        let pattern = NamePattern::parse(name.as_bytes()).unwrap();
        let entry = Entry::new(VirtualHostId::new(*host), GroupId::new(*group));
        table.insert(pattern, entry).unwrap();
    }
    table.build().unwrap().as_bytes().to_vec()
}

/// Two hosts in separate groups, whose certificates cover more than their names.
fn site(ca: &Ca) -> SiteBuilder<Text> {
    let staff =
        Host::new("staff.test", ca.identity(&["staff.test", "*.staff.test"]), Text("staff"));
    builder()
        .group("default", GroupSettings::new())
        .group("staff", GroupSettings::new().isolated())
        .host("shop.test", ca.identity(&["shop.test", "more.test", "192.0.2.1"]), Text("shop"))
        .add_host(staff.group("staff"))
}

#[tokio::test]
async fn names_of_a_compiled_table_are_served() {
    let ca = Ca::new();
    let bytes = table(site(&ca), &[("more.test", 0, 0), ("*.staff.test", 1, 1)]);
    let site = site(&ca).compiled_table("names.table", bytes).build().unwrap();
    let address = serve(&site).await;
    let mut client = Client::connect(&ca, address, "more.test", None).await;
    assert_eq!(client.get("more.test").await, served("shop"));
    assert_eq!(client.get("shop.test").await, served("shop"));
    assert_eq!(client.get("a.staff.test").await, misdirected());
    let mut client = Client::connect(&ca, address, "a.staff.test", None).await;
    assert_eq!(client.get("b.staff.test").await, served("staff"));
    assert_eq!(client.get("more.test").await, misdirected());
    // A certificate must cover the names of the table as well.
    let errors = site.replace_identity("shop.test", &ca.identity(&["shop.test"])).unwrap_err();
    let expected = "compiled table \"names.table\": entries: does not fit: \"more.test\" is not \
                    covered by the certificate, which presents DNS:shop.test; ";
    assert!(errors.to_string().starts_with(expected), "{errors}");
    let renewed = ca.identity(&["shop.test", "more.test"]);
    site.replace_identity("shop.test", &renewed).unwrap();
    assert!(site.explain(Some("more.test"), "shop.test").is_served());
}

#[test]
fn table_of_other_hosts_or_groups_is_refused() {
    let ca = Ca::new();
    let more = [("more.test", 0, 0), ("a.staff.test", 1, 1)];
    let bytes = table(site(&ca), &more);
    let refused = |site: SiteBuilder<Text>, bytes: &[u8]| {
        let errors = site.compiled_table("names.table", bytes.to_vec()).build().unwrap_err();
        errors.iter().map(ToString::to_string).collect::<Vec<String>>()
    };
    let fault = |text: &str| {
        format!(
            "compiled table \"names.table\": entries: does not fit: {text}; compile the table again"
        )
    };
    let no_table = refused(site(&ca), b"nonsense");
    assert!(no_table[0].starts_with("compiled table \"names.table\": bytes: "), "{no_table:?}");

    // A name that is missing in the table, and one of another host there.
    let third = Host::new("x.test", ca.identity(&["x.test"]), Text("x"));
    let found = refused(site(&ca).add_host(third), &bytes);
    let expected =
        "host \"x.test\": name: \"x.test\" is not in names.table; compile the table again";
    assert_eq!(found, [expected]);
    let swapped = table(
        builder()
            .group("default", GroupSettings::new())
            .group("staff", GroupSettings::new().isolated())
            .add_host(
                Host::new("staff.test", ca.identity(&["staff.test"]), Text("")).group("staff"),
            )
            .host("shop.test", ca.identity(&["shop.test"]), Text("")),
        &[],
    );
    let found = refused(site(&ca), &swapped);
    let expected = "host \"shop.test\": name: \"shop.test\" is of virtual host 1, \"staff.test\" in \
                    names.table; compile the table again";
    assert_eq!(found[0], expected);

    // Groups.
    let merged = || {
        let site = builder().host("shop.test", ca.identity(&["shop.test", "more.test"]), Text(""));
        site.host("staff.test", ca.identity(&["staff.test", "a.staff.test"]), Text(""))
    };
    let found = refused(merged(), &bytes);
    assert!(found.contains(&fault("it has group 1, and there are 1 here, counted from 0")));
    let expected = "\"staff.test\" is in group 1, and its virtual host \"staff.test\" is in group \
                    0, \"default\" here";
    assert!(found.contains(&fault(expected)), "{found:#?}");
    let observed = site(&ca).group("more", GroupSettings::new().observed());
    let found = refused(observed, &bytes);
    assert_eq!(found, [fault("it has no group 2, \"more\" here")]);

    // Entries that the certificate does not cover, and hosts that are not there.
    let found = refused(site(&ca), &table(site(&ca), &[("y.test", 0, 0), ("z.test", 2, 0)]));
    assert!(found[0].contains("\"y.test\" is not covered by the certificate"), "{found:#?}");
    let expected = "\"z.test\" is of virtual host 2, and there are 2 here, counted from 0";
    assert_eq!(found[1], fault(expected));
}

#[test]
fn error_of_a_compiled_table_has_its_subject() {
    let ca = Ca::new();
    let mut empty = AuthorityTable::builder();
    empty.group(GroupId::new(0), GroupPolicy::default()).unwrap();
    let empty = empty.build().unwrap().as_bytes().to_vec();
    let errors = builder().host("a.test", ca.identity(&["a.test"]), Text("a"));
    let errors = errors.compiled_table("names.table", empty).build().unwrap_err();
    let found: Vec<_> = errors
        .iter()
        .map(|error| {
            let mismatch = error.reason().downcast_ref::<TableMismatch>().is_some();
            (error.subject().clone(), error.field(), error.item(), mismatch)
        })
        .collect();
    let table = Subject::CompiledTable("names.table".to_owned());
    let host = Subject::Host("a.test".to_owned());
    let expected = [(host, "name", Some("a.test"), true), (table, "entries", None, true)];
    assert_eq!(found, expected);
}

/// Clients that connect to an address send no server name.
#[test]
fn address_of_a_compiled_table_needs_the_default_host_as_any_other() {
    let ca = Ca::new();
    let bytes = table(site(&ca), &[("192.0.2.1", 0, 0)]);
    let with = |default: Option<&str>| {
        let site = site(&ca).compiled_table("names.table", bytes.clone());
        default.into_iter().fold(site, SiteBuilder::default_host)
    };
    assert!(with(Some("shop.test")).build().unwrap().warnings().is_empty());
    let unreachable = with(None).build().unwrap().warnings();
    assert!(unreachable[0].to_string().contains("\"192.0.2.1\" cannot be reached"));
    let errors = with(Some("staff.test")).build().unwrap_err().to_string();
    assert!(errors.contains("\"192.0.2.1\" would be answered 421 on its own connections"));
}
