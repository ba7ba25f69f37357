//! Replaces the served configuration by a newer one.
//!
//! A thread of the lowest priority reads, checks and builds the new configuration while the old one
//! serves. A complete configuration replaces the old one in one step. Every connection then
//! releases the old one at once, and it is freed here, so no request waits for that.

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

/// The source of the configuration.
#[derive(Clone, Debug)]
pub(in crate::serve) struct ConfigurationSource {
    path: PathBuf,
    overrides: Overrides,
    /// The site, which carries groups, listeners and sessions over to the next version.
    site: Arc<OnceLock<Site<VirtualHost>>>,
}

/// The signals that the reloader answers.
pub(in crate::serve) struct ReloadSignals {
    /// Load the configuration, and open the access log again.
    pub(in crate::serve) reload: Signal,
    /// Open the access log again.
    pub(in crate::serve) reopen: Signal,
}

/// The reason why loading failed.
pub(in crate::serve) enum LoadError {
    Configuration(ConfigErrors),
    /// The configuration contradicts the command line.
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

    /// Returns the files of the configuration; while they are unknown, those of `before` too.
    fn files(&self, before: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        files_named(&self.path).unwrap_or_else(|| {
            let mut files = before.clone();
            files.insert(self.path.clone());
            files
        })
    }
}

/// Replaces the snapshot that is served.
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

    /// Serves `snapshot` from the next request on; returns the previous one.
    fn swap(&self, snapshot: Snapshot) -> Arc<Snapshot> {
        self.meters.serving(&snapshot.site);
        self.site.install(&snapshot.site);
        let mut snapshot = Arc::new(snapshot);
        self.states.send_modify(|state| std::mem::swap(&mut state.snapshot, &mut snapshot));
        snapshot
    }
}

/// Reloads when files have changed, or on request.
#[derive(Debug)]
pub(in crate::serve) struct Reloader {
    source: ConfigurationSource,
    /// `None` after the look at the files panicked, which no file can cause.
    files: Option<Files>,
    /// `None` if the files are not watched, by request or after an error.
    file_events: Option<FileEvents>,
    background: Background,
}

/// The next reload.
#[derive(Clone, Copy, Debug)]
enum Due {
    /// Only if the files have changed.
    IfChanged,
    /// In any case.
    Always,
}

/// The files of a source.
#[derive(Debug)]
struct Files {
    source: ConfigurationSource,
    paths: BTreeSet<PathBuf>,
    /// The marks of `paths` from the last look.
    marks: FileMarks,
    watcher: Option<FolderWatcher>,
}

impl Reloader {
    /// Takes the marks of the files of `source`; call it before they are loaded.
    pub(in crate::serve) fn new(source: ConfigurationSource, background: Background) -> Self {
        let paths = source.files(&BTreeSet::new());
        let marks = FileMarks::of(&paths);
        let files = Files { source: source.clone(), paths, marks, watcher: None };
        Self { source, files: Some(files), file_events: None, background }
    }

    /// Starts to watch the files. Logs the folders that cannot be watched; SIGHUP still reloads.
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

    /// Reloads until the server ends.
    pub(in crate::serve) async fn run(
        mut self,
        swapper: Swapper,
        mut signals: ReloadSignals,
        access_log: Option<AccessLog>,
    ) {
        let log = access_log.as_ref();
        // Files may have changed between the first look and the start of the watch.
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
                    Some(()) = signals.reload.recv() => Some(hang_up(log)),
                    Some(()) = signals.reopen.recv() => {
                        reopen(log);
                        None
                    }
                    else => return,
                };
            }
            let Some(next) = due.take() else { continue };
            let slow = |waited: Duration| events::reload_is_slow(waited.as_secs_f64());
            let mut reload = pin!(report_slow(self.reload_due(next, &swapper), slow));
            // A file system that does not respond can block a reload forever. SIGHUP still reopens
            // the access log, and requests one more reload.
            loop {
                tokio::select! {
                    () = &mut reload => break,
                    Some(()) = signals.reload.recv() => due = Some(hang_up(log)),
                    Some(()) = signals.reopen.recv() => reopen(log),
                }
            }
        }
    }

    /// Takes new marks; returns true if they differ from the last ones.
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

/// Opens the access log again for SIGUSR1, which asks for no reload.
fn reopen(access_log: Option<&AccessLog>) {
    events::reopening();
    if let Some(log) = access_log {
        log.reopen();
    }
}

/// Awaits `work`, and calls `slow` after [`SLOW_RELOAD`] and then each time that the duration has
/// doubled.
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

    /// Lists the files and takes their marks; returns true if either has changed.
    fn look(&mut self) -> bool {
        self.paths = self.source.files(&self.paths);
        self.watch_folders();
        // After watching began, so that later changes cause an event. Before the files are read, so
        // that a change during reading is found at the next look.
        let marks = FileMarks::of(&self.paths);
        let changed = marks != self.marks;
        self.marks = marks;
        changed
    }
}

/// Frees a snapshot once no connection uses it. Freeing a large one takes time, so it happens in
/// the background.
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
