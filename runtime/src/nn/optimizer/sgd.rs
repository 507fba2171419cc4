use super::{Slot, StepState};
use crate::Var;
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Gradient descent: `w -= lr g`; with momentum `v = momentum v - lr g`, `w += v`, or with Nesterov's variant
/// `w += momentum v - lr g` (`keras.optimizers.SGD`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SGD {
    /// Step size.
    pub learning_rate: f32,
    /// Share of the last step that is kept, in [0, 1).
    pub momentum: f32,
    /// Nesterov's variant.
    pub nesterov: bool,
}

impl Default for SGD {
    fn default() -> SGD {
        SGD { learning_rate: 0.01, momentum: 0.0, nesterov: false }
    }
}

impl SGD {
    pub(super) fn slots(&self) -> Vec<Slot> {
        if self.momentum == 0.0 { vec![] } else { vec![Slot::zero("momentum")] }
    }

    pub(super) fn update<'b>(
        &self,
        s: &StepState<'b>,
        w: Var<'b>,
        g: Var<'b>,
        slots: &[Var<'b>],
    ) -> (Var<'b>, Vec<Var<'b>>) {
        let step = g * s.learning_rate;
        let Some(&velocity) = slots.first() else { return (w - step, vec![]) };
        let v = s.settled(velocity * self.momentum - step);
        let w = if self.nesterov { w + (v * self.momentum - step) } else { w + v };
        (w, vec![v])
    }
}
