//! A thread for work that must not delay requests.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use tokio::sync::oneshot;

/// Runs one task after the other on a thread of the lowest priority.
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
                // After a panic the sender of the result is dropped, which the caller notices.
                let _ = catch_unwind(AssertUnwindSafe(work));
            }
        })?;
        Ok(Self(sender))
    }

    /// Runs `work`; returns `None` if it panicked.
    pub(in crate::serve) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (done, result) = oneshot::channel();
        let work = move || {
            // Fails if the server is ending and no longer waits.
            let _ = done.send(work());
        };
        self.0.send(Box::new(work)).ok()?;
        result.await.ok()
    }
}

/// Gives this thread the lowest priority. On a busy machine, requests would otherwise wait for the
/// milliseconds that a thread may run at a time.
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
    async fn panic_ends_the_work_and_not_the_thread() {
        let background = Background::start().unwrap();
        let id = || std::thread::current().id();
        let first = background.run(id).await.unwrap();
        assert_eq!(background.run(|| panic!("on purpose")).await, None::<()>);
        assert_eq!(background.run(id).await, Some(first));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn background_thread_alone_has_the_lowest_priority() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let own = priority();
        assert_eq!(Background::start().unwrap().run(priority).await, Some(19));
        assert_eq!(priority(), own);
    }
}
