//! The policy for announcing origin sets.

/// The policy for announcing origin sets (RFC 8336).
///
/// A client that heeds ORIGIN frames uses a connection only for its origin set and for the server
/// name (RFC 8336 §2.3, §2.4). An origin set has no wildcards (Appendix B), so it leaves out the
/// hosts that certificate and site know only by wildcards. Announcing the set ends sharing among
/// these hosts.
///
/// # Examples
/// ```
/// use coalesce_site::{OriginPolicy, Site};
///
/// let builder = Site::<()>::builder().announce_origins(OriginPolicy::Always);
/// assert_eq!(OriginPolicy::from(false), OriginPolicy::Never);
/// assert_eq!(OriginPolicy::default(), OriginPolicy::WhenComplete);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OriginPolicy {
    /// No connection announces an origin set.
    Never,
    /// A connection announces its origin set unless the set leaves out hosts that the connection
    /// would serve because of a wildcard.
    #[default]
    WhenComplete,
    /// Each connection announces its origin set. Clients no longer coalesce the hosts that it
    /// leaves out.
    Always,
}

/// `true` is [`Always`](OriginPolicy::Always), `false` is [`Never`](OriginPolicy::Never).
impl From<bool> for OriginPolicy {
    fn from(announce: bool) -> Self {
        if announce { Self::Always } else { Self::Never }
    }
}
