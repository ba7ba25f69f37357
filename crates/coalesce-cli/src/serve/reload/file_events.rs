//! Finding out that files have changed.
//!
//! Folders are watched, not files: whoever replaces a file by renaming another to its name, as
//! `coalesce compile`, editors and those who renew certificates do, leaves the old file unchanged.
//! What happens in a folder says no more than that it is time to look; whether a file has changed
//! is seen by its [`FileMarks`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::serve::limits::{LINKS_MAX, SETTLE_MAX, SETTLE_PAUSE};

/// What tells one state of a set of files from another, without reading them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::serve) struct FileMarks(BTreeMap<PathBuf, Option<Mark>>);

/// Device, inode, length, and the times of the last change of content and of anything. The last
/// one nobody can set, so that a file that was replaced by one of the same length and age is found.
type Mark = (u64, u64, u64, (i64, i64), (i64, i64));

impl FileMarks {
    /// Looks at `files`; one that is not there, or cannot be looked at, has a mark as well.
    pub(in crate::serve) fn of(files: &BTreeSet<PathBuf>) -> Self {
        Self(files.iter().map(|file| (file.clone(), fs::metadata(file).ok().map(mark))).collect())
    }
}

#[allow(clippy::needless_pass_by_value, reason = "as what maps an Option calls it")]
fn mark(of: Metadata) -> Mark {
    let changed = (of.ctime(), of.ctime_nsec());
    (of.dev(), of.ino(), of.size(), (of.mtime(), of.mtime_nsec()), changed)
}

/// Watches the folders of files.
#[derive(Debug)]
pub(in crate::serve) struct FolderWatcher {
    watcher: RecommendedWatcher,
    /// Device and inode of each folder when it was taken: another one of the same name is another.
    watched: BTreeMap<PathBuf, (u64, u64)>,
}

/// Says that something has happened in a watched folder.
#[derive(Debug)]
pub(in crate::serve) struct FileEvents(mpsc::Receiver<()>);

impl FolderWatcher {
    /// Watches nothing yet.
    pub(in crate::serve) fn new() -> notify::Result<(Self, FileEvents)> {
        // One that waits is as good as several.
        let (happened, events) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.as_ref().map_or(true, |event| changes_something(event.kind)) {
                let _ = happened.try_send(());
            }
        })?;
        Ok((Self { watcher, watched: BTreeMap::new() }, FileEvents(events)))
    }

    /// Watches the folders of `files`, and no others; gives those that cannot be watched, with the
    /// reason.
    pub(in crate::serve) fn watch(
        &mut self,
        files: &BTreeSet<PathBuf>,
    ) -> Vec<(PathBuf, notify::Error)> {
        let mut folders = BTreeSet::new();
        for file in files {
            add_folders(file, &mut folders, LINKS_MAX);
        }
        let mut wanted = BTreeMap::new();
        let mut failed = Vec::new();
        for folder in folders {
            match fs::metadata(&folder) {
                Ok(metadata) => {
                    wanted.insert(folder, (metadata.dev(), metadata.ino()));
                }
                Err(error) => failed.push((folder, notify::Error::io(error))),
            }
        }
        for (folder, _) in
            self.watched.iter().filter(|(folder, id)| wanted.get(*folder) != Some(*id))
        {
            // It may be gone, and its watch with it.
            let _ = self.watcher.unwatch(folder);
        }
        self.watched.retain(|folder, id| wanted.get(folder) == Some(id));
        for (folder, id) in wanted {
            if self.watched.contains_key(&folder) {
                continue;
            }
            match self.watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(folder, id);
                }
                Err(error) => failed.push((folder, error)),
            }
        }
        failed
    }
}

/// Reading files is an event as well, of which there is one for every reload.
const fn changes_something(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}

/// Adds every folder in which the name `path` could come to mean another file: its own, and those
/// of the symbolic links on the way to it. `links` of them are followed.
fn add_folders(path: &Path, folders: &mut BTreeSet<PathBuf>, links: usize) {
    folders.insert(folder_of(path).to_owned());
    let Some(links) = links.checked_sub(1) else { return };
    for step in path.ancestors() {
        if let Ok(target) = fs::read_link(step) {
            add_folders(&folder_of(step).join(target), folders, links);
            folders.insert(folder_of(step).to_owned());
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => path,
    }
}

impl FileEvents {
    /// Waits until something has happened, and then until nothing more does for a moment: a
    /// certificate and its key are two files. `None` when nobody watches any longer.
    pub(in crate::serve) async fn settled(&mut self) -> Option<()> {
        self.0.recv().await?;
        let last = Instant::now() + SETTLE_MAX;
        while timeout_at(last.min(Instant::now() + SETTLE_PAUSE), self.0.recv()).await.is_ok() {}
        Some(())
    }
}

/// The text of an error of the watcher, which may be the operating system's.
pub(in crate::serve) fn reason(error: &notify::Error) -> String {
    match &error.kind {
        notify::ErrorKind::Io(error) => crate::terminal::text::without_code(error),
        notify::ErrorKind::MaxFilesWatch => {
            "the system watches no more (fs.inotify.max_user_watches)".to_owned()
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn folders(path: &Path) -> BTreeSet<PathBuf> {
        let mut folders = BTreeSet::new();
        add_folders(path, &mut folders, LINKS_MAX);
        folders
    }

    #[test]
    fn every_folder_that_a_name_leads_through_a_link_in_is_watched() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["1", "2", "plain"] {
            fs::create_dir(at(name)).unwrap();
        }
        fs::write(at("2/file"), "").unwrap();
        // As Kubernetes mounts secrets: a link to a link to a folder that is exchanged whole.
        symlink("../2", at("1/data")).unwrap();
        symlink("data/file", at("1/file")).unwrap();
        let found = folders(&at("1/file"));
        // Where the links are, where they lead, and where the folder is that is exchanged.
        assert_eq!(found, BTreeSet::from(["1", "1/data", "1/.."].map(at)));
        assert_eq!(folders(Path::new("site.toml")), BTreeSet::from([PathBuf::from(".")]));
        symlink("loop", at("loop")).unwrap();
        assert_eq!(folders(&at("loop")), BTreeSet::from([folder.path().to_owned()]));
    }

    #[test]
    fn a_replaced_file_is_another_however_alike() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let files = BTreeSet::from([path.clone()]);
        let missing = FileMarks::of(&files);
        fs::write(&path, "one").unwrap();
        let one = FileMarks::of(&files);
        assert_ne!(one, missing);
        assert_eq!(one, FileMarks::of(&files));
        let new = folder.path().join("new");
        fs::write(&new, "two").unwrap();
        let age = fs::metadata(&path).unwrap().modified().unwrap();
        fs::File::open(&new).unwrap().set_modified(age).unwrap();
        fs::rename(&new, &path).unwrap();
        assert_ne!(one, FileMarks::of(&files));
    }

    #[tokio::test]
    async fn what_happens_in_a_folder_is_told_once_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "one").unwrap();
        let (mut watcher, mut events) = FolderWatcher::new().unwrap();
        assert!(watcher.watch(&BTreeSet::from([path.clone()])).is_empty());
        let missing = folder.path().join("no/such");
        let failed = watcher.watch(&BTreeSet::from([path.clone(), missing]));
        assert_eq!(failed.len(), 1);
        assert_eq!(reason(&failed[0].1), "No such file or directory");
        fs::write(&path, "two").unwrap();
        assert!(events.settled().await.is_some());
        drop(watcher);
        while events.settled().await.is_some() {}
    }

    #[test]
    fn reading_is_no_change() {
        use notify::event::CreateKind;
        assert!(!changes_something(EventKind::Access(AccessKind::Open(AccessMode::Any))));
        assert!(!changes_something(EventKind::Access(AccessKind::Close(AccessMode::Read))));
        assert!(changes_something(EventKind::Access(AccessKind::Close(AccessMode::Write))));
        assert!(changes_something(EventKind::Create(CreateKind::File)));
    }
}
