//! A matrix product or convolution whose result a region goes on with while it is in the cache: bias, scale and offset
//! of a batch normalization, sums with a shortcut, activation.

use super::region::Region;
use super::{Conv2d, Kernels, Kind, Kinds, OPERANDS, Op, Window, matmul, used};
use crate::kernel::{Cpu, View, ViewMut};
use crate::{DType, Result, misuse};
use heapless::Vec as Fixed;
use serde::{Deserialize, Serialize};

/// What an epilogue follows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Product {
    /// [`Op::Matmul`].
    Matmul(bool, bool),
    /// [`Conv2d::Forward`].
    Conv2d(Window),
}

/// A product and the region that reads it; made by the `epilogues` pass only.
///
/// **Operands**: the two of the product, then those of the region without the product itself. **Results**: those of
/// the region.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Epilogue {
    /// What is computed first.
    pub product: Product,
    /// What is computed from it, element by element.
    pub region: Region,
    /// The operand of the region that is the product.
    pub operand: u8,
    /// The result of the region in whose place the product is computed.
    pub place: u8,
}

impl Epilogue {
    /// The product as an op.
    pub fn product(&self) -> Op {
        match &self.product {
            Product::Matmul(ta, tb) => Op::Matmul(*ta, *tb),
            Product::Conv2d(window) => Op::Conv2d(Conv2d::Forward(*window)),
        }
    }

    /// The operands of the region.
    fn operands(&self, inputs: &[Kind]) -> Fixed<Kind, OPERANDS> {
        let mut all: Fixed<Kind, OPERANDS> = inputs.iter().skip(2).copied().collect();
        // There is room: the product has two operands.
        let _ = all.insert((self.operand as usize).min(all.len()), (self.region.shape, DType::F32));
        all
    }

    pub(super) fn infer(&self, inputs: &[Kind]) -> Result<Kinds> {
        let product = self.product().infer(inputs.get(..2).unwrap_or(inputs))?;
        let region = &self.region;
        region.check(&self.operands(inputs))?;
        let place = self.place as usize;
        let fits = product.first().is_some_and(|(shape, _)| shape.numel() == region.shape.numel())
            && region.dtypes.get(place) == Some(&DType::F32)
            && (self.operand as usize) < region.reads as usize
            && region.summed.iter().all(|&axes| axes == 0);
        if !fits {
            return Err(misuse!("{}: the epilogue does not fit the product", self.name()));
        }
        Ok(region.dtypes.iter().map(|&dtype| (region.shape, dtype)).collect())
    }

    pub(super) fn name(&self) -> &'static str {
        match &self.product {
            Product::Matmul(..) => "matmul+region",
            Product::Conv2d(_) => "conv2d+region",
        }
    }

    pub(super) fn workspace(&self, inputs: &[Kind]) -> usize {
        self.product().workspace(inputs.get(..2).unwrap_or(inputs))
    }

    // Its large frame must not become that of every op.
    #[inline(never)]
    pub(super) fn run<const K: Kernels>(
        &self,
        cpu: &Cpu,
        reads: &[View],
        writes: &mut [ViewMut],
        workspace: &mut [f32],
    ) -> Result<()> {
        let mut kinds = Fixed::<Kind, OPERANDS>::new();
        for r in reads {
            kinds.push((*r.shape(), r.dtype())).map_err(|_| misuse!("{}: too many operands", self.name()))?;
        }
        self.infer(&kinds)?;
        let same =
            |(w, d): (&ViewMut, &DType)| w.dtype() == *d && w.shape().numel() == self.region.shape.numel();
        if writes.len() != self.region.dtypes.len() || !writes.iter().zip(&self.region.dtypes).all(same) {
            return Err(misuse!("{}: results do not fit their slots", self.name()));
        }
        let place = self.place as usize;
        let whole = writes[place].as_operand(self.region.shape)?;
        let mut operands: Fixed<View, OPERANDS> = reads[2..].iter().copied().collect();
        let at = (self.operand as usize).min(operands.len());
        operands.insert(at, whole).map_err(|_| misuse!("{}: too many operands", self.name()))?;
        let out = writes[place].whole::<f32>()?;
        let (writes, operands) = (&*writes, &operands);
        let then = |range: core::ops::Range<usize>| {
            self.region.interpret_part::<K>(cpu, operands, writes, range);
        };
        match &self.product {
            Product::Matmul(ta, tb) if K & used::MATMUL != 0 => {
                matmul::run(*ta, *tb, cpu, &reads[..2], out, workspace, &then)
            }
            Product::Conv2d(window) if K & used::CONV != 0 => {
                Conv2d::Forward(*window).run_then(cpu, &reads[..2], out, workspace, &then)
            }
            // `Op::run_with` refuses ops whose kernels are not there.
            Product::Matmul(..) | Product::Conv2d(_) => Ok(()),
        }
    }
}
