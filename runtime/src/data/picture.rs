//! Pictures of digits in MNIST's form (feature `image`).
//!
//! MNIST's own preparation: the digit is fitted into 20x20 with its proportions kept, then moved so that its centre
//! of mass is the centre of 28x28 (LeCun et al., "Gradient-based learning applied to document recognition", 1998).
//! Before it, the paper is taken away and strokes much thinner than MNIST's pens are made thicker.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Seek};
use std::path::Path;
use std::vec;
use std::vec::Vec;

use crate::{Result, Tensor, device_error, format_error, misuse};

/// Side of MNIST's pictures.
const SIDE: usize = 28;
/// Side of the square inside that the digit fills.
const BOX: f32 = 20.0;
/// The side to which larger pictures are reduced before they are looked at.
const WORK: u32 = 512;
/// Strokes are at least this part of the digit's longer side wide: 2.2 pixels of 20.
const STROKE: f32 = 0.11;
/// Less difference between paper and ink than this, of 1, is an empty page.
const MIN_CONTRAST: f32 = 0.08;
/// Specks smaller than this part of the largest connected piece of ink are dirt.
const SPECK: f32 = 0.02;

/// Reads the PNG or JPEG at `path`: see [`parse`].
///
/// **Errors**: as [`parse`], and a file that cannot be read. Errors name the file.
pub fn read(path: &Path) -> Result<Tensor> {
    let file = File::open(path).map_err(|e| device_error!("{}: {e}", path.display()))?;
    from_reader(BufReader::new(file)).map_err(|error| error.within(&path.to_string_lossy()))
}

/// A digit from the bytes of a PNG or JPEG. Transparent parts are white paper. Dark ink on light paper and light ink
/// on dark paper are told apart by the border, which is taken for paper.
///
/// **Shape**: `F32 [1, 28, 28]`, 0 is paper and 1 is ink.
///
/// **Errors**: bytes that are not a PNG or JPEG, a picture above 16384 pixels on a side, a picture without a digit.
pub fn parse(bytes: &[u8]) -> Result<Tensor> {
    from_reader(Cursor::new(bytes))
}

fn from_reader(source: impl BufRead + Seek) -> Result<Tensor> {
    let picture = super::image::open(source)?;
    let picture =
        if picture.width().max(picture.height()) > WORK { picture.thumbnail(WORK, WORK) } else { picture };
    let pixels = picture.to_rgba8();
    let grey = pixels.pixels().map(|pixel| {
        let [r, g, b, a] = pixel.0.map(|channel| f32::from(channel) / 255.0);
        // Rec. 709 luma over white paper.
        (0.2126 * r + 0.7152 * g + 0.0722 * b) * a + (1.0 - a)
    });
    let page = Plane { w: pixels.width() as usize, h: pixels.height() as usize, v: grey.collect() };
    digit(page)
}

/// A grey picture, row-major.
struct Plane {
    w: usize,
    h: usize,
    v: Vec<f32>,
}

/// The digit on `page` in MNIST's form.
fn digit(page: Plane) -> Result<Tensor> {
    let mut ink = ink(page)?;
    drop_specks(&mut ink);
    let (left, top, right, bottom) =
        bounds(&ink).ok_or_else(|| misuse!("no digit in the picture: expected ink on plain paper"))?;
    let side = (right - left).max(bottom - top) as f32;
    let thin = (STROKE * side - stroke_width(&ink)) / 2.0;
    if thin > 0.25 {
        thicken(&mut ink, thin);
    }
    let side = side + 2.0 * thin.max(0.0);
    Tensor::new(&[1, SIDE, SIDE], fit(&ink, side / BOX))
}

/// How much each pixel differs from the paper, 0 for paper and 1 for ink, whichever of the two is darker.
fn ink(page: Plane) -> Result<Plane> {
    let Plane { w, h, mut v } = page;
    if v.is_empty() {
        return Err(format_error!("expected a picture, got one of {w} x {h} pixels"));
    }
    let rim = (w.min(h) / 16).max(1);
    let at = |x: usize, y: usize| v[y * w + x];
    let strip = |xs: std::ops::Range<usize>, ys: std::ops::Range<usize>| -> Vec<f32> {
        ys.flat_map(|y| xs.clone().map(move |x| (x, y))).map(|(x, y)| at(x, y)).collect()
    };
    let left = strip(0..rim, 0..h);
    let right = strip(w - rim..w, 0..h);
    let top = strip(0..w, 0..rim);
    let bottom = strip(0..w, h - rim..h);
    let border = median([&left[..], &right, &top, &bottom].concat());
    // Light that falls from one side makes the paper a slope; the middles of two strips are a side less a rim apart.
    let slope = |from: Vec<f32>, to: Vec<f32>, side: usize| {
        (median(to) - median(from)) * side as f32 / (side - rim).max(1) as f32
    };
    let (slope_x, slope_y) = (slope(left, right, w), slope(top, bottom, h));
    let mut darkest = 0.0f32;
    let mut lightest = 0.0f32;
    for (i, value) in v.iter_mut().enumerate() {
        let (x, y) = ((i % w) as f32 / w as f32 - 0.5, (i / w) as f32 / h as f32 - 0.5);
        *value = border + slope_x * x + slope_y * y - *value;
        darkest = darkest.max(*value);
        lightest = lightest.max(-*value);
    }
    if darkest.max(lightest) < MIN_CONTRAST {
        return Err(misuse!("no digit in the picture: it is one plain colour"));
    }
    let sign = if darkest >= lightest { 1.0 } else { -1.0 };
    let full = darkest.max(lightest);
    for value in &mut v {
        *value = (sign * *value / full).max(0.0);
    }
    let threshold = otsu(&v);
    for value in &mut v {
        *value = ((*value - 0.5 * threshold) / (0.5 * threshold)).clamp(0.0, 1.0);
    }
    Ok(Plane { w, h, v })
}

fn median(mut values: Vec<f32>) -> f32 {
    let middle = values.len() / 2;
    if values.is_empty() {
        return 1.0;
    }
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

/// The threshold in 0 to 1 that best parts `values` into two groups (Otsu 1979).
fn otsu(values: &[f32]) -> f32 {
    const BINS: usize = 256;
    let mut histogram = [0u32; BINS];
    for &value in values {
        histogram[((value * BINS as f32) as usize).min(BINS - 1)] += 1;
    }
    let total = values.len() as f32;
    let sum: f32 = histogram.iter().enumerate().map(|(bin, &count)| bin as f32 * count as f32).sum();
    let (mut below, mut sum_below) = (0.0f32, 0.0f32);
    // Empty bins between the groups are equally good: their middle is taken.
    let (mut best, mut first, mut last) = (-1.0f32, BINS / 2, BINS / 2);
    for (bin, &count) in histogram.iter().enumerate() {
        below += count as f32;
        sum_below += bin as f32 * count as f32;
        let above = total - below;
        if below > 0.0 && above > 0.0 {
            let apart = sum_below / below - (sum - sum_below) / above;
            let between = below * above * apart * apart;
            if between > best {
                (best, first) = (between, bin);
            }
            if between >= best {
                last = bin;
            }
        }
    }
    (first + last + 2) as f32 / (2 * BINS) as f32
}

/// Whether a pixel counts as ink.
fn is_ink(value: f32) -> bool {
    value >= 0.5
}

/// Clears pieces of connected ink that are too small to belong to the digit.
fn drop_specks(plane: &mut Plane) {
    let (w, h) = (plane.w, plane.h);
    let mut piece_of = vec![0usize; w * h];
    let mut areas = vec![0usize];
    let mut queue = VecDeque::new();
    for start in 0..w * h {
        if piece_of[start] != 0 || !is_ink(plane.v[start]) {
            continue;
        }
        let piece = areas.len();
        areas.push(0);
        piece_of[start] = piece;
        queue.push_back(start);
        while let Some(at) = queue.pop_front() {
            areas[piece] += 1;
            let (x, y) = (at % w, at / w);
            for ny in y.saturating_sub(1)..(y + 2).min(h) {
                for nx in x.saturating_sub(1)..(x + 2).min(w) {
                    let next = ny * w + nx;
                    if piece_of[next] == 0 && is_ink(plane.v[next]) {
                        piece_of[next] = piece;
                        queue.push_back(next);
                    }
                }
            }
        }
    }
    let largest = areas.iter().copied().max().unwrap_or(0);
    let is_speck = |piece: usize| (areas[piece] as f32) < SPECK * largest as f32;
    for (value, &piece) in plane.v.iter_mut().zip(&piece_of) {
        if piece != 0 && is_speck(piece) {
            *value = 0.0;
        }
    }
}

/// Left, top, right and bottom (the latter two exclusive) of the ink.
fn bounds(plane: &Plane) -> Option<(usize, usize, usize, usize)> {
    let mut found: Option<(usize, usize, usize, usize)> = None;
    for (i, _) in plane.v.iter().enumerate().filter(|(_, value)| is_ink(**value)) {
        let (x, y) = (i % plane.w, i / plane.w);
        let (l, t, r, b) = found.unwrap_or((x, y, x + 1, y + 1));
        found = Some((l.min(x), t.min(y), r.max(x + 1), b.max(y + 1)));
    }
    found
}

/// The mean width of the strokes: twice their area by the length of their outline.
fn stroke_width(plane: &Plane) -> f32 {
    let (w, h) = (plane.w, plane.h);
    let on = |x: usize, y: usize| is_ink(plane.v[y * w + x]);
    let (mut area, mut edges) = (0usize, 0usize);
    for y in 0..h {
        for x in 0..w {
            if on(x, y) {
                area += 1;
                edges += usize::from(x == 0 || !on(x - 1, y)) + usize::from(x + 1 == w || !on(x + 1, y));
                edges += usize::from(y == 0 || !on(x, y - 1)) + usize::from(y + 1 == h || !on(x, y + 1));
            }
        }
    }
    // An outline along pixel edges is 4/pi longer, on the mean of all directions, than the curve it follows.
    2.0 * area as f32 / (edges.max(1) as f32 * std::f32::consts::FRAC_PI_4)
}

/// Spreads the ink by `radius` pixels on all sides; the plane grows so that nothing is cut off.
fn thicken(plane: &mut Plane, radius: f32) {
    let margin = radius.ceil() as usize + 1;
    let (w, h) = (plane.w + 2 * margin, plane.h + 2 * margin);
    let mut grown = vec![0.0; w * h];
    for (y, row) in plane.v.chunks_exact(plane.w).enumerate() {
        grown[(y + margin) * w + margin..][..plane.w].copy_from_slice(row);
    }
    // Distance to the nearest ink by two sweeps (Borgefors 1986).
    let far = (w + h) as f32;
    let mut distance: Vec<f32> = grown.iter().map(|&value| if is_ink(value) { 0.0 } else { far }).collect();
    let step = |distance: &mut [f32], x: usize, y: usize, dx: isize, dy: isize| {
        let (nx, ny) = (x as isize + dx, y as isize + dy);
        if nx >= 0 && ny >= 0 && nx < w as isize && ny < h as isize {
            let length = if dx != 0 && dy != 0 { std::f32::consts::SQRT_2 } else { 1.0 };
            let through = distance[ny as usize * w + nx as usize] + length;
            let here = &mut distance[y * w + x];
            *here = here.min(through);
        }
    };
    for y in 0..h {
        for x in 0..w {
            for (dx, dy) in [(-1, 0), (-1, -1), (0, -1), (1, -1)] {
                step(&mut distance, x, y, dx, dy);
            }
        }
    }
    for y in (0..h).rev() {
        for x in (0..w).rev() {
            for (dx, dy) in [(1, 0), (1, 1), (0, 1), (-1, 1)] {
                step(&mut distance, x, y, dx, dy);
            }
        }
    }
    for (value, away) in grown.iter_mut().zip(distance) {
        *value = value.max((radius + 0.5 - away).clamp(0.0, 1.0));
    }
    *plane = Plane { w, h, v: grown };
}

/// The picture of 28x28 whose pixels are the means over squares of side `scale`, centred at the centre of mass.
fn fit(plane: &Plane, scale: f32) -> Vec<f32> {
    let (w, h) = (plane.w, plane.h);
    let (mut mass, mut mx, mut my) = (0.0f64, 0.0f64, 0.0f64);
    for (i, &value) in plane.v.iter().enumerate() {
        let value = f64::from(value);
        mass += value;
        mx += value * ((i % w) as f64 + 0.5);
        my += value * ((i / w) as f64 + 0.5);
    }
    let (cx, cy) = ((mx / mass.max(1e-9)) as f32, (my / mass.max(1e-9)) as f32);
    let half = SIDE as f32 / 2.0;
    // Weights of source pixels in destination pixel i, along one axis.
    let cover = |i: usize, centre: f32, n: usize| {
        let from = centre + (i as f32 - half) * scale;
        let to = from + scale;
        let first = from.max(0.0) as usize;
        let last = (to.max(0.0).ceil() as usize).min(n);
        (first..last).map(move |p| {
            let inside = to.min(p as f32 + 1.0) - from.max(p as f32);
            (p, inside.max(0.0) / scale)
        })
    };
    let mut out = Vec::with_capacity(SIDE * SIDE);
    for i in 0..SIDE {
        for j in 0..SIDE {
            let mut sum = 0.0;
            for (y, wy) in cover(i, cy, h) {
                let row = &plane.v[y * w..][..w];
                sum += wy * cover(j, cx, w).map(|(x, wx)| wx * row[x]).sum::<f32>();
            }
            out.push(sum);
        }
    }
    let most = out.iter().copied().fold(0.0, f32::max).max(1e-6);
    out.iter_mut().for_each(|value| *value = (*value / most).clamp(0.0, 1.0));
    out
}
