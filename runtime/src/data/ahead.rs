//! Values made ahead by a thread.

use std::io;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Builder, JoinHandle};

/// The receiving end of a thread that makes values of type `T` and then gives an `R`. When this is dropped the thread
/// ends with the value that it is making, and is waited for.
pub(crate) struct Ahead<T, R> {
    values: Option<Receiver<T>>,
    thread: Option<JoinHandle<R>>,
}

impl<T: Send + 'static, R: Send + 'static> Ahead<T, R> {
    /// Runs `make` on a thread of its own. It hands each value to the function that it is given, which waits while
    /// `count` values have no taker, and says false once nobody wants more.
    ///
    /// **Errors** when the system gives no thread.
    pub fn start(
        count: usize,
        make: impl FnOnce(&mut dyn FnMut(T) -> bool) -> R + Send + 'static,
    ) -> io::Result<Ahead<T, R>> {
        // One value waits in the thread's hands while the channel is full.
        let (sender, receiver) = sync_channel(count.saturating_sub(1));
        let thread = Builder::new()
            .name("gradling-prefetch".into())
            .spawn(move || make(&mut |value| sender.send(value).is_ok()))?;
        Ok(Ahead { values: Some(receiver), thread: Some(thread) })
    }

    /// The next value, in the order in which they were made; `None` after the last.
    pub fn next(&mut self) -> Option<T> {
        self.values.as_ref()?.recv().ok()
    }

    /// Ends the thread; what it gave, the first time. Its panic goes on here.
    pub fn end(&mut self) -> Option<R> {
        self.values = None;
        match self.thread.take()?.join() {
            Ok(result) => Some(result),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl<T, R> Drop for Ahead<T, R> {
    fn drop(&mut self) {
        // The thread's next value has no taker, by which it sees that it shall end.
        self.values = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
