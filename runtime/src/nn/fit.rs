//! Training over whole data sets.

use super::callback::{Callback, Flow};
use super::compiled::Mode;
use super::samples::{Batch, Batches, Samples, check_labels, sample_weights};
use super::{Arrays, History, Logs, Model};
use crate::error::Number;
use crate::rng::Rng;
use crate::{Result, Tensor, misuse};
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
    /// Data to evaluate after each epoch: inputs and targets.
    pub validation: Option<(Arrays, Arrays)>,
    /// Share of the data, from its end and before shuffling, that is kept for validation, in [0, 1).
    pub validation_split: f32,
    /// What the loss of each sample is multiplied by, `[samples]` float32.
    pub sample_weight: Option<Tensor>,
    /// What the loss of samples of a class is multiplied by; 1 for the classes that are not listed.
    pub class_weight: Vec<(usize, f32)>,
    /// Goes on where the run stopped that the model, read from its file, was saved in: at the same epoch and
    /// batch, with the same order of samples. The data and the other options must be the same.
    pub resume: bool,
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
            sample_weight: None,
            class_weight: Vec::new(),
            resume: false,
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
        /// Steps of an epoch; 0 while a stream's are not known.
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

/// Where a run's batches come from.
enum Source {
    Memory(Samples),
    Stream(Box<dyn Batches>),
}

/// A training run that advances one batch at a time, so that a page can breathe between batches.
pub struct FitRun {
    train: Source,
    validation: Option<Samples>,
    /// Steps of an epoch; 0 while unknown.
    steps: usize,
    samples: usize,
    batch_size: usize,
    epochs: usize,
    shuffle: bool,
    epoch: usize,
    step: usize,
    phase: Phase,
    logs: Logs,
    seed: u64,
    /// The last error was a loss that is not finite.
    diverged: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Train,
    TrainEnd,
    Validate,
    ValidateEnd,
    EpochEnd,
    Done,
}

impl FitRun {
    /// Takes the next batch.
    ///
    /// **Errors** when the loss is not finite, naming the first layer that is not; the weights are then those
    /// from before the step.
    pub fn step(&mut self, model: &mut Model) -> Result<Progress> {
        match self.phase {
            Phase::Train => self.train_step(model),
            Phase::TrainEnd => {
                self.settle(model)?;
                self.end_training(model)?;
                self.step(model)
            }
            Phase::Validate => self.validation_step(model),
            Phase::ValidateEnd => {
                self.settle(model)?;
                for (name, value) in model.read_totals("val_")?.iter() {
                    self.logs.push(name, value);
                }
                self.end_epoch(model)
            }
            Phase::EpochEnd => self.end_epoch(model),
            Phase::Done => Ok(Progress::Done),
        }
    }

    /// Train steps of one epoch; 0 while a stream's are not known.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The number of samples to train on; 0 for a stream.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The logs of the last finished epoch.
    pub fn logs(&self) -> &Logs {
        &self.logs
    }

    /// Means over the current epoch so far.
    ///
    /// **Errors** when the model was compiled anew meanwhile.
    pub fn running_logs(&self, model: &Model) -> Result<Logs> {
        match self.phase {
            Phase::Train | Phase::TrainEnd => model.read_totals(""),
            _ => Ok(self.logs.clone()),
        }
    }

    fn train_step(&mut self, model: &mut Model) -> Result<Progress> {
        if self.step == 0 {
            self.begin_epoch()?;
        }
        let (epoch, step) = (self.epoch, self.step + 1);
        let diverged = &mut self.diverged;
        let mut explain = |what| {
            *diverged = true;
            misuse!("fit: the loss is not finite in epoch {}, batch {step}: {what}", epoch + 1)
        };
        let loss = match &mut self.train {
            Source::Memory(samples) => {
                if step == 1 {
                    model.clear_totals()?;
                }
                let loss = model.advance(samples, self.batch_size, Mode::Train, &mut explain)?;
                Some(loss)
            }
            Source::Stream(stream) => match stream.next_batch()? {
                Some(batch) => {
                    let n = model.check_batch("fit", &batch)?;
                    if step == 1 {
                        model.clear_totals()?;
                    }
                    let mut samples = Samples::new(batch, 0..n);
                    samples.kept = false;
                    Some(model.advance(&mut samples, n, Mode::Train, &mut explain)?)
                }
                None => None,
            },
        };
        let Some(loss) = loss else {
            if self.step == 0 {
                return Err(misuse!("fit: the data set gave no batch in epoch {}", epoch + 1));
            }
            self.steps = self.step;
            self.phase = Phase::TrainEnd;
            return self.step(model);
        };
        self.step += 1;
        model.set_progress(self.epoch, self.step)?;
        if self.step == self.steps && matches!(self.train, Source::Memory(_)) {
            self.phase = Phase::TrainEnd;
        }
        Ok(Progress::Batch { epoch, step, steps: self.steps, loss })
    }

    /// Gives the model the newest weights, where a device computes.
    ///
    /// **Errors** as [`step`](FitRun::step).
    pub fn settle(&mut self, model: &mut Model) -> Result<()> {
        #[cfg(feature = "remote")]
        if let super::remote::Fetched::Replay = model.fetch()? {
            return self.replay(model);
        }
        let _ = model;
        Ok(())
    }

    /// Whether the device's variables have to be given to [`take`](FitRun::take) before the next step, where reading
    /// does not wait.
    #[cfg(feature = "remote")]
    pub fn is_due(&self, model: &Model) -> bool {
        model.is_due() || model.is_behind() && matches!(self.phase, Phase::TrainEnd | Phase::ValidateEnd)
    }

    /// Whether the next step need not wait for a plan, where reading does not wait; makes the plan on first use.
    ///
    /// **Errors** when the device cannot run it, naming the op, and as [`step`](FitRun::step).
    #[cfg(feature = "remote")]
    pub fn is_ready(&mut self, model: &mut Model) -> Result<bool> {
        let (samples, at, mode) = match (self.phase, &self.train, &self.validation) {
            (Phase::Train, Source::Memory(s), _) => (s, if self.step == 0 { 0 } else { s.at }, Mode::Train),
            (Phase::TrainEnd, _, Some(v)) => (v, 0, Mode::Evaluate),
            (Phase::Validate, _, Some(v)) => (v, v.at, Mode::Evaluate),
            _ => return Ok(true),
        };
        let rows = self.batch_size.min(samples.order.len().saturating_sub(at));
        match model.is_ready_for(&samples.key(mode, rows)) {
            Err(error) if model.gives_up(&error) => {
                model.give_up(error);
                self.replay(model)?;
                Ok(true)
            }
            ready => ready,
        }
    }

    /// Gives the model the variables that were read from the device, or why they could not be: then the processor goes
    /// on from the last completed step.
    ///
    /// **Errors** as [`step`](FitRun::step).
    #[cfg(feature = "remote")]
    pub fn take(&mut self, model: &mut Model, read: Result<&[u8]>) -> Result<()> {
        match read {
            Ok(bytes) => match model.take_variables(bytes)? {
                super::remote::Fetched::All => return Ok(()),
                super::remote::Fetched::Replay => {}
            },
            Err(error) => model.give_up(error),
        }
        self.replay(model)
    }

    /// Takes the steps since the last fetch again on the processor.
    #[cfg(feature = "remote")]
    fn replay(&mut self, model: &mut Model) -> Result<()> {
        let (epoch, step) = (self.epoch, self.step);
        let diverged = &mut self.diverged;
        let mut explain = |what| {
            *diverged = true;
            misuse!("fit: the loss is not finite in epoch {}, up to batch {step}: {what}", epoch + 1)
        };
        match (&mut self.train, &mut self.validation, self.phase) {
            (_, Some(samples), Phase::Validate | Phase::ValidateEnd) => model.replay(samples, &mut explain),
            (Source::Memory(samples), _, _) => model.replay(samples, &mut explain),
            (Source::Stream(_), _, _) => model.sync(),
        }
    }

    fn begin_epoch(&mut self) -> Result<()> {
        match &mut self.train {
            Source::Memory(samples) => {
                if self.shuffle {
                    shuffle(&mut samples.order, self.seed, self.epoch);
                }
                samples.at = 0;
                Ok(())
            }
            Source::Stream(stream) => stream.restart(self.epoch),
        }
    }

    fn end_training(&mut self, model: &mut Model) -> Result<()> {
        self.logs = model.read_totals("")?;
        self.phase = Phase::EpochEnd;
        if let Some(v) = &mut self.validation {
            v.at = 0;
            model.clear_totals()?;
            self.phase = Phase::Validate;
        }
        Ok(())
    }

    fn validation_step(&mut self, model: &mut Model) -> Result<Progress> {
        let epoch = self.epoch;
        if let Some(v) = &mut self.validation {
            let mut explain = |what| misuse!("fit: validation: {what}");
            model.advance(v, self.batch_size, Mode::Evaluate, &mut explain)?;
            if v.at == v.order.len() {
                self.phase = Phase::ValidateEnd;
            }
        }
        Ok(Progress::Validation { epoch })
    }

    fn end_epoch(&mut self, model: &mut Model) -> Result<Progress> {
        let epoch = self.epoch;
        self.epoch += 1;
        self.step = 0;
        self.phase = if self.epoch < self.epochs { Phase::Train } else { Phase::Done };
        model.set_progress(self.epoch, 0)?;
        model.history.epochs.push(self.logs.clone());
        Ok(Progress::Epoch { epoch })
    }
}

/// The order of an epoch from that of the epoch before.
fn shuffle(order: &mut [u32], seed: u64, epoch: usize) {
    Rng::new(seed ^ (epoch as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)).shuffle(order);
}

impl Model {
    /// Trains on `x` `[samples, ..]` and `y`, or lists of them; builds the model if it is not yet.
    ///
    /// **Errors** when shapes, labels or options do not fit, naming the layer; when the loss becomes NaN or
    /// infinite, naming the first layer whose output does.
    pub fn fit(&mut self, x: impl Into<Arrays>, y: impl Into<Arrays>, fit: &mut Fit) -> Result<History> {
        let run = self.begin_fit(x, y, fit)?;
        self.run_fit(run, fit)
    }

    /// Trains on batches from a stream; of the options, those about samples in memory do not apply.
    ///
    /// **Errors** as [`fit`](Model::fit), and when the stream fails.
    pub fn fit_batches(&mut self, batches: impl Batches + 'static, fit: &mut Fit) -> Result<History> {
        let validation = self.validation_samples(fit)?;
        let run = FitRun {
            train: Source::Stream(Box::new(batches)),
            validation,
            steps: 0,
            samples: 0,
            batch_size: fit.batch_size.max(1),
            epochs: fit.epochs,
            shuffle: false,
            epoch: 0,
            step: 0,
            phase: if fit.epochs == 0 { Phase::Done } else { Phase::Train },
            logs: Logs::new(),
            seed: self.seed,
            diverged: false,
        };
        self.history = History::default();
        self.run_fit(run, fit)
    }

    fn run_fit(&mut self, mut run: FitRun, fit: &mut Fit) -> Result<History> {
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
            let progress = match run.step(self) {
                Err(error) if run.diverged => {
                    // Whoever asked to stop there gets the history so far; else it is an error.
                    if !callbacks.iter_mut().any(|c| c.on_divergence(&error) == Flow::Stop) {
                        return Err(error);
                    }
                    break;
                }
                progress => progress?,
            };
            match progress {
                Progress::Batch { step, steps, .. } => {
                    let watched =
                        !callbacks.is_empty() || cfg!(feature = "std") && fit.verbose == Verbose::Bar;
                    if !watched {
                        continue;
                    }
                    if !callbacks.is_empty() {
                        run.settle(self)?;
                    }
                    let logs = run.running_logs(self)?;
                    #[cfg(feature = "std")]
                    if let Some(bar) = &mut bar {
                        bar.batch(step, steps, &logs);
                    }
                    for c in callbacks.iter_mut() {
                        stop |= c.on_batch_end(step, steps, &logs, self)? == Flow::Stop;
                    }
                }
                Progress::Validation { .. } => {}
                Progress::Epoch { epoch } => {
                    #[cfg(feature = "std")]
                    if let Some(bar) = &mut bar {
                        bar.epoch(run.steps(), run.logs());
                    }
                    for c in callbacks.iter_mut() {
                        stop |= c.on_epoch_end(epoch, run.logs(), self)? == Flow::Stop;
                    }
                }
                Progress::Done => break,
            }
        }
        #[cfg(feature = "full")]
        self.take_averages()?;
        for c in callbacks.iter_mut() {
            c.on_train_end(self)?;
        }
        Ok(self.history.clone())
    }

    /// Checks everything and starts a run that [`FitRun::step`] advances; callbacks and printing are the
    /// caller's.
    ///
    /// **Errors** as [`fit`](Model::fit).
    pub fn begin_fit(&mut self, x: impl Into<Arrays>, y: impl Into<Arrays>, fit: &Fit) -> Result<FitRun> {
        self.begin(x.into(), y.into(), fit)
    }

    fn begin(&mut self, x: Arrays, y: Arrays, fit: &Fit) -> Result<FitRun> {
        // A run that ended early may have left newer weights on the device.
        #[cfg(feature = "remote")]
        self.sync()?;
        if fit.batch_size == 0 {
            return Err(misuse!("fit: expected a batch size of at least 1, got 0"));
        }
        if !(0.0..1.0).contains(&fit.validation_split) {
            return Err(misuse!(
                "fit: expected a validation split in [0, 1), got {}",
                Number(fit.validation_split)
            ));
        }
        let samples = x.samples("fit")?;
        let weight = sample_weights("fit", fit.sample_weight.as_ref(), &fit.class_weight, &y, samples)?;
        let batch = Batch { x, y, sample_weight: weight };
        self.check_batch("fit", &batch)?;
        let kept = (samples as f32 * (1.0 - fit.validation_split)) as usize;
        if kept == 0 {
            return Err(misuse!("fit: the validation split leaves none of {samples} samples to train on"));
        }
        let validation = match self.validation_samples(fit)? {
            None if kept < samples => Some(Samples::new(batch.clone(), kept..samples)),
            given => given,
        };
        let mut train = Samples::new(batch, 0..kept);
        let steps = kept.div_ceil(fit.batch_size);
        let (mut epoch, mut step) = (0, 0);
        if fit.resume {
            (epoch, step) = self.progress()?;
            if step > steps {
                return Err(misuse!("fit: cannot resume at batch {step} of {steps}; give the same data"));
            }
            let shuffled = epoch + usize::from(step > 0);
            (0..shuffled).filter(|_| fit.shuffle).for_each(|e| shuffle(&mut train.order, self.seed, e));
            train.at = (step * fit.batch_size).min(kept);
        } else {
            self.history = History::default();
            self.set_progress(0, 0)?;
        }
        let mut run = FitRun {
            train: Source::Memory(train),
            validation,
            steps,
            samples: kept,
            batch_size: fit.batch_size,
            epochs: fit.epochs,
            shuffle: fit.shuffle,
            epoch,
            step,
            phase: if epoch >= fit.epochs { Phase::Done } else { Phase::Train },
            logs: Logs::new(),
            seed: self.seed,
            diverged: false,
        };
        if step == steps && run.phase == Phase::Train {
            run.phase = Phase::TrainEnd;
        }
        Ok(run)
    }

    fn validation_samples(&mut self, fit: &Fit) -> Result<Option<Samples>> {
        let Some((x, y)) = &fit.validation else { return Ok(None) };
        let batch = Batch { x: x.clone(), y: y.clone(), sample_weight: None };
        let n = self.check_batch("fit: validation", &batch)?;
        Ok(Some(Samples::new(batch, 0..n)))
    }

    /// Checks inputs and targets before anything runs; gives the number of samples.
    pub(super) fn check_batch(&mut self, what: &str, batch: &Batch) -> Result<usize> {
        let samples = batch.x.samples(what)?;
        let bad = |y: &&Tensor| y.shape().rank() == 0 || y.shape().dim(0) != samples;
        if let Some(y) = batch.y.0.iter().find(bad) {
            return Err(misuse!(
                "{what}: {samples} inputs but targets of shape {}; give one for each",
                y.shape()
            ));
        }
        let shapes = batch.x.sample_shapes()?;
        if !self.is_built() {
            let lists: Vec<Vec<usize>> = shapes.iter().map(|s| s.to_vec()).collect();
            self.build_many(&lists.iter().map(|l| l.as_slice()).collect::<Vec<_>>())?;
        }
        self.check_samples(&shapes, samples)?;
        let compiled = self.compiled.as_ref().ok_or_else(|| self.not_compiled())?;
        let outputs = self.topology.outputs.len();
        if batch.y.0.len() != outputs {
            return Err(misuse!("{what}: expected {outputs} targets, got {}", batch.y.0.len()));
        }
        for (n, y) in batch.y.0.iter().enumerate() {
            let classes = self.topology.outputs.get(n).and_then(|v| self.value_shape(v));
            let loss = compiled.losses.of(n).filter(|l| l.is_sparse());
            if let (Some(loss), Some(classes)) = (loss, classes) {
                check_labels(what, self.output_layer(n), y, classes.dim(-1), loss.ignored_class())?;
            }
        }
        Ok(samples)
    }
}
