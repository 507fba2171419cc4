//! Losses of overlap, for masks of pictures.

use super::EPSILON;
use crate::Var;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// `1 - 2 sum(t y) / (sum(t) + sum(y) + 1e-7)` (`keras.losses.Dice`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Dice {
    /// The axes that are summed, negative from the end; none means all, and one loss for the whole batch.
    pub axis: Vec<i32>,
}

/// `1 - i / (i + alpha sum(t (1 - y)) + beta sum((1 - t) y) + 1e-7)` with `i = sum(t y)` (Salehi et al. 2017;
/// `keras.losses.Tversky`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tversky {
    /// Weight of what the output misses.
    pub alpha: f32,
    /// Weight of what the output adds.
    pub beta: f32,
    /// The axes that are summed, negative from the end; none means all, and one loss for the whole batch.
    pub axis: Vec<i32>,
}

impl Default for Tversky {
    fn default() -> Tversky {
        Tversky { alpha: 0.5, beta: 0.5, axis: Vec::new() }
    }
}

fn sum<'b>(v: Var<'b>, axis: &[i32]) -> Var<'b> {
    let axes: Vec<isize> = axis.iter().map(|a| *a as isize).collect();
    v.sum(&axes, false)
}

impl Dice {
    pub(super) fn values<'b>(&self, t: Var<'b>, y: Var<'b>) -> Var<'b> {
        let all = sum(t, &self.axis) + sum(y, &self.axis) + EPSILON;
        1.0 - sum(t * y, &self.axis) * 2.0 / all
    }
}

impl Tversky {
    pub(super) fn values<'b>(&self, t: Var<'b>, y: Var<'b>) -> Var<'b> {
        let both = sum(t * y, &self.axis);
        let missed = sum((1.0 - y) * t, &self.axis) * self.alpha;
        let added = sum(y * (1.0 - t), &self.axis) * self.beta;
        1.0 - both / (both + missed + added + EPSILON)
    }
}
