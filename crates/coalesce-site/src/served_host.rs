//! The host that a request is served as.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use coalesce_core::{CoalescePolicy, GroupId};

/// A host of a snapshot, with the user's value.
pub(crate) struct HostEntry<T> {
    pub(crate) label: String,
    pub(crate) names: Vec<String>,
    pub(crate) group: String,
    pub(crate) group_id: GroupId,
    pub(crate) coalesce: Option<CoalescePolicy>,
    pub(crate) value: T,
}

/// The host that a request is served as, with the value that the builder was given for it.
/// Cloning is cheap.
///
/// The host comes from the snapshot of the site that made the proof, so a reload never hands a
/// request to the value of another host.
///
/// # Examples
/// ```
/// use coalesce_site::ServedHost;
///
/// struct Shop {
///     title: String,
/// }
///
/// /// A handler of axum takes the host as an argument.
/// async fn title(host: ServedHost<Shop>) -> String {
///     format!("{} is {}", host.name(), host.title)
/// }
/// ```
pub struct ServedHost<T> {
    entry: Arc<HostEntry<T>>,
}

impl<T> ServedHost<T> {
    pub(crate) fn new(entry: Arc<HostEntry<T>>) -> Self {
        Self { entry }
    }

    /// Returns the label of the host, which is its first name unless the builder has another.
    pub fn name(&self) -> &str {
        &self.entry.label
    }

    /// Returns the names that the builder has. A compiled table may have more.
    pub fn names(&self) -> &[String] {
        &self.entry.names
    }

    /// Returns the name of its coalescing group.
    pub fn group(&self) -> &str {
        &self.entry.group
    }

    /// Returns the number of this group in the snapshot that the host comes from.
    pub fn group_id(&self) -> GroupId {
        self.entry.group_id
    }

    /// Returns which connections may carry requests for the host, if its group says otherwise.
    pub fn coalesce(&self) -> Option<CoalescePolicy> {
        self.entry.coalesce
    }

    /// Returns the value of the host.
    pub fn value(&self) -> &T {
        &self.entry.value
    }
}

impl<T> Clone for ServedHost<T> {
    fn clone(&self) -> Self {
        Self { entry: self.entry.clone() }
    }
}

impl<T> Deref for ServedHost<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value()
    }
}

impl<T> fmt::Debug for ServedHost<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("ServedHost");
        out.field("name", &self.name()).field("group", &self.group()).finish_non_exhaustive()
    }
}

#[cfg(feature = "axum")]
mod extractor {
    use axum::extract::FromRequestParts;
    use axum::response::{IntoResponse, Response};
    use coalesce_tower::{NoVirtualHost, VirtualHost};
    use http::StatusCode;
    use http::request::Parts;

    use super::ServedHost;

    /// Extracts the host. A handler that takes one cannot run before the decision.
    ///
    /// Rejections are those of [`VirtualHost`], and 500 where the value is of another type than the
    /// site's.
    impl<S, T> FromRequestParts<S> for ServedHost<T>
    where
        S: Send + Sync,
        T: Send + Sync + 'static,
    {
        type Rejection = Response;

        async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
            let decided: Result<_, NoVirtualHost> = VirtualHost::from_request(&parts.extensions);
            decided.map_err(IntoResponse::into_response)?;
            parts.extensions.get::<Self>().cloned().ok_or_else(|| {
                tracing::error!("the site has values of another type than the handler asks for");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            })
        }
    }
}
