//! `count WORKLOAD STEPS LEVEL`: makes a workload ready and runs so many steps on one thread at a level, and nothing
//! else, so that the instructions of the process can be counted. `cargo xtask bench --check` runs it.

use std::process::ExitCode;

use gradling::Level;
use gradling_benches::measure::{Prepared, System};
use gradling_benches::ours::Gradling;
use gradling_benches::workload::{self, Input};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match count(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("count: {error}");
            ExitCode::FAILURE
        }
    }
}

fn count(arguments: &[String]) -> Result<(), String> {
    let [name, steps, level] = arguments else {
        return Err("arguments: WORKLOAD STEPS LEVEL, as `T1 4 avx2`".into());
    };
    let steps: usize = steps.parse().map_err(|e| format!("{steps}: {e}"))?;
    let found = Level::available().iter().find(|l| l.to_string() == *level);
    let level = *found.ok_or_else(|| format!("this machine does not run {level}"))?;
    let group = name.split(' ').next().unwrap_or_default();
    let jobs = workload::jobs(&[group.into()], &[1], &[Input::Normal])?;
    let job = jobs.iter().find(|job| job.work.to_string() == *name);
    let job = job.ok_or_else(|| format!("no workload {name}"))?;
    let mut system = Gradling::new(level);
    match system.prepare(job)? {
        Prepared::Ready(ready) => system.run(ready.handle, steps).map(drop),
        Prepared::Nothing(reason) => Err(reason),
    }
}
