//! The choices of one request.

use coalesce_pool::{DnsPolicy, Partition};

use crate::coalesce::Coalesce;

/// Choices for one request, which replace those of the client. Put them into the extensions of the
/// request.
///
/// # Examples
/// ```
/// use coalesce_client::{Coalesce, RequestBody, RequestOptions};
///
/// # fn main() -> Result<(), http::Error> {
/// let options = RequestOptions::new().partition("site-a").coalesce(Coalesce::OwnOrigin);
/// let request = http::Request::get("https://a.example/").extension(options);
/// let request = request.body(RequestBody::default())?;
/// assert!(request.extensions().get::<RequestOptions>().is_some());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestOptions {
    pub(crate) partition: Partition,
    pub(crate) coalesce: Option<Coalesce>,
    pub(crate) dns: Option<DnsPolicy>,
}

impl RequestOptions {
    /// Makes options that change nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the request apart from all requests of other partitions: no connection and no TLS
    /// session is shared with them. A server can link the requests of one connection.
    #[must_use]
    pub fn partition(mut self, name: &str) -> Self {
        self.partition = Partition::new(name);
        self
    }

    /// Sets whether the request shares connections with other hosts. If the host has a choice of
    /// its own ([`coalesce_for`](crate::ClientBuilder::coalesce_for)), the request can only share
    /// less.
    #[must_use]
    pub fn coalesce(mut self, choice: Coalesce) -> Self {
        self.coalesce = Some(choice);
        self
    }

    /// Sets whether an origin set replaces the comparison of addresses (RFC 8336 §2.4).
    #[must_use]
    pub fn dns_policy(mut self, policy: DnsPolicy) -> Self {
        self.dns = Some(policy);
        self
    }
}
