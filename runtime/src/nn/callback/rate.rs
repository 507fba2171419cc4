use super::early_stopping::unknown;
use super::{Callback, Flow, Mode, Monitor};
use crate::nn::{Logs, Model};
use crate::{Result, misuse};
use alloc::boxed::Box;

/// Sets the learning rate before each epoch (`keras.callbacks.LearningRateScheduler`).
pub struct LearningRateScheduler {
    rate: Box<dyn FnMut(usize, f32) -> f32>,
}

impl LearningRateScheduler {
    /// The rate from the epoch, counted from 0, and the rate before.
    pub fn new(rate: impl FnMut(usize, f32) -> f32 + 'static) -> LearningRateScheduler {
        LearningRateScheduler { rate: Box::new(rate) }
    }
}

impl Callback for LearningRateScheduler {
    fn on_epoch_begin(&mut self, epoch: usize, model: &mut Model) -> Result<Flow> {
        let rate = (self.rate)(epoch, model.learning_rate().unwrap_or(0.0));
        if !rate.is_finite() || rate < 0.0 {
            return Err(misuse!(
                "LearningRateScheduler: expected a rate of 0 or more in epoch {}, got {rate}",
                epoch + 1
            ));
        }
        model.set_learning_rate(rate)?;
        Ok(Flow::Continue)
    }
}

/// Lowers the learning rate when a number no longer gets better (`keras.callbacks.ReduceLROnPlateau`).
pub struct ReduceLROnPlateau {
    monitor: Monitor,
    factor: f32,
    patience: usize,
    cooldown: usize,
    min_lr: f32,
    waited: usize,
    cooling: usize,
}

impl ReduceLROnPlateau {
    /// Watches `monitor`; multiplies the rate by 0.1 after 10 epochs without improvement by 1e-4.
    pub fn new(monitor: &str) -> ReduceLROnPlateau {
        ReduceLROnPlateau {
            monitor: Monitor::new(monitor, Mode::Auto, 1e-4),
            factor: 0.1,
            patience: 10,
            cooldown: 0,
            min_lr: 0.0,
            waited: 0,
            cooling: 0,
        }
    }

    /// Whether smaller or larger is better, and the least change that counts.
    pub fn better(mut self, mode: Mode, min_delta: f32) -> ReduceLROnPlateau {
        self.monitor = Monitor::new(self.monitor.name(), mode, min_delta);
        self
    }

    /// What the rate is multiplied by, below 1.
    pub fn factor(mut self, factor: f32) -> ReduceLROnPlateau {
        self.factor = factor;
        self
    }

    /// How many epochs without improvement are waited for.
    pub fn patience(mut self, epochs: usize) -> ReduceLROnPlateau {
        self.patience = epochs;
        self
    }

    /// Epochs after a reduction that are not counted.
    pub fn cooldown(mut self, epochs: usize) -> ReduceLROnPlateau {
        self.cooldown = epochs;
        self
    }

    /// The least rate.
    pub fn min_lr(mut self, rate: f32) -> ReduceLROnPlateau {
        self.min_lr = rate;
        self
    }
}

impl Callback for ReduceLROnPlateau {
    fn on_train_begin(&mut self, _: &mut Model) -> Result<()> {
        self.monitor.reset(None);
        (self.waited, self.cooling) = (0, 0);
        if !(0.0..1.0).contains(&self.factor) {
            return Err(misuse!("ReduceLROnPlateau: expected a factor in [0, 1), got {}", self.factor));
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, _: usize, logs: &Logs, model: &mut Model) -> Result<Flow> {
        let improved =
            self.monitor.improved(logs).ok_or_else(|| unknown("ReduceLROnPlateau", &self.monitor, logs))?;
        if self.cooling > 0 {
            self.cooling -= 1;
            self.waited = 0;
        }
        if improved {
            self.waited = 0;
        } else if self.cooling == 0 {
            self.waited += 1;
            let rate = model.learning_rate().unwrap_or(0.0);
            if self.waited >= self.patience && rate > self.min_lr {
                model.set_learning_rate((rate * self.factor).max(self.min_lr))?;
                (self.waited, self.cooling) = (0, self.cooldown);
            }
        }
        Ok(Flow::Continue)
    }
}
