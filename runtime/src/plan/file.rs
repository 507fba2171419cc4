//! Plans as bytes, read in place: header, ports and steps in postcard, constants aligned to 64 bytes.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | `GRADPLAN` |
//! | 8 | 4 | version, 3 |
//! | 12 | 4 | CRC-32 of everything from byte 16 on |
//! | 16 | 4 | file length |
//! | 20 | 4 | arena bytes |
//! | 24 | 4 | variable bytes |
//! | 28 | 4 + 4 | inputs, outputs |
//! | 36 | 4 + 4 | ports: offset, length |
//! | 44 | 4 + 4 | steps: offset, length |
//! | 52 | 4 | number of steps |
//! | 56 | 4 + 4 | constants: offset, length |
//! | 64 | 8 | kernels that the steps call, [`used`](crate::op::used) |
//!
//! Numbers are little-endian. A port is `(name, slot)`.

use super::{Place, Slot, Step};
use crate::op::Kernels;
use crate::{Result, format_error};

const MAGIC: &[u8; 8] = b"GRADPLAN";
const VERSION: u32 = 3;
const HEADER: usize = 72;

/// The arena that a plan file asks for, in bytes, from its header alone: a constant expression, so that a static
/// arena has the right size before the program is flashed. 0 for bytes too short to be a plan, which
/// [`PlanFile::parse`] refuses.
///
/// ```
/// const PLAN: &[u8] = &[0; 64]; // include_bytes!("model.plan")
/// static ARENA: [u8; gradling::plan::file::arena_bytes(PLAN)] = [0; gradling::plan::file::arena_bytes(PLAN)];
/// ```
pub const fn arena_bytes(plan: &[u8]) -> usize {
    if plan.len() < HEADER {
        return 0;
    }
    u32::from_le_bytes([plan[20], plan[21], plan[22], plan[23]]) as usize
}

/// The kernels that a plan file calls, from its header alone: a constant expression for
/// [`StaticSession::with_kernels`](crate::session::StaticSession::with_kernels). None for bytes too short to be a plan.
pub const fn kernels(plan: &[u8]) -> Kernels {
    match plan.first_chunk::<HEADER>() {
        Some(header) => match header.last_chunk::<8>() {
            Some(word) => u64::from_le_bytes(*word),
            None => 0,
        },
        None => 0,
    }
}

/// A plan inside a byte string, decoded a step at a time without an allocator.
#[derive(Clone, Copy)]
pub struct PlanFile<'a> {
    arena_bytes: usize,
    variable_bytes: usize,
    inputs: usize,
    outputs: usize,
    ports: &'a [u8],
    steps: &'a [u8],
    step_count: usize,
    constants: &'a [u8],
    kernels: Kernels,
}

impl<'a> PlanFile<'a> {
    /// Reads the header and checks length, version, checksum and every step.
    ///
    /// **Errors** when the bytes are not a plan, are damaged, or hold a step that does not type or that leaves
    /// its memory.
    // Its frame is gone when the plan runs.
    #[inline(never)]
    pub fn parse(bytes: &'a [u8]) -> Result<PlanFile<'a>> {
        let word = |at: usize| -> Result<usize> {
            match bytes.get(at..at + 4) {
                Some(b) => Ok(u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize),
                None => Err(format_error!("plan file: truncated, {} bytes", bytes.len())),
            }
        };
        if bytes.get(..8) != Some(MAGIC) {
            return Err(format_error!("plan file: does not start with GRADPLAN; convert the model first"));
        }
        if word(8)? != VERSION as usize {
            return Err(format_error!("plan file: expected version {VERSION}, got {}", word(8)?));
        }
        let len = word(16)?;
        if len < HEADER || bytes.len() < len {
            return Err(format_error!("plan file: truncated, expected {len} bytes, got {}", bytes.len()));
        }
        let bytes = &bytes[..len];
        if crate::checksum::crc32(&bytes[16..]) as usize != word(12)? {
            return Err(format_error!("plan file: the checksum does not match; the file is damaged"));
        }
        let section = |at: usize| -> Result<&'a [u8]> {
            let (start, n) = (word(at)?, word(at + 4)?);
            let end = start.checked_add(n);
            end.and_then(|end| bytes.get(start..end))
                .ok_or_else(|| format_error!("plan file: a section leaves the file"))
        };
        let file = PlanFile {
            arena_bytes: word(20)?,
            variable_bytes: word(24)?,
            inputs: word(28)?,
            outputs: word(32)?,
            ports: section(36)?,
            steps: section(44)?,
            step_count: word(52)?,
            constants: section(56)?,
            kernels: kernels(bytes),
        };
        file.check()?;
        Ok(file)
    }

    fn check(&self) -> Result<()> {
        let inside = |slot: &Slot| {
            let len = match slot.place {
                Place::Arena => self.arena_bytes,
                Place::Variables => self.variable_bytes,
                Place::Constants => self.constants.len(),
            };
            (slot.offset as usize).checked_add(slot.bytes()).is_some_and(|end| end <= len)
        };
        for step in self.steps() {
            let step = step?;
            if step.kernels() & !self.kernels != 0 {
                return Err(format_error!("plan file: the header lacks a kernel of its steps"));
            }
            step.check_kinds()?;
            step.check_overlap()?;
            if !step.reads.iter().chain(&step.writes).chain(&step.workspace).all(inside) {
                return Err(format_error!("plan file: a slot leaves its memory"));
            }
        }
        for i in 0..self.inputs + self.outputs {
            let (_, slot) = self.port(i)?;
            if !inside(&slot) {
                return Err(format_error!("plan file: a port leaves its memory"));
            }
        }
        Ok(())
    }

    /// The size of the arena in bytes.
    pub fn arena_bytes(&self) -> usize {
        self.arena_bytes
    }

    /// The size of the variables in bytes; 0 for inference.
    pub fn variable_bytes(&self) -> usize {
        self.variable_bytes
    }

    /// The constants: weights and other fixed tensors.
    pub fn constants(&self) -> &'a [u8] {
        self.constants
    }

    /// The kernels that the steps call.
    pub fn kernels(&self) -> Kernels {
        self.kernels
    }

    /// The number of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The number of outputs.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The number of steps.
    pub fn step_count(&self) -> usize {
        self.step_count
    }

    /// Name and slot of an input.
    ///
    /// **Errors** when there is no such input.
    pub fn input(&self, n: usize) -> Result<(&'a str, Slot)> {
        if n < self.inputs { self.port(n) } else { Err(format_error!("plan file: there is no input {n}")) }
    }

    /// Name and slot of an output.
    ///
    /// **Errors** when there is no such output.
    pub fn output(&self, n: usize) -> Result<(&'a str, Slot)> {
        if n < self.outputs {
            self.port(self.inputs + n)
        } else {
            Err(format_error!("plan file: there is no output {n}"))
        }
    }

    fn port(&self, n: usize) -> Result<(&'a str, Slot)> {
        let mut rest = self.ports;
        for i in 0..=n {
            let (port, after) = postcard::take_from_bytes::<(&'a str, Slot)>(rest)
                .map_err(|_| format_error!("plan file: a port is damaged"))?;
            if i == n {
                return Ok(port);
            }
            rest = after;
        }
        Err(format_error!("plan file: a port is missing"))
    }

    /// The steps in order.
    pub fn steps(&self) -> Steps<'a> {
        Steps { rest: self.steps, left: self.step_count }
    }
}

/// Iterator over the steps of a [`PlanFile`].
#[derive(Clone)]
pub struct Steps<'a> {
    rest: &'a [u8],
    left: usize,
}

impl Iterator for Steps<'_> {
    type Item = Result<Step>;

    fn next(&mut self) -> Option<Result<Step>> {
        self.left = self.left.checked_sub(1)?;
        match postcard::take_from_bytes::<Step>(self.rest) {
            Ok((step, rest)) => {
                self.rest = rest;
                Some(Ok(step))
            }
            Err(_) => {
                self.left = 0;
                Some(Err(format_error!("plan file: a step is damaged")))
            }
        }
    }
}

#[cfg(feature = "alloc")]
mod write {
    use super::{HEADER, MAGIC, PlanFile, VERSION};
    use crate::arena::Buffer;
    use crate::graph::Port;
    use crate::plan::{NamedSlot, Plan};
    use crate::{DType, Error, Result, Shape, device_error, format_error};
    use alloc::vec;
    use alloc::vec::Vec;

    impl Plan {
        /// The plan as a file that [`PlanFile::parse`] reads in place.
        ///
        /// **Errors** when it would pass 4 GiB.
        pub fn to_bytes(&self) -> Result<Vec<u8>> {
            let encode = |e: postcard::Error| device_error!("plan file: {e}");
            let mut ports = Vec::new();
            for p in self.inputs.iter().chain(&self.outputs) {
                ports.extend(postcard::to_allocvec(&(p.name.as_str(), p.slot)).map_err(encode)?);
            }
            let mut steps = Vec::new();
            for step in &self.steps {
                steps.extend(postcard::to_allocvec(step).map_err(encode)?);
            }
            let steps_at = HEADER + ports.len();
            let constants_at = (steps_at + steps.len()).next_multiple_of(64);
            let len = constants_at + self.constants.len();
            let mut bytes = vec![0u8; len];
            bytes[..8].copy_from_slice(MAGIC);
            let words = [
                (8, VERSION as usize),
                (16, len),
                (20, self.arena_bytes),
                (24, self.variable_bytes()),
                (28, self.inputs.len()),
                (32, self.outputs.len()),
                (36, HEADER),
                (40, ports.len()),
                (44, steps_at),
                (48, steps.len()),
                (52, self.steps.len()),
                (56, constants_at),
                (60, self.constants.len()),
            ];
            for (at, word) in words {
                let word = u32::try_from(word).map_err(|_| format_error!("plan file: larger than 4 GiB"))?;
                bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
            }
            let kernels = self.steps.iter().fold(0, |set, step| set | step.kernels());
            bytes[64..HEADER].copy_from_slice(&kernels.to_le_bytes());
            bytes[HEADER..steps_at].copy_from_slice(&ports);
            bytes[steps_at..steps_at + steps.len()].copy_from_slice(&steps);
            bytes[constants_at..].copy_from_slice(self.constants.bytes());
            let crc = crate::checksum::crc32(&bytes[16..]);
            bytes[12..16].copy_from_slice(&crc.to_le_bytes());
            Ok(bytes)
        }

        /// Reads an inference plan.
        ///
        /// **Errors** as [`PlanFile::parse`], when the plan needs variables, and when it does not verify.
        pub fn from_bytes(bytes: &[u8]) -> Result<Plan> {
            let plan = Plan::from_bytes_with_variables(bytes)?;
            if !plan.variables.is_empty() {
                return Err(format_error!("plan file: expected an inference plan, got one with variables"));
            }
            Ok(plan)
        }

        /// Reads a plan that may read and write variables, whose names and kinds files do not hold: of them it knows
        /// that they are so many bytes, so it is for those who keep variables as bytes.
        ///
        /// **Errors** as [`PlanFile::parse`], and when it does not verify.
        pub fn from_bytes_with_variables(bytes: &[u8]) -> Result<Plan> {
            let file = PlanFile::parse(bytes)?;
            let variables = match file.variable_bytes().div_ceil(4) {
                0 => Vec::new(),
                words => vec![Port { name: "variables".into(), kind: (Shape::new(&[words])?, DType::F32) }],
            };
            let port = |p: (&str, crate::plan::Slot)| NamedSlot { name: p.0.into(), slot: p.1 };
            let steps = file.steps().collect::<Result<Vec<_>>>()?;
            let plan = Plan {
                inputs: (0..file.inputs()).map(|i| file.input(i).map(port)).collect::<Result<_, Error>>()?,
                outputs: (0..file.outputs())
                    .map(|i| file.output(i).map(port))
                    .collect::<Result<_, Error>>()?,
                variables,
                constants: Buffer::from_bytes(file.constants()),
                arena_bytes: file.arena_bytes(),
                hoisted: 0,
                steps,
            };
            plan.verify()?;
            Ok(plan)
        }
    }
}
