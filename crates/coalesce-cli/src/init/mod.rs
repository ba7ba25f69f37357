//! `coalesce init`: writes a first configuration file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::files;
use crate::terminal::exit::{Exit, Failure};
use crate::terminal::output::Output;
use crate::terminal::text::without_code;

/// The file, with placeholders in braces.
const TEMPLATE: &str = include_str!("template.toml");

/// The arguments of `coalesce init`.
#[derive(Args, Debug)]
pub(crate) struct InitArguments {
    /// The file to write, or - for standard output
    #[arg(value_name = "FILE", default_value = "site.toml")]
    file: PathBuf,
    /// The certificate chain of the first virtual host, which gets the names of the certificate
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// The private key of the certificate
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// The address of the listener
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Replace an existing file
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(arguments: &InitArguments) -> Result<Exit, Failure> {
    let text = content(arguments)?;
    let mut output = Output::stdout();
    if arguments.file == Path::new("-") {
        for line in text.lines() {
            output.line(line)?;
        }
    } else {
        let file = arguments.file.display();
        write(&arguments.file, &text, arguments.force)?;
        output.line(format_args!("wrote {file}; next: coalesce check {file}"))?;
    }
    output.flush()?;
    Ok(Exit::Fine)
}

/// Fills the template in.
fn content(arguments: &InitArguments) -> Result<String, Failure> {
    let names = match &arguments.certificate {
        None => vec!["a.example.test".to_owned()],
        Some(path) => names_in(path)?,
    };
    let name = names.first().map(|name| name.trim_start_matches("*.")).unwrap_or_default();
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    let file = |path: Option<&PathBuf>, default: &str| match path {
        None => Ok(quoted(default)),
        Some(path) => relative(path, &arguments.file),
    };
    let values = [
        ("{listen}", quoted(&arguments.listen.to_string())),
        ("{name}", quoted(name)),
        ("{names}", names.join(", ")),
        ("{certificate}", file(arguments.certificate.as_ref(), "certificate.pem")?),
        ("{key}", file(arguments.key.as_ref(), "key.pem")?),
    ];
    let mut text = TEMPLATE.to_owned();
    for (place, value) in values {
        text = text.replace(place, &value);
    }
    Ok(text)
}

/// Returns the names of a certificate as patterns of a virtual host.
fn names_in(path: &Path) -> Result<Vec<String>, Failure> {
    let names = files::certificate_names(path)?;
    let patterns = names.names().iter().filter_map(|name| {
        let name = name.strip_prefix("DNS:").or_else(|| name.strip_prefix("IP:"));
        name.map(str::to_owned)
    });
    let patterns: Vec<String> = patterns.collect();
    if patterns.is_empty() {
        return Err(files::without_names(path));
    }
    Ok(patterns)
}

/// Returns a path of the command line as the configuration file needs it, quoted.
fn relative(path: &Path, file: &Path) -> Result<String, Failure> {
    let here = file.parent().is_none_or(|folder| folder.as_os_str().is_empty());
    let path = if here { Ok(path.to_owned()) } else { std::path::absolute(path) };
    let path = path.map_err(|error| Failure::usage(without_code(&error)))?;
    let text = path.to_str().ok_or_else(|| {
        let path = path.display();
        Failure::usage(format_args!("{path}: the path is not UTF-8, which the file must be"))
    })?;
    Ok(quoted(text))
}

/// Returns a TOML string.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// Writes a new file, or replaces one if `force` is set.
fn write(path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    let cannot = |error: &io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::usage(format_args!(
            "{} exists; use another name, or --force to replace it",
            path.display()
        )),
        _ => Failure::cannot_write(path, error),
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(!force).create(force).truncate(force);
    let write = |mut file: File| file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    options.open(path).and_then(write).map_err(|error| cannot(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_has_only_placeholders_that_are_filled_in() {
        let arguments = InitArguments {
            file: "site.toml".into(),
            certificate: None,
            key: None,
            listen: "[::1]:443".parse().unwrap(),
            force: false,
        };
        let text = content(&arguments).unwrap();
        let braces = text.matches('{').count();
        assert_eq!(braces, text.matches("answer = {").count(), "{text}");
        assert!(text.contains("address = \"[::1]:443\"\n"), "{text}");
        toml::from_str::<toml::Table>(&text).unwrap();
    }
}
