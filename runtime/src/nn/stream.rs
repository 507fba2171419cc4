//! Data sets as streams of batches.

use super::samples::{Arrays, Batch, Batches};
use super::{Fit, History, Model};
use crate::data::{self, Dataset};
use crate::{Result, Tensor, misuse};
use alloc::vec::Vec;

/// Batches that are made while the model trains on one.
const AHEAD: usize = 2;

/// The batches of a data set, one pass over it an epoch.
struct Stream {
    dataset: Dataset,
    pass: Option<data::Batches>,
}

impl Batches for Stream {
    fn restart(&mut self, _: usize) -> Result<()> {
        // The thread of the epoch before ends first.
        self.pass = None;
        self.pass = Some(self.dataset.iter_ahead(AHEAD));
        Ok(())
    }

    fn next_batch(&mut self) -> Result<Option<Batch>> {
        let Some(element) = self.pass.as_mut().and_then(Iterator::next) else { return Ok(None) };
        let mut parts = element?.into_iter();
        let count = parts.len();
        let (Some(x), Some(y), sample_weight, None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(misuse!(
                "fit: expected inputs, targets and perhaps weights in a batch, got {count} tensors"
            ));
        };
        let one = |t: Tensor| Arrays(Vec::from([t]));
        Ok(Some(Batch { x: one(x), y: one(y), sample_weight }))
    }
}

impl Model {
    /// Trains on the batches of a data set, whose elements are inputs, targets and perhaps a weight for each sample;
    /// every epoch is one pass over it, on a thread that makes the next two batches while the model trains on one.
    /// Of the options, those about samples in memory do not apply.
    ///
    /// ```
    /// use gradling::data::Dataset;
    /// use gradling::nn::{Dense, Fit, Loss, Optimizer, Sequential};
    /// use gradling::Tensor;
    ///
    /// let data = Dataset::from_tensor_slices((Tensor::ones(&[8, 2])?, Tensor::zeros(&[8, 1])?)).batch(4, false);
    /// let mut model = Sequential::new().add(Dense::new(1));
    /// model.compile(Optimizer::sgd(), Loss::MeanSquaredError, &[])?;
    /// let history = model.fit_dataset(&data, &mut Fit { epochs: 3, ..Fit::default() })?;
    /// assert_eq!(history.get("loss").len(), 3);
    /// # Ok::<(), gradling::Error>(())
    /// ```
    ///
    /// **Errors** as [`fit`](Model::fit), and those of the data set.
    pub fn fit_dataset(&mut self, dataset: &Dataset, fit: &mut Fit) -> Result<History> {
        self.fit_batches(Stream { dataset: dataset.clone(), pass: None }, fit)
    }
}
