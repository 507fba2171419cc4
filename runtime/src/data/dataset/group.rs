//! Steps that make one element of several, or several of one.

use std::collections::VecDeque;
use std::vec::Vec;

use crate::{Result, misuse};

use super::Element;
use super::element::{row_of, stack, stack_padded};
use super::stage::Items;

/// Batches.
pub(super) struct Grouped {
    from: Items,
    size: usize,
    drop_remainder: bool,
    padding: Option<f32>,
}

impl Grouped {
    pub(super) fn new(from: Items, size: usize, drop_remainder: bool, padding: Option<f32>) -> Grouped {
        Grouped { from, size, drop_remainder, padding }
    }
}

impl Iterator for Grouped {
    type Item = Result<Element>;

    fn next(&mut self) -> Option<Self::Item> {
        let group: Result<Vec<Element>> = self.from.by_ref().take(self.size).collect();
        match group {
            Err(error) => Some(Err(error)),
            Ok(group) if group.is_empty() || self.drop_remainder && group.len() < self.size => None,
            Ok(group) => Some(match self.padding {
                None => stack(&group.iter().collect::<Vec<_>>(), "batch"),
                Some(value) => stack_padded(&group, value),
            }),
        }
    }
}

/// Rows of elements.
pub(super) struct Unbatched {
    from: Items,
    element: Element,
    row: usize,
    rows: usize,
}

impl Unbatched {
    pub(super) fn new(from: Items) -> Unbatched {
        Unbatched { from, element: Vec::new(), row: 0, rows: 0 }
    }
}

impl Iterator for Unbatched {
    type Item = Result<Element>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.row == self.rows {
            self.element = match self.from.next()? {
                Ok(element) => element,
                error => return Some(error),
            };
            self.rows = self.element.first().map_or(0, |t| t.shape().dim(0));
            self.row = 0;
            let odd = self.element.iter().find(|t| t.shape().rank() == 0 || t.shape().dim(0) != self.rows);
            if let Some(odd) = odd {
                return Some(Err(misuse!(
                    "Dataset::unbatch: expected tensors with a first axis of length {}, got shape {}",
                    self.rows,
                    odd.shape()
                )));
            }
        }
        self.row += 1;
        Some(self.element.iter().map(|t| row_of(t, self.row - 1)).collect())
    }
}

/// Stacked windows.
pub(super) struct Windowed {
    from: Items,
    size: usize,
    shift: usize,
    stride: usize,
    drop_remainder: bool,
    /// The elements from the start of the next window on.
    ahead: VecDeque<Element>,
    /// Elements to pass over before `ahead` begins: windows may lie further apart than they reach.
    gap: usize,
}

impl Windowed {
    pub(super) fn new(from: Items, [size, shift, stride]: [usize; 3], drop_remainder: bool) -> Windowed {
        Windowed { from, size, shift, stride, drop_remainder, ahead: VecDeque::new(), gap: 0 }
    }
}

impl Iterator for Windowed {
    type Item = Result<Element>;

    fn next(&mut self) -> Option<Self::Item> {
        let reach = (self.size - 1).saturating_mul(self.stride).saturating_add(1);
        while self.ahead.len() < reach {
            match self.from.next() {
                Some(Ok(_)) if self.gap > 0 => self.gap -= 1,
                Some(Ok(element)) => self.ahead.push_back(element),
                Some(error) => return Some(error),
                None => break,
            }
        }
        if self.ahead.is_empty() || self.drop_remainder && self.ahead.len() < reach {
            return None;
        }
        let window: Vec<&Element> = self.ahead.iter().step_by(self.stride).take(self.size).collect();
        let stacked = stack(&window, "window");
        let passed = self.shift.min(self.ahead.len());
        self.ahead.drain(..passed);
        self.gap = self.shift - passed;
        Some(stacked)
    }
}
