//! Callbacks of `fit`.

#[cfg(feature = "full")]
mod early_stopping;
#[cfg(all(feature = "full", feature = "std"))]
mod files;
#[cfg(feature = "full")]
mod lambda;
#[cfg(feature = "full")]
mod monitor;
#[cfg(feature = "full")]
mod rate;

#[cfg(feature = "full")]
pub use early_stopping::EarlyStopping;
#[cfg(all(feature = "full", feature = "std"))]
pub use files::{CSVLogger, ModelCheckpoint, SaveFreq};
#[cfg(feature = "full")]
pub use lambda::{LambdaCallback, TerminateOnNaN};
#[cfg(feature = "full")]
pub use monitor::{Mode, Monitor};
#[cfg(feature = "full")]
pub use rate::{LearningRateScheduler, ReduceLROnPlateau};

use super::{Logs, Model};
use crate::Result;

/// Whether training goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It goes on.
    Continue,
    /// It ends after this epoch's or batch's callbacks.
    Stop,
}

/// Functions that `fit` calls; each does nothing unless overridden. An error ends training with that error.
#[allow(unused_variables)] // Parameters keep the names that they are documented and overridden by.
pub trait Callback {
    /// Before the first epoch.
    fn on_train_begin(&mut self, model: &mut Model) -> Result<()> {
        Ok(())
    }
    /// Before an epoch, counted from 0.
    fn on_epoch_begin(&mut self, epoch: usize, model: &mut Model) -> Result<Flow> {
        Ok(Flow::Continue)
    }
    /// After batch `step` of `steps`; the logs are means over the epoch so far.
    fn on_batch_end(&mut self, step: usize, steps: usize, logs: &Logs, model: &mut Model) -> Result<Flow> {
        Ok(Flow::Continue)
    }
    /// When the loss is NaN or infinite; the weights are those from before. [`Flow::Stop`] ends training without
    /// the error.
    fn on_divergence(&mut self, error: &crate::Error) -> Flow {
        Flow::Continue
    }
    /// After an epoch.
    fn on_epoch_end(&mut self, epoch: usize, logs: &Logs, model: &mut Model) -> Result<Flow> {
        Ok(Flow::Continue)
    }
    /// After the last epoch.
    fn on_train_end(&mut self, model: &mut Model) -> Result<()> {
        Ok(())
    }
}
