//! The ways to run a graph: eagerly on a tape and as a plan, at every instruction-set level, with and
//! without the rewrite passes, on several threads, and read back from its file.

use std::fmt;

use gradling::op::{Builder, Op, ValueId};
use gradling::{Device, Graph, Level, Plan, PlanOptions, Session, Tape, Tensor, Variables};

use crate::program::{Fault, Program, Results, array};

/// One way to run a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executor {
    /// Each op as it is emitted, at the best level.
    Tape,
    /// Each op as it is emitted, by the portable kernels.
    TapePortable,
    /// A plan with the rewrite passes.
    Plan {
        /// Instruction set.
        level: Level,
        /// Threads.
        threads: usize,
    },
    /// A plan without fusion or any other rewrite, every result in memory of its own, no scratch memory.
    PlanUnfused,
    /// A plan, with its weights as constants, that was written to a file and read back. Only graphs that
    /// assign no variables have one.
    PlanFile,
    /// A plan on the GPU.
    #[cfg(feature = "gpu")]
    Gpu,
}

impl fmt::Display for Executor {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Executor::Tape => f.write_str("tape"),
            Executor::TapePortable => f.write_str("tape, portable"),
            Executor::Plan { level, threads: 1 } => write!(f, "plan, {level:?}"),
            Executor::Plan { level, threads } => write!(f, "plan, {level:?}, {threads} threads"),
            Executor::PlanUnfused => f.write_str("plan, unfused"),
            Executor::PlanFile => f.write_str("plan, read back"),
            #[cfg(feature = "gpu")]
            Executor::Gpu => f.write_str("plan, GPU"),
        }
    }
}

/// Every executor of this machine.
pub fn all() -> Vec<Executor> {
    #[cfg(feature = "gpu")]
    if ONLY_GPU.load(std::sync::atomic::Ordering::Relaxed) {
        return vec![Executor::Gpu];
    }
    let mut all = vec![Executor::Tape, Executor::TapePortable, Executor::PlanUnfused];
    all.extend(devices().into_iter().map(|(level, threads)| Executor::Plan { level, threads }));
    all.push(Executor::PlanFile);
    all
}

/// Every executor of graphs that assign variables.
pub fn of_steps() -> Vec<Executor> {
    all().into_iter().filter(|e| *e != Executor::PlanFile).collect()
}

/// Every level with one thread, and the best with two.
pub fn devices() -> Vec<(Level, usize)> {
    let mut all: Vec<(Level, usize)> = Level::available().iter().map(|&level| (level, 1)).collect();
    all.push((Level::best(), 2));
    all
}

/// Runs a program and returns its outputs by name, then `grad/<input>` for the inputs that ask for one.
///
/// **Errors** when emitting, compiling or running fails.
pub fn run(program: &Program, executor: &Executor) -> Result<Results, Fault> {
    let values: Vec<Tensor> = program.inputs.iter().map(|i| i.value.clone()).collect();
    let mut runner = Runner::new(&program.graph()?, &Variables::new(), executor)?;
    // Twice, so that values left in the arena by a first run would show.
    runner.step(&values)?;
    runner.step(&values)
}

/// A graph made ready on an executor, with variables of its own.
pub struct Runner {
    kind: Kind,
    /// The variables, as the last step left them.
    pub variables: Variables,
}

enum Kind {
    Tape(Graph, Level),
    Plan(Box<Session>),
    #[cfg(feature = "gpu")]
    Gpu(Box<gradling::gpu::Session>),
}

/// Recorded cases that WGSL leaves open, and why.
pub const LEFT_OPEN: [(&str, &str); 2] = [
    ("ops_elementwise/selu_03", "a denormal input, which may be taken as zero"),
    ("ops_reduce/reduce_std_05", "0/0, where an implementation may take it that there is no NaN"),
];

/// Lets [`all`] be the GPU alone from now on.
///
/// **Errors** when there is none.
pub fn only_gpu() -> Result<(), String> {
    #[cfg(feature = "gpu")]
    return match gradling::gpu::Gpu::open(None) {
        Ok(_) => {
            ONLY_GPU.store(true, std::sync::atomic::Ordering::Relaxed);
            Ok(())
        }
        Err(error) => Err(error.to_string()),
    };
    #[cfg(not(feature = "gpu"))]
    Err("built without the feature `gpu`".into())
}

#[cfg(feature = "gpu")]
static ONLY_GPU: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// The adapter that all tests share.
#[cfg(feature = "gpu")]
fn gpu() -> Result<gradling::gpu::Gpu, Fault> {
    static GPU: std::sync::OnceLock<gradling::gpu::Gpu> = std::sync::OnceLock::new();
    if let Some(gpu) = GPU.get() {
        return Ok(gpu.clone());
    }
    let gpu = gradling::gpu::Gpu::open(None)?;
    Ok(GPU.get_or_init(|| gpu).clone())
}

impl Runner {
    /// Makes `graph` ready beside a copy of `variables`.
    ///
    /// **Errors** when compiling or reading back fails.
    pub fn new(graph: &Graph, variables: &Variables, executor: &Executor) -> Result<Runner, Fault> {
        let planned = |options: &PlanOptions, device: &Device| -> Result<Kind, Fault> {
            let plan = Plan::compile(graph, options)?;
            Ok(Kind::Plan(Box::new(Session::new(plan, device)?)))
        };
        let kind = match executor {
            Executor::Tape => Kind::Tape(graph.clone(), Level::best()),
            Executor::TapePortable => Kind::Tape(graph.clone(), Level::Portable),
            Executor::Plan { level, threads } => {
                planned(&PlanOptions::default(), &Device::new(*level, *threads)?)?
            }
            Executor::PlanUnfused => {
                let options =
                    PlanOptions { optimize: false, in_place: false, workspace: false, strict: false };
                planned(&options, &Device::default())?
            }
            Executor::PlanFile => {
                let bytes = Plan::compile_frozen(graph, variables, &PlanOptions::default())?.to_bytes()?;
                Kind::Plan(Box::new(Session::new(Plan::from_bytes(&bytes)?, &Device::default())?))
            }
            #[cfg(feature = "gpu")]
            Executor::Gpu => {
                let plan = Plan::compile(graph, &gradling::gpu::Session::options())?;
                Kind::Gpu(Box::new(gradling::gpu::Session::new(plan, &gpu()?)?))
            }
        };
        Ok(Runner { kind, variables: variables.clone() })
    }

    /// Runs one step: the outputs by name. Assigned variables have their new values afterwards.
    ///
    /// **Errors** when an input does not fit or a step fails.
    pub fn step(&mut self, inputs: &[Tensor]) -> Result<Results, Fault> {
        match &mut self.kind {
            Kind::Tape(graph, level) => replay(graph, *level, inputs, &mut self.variables),
            #[cfg(feature = "gpu")]
            Kind::Gpu(session) => {
                for (i, input) in inputs.iter().enumerate() {
                    session.set_input(i, input)?;
                }
                session.upload(&self.variables);
                session.run();
                let values = session.outputs()?;
                session.download(&mut self.variables)?;
                let names = session.plan().outputs().iter().map(|o| o.name.clone());
                Ok(names.zip(values.iter().map(array)).collect())
            }
            Kind::Plan(session) => {
                for (i, input) in inputs.iter().enumerate() {
                    session.set_input(i, input)?;
                }
                session.run(&mut self.variables)?;
                let names: Vec<String> = session.plan().outputs().iter().map(|o| o.name.clone()).collect();
                let value = |(i, name)| Ok((name, array(&session.output_tensor(i, &self.variables)?)));
                names.into_iter().enumerate().map(value).collect()
            }
        }
    }
}

/// Emits the ops of a graph on a tape, which computes each at once.
fn replay(
    graph: &Graph,
    level: Level,
    inputs: &[Tensor],
    variables: &mut Variables,
) -> Result<Results, Fault> {
    let tape = Tape::at_level(level);
    let mut map: Vec<ValueId> = vec![ValueId::POISON; graph.values.len()];
    for node in &graph.nodes {
        let operands: Vec<ValueId> = node.inputs.iter().map(|v| map[v.index()]).collect();
        let first = match &node.op {
            Op::Input(n) => match inputs.get(usize::from(*n)) {
                Some(value) => tape.watch(value).id(),
                None => return Err(Fault::Failed(format!("no value for input {n}"))),
            },
            Op::Constant(n) => tape.constant(&graph.constants[usize::from(*n)]).id(),
            Op::Variable(n) => tape.constant(&variables.get(gradling::VariableId(*n))?).id(),
            op => tape.push(op.clone(), &operands),
        };
        if first != ValueId::POISON {
            for (i, v) in node.outputs().enumerate() {
                map[v.index()] = ValueId(first.0 + i as u32);
            }
        }
    }
    let value = |v: ValueId| tape.value(gradling::Var::new(&tape, map[v.index()]));
    let outputs: Results = graph
        .outputs
        .iter()
        .map(|(name, v)| Ok((name.clone(), array(&value(*v)?))))
        .collect::<Result<_, Fault>>()?;
    for (id, v) in &graph.assigns {
        let new = value(*v)?;
        variables.set(*id, &new)?;
    }
    Ok(outputs)
}
