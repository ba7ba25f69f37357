//! How a layer decides by the tables of one snapshot.

use std::sync::Arc;

use coalesce_core::{Verdict, decide};
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
        let connection = match request.handshake() {
            Some(facts) => tables.connection(facts),
            None => request.connection().clone().with_group(GONE),
        };
        decide(&*tables.authorities, &connection, request.target())
    }
}
