//! The operands of convolutions as products: patches of images, and the filter turned round.

use super::blocked::{Left, Right, copy, turn};
use super::micro::Micro;

/// Which pixels and taps meet along one axis in the input gradient, for one remainder of the padded coordinate by the
/// stride: output coordinate `base + g + t · tap` for the `g`-th such pixel and the `t`-th such tap, counted down.
#[derive(Copy, Clone)]
pub(super) struct Phase {
    /// First pixel, and how many there are, a stride apart.
    pub first: usize,
    pub pixels: usize,
    /// Last tap, the distance between two, and how many there are.
    pub origin: usize,
    pub step: usize,
    pub taps: usize,
    pub base: isize,
    pub tap: isize,
}

impl Phase {
    pub(super) fn new(
        remainder: usize,
        stride: usize,
        dilation: usize,
        taps: usize,
        pad: usize,
        extent: usize,
    ) -> Phase {
        let first = (remainder + stride - pad % stride) % stride;
        let pixels = extent.saturating_sub(first).div_ceil(stride);
        let meets = |k: &usize| k * dilation % stride == remainder;
        let begin = (0..taps).find(meets).unwrap_or(taps);
        let step = (1..=stride).find(|k| (k * dilation).is_multiple_of(stride)).unwrap_or(stride);
        let taps = (taps - begin).div_ceil(step);
        let origin = begin + taps.saturating_sub(1) * step;
        let base = (first + pad) as isize - (origin * dilation) as isize;
        let tap = (step * dilation / stride) as isize;
        Phase { first, pixels, origin, step, taps, base: base.div_euclid(stride as isize), tap }
    }
}

/// Patches of images as a matrix: one row per pixel of a grid, one column per tap and channel.
///
/// Tap (ty, tx) of grid pixel (gy, gx) is the source pixel at row `base[0] + gy · step[0] + ty · tap[0]` and column
/// `base[1] + gx · step[1] + tx · tap[1]`; outside the image it is zero.
pub(super) struct Patches<'a> {
    pub x: &'a [f32],
    /// Rows and columns of a source image.
    pub image: [usize; 2],
    /// Elements per source pixel.
    pub pixel: usize,
    /// First channel of the group.
    pub first: usize,
    /// Channels of the group.
    pub c: usize,
    pub grid: [usize; 2],
    pub taps: [usize; 2],
    pub base: [isize; 2],
    pub step: [isize; 2],
    pub tap: [isize; 2],
    /// Whether the matrix is transposed: pixels are summed over.
    pub by_columns: bool,
    pub place: Place,
}

/// Where the rows of a product lie in c.
pub(super) enum Place {
    /// Row i at `first + i · step`.
    Even { first: usize, step: usize },
    /// Grid pixel (gy, gx) of an image at every `stride`-th row and column of `image` from `origin` on.
    Grid { first: usize, pixel: usize, image: [usize; 2], origin: [usize; 2], stride: [usize; 2] },
}

/// A source coordinate, if it is inside.
fn at(base: isize, steps: isize, extent: usize) -> Option<usize> {
    usize::try_from(base + steps).ok().filter(|&i| i < extent)
}

impl Patches<'_> {
    /// Appends elements `from..from + len` of the patch of a pixel to `out` at `*to`. What follows in `out` may be
    /// overwritten.
    #[inline(always)]
    fn row(&self, [image, gy, gx]: [usize; 3], from: usize, len: usize, out: &mut [f32], to: &mut usize) {
        let line = self.taps[1] * self.c;
        let (mut ty, mut e) = (from / line, from % line);
        let mut left = len;
        let column = self.base[1] + gx as isize * self.step[1];
        while left > 0 {
            let run = left.min(line - e);
            let iy = at(self.base[0] + gy as isize * self.step[0], ty as isize * self.tap[0], self.image[0]);
            match iy {
                None => out[*to..*to + run].fill(0.0),
                Some(iy) => self.line(image * self.image[0] + iy, column, e, run, &mut out[*to..]),
            }
            *to += run;
            left -= run;
            (ty, e) = (ty + 1, 0);
        }
    }

    /// Elements `e..e + run` of the taps in one row of an image, the first tap at `column`.
    #[inline(always)]
    fn line(&self, row: usize, column: isize, e: usize, run: usize, out: &mut [f32]) {
        let [_, width] = self.image;
        let from = row * width * self.pixel;
        if self.tap[1] == 1 && self.c == self.pixel {
            // Neighbouring taps are neighbours in memory: zeros, a run of the image, zeros.
            let begin = column * self.c as isize + e as isize;
            let end = begin + run as isize;
            let extent = (width * self.c) as isize;
            if begin >= 0 && end <= extent {
                return copy_over(self.x, from + begin as usize, run, out);
            }
            let (lo, hi) = (begin.clamp(0, extent), end.clamp(0, extent));
            let (before, inside) = ((lo - begin).clamp(0, run as isize) as usize, (hi - lo) as usize);
            out[..before].fill(0.0);
            copy(&self.x[from + lo as usize..][..inside], &mut out[before..before + inside]);
            out[before + inside..run].fill(0.0);
            return;
        }
        let (mut tx, mut ci, mut to) = (e / self.c, e % self.c, 0);
        while to < run {
            let part = (run - to).min(self.c - ci);
            match at(column, tx as isize * self.tap[1], width) {
                None => out[to..to + part].fill(0.0),
                Some(ix) => copy_over(self.x, from + ix * self.pixel + self.first + ci, part, &mut out[to..]),
            }
            to += part;
            (tx, ci) = (tx + 1, 0);
        }
    }
}

/// Copies `len` elements of x from `from` to the beginning of y. May overwrite the seven elements after them.
#[inline(always)]
fn copy_over(x: &[f32], from: usize, len: usize, y: &mut [f32]) {
    let blocks = len.next_multiple_of(8);
    if from + blocks > x.len() || blocks > y.len() {
        return copy(&x[from..from + len], &mut y[..len]);
    }
    for at in (0..blocks).step_by(8) {
        // SAFETY: `at + 8 <= blocks`, and both slices have `blocks` elements from here (checked above).
        unsafe {
            let eight = x.as_ptr().add(from + at).cast::<[f32; 8]>().read_unaligned();
            y.as_mut_ptr().add(at).cast::<[f32; 8]>().write_unaligned(eight);
        }
    }
}

impl Left for Patches<'_> {
    fn by_columns(&self) -> bool {
        self.by_columns
    }

    fn in_place(&self, _i: usize, _p: usize) -> Option<(*const f32, usize)> {
        None
    }

    fn pack(&self, _: &Micro, i: usize, rows: usize, p: usize, k: usize, out: &mut [f32]) {
        let (first, pixels, from, len) = if self.by_columns { (p, k, i, rows) } else { (i, rows, p, k) };
        let [gh, gw] = self.grid;
        let mut pixel = [first / (gh * gw), first / gw % gh, first % gw];
        let mut to = 0;
        for _ in 0..pixels {
            self.row(pixel, from, len, out, &mut to);
            pixel[2] += 1;
            if pixel[2] == gw {
                pixel = [pixel[0], pixel[1] + 1, 0];
                if pixel[1] == gh {
                    pixel = [pixel[0] + 1, 0, 0];
                }
            }
        }
    }

    fn place(&self, i: usize) -> (usize, usize) {
        match self.place {
            Place::Even { first, step } => (first + i * step, usize::MAX),
            Place::Grid { first, pixel, image: [h, w], origin, stride } => {
                let [gh, gw] = self.grid;
                let (image, gy, gx) = (i / (gh * gw), i / gw % gh, i % gw);
                let (y, x) = (origin[0] + gy * stride[0], origin[1] + gx * stride[1]);
                (first + ((image * h + y) * w + x) * pixel, gw - gx)
            }
        }
    }
}

/// The filter of one group turned round for the input gradient: one row per tap and output channel, one column per
/// input channel. Tap (ty, tx) is the tap `origin - (ty, tx) · step` of the filter.
pub(super) struct Turned<'a> {
    pub w: &'a [f32],
    /// Columns of the filter's taps.
    pub kw: usize,
    /// Taps used, by rows and columns.
    pub taps: [usize; 2],
    pub origin: [usize; 2],
    pub step: [usize; 2],
    /// Input channels of a group.
    pub c: usize,
    /// Output channels of all groups, of one group, and the first of this group.
    pub oc: [usize; 3],
}

impl Right for Turned<'_> {
    fn in_place(&self, _p: usize, _j: usize) -> Option<(*const f32, usize)> {
        None
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
        let [all, group, first] = self.oc;
        let mut at = p;
        while at < p + k {
            let (tap, o) = (at / group, at % group);
            let run = (group - o).min(p + k - at);
            let ky = self.origin[0] - tap / self.taps[1] * self.step[0];
            let kx = self.origin[1] - tap % self.taps[1] * self.step[1];
            let from = ((ky * self.kw + kx) * self.c + j) * all + first + o;
            turn(micro, &self.w[from..], all, run, columns, step, &mut out[(at - p) * step..]);
            at += run;
        }
    }
}
