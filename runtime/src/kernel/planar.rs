//! Convolutions to few channels for AVX-512: lanes are pixels of a row, not channels, of which there would be too few
//! to fill a vector.
//!
//! An image is taken apart into planes, one for each channel, with its padding around each; a vector of sixteen pixels
//! of a plane then meets one number of the filter. Results are put together again in registers.
#![allow(unsafe_code)]

use super::blocked::{TASK_WORK, TASKS};
use super::micro::unrolled;
use super::{Cpu, Level, Shared, Then, product};
use core::arch::x86_64::*;
use core::ops::Range;

/// Lanes of a vector.
const LANES: usize = 16;
/// The most channels that are put together, one vector each.
const RESULTS: usize = 7;
/// The most channels that are taken apart.
const CHANNELS: usize = 16;
/// Elements of the planes that the filter gradient goes over at a time: they stay in the first-level cache.
const STRIP: usize = 6 << 10;

/// A convolution with stride 1, without dilation and groups, or the input gradient of one with the filter turned round.
#[derive(Copy, Clone)]
pub(super) struct Planar {
    pub n: usize,
    pub h: usize,
    pub w: usize,
    pub c: usize,
    pub oh: usize,
    pub ow: usize,
    pub oc: usize,
    pub kh: usize,
    pub kw: usize,
    pub pad_top: usize,
    pub pad_left: usize,
}

/// Where the lanes of one vector come from in a pair of others.
#[derive(Copy, Clone)]
struct Pick {
    index: [i32; LANES],
    mask: u16,
}

const NOWHERE: Pick = Pick { index: [0; LANES], mask: 0 };

impl Planar {
    /// Whether more lanes are of use than with channels in the lanes, of which eight are computed together.
    pub fn suits(&self) -> bool {
        let few = (3..=RESULTS).contains(&self.oc) && (1..=CHANNELS).contains(&self.c);
        let filled = self.ow * 8 >= self.oc * self.line();
        few && filled && product(&[self.kh, self.kw, self.c]) >= 9 && self.fits()
    }

    /// Whether the image lies inside of the planes.
    fn fits(&self) -> bool {
        self.pad_left + self.w <= self.row() && self.ow > 0 && self.oh > 0
    }

    /// Columns of results, in whole vectors.
    fn line(&self) -> usize {
        self.ow.next_multiple_of(LANES)
    }

    /// Columns of a plane: those that the last vector reads for the last tap.
    fn row(&self) -> usize {
        self.line() + self.kw - 1
    }

    /// Elements of a plane.
    fn plane(&self) -> usize {
        product(&[self.oh + self.kh - 1, self.row()])
    }

    /// Taps that the filter gradient computes together, as many as registers hold.
    fn together(&self) -> usize {
        match self.oc {
            3 => 6,
            4 => 5,
            5 => 4,
            6 => 3,
            _ => 2,
        }
    }

    /// Rows of a strip of the filter gradient.
    fn strip(&self) -> usize {
        (STRIP / (self.oc * self.line() + self.c * self.row())).clamp(1, self.oh)
    }

    /// The most tasks the work is worth.
    fn tasks(&self) -> usize {
        let work = product(&[self.n, self.oh, self.line(), self.oc, self.kh, self.kw, self.c]);
        (work / TASK_WORK).clamp(1, TASKS)
    }

    /// Workspace of a task.
    fn space(&self, filter_grad: bool) -> usize {
        let planes = product(&[self.c, self.plane()]);
        if filter_grad { planes + product(&[self.oc, self.strip(), self.line()]) } else { planes }
    }

    /// Sums of the filter gradient, in whole groups of taps.
    fn sums(&self) -> usize {
        let taps = product(&[self.kh, self.kw, self.c]).next_multiple_of(self.together());
        product(&[taps, self.oc, LANES])
    }

    /// Workspace for any number of threads.
    pub fn workspace(&self, filter_grad: bool) -> usize {
        let sums = if filter_grad { self.sums() } else { 0 };
        product(&[self.tasks(), self.space(filter_grad)]).saturating_add(sums)
    }

    /// How many tasks to use with so much workspace, if any.
    pub fn affordable(&self, cpu: &Cpu, filter_grad: bool, workspace: usize) -> Option<usize> {
        let here = cpu.level() == Level::Avx512 && !cpu.is_strict();
        let space = workspace.checked_sub(if filter_grad { self.sums() } else { 0 })?;
        let tasks = cpu.threads().min(self.tasks()).min(space / self.space(filter_grad).max(1));
        (here && tasks > 0).then_some(tasks)
    }

    fn check(&self, x: &[f32], w: &[f32], y: &[f32]) {
        assert!(self.suits(), "conv2d: a planar convolution");
        assert!(x.len() == product(&[self.n, self.h, self.w, self.c]), "conv2d: length of x");
        assert!(w.len() == product(&[self.kh, self.kw, self.c, self.oc]), "conv2d: length of the filter");
        assert!(y.len() == product(&[self.n, self.oh, self.ow, self.oc]), "conv2d: length of y");
    }

    /// `y = x * w` with so many tasks of [`affordable`](Planar::affordable); `then` is done with each image.
    ///
    /// # Panics
    /// If a slice does not have the length of its shape.
    pub fn convolve(
        &self,
        cpu: &Cpu,
        tasks: usize,
        x: &[f32],
        w: &[f32],
        y: &mut [f32],
        workspace: &mut [f32],
        then: Then,
    ) {
        self.check(x, w, y);
        let (take, put) = (apart::<CHANNELS>(self.c), together(self.oc));
        let (image, result) = (self.h * self.w * self.c, self.oh * self.ow * self.oc);
        let (y, space) = (Shared::new(y), Shared::new(workspace));
        cpu.parallel(tasks, &|task| {
            // SAFETY: each task has its own part of the workspace.
            let planes = unsafe { space.range(task * self.space(false), self.space(false)) };
            planes.fill(0.0);
            for i in task * self.n / tasks..(task + 1) * self.n / tasks {
                // SAFETY: each image has its own part of y; the level was asked for in `affordable`, the lengths are
                // checked above, and planes have room for the image (`fits`).
                unsafe {
                    self.load(&take, &x[i * image..][..image], planes);
                    let y = y.range(i * result, result);
                    match self.oc {
                        3 => self.image::<3, 5>(planes, w, &put, y),
                        4 => self.image::<4, 4>(planes, w, &put, y),
                        5 => self.image::<5, 3>(planes, w, &put, y),
                        6 => self.image::<6, 3>(planes, w, &put, y),
                        _ => self.image::<7, 2>(planes, w, &put, y),
                    }
                }
                then(i * result..(i + 1) * result);
            }
        });
    }

    /// Takes an image apart; what is around it in the planes stays.
    ///
    /// # Safety
    /// AVX-512 is available, and the slices have the lengths of an image and of the planes.
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
    unsafe fn load(&self, take: &[[Pick; CHANNELS / 2]; CHANNELS], x: &[f32], planes: &mut [f32]) {
        let rows = self.h.min((self.oh + self.kh - 1).saturating_sub(self.pad_top));
        for y in 0..rows {
            let to = (self.pad_top + y) * self.row() + self.pad_left;
            // SAFETY: row y is inside x, and inside each plane, since `fits`.
            unsafe {
                let (x, to) = (x.as_ptr().add(y * self.w * self.c), planes.as_mut_ptr().add(to));
                match self.c {
                    1 => separate::<1>(take, 1, x, self.w, to, self.plane(), false),
                    3 => separate::<3>(take, 3, x, self.w, to, self.plane(), false),
                    c => separate::<0>(take, c, x, self.w, to, self.plane(), false),
                }
            }
        }
    }

    /// The results of one image, `N` vectors of each at a time.
    ///
    /// # Safety
    /// As [`Planar::load`]; `R` is the number of results.
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
    unsafe fn image<const R: usize, const N: usize>(
        &self,
        planes: &[f32],
        w: &[f32],
        put: &[[Pick; 4]; RESULTS],
        y: &mut [f32],
    ) {
        let (row, plane, per_row) = (self.row(), self.plane(), self.line() / LANES);
        let vectors = self.oh * per_row;
        for first in (0..vectors).step_by(N) {
            // Beyond the last vector it is computed again, and not stored.
            let mut places = [(0, 0); N];
            for (i, place) in places.iter_mut().enumerate() {
                let v = (first + i).min(vectors - 1);
                *place = (v / per_row, v % per_row * LANES);
            }
            // The rows of taps that meet the image in any of these rows.
            let (top, bottom) = (places[0].0, places[N - 1].0);
            let begin = self.pad_top.saturating_sub(bottom).min(self.kh);
            let end = (self.pad_top + self.h).saturating_sub(top).clamp(begin, self.kh);
            // SAFETY: every vector and every tap of it is inside the planes; there is a row of w for each tap.
            unsafe {
                let mut from = [planes.as_ptr(); N];
                for i in 0..N {
                    from[i] = planes.as_ptr().add(places[i].0 * row + places[i].1);
                }
                let mut sums = [[_mm512_setzero_ps(); R]; N];
                let mut w = w.as_ptr().add(begin * self.kw * self.c * R);
                for ky in begin..end {
                    for kx in 0..self.kw {
                        let mut at = ky * row + kx;
                        for _ in 0..self.c {
                            let mut x = [_mm512_setzero_ps(); N];
                            unrolled!(N, I => { x[I] = _mm512_loadu_ps(from[I].add(at)); });
                            unrolled!(R, J => {
                                let factor = _mm512_set1_ps(*w.add(J));
                                unrolled!(N, I => { sums[I][J] = _mm512_fmadd_ps(x[I], factor, sums[I][J]); });
                            });
                            w = w.add(R);
                            at += plane;
                        }
                    }
                }
                // By constants, or the sums would not stay in registers.
                unrolled!(N, I => {
                    let (oy, ox) = places[I];
                    if I < vectors - first {
                        let count = LANES.min(self.ow - ox) * R;
                        join(&sums[I], put, y.as_mut_ptr().add((oy * self.ow + ox) * R), count);
                    }
                });
            }
        }
    }

    /// `dw`, the filter gradient, with so many tasks of [`affordable`](Planar::affordable).
    ///
    /// # Panics
    /// If a slice does not have the length of its shape.
    pub fn filter_grad(
        &self,
        cpu: &Cpu,
        tasks: usize,
        x: &[f32],
        dy: &[f32],
        dw: &mut [f32],
        workspace: &mut [f32],
    ) {
        self.check(x, dw, dy);
        let (taps, together) = (product(&[self.kh, self.kw, self.c]), self.together());
        let groups = taps.div_ceil(together);
        let (sums, space) = workspace.split_at_mut(self.sums());
        sums.fill(0.0);
        let (take, take_y) = (apart::<CHANNELS>(self.c), apart::<CHANNELS>(self.oc));
        let (image, result) = (self.h * self.w * self.c, self.oh * self.ow * self.oc);
        let group = together * self.oc * LANES;
        {
            let (sums, space) = (Shared::new(&mut *sums), Shared::new(space));
            cpu.parallel(tasks, &|task| {
                let own = task * groups / tasks..(task + 1) * groups / tasks;
                // SAFETY: each task has its own part of the workspace, and its own groups.
                let (space, sums) = unsafe {
                    let space = space.range(task * self.space(true), self.space(true));
                    (space, sums.range(own.start * group, own.len() * group))
                };
                let (planes, strip) = space.split_at_mut(self.c * self.plane());
                planes.fill(0.0);
                for i in 0..self.n {
                    // SAFETY: as in `convolve`.
                    unsafe { self.load(&take, &x[i * image..][..image], planes) };
                    let dy = &dy[i * result..][..result];
                    for first in (0..self.oh).step_by(self.strip()) {
                        let rows = first..self.oh.min(first + self.strip());
                        // SAFETY: as above; the strip has room for these rows, the sums for these groups.
                        unsafe {
                            match self.oc {
                                3 => self.groups::<3, 6>(&take_y, dy, planes, strip, &rows, &own, sums),
                                4 => self.groups::<4, 5>(&take_y, dy, planes, strip, &rows, &own, sums),
                                5 => self.groups::<5, 4>(&take_y, dy, planes, strip, &rows, &own, sums),
                                6 => self.groups::<6, 3>(&take_y, dy, planes, strip, &rows, &own, sums),
                                _ => self.groups::<7, 2>(&take_y, dy, planes, strip, &rows, &own, sums),
                            }
                        }
                    }
                }
            });
        }
        for (to, lanes) in dw.iter_mut().zip(sums.chunks_exact(LANES)) {
            *to = lanes.iter().sum();
        }
    }

    /// Takes rows of dy apart; beyond their end there are zeros.
    ///
    /// # Safety
    /// As [`Planar::load`]; the strip has `strip` rows for each channel.
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
    unsafe fn load_strip<const R: usize>(
        &self,
        take: &[[Pick; CHANNELS / 2]; CHANNELS],
        dy: &[f32],
        rows: &Range<usize>,
        strip: &mut [f32],
    ) {
        for (i, y) in rows.clone().enumerate() {
            // SAFETY: row y is inside dy, row i inside the strip.
            unsafe {
                let from = dy.as_ptr().add(y * self.ow * self.oc);
                let to = strip.as_mut_ptr().add(i * self.line());
                separate::<R>(take, R, from, self.ow, to, self.strip() * self.line(), true);
            }
        }
    }

    /// Adds what some rows contribute to the sums of groups of `T` taps.
    ///
    /// # Safety
    /// As [`Planar::load_strip`]; the sums are those of these groups.
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
    #[allow(clippy::too_many_arguments)]
    unsafe fn groups<const R: usize, const T: usize>(
        &self,
        take: &[[Pick; CHANNELS / 2]; CHANNELS],
        dy: &[f32],
        planes: &[f32],
        strip: &mut [f32],
        rows: &Range<usize>,
        own: &Range<usize>,
        sums: &mut [f32],
    ) {
        // SAFETY: the caller's.
        unsafe { self.load_strip::<R>(take, dy, rows, strip) };
        let (row, line) = (self.row(), self.line());
        let taps = self.kh * self.kw * self.c;
        let each = self.strip() * line;
        for (group, sums) in own.clone().zip(sums.chunks_exact_mut(T * R * LANES)) {
            // Beyond the last tap it is computed again, and not looked at.
            let from: [usize; T] = core::array::from_fn(|t| {
                let tap = (group * T + t).min(taps - 1);
                let (ky, kx, channel) = (tap / self.c / self.kw, tap / self.c % self.kw, tap % self.c);
                channel * self.plane() + ky * row + kx
            });
            // SAFETY: every vector and every tap of it is inside the planes and the strip.
            unsafe {
                let mut acc = [[_mm512_setzero_ps(); R]; T];
                unrolled!(T, I => {
                    unrolled!(R, J => { acc[I][J] = _mm512_loadu_ps(sums.as_ptr().add((I * R + J) * LANES)); });
                });
                for (i, y) in rows.clone().enumerate() {
                    for at in (0..line).step_by(LANES) {
                        let mut d = [_mm512_setzero_ps(); R];
                        unrolled!(R, J => { d[J] = _mm512_loadu_ps(strip.as_ptr().add(J * each + i * line + at)); });
                        unrolled!(T, I => {
                            let x = _mm512_loadu_ps(planes.as_ptr().add(from[I] + y * row + at));
                            unrolled!(R, J => { acc[I][J] = _mm512_fmadd_ps(x, d[J], acc[I][J]); });
                        });
                    }
                }
                unrolled!(T, I => {
                    unrolled!(R, J => { _mm512_storeu_ps(sums.as_mut_ptr().add((I * R + J) * LANES), acc[I][J]); });
                });
            }
        }
    }
}

/// For each of `c` channels and each pair of `c` vectors side by side, what lanes of the pair are of the channel.
fn apart<const C: usize>(c: usize) -> [[Pick; CHANNELS / 2]; C] {
    let mut all = [[NOWHERE; CHANNELS / 2]; C];
    for (channel, picks) in all.iter_mut().enumerate().take(c) {
        for lane in 0..LANES {
            let element = lane * c + channel;
            let pick = &mut picks[element / (2 * LANES)];
            pick.index[lane] = (element % (2 * LANES)) as i32;
            pick.mask |= 1 << lane;
        }
    }
    all
}

/// For each of `c` vectors side by side and each pair of `c` channels, what lanes of the pair are in the vector.
fn together(c: usize) -> [[Pick; 4]; RESULTS] {
    let mut all = [[NOWHERE; 4]; RESULTS];
    for (vector, picks) in all.iter_mut().enumerate().take(c) {
        for lane in 0..LANES {
            let (pixel, channel) = ((vector * LANES + lane) / c, (vector * LANES + lane) % c);
            let pick = &mut picks[channel / 2];
            pick.index[lane] = (pixel + channel % 2 * LANES) as i32;
            pick.mask |= 1 << lane;
        }
    }
    all
}

/// The mask of the first `count` lanes.
fn lanes(count: usize) -> u16 {
    if count >= LANES { u16::MAX } else { (1u16 << count) - 1 }
}

/// Takes `pixels` of `c` channels, which are `C` where that is not 0, apart into planes; `whole` also writes zeros up to a
/// whole vector.
///
/// # Safety
/// AVX-512 is available; x is good for the pixels, and `to` for so many elements, or whole vectors, in each plane.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
unsafe fn separate<const C: usize>(
    take: &[[Pick; CHANNELS / 2]; CHANNELS],
    c: usize,
    x: *const f32,
    pixels: usize,
    to: *mut f32,
    plane: usize,
    whole: bool,
) {
    let c = if C > 0 { C } else { c };
    for at in (0..pixels).step_by(LANES) {
        let count = (pixels - at).min(LANES);
        let store = if whole { u16::MAX } else { lanes(count) };
        // SAFETY: masks leave out what is beyond the pixels; the caller's otherwise.
        unsafe {
            let mut block = [_mm512_setzero_ps(); CHANNELS];
            for (v, block) in block.iter_mut().enumerate().take(c) {
                let left = (count * c).saturating_sub(v * LANES);
                *block = _mm512_maskz_loadu_ps(lanes(left), x.wrapping_add(at * c + v * LANES));
            }
            for (channel, picks) in take.iter().enumerate().take(c) {
                let mut y = block[0];
                if c > 1 {
                    y = _mm512_setzero_ps();
                    for (q, pick) in picks.iter().enumerate().take(c.div_ceil(2)) {
                        let (a, b) = (block[2 * q], block[(2 * q + 1).min(CHANNELS - 1)]);
                        y = _mm512_or_ps(y, choose(pick, a, b));
                    }
                }
                _mm512_mask_storeu_ps(to.add(channel * plane + at), store, y);
            }
        }
    }
}

/// Puts sixteen pixels of `R` channels together and writes the first `count` elements.
///
/// # Safety
/// AVX-512 is available; `to` is good for `count` elements.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
unsafe fn join<const R: usize>(x: &[__m512; R], put: &[[Pick; 4]; RESULTS], to: *mut f32, count: usize) {
    for (v, picks) in put.iter().enumerate().take(R) {
        // SAFETY: the mask leaves out what is beyond `count`.
        unsafe {
            let mut y = _mm512_setzero_ps();
            for (q, pick) in picks.iter().enumerate().take(R.div_ceil(2)) {
                y = _mm512_or_ps(y, choose(pick, x[2 * q], x[(2 * q + 1).min(R - 1)]));
            }
            let left = count.saturating_sub(v * LANES);
            _mm512_mask_storeu_ps(to.wrapping_add(v * LANES), lanes(left), y);
        }
    }
}

/// The lanes that a pick takes of two vectors, zero elsewhere.
///
/// # Safety
/// AVX-512 is available.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
unsafe fn choose(pick: &Pick, a: __m512, b: __m512) -> __m512 {
    // SAFETY: the index is sixteen integers.
    unsafe {
        let index = _mm512_loadu_si512(pick.index.as_ptr().cast());
        _mm512_maskz_permutex2var_ps(pick.mask, a, index, b)
    }
}
