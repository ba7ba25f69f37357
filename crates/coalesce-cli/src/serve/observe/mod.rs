//! The operator's view of the server: metrics, the log, the access log, and the admin listener.

pub(super) mod access_log;
pub(super) mod admin;
pub(super) mod admin_host;
pub(super) mod certificates;
pub(super) mod events;
pub(super) mod handshakes;
pub(super) mod hint;
pub(super) mod meters;
pub(super) mod recorder;

use crate::terminal::log_queue::LostLines;

/// Logs that the log on standard error has lost lines.
pub(crate) fn log_lost_lines(lost: LostLines) {
    let LostLines { lines, reason } = lost;
    events::lost_lines(meters::MAIN_LOG, lines, reason);
}
