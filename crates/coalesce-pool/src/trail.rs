//! The trail of a request: which candidates were judged, with which result.

use alloc::vec::Vec;
use core::fmt;

use crate::judge::Eligibility;
use crate::limits::TRAIL_STEPS_MAX;
use crate::refusal::Grounds;

macro_rules! id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            pub(crate) const fn new(number: u64) -> Self {
                Self(number)
            }

            /// Returns the number, which no other value of the same pool has.
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// The name of a request in a [`Pool`](crate::Pool).
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    ///
    /// use coalesce_pool::{Pool, PoolConfig, PoolKey, RequestFacts};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut pool = Pool::new(PoolConfig::default());
    /// let facts = RequestFacts::new(PoolKey::new("https://a.test".parse()?));
    /// let one = pool.handle_request(Duration::ZERO, facts.clone())?;
    /// let other = pool.handle_request(Duration::ZERO, facts)?;
    /// assert_ne!(one.get(), other.get());
    /// # Ok(()) }
    /// ```
    RequestId
}

id! {
    /// The name of an attempt to make a connection, in a [`Pool`](crate::Pool).
    ///
    /// # Examples
    /// ```
    /// use coalesce_pool::{AttemptId, CandidateId};
    ///
    /// fn is_attempt(candidate: CandidateId) -> Option<AttemptId> {
    ///     if let CandidateId::Attempt(id) = candidate { Some(id) } else { None }
    /// }
    /// ```
    AttemptId
}

id! {
    /// The name of a connection in a [`Pool`](crate::Pool).
    ///
    /// # Examples
    /// ```
    /// use coalesce_pool::{CandidateId, ConnectionId};
    ///
    /// fn is_connection(candidate: CandidateId) -> Option<ConnectionId> {
    ///     if let CandidateId::Connection(id) = candidate { Some(id) } else { None }
    /// }
    /// ```
    ConnectionId
}

/// A candidate in a [`Trail`].
///
/// # Examples
/// See [`Pool::explain`](crate::Pool::explain).
///
/// ```
/// use coalesce_pool::CandidateId;
///
/// let debugged = |id: CandidateId| format!("{id:?}");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CandidateId {
    /// A connection.
    Connection(ConnectionId),
    /// An attempt to make one.
    Attempt(AttemptId),
}

/// A step of a [`Trail`].
///
/// # Examples
/// ```
/// use coalesce_pool::TrailStep;
///
/// fn code(step: &TrailStep) -> &'static str {
///     match step {
///         TrailStep::Judged { result, .. } => result.code(),
///         TrailStep::Sent { grounds, .. } => grounds.code(),
///         TrailStep::Misdirected { .. } => "misdirected",
///         _ => "other",
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrailStep {
    /// A candidate was judged.
    #[non_exhaustive]
    Judged {
        /// The candidate.
        candidate: CandidateId,
        /// The result.
        result: Eligibility,
    },
    /// The request was sent.
    #[non_exhaustive]
    Sent {
        /// The connection.
        connection: ConnectionId,
        /// The reason why it may carry the request.
        grounds: Grounds,
    },
    /// The connection answered 421.
    #[non_exhaustive]
    Misdirected {
        /// The connection.
        connection: ConnectionId,
    },
    /// The connection did not process the request, so it is sent again.
    #[non_exhaustive]
    Unprocessed {
        /// The connection.
        connection: ConnectionId,
    },
    /// The request is not sent again, because the budget of retries is spent: see
    /// [`PoolConfig::retry_percent`](crate::PoolConfig::retry_percent).
    #[non_exhaustive]
    OverBudget {
        /// The connection.
        connection: ConnectionId,
    },
    /// The connection ended before the answer.
    #[non_exhaustive]
    Lost {
        /// The connection.
        connection: ConnectionId,
    },
}

impl TrailStep {
    /// Returns the connection of the step, or the attempt to make one.
    pub const fn candidate(&self) -> CandidateId {
        match *self {
            Self::Judged { candidate, .. } => candidate,
            Self::Sent { connection, .. }
            | Self::Misdirected { connection }
            | Self::Unprocessed { connection }
            | Self::OverBudget { connection }
            | Self::Lost { connection } => CandidateId::Connection(connection),
        }
    }
}

/// The way of a request through the pool: each decision that led to a connection or to a failure,
/// with the result for each candidate.
///
/// A trail has at most [`TRAIL_STEPS_MAX`] steps. It counts the others.
///
/// # Examples
/// ```
/// use coalesce_pool::Trail;
///
/// let trail = Trail::default();
/// assert_eq!((trail.steps().len(), trail.left_out()), (0, 0));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    steps: Vec<TrailStep>,
    left_out: u64,
}

impl Trail {
    /// Returns the steps, the first one first.
    pub fn steps(&self) -> &[TrailStep] {
        &self.steps
    }

    /// Returns the connection that carried the request last, and the reason why it might. `None` if
    /// the request was never sent.
    pub fn carrier(&self) -> Option<(ConnectionId, Grounds)> {
        self.steps.iter().rev().find_map(|step| match *step {
            TrailStep::Sent { connection, grounds } => Some((connection, grounds)),
            _ => None,
        })
    }

    /// Returns the number of steps that are left out, because there were more than the limit.
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Adds steps, and the number of those that are left out after them.
    pub(crate) fn extend(&mut self, steps: &[TrailStep], left_out: u64) {
        let room = TRAIL_STEPS_MAX.saturating_sub(self.steps.len());
        let (first, others) = steps.split_at_checked(room).unwrap_or((steps, &[]));
        self.steps.extend_from_slice(first);
        let others = u64::try_from(others.len()).unwrap_or(u64::MAX);
        self.left_out = self.left_out.saturating_add(others).saturating_add(left_out);
    }

    pub(crate) fn push(&mut self, step: TrailStep) {
        if self.steps.len() < TRAIL_STEPS_MAX {
            self.steps.push(step);
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
    }
}
