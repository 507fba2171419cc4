//! Max pooling, four channels at a time. Pages are compiled for size, and there arrays of floats do not become vectors.

use super::F32x4;
use crate::kernel::Pool2d;
use crate::kernel::micro::Vector;
use core::arch::wasm32::*;

/// Four or fewer channels from `x` on.
///
/// # Safety
/// x is good for as many.
#[inline(always)]
unsafe fn load(x: *const f32, channels: usize) -> v128 {
    // SAFETY: the caller's.
    unsafe { if channels == 4 { v128_load(x.cast()) } else { F32x4::<false>::load_part(x, channels).0 } }
}

/// Writes four or fewer channels.
///
/// # Safety
/// y is good for as many.
#[inline(always)]
unsafe fn store(y: *mut f32, value: v128, channels: usize) {
    // SAFETY: the caller's.
    unsafe {
        if channels == 4 {
            v128_store(y.cast(), value)
        } else {
            F32x4::<false>(value).store_part(y, channels)
        }
    }
}

/// Which channels to take from `at` on, the last four where fewer are left and some may be done `twice`.
#[inline(always)]
fn channels(at: usize, c: usize, twice: bool) -> (usize, usize) {
    match c - at {
        0..4 if twice && c >= 4 => (c - 4, 4),
        left => (at, left.min(4)),
    }
}

/// Where `value` takes the place of the largest number so far: of a number or of NaN, but not of an equal one.
#[inline(always)]
fn above(value: v128, best: v128) -> v128 {
    v128_or(f32x4_gt(value, best), v128_and(f32x4_ne(best, best), f32x4_eq(value, value)))
}

/// The larger numbers, `best` of equal ones.
#[inline(always)]
fn larger(best: v128, value: v128) -> v128 {
    v128_bitselect(value, best, above(value, best))
}

/// The largest cell of each window of one image, as [`max_pool2d`](crate::kernel::max_pool2d).
///
/// # Panics
/// If a slice does not have the length of its shape.
pub(in crate::kernel) fn max(v: &Pool2d, x: &[f32], y: &mut [f32]) {
    assert!(x.len() == v.h * v.w * v.c && y.len() == v.oh * v.ow * v.c);
    for oy in 0..v.oh {
        let (top, bottom) = v.rows(oy);
        for ox in 0..v.ow {
            let (left, right) = v.columns(ox);
            let empty = top >= bottom || left >= right;
            let mut at = 0;
            while at < v.c {
                let (from, channels) = channels(at, v.c, true);
                let to = (oy * v.ow + ox) * v.c + from;
                if right == left + 2 && bottom == top + 2 {
                    let corner = x.as_ptr().wrapping_add((top * v.w + left) * v.c + from);
                    // SAFETY: the four cells are on the image, the pixel on y, and all have these channels.
                    unsafe {
                        let line = v.w * v.c;
                        let best = larger(load(corner, channels), load(corner.add(v.c), channels));
                        let best = larger(best, load(corner.add(line), channels));
                        let best = larger(best, load(corner.add(line + v.c), channels));
                        store(y.as_mut_ptr().add(to), best, channels);
                    }
                    at += 4;
                    continue;
                }
                let mut best = f32x4_splat(if empty { f32::NEG_INFINITY } else { f32::NAN });
                for iy in top..bottom {
                    let mut cell = x.as_ptr().wrapping_add((iy * v.w + left) * v.c + from);
                    for _ in left..right {
                        // SAFETY: the cell is on the image and has these channels.
                        let value = unsafe { load(cell, channels) };
                        best = larger(best, value);
                        cell = cell.wrapping_add(v.c);
                    }
                }
                // SAFETY: the pixel is on y and has these channels.
                unsafe { store(y.as_mut_ptr().add(to), best, channels) };
                at += 4;
            }
        }
    }
}

/// The gradient of [`max`], as [`max_pool2d_grad`](crate::kernel::max_pool2d_grad).
///
/// # Panics
/// If a slice does not have the length of its shape.
pub(in crate::kernel) fn max_grad(v: &Pool2d, x: &[f32], dy: &[f32], dx: &mut [f32]) {
    assert!(x.len() == v.h * v.w * v.c && dx.len() == x.len() && dy.len() == v.oh * v.ow * v.c);
    // Windows apart write each cell once, others add to it.
    let apart = v.sh >= v.kh && v.sw >= v.kw;
    let beside = [v.sh, v.sw, v.pad_top, v.pad_left] == [v.kh, v.kw, 0, 0];
    if !beside || v.h != v.oh * v.kh || v.w != v.ow * v.kw {
        dx.fill(0.0);
    }
    for oy in 0..v.oh {
        let (top, bottom) = v.rows(oy);
        for ox in 0..v.ow {
            let (left, right) = v.columns(ox);
            if top >= bottom || left >= right {
                continue;
            }
            let mut at = 0;
            while at < v.c {
                let (from, channels) = channels(at, v.c, apart);
                let corner = (top * v.w + left) * v.c + from;
                let (line, columns) = (v.w * v.c, right - left);
                // SAFETY: the cells of the window are on the image, the pixel is on dy, and all have these channels.
                unsafe {
                    // A sum that begins with zero has no negative zero.
                    let share = load(dy.as_ptr().add((oy * v.ow + ox) * v.c + from), channels);
                    let share = f32x4_add(f32x4_splat(0.0), share);
                    if apart && columns == 2 && bottom - top == 2 {
                        let places = [corner, corner + v.c, corner + line, corner + line + v.c];
                        let (x, dx) = (x.as_ptr(), dx.as_mut_ptr());
                        let first = load(x.add(places[0]), channels);
                        let second = load(x.add(places[1]), channels);
                        let two = above(second, first);
                        let best = v128_bitselect(second, first, two);
                        let third = load(x.add(places[2]), channels);
                        let three = above(third, best);
                        let best = v128_bitselect(third, best, three);
                        let four = above(load(x.add(places[3]), channels), best);
                        store(dx.add(places[3]), v128_and(share, four), channels);
                        let share = v128_andnot(share, four);
                        store(dx.add(places[2]), v128_and(share, three), channels);
                        let share = v128_andnot(share, three);
                        store(dx.add(places[1]), v128_and(share, two), channels);
                        store(dx.add(places[0]), v128_andnot(share, two), channels);
                        at += 4;
                        continue;
                    }
                    // The first cell of a window of NaN keeps the gradient: only a number takes its place.
                    let mut best = load(x.as_ptr().add(corner), channels);
                    let (mut winner, mut number) = (i32x4_splat(0), i32x4_splat(0));
                    for iy in 0..bottom - top {
                        let mut cell = x.as_ptr().wrapping_add(corner + iy * line);
                        for _ in 0..columns {
                            let value = load(cell, channels);
                            let wins = above(value, best);
                            best = v128_bitselect(value, best, wins);
                            winner = v128_bitselect(number, winner, wins);
                            number = i32x4_add(number, i32x4_splat(1));
                            cell = cell.wrapping_add(v.c);
                        }
                    }
                    number = i32x4_splat(0);
                    for iy in 0..bottom - top {
                        let mut cell = dx.as_mut_ptr().wrapping_add(corner + iy * line);
                        for _ in 0..columns {
                            let mut sum = v128_and(share, i32x4_eq(winner, number));
                            if !apart {
                                sum = f32x4_add(load(cell, channels), sum);
                            }
                            store(cell, sum, channels);
                            number = i32x4_add(number, i32x4_splat(1));
                            cell = cell.wrapping_add(v.c);
                        }
                    }
                }
                at += 4;
            }
        }
    }
}
