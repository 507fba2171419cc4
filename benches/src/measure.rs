//! Interleaved repetitions: every system runs its repetition in turn, so that a disturbance of the
//! machine meets all of them, and medians are compared.

use crate::workload::Job;

/// Something that can be measured.
pub trait System {
    /// Name in tables.
    fn name(&self) -> String;

    /// Makes `job` ready; `Ok(None)` when the system has nothing that does it. The answer is a handle
    /// for [`System::run`].
    ///
    /// **Errors** when it should work and does not.
    fn prepare(&mut self, job: &Job) -> Result<Option<usize>, String>;

    /// Runs the job `iterations` times and returns the seconds taken.
    ///
    /// **Errors** when the run fails.
    fn run(&mut self, handle: usize, iterations: usize) -> Result<f64, String>;
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
}

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Repetitions of each system.
    pub repetitions: usize,
    /// Least seconds of a repetition.
    pub seconds: f64,
}

/// Measures `job` on every system that has it, A, B, A, B.
///
/// **Errors** when a system fails.
pub fn measure(
    systems: &mut [Box<dyn System>],
    job: &Job,
    effort: Effort,
) -> Result<Vec<Measurement>, String> {
    let mut ready = Vec::new();
    for (i, system) in systems.iter_mut().enumerate() {
        if let Some(handle) = system.prepare(job)? {
            let iterations = calibrate(system.as_mut(), handle, effort.seconds)?;
            ready.push((i, handle, iterations, Vec::new()));
        }
    }
    for _ in 0..effort.repetitions {
        for (i, handle, iterations, times) in &mut ready {
            let seconds = systems[*i].run(*handle, *iterations)?;
            times.push(seconds / *iterations as f64);
        }
    }
    Ok(ready
        .into_iter()
        .map(|(i, _, _, repetitions)| Measurement {
            system: systems[i].name(),
            seconds: median(&repetitions),
            repetitions,
        })
        .collect())
}

/// Iterations that take about `seconds`; warms up meanwhile.
fn calibrate(system: &mut dyn System, handle: usize, seconds: f64) -> Result<usize, String> {
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
    use super::median;

    #[test]
    fn median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }
}
