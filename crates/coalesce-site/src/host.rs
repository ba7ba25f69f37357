//! A host of a site.

use std::fmt;

use coalesce_core::CoalescePolicy;

use crate::identity::Identity;

/// A host: its names, its certificate, its group, and a value of the user's own type.
///
/// # Examples
/// ```
/// use coalesce_site::{Host, Identity};
///
/// let identity = Identity::from_pem_files("shop.pem", "shop.key");
/// let shop = Host::new("shop.test", identity, "Shop").name("*.shop.test").group("public");
/// ```
pub struct Host<T> {
    pub(crate) label: Option<String>,
    pub(crate) names: Vec<String>,
    pub(crate) identity: Identity,
    pub(crate) group: Option<String>,
    pub(crate) coalesce: Option<CoalescePolicy>,
    pub(crate) value: T,
}

impl<T> Host<T> {
    /// Makes a host. `name` is its first name, and its [`label`](Self::label) unless you set
    /// another.
    ///
    /// | name | matches |
    /// | --- | --- |
    /// | `shop.test` | that name |
    /// | `*.shop.test` | every name with exactly one more label |
    /// | `**.shop.test` | every name with one or more further labels |
    /// | `192.0.2.1`, `2001:db8::1` | that address |
    /// | `*` | every name and every address |
    pub fn new(name: impl Into<String>, identity: Identity, value: T) -> Self {
        let names = vec![name.into()];
        Self { label: None, names, identity, group: None, coalesce: None, value }
    }

    /// Sets the name of the host in errors, warnings and [`Site::explain`](crate::Site::explain).
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Adds a name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into());
        self
    }

    /// Puts the host into the group with this name. Without it, the host is in the group `default`.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>) -> Self {
        self.group = Some(name.into());
        self
    }

    /// Sets which connections may carry requests for the host, if that differs from its group. With
    /// [`CoalescePolicy::StrictServerName`], only connections made for the requested name.
    #[must_use]
    pub fn coalesce(mut self, coalesce: CoalescePolicy) -> Self {
        self.coalesce = Some(coalesce);
        self
    }
}

impl<T> fmt::Debug for Host<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("names", &self.names)
            .field("identity", &self.identity)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}
