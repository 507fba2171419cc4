use super::{Adam, Slot, StepState, rest};
use crate::Var;
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// AMSGrad (Reddi et al. 2018): [`Adam`] that divides by the root of the largest second moment so far
/// (`keras.optimizers.Adam(amsgrad=True)`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AMSGrad {
    /// Step size.
    pub learning_rate: f32,
    /// Decay of the first moment.
    pub beta_1: f32,
    /// Decay of the second moment.
    pub beta_2: f32,
    /// Added to the root, not scaled by the bias correction.
    pub epsilon: f32,
}

impl Default for AMSGrad {
    fn default() -> AMSGrad {
        let Adam { learning_rate, beta_1, beta_2, epsilon } = Adam::default();
        AMSGrad { learning_rate, beta_1, beta_2, epsilon }
    }
}

impl AMSGrad {
    fn adam(&self) -> Adam {
        let AMSGrad { learning_rate, beta_1, beta_2, epsilon } = *self;
        Adam { learning_rate, beta_1, beta_2, epsilon }
    }

    pub(super) fn slots(&self) -> Vec<Slot> {
        vec![Slot::zero("momentum"), Slot::zero("velocity"), Slot::zero("velocity_hat")]
    }

    pub(super) fn update<'b>(
        &self,
        s: &StepState<'b>,
        w: Var<'b>,
        g: Var<'b>,
        slots: &[Var<'b>],
    ) -> (Var<'b>, Vec<Var<'b>>) {
        self.adam().update(s, w, g, slots)
    }
}

/// AdamW (Loshchilov and Hutter 2019): `w -= lr weight_decay w`, then [`Adam`] (`keras.optimizers.AdamW`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdamW {
    /// Step size.
    pub learning_rate: f32,
    /// Share of a weight that a step with rate 1 takes away.
    pub weight_decay: f32,
    /// Decay of the first moment.
    pub beta_1: f32,
    /// Decay of the second moment.
    pub beta_2: f32,
    /// Added to the root, not scaled by the bias correction.
    pub epsilon: f32,
    /// Whether the largest second moment so far is taken, as in [`AMSGrad`].
    pub amsgrad: bool,
}

impl Default for AdamW {
    fn default() -> AdamW {
        let Adam { learning_rate, beta_1, beta_2, epsilon } = Adam::default();
        AdamW { learning_rate, weight_decay: 0.004, beta_1, beta_2, epsilon, amsgrad: false }
    }
}

impl AdamW {
    fn adam(&self) -> Adam {
        let AdamW { learning_rate, beta_1, beta_2, epsilon, .. } = *self;
        Adam { learning_rate, beta_1, beta_2, epsilon }
    }

    pub(super) fn slots(&self) -> Vec<Slot> {
        if self.amsgrad { AMSGrad::default().slots() } else { self.adam().slots() }
    }

    pub(super) fn update<'b>(
        &self,
        s: &StepState<'b>,
        w: Var<'b>,
        g: Var<'b>,
        slots: &[Var<'b>],
    ) -> (Var<'b>, Vec<Var<'b>>) {
        self.adam().update(s, s.decay(w, self.weight_decay), g, slots)
    }
}

/// Adamax (Kingma and Ba 2015): Adam with the infinity norm, `m += (g - m)(1 - beta_1)`,
/// `u = max(beta_2 u, |g|)`, `w -= lr m / ((1 - beta_1^t)(u + epsilon))` (`keras.optimizers.Adamax`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adamax {
    /// Step size.
    pub learning_rate: f32,
    /// Decay of the first moment.
    pub beta_1: f32,
    /// Decay of the norm.
    pub beta_2: f32,
    /// Added to the norm.
    pub epsilon: f32,
}

impl Default for Adamax {
    fn default() -> Adamax {
        Adamax { learning_rate: 0.001, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 }
    }
}

impl Adamax {
    pub(super) fn slots(&self) -> Vec<Slot> {
        vec![Slot::zero("momentum"), Slot::zero("norm")]
    }

    pub(super) fn update<'b>(
        &self,
        s: &StepState<'b>,
        w: Var<'b>,
        g: Var<'b>,
        slots: &[Var<'b>],
    ) -> (Var<'b>, Vec<Var<'b>>) {
        let corrected = s.step.scalar_like(1.0) - s.step.scalar_like(self.beta_1).power(s.step);
        let m = s.settled(slots[0] + (g - slots[0]) * rest(self.beta_1));
        let u = s.settled((slots[1] * self.beta_2).maximum(g.abs()));
        (w - m * s.learning_rate / ((u + self.epsilon) * corrected), vec![m, u])
    }
}

/// Nadam (Dozat 2016), Adam with Nesterov's momentum: with `u_t = beta_1 (1 - 0.96^t / 2)` and `p_t` the product
/// of `u_1` to `u_t`, `w -= lr (u_(t+1) m / (1 - p_(t+1)) + (1 - u_t) g / (1 - p_t)) / (sqrt(v / (1 - beta_2^t)) +
/// epsilon)` (`keras.optimizers.Nadam`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nadam {
    /// Step size.
    pub learning_rate: f32,
    /// Decay of the first moment.
    pub beta_1: f32,
    /// Decay of the second moment.
    pub beta_2: f32,
    /// Added to the root.
    pub epsilon: f32,
}

impl Default for Nadam {
    fn default() -> Nadam {
        Nadam { learning_rate: 0.001, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 }
    }
}

impl Nadam {
    pub(super) fn slots(&self) -> Vec<Slot> {
        vec![Slot::zero("momentum"), Slot::zero("velocity")]
    }

    /// The running product of `u_t`.
    pub(super) fn scalars(&self) -> Vec<Slot> {
        vec![Slot { name: "product", initial: 1.0 }]
    }

    fn u<'b>(&self, t: Var<'b>) -> Var<'b> {
        (1.0 - t.scalar_like(0.96).power(t) * 0.5) * self.beta_1
    }

    /// The product including this step.
    pub(super) fn product<'b>(&self, s: &StepState<'b>, before: Var<'b>) -> Var<'b> {
        before * self.u(s.step)
    }

    pub(super) fn update<'b>(
        &self,
        s: &StepState<'b>,
        product: Var<'b>,
        w: Var<'b>,
        g: Var<'b>,
        slots: &[Var<'b>],
    ) -> (Var<'b>, Vec<Var<'b>>) {
        let (u, next) = (self.u(s.step), self.u(s.step + 1.0));
        let m = s.settled(slots[0] + (g - slots[0]) * rest(self.beta_1));
        let v = s.settled(slots[1] + (s.square(g) - slots[1]) * rest(self.beta_2));
        let m_hat = m * (next / (1.0 - product * next)) + g * ((1.0 - u) / (1.0 - product));
        let v_hat = v / (1.0 - s.step.scalar_like(self.beta_2).power(s.step));
        (w - m_hat * s.learning_rate / (v_hat.sqrt() + self.epsilon), vec![m, v])
    }
}
