//! The explanation of a decision, for logs and debug pages.

use core::fmt::{self, Write as _};
use core::mem::MaybeUninit;

use coalesce_core::{
    Authority, HostField, RefusalHint, RequestTarget, ServedAs, ServerConnection, Verdict, decide,
};

use crate::codes::COALESCE_GROUP_NONE;
use crate::facts;
use crate::fault::Fault;
use crate::handles::Table;
use crate::pointers::In;
use crate::structs::{Connection, Request};
use crate::text::Text;

/// The bytes of a field that an explanation shows. A name is shorter (RFC 1035 §2.3.4), and the
/// client chooses the field.
const SHOWN_LEN_MAX: usize = 255;

/// Writes the explanation and returns its length.
pub(crate) fn write(
    table: Option<&Table>,
    connection: In<'_, Connection<'_>>,
    request: In<'_, Request<'_>>,
    out: &mut [MaybeUninit<u8>],
) -> Result<usize, Fault> {
    let mut text = Text::new(out);
    let explained = explain(table, connection, request, &mut text);
    let len = text.finish();
    explained.map(|()| len)
}

fn explain(
    table: Option<&Table>,
    connection: In<'_, Connection<'_>>,
    request: In<'_, Request<'_>>,
    text: &mut Text<'_>,
) -> Result<(), Fault> {
    let table = table.ok_or(Fault::NullArgument)?;
    let facts = connection.read()?;
    let mut empty = None;
    let connection = facts::connection(facts, &mut empty)?;
    let target = facts::target(request.read()?)?;
    let unmet =
        connection.group().get() == COALESCE_GROUP_NONE && facts.group != COALESCE_GROUP_NONE;
    let explanation = Explanation { table, connection: &connection, target: &target, unmet };
    // `Text` cuts what does not fit, so writing does not fail.
    write!(text, "{explanation}").map_err(|_| Fault::TooLarge)
}

struct Explanation<'a> {
    table: &'a Table,
    connection: &'a ServerConnection<'a>,
    target: &'a RequestTarget<'a>,
    /// The handshake did not meet the policy of the group that the caller named.
    unmet: bool,
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, connection, target, unmet } = *self;
        match decide(table.authorities(), connection, target) {
            Verdict::Serve(proof) => {
                match proof.served_as() {
                    ServedAs::VirtualHost(id) => write!(f, "served as virtual host {id}")?,
                    ServedAs::Unlisted => {
                        f.write_str("passed to the application without an entry")?;
                    }
                    ServedAs::Tunnel => f.write_str("passed to the application as a tunnel")?,
                }
                if let Some(reason) = proof.observed() {
                    write!(f, "; observed only: {}: {reason} ({})", reason.code(), reason.rule())?;
                }
            }
            Verdict::Misdirected(reason) => {
                write!(f, "421 {}: {reason} ({})", reason.code(), reason.rule())?;
                if let Some(hint) = RefusalHint::new(connection, reason) {
                    write!(f, "; {hint}")?;
                }
            }
            Verdict::Malformed(reason) => {
                let status = reason.answer().status();
                write!(f, "{status} {}: {reason} ({})", reason.code(), reason.rule())?;
            }
        }
        self.write_parts(f)?;
        if unmet {
            f.write_str("; the handshake did not meet the policy of its server block")?;
        }
        Ok(())
    }
}

impl Explanation<'_> {
    /// Writes the authority, its entry and the connection's group.
    fn write_parts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = match (self.target.authority, self.target.host) {
            (Some(authority), _) => Some(authority),
            (None, HostField::One(host)) => Some(host),
            (None, HostField::Absent | HostField::Several) => None,
        };
        let Some(field) = field else { return Ok(()) };
        let shown = field.get(..SHOWN_LEN_MAX).unwrap_or(field);
        write!(f, "; authority \"{}\"", shown.escape_ascii())?;
        if shown.len() < field.len() {
            write!(f, " and {} more bytes", field.len().saturating_sub(shown.len()))?;
        }
        let Ok(authority) = Authority::parse(field) else { return Ok(()) };
        match self.table.authorities().lookup_pattern(&authority.host()) {
            Some((pattern, entry)) => {
                let (id, group) = (entry.virtual_host, entry.group);
                write!(f, "; entry \"{pattern}\" is virtual host {id} of group {group}")?;
            }
            None => f.write_str("; no entry")?,
        }
        match self.connection.group().get() {
            COALESCE_GROUP_NONE => f.write_str("; the connection is in no group"),
            group => write!(f, "; the connection is in group {group}"),
        }
    }
}
