//! Gradling itself, through its public API.

use std::hint::black_box;
use std::time::Instant;

use gradling::nn::{
    Activation, Conv2D, Dense, Fit, FitRun, Flatten, Loss, MaxPooling2D, Optimizer, Progress, Sequential,
};
use gradling::{
    DType, Device, Level, Padding, Plan, PlanOptions, Result, Session, Shape, Tape, Tensor, Trace, Var,
    Variables, Window,
};

use crate::measure::System;
use crate::workload::{Job, Numbers, Work};

/// Gradling at the best level of this machine.
#[derive(Default)]
pub struct Gradling {
    ready: Vec<Ready>,
}

/// A job made ready.
enum Ready {
    /// A planned kernel.
    Plan(Box<Session>),
    /// A training run, one batch after another.
    Train(Box<Sequential>, Box<FitRun>),
    /// An eager sum.
    Add(Tensor, Tensor),
}

impl Ready {
    fn new(job: &Job) -> Result<Option<Ready>> {
        let mut numbers = Numbers::new(1);
        let mut tensor = |dims: &[usize]| Tensor::new(dims, numbers.fill(job.input, dims.iter().product()));
        match job.work {
            Work::T1 | Work::T2 => {
                let (model, sample) =
                    if job.work == Work::T1 { (mlp(), vec![784]) } else { (lenet(), vec![28, 28, 1]) };
                let rows = BATCHES * job.batch;
                let x = tensor(&[&[rows], &sample[..]].concat())?;
                let labels: Vec<i32> = (0..rows).map(|i| (i * 7 % 10) as i32).collect();
                let y = Tensor::new(&[rows], labels)?;
                let mut model = model.on(&Device::new(Level::best(), job.threads)?);
                let loss = Loss::SparseCategoricalCrossentropy { from_logits: false };
                model.compile(Optimizer::adam(), loss, &[])?;
                let fit = Fit { epochs: usize::MAX, batch_size: job.batch, ..Fit::default() };
                let run = model.begin_fit(&x, &y, &fit)?;
                Ok(Some(Ready::Train(Box::new(model), Box::new(run))))
            }
            Work::Matmul(n) => {
                let operands = [tensor(&[n, n])?, tensor(&[n, n])?];
                planned(job, operands, |a, b| a.matmul(b)).map(Some)
            }
            Work::Conv => {
                let operands = [tensor(&[1, 56, 56, 64])?, tensor(&[3, 3, 64, 64])?];
                let window = Window::new([3, 3]).padding(Padding::Same);
                planned(job, operands, |x, w| x.conv2d(w, &window)).map(Some)
            }
            Work::Add => Ok(Some(Ready::Add(tensor(&[1000])?, tensor(&[1000])?))),
        }
    }

    fn run(&mut self, iterations: usize) -> Result<()> {
        match self {
            Ready::Plan(session) => {
                let mut variables = Variables::new();
                for _ in 0..iterations {
                    session.run(&mut variables)?;
                }
                black_box(session.output::<f32>(0, &variables)?);
            }
            Ready::Train(model, run) => {
                let mut left = iterations;
                while left > 0 {
                    if let Progress::Batch { loss, .. } = run.step(model)? {
                        black_box(loss);
                        left -= 1;
                    }
                }
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

/// Batches of the data set; the other systems cycle through as many.
const BATCHES: usize = 16;

/// 784-128(relu)-10.
fn mlp() -> Sequential {
    Sequential::new()
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax))
}

/// LeNet-5 with relu and max pooling on 28x28x1.
fn lenet() -> Sequential {
    let dense = |units| Dense::new(units).activation(Activation::Relu);
    Sequential::new()
        .add(Conv2D::new(6, [5, 5]).padding(Padding::Same).activation(Activation::Relu))
        .add(MaxPooling2D::new([2, 2]))
        .add(Conv2D::new(16, [5, 5]).activation(Activation::Relu))
        .add(MaxPooling2D::new([2, 2]))
        .add(Flatten::new())
        .add(dense(120))
        .add(dense(84))
        .add(Dense::new(10).activation(Activation::Softmax))
}

/// A session that applies `op` to two operands.
fn planned(
    job: &Job,
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
    let mut session = Session::new(plan, &Device::new(Level::best(), job.threads)?)?;
    for (i, operand) in operands.iter().enumerate() {
        session.set_input(i, operand)?;
    }
    Ok(Ready::Plan(Box::new(session)))
}

impl System for Gradling {
    fn name(&self) -> String {
        "gradling".into()
    }

    fn prepare(&mut self, job: &Job) -> std::result::Result<Option<usize>, String> {
        let Some(ready) = Ready::new(job).map_err(|e| e.to_string())? else { return Ok(None) };
        self.ready.push(ready);
        Ok(Some(self.ready.len() - 1))
    }

    fn run(&mut self, handle: usize, iterations: usize) -> std::result::Result<f64, String> {
        let start = Instant::now();
        self.ready[handle].run(iterations).map_err(|e| e.to_string())?;
        Ok(start.elapsed().as_secs_f64())
    }
}
