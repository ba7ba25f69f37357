//! When connections announce their origin sets.

/// When connections announce their origin sets (RFC 8336).
///
/// A client that heeds ORIGIN frames sends a connection requests for its origin set and for the
/// server name, and for nothing else (RFC 8336 §2.3, §2.4). An origin set has no wildcards
/// (Appendix B). So the set of a connection leaves out the hosts that certificate and site know by
/// wildcards only, and to announce it ends sharing among these hosts.
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
    /// No connection announces anything.
    Never,
    /// A connection announces its origin set, unless the set leaves out hosts that the connection
    /// would serve because of a wildcard. Then the connection announces nothing.
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
