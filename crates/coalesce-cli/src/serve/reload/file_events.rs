//! Detects changes of files.
//!
//! Watches folders instead of files. `coalesce compile`, editors and programs that renew
//! certificates replace a file by renaming another to its name, and the old file does not change.
//! An event in a folder only means that it is time to look; the [`FileMarks`] show whether a file
//! has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::serve::limits::{LINKS_MAX, SETTLE_MAX, SETTLE_PAUSE};

/// A fingerprint of a set of files, made without reading them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::serve) struct FileMarks(BTreeMap<PathBuf, Option<Mark>>);

/// Device, inode, length, and the times of the last change of content and of status. No program can
/// set the last time, so it reveals a replaced file of the same length and age.
type Mark = (u64, u64, u64, (i64, i64), (i64, i64));

impl FileMarks {
    /// Takes the marks of `files`; a missing or unreadable file has a mark too.
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
    /// Device and inode of each watched folder. A folder that replaced another has a new inode.
    watched: BTreeMap<PathBuf, (u64, u64)>,
}

/// The receiver of events in watched folders.
#[derive(Debug)]
pub(in crate::serve) struct FileEvents(mpsc::Receiver<()>);

impl FolderWatcher {
    /// Makes a watcher without folders.
    pub(in crate::serve) fn new() -> notify::Result<(Self, FileEvents)> {
        // One pending event is enough, because the reader checks all files.
        let (happened, events) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.as_ref().map_or(true, |event| changes_something(event.kind)) {
                let _ = happened.try_send(());
            }
        })?;
        Ok((Self { watcher, watched: BTreeMap::new() }, FileEvents(events)))
    }

    /// Watches the folders of `files`, and no others. Returns those that cannot be watched, with
    /// the reason.
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
            // Fails if the folder was removed, and its watch with it.
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

/// Returns false for read events: each reload causes some itself.
const fn changes_something(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}

/// Adds every folder in which the name `path` could be given to another file: its own folder, and
/// those of the symbolic links on the way. Follows `links` of them.
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
    /// Waits for an event, and then until the folders are quiet for a moment, because a certificate
    /// and its key are two files. Returns `None` when watching has ended.
    pub(in crate::serve) async fn settled(&mut self) -> Option<()> {
        self.0.recv().await?;
        let last = Instant::now() + SETTLE_MAX;
        while timeout_at(last.min(Instant::now() + SETTLE_PAUSE), self.0.recv()).await.is_ok() {}
        Some(())
    }
}

/// Returns the text of a watcher's error, which may be the operating system's.
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
    fn every_folder_on_the_way_through_links_is_watched() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["1", "2", "plain"] {
            fs::create_dir(at(name)).unwrap();
        }
        fs::write(at("2/file"), "").unwrap();
        // The layout of Kubernetes secrets: a link to a link to a folder that is replaced whole.
        symlink("../2", at("1/data")).unwrap();
        symlink("data/file", at("1/file")).unwrap();
        let found = folders(&at("1/file"));
        // The folder of the links, the folder that they lead to, and the parent of the replaced
        // folder.
        assert_eq!(found, BTreeSet::from(["1", "1/data", "1/.."].map(at)));
        assert_eq!(folders(Path::new("site.toml")), BTreeSet::from([PathBuf::from(".")]));
        symlink("loop", at("loop")).unwrap();
        assert_eq!(folders(&at("loop")), BTreeSet::from([folder.path().to_owned()]));
    }

    #[test]
    fn replaced_file_of_equal_length_and_age_is_detected() {
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
    async fn events_in_a_folder_are_reported_once_it_is_quiet() {
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
    fn reading_is_not_a_change() {
        use notify::event::CreateKind;
        assert!(!changes_something(EventKind::Access(AccessKind::Open(AccessMode::Any))));
        assert!(!changes_something(EventKind::Access(AccessKind::Close(AccessMode::Read))));
        assert!(changes_something(EventKind::Access(AccessKind::Close(AccessMode::Write))));
        assert!(changes_something(EventKind::Create(CreateKind::File)));
    }
}
