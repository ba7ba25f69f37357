//! The measured servers, and how to start each of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::case::Case;
use crate::configurations;
use crate::world::{Place, World};

/// A server, as a row of a table.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// The task of the server, in a few words.
    pub(crate) about: &'static str,
    /// The program. A system program has the name of its package; ours are built.
    pub(crate) program: Program,
    /// The cases of the server.
    pub(crate) cases: &'static [Case],
    /// The arguments that print the version.
    pub(crate) version: &'static [&'static str],
    /// Writes the configuration and returns the arguments.
    pub(crate) arguments: fn(&World, &Place) -> Result<Vec<String>>,
}

#[derive(Debug)]
pub(crate) enum Program {
    /// A program of this workspace.
    Own(&'static str),
    /// A system program, installed by the package of this name.
    System { program: &'static str, package: &'static str },
}

/// The baseline of all ratios.
pub(crate) const BASELINE: &str = "bare-h2";
pub(crate) const OURS: &str = "coalesce";

pub(crate) static KINDS: [Kind; 9] = [
    Kind {
        name: BASELINE,
        about: "`h2` on tokio-rustls and nothing else: compares the host with one string",
        program: Program::Own("bare_h2"),
        cases: &Case::PLAIN,
        version: &[],
        arguments: configurations::bare_h2,
    },
    Kind {
        name: OURS,
        about: "`coalesce serve -q`: no log line for a 421, as none of the others writes one",
        program: Program::Own("coalesce"),
        cases: &Case::PLAIN,
        version: &[],
        arguments: configurations::coalesce_quiet,
    },
    Kind {
        name: "coalesce-logging",
        about: "`coalesce serve`: a line for each 421, into a file",
        program: Program::Own("coalesce"),
        cases: &[Case::Misdirected],
        version: &[],
        arguments: configurations::coalesce,
    },
    Kind {
        name: "coalesce-no-origins",
        about: "the same, which announces no origin set",
        program: Program::Own("coalesce"),
        cases: &[Case::Served],
        version: &[],
        arguments: configurations::coalesce_without_origins,
    },
    Kind {
        name: "nginx",
        about: "`return`; 421 by comparing `$ssl_server_name` with `$host`",
        program: Program::System { program: "nginx", package: "nginx" },
        cases: &Case::PLAIN,
        version: &["-v"],
        arguments: configurations::nginx,
    },
    Kind {
        name: "haproxy",
        about: "`http-request return`; 421 by comparing `ssl_fc_sni` with the host",
        program: Program::System { program: "haproxy", package: "haproxy" },
        cases: &Case::PLAIN,
        version: &["-v"],
        arguments: configurations::haproxy,
    },
    Kind {
        name: "h2o",
        about: "a small file; 421 from mruby for hosts that it does not serve",
        program: Program::System { program: "h2o", package: "h2o" },
        cases: &Case::PLAIN,
        version: &["--version"],
        arguments: configurations::h2o,
    },
    Kind {
        name: "apache",
        about: "a small file; 421 because the virtual hosts' TLS differs",
        program: Program::System { program: "apache2", package: "apache2" },
        cases: &Case::PLAIN,
        version: &["-v"],
        arguments: configurations::apache,
    },
    Kind {
        name: "caddy",
        about: "`respond`; 421 by `strict_sni_host`",
        program: Program::System { program: "caddy", package: "caddy" },
        cases: &Case::PLAIN,
        version: &["version"],
        arguments: configurations::caddy,
    },
];

pub(crate) fn by_name(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

impl Kind {
    pub(crate) const fn is_own(&self) -> bool {
        matches!(self.program, Program::Own(_))
    }

    /// Returns the reason why the server cannot be measured here.
    pub(crate) fn missing(&self) -> Option<String> {
        match self.program {
            Program::System { program, package } if find(program).is_none() => {
                Some(format!("not installed: apt-get install {package}"))
            }
            _ => None,
        }
    }

    /// Returns the version that the server prints. Coalesce and the baseline have the workspace's
    /// version.
    pub(crate) fn version(&self) -> Option<String> {
        let Program::System { program, .. } = self.program else { return None };
        let output = Command::new(find(program)?).args(self.version).output().ok()?;
        // nginx prints its version on standard error.
        let said = [output.stdout, output.stderr].concat();
        number(&String::from_utf8(said).ok()?).map(str::to_owned)
    }
}

/// Returns the version in a text such as `nginx version: nginx/1.22.1`.
fn number(said: &str) -> Option<&str> {
    let is_version = |word: &&str| {
        let number = word.rsplit('/').next().unwrap_or(word);
        number.contains('.') && number.starts_with(|first: char| first.is_ascii_digit())
    };
    let word = said.split_ascii_whitespace().find(is_version)?;
    word.rsplit('/').next()
}

/// Finds a system program, also in the folders where administrators keep servers.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(|folder| Path::new(folder).into()));
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_found_in_program_output() {
        for (said, version) in [
            ("nginx version: nginx/1.22.1\n", Some("1.22.1")),
            ("HAProxy version 2.6.12-1 2026/10/17 - https://a.test/\n", Some("2.6.12-1")),
            ("Server version: Apache/2.4.71 (Debian)\nServer built: 2026", Some("2.4.71")),
            ("2.6.2\n", Some("2.6.2")),
            ("usage: server\n", None),
        ] {
            assert_eq!(number(said), version, "{said}");
        }
    }

    #[test]
    fn server_names_are_unique() {
        for kind in &KINDS {
            let found = by_name(kind.name).unwrap();
            assert!(std::ptr::eq(found, kind), "{}", kind.name);
        }
    }
}
