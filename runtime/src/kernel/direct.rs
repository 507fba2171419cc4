//! Convolutions that read the image in place: the taps of one filter row lie side by side in an image row, so
//! neighbouring output pixels are rows of a matrix that overlap in memory and nothing is gathered. Images that need
//! columns of padding are copied, strip by strip, with that padding.

use super::blocked::{TASK_WORK, TASKS, copy, spread, turn};
use super::micro::{Kernel, Micro, Tile, family};
#[cfg(target_arch = "x86_64")]
use super::planar::Planar;
use super::{Conv, Cpu, Shared, Then, product};
use core::ops::Range;

/// Elements of a strip of an image.
const STRIP: usize = 1 << 15;
/// Lanes of the widest vector.
const WIDEST: usize = 16;
/// Elements of the largest filter that is read again for every row of pixels.
const FILTER: usize = 1 << 16;

/// A convolution without groups, or the input gradient of one as a convolution of dy with the filter turned round.
pub(super) struct Direct {
    n: usize,
    h: usize,
    w: usize,
    c: usize,
    oh: usize,
    ow: usize,
    oc: usize,
    kh: usize,
    kw: usize,
    sh: usize,
    sw: usize,
    dh: usize,
    pad_top: usize,
    pad_left: usize,
    turned: bool,
    filter_grad: bool,
}

impl Direct {
    /// The way to compute the convolution, or its filter gradient, if it suits this path.
    pub fn new(v: &Conv, filter_grad: bool) -> Option<Direct> {
        let Conv { n, h, w, c, oh, ow, oc, kh, kw, sh, sw, dh, pad_top, pad_left, .. } = *v;
        let filter = product(&[kh, kw, c, oc]);
        let suits = v.groups == 1 && (v.dw == 1 || kw == 1) && filter > 0 && filter <= FILTER;
        (suits && product(&[n, h, w, oh, ow]) > 0).then_some(Direct {
            n,
            h,
            w,
            c,
            oh,
            ow,
            oc,
            kh,
            kw,
            sh,
            sw,
            dh,
            pad_top,
            pad_left,
            turned: false,
            filter_grad,
        })
    }

    /// The way to compute the input gradient, if it suits this path.
    pub fn turned(v: &Conv) -> Option<Direct> {
        Some(Direct { turned: true, ..Direct::new(&v.turned()?, false)? })
    }

    /// Columns of a strip and whether it has to be a copy.
    fn columns(&self) -> (usize, bool) {
        let reach = (self.ow - 1) * self.sw + self.kw;
        let columns = reach.max(self.pad_left + self.w);
        if self.pad_left == 0 && reach <= self.w { (self.w, false) } else { (columns, true) }
    }

    /// Rows of x that `rows` rows of output span.
    fn span(&self, rows: usize) -> usize {
        (rows - 1) * self.sh + (self.kh - 1) * self.dh + 1
    }

    /// Rows of output per strip.
    fn strip_rows(&self) -> usize {
        let fits = STRIP / (self.columns().0 * self.c);
        (fits.saturating_sub(self.span(1)) / self.sh + 1).min(self.oh)
    }

    /// Elements of a copied strip.
    fn strip(&self) -> usize {
        let (columns, copied) = self.columns();
        if copied { product(&[self.span(self.strip_rows()).min(self.h), columns, self.c]) } else { 0 }
    }

    /// Elements of a copied filter: it is turned, or its last row cannot be read to the end of a vector.
    fn filter(&self) -> usize {
        let copied = self.turned || !self.filter_grad && !self.oc.is_multiple_of(WIDEST);
        if copied { self.kh * self.kw * self.c * self.oc + WIDEST } else { 0 }
    }

    /// The most tasks the work is worth, a few columns costing as much as a vector of them.
    fn tasks(&self) -> usize {
        let columns = self.oc.next_multiple_of(16);
        let work = product(&[self.n, self.oh, self.ow, columns, self.kh, self.kw, self.c]);
        (work / TASK_WORK).clamp(1, TASKS)
    }

    /// Workspace for any number of threads.
    pub fn workspace(&self) -> usize {
        let strips = product(&[self.tasks(), self.strip()]);
        #[cfg(target_arch = "x86_64")]
        let strips = strips.max(self.planar().map_or(0, |planar| planar.workspace(self.filter_grad)));
        strips.saturating_add(self.filter())
    }

    /// The same with pixels in the lanes, where that is faster.
    #[cfg(target_arch = "x86_64")]
    fn planar(&self) -> Option<Planar> {
        let Direct { n, h, w, c, oh, ow, oc, kh, kw, pad_top, pad_left, .. } = *self;
        let planar = Planar { n, h, w, c, oh, ow, oc, kh, kw, pad_top, pad_left };
        (self.sh == 1 && self.sw == 1 && self.dh == 1 && planar.suits()).then_some(planar)
    }

    /// [`planar`](Direct::planar) and its number of tasks, if the level and so much workspace let it.
    #[cfg(target_arch = "x86_64")]
    fn planar_here(&self, cpu: &Cpu, workspace: usize) -> Option<(Planar, usize)> {
        let planar = self.planar()?;
        Some((planar, planar.affordable(cpu, self.filter_grad, workspace.checked_sub(self.filter())?)?))
    }

    /// Whether pixels are in the lanes.
    pub fn is_planar(&self, cpu: &Cpu, workspace: usize) -> bool {
        #[cfg(target_arch = "x86_64")]
        return self.planar_here(cpu, workspace).is_some();
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = (cpu, workspace);
            false
        }
    }

    /// How many tasks to use with so many elements of workspace; none if it is too short for one.
    fn affordable(&self, cpu: &Cpu, workspace: usize) -> Option<usize> {
        let wanted = cpu.threads().min(self.tasks());
        let space = workspace.checked_sub(self.filter())?;
        let tasks = if self.strip() == 0 { wanted } else { wanted.min(space / self.strip()) };
        (tasks > 0).then_some(tasks)
    }

    /// The microkernels and the number of tasks; nothing where the level has none or the workspace is too short.
    pub fn chosen(&self, cpu: &Cpu, workspace: usize) -> Option<(&'static Micro, usize)> {
        let rows = if self.filter_grad { self.kh * self.kw * self.c } else { self.n * self.oh * self.ow };
        Some((family(cpu, rows, self.oc)?, self.affordable(cpu, workspace)?))
    }

    /// Rows of x for the output rows, and the strip itself: part of x, or a copy in `space` with its columns of
    /// padding.
    fn load<'a>(
        &self,
        x: &'a [f32],
        image: usize,
        rows: &Range<usize>,
        space: &'a mut [f32],
    ) -> (usize, &'a [f32]) {
        let first = (rows.start * self.sh).saturating_sub(self.pad_top).min(self.h);
        let end =
            (rows.start * self.sh + self.span(rows.len())).saturating_sub(self.pad_top).clamp(first, self.h);
        let line = self.w * self.c;
        let x = &x[(image * self.h + first) * line..(image * self.h + end) * line];
        let (columns, copied) = self.columns();
        if !copied {
            return (first, x);
        }
        let before = self.pad_left * self.c;
        let space = &mut space[..(end - first) * columns * self.c];
        for (to, from) in space.chunks_exact_mut(columns * self.c).zip(x.chunks_exact(line)) {
            to[..before].fill(0.0);
            copy(from, &mut to[before..before + line]);
            to[before + line..].fill(0.0);
        }
        (first, space)
    }

    /// `y = x * w`, where w is the filter of the convolution itself if this is its input gradient; `then` is done with
    /// each strip. Returns false, y untouched, where the level has no microkernels or the workspace is too short.
    #[must_use]
    pub fn convolve(
        &self,
        cpu: &Cpu,
        x: &[f32],
        w: &[f32],
        y: &mut [f32],
        workspace: &mut [f32],
        then: Then,
    ) -> bool {
        let Some((micro, tasks)) = self.chosen(cpu, workspace.len()) else { return false };
        #[cfg(target_arch = "x86_64")]
        let planar = self.planar_here(cpu, workspace.len());
        let (filter, space) = workspace.split_at_mut(self.filter());
        let len = w.len();
        assert!(len == product(&[self.kh, self.kw, self.c, self.oc]), "conv2d: length of the filter");
        let w = if filter.is_empty() {
            w
        } else {
            let (taps, rest) = filter.split_at_mut(len);
            let part = self.c * self.oc;
            if self.turned {
                for (to, from) in taps.chunks_exact_mut(part).zip(w.chunks_exact(part).rev()) {
                    turn(micro, from, self.c, self.c, self.oc, self.oc, to);
                }
            } else {
                copy(w, taps);
            }
            rest.fill(0.0);
            &*filter
        };
        #[cfg(target_arch = "x86_64")]
        if let Some((planar, tasks)) = planar {
            planar.convolve(cpu, tasks, x, &w[..len], y, space, then);
            return true;
        }
        assert!(x.len() == product(&[self.n, self.h, self.w, self.c]), "conv2d: length of x");
        assert!(y.len() == product(&[self.n, self.oh, self.ow, self.oc]), "conv2d: length of y");
        let rows = self.strip_rows();
        let per_image = self.oh.div_ceil(rows);
        let strips = self.n * per_image;
        let (y, space) = (Shared::new(y), Shared::new(space));
        cpu.parallel(tasks, &|task| {
            // SAFETY: each task has its own part of the workspace.
            let space = unsafe { space.range(task * self.strip(), self.strip()) };
            for strip in task * strips / tasks..(task + 1) * strips / tasks {
                let (image, first) = (strip / per_image, strip % per_image * rows);
                let rows = first..self.oh.min(first + rows);
                let element = |row: usize| (image * self.oh + row) * self.ow * self.oc;
                let range = element(rows.start)..element(rows.end);
                // SAFETY: each strip has its own rows of y, and the lengths were checked above.
                unsafe { self.convolve_strip(micro, x, w, y.as_ptr(), image, rows, space) };
                then(range);
            }
        });
        true
    }

    /// The output rows of a strip.
    ///
    /// # Safety
    /// The operands have the lengths of their shapes, and these rows of y are nobody else's.
    unsafe fn convolve_strip(
        &self,
        micro: &Micro,
        x: &[f32],
        w: &[f32],
        y: *mut f32,
        image: usize,
        rows: Range<usize>,
        space: &mut [f32],
    ) {
        let (first, strip) = self.load(x, image, &rows, space);
        let (columns, _) = self.columns();
        let tiles = self.ow.div_ceil(micro.rows);
        let row = self.c * self.oc;
        for oy in rows {
            let top = oy * self.sh;
            let end = (self.pad_top + self.h).saturating_sub(top).div_ceil(self.dh).min(self.kh);
            let begin = self.pad_top.saturating_sub(top).div_ceil(self.dh).min(end);
            // Without taps inside the image the tile has no terms and is zero.
            let a = if begin < end {
                strip[(top + begin * self.dh - self.pad_top - first) * columns * self.c..].as_ptr()
            } else {
                strip.as_ptr()
            };
            for tile in 0..tiles {
                let Range { start: from, end: to } = spread(self.ow, micro.rows, tile, tiles);
                // Taps that lie beside the image for all pixels of the tile are left out.
                let beyond = (self.pad_left + self.w).saturating_sub(from * self.sw).min(self.kw);
                let taps = self.pad_left.saturating_sub((to - 1) * self.sw).min(beyond)..beyond;
                for j in (0..self.oc).step_by(micro.columns()) {
                    let width = micro.columns().min(self.oc - j);
                    let vectors = width.div_ceil(micro.lanes);
                    let tile = Tile {
                        k: taps.len() * self.c,
                        segments: end - begin,
                        a_segment: self.dh * columns * self.c,
                        a: a.wrapping_add((from * self.sw + taps.start) * self.c),
                        a_step: self.sw * self.c,
                        b: w.as_ptr().wrapping_add((begin * self.kw + taps.start) * row + j),
                        b_step: self.oc,
                        b_skip: (self.kw - taps.len()) * row,
                        // SAFETY: output row `oy` of the image is inside y.
                        c: unsafe { y.add(((image * self.oh + oy) * self.ow + from) * self.oc + j) },
                        c_step: self.oc,
                        tail: width - (vectors - 1) * micro.lanes,
                        // A copied filter goes on behind its last row.
                        whole: true,
                        add: false,
                    };
                    // SAFETY: `family` chose kernels of this machine. Tap row t of pixel (oy, ox) begins at strip row
                    // `top + t · dh - pad_top - first` and column `ox · sw`, where `columns` leaves room for the row.
                    unsafe { kernel(micro.by_rows, micro, to - from, vectors)(&tile) };
                }
            }
        }
    }

    /// `dw`, the filter gradient. Returns false, dw untouched, where the level has no microkernels or the workspace is
    /// too short.
    #[must_use]
    pub fn filter_grad(
        &self,
        cpu: &Cpu,
        x: &[f32],
        dy: &[f32],
        dw: &mut [f32],
        workspace: &mut [f32],
    ) -> bool {
        debug_assert!(self.filter_grad && !self.turned);
        #[cfg(target_arch = "x86_64")]
        if let Some((planar, tasks)) = self.planar_here(cpu, workspace.len()) {
            planar.filter_grad(cpu, tasks, x, dy, dw, workspace);
            return true;
        }
        let line = self.kw * self.c;
        let Some((micro, tasks)) = self.chosen(cpu, workspace.len()) else { return false };
        assert!(x.len() == product(&[self.n, self.h, self.w, self.c]), "conv2d: length of x");
        assert!(dw.len() == product(&[self.kh, self.kw, self.c, self.oc]), "conv2d: length of the filter");
        assert!(dy.len() == product(&[self.n, self.oh, self.ow, self.oc]), "conv2d: length of y");
        dw.fill(0.0);
        // A unit is a part of one row of taps.
        let parts = line.div_ceil(micro.rows);
        let units = self.kh * parts;
        let rows = self.strip_rows();
        let (dw, space) = (Shared::new(dw), Shared::new(workspace));
        cpu.parallel(tasks, &|task| {
            let own = task * units / tasks..(task + 1) * units / tasks;
            if own.is_empty() {
                return;
            }
            // SAFETY: each task has its own part of the workspace.
            let space = unsafe { space.range(task * self.strip(), self.strip()) };
            for image in 0..self.n {
                for first in (0..self.oh).step_by(rows) {
                    let rows = first..self.oh.min(first + rows);
                    let (top, strip) = self.load(x, image, &rows, space);
                    let dy = &dy[image * self.oh * self.ow * self.oc..];
                    for unit in own.clone() {
                        let (ky, part) = (unit / parts, unit % parts);
                        let part = spread(line, micro.rows, part, parts);
                        // SAFETY: each unit has its own rows of dw, and the lengths were checked above.
                        unsafe { self.grad_unit(micro, (top, strip), dy, dw.as_ptr(), ky, part, &rows) };
                    }
                }
            }
        });
        true
    }

    /// Adds what a strip contributes to part of a row of taps.
    ///
    /// # Safety
    /// dy begins with the image; the operands have the lengths of their shapes, and these rows of dw are nobody else's.
    unsafe fn grad_unit(
        &self,
        micro: &Micro,
        (top, strip): (usize, &[f32]),
        dy: &[f32],
        dw: *mut f32,
        ky: usize,
        part: Range<usize>,
        rows: &Range<usize>,
    ) {
        // The output rows for which this row of taps is inside the image.
        let tap = ky * self.dh;
        let end = (self.pad_top + self.h).saturating_sub(tap).div_ceil(self.sh).min(rows.end);
        let begin = self.pad_top.saturating_sub(tap).div_ceil(self.sh).max(rows.start);
        if begin >= end {
            return;
        }
        let (columns, _) = self.columns();
        let a =
            strip[(begin * self.sh + tap - self.pad_top - top) * columns * self.c + part.start..].as_ptr();
        for j in (0..self.oc).step_by(micro.columns()) {
            let width = micro.columns().min(self.oc - j);
            let vectors = width.div_ceil(micro.lanes);
            let last = (end * self.ow - 1) * self.oc + j;
            let tile = Tile {
                k: self.ow,
                segments: end - begin,
                a_segment: self.sh * columns * self.c,
                a,
                a_step: self.sw * self.c,
                b: dy[begin * self.ow * self.oc + j..].as_ptr(),
                b_step: self.oc,
                b_skip: 0,
                // SAFETY: the rows of this part are inside dw.
                c: unsafe { dw.add((ky * self.kw * self.c + part.start) * self.oc + j) },
                c_step: self.oc,
                tail: width - (vectors - 1) * micro.lanes,
                whole: last + vectors * micro.lanes <= dy.len(),
                add: true,
            };
            // SAFETY: `family` chose kernels of this machine. The tap row of output pixel (oy, ox) begins at strip row
            // `oy · sh + tap - pad_top - top` and column `ox · sw`, where `columns` leaves room for the row.
            unsafe { kernel(micro.by_columns, micro, part.len(), vectors)(&tile) };
        }
    }
}

/// The kernel of a table for a height and a number of vectors.
fn kernel(table: &[Kernel], micro: &Micro, rows: usize, vectors: usize) -> Kernel {
    table[(rows - 1) * micro.vectors + vectors - 1]
}
