//! Strided copies.

use crate::{MAX_RANK, Shape};

/// Copies the box of shape `size` from `x` at `from` to `y` at `to`, both row-major. The box lies inside both.
pub fn copy_box<T: Copy>(
    x: &[T],
    x_shape: &Shape,
    from: &[u32],
    y: &mut [T],
    y_shape: &Shape,
    to: &[u32],
    size: &Shape,
) {
    let rank = size.rank();
    if size.numel() == 0 {
        return;
    }
    let (xs, ys) = (x_shape.strides(), y_shape.strides());
    let row = size.dim(-1);
    let at = |base: &[u32], strides: &[usize]| -> usize {
        (0..rank).map(|a| base.get(a).map_or(0, |&b| b as usize) * strides[a]).sum()
    };
    let (mut i, mut j) = (at(from, &xs), at(to, &ys));
    let mut index = [0usize; MAX_RANK];
    loop {
        y[j..j + row].copy_from_slice(&x[i..i + row]);
        let mut a = rank.saturating_sub(1);
        loop {
            if a == 0 {
                return;
            }
            a -= 1;
            index[a] += 1;
            i += xs[a];
            j += ys[a];
            if index[a] < size.dim(a as isize) {
                break;
            }
            i -= index[a] * xs[a];
            j -= index[a] * ys[a];
            index[a] = 0;
        }
    }
}

/// Copies rows of `part` elements to the columns from `at` on of rows of `row`.
pub fn columns<T: Copy>(x: &[T], part: usize, y: &mut [T], row: usize, at: usize) {
    if part > 0 {
        for (x, y) in x.chunks_exact(part).zip(y.chunks_exact_mut(row)) {
            y[at..at + part].copy_from_slice(x);
        }
    }
}

/// `y` is `x` with its axes in another order: axis a of `y` is axis `order[a]` of `x`.
pub fn transpose<T: Copy>(x: &[T], shape: &Shape, order: &[u8], y: &mut [T]) {
    let strides = shape.strides();
    // Axes that stay neighbours move as one.
    let mut dims = [1usize; MAX_RANK];
    let mut steps = [0usize; MAX_RANK];
    let mut rank = 0;
    for (i, &a) in order.iter().enumerate() {
        let (dim, step) = (shape.dim(a as isize), strides[a as usize]);
        if i > 0 && order[i - 1] + 1 == a {
            dims[rank - 1] *= dim;
            steps[rank - 1] = step;
        } else {
            dims[rank] = dim;
            steps[rank] = step;
            rank += 1;
        }
    }
    if rank < 2 {
        y.copy_from_slice(x);
        return;
    }
    let (rows, columns) = (dims[rank - 2], dims[rank - 1]);
    let (row_step, column_step) = (steps[rank - 2], steps[rank - 1]);
    let matrices: usize = dims[..rank - 2].iter().product();
    const BLOCK: usize = 16;
    for m in 0..matrices {
        let (mut rest, mut base) = (m, 0);
        for a in (0..rank - 2).rev() {
            base += rest % dims[a] * steps[a];
            rest /= dims[a];
        }
        let out = &mut y[m * rows * columns..(m + 1) * rows * columns];
        if column_step == 1 {
            for (r, out) in out.chunks_exact_mut(columns.max(1)).enumerate() {
                out.copy_from_slice(&x[base + r * row_step..][..columns]);
            }
            continue;
        }
        for r0 in (0..rows).step_by(BLOCK) {
            for c0 in (0..columns).step_by(BLOCK) {
                for r in r0..(r0 + BLOCK).min(rows) {
                    for c in c0..(c0 + BLOCK).min(columns) {
                        out[r * columns + c] = x[base + r * row_step + c * column_step];
                    }
                }
            }
        }
    }
}

/// `y` is `x` with the axes of the bits of `axes` in reverse order.
pub fn reverse<T: Copy>(x: &[T], shape: &Shape, axes: u8, y: &mut [T]) {
    let rank = shape.rank();
    // The axes after the last reversed one move as one.
    let tail = (u8::BITS - axes.leading_zeros()) as usize;
    let row: usize = (tail..rank).map(|a| shape.dim(a as isize)).product();
    if x.is_empty() {
        return;
    }
    for (i, y) in y.chunks_exact_mut(row).enumerate() {
        let (mut rest, mut from, mut step) = (i, 0, row);
        for a in (0..tail.min(rank)).rev() {
            let d = shape.dim(a as isize);
            let at = rest % d;
            rest /= d;
            from += step * if axes >> a & 1 == 1 { d - 1 - at } else { at };
            step *= d;
        }
        y.copy_from_slice(&x[from..from + row]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reversed_axes() {
        let shape = Shape::new(&[2, 3]).unwrap();
        let x = [0, 1, 2, 3, 4, 5];
        for (axes, want) in
            [(0, x), (1, [3, 4, 5, 0, 1, 2]), (2, [2, 1, 0, 5, 4, 3]), (3, [5, 4, 3, 2, 1, 0])]
        {
            let mut y = [9; 6];
            reverse(&x, &shape, axes, &mut y);
            assert_eq!(y, want);
        }
    }

    #[test]
    fn boxes_and_transposes() {
        let shape = Shape::new(&[2, 3, 4]).unwrap();
        let x: [u8; 24] = core::array::from_fn(|i| i as u8);
        let size = Shape::new(&[1, 2, 2]).unwrap();
        let mut y = [0; 4];
        copy_box(&x, &shape, &[1, 1, 2], &mut y, &size, &[0, 0, 0], &size);
        assert_eq!(y, [18, 19, 22, 23]);
        for order in [[0u8, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut y = [0u8; 24];
            transpose(&x, &shape, &order, &mut y);
            let dims = [2usize, 3, 4];
            let d = order.map(|a| dims[a as usize]);
            for i in 0..d[0] {
                for j in 0..d[1] {
                    for k in 0..d[2] {
                        let mut at = [0; 3];
                        at[order[0] as usize] = i;
                        at[order[1] as usize] = j;
                        at[order[2] as usize] = k;
                        let want = x[at[0] * 12 + at[1] * 4 + at[2]];
                        assert_eq!(y[(i * d[1] + j) * d[2] + k], want, "{order:?}");
                    }
                }
            }
        }
    }
}
