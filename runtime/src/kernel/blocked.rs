//! The blocked product behind matrix products and convolutions.
//!
//! Blocks of both operands are packed into the workspace where that pays, and microkernels run over them. What a block
//! holds is up to the operands: [`Left`] and [`Right`] pack parts of a matrix, patches of images or a turned filter.

use super::micro::{self, Kernel, Micro, Tile, family};
use super::{COMPACT, Cpu, Shared, Then, finish, product};
use core::ops::Range;

/// Most terms of a sum per pass over c. Sums are cut at the same places whatever else is split.
const K_BLOCK: usize = 384;
/// Most rows of packed a: a multiple of the heights of all tiles.
const M_BLOCK: usize = 168;
/// Most columns of packed b: a multiple of the widths of all tiles.
const N_BLOCK: usize = if cfg!(target_arch = "x86_64") { 512 } else { 256 };
/// Most tasks a product is split into.
pub(super) const TASKS: usize = 8;
/// Multiply-adds that are worth a task.
pub(super) const TASK_WORK: usize = 1 << 21;
/// Rows of b that are packed together where they lie in one piece each.
const PACKED_ROWS: usize = 16;
/// Elements of a cache line: packed columns begin on one.
const LINE: usize = 16;

/// The left operand, `m` × `k`.
pub(super) trait Left: Sync {
    /// Whether columns, not rows, are contiguous, in place and packed.
    fn by_columns(&self) -> bool;
    /// Element (i, p) and the distance between two rows, or columns, if the operand can be read where it is.
    fn in_place(&self, i: usize, p: usize) -> Option<(*const f32, usize)>;
    /// Writes rows `i..i + rows` of columns `p..p + k` as `[rows, k]`, or as `[k, rows]` by columns.
    fn pack(&self, micro: &Micro, i: usize, rows: usize, p: usize, k: usize, out: &mut [f32]);
    /// Where row i of c begins, and how many rows from it on are one `c_step` apart.
    fn place(&self, i: usize) -> (usize, usize);
}

/// The right operand, `k` × `n`.
pub(super) trait Right: Sync {
    /// Whether the operand is packed already.
    fn packed(&self) -> bool {
        false
    }
    /// Element (p, j) and the distance between two rows, if the operand can be read where it is.
    fn in_place(&self, p: usize, j: usize) -> Option<(*const f32, usize)>;
    /// Writes rows `p..p + k` of columns `j..j + columns`, rows `step` apart; what lies between is left alone.
    fn pack(&self, micro: &Micro, p: usize, k: usize, j: usize, columns: usize, step: usize, out: &mut [f32]);
}

/// The extents of a product.
#[derive(Copy, Clone)]
pub(super) struct Extents {
    pub m: usize,
    pub n: usize,
    pub k: usize,
}

impl Extents {
    /// Terms of a sum per pass: equal parts of at most `K_BLOCK`.
    fn k_block(&self) -> usize {
        self.k.div_ceil(self.k.div_ceil(K_BLOCK).max(1))
    }

    /// Workspace of one task.
    fn task_workspace(&self) -> usize {
        let a = self.m.min(M_BLOCK);
        let b = self.n.min(N_BLOCK).next_multiple_of(32);
        LINE + product(&[self.k_block(), a + b])
    }

    /// The most tasks the product is worth.
    fn tasks(&self) -> usize {
        (product(&[self.m, self.n, self.k]) / TASK_WORK).clamp(1, TASKS)
    }

    /// The microkernels, and into how many tasks so much workspace lets the product be split: none where there is
    /// nothing to compute. Nothing where the level has no microkernels or the workspace is too short.
    pub fn chosen(&self, cpu: &Cpu, workspace: usize, packed: bool) -> Option<(&'static Micro, usize)> {
        // Tiles for one row are wider than panels.
        let least = if packed { 2 } else { 0 };
        let micro = family(cpu, self.m.max(least), self.n)?;
        if self.m == 0 || self.n == 0 {
            return Some((micro, 0));
        }
        let tasks = cpu.threads().min(self.tasks()).min(workspace / self.task_workspace());
        (tasks > 0).then_some((micro, tasks))
    }

    /// Workspace for any number of threads.
    pub fn workspace(&self) -> usize {
        if self.m == 0 || self.n == 0 { 0 } else { self.tasks() * self.task_workspace() }
    }
}

/// One operand pair and the memory for the result.
pub(super) struct Blocked<'a> {
    pub extents: Extents,
    pub left: &'a dyn Left,
    pub right: &'a dyn Right,
    /// Distance between two rows of c.
    pub c_step: usize,
    /// What is done with whole rows of c, which then are `n` apart, when they are final.
    pub then: Then<'a>,
}

impl Blocked<'_> {
    /// As [`Extents::chosen`], for this right operand.
    pub fn chosen(&self, cpu: &Cpu, workspace: usize) -> Option<(&'static Micro, usize)> {
        self.extents.chosen(cpu, workspace, self.right.packed())
    }

    /// Computes `c = left · right`. Returns false, c untouched, where the level has no microkernels or the workspace
    /// is too short.
    ///
    /// # Safety
    /// The memory of `in_place` and the rows of `place`, `n` elements each, are inside the operands and c.
    #[must_use]
    pub unsafe fn run(&self, cpu: &Cpu, c: &mut [f32], workspace: &mut [f32]) -> bool {
        let Extents { m, n, .. } = self.extents;
        let Some((micro, tasks)) = self.chosen(cpu, workspace.len()) else { return false };
        if tasks == 0 {
            return true;
        }
        let each = self.extents.task_workspace();
        let (heights, widths) = (m.div_ceil(micro.rows), n.div_ceil(micro.columns()));
        let (by_rows, count, size, end) = if heights >= widths {
            (true, heights, micro.rows, m)
        } else {
            (false, widths, micro.columns(), n)
        };
        let chunk = count.div_ceil(tasks) * size;
        let (c, workspace) = (Shared::new(c), Shared::new(workspace));
        cpu.parallel(end.div_ceil(chunk), &|task| {
            let part = task * chunk..end.min((task + 1) * chunk);
            let (rows, columns) = if by_rows { (part, 0..n) } else { (0..m, part) };
            // SAFETY: there are at most `tasks` chunks, each with its own part of the workspace and of c.
            unsafe { self.part(micro, c.as_ptr(), rows, columns, workspace.range(task * each, each)) };
        });
        if !self.whole_rows(if by_rows { n } else { chunk }) {
            finish(cpu, m * n, self.then);
        }
        true
    }

    /// Whether a task with so many columns does what is done with final rows itself.
    fn whole_rows(&self, columns: usize) -> bool {
        self.extents.k > 0 && columns >= self.extents.n
    }

    /// The part of the product that lies in some rows and columns of c.
    ///
    /// # Safety
    /// As [`Blocked::run`], with nobody else in this part of c.
    unsafe fn part(
        &self,
        micro: &Micro,
        c: *mut f32,
        rows: Range<usize>,
        columns: Range<usize>,
        workspace: &mut [f32],
    ) {
        let k = self.extents.k;
        if k == 0 {
            for i in rows {
                // SAFETY: the row is inside c, and nobody else's.
                unsafe { c.add(self.left.place(i).0 + columns.start).write_bytes(0, columns.len()) };
            }
            return;
        }
        let k_block = self.extents.k_block();
        let aligned = workspace.as_ptr().align_offset(4 * LINE).min(LINE);
        let (b_area, a_area) =
            workspace[aligned..].split_at_mut(k_block * columns.len().min(N_BLOCK).next_multiple_of(32));
        let heights = rows.len().div_ceil(micro.rows);
        let pack_b = !self.right.packed() && (self.right.in_place(0, 0).is_none() || heights >= 6);
        let widths = columns.len().div_ceil(micro.columns());
        let pack_a = self.left.in_place(0, 0).is_none() || (widths >= 8 && k_block >= 64);
        let m_block =
            rows.len().div_ceil(rows.len().div_ceil(M_BLOCK)).next_multiple_of(micro.rows).min(M_BLOCK);
        for j in columns.clone().step_by(N_BLOCK) {
            let width = N_BLOCK.min(columns.end - j);
            for p in (0..k).step_by(k_block) {
                let block = Block { micro, p, k: k_block.min(k - p), j, width };
                if pack_b {
                    self.pack_b(&block, b_area);
                }
                for i in rows.clone().step_by(m_block) {
                    let height = m_block.min(rows.end - i);
                    if pack_a {
                        self.pack_a(&block, i, height, a_area);
                    }
                    let a = pack_a.then_some(&a_area[..height * block.k]);
                    // SAFETY: the caller's; the areas hold what was just packed.
                    unsafe { self.tiles(&block, i, height, a, pack_b.then_some(&*b_area), c) };
                    let last = p + block.k == k && j + width == columns.end;
                    if last && self.whole_rows(columns.len()) {
                        (self.then)(i * self.extents.n..(i + height) * self.extents.n);
                    }
                }
            }
        }
    }

    /// Whether a packed left operand by columns has the rows of each tile apart, so that a tile reads adjacent lines:
    /// where that costs no more than to pack all rows together.
    fn strips(&self) -> bool {
        self.left.by_columns() && self.left.in_place(0, 0).is_some()
    }

    /// Packs `height` rows.
    fn pack_a(&self, block: &Block, i: usize, height: usize, area: &mut [f32]) {
        let Block { micro, p, k, .. } = *block;
        if !self.strips() {
            return self.left.pack(micro, i, height, p, k, &mut area[..height * k]);
        }
        let count = height.div_ceil(micro.rows);
        for tile in 0..count {
            let Range { start, end } = spread(height, micro.rows, tile, count);
            self.left.pack(micro, i + start, end - start, p, k, &mut area[start * k..end * k]);
        }
    }

    /// Packs a block into panels as wide as a tile, the last one padded to whole vectors. What can be read in place is
    /// read some rows at a time, since the rows of a wide matrix are pages apart.
    fn pack_b(&self, block: &Block, area: &mut [f32]) {
        let Block { micro, p, k, j, width } = *block;
        let rows = if self.right.in_place(p, j).is_some() { PACKED_ROWS } else { k };
        for from in (0..k).step_by(rows) {
            let rows = rows.min(k - from);
            for at in (0..width).step_by(micro.columns()) {
                let columns = micro.columns().min(width - at);
                let step = columns.next_multiple_of(micro.lanes);
                let area = &mut area[at * k + from * step..][..step * rows];
                self.right.pack(micro, p + from, rows, j + at, columns, step, area);
            }
        }
    }

    /// All tiles of a block of rows times a block of columns.
    ///
    /// # Safety
    /// As [`Blocked::run`]; the packed operands belong to this block.
    unsafe fn tiles(
        &self,
        block: &Block,
        i: usize,
        height: usize,
        a: Option<&[f32]>,
        b: Option<&[f32]>,
        c: *mut f32,
    ) {
        let Block { micro, p, k, j, width } = *block;
        let (by_columns, strips) = (self.left.by_columns(), self.strips());
        let kernels: &[Kernel] = if by_columns { micro.by_columns } else { micro.by_rows };
        let full = micro.columns();
        let count = height.div_ceil(micro.rows);
        for tile in 0..count {
            let Range { start, end } = spread(height, micro.rows, tile, count);
            let mut at = start;
            while at < end {
                let (place, run) = self.left.place(i + at);
                let rows = run.min(end - at);
                let (a, a_step) = match (a, self.left.in_place(i + at, p)) {
                    (Some(a), _) if strips => (a[start * k + at - start..].as_ptr(), end - start),
                    (Some(a), _) if by_columns => (a[at..].as_ptr(), height),
                    (Some(a), _) => (a[at * k..].as_ptr(), k),
                    (None, Some(in_place)) => in_place,
                    (None, None) => unreachable!(),
                };
                for column in (0..width).step_by(full) {
                    let columns = full.min(width - column);
                    let vectors = columns.div_ceil(micro.lanes);
                    let whole = b.is_some();
                    let (b, b_step) = match (b, self.right.in_place(p, j + column)) {
                        (Some(b), _) => (b[column * k..].as_ptr(), columns.next_multiple_of(micro.lanes)),
                        (None, Some(in_place)) => in_place,
                        (None, None) => unreachable!(),
                    };
                    let tile = Tile {
                        k,
                        segments: 1,
                        a_segment: 0,
                        a,
                        a_step,
                        b,
                        b_step,
                        b_skip: 0,
                        // SAFETY: the row is inside c.
                        c: unsafe { c.add(place + j + column) },
                        c_step: self.c_step,
                        tail: columns - (vectors - 1) * micro.lanes,
                        whole,
                        add: p > 0,
                    };
                    // SAFETY: `family` chose kernels of this machine; the tile is inside a, b and this part of c.
                    unsafe { kernels[(rows - 1) * micro.vectors + vectors - 1](&tile) };
                }
                at += rows;
            }
        }
    }
}

/// The rows of one of `count` tiles: spread evenly, or whole tiles first where all heights but the full one are slow.
pub(super) fn spread(rows: usize, full: usize, tile: usize, count: usize) -> Range<usize> {
    if COMPACT {
        tile * full..rows.min((tile + 1) * full)
    } else {
        tile * rows / count..(tile + 1) * rows / count
    }
}

/// A block of the right operand: rows `p..p + k` of columns `j..j + width`.
#[derive(Copy, Clone)]
struct Block<'a> {
    micro: &'a Micro,
    p: usize,
    k: usize,
    j: usize,
    width: usize,
}

/// A matrix in memory, row-major, rows `step` apart; with `transposed` its transpose.
pub(super) struct Matrix<'a> {
    pub x: &'a [f32],
    pub step: usize,
    pub transposed: bool,
    /// Distance between two rows of c; used on the left.
    pub c_step: usize,
}

impl Left for Matrix<'_> {
    fn by_columns(&self) -> bool {
        self.transposed
    }

    fn in_place(&self, i: usize, p: usize) -> Option<(*const f32, usize)> {
        let at = if self.transposed { p * self.step + i } else { i * self.step + p };
        Some((self.x[at..].as_ptr(), self.step))
    }

    fn pack(&self, micro: &Micro, i: usize, rows: usize, p: usize, k: usize, out: &mut [f32]) {
        let (from, count, len) =
            if self.transposed { (p * self.step + i, k, rows) } else { (i * self.step + p, rows, k) };
        copy_rows(micro, &self.x[from..], self.step, [count, len], len, out);
    }

    fn place(&self, i: usize) -> (usize, usize) {
        (i * self.c_step, usize::MAX)
    }
}

impl Right for Matrix<'_> {
    fn in_place(&self, p: usize, j: usize) -> Option<(*const f32, usize)> {
        if self.transposed { None } else { Some((self.x[p * self.step + j..].as_ptr(), self.step)) }
    }

    fn pack(
        &self,
        micro: &Micro,
        p: usize,
        k: usize,
        j: usize,
        columns: usize,
        step: usize,
        out: &mut [f32],
    ) {
        if self.transposed {
            turn(micro, &self.x[j * self.step + p..], self.step, k, columns, step, out);
            return;
        }
        copy_rows(micro, &self.x[p * self.step + j..], self.step, [k, columns], step, out);
    }
}

/// `out[r · step + j] = x[r · x_step + j]` for `r < rows`, `j < columns`.
fn copy_rows(
    micro: &Micro,
    x: &[f32],
    x_step: usize,
    [rows, columns]: [usize; 2],
    step: usize,
    out: &mut [f32],
) {
    assert!(rows > 0 && columns > 0 && columns <= step);
    assert!(x.len() >= (rows - 1) * x_step + columns && out.len() >= (rows - 1) * step + columns);
    // SAFETY: both blocks are inside their slices (checked above); `family` chose `micro` for this machine.
    unsafe { (micro.copy)(x.as_ptr(), x_step, out.as_mut_ptr(), step, rows, columns) };
}

/// `out[p · step + j] = x[j · x_step + p]` for `p < k`, `j < columns`.
pub(super) fn turn(
    micro: &Micro,
    x: &[f32],
    x_step: usize,
    k: usize,
    columns: usize,
    step: usize,
    out: &mut [f32],
) {
    assert!(k > 0 && columns > 0 && columns <= step);
    assert!(x.len() >= (columns - 1) * x_step + k && out.len() >= (k - 1) * step + columns);
    // SAFETY: both blocks are inside their slices (checked above); `family` chose `micro` for this machine.
    unsafe { (micro.transpose)(x.as_ptr(), x_step, out.as_mut_ptr(), step, k, columns) };
}

/// `y = x`, quick for the short runs of which packing consists.
#[inline(always)]
pub(super) fn copy(x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len());
    // SAFETY: as many elements of both.
    unsafe { micro::copy::<8>(x.as_ptr(), y.as_mut_ptr(), x.len()) };
}
