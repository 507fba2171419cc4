//! The proof that a plan is sound.

use super::{Place, Plan, Slot};
use crate::op::Op;
use crate::variables::ALIGN;
use crate::{Error, Result, format_error};
use alloc::vec::Vec;

impl Plan {
    /// Proves that running the plan is meaningful: every step types, every slot is inside its memory and
    /// aligned, no step overwrites what it must not, and every byte read from the arena is of a result that a step
    /// before left there, of which no byte was overwritten since.
    ///
    /// **Errors** with the step and the reason.
    pub fn verify(&self) -> Result<()> {
        let limits = |place: Place| match place {
            Place::Arena => self.arena_bytes,
            Place::Variables => self.variables_end(),
            Place::Constants => self.constants.len(),
        };
        let inside = |slot: &Slot| {
            let end = slot.offset as usize + slot.bytes();
            let ok = end <= limits(slot.place) && (slot.offset as usize).is_multiple_of(slot.dtype.size());
            if ok {
                Ok(())
            } else {
                Err(format_error!("plan: a slot at {} is outside its memory", slot.offset))
            }
        };
        for port in self.inputs.iter().chain(&self.outputs) {
            inside(&port.slot)?;
        }
        // What the arena holds: slots whose bytes are whole.
        let mut whole: Vec<Slot> = self.inputs.iter().map(|i| i.slot).collect();
        // The first steps may be left out of a second run.
        let again = if self.hoisted > 0 { self.hoisted..self.steps.len() } else { 0..0 };
        for i in (0..self.steps.len()).chain(again) {
            let step = &self.steps[i];
            let at = |e: Error| e.within(&alloc::format!("step {i}"));
            if matches!(step.op, Op::Input(_) | Op::Variable(_) | Op::Constant(_)) {
                return Err(format_error!("plan: step {i} is a source"));
            }
            step.check_kinds().map_err(at)?;
            step.check_overlap().map_err(at)?;
            for slot in step.reads.iter().chain(&step.writes).chain(&step.workspace) {
                inside(slot).map_err(at)?;
            }
            for read in step.reads.iter().filter(|r| r.place == Place::Arena && r.bytes() > 0) {
                if !covered(&whole, read) {
                    return Err(format_error!(
                        "plan: step {i} ({}) reads a value that is gone",
                        step.op.name()
                    ));
                }
            }
            if step.writes.iter().any(|w| w.place == Place::Constants) {
                return Err(format_error!("plan: step {i} writes a constant"));
            }
            for slot in step.writes.iter().chain(&step.workspace) {
                whole.retain(|w| !w.overlaps(slot));
            }
            whole.extend(step.writes.iter().filter(|w| w.place == Place::Arena));
        }
        for port in self.inputs.iter().chain(&self.outputs) {
            let kept = port.slot.place != Place::Arena || covered(&whole, &port.slot);
            if !kept && port.slot.bytes() > 0 {
                return Err(format_error!("plan: {} does not keep its value", port.name));
            }
        }
        Ok(())
    }

    /// The end of the last variable.
    fn variables_end(&self) -> usize {
        let sizes =
            self.variables.iter().map(|p| (p.kind.0.numel() * p.kind.1.size()).next_multiple_of(ALIGN));
        sizes.sum()
    }
}

/// Whether every byte of a slot is of one of these.
fn covered(whole: &[Slot], slot: &Slot) -> bool {
    let (mut at, end) = (slot.offset as usize, slot.offset as usize + slot.bytes());
    while at < end {
        let ends = whole.iter().filter(|w| w.offset as usize <= at).map(|w| w.offset as usize + w.bytes());
        match ends.filter(|&end| end > at).max() {
            Some(next) => at = next,
            None => return false,
        }
    }
    true
}
