//! 2-D convolution (`tf.nn.conv2d`, cross-correlation) and its two gradients, each bilinear, so that the
//! gradient of each is made of the other two.

use super::{Kernels, Kind, Window, expect_f32, expect_operands, used};
use crate::kernel::{self, Conv, Cpu, Then, View, ViewMut};
use crate::{DType, Result, Shape, misuse};
use serde::{Deserialize, Serialize};

/// A member of the convolution family. x is `[n, h, w, c]`, the filter `[kh, kw, c / groups, o]`, y
/// `[n, oh, ow, o]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Conv2d {
    /// y from (x, filter).
    Forward(Window),
    /// Gradient of x, of this shape, from (dy, filter).
    InputGrad(Window, Shape),
    /// Gradient of the filter, of this shape, from (x, dy).
    FilterGrad(Window, Shape),
}

impl Conv2d {
    /// The name in messages and profiles.
    pub fn name(&self) -> &'static str {
        match self {
            Conv2d::Forward(_) => "conv2d",
            Conv2d::InputGrad(..) => "conv2d_input_grad",
            Conv2d::FilterGrad(..) => "conv2d_filter_grad",
        }
    }

    fn window(&self) -> &Window {
        match self {
            Conv2d::Forward(w) | Conv2d::InputGrad(w, _) | Conv2d::FilterGrad(w, _) => w,
        }
    }

    /// The shapes of x, filter and y from two operands.
    fn shapes(&self, inputs: &[Kind]) -> Result<[Shape; 3]> {
        let name = self.name();
        expect_operands(name, inputs, 2)?;
        expect_f32(name, inputs)?;
        let (a, b) = (inputs[0].0, inputs[1].0);
        let (x, w) = match self {
            Conv2d::Forward(_) => (a, b),
            Conv2d::InputGrad(_, x) => (*x, b),
            Conv2d::FilterGrad(_, w) => (a, *w),
        };
        if x.rank() != 4 || w.rank() != 4 {
            return Err(misuse!(
                "{name}: expected input [n, h, w, c] and filter [kh, kw, c, o], got {x} and {w}"
            ));
        }
        let window = self.window();
        let groups = window.groups as usize;
        let kernel = [w.dim(0) as u32, w.dim(1) as u32];
        if kernel != window.kernel || groups == 0 || w.dim(2) * groups != x.dim(3) || w.dim(3) % groups != 0 {
            return Err(misuse!(
                "{name}: filter {w} with {groups} groups does not fit {} input channels of {x}",
                x.dim(3)
            ));
        }
        let ([oh, ow], _) = window.output(&x)?;
        let y = Shape::new(&[x.dim(0), oh, ow, w.dim(3)])?;
        let given = match self {
            Conv2d::Forward(_) => y,
            Conv2d::InputGrad(..) => a,
            Conv2d::FilterGrad(..) => b,
        };
        if given != y {
            return Err(misuse!("{name}: expected an output gradient of shape {y}, got {given}"));
        }
        Ok([x, w, y])
    }

    pub(super) fn infer(&self, inputs: &[Kind]) -> Result<Kind> {
        let [x, w, y] = self.shapes(inputs)?;
        let shape = match self {
            Conv2d::Forward(_) => y,
            Conv2d::InputGrad(..) => x,
            Conv2d::FilterGrad(..) => w,
        };
        Ok((shape, DType::F32))
    }

    /// The loop bounds of the kernels.
    pub fn geometry(&self, inputs: &[Kind]) -> Result<Conv> {
        let [x, w, y] = self.shapes(inputs)?;
        let window = self.window();
        let (_, [pad_top, pad_left]) = window.output(&x)?;
        Ok(Conv {
            n: x.dim(0),
            h: x.dim(1),
            w: x.dim(2),
            c: x.dim(3),
            oh: y.dim(1),
            ow: y.dim(2),
            oc: y.dim(3),
            kh: w.dim(0),
            kw: w.dim(1),
            sh: window.strides[0] as usize,
            sw: window.strides[1] as usize,
            dh: window.dilation[0] as usize,
            dw: window.dilation[1] as usize,
            pad_top,
            pad_left,
            groups: window.groups as usize,
        })
    }

    pub(super) fn workspace(&self, inputs: &[Kind]) -> usize {
        let Ok(g) = self.geometry(inputs) else { return 0 };
        match self {
            Conv2d::Forward(_) => kernel::conv2d_workspace(&g),
            Conv2d::InputGrad(..) => kernel::conv2d_input_grad_workspace(&g),
            Conv2d::FilterGrad(..) => kernel::conv2d_filter_grad_workspace(&g),
        }
    }

    pub(super) fn run<const K: Kernels>(
        &self,
        cpu: &Cpu,
        reads: &[View],
        writes: &mut [ViewMut],
        ws: &mut [f32],
    ) -> Result<()> {
        let ([a, b], [y]) = (reads, writes) else {
            return Err(misuse!("{}: expected 2 operands", self.name()));
        };
        let g = self.geometry(&[(*a.shape(), a.dtype()), (*b.shape(), b.dtype())])?;
        let (a, b, y) = (a.slice::<f32>()?, b.slice::<f32>()?, y.slice::<f32>()?);
        match self {
            Conv2d::Forward(_) if K & used::CONV != 0 => kernel::conv2d(cpu, &g, a, b, y, ws),
            Conv2d::InputGrad(..) if K & used::CONV_INPUT_GRAD != 0 => {
                kernel::conv2d_input_grad(cpu, &g, a, b, y, ws)
            }
            Conv2d::FilterGrad(..) if K & used::CONV_FILTER_GRAD != 0 => {
                kernel::conv2d_filter_grad(cpu, &g, a, b, y, ws)
            }
            // `Op::run_with` refuses ops whose kernels are not there.
            Conv2d::Forward(_) | Conv2d::InputGrad(..) | Conv2d::FilterGrad(..) => {}
        }
        Ok(())
    }

    /// The convolution, of which the filter may be packed, and `then` something with ranges of it.
    pub(super) fn run_then(
        &self,
        packed: bool,
        cpu: &Cpu,
        reads: &[View],
        y: &mut [f32],
        workspace: &mut [f32],
        then: Then,
    ) -> Result<()> {
        let ([x, w], Conv2d::Forward(_)) = (reads, self) else {
            return Err(misuse!("{}: expected a convolution of 2 operands", self.name()));
        };
        let g = self.geometry(&[(*x.shape(), x.dtype()), (*w.shape(), w.dtype())])?;
        let (x, w) = (x.slice::<f32>()?, w.slice::<f32>()?);
        if packed && super::Op::PLANNED {
            kernel::conv2d_packed(cpu, &g, x, w, y, workspace, then);
        } else {
            kernel::conv2d_then(cpu, &g, x, w, y, workspace, then);
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
        let (a, b) = (x[0], x[1]);
        let op = |c: Conv2d, x: Var<'b>, y: Var<'b>| Some(Var::op(Op::Conv2d(c), &[x, y]));
        let w = *self.window();
        let pair = match self {
            Conv2d::Forward(_) => {
                [op(Conv2d::InputGrad(w, a.shape()), g, b), op(Conv2d::FilterGrad(w, b.shape()), a, g)]
            }
            Conv2d::InputGrad(..) => {
                [op(Conv2d::Forward(w), g, b), op(Conv2d::FilterGrad(w, b.shape()), g, a)]
            }
            Conv2d::FilterGrad(..) => {
                [op(Conv2d::InputGrad(w, a.shape()), b, g), op(Conv2d::Forward(w), a, g)]
            }
        };
        pair.into()
    }
}
