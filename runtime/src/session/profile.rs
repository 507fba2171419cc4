//! Where the time of a plan goes: each step beside what the machine could do at most.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::Session;
use crate::plan::StepSummary;
#[cfg(feature = "std")]
use crate::{DType, Device, Plan, PlanOptions, Shape, Trace};
use crate::{Result, Variables};

/// What a device does at most: a large matrix product, and sums of vectors that stay in the cache.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Float operations a second.
    pub flops: f64,
    /// Bytes read or written a second.
    pub bytes: f64,
}

impl Limits {
    /// Measures a device, which takes a few tens of milliseconds.
    ///
    /// **Errors** when the two plans do not run.
    #[cfg(feature = "std")]
    pub fn measure(device: &Device) -> Result<Limits> {
        let best = |dims: &[usize], product: bool| -> Result<(f64, Plan)> {
            let mut variables = Variables::new();
            let trace = Trace::new(&variables);
            let shape = Shape::new(dims)?;
            let [a, b] = ["a", "b"].map(|name| trace.input(name, shape, DType::F32));
            trace.output("y", if product { a.matmul(b) } else { a + b });
            let plan = Plan::compile(&trace.finish()?, &PlanOptions::default())?;
            let mut session = Session::new(plan.clone(), device)?;
            let times = session.profile(&mut variables, 20)?.steps;
            Ok((times.iter().map(|step| step.time.as_secs_f64()).sum(), plan))
        };
        let (seconds, plan) = best(&[384, 384], true)?;
        let flops = plan.flops() as f64 / seconds;
        let (seconds, plan) = best(&[16 * 1024], false)?;
        let bytes = (plan.read_bytes() + plan.written_bytes()) as f64 / seconds;
        Ok(Limits { flops, bytes })
    }

    /// The least time of so many operations on so many bytes.
    pub fn least(&self, flops: u64, bytes: u64) -> f64 {
        (flops as f64 / self.flops).max(bytes as f64 / self.bytes)
    }
}

/// One step of a plan and its time.
#[derive(Clone, Debug)]
pub struct StepProfile {
    /// Operator, shapes, kernel, float operations and bytes.
    pub step: StepSummary,
    /// The least time of several runs.
    pub time: Duration,
}

/// The steps of a plan with their times; prints as a table, the share of the whole and of the limit in percent.
///
/// ```
/// use gradling::session::{Limits, Profile};
/// use gradling::{Device, DType, Plan, PlanOptions, Session, Shape, Trace, Variables};
/// let mut variables = Variables::new();
/// let trace = Trace::new(&variables);
/// let x = trace.input("x", Shape::new(&[8, 8])?, DType::F32);
/// trace.output("y", x.matmul(x));
/// let mut session = Session::new(Plan::compile(&trace.finish()?, &PlanOptions::default())?, &Device::default())?;
/// let profile: Profile = session.profile(&mut variables, 10)?;
/// assert_eq!(profile.steps[0].step.flops, 2 * 8 * 8 * 8);
/// println!("{}", profile.table(&Limits { flops: 1e11, bytes: 1e11 }));
/// # Ok::<(), gradling::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Profile {
    /// In the order of the plan.
    pub steps: Vec<StepProfile>,
}

impl Profile {
    /// The time of all steps.
    pub fn time(&self) -> Duration {
        self.steps.iter().map(|step| step.time).sum()
    }

    /// A table with a line for each step.
    pub fn table<'p>(&'p self, limits: &'p Limits) -> impl fmt::Display + 'p {
        Table { profile: self, limits }
    }
}

struct Table<'p> {
    profile: &'p Profile,
    limits: &'p Limits,
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.profile.time().as_secs_f64().max(1e-12);
        let heading = StepSummary::heading();
        writeln!(
            f,
            "{:>5}{:>10}{:>7}{:>10}{:>9}{:>7}  {heading}",
            "", "us", "%", "GFLOP/s", "GB/s", "limit"
        )?;
        let mut line =
            |name: &str, seconds: f64, flops: u64, bytes: u64, least: f64, rest: &dyn fmt::Display| {
                let seconds = seconds.max(1e-12);
                writeln!(
                    f,
                    "{name:>5}{:>10.2}{:>7.1}{:>10.1}{:>9.1}{:>6.0}%  {rest}",
                    seconds * 1e6,
                    seconds / all * 100.0,
                    flops as f64 / seconds / 1e9,
                    bytes as f64 / seconds / 1e9,
                    least / seconds * 100.0,
                )
            };
        let (mut flops, mut bytes, mut least) = (0, 0, 0.0);
        for (number, StepProfile { step, time }) in self.profile.steps.iter().enumerate() {
            let own = self.limits.least(step.flops, step.bytes());
            let name = alloc::format!("{number}");
            line(&name, time.as_secs_f64(), step.flops, step.bytes(), own, step)?;
            (flops, bytes, least) = (flops + step.flops, bytes + step.bytes(), least + own);
        }
        let totals = StepSummary::totals(self.profile.steps.iter().map(|step| &step.step));
        line("all", all, flops, bytes, least, &totals)
    }
}

impl Session {
    /// Runs the plan several times and gives each step its least time. The runs are real ones: they read the inputs
    /// and assign variables.
    ///
    /// **Errors** as [`run`](Session::run).
    #[cfg(feature = "std")]
    pub fn profile(&mut self, variables: &mut Variables, runs: usize) -> Result<Profile> {
        let mut times = vec![Duration::MAX; self.plan().steps().len()];
        self.run(variables)?;
        for _ in 0..runs.max(1) {
            for (i, least) in times.iter_mut().enumerate() {
                let start = std::time::Instant::now();
                self.run_steps(i..i + 1, variables)?;
                *least = start.elapsed().min(*least);
            }
        }
        Ok(self.timed(times))
    }

    /// As `profile`, by a clock that gives seconds and may be coarse: runs the plan for so many seconds and gives each
    /// step its mean time.
    ///
    /// **Errors** as [`run`](Session::run).
    pub fn profile_by(
        &mut self,
        variables: &mut Variables,
        seconds: f64,
        now: &mut dyn FnMut() -> f64,
    ) -> Result<Profile> {
        let mut sums = vec![0.0; self.plan().steps().len()];
        self.run(variables)?;
        let begun = now();
        let mut runs = 0;
        loop {
            let mut before = now();
            for (i, sum) in sums.iter_mut().enumerate() {
                self.run_steps(i..i + 1, variables)?;
                let after = now();
                *sum += (after - before).max(0.0);
                before = after;
            }
            runs += 1;
            // A clock that stands still ends it too.
            if before - begun >= seconds || runs == 1 << 20 {
                break;
            }
        }
        Ok(self.timed(sums.iter().map(|sum| Duration::from_secs_f64(sum / runs as f64))))
    }

    /// The steps of the plan with their times.
    fn timed(&self, times: impl IntoIterator<Item = Duration>) -> Profile {
        let cpu = self.device().cpu();
        let steps = self.plan().steps().iter().zip(times);
        let steps = steps.map(|(step, time)| StepProfile { step: step.summary(&cpu), time });
        Profile { steps: steps.collect() }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    #[test]
    fn a_coarse_clock_gives_means_over_the_runs() {
        let mut variables = Variables::new();
        let trace = Trace::new(&variables);
        let x = trace.input("x", Shape::new(&[4, 4]).unwrap(), DType::F32);
        trace.output("y", x.matmul(x).relu().matmul(x));
        let plan = Plan::compile(&trace.finish().unwrap(), &PlanOptions::default()).unwrap();
        let steps = plan.steps().len();
        let mut session = Session::new(plan, &Device::default()).unwrap();
        // Every look at the clock takes a second.
        let mut looks = 0.0;
        let mut clock = || {
            looks += 1.0;
            looks
        };
        let profile = session.profile_by(&mut variables, 10.0, &mut clock).unwrap();
        assert!(steps >= 2 && profile.steps.len() == steps);
        assert!(profile.steps.iter().all(|step| step.time == Duration::from_secs(1)));
        assert_eq!(profile.steps[0].step.op, "matmul+region");
        let runs = profile.steps.len() as f64;
        assert!(looks >= 10.0 + runs, "{looks}");
        // A clock that stands still comes to an end.
        session.profile_by(&mut variables, 1.0, &mut || 0.0).unwrap();
    }
}
