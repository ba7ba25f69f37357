//! One immutable version of a site.

use std::sync::Arc;

use coalesce_core::VirtualHostId;
#[cfg(feature = "tower")]
use coalesce_tower::CoalesceLayer;

use crate::carried::Carried;
#[cfg(feature = "tower")]
use crate::decision::Decision;
use crate::error::SiteErrors;
use crate::own_connections;
use crate::plan::Plan;
use crate::served_host::HostEntry;
use crate::tables::Tables;

/// One version of a site, ready to serve.
///
/// Hosts and groups are numbers in it, and they are numbers of this snapshot alone: a host is
/// looked up in the snapshot whose tables made the proof.
pub(crate) struct Snapshot<T> {
    /// How many snapshots the site had before this one.
    pub(crate) generation: u64,
    pub(crate) plan: Plan,
    pub(crate) tables: Arc<Tables>,
    /// By the number of their [`VirtualHostId`].
    hosts: Arc<[Arc<HostEntry<T>>]>,
    /// Decides by the tables of this snapshot.
    #[cfg(feature = "tower")]
    pub(crate) layer: CoalesceLayer<Decision>,
}

impl<T> Snapshot<T> {
    /// Builds a snapshot. `hosts` are the values of the plan's hosts, in their order.
    pub(crate) fn build(
        mut plan: Plan,
        hosts: Arc<[Arc<HostEntry<T>>]>,
        carried: &Carried,
    ) -> Result<Self, SiteErrors> {
        let tables = Arc::new(Tables::build(&plan, carried)?);
        let warnings = own_connections::check(&plan, &tables)?;
        plan.warnings.extend(warnings);
        for warning in &plan.warnings {
            tracing::warn!("{warning}");
        }
        #[cfg(feature = "tower")]
        let layer = {
            let settings = &plan.settings;
            let layer = CoalesceLayer::new(Decision(tables.clone()))
                .misdirected_content(settings.misdirected_content.clone());
            match &settings.allow {
                Some(methods) => layer.allow(methods.clone()),
                None => layer,
            }
        };
        Ok(Self {
            generation: 0,
            plan,
            tables,
            hosts,
            #[cfg(feature = "tower")]
            layer,
        })
    }

    /// Returns the host that a proof of these tables names.
    pub(crate) fn host(&self, id: VirtualHostId) -> Option<&Arc<HostEntry<T>>> {
        self.hosts.get(usize::try_from(id.get()).ok()?)
    }

    pub(crate) fn hosts(&self) -> &Arc<[Arc<HostEntry<T>>]> {
        &self.hosts
    }
}
