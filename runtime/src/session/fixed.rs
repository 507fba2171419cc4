//! The session of machines without an allocator.

use crate::arena::Memory;
use crate::kernel::{Cpu, Level};
use crate::op::{Kernels, used};
use crate::plan::file::PlanFile;
use crate::plan::{Place, Slot, Step};
use crate::{Element, Result, misuse, unsupported};

/// A plan file read in place with an arena that the caller provides; nothing is allocated, steps are decoded
/// one at a time.
pub struct StaticSession<'a, const K: Kernels = { used::EVERY }> {
    file: PlanFile<'a>,
    arena: &'a mut [u8],
    level: Level,
    strict: bool,
}

impl<'a> StaticSession<'a> {
    /// Checks the plan and the arena, both aligned to at least 4 bytes. The program links every kernel.
    ///
    /// **Errors** when the bytes are not a sound inference plan or the arena is too small.
    pub fn new(plan: &'a [u8], arena: &'a mut [u8]) -> Result<StaticSession<'a>> {
        StaticSession::with_kernels(plan, arena)
    }
}

impl<'a, const K: Kernels> StaticSession<'a, K> {
    /// As [`new`](StaticSession::new), in a program that links no kernels but `K`.
    ///
    /// ```no_run
    /// use gradling::plan::file::{arena_bytes, kernels};
    /// use gradling::session::StaticSession;
    /// # const PLAN: &[u8] = &[0; 64];
    /// # /*
    /// const PLAN: &[u8] = include_bytes!("model.plan");
    /// # */
    /// # let mut arena = [0; 64];
    /// let session = StaticSession::<{ kernels(PLAN) }>::with_kernels(PLAN, &mut arena)?;
    /// # Ok::<(), gradling::Error>(())
    /// ```
    ///
    /// **Errors** also when the plan calls others.
    pub fn with_kernels(plan: &'a [u8], arena: &'a mut [u8]) -> Result<StaticSession<'a, K>> {
        let file = PlanFile::parse(plan)?;
        if file.kernels() & !K != 0 {
            return Err(unsupported!("session: the plan calls kernels that this program was built without"));
        }
        if arena.len() < file.arena_bytes() {
            return Err(misuse!(
                "session: the plan needs an arena of {} bytes, got {}",
                file.arena_bytes(),
                arena.len()
            ));
        }
        if file.variable_bytes() > 0 {
            return Err(misuse!("session: expected an inference plan, got one with variables"));
        }
        Memory::new(&mut arena[..], &mut [], file.constants())?;
        Ok(StaticSession { file, arena, level: Level::best(), strict: false })
    }

    /// This session with strict arithmetic, as that of `Device::strict`; at [`Level::Portable`], the only level of
    /// microcontrollers, it is anyway.
    #[must_use]
    pub fn strict(self) -> StaticSession<'a, K> {
        StaticSession { strict: true, ..self }
    }

    /// The plan.
    pub fn plan(&self) -> &PlanFile<'a> {
        &self.file
    }

    fn arena_slot(slot: Slot) -> Result<core::ops::Range<usize>> {
        if slot.place != Place::Arena {
            return Err(misuse!("session: the port is not in the arena"));
        }
        let start = slot.offset as usize;
        Ok(start..start + slot.bytes())
    }

    /// The elements of input `n`, to be written before a run.
    ///
    /// **Errors** when there is no such input or `T` does not store its type.
    pub fn input_mut<T: Element>(&mut self, n: usize) -> Result<&mut [T]> {
        let (_, slot) = self.file.input(n)?;
        let range = Self::arena_slot(slot)?;
        crate::arena::cast_mut(&mut self.arena[range], slot.shape, slot.dtype)
    }

    /// The elements of output `n` after a run.
    ///
    /// **Errors** when there is no such output or `T` does not store its type.
    pub fn output<T: Element>(&self, n: usize) -> Result<&[T]> {
        let (_, slot) = self.file.output(n)?;
        let range = Self::arena_slot(slot)?;
        crate::arena::cast(&self.arena[range], slot.shape, slot.dtype)
    }

    /// Runs every step.
    ///
    /// **Errors** when a step fails; a plan that was accepted has none that does.
    // The caller's frame stays small.
    #[inline(never)]
    pub fn run(&mut self) -> Result<()> {
        let cpu = Cpu::new(self.level, None).strict(self.strict);
        let mut memory = Memory::new(&mut self.arena[..], &mut [], self.file.constants())?;
        let mut steps = self.file.steps();
        // By reference: a step is large, and a copy of it would stay on the stack.
        while let Some(step) = &steps.next() {
            match step {
                Ok(step) => run_step::<K>(&cpu, &mut memory, step)?,
                Err(error) => return Err(error.clone()),
            }
        }
        Ok(())
    }
}

fn run_step<const K: Kernels>(cpu: &Cpu, memory: &mut Memory, step: &Step) -> Result<()> {
    match &mut memory.operands(step) {
        Ok(o) => step.op.run_with::<K>(cpu, &o.reads, &mut o.writes, o.workspace),
        Err(error) => Err(error.clone()),
    }
}
