use super::{Slot, StepState, rest};
use crate::Var;
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Adagrad (Duchi et al. 2011): `a += g^2`, `w -= lr g / sqrt(a + epsilon)` (`keras.optimizers.Adagrad`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adagrad {
    /// Step size.
    pub learning_rate: f32,
    /// Where the sum of squares starts.
    pub initial_accumulator_value: f32,
    /// Added under the root.
    pub epsilon: f32,
}

impl Default for Adagrad {
    fn default() -> Adagrad {
        Adagrad { learning_rate: 0.001, initial_accumulator_value: 0.1, epsilon: 1e-7 }
    }
}

impl Adagrad {
    pub(super) fn slots(&self) -> Vec<Slot> {
        vec![Slot { name: "accumulator", initial: self.initial_accumulator_value }]
    }

    pub(super) fn update<'b>(
        &self,
        s: &StepState<'b>,
        w: Var<'b>,
        g: Var<'b>,
        slots: &[Var<'b>],
    ) -> (Var<'b>, Vec<Var<'b>>) {
        let a = slots[0] + s.square(g);
        (w - g * s.learning_rate / (a + self.epsilon).sqrt(), vec![a])
    }
}

/// RMSprop (Tieleman and Hinton 2012): `v = rho v + (1 - rho) g^2`, `d = lr g / sqrt(v + epsilon)`; centred, the
/// square of the mean gradient is taken from `v`; with momentum `m = momentum m + d`, `w -= m`, else `w -= d`
/// (`keras.optimizers.RMSprop`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RMSprop {
    /// Step size.
    pub learning_rate: f32,
    /// Decay of the mean square.
    pub rho: f32,
    /// Share of the last step that is kept.
    pub momentum: f32,
    /// Added under the root.
    pub epsilon: f32,
    /// Whether the variance is taken instead of the mean square.
    pub centered: bool,
}

impl Default for RMSprop {
    fn default() -> RMSprop {
        RMSprop { learning_rate: 0.001, rho: 0.9, momentum: 0.0, epsilon: 1e-7, centered: false }
    }
}

impl RMSprop {
    pub(super) fn slots(&self) -> Vec<Slot> {
        let mut slots = vec![Slot::zero("velocity")];
        if self.momentum > 0.0 {
            slots.push(Slot::zero("momentum"));
        }
        if self.centered {
            slots.push(Slot::zero("average_gradient"));
        }
        slots
    }

    pub(super) fn update<'b>(
        &self,
        s: &StepState<'b>,
        w: Var<'b>,
        g: Var<'b>,
        slots: &[Var<'b>],
    ) -> (Var<'b>, Vec<Var<'b>>) {
        let v = s.settled(slots[0] * self.rho + s.square(g) * rest(self.rho));
        let mut new = vec![v];
        let mean = self.centered.then(|| s.settled(slots[slots.len() - 1] * self.rho + g * rest(self.rho)));
        let variance = mean.map_or(v, |mean| v - mean.square());
        let mut step = g * s.learning_rate / (variance + self.epsilon).sqrt();
        if self.momentum > 0.0 {
            step = s.settled(slots[1] * self.momentum + step);
            new.push(step);
        }
        new.extend(mean);
        (w - step, new)
    }
}

/// Adadelta (Zeiler 2012): `a = rho a + (1 - rho) g^2`, `d = -sqrt(b + epsilon) / sqrt(a + epsilon) g`,
/// `b = rho b + (1 - rho) d^2`, `w += lr d` (`keras.optimizers.Adadelta`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adadelta {
    /// Step size.
    pub learning_rate: f32,
    /// Decay of the mean squares.
    pub rho: f32,
    /// Added under both roots.
    pub epsilon: f32,
}

impl Default for Adadelta {
    fn default() -> Adadelta {
        Adadelta { learning_rate: 0.001, rho: 0.95, epsilon: 1e-7 }
    }
}

impl Adadelta {
    pub(super) fn slots(&self) -> Vec<Slot> {
        vec![Slot::zero("accumulated_grad"), Slot::zero("accumulated_delta_var")]
    }

    pub(super) fn update<'b>(
        &self,
        s: &StepState<'b>,
        w: Var<'b>,
        g: Var<'b>,
        slots: &[Var<'b>],
    ) -> (Var<'b>, Vec<Var<'b>>) {
        let rms = |x: Var<'b>| (x + self.epsilon).sqrt();
        let a = s.settled(slots[0] * self.rho + s.square(g) * rest(self.rho));
        let d = -(rms(slots[1]) * g / rms(a));
        let b = s.settled(slots[1] * self.rho + d.square() * rest(self.rho));
        (w + d * s.learning_rate, vec![a, b])
    }
}

/// Follow the regularised leader (McMahan et al. 2013), with l2 shrinkage: with `n' = n + g^2`,
/// `z += g + 2 shrinkage w - (n'^-p - n^-p) / lr w`,
/// `w = (clip(z, -l1, l1) - z) / (n'^-p / lr + 2 (l2 + beta / (2 lr)))` (`keras.optimizers.Ftrl`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ftrl {
    /// Step size.
    pub learning_rate: f32,
    /// The exponent p, at most 0.
    pub learning_rate_power: f32,
    /// Where the sum of squares starts.
    pub initial_accumulator_value: f32,
    /// Weight of the l1 norm.
    pub l1_regularization_strength: f32,
    /// Weight of the l2 norm.
    pub l2_regularization_strength: f32,
    /// Weight of the l2 norm that enters through the gradient.
    pub l2_shrinkage_regularization_strength: f32,
    /// Further weight of the l2 norm, over the learning rate.
    pub beta: f32,
}

impl Default for Ftrl {
    fn default() -> Ftrl {
        Ftrl {
            learning_rate: 0.001,
            learning_rate_power: -0.5,
            initial_accumulator_value: 0.1,
            l1_regularization_strength: 0.0,
            l2_regularization_strength: 0.0,
            l2_shrinkage_regularization_strength: 0.0,
            beta: 0.0,
        }
    }
}

impl Ftrl {
    pub(super) fn slots(&self) -> Vec<Slot> {
        let accumulator = Slot { name: "accumulator", initial: self.initial_accumulator_value };
        vec![accumulator, Slot::zero("linear")]
    }

    pub(super) fn update<'b>(
        &self,
        s: &StepState<'b>,
        w: Var<'b>,
        g: Var<'b>,
        slots: &[Var<'b>],
    ) -> (Var<'b>, Vec<Var<'b>>) {
        let lr = s.learning_rate;
        let l1 = self.l1_regularization_strength;
        let l2 = lr.scalar_like(self.beta) / (lr * 2.0) + self.l2_regularization_strength;
        let power = |n: Var<'b>| match self.learning_rate_power {
            -0.5 => n.sqrt(),
            p => n.pow(-p),
        };
        let shrunk = g + w * (2.0 * self.l2_shrinkage_regularization_strength);
        let n = slots[0] + s.square(g);
        let after = power(n);
        let z = slots[1] + (shrunk - (after - power(slots[0])) / lr * w);
        let quadratic = after / lr + l2 * 2.0;
        ((z.clip(-l1, l1) - z) / quadratic, vec![n, z])
    }
}

/// Lion (Chen et al. 2023): `w -= lr sign(beta_1 m + (1 - beta_1) g)`, then `m = beta_2 m + (1 - beta_2) g`
/// (`keras.optimizers.Lion`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lion {
    /// Step size.
    pub learning_rate: f32,
    /// Share of the old momentum in the step.
    pub beta_1: f32,
    /// Decay of the momentum.
    pub beta_2: f32,
}

impl Default for Lion {
    fn default() -> Lion {
        Lion { learning_rate: 0.001, beta_1: 0.9, beta_2: 0.99 }
    }
}

impl Lion {
    pub(super) fn slots(&self) -> Vec<Slot> {
        vec![Slot::zero("momentum")]
    }

    pub(super) fn update<'b>(
        &self,
        s: &StepState<'b>,
        w: Var<'b>,
        g: Var<'b>,
        slots: &[Var<'b>],
    ) -> (Var<'b>, Vec<Var<'b>>) {
        let mix = |beta: f32| slots[0] * beta + g * (1.0 - beta);
        (w - mix(self.beta_1).sign() * s.learning_rate, vec![s.settled(mix(self.beta_2))])
    }
}
