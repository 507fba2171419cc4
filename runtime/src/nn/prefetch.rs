//! Batches made ahead of training.

use super::samples::{Batch, Batches};
use crate::data::ahead::Ahead;
use crate::{Result, device_error, misuse};

/// A source of batches of which a thread makes some ahead, while the model trains on those before. Order and values
/// are the same, errors come where they would, and the thread ends with the training.
///
/// [`Model::fit_dataset`](super::Model::fit_dataset) does so by itself.
///
/// ```
/// use gradling::nn::{Batch, Batches, Dense, Fit, Loss, Optimizer, Prefetch, Sequential};
/// use gradling::{Result, Tensor};
///
/// struct Lines(f32);
/// impl Batches for Lines {
///     fn restart(&mut self, _epoch: usize) -> Result<()> {
///         self.0 = 0.0;
///         Ok(())
///     }
///     fn next_batch(&mut self) -> Result<Option<Batch>> {
///         self.0 += 0.25;
///         let x = Tensor::full(&[4, 1], self.0)?;
///         Ok((self.0 <= 1.0).then(|| Batch { x: (&x).into(), y: x.into(), sample_weight: None }))
///     }
/// }
///
/// let mut model = Sequential::new().add(Dense::new(1));
/// model.compile(Optimizer::sgd(), Loss::MeanSquaredError, &[])?;
/// model.fit_batches(Prefetch::new(Lines(0.0), 2), &mut Fit { epochs: 3, ..Fit::default() })?;
/// # Ok::<(), gradling::Error>(())
/// ```
pub struct Prefetch<B> {
    /// Absent while the thread has it, and after it panicked.
    source: Option<B>,
    count: usize,
    running: Option<Ahead<Result<Batch>, B>>,
}

impl<B: Batches + Send + 'static> Prefetch<B> {
    /// Up to `count` batches of `source` are made ahead; 0 counts as 1.
    pub fn new(source: B, count: usize) -> Prefetch<B> {
        Prefetch { source: Some(source), count: count.max(1), running: None }
    }

    /// Takes the source back from its thread.
    fn end(&mut self) {
        if let Some(mut running) = self.running.take() {
            self.source = running.end();
        }
    }
}

impl<B: Batches + Send + 'static> Batches for Prefetch<B> {
    fn restart(&mut self, epoch: usize) -> Result<()> {
        self.end();
        let source = self.source.take();
        let mut source =
            source.ok_or_else(|| misuse!("Prefetch: the source panicked in an earlier epoch"))?;
        let running = Ahead::start(self.count, move |hand| {
            let mut next = source.restart(epoch).and_then(|()| source.next_batch()).transpose();
            while let Some(batch) = next {
                let last = batch.is_err();
                if !hand(batch) || last {
                    break;
                }
                next = source.next_batch().transpose();
            }
            source
        });
        self.running = Some(running.map_err(|e| device_error!("Prefetch: no thread: {e}"))?);
        Ok(())
    }

    fn next_batch(&mut self) -> Result<Option<Batch>> {
        let batch = self.running.as_mut().and_then(Ahead::next).transpose();
        if matches!(batch, Ok(None)) {
            self.end();
        }
        batch
    }
}
