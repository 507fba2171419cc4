//! Images of other sizes, by half-pixel centres (`tf.image.resize`).

use crate::{Result, Tensor, Var, math, misuse};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// How cells between cells are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Interpolation {
    /// The cell that the centre falls into.
    #[default]
    Nearest,
    /// Straight lines between two cells.
    Bilinear,
    /// Keys's cubic over four cells, with -0.5 as its parameter.
    Bicubic,
    /// Lanczos's kernel over six cells.
    Lanczos3,
    /// Lanczos's kernel over ten cells.
    Lanczos5,
}

impl Interpolation {
    /// Keras's name.
    pub fn name(self) -> &'static str {
        match self {
            Interpolation::Nearest => "nearest",
            Interpolation::Bilinear => "bilinear",
            Interpolation::Bicubic => "bicubic",
            Interpolation::Lanczos3 => "lanczos3",
            Interpolation::Lanczos5 => "lanczos5",
        }
    }

    /// The interpolation of this name.
    pub fn from_name(name: &str) -> Option<Interpolation> {
        use Interpolation::{Bicubic, Bilinear, Lanczos3, Lanczos5, Nearest};
        [Nearest, Bilinear, Bicubic, Lanczos3, Lanczos5].into_iter().find(|i| i.name() == name)
    }

    /// How far the kernel reaches, in cells.
    fn radius(self) -> f32 {
        match self {
            Interpolation::Nearest => 0.5,
            Interpolation::Bilinear => 1.0,
            Interpolation::Bicubic => 2.0,
            Interpolation::Lanczos3 => 3.0,
            Interpolation::Lanczos5 => 5.0,
        }
    }

    /// The weight of a cell at this distance.
    fn weight(self, distance: f32) -> f32 {
        let x = math::abs(distance);
        match self {
            _ if x >= self.radius() => 0.0,
            Interpolation::Nearest => 1.0,
            Interpolation::Bilinear => 1.0 - x,
            Interpolation::Bicubic if x <= 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            Interpolation::Bicubic => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
            Interpolation::Lanczos3 | Interpolation::Lanczos5 if x < 1e-6 => 1.0,
            Interpolation::Lanczos3 | Interpolation::Lanczos5 => {
                let (pi_x, radius) = (core::f32::consts::PI * x, self.radius());
                radius * math::sin(pi_x) * math::sin(pi_x / radius) / (pi_x * pi_x)
            }
        }
    }

    /// For each of `to` cells the cells of `from` that it is made of, and their weights, which sum to 1. With
    /// `antialias` the kernel is as wide as the cells where there are fewer than before.
    fn taps(self, from: usize, to: usize, antialias: bool) -> Vec<(Vec<i32>, Vec<f32>)> {
        let scale = from as f32 / to.max(1) as f32;
        let wide = if antialias && self != Interpolation::Nearest { scale.max(1.0) } else { 1.0 };
        let last = from.saturating_sub(1) as i32;
        let centre = |i: usize| (i as f32 + 0.5) * scale;
        if self == Interpolation::Nearest {
            let cells = (0..to).map(|i| (math::floor(centre(i)) as i32).clamp(0, last)).collect();
            return alloc::vec![(cells, alloc::vec![1.0; to])];
        }
        let reach = math::ceil(self.radius() * wide) as i32;
        // TensorFlow tabulates the plain cubic at 1024 places between two cells.
        let tabulated = self == Interpolation::Bicubic && wide == 1.0;
        let mut taps = alloc::vec![(alloc::vec![0; to], alloc::vec![0.0f32; to]); 2 * reach as usize];
        for i in 0..to {
            let at = centre(i) - 0.5;
            let before = math::floor(at);
            let mut fraction = at - before;
            if tabulated {
                fraction = math::floor(fraction * 1024.0 + 0.5) / 1024.0;
            }
            for (tap, (cells, weights)) in taps.iter_mut().enumerate() {
                let offset = tap as i32 - reach + 1;
                let cell = (before as i32).saturating_add(offset);
                if (0..=last).contains(&cell) {
                    cells[i] = cell;
                    weights[i] = self.weight((offset as f32 - fraction) / wide);
                }
            }
            let sum: f32 = taps.iter().map(|(_, w)| w[i]).sum();
            let sum = if sum == 0.0 { 1.0 } else { sum };
            taps.iter_mut().for_each(|(_, w)| w[i] /= sum);
        }
        taps.retain(|(_, weights)| weights.iter().any(|w| *w != 0.0));
        taps
    }
}

/// `x` with `to` cells along `axis`.
fn resize_axis<'b>(
    x: Var<'b>,
    axis: usize,
    to: usize,
    how: Interpolation,
    antialias: bool,
) -> Result<Var<'b>> {
    let from = x.dim(axis as isize);
    if from == to {
        return Ok(x);
    }
    let mut column = alloc::vec![1; x.rank()];
    column[axis] = to;
    let mut sum: Option<Var<'b>> = None;
    for (cells, weights) in how.taps(from, to, antialias) {
        let cells = x.constant_like(Tensor::new(&[to], cells)?);
        let mut part = x.gather(cells, axis as isize);
        if how != Interpolation::Nearest {
            part = part * x.constant_like(Tensor::new(&column, weights)?);
        }
        sum = Some(sum.map_or(part, |sum| sum + part));
    }
    sum.ok_or_else(|| misuse!("resize: no {to} cells can be made of {from}"))
}

/// Images `[batch, h, w, c]` with another height and width.
pub(super) fn resize<'b>(
    x: Var<'b>,
    [h, w]: [usize; 2],
    how: Interpolation,
    antialias: bool,
) -> Result<Var<'b>> {
    let rows = resize_axis(x, 1, h, how, antialias)?;
    resize_axis(rows, 2, w, how, antialias)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_sum_to_one() {
        for name in ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"] {
            let how = Interpolation::from_name(name).unwrap();
            assert_eq!(how.name(), name);
            for (from, to, antialias) in [(3, 7, false), (7, 3, true), (1, 4, false), (5, 5, true)] {
                let taps = how.taps(from, to, antialias);
                for i in 0..to {
                    let sum: f32 = taps.iter().map(|(_, w)| w[i]).sum();
                    assert!((sum - 1.0).abs() < 1e-5, "{name} {from} to {to}: {sum}");
                    assert!(taps.iter().all(|(c, _)| (0..from as i32).contains(&c[i])));
                }
            }
        }
    }
}
