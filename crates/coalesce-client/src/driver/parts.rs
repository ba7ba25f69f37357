//! The parts that a driver is made of.

use std::sync::Arc;

use coalesce_pool::PoolConfig;

use crate::connect::Dialer;
use crate::resolve::Resolve;

/// The parts that a driver is made of.
#[derive(Debug)]
pub(crate) struct DriverParts {
    pub(crate) pool: PoolConfig,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) dialer: Dialer,
    /// Offer only HTTP/1.1 by ALPN.
    pub(crate) http1_only: bool,
}
