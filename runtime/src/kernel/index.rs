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
