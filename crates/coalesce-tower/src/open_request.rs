//! A request that is being answered.

#[cfg(feature = "listener")]
use std::sync::Arc;

use http::StatusCode;

#[cfg(feature = "listener")]
use crate::connections::Life;

/// A request that is being answered. Its connection is not idle while this value exists.
///
/// [`CoalesceLayer`](crate::CoalesceLayer) holds one from the head of a request to the end of its
/// response. The value has an effect only for connections of a `Listener` or an
/// `AxumServerAcceptor`.
///
/// # Examples
/// ```
/// use coalesce_tower::ConnectionInfo;
///
/// async fn answer<F: Future>(info: &ConnectionInfo, work: F) -> F::Output {
///     let open = info.open_request();
///     let answer = work.await;
///     drop(open);
///     answer
/// }
/// ```
#[derive(Debug)]
#[must_use = "a request that is dropped is no longer open"]
#[non_exhaustive]
pub struct OpenRequest {
    #[cfg(feature = "listener")]
    life: Option<Arc<Life>>,
}

impl OpenRequest {
    #[cfg(feature = "listener")]
    pub(crate) fn new(life: Option<&Arc<Life>>) -> Self {
        if let Some(life) = life {
            life.request_begins();
        }
        Self { life: life.cloned() }
    }

    #[cfg(not(feature = "listener"))]
    pub(crate) const fn new() -> Self {
        Self {}
    }

    /// Returns true if a listener counts the request.
    #[cfg_attr(
        not(feature = "listener"),
        allow(clippy::unused_self, reason = "only a listener counts requests")
    )]
    pub(crate) const fn is_counted(&self) -> bool {
        #[cfg(feature = "listener")]
        let counted = self.life.is_some();
        #[cfg(not(feature = "listener"))]
        let counted = false;
        counted
    }

    /// Leaves the request open as long as its connection. A service does not see where a tunnel or
    /// a WebSocket ends.
    #[cfg_attr(
        not(feature = "listener"),
        allow(clippy::unused_self, reason = "only a listener counts requests")
    )]
    pub(crate) fn keep(self) {
        #[cfg(feature = "listener")]
        {
            let mut this = self;
            // The count stays as it is.
            this.life = None;
        }
    }
}

#[cfg(feature = "listener")]
impl Drop for OpenRequest {
    fn drop(&mut self) {
        if let Some(life) = &self.life {
            life.request_ends();
        }
    }
}

/// Returns whether a response with this status makes its connection or stream a tunnel: 101 (RFC
/// 9110 §7.8), or success for `CONNECT` (§9.3.6, RFC 8441 §5).
pub(crate) fn opens_tunnel(is_connect: bool, status: StatusCode) -> bool {
    status == StatusCode::SWITCHING_PROTOCOLS || (is_connect && status.is_success())
}
