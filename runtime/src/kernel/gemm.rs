//! Matrix product.

use super::blocked::{Blocked, Extents, Matrix};
use super::panels::Panels;
use super::{COMPACT, Chosen, Cpu, NOTHING, PAGE, Then, finish, generic, own_workspace, product};

/// The product `c[m, n] = op(a) · op(b)` of row-major matrices.
#[derive(Debug, Copy, Clone, PartialEq, Eq, Hash)]
pub struct Gemm {
    /// Rows of c.
    pub m: usize,
    /// Columns of c.
    pub n: usize,
    /// Length of the sums.
    pub k: usize,
    /// a is `[k, m]` instead of `[m, k]`.
    pub trans_a: bool,
    /// b is `[n, k]` instead of `[k, n]`.
    pub trans_b: bool,
}

impl Gemm {
    /// Asserts that the slices have the lengths of their shapes.
    pub(super) fn check(&self, a: &[f32], b: &[f32], c: &[f32]) {
        assert_eq!(a.len(), product(&[self.m, self.k]), "gemm: length of a");
        assert_eq!(b.len(), product(&[self.k, self.n]), "gemm: length of b");
        assert_eq!(c.len(), product(&[self.m, self.n]), "gemm: length of c");
    }

    fn extents(&self) -> Extents {
        Extents { m: self.m, n: self.n, k: self.k }
    }
}

/// The `f32`s of workspace that [`gemm`] wants: the same on every target and for any number of threads.
pub fn gemm_workspace(g: &Gemm) -> usize {
    g.extents().workspace()
}

/// The loops that [`gemm`] runs with `workspace` elements of workspace.
pub fn gemm_chosen(cpu: &Cpu, g: &Gemm, workspace: usize) -> Chosen {
    let workspace = if PAGE { gemm_workspace(g) } else { workspace };
    Chosen::tiles(Chosen::Gemm, cpu, g.extents().chosen(cpu, workspace, false).map(|(micro, _)| micro))
}

/// `c = op(a) · op(b)`, overwriting c.
///
/// Runs faster with a `workspace` of [`gemm_workspace`] elements; any other length, zero included, is allowed.
///
/// # Panics
/// If a matrix does not have the length of its shape.
pub fn gemm(cpu: &Cpu, g: &Gemm, a: &[f32], b: &[f32], c: &mut [f32], workspace: &mut [f32]) {
    gemm_then(cpu, g, a, b, c, workspace, NOTHING);
}

/// [`gemm`], and `then` something with ranges of c while they are in the cache. It may write c.
///
/// # Panics
/// As [`gemm`].
pub fn gemm_then(
    cpu: &Cpu,
    g: &Gemm,
    a: &[f32],
    b: &[f32],
    c: &mut [f32],
    workspace: &mut [f32],
    then: Then,
) {
    g.check(a, b, c);
    let Gemm { m, n, k, trans_a, trans_b } = *g;
    let left = Matrix { x: a, step: if trans_a { m } else { k }, transposed: trans_a, c_step: n };
    let right = Matrix { x: b, step: if trans_b { k } else { n }, transposed: trans_b, c_step: 0 };
    let blocked = Blocked { extents: g.extents(), left: &left, right: &right, c_step: n, then };
    // SAFETY: the slices have the lengths of their shapes (checked above), and row i of c begins at `i · n`.
    if !unsafe { blocked.run(cpu, c, workspace) } {
        if PAGE {
            gemm_then(cpu, g, a, b, c, &mut own_workspace(gemm_workspace(g)), then);
        } else {
            generic::gemm(g, a, b, c);
            finish(cpu, m * n, then);
        }
    }
}

/// Whether [`gemm_packed`] is worth packing for: b is stored as it is multiplied, and a has several rows.
pub fn gemm_takes_panels(g: &Gemm) -> bool {
    !COMPACT && !g.trans_b && g.m > 1 && product(&[g.k, g.n]) >= LARGE
}

/// [`gemm_then`] where b was packed by [`panels::pack`](super::panels::pack).
///
/// # Panics
/// As [`gemm`], and if b is transposed.
pub fn gemm_packed(
    cpu: &Cpu,
    g: &Gemm,
    a: &[f32],
    b: &[f32],
    c: &mut [f32],
    workspace: &mut [f32],
    then: Then,
) {
    g.check(a, b, c);
    assert!(!g.trans_b, "gemm: a packed b is not transposed");
    let Gemm { m, n, k, trans_a, .. } = *g;
    let left = Matrix { x: a, step: if trans_a { m } else { k }, transposed: trans_a, c_step: n };
    let right = Panels { x: b, n };
    let blocked = Blocked { extents: g.extents(), left: &left, right: &right, c_step: n, then };
    // SAFETY: as in `gemm_then`.
    if !unsafe { blocked.run(cpu, c, workspace) } {
        if PAGE {
            gemm_packed(cpu, g, a, b, c, &mut own_workspace(gemm_workspace(g)), then);
        } else {
            generic::gemm_packed(g, a, &right, c);
            finish(cpu, m * n, then);
        }
    }
}

/// Elements of a matrix from which on it is worth packing ahead.
pub(super) const LARGE: usize = 1 << 14;

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::kernel::{Level, Pool};
    use std::vec;
    use std::vec::Vec;

    fn fill(len: usize, seed: usize) -> Vec<f32> {
        let mut state = seed as u32 + 1;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..len).map(next).collect()
    }

    fn check(g: &Gemm, pools: &[Option<&Pool>]) {
        let (a, b) = (fill(g.m * g.k, 1), fill(g.k * g.n, 2));
        let mut want = vec![9.0; g.m * g.n];
        generic::gemm(g, &a, &b, &mut want);
        for &level in Level::available() {
            let mut first: Option<Vec<f32>> = None;
            for &pool in pools {
                let cpu = Cpu::new(level, pool);
                let mut got = vec![f32::NAN; g.m * g.n];
                gemm(&cpu, g, &a, &b, &mut got, &mut vec![f32::NAN; gemm_workspace(g)]);
                let tolerance = 1e-5 * (1.0 + (g.k as f32).sqrt());
                for (got, want) in got.iter().zip(&want) {
                    assert!((got - want).abs() <= tolerance, "{level:?} {g:?} {got} {want}");
                }
                let first = first.get_or_insert_with(|| got.clone());
                assert!(first.iter().zip(&got).all(|(a, b)| a.to_bits() == b.to_bits()), "{level:?} {g:?}");
                let strict = cpu.strict(true);
                for len in [gemm_workspace(g), gemm_workspace(g) / 2, 0] {
                    gemm(&strict, g, &a, &b, &mut got, &mut vec![f32::NAN; len]);
                    assert!(
                        got.iter().zip(&want).all(|(a, b)| a.to_bits() == b.to_bits()),
                        "{level:?} {g:?}"
                    );
                }
                if !g.trans_b {
                    let mut panels = vec![f32::NAN; b.len()];
                    crate::kernel::panels::pack(&b, g.n, &mut panels);
                    for space in [0, gemm_workspace(g)] {
                        let mut packed = vec![f32::NAN; g.m * g.n];
                        let mut space = vec![f32::NAN; space];
                        gemm_packed(&cpu, g, &a, &panels, &mut packed, &mut space, NOTHING);
                        assert!(packed.iter().zip(&want).all(|(got, want)| (got - want).abs() <= tolerance));
                        gemm_packed(&strict, g, &a, &panels, &mut packed, &mut space, NOTHING);
                        assert!(packed.iter().zip(&want).all(|(a, b)| a.to_bits() == b.to_bits()));
                    }
                }
                for short in [0, 1, gemm_workspace(g) / 2] {
                    gemm(&cpu, g, &a, &b, &mut got, &mut vec![f32::NAN; short]);
                    assert!(got.iter().zip(&want).all(|(got, want)| (got - want).abs() <= tolerance));
                }
            }
        }
    }

    #[test]
    fn every_level_agrees_with_the_portable_loops() {
        let extents = [0, 1, 3, 7, 8, 10, 14, 15, 17, 31, 33, 65];
        for (trans_a, trans_b) in [(false, false), (true, false), (false, true), (true, true)] {
            for (m, n) in extents.iter().flat_map(|&m| extents.map(move |n| (m, n))) {
                for k in [0, 1, 5, 16, 37] {
                    check(&Gemm { m, n, k, trans_a, trans_b }, &[None]);
                }
            }
        }
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let pools = [Pool::new(2), Pool::new(3)];
        let pools = [None, Some(&pools[0]), Some(&pools[1])];
        for (trans_a, trans_b) in [(false, false), (true, false), (false, true), (true, true)] {
            for (m, n, k) in
                [(32, 128, 784), (300, 300, 50), (130, 20, 2000), (5, 1100, 1000), (1, 4000, 1100)]
            {
                check(&Gemm { m, n, k, trans_a, trans_b }, &pools);
            }
        }
    }
}
