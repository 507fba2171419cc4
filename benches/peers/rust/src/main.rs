//! The Rust side of `bench --peers`: one JSON request a line on standard input, one JSON answer a line on standard
//! output, as `torch_steps.py` says. Arguments: the system, the number of threads, and the folder of ONNX models.

mod burn_steps;
mod candle_steps;
mod products;
mod tract_runs;

use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::time::Instant;

use rand::{Rng, SeedableRng, rngs::StdRng};
use rand_distr::StandardNormal;
use serde_json::{Value, json};

/// Any error, as text.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A workload made ready.
struct Job {
    /// Runs it so many times.
    run: Box<dyn FnMut(usize) -> Result<()>>,
    /// Trainable parameters, where there are any.
    parameters: Option<usize>,
    /// The first numbers of the result, where the operands are given.
    values: Vec<f32>,
}

/// What is asked for.
struct Request {
    name: String,
    batch: usize,
    uniform: bool,
}

/// How many batches are cycled through.
const BATCHES: usize = 16;

/// `n` inputs of the distribution asked for.
fn inputs(request: &Request, rng: &mut StdRng, n: usize) -> Vec<f32> {
    let number = |_| if request.uniform { rng.random::<f32>() } else { rng.sample(StandardNormal) };
    (0..n).map(number).collect()
}

/// `n` labels of ten classes.
fn labels(rng: &mut StdRng, n: usize) -> Vec<u32> {
    (0..n).map(|_| rng.random_range(0..10)).collect()
}

/// The operands of kernels, the same for every system.
fn pattern(n: usize, seed: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 37 + seed * 11) % 101) as f32 / 101.0 - 0.5).collect()
}

/// Nothing with a reason, where a system has nothing that does it.
type Prepared = std::result::Result<Job, String>;

fn prepare(system: &str, models: &std::path::Path, threads: usize, request: &Request) -> Result<Prepared> {
    match system {
        "burn" => burn_steps::prepare(request),
        "candle" => candle_steps::prepare(request),
        "tract" => tract_runs::prepare(models, threads, request),
        "gemm" | "matrixmultiply" => Ok(products::prepare(system, threads, request)),
        other => Err(format!("no system {other}").into()),
    }
}

fn title(system: &str) -> String {
    let version = match system {
        "burn" => "burn-flex 0.22",
        "candle" => "candle 0.11",
        "tract" => "tract 0.23",
        "gemm" => "gemm 0.19",
        "matrixmultiply" => "matrixmultiply 0.3",
        other => other,
    };
    version.into()
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [system, threads, models @ ..] = &arguments[..] else {
        return Err("arguments: SYSTEM THREADS [MODELS]".into());
    };
    let threads: usize = threads.parse()?;
    let models = models.first().map(PathBuf::from).unwrap_or_default();
    let mut jobs: Vec<Job> = Vec::new();
    for line in io::stdin().lock().lines() {
        let asked: Value = serde_json::from_str(&line?)?;
        let answer = answer(system, threads, &models, &asked, &mut jobs);
        let answer = answer.unwrap_or_else(|error| json!({"error": error.to_string()}));
        println!("{answer}");
        io::stdout().flush()?;
    }
    Ok(())
}

fn answer(
    system: &str,
    threads: usize,
    models: &std::path::Path,
    asked: &Value,
    jobs: &mut Vec<Job>,
) -> Result<Value> {
    let number = |name: &str| asked[name].as_u64().map(|n| n as usize);
    if let Some(name) = asked["prepare"].as_str() {
        let request = Request {
            name: name.into(),
            batch: number("batch").unwrap_or(1),
            uniform: asked["input"] == "uniform",
        };
        let job = match prepare(system, models, threads, &request)? {
            Ok(job) => job,
            Err(reason) => return Ok(json!({"none": reason})),
        };
        let (parameters, values) = (job.parameters, job.values.clone());
        jobs.push(job);
        return Ok(json!({
            "id": jobs.len() - 1,
            "system": title(system),
            "parameters": parameters,
            "values": values,
        }));
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
fn generator() -> StdRng {
    StdRng::seed_from_u64(1)
}
