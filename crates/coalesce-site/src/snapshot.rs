//! One immutable version of a site.

use std::sync::Arc;

use bytes::Bytes;
use coalesce_core::{AuthorityTable, AuthorityTableBuilder, VirtualHostId};
#[cfg(feature = "tower")]
use coalesce_tower::CoalesceLayer;

use crate::announced;
use crate::carried::Carried;
#[cfg(feature = "tower")]
use crate::decision::Decision;
use crate::error::{Notes, SiteErrors, SiteWarning};
use crate::identity::Identity;
#[cfg(feature = "origin")]
use crate::origin_sets::OriginSets;
use crate::overlaps::{self, Overlap};
use crate::own_connections;
use crate::plan::{Plan, group_id};
use crate::served_host::{HostEntry, ServedHost};
use crate::tables::{self, Tables};

/// One version of a site, ready to serve.
///
/// The numbers of hosts and groups are valid in one snapshot only: look a host up in the snapshot
/// whose tables made the proof.
pub(crate) struct Snapshot<T> {
    /// The number of the snapshot; later snapshots have higher ones.
    pub(crate) generation: u64,
    pub(crate) plan: Arc<Plan>,
    pub(crate) tables: Arc<Tables>,
    pub(crate) overlaps: Arc<[Overlap]>,
    pub(crate) warnings: Arc<[SiteWarning]>,
    /// The hosts, by the number of their [`VirtualHostId`].
    hosts: Arc<[ServedHost<T>]>,
    #[cfg(feature = "origin")]
    pub(crate) origin_sets: OriginSets,
    /// The layer that decides by the tables of this snapshot.
    #[cfg(feature = "tower")]
    pub(crate) layer: CoalesceLayer<Decision>,
}

impl<T> Snapshot<T> {
    /// Builds a snapshot of a plan. `values` are the values of the hosts, in their order.
    pub(crate) fn build(
        plan: Plan,
        names: &AuthorityTableBuilder,
        values: Vec<T>,
        carried: &Carried,
    ) -> Result<Self, SiteErrors> {
        let plan = plan.open_compiled()?;
        let hosts = plan.hosts.iter().zip(values).map(|(host, value)| {
            let group = plan.groups.get(host.group).map(|group| group.name.clone());
            ServedHost::new(Arc::new(HostEntry {
                label: host.label.clone(),
                names: host.names.clone(),
                group: group.unwrap_or_default(),
                group_id: group_id(host.group),
                coalesce: host.coalesce,
                value,
            }))
        });
        let hosts = hosts.collect();
        let authorities = tables::authorities(&plan, names)?;
        Self::build_tables(plan, authorities, hosts, carried)
    }

    /// Builds a snapshot with another certificate for the host with this label or name, and for
    /// every host that shares its identity.
    pub(crate) fn with_identity(
        &self,
        name: &str,
        identity: &Identity,
        carried: &Carried,
    ) -> Result<Self, SiteErrors> {
        let plan = self.plan.with_identity(name, identity)?.open_compiled()?;
        Self::build_tables(plan, self.tables.authorities.clone(), self.hosts.clone(), carried)
    }

    fn build_tables(
        plan: Plan,
        authorities: Arc<AuthorityTable<Bytes>>,
        hosts: Arc<[ServedHost<T>]>,
        carried: &Carried,
    ) -> Result<Self, SiteErrors> {
        let tables = Tables::build(&plan, authorities, carried)?;
        let mut notes = Notes::default();
        own_connections::check(&plan, &tables, &mut notes);
        let overlaps = overlaps::find(&plan, &tables.listeners, &mut notes);
        announced::warn(&plan, &tables, &mut notes);
        let ((), found) = notes.finish(Some(()))?;
        let warnings: Arc<[SiteWarning]> = plan.warnings.iter().cloned().chain(found).collect();
        let parts = Parts { plan: Arc::new(plan), overlaps: overlaps.into(), warnings, hosts };
        Ok(Self::of_parts(0, parts, tables))
    }

    /// Returns the same snapshot with the ports that listeners are bound to now.
    pub(crate) fn with_bound_ports(&self, carried: &Carried) -> Self {
        let tables = self.tables.with_bound_ports(&self.plan, carried);
        let parts = Parts {
            plan: self.plan.clone(),
            overlaps: self.overlaps.clone(),
            warnings: self.warnings.clone(),
            hosts: self.hosts.clone(),
        };
        // The table that decides is unchanged.
        Self::of_parts(self.generation, parts, tables)
    }

    fn of_parts(generation: u64, parts: Parts<T>, tables: Tables) -> Self {
        let Parts { plan, overlaps, warnings, hosts } = parts;
        let tables = Arc::new(tables);
        #[cfg(feature = "tower")]
        let layer = {
            let settings = &plan.settings;
            let layer = CoalesceLayer::new(Decision(tables.clone()))
                .misdirected_content(settings.misdirected_content.clone());
            let layer = match &settings.allow {
                Some(methods) => layer.allow(methods.clone()),
                None => layer,
            };
            if settings.strips_forwarded_fields { layer.strip_forwarded_fields() } else { layer }
        };
        Self {
            generation,
            plan,
            tables,
            overlaps,
            warnings,
            hosts,
            #[cfg(feature = "origin")]
            origin_sets: OriginSets::default(),
            #[cfg(feature = "tower")]
            layer,
        }
    }

    /// Returns the host that a proof of these tables names.
    pub(crate) fn host(&self, id: VirtualHostId) -> Option<&ServedHost<T>> {
        self.hosts.get(usize::try_from(id.get()).ok()?)
    }

    pub(crate) fn hosts(&self) -> &[ServedHost<T>] {
        &self.hosts
    }
}

/// The parts of a snapshot besides its tables.
struct Parts<T> {
    plan: Arc<Plan>,
    overlaps: Arc<[Overlap]>,
    warnings: Arc<[SiteWarning]>,
    hosts: Arc<[ServedHost<T>]>,
}
