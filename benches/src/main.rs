//! `bench`: the workloads T1 to T5, I1 and K1 of Gradling, alone or beside peers.
//!
//! Each number is the median of interleaved repetitions; compare ratios within one run.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use gradling::Level;
use gradling::kernel::ceiling::Ceilings;

use gradling_benches::measure::{self, Effort, System};
use gradling_benches::workload::{self, Input};
use gradling_benches::{ours, peers, report};

/// Time train steps and kernels.
#[derive(Debug, Parser)]
struct Args {
    /// Workloads, comma-separated: T1 (MLP step), T2 (LeNet-5 step), T3 (CIFAR-10 baseline step), T4
    /// (ResNet-18 step), T5 (recurrent steps), I1 (inference of one sample), K1 (kernels), G1
    /// (kernels that keep a GPU busy).
    #[arg(long, value_delimiter = ',', default_value = "T1,T2,K1")]
    only: Vec<String>,
    /// Thread counts, comma-separated.
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    threads: Vec<usize>,
    /// Distributions of the inputs, comma-separated.
    #[arg(long, value_delimiter = ',', default_value = "normal,uniform")]
    inputs: Vec<Input>,
    /// Write the record here.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Measure peers beside us: all, or some of torch, tensorflow, onnxruntime, numpy, tract, burn, candle, gemm and
    /// matrixmultiply, as `--peers=torch,burn`.
    #[arg(long, value_delimiter = ',', num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    peers: Vec<String>,
    /// Measure on a GPU instead: `gpu`. Peers then are PyTorch on the same card (`GRADLING_PEER_DEVICE`, `cuda` if not
    /// set).
    #[arg(long, default_value = "cpu")]
    device: Where,
    /// Measure strict arithmetic beside the default.
    #[arg(long)]
    strict: bool,
    /// Instead of measuring, list the steps of each train step or inference with their times.
    #[arg(long)]
    profile: bool,
    /// Repetitions of each system, at least five.
    #[arg(long, default_value_t = 7)]
    repetitions: usize,
    /// Least seconds of a repetition.
    #[arg(long, default_value_t = 0.2)]
    seconds: f64,
}

/// What computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Where {
    Cpu,
    Gpu,
}

fn main() -> ExitCode {
    match bench(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(args: &Args) -> Result<(), String> {
    if args.device == Where::Gpu {
        return bench_gpu(args);
    }
    if args.profile {
        return profile(args);
    }
    let effort = Effort { repetitions: args.repetitions.max(5), seconds: args.seconds };
    let jobs = workload::jobs(&args.only, &args.threads, &args.inputs)?;
    let level = Level::best();
    let mut systems: Vec<Box<dyn System>> = vec![Box::new(ours::Gradling::new(level))];
    if args.strict {
        systems.push(Box::new(ours::Gradling::new(level).strict()));
    }
    let (peers, missing) = peers::find(&args.peers)?;
    systems.extend(peers.into_iter().map(|peer| -> Box<dyn System> { Box::new(peer) }));
    let ceilings = Ceilings::measure(level);
    let mut rows = Vec::new();
    print!("{}{}", report::ceilings(&ceilings), report::heading());
    for job in jobs {
        let facts = ours::facts(&job, &ceilings).map_err(|e| e.to_string())?;
        let row = report::Row { job, facts, measured: measure::measure(&mut systems, &job, effort)? };
        print!("{}", report::lines(&row));
        rows.push(row);
    }
    print!("{}", report::left_out(&rows));
    for reason in &missing {
        println!("not measured: {reason}");
    }
    if let Some(path) = &args.json {
        let record = report::record(&ceilings, &rows);
        let text = serde_json::to_string_pretty(&record).map_err(|e| e.to_string())?;
        std::fs::write(path, text + "\n").map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(())
}

#[cfg(not(feature = "gpu"))]
fn bench_gpu(_: &Args) -> Result<(), String> {
    Err("built without the feature gpu; `cargo xtask bench --device gpu` builds with it".into())
}

/// Steps and GFLOP/s on the fastest adapter, each beside PyTorch's where that is asked for.
#[cfg(feature = "gpu")]
fn bench_gpu(args: &Args) -> Result<(), String> {
    let gpu = gradling::gpu::Gpu::open(None).map_err(|e| e.to_string())?;
    let jobs = workload::jobs(&args.only, &[1], &args.inputs[..1])?;
    if args.profile {
        for job in jobs {
            if let Some(table) = ours::profile_gpu(&job, &gpu).map_err(|e| e.to_string())? {
                println!("{} on {}\n{table}", job.label(), gpu.name());
            }
        }
        return Ok(());
    }
    let effort = Effort { repetitions: args.repetitions.max(5), seconds: args.seconds };
    let mut systems: Vec<Box<dyn System>> =
        vec![Box::new(ours::Gradling::new(Level::best()).on_gpu(gpu.clone()))];
    let (peers, missing) = peers::find(&args.peers)?;
    systems.extend(peers.into_iter().map(|peer| -> Box<dyn System> { Box::new(peer) }));
    println!("{}", gpu.name());
    for job in jobs {
        // What does not fit the adapter is said, and the rest measured.
        match measure::measure(&mut systems, &job, effort) {
            Ok(measured) => print!("{}", report::on_gpu(&job, &measured)),
            Err(error) => println!("{:<16} not measured: {error}", job.label()),
        }
    }
    missing.iter().for_each(|reason| println!("not measured: {reason}"));
    Ok(())
}

fn profile(args: &Args) -> Result<(), String> {
    for job in workload::jobs(&args.only, &args.threads, &args.inputs[..1])? {
        if let Some(table) = ours::profile(&job).map_err(|e| e.to_string())? {
            println!("{} on {} threads\n{table}", job.label(), job.threads);
        }
    }
    Ok(())
}
