//! How a layer decides by the tables of one snapshot.

use std::sync::Arc;

use coalesce_core::{Misdirected, RefusalHint, ServerConnection, Verdict, decide};
use coalesce_tower::{Decide, Undecided};

use crate::tables::{GONE, Tables};

/// Decides by the tables of one snapshot, for connections whose handshakes the site has made.
#[derive(Clone, Debug)]
pub(crate) struct Decision(pub(crate) Arc<Tables>);

impl<'a> Decide<Undecided<'a>> for Decision {
    fn decide(&self, request: &Undecided<'a>) -> Verdict {
        let Self(tables) = self;
        if tables.keep(request.handshake(), request.connection()) {
            // With the memo of the connection.
            return request.decide(&tables.authorities);
        }
        decide(&*tables.authorities, &self.connection(request), request.target())
    }

    fn hint(&self, request: &Undecided<'a>, reason: Misdirected) -> Option<String> {
        Some(RefusalHint::new(&self.connection(request), reason)?.to_string())
    }
}

impl Decision {
    /// Returns the connection as these tables decide it.
    fn connection<'a>(&self, request: &Undecided<'a>) -> ServerConnection<'a> {
        match request.handshake() {
            Some(facts) => self.0.connection(facts),
            None => request.connection().clone().with_group(GONE),
        }
    }
}
