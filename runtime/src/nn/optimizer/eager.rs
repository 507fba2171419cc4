//! Optimizers outside of `fit`: hand-written training loops.

use super::{Optimizer, StepState};
use crate::op::Var;
use crate::{Device, Result, Tape, Tensor, misuse};
use alloc::vec::Vec;

/// An optimizer with its state, for loops written by hand.
///
/// ```
/// use gradling::nn::{Adam, Optimizer};
/// use gradling::{Tape, Tensor};
///
/// let mut weights = vec![Tensor::new(&[2], [1.0, -2.0])?];
/// let mut optimizer = Optimizer::from(Adam { learning_rate: 0.1, ..Adam::default() }).start(&weights)?;
/// for _ in 0..200 {
///     let tape = Tape::new();
///     let w = tape.watch(&weights[0]);
///     let loss = (w - 0.5).square().sum(&[], false);
///     let gradients = tape.gradient(loss, &[w])?;
///     optimizer.apply_gradients(&mut weights, &gradients)?;
/// }
/// assert!(weights[0].as_f32()?.iter().all(|w| (w - 0.5).abs() < 0.01));
/// # Ok::<(), gradling::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct OptimizerState {
    optimizer: Optimizer,
    learning_rate: Option<f32>,
    iterations: u64,
    slots: Vec<Vec<Tensor>>,
    scalars: Vec<Tensor>,
}

impl Optimizer {
    /// The optimizer with fresh state for these weights.
    ///
    /// **Errors** when a weight is not float32.
    pub fn start(&self, weights: &[Tensor]) -> Result<OptimizerState> {
        let mut slots = Vec::new();
        for w in weights {
            w.as_f32()?;
            let dims = w.shape().to_vec();
            let own: Result<Vec<Tensor>> =
                self.slots().iter().map(|s| Tensor::full(&dims, s.initial)).collect();
            slots.push(own?);
        }
        let scalars = self.scalars().iter().map(|s| Tensor::scalar(s.initial)).collect();
        Ok(OptimizerState { optimizer: self.clone(), learning_rate: None, iterations: 0, slots, scalars })
    }
}

impl OptimizerState {
    /// Steps done so far.
    pub fn iterations(&self) -> u64 {
        self.iterations
    }

    /// The learning rate of the next step.
    pub fn learning_rate(&self) -> f32 {
        self.learning_rate.unwrap_or_else(|| self.optimizer.learning_rate_at(self.iterations))
    }

    /// Sets the learning rate, in place of the optimizer's number or schedule.
    pub fn set_learning_rate(&mut self, rate: f32) {
        self.learning_rate = Some(rate);
    }

    /// One step: replaces each weight by its new value (`keras.optimizers.Optimizer.apply_gradients`).
    ///
    /// **Errors** when there are not as many weights and gradients as at the start, or shapes differ; the
    /// weights are then as they were.
    pub fn apply_gradients(&mut self, weights: &mut [Tensor], gradients: &[Tensor]) -> Result<()> {
        let n = self.slots.len();
        if weights.len() != n || gradients.len() != n {
            return Err(misuse!(
                "{}: expected {n} weights and gradients, got {} and {}",
                self.optimizer.name(),
                weights.len(),
                gradients.len()
            ));
        }
        if let Some((w, g)) = weights.iter().zip(gradients).find(|(w, g)| w.shape() != g.shape()) {
            return Err(misuse!(
                "{}: a gradient of shape {} for a weight of shape {}",
                self.optimizer.name(),
                g.shape(),
                w.shape()
            ));
        }
        let tape = Tape::new();
        let read = |all: &[Tensor]| -> Vec<Var<'_>> { all.iter().map(|t| tape.constant(t)).collect() };
        let step = Tensor::scalar((self.iterations + 1) as f32);
        let rate = tape.constant(&Tensor::scalar(self.learning_rate()));
        let mut state = StepState::new(rate, tape.constant(&step));
        state.settle = Device::default().keeps_denormals();
        let slots: Vec<Vec<Var<'_>>> = self.slots.iter().map(|s| read(s)).collect();
        let applied =
            self.optimizer.apply(&state, &read(weights), &read(gradients), &slots, &read(&self.scalars));
        let values =
            |all: &[Var<'_>]| -> Result<Vec<Tensor>> { all.iter().map(|v| tape.value(*v)).collect() };
        let new = values(&applied.weights)?;
        let scalars = values(&applied.scalars)?;
        self.slots = applied.slots.iter().map(|s| values(s)).collect::<Result<_>>()?;
        self.scalars = scalars;
        weights.clone_from_slice(&new);
        self.iterations += 1;
        Ok(())
    }

    /// Replaces the weights by their moving averages, where the optimizer keeps them; done at the end of
    /// training.
    pub fn finalize(&self, weights: &mut [Tensor]) {
        if let Some(at) = self.optimizer.average_slot() {
            weights.iter_mut().zip(&self.slots).for_each(|(w, slots)| *w = slots[at].clone());
        }
    }
}
