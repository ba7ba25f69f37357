//! The traits of a pool's connections, and of the code that makes them.

use std::fmt::Debug;
use std::task::{Context, Poll};

use crate::serve::shares::ClientId;

/// A connection that carries requests. A clone is another handle of the same connection.
pub(in crate::serve::answer) trait PooledConnection:
    Clone + Debug + Send + Sync + 'static
{
    /// Returns how many requests the connection carries at once.
    fn capacity(&self) -> usize;

    /// Returns false once the connection takes no more requests.
    fn is_open(&self) -> bool;

    /// Waits until the room of a request that has ended can be used again. Returns false if it
    /// never can.
    fn poll_released(&self, context: &mut Context<'_>) -> Poll<bool>;
}

/// Makes connections to one upstream.
pub(in crate::serve::answer) trait Connect:
    Debug + Send + Sync + 'static
{
    /// A connection that is ready for requests.
    type Connection: PooledConnection;
    /// The permission to make a connection.
    type Permit: Send + 'static;
    /// The error of a failed attempt. All requests that wait for it get a copy.
    type Error: Clone + Debug + Send + 'static;

    /// Returns how many requests a new connection is expected to carry at once.
    fn expected_capacity(&self) -> usize;

    /// Returns the permission to make a connection for `client`, or why it has none.
    fn permit(&self, client: ClientId) -> Result<Self::Permit, Self::Error>;

    /// Makes a connection, within a time limit. It keeps its permission as long as it is open.
    fn connect(
        &self,
        permit: Self::Permit,
    ) -> impl Future<Output = Result<Self::Connection, Self::Error>> + Send;

    /// Returns the error for a request whose attempt to connect was cut off.
    fn cut_off(&self) -> Self::Error;
}
