//! The `gradling` command: trains, uses and inspects models.

mod devices;
mod inspect;
mod output;
mod predict;
mod source;
mod train;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use output::Failure;

/// Trains neural networks, uses them and looks into their files.
#[derive(Parser)]
#[command(name = "gradling", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a network on a data set
    Train(train::Train),
    /// Tell which digits are in pictures
    Predict(predict::Predict),
    /// Show the layers, parameters, memory and steps of a model file
    Inspect(inspect::Inspect),
    /// List what can compute here, and which ops run where
    Devices(devices::Devices),
    /// Turn a model file into an inference plan for microcontrollers
    Convert(inspect::Convert),
}

/// Exit status 0, 1 for a failure, 2 (by the argument parser) for a command line that has no meaning.
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.command {
        Command::Train(train) => train.run(),
        Command::Predict(predict) => predict.run(),
        Command::Inspect(inspect) => inspect.run(),
        Command::Devices(devices) => devices.run(),
        Command::Convert(convert) => convert.run(),
    };
    match done {
        // A reader that has seen enough, such as `head`, is no failure.
        Ok(()) | Err(Failure::Closed) => ExitCode::SUCCESS,
        Err(Failure::Error(error)) => {
            output::note(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}
