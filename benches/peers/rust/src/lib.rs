//! What the Rust peers of `bench --peers` share: one JSON request a line on standard input, one JSON answer a line on
//! standard output, as `protocol.py` says. Arguments: the system, the number of threads, and the folder of ONNX models.

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rand::{Rng, SeedableRng, rngs::StdRng};
use rand_distr::StandardNormal;
use serde_json::{Value, json};

/// Any error, as text.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A workload made ready.
pub struct Job {
    /// Runs it so many times.
    pub run: Box<dyn FnMut(usize) -> Result<()>>,
    /// Trainable parameters, where there are any.
    pub parameters: Option<usize>,
    /// The first numbers of the result, where the operands are given.
    pub values: Vec<f32>,
}

/// What is asked for.
pub struct Request {
    /// The workload.
    pub name: String,
    /// Rows of a batch.
    pub batch: usize,
    /// Whether inputs are uniform in [0, 1) instead of normal.
    pub uniform: bool,
}

/// How many batches are cycled through.
pub const BATCHES: usize = 16;

/// `n` inputs of the distribution asked for.
pub fn inputs(request: &Request, rng: &mut StdRng, n: usize) -> Vec<f32> {
    let number = |_| if request.uniform { rng.random::<f32>() } else { rng.sample(StandardNormal) };
    (0..n).map(number).collect()
}

/// `n` labels of ten classes.
pub fn labels(rng: &mut StdRng, n: usize) -> Vec<u32> {
    (0..n).map(|_| rng.random_range(0..10)).collect()
}

/// The operands of kernels, the same for every system.
pub fn pattern(n: usize, seed: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 37 + seed * 11) % 101) as f32 / 101.0 - 0.5).collect()
}

/// Nothing with a reason, where a system has nothing that does it.
pub type Prepared = std::result::Result<Job, String>;

/// What a peer was started for.
pub struct Started {
    /// The system, where a program has several.
    pub system: String,
    /// The number of threads.
    pub threads: usize,
    /// The folder of ONNX models.
    pub models: PathBuf,
}

/// Answers requests until there are no more. `title` names a system with its version.
pub fn serve(
    title: impl Fn(&str) -> String,
    prepare: impl Fn(&Started, &Request) -> Result<Prepared>,
) -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [system, threads, models @ ..] = &arguments[..] else {
        return Err("arguments: SYSTEM THREADS [MODELS]".into());
    };
    let models = models.first().map_or_else(|| Path::new("").into(), PathBuf::from);
    let started = Started { system: system.clone(), threads: threads.parse()?, models };
    let title = title(system);
    let mut jobs: Vec<Job> = Vec::new();
    for line in io::stdin().lock().lines() {
        let asked: Value = serde_json::from_str(&line?)?;
        let answer = answer(&title, &started, &prepare, &asked, &mut jobs);
        let answer = answer.unwrap_or_else(|error| json!({"error": error.to_string()}));
        println!("{answer}");
        io::stdout().flush()?;
    }
    Ok(())
}

fn answer(
    title: &str,
    started: &Started,
    prepare: &impl Fn(&Started, &Request) -> Result<Prepared>,
    asked: &Value,
    jobs: &mut Vec<Job>,
) -> Result<Value> {
    let number = |name: &str| asked[name].as_u64().map(|n| n as usize);
    if let Some(name) = asked["prepare"].as_str() {
        let batch = number("batch").unwrap_or(1);
        let request = Request { name: name.into(), batch, uniform: asked["input"] == "uniform" };
        let job = match prepare(started, &request)? {
            Ok(job) => job,
            Err(reason) => return Ok(json!({"none": reason})),
        };
        let (parameters, values) = (job.parameters, job.values.clone());
        jobs.push(job);
        let id = jobs.len() - 1;
        return Ok(json!({"id": id, "system": title, "parameters": parameters, "values": values}));
    }
    let (Some(id), Some(iterations)) = (number("run"), number("iterations")) else {
        return Ok(json!({"none": "not asked of this peer"}));
    };
    let job = jobs.get_mut(id).ok_or("no such job")?;
    let start = Instant::now();
    (job.run)(iterations)?;
    Ok(json!({"seconds": start.elapsed().as_secs_f64()}))
}

/// A generator that gives the same inputs in every run.
pub fn generator() -> StdRng {
    StdRng::seed_from_u64(1)
}
