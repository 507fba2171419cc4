//! `gradling inspect` and `gradling convert`.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use gradling::io::atomic;
use gradling::nn::Sequential;
use gradling::plan::Plan;
use gradling::session::Limits;
use gradling::{DType, Device, Result, Session, device_error, misuse};

use crate::output::{Failure, check_target, note, say};

/// The command line of `gradling inspect`.
#[derive(Args)]
pub struct Inspect {
    /// A model file made by `gradling train --save`
    file: PathBuf,
    /// List the steps of the inference plan: kernels, operations, bytes, and the memory of the whole
    #[arg(long)]
    plan: bool,
    /// Time each step of the inference plan beside what this machine does at most
    #[arg(long)]
    profile: bool,
    /// List and time the plan of a train step instead
    #[arg(long)]
    train: bool,
    /// Samples of that plan [default: 1 for inference, 32 for training]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    batch_size: Option<u32>,
}

/// The command line of `gradling convert`.
#[derive(Args)]
pub struct Convert {
    /// A model file made by `gradling train --save`
    file: PathBuf,
    /// The plan file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Samples that the plan takes at once
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    batch_size: u32,
}

impl Inspect {
    /// Prints layers, parameters, and the memory and steps of inference of one sample.
    pub fn run(&self) -> Result<(), Failure> {
        let model = Sequential::load(&self.file)?;
        let plan = Plan::from_bytes(&model.export_plan(1)?)?;
        let size = fs::metadata(&self.file).map_err(|e| device_error!("{}: {e}", self.file.display()))?.len();
        say(model.summary().trim_end())?;
        say("")?;
        say(&format!("file:      {} bytes", grouped(size)))?;
        say(&format!(
            "inference: batch 1, {} steps, {} operations",
            plan.steps().len(),
            grouped(plan.flops())
        ))?;
        say(&format!("arena:     {} bytes", grouped(plan.arena_bytes() as u64)))?;
        say(&format!("constants: {} bytes", grouped(plan.constant_bytes() as u64)))?;
        if model.compile_config().is_some() {
            let train = model.train_plan(32)?;
            say(&format!(
                "training:  batch 32, {} steps, {} operations, arena {} bytes",
                train.steps().len(),
                grouped(train.flops()),
                grouped(train.arena_bytes() as u64)
            ))?;
        }
        if self.plan || self.profile {
            let plan = self.chosen(&model)?;
            if self.plan {
                say("")?;
                say(plan.table(&Device::default().cpu()).to_string().trim_end())?;
            }
            if self.profile {
                profile(&model, plan)?;
            }
        }
        Ok(())
    }

    fn chosen(&self, model: &Sequential) -> Result<Plan> {
        let batch = |default: usize| self.batch_size.map_or(default, |n| n as usize);
        if !self.train {
            return model.predict_plan(batch(1));
        }
        if model.compile_config().is_none() {
            return Err(misuse!("inspect --train: the model is not compiled, so it has no train step"));
        }
        model.train_plan(batch(32))
    }
}

/// Times each step of a plan; inputs are halves, labels are zeros.
fn profile(model: &Sequential, plan: Plan) -> Result<(), Failure> {
    let device = Device::default();
    let mut session = Session::new(plan, &device)?;
    for n in 0..session.plan().inputs().len() {
        if session.plan().inputs()[n].slot.dtype == DType::F32 {
            session.input_mut::<f32>(n)?.fill(0.5);
        }
    }
    let mut variables = model.variables().clone();
    let profile = session.profile(&mut variables, 50)?;
    let limits = Limits::measure(&device)?;
    say("")?;
    say(&format!("limits of one thread: {:.1} GFLOP/s, {:.1} GB/s", limits.flops / 1e9, limits.bytes / 1e9))?;
    say(profile.table(&limits).to_string().trim_end())
}

impl Convert {
    /// Writes the inference plan of a model.
    pub fn run(&self) -> Result<(), Failure> {
        check_target(&self.output)?;
        let model = Sequential::load(&self.file)?;
        let bytes = model.export_plan(self.batch_size as usize)?;
        atomic::write(&self.output, &bytes)?;
        note(&format!("wrote {} bytes to {}", bytes.len(), self.output.display()));
        Ok(())
    }
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
