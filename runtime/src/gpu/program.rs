//! A plan as a list of dispatches, free of any GPU interface: what a session on wgpu and one in a page both run.

use super::kernel::{self, Part};
use crate::plan::{Plan, Slot};
use crate::{Error, Result, unsupported};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Bytes between the offsets of two steps, the least that every adapter takes.
pub const STRIDE: usize = 256;
/// Words of the offsets of a step.
const WORDS: usize = STRIDE / 4;
/// Bytes of the offsets that a dispatch sees, which may run so many steps one after another.
pub const OFFSETS: usize = 64 * STRIDE;

/// A dispatch of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// Its shader, of [`Program::shaders`].
    pub shader: u32,
    /// Its first step of the plan, from which on it sees the offsets.
    pub step: u32,
    /// Workgroups.
    pub groups: [u32; 3],
}

/// The shaders of a plan and their order.
///
/// Every shader has the same bindings in group 0: the arena (0), the variables (1), the constants, read only (2), scratch
/// memory (3), all of them storage buffers of words, and a uniform of [`OFFSETS`] bytes with a dynamic offset (4). The
/// entry point is `main`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// WGSL texts, each once.
    pub shaders: Vec<String>,
    /// The name of the op for which each shader was made first.
    pub names: Vec<&'static str>,
    /// What runs, in order.
    pub dispatches: Vec<Dispatch>,
    /// The offsets of the operands of each step, [`STRIDE`] bytes a step, and [`OFFSETS`] bytes behind them.
    pub offsets: Vec<u8>,
    /// Bytes of scratch memory.
    pub scratch: usize,
}

impl Program {
    /// The shaders of a plan, which was compiled without [`workspace`](crate::PlanOptions::workspace).
    ///
    /// **Errors** when an op has no shader; the message names it.
    pub fn new(plan: &Plan) -> Result<Program> {
        let mut program = Program {
            shaders: Vec::new(),
            names: Vec::new(),
            dispatches: Vec::new(),
            offsets: Vec::new(),
            scratch: 0,
        };
        whole_words(plan)?;
        let mut known: BTreeMap<String, u32> = BTreeMap::new();
        // Small steps from `first` on wait to run together.
        let (mut waiting, mut first): (Vec<Part>, usize) = (Vec::new(), 0);
        for (i, step) in plan.steps().iter().enumerate() {
            let at = |e: Error| e.within(&format!("step {i}"));
            if i - first == OFFSETS / STRIDE {
                program.flush(&mut known, &mut waiting, first, plan);
            }
            if waiting.is_empty() {
                first = i;
            }
            let parts = kernel::parts(step, (i - first) * WORDS).map_err(at)?;
            if parts.iter().all(Part::is_small) {
                waiting.extend(parts);
            } else {
                program.flush(&mut known, &mut waiting, first, plan);
                let mut parts = kernel::parts(step, 0).map_err(at)?;
                // What comes after the last large part waits for the next steps.
                let large = parts.iter().rposition(|p| !p.is_small()).map_or(0, |n| n + 1);
                waiting = parts.split_off(large);
                first = i;
                for part in parts {
                    program.push(&mut known, part.alone(), i, step.op.name());
                }
            }
            let from = program.offsets.len();
            for slot in step.reads.iter().chain(&step.writes) {
                program.offsets.extend_from_slice(&slot.offset.to_le_bytes());
            }
            program.offsets.resize(from + STRIDE, 0);
        }
        program.flush(&mut known, &mut waiting, first, plan);
        program.offsets.resize(program.offsets.len() + OFFSETS, 0);
        Ok(program)
    }

    /// Adds the dispatch of the parts that wait.
    fn flush(
        &mut self,
        known: &mut BTreeMap<String, u32>,
        waiting: &mut Vec<Part>,
        first: usize,
        plan: &Plan,
    ) {
        if !waiting.is_empty() {
            let name = plan.steps()[first].op.name();
            self.push(known, kernel::together(core::mem::take(waiting)), first, name);
        }
    }

    fn push(
        &mut self,
        known: &mut BTreeMap<String, u32>,
        dispatch: kernel::Dispatch,
        step: usize,
        name: &'static str,
    ) {
        self.scratch = self.scratch.max(4 * dispatch.scratch);
        let shader = *known.entry(dispatch.source).or_insert_with_key(|text| {
            self.shaders.push(text.clone());
            self.names.push(name);
            self.shaders.len() as u32 - 1
        });
        self.dispatches.push(Dispatch { shader, step: step as u32, groups: dispatch.groups });
    }
}

/// Shaders write whole words, so no other value may lie in the words of a result.
///
/// **Errors** when one does, as where bytes are concatenated in place.
fn whole_words(plan: &Plan) -> Result<()> {
    let slots = || plan.steps().iter().flat_map(|s| s.reads.iter().chain(&s.writes));
    for (i, step) in plan.steps().iter().enumerate() {
        for w in step.writes.iter().filter(|w| w.dtype.size() < 4) {
            let (from, to) = (w.offset as usize, w.offset as usize + w.bytes());
            let others = |s: &&Slot| {
                let at = s.offset as usize;
                s.place == w.place && at >= to && at < to.next_multiple_of(4) && s.bytes() > 0
            };
            if !from.is_multiple_of(4) || !to.is_multiple_of(4) && slots().any(|s| others(&s)) {
                return Err(unsupported!(
                    "gpu: step {i}: {} writes {} that share a word with others; cast before joining them",
                    step.op.name(),
                    w.dtype
                ));
            }
        }
    }
    Ok(())
}
