//! Browsers as the system has them, each visit in a profile of its own.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use std::{env, fmt};

use tempfile::TempDir;

use crate::{chromium, firefox};

/// Where names lead that are not here. Nothing listens there, so nothing leaves this machine.
pub(crate) const ELSEWHERE: &str = "127.0.0.2";

/// For starting a browser and showing a few pages, on a machine that has much else to do.
pub(crate) const VISIT_MAX: Duration = Duration::from_secs(120);

/// What a browser is asked to show.
pub(crate) struct Page<'a> {
    pub(crate) url: &'a str,
    /// The CA that it trusts beside its own.
    pub(crate) ca: &'a Path,
    /// The names that lead to 127.0.0.1; all others lead [`ELSEWHERE`].
    pub(crate) here: &'a [String],
}

/// A browser, and what differs between browsers.
pub(crate) struct Browser {
    name: &'static str,
    /// What its program may be called.
    programs: &'static [&'static str],
    /// Where in its home it looks for certificates of CAs.
    trust: &'static str,
    /// Readies its home and says how the page is opened.
    prepare: fn(command: &mut Command, home: &Path, page: &Page<'_>),
    installed: OnceLock<Option<Installed>>,
}

/// The programs of a browser that is there.
struct Installed {
    program: PathBuf,
    certutil: PathBuf,
    version: String,
}

static CHROMIUM: Browser = Browser {
    name: "Chromium",
    programs: &["chromium", "google-chrome"],
    trust: ".pki/nssdb",
    prepare: chromium::prepare,
    installed: OnceLock::new(),
};

static FIREFOX: Browser = Browser {
    name: "Firefox",
    programs: &["firefox-esr", "firefox"],
    trust: firefox::PROFILE,
    prepare: firefox::prepare,
    installed: OnceLock::new(),
};

/// Chromium, where it is installed.
pub(crate) fn chromium() -> Option<&'static Browser> {
    CHROMIUM.installed().map(|_| &CHROMIUM)
}

/// Firefox, where it is installed.
pub(crate) fn firefox() -> Option<&'static Browser> {
    FIREFOX.installed().map(|_| &FIREFOX)
}

/// Those of the two that are installed.
pub(crate) fn both() -> impl Iterator<Item = &'static Browser> {
    chromium().into_iter().chain(firefox())
}

impl Browser {
    /// Its programs. Where they are not installed: `None` and a line on standard error, or a panic
    /// when the environment says CI.
    fn installed(&self) -> Option<&Installed> {
        let find = || {
            let found = self.programs.iter().find_map(|name| find(name));
            if let (Some(program), Some(certutil)) = (found, find("certutil")) {
                let version = version(&program);
                return Some(Installed { program, certutil, version });
            }
            let needs = format!("needs {}, and certutil", self.programs.join(" or "));
            assert!(env::var_os("CI").is_none_or(|ci| ci.is_empty()), "{needs}");
            // Past the harness, which keeps to itself what a passing test prints.
            let line = format!("\nNOT TESTED with {}: {needs}\n\n", self.name);
            io::stderr().write_all(line.as_bytes()).expect("standard error is open");
            None
        };
        self.installed.get_or_init(find).as_ref()
    }

    /// Opens `page` in a fresh profile.
    pub(crate) fn open(&self, page: &Page<'_>) -> Running {
        let Installed { program, certutil, .. } = self.installed().expect("asked before");
        let home = tempfile::tempdir().expect("a temporary folder");
        let trust = home.path().join(self.trust);
        fs::create_dir_all(&trust).expect("the temporary folder is writable");
        let trust = format!("sql:{}", trust.display());
        run(Command::new(certutil).args(["-N", "--empty-password", "-d", &trust]));
        let add = ["-A", "-d", &trust, "-n", "tests", "-t", "C,,", "-i"];
        run(Command::new(certutil).args(add).arg(page.ca));

        let output = File::create(home.path().join(OUTPUT)).expect("a file");
        // It ends soon after a visit would, even if the test does not live to end it.
        let seconds = (VISIT_MAX + Duration::from_secs(10)).as_secs().to_string();
        let mut command = Command::new("timeout");
        command.args(["--signal=KILL", &seconds]).arg(program);
        (self.prepare)(&mut command, home.path(), page);
        let process = command
            .env("HOME", home.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME")
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file"))
            .stderr(output)
            // So that all of its processes can be ended.
            .process_group(0)
            .spawn()
            .expect("the browser starts");
        Running { process, home }
    }
}

impl fmt::Display for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.installed().map_or(self.name, |installed| &installed.version))
    }
}

/// The program of this name, as a shell would find it. A snap is none: it cannot read a profile in
/// a temporary folder.
fn find(name: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    let path =
        env::split_paths(&folders).map(|folder| folder.join(name)).find(|it| it.is_file())?;
    let is_link = fs::canonicalize(&path).is_ok_and(|to| to.ends_with("snap"));
    let is_script = fs::read_to_string(&path).is_ok_and(|text| text.contains("/snap/bin/"));
    (!is_link && !is_script).then_some(path)
}

/// What the program calls itself.
fn version(program: &Path) -> String {
    let home = tempfile::tempdir().expect("a temporary folder");
    run(Command::new(program).arg("--version").env("HOME", home.path())).trim().to_owned()
}

/// Runs a short command to its end and returns what it printed.
fn run(command: &mut Command) -> String {
    let output = command.output().expect("the program runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The file in its home that has what a browser printed.
const OUTPUT: &str = "output";

/// A running browser; ended with this value, with all of its processes.
pub(crate) struct Running {
    process: Child,
    home: TempDir,
}

impl Running {
    /// What it printed.
    pub(crate) fn output(&self) -> String {
        let output = fs::read(self.home.path().join(OUTPUT)).unwrap_or_default();
        String::from_utf8_lossy(&output).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The number is this group's until its first process has been waited for. Firefox's crash
        // helper is not in it, and ends when Firefox does.
        let group = format!("-{}", self.process.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.process.wait();
    }
}
