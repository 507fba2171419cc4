//! Steps that change the order of elements or how often they come.

use std::sync::Arc;
use std::vec::Vec;

use crate::Result;
use crate::rng::Rng;

use super::Element;
use super::stage::{Items, Stage, iter};

/// How [`Dataset::shuffle_with`](super::Dataset::shuffle_with) shuffles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shuffle {
    /// The number of elements that the next one is drawn from, at least 1.
    pub buffer: usize,
    /// The seed of the order.
    pub seed: u64,
    /// Whether every iteration has an order of its own.
    pub reshuffle_each_iteration: bool,
}

pub(super) struct Shuffled {
    from: Items,
    capacity: usize,
    buffer: Vec<Element>,
    rng: Rng,
}

impl Shuffled {
    pub(super) fn new(from: Items, how: &Shuffle, epoch: u64) -> Shuffled {
        let epoch = if how.reshuffle_each_iteration { epoch } else { 0 };
        // The stream of an epoch is keyed by a seed that no neighbouring (seed, epoch) shares.
        let rng = Rng::new(how.seed.wrapping_add(epoch.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        Shuffled { from, capacity: how.buffer, buffer: Vec::new(), rng }
    }
}

impl Iterator for Shuffled {
    type Item = Result<Element>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.buffer.len() < self.capacity {
            match self.from.next() {
                Some(Ok(element)) => self.buffer.push(element),
                Some(error) => return Some(error),
                None => break,
            }
        }
        if self.buffer.is_empty() {
            return None;
        }
        let bound = u32::try_from(self.buffer.len()).unwrap_or(u32::MAX);
        Some(Ok(self.buffer.swap_remove(self.rng.below(bound) as usize)))
    }
}

pub(super) struct Repeated {
    from: Arc<Stage>,
    left: Option<usize>,
    epoch: u64,
    items: Option<Items>,
}

impl Repeated {
    pub(super) fn new(from: Arc<Stage>, count: Option<usize>, epoch: u64) -> Repeated {
        // Repetitions count on from a number that those of the neighbouring iterations do not reach.
        Repeated { from, left: count, epoch: epoch.wrapping_mul(0xD1B5_4A32_D192_ED03), items: None }
    }
}

impl Iterator for Repeated {
    type Item = Result<Element>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(item) = self.items.as_mut().and_then(Iterator::next) {
            return Some(item);
        }
        match &mut self.left {
            Some(0) => return None,
            Some(left) => *left -= 1,
            None => {}
        }
        // An iteration that is empty from its start ends the repetition, or it would never return.
        let first = self.items.insert(iter(&self.from, self.epoch)).next();
        self.epoch = self.epoch.wrapping_add(1);
        if first.is_none() {
            self.left = Some(0);
        }
        first
    }
}
