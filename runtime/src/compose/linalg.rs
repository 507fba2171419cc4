//! Linear algebra.

use crate::op::{Op, Var};
use crate::{Shape, misuse};

impl<'b> Var<'b> {
    /// `tf.linalg.matmul`; leading axes broadcast.
    pub fn matmul(self, rhs: Var<'b>) -> Var<'b> {
        self.matmul_t(rhs, false, false)
    }

    /// `tf.linalg.matmul` with `transpose_a` and `transpose_b`.
    pub fn matmul_t(self, rhs: Var<'b>, transpose_a: bool, transpose_b: bool) -> Var<'b> {
        let (a, b) = (self.shape(), rhs.shape());
        let (mut x, mut y) = (self, rhs);
        if a.rank() >= 2 && b.rank() >= 2 {
            let lead = |s: &Shape| Shape::new(&s.to_vec()[..s.rank() - 2]).unwrap_or_default();
            let Some(batch) = Shape::broadcast(&lead(&a), &lead(&b)) else {
                return self.poison(misuse!("matmul: leading axes of {a} and {b} do not broadcast"));
            };
            let full = |s: &Shape| {
                let mut dims = batch.to_vec();
                dims.extend([s.dim(-2), s.dim(-1)]);
                Shape::new(&dims)
            };
            if let (Ok(fa), Ok(fb)) = (full(&a), full(&b)) {
                (x, y) = (x.broadcast(fa), y.broadcast(fb));
            }
        }
        Var::op(Op::Matmul(transpose_a, transpose_b), &[x, y])
    }
}
