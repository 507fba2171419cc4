//! Affine warps of images (`keras.ops.image.affine_transform`), made of gathers.

use super::resample::Interpolation;
use crate::op::{Op, Var};
use crate::{DType, Result, Shape, misuse};
use serde::{Deserialize, Serialize};

/// What lies beyond the border of a warped image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FillMode {
    /// The image mirrored at its border: `d c b a | a b c d | d c b a`.
    #[default]
    Reflect,
    /// The image again: `a b c d | a b c d | a b c d`.
    Wrap,
    /// The fill value.
    Constant,
    /// The nearest cell of the border.
    Nearest,
}

impl FillMode {
    /// Keras's name.
    pub fn name(self) -> &'static str {
        match self {
            FillMode::Reflect => "reflect",
            FillMode::Wrap => "wrap",
            FillMode::Constant => "constant",
            FillMode::Nearest => "nearest",
        }
    }

    /// The mode of this name.
    pub fn from_name(name: &str) -> Option<FillMode> {
        use FillMode::{Constant, Nearest, Reflect, Wrap};
        [Reflect, Wrap, Constant, Nearest].into_iter().find(|m| m.name() == name)
    }

    /// The coordinate inside `0..n` that stands for `at`; with a constant fill the coordinate itself.
    fn fold(self, at: Var<'_>, n: usize) -> Var<'_> {
        let (n, last) = (n as f32, n.saturating_sub(1) as f32);
        match self {
            FillMode::Constant => at,
            FillMode::Nearest => at.clip(0.0, last),
            FillMode::Wrap => (at - (at / n).floor() * n).clip(0.0, last),
            FillMode::Reflect => {
                let at = at - (at / (2.0 * n)).floor() * (2.0 * n);
                at.minimum(2.0 * n - 1.0 - at).clip(0.0, last)
            }
        }
    }
}

/// How warped images are read.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Reading {
    pub(super) fill_mode: FillMode,
    pub(super) fill_value: f32,
    pub(super) interpolation: Interpolation,
}

impl Reading {
    /// Mirrored at the border, bilinear.
    pub(super) fn new() -> Reading {
        Reading { fill_mode: FillMode::Reflect, fill_value: 0.0, interpolation: Interpolation::Bilinear }
    }

    /// Checks that the interpolation is one that warps have.
    pub(super) fn check(&self, layer: &str) -> Result<()> {
        match self.interpolation {
            Interpolation::Nearest | Interpolation::Bilinear => Ok(()),
            Interpolation::Bicubic | Interpolation::Lanczos3 | Interpolation::Lanczos5 => Err(misuse!(
                "{layer}: expected interpolation nearest or bilinear, got {}",
                self.interpolation.name()
            )),
        }
    }
}

/// 0, 1, 2, … along the last axis of a shape, int32.
pub(super) fn iota<'b>(beside: Var<'b>, dims: &[usize]) -> Var<'b> {
    match Shape::new(dims) {
        Ok(shape) => Var::new(beside.builder(), beside.builder().push(Op::Iota(shape), &[])),
        Err(e) => beside.poison(e),
    }
}

/// Images `[n, h, w, c]` whose cell (x, y) is that of `images` at `(a0 x + a1 y + a2, b0 x + b1 y + b2)`, with
/// coefficients `[n, 1]` for each image.
pub(super) fn warp<'b>(images: Var<'b>, a: [Var<'b>; 3], b: [Var<'b>; 3], reading: &Reading) -> Var<'b> {
    let [n, h, w, c] = core::array::from_fn(|axis| images.dim(axis as isize));
    let xs = iota(images, &[h, w]).cast(DType::F32).reshape(&[1, h * w]);
    let ys = iota(images, &[w, h]).cast(DType::F32).transpose(&[]).reshape(&[1, h * w]);
    let at = |[p, q, r]: [Var<'b>; 3]| p * xs + q * ys + r;
    let x = reading.fill_mode.fold(at(a), w);
    let y = reading.fill_mode.fold(at(b), h);
    let cells = images.reshape(&[n, h * w, c]);

    // The cell at whole coordinates, the fill value outside.
    let read = |x: Var<'b>, y: Var<'b>| {
        let (in_x, in_y) = (x.clip(0.0, w.saturating_sub(1) as f32), y.clip(0.0, h.saturating_sub(1) as f32));
        let index = (in_y * w as f32 + in_x).cast(DType::I32);
        let cell = cells.gather_batched(index, 1, 1);
        if reading.fill_mode != FillMode::Constant {
            return cell;
        }
        let inside = in_x.equal(x).logical_and(in_y.equal(y)).expand_dims(-1);
        Var::select(inside, cell, cell.scalar_like(reading.fill_value))
    };
    let warped = match reading.interpolation {
        Interpolation::Nearest => read((x + 0.5).floor(), (y + 0.5).floor()),
        _ => {
            let (left, top) = (x.floor(), y.floor());
            let (fx, fy) = ((x - left).expand_dims(-1), (y - top).expand_dims(-1));
            let row = |y: Var<'b>| read(left, y) * (1.0 - fx) + read(left + 1.0, y) * fx;
            row(top) * (1.0 - fy) + row(top + 1.0) * fy
        }
    };
    warped.reshape(&[n, h, w, c])
}

/// Numbers from a least to a largest, from which a layer draws one for each sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Factor {
    pub(super) low: f32,
    pub(super) high: f32,
}

impl From<f32> for Factor {
    /// From `-factor` to `factor`.
    fn from(factor: f32) -> Factor {
        let factor = if factor < 0.0 { -factor } else { factor };
        Factor { low: -factor, high: factor }
    }
}

impl From<[f32; 2]> for Factor {
    /// From the smaller to the larger of the two.
    fn from([a, b]: [f32; 2]) -> Factor {
        if a <= b { Factor { low: a, high: b } } else { Factor { low: b, high: a } }
    }
}

impl Factor {
    /// Checks that both ends are within these bounds.
    pub(super) fn check(&self, layer: &str, bounds: [f32; 2]) -> Result<()> {
        let within = |v: f32| (bounds[0]..=bounds[1]).contains(&v);
        if within(self.low) && within(self.high) {
            return Ok(());
        }
        Err(misuse!("{layer}: expected factors in {bounds:?}, got {:?}", [self.low, self.high]))
    }

    /// One number for each sample of `x`, as `[n, 1]`; `None` where the call has no random key.
    pub(super) fn draw<'b>(&self, call: &mut super::Call<'b>, x: Var<'b>) -> Result<Option<Var<'b>>> {
        let uniform = call.random_uniform(Shape::new(&[x.dim(0), 1])?);
        Ok(uniform.map(|u| u * (self.high - self.low) + self.low))
    }
}
