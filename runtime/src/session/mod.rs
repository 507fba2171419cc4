//! Sessions: a plan with its memory, ready to run any number of times without allocating.

mod fixed;
#[cfg(feature = "alloc")]
mod profile;
pub use fixed::StaticSession;
#[cfg(feature = "alloc")]
pub use profile::{Limits, Profile, StepProfile};

#[cfg(feature = "alloc")]
pub use heap::{Device, Session};

#[cfg(feature = "alloc")]
mod heap {
    use crate::arena::{Buffer, Memory};
    use crate::kernel::{Cpu, Level, Pool, flush_denormals, keep_denormals};
    use crate::plan::{NamedSlot, Place, Plan, Slot};
    use crate::variables::{Stamp, Variables};
    use crate::{Element, Error, Result, Tensor, misuse};
    use alloc::sync::Arc;

    /// What a session runs on: an instruction-set level, threads, and whether arithmetic is strict. Cloning shares the
    /// threads.
    #[derive(Clone)]
    pub struct Device {
        level: Level,
        pool: Option<Arc<Pool>>,
        strict: bool,
    }

    impl Default for Device {
        /// One thread at the best level of this machine.
        fn default() -> Device {
            Device { level: Level::best(), pool: None, strict: false }
        }
    }

    impl Device {
        /// `threads` threads at a level; results have the same bits whatever the number of threads.
        ///
        /// **Errors** when this machine lacks the level.
        pub fn new(level: Level, threads: usize) -> Result<Device> {
            if !Level::available().contains(&level) {
                return Err(misuse!("device: this machine does not run {level:?}; use Level::best()"));
            }
            #[cfg(feature = "std")]
            let pool = (threads > 1).then(|| Arc::new(Pool::new(threads)));
            #[cfg(not(feature = "std"))]
            let pool = {
                if threads > 1 {
                    return Err(misuse!("device: this build has no threads"));
                }
                None
            };
            Ok(Device { level, pool, strict: false })
        }

        /// This device with strict arithmetic: the same plan on the same inputs gives the same bits on every target,
        /// at every level and for any number of threads, as long as all values are finite.
        ///
        /// Each multiplication and addition is rounded by itself, sums of products are taken term after term, and
        /// denormal numbers are kept. That is slower than the default, and long sums are less accurate: the default
        /// sums in blocks and uses fused multiply-adds where there are some.
        ///
        /// ```
        /// use gradling::nn::{Dense, Sequential};
        /// use gradling::{Device, Level};
        /// let device = Device::new(Level::best(), 2)?.strict();
        /// let model = Sequential::new().add(Dense::new(10)).on(&device);
        /// # Ok::<(), gradling::Error>(())
        /// ```
        #[must_use]
        pub fn strict(self) -> Device {
            Device { strict: true, ..self }
        }

        /// Whether arithmetic is [`strict`](Device::strict).
        pub fn is_strict(&self) -> bool {
            self.strict
        }

        /// Whether numbers too small for the normal format are computed with, which is slow, instead of taken as
        /// zero: with strict arithmetic, and on processors other than x86-64. Optimizers then keep their moments
        /// clear of them.
        pub fn keeps_denormals(&self) -> bool {
            self.strict || cfg!(not(target_arch = "x86_64"))
        }

        /// The threads of a pool that is there already, such as one of web workers, at a level.
        ///
        /// **Errors** when this machine lacks the level.
        pub fn with_pool(level: Level, pool: Arc<Pool>) -> Result<Device> {
            Ok(Device { pool: Some(pool), ..Device::new(level, 1)? })
        }

        /// The level.
        pub fn level(&self) -> Level {
            self.level
        }

        /// The processor that kernels run on.
        pub fn cpu(&self) -> Cpu<'_> {
            Cpu::new(self.level, self.pool.as_deref()).strict(self.strict)
        }

        /// The pool of threads, if there is more than one.
        pub fn pool(&self) -> Option<&Arc<Pool>> {
            self.pool.as_ref()
        }

        /// The number of threads.
        pub fn threads(&self) -> usize {
            self.pool.as_ref().map_or(1, |p| p.threads())
        }
    }

    /// A plan with its arena.
    ///
    /// ```
    /// use gradling::{Device, DType, Plan, PlanOptions, Session, Shape, Trace, Variables};
    /// let mut variables = Variables::new();
    /// let trace = Trace::new(&variables);
    /// let x = trace.input("x", Shape::new(&[3])?, DType::F32);
    /// trace.output("y", x * 2.0 + 1.0);
    /// let plan = Plan::compile(&trace.finish()?, &PlanOptions::default())?;
    /// let mut session = Session::new(plan, &Device::default())?;
    /// session.input_mut::<f32>(0)?.copy_from_slice(&[1.0, 2.0, 3.0]);
    /// session.run(&mut variables)?;
    /// assert_eq!(session.output::<f32>(0, &variables)?, [3.0, 5.0, 7.0]);
    /// # Ok::<(), gradling::Error>(())
    /// ```
    pub struct Session {
        plan: Plan,
        device: Device,
        arena: Buffer,
        variable_bytes: usize,
        assigns: bool,
        /// The variables for which the first steps of the plan have run.
        hoisted_for: Stamp,
    }

    impl Session {
        /// Verifies the plan and reserves its arena; later runs allocate nothing.
        ///
        /// **Errors** when the plan does not verify.
        pub fn new(plan: Plan, device: &Device) -> Result<Session> {
            plan.verify()?;
            let arena = Buffer::new(plan.arena_bytes());
            let variable_bytes = plan.variable_bytes();
            let assigns = plan.steps().iter().flat_map(|s| &s.writes).any(|w| w.place == Place::Variables);
            let hoisted_for = Stamp::default();
            Ok(Session { plan, device: device.clone(), arena, variable_bytes, assigns, hoisted_for })
        }

        /// What it runs on.
        pub fn device(&self) -> &Device {
            &self.device
        }

        /// The plan.
        pub fn plan(&self) -> &Plan {
            &self.plan
        }

        fn port(ports: &[NamedSlot], n: usize) -> Result<&Slot> {
            ports
                .get(n)
                .map(|p| &p.slot)
                .ok_or_else(|| misuse!("session: there is no port {n}, only {}", ports.len()))
        }

        /// The elements of input `n`, to be written before a run; they keep their value over runs.
        ///
        /// **Errors** when there is no such input or `T` does not store its type.
        pub fn input_mut<T: Element>(&mut self, n: usize) -> Result<&mut [T]> {
            let slot = *Self::port(self.plan.inputs(), n)?;
            self.arena.slice_mut(slot.offset as usize, slot.shape, slot.dtype)
        }

        /// The bytes of input `n`.
        #[cfg(feature = "remote")]
        pub(crate) fn input_bytes(&self, n: usize) -> Result<&[u8]> {
            let slot = Self::port(self.plan.inputs(), n)?;
            let from = slot.offset as usize;
            Ok(&self.arena.bytes()[from..from + slot.bytes()])
        }

        /// Copies a tensor to input `n`.
        ///
        /// **Errors** when shape or type differ from the input's.
        pub fn set_input(&mut self, n: usize, value: &Tensor) -> Result<()> {
            let port =
                &self.plan.inputs()[..].get(n).ok_or_else(|| misuse!("session: there is no input {n}"))?;
            let slot = port.slot;
            if slot.kind() != (*value.shape(), value.dtype()) {
                return Err(misuse!(
                    "input {}: expected {} of shape {}, got {} of shape {}",
                    port.name,
                    slot.dtype,
                    slot.shape,
                    value.dtype(),
                    value.shape()
                ));
            }
            self.arena.write(slot.offset as usize, value)
        }

        /// The elements of output `n` after a run.
        ///
        /// **Errors** when there is no such output or `T` does not store its type.
        pub fn output<'s, T: Element>(&'s self, n: usize, variables: &'s Variables) -> Result<&'s [T]> {
            let slot = Self::port(self.plan.outputs(), n)?;
            self.buffer(slot, variables).slice(slot.offset as usize, slot.shape, slot.dtype)
        }

        /// A copy of output `n` after a run.
        ///
        /// **Errors** when there is no such output.
        pub fn output_tensor(&self, n: usize, variables: &Variables) -> Result<Tensor> {
            let slot = Self::port(self.plan.outputs(), n)?;
            self.buffer(slot, variables).tensor(slot.offset as usize, slot.shape, slot.dtype)
        }

        fn buffer<'s>(&'s self, slot: &Slot, variables: &'s Variables) -> &'s Buffer {
            match slot.place {
                Place::Arena => &self.arena,
                Place::Variables => variables.buffer(),
                Place::Constants => &self.plan.constants,
            }
        }

        /// Runs every step: reads inputs and variables, writes outputs and assigned variables. The first steps, as many
        /// as [`Plan::hoisted`] says, are left out where they ran before and the variables are still the same.
        ///
        /// **Errors** when the variables are not those that the plan was made for; the message of a failing step
        /// names it.
        pub fn run(&mut self, variables: &mut Variables) -> Result<()> {
            self.run_steps(0..self.plan.steps().len(), variables)
        }

        /// Runs a part of the steps; running the parts of a plan one after another is running the plan.
        ///
        /// **Errors** as [`run`](Session::run), and when the range is not inside the plan.
        pub fn run_steps(&mut self, range: core::ops::Range<usize>, variables: &mut Variables) -> Result<()> {
            if variables.buffer().len() < self.variable_bytes {
                return Err(misuse!(
                    "session: the plan reads {} bytes of variables, there are {}",
                    self.variable_bytes,
                    variables.buffer().len()
                ));
            }
            let _denormals = if self.device.strict { keep_denormals() } else { flush_denormals() };
            let cpu = self.device.cpu();
            let (buffer, state) = variables.run_buffer(self.assigns);
            let mut memory =
                Memory::new(self.arena.bytes_mut(), buffer.bytes_mut(), self.plan.constants.bytes())?;
            let (mut from, to) = (range.start, range.end);
            if self.plan.steps().get(from..to).is_none() {
                return Err(misuse!("session: steps {from}..{to} are not inside the plan"));
            }
            let hoisted = self.plan.hoisted();
            if from < hoisted {
                if state.is(self.hoisted_for) {
                    from = hoisted.min(to);
                } else {
                    self.hoisted_for = if from == 0 && to >= hoisted { state } else { Stamp::default() };
                }
            }
            for (i, step) in (from..to).zip(&self.plan.steps()[from..to]) {
                let mut operands = memory.operands(step)?;
                step.op.run(&cpu, &operands.reads, &mut operands.writes, operands.workspace).map_err(
                    |e: Error| {
                        self.hoisted_for = Stamp::default();
                        e.within(&alloc::format!("step {i}"))
                    },
                )?;
            }
            Ok(())
        }
    }
}
