//! Metrics outside of `fit`: hand-written training loops.

use super::Metric;
use crate::{Result, Tape, Tensor};
use alloc::vec::Vec;

/// A metric with its state (`keras.metrics.Metric`).
///
/// ```
/// use gradling::nn::metric::{Metric, MetricState};
/// use gradling::Tensor;
///
/// let mut accuracy = MetricState::new(Metric::Accuracy);
/// let labels = Tensor::new(&[2], [1, 0])?;
/// let outputs = Tensor::new(&[2, 2], [0.2, 0.8, 0.4, 0.6])?;
/// accuracy.update_state(&labels, &outputs, None)?;
/// assert_eq!(accuracy.result()?.item()?, 0.5);
/// # Ok::<(), gradling::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct MetricState {
    metric: Metric,
    slots: Vec<Tensor>,
}

impl MetricState {
    /// The metric before any batch.
    pub fn new(metric: impl Into<Metric>) -> MetricState {
        MetricState { metric: metric.into(), slots: Vec::new() }
    }

    /// Takes a batch into account.
    ///
    /// **Errors** when targets do not fit outputs, or outputs have another shape than before.
    pub fn update_state(
        &mut self,
        target: &Tensor,
        output: &Tensor,
        sample_weight: Option<&Tensor>,
    ) -> Result<()> {
        let fresh: Result<Vec<Tensor>> = match self.slots.is_empty() {
            true => self
                .metric
                .slots(target.shape(), output.shape())
                .iter()
                .map(|s| Tensor::zeros(&s.shape.list()))
                .collect(),
            false => Ok(self.slots.clone()),
        };
        let tape = Tape::new();
        let slots: Vec<_> = fresh?.iter().map(|s| tape.constant(s)).collect();
        let weight = sample_weight.map(|w| tape.constant(w));
        let new = self.metric.update(None, &slots, tape.constant(target), tape.constant(output), weight)?;
        self.slots = new.into_iter().map(|v| tape.value(v)).collect::<Result<_>>()?;
        Ok(())
    }

    /// The result over all batches so far; zero before the first.
    ///
    /// **Errors** never in practice: only if the state is damaged.
    pub fn result(&self) -> Result<Tensor> {
        if self.slots.is_empty() { Ok(Tensor::scalar(0.0)) } else { self.metric.result(&self.slots) }
    }

    /// Forgets all batches.
    pub fn reset_state(&mut self) {
        self.slots.clear();
    }

    /// The metric.
    pub fn metric(&self) -> &Metric {
        &self.metric
    }
}
