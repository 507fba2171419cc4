//! Gradling itself, through its public API.

use std::hint::black_box;
use std::time::Instant;

use gradling::kernel::ceiling::{Ceilings, Memory as Where};
use gradling::nn::{Fit, FitRun, Loss, Model, Optimizer, Progress};
use gradling::session::Limits;
use gradling::{
    DType, Device, Level, Padding, Plan, PlanOptions, Result, Session, Shape, Tape, Tensor, Trace, Var,
    Variables, Window,
};

use crate::measure::{Check, Prepared, System};
use crate::models;
use crate::workload::{Job, Net, Numbers, Work, pattern};

/// Gradling at one level.
pub struct Gradling {
    level: Level,
    ready: Vec<Ready>,
    strict: bool,
    #[cfg(feature = "gpu")]
    gpu: Option<gradling::gpu::Gpu>,
}

impl Gradling {
    /// At a level of this machine.
    pub fn new(level: Level) -> Gradling {
        Gradling {
            level,
            ready: Vec::new(),
            strict: false,
            #[cfg(feature = "gpu")]
            gpu: None,
        }
    }

    /// The same on a GPU.
    #[cfg(feature = "gpu")]
    pub fn on_gpu(self, gpu: gradling::gpu::Gpu) -> Gradling {
        Gradling { gpu: Some(gpu), ..self }
    }

    /// The same with strict arithmetic.
    pub fn strict(self) -> Gradling {
        Gradling { strict: true, ..self }
    }
}

/// Batches of the data set; the other systems cycle through as many.
const BATCHES: usize = 16;

/// A job made ready.
enum Ready {
    /// A training run, one batch of so many samples after another.
    Train(Box<Model>, Box<FitRun>, usize),
    /// Inference of one sample.
    Predict(Box<Model>, Tensor),
    /// A planned kernel.
    Plan(Box<Session>),
    /// One on a GPU.
    #[cfg(feature = "gpu")]
    Gpu(Box<gradling::gpu::Session>),
    /// An eager sum.
    Add(Tensor, Tensor),
}

impl Ready {
    fn new(job: &Job, level: Level, strict: bool) -> Result<Ready> {
        let device = Device::new(level, job.threads)?;
        let device = if strict { device.strict() } else { device };
        let tensor = |dims: &[usize], seed: usize| Tensor::new(dims, pattern(dims.iter().product(), seed));
        match job.work {
            Work::T1 => train(job, &device, models::mlp(), &[784]),
            Work::T2 => train(job, &device, models::lenet(), &[28, 28, 1]),
            Work::T3 => train(job, &device, models::baseline(), &[32, 32, 3]),
            Work::T4 => train(job, &device, models::resnet18()?, &[32, 32, 3]),
            Work::T5(cell) => train(job, &device, models::stock(cell), &[60, 1]),
            Work::Infer(net) => infer(job, &device, net),
            Work::Matmul(n) => {
                let operands = [tensor(&[n, n], 1)?, tensor(&[n, n], 2)?];
                planned(&device, operands, |a, b| a.matmul(b))
            }
            Work::Conv => {
                let operands = [tensor(&[1, 56, 56, 64], 1)?, tensor(&[3, 3, 64, 64], 2)?];
                let window = Window::new([3, 3]).padding(Padding::Same);
                planned(&device, operands, |x, w| x.conv2d(w, &window))
            }
            Work::Add => Ok(Ready::Add(tensor(&[1000], 1)?, tensor(&[1000], 2)?)),
        }
    }

    fn run(&mut self, iterations: usize) -> Result<()> {
        match self {
            Ready::Train(model, run, _) => {
                let mut left = iterations;
                while left > 0 {
                    if let Progress::Batch { loss, .. } = run.step(model)? {
                        black_box(loss);
                        left -= 1;
                    }
                }
                // Steps may be queued only.
                run.settle(model)?;
            }
            #[cfg(feature = "gpu")]
            Ready::Gpu(session) => {
                for _ in 0..iterations {
                    session.run();
                }
                session.gpu().wait()?;
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
fn train(job: &Job, device: &Device, model: Model, sample: &[usize]) -> Result<Ready> {
    let mut numbers = Numbers::new(1);
    let mut model = model.on(device);
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
    Ok(Ready::Train(Box::new(model), Box::new(run), job.batch))
}

/// Inference of one sample.
fn infer(job: &Job, device: &Device, net: Net) -> Result<Ready> {
    let (model, sample) = models::net(net)?;
    let mut model = model.on(device);
    model.build(sample)?;
    let dims: Vec<usize> = [1].iter().chain(sample).copied().collect();
    let x = Tensor::new(&dims, Numbers::new(1).fill(job.input, dims.iter().product()))?;
    Ok(Ready::Predict(Box::new(model), x))
}

/// A session that applies `op` to two operands.
fn planned(
    device: &Device,
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
    let mut session = Session::new(plan, device)?;
    for (i, operand) in operands.iter().enumerate() {
        session.set_input(i, operand)?;
    }
    Ok(Ready::Plan(Box::new(session)))
}

/// The plan of a job, and the variables it runs on; nothing for an eager sum.
///
/// **Errors** when the job cannot be made ready.
fn plan(job: &Job, level: Level) -> Result<Option<(Plan, Variables)>> {
    Ok(match Ready::new(job, level, false)? {
        Ready::Train(model, ..) => Some((model.train_plan(job.batch)?, model.variables().clone())),
        Ready::Predict(model, _) => Some((model.predict_plan(1)?, model.variables().clone())),
        Ready::Plan(session) => Some((session.plan().clone(), Variables::new())),
        #[cfg(feature = "gpu")]
        Ready::Gpu(session) => Some((session.plan().clone(), Variables::new())),
        Ready::Add(..) => None,
    })
}

/// What is known of a job without running it.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The least seconds by the ceilings of the machine: the sum over the steps of the plan, each either as fast as
    /// a tile of the matrix product or as a copy of its operands and results where they fit.
    pub least: f64,
    /// The memory of a train step.
    pub memory: Option<Memory>,
}

/// The bytes of a train step's plan.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct Memory {
    /// The arena.
    pub arena: usize,
    /// What the arena would be if every tensor in it had memory of its own.
    pub tensors: usize,
    /// The planner's lower bound.
    pub least: usize,
}

/// What is known of a job without running it.
///
/// **Errors** when the job cannot be made ready.
pub fn facts(job: &Job, ceilings: &Ceilings) -> Result<Facts> {
    let Some((plan, _)) = plan(job, ceilings.level)? else {
        // Two operands and a result.
        return Ok(Facts { least: ceilings.least(job.flops() as u64, 12_000), memory: None });
    };
    let steps = plan.steps().iter().map(|step| (step.flops(), step.read_bytes() + step.written_bytes()));
    // Each thread has registers and near caches of its own; what lies farther is shared.
    let least = steps.map(|(flops, bytes)| {
        let near = matches!(Where::holding(bytes), Where::L1 | Where::L2);
        let threads = job.threads as f64;
        let copy = ceilings.least(0, bytes) / if near { threads } else { 1.0 };
        copy.max(ceilings.least(flops, 0) / threads)
    });
    let memory = job.trains().then(|| Memory {
        arena: plan.arena_bytes(),
        tensors: plan.tensor_bytes(),
        least: plan.live_bytes(),
    });
    Ok(Facts { least: least.sum(), memory })
}

/// The steps of a job with their times; nothing for an eager sum.
///
/// **Errors** when the job cannot be made ready.
pub fn profile(job: &Job) -> Result<Option<String>> {
    let level = Level::best();
    let Some((plan, mut variables)) = plan(job, level)? else { return Ok(None) };
    let device = Device::new(level, job.threads)?;
    let memory = plan.memory().to_string();
    let mut session = Session::new(plan, &device)?;
    let mut numbers = Numbers::new(1);
    for n in 0..session.plan().inputs().len() {
        let slot = session.plan().inputs()[n].slot;
        if slot.dtype == DType::F32 {
            session.input_mut::<f32>(n)?.copy_from_slice(&numbers.fill(job.input, slot.shape.numel()));
        }
    }
    let profile = session.profile(&mut variables, 20)?;
    Ok(Some(format!("{}{memory}\n", profile.table(&Limits::measure(&device)?))))
}

#[cfg(feature = "gpu")]
impl Ready {
    /// The same on a GPU; an eager sum stays.
    fn on_gpu(self, gpu: &gradling::gpu::Gpu) -> Result<Ready> {
        Ok(match self {
            Ready::Train(model, run, batch) => Ready::Train(Box::new(model.on_gpu(gpu)), run, batch),
            Ready::Predict(model, x) => Ready::Predict(Box::new(model.on_gpu(gpu)), x),
            Ready::Plan(session) => {
                let mut there = gradling::gpu::Session::new(session.plan().clone(), gpu)?;
                for n in 0..2 {
                    let shape = session.plan().inputs()[n].slot.shape;
                    there.set_input(n, &Tensor::new(&shape.list(), pattern(shape.numel(), n + 1))?)?;
                }
                Ready::Gpu(Box::new(there))
            }
            other => other,
        })
    }
}

/// The dispatches of a job on a GPU with their times; nothing for an eager sum.
///
/// **Errors** when the job cannot be made ready or the adapter has no timestamps.
#[cfg(feature = "gpu")]
pub fn profile_gpu(job: &Job, gpu: &gradling::gpu::Gpu) -> Result<Option<String>> {
    use gradling::gpu::Session;
    let plan = match Ready::new(job, Level::best(), false)? {
        Ready::Train(model, ..) => model.train_plan_with(job.batch, &Session::options())?,
        Ready::Predict(model, _) => model.predict_plan_with(1, &Session::options())?,
        Ready::Plan(session) => session.plan().clone(),
        Ready::Gpu(_) | Ready::Add(..) => return Ok(None),
    };
    let mut session = Session::new(plan, gpu)?;
    Ok(Some(session.profile(10)?.to_string()))
}

impl Ready {
    fn check(&mut self) -> Result<Check> {
        Ok(match self {
            Ready::Train(model, ..) | Ready::Predict(model, _) => {
                let trained = model.variables().iter().map(|(_, v)| v).filter(|v| v.trainable);
                let parameters = trained.map(|v| v.shape.numel() as u64).sum();
                Check { parameters: Some(parameters), values: Vec::new() }
            }
            Ready::Plan(session) => {
                session.run(&mut Variables::new())?;
                let values = session.output::<f32>(0, &Variables::new())?[..4].to_vec();
                Check { parameters: None, values }
            }
            #[cfg(feature = "gpu")]
            Ready::Gpu(session) => {
                session.run();
                let values = session.outputs()?[0].as_f32()?[..4].to_vec();
                Check { parameters: None, values }
            }
            Ready::Add(a, b) => {
                let tape = Tape::new();
                let sum = tape.value(tape.constant(a) + tape.constant(b))?;
                Check { parameters: None, values: sum.as_f32()?[..4].to_vec() }
            }
        })
    }
}

impl System for Gradling {
    fn name(&self) -> String {
        #[cfg(feature = "gpu")]
        if let Some(gpu) = &self.gpu {
            return format!("gradling, {}", gpu.name());
        }
        if self.strict { "gradling strict" } else { "gradling" }.into()
    }

    fn prepare(&mut self, job: &Job) -> std::result::Result<Prepared, String> {
        #[cfg_attr(not(feature = "gpu"), allow(unused_mut))]
        let mut ready = Ready::new(job, self.level, self.strict).map_err(|e| e.to_string())?;
        #[cfg(feature = "gpu")]
        if let Some(gpu) = &self.gpu {
            ready = ready.on_gpu(gpu).map_err(|e| e.to_string())?;
        }
        let check = ready.check().map_err(|e| e.to_string())?;
        self.ready.push(ready);
        Ok(Prepared::Ready(crate::measure::Ready { handle: self.ready.len() - 1, check }))
    }

    fn run(&mut self, handle: usize, iterations: usize) -> std::result::Result<f64, String> {
        let start = Instant::now();
        self.ready[handle].run(iterations).map_err(|e| e.to_string())?;
        Ok(start.elapsed().as_secs_f64())
    }

    fn memory(&mut self, handle: usize) -> std::result::Result<Option<u64>, String> {
        match &self.ready[handle] {
            Ready::Train(model, _, batch) => {
                let plan = model.train_plan(*batch).map_err(|e| e.to_string())?;
                Ok(Some(plan.arena_bytes() as u64))
            }
            Ready::Predict(..) | Ready::Plan(_) | Ready::Add(..) => Ok(None),
            #[cfg(feature = "gpu")]
            Ready::Gpu(_) => Ok(None),
        }
    }
}
