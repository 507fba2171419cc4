//! Interleaved repetitions: every system runs its repetition in turn, so that a disturbance of the
//! machine meets all of them, and medians are compared.

use std::time::Duration;

use crate::workload::Job;

/// Something that can be measured.
pub trait System {
    /// Name in tables.
    fn name(&self) -> String;

    /// Makes `job` ready.
    ///
    /// **Errors** when it should work and does not.
    fn prepare(&mut self, job: &Job) -> Result<Prepared, String>;

    /// Runs the job `iterations` times and returns the seconds taken.
    ///
    /// **Errors** when the run fails.
    fn run(&mut self, handle: usize, iterations: usize) -> Result<f64, String>;

    /// The most bytes that one step needs at once besides variables, where the system can tell.
    ///
    /// **Errors** when it should work and does not.
    fn memory(&mut self, handle: usize) -> Result<Option<u64>, String>;
}

/// What a system made of a job.
#[derive(Debug)]
pub enum Prepared {
    /// It can run.
    Ready(Ready),
    /// The system has nothing that does it, for this reason.
    Nothing(String),
}

/// A job that can run.
#[derive(Debug)]
pub struct Ready {
    /// The name of the job in [`System::run`].
    pub handle: usize,
    /// What tells whether all systems compute the same.
    pub check: Check,
}

/// What tells whether systems compute the same: of models the number of trainable parameters, of kernels the first
/// numbers of the result.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Check {
    /// Trainable parameters.
    pub parameters: Option<u64>,
    /// The first numbers of the result.
    pub values: Vec<f32>,
}

impl Check {
    /// **Errors** with the difference where both systems tell something and it differs.
    pub fn compare(&self, other: &Check) -> Result<(), String> {
        if let (Some(ours), Some(theirs)) = (self.parameters, other.parameters)
            && ours != theirs
        {
            return Err(format!("has {theirs} parameters instead of {ours}"));
        }
        let far = |(a, b): (&f32, &f32)| (a - b).abs() > 1e-3 * (1.0 + a.abs());
        if self.values.iter().zip(&other.values).any(far) {
            return Err(format!("gives {:?} instead of {:?}", other.values, self.values));
        }
        Ok(())
    }
}

/// Result of one system on one job.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Measurement {
    /// System measured.
    pub system: String,
    /// Seconds per step or call, median over the repetitions.
    pub seconds: f64,
    /// Seconds per step or call of each repetition.
    pub repetitions: Vec<f64>,
    /// The most bytes that one step needs at once besides variables.
    pub bytes: Option<u64>,
}

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Repetitions of each system.
    pub repetitions: usize,
    /// Least seconds of a repetition.
    pub seconds: f64,
}

/// What was measured, the first system first, and why other systems were not.
#[derive(Debug, Default)]
pub struct Measured {
    /// One for each system that ran.
    pub systems: Vec<Measurement>,
    /// System and reason.
    pub left_out: Vec<(String, String)>,
}

/// How long a system with several threads is left alone after its repetition: its threads may wait busily.
const PAUSE: Duration = Duration::from_millis(200);

/// Measures `job` on every system that has it, A, B, A, B. A system that fails, or that computes something else than
/// the first one, is left out with the reason.
///
/// **Errors** when the first system fails.
pub fn measure(systems: &mut [Box<dyn System>], job: &Job, effort: Effort) -> Result<Measured, String> {
    let mut measured = Measured::default();
    let mut running: Vec<Running> = Vec::new();
    let mut reference = Check::default();
    for (i, system) in systems.iter_mut().enumerate() {
        match start(system.as_mut(), job, effort, &reference) {
            Ok((check, mut run)) => {
                if i == 0 {
                    reference = check;
                }
                run.system = i;
                running.push(run);
            }
            Err(reason) if i == 0 => return Err(reason),
            Err(reason) => measured.left_out.push((system.name(), reason)),
        }
    }
    let pause = if job.threads > 1 && running.len() > 1 { PAUSE } else { Duration::ZERO };
    for _ in 0..effort.repetitions {
        let mut failed = None;
        for run in &mut running {
            match systems[run.system].run(run.handle, run.iterations) {
                Ok(seconds) => run.times.push(seconds / run.iterations as f64),
                Err(reason) if run.system == 0 => return Err(reason),
                Err(reason) => failed = Some((run.system, reason)),
            }
            std::thread::sleep(pause);
        }
        if let Some((system, reason)) = failed {
            measured.left_out.push((systems[system].name(), reason));
            running.retain(|run| run.system != system);
        }
    }
    for run in running {
        let system = &systems[run.system];
        measured.systems.push(Measurement {
            system: system.name(),
            seconds: median(&run.times),
            repetitions: run.times,
            bytes: run.bytes,
        });
    }
    Ok(measured)
}

/// A job under way.
struct Running {
    system: usize,
    handle: usize,
    iterations: usize,
    bytes: Option<u64>,
    times: Vec<f64>,
}

/// Makes a job ready and finds out how often it runs in a repetition; the reason where that cannot be.
fn start(
    system: &mut dyn System,
    job: &Job,
    effort: Effort,
    reference: &Check,
) -> Result<(Check, Running), String> {
    let ready = match system.prepare(job)? {
        Prepared::Ready(ready) => ready,
        Prepared::Nothing(reason) => return Err(reason),
    };
    reference.compare(&ready.check)?;
    let handle = ready.handle;
    let iterations = calibrate(system, handle, effort.seconds)?;
    let bytes = if job.trains() { system.memory(handle)? } else { None };
    Ok((ready.check, Running { system: 0, handle, iterations, bytes, times: Vec::new() }))
}

/// Iterations that take about `seconds`, after a first one that compiles what is compiled on first use.
fn calibrate(system: &mut dyn System, handle: usize, seconds: f64) -> Result<usize, String> {
    system.run(handle, 1)?;
    let mut iterations = 1;
    loop {
        let taken = system.run(handle, iterations)?;
        if taken >= seconds / 4.0 {
            return Ok(((iterations as f64 * seconds / taken).ceil() as usize).max(1));
        }
        iterations *= if taken < seconds / 40.0 { 8 } else { 2 };
    }
}

/// The middle value; of an even number of values the mean of the two in the middle.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{Input, Work};
    use std::cell::RefCell;
    use std::rc::Rc;

    #[test]
    fn median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    /// A system that takes a second for a step and notes that it ran.
    struct Fake {
        name: &'static str,
        prepared: Result<Check, &'static str>,
        fails_after: usize,
        ran: Rc<RefCell<Vec<&'static str>>>,
    }

    impl System for Fake {
        fn name(&self) -> String {
            self.name.into()
        }

        fn prepare(&mut self, _: &Job) -> Result<Prepared, String> {
            match &self.prepared {
                Ok(check) => Ok(Prepared::Ready(Ready { handle: 0, check: check.clone() })),
                Err(reason) => Ok(Prepared::Nothing((*reason).into())),
            }
        }

        fn run(&mut self, _: usize, iterations: usize) -> Result<f64, String> {
            self.ran.borrow_mut().push(self.name);
            let runs = self.ran.borrow().iter().filter(|name| **name == self.name).count();
            if runs > self.fails_after { Err("broke".into()) } else { Ok(iterations as f64) }
        }

        fn memory(&mut self, _: usize) -> Result<Option<u64>, String> {
            Ok(Some(5))
        }
    }

    fn check(parameters: u64, value: f32) -> Check {
        Check { parameters: Some(parameters), values: vec![value] }
    }

    #[test]
    fn repetitions_take_turns_and_others_are_left_out_with_the_reason() {
        let ran = Rc::new(RefCell::new(Vec::new()));
        let fake = |name, prepared, fails_after| -> Box<dyn System> {
            Box::new(Fake { name, prepared, fails_after, ran: Rc::clone(&ran) })
        };
        let mut systems = [
            fake("a", Ok(check(7, 1.0)), 99),
            fake("b", Ok(check(7, 1.0005)), 99),
            fake("none", Err("it has none"), 99),
            fake("larger", Ok(check(8, 1.0)), 99),
            fake("wrong", Ok(check(7, 1.5)), 99),
            fake("breaks", Ok(check(7, 1.0)), 3),
        ];
        let job = Job { work: Work::T1, batch: 32, threads: 1, input: Input::Normal };
        let effort = Effort { repetitions: 3, seconds: 0.1 };
        let measured = measure(&mut systems, &job, effort).expect("the first system runs");
        let names: Vec<&str> = measured.systems.iter().map(|m| m.system.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert!(measured.systems.iter().all(|m| m.seconds == 1.0 && m.bytes == Some(5)));
        let reasons: Vec<(&str, &str)> =
            measured.left_out.iter().map(|(system, reason)| (system.as_str(), reason.as_str())).collect();
        let larger = "has 8 parameters instead of 7";
        let wrong = "gives [1.5] instead of [1.0]";
        assert_eq!(
            reasons,
            [("none", "it has none"), ("larger", larger), ("wrong", wrong), ("breaks", "broke")]
        );
        // Two calibrating runs each, then in turn.
        assert_eq!(ran.borrow()[6..], ["a", "b", "breaks", "a", "b", "breaks", "a", "b"]);
        assert!(measure(&mut systems[2..], &job, effort).is_err());
    }
}
