//! Fused elementwise regions: a straight-line program of scalar functions over one loop.
//!
//! A single elementwise op runs as a region of one instruction, so there is one elementwise kernel.

use super::Kernels;
use super::formula;
use super::scalar::{Binary, Compare, Unary};
use super::used;
use crate::kernel::tile::{self, Program, REGISTERS, Registers};
use crate::kernel::{Cpu, View, ViewMut, fold};
use crate::{DType, Result, Shape, misuse};
use heapless::Vec as Fixed;
use serde::{Deserialize, Serialize};

/// The most operands a region reads.
pub const READS: usize = 8;
/// The most results a region writes.
pub const WRITES: usize = 5;
/// The most instructions of a region.
pub const CODE: usize = 32;

/// What one instruction computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scalar {
    /// A function of one float.
    Unary(Unary),
    /// A function of two floats.
    Binary(Binary),
    /// A function of two integers.
    BinaryI32(Binary),
    /// A comparison of floats.
    Compare(Compare),
    /// A comparison of integers.
    CompareI32(Compare),
    /// Both booleans.
    And,
    /// Either boolean.
    Or,
    /// The other boolean.
    Not,
    /// `if a { b } else { c }`
    Select,
    /// Integer, byte or boolean to float.
    FloatOfInt,
    /// Float to integer, toward zero.
    IntOfFloat,
    /// Low eight bits.
    ByteOfInt,
    /// Whether a float differs from zero.
    BoolOfFloat,
    /// Whether an integer differs from zero.
    BoolOfInt,
    /// The operand unchanged.
    Copy,
    /// Low eight bits, of which the highest is the sign.
    SignedByteOfInt,
}

/// One instruction: `to = op(a, b, c)`; operands the function does not take are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Instruction {
    /// The function.
    pub op: Scalar,
    /// The register written; none of the operands.
    pub to: u8,
    /// First operand.
    pub a: u8,
    /// Second operand.
    pub b: u8,
    /// Third operand.
    pub c: u8,
}

/// A fused region. Registers `0..reads` are the operands, the next ones the immediates, then temporaries.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Region {
    /// The number of operands.
    pub reads: u8,
    /// Constants, in the registers after the operands.
    pub immediates: Fixed<u32, READS>,
    /// The program.
    pub code: Fixed<Instruction, CODE>,
    /// The registers of the results and their element types.
    pub results: Fixed<u8, WRITES>,
    /// The element types of the results.
    pub dtypes: Fixed<DType, WRITES>,
    /// The shape looped over, to which every operand broadcasts.
    pub shape: Shape,
    /// For each result over how many leading axes it is summed; 0 where it is stored as it is.
    pub summed: Fixed<u8, WRITES>,
}

impl Scalar {
    /// How many operands the function takes.
    pub fn arity(self) -> usize {
        match self {
            Scalar::Select => 3,
            Scalar::Binary(_) | Scalar::BinaryI32(_) => 2,
            Scalar::Compare(_) | Scalar::CompareI32(_) | Scalar::And | Scalar::Or => 2,
            Scalar::Unary(_) | Scalar::Not | Scalar::FloatOfInt | Scalar::IntOfFloat | Scalar::ByteOfInt => 1,
            Scalar::BoolOfFloat | Scalar::BoolOfInt | Scalar::Copy | Scalar::SignedByteOfInt => 1,
        }
    }

    /// The conversion between element types: two functions where one cannot do it.
    pub fn cast(from: DType, to: DType) -> (Scalar, Option<Scalar>) {
        let half = Scalar::Unary(Unary::Half);
        match (from, to) {
            // float16 is a float in registers, of which fewer bits are not 0.
            (DType::F32, DType::F16) => (half, None),
            (DType::F32 | DType::F16, DType::F32 | DType::F16) => (Scalar::Copy, None),
            (DType::F32 | DType::F16, DType::I32) => (Scalar::IntOfFloat, None),
            (DType::F32 | DType::F16, DType::U8) => (Scalar::IntOfFloat, Some(Scalar::ByteOfInt)),
            (DType::F32 | DType::F16, DType::I8) => (Scalar::IntOfFloat, Some(Scalar::SignedByteOfInt)),
            (DType::F32 | DType::F16, DType::Bool) => (Scalar::BoolOfFloat, None),
            (DType::I32, DType::F16) => (Scalar::FloatOfInt, Some(half)),
            (_, DType::F32 | DType::F16) => (Scalar::FloatOfInt, None),
            (DType::Bool, _) => (Scalar::Copy, None),
            (_, DType::I32) => (Scalar::Copy, None),
            (DType::U8, DType::U8) | (DType::I8, DType::I8) => (Scalar::Copy, None),
            (DType::I32 | DType::I8, DType::U8) => (Scalar::ByteOfInt, None),
            (DType::I32 | DType::U8, DType::I8) => (Scalar::SignedByteOfInt, None),
            (DType::I32 | DType::U8 | DType::I8, DType::Bool) => (Scalar::BoolOfInt, None),
        }
    }
}

impl Region {
    /// Checks everything the tile loop relies on: register numbers, operand and result shapes.
    pub fn check(&self, reads: &[(Shape, DType)]) -> Result<()> {
        let registers = self.registers();
        let fixed = self.reads as usize + self.immediates.len();
        if reads.len() != self.reads as usize || registers > REGISTERS {
            return Err(misuse!("region: expected {} operands, got {}", self.reads, reads.len()));
        }
        if let Some((shape, _)) = reads.iter().find(|(s, _)| !s.broadcasts_to(&self.shape)) {
            return Err(misuse!("region: operand of shape {shape} does not broadcast to {}", self.shape));
        }
        for i in &self.code {
            let operands = [i.a, i.b, i.c];
            let own = operands[..i.op.arity()].contains(&i.to);
            if own || (i.to as usize) < fixed {
                return Err(misuse!("region: an instruction overwrites its operand"));
            }
        }
        if self.results.len() != self.dtypes.len() || self.results.iter().any(|&r| (r as usize) < fixed) {
            return Err(misuse!("region: a result is not computed"));
        }
        let sums = |(&axes, &dtype): (&u8, &DType)| {
            axes == 0 || axes as usize <= self.shape.rank() && dtype == DType::F32
        };
        if self.summed.len() != self.results.len() || !self.summed.iter().zip(&self.dtypes).all(sums) {
            return Err(misuse!("region: only float32 results are summed, over axes that there are"));
        }
        Ok(())
    }

    /// The shape of result `i`.
    pub fn result_shape(&self, i: usize) -> Shape {
        let leading = self.summed.get(i).copied().unwrap_or(0) as usize;
        let dims = self.shape.list();
        // No more axes than the shape of the loop has.
        Shape::new(dims.get(leading..).unwrap_or(&[])).unwrap_or(Shape::SCALAR)
    }

    /// Float32 words of memory for partial sums.
    pub fn workspace(&self) -> usize {
        let summed = (0..self.results.len()).filter(|&i| self.summed.get(i).is_some_and(|&axes| axes > 0));
        fold::workspace(self.shape.numel(), summed.map(|i| self.result_shape(i).numel()))
    }

    fn registers(&self) -> usize {
        let operands = |i: &Instruction| i.to.max(i.a).max(i.b).max(i.c) as usize + 1;
        let code = self.code.iter().map(operands).max().unwrap_or(0);
        let results = self.results.iter().map(|&r| r as usize + 1).max().unwrap_or(0);
        code.max(results).max(self.reads as usize + self.immediates.len())
    }

    /// Runs the region with the kernels `K`; shapes and registers are checked.
    pub fn run<const K: Kernels>(
        &self,
        cpu: &Cpu,
        reads: &[View],
        writes: &mut [ViewMut],
        workspace: &mut [f32],
    ) -> Result<()> {
        let mut kinds = Fixed::<(Shape, DType), READS>::new();
        for r in reads {
            kinds.push((*r.shape(), r.dtype())).map_err(|_| misuse!("region: too many operands"))?;
        }
        self.check(&kinds)?;
        let same = |(i, w): (usize, &ViewMut)| {
            w.dtype() == self.dtypes[i] && w.shape().numel() == self.result_shape(i).numel()
        };
        if writes.len() != self.dtypes.len() || !writes.iter().enumerate().all(same) {
            return Err(misuse!("region: results do not fit their slots"));
        }
        let wanted = self.workspace();
        if workspace.len() < wanted {
            return Err(misuse!("region: expected {wanted} words of workspace, got {}", workspace.len()));
        }
        let found = formula::find(self, &kinds);
        if !found.is_some_and(|found| found.run(cpu, self, reads, writes, None)) {
            self.interpret::<K>(cpu, reads, writes, workspace);
        }
        Ok(())
    }

    /// The formula with a loop of its own that the region is on these operands, if it is one.
    pub fn formula(&self, operands: &[(Shape, DType)]) -> Option<&'static str> {
        formula::name(self, operands)
    }

    /// Runs the region, which sums nothing, over some elements; shapes and registers are checked.
    pub(super) fn interpret_part<const K: Kernels>(
        &self,
        cpu: &Cpu,
        reads: &[View],
        writes: &[ViewMut],
        range: core::ops::Range<usize>,
    ) {
        tile::run_part(cpu, &Linked::<K>(self), &self.shape, reads, writes, range);
    }

    /// Runs the region in the tile loop, whatever it computes.
    pub(super) fn interpret<const K: Kernels>(
        &self,
        cpu: &Cpu,
        reads: &[View],
        writes: &mut [ViewMut],
        workspace: &mut [f32],
    ) {
        tile::run(cpu, &Linked::<K>(self), &self.shape, reads, writes, workspace);
    }
}

/// A region in a program that links no scalar functions but `K`.
struct Linked<'r, const K: Kernels>(&'r Region);

impl<const K: Kernels> Program for Linked<'_, K> {
    const INT8: bool = K & used::INT8 != 0;
    const FLOAT16: bool = K & used::FLOAT16 != 0;

    fn registers(&self) -> usize {
        self.0.registers()
    }

    #[inline(always)]
    fn prepare(&self, r: &mut Registers) {
        for (i, &word) in self.0.immediates.iter().enumerate() {
            r.fill(self.0.reads + i as u8, word);
        }
    }

    #[inline(always)]
    fn execute(&self, r: &mut Registers) {
        #[cfg(all(gradling_compact, target_arch = "wasm32", target_feature = "simd128"))]
        for instruction in &self.0.code {
            super::compact::execute(r, instruction);
        }
        #[cfg(not(all(gradling_compact, target_arch = "wasm32", target_feature = "simd128")))]
        for &Instruction { op, to, a, b, c } in &self.0.code {
            match op {
                Scalar::Unary(f) => f.run::<K>(r, to, a),
                Scalar::Binary(f) => f.run::<K>(r, to, a, b),
                Scalar::Compare(f) if K & used::COMPARE != 0 => f.run(r, to, a, b),
                Scalar::BinaryI32(f) if K & used::INTEGER != 0 => f.run_i32(r, to, a, b),
                Scalar::CompareI32(f) if K & used::INTEGER != 0 => f.run_i32(r, to, a, b),
                // `Op::run_with` refuses regions whose functions are not there.
                Scalar::Compare(_) | Scalar::BinaryI32(_) | Scalar::CompareI32(_) => {}
                _ if K & used::SELECT == 0 => {}
                Scalar::And => r.map2(to, a, b, |x, y| x & y),
                Scalar::Or => r.map2(to, a, b, |x, y| x | y),
                Scalar::Not => r.map(to, a, |x| x ^ 1),
                Scalar::Select => r.map3(to, a, b, c, |x, y, z| if x != 0 { y } else { z }),
                Scalar::FloatOfInt => r.map(to, a, |x| (x as i32 as f32).to_bits()),
                Scalar::IntOfFloat => r.map(to, a, |x| f32::from_bits(x) as i32 as u32),
                Scalar::ByteOfInt => r.map(to, a, |x| x & 255),
                Scalar::BoolOfFloat => r.map(to, a, |x| (f32::from_bits(x) != 0.0) as u32),
                Scalar::BoolOfInt => r.map(to, a, |x| (x != 0) as u32),
                Scalar::SignedByteOfInt if K & used::INT8 != 0 => r.map(to, a, |x| x as i8 as u32),
                Scalar::SignedByteOfInt => {}
                Scalar::Copy => r.map(to, a, |x| x),
            }
        }
    }

    fn results(&self) -> &[u8] {
        &self.0.results
    }

    #[inline(always)]
    fn sums(&self, i: usize) -> bool {
        K & used::REDUCE != 0 && self.0.summed.get(i).is_some_and(|&axes| axes > 0)
    }
}
