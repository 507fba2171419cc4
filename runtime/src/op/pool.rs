//! 2-D pooling and its gradients, NHWC.

use super::{Kernels, Kind, Window, expect_f32, expect_operands, used};
use crate::kernel::{self, Cpu, Pool2d, View, ViewMut};
use crate::{DType, Result, Shape, misuse};
use serde::{Deserialize, Serialize};

/// What a pool does with its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PoolKind {
    /// The largest; the first in row-major order among equals (`tf.nn.max_pool2d`).
    Max,
    /// The mean of the cells inside the input (`tf.nn.avg_pool2d`).
    Average,
}

/// A member of the pooling family over x `[n, h, w, c]` and y `[n, oh, ow, c]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Pool {
    /// y from x.
    Forward(PoolKind, Window),
    /// Gradient of x from (x, dy) for `Max`.
    MaxGrad(Window),
    /// Values of the second operand, shaped as x, where the first one, x, has its window maxima. This is the
    /// transpose of `MaxGrad`.
    MaxPick(Window),
    /// Gradient of x, of this shape, from dy for `Average`.
    AverageGrad(Window, Shape),
}

impl Pool {
    /// The name in messages and profiles.
    pub fn name(&self) -> &'static str {
        match self {
            Pool::Forward(PoolKind::Max, _) => "max_pool2d",
            Pool::Forward(PoolKind::Average, _) => "avg_pool2d",
            Pool::MaxGrad(_) => "max_pool2d_grad",
            Pool::MaxPick(_) => "max_pool2d_pick",
            Pool::AverageGrad(..) => "avg_pool2d_grad",
        }
    }

    fn window(&self) -> &Window {
        match self {
            Pool::Forward(_, w) | Pool::MaxGrad(w) | Pool::MaxPick(w) | Pool::AverageGrad(w, _) => w,
        }
    }

    /// The shapes of x and y.
    fn shapes(&self, inputs: &[Kind]) -> Result<[Shape; 2]> {
        let name = self.name();
        let n = match self {
            Pool::Forward(..) | Pool::AverageGrad(..) => 1,
            Pool::MaxGrad(_) | Pool::MaxPick(_) => 2,
        };
        expect_operands(name, inputs, n)?;
        expect_f32(name, inputs)?;
        let x = match self {
            Pool::AverageGrad(_, x) => *x,
            _ => inputs[0].0,
        };
        if x.rank() != 4 {
            return Err(misuse!("{name}: expected input [n, h, w, c], got {x}"));
        }
        if self.window().dilation != [1, 1] || self.window().groups != 1 {
            return Err(misuse!("{name}: pools have neither dilation nor groups"));
        }
        let ([oh, ow], _) = self.window().output(&x)?;
        let y = Shape::new(&[x.dim(0), oh, ow, x.dim(3)])?;
        let (last, wanted) = (inputs[n - 1].0, if matches!(self, Pool::MaxPick(_)) { x } else { y });
        if !matches!(self, Pool::Forward(..)) && last != wanted {
            return Err(misuse!("{name}: expected an operand of shape {wanted}, got {last}"));
        }
        Ok([x, y])
    }

    pub(super) fn infer(&self, inputs: &[Kind]) -> Result<Kind> {
        let [x, y] = self.shapes(inputs)?;
        let shape = match self {
            Pool::Forward(..) | Pool::MaxPick(_) => y,
            Pool::MaxGrad(_) | Pool::AverageGrad(..) => x,
        };
        Ok((shape, DType::F32))
    }

    pub(super) fn run<const K: Kernels>(
        &self,
        cpu: &Cpu,
        reads: &[View],
        writes: &mut [ViewMut],
    ) -> Result<()> {
        let Some(out) = writes.first_mut() else { return Err(misuse!("{}: no result", self.name())) };
        let mut kinds = heapless::Vec::<Kind, 2>::new();
        for r in reads {
            kinds.push((*r.shape(), r.dtype())).map_err(|_| misuse!("{}: too many operands", self.name()))?;
        }
        let [x, y] = self.shapes(&kinds)?;
        let window = self.window();
        let (_, [pad_top, pad_left]) = window.output(&x)?;
        let g = Pool2d {
            n: x.dim(0),
            h: x.dim(1),
            w: x.dim(2),
            c: x.dim(3),
            oh: y.dim(1),
            ow: y.dim(2),
            kh: window.kernel[0] as usize,
            kw: window.kernel[1] as usize,
            sh: window.strides[0] as usize,
            sw: window.strides[1] as usize,
            pad_top,
            pad_left,
        };
        let out = out.slice::<f32>()?;
        let a = reads[0].slice::<f32>()?;
        match self {
            Pool::Forward(PoolKind::Max, _) if K & used::MAX_POOL != 0 => kernel::max_pool2d(cpu, &g, a, out),
            Pool::Forward(PoolKind::Average, _) if K & used::AVERAGE_POOL != 0 => {
                kernel::average_pool2d(cpu, &g, a, out)
            }
            Pool::MaxGrad(_) if K & used::MAX_POOL_GRAD != 0 => {
                kernel::max_pool2d_grad(cpu, &g, a, reads[1].slice::<f32>()?, out)
            }
            Pool::MaxPick(_) if K & used::MAX_POOL_GRAD != 0 => {
                kernel::generic::max_pool2d_pick(&g, a, reads[1].slice::<f32>()?, out)
            }
            Pool::AverageGrad(..) if K & used::AVERAGE_POOL_GRAD != 0 => {
                kernel::average_pool2d_grad(cpu, &g, a, out)
            }
            // `Op::run_with` refuses ops whose kernels are not there.
            Pool::Forward(..) | Pool::MaxGrad(_) | Pool::MaxPick(_) | Pool::AverageGrad(..) => {}
        }
        Ok(())
    }

    #[cfg(feature = "alloc")]
    pub(super) fn vjp<'b>(
        &self,
        x: &[super::Var<'b>],
        g: super::Var<'b>,
    ) -> alloc::vec::Vec<Option<super::Var<'b>>> {
        use super::{Op, Var};
        use alloc::vec;
        match self {
            Pool::Forward(PoolKind::Max, w) => vec![Some(Var::op(Op::Pool(Pool::MaxGrad(*w)), &[x[0], g]))],
            Pool::Forward(PoolKind::Average, w) => {
                vec![Some(g.apply(Op::Pool(Pool::AverageGrad(*w, x[0].shape()))))]
            }
            Pool::MaxGrad(w) => vec![None, Some(Var::op(Op::Pool(Pool::MaxPick(*w)), &[x[0], g]))],
            Pool::MaxPick(w) => vec![None, Some(Var::op(Op::Pool(Pool::MaxGrad(*w)), &[x[0], g]))],
            Pool::AverageGrad(w, _) => vec![Some(g.apply(Op::Pool(Pool::Forward(PoolKind::Average, *w))))],
        }
    }
}
