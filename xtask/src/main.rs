//! Build scripting: `cargo xtask <command>`.

mod bench;
mod check;
mod course;
mod demo;
mod firmware;
mod mnist_subset;
mod package;
mod quality;
mod serve;
mod shell;
mod size;
mod test;
mod toolchain;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

/// Builds, runs and checks Gradling
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the demo page, serve it and print its address; installs what is missing
    Demo(demo::Options),
    /// Run every check; the last line is `N passed, N failed, N skipped`
    Test(test::Options),
    /// Build the npm package into wasm/pkg
    Package {
        /// Keep debug names and skip wasm-opt
        #[arg(long)]
        dev: bool,
    },
    /// Compare every executor with the recorded TensorFlow cases; the last line is `golden: PASSED/TOTAL`
    Golden {
        /// The folder of cases [default: GRADLING_GOLDEN, else ../shared/golden]
        folder: Option<PathBuf>,
    },
    /// Measure the workloads, e.g. `--only T1,T2,K1 --json FILE --threads 1,2`; `--browser` in headless Chromium;
    /// `--check --against REV` compares the instructions of two builds
    #[command(disable_help_flag = true)]
    Bench {
        /// Passed on to the benchmark
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Build the embedded MNIST subset from the four original files
    MnistSubset {
        /// The folder of the original files
        source: PathBuf,
        /// The file to write [default: runtime/src/data/mnist_subset.bin.gz]
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Print the gzipped bytes that an MLP page downloads, also on the whole package; fails above the limit
    Size,
}

fn main() -> ExitCode {
    match dispatch(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(task: Task) -> Result<()> {
    match task {
        Task::Demo(options) => demo::demo(&options),
        Task::Test(options) => test::test(&options),
        Task::Package { dev } => package::build(dev).map(drop),
        Task::Golden { folder } => {
            let mut command = shell::cargo();
            command.args(["run", "--package", "gradling-tests", "--bin", "golden", "--"]).args(folder);
            shell::run(&mut command)
        }
        Task::Bench { arguments } => bench::bench(arguments),
        Task::MnistSubset { source, out } => {
            let out = out.unwrap_or_else(|| shell::root().join("runtime/src/data/mnist_subset.bin.gz"));
            mnist_subset::run(&source, &out).context("mnist-subset")
        }
        Task::Size => size::size(),
    }
}
