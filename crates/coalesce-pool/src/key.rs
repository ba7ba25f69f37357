//! The facts that a request and a connection share before there is a connection.

use alloc::sync::Arc;
use core::fmt;

use coalesce_core::OriginBuf;

/// A number that the client gives to each of its TLS configurations.
///
/// Two requests with different configurations never share a connection, because the server was
/// verified under other rules.
///
/// # Examples
/// ```
/// use coalesce_pool::TlsConfigurationId;
///
/// let strict = TlsConfigurationId::new(1);
/// assert_ne!(strict, TlsConfigurationId::default());
/// assert_eq!(strict.get(), 1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TlsConfigurationId(u32);

impl TlsConfigurationId {
    /// Makes an id.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// A partition of the pool: a tab, a user or a site whose connections no other may use.
///
/// One connection shows its server which requests belong together. Give requests that must not be
/// linked different partitions. The default partition has no name.
///
/// # Examples
/// ```
/// use coalesce_pool::Partition;
///
/// assert_ne!(Partition::new("site-a"), Partition::default());
/// assert_eq!(Partition::new(""), Partition::default());
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(Option<Arc<str>>);

impl Partition {
    /// Makes a partition. An empty name is the default partition.
    pub fn new(name: &str) -> Self {
        Self((!name.is_empty()).then(|| name.into()))
    }

    /// Returns the name, which is empty for the default partition.
    pub fn name(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Partition({:?})", self.name())
    }
}

/// A proxy, in the client's own spelling.
///
/// # Examples
/// ```
/// use coalesce_pool::Proxy;
///
/// assert_eq!(Proxy::new("http://proxy.test:3128").as_str(), "http://proxy.test:3128");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Proxy(Arc<str>);

impl Proxy {
    /// Makes a proxy from its URL or name. The pool only compares it.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// Returns the spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The purpose of a connection, and the wish of a request: origin, partition, TLS configuration and
/// proxy. A connection whose key equals that of a request was made for such requests.
///
/// # Examples
/// ```
/// use coalesce_pool::{Partition, PoolKey};
///
/// # fn main() -> Result<(), coalesce_core::OriginError> {
/// let key = PoolKey::new("https://a.example.test".parse()?);
/// let mut other = key.clone();
/// other.partition = Partition::new("site-a");
/// assert_ne!(key, other);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct PoolKey {
    /// The origin.
    pub origin: OriginBuf,
    /// The partition.
    pub partition: Partition,
    /// The TLS configuration. Cleartext origins have one too, which means nothing.
    pub tls_configuration: TlsConfigurationId,
    /// The proxy in between, if there is one.
    pub proxy: Option<Proxy>,
}

impl PoolKey {
    /// Makes a key without proxy, in the default partition, with the default TLS configuration.
    pub fn new(origin: OriginBuf) -> Self {
        Self {
            origin,
            partition: Partition::default(),
            tls_configuration: TlsConfigurationId::default(),
            proxy: None,
        }
    }
}
