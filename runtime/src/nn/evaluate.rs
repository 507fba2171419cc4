//! Single steps, evaluation and prediction.

use super::compiled::Mode;
use super::model::with_batch;
use super::samples::{Batch, Samples, gather};
use super::{Arrays, Logs, Model};
use crate::op::Kind;
use crate::{DType, Plan, PlanOptions, Result, Session, Tensor, misuse};
use alloc::string::String;
use alloc::vec::Vec;

/// How many prediction sessions a model keeps.
const SESSIONS: usize = 4;

impl Model {
    /// Runs the next batch of `samples`; gives its loss. The weights stay as they were when that is not finite.
    pub(super) fn advance(
        &mut self,
        samples: &mut Samples,
        batch_size: usize,
        mode: Mode,
        explain: &mut dyn FnMut(String) -> crate::Error,
    ) -> Result<f32> {
        #[cfg(feature = "remote")]
        if self.is_remote() {
            return self.advance_remote(samples, batch_size, mode, explain);
        }
        self.advance_here(samples, batch_size, mode, explain)
    }

    /// The same on the processor.
    pub(super) fn advance_here(
        &mut self,
        samples: &mut Samples,
        batch_size: usize,
        mode: Mode,
        explain: &mut dyn FnMut(String) -> crate::Error,
    ) -> Result<f32> {
        let end = samples.end(batch_size);
        let n = self.session(mode, samples, end - samples.at)?;
        self.schedule(mode)?;
        let Some(compiled) = &mut self.compiled else { return Err(misuse!("fit: not compiled")) };
        let ready = &mut compiled.sessions[n];
        samples.gather(&mut ready.session, end)?;
        let split = ready.split;
        ready.session.run_steps(0..split, &mut self.variables)?;
        let loss = ready.session.output::<f32>(0, &self.variables)?[0];
        if !loss.is_finite() && mode == Mode::Train {
            return Err(explain(self.first_not_finite(&samples.inputs(end)?)?));
        }
        let all = ready.session.plan().steps().len();
        ready.session.run_steps(split..all, &mut self.variables)?;
        samples.at = end;
        Ok(loss)
    }

    /// One train step on one batch; gives loss and metrics of that batch, before the update.
    ///
    /// **Errors** as [`fit`](Model::fit).
    pub fn train_on_batch(&mut self, x: impl Into<Arrays>, y: impl Into<Arrays>) -> Result<Logs> {
        self.over("train_on_batch", x.into(), y.into(), usize::MAX, Mode::Train)
    }

    /// Loss and metrics of one batch.
    ///
    /// **Errors** as [`fit`](Model::fit).
    pub fn test_on_batch(&mut self, x: impl Into<Arrays>, y: impl Into<Arrays>) -> Result<Logs> {
        self.over("test_on_batch", x.into(), y.into(), usize::MAX, Mode::Evaluate)
    }

    /// Loss and metrics over a data set.
    ///
    /// **Errors** as [`fit`](Model::fit).
    pub fn evaluate(
        &mut self,
        x: impl Into<Arrays>,
        y: impl Into<Arrays>,
        batch_size: usize,
    ) -> Result<Logs> {
        if batch_size == 0 {
            return Err(misuse!("evaluate: expected a batch size of at least 1, got 0"));
        }
        self.over("evaluate", x.into(), y.into(), batch_size, Mode::Evaluate)
    }

    /// Runs all samples and gives their logs; an epoch in progress keeps its sums.
    fn over(&mut self, what: &str, x: Arrays, y: Arrays, batch_size: usize, mode: Mode) -> Result<Logs> {
        let batch = Batch { x, y, sample_weight: None };
        let n = self.check_batch(what, &batch)?;
        #[cfg(feature = "remote")]
        self.sync()?;
        let sums = self.totals()?;
        self.clear_totals()?;
        let mut samples = Samples::new(batch, 0..n);
        let mut explain = |why| misuse!("{what}: the loss is not finite: {why}");
        while samples.at < n {
            self.advance(&mut samples, batch_size.min(n), mode, &mut explain)?;
        }
        #[cfg(feature = "remote")]
        self.settle(&mut samples, &mut explain)?;
        let logs = self.read_totals("");
        self.set_totals(sums)?;
        logs
    }

    /// The output for a data set, `[samples, ..]`; that of the first output if there are several.
    ///
    /// **Errors** when the model is not built or the samples have another shape.
    pub fn predict(&mut self, x: impl Into<Arrays>, batch_size: usize) -> Result<Tensor> {
        let mut outputs = self.predict_many(x, batch_size)?;
        if outputs.is_empty() {
            return Err(misuse!("predict: the model has no output"));
        }
        Ok(outputs.swap_remove(0))
    }

    /// Every output for a data set.
    ///
    /// **Errors** as [`predict`](Model::predict).
    pub fn predict_many(&mut self, x: impl Into<Arrays>, batch_size: usize) -> Result<Vec<Tensor>> {
        self.predict_arrays(x.into(), batch_size)
    }

    fn predict_arrays(&mut self, x: Arrays, batch_size: usize) -> Result<Vec<Tensor>> {
        if batch_size == 0 {
            return Err(misuse!("predict: expected a batch size of at least 1, got 0"));
        }
        let samples = x.samples("predict")?;
        self.check_samples(&x.sample_shapes()?, samples)?;
        let mut values: Vec<Vec<f32>> = Vec::new();
        let mut shapes = Vec::new();
        for start in (0..samples).step_by(batch_size) {
            let rows: Vec<u32> = (start..(start + batch_size).min(samples)).map(|i| i as u32).collect();
            #[cfg(feature = "remote")]
            if self.is_remote() {
                let all: Vec<usize> = rows.iter().map(|&i| i as usize).collect();
                let batch = Arrays(x.0.iter().map(|t| t.gather_rows(&all)).collect::<Result<_>>()?);
                let outputs = self.predict_remote(&batch)?;
                values.resize(outputs.len(), Vec::new());
                shapes.clear();
                for (y, values) in outputs.iter().zip(&mut values) {
                    values.extend_from_slice(y.as_f32()?);
                    shapes.push(y.shape().with_dim(0, samples));
                }
                continue;
            }
            let kinds = x.0.iter().map(|t| (t.shape().with_dim(0, rows.len()), t.dtype())).collect();
            let n = self.prediction(kinds)?;
            let session = &mut self.predictions[n].1;
            x.0.iter().enumerate().try_for_each(|(i, t)| gather(session, i, t, &rows))?;
            session.run(&mut self.variables)?;
            let outputs = session.plan().outputs().len();
            if samples <= batch_size {
                // One batch is the answer as it is.
                let output = |n| {
                    let y = session.output_tensor(n, &self.variables)?;
                    y.as_f32()?;
                    Ok(y)
                };
                return (0..outputs).map(output).collect();
            }
            values.resize(outputs, Vec::new());
            shapes.clear();
            for (n, values) in values.iter_mut().enumerate() {
                let y = session.output_tensor(n, &self.variables)?;
                values.extend_from_slice(y.as_f32()?);
                shapes.push(y.shape().with_dim(0, samples));
            }
        }
        values.into_iter().zip(shapes).map(|(v, shape)| Tensor::new(&shape.list(), v)).collect()
    }

    /// The plan that [`predict`](Model::predict) runs on `batch` float32 samples.
    ///
    /// **Errors** when the model is not built.
    pub fn predict_plan(&self, batch: usize) -> Result<Plan> {
        self.predict_plan_with(batch, &self.plan_options())
    }

    /// The same, compiled otherwise than for the model's device.
    ///
    /// **Errors** when the model is not built.
    pub fn predict_plan_with(&self, batch: usize, options: &PlanOptions) -> Result<Plan> {
        let kinds = self.input_shapes().into_iter().map(|s| Ok((with_batch(&s, batch)?, DType::F32)));
        Plan::compile(&self.graph_of(&kinds.collect::<Result<Vec<Kind>>>()?)?, options)
    }

    fn plan_of(&self, inputs: &[Kind]) -> Result<Plan> {
        Plan::compile(&self.graph_of(inputs)?, &self.plan_options())
    }

    /// The position of the prediction session for these inputs, compiled on first use.
    fn prediction(&mut self, inputs: Vec<Kind>) -> Result<usize> {
        if let Some(n) = self.predictions.iter().position(|(kinds, _)| *kinds == inputs) {
            return Ok(n);
        }
        let session = Session::new(self.plan_of(&inputs)?, &self.device)?;
        if self.predictions.len() == SESSIONS {
            self.predictions.remove(0);
        }
        self.predictions.push((inputs, session));
        Ok(self.predictions.len() - 1)
    }
}
