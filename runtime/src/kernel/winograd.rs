//! Convolutions of 3 × 3 taps by Winograd's minimal filtering F(4 × 4, 3 × 3), which multiplies a quarter as often.
//!
//! A block of tiles of the image is transformed; for each panel of output channels, so are the filters that the block
//! meets, in parts that stay in the cache; the products of each of the 36 points are a matrix product over channels,
//! and their transform the block of outputs. Filters are transformed again for each block: that costs less than
//! reading them four times as large from memory. See [`transforms`](super::transforms) for the arithmetic. An input that
//! is not finite makes all outputs of its tiles not finite.

use super::blocked::{TASK_WORK, TASKS, spread, turn};
use super::micro::{Micro, Tile, family};
use super::transforms::{COLUMNS, IN, LINKED, OUT, Outputs, POINTS, Taps, Transforms, available};
use super::{Conv, Cpu, Shared, Then, finish, product};
use core::ops::Range;

/// Elements of the transformed inputs of a block, where it has more than `FEWEST` tiles.
const INPUTS: usize = 1 << 17;
/// Most tiles of a block, and the fewest where channels are many.
const MOST: usize = 48;
const FEWEST: usize = 16;
/// Most channels of filters that are transformed at a time.
const DEPTH: usize = 128;
/// Channels come in multiples of the widest vector.
const LANES: usize = 16;
/// Elements by which the points of transformed operands lie further apart than they are long, so that they share no
/// cache set.
const APART: usize = 16;

/// A filter where it is multiplied: as it is, packed by [`panels::pack`](super::panels::pack), or turned round for
/// the input gradient.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(super) enum Layout {
    Rows,
    Panels,
    Turned,
}

/// A convolution with stride one, or the input gradient of one as a convolution of dy with the filter turned round.
pub(super) struct Winograd {
    n: usize,
    h: usize,
    w: usize,
    c: usize,
    oh: usize,
    ow: usize,
    oc: usize,
    pad_top: usize,
    pad_left: usize,
}

/// The part of a convolution that a task computes, with its workspace.
struct Part<'a> {
    micro: &'static Micro,
    transforms: &'static Transforms,
    x: &'a [f32],
    w: &'a [f32],
    layout: Layout,
    /// Pixels outside of the image.
    zeros: &'a [f32],
    inputs: &'a mut [f32],
    filters: &'a mut [f32],
    products: &'a mut [f32],
    /// Turned taps.
    taps: &'a mut [f32],
}

impl Winograd {
    /// The way to compute the convolution, or with `turned` its input gradient, where it multiplies less than others by
    /// so much that its transforms pay.
    pub fn new(v: &Conv, turned: bool) -> Option<Winograd> {
        if !LINKED || !Winograd::suits(v) {
            return None;
        }
        let own = Winograd::of(v, turned)?;
        own.pays().then_some(own)
    }

    /// The convolution, or its input gradient, as loop bounds.
    fn of(v: &Conv, turned: bool) -> Option<Winograd> {
        let v = if turned { v.turned()? } else { *v };
        let Conv { n, h, w, c, oh, ow, oc, pad_top, pad_left, .. } = v;
        Some(Winograd { n, h, w, c, oh, ow, oc, pad_top, pad_left })
    }

    fn suits(v: &Conv) -> bool {
        [v.kh, v.kw, v.sh, v.sw, v.dh, v.dw, v.groups] == [3, 3, 1, 1, 1, 1, 1]
            && (v.c | v.oc).is_multiple_of(LANES)
            && product(&[v.n, v.h, v.w, v.c, v.oh, v.ow, v.oc]) > 0
    }

    /// Whether the products and transforms cost less than the products of all taps: in multiply-adds of a lane, a
    /// transform of inputs, outputs or filters costs as much as so many of a channel.
    fn pays(&self) -> bool {
        let [tiles, blocks, c, oc, pixels] =
            [self.rows() * self.columns(), self.blocks(), self.c, self.oc, self.n * self.oh * self.ow]
                .map(|extent| extent as f32);
        let products = (POINTS as f32 * tiles + 200.0 * blocks - 0.9 * 9.0 * pixels) * c * oc;
        products + tiles * (300.0 * c + 250.0 * oc) < 0.0
    }

    /// Rows of tiles of an image.
    fn image_rows(&self) -> usize {
        self.oh.div_ceil(OUT)
    }

    /// Rows of tiles of all images.
    fn rows(&self) -> usize {
        self.n * self.image_rows()
    }

    /// Tiles of a row.
    fn columns(&self) -> usize {
        self.ow.div_ceil(OUT)
    }

    /// Most tiles of a block.
    fn most(&self) -> usize {
        (INPUTS / (POINTS * self.c)).clamp(FEWEST, MOST)
    }

    /// Into how many groups of rows of tiles, of one block each unless rows are long, the outputs are cut.
    fn groups(&self) -> usize {
        self.rows().div_ceil((self.most() / self.columns()).max(1))
    }

    /// Blocks of the largest group.
    fn group_blocks(&self) -> usize {
        (self.rows().div_ceil(self.groups()) * self.columns()).div_ceil(self.most())
    }

    fn blocks(&self) -> usize {
        self.groups() * self.group_blocks()
    }

    /// Tiles of the largest block.
    fn block(&self) -> usize {
        (self.rows().div_ceil(self.groups()) * self.columns()).div_ceil(self.group_blocks())
    }

    /// Most channels of filters that are transformed at a time.
    fn depth(&self) -> usize {
        self.c.div_ceil(self.c.div_ceil(DEPTH))
    }

    /// Elements of a task's zeros, turned taps, transformed filters, inputs and products.
    fn areas(&self) -> [usize; 5] {
        let (block, depth) = (self.block(), self.depth());
        [
            self.c,
            9 * depth * COLUMNS,
            POINTS * (depth * COLUMNS + APART),
            block * (POINTS * self.c + APART),
            block * (POINTS * COLUMNS + APART),
        ]
    }

    fn task_workspace(&self) -> usize {
        LANES + self.areas().iter().sum::<usize>()
    }

    /// The most tasks the work is worth.
    fn tasks(&self) -> usize {
        (product(&[self.n, self.oh, self.ow, self.c, self.oc, 2]) / TASK_WORK).clamp(1, TASKS)
    }

    /// Workspace for any number of threads.
    pub fn workspace(&self) -> usize {
        self.tasks() * self.task_workspace()
    }

    /// The kernels and the number of tasks; nothing where the level has none, arithmetic is strict or the workspace is
    /// too short.
    pub fn chosen(
        &self,
        cpu: &Cpu,
        workspace: usize,
    ) -> Option<(&'static Micro, &'static Transforms, usize)> {
        let tasks = cpu.threads().min(self.tasks()).min(workspace / self.task_workspace());
        let transforms = available(cpu)?;
        (tasks > 0).then_some((family(cpu, FEWEST, COLUMNS)?, transforms, tasks))
    }

    /// `y = x * w`, and `then` something with ranges of y. Returns false, y untouched, where the kernel cannot run.
    #[must_use]
    pub fn convolve(
        &self,
        cpu: &Cpu,
        x: &[f32],
        (w, layout): (&[f32], Layout),
        y: &mut [f32],
        workspace: &mut [f32],
        then: Then,
    ) -> bool {
        let Some((micro, transforms, tasks)) = self.chosen(cpu, workspace.len()) else { return false };
        assert!(x.len() == product(&[self.n, self.h, self.w, self.c]), "conv2d: length of x");
        assert!(w.len() == product(&[9, self.c, self.oc]), "conv2d: length of the filter");
        assert!(y.len() == product(&[self.n, self.oh, self.ow, self.oc]), "conv2d: length of y");
        let (groups, panels) = (self.groups(), self.oc.div_ceil(COLUMNS));
        // Of a few groups each task computes some channels.
        let by_groups = tasks == 1 || groups >= 2 * tasks || groups >= panels;
        let count = if by_groups { groups } else { panels };
        let each = self.task_workspace();
        let (y, workspace) = (Shared::new(y), Shared::new(workspace));
        cpu.parallel(tasks.min(count), &|task| {
            let own = task * count / tasks.min(count)..(task + 1) * count / tasks.min(count);
            let (own_groups, panels) = if by_groups { (own, 0..panels) } else { (0..groups, own) };
            // SAFETY: each task has its own part of the workspace.
            let space = unsafe { workspace.range(task * each, each) };
            let (_, space) = space.split_at_mut(space.as_ptr().align_offset(4 * LANES).min(LANES));
            let [zeros, taps, filters, inputs, products] = self.areas();
            let (zeros, space) = space.split_at_mut(zeros);
            let (taps, space) = space.split_at_mut(taps);
            let (filters, space) = space.split_at_mut(filters);
            let (inputs, space) = space.split_at_mut(inputs);
            let products = &mut space[..products];
            zeros.fill(0.0);
            let mut part = Part { micro, transforms, x, w, layout, zeros, inputs, filters, products, taps };
            for group in own_groups {
                let rows = group * self.rows() / groups..(group + 1) * self.rows() / groups;
                let tiles = rows.start * self.columns()..rows.end * self.columns();
                for block in 0..self.group_blocks() {
                    let Range { start, end } = spread(tiles.len(), 0, block, self.group_blocks());
                    let block = tiles.start + start..tiles.start + end;
                    // SAFETY: each task has its own groups, or its own channels, of y.
                    unsafe { self.block_of(&mut part, block, panels.clone(), y.as_ptr()) };
                }
                if by_groups {
                    then(self.element(rows.start)..self.element(rows.end));
                }
            }
        });
        if !by_groups {
            finish(cpu, product(&[self.n, self.oh, self.ow, self.oc]), then);
        }
        true
    }

    /// The first element of y in a row of tiles.
    fn element(&self, row: usize) -> usize {
        let (image, row) = (row / self.image_rows(), row % self.image_rows());
        (image * self.oh + row * OUT) * self.ow * self.oc
    }

    /// The image of a tile, and its first row and column of outputs.
    fn tile(&self, tile: usize) -> [usize; 3] {
        let (row, column) = (tile / self.columns(), tile % self.columns());
        [row / self.image_rows(), row % self.image_rows() * OUT, column * OUT]
    }

    /// The outputs of some tiles and panels of channels.
    ///
    /// # Safety
    /// y has the length of its shape, and this part of it is nobody else's.
    unsafe fn block_of(&self, part: &mut Part, tiles: Range<usize>, panels: Range<usize>, y: *mut f32) {
        let (input, output) = (POINTS * self.c + APART, POINTS * COLUMNS + APART);
        for (tile, to) in tiles.clone().zip(part.inputs.chunks_exact_mut(input)) {
            let pixels = self.pixels(part.x, part.zeros, tile);
            // SAFETY: `chosen` found the instruction set; each pixel has c elements, and `to` those of all points.
            unsafe { (part.transforms.input)(&pixels, self.c, to.as_mut_ptr()) };
        }
        for j in panels.map(|panel| panel * COLUMNS) {
            let width = COLUMNS.min(self.oc - j);
            for p in (0..self.c).step_by(self.depth()) {
                let rows = self.depth().min(self.c - p);
                self.transform_filters(part, p, rows, j, width);
                // SAFETY: the areas hold what was just transformed.
                unsafe { self.multiply(part, tiles.len(), p, rows, width) };
            }
            for (tile, from) in tiles.clone().zip(part.products.chunks_exact(output)) {
                let [image, oy, ox] = self.tile(tile);
                let to = Outputs {
                    // SAFETY: the tile begins inside y.
                    to: unsafe { y.add(((image * self.oh + oy) * self.ow + ox) * self.oc + j) },
                    step: [self.ow * self.oc, self.oc],
                    inside: [OUT.min(self.oh - oy), OUT.min(self.ow - ox)],
                    columns: width,
                };
                // SAFETY: `chosen` found the instruction set; the pixels inside are in y.
                unsafe { (part.transforms.output)(from.as_ptr(), &to) };
            }
        }
    }

    /// The inputs of a tile, by rows.
    fn pixels(&self, x: &[f32], zeros: &[f32], tile: usize) -> [*const f32; POINTS] {
        let [image, oy, ox] = self.tile(tile);
        core::array::from_fn(|i| {
            let (y, x_) = (oy + i / IN, ox + i % IN);
            let inside = y >= self.pad_top
                && x_ >= self.pad_left
                && y - self.pad_top < self.h
                && x_ - self.pad_left < self.w;
            if inside {
                let pixel = (image * self.h + y - self.pad_top) * self.w + x_ - self.pad_left;
                x[pixel * self.c..][..self.c].as_ptr()
            } else {
                zeros.as_ptr()
            }
        })
    }

    /// Transforms rows `p..p + rows` and columns `j..j + width` of the filters.
    fn transform_filters(&self, part: &mut Part, p: usize, rows: usize, j: usize, width: usize) {
        let (c, oc) = (self.c, self.oc);
        let size = rows * COLUMNS;
        let (from, tap, row) = match part.layout {
            Layout::Panels => (&part.w[9 * c * j + p * width..], c * width, width),
            layout => {
                // Taps lie apart by what is often a multiple of a cache's ways, so they are not read at once.
                for (tap, to) in part.taps.chunks_exact_mut(size).enumerate().take(9) {
                    if layout == Layout::Turned {
                        let from = &part.w[((8 - tap) * oc + j) * c + p..];
                        turn(part.micro, from, c, rows, width, COLUMNS, to);
                        continue;
                    }
                    for (row, to) in to.as_chunks_mut::<COLUMNS>().0.iter_mut().enumerate() {
                        let from = &part.w[(tap * c + p + row) * oc + j..][..width];
                        for (to, from) in to.as_chunks_mut::<8>().0.iter_mut().zip(from.as_chunks().0) {
                            *to = *from;
                        }
                    }
                }
                (&*part.taps, size, COLUMNS)
            }
        };
        assert!(from.len() >= 8 * tap + (rows - 1) * row + width);
        let taps = Taps { from: from.as_ptr(), tap, row, rows, columns: width };
        // SAFETY: `chosen` found the instruction set; the taps are inside the filter (checked above), and `filters` has
        // `depth` rows for each point.
        unsafe { (part.transforms.filter)(&taps, part.filters.as_mut_ptr(), self.filter_point()) };
    }

    /// Elements between two points of transformed filters.
    fn filter_point(&self) -> usize {
        self.depth() * COLUMNS + APART
    }

    /// The products of all points, over channels `p..p + rows`.
    ///
    /// # Safety
    /// The inputs of so many tiles and these rows of the filters are transformed.
    unsafe fn multiply(&self, part: &mut Part, tiles: usize, p: usize, rows: usize, width: usize) {
        let (input, output) = (POINTS * self.c + APART, POINTS * COLUMNS + APART);
        let micro = part.micro;
        let count = tiles.div_ceil(micro.rows);
        for point in 0..POINTS {
            for at in (0..width).step_by(micro.columns()) {
                let columns = micro.columns().min(width - at);
                let vectors = columns.div_ceil(micro.lanes);
                for tile in 0..count {
                    let Range { start, end } = spread(tiles, micro.rows, tile, count);
                    let tile = Tile {
                        k: rows,
                        segments: 1,
                        a_segment: 0,
                        a: part.inputs[start * input + point * self.c + p..].as_ptr(),
                        a_step: input,
                        b: part.filters[point * self.filter_point() + at..].as_ptr(),
                        b_step: COLUMNS,
                        b_skip: 0,
                        c: part.products[start * output + point * COLUMNS + at..].as_mut_ptr(),
                        c_step: output,
                        tail: columns - (vectors - 1) * micro.lanes,
                        whole: true,
                        add: p > 0,
                    };
                    // SAFETY: `family` chose kernels of this machine; the tile is inside the three areas.
                    unsafe { micro.by_rows[(end - start - 1) * micro.vectors + vectors - 1](&tile) };
                }
            }
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::kernel::{Level, NOTHING, Pool, generic, panels};
    use std::sync::Mutex;
    use std::vec;
    use std::vec::Vec;

    fn fill(len: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..len).map(next).collect()
    }

    fn conv([n, h, w]: [usize; 3], [c, oc]: [usize; 2], pad: [usize; 4]) -> Conv {
        let [top, bottom, pad_left, right] = pad;
        let (oh, ow) = (h + top + bottom - 2, w + pad_left + right - 2);
        let (one, pad_top) = (1, top);
        Conv {
            n,
            h,
            w,
            c,
            oh,
            ow,
            oc,
            kh: 3,
            kw: 3,
            sh: one,
            sw: one,
            dh: one,
            dw: one,
            pad_top,
            pad_left,
            groups: one,
        }
    }

    /// One run, which must finish each element of y once; with three quarters of the workspace fewer threads work.
    fn run(own: &Winograd, cpu: &Cpu, x: &[f32], filter: (&[f32], Layout), len: usize) -> Vec<f32> {
        let mut results = Vec::new();
        for space in [own.workspace(), (own.workspace() * 3 / 4).max(own.task_workspace())] {
            let mut y = vec![f32::NAN; len];
            let ranges = Mutex::new(Vec::new());
            let then = |range: Range<usize>| ranges.lock().unwrap().push(range);
            assert!(own.convolve(cpu, x, filter, &mut y, &mut vec![f32::NAN; space], &then));
            let mut ranges = ranges.into_inner().unwrap();
            ranges.sort_by_key(|range| range.start);
            let end = ranges.iter().fold(0, |at, range| {
                assert_eq!(range.start, at);
                range.end
            });
            assert_eq!(end, len);
            results.push(y);
        }
        assert!(results[0].iter().zip(&results[1]).all(|(a, b)| a.to_bits() == b.to_bits()));
        results.swap_remove(0)
    }

    fn check(v: &Conv, pools: &[Option<&Pool>]) {
        let x = fill(v.n * v.h * v.w * v.c, 1);
        let w = fill(9 * v.c * v.oc, 2);
        let dy = fill(v.n * v.oh * v.ow * v.oc, 3);
        let mut packed = vec![0.0; w.len()];
        panels::pack(&w, v.oc, &mut packed);
        let (mut want_y, mut want_dx) = (dy.clone(), x.clone());
        generic::conv2d(v, &x, &w, &mut want_y);
        generic::conv2d_input_grad(v, &dy, &w, &mut want_dx);
        assert!(Winograd::suits(v));
        // Whether they pay or not.
        let [own, turned] = [false, true].map(|turned| Winograd::of(v, turned).unwrap());
        let close = |got: &[f32], want: &[f32], terms: usize, what: &str| {
            let tolerance = 5e-6 * (9.0 * terms as f32).sqrt();
            for (i, (got, want)) in got.iter().zip(want).enumerate() {
                assert!((got - want).abs() <= tolerance, "{what} {v:?} at {i}: {got} {want}");
            }
        };
        for &level in Level::available() {
            let mut first: Option<[Vec<f32>; 2]> = None;
            for &pool in pools {
                let cpu = Cpu::new(level, pool);
                if matches!(level, Level::Portable | Level::Simd128) {
                    assert!(own.chosen(&cpu, usize::MAX).is_none());
                    continue;
                }
                let y = run(&own, &cpu, &x, (&w, Layout::Rows), want_y.len());
                close(&y, &want_y, v.c, "y");
                let again = run(&own, &cpu, &x, (&packed, Layout::Panels), want_y.len());
                assert!(y == again, "packed {level:?} {v:?}");
                let dx = run(&turned, &cpu, &dy, (&w, Layout::Turned), want_dx.len());
                close(&dx, &want_dx, v.oc, "dx");
                let first = first.get_or_insert_with(|| [y.clone(), dx.clone()]);
                assert!(*first == [y, dx], "threads {level:?} {v:?}");
                let mut y = vec![7.0; want_y.len()];
                let mut space = vec![0.0; own.workspace()];
                let strict = cpu.strict(true);
                assert!(!own.convolve(&strict, &x, (&w, Layout::Rows), &mut y, &mut space, NOTHING));
                let short = own.task_workspace() - 1;
                assert!(!own.convolve(&cpu, &x, (&w, Layout::Rows), &mut y, &mut space[..short], NOTHING));
                assert!(y.iter().all(|&y| y == 7.0));
            }
        }
    }

    #[test]
    fn every_level_agrees_with_the_portable_loops() {
        for (images, pad) in [
            ([1, 1, 1], [1; 4]),
            ([2, 9, 11], [1; 4]),
            ([3, 5, 6], [0; 4]),
            ([1, 4, 4], [0, 2, 1, 2]),
            ([2, 7, 3], [2, 1, 2, 0]),
            ([5, 3, 8], [2; 4]),
        ] {
            for channels in [[16, 16], [32, 48], [80, 16], [48, 112]] {
                check(&conv(images, channels, pad), &[None]);
            }
        }
    }

    #[test]
    fn channels_and_rows_in_several_blocks() {
        check(&conv([1, 6, 6], [288, 32], [1; 4]), &[None]);
        check(&conv([1, 6, 6], [32, 288], [1; 4]), &[None]);
        check(&conv([1, 5, 230], [16, 32], [1; 4]), &[None]);
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let pools = [Pool::new(2), Pool::new(3)];
        let pools = [None, Some(&pools[0]), Some(&pools[1])];
        check(&conv([3, 30, 21], [32, 64], [1; 4]), &pools);
        check(&conv([1, 13, 13], [96, 144], [1, 1, 0, 0]), &pools);
    }

    #[test]
    fn it_is_chosen_where_it_pays() {
        let chosen = |images, channels| Winograd::new(&conv(images, channels, [1; 4]), false).is_some();
        assert!(chosen([1, 32, 32], [64, 64]) && chosen([1, 8, 8], [256, 256]));
        assert!(chosen([16, 4, 4], [512, 512]) && !chosen([1, 4, 4], [512, 512]));
        let large = conv([1, 32, 32], [64, 64], [1; 4]);
        for other in [Conv { sh: 2, ..large }, Conv { dw: 2, ..large }, Conv { groups: 2, ..large }] {
            assert!(Winograd::new(&other, false).is_none() && Winograd::new(&other, true).is_none());
        }
        assert!(!chosen([0, 8, 8], [64, 64]) && !chosen([1, 32, 32], [64, 65]));
        assert!(Winograd::new(&Conv { pad_top: 3, ..large }, true).is_none());
    }
}
