//! What a handler asks for.

use coalesce_core::{GroupId, ServedAs, VirtualHostId};
use http::Extensions;

use crate::connection::ConnectionInfo;

/// The virtual host that a request may be served as, from the proof that the request carries.
///
/// With the feature `axum` it is an extractor: a handler that takes one cannot run without the
/// decision. Where there is no proof it is rejected with 500, and a request for no virtual host
/// ([`ServedAs::Unlisted`], [`ServedAs::Tunnel`]) with 404.
///
/// # Examples
/// ```
/// use coalesce_tower::VirtualHost;
///
/// /// An axum handler.
/// async fn hello(host: VirtualHost) -> String {
///     format!("virtual host {} of group {}\n", host.id(), host.group())
/// }
///
/// /// The same without axum.
/// fn respond<B>(request: &http::Request<B>) -> Result<String, http::StatusCode> {
///     let host = VirtualHost::from_request(request.extensions());
///     let host = host.map_err(|_| http::StatusCode::NOT_FOUND)?;
///     Ok(format!("virtual host {}\n", host.id()))
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VirtualHost {
    id: VirtualHostId,
    group: GroupId,
}

/// Why there is no virtual host.
///
/// # Examples
/// ```
/// use coalesce_tower::{NoVirtualHost, VirtualHost};
///
/// let request = http::Request::new(());
/// let error = VirtualHost::from_request(request.extensions()).unwrap_err();
/// assert_eq!(error, NoVirtualHost::Undecided);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a request was decided or was not")]
pub enum NoVirtualHost {
    /// No layer has decided this request.
    Undecided,
    /// It may be served, as something else.
    Other(ServedAs),
}

impl VirtualHost {
    /// Returns the virtual host of the request with these extensions.
    ///
    /// # Errors
    /// [`NoVirtualHost`].
    pub fn from_request(extensions: &Extensions) -> Result<Self, NoVirtualHost> {
        let proof = ConnectionInfo::from_request(extensions).and_then(ConnectionInfo::proof);
        let proof = proof.ok_or(NoVirtualHost::Undecided)?;
        match proof.served_as() {
            ServedAs::VirtualHost(id) => Ok(Self { id, group: proof.group() }),
            other => Err(NoVirtualHost::Other(other)),
        }
    }

    /// Its number, as the authority table has it.
    pub const fn id(&self) -> VirtualHostId {
        self.id
    }

    /// Its coalescing group, which is the connection's.
    pub const fn group(&self) -> GroupId {
        self.group
    }
}

impl std::fmt::Display for NoVirtualHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Undecided => "no CoalesceLayer has decided this request",
            Self::Other(ServedAs::Tunnel) => "the request is for a tunnel",
            Self::Other(_) => "the request is for nobody's authority",
        })
    }
}

impl std::error::Error for NoVirtualHost {}

#[cfg(feature = "axum")]
mod extractor {
    use axum::extract::FromRequestParts;
    use axum::response::{IntoResponse, Response};
    use http::StatusCode;
    use http::request::Parts;

    use super::{NoVirtualHost, VirtualHost};

    impl<S: Send + Sync> FromRequestParts<S> for VirtualHost {
        type Rejection = NoVirtualHost;

        async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoVirtualHost> {
            Self::from_request(&parts.extensions)
        }
    }

    impl IntoResponse for NoVirtualHost {
        fn into_response(self) -> Response {
            match self {
                Self::Undecided => {
                    tracing::error!("{self}");
                    StatusCode::INTERNAL_SERVER_ERROR.into_response()
                }
                Self::Other(_) => StatusCode::NOT_FOUND.into_response(),
            }
        }
    }
}
