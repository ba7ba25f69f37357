//! The files that a configuration consists of, for the code that watches them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use toml::Spanned;

use crate::config::entries::parse::{self, Entries};
use crate::config::entries::source::Source;

/// Returns the configuration file `path` and every file that loading it reads, valid or not. `None`
/// if the configuration file cannot be parsed far enough to list them.
pub(crate) fn files_named(path: &Path) -> Option<BTreeSet<PathBuf>> {
    let source = Source::read(path).ok()?;
    let entries = parse::parse(&source).ok()?;
    let mut files: BTreeSet<PathBuf> =
        named(&entries).map(|relative| source.folder().join(relative)).collect();
    files.insert(path.to_owned());
    Some(files)
}

fn named(entries: &Entries) -> impl Iterator<Item = &Path> {
    let groups = entries.groups.iter().map(Spanned::get_ref);
    let hosts = entries.virtual_hosts.iter().map(Spanned::get_ref);
    let of_clients = groups
        .flat_map(|group| [&group.client_ca, &group.client_crl])
        .chain(hosts.clone().flat_map(|host| [&host.client_ca, &host.client_crl]))
        .flatten()
        .flat_map(|list| list.get_ref().files(list.span()));
    let shown = hosts.flat_map(|host| [&host.certificate, &host.key]);
    let single = entries.table.iter().chain(shown).map(|path| path.get_ref().as_path());
    single.chain(of_clients.map(|(path, _)| path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_is_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.toml");
        let text = "\
table = \"names.table\"
[[group]]
name = \"g\"
client_ca = \"ca1.pem\"
client_crl = [\"crl1.pem\", \"crl2.pem\"]
[[virtual_host]]
name = \"a\"
names = []
certificate = \"a.pem\"
key = \"a.key\"
client_ca = [\"/else/ca2.pem\", \"ca3.pem\"]
client_crl = \"crl3.pem\"
answer = { folder = \"public\" }
";
        std::fs::write(&path, text).unwrap();
        let named = files_named(&path).unwrap();
        let relative = [
            "site.toml",
            "names.table",
            "ca1.pem",
            "ca3.pem",
            "crl1.pem",
            "crl2.pem",
            "crl3.pem",
            "a.pem",
            "a.key",
        ];
        let mut expected =
            relative.into_iter().map(|name| folder.path().join(name)).collect::<BTreeSet<_>>();
        expected.insert(PathBuf::from("/else/ca2.pem"));
        assert_eq!(named, expected);
        std::fs::write(&path, "[[").unwrap();
        assert_eq!(files_named(&path), None);
    }
}
