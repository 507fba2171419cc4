//! The losses of a model's outputs.

use super::Loss;
use crate::{Result, misuse};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// One loss for every output of a model, or one for each, with their weights in the total.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Losses {
    list: Vec<Loss>,
    weights: Vec<f32>,
}

impl Losses {
    /// One loss for each output, in order.
    pub fn new(list: impl Into<Vec<Loss>>) -> Losses {
        Losses { list: list.into(), weights: Vec::new() }
    }

    /// What each loss is multiplied by in the total (`loss_weights`); 1 by default.
    pub fn weights(mut self, weights: &[f32]) -> Losses {
        self.weights = weights.to_vec();
        self
    }

    /// The loss of output `n`.
    pub fn of(&self, n: usize) -> Option<&Loss> {
        self.list.get(n).or(match self.list.as_slice() {
            [one] => Some(one),
            _ => None,
        })
    }

    /// The weight of output `n`'s loss.
    pub fn weight(&self, n: usize) -> f32 {
        self.weights.get(n).copied().unwrap_or(1.0)
    }

    /// Checks the number of losses and weights against the model's outputs.
    pub(super) fn check(&self, model: &str, outputs: usize) -> Result<()> {
        let (losses, weights) = (self.list.len(), self.weights.len());
        if losses != 1 && losses != outputs {
            return Err(misuse!("{model}: expected 1 loss or {outputs}, one for each output, got {losses}"));
        }
        if weights != 0 && weights != outputs {
            return Err(misuse!(
                "{model}: expected {outputs} loss weights, one for each output, got {weights}"
            ));
        }
        Ok(())
    }
}

impl From<Loss> for Losses {
    fn from(loss: Loss) -> Losses {
        Losses::new([loss])
    }
}

impl<const N: usize> From<[Loss; N]> for Losses {
    fn from(list: [Loss; N]) -> Losses {
        Losses::new(list)
    }
}

impl From<Vec<Loss>> for Losses {
    fn from(list: Vec<Loss>) -> Losses {
        Losses::new(list)
    }
}
