//! Elements made ahead by a thread.

use std::boxed::Box;
use std::sync::Arc;
use std::{io, vec};

use crate::data::ahead::Ahead;
use crate::{Error, Result, device_error};

use super::Element;
use super::stage::{Items, Stage, iter};

/// The elements of a stage, of which a thread makes up to `count` ahead.
pub(super) struct Prefetched(Ahead<Result<Element>, ()>);

impl Prefetched {
    pub(super) fn new(from: Arc<Stage>, epoch: u64, count: usize) -> io::Result<Prefetched> {
        let ahead = Ahead::start(count, move |hand| {
            for item in iter(&from, epoch) {
                let last = item.is_err();
                if !hand(item) || last {
                    return;
                }
            }
        });
        ahead.map(Prefetched)
    }
}

/// The elements, or what is wrong where the system gives no thread.
pub(super) fn prefetched(from: Arc<Stage>, epoch: u64, count: usize) -> Items {
    match Prefetched::new(from, epoch, count) {
        Ok(items) => Box::new(items),
        Err(e) => {
            let error: Error = device_error!("Dataset::prefetch: no thread: {e}");
            Box::new(vec![Err(error)].into_iter())
        }
    }
}

impl Iterator for Prefetched {
    type Item = Result<Element>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.0.next();
        if item.is_none() {
            // A panic in the caller's functions goes on here.
            let _ = self.0.end();
        }
        item
    }
}
