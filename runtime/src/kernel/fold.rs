//! Sums over the leading axes of what the tile loop computes, without storing it.
//!
//! The loop is cut into chunks that depend on its length alone. Each chunk has partial sums of its own, and these are
//! added in the order of the chunks, so the number of threads changes no bit.

use super::product;

/// Elements of a chunk, about: the same on every target, so that sums are.
const CHUNK: usize = 1 << 14;
/// The most partial sums of a result with several rows side by side.
const WIDTH: usize = 256;

/// How a loop is cut where results are summed.
#[derive(Clone, Copy)]
pub(super) struct Chunks {
    /// Elements of a chunk, the last one perhaps fewer.
    pub len: usize,
    pub count: usize,
}

impl Chunks {
    /// Chunks of a loop over `total` elements; they begin with the first column of rows of `columns`.
    pub fn new(total: usize, columns: usize) -> Chunks {
        let columns = columns.max(1);
        let len = (CHUNK / columns).max(1) * columns;
        Chunks { len, count: total.div_ceil(len) }
    }
}

/// Partial sums of a result with rows of `columns`: several rows side by side where they are short.
pub(super) fn width(columns: usize) -> usize {
    if columns == 0 || columns > WIDTH { columns } else { WIDTH / columns * columns }
}

/// The `f32`s of workspace for a loop over `total` elements, of whose results some are summed to so many columns each.
pub fn workspace(total: usize, columns: impl Iterator<Item = usize> + Clone) -> usize {
    let widest = columns.clone().max().unwrap_or(0);
    product(&[Chunks::new(total, widest).count, columns.map(width).sum()])
}

/// Adds the elements from `start` of a chunk on to the partial sums.
#[inline(always)]
pub(super) fn add(elements: &[u32], start: usize, partial: &mut [f32]) {
    let row = partial.len();
    let mut rest = elements;
    // Partial sums are whole rows, and so are most tiles: an element's place depends on the chunk alone.
    let mut at = if start.is_multiple_of(row) { 0 } else { start % row };
    while !rest.is_empty() {
        let (now, later) = rest.split_at((row - at).min(rest.len()));
        for (sum, &word) in partial[at..].iter_mut().zip(now) {
            *sum += f32::from_bits(word);
        }
        (rest, at) = (later, 0);
    }
}

/// The sums of each column from the partial sums of every chunk, `step` apart.
pub(super) fn finish<'p>(chunks: impl Iterator<Item = &'p [f32]>, sums: &mut [f32]) {
    sums.fill(0.0);
    for partial in chunks {
        for row in partial.chunks_exact(sums.len().max(1)) {
            for (sum, part) in sums.iter_mut().zip(row) {
                *sum += part;
            }
        }
    }
}
