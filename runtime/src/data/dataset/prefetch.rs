//! Elements made ahead by a thread.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Builder, JoinHandle};

use crate::{Result, device_error};

use super::Element;
use super::stage::{Stage, iter};

/// The receiving end of a thread that ends when this is dropped: its next element then has no taker.
pub(super) struct Prefetched {
    items: Option<Receiver<Result<Element>>>,
    thread: Option<JoinHandle<()>>,
}

impl Prefetched {
    pub(super) fn new(from: Arc<Stage>, epoch: u64, count: usize) -> Prefetched {
        // One element waits in the thread's hands while the channel is full.
        let (sender, receiver) = sync_channel(count - 1);
        let spawned = Builder::new().name("gradling-prefetch".into()).spawn(move || {
            for item in iter(&from, epoch) {
                let last = item.is_err();
                if sender.send(item).is_err() || last {
                    return;
                }
            }
        });
        match spawned {
            Ok(thread) => Prefetched { items: Some(receiver), thread: Some(thread) },
            Err(e) => {
                let (sender, receiver) = sync_channel(1);
                // The channel has room for its one item.
                let _ = sender.send(Err(device_error!("Dataset::prefetch: no thread: {e}")));
                Prefetched { items: Some(receiver), thread: None }
            }
        }
    }
}

impl Iterator for Prefetched {
    type Item = Result<Element>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Ok(item) = self.items.as_ref()?.recv() {
            return Some(item);
        }
        self.items = None;
        // The channel is closed by the end of the thread; a panic in the caller's functions goes on here.
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
        None
    }
}
