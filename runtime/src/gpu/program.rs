//! A plan as a list of dispatches, free of any GPU interface: what a session on wgpu and one in a page both run.

use super::kernel::dispatches;
use crate::plan::Plan;
use crate::{Error, Result};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Bytes between the offsets of two steps, the least that every adapter takes.
pub const STRIDE: usize = 256;
/// Bytes of the offsets that a step sees: 16 operands.
pub const OFFSETS: usize = 64;

/// A dispatch of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// Its shader, of [`Program::shaders`].
    pub shader: u32,
    /// Its step of the plan, of which it sees the offsets.
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
    /// How many dispatches depend on variables and constants alone and may be left out while these are the same.
    pub hoisted: usize,
    /// The offsets of the operands of each step, [`STRIDE`] bytes a step.
    pub offsets: Vec<u8>,
    /// Bytes of scratch memory.
    pub scratch: usize,
}

impl Program {
    /// The shaders of a plan, which was compiled without [`workspace`](crate::PlanOptions::workspace).
    ///
    /// **Errors** when an op has no shader; the message names it.
    pub fn new(plan: &Plan) -> Result<Program> {
        let mut known: BTreeMap<String, u32> = BTreeMap::new();
        let (mut shaders, mut names, mut all) = (Vec::new(), Vec::new(), Vec::new());
        let (mut hoisted, mut scratch, mut offsets) = (0, 0, Vec::new());
        for (i, step) in plan.steps().iter().enumerate() {
            if i == plan.hoisted() {
                hoisted = all.len();
            }
            let parts = dispatches(step).map_err(|e: Error| e.within(&format!("step {i}")))?;
            for part in parts {
                scratch = scratch.max(4 * part.scratch);
                let shader = *known.entry(part.source).or_insert_with_key(|text| {
                    shaders.push(text.clone());
                    names.push(step.op.name());
                    shaders.len() as u32 - 1
                });
                all.push(Dispatch { shader, step: i as u32, groups: part.groups });
            }
            let from = offsets.len();
            for slot in step.reads.iter().chain(&step.writes) {
                offsets.extend_from_slice(&slot.offset.to_le_bytes());
            }
            offsets.resize(from + STRIDE, 0);
        }
        offsets.resize(offsets.len().max(STRIDE), 0);
        Ok(Program { shaders, names, dispatches: all, hoisted, offsets, scratch })
    }
}
