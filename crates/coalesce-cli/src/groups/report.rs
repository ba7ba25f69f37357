//! Every group, the names that its connections may carry, and the differences between groups.

use std::collections::BTreeMap;

use coalesce_core::GroupId;
use coalesce_site::{Overlap, OverlapReason, SiteGroup};
use serde::{Serialize, Serializer};

use crate::config::Site;
use crate::groups::connections::{ConnectionReport, connections};
use crate::groups::difference::{self, Difference};

/// The whole report, as `--json` writes it.
#[derive(Debug, Serialize)]
pub(super) struct GroupsReport<'a> {
    pub(super) groups: Vec<GroupReport<'a>>,
    pub(super) apart: GroupPairs<'a>,
    /// Listeners that share a port and overlap.
    pub(super) overlaps: Vec<OverlapReport<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct GroupReport<'a> {
    pub(super) name: &'a str,
    /// The groups of the file that are equal to this one, and therefore the same.
    pub(super) also: &'a [String],
    #[serde(serialize_with = "as_map")]
    pub(super) policy: Vec<(&'static str, String)>,
    /// The names whose `coalesce` differs from that of the group, by its value.
    pub(super) own_coalesce: BTreeMap<&'static str, Vec<&'a str>>,
    pub(super) connections: Vec<ConnectionReport<'a>>,
}

/// The overlap of a listener with others on its port.
#[derive(Debug, Serialize)]
pub(super) struct OverlapReport<'a> {
    pub(super) listener: &'a str,
    pub(super) reason: &'static str,
    /// The others.
    pub(super) with: &'a [String],
}

impl<'a> From<&'a Overlap> for OverlapReport<'a> {
    fn from(overlap: &'a Overlap) -> Self {
        // These are the terms of the Gateway API.
        let reason = match overlap.reason {
            OverlapReason::OverlappingHostnames => "OverlappingHostnames",
            _ => "OverlappingCertificates",
        };
        Self { listener: &overlap.listener, reason, with: &overlap.with }
    }
}

/// All pairs of groups. They are compared when the report is written, because n groups make n²
/// pairs.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupPairs<'a>(&'a [SiteGroup]);

/// Two groups, and the reasons why no connection is in both.
#[derive(Debug, Serialize)]
pub(super) struct Apart<'a> {
    pub(super) groups: [&'a str; 2],
    pub(super) because: Vec<Difference>,
}

impl<'a> GroupPairs<'a> {
    pub(super) fn iter(self) -> impl Iterator<Item = Apart<'a>> {
        self.0.iter().enumerate().flat_map(move |(number, one)| {
            self.0.iter().skip(number + 1).map(move |other| Apart {
                groups: [one.name(), other.name()],
                because: difference::between(one, other),
            })
        })
    }

    pub(super) fn len(self) -> usize {
        self.0.len() * self.0.len().saturating_sub(1) / 2
    }
}

impl Serialize for GroupPairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

pub(super) fn report(site: &Site) -> GroupsReport<'_> {
    let groups = site.groups().iter().zip(0..);
    let reports = groups.map(|(group, number)| GroupReport {
        name: group.name(),
        also: group.also(),
        policy: difference::fields(group).into(),
        own_coalesce: own_coalesce(site, GroupId::new(number)),
        connections: connections(site, GroupId::new(number)),
    });
    let overlaps = site.overlaps().iter().map(OverlapReport::from).collect();
    GroupsReport { groups: reports.collect(), apart: GroupPairs(site.groups()), overlaps }
}

fn own_coalesce(site: &Site, group: GroupId) -> BTreeMap<&'static str, Vec<&str>> {
    let mut own: BTreeMap<&'static str, Vec<&str>> = BTreeMap::new();
    for host in site.hosts() {
        let Some(coalesce) = host.coalesce().filter(|_| host.group_id() == group) else { continue };
        let names = host.names().iter().map(String::as_str);
        own.entry(difference::coalesce(coalesce)).or_default().extend(names);
    }
    own
}

fn as_map<S: Serializer>(
    fields: &[(&'static str, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(fields.iter().map(|(field, value)| (field, value)))
}
