use super::{Callback, Flow};
use crate::nn::{Logs, Model};
use crate::{Error, Result};
use alloc::boxed::Box;

/// Ends training without an error when the loss is NaN or infinite (`keras.callbacks.TerminateOnNaN`).
///
/// Without it such a loss is an error that names the first layer whose output is not finite.
#[derive(Clone, Copy, Debug, Default)]
pub struct TerminateOnNaN;

impl Callback for TerminateOnNaN {
    fn on_divergence(&mut self, _: &Error) -> Flow {
        Flow::Stop
    }
}

/// A function of the epoch, its logs and the model.
type EpochEnd = Box<dyn FnMut(usize, &Logs, &mut Model) -> Result<Flow>>;
/// A function of the batch, the number of batches and the logs so far.
type BatchEnd = Box<dyn FnMut(usize, usize, &Logs) -> Result<Flow>>;

/// Functions as a callback (`keras.callbacks.LambdaCallback`).
#[derive(Default)]
pub struct LambdaCallback {
    epoch_end: Option<EpochEnd>,
    batch_end: Option<BatchEnd>,
}

impl LambdaCallback {
    /// A callback that does nothing yet.
    pub fn new() -> LambdaCallback {
        LambdaCallback::default()
    }

    /// Called after each epoch.
    pub fn on_epoch_end(
        mut self,
        f: impl FnMut(usize, &Logs, &mut Model) -> Result<Flow> + 'static,
    ) -> LambdaCallback {
        self.epoch_end = Some(Box::new(f));
        self
    }

    /// Called after each batch.
    pub fn on_batch_end(
        mut self,
        f: impl FnMut(usize, usize, &Logs) -> Result<Flow> + 'static,
    ) -> LambdaCallback {
        self.batch_end = Some(Box::new(f));
        self
    }
}

impl Callback for LambdaCallback {
    fn on_batch_end(&mut self, step: usize, steps: usize, logs: &Logs, _: &mut Model) -> Result<Flow> {
        self.batch_end.as_mut().map_or(Ok(Flow::Continue), |f| f(step, steps, logs))
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &Logs, model: &mut Model) -> Result<Flow> {
        self.epoch_end.as_mut().map_or(Ok(Flow::Continue), |f| f(epoch, logs, model))
    }
}
