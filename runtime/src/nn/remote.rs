//! Training and prediction elsewhere than on the processor: on a GPU, whose memory is not ours and which is not waited
//! for at every step.
//!
//! Steps are queued, and the variables stay there: the host's are those from the last [`Model::sync`]. Where the device
//! is lost, or a loss turns out not to be finite, the steps since then are taken again on the processor, from the same
//! weights with the same batches; so nothing is lost, and errors are the processor's.

use super::compiled::{Key, Mode};
use super::samples::Samples;
use super::{Arrays, Model};
use crate::op::Kind;
use crate::variables::Stamp;
use crate::{Error, Plan, Result, Tensor, misuse};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Steps after which the variables are fetched at the latest.
const EVERY: usize = 64;
/// Steps of a trial that are timed, after one that is not.
const TIMED: usize = 4;

/// A device that runs plans beside its own copy of the variables. All but reading only queues work.
pub trait Remote {
    /// What it calls itself.
    fn name(&self) -> String;
    /// Starts to make a plan ready, of a model with so many bytes of variables; gives its number.
    ///
    /// **Errors** when an op has no form there, naming it, and when memory does not suffice.
    fn prepare(&mut self, plan: Plan, variables: usize) -> Result<usize>;
    /// Whether the plan can run at once.
    ///
    /// **Errors** when making it ready failed.
    fn is_ready(&mut self, session: usize) -> Result<bool>;
    /// Copies an input.
    ///
    /// **Errors** when the device is lost.
    fn write_input(&mut self, session: usize, input: usize, bytes: &[u8]) -> Result<()>;
    /// Copies a part of the variables; `offset` is a multiple of four.
    ///
    /// **Errors** when the device is lost.
    fn write_variables(&mut self, offset: usize, bytes: &[u8]) -> Result<()>;
    /// Queues a run; waits for the plan to be ready if it is not.
    ///
    /// **Errors** when the device is lost.
    fn run(&mut self, session: usize) -> Result<()>;
    /// Copies the variables back after all that is queued.
    ///
    /// **Errors** when the device is lost, and where waiting is not possible.
    fn read_variables(&mut self, into: &mut [u8]) -> Result<()>;
    /// The outputs of the last run.
    ///
    /// **Errors** as [`read_variables`](Remote::read_variables).
    fn read_outputs(&mut self, session: usize) -> Result<Vec<Tensor>>;
    /// Whether reading waits; else someone else fetches, whenever [`Model::is_due`] says so.
    fn waits(&self) -> bool;
    /// Lets go of all plans.
    fn forget(&mut self);
    /// Seconds since some moment.
    fn now(&self) -> f64;
}

/// Which of both computes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Choice {
    /// The device.
    Remote,
    /// The processor, which was faster.
    Processor,
    /// Not known yet: the processor steps until the plans are ready and its time is known.
    TimeProcessor { steps: usize, since: f64 },
    /// The device steps, of which the time is taken from the end of the first.
    TimeRemote { steps: usize, since: f64, processor: f64 },
}

/// A batch that the device took since the last fetch.
struct Batch {
    range: (usize, usize),
    mode: Mode,
    /// The learning rate.
    rate: f32,
}

/// A device and what is known of its copy of the variables.
pub(super) struct Attached {
    remote: Box<dyn Remote>,
    /// Whether it computes only where it is faster.
    automatic: bool,
    choice: Choice,
    sessions: Vec<(Key, usize)>,
    predictions: Vec<(Vec<Kind>, usize)>,
    /// The state of the host's variables that the device's were made from.
    seen: Stamp,
    /// What the device took since.
    ahead: Vec<Batch>,
    /// Its learning rate.
    rate: f32,
    /// The last loss that was fetched.
    loss: f32,
    /// Whether the processor computes for now.
    paused: bool,
}

/// What fetching gave.
pub(super) enum Fetched {
    /// The host has the newest variables.
    All,
    /// The steps since the last fetch have to be taken again, for a lost device or a loss that is not finite.
    Replay,
}

impl Model {
    /// Lets `remote` train and predict, or with `automatic` whichever of it and the processor takes less time for a
    /// train step: the processor begins while plans are made ready, then each takes a few steps, which count.
    ///
    /// Results are those of the processor within rounding. Between steps the weights are those from the last fetch,
    /// which [`sync`](Model::sync) does; `fit`, `evaluate` and `predict` have done it when they come back and before
    /// they call back.
    pub fn attach(&mut self, remote: Box<dyn Remote>, automatic: bool) {
        let since = remote.now();
        self.lost = None;
        self.remote = Some(Attached {
            automatic,
            choice: if automatic { Choice::TimeProcessor { steps: 0, since } } else { Choice::Remote },
            remote,
            sessions: Vec::new(),
            predictions: Vec::new(),
            seen: Stamp::default(),
            ahead: Vec::new(),
            rate: f32::NAN,
            loss: 0.0,
            paused: false,
        });
    }

    /// Goes back to the processor, with the newest weights.
    ///
    /// **Errors** as [`sync`](Model::sync); the device is let go all the same.
    pub fn detach(&mut self) -> Result<()> {
        let last = self.sync();
        self.remote = None;
        last
    }

    /// Where the next train step is computed: `cpu`, or what the device calls itself.
    pub fn computes_on(&self) -> String {
        match &self.remote {
            Some(a) if matches!(a.choice, Choice::Remote | Choice::TimeRemote { .. }) => a.remote.name(),
            _ => "cpu".into(),
        }
    }

    /// Why the device was given up during training, if it was.
    pub fn device_loss(&self) -> Option<&str> {
        self.lost.as_deref()
    }

    /// Fetches the weights if the device has newer ones.
    ///
    /// **Errors** when the device was lost; the weights are then those from the last fetch.
    pub fn sync(&mut self) -> Result<()> {
        match self.fetch()? {
            Fetched::All => Ok(()),
            Fetched::Replay => Err(misuse!(
                "sync: steps since the last fetch cannot be taken again here: {}",
                self.lost.as_deref().unwrap_or("the loss is not finite")
            )),
        }
    }

    /// Whether the device has newer weights than the host.
    pub fn is_behind(&self) -> bool {
        self.remote.as_ref().is_some_and(|a| !a.ahead.is_empty())
    }

    /// Whether the weights have to be fetched before the next step, where reading does not wait.
    pub fn is_due(&self) -> bool {
        self.remote.as_ref().is_some_and(|a| a.is_due())
    }

    /// Lets the processor compute for a while, which takes that the host has the newest weights.
    pub fn pause_device(&mut self, paused: bool) {
        if let Some(a) = &mut self.remote {
            a.paused = paused;
        }
    }

    /// Whether the device computes at all.
    pub(super) fn is_remote(&self) -> bool {
        self.remote.as_ref().is_some_and(|a| !a.paused && a.choice != Choice::Processor)
    }

    /// Steps that the device took since the host's counters were fetched.
    pub(super) fn steps_ahead(&self) -> u64 {
        let trained = |a: &Attached| a.ahead.iter().filter(|b| b.mode == Mode::Train).count() as u64;
        self.remote.as_ref().map_or(0, trained)
    }

    pub(super) fn forget_remote_plans(&mut self) {
        if let Some(a) = &mut self.remote {
            a.remote.forget();
            a.sessions.clear();
            a.predictions.clear();
            a.seen = Stamp::default();
        }
    }

    /// Fetches the variables where the device has newer ones.
    pub(super) fn fetch(&mut self) -> Result<Fetched> {
        let Some(a) = &mut self.remote else { return Ok(Fetched::All) };
        if a.ahead.is_empty() {
            return Ok(Fetched::All);
        }
        if !a.remote.waits() {
            return Err(misuse!("fit: the newest weights are on {}; wait for fit", a.remote.name()));
        }
        let mut bytes = alloc::vec![0; self.variables.buffer().len()];
        match a.remote.read_variables(&mut bytes) {
            Ok(()) => self.take_variables(&bytes),
            Err(error) => {
                self.give_up(error);
                Ok(Fetched::Replay)
            }
        }
    }

    /// Makes the device's variables the host's, unless a sum of losses in them is not finite.
    ///
    /// **Errors** when they are of another size.
    pub(super) fn take_variables(&mut self, bytes: &[u8]) -> Result<Fetched> {
        let Some(c) = &self.compiled else { return Err(self.not_compiled()) };
        let Some(a) = &mut self.remote else { return Ok(Fetched::All) };
        if bytes.len() != self.variables.buffer().len() {
            return Err(misuse!(
                "sync: expected {} bytes of variables, got {}",
                self.variables.buffer().len(),
                bytes.len()
            ));
        }
        let at = self.variables.describe(c.totals)?.offset;
        let float = |at: usize| f32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let (count, sum) = (float(at), float(at + 4));
        let training = a.ahead.iter().any(|b| b.mode == Mode::Train);
        if training && !sum.is_finite() {
            return Ok(Fetched::Replay);
        }
        a.loss = sum / count;
        // Counters that the host alone writes.
        let own = [c.progress, c.learning_rate];
        let kept = own.map(|id| self.variables.get(id));
        let (buffer, _) = self.variables.run_buffer(true);
        buffer.bytes_mut().copy_from_slice(bytes);
        for (id, value) in own.into_iter().zip(kept) {
            self.variables.set(id, &value?)?;
        }
        a.seen = self.variables.stamp();
        a.ahead.clear();
        if a.times() {
            self.judge();
        }
        Ok(Fetched::All)
    }

    /// Goes on without the device.
    pub(super) fn give_up(&mut self, error: Error) {
        let why = error.to_string();
        #[cfg(feature = "std")]
        std::eprintln!("gradling: {why}; training goes on on the cpu from the last completed step");
        self.lost = Some(why);
        if let Some(a) = &mut self.remote {
            a.choice = Choice::Processor;
        }
    }

    /// Fetches; what has to be taken again is, on the processor.
    pub(super) fn settle(
        &mut self,
        samples: &mut Samples,
        explain: &mut dyn FnMut(String) -> Error,
    ) -> Result<()> {
        match self.fetch()? {
            Fetched::All => Ok(()),
            Fetched::Replay => self.replay(samples, explain),
        }
    }

    /// Takes the steps since the last fetch again on the processor.
    pub(super) fn replay(
        &mut self,
        samples: &mut Samples,
        explain: &mut dyn FnMut(String) -> Error,
    ) -> Result<()> {
        let Some(a) = &mut self.remote else { return Ok(()) };
        let again = core::mem::take(&mut a.ahead);
        a.seen = Stamp::default();
        let Some(rate) = self.compiled.as_ref().map(|c| c.learning_rate) else { return Ok(()) };
        let newest = self.variables.slice::<f32>(rate)?[0];
        for batch in again {
            let (start, end) = batch.range;
            samples.at = start;
            self.set_learning_rate(batch.rate)?;
            self.advance_here(samples, end - start, batch.mode, explain)?;
        }
        self.set_learning_rate(newest)
    }

    /// Runs the next batch where the choice says; gives its loss, or the mean up to the last fetch.
    pub(super) fn advance_remote(
        &mut self,
        samples: &mut Samples,
        batch_size: usize,
        mode: Mode,
        explain: &mut dyn FnMut(String) -> Error,
    ) -> Result<f32> {
        let end = samples.end(batch_size);
        let key = samples.key(mode, end - samples.at);
        let session = match self.prepared(&key) {
            Ok(session) => session,
            // What the device cannot do is said at once, unless it was not asked for.
            Err(error) if self.gives_up(&error) => {
                self.give_up(error);
                return self.advance_here(samples, batch_size, mode, explain);
            }
            Err(error) => return Err(error),
        };
        if let Some(loss) = self.trial_here(samples, batch_size, mode, session, explain)? {
            return Ok(loss);
        }
        let host = self.session(mode, samples, end - samples.at)?;
        self.schedule(mode)?;
        self.check_unchanged("fit")?;
        if let Err(error) = self.queue(samples, end, mode, (host, session)) {
            self.give_up(error);
            let at = samples.at;
            self.replay(samples, explain)?;
            samples.at = at;
            return self.advance_here(samples, batch_size, mode, explain);
        }
        samples.at = end;
        let Some(a) = &mut self.remote else { return Ok(0.0) };
        if let (Choice::TimeRemote { steps, .. }, Mode::Train) = (&mut a.choice, mode) {
            *steps += 1;
        }
        if a.remote.waits() && (!samples.kept || a.is_due()) {
            self.settle(samples, explain)?;
            samples.at = end;
        }
        Ok(self.remote.as_ref().map_or(0.0, |a| a.loss))
    }

    /// **Errors** when both the host and the device have weights that the other has not seen.
    fn check_unchanged(&self, what: &str) -> Result<()> {
        let now = self.variables.stamp();
        match &self.remote {
            Some(a) if a.seen != now && !a.ahead.is_empty() => {
                Err(misuse!("{what}: weights were changed while the device had newer ones; call sync first"))
            }
            _ => Ok(()),
        }
    }

    /// Whether the processor goes on after an error of the device: one that is lost, or was not asked for by name.
    pub(super) fn gives_up(&self, error: &Error) -> bool {
        matches!(error, Error::Device(_)) || self.remote.as_ref().is_some_and(|a| a.automatic)
    }

    /// Whether the device can take a step at once, or the processor takes it; makes its plan on first use.
    pub(super) fn is_ready_for(&mut self, key: &Key) -> Result<bool> {
        let here = |a: &Attached| matches!(a.choice, Choice::Processor | Choice::TimeProcessor { .. });
        if self.remote.as_ref().is_none_or(here) {
            return Ok(true);
        }
        let session = self.prepared(key)?;
        let Some(a) = &mut self.remote else { return Ok(true) };
        let ready = a.remote.is_ready(session)?;
        if let (Choice::TimeRemote { steps, .. }, false) = (&mut a.choice, ready) {
            // Making a plan is not the time of steps.
            *steps = 0;
        }
        Ok(ready)
    }

    /// The number of the plan for these batches, made ready on first use.
    fn prepared(&mut self, key: &Key) -> Result<usize> {
        let Some(a) = &self.remote else { return Err(misuse!("fit: there is no device")) };
        if let Some((_, session)) = a.sessions.iter().find(|(k, _)| k == key) {
            return Ok(*session);
        }
        let plan = self.step_plan(key, &self.remote_options())?;
        let Some(a) = &mut self.remote else { return Err(misuse!("fit: there is no device")) };
        let session = a.remote.prepare(plan, self.variables.buffer().len())?;
        a.sessions.push((key.clone(), session));
        Ok(session)
    }

    /// In a trial, a step on the processor, whose time is taken, until the device is ready.
    fn trial_here(
        &mut self,
        samples: &mut Samples,
        batch_size: usize,
        mode: Mode,
        session: usize,
        explain: &mut dyn FnMut(String) -> Error,
    ) -> Result<Option<f32>> {
        let Some(a) = &mut self.remote else { return Ok(None) };
        let Choice::TimeProcessor { steps, since } = a.choice else { return Ok(None) };
        let ready = match a.remote.is_ready(session) {
            Ok(ready) => ready,
            Err(error) => {
                self.give_up(error);
                false
            }
        };
        let Some(a) = &mut self.remote else { return Ok(None) };
        let now = a.remote.now();
        // The first step makes the processor's plan.
        if steps > TIMED && ready {
            let processor = (now - since) / (steps - 1) as f64;
            a.choice = Choice::TimeRemote { steps: 0, since: now, processor };
            return Ok(None);
        }
        let loss = self.advance_here(samples, batch_size, mode, explain)?;
        if let Some(a) = &mut self.remote
            && a.choice != Choice::Processor
            && mode == Mode::Train
        {
            let since = if steps == 0 { a.remote.now() } else { since };
            a.choice = Choice::TimeProcessor { steps: steps + 1, since };
        }
        Ok(Some(loss))
    }

    /// The first step of a trial of the device is done, or all are: then the faster one goes on.
    fn judge(&mut self) {
        let Some(a) = &mut self.remote else { return };
        let Choice::TimeRemote { steps, since, processor } = a.choice else { return };
        let now = a.remote.now();
        a.choice = match steps.saturating_sub(1) {
            0 => Choice::TimeRemote { steps, since: now, processor },
            n if (now - since) / n as f64 <= processor => Choice::Remote,
            _ => Choice::Processor,
        };
    }

    /// Queues a step with the rows up to `end`, with the numbers of the host's session and the device's.
    fn queue(
        &mut self,
        samples: &Samples,
        end: usize,
        mode: Mode,
        (n, session): (usize, usize),
    ) -> Result<()> {
        let (Some(a), Some(c)) = (&mut self.remote, &mut self.compiled) else {
            return Err(misuse!("fit: not compiled"));
        };
        let rate = self.variables.slice::<f32>(c.learning_rate)?[0];
        let now = self.variables.stamp();
        if a.seen != now {
            a.remote.write_variables(0, self.variables.buffer().bytes())?;
            a.seen = now;
        } else if rate.to_bits() != a.rate.to_bits() {
            let at = self.variables.describe(c.learning_rate)?.offset;
            a.remote.write_variables(at, &rate.to_le_bytes())?;
        }
        a.rate = rate;
        // The inputs of the processor's session are where batches are gathered.
        let host = &mut c.sessions[n].session;
        samples.gather(host, end)?;
        for input in 0..host.plan().inputs().len() {
            a.remote.write_input(session, input, host.input_bytes(input)?)?;
        }
        a.remote.run(session)?;
        a.ahead.push(Batch { range: (samples.at, end), mode, rate });
        Ok(())
    }

    /// The host's counters were written, which the device need not see.
    pub(super) fn keep_seen(&mut self, before: Stamp) {
        let now = self.variables.stamp();
        if let Some(a) = &mut self.remote
            && a.seen == before
        {
            a.seen = now;
        }
    }

    /// The outputs of the device for one batch of all rows.
    pub(super) fn predict_remote(&mut self, x: &Arrays) -> Result<Vec<Tensor>> {
        let kinds: Vec<Kind> = x.0.iter().map(|t| (*t.shape(), t.dtype())).collect();
        let Some(a) = &self.remote else { return Err(misuse!("predict: there is no device")) };
        let known = a.predictions.iter().find(|(k, _)| *k == kinds).map(|(_, session)| *session);
        let session = match known {
            Some(session) => session,
            None => {
                let plan = Plan::compile(&self.graph_of(&kinds)?, &self.remote_options())?;
                let Some(a) = &mut self.remote else { return Err(misuse!("predict: there is no device")) };
                let session = a.remote.prepare(plan, self.variables.buffer().len())?;
                a.predictions.push((kinds, session));
                session
            }
        };
        self.check_unchanged("predict")?;
        let now = self.variables.stamp();
        let Some(a) = &mut self.remote else { return Err(misuse!("predict: there is no device")) };
        if a.seen != now {
            a.remote.write_variables(0, self.variables.buffer().bytes())?;
            a.seen = now;
        }
        for (input, t) in x.0.iter().enumerate() {
            a.remote.write_input(session, input, &t.to_bytes())?;
        }
        a.remote.run(session)?;
        a.remote.read_outputs(session)
    }

    fn remote_options(&self) -> crate::PlanOptions {
        crate::PlanOptions { workspace: false, ..self.plan_options() }
    }
}

impl Attached {
    /// Whether the variables have to be fetched before the next step.
    fn is_due(&self) -> bool {
        self.ahead.len() >= EVERY || !self.ahead.is_empty() && self.times()
    }

    /// Whether the queued step is the first or the last of those whose time is taken.
    fn times(&self) -> bool {
        matches!(self.choice, Choice::TimeRemote { steps, .. } if steps == 1 || steps > TIMED)
    }
}
