//! Random variants of pictures, made while training.

use std::vec;
use std::vec::Vec;

use crate::rng::Rng;
use crate::{Data, Result, Tensor, math, misuse};

use super::Dataset;

/// What lies outside a picture that is turned, moved or shrunk; `abcd` is a line of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum FillMode {
    /// `aaaa|abcd|dddd`
    #[default]
    Nearest,
    /// The given value.
    Constant(f32),
    /// `dcba|abcd|dcba`
    Reflect,
    /// `abcd|abcd|abcd`
    Wrap,
}

/// How pictures are varied. Each variant draws its own turn, shift and so on, uniformly from the ranges; the default
/// changes nothing.
///
/// Turn, shift, shear and zoom are one linear map about the centre, sampled with bilinear interpolation.
///
/// ```
/// use gradling::{Tensor, data::ImageDataGenerator};
/// let x = Tensor::zeros(&[5, 28, 28, 1])?;
/// let y = Tensor::new(&[5], [0, 1, 2, 3, 4])?;
/// let varied = ImageDataGenerator { rotation_range: 45.0, horizontal_flip: true, ..Default::default() };
/// let batch = varied.flow(&x, &y, 2).iter().next().expect("a batch")?;
/// assert_eq!((batch[0].shape().to_vec(), batch[1].shape().to_vec()), (vec![2, 28, 28, 1], vec![2]));
/// # Ok::<(), gradling::Error>(())
/// ```
///
/// Reference: `keras.preprocessing.image.ImageDataGenerator`.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageDataGenerator {
    /// Values are multiplied by this, after everything else.
    pub rescale: f32,
    /// Turns by up to so many degrees either way.
    pub rotation_range: f32,
    /// Moves by up to so much sideways either way: a share of the width below 1, else pixels.
    pub width_shift_range: f32,
    /// Moves by up to so much up or down: a share of the height below 1, else pixels.
    pub height_shift_range: f32,
    /// Shears by up to so many degrees either way.
    pub shear_range: f32,
    /// Least and greatest zoom, drawn for each axis; below 1 the picture is enlarged. Keras's `zoom_range = z` is
    /// `[1 - z, 1 + z]`.
    pub zoom_range: [f32; 2],
    /// Whether every second picture, at random, is mirrored left to right.
    pub horizontal_flip: bool,
    /// Whether every second picture, at random, is mirrored top to bottom.
    pub vertical_flip: bool,
    /// Least and greatest factor of the values, which stay between 0 and white.
    pub brightness_range: [f32; 2],
    /// Adds up to so much to each channel or takes it away; values stay in the range of the picture.
    pub channel_shift_range: f32,
    /// What lies outside the picture.
    pub fill_mode: FillMode,
    /// Whether [`flow`](ImageDataGenerator::flow) gives pictures in another order each time.
    pub shuffle: bool,
    /// The seed of all that is random.
    pub seed: u64,
}

impl Default for ImageDataGenerator {
    /// Changes nothing; `flow` shuffles.
    fn default() -> ImageDataGenerator {
        ImageDataGenerator {
            rescale: 1.0,
            rotation_range: 0.0,
            width_shift_range: 0.0,
            height_shift_range: 0.0,
            shear_range: 0.0,
            zoom_range: [1.0, 1.0],
            horizontal_flip: false,
            vertical_flip: false,
            brightness_range: [1.0, 1.0],
            channel_shift_range: 0.0,
            fill_mode: FillMode::Nearest,
            shuffle: true,
            seed: 0,
        }
    }
}

/// Pictures as float32 and their sizes.
struct Pictures {
    values: Vec<f32>,
    size: Size,
    /// The value of white.
    white: f32,
}

#[derive(Clone, Copy)]
struct Size {
    h: usize,
    w: usize,
    c: usize,
}

impl Size {
    fn numel(self) -> usize {
        self.h * self.w * self.c
    }
}

impl ImageDataGenerator {
    /// Batches of varied pictures and their targets; every iteration passes once over all and varies anew.
    ///
    /// **Shape**: `x` is `[samples, height, width, channels]`, batches are that with `batch_size` samples, the last
    /// with what is left, float32; targets keep their type.
    ///
    /// **Errors** (at iteration): pictures of another rank, targets of another number, ranges without meaning, a
    /// batch size of 0.
    pub fn flow(&self, x: &Tensor, y: &Tensor, batch_size: usize) -> Dataset {
        let pictures = match self.check(x).and_then(|pictures| {
            if y.shape().rank() == 0 || y.shape().dim(0) != x.shape().dim(0) || batch_size == 0 {
                return Err(misuse!(
                    "ImageDataGenerator: expected a target for each of {} pictures and batches of at least 1, got \
                     targets of shape {} and {batch_size}",
                    x.shape().dim(0),
                    y.shape()
                ));
            }
            Ok(std::sync::Arc::new(pictures))
        }) {
            Ok(pictures) => pictures,
            Err(error) => return Dataset::from_error(error),
        };
        let (how, y) = (self.clone(), y.clone());
        let samples = x.shape().dim(0);
        Dataset::from_epochs(Some(samples.div_ceil(batch_size)), move |epoch| {
            let mut order: Vec<usize> = (0..samples).collect();
            if how.shuffle {
                Rng::new(mix(how.seed, epoch, u64::MAX)).shuffle(&mut order);
            }
            let (how, y, pictures) = (how.clone(), y.clone(), pictures.clone());
            let mut starts = (0..samples).step_by(batch_size);
            std::iter::from_fn(move || {
                let start = starts.next()?;
                let rows = &order[start..(start + batch_size).min(samples)];
                let batch = how.variants(&pictures, rows.iter().map(|&row| (row, epoch)));
                Some(batch.and_then(|batch| Ok(vec![batch, y.gather_rows(rows)?])))
            })
        })
    }

    /// Variant `number` of each picture: those of one number are the same in every run.
    ///
    /// **Shape**: that of `x`, `[samples, height, width, channels]`, float32.
    ///
    /// **Errors**: pictures of another rank, ranges without meaning.
    pub fn transform(&self, x: &Tensor, number: u64) -> Result<Tensor> {
        let rows = 0..x.shape().dim(0);
        self.variants(&self.check(x)?, rows.map(|row| (row, number)))
    }

    /// Writes a PNG with a line for each picture: itself, then `variants` variants of it.
    ///
    /// **Errors**: as [`transform`](ImageDataGenerator::transform), pictures of other than 1, 3 or 4 channels, a file
    /// that cannot be written.
    #[cfg(feature = "image")]
    pub fn contact_sheet(
        &self,
        x: &Tensor,
        variants: usize,
        path: impl AsRef<std::path::Path>,
    ) -> Result<()> {
        let pictures = self.check(x)?;
        let (size, white) = (pictures.size, pictures.white);
        let samples = x.shape().dim(0);
        let mut sheet = Vec::with_capacity(samples * (variants + 1) * size.numel());
        for row in 0..samples {
            sheet.extend(pictures.values[row * size.numel()..][..size.numel()].iter().map(|v| v / white));
            let varied = self.variants(&pictures, (0..variants).map(|number| (row, number as u64)))?;
            let white = white * self.rescale;
            sheet.extend(varied.as_f32()?.iter().map(|v| v / white));
        }
        let sheet = Tensor::new(&[samples * (variants + 1), size.h, size.w, size.c], sheet)?;
        super::image::contact_sheet(&sheet, variants + 1, path)
    }

    fn check(&self, x: &Tensor) -> Result<Pictures> {
        let shape = x.shape();
        if shape.rank() != 4 || x.numel() == 0 {
            return Err(misuse!(
                "ImageDataGenerator: expected pictures [samples, height, width, channels], got shape {shape}"
            ));
        }
        let ranges = [
            ("rotation_range", self.rotation_range),
            ("width_shift_range", self.width_shift_range),
            ("height_shift_range", self.height_shift_range),
            ("shear_range", self.shear_range),
            ("channel_shift_range", self.channel_shift_range),
        ];
        if let Some((name, value)) = ranges.iter().find(|(_, v)| !(v.is_finite() && *v >= 0.0)) {
            return Err(misuse!("ImageDataGenerator: expected a {name} of at least 0, got {value}"));
        }
        let pairs = [("zoom_range", self.zoom_range, 1e-3), ("brightness_range", self.brightness_range, 0.0)];
        for (name, [low, high], least) in pairs {
            if !(low >= least && high >= low && high.is_finite()) {
                return Err(misuse!(
                    "ImageDataGenerator: expected a {name} of two factors from {least} on, the greater last, got \
                     [{low}, {high}]"
                ));
            }
        }
        let values = x.to_f32_vec();
        let white = match x.data() {
            Data::F32(_) | Data::F16(_) if values.iter().all(|&v| v <= 1.0) => 1.0,
            Data::Bool(_) => 1.0,
            _ => 255.0,
        };
        Ok(Pictures { values, size: Size { h: shape.dim(1), w: shape.dim(2), c: shape.dim(3) }, white })
    }

    /// The pictures at the given rows in the variants of the given numbers.
    fn variants(
        &self,
        pictures: &Pictures,
        which: impl ExactSizeIterator<Item = (usize, u64)>,
    ) -> Result<Tensor> {
        let Size { h, w, c } = pictures.size;
        let n = pictures.size.numel();
        let dims = [which.len(), h, w, c];
        let mut out = Vec::with_capacity(which.len() * n);
        for (row, number) in which {
            let mut rng = Rng::new(mix(self.seed, number, row as u64));
            out.extend(self.vary(&pictures.values[row * n..][..n], pictures, &mut rng));
        }
        Tensor::new(&dims, out)
    }

    /// One variant of one picture. What is not asked for leaves values as they are, bit by bit; the numbers drawn
    /// are always as many.
    fn vary(&self, picture: &[f32], pictures: &Pictures, rng: &mut Rng) -> Vec<f32> {
        let size = pictures.size;
        let mut between = |low: f32, high: f32| low + (high - low) * rng.uniform();
        let angle = between(-self.rotation_range, self.rotation_range).to_radians();
        let shift = |range: f32, side: usize| if range < 1.0 { range * side as f32 } else { range };
        let (down, across) = (shift(self.height_shift_range, size.h), shift(self.width_shift_range, size.w));
        let moved = [between(-down, down), between(-across, across)];
        let shear = between(-self.shear_range, self.shear_range).to_radians();
        let [low, high] = self.zoom_range;
        let zoom = [between(low, high), between(low, high)];
        let map = Map::new(angle, moved, shear, zoom, size);
        let mut out =
            if map.is_identity() { picture.to_vec() } else { map.apply(picture, size, self.fill_mode) };

        let most = |values: &[f32]| values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let least = |values: &[f32]| values.iter().copied().fold(f32::INFINITY, f32::min);
        if self.channel_shift_range > 0.0 {
            let (low, high) = (least(&out), most(&out));
            for channel in 0..size.c {
                let by = between(-self.channel_shift_range, self.channel_shift_range);
                out[channel..].iter_mut().step_by(size.c).for_each(|v| *v = (*v + by).max(low).min(high));
            }
        }
        let (sideways, upside_down) = (between(0.0, 1.0) < 0.5, between(0.0, 1.0) < 0.5);
        if self.horizontal_flip && sideways {
            out.chunks_exact_mut(size.w * size.c).for_each(|line| {
                for x in 0..size.w / 2 {
                    for c in 0..size.c {
                        line.swap(x * size.c + c, (size.w - 1 - x) * size.c + c);
                    }
                }
            });
        }
        if self.vertical_flip && upside_down {
            let line = size.w * size.c;
            for y in 0..size.h / 2 {
                let (upper, lower) = out.split_at_mut((size.h - 1 - y) * line);
                upper[y * line..][..line].swap_with_slice(&mut lower[..line]);
            }
        }
        if self.brightness_range != [1.0, 1.0] {
            let factor = between(self.brightness_range[0], self.brightness_range[1]);
            out.iter_mut().for_each(|v| *v = (*v * factor).max(0.0).min(pictures.white));
        }
        if self.rescale != 1.0 {
            out.iter_mut().for_each(|v| *v *= self.rescale);
        }
        out
    }
}

/// Where a pixel of the variant lies in the picture: `m * (row, column) + at`.
struct Map {
    m: [[f32; 2]; 2],
    at: [f32; 2],
}

impl Map {
    fn new(angle: f32, moved: [f32; 2], shear: f32, zoom: [f32; 2], size: Size) -> Map {
        let (sin, cos) = (math::sin(angle), math::cos(angle));
        let (slant, upright) = (math::sin(shear), math::cos(shear));
        // Turn * move * shear * zoom, about the centre.
        let m = [
            [cos * zoom[0], (-cos * slant - sin * upright) * zoom[1]],
            [sin * zoom[0], (-sin * slant + cos * upright) * zoom[1]],
        ];
        let turned = [cos * moved[0] - sin * moved[1], sin * moved[0] + cos * moved[1]];
        let centre = [size.h as f32 / 2.0 - 0.5, size.w as f32 / 2.0 - 0.5];
        let at = [0, 1].map(|i| turned[i] + centre[i] - m[i][0] * centre[0] - m[i][1] * centre[1]);
        Map { m, at }
    }

    fn is_identity(&self) -> bool {
        self.m == [[1.0, 0.0], [0.0, 1.0]] && self.at == [0.0, 0.0]
    }

    fn apply(&self, picture: &[f32], size: Size, fill: FillMode) -> Vec<f32> {
        let Size { h, w, c } = size;
        let mut out = Vec::with_capacity(size.numel());
        for y in 0..h {
            for x in 0..w {
                let place = |i: usize| self.m[i][0] * y as f32 + self.m[i][1] * x as f32 + self.at[i];
                match (taps(place(0), h, fill), taps(place(1), w, fill)) {
                    (Some(([y0, y1], fy)), Some(([x0, x1], fx))) => {
                        for channel in 0..c {
                            let at = |y: usize, x: usize| picture[(y * w + x) * c + channel];
                            let top = at(y0, x0) + (at(y0, x1) - at(y0, x0)) * fx;
                            let bottom = at(y1, x0) + (at(y1, x1) - at(y1, x0)) * fx;
                            out.push(top + (bottom - top) * fy);
                        }
                    }
                    _ => {
                        let value = if let FillMode::Constant(value) = fill { value } else { 0.0 };
                        out.extend(std::iter::repeat_n(value, c));
                    }
                }
            }
        }
        out
    }
}

/// The two pixels of `n` between which `place` lies and how far it is from the first to the second; `None` outside a
/// picture with a constant around it.
fn taps(place: f32, n: usize, fill: FillMode) -> Option<([usize; 2], f32)> {
    /// Rounding may carry a pixel of the border this far out.
    const SLACK: f32 = 1e-3;
    let last = (n - 1) as f32;
    let place = match fill {
        FillMode::Constant(_) if place < -SLACK || place > last + SLACK => return None,
        FillMode::Constant(_) | FillMode::Nearest => place.clamp(0.0, last),
        FillMode::Reflect | FillMode::Wrap => place,
    };
    let floor = math::floor(place);
    let n = n as i64;
    let inside = |i: i64| -> usize {
        let i = match fill {
            FillMode::Constant(_) | FillMode::Nearest => i.clamp(0, n - 1),
            FillMode::Wrap => i.rem_euclid(n),
            FillMode::Reflect => {
                let i = i.rem_euclid(2 * n);
                i.min(2 * n - 1 - i)
            }
        };
        i as usize
    };
    Some(([inside(floor as i64), inside((floor as i64).saturating_add(1))], place - floor))
}

/// A seed for each (seed, number, row): the finisher of SplitMix64 (Steele, Lea and Flood 2014).
fn mix(seed: u64, number: u64, row: u64) -> u64 {
    let finish = |z: u64| {
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    finish(finish(finish(seed).wrapping_add(number)).wrapping_add(row))
}
