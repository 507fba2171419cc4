//! Matrices packed once for many products: columns in panels, each panel row after row, so that a tile of a product
//! reads memory from one end to the other.

use super::blocked::{Right, copy};
use super::micro::Micro;

/// Columns of a panel: a multiple of the width of every tile.
pub(super) const PANEL: usize = 32;

/// Packs `[k, n]` into panels: panel j / 32 holds `[k, 32]`, the last one what is left of the columns.
///
/// # Panics
/// If the slices differ in length or do not hold whole rows.
pub fn pack(x: &[f32], n: usize, y: &mut [f32]) {
    assert!(x.len() == y.len() && (n == 0 || x.len().is_multiple_of(n)), "pack: lengths");
    let k = x.len().checked_div(n).unwrap_or(0);
    for j in (0..n).step_by(PANEL) {
        let width = PANEL.min(n - j);
        for (p, to) in y[j * k..][..width * k].chunks_exact_mut(width).enumerate() {
            copy(&x[p * n + j..][..width], to);
        }
    }
}

/// A packed matrix on the right of a product.
pub(super) struct Panels<'a> {
    pub x: &'a [f32],
    pub n: usize,
}

impl Panels<'_> {
    /// The parts of row p with their first columns.
    pub fn row(&self, p: usize) -> impl Iterator<Item = (usize, &[f32])> {
        let k = self.x.len() / self.n.max(1);
        (0..self.n).step_by(PANEL).map(move |j| {
            let width = PANEL.min(self.n - j);
            (j, &self.x[j * k + p * width..][..width])
        })
    }
}

impl Right for Panels<'_> {
    fn packed(&self) -> bool {
        true
    }

    fn in_place(&self, p: usize, j: usize) -> Option<(*const f32, usize)> {
        let (k, first) = (self.x.len() / self.n.max(1), j / PANEL * PANEL);
        let width = PANEL.min(self.n - first);
        Some((self.x[first * k + p * width + j - first..].as_ptr(), width))
    }

    fn pack(&self, _: &Micro, p: usize, k: usize, j: usize, columns: usize, step: usize, out: &mut [f32]) {
        for (r, out) in out.chunks_exact_mut(step).enumerate().take(k) {
            for (first, part) in self.row(p + r) {
                let (from, to) = (j.max(first), (j + columns).min(first + part.len()));
                if from < to {
                    out[from - j..to - j].copy_from_slice(&part[from - first..to - first]);
                }
            }
        }
    }
}
