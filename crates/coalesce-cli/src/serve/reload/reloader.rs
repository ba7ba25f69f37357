//! Putting a newer configuration in the place of the one that is served.
//!
//! The new one is read, checked and built beside the one that serves, on a thread of its own that
//! stands back whenever there is a request to be served. Only a whole one takes its place, in one
//! step. The old one is let go of by every connection at once and freed here, so that no request
//! waits for that.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use coalesce_site::Site;
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::field::display;

use crate::config::{ConfigErrors, Configuration, Overrides, VirtualHost, files_named};
use crate::serve::limits::{RETIRE_PAUSE, SLOW_RELOAD};
use crate::serve::listener::BoundListener;
use crate::serve::observe::access_log::AccessLog;
use crate::serve::observe::events;
use crate::serve::observe::meters::Meters;
use crate::serve::reload::background::Background;
use crate::serve::reload::file_events::{FileEvents, FileMarks, FolderWatcher, reason};
use crate::serve::snapshot::{ServerState, Snapshot};

/// Where the configuration comes from.
#[derive(Clone, Debug)]
pub(in crate::serve) struct ConfigurationSource {
    path: PathBuf,
    overrides: Overrides,
    /// What makes a group, a listener and a session of one site those of the next.
    site: Arc<OnceLock<Site<VirtualHost>>>,
}

/// Why there is no site.
pub(in crate::serve) enum LoadError {
    Configuration(ConfigErrors),
    /// It does not go together with the command line.
    Usage(String),
}

impl ConfigurationSource {
    pub(in crate::serve) fn new(path: PathBuf, overrides: Overrides) -> Self {
        Self { path, overrides, site: Arc::default() }
    }

    /// Loads the configuration, for the first time or after others.
    pub(in crate::serve) fn load(&self) -> Result<Configuration, LoadError> {
        let loaded = Configuration::load_with(&self.path, self.overrides, self.site.get());
        let loaded = loaded.map_err(LoadError::Configuration)?;
        let listeners = loaded.site.listeners().len();
        if self.overrides.listen.is_some() && listeners != 1 {
            return Err(LoadError::Usage(format!(
                "--listen is for configurations with one listener; this one has {listeners}"
            )));
        }
        self.site.get_or_init(|| loaded.handle.clone());
        Ok(loaded)
    }

    /// The files that it is made of; those of `before` as well while it cannot be said.
    fn files(&self, before: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        files_named(&self.path).unwrap_or_else(|| {
            let mut files = before.clone();
            files.insert(self.path.clone());
            files
        })
    }
}

/// What puts snapshots in the place of others.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Swapper {
    pub(in crate::serve) site: Site<VirtualHost>,
    pub(in crate::serve) states: Arc<watch::Sender<ServerState>>,
    pub(in crate::serve) bound: Arc<[BoundListener]>,
    pub(in crate::serve) meters: Arc<Meters>,
}

impl Swapper {
    /// Makes the next snapshot.
    fn next(&self, loaded: Configuration) -> Result<Snapshot, String> {
        let earlier = self.states.borrow().snapshot.clone();
        let Configuration { site, admin, .. } = loaded;
        Snapshot::new(site, admin, &self.bound, &self.meters, Some(&earlier))
    }

    /// Has `snapshot` served from the next request on; gives the one that was served before.
    fn swap(&self, snapshot: Snapshot) -> Arc<Snapshot> {
        self.meters.serving(&snapshot.site);
        self.site.install(&snapshot.site);
        let mut snapshot = Arc::new(snapshot);
        self.states.send_modify(|state| std::mem::swap(&mut state.snapshot, &mut snapshot));
        snapshot
    }
}

/// Reloads when files have changed, and when it is told to.
#[derive(Debug)]
pub(in crate::serve) struct Reloader {
    source: ConfigurationSource,
    /// `None` after a look at them that came to no end, which no file can cause.
    files: Option<Files>,
    /// `None` where nobody wants the files to be watched, or nobody can.
    file_events: Option<FileEvents>,
    background: Background,
}

/// The reload that comes next.
#[derive(Clone, Copy, Debug)]
enum Due {
    /// If the files are others than before.
    IfChanged,
    /// Whether or not.
    Always,
}

/// The files of a source.
#[derive(Debug)]
struct Files {
    source: ConfigurationSource,
    paths: BTreeSet<PathBuf>,
    /// Those of `paths` when they were last looked at.
    marks: FileMarks,
    watcher: Option<FolderWatcher>,
}

impl Reloader {
    /// Looks at the files of `source`; to be called before they are loaded.
    pub(in crate::serve) fn new(source: ConfigurationSource, background: Background) -> Self {
        let paths = source.files(&BTreeSet::new());
        let marks = FileMarks::of(&paths);
        let files = Files { source: source.clone(), paths, marks, watcher: None };
        Self { source, files: Some(files), file_events: None, background }
    }

    /// Watches the files from now on. What cannot be watched is logged: SIGHUP is left.
    pub(in crate::serve) fn watch(&mut self) {
        let Some(files) = &mut self.files else { return };
        match FolderWatcher::new() {
            Ok((watcher, file_events)) => {
                self.file_events = Some(file_events);
                files.watcher = Some(watcher);
                files.watch_folders();
            }
            Err(error) => {
                let reason = reason(&error);
                events::cannot_watch_files(reason);
            }
        }
    }

    /// Reloads for ever.
    pub(in crate::serve) async fn run(
        mut self,
        swapper: Swapper,
        mut hangups: Signal,
        access_log: Option<AccessLog>,
    ) {
        // Files may have changed between the first look at them and the beginning of the watch.
        let mut due = self.file_events.is_some().then_some(Due::IfChanged);
        loop {
            if due.is_none() {
                let happened = async {
                    match &mut self.file_events {
                        Some(file_events) => file_events.settled().await,
                        None => None,
                    }
                };
                due = tokio::select! {
                    Some(()) = happened => Some(Due::IfChanged),
                    Some(()) = hangups.recv() => Some(hang_up(access_log.as_ref())),
                    else => return,
                };
            }
            let Some(next) = due.take() else { continue };
            let slow = |waited: Duration| events::reload_is_slow(waited.as_secs_f64());
            let mut reload = pin!(report_slow(self.reload_due(next, &swapper), slow));
            // A file system that answers nothing can hold a reload for ever. SIGHUP opens the
            // access log again all the same, and asks for one more reload.
            loop {
                tokio::select! {
                    () = &mut reload => break,
                    Some(()) = hangups.recv() => due = Some(hang_up(access_log.as_ref())),
                }
            }
        }
    }

    /// Looks at the files; says whether anything is new.
    async fn look(&mut self) -> bool {
        let Some(mut files) = self.files.take() else { return true };
        let looked = self.background.run(move || {
            let changed = files.look();
            (files, changed)
        });
        let Some((files, changed)) = looked.await else { return true };
        self.files = Some(files);
        changed
    }

    async fn reload_due(&mut self, due: Due, swapper: &Swapper) {
        let changed = self.look().await;
        match due {
            Due::Always => {}
            Due::IfChanged if changed => events::files_changed(),
            Due::IfChanged => return,
        }
        self.reload(swapper).await;
    }

    async fn reload(&self, swapper: &Swapper) {
        let begun = Instant::now();
        let (source, swapping) = (self.source.clone(), swapper.clone());
        let next = self.background.run(move || {
            let loaded = source.load().map_err(|error| match error {
                LoadError::Configuration(errors) => errors.in_one_line(),
                LoadError::Usage(message) => message,
            })?;
            loaded.log();
            swapping.next(loaded)
        });
        let next = next.await.unwrap_or_else(|| Err("it cannot be loaded".to_owned()));
        let took = begun.elapsed();
        let seconds = took.as_secs_f64();
        match next {
            Ok(snapshot) => {
                let table = snapshot.site.authorities();
                let (names, bytes) = (table.len(), table.as_bytes().len());
                let earlier = swapper.swap(snapshot);
                swapper.meters.reloaded(took);
                events::reloaded(names, bytes, seconds);
                tokio::spawn(retire(earlier, swapper.meters.clone(), self.background.clone()));
            }
            Err(reason) => {
                swapper.meters.reload_refused(took);
                events::reload_refused(reason, seconds);
            }
        }
    }
}

/// Opens the access log again, and returns the reload that SIGHUP asks for.
fn hang_up(access_log: Option<&AccessLog>) -> Due {
    events::hangup();
    if let Some(log) = access_log {
        log.reopen();
    }
    Due::Always
}

/// Awaits `work`, and calls `slow` while it goes on: after [`SLOW_RELOAD`], and then each time that
/// it has taken twice as long.
async fn report_slow<T>(work: impl Future<Output = T>, mut slow: impl FnMut(Duration)) -> T {
    let mut work = pin!(work);
    let (mut waited, mut pause) = (Duration::ZERO, SLOW_RELOAD);
    loop {
        if let Ok(done) = timeout(pause, &mut work).await {
            return done;
        }
        waited = waited.saturating_add(pause);
        pause = waited;
        slow(waited);
    }
}

impl Files {
    fn watch_folders(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        for (folder, error) in watcher.watch(&self.paths) {
            let (folder, reason) = (folder.display(), reason(&error));
            events::cannot_watch_folder(display(folder), reason);
        }
    }

    /// Looks which files there are, and what they are like; says whether anything is new.
    fn look(&mut self) -> bool {
        self.paths = self.source.files(&self.paths);
        self.watch_folders();
        // After that: what changes from here on is told. Before they are read: what changes while
        // they are read is found the next time.
        let marks = FileMarks::of(&self.paths);
        let changed = marks != self.marks;
        self.marks = marks;
        changed
    }
}

/// Frees a snapshot once no connection has it any longer: to free a large one takes its time, which
/// no request is to wait for.
async fn retire(snapshot: Arc<Snapshot>, meters: Arc<Meters>, background: Background) {
    while Arc::strong_count(&snapshot) > 1 {
        sleep(RETIRE_PAUSE).await;
    }
    background.run(move || drop(snapshot)).await;
    meters.snapshots.decrement(1.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_reload_is_reported_each_time_that_it_has_taken_twice_as_long() {
        let seconds = |seconds| async move { sleep(Duration::from_secs(seconds)).await };
        for (takes, expected) in [(4, vec![]), (6, vec![5]), (50, vec![5, 10, 20, 40])] {
            let mut reported = Vec::new();
            report_slow(seconds(takes), |waited| reported.push(waited.as_secs())).await;
            assert_eq!(reported, expected, "{takes}");
        }
    }
}
