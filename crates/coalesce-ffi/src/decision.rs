//! The decision as a struct.

use coalesce_core::{ServedAs, Step, Verdict as CoreVerdict, decide};

use crate::codes::{
    COALESCE_AS_TUNNEL, COALESCE_AS_UNLISTED, COALESCE_AS_VIRTUAL_HOST, COALESCE_GROUP_NONE,
    COALESCE_MALFORMED, COALESCE_MISDIRECTED, COALESCE_SERVE,
};
use crate::facts;
use crate::fault::Fault;
use crate::handles::Table;
use crate::pointers::{In, Out};
use crate::reasons::{self, COALESCE_REASON_NOT_DECIDED};
use crate::structs::{Connection, Request, Verdict};

/// The status of a misdirected request (RFC 9110 §15.5.20).
const STATUS_MISDIRECTED: u32 = 421;
/// The status of a request without a decision (RFC 9110 §15.6.1).
const STATUS_NOT_DECIDED: u32 = 500;

/// Decides, and writes the verdict. A caller that ignores the result of a call with a fault finds a
/// verdict that serves nothing.
pub(crate) fn write_verdict(
    table: Option<&Table>,
    connection: In<'_, Connection<'_>>,
    request: In<'_, Request<'_>>,
    mut verdict: Out<'_, Verdict>,
) -> Result<(), Fault> {
    let size = verdict.size()?;
    let decided = decided(table, connection, request);
    let written = match &decided {
        Ok(decided) => Verdict { size, ..*decided },
        Err(_) => Verdict { size, ..NOT_DECIDED },
    };
    verdict.write(written)?;
    decided.map(|_| ())
}

const NOT_DECIDED: Verdict = Verdict {
    size: 0,
    outcome: COALESCE_MALFORMED,
    status: STATUS_NOT_DECIDED,
    reason: COALESCE_REASON_NOT_DECIDED,
    step: 0,
    served_as: 0,
    virtual_host: 0,
    group: COALESCE_GROUP_NONE,
    observed: 0,
};

fn decided(
    table: Option<&Table>,
    connection: In<'_, Connection<'_>>,
    request: In<'_, Request<'_>>,
) -> Result<Verdict, Fault> {
    let table = table.ok_or(Fault::NullArgument)?;
    let mut empty = None;
    let connection = facts::connection(connection.read()?, &mut empty)?;
    let target = facts::target(request.read()?)?;
    let group = connection.group().get();
    let verdict = decide(table.authorities(), &connection, &target);
    Ok(Verdict { group, ..numbers(&verdict) })
}

/// Returns the verdict in the numbers of the interface.
fn numbers(verdict: &CoreVerdict) -> Verdict {
    match verdict {
        CoreVerdict::Serve(proof) => {
            let (served_as, virtual_host) = match proof.served_as() {
                ServedAs::VirtualHost(id) => (COALESCE_AS_VIRTUAL_HOST, id.get()),
                ServedAs::Unlisted => (COALESCE_AS_UNLISTED, 0),
                ServedAs::Tunnel => (COALESCE_AS_TUNNEL, 0),
            };
            Verdict {
                outcome: COALESCE_SERVE,
                status: 0,
                reason: 0,
                step: u32::from(Step::Serve.number()),
                served_as,
                virtual_host,
                observed: proof.observed().map_or(0, reasons::of_misdirected),
                ..NOT_DECIDED
            }
        }
        CoreVerdict::Misdirected(reason) => Verdict {
            outcome: COALESCE_MISDIRECTED,
            status: STATUS_MISDIRECTED,
            reason: reasons::of_misdirected(*reason),
            step: u32::from(reason.step().number()),
            ..NOT_DECIDED
        },
        CoreVerdict::Malformed(reason) => Verdict {
            outcome: COALESCE_MALFORMED,
            status: u32::from(reason.answer().status()),
            reason: reasons::of_malformed(*reason),
            step: u32::from(reason.step().number()),
            ..NOT_DECIDED
        },
    }
}
