//! One thread for work that requests are not to wait for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use tokio::sync::oneshot;

/// Does one thing after the other, on a thread that stands back for all others.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Background(mpsc::Sender<Work>);

type Work = Box<dyn FnOnce() + Send>;

impl Background {
    /// Starts the thread, which ends with the last of its handles.
    pub(in crate::serve) fn start() -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel::<Work>();
        let thread = std::thread::Builder::new().name("background".to_owned());
        thread.spawn(move || {
            stand_back();
            for work in receiver {
                // Whoever waits for it finds out: the sender of its result is gone.
                let _ = catch_unwind(AssertUnwindSafe(work));
            }
        })?;
        Ok(Self(sender))
    }

    /// Does `work`; `None` when it panicked.
    pub(in crate::serve) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (done, result) = oneshot::channel();
        let work = move || {
            // Nobody waits any longer when the server ends.
            let _ = done.send(work());
        };
        self.0.send(Box::new(work)).ok()?;
        result.await.ok()
    }
}

/// Takes the lowest priority for this thread. Without it a machine whose cores are all busy has
/// requests wait for the milliseconds that such a thread may run for at a time.
#[cfg(target_os = "linux")]
fn stand_back() {
    const LOWEST: i32 = 19;
    if let Err(error) = rustix::process::setpriority_process(None, LOWEST) {
        tracing::debug!(%error, "cannot lower the priority of a thread");
    }
}

#[cfg(not(target_os = "linux"))]
fn stand_back() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_the_work_and_not_the_thread() {
        let background = Background::start().unwrap();
        let id = || std::thread::current().id();
        let first = background.run(id).await.unwrap();
        assert_eq!(background.run(|| panic!("on purpose")).await, None::<()>);
        assert_eq!(background.run(id).await, Some(first));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_thread_has_the_lowest_priority_and_others_keep_theirs() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let own = priority();
        assert_eq!(Background::start().unwrap().run(priority).await, Some(19));
        assert_eq!(priority(), own);
    }
}
