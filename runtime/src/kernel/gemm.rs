//! Matrix product.

use super::{Cpu, generic, product};

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
}

/// The `f32`s of workspace that [`gemm`] wants: the same on every target and for any number of threads.
pub fn gemm_workspace(_g: &Gemm) -> usize {
    0
}

/// `c = op(a) · op(b)`, overwriting c.
///
/// Runs faster with a `workspace` of [`gemm_workspace`] elements; any other length, zero included, is allowed.
///
/// # Panics
/// If a matrix does not have the length of its shape.
pub fn gemm(_cpu: &Cpu, g: &Gemm, a: &[f32], b: &[f32], c: &mut [f32], _workspace: &mut [f32]) {
    generic::gemm(g, a, b, c);
}
