//! Linear algebra.

use crate::op::{Op, Var};
use crate::{Result, Shape, misuse};
use alloc::vec::Vec;

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

    /// `tf.linalg.matrix_transpose`: the last two axes exchanged.
    pub fn matrix_transpose(self) -> Var<'b> {
        match self.rank() {
            0 | 1 => self.poison(misuse!("matrix_transpose: expected matrices, got {}", self.shape())),
            rank => self.swap_axes(rank - 2, rank - 1),
        }
    }

    /// The row and column numbers of matrices of the last two extents, int32 `[rows, 1]` and `[columns]`.
    fn grid(self, rows: usize, columns: usize) -> Result<(Var<'b>, Var<'b>)> {
        let count = |n: usize| -> Result<Var<'b>> {
            Ok(Var::new(self.builder(), self.builder().push(Op::Iota(Shape::new(&[n])?), &[])))
        };
        Ok((count(rows)?.reshape(&[rows, 1]), count(columns)?))
    }

    /// `tf.linalg.band_part`: matrices with zeros outside of `lower` diagonals below and `upper` above the main one;
    /// negative means all.
    pub fn band_part(self, lower: isize, upper: isize) -> Var<'b> {
        if self.rank() < 2 {
            return self.poison(misuse!("band_part: expected matrices, got {}", self.shape()));
        }
        let (row, column) = match self.grid(self.dim(-2), self.dim(-1)) {
            Ok(grid) => grid,
            Err(e) => return self.poison(e),
        };
        let below = row - column;
        let mut y = self;
        if lower >= 0 {
            let outside = below.greater(below.int_like(lower.min(i32::MAX as isize) as i32));
            y = Var::select(outside, y.scalar_like(0.0), y);
        }
        if upper >= 0 {
            let outside = below.less(below.int_like(-(upper.min(i32::MAX as isize) as i32)));
            y = Var::select(outside, y.scalar_like(0.0), y);
        }
        y
    }

    /// `tf.linalg.diag`: matrices with this value's last axis on the diagonal.
    pub fn diag(self) -> Var<'b> {
        let n = self.dim(-1);
        if self.rank() == 0 {
            return self.poison(misuse!("diag: expected at least one axis"));
        }
        match self.grid(n, n) {
            Ok((row, column)) => Var::select(row.equal(column), self.expand_dims(-1), self.scalar_like(0.0)),
            Err(e) => self.poison(e),
        }
    }

    /// `tf.linalg.diag_part`: the main diagonals of the matrices of the last two axes.
    pub fn diag_part(self) -> Var<'b> {
        let (rank, rows, columns) = (self.rank(), self.dim(-2), self.dim(-1));
        if rank < 2 {
            return self.poison(misuse!("diag_part: expected matrices, got {}", self.shape()));
        }
        // Diagonal elements are columns + 1 apart.
        let n = rows.min(columns);
        let lead = self.shape().to_vec()[..rank - 2].to_vec();
        let batch: usize = lead.iter().product();
        let mut flat = self.reshape(&[batch, rows * columns]);
        let wanted = n * (columns + 1);
        flat = if wanted > rows * columns {
            flat.pad(&[(0, 0), (0, wanted - rows * columns)], 0.0)
        } else {
            flat.slice(&[0, 0], &[batch, wanted])
        };
        let firsts = flat.reshape(&[batch, n, columns + 1]).slice(&[0, 0, 0], &[batch, n, 1]);
        let mut dims = lead;
        dims.push(n);
        firsts.reshape(&dims)
    }

    /// `tf.linalg.trace`
    pub fn trace(self) -> Var<'b> {
        self.diag_part().sum(&[-1], false)
    }

    /// `tf.tensordot`: contracts axes `left` of this value with axes `right` of the other, in order.
    ///
    /// **Shape**: the other axes of this value, then those of `rhs`.
    pub fn tensordot(self, rhs: Var<'b>, left: &[isize], right: &[isize]) -> Var<'b> {
        let (a, b) = (self.shape(), rhs.shape());
        let axes = |shape: &Shape, axes: &[isize]| -> Option<Vec<usize>> {
            axes.iter().map(|&axis| shape.axis(axis)).collect()
        };
        let (Some(left), Some(right)) = (axes(&a, left), axes(&b, right)) else {
            return self.poison(misuse!("tensordot: an axis of {left:?} or {right:?} is beyond {a} or {b}"));
        };
        let fits = |(&l, &r): (&usize, &usize)| a.dim(l as isize) == b.dim(r as isize);
        if left.len() != right.len() || !left.iter().zip(&right).all(fits) {
            return self.poison(misuse!("tensordot: axes {left:?} of {a} do not fit axes {right:?} of {b}"));
        }
        let free = |shape: &Shape, used: &[usize]| (0..shape.rank()).filter(|a| !used.contains(a)).collect();
        let (free_a, free_b): (Vec<usize>, Vec<usize>) = (free(&a, &left), free(&b, &right));
        let extent = |shape: &Shape, axes: &[usize]| axes.iter().map(|&x| shape.dim(x as isize)).collect();
        let (dims_a, dims_b): (Vec<usize>, Vec<usize>) = (extent(&a, &free_a), extent(&b, &free_b));
        let inner: Vec<usize> = extent(&a, &left);
        let (m, n, k) = (dims_a.iter().product(), dims_b.iter().product(), inner.iter().product());
        let x = self.transpose_to(&[free_a, left].concat()).reshape(&[m, k]);
        let y = rhs.transpose_to(&[right, free_b].concat()).reshape(&[k, n]);
        x.matmul(y).reshape(&[dims_a, dims_b].concat())
    }

    /// [`tensordot`](Var::tensordot) of the last `n` axes of this value with the first `n` of the other.
    pub fn tensordot_n(self, rhs: Var<'b>, n: usize) -> Var<'b> {
        let left: Vec<isize> = (1..=n as isize).rev().map(|a| -a).collect();
        let right: Vec<isize> = (0..n as isize).collect();
        self.tensordot(rhs, &left, &right)
    }

    /// `tf.transpose` where an empty order is that of a scalar.
    pub(crate) fn transpose_to(self, order: &[usize]) -> Var<'b> {
        if order.iter().enumerate().all(|(i, &a)| i == a) { self } else { self.transpose(order) }
    }
}
