//! `gradling devices`: what can compute here, and what runs where.

use clap::Args;
use gradling::gpu::{self, Gpu};
use gradling::{Level, Result};

use crate::output::{Failure, say};

/// The command line of `gradling devices`.
#[derive(Args)]
pub struct Devices {}

impl Devices {
    /// Lists the devices and prints the table of ops.
    pub fn run(&self) -> Result<(), Failure> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let levels: Vec<String> = Level::available().iter().map(|level| format!("{level:?}")).collect();
        say(&format!("cpu: {threads} threads, {}", levels.join(", ")))?;
        match Gpu::open(None) {
            Ok(gpu) => {
                let software = if gpu.is_software() { ", computes on the processor" } else { "" };
                say(&format!("gpu: {}{software}; its self-test passes", gpu.name()))?;
            }
            Err(error) => say(&format!("gpu: none: {error}"))?,
        }
        for adapter in Gpu::adapters() {
            say(&format!("adapter: {adapter}"))?;
        }
        say("")?;
        say(gpu::table(&gpu::support()).to_string().trim_end())
    }
}
