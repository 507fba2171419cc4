//! The workloads: what is run, how much arithmetic it is, and what it is fed.

use std::fmt;

/// Distribution of the inputs. Uniform inputs leave many hidden units dead, which drives moments of
/// Adam into denormal numbers; normal inputs do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Input {
    /// Normal with mean 0 and variance 1.
    Normal,
    /// Uniform in [0, 1).
    Uniform,
}

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Train step of the MLP 784-128-10, Adam.
    T1,
    /// Train step of LeNet-5 on 28x28x1, Adam.
    T2,
    /// Train step of the course's CIFAR-10 baseline on 32x32x3, Adam.
    T3,
    /// Train step of ResNet-18 on 32x32x3, Adam.
    T4,
    /// Train step of two recurrent layers of 80 and 100 units on 60 steps, Adam.
    T5(Cell),
    /// Inference of one sample.
    Infer(Net),
    /// Square matrix product of this size.
    Matmul(usize),
    /// Convolution 56x56x64 -> 64, 3x3, same padding, batch 1.
    Conv,
    /// Sum of two vectors of 1,000 elements through the public API.
    Add,
}

/// The cell of recurrent layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// One product and a hyperbolic tangent.
    SimpleRNN,
    /// Long short-term memory.
    LSTM,
    /// Gated recurrent unit.
    GRU,
}

/// A model that is only run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Net {
    /// 784-128-10.
    Mlp,
    /// LeNet-5 on 28x28x1.
    LeNet,
    /// ResNet-18 on 32x32x3.
    ResNet18,
    /// MobileNetV2 of width 1 on 224x224x3.
    MobileNetV2,
}

/// One row of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// What is run.
    pub work: Work,
    /// Rows of a batch; 1 for kernels.
    pub batch: usize,
    /// Threads each system may use.
    pub threads: usize,
    /// Distribution of the inputs.
    pub input: Input,
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Work::T1 => f.write_str("T1"),
            Work::T2 => f.write_str("T2"),
            Work::T3 => f.write_str("T3"),
            Work::T4 => f.write_str("T4"),
            Work::T5(cell) => write!(f, "T5 {cell:?}"),
            Work::Infer(net) => write!(f, "I1 {net:?}"),
            Work::Matmul(n) => write!(f, "matmul{n}"),
            Work::Conv => f.write_str("conv"),
            Work::Add => f.write_str("add"),
        }
    }
}

impl Job {
    /// Least floating-point operations of one step or call.
    pub fn flops(&self) -> f64 {
        match self.work {
            Work::T1 => 13e6 * self.batch as f64 / 32.0,
            Work::T2 => 73e6 * self.batch as f64 / 32.0,
            Work::T3 => 97e6 * self.batch as f64 / 32.0,
            Work::T4 => 53e9 * self.batch as f64 / 16.0,
            Work::T5(Cell::LSTM) => 2.3e9 * self.batch as f64 / 64.0,
            Work::T5(Cell::GRU) => 2.3e9 * 0.75 * self.batch as f64 / 64.0,
            Work::T5(Cell::SimpleRNN) => 2.3e9 * 0.25 * self.batch as f64 / 64.0,
            Work::Infer(Net::Mlp) => 0.203e6,
            Work::Infer(Net::LeNet) => 0.83e6,
            Work::Infer(Net::ResNet18) => 1.11e9,
            Work::Infer(Net::MobileNetV2) => 0.6e9,
            Work::Matmul(n) => 2.0 * (n as f64).powi(3),
            Work::Conv => 2.0 * 56.0 * 56.0 * 64.0 * 64.0 * 9.0,
            Work::Add => 1000.0,
        }
    }

    /// Whether the job is a train step, so that samples per second mean something.
    pub fn trains(&self) -> bool {
        matches!(self.work, Work::T1 | Work::T2 | Work::T3 | Work::T4 | Work::T5(_))
    }

    /// Name in tables.
    pub fn label(&self) -> String {
        let batch = if self.trains() { format!(" b{}", self.batch) } else { String::new() };
        let input = if self.trains() && self.input == Input::Uniform { " uniform" } else { "" };
        format!("{}{batch}{input}", self.work)
    }
}

/// The jobs of `names` (`T1` to `T5`, `I1`, `K1`) for each thread count, in the order of the report.
///
/// **Errors** when a name is none of these.
pub fn jobs(names: &[String], threads: &[usize], inputs: &[Input]) -> Result<Vec<Job>, String> {
    let mut all = Vec::new();
    for name in names {
        let rows: Vec<(Work, usize)> = match name.as_str() {
            "T1" => vec![(Work::T1, 32), (Work::T1, 128)],
            "T2" => vec![(Work::T2, 32), (Work::T2, 128)],
            "T3" => vec![(Work::T3, 32), (Work::T3, 128)],
            "T4" => vec![(Work::T4, 16)],
            "T5" => [Cell::SimpleRNN, Cell::LSTM, Cell::GRU].map(|cell| (Work::T5(cell), 64)).into(),
            "I1" => [Net::Mlp, Net::LeNet, Net::ResNet18, Net::MobileNetV2]
                .map(|net| (Work::Infer(net), 1))
                .into(),
            // Products that keep a GPU busy.
            "G1" => {
                [1024, 2048, 4096].into_iter().map(Work::Matmul).chain([Work::Conv]).map(|w| (w, 1)).collect()
            }
            "K1" => [64, 128, 256, 512, 1024, 2048]
                .into_iter()
                .map(Work::Matmul)
                .chain([Work::Conv, Work::Add])
                .map(|w| (w, 1))
                .collect(),
            other => return Err(format!("no workload {other}; there are T1 to T5, I1, K1 and G1")),
        };
        for (work, batch) in rows {
            for &input in inputs {
                let job = Job { work, batch, threads: 1, input };
                if job.trains() || input == inputs[0] {
                    all.extend(threads.iter().map(|&threads| Job { threads, ..job }));
                }
            }
        }
    }
    Ok(all)
}

/// The operands of kernels, the same for every system, seeds 1 and 2.
pub fn pattern(n: usize, seed: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 37 + seed * 11) % 101) as f32 / 101.0 - 0.5).collect()
}

/// A stream of input numbers: an xorshift generator, so that runs repeat.
#[derive(Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Numbers {
        Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next 32 random bits.
    pub fn bits(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32
    }

    /// The next number uniform in [0, 1).
    pub fn uniform(&mut self) -> f32 {
        (self.bits() >> 8) as f32 / (1 << 24) as f32
    }

    /// `n` numbers of the distribution. A normal number is the sum of twelve uniform ones, less six.
    pub fn fill(&mut self, input: Input, n: usize) -> Vec<f32> {
        (0..n)
            .map(|_| match input {
                Input::Uniform => self.uniform(),
                Input::Normal => (0..12).map(|_| self.uniform()).sum::<f32>() - 6.0,
            })
            .collect()
    }

    /// `n` class labels below `classes`.
    pub fn labels(&mut self, classes: u32, n: usize) -> Vec<i32> {
        (0..n).map(|_| (self.bits() % classes) as i32).collect()
    }
}
