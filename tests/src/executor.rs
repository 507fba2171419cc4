//! The ways to run a program: eagerly on a tape and as a plan, at every instruction-set level, with and
//! without the rewrite passes, on several threads, and read back from its serialised form.

use std::fmt;

use gradling::op::Builder;
use gradling::{Device, Level, Plan, PlanOptions, Session, Tape, Tensor, Trace, Var, Variables, autodiff};

use crate::program::{Fault, Program, Results, array};

/// One way to run a program.
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
    /// A plan that went through its serialised form.
    PlanFile,
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
        }
    }
}

/// Every executor of this machine.
pub fn all() -> Vec<Executor> {
    let mut all = vec![Executor::Tape, Executor::TapePortable, Executor::PlanUnfused];
    all.extend(devices().into_iter().map(|(level, threads)| Executor::Plan { level, threads }));
    all.push(Executor::PlanFile);
    all
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
    match executor {
        Executor::Tape => on_tape(program, Level::best()),
        Executor::TapePortable => on_tape(program, Level::Portable),
        Executor::Plan { level, threads } => {
            let plan = Plan::compile(&graph(program)?, &PlanOptions::default())?;
            on_session(program, plan, &Device::new(*level, *threads)?)
        }
        Executor::PlanUnfused => {
            let options = PlanOptions { optimize: false, in_place: false, workspace: false };
            on_session(program, Plan::compile(&graph(program)?, &options)?, &Device::default())
        }
        Executor::PlanFile => {
            let plan = Plan::compile(&graph(program)?, &PlanOptions::default())?;
            on_session(program, Plan::from_bytes(&plan.to_bytes()?)?, &Device::default())
        }
    }
}

/// Emits the program: named results in order.
fn emit<'b>(
    program: &Program,
    builder: &'b dyn Builder,
    inputs: &[Var<'b>],
) -> Result<Vec<(String, Var<'b>)>, Fault> {
    let outputs = (program.emit)(builder, inputs)?;
    if outputs.len() != program.outputs.len() {
        return Err(Fault::Failed(format!("{} outputs, expected {:?}", outputs.len(), program.outputs)));
    }
    let mut named: Vec<(String, Var<'b>)> = program.outputs.iter().cloned().zip(outputs).collect();
    let wanted: Vec<usize> = (0..inputs.len()).filter(|&i| program.inputs[i].grad).collect();
    let weighted = program.cotangents.iter().filter_map(|(name, cotangent)| {
        let y = named.iter().find(|(n, _)| n == name)?.1;
        Some((y * y.constant_like(cotangent.clone())).sum(&[], false))
    });
    let total = weighted.reduce(|a, b| a + b);
    if let (Some(total), false) = (total, wanted.is_empty()) {
        let xs: Vec<Var<'b>> = wanted.iter().map(|&i| inputs[i]).collect();
        let gradients = autodiff::grad(total, &xs);
        let names = wanted.iter().map(|&i| format!("grad/{}", program.inputs[i].name));
        named.extend(names.zip(gradients));
    }
    Ok(named)
}

fn on_tape(program: &Program, level: Level) -> Result<Results, Fault> {
    let tape = Tape::at_level(level);
    let inputs: Vec<Var> = program.inputs.iter().map(|i| tape.watch(&i.value)).collect();
    let named = emit(program, &tape, &inputs)?;
    named.into_iter().map(|(name, var)| Ok((name, array(&tape.value(var)?)))).collect()
}

fn graph(program: &Program) -> Result<gradling::Graph, Fault> {
    let trace = Trace::new(&Variables::new());
    {
        let inputs: Vec<Var> =
            program.inputs.iter().map(|i| trace.input(&i.name, *i.value.shape(), i.value.dtype())).collect();
        for (name, var) in emit(program, &trace, &inputs)? {
            trace.output(&name, var);
        }
    }
    Ok(trace.finish()?)
}

fn on_session(program: &Program, plan: Plan, device: &Device) -> Result<Results, Fault> {
    let names: Vec<String> = plan.outputs().iter().map(|o| o.name.clone()).collect();
    let mut session = Session::new(plan, device)?;
    let mut variables = Variables::new();
    // Twice, so that values left in the arena by a first run would show.
    for _ in 0..2 {
        for (i, input) in program.inputs.iter().enumerate() {
            session.set_input(i, &input.value)?;
        }
        session.run(&mut variables)?;
    }
    let result = |(i, name): (usize, String)| -> Result<_, Fault> {
        let value: Tensor = session.output_tensor(i, &variables)?;
        Ok((name, array(&value)))
    };
    names.into_iter().enumerate().map(result).collect()
}
