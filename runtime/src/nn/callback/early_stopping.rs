use super::{Callback, Flow, Mode, Monitor};
use crate::nn::{Logs, Model};
use crate::{Result, Tensor, misuse};
use alloc::vec::Vec;

/// Stops when a number no longer gets better (`keras.callbacks.EarlyStopping`).
pub struct EarlyStopping {
    monitor: Monitor,
    baseline: Option<f32>,
    patience: usize,
    restore_best_weights: bool,
    start_from_epoch: usize,
    waited: usize,
    best: Option<(usize, Vec<Tensor>)>,
}

impl EarlyStopping {
    /// Watches `monitor`, such as `val_loss`; stops after the first epoch that does not improve it.
    pub fn new(monitor: &str) -> EarlyStopping {
        EarlyStopping {
            monitor: Monitor::new(monitor, Mode::Auto, 0.0),
            baseline: None,
            patience: 0,
            restore_best_weights: false,
            start_from_epoch: 0,
            waited: 0,
            best: None,
        }
    }

    /// Whether smaller or larger is better, and the least change that counts.
    pub fn better(mut self, mode: Mode, min_delta: f32) -> EarlyStopping {
        self.monitor = Monitor::new(self.monitor.name(), mode, min_delta);
        self
    }

    /// How many epochs without improvement are waited for.
    pub fn patience(mut self, epochs: usize) -> EarlyStopping {
        self.patience = epochs;
        self
    }

    /// A value that must be bettered from the first epoch on.
    pub fn baseline(mut self, value: f32) -> EarlyStopping {
        self.baseline = Some(value);
        self
    }

    /// Whether the model ends with the weights of its best epoch.
    pub fn restore_best_weights(mut self, restore: bool) -> EarlyStopping {
        self.restore_best_weights = restore;
        self
    }

    /// Epochs before this one are not judged.
    pub fn start_from_epoch(mut self, epoch: usize) -> EarlyStopping {
        self.start_from_epoch = epoch;
        self
    }
}

impl Callback for EarlyStopping {
    fn on_train_begin(&mut self, _: &mut Model) -> Result<()> {
        self.monitor.reset(self.baseline);
        (self.waited, self.best) = (0, None);
        Ok(())
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &Logs, model: &mut Model) -> Result<Flow> {
        if epoch < self.start_from_epoch {
            return Ok(Flow::Continue);
        }
        let improved =
            self.monitor.improved(logs).ok_or_else(|| unknown("EarlyStopping", &self.monitor, logs))?;
        if self.restore_best_weights && (improved || self.best.is_none()) {
            self.best = Some((epoch, model.get_weights()?));
        }
        if improved {
            self.waited = 0;
            return Ok(Flow::Continue);
        }
        self.waited += 1;
        Ok(if self.waited >= self.patience.max(1) { Flow::Stop } else { Flow::Continue })
    }

    fn on_train_end(&mut self, model: &mut Model) -> Result<()> {
        match self.best.take() {
            Some((_, weights)) => model.set_weights(&weights),
            None => Ok(()),
        }
    }
}

/// The error of a number that the logs do not hold.
pub(super) fn unknown(callback: &str, monitor: &Monitor, logs: &Logs) -> crate::Error {
    let names: Vec<&str> = logs.iter().map(|(name, _)| name).collect();
    misuse!(
        "{callback}: expected one of {} to watch, got {}; give fit validation data or another name",
        names.join(", "),
        monitor.name()
    )
}
