//! Starts Chromium.

use std::path::Path;
use std::process::Command;

use crate::browser::{ELSEWHERE, Page};

/// The arguments of every visit.
const FLAGS: [&str; 13] = [
    "--headless",
    // The sandbox refuses to start for root.
    "--no-sandbox",
    // Containers may have little shared memory.
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-breakpad",
    // Only the page's own requests.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-quic",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
];

pub(crate) fn prepare(command: &mut Command, home: &Path, page: &Page<'_>) {
    let here = page.here.iter().map(|name| format!("MAP {name} 127.0.0.1"));
    let rules: Vec<String> = here.chain([format!("MAP * {ELSEWHERE}")]).collect();
    command
        .args(FLAGS)
        .arg(format!("--user-data-dir={}", home.join("profile").display()))
        .arg(format!("--host-resolver-rules={}", rules.join(", ")))
        .arg(page.url);
}
