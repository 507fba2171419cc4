//! Loops over indices: gathering, adding at indices, sorting, recurrences along an axis.

/// Extents of a gather: x is `[batch, outer, n, inner]`, the indices `[batch, m]`, y `[batch, outer, m, inner]`.
#[derive(Clone, Copy, Debug)]
pub struct Gather {
    /// Leading axes that x and the indices share.
    pub batch: usize,
    /// Axes before the indexed one.
    pub outer: usize,
    /// The indexed extent.
    pub n: usize,
    /// Indices of each batch.
    pub m: usize,
    /// Axes after the indexed one.
    pub inner: usize,
}

impl Gather {
    /// Calls `f(element of x, element of y)` for the start of every row of `inner` elements; the first index out of
    /// range ends the loop.
    fn each(&self, index: &[i32], mut f: impl FnMut(usize, usize)) -> Result<(), i32> {
        for b in 0..self.batch {
            for o in b * self.outer..(b + 1) * self.outer {
                for (j, &i) in index[b * self.m..(b + 1) * self.m].iter().enumerate() {
                    match usize::try_from(i) {
                        Ok(i) if i < self.n => {
                            f((o * self.n + i) * self.inner, (o * self.m + j) * self.inner)
                        }
                        _ => return Err(i),
                    }
                }
            }
        }
        Ok(())
    }
}

/// `y[b, o, j, ..] = x[b, o, index[b, j], ..]`; the index that is out of range, if one is.
pub fn gather<T: Copy>(g: &Gather, x: &[T], index: &[i32], y: &mut [T]) -> Result<(), i32> {
    g.each(index, |from, to| y[to..to + g.inner].copy_from_slice(&x[from..from + g.inner]))
}

/// `x[b, o, index[b, j], ..] += y[b, o, j, ..]` onto zeros, in the order of j; the index that is out of range, if one
/// is.
pub fn scatter_add<T: Copy + Default>(
    g: &Gather,
    index: &[i32],
    y: &[T],
    x: &mut [T],
    add: impl Fn(T, T) -> T,
) -> Result<(), i32> {
    x.fill(T::default());
    g.each(index, |to, from| {
        for (x, &y) in x[to..to + g.inner].iter_mut().zip(&y[from..from + g.inner]) {
            *x = add(*x, y);
        }
    })
}

/// Extents around one axis: `[outer, n, inner]`.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// Elements of the axes before.
    pub outer: usize,
    /// The extent of the axis.
    pub n: usize,
    /// Elements of the axes after.
    pub inner: usize,
}

/// `y[0] = b[0]` and `y[j] = step(j, y[j - 1], b[j])` along the axis, from its end where `reverse`; `step` gets the
/// position of the element.
pub fn recurrence<T: Copy>(g: &Axis, reverse: bool, b: &[T], y: &mut [T], step: impl Fn(usize, T, T) -> T) {
    let Axis { outer, n, inner } = *g;
    y.copy_from_slice(b);
    for o in 0..outer {
        for j in 1..n {
            let (to, from) = if reverse { (n - 1 - j, n - j) } else { (j, j - 1) };
            let (to, from) = ((o * n + to) * inner, (o * n + from) * inner);
            for i in 0..inner {
                y[to + i] = step(to + i, y[from + i], b[to + i]);
            }
        }
    }
}

/// The order of the elements of each row of `n` by `before(left, right)`, equal ones in their order.
pub fn argsort<T: Copy>(n: usize, x: &[T], y: &mut [i32], compare: impl Fn(T, T) -> core::cmp::Ordering) {
    if n == 0 {
        return;
    }
    for (x, y) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)) {
        for (i, y) in y.iter_mut().enumerate() {
            *y = i as i32;
        }
        y.sort_unstable_by(|&a, &b| compare(x[a as usize], x[b as usize]).then(a.cmp(&b)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gather_and_its_transpose() {
        let g = Gather { batch: 1, outer: 2, n: 3, m: 2, inner: 1 };
        let mut y = [0; 4];
        assert_eq!(gather(&g, &[0, 1, 2, 3, 4, 5], &[2, 0], &mut y), Ok(()));
        assert_eq!(y, [2, 0, 5, 3]);
        let mut x = [9; 6];
        assert_eq!(scatter_add(&g, &[1, 1], &[1, 2, 3, 4], &mut x, |a, b| a + b), Ok(()));
        assert_eq!(x, [0, 3, 0, 0, 7, 0]);
        assert_eq!(gather(&g, &[0; 6], &[3, 0], &mut y), Err(3));
        assert_eq!(gather(&g, &[0; 6], &[0, -1], &mut y), Err(-1));
    }

    #[test]
    fn recurrences_and_orders() {
        let mut y = [0; 4];
        let g = Axis { outer: 1, n: 2, inner: 2 };
        recurrence(&g, false, &[1, 2, 3, 4], &mut y, |_, y, b| y + b);
        assert_eq!(y, [1, 2, 4, 6]);
        recurrence(&g, true, &[1, 2, 3, 4], &mut y, |_, y, b| y + b);
        assert_eq!(y, [4, 6, 3, 4]);
        argsort(4, &[3, 1, 3, 2], &mut y, |a, b| b.cmp(&a));
        assert_eq!(y, [0, 2, 3, 1]);
    }
}
