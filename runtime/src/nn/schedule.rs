//! Learning-rate schedules (`keras.optimizers.schedules`): the rate as a function of the number of steps done.
//!
//! They are computed on the host before each step and written to the learning rate's variable, so a schedule
//! never compiles anything again.

use crate::math;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// `initial decay_rate^(step / decay_steps)`; with a staircase the exponent is rounded down
/// (`keras.optimizers.schedules.ExponentialDecay`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExponentialDecay {
    /// The rate at step 0.
    pub initial_learning_rate: f32,
    /// Steps in which the rate is multiplied by `decay_rate` once.
    pub decay_steps: f32,
    /// The factor.
    pub decay_rate: f32,
    /// Whether the rate falls in jumps.
    pub staircase: bool,
}

/// `values[i]` for steps up to and including `boundaries[i]`, the last value after the last boundary
/// (`keras.optimizers.schedules.PiecewiseConstantDecay`). There is one value more than boundaries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PiecewiseConstantDecay {
    /// Steps, increasing.
    pub boundaries: Vec<f32>,
    /// Rates.
    pub values: Vec<f32>,
}

/// `(initial - end) (1 - step / decay_steps)^power + end`, and `end` after `decay_steps`; with `cycle`,
/// `decay_steps` is taken as often as the step needs (`keras.optimizers.schedules.PolynomialDecay`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolynomialDecay {
    /// The rate at step 0.
    pub initial_learning_rate: f32,
    /// Steps until `end_learning_rate`.
    pub decay_steps: f32,
    /// The rate at the end.
    pub end_learning_rate: f32,
    /// 1 is linear.
    pub power: f32,
    /// Whether the rate rises again after `decay_steps`.
    pub cycle: bool,
}

/// `initial / (1 + decay_rate step / decay_steps)`; with a staircase the quotient is rounded down
/// (`keras.optimizers.schedules.InverseTimeDecay`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct InverseTimeDecay {
    /// The rate at step 0.
    pub initial_learning_rate: f32,
    /// Steps in which the denominator grows by `decay_rate`.
    pub decay_steps: f32,
    /// Growth of the denominator.
    pub decay_rate: f32,
    /// Whether the rate falls in jumps.
    pub staircase: bool,
}

/// Half a cosine from the start to `alpha` times the start in `decay_steps`, after an optional linear rise from
/// `initial_learning_rate` to `warmup_target` in `warmup_steps` (`keras.optimizers.schedules.CosineDecay`;
/// Loshchilov and Hutter 2017).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CosineDecay {
    /// The rate at step 0.
    pub initial_learning_rate: f32,
    /// Steps of the decay, after those of the warm-up.
    pub decay_steps: f32,
    /// The share of the rate that remains.
    pub alpha: f32,
    /// The rate after the warm-up; without it there is none.
    pub warmup_target: Option<f32>,
    /// Steps of the warm-up.
    pub warmup_steps: f32,
}

/// Cosine decays one after another, each `t_mul` times as long as the one before and starting from `m_mul`
/// times its rate (`keras.optimizers.schedules.CosineDecayRestarts`; Loshchilov and Hutter 2017).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CosineDecayRestarts {
    /// The rate at step 0.
    pub initial_learning_rate: f32,
    /// Steps of the first decay.
    pub first_decay_steps: f32,
    /// Growth of the length of a decay.
    pub t_mul: f32,
    /// Factor of the rate at each restart.
    pub m_mul: f32,
    /// The share of the rate that remains at the end of a decay.
    pub alpha: f32,
}

/// Any function of the step, under a name. It is not saved with a model.
#[derive(Clone)]
pub struct CustomSchedule {
    name: String,
    rate: Arc<dyn Fn(u64) -> f32>,
}

impl CustomSchedule {
    /// The rate at a step, by a function.
    pub fn new(name: &str, rate: impl Fn(u64) -> f32 + 'static) -> CustomSchedule {
        CustomSchedule { name: name.into(), rate: Arc::new(rate) }
    }
}

impl fmt::Debug for CustomSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl PartialEq for CustomSchedule {
    fn eq(&self, other: &CustomSchedule) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.rate, &other.rate)
    }
}

impl Default for ExponentialDecay {
    fn default() -> ExponentialDecay {
        ExponentialDecay {
            initial_learning_rate: 0.01,
            decay_steps: 1000.0,
            decay_rate: 0.9,
            staircase: false,
        }
    }
}

impl Default for PolynomialDecay {
    fn default() -> PolynomialDecay {
        PolynomialDecay {
            initial_learning_rate: 0.01,
            decay_steps: 1000.0,
            end_learning_rate: 1e-4,
            power: 1.0,
            cycle: false,
        }
    }
}

impl Default for InverseTimeDecay {
    fn default() -> InverseTimeDecay {
        InverseTimeDecay {
            initial_learning_rate: 0.01,
            decay_steps: 1000.0,
            decay_rate: 0.5,
            staircase: false,
        }
    }
}

impl Default for CosineDecay {
    fn default() -> CosineDecay {
        CosineDecay {
            initial_learning_rate: 0.01,
            decay_steps: 1000.0,
            alpha: 0.0,
            warmup_target: None,
            warmup_steps: 0.0,
        }
    }
}

impl Default for CosineDecayRestarts {
    fn default() -> CosineDecayRestarts {
        CosineDecayRestarts {
            initial_learning_rate: 0.01,
            first_decay_steps: 1000.0,
            t_mul: 2.0,
            m_mul: 1.0,
            alpha: 0.0,
        }
    }
}

impl ExponentialDecay {
    fn at(&self, step: f32) -> f32 {
        let p = step / self.decay_steps;
        let p = if self.staircase { floor(p) } else { p };
        self.initial_learning_rate * pow(self.decay_rate, p)
    }
}

impl PiecewiseConstantDecay {
    fn at(&self, step: f32) -> f32 {
        let piece = self.boundaries.iter().position(|b| step <= *b).unwrap_or(self.boundaries.len());
        self.values.get(piece).or(self.values.last()).copied().unwrap_or(f32::NAN)
    }
}

impl PolynomialDecay {
    fn at(&self, step: f32) -> f32 {
        let (step, length) = match self.cycle {
            true if step == 0.0 => (step, self.decay_steps),
            true => (step, self.decay_steps * -floor(-step / self.decay_steps)),
            false => (step.min(self.decay_steps), self.decay_steps),
        };
        let span = self.initial_learning_rate - self.end_learning_rate;
        span * pow(1.0 - step / length, self.power) + self.end_learning_rate
    }
}

impl InverseTimeDecay {
    fn at(&self, step: f32) -> f32 {
        let p = step / self.decay_steps;
        let p = if self.staircase { floor(p) } else { p };
        self.initial_learning_rate / (1.0 + self.decay_rate * p)
    }
}

/// `x^y`, once for all schedules: the functions of [`math`] are made for loops and have a copy wherever they are called.
#[inline(never)]
fn pow(x: f32, y: f32) -> f32 {
    math::pow(x, y)
}

#[inline(never)]
fn floor(x: f32) -> f32 {
    math::floor(x)
}

#[inline(never)]
fn log(x: f32) -> f32 {
    math::log(x)
}

/// The cosine from `1` at 0 to `alpha` at 1.
#[inline(never)]
fn cosine(done: f32, start: f32, alpha: f32) -> f32 {
    (1.0 - alpha) * (0.5 * start * (1.0 + math::cos(core::f32::consts::PI * done))) + alpha
}

impl CosineDecay {
    fn at(&self, step: f32) -> f32 {
        let (start, warmup) = match self.warmup_target {
            Some(target) => (target, self.warmup_steps),
            None => (self.initial_learning_rate, 0.0),
        };
        if step < warmup {
            let done = step / warmup;
            return self.initial_learning_rate + (start - self.initial_learning_rate) * done;
        }
        let done = (step - warmup).min(self.decay_steps) / self.decay_steps;
        start * cosine(done, 1.0, self.alpha)
    }
}

impl CosineDecayRestarts {
    fn at(&self, step: f32) -> f32 {
        let done = step / self.first_decay_steps;
        let (restarts, done) = if self.t_mul == 1.0 {
            let restarts = floor(done);
            (restarts, done - restarts)
        } else {
            let ratio = log(1.0 - done * (1.0 - self.t_mul)) / log(self.t_mul);
            let restarts = floor(ratio);
            let length = pow(self.t_mul, restarts);
            (restarts, (done - (1.0 - length) / (1.0 - self.t_mul)) / length)
        };
        self.initial_learning_rate * cosine(done, pow(self.m_mul, restarts), self.alpha)
    }
}

macro_rules! schedules {
    ($($Name:ident)*) => {
        /// A learning rate that depends on the number of steps done.
        ///
        /// ```
        /// use gradling::nn::{Adam, ExponentialDecay, Optimizer};
        /// let decay = ExponentialDecay { initial_learning_rate: 0.1, decay_steps: 10.0, decay_rate: 0.5, staircase: true };
        /// let optimizer = Optimizer::from(Adam::default()).with_learning_rate(decay);
        /// assert_eq!(optimizer.learning_rate_at(9), 0.1);
        /// assert_eq!(optimizer.learning_rate_at(10), 0.05);
        /// ```
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum Schedule {
            $(#[doc = concat!("[`", stringify!($Name), "`]")] $Name($Name),)*
            /// A function of the program's own, which is not saved.
            #[serde(skip)]
            Custom(CustomSchedule),
        }

        impl Schedule {
            /// The rate of the step before which `step` steps were done.
            pub fn at(&self, step: u64) -> f32 {
                match self {
                    $(Schedule::$Name(s) => s.at(step as f32),)*
                    Schedule::Custom(s) => (s.rate)(step),
                }
            }
        }

        $(impl From<$Name> for Schedule {
            fn from(s: $Name) -> Schedule {
                Schedule::$Name(s)
            }
        }

        impl From<$Name> for LearningRate {
            fn from(s: $Name) -> LearningRate {
                LearningRate::Schedule(s.into())
            }
        })*
    };
}

schedules! {
    ExponentialDecay PiecewiseConstantDecay PolynomialDecay InverseTimeDecay CosineDecay CosineDecayRestarts
}

/// A learning rate: one number, or a schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LearningRate {
    /// The same at every step, until it is set to another.
    Constant(f32),
    /// A function of the step.
    Schedule(Schedule),
}

impl LearningRate {
    /// The rate of the step before which `step` steps were done.
    pub fn at(&self, step: u64) -> f32 {
        match self {
            LearningRate::Constant(rate) => *rate,
            LearningRate::Schedule(schedule) => schedule.at(step),
        }
    }
}

impl From<f32> for LearningRate {
    fn from(rate: f32) -> LearningRate {
        LearningRate::Constant(rate)
    }
}

impl From<Schedule> for LearningRate {
    fn from(schedule: Schedule) -> LearningRate {
        LearningRate::Schedule(schedule)
    }
}

impl From<CustomSchedule> for LearningRate {
    fn from(schedule: CustomSchedule) -> LearningRate {
        LearningRate::Schedule(Schedule::Custom(schedule))
    }
}
