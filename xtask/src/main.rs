//! Build scripting: `cargo xtask <command>`.

mod demo;
mod package;
mod serve;
mod shell;
mod size;
mod toolchain;

use std::process::ExitCode;

use anyhow::Result;
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
    /// Build the npm package into wasm/pkg
    Package {
        /// Keep debug names and skip wasm-opt
        #[arg(long)]
        dev: bool,
    },
    /// Print the gzipped bytes that an MLP page downloads; fails above the limit
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
        Task::Package { dev } => package::build(dev),
        Task::Size => size::size(),
    }
}
