use super::{Slot, StepState, rest};
use crate::Var;
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Adam (Kingma and Ba 2015) as in `keras.optimizers.Adam`: with step t,
/// `m += (g - m)(1 - beta_1)`, `v += (g^2 - v)(1 - beta_2)`,
/// `w -= lr sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adam {
    /// Step size.
    pub learning_rate: f32,
    /// Decay of the first moment.
    pub beta_1: f32,
    /// Decay of the second moment.
    pub beta_2: f32,
    /// Added to the root, not scaled by the bias correction.
    pub epsilon: f32,
}

impl Default for Adam {
    fn default() -> Adam {
        Adam { learning_rate: 0.001, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 }
    }
}

impl Adam {
    pub(super) fn slots(&self) -> Vec<Slot> {
        vec![Slot::zero("momentum"), Slot::zero("velocity")]
    }

    /// With a third slot the step is divided by the root of the largest `v` so far (AMSGrad).
    pub(super) fn update<'b>(
        &self,
        s: &StepState<'b>,
        w: Var<'b>,
        g: Var<'b>,
        slots: &[Var<'b>],
    ) -> (Var<'b>, Vec<Var<'b>>) {
        let one = s.step.scalar_like(1.0);
        let decayed = |beta: f32| one - s.step.scalar_like(beta).power(s.step);
        let rate = s.learning_rate * decayed(self.beta_2).sqrt() / decayed(self.beta_1);
        let m = s.settled(slots[0] + (g - slots[0]) * rest(self.beta_1));
        let v = s.settled(slots[1] + (s.square(g) - slots[1]) * rest(self.beta_2));
        let mut new = vec![m, v];
        let largest = match slots.get(2) {
            Some(before) => {
                new.push(before.maximum(v));
                new[2]
            }
            None => v,
        };
        (w - m * rate / (largest.sqrt() + self.epsilon), new)
    }
}
