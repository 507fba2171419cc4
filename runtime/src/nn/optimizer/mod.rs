//! Optimizers (`keras.optimizers`): plain ops that give the new values of weights and of their slots.

mod adam;
#[cfg(feature = "full")]
mod adam_variants;
#[cfg(feature = "full")]
mod adaptive;
#[cfg(feature = "full")]
mod eager;
#[cfg(feature = "full")]
mod options;
mod sgd;

pub use adam::Adam;
#[cfg(feature = "full")]
pub use adam_variants::{AMSGrad, AdamW, Adamax, Nadam};
#[cfg(feature = "full")]
pub use adaptive::{Adadelta, Adagrad, Ftrl, Lion, RMSprop};
#[cfg(feature = "full")]
pub use eager::OptimizerState;
#[cfg(feature = "full")]
pub use options::Options;
pub use sgd::SGD;

use crate::Var;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A value that an optimizer keeps from step to step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slot {
    /// The name, that of Keras.
    pub name: &'static str,
    /// The value of every element before the first step.
    pub initial: f32,
}

impl Slot {
    fn zero(name: &'static str) -> Slot {
        Slot { name, initial: 0.0 }
    }
}

/// What an optimizer knows of a step.
#[derive(Clone, Copy)]
pub struct StepState<'b> {
    /// The learning rate, a scalar.
    pub learning_rate: Var<'b>,
    /// The number of this step, from 1, as a float scalar.
    pub step: Var<'b>,
    /// Whether moments take the squares of the parts of an embedding's gradient instead of the square of their
    /// sum; see [`Options::sparse_squares`].
    pub sparse_squares: bool,
    /// Whether moments that decay become zero before they are denormal: where
    /// [`Device::keeps_denormals`](crate::Device::keeps_denormals).
    pub settle: bool,
}

/// Moments are rounded to multiples of about 1e-30, a step of floats of this size, so that what is left of a moment,
/// times a share of it, is a normal number. No gradient this small moves a weight.
pub(crate) const SETTLED: f32 = 1.0 / (1u128 << 76) as f32;

impl<'b> StepState<'b> {
    /// A step with this learning rate, of this number from 1.
    pub fn new(learning_rate: Var<'b>, step: Var<'b>) -> StepState<'b> {
        StepState { learning_rate, step, sparse_squares: false, settle: false }
    }

    /// A moment without what is too small to matter.
    fn settled(&self, moment: Var<'b>) -> Var<'b> {
        if self.settle { (moment + SETTLED) - SETTLED } else { moment }
    }

    /// The square of a gradient, as second moments take it.
    fn square(&self, g: Var<'b>) -> Var<'b> {
        #[cfg(feature = "full")]
        if self.sparse_squares
            && let Some(squares) = sparse_squares(g)
        {
            return squares;
        }
        g.square()
    }
}

/// Of a gradient that is a sum of parts at indices, the sum of the squares of the parts.
#[cfg(feature = "full")]
fn sparse_squares(g: Var<'_>) -> Option<Var<'_>> {
    use crate::op::Op;
    let builder = g.builder();
    let node = builder.node(builder.producer(g.id()));
    let operand = |n: usize| node.inputs.get(n).map(|id| Var::new(builder, *id));
    match node.op {
        Op::Reshape(shape) => sparse_squares(operand(0)?).map(|squares| squares.reshaped(shape)),
        Op::Scatter(_) => Some(Var::op(node.op.clone(), &[operand(0)?, operand(1)?.square()])),
        _ => None,
    }
}

#[cfg(feature = "full")]
impl<'b> StepState<'b> {
    /// Decoupled weight decay.
    fn decay(&self, w: Var<'b>, decay: f32) -> Var<'b> {
        w - w * decay * self.learning_rate
    }
}

/// New values after a step.
#[derive(Clone)]
pub struct Applied<'b> {
    /// Of the weights.
    pub weights: Vec<Var<'b>>,
    /// Of the slots of each weight.
    pub slots: Vec<Vec<Var<'b>>>,
    /// Of the scalars.
    pub scalars: Vec<Var<'b>>,
}

macro_rules! optimizers {
    ($($(#[$meta:meta])* $Name:ident $name:literal $(+ $alias:literal)* $make:ident $doc:literal;)*) => {
        /// An optimizer.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum Optimizer {
            $($(#[$meta])* #[doc = $doc] $Name($Name),)*
            /// An optimizer with options; [`Optimizer::with`] makes it.
            #[cfg(feature = "full")]
            With {
                /// The rule.
                #[serde(with = "crate::nn::packed")]
                optimizer: alloc::boxed::Box<Optimizer>,
                /// What is added to it.
                options: alloc::boxed::Box<Options>,
            },
        }

        impl Optimizer {
            $($(#[$meta])* #[doc = concat!($doc, " Keras's defaults.")]
            pub fn $make() -> Optimizer {
                Optimizer::$Name($Name::default())
            })*

            /// Keras's name.
            pub fn name(&self) -> &'static str {
                match self {
                    $($(#[$meta])* Optimizer::$Name(_) => $name,)*
                    #[cfg(feature = "full")]
                    Optimizer::With { optimizer, .. } => optimizer.name(),
                }
            }

            /// The optimizer of this name, with Keras's defaults.
            pub fn from_name(name: &str) -> Option<Optimizer> {
                match name {
                    $($(#[$meta])* $name $(| $alias)* => Some(Optimizer::$Name($Name::default())),)*
                    _ => None,
                }
            }

            /// The learning rate at the start.
            pub fn learning_rate(&self) -> f32 {
                match self {
                    $($(#[$meta])* Optimizer::$Name(o) => o.learning_rate,)*
                    #[cfg(feature = "full")]
                    Optimizer::With { optimizer, options } => match &options.learning_rate {
                        Some(rate) => rate.at(0),
                        None => optimizer.learning_rate(),
                    },
                }
            }

            /// The slots that each weight has.
            pub fn slots(&self) -> Vec<Slot> {
                match self {
                    $($(#[$meta])* Optimizer::$Name(o) => o.slots(),)*
                    #[cfg(feature = "full")]
                    Optimizer::With { optimizer, options } => {
                        let mut slots = options.slots();
                        slots.extend(optimizer.slots());
                        slots
                    }
                }
            }
        }

        $($(#[$meta])* impl From<$Name> for Optimizer {
            fn from(o: $Name) -> Optimizer {
                Optimizer::$Name(o)
            }
        })*
    };
}

optimizers! {
    SGD "sgd" sgd "Gradient descent, optionally with momentum.";
    Adam "adam" adam "Adam.";
    #[cfg(feature = "full")]
    AMSGrad "amsgrad" amsgrad "Adam that never takes a smaller second moment.";
    #[cfg(feature = "full")]
    AdamW "adamw" + "adam_w" adamw "Adam with decoupled weight decay.";
    #[cfg(feature = "full")]
    RMSprop "rmsprop" + "rms_prop" rmsprop "RMSprop.";
    #[cfg(feature = "full")]
    Adagrad "adagrad" adagrad "Adagrad.";
    #[cfg(feature = "full")]
    Adadelta "adadelta" adadelta "Adadelta.";
    #[cfg(feature = "full")]
    Adamax "adamax" adamax "Adam with the infinity norm.";
    #[cfg(feature = "full")]
    Nadam "nadam" nadam "Adam with Nesterov's momentum.";
    #[cfg(feature = "full")]
    Ftrl "ftrl" ftrl "Follow the regularised leader.";
    #[cfg(feature = "full")]
    Lion "lion" lion "Lion.";
}

impl Optimizer {
    /// The learning rate of the step before which `step` steps were done.
    pub fn learning_rate_at(&self, step: u64) -> f32 {
        match self {
            #[cfg(feature = "full")]
            Optimizer::With { options, optimizer } => match &options.learning_rate {
                Some(rate) => rate.at(step),
                None => optimizer.learning_rate_at(step),
            },
            _ => {
                let _ = step;
                self.learning_rate()
            }
        }
    }

    /// Whether the learning rate changes by itself from step to step.
    pub fn has_schedule(&self) -> bool {
        match self {
            #[cfg(feature = "full")]
            Optimizer::With { options, .. } => {
                matches!(options.learning_rate, Some(crate::nn::LearningRate::Schedule(_)))
            }
            _ => false,
        }
    }

    /// This optimizer with options. Options of one that has some already are replaced.
    #[cfg(feature = "full")]
    pub fn with(self, options: Options) -> Optimizer {
        let optimizer = match self {
            Optimizer::With { optimizer, .. } => optimizer,
            plain => alloc::boxed::Box::new(plain),
        };
        Optimizer::With { optimizer, options: alloc::boxed::Box::new(options) }
    }

    /// This optimizer with another learning rate: a number or a schedule.
    #[cfg(feature = "full")]
    pub fn with_learning_rate(self, rate: impl Into<crate::nn::LearningRate>) -> Optimizer {
        let mut options = self.options().cloned().unwrap_or_default();
        options.learning_rate = Some(rate.into());
        self.with(options)
    }

    /// The options, if it has some.
    #[cfg(feature = "full")]
    pub fn options(&self) -> Option<&Options> {
        match self {
            Optimizer::With { options, .. } => Some(options),
            _ => None,
        }
    }

    /// The position among the slots of the moving average of a weight, which the weight becomes when training
    /// ends (`finalize_variable_values`).
    #[cfg(feature = "full")]
    pub fn average_slot(&self) -> Option<usize> {
        self.slots().iter().position(|s| s.name == options::AVERAGE)
    }

    /// The loss to differentiate for gradients that [`apply`](Optimizer::apply) takes.
    pub fn scale_loss<'b>(&self, loss: Var<'b>) -> Var<'b> {
        match self {
            #[cfg(feature = "full")]
            Optimizer::With { options, .. } => options.loss_scale.map_or(loss, |scale| loss * scale),
            _ => loss,
        }
    }

    /// Values that the optimizer keeps once, besides the slots of each weight; scalars.
    pub fn scalars(&self) -> Vec<Slot> {
        match self {
            #[cfg(feature = "full")]
            Optimizer::With { optimizer, .. } => optimizer.scalars(),
            #[cfg(feature = "full")]
            Optimizer::Nadam(o) => o.scalars(),
            _ => Vec::new(),
        }
    }

    /// One step over all weights: new weights, slots and scalars from their gradients. `slots` holds for each
    /// weight those of [`slots`](Optimizer::slots), `scalars` those of [`scalars`](Optimizer::scalars).
    pub fn apply<'b>(
        &self,
        state: &StepState<'b>,
        weights: &[Var<'b>],
        gradients: &[Var<'b>],
        slots: &[Vec<Var<'b>>],
        scalars: &[Var<'b>],
    ) -> Applied<'b> {
        #[cfg(feature = "full")]
        if let Optimizer::With { optimizer, options } = self {
            return options.apply(optimizer, state, weights, gradients, slots, scalars);
        }
        let scalars = self.next_scalars(state, scalars);
        let mut new = Applied { weights: Vec::new(), slots: Vec::new(), scalars };
        for ((w, g), slots) in weights.iter().zip(gradients).zip(slots) {
            let (w, slots) = self.update(state, *w, *g, slots, &new.scalars);
            new.weights.push(w);
            new.slots.push(slots);
        }
        new
    }

    fn next_scalars<'b>(&self, state: &StepState<'b>, scalars: &[Var<'b>]) -> Vec<Var<'b>> {
        match self {
            #[cfg(feature = "full")]
            Optimizer::Nadam(o) => scalars.iter().map(|p| o.product(state, *p)).collect(),
            _ => {
                let _ = state;
                scalars.to_vec()
            }
        }
    }

    /// The new weight and the new slots.
    pub(crate) fn update<'b>(
        &self,
        state: &StepState<'b>,
        w: Var<'b>,
        g: Var<'b>,
        slots: &[Var<'b>],
        _scalars: &[Var<'b>],
    ) -> (Var<'b>, Vec<Var<'b>>) {
        match self {
            Optimizer::SGD(o) => o.update(state, w, g, slots),
            Optimizer::Adam(o) => o.update(state, w, g, slots),
            #[cfg(feature = "full")]
            Optimizer::AMSGrad(o) => o.update(state, w, g, slots),
            #[cfg(feature = "full")]
            Optimizer::AdamW(o) => o.update(state, w, g, slots),
            #[cfg(feature = "full")]
            Optimizer::RMSprop(o) => o.update(state, w, g, slots),
            #[cfg(feature = "full")]
            Optimizer::Adagrad(o) => o.update(state, w, g, slots),
            #[cfg(feature = "full")]
            Optimizer::Adadelta(o) => o.update(state, w, g, slots),
            #[cfg(feature = "full")]
            Optimizer::Adamax(o) => o.update(state, w, g, slots),
            #[cfg(feature = "full")]
            Optimizer::Nadam(o) => o.update(state, _scalars[0], w, g, slots),
            #[cfg(feature = "full")]
            Optimizer::Ftrl(o) => o.update(state, w, g, slots),
            #[cfg(feature = "full")]
            Optimizer::Lion(o) => o.update(state, w, g, slots),
            // `apply` unwraps it.
            #[cfg(feature = "full")]
            Optimizer::With { optimizer, .. } => optimizer.update(state, w, g, slots, _scalars),
        }
    }
}

/// `1 - beta` for the decimal number, of up to seven places, that `beta` was written as. TensorFlow subtracts
/// in double precision; of the float nearest to 0.999 the difference would be off by 1e-5 of itself.
fn rest(beta: f32) -> f32 {
    (((1.0 - f64::from(beta)) * 1e7 + 0.5) as u32 as f64 / 1e7) as f32
}

#[cfg(all(test, feature = "full", feature = "std"))]
mod tests {
    use super::*;
    use crate::{DType, Device, Plan, PlanOptions, Session, Shape, Tensor, Trace, Variables};

    const N: usize = 300;

    /// The moments after steps without gradient, from small ones of all sizes.
    fn decayed(optimizer: &Optimizer, settle: bool, steps: usize) -> Vec<f32> {
        let mut variables = Variables::new();
        let mut variable = |name: &str, value: Vec<f32>| {
            variables.add(name, &Tensor::new(&[value.len()], value).unwrap(), true).unwrap()
        };
        let weight = variable("weight", alloc::vec![1.0; N]);
        let small = |i: usize| 10.0f32.powi(-20 - (i % 26) as i32);
        let values = |slot: &Slot| match slot.name {
            "velocity_hat" => alloc::vec![0.0; N],
            "momentum" => (0..N).map(|i| if i % 2 == 0 { small(i) } else { -small(i) }).collect(),
            _ => (0..N).map(small).collect(),
        };
        let slots: Vec<_> = optimizer.slots().iter().map(|slot| variable(slot.name, values(slot))).collect();
        let trace = Trace::new(&variables);
        let input = |name: &str, dims: &[usize]| trace.input(name, Shape::new(dims).unwrap(), DType::F32);
        let state = StepState { settle, ..StepState::new(input("rate", &[]), input("step", &[])) };
        let old: Vec<_> = slots.iter().map(|&slot| trace.variable(slot)).collect();
        let scalars: Vec<_> = optimizer.scalars().iter().map(|s| state.step.scalar_like(s.initial)).collect();
        let new =
            optimizer.apply(&state, &[trace.variable(weight)], &[input("gradient", &[N])], &[old], &scalars);
        trace.assign(weight, new.weights[0]);
        slots.iter().zip(&new.slots[0]).for_each(|(&slot, &value)| trace.assign(slot, value));
        let plan = Plan::compile(&trace.finish().unwrap(), &PlanOptions::default()).unwrap();
        let mut session = Session::new(plan, &Device::default().strict()).unwrap();
        for n in 0..session.plan().inputs().len() {
            let value = if session.plan().inputs()[n].slot.shape.numel() == N { 0.0 } else { 1.0 };
            session.input_mut::<f32>(n).unwrap().fill(value);
        }
        for _ in 0..steps {
            session.run(&mut variables).unwrap();
        }
        slots.iter().flat_map(|&slot| variables.get(slot).unwrap().to_f32_vec()).collect()
    }

    #[test]
    fn moments_become_zero_before_they_are_denormal() {
        let optimizers = [
            Optimizer::adam(),
            Optimizer::amsgrad(),
            Optimizer::adamw(),
            Optimizer::adamax(),
            Optimizer::nadam(),
            Optimizer::lion(),
            Optimizer::adadelta(),
            SGD { momentum: 0.9, ..SGD::default() }.into(),
            SGD { momentum: 0.9, nesterov: true, ..SGD::default() }.into(),
            RMSprop { momentum: 0.9, centered: true, ..RMSprop::default() }.into(),
        ];
        for optimizer in optimizers {
            for steps in [1, 2, 300] {
                let small = |x: &&f32| **x != 0.0 && x.abs() < 5e-31;
                let moments = decayed(&optimizer, true, steps);
                assert_eq!(moments.iter().find(small), None, "{} after {steps}", optimizer.name());
                let left = decayed(&optimizer, false, steps);
                assert!(left.iter().any(|x| x.is_subnormal()), "{}", optimizer.name());
            }
            let kept = decayed(&optimizer, true, 1).iter().filter(|x| **x != 0.0).count();
            assert!(kept >= N / 3, "{}: {kept}", optimizer.name());
        }
    }
}
