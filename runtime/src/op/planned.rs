//! Products as plans compute them: with a second operand that is packed ahead, and with a region that goes on with the
//! result while it is in the cache (bias, scale and offset of a batch normalization, sums with a shortcut, activation).

use super::formula;
use super::region::Region;
use super::{Conv2d, Kernels, Kind, Kinds, OPERANDS, Op, Window, expect_f32, expect_operands, matmul, used};
use crate::kernel::{self, Cpu, NOTHING, Then, View, ViewMut};
use crate::{DType, Result, misuse};
use heapless::Vec as Fixed;
use serde::{Deserialize, Serialize};

/// What is multiplied.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Product {
    /// [`Op::Matmul`].
    Matmul(bool, bool),
    /// [`Conv2d::Forward`].
    Conv2d(Window),
}

/// The region that reads a product.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Epilogue {
    /// What is computed from the product, element by element.
    pub region: Region,
    /// The operand of the region that is the product.
    pub operand: u8,
    /// The result of the region in whose place the product is computed.
    pub place: u8,
}

/// A product with more to it; made by the passes `epilogues` and `pack` only.
///
/// **Operands**: the two of the product, then those of the region without the product itself. **Results**: those of
/// the region, or the product.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Planned {
    /// What is computed first.
    pub product: Product,
    /// Whether the second operand is the result of [`Op::Pack`].
    pub packed: bool,
    /// What follows.
    pub epilogue: Option<Epilogue>,
}

impl Product {
    /// The product that an op is.
    pub fn of(op: &Op) -> Option<Product> {
        match op {
            Op::Matmul(ta, tb) => Some(Product::Matmul(*ta, *tb)),
            Op::Conv2d(Conv2d::Forward(window)) => Some(Product::Conv2d(*window)),
            _ => None,
        }
    }
}

impl Planned {
    /// The product as an op.
    pub fn product(&self) -> Op {
        match &self.product {
            Product::Matmul(ta, tb) => Op::Matmul(*ta, *tb),
            Product::Conv2d(window) => Op::Conv2d(Conv2d::Forward(*window)),
        }
    }

    /// Whether the product is worth packing its second operand ahead.
    pub fn takes_panels(&self, inputs: &[Kind]) -> bool {
        match &self.product {
            Product::Matmul(ta, tb) => matmul::geometry(*ta, *tb, inputs)
                .is_ok_and(|(batch, g)| batch == 1 && kernel::gemm_takes_panels(&g)),
            Product::Conv2d(window) => {
                Conv2d::Forward(*window).geometry(inputs).is_ok_and(|v| kernel::conv2d_takes_panels(&v))
            }
        }
    }

    pub(super) fn infer(&self, inputs: &[Kind]) -> Result<Kinds> {
        let operands = inputs.get(..2).unwrap_or(inputs);
        let product = self.product().infer(operands)?;
        if self.packed && !self.takes_panels(operands) {
            return Err(misuse!("{}: the second operand cannot be packed", self.name()));
        }
        let Some(epilogue) = &self.epilogue else {
            return if inputs.len() == 2 {
                Ok(product)
            } else {
                Err(misuse!("{}: expected 2 operands", self.name()))
            };
        };
        let (region, place) = (&epilogue.region, epilogue.place as usize);
        let mut all: Fixed<Kind, OPERANDS> = inputs.iter().skip(2).copied().collect();
        // There is room: the product has two operands.
        let _ = all.insert((epilogue.operand as usize).min(all.len()), (region.shape, DType::F32));
        region.check(&all)?;
        let fits = product.first().is_some_and(|(shape, _)| shape.numel() == region.shape.numel())
            && region.dtypes.get(place) == Some(&DType::F32)
            && (epilogue.operand as usize) < region.reads as usize
            && region.summed.iter().all(|&axes| axes == 0);
        if !fits {
            return Err(misuse!("{}: the epilogue does not fit the product", self.name()));
        }
        Ok(region.dtypes.iter().map(|&dtype| (region.shape, dtype)).collect())
    }

    pub(super) fn name(&self) -> &'static str {
        match (&self.product, self.packed, &self.epilogue) {
            (Product::Matmul(..), false, _) => "matmul+region",
            (Product::Matmul(..), true, Some(_)) => "packed matmul+region",
            (Product::Matmul(..), true, None) => "packed matmul",
            (Product::Conv2d(_), false, _) => "conv2d+region",
            (Product::Conv2d(_), true, Some(_)) => "packed conv2d+region",
            (Product::Conv2d(_), true, None) => "packed conv2d",
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
        let results = self.infer(&kinds)?;
        let same = |(w, (shape, dtype)): (&ViewMut, &Kind)| {
            w.dtype() == *dtype && w.shape().numel() == shape.numel()
        };
        if writes.len() != results.len() || !writes.iter().zip(&results).all(same) {
            return Err(misuse!("{}: results do not fit their slots", self.name()));
        }
        let Some(Epilogue { region, operand, place }) = &self.epilogue else {
            return self.multiply::<K>(cpu, &reads[..2], writes[0].slice::<f32>()?, workspace, NOTHING);
        };
        let place = *place as usize;
        let whole = writes[place].as_operand(region.shape)?;
        let mut operands: Fixed<View, OPERANDS> = reads[2..].iter().copied().collect();
        let at = (*operand as usize).min(operands.len());
        operands.insert(at, whole).map_err(|_| misuse!("{}: too many operands", self.name()))?;
        let out = writes[place].whole::<f32>()?;
        let (writes, operands) = (&*writes, &operands);
        let kinds: Fixed<Kind, OPERANDS> = operands.iter().map(|r| (*r.shape(), r.dtype())).collect();
        let found = formula::find(region, &kinds);
        let then = |range: core::ops::Range<usize>| {
            let known = found.is_some_and(|f| f.run(cpu, region, operands, writes, Some(range.clone())));
            if !known {
                region.interpret_part::<K>(cpu, operands, writes, range);
            }
        };
        self.multiply::<K>(cpu, &reads[..2], out, workspace, &then)
    }

    fn multiply<const K: Kernels>(
        &self,
        cpu: &Cpu,
        reads: &[View],
        out: &mut [f32],
        workspace: &mut [f32],
        then: Then,
    ) -> Result<()> {
        match &self.product {
            Product::Matmul(ta, tb) if K & used::MATMUL != 0 => {
                matmul::run(*ta, *tb, self.packed, cpu, reads, out, workspace, then)
            }
            Product::Conv2d(window) if K & used::CONV != 0 => {
                Conv2d::Forward(*window).run_then(self.packed, cpu, reads, out, workspace, then)
            }
            // `Op::run_with` refuses ops whose kernels are not there.
            Product::Matmul(..) | Product::Conv2d(_) => Ok(()),
        }
    }
}

/// [`Op::Pack`]: the kind of its operand.
pub(super) fn infer_pack(inputs: &[Kind]) -> Result<Kind> {
    expect_operands("pack", inputs, 1)?;
    expect_f32("pack", inputs)?;
    if inputs[0].0.rank() < 2 {
        return Err(misuse!("pack: expected [.., k, n], got {}", inputs[0].0));
    }
    Ok(inputs[0])
}

/// Packs a matrix, or a filter as a matrix with a column for each output channel.
pub(super) fn pack(reads: &[View], writes: &mut [ViewMut]) -> Result<()> {
    let ([x], [y]) = (reads, writes) else { return Err(misuse!("pack: expected one operand")) };
    let n = x.shape().dim(-1);
    kernel::panels::pack(x.slice::<f32>()?, n, y.slice::<f32>()?);
    Ok(())
}
