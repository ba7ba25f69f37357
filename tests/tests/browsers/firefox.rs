//! Starts Firefox.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::browser::{ELSEWHERE, Page};

/// The folder of the profile, below the home.
pub(crate) const PROFILE: &str = "profile";

/// The settings of every visit: only the page's own requests, and no connections in advance.
const SETTINGS: &str = r#"
user_pref("app.update.enabled", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.newtabpage.enabled", false);
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("datareporting.policy.firstRunURL", "");
user_pref("extensions.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.dns.disableIPv6", true);
user_pref("network.dns.disablePrefetch", true);
user_pref("network.http.http3.enable", false);
user_pref("network.http.speculative-parallel-limit", 0);
user_pref("network.prefetch-next", false);
user_pref("network.trr.mode", 5);
user_pref("services.settings.server", "data:,");
user_pref("toolkit.telemetry.enabled", false);
"#;

pub(crate) fn prepare(command: &mut Command, home: &Path, page: &Page<'_>) {
    // Names of the first list resolve to localhost; all others to the address of the second.
    let names = format!(
        "user_pref(\"network.dns.localDomains\", \"{}\");\n\
         user_pref(\"network.dns.forceResolve\", \"{ELSEWHERE}\");\n",
        page.here.join(",")
    );
    let profile = home.join(PROFILE);
    fs::write(profile.join("user.js"), SETTINGS.to_owned() + &names)
        .expect("the profile is writable");
    command.args(["--headless", "--no-remote", "--profile"]).arg(profile).arg(page.url);
}
