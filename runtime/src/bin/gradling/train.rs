//! `gradling train`.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::rc::Rc;
use std::thread;
use std::time::Instant;

use clap::{Args, ValueEnum};
use gradling::data::mnist;
use gradling::gpu::Gpu;
use gradling::nn::{
    Activation, Adam, Callback, Conv2D, Dense, Fit, Flatten, Flow, Logs, Loss, MaxPooling2D, Metric,
    Sequential,
};
use gradling::{Device, Level, Padding, Result, Tensor, plot};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::output::{Failure, check_target, note, say};
use crate::source;

/// The command line of `gradling train`.
#[derive(Args)]
pub struct Train {
    /// The data set
    dataset: DataSet,
    /// The network
    #[arg(long, default_value = "mlp")]
    model: Network,
    /// How often to go through the training pictures
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,
    /// Pictures per training step
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    batch_size: u32,
    /// Seed of the first weights and of the order of the pictures
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Step size of the Adam optimizer
    #[arg(long, default_value_t = 0.001, value_parser = positive)]
    learning_rate: f32,
    /// Folder with the four MNIST files [default: GRADLING_DATA, else the cache, else an embedded subset]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Write the trained model to this file
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Draw the curves of loss and accuracy into this .png or .svg file
    #[arg(long, value_name = "FILE", value_parser = drawing)]
    plot: Option<PathBuf>,
    /// Print a JSON object a line for each epoch, and nothing else, on standard output
    #[arg(long)]
    json: bool,
    /// Threads to compute with [default: all]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Compute strictly: slower, with the same bits on every machine
    #[arg(long)]
    strict: bool,
    /// What computes: the processor, the GPU, or whichever takes less time for a step
    #[arg(long, default_value = "cpu", conflicts_with = "strict")]
    device: Where,
    /// Do not download MNIST where it is missing
    #[arg(long)]
    no_download: bool,
}

/// What computes.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Where {
    Cpu,
    Gpu,
    Auto,
}

/// What can be trained on.
#[derive(Clone, Copy, ValueEnum)]
enum DataSet {
    /// Handwritten digits, 28x28
    Mnist,
}

/// What can be trained.
#[derive(Clone, Copy, ValueEnum)]
enum Network {
    /// Flatten, Dense(128, relu), Dense(10, softmax)
    Mlp,
    /// LeNet-5 with relu and max pooling
    Lenet,
}

/// A step size from the command line.
fn positive(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(rate) if rate > 0.0 && rate.is_finite() => Ok(rate),
        _ => Err("expected a number above 0".to_string()),
    }
}

/// The name of a drawing from the command line.
fn drawing(name: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(name);
    plot::check_name(&path).map(|_| path).map_err(|e| e.to_string())
}

impl Network {
    /// The untrained network and the shape of one of its inputs.
    fn make(self) -> (Sequential, &'static [usize]) {
        match self {
            Network::Mlp => {
                let model = Sequential::new()
                    .add(Flatten::new())
                    .add(Dense::new(128).activation(Activation::Relu))
                    .add(Dense::new(10).activation(Activation::Softmax));
                (model, &[28, 28])
            }
            Network::Lenet => {
                let model = Sequential::new()
                    .add(Conv2D::new(6, [5, 5]).padding(Padding::Same).activation(Activation::Relu))
                    .add(MaxPooling2D::new([2, 2]))
                    .add(Conv2D::new(16, [5, 5]).activation(Activation::Relu))
                    .add(MaxPooling2D::new([2, 2]))
                    .add(Flatten::new())
                    .add(Dense::new(120).activation(Activation::Relu))
                    .add(Dense::new(84).activation(Activation::Relu))
                    .add(Dense::new(10).activation(Activation::Softmax));
                (model, &[28, 28, 1])
            }
        }
    }
}

impl Train {
    /// Trains, reports each epoch, saves and plots.
    pub fn run(&self) -> Result<(), Failure> {
        for path in self.save.iter().chain(&self.plot) {
            check_target(path)?;
        }
        let DataSet::Mnist = self.dataset;
        let mnist = source::load(self.data.as_deref(), !self.no_download)?;

        let (model, input) = self.model.make();
        let threads =
            self.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let device = Device::new(Level::best(), threads)?;
        let device = if self.strict { device.strict() } else { device };
        let mut model = model.seed(self.seed).on(&device);
        model.build(input)?;
        let adam = Adam { learning_rate: self.learning_rate, ..Adam::default() };
        let loss = Loss::SparseCategoricalCrossentropy { from_logits: false };
        model.compile(adam, loss, &[Metric::Accuracy])?;
        match self.device {
            Where::Cpu => {}
            Where::Gpu => model = model.on_gpu(&Gpu::open(None)?),
            // A machine without a GPU has a choice of one.
            Where::Auto => match Gpu::open(None) {
                Ok(gpu) => model = model.on_faster(&gpu),
                Err(error) => note(&format!("computes on the cpu: {error}")),
            },
        }
        if !self.json {
            say(&model.summary())?;
        }

        let (x, y) = (scaled(&mnist.train_x, input)?, mnist.train_y);
        let test = (scaled(&mnist.test_x, input)?.into(), mnist.test_y.into());
        let closed = Rc::new(Cell::new(false));
        let mut fit = Fit {
            epochs: self.epochs as usize,
            batch_size: self.batch_size as usize,
            validation: Some(test),
            callbacks: vec![Box::new(Report {
                json: self.json,
                epochs: self.epochs as usize,
                epoch: 0,
                start: Instant::now(),
                bar: None,
                closed: closed.clone(),
            })],
            ..Fit::default()
        };
        let history = model.fit(&x, &y, &mut fit)?;
        if closed.get() {
            return Err(Failure::Closed);
        }
        if let Some(path) = &self.save {
            model.save(path)?;
            note(&format!("saved the model to {}", path.display()));
        }
        if let Some(path) = &self.plot {
            plot::history(&history).save(path)?;
            note(&format!("drew the curves into {}", path.display()));
        }
        Ok(())
    }
}

/// Pictures of bytes as inputs of shape `input` in 0 to 1.
fn scaled(pictures: &Tensor, input: &[usize]) -> Result<Tensor> {
    let mut dims = vec![pictures.shape().dim(0)];
    dims.extend_from_slice(input);
    mnist::scaled(pictures)?.reshape(&dims)
}

/// Tells how the training goes: a bar on standard error, a line for each epoch on standard output.
struct Report {
    json: bool,
    epochs: usize,
    epoch: usize,
    start: Instant,
    bar: Option<ProgressBar>,
    closed: Rc<Cell<bool>>,
}

/// The line of an epoch under `--json`.
#[derive(Serialize)]
struct Line {
    epoch: usize,
    loss: Option<f32>,
    accuracy: Option<f32>,
    val_loss: Option<f32>,
    val_accuracy: Option<f32>,
    seconds: f64,
}

impl Callback for Report {
    fn on_epoch_begin(&mut self, epoch: usize, _model: &mut Sequential) -> Result<Flow> {
        self.epoch = epoch;
        self.start = Instant::now();
        Ok(Flow::Continue)
    }

    fn on_batch_end(&mut self, step: usize, steps: usize, logs: &Logs, _: &mut Sequential) -> Result<Flow> {
        if !self.json {
            let bar = self.bar.get_or_insert_with(|| bar(self.epoch, self.epochs, steps));
            bar.set_position(step as u64);
            bar.set_message(text(logs));
        }
        Ok(Flow::Continue)
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &Logs, _model: &mut Sequential) -> Result<Flow> {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let seconds = self.start.elapsed().as_secs_f64();
        let line = if self.json {
            let line = Line {
                epoch: epoch + 1,
                loss: logs.get("loss"),
                accuracy: logs.get("accuracy"),
                val_loss: logs.get("val_loss"),
                val_accuracy: logs.get("val_accuracy"),
                seconds: (seconds * 1e3).round() / 1e3,
            };
            serde_json::to_string(&line).map_err(|e| gradling::device_error!("JSON: {e}"))?
        } else {
            format!("Epoch {}/{} - {seconds:.1}s - {}", epoch + 1, self.epochs, text(logs))
        };
        match say(&line) {
            Ok(()) => Ok(Flow::Continue),
            Err(Failure::Closed) => {
                self.closed.set(true);
                Ok(Flow::Stop)
            }
            Err(Failure::Error(error)) => Err(error),
        }
    }
}

fn bar(epoch: usize, epochs: usize, steps: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {pos}/{len} {bar:30} {elapsed}<{eta} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━━─");
    ProgressBar::new(steps as u64).with_style(style).with_prefix(format!("Epoch {}/{epochs}", epoch + 1))
}

/// `loss: 0.1234 - accuracy: 0.9876`
fn text(logs: &Logs) -> String {
    let values: Vec<String> = logs.iter().map(|(name, value)| format!("{name}: {value:.4}")).collect();
    values.join(" - ")
}
