//! The browsers of the system. Each visit has a new profile.

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

/// The address of all other names. No server listens there, so no request leaves this machine.
pub(crate) const ELSEWHERE: &str = "127.0.0.2";

/// The longest time for starting a browser and loading a few pages on a busy machine.
pub(crate) const VISIT_MAX: Duration = Duration::from_secs(120);

/// A page for a browser to load.
pub(crate) struct Page<'a> {
    pub(crate) url: &'a str,
    /// The CA to trust in addition.
    pub(crate) ca: &'a Path,
    /// The names that resolve to 127.0.0.1; all others resolve to [`ELSEWHERE`].
    pub(crate) here: &'a [String],
}

/// A browser, with everything that differs between browsers.
pub(crate) struct Browser {
    name: &'static str,
    /// The possible names of its program.
    programs: &'static [&'static str],
    /// The folder below the home in which the browser looks for CA certificates.
    trust: &'static str,
    /// Prepares the home and adds the arguments that open the page.
    prepare: fn(command: &mut Command, home: &Path, page: &Page<'_>),
    installed: OnceLock<Option<Installed>>,
}

/// The programs of an installed browser.
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

/// Returns Chromium, if installed.
pub(crate) fn chromium() -> Option<&'static Browser> {
    CHROMIUM.installed().map(|_| &CHROMIUM)
}

/// Returns Firefox, if installed.
pub(crate) fn firefox() -> Option<&'static Browser> {
    FIREFOX.installed().map(|_| &FIREFOX)
}

/// Returns the installed browsers of the two.
pub(crate) fn both() -> impl Iterator<Item = &'static Browser> {
    chromium().into_iter().chain(firefox())
}

impl Browser {
    /// Returns the programs. If they are not installed, prints a line on standard error and returns
    /// `None`; in CI, panics.
    fn installed(&self) -> Option<&Installed> {
        let find = || {
            let found = self.programs.iter().find_map(|name| find(name));
            if let (Some(program), Some(certutil)) = (found, find("certutil")) {
                let version = version(&program);
                return Some(Installed { program, certutil, version });
            }
            let needs = format!("needs {}, and certutil", self.programs.join(" or "));
            assert!(env::var_os("CI").is_none_or(|ci| ci.is_empty()), "{needs}");
            // Write directly, because the test harness hides the output of a passing test.
            let line = format!("\nNOT TESTED with {}: {needs}\n\n", self.name);
            io::stderr().write_all(line.as_bytes()).expect("standard error is open");
            None
        };
        self.installed.get_or_init(find).as_ref()
    }

    /// Opens `page` in a new profile.
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
        // `timeout` ends the browser soon after the longest visit, even if the test was killed.
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
            // A process group, so that all processes of the browser can be ended.
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

/// Finds a program in PATH. Skips snaps, because they cannot read a profile in a temporary folder.
fn find(name: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    let path =
        env::split_paths(&folders).map(|folder| folder.join(name)).find(|it| it.is_file())?;
    let is_link = fs::canonicalize(&path).is_ok_and(|to| to.ends_with("snap"));
    let is_script = fs::read_to_string(&path).is_ok_and(|text| text.contains("/snap/bin/"));
    (!is_link && !is_script).then_some(path)
}

/// Returns the version that the program prints.
fn version(program: &Path) -> String {
    let home = tempfile::tempdir().expect("a temporary folder");
    run(Command::new(program).arg("--version").env("HOME", home.path())).trim().to_owned()
}

/// Runs a short command to its end and returns its output.
fn run(command: &mut Command) -> String {
    let output = command.output().expect("the program runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The file in the home with the browser's output.
const OUTPUT: &str = "output";

/// A running browser. Dropping it ends all of its processes.
pub(crate) struct Running {
    process: Child,
    home: TempDir,
}

impl Running {
    /// Returns the output so far.
    pub(crate) fn output(&self) -> String {
        let output = fs::read(self.home.path().join(OUTPUT)).unwrap_or_default();
        String::from_utf8_lossy(&output).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The group's number stays reserved until its first process has been waited for. Firefox's
        // crash helper is outside of the group and ends with Firefox.
        let group = format!("-{}", self.process.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.process.wait();
    }
}
