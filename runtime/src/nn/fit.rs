//! Training, evaluation and prediction over whole data sets.

use super::callback::{Callback, Flow};
use super::compiled::{Key, Mode};
use super::{History, Logs, Sequential};
use crate::op::Kind;
use crate::rng::Rng;
use crate::{Data, Element, Result, Session, Shape, Tensor, misuse};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// What `fit` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbose {
    /// Nothing.
    #[default]
    Silent,
    /// A progress bar for each epoch (needs `std`).
    Bar,
}

/// How to train.
pub struct Fit {
    /// Passes over the data.
    pub epochs: usize,
    /// Samples a step; the last step of an epoch may have fewer.
    pub batch_size: usize,
    /// Whether samples come in another order each epoch.
    pub shuffle: bool,
    /// Data to evaluate after each epoch.
    pub validation: Option<(Tensor, Tensor)>,
    /// Share of the data, from its end and before shuffling, that is kept for validation, in [0, 1).
    pub validation_split: f32,
    /// Called while training.
    pub callbacks: Vec<Box<dyn Callback>>,
    /// What is printed.
    pub verbose: Verbose,
}

impl Default for Fit {
    /// One epoch in shuffled batches of 32, silent.
    fn default() -> Fit {
        Fit {
            epochs: 1,
            batch_size: 32,
            shuffle: true,
            validation: None,
            validation_split: 0.0,
            callbacks: Vec::new(),
            verbose: Verbose::Silent,
        }
    }
}

/// What one call of [`FitRun::step`] did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// One train step.
    Batch {
        /// The epoch, from 0.
        epoch: usize,
        /// Steps done in this epoch.
        step: usize,
        /// Steps of an epoch.
        steps: usize,
        /// The loss of the batch before its update.
        loss: f32,
    },
    /// One batch of validation.
    Validation {
        /// The epoch, from 0.
        epoch: usize,
    },
    /// The epoch is over; [`FitRun::logs`] are its logs.
    Epoch {
        /// The epoch, from 0.
        epoch: usize,
    },
    /// All epochs are over.
    Done,
}

/// Inputs and targets with one order of visiting them.
struct Samples {
    x: Tensor,
    y: Tensor,
    order: Vec<u32>,
    at: usize,
}

/// A training run that advances one batch at a time, so that a page can breathe between batches.
pub struct FitRun {
    train: Samples,
    validation: Option<Samples>,
    batch_size: usize,
    epochs: usize,
    shuffle: bool,
    epoch: usize,
    step: usize,
    phase: Phase,
    logs: Logs,
    seed: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Train,
    Validate,
    EpochEnd,
    Done,
}

impl FitRun {
    /// Takes the next batch.
    ///
    /// **Errors** when the loss is not finite, naming the first layer that is not; the weights are then those
    /// from before the step.
    pub fn step(&mut self, model: &mut Sequential) -> Result<Progress> {
        match self.phase {
            Phase::Train => self.train_step(model),
            Phase::Validate => self.validation_step(model),
            Phase::EpochEnd => Ok(self.end_epoch()),
            Phase::Done => Ok(Progress::Done),
        }
    }

    /// Train steps of one epoch.
    pub fn steps(&self) -> usize {
        self.train.order.len().div_ceil(self.batch_size)
    }

    /// The logs of the last finished epoch.
    pub fn logs(&self) -> &Logs {
        &self.logs
    }

    /// Means over the current epoch so far.
    ///
    /// **Errors** when the model was compiled anew meanwhile.
    pub fn running_logs(&self, model: &Sequential) -> Result<Logs> {
        if self.phase == Phase::Train { model.read_totals("") } else { Ok(self.logs.clone()) }
    }

    fn train_step(&mut self, model: &mut Sequential) -> Result<Progress> {
        if self.step == 0 {
            model.clear_totals()?;
            if self.shuffle {
                let seed = self.seed ^ (self.epoch as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                Rng::new(seed).shuffle(&mut self.train.order);
            }
            self.train.at = 0;
        }
        let (epoch, steps) = (self.epoch, self.steps());
        let loss = self.train.advance(self.batch_size, Mode::Train, model, |what| {
            misuse!("fit: the loss is not finite in epoch {}, batch {}: {what}", epoch + 1, self.step + 1)
        })?;
        self.step += 1;
        if self.step == steps {
            self.logs = model.read_totals("")?;
            self.phase = Phase::EpochEnd;
            if let Some(v) = &mut self.validation {
                v.at = 0;
                model.clear_totals()?;
                self.phase = Phase::Validate;
            }
        }
        Ok(Progress::Batch { epoch, step: self.step, steps, loss })
    }

    fn validation_step(&mut self, model: &mut Sequential) -> Result<Progress> {
        let epoch = self.epoch;
        if let Some(v) = &mut self.validation {
            v.advance(self.batch_size, Mode::Evaluate, model, |what| misuse!("fit: validation: {what}"))?;
            if v.at == v.order.len() {
                for (name, value) in model.read_totals("val_")?.iter() {
                    self.logs.push(name, value);
                }
                self.phase = Phase::EpochEnd;
            }
        }
        Ok(Progress::Validation { epoch })
    }

    fn end_epoch(&mut self) -> Progress {
        let epoch = self.epoch;
        self.epoch += 1;
        self.step = 0;
        self.phase = if self.epoch < self.epochs { Phase::Train } else { Phase::Done };
        Progress::Epoch { epoch }
    }
}

impl Samples {
    fn new(x: &Tensor, y: &Tensor, range: core::ops::Range<usize>) -> Samples {
        Samples { x: x.clone(), y: y.clone(), order: range.map(|i| i as u32).collect(), at: 0 }
    }

    /// Gathers the next batch into the session's inputs and runs it; gives the loss.
    fn advance(
        &mut self,
        batch_size: usize,
        mode: Mode,
        model: &mut Sequential,
        explain: impl Fn(alloc::string::String) -> crate::Error,
    ) -> Result<f32> {
        let end = (self.at + batch_size).min(self.order.len());
        let rows = &self.order[self.at..end];
        let key = Key { mode, x: batch_kind(&self.x, rows.len()), y: batch_kind(&self.y, rows.len()) };
        let n = model.session(key)?;
        let Some(compiled) = &mut model.compiled else { return Err(misuse!("fit: not compiled")) };
        let ready = &mut compiled.sessions[n];
        gather(&mut ready.session, 0, &self.x, rows)?;
        gather(&mut ready.session, 1, &self.y, rows)?;
        let split = ready.split;
        ready.session.run_steps(0..split, &mut model.variables)?;
        let loss = ready.session.output::<f32>(0, &model.variables)?[0];
        if !loss.is_finite() && mode == Mode::Train {
            let index: Vec<usize> = rows.iter().map(|&i| i as usize).collect();
            let batch = self.x.gather_rows(&index)?;
            return Err(explain(model.first_not_finite(&batch)?));
        }
        let all = ready.session.plan().steps().len();
        ready.session.run_steps(split..all, &mut model.variables)?;
        self.at = end;
        Ok(loss)
    }
}

/// The kind of a batch of `n` rows.
fn batch_kind(t: &Tensor, n: usize) -> Kind {
    (t.shape().with_dim(0, n), t.dtype())
}

/// Copies rows of a tensor straight into an input of a session.
fn gather(session: &mut Session, input: usize, t: &Tensor, rows: &[u32]) -> Result<()> {
    fn copy<T: Element>(to: &mut [T], from: &[T], rows: &[u32]) {
        let width = to.len().checked_div(rows.len()).unwrap_or(0);
        for (to, &row) in to.chunks_exact_mut(width.max(1)).zip(rows) {
            to.copy_from_slice(&from[row as usize * width..(row as usize + 1) * width]);
        }
    }
    match t.data() {
        Data::F32(v) => copy(session.input_mut(input)?, v, rows),
        Data::I32(v) => copy(session.input_mut(input)?, v, rows),
        Data::U8(v) => copy(session.input_mut(input)?, v, rows),
        Data::Bool(v) => copy::<u8>(session.input_mut(input)?, crate::arena::bytes_of_bools(v), rows),
    }
    Ok(())
}

/// The shape of one sample of a data set.
fn sample_shape(t: &Tensor) -> Result<Shape> {
    Shape::new(t.shape().list().get(1..).unwrap_or(&[]))
}

impl Sequential {
    /// Trains on `x` `[samples, ..]` and `y`; builds the model if it is not yet.
    ///
    /// **Errors** when shapes, labels or options do not fit, naming the layer; when the loss becomes NaN or
    /// infinite, naming the first layer whose output does.
    pub fn fit(&mut self, x: &Tensor, y: &Tensor, fit: &mut Fit) -> Result<History> {
        let mut run = self.begin_fit(x, y, fit)?;
        let mut history = History::default();
        #[cfg(feature = "std")]
        let mut bar = (fit.verbose == Verbose::Bar).then(|| super::progress::Bar::new(fit.epochs));
        let callbacks = &mut fit.callbacks;
        for c in callbacks.iter_mut() {
            c.on_train_begin(self)?;
        }
        let mut stop = false;
        let mut begun = usize::MAX;
        while !stop {
            if begun != run.epoch && run.epoch < run.epochs {
                begun = run.epoch;
                for c in callbacks.iter_mut() {
                    stop |= c.on_epoch_begin(begun, self)? == Flow::Stop;
                }
                #[cfg(feature = "std")]
                if let Some(bar) = &mut bar {
                    bar.begin(begun, run.steps());
                }
            }
            match run.step(self)? {
                Progress::Batch { step, steps, .. } => {
                    let watched =
                        !callbacks.is_empty() || cfg!(feature = "std") && fit.verbose == Verbose::Bar;
                    if !watched {
                        continue;
                    }
                    let logs = run.running_logs(self)?;
                    #[cfg(feature = "std")]
                    if let Some(bar) = &mut bar {
                        bar.batch(step, steps, &logs);
                    }
                    for c in callbacks.iter_mut() {
                        stop |= c.on_batch_end(step, steps, &logs)? == Flow::Stop;
                    }
                }
                Progress::Validation { .. } => {}
                Progress::Epoch { epoch } => {
                    #[cfg(feature = "std")]
                    if let Some(bar) = &mut bar {
                        bar.epoch(run.steps(), run.logs());
                    }
                    history.epochs.push(run.logs().clone());
                    for c in callbacks.iter_mut() {
                        stop |= c.on_epoch_end(epoch, run.logs(), self)? == Flow::Stop;
                    }
                }
                Progress::Done => break,
            }
        }
        for c in callbacks.iter_mut() {
            c.on_train_end(self)?;
        }
        Ok(history)
    }

    /// Checks everything and starts a run that [`FitRun::step`] advances; callbacks and printing are the
    /// caller's.
    ///
    /// **Errors** as [`fit`](Sequential::fit).
    pub fn begin_fit(&mut self, x: &Tensor, y: &Tensor, fit: &Fit) -> Result<FitRun> {
        if fit.batch_size == 0 {
            return Err(misuse!("fit: expected a batch size of at least 1, got 0"));
        }
        if !(0.0..1.0).contains(&fit.validation_split) {
            return Err(misuse!("fit: expected a validation split in [0, 1), got {}", fit.validation_split));
        }
        self.check_data("fit", x, y)?;
        let samples = x.shape().dim(0);
        let kept = (samples as f32 * (1.0 - fit.validation_split)) as usize;
        if kept == 0 {
            return Err(misuse!("fit: the validation split leaves none of {samples} samples to train on"));
        }
        let validation = match &fit.validation {
            Some((vx, vy)) => {
                self.check_data("fit: validation", vx, vy)?;
                Some(Samples::new(vx, vy, 0..vx.shape().dim(0)))
            }
            None if kept < samples => Some(Samples::new(x, y, kept..samples)),
            None => None,
        };
        let phase = if fit.epochs == 0 { Phase::Done } else { Phase::Train };
        Ok(FitRun {
            train: Samples::new(x, y, 0..kept),
            validation,
            batch_size: fit.batch_size,
            epochs: fit.epochs,
            shuffle: fit.shuffle,
            epoch: 0,
            step: 0,
            phase,
            logs: Logs::new(),
            seed: self.seed,
        })
    }

    /// One train step on one batch; gives loss and metrics of that batch, before the update.
    ///
    /// **Errors** as [`fit`](Sequential::fit).
    pub fn train_on_batch(&mut self, x: &Tensor, y: &Tensor) -> Result<Logs> {
        self.on_batch("train_on_batch", x, y, Mode::Train)
    }

    /// Loss and metrics of one batch.
    ///
    /// **Errors** as [`fit`](Sequential::fit).
    pub fn test_on_batch(&mut self, x: &Tensor, y: &Tensor) -> Result<Logs> {
        self.on_batch("test_on_batch", x, y, Mode::Evaluate)
    }

    fn on_batch(&mut self, what: &str, x: &Tensor, y: &Tensor, mode: Mode) -> Result<Logs> {
        self.check_data(what, x, y)?;
        self.clear_totals()?;
        let n = x.shape().dim(0);
        Samples::new(x, y, 0..n)
            .advance(n, mode, self, |why| misuse!("{what}: the loss is not finite: {why}"))?;
        self.read_totals("")
    }

    /// Loss and metrics over a data set.
    ///
    /// **Errors** as [`fit`](Sequential::fit).
    pub fn evaluate(&mut self, x: &Tensor, y: &Tensor, batch_size: usize) -> Result<Logs> {
        if batch_size == 0 {
            return Err(misuse!("evaluate: expected a batch size of at least 1, got 0"));
        }
        self.check_data("evaluate", x, y)?;
        self.clear_totals()?;
        let mut samples = Samples::new(x, y, 0..x.shape().dim(0));
        while samples.at < samples.order.len() {
            samples.advance(batch_size, Mode::Evaluate, self, |why| misuse!("evaluate: {why}"))?;
        }
        self.read_totals("")
    }

    /// The outputs for a data set, `[samples, ..]`.
    ///
    /// **Errors** when the model is not built or the samples have another shape.
    pub fn predict(&mut self, x: &Tensor, batch_size: usize) -> Result<Tensor> {
        if batch_size == 0 || x.shape().rank() == 0 || x.shape().dim(0) == 0 {
            return Err(misuse!(
                "predict: expected at least one sample and a batch size of at least 1, got {}",
                x.shape()
            ));
        }
        self.check_sample(&sample_shape(x)?, x.shape().dim(0))?;
        let samples = x.shape().dim(0);
        let Some(output) = self.output_shape().copied() else { return Err(self.not_compiled()) };
        let mut values = Vec::with_capacity(samples * output.numel());
        let mut session: Option<(usize, Session)> = None;
        for start in (0..samples).step_by(batch_size) {
            let rows: Vec<u32> = (start..(start + batch_size).min(samples)).map(|i| i as u32).collect();
            let fits = session.as_ref().is_some_and(|(n, _)| *n == rows.len());
            if !fits {
                session = Some((rows.len(), self.predict_session(rows.len(), x.dtype())?));
            }
            if let Some((_, session)) = &mut session {
                gather(session, 0, x, &rows)?;
                session.run(&mut self.variables)?;
                values.extend_from_slice(session.output::<f32>(0, &self.variables)?);
            }
        }
        Tensor::new(&super::model::with_batch(&output, samples)?.list(), values)
    }

    /// Checks inputs and targets before anything runs.
    fn check_data(&mut self, what: &str, x: &Tensor, y: &Tensor) -> Result<()> {
        if x.shape().rank() == 0 || x.shape().dim(0) == 0 {
            return Err(misuse!("{what}: expected at least one sample, got inputs of shape {}", x.shape()));
        }
        let samples = x.shape().dim(0);
        if y.shape().rank() == 0 || y.shape().dim(0) != samples {
            return Err(misuse!(
                "{what}: {samples} inputs but targets of shape {}; give one for each",
                y.shape()
            ));
        }
        let sample = sample_shape(x)?;
        if self.input_shape.is_none() {
            self.build(&sample.list())?;
        }
        self.check_sample(&sample, samples)?;
        let compiled = self.compiled.as_ref().ok_or_else(|| self.not_compiled())?;
        let (Some(output), Some(last)) = (self.shapes.last(), self.layers.last()) else { return Ok(()) };
        if compiled.loss.is_sparse() {
            check_labels(what, last.name(), y, output.dim(-1))?;
        }
        Ok(())
    }

    fn clear_totals(&mut self) -> Result<()> {
        let sums: Vec<_> = self.compiled.as_ref().ok_or_else(|| self.not_compiled())?.sums().collect();
        for id in sums {
            self.variables.slice_mut::<f32>(id)?.fill(0.0);
        }
        Ok(())
    }

    fn read_totals(&self, prefix: &str) -> Result<Logs> {
        let c = self.compiled.as_ref().ok_or_else(|| self.not_compiled())?;
        let totals = self.variables.slice::<f32>(c.totals)?;
        let mut logs = Logs::new();
        logs.push(&alloc::format!("{prefix}loss"), totals[1] / totals[0]);
        for (metric, slots) in c.metrics.iter().zip(&c.metric_slots) {
            let slots: Result<Vec<Tensor>> = slots.iter().map(|s| self.variables.get(*s)).collect();
            logs.push(&alloc::format!("{prefix}{}", metric.name()), metric.value(&slots?)?);
        }
        Ok(logs)
    }
}

/// Class indices must be whole numbers below the number of classes.
fn check_labels(what: &str, layer: &str, y: &Tensor, classes: usize) -> Result<()> {
    let bad = match y.data() {
        Data::U8(v) => v.iter().position(|&l| l as usize >= classes).map(|i| (i, v[i] as f32)),
        Data::I32(v) => v.iter().position(|&l| l < 0 || l as usize >= classes).map(|i| (i, v[i] as f32)),
        Data::Bool(v) => v.iter().position(|&l| l as usize >= classes).map(|i| (i, 1.0)),
        Data::F32(v) => {
            let whole = |l: f32| l >= 0.0 && l < classes as f32 && crate::math::floor(l) == l;
            v.iter().position(|&l| !whole(l)).map(|i| (i, v[i]))
        }
    };
    match bad {
        Some((i, label)) => Err(misuse!(
            "{what}: label {label} at position {i} is no class of {layer}, which has {classes} (0 to {}); fix the \
             label or give the layer more units",
            classes.saturating_sub(1)
        )),
        None => Ok(()),
    }
}
