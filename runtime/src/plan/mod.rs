//! Plans: fixed-size steps over one arena. A plan is made from a graph by `compile`, proven by `verify`, and
//! is the form that every executor runs, that files hold and that microcontrollers read in place.

#[cfg(feature = "alloc")]
mod compile;
pub mod file;
#[cfg(feature = "alloc")]
mod memory;
#[cfg(feature = "alloc")]
mod table;
#[cfg(feature = "alloc")]
mod verify;

#[cfg(feature = "alloc")]
pub use compile::PlanOptions;
#[cfg(feature = "alloc")]
pub use table::StepSummary;

use crate::kernel::{Chosen, Cpu};
use crate::op::{Kernels, Kind, OPERANDS, Op, RESULTS, used};
use crate::{DType, Result, Shape, misuse};
use heapless::Vec as Fixed;
use serde::{Deserialize, Serialize};

/// Which memory a slot lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Place {
    /// The arena of the session: inputs, intermediate values, outputs, scratch.
    Arena,
    /// The variables, which outlive the step.
    Variables,
    /// The constants of the plan, read only (flash on a microcontroller).
    Constants,
}

/// Where a tensor lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Slot {
    /// Which memory.
    pub place: Place,
    /// The first byte.
    pub offset: u32,
    /// The shape.
    pub shape: Shape,
    /// The element type.
    pub dtype: DType,
}

impl Slot {
    /// The number of bytes.
    pub fn bytes(&self) -> usize {
        self.shape.numel() * self.dtype.size()
    }

    /// Whether the bytes of two slots overlap.
    pub fn overlaps(&self, other: &Slot) -> bool {
        let (a, b) = (self.offset as usize, other.offset as usize);
        self.place == other.place && a < b + other.bytes() && b < a + self.bytes()
    }

    /// Whether two slots are the same bytes.
    pub fn same_bytes(&self, other: &Slot) -> bool {
        (self.place, self.offset, self.bytes()) == (other.place, other.offset, other.bytes())
    }

    /// Shape and element type.
    pub fn kind(&self) -> Kind {
        (self.shape, self.dtype)
    }
}

/// One op with its operands and results in memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The operator.
    pub op: Op,
    /// The operands.
    pub reads: Fixed<Slot, OPERANDS>,
    /// The results.
    pub writes: Fixed<Slot, RESULTS>,
    /// Scratch memory in the arena, as float32.
    pub workspace: Option<Slot>,
}

/// Steps are decoded on the stack of microcontrollers.
const _: () = assert!(size_of::<Step>() <= 1040);

impl Step {
    /// The kernels that the step calls.
    pub fn kernels(&self) -> Kernels {
        let dtypes = self.reads.iter().chain(&self.writes).map(|slot| slot.dtype);
        self.op.kernels() | used::of_types(dtypes)
    }

    /// Checks that slots overlap only where the op allows it: an elementwise region may write exactly the bytes
    /// of an operand that has as many elements as the loop.
    pub fn check_overlap(&self) -> Result<()> {
        for (i, w) in self.writes.iter().enumerate() {
            for r in &self.reads {
                let elementwise = matches!(self.op, Op::Region(_)) && r.shape.numel() == w.shape.numel();
                if w.overlaps(r) && !(elementwise && w.same_bytes(r) && r.dtype.size() == w.dtype.size()) {
                    return Err(misuse!("plan: step {} overwrites its operand", self.op.name()));
                }
            }
            if self.writes[..i].iter().any(|v| v.overlaps(w)) {
                return Err(misuse!("plan: two results of step {} overlap", self.op.name()));
            }
        }
        let Some(ws) = &self.workspace else { return Ok(()) };
        let all = self.reads.iter().chain(&self.writes);
        if ws.place != Place::Arena || ws.dtype != DType::F32 || all.into_iter().any(|s| s.overlaps(ws)) {
            return Err(misuse!("plan: the workspace of step {} is not its own", self.op.name()));
        }
        Ok(())
    }

    /// Checks that the op gives results of the kinds of its slots.
    pub fn check_kinds(&self) -> Result<()> {
        let reads: Fixed<Kind, OPERANDS> = self.reads.iter().map(Slot::kind).collect();
        let results = self.op.infer(&reads)?;
        if results.len() != self.writes.len() || results.iter().zip(&self.writes).any(|(k, w)| *k != w.kind())
        {
            return Err(misuse!("plan: the results of step {} do not fit their slots", self.op.name()));
        }
        Ok(())
    }

    /// The loops that the step runs on this processor.
    pub fn chosen(&self, cpu: &Cpu) -> Chosen {
        let reads: Fixed<Kind, OPERANDS> = self.reads.iter().map(Slot::kind).collect();
        self.op.chosen(cpu, &reads, self.workspace.map_or(0, |slot| slot.shape.numel()))
    }

    /// Bytes of the operands.
    pub fn read_bytes(&self) -> u64 {
        self.reads.iter().map(|slot| slot.bytes() as u64).sum()
    }

    /// Bytes of the results.
    pub fn written_bytes(&self) -> u64 {
        self.writes.iter().map(|slot| slot.bytes() as u64).sum()
    }

    /// Float operations of the step, counting a multiply-add as two.
    pub fn flops(&self) -> u64 {
        self.flops_of(&self.op)
    }

    fn flops_of(&self, op: &Op) -> u64 {
        let reads: Fixed<Kind, OPERANDS> = self.reads.iter().map(Slot::kind).collect();
        let written = self.writes.first().map_or(0, |w| w.shape.numel() as u64);
        match op {
            Op::Matmul(ta, tb) => crate::op::matmul::geometry(*ta, *tb, &reads[..reads.len().min(2)])
                .map_or(0, |(batch, g)| 2 * batch as u64 * g.m as u64 * g.n as u64 * g.k as u64),
            Op::Conv2d(c) => c.geometry(&reads[..reads.len().min(2)]).map_or(0, |g| {
                let taps = (g.kh * g.kw * g.c / g.groups.max(1)) as u64;
                2 * (g.n * g.oh * g.ow * g.oc) as u64 * taps
            }),
            Op::Region(r) => (r.shape.numel() * r.code.len()) as u64,
            Op::Planned(p) => {
                let after = p.epilogue.as_ref().map_or(0, |e| e.region.shape.numel() * e.region.code.len());
                self.flops_of(&p.product()) + after as u64
            }
            Op::Pack => 0,
            Op::Reduce(_) | Op::ArgReduce(_) | Op::Pool(_) => {
                self.reads.first().map_or(0, |r| r.shape.numel() as u64)
            }
            Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select | Op::Random(_) => written,
            Op::Input(_) | Op::Variable(_) | Op::Constant(_) | Op::Scalar(..) | Op::Iota(_) => 0,
            Op::Scatter(_) => self.reads.last().map_or(0, |r| r.shape.numel() as u64),
            Op::And | Op::Or | Op::Not | Op::Cast(_) | Op::StopGradient | Op::Reshape(_) => 0,
            Op::Recurrence(_) => 2 * written,
            Op::RecurrentCell(c) => self.reads.last().map_or(0, |r| c.flops() * r.shape.numel() as u64),
            Op::Gather(_) | Op::Reverse(_) | Op::Argsort(_) => 0,
            Op::Transpose(_) | Op::Broadcast(_) | Op::Slice(..) | Op::Pad(..) | Op::Concat(_) => 0,
        }
    }
}

#[cfg(feature = "alloc")]
pub use heap::{NamedSlot, Plan};

#[cfg(feature = "alloc")]
mod heap {
    use super::{Place, Slot, Step, memory};
    use crate::arena::Buffer;
    use crate::graph::Port;
    use alloc::string::String;
    use alloc::vec::Vec;

    /// An input or output of a plan.
    #[derive(Clone, Debug, PartialEq)]
    pub struct NamedSlot {
        /// The name.
        pub name: String,
        /// Where it lies.
        pub slot: Slot,
    }

    /// Steps over one arena.
    #[derive(Clone, Debug)]
    pub struct Plan {
        pub(crate) steps: Vec<Step>,
        /// The first steps, which depend on variables and constants alone, of a plan that assigns none.
        pub(crate) hoisted: usize,
        pub(crate) inputs: Vec<NamedSlot>,
        pub(crate) outputs: Vec<NamedSlot>,
        pub(crate) variables: Vec<Port>,
        pub(crate) constants: Buffer,
        pub(crate) arena_bytes: usize,
    }

    impl Plan {
        /// The steps in order.
        pub fn steps(&self) -> &[Step] {
            &self.steps
        }

        /// How many steps, the first ones, need not run again while the variables stay the same: what they give does
        /// not depend on the inputs.
        pub fn hoisted(&self) -> usize {
            self.hoisted
        }

        /// The inputs by number.
        pub fn inputs(&self) -> &[NamedSlot] {
            &self.inputs
        }

        /// The outputs by number.
        pub fn outputs(&self) -> &[NamedSlot] {
            &self.outputs
        }

        /// Name and kind of the variables that the plan expects.
        pub fn variables(&self) -> &[Port] {
            &self.variables
        }

        /// The size of the arena in bytes.
        pub fn arena_bytes(&self) -> usize {
            self.arena_bytes
        }

        /// The planner's lower bound: the largest sum, over all steps, of the values alive.
        pub fn live_bytes(&self) -> usize {
            memory::live(self)
        }

        /// What the arena would be if every value in it had memory of its own: inputs, results and scratch.
        pub fn tensor_bytes(&self) -> usize {
            let inputs = self.inputs.iter().map(|input| &input.slot);
            let own = self.steps.iter().flat_map(|step| step.writes.iter().chain(&step.workspace));
            inputs.chain(own).filter(|slot| slot.place == Place::Arena).map(Slot::bytes).sum()
        }

        /// The constants: weights of inference and other fixed tensors.
        pub fn constants(&self) -> &[u8] {
            self.constants.bytes()
        }

        /// The size of the constants in bytes.
        pub fn constant_bytes(&self) -> usize {
            self.constants.len()
        }

        /// Bytes of the operands of all steps.
        pub fn read_bytes(&self) -> u64 {
            self.steps.iter().map(Step::read_bytes).sum()
        }

        /// Bytes of the results of all steps.
        pub fn written_bytes(&self) -> u64 {
            self.steps.iter().map(Step::written_bytes).sum()
        }

        /// Float operations of one run.
        pub fn flops(&self) -> u64 {
            self.steps.iter().map(Step::flops).sum()
        }

        /// The input of this name.
        pub fn input(&self, name: &str) -> Option<usize> {
            self.inputs.iter().position(|i| i.name == name)
        }

        /// The output of this name.
        pub fn output(&self, name: &str) -> Option<usize> {
            self.outputs.iter().position(|o| o.name == name)
        }

        /// Bytes of the variables that the plan reads or writes, from the start of their buffer.
        pub fn variable_bytes(&self) -> usize {
            let all = self.steps.iter().flat_map(|s| s.reads.iter().chain(&s.writes));
            let ports = self.outputs.iter().map(|o| &o.slot);
            let ends = all.chain(ports).filter(|s| s.place == Place::Variables);
            ends.map(|s| s.offset as usize + s.bytes()).max().unwrap_or(0)
        }
    }
}
