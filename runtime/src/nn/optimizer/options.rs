//! What every optimizer can do besides its own rule: clipping, decay, averages, accumulation.

use super::{Applied, Optimizer, Slot, StepState};
use crate::Var;
use crate::nn::LearningRate;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Options that all optimizers have (`keras.optimizers.Optimizer`). A step clips the gradients, shrinks the
/// weights, updates them, and then moves their averages.
///
/// ```
/// use gradling::nn::optimizer::{Adam, Optimizer, Options};
/// let optimizer = Optimizer::from(Adam::default()).with(Options { clipnorm: Some(1.0), ..Options::default() });
/// assert_eq!(optimizer.name(), "adam");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// A learning rate in place of the optimizer's own: a number or a schedule.
    pub learning_rate: Option<LearningRate>,
    /// Each gradient longer than this is shortened to it.
    pub clipnorm: Option<f32>,
    /// If all gradients together are longer than this, they are shortened to it.
    pub global_clipnorm: Option<f32>,
    /// Elements of gradients are kept within plus and minus this.
    pub clipvalue: Option<f32>,
    /// `w -= w weight_decay lr` before the update; beside the one that [`AdamW`](super::AdamW) has.
    pub weight_decay: Option<f32>,
    /// Decay of a moving average of each weight, kept in the slot `average`; 0.99 is usual. `None` keeps none.
    pub ema_momentum: Option<f32>,
    /// After every so many steps the weights become their averages.
    pub ema_overwrite_frequency: Option<u32>,
    /// Gradients are averaged over so many steps, and weights move at the last of them.
    pub gradient_accumulation_steps: Option<u32>,
    /// The loss is multiplied by this before it is differentiated, and gradients are divided by it.
    pub loss_scale: Option<f32>,
    /// Second moments of embeddings take, for an index that occurs several times in a batch, the sum of the
    /// squares of its gradients, as Keras 3 on TensorFlow does; otherwise the square of their sum, as in
    /// TensorFlow 2's own optimizers and for every other weight.
    pub sparse_squares: bool,
}

impl Default for Options {
    /// Nothing.
    fn default() -> Options {
        Options {
            learning_rate: None,
            clipnorm: None,
            global_clipnorm: None,
            clipvalue: None,
            weight_decay: None,
            ema_momentum: None,
            ema_overwrite_frequency: None,
            gradient_accumulation_steps: None,
            loss_scale: None,
            sparse_squares: false,
        }
    }
}

/// The slot of the moving average.
pub(super) const AVERAGE: &str = "average";

impl Options {
    /// Slots in front of the optimizer's own.
    pub(super) fn slots(&self) -> Vec<Slot> {
        let mut slots = Vec::new();
        if self.accumulates().is_some() {
            slots.push(Slot::zero("gradient_accumulator"));
        }
        if self.ema_momentum.is_some() {
            slots.push(Slot::zero(AVERAGE));
        }
        slots
    }

    /// Over how many steps gradients are averaged, if over more than one.
    fn accumulates(&self) -> Option<f32> {
        self.gradient_accumulation_steps.filter(|n| *n > 1).map(|n| n as f32)
    }

    /// Each gradient clipped; only the first kind that is set counts, as in Keras.
    fn clip<'b>(&self, gradients: &[Var<'b>]) -> Vec<Var<'b>> {
        let set = |limit: Option<f32>| limit.filter(|l| *l > 0.0);
        let square = |g: &Var<'b>| g.square().sum(&[], false);
        if let Some(limit) = set(self.clipnorm) {
            let clip = |g: &Var<'b>| {
                let norm = square(g).sqrt();
                *g * limit / norm.maximum(norm.scalar_like(limit))
            };
            return gradients.iter().map(clip).collect();
        }
        if let Some(limit) = set(self.global_clipnorm) {
            let Some(total) = gradients.iter().map(square).reduce(|a, b| a + b) else { return Vec::new() };
            let inverse = total.sqrt().reciprocal();
            let scale = inverse.minimum(inverse.scalar_like(1.0 / limit)) * limit;
            return gradients.iter().map(|g| *g * scale).collect();
        }
        if let Some(limit) = set(self.clipvalue) {
            return gradients.iter().map(|g| g.clip(-limit, limit)).collect();
        }
        gradients.to_vec()
    }

    /// One step of `optimizer` under these options.
    pub(super) fn apply<'b>(
        &self,
        optimizer: &Optimizer,
        state: &StepState<'b>,
        weights: &[Var<'b>],
        gradients: &[Var<'b>],
        slots: &[Vec<Var<'b>>],
        scalars: &[Var<'b>],
    ) -> Applied<'b> {
        let own = self.slots().len();
        let unscaled: Vec<Var<'b>> = match self.loss_scale {
            Some(scale) => gradients.iter().map(|g| *g / scale).collect(),
            None => gradients.to_vec(),
        };
        let accumulates = self.accumulates();
        // Whether this step moves weights, and the number of such steps before it.
        let (due, step) = match accumulates {
            Some(n) => {
                let due = ((state.step / n).floor() * n).equal(state.step);
                (Some(due), ((state.step - 1.0) / n).floor() + 1.0)
            }
            None => (None, state.step),
        };
        let inner = StepState { step, sparse_squares: self.sparse_squares, ..*state };
        let (sums, means): (Vec<Var<'b>>, Vec<Var<'b>>) = match accumulates {
            Some(n) => (unscaled.iter().zip(slots)).map(|(g, s)| (*g + s[0], (*g + s[0]) / n)).unzip(),
            None => (Vec::new(), unscaled),
        };
        let decayed: Vec<Var<'b>> = match self.weight_decay {
            Some(decay) => weights.iter().map(|w| state.decay(*w, decay)).collect(),
            None => weights.to_vec(),
        };
        let rest: Vec<Vec<Var<'b>>> = slots.iter().map(|s| s.get(own..).unwrap_or(&[]).to_vec()).collect();
        let mut new = optimizer.apply(&inner, &decayed, &self.clip(&means), &rest, scalars);
        if let Some(due) = due {
            let choose = |new: &mut Var<'b>, old: &Var<'b>| *new = Var::select(due, *new, *old);
            new.weights.iter_mut().zip(weights).for_each(|(n, o)| choose(n, o));
            new.scalars.iter_mut().zip(scalars).for_each(|(n, o)| choose(n, o));
            for (new, old) in new.slots.iter_mut().zip(&rest) {
                new.iter_mut().zip(old).for_each(|(n, o)| choose(n, o));
            }
        }
        for (i, slots) in slots.iter().enumerate() {
            let mut front = Vec::new();
            if let (Some(due), Some(sum)) = (due, sums.get(i)) {
                front.push(Var::select(due, sum.scalar_like(0.0), *sum));
            }
            if let (Some(momentum), Some(before)) =
                (self.ema_momentum, own.checked_sub(1).and_then(|last| slots.get(last)))
            {
                let average = self.average(momentum, step, *before, new.weights[i]);
                new.weights[i] = self.overwritten(step, average, new.weights[i]);
                front.push(average);
            }
            front.append(&mut new.slots[i]);
            new.slots[i] = front;
        }
        new
    }

    /// The moving average; at the first step the weight itself.
    fn average<'b>(&self, momentum: f32, step: Var<'b>, before: Var<'b>, w: Var<'b>) -> Var<'b> {
        let first = step.equal(step.scalar_like(1.0));
        let momentum = Var::select(first, step.scalar_like(0.0), step.scalar_like(momentum));
        before * momentum + w * (1.0 - momentum)
    }

    /// The weight, or the average when the time has come.
    fn overwritten<'b>(&self, step: Var<'b>, average: Var<'b>, w: Var<'b>) -> Var<'b> {
        match self.ema_overwrite_frequency.filter(|n| *n > 0) {
            Some(n) => {
                let n = n as f32;
                Var::select(((step / n).floor() * n).equal(step), average, w)
            }
            None => w,
        }
    }
}
