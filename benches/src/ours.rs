//! Gradling itself, through its public API.

use std::hint::black_box;
use std::time::Instant;

use gradling::nn::{Fit, FitRun, Loss, Model, Optimizer, Progress};
use gradling::session::Limits;
use gradling::{
    DType, Device, Level, Padding, Plan, PlanOptions, Result, Session, Shape, Tape, Tensor, Trace, Var,
    Variables, Window,
};

use crate::measure::System;
use crate::models;
use crate::workload::{Job, Net, Numbers, Work};

/// Gradling at the best level of this machine.
#[derive(Default)]
pub struct Gradling {
    ready: Vec<Ready>,
    strict: bool,
}

impl Gradling {
    /// The same with strict arithmetic.
    pub fn strict() -> Gradling {
        Gradling { strict: true, ..Gradling::default() }
    }
}

/// What a job runs on.
fn device(job: &Job, strict: bool) -> Result<Device> {
    let device = Device::new(Level::best(), job.threads)?;
    Ok(if strict { device.strict() } else { device })
}

/// Batches of the data set; the other systems cycle through as many.
const BATCHES: usize = 16;

/// A job made ready.
enum Ready {
    /// A training run, one batch after another.
    Train(Box<Model>, Box<FitRun>),
    /// Inference of one sample.
    Predict(Box<Model>, Tensor),
    /// A planned kernel.
    Plan(Box<Session>),
    /// An eager sum.
    Add(Tensor, Tensor),
}

impl Ready {
    fn new(job: &Job, strict: bool) -> Result<Ready> {
        let mut numbers = Numbers::new(1);
        let mut tensor = |dims: &[usize]| Tensor::new(dims, numbers.fill(job.input, dims.iter().product()));
        match job.work {
            Work::T1 => train(job, strict, models::mlp(), &[784]),
            Work::T2 => train(job, strict, models::lenet(), &[28, 28, 1]),
            Work::T3 => train(job, strict, models::baseline(), &[32, 32, 3]),
            Work::T4 => train(job, strict, models::resnet18()?, &[32, 32, 3]),
            Work::T5(cell) => train(job, strict, models::stock(cell), &[60, 1]),
            Work::Infer(net) => infer(job, strict, net),
            Work::Matmul(n) => {
                let operands = [tensor(&[n, n])?, tensor(&[n, n])?];
                planned(job, strict, operands, |a, b| a.matmul(b))
            }
            Work::Conv => {
                let operands = [tensor(&[1, 56, 56, 64])?, tensor(&[3, 3, 64, 64])?];
                let window = Window::new([3, 3]).padding(Padding::Same);
                planned(job, strict, operands, |x, w| x.conv2d(w, &window))
            }
            Work::Add => Ok(Ready::Add(tensor(&[1000])?, tensor(&[1000])?)),
        }
    }

    fn run(&mut self, iterations: usize) -> Result<()> {
        match self {
            Ready::Train(model, run) => {
                let mut left = iterations;
                while left > 0 {
                    if let Progress::Batch { loss, .. } = run.step(model)? {
                        black_box(loss);
                        left -= 1;
                    }
                }
            }
            Ready::Predict(model, x) => {
                for _ in 0..iterations {
                    black_box(model.predict(&*x, 1)?);
                }
            }
            Ready::Plan(session) => {
                let mut variables = Variables::new();
                for _ in 0..iterations {
                    session.run(&mut variables)?;
                }
                black_box(session.output::<f32>(0, &variables)?);
            }
            Ready::Add(a, b) => {
                for _ in 0..iterations {
                    let tape = Tape::new();
                    black_box(tape.value(tape.constant(a) + tape.constant(b))?);
                }
            }
        }
        Ok(())
    }
}

/// A training run on sixteen batches: ten classes, or for T5 one number.
fn train(job: &Job, strict: bool, model: Model, sample: &[usize]) -> Result<Ready> {
    let mut numbers = Numbers::new(1);
    let mut model = model.on(&device(job, strict)?);
    let rows = BATCHES * job.batch;
    let dims: Vec<usize> = [rows].iter().chain(sample).copied().collect();
    let x = Tensor::new(&dims, numbers.fill(job.input, dims.iter().product()))?;
    let (loss, y) = match job.work {
        Work::T5(_) => (Loss::MeanSquaredError, Tensor::new(&[rows, 1], numbers.fill(job.input, rows))?),
        _ => {
            let loss = Loss::SparseCategoricalCrossentropy { from_logits: false };
            (loss, Tensor::new(&[rows], numbers.labels(10, rows))?)
        }
    };
    model.compile(Optimizer::adam(), loss, &[])?;
    let fit = Fit { epochs: usize::MAX, batch_size: job.batch, ..Fit::default() };
    let run = model.begin_fit(&x, &y, &fit)?;
    Ok(Ready::Train(Box::new(model), Box::new(run)))
}

/// Inference of one sample.
fn infer(job: &Job, strict: bool, net: Net) -> Result<Ready> {
    let (model, sample) = models::net(net)?;
    let mut model = model.on(&device(job, strict)?);
    model.build(sample)?;
    let dims: Vec<usize> = [1].iter().chain(sample).copied().collect();
    let x = Tensor::new(&dims, Numbers::new(1).fill(job.input, dims.iter().product()))?;
    Ok(Ready::Predict(Box::new(model), x))
}

/// A session that applies `op` to two operands.
fn planned(
    job: &Job,
    strict: bool,
    operands: [Tensor; 2],
    op: impl for<'b> Fn(Var<'b>, Var<'b>) -> Var<'b>,
) -> Result<Ready> {
    let trace = Trace::new(&Variables::new());
    {
        let [a, b] = [0, 1].map(|i| {
            let shape: Shape = *operands[i].shape();
            trace.input(["a", "b"][i], shape, DType::F32)
        });
        trace.output("y", op(a, b));
    }
    let plan = Plan::compile(&trace.finish()?, &PlanOptions::default())?;
    let mut session = Session::new(plan, &device(job, strict)?)?;
    for (i, operand) in operands.iter().enumerate() {
        session.set_input(i, operand)?;
    }
    Ok(Ready::Plan(Box::new(session)))
}

/// The steps of a train step or an inference with their times; nothing for kernels.
///
/// **Errors** when the job cannot be made ready.
pub fn profile(job: &Job) -> Result<Option<String>> {
    let (model, plan) = match Ready::new(job, false)? {
        Ready::Train(model, _) => {
            let plan = model.train_plan(job.batch)?;
            (model, plan)
        }
        Ready::Predict(model, _) => {
            let plan = Plan::compile(&model.inference_graph(1, DType::F32)?, &PlanOptions::default())?;
            (model, plan)
        }
        Ready::Plan(_) | Ready::Add(..) => return Ok(None),
    };
    let device = device(job, false)?;
    let mut session = Session::new(plan, &device)?;
    let mut numbers = Numbers::new(1);
    for n in 0..session.plan().inputs().len() {
        let slot = session.plan().inputs()[n].slot;
        if slot.dtype == DType::F32 {
            session.input_mut::<f32>(n)?.copy_from_slice(&numbers.fill(job.input, slot.shape.numel()));
        }
    }
    let profile = session.profile(&mut model.variables().clone(), 20)?;
    Ok(Some(profile.table(&Limits::measure(&device)?).to_string()))
}

impl System for Gradling {
    fn name(&self) -> String {
        if self.strict { "gradling strict" } else { "gradling" }.into()
    }

    fn prepare(&mut self, job: &Job) -> std::result::Result<Option<usize>, String> {
        self.ready.push(Ready::new(job, self.strict).map_err(|e| e.to_string())?);
        Ok(Some(self.ready.len() - 1))
    }

    fn run(&mut self, handle: usize, iterations: usize) -> std::result::Result<f64, String> {
        let start = Instant::now();
        self.ready[handle].run(iterations).map_err(|e| e.to_string())?;
        Ok(start.elapsed().as_secs_f64())
    }
}
