//! A queue of log lines, bounded in bytes, with a thread that writes them.
//!
//! A task that logs never waits for the reader of the log. If the reader is slower than the tasks,
//! lines are lost and counted, and one line reports their number once there is room again.

use std::io::{self, Write};
use std::mem::{swap, take};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// How long the end of the process waits for the lines in the queue: any reader that makes progress
/// takes a whole queue within this time.
pub(crate) const LOG_FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// The pause between two reports of lost lines.
const LOSS_PAUSE: Duration = Duration::from_secs(1);

/// The pause before the next write to a non-blocking file or terminal that is full.
const FULL_PAUSE: Duration = Duration::from_millis(10);

/// The capacity that the two buffers of a queue keep while it is empty.
const KEPT_CAPACITY: usize = 64 * 1024;

/// The queue that tasks log to. Cloning is cheap, and all clones share the queue.
#[derive(Clone, Debug)]
pub(crate) struct LogQueue {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    bytes_max: usize,
    state: Mutex<State>,
    /// Wakes the thread that writes.
    filled: Condvar,
    /// Wakes the thread that waits for the end.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whole lines.
    waiting: Vec<u8>,
    /// The number of bytes that the thread has taken and not yet written.
    writing: usize,
    lost: u64,
    /// The lost lines that no report has counted yet.
    unsaid: u64,
    /// The system's error, if the last lines were lost because a write failed.
    reason: Option<String>,
    closing: bool,
    ended: bool,
}

/// Lines that were lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LostLines {
    pub(crate) lines: u64,
    pub(crate) reason: String,
}

/// Waits for the lines of a queue when dropped, for [`LOG_FLUSH_TIMEOUT`] at most.
#[derive(Debug)]
pub(crate) struct FlushGuard(LogQueue);

impl Drop for FlushGuard {
    fn drop(&mut self) {
        self.0.close(LOG_FLUSH_TIMEOUT);
    }
}

impl LogQueue {
    /// Starts the thread that writes lines to `sink`, for at most `bytes_max` bytes of lines that
    /// are not yet written. It calls `lost` when lines were lost and there is room again.
    pub(crate) fn start(
        name: &str,
        bytes_max: usize,
        sink: impl Write + Send + 'static,
        lost: impl Fn(LostLines) + Send + 'static,
    ) -> io::Result<(Self, FlushGuard)> {
        let shared = Arc::new(Shared {
            bytes_max,
            state: Mutex::default(),
            filled: Condvar::new(),
            ended: Condvar::new(),
        });
        let queue = Self { shared };
        let writer = Writer {
            shared: queue.shared.clone(),
            sink,
            lost,
            due: Instant::now(),
            said_at_the_end: false,
        };
        thread::Builder::new().name(name.to_owned()).spawn(move || writer.run())?;
        let guard = FlushGuard(queue.clone());
        Ok((queue, guard))
    }

    /// Adds a line, or counts it as lost if the queue is full. Never waits for the sink.
    pub(crate) fn push(&self, line: &[u8]) {
        let mut state = self.shared.lock();
        let len = state.waiting.len().saturating_add(state.writing).saturating_add(line.len());
        if len > self.shared.bytes_max {
            state.lose(1);
            return;
        }
        state.waiting.extend_from_slice(line);
        drop(state);
        self.shared.filled.notify_one();
    }

    /// Returns the number of lines lost so far.
    pub(crate) fn lost(&self) -> u64 {
        self.shared.lock().lost
    }

    /// Waits until the thread has written all lines of the queue and ended.
    fn close(&self, limit: Duration) {
        let mut state = self.shared.lock();
        state.closing = true;
        self.shared.filled.notify_one();
        // A thread that is still stuck in a write ends with the process.
        let _ = self.shared.ended.wait_timeout_while(state, limit, |state| !state.ended);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change leaves the state consistent, even after a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lose(&mut self, lines: u64) {
        self.lost = self.lost.saturating_add(lines);
        self.unsaid = self.unsaid.saturating_add(lines);
    }
}

/// The thread that writes.
struct Writer<W, L> {
    shared: Arc<Shared>,
    sink: W,
    lost: L,
    /// The time from which the next report may be written.
    due: Instant,
    /// True once a report was queued while the queue was closing. There is only one such report,
    /// because it may be lost itself.
    said_at_the_end: bool,
}

impl<W: Write, L: Fn(LostLines)> Writer<W, L> {
    fn run(mut self) {
        let mut batch = Vec::new();
        while self.wait(&mut batch) {
            let written = write_all(&mut self.sink, &batch);
            let mut state = self.shared.lock();
            state.writing = 0;
            if let Err((at, error)) = written {
                let rest = batch.get(at..).unwrap_or_default();
                let lines = rest.split(|byte| *byte == b'\n').count().saturating_sub(1);
                state.lose(u64::try_from(lines).unwrap_or(u64::MAX));
                state.reason = Some(error.to_string());
            }
            drop(state);
            self.say_losses();
            batch.clear();
            batch.shrink_to(KEPT_CAPACITY);
        }
        self.shared.lock().ended = true;
        self.shared.ended.notify_all();
    }

    /// Waits for lines and takes them all. Returns false at the end. A batch without lines means
    /// that losses must be reported.
    fn wait(&self, batch: &mut Vec<u8>) -> bool {
        let mut state = self.shared.lock();
        while state.waiting.is_empty() {
            if state.closing && state.unsaid == 0 {
                return false;
            }
            let pause = self.due.saturating_duration_since(Instant::now());
            if state.unsaid == 0 {
                let woken = self.shared.filled.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
            } else if pause.is_zero() || state.closing {
                return true;
            } else {
                let woken = self.shared.filled.wait_timeout(state, pause);
                state = woken.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        swap(&mut state.waiting, batch);
        state.writing = batch.len();
        true
    }

    /// Reports the lost lines, unless a report was just written. The queue has room here, because a
    /// batch was written.
    fn say_losses(&mut self) {
        let mut state = self.shared.lock();
        let now = Instant::now();
        if state.unsaid == 0 || (now < self.due && !state.closing) {
            return;
        }
        let lines = take(&mut state.unsaid);
        if state.closing && std::mem::replace(&mut self.said_at_the_end, true) {
            return;
        }
        let reason = state.reason.take();
        // Outside of the lock, because the report goes through the queue as well.
        drop(state);
        let reason = reason.unwrap_or_else(|| "the log is read too slowly".to_owned());
        (self.lost)(LostLines { lines, reason });
        self.due = now + LOSS_PAUSE;
    }
}

/// Writes all bytes, or returns how many were written and why not more.
fn write_all(sink: &mut impl Write, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        match sink.write(rest) {
            Ok(0) => return Err((at, io::ErrorKind::WriteZero.into())),
            Ok(written) => at += written,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Another process may have made a shared terminal or pipe non-blocking.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(FULL_PAUSE),
            Err(error) => return Err((at, error)),
        }
    }
    sink.flush().map_err(|error| (at, error))
}

/// `tracing_subscriber` writes each event with one call, so a call is a line.
impl Write for &LogQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogQueue {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    const LINE: &[u8] = b"0123456789\n";

    /// A sink that waits for permission before each write, and passes the written lines on.
    struct Gate {
        open: Receiver<io::Result<()>>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // If the test has ended, let all writes pass.
            self.open.recv().unwrap_or(Ok(()))?;
            let _ = self.written.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Started {
        queue: LogQueue,
        guard: FlushGuard,
        open: Sender<io::Result<()>>,
        written: Receiver<Vec<u8>>,
        lost: Receiver<LostLines>,
    }

    fn start(bytes_max: usize) -> Started {
        let ((open, gate), (written_here, written), (lost_here, lost)) =
            (channel(), channel(), channel());
        let sink = Gate { open: gate, written: written_here };
        let say = move |lines| lost_here.send(lines).unwrap();
        let (queue, guard) = LogQueue::start("test", bytes_max, sink, say).unwrap();
        Started { queue, guard, open, written, lost }
    }

    /// Waits until the thread has taken all lines.
    fn taken(queue: &LogQueue) {
        while !queue.shared.lock().waiting.is_empty() {
            thread::yield_now();
        }
    }

    #[test]
    fn full_queue_loses_lines_and_says_how_many_once_there_is_room() {
        let Started { queue, guard: _guard, open, written, lost } = start(10 * LINE.len());
        queue.push(LINE);
        taken(&queue);
        // The line that is being written counts, so nine more fit.
        for _ in 0..109 {
            queue.push(LINE);
        }
        assert_eq!(queue.lost(), 100);
        assert_eq!(queue.shared.lock().waiting.len(), 9 * LINE.len());
        open.send(Ok(())).unwrap();
        assert_eq!(written.recv().unwrap(), LINE);
        let said = lost.recv().unwrap();
        assert_eq!((said.lines, said.reason.as_str()), (100, "the log is read too slowly"));
        open.send(Ok(())).unwrap();
        assert_eq!(written.recv().unwrap(), LINE.repeat(9));
        queue.push(LINE);
        open.send(Ok(())).unwrap();
        assert_eq!(written.recv().unwrap(), LINE);
        assert_eq!(queue.lost(), 100);
    }

    #[test]
    fn line_longer_than_the_queue_is_lost() {
        let Started { queue, guard, open, written, lost } = start(LINE.len());
        queue.push(&[LINE, LINE].concat());
        queue.push(LINE);
        open.send(Ok(())).unwrap();
        assert_eq!(written.recv().unwrap(), LINE);
        assert_eq!(lost.recv().unwrap().lines, 1);
        drop(guard);
    }

    #[test]
    fn lines_that_the_system_refuses_are_lost_with_its_reason() {
        let Started { queue, guard, open, lost, .. } = start(1 << 20);
        queue.push(LINE);
        taken(&queue);
        queue.push(LINE);
        queue.push(LINE);
        open.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
        assert_eq!(lost.recv().unwrap(), LostLines { lines: 1, reason: "no storage space".into() });
        open.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
        // The next report is due within a second; the end does not wait for it.
        drop(guard);
        assert_eq!(lost.recv().unwrap().lines, 2);
        assert_eq!(queue.lost(), 3);
    }

    #[test]
    fn end_waits_for_the_queue_and_not_for_ever() {
        let Started { queue, guard, open, written, .. } = start(1 << 20);
        for _ in 0..3 {
            queue.push(LINE);
        }
        for _ in 0..3 {
            open.send(Ok(())).unwrap();
        }
        drop(guard);
        let all: Vec<u8> = written.try_iter().flatten().collect();
        assert_eq!(all, LINE.repeat(3));

        let Started { queue, guard, open: _open, .. } = start(1 << 20);
        queue.push(LINE);
        let begun = Instant::now();
        drop(guard);
        assert!(begun.elapsed() >= LOG_FLUSH_TIMEOUT);
    }

    /// The reader of the log is gone, so each report of lost lines is lost as well.
    #[test]
    fn end_does_not_wait_for_a_sink_that_refuses_everything() {
        struct Broken;

        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        let own: Arc<std::sync::OnceLock<LogQueue>> = Arc::default();
        let queue = own.clone();
        let lost = move |_| queue.get().unwrap().push(LINE);
        let (queue, guard) = LogQueue::start("test", 1 << 20, Broken, lost).unwrap();
        own.set(queue.clone()).unwrap();
        queue.push(LINE);
        drop(guard);
        assert!(queue.shared.lock().ended);
        assert!(queue.lost() >= 1);
    }

    #[test]
    fn sink_without_room_now_is_tried_again() {
        let Started { queue, guard, open, written, lost } = start(1 << 20);
        queue.push(LINE);
        for kind in [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted] {
            open.send(Err(kind.into())).unwrap();
        }
        open.send(Ok(())).unwrap();
        assert_eq!(written.recv().unwrap(), LINE);
        drop(guard);
        assert!(lost.try_recv().is_err());
    }
}
