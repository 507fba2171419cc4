//! Pictures from PNG and JPEG files, and into PNG files.

use std::io::{BufRead, Cursor, Seek};
use std::path::Path;
use std::vec;
use std::vec::Vec;

use ::image::imageops::FilterType;
use ::image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageReader, Limits};

use crate::io::atomic;
use crate::{Data, Result, Tensor, device_error, format_error, misuse};

/// How pictures are brought to one size. All but `Nearest` take the mean over what a pixel covers when a picture is
/// made smaller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Interpolation {
    /// The nearest pixel.
    Nearest,
    /// A triangle filter.
    #[default]
    Bilinear,
    /// Lanczos's filter of three lobes.
    Lanczos3,
}

/// What colours are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ColorMode {
    /// One channel: 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601).
    Grayscale,
    /// Red, green, blue.
    #[default]
    Rgb,
}

impl ColorMode {
    /// The number of channels.
    pub fn channels(self) -> usize {
        match self {
            ColorMode::Grayscale => 1,
            ColorMode::Rgb => 3,
        }
    }
}

/// How a picture file becomes a tensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Decode {
    /// What colours are kept.
    pub color_mode: ColorMode,
    /// Height and width to bring the picture to; `None` keeps its own.
    pub size: Option<[usize; 2]>,
    /// How it is brought to that size.
    pub interpolation: Interpolation,
}

/// The largest side of a picture that is read or made.
const MAX_SIDE: u32 = 16384;

impl Decode {
    /// The picture of a PNG or JPEG, told apart by its content. Transparent parts are on white.
    ///
    /// **Shape**: `U8 [height, width, channels]`.
    ///
    /// **Errors**: bytes that are not a PNG or JPEG, more than 16384 pixels on a side, a size of 0.
    pub fn parse(&self, bytes: &[u8]) -> Result<Tensor> {
        self.tensor(open(Cursor::new(bytes))?)
    }

    /// As [`parse`](Decode::parse), of the file at `path`; errors name it.
    ///
    /// **Errors**: as [`parse`](Decode::parse), and a file that cannot be read.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Tensor> {
        let path = path.as_ref();
        self.parse(&atomic::read(path)?).map_err(|error| error.within(&path.to_string_lossy()))
    }

    fn tensor(&self, mut picture: DynamicImage) -> Result<Tensor> {
        if let Some([h, w]) = self.size {
            let side = |n: usize| u32::try_from(n).ok().filter(|n| (1..=MAX_SIDE).contains(n));
            let (Some(height), Some(width)) = (side(h), side(w)) else {
                return Err(misuse!("pictures: expected a size of 1 to {MAX_SIDE} pixels, got {h} x {w}"));
            };
            if (picture.height(), picture.width()) != (height, width) {
                let filter = match self.interpolation {
                    Interpolation::Nearest => FilterType::Nearest,
                    Interpolation::Bilinear => FilterType::Triangle,
                    Interpolation::Lanczos3 => FilterType::Lanczos3,
                };
                picture = picture.resize_exact(width, height, filter);
            }
        }
        let pixels = picture.to_rgba8();
        let (h, w, c) = (pixels.height() as usize, pixels.width() as usize, self.color_mode.channels());
        let mut values = Vec::with_capacity(h * w * c);
        for pixel in pixels.pixels() {
            let [r, g, b, a] = pixel.0.map(u32::from);
            let on_white = |v: u32| (v * a + 255 * (255 - a) + 127) / 255;
            let [r, g, b] = [r, g, b].map(on_white);
            match self.color_mode {
                // 16-bit fixed point, rounded; the weights sum to 65536.
                ColorMode::Grayscale => {
                    values.push(((19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16) as u8);
                }
                ColorMode::Rgb => values.extend([r as u8, g as u8, b as u8]),
            }
        }
        Tensor::new(&[h, w, c], values)
    }
}

/// Opens a PNG or JPEG of bounded size.
pub(super) fn open(source: impl BufRead + Seek) -> Result<DynamicImage> {
    let mut reader = ImageReader::new(source)
        .with_guessed_format()
        .map_err(|e| format_error!("expected a PNG or JPEG picture: {e}"))?;
    if reader.format().is_none() {
        return Err(format_error!("expected a PNG or JPEG picture, got something else"));
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    reader.limits(limits);
    reader.decode().map_err(|e| format_error!("expected a PNG or JPEG picture: {e}"))
}

/// The bytes of a PNG of a picture `[height, width, channels]` with 1, 3 or 4 channels, or `[height, width]`; uint8,
/// or float32 from 0 to 1, values outside being black or white.
///
/// **Errors**: another shape or type, more than 16384 pixels on a side.
pub fn encode_png(picture: &Tensor) -> Result<Vec<u8>> {
    let shape = picture.shape();
    let channels = if shape.rank() == 2 { 1 } else { shape.dim(2) };
    let color = match (shape.rank(), channels) {
        (2 | 3, 1) => ExtendedColorType::L8,
        (3, 3) => ExtendedColorType::Rgb8,
        (3, 4) => ExtendedColorType::Rgba8,
        _ => {
            return Err(misuse!(
                "PNG: expected a picture [height, width, 1, 3 or 4 channels], got shape {shape}"
            ));
        }
    };
    let (h, w) = (shape.dim(0) as u32, shape.dim(1) as u32);
    if !(1..=MAX_SIDE).contains(&h) || !(1..=MAX_SIDE).contains(&w) {
        return Err(misuse!("PNG: expected 1 to {MAX_SIDE} pixels on a side, got shape {shape}"));
    }
    let bytes = to_bytes(picture)?;
    let mut file = Vec::new();
    ::image::codecs::png::PngEncoder::new(&mut file)
        .write_image(&bytes, w, h, color)
        .map_err(|e| device_error!("PNG: {e}"))?;
    Ok(file)
}

/// Replaces the PNG at `path`; a crash at any instant leaves the old or the new file whole.
///
/// **Errors**: as [`encode_png`], and a folder that cannot be written.
pub fn write_png(path: impl AsRef<Path>, picture: &Tensor) -> Result<()> {
    atomic::write(path.as_ref(), &encode_png(picture)?)
}

/// Writes a PNG with all of `pictures` `[samples, height, width, channels]` in lines of `columns`. Small pictures are
/// enlarged, each pixel to a square. Types and channels are those of [`encode_png`].
///
/// **Errors**: as [`write_png`], no column.
pub fn contact_sheet(pictures: &Tensor, columns: usize, path: impl AsRef<Path>) -> Result<()> {
    /// Side to which small pictures are enlarged, and the white between pictures.
    const TILE: usize = 96;
    const GAP: usize = 6;
    let shape = pictures.shape();
    if shape.rank() != 4 || pictures.numel() == 0 || columns == 0 {
        return Err(misuse!(
            "contact_sheet: expected pictures [samples, height, width, channels] in at least 1 column, got shape \
             {shape} in {columns}"
        ));
    }
    let (n, h, w, c) = (shape.dim(0), shape.dim(1), shape.dim(2), shape.dim(3));
    let columns = columns.min(n);
    let zoom = (TILE / h.max(w)).max(1);
    let (height, width) = (GAP + n.div_ceil(columns) * (h * zoom + GAP), GAP + columns * (w * zoom + GAP));
    if height.max(width) > MAX_SIDE as usize {
        return Err(misuse!("contact_sheet: {height} x {width} pixels are too many; take fewer pictures"));
    }
    let bytes = to_bytes(pictures)?;
    let mut sheet = vec![255u8; height * width * c];
    for (i, picture) in bytes.chunks_exact(h * w * c).enumerate() {
        let (top, left) = (GAP + i / columns * (h * zoom + GAP), GAP + i % columns * (w * zoom + GAP));
        for y in 0..h * zoom {
            let line = &picture[y / zoom * w * c..][..w * c];
            let start = ((top + y) * width + left) * c;
            for (x, pixel) in sheet[start..start + w * zoom * c].chunks_exact_mut(c).enumerate() {
                pixel.copy_from_slice(&line[x / zoom * c..][..c]);
            }
        }
    }
    write_png(path, &Tensor::new(&[height, width, c], sheet)?)
}

/// Pixels as bytes.
fn to_bytes(picture: &Tensor) -> Result<Vec<u8>> {
    match picture.data() {
        Data::U8(v) => Ok(v.clone()),
        // NaN becomes 0.
        Data::F32(v) => Ok(v.iter().map(|v| (v * 255.0).round() as u8).collect()),
        Data::I32(_) | Data::Bool(_) | Data::I8(_) | Data::F16(_) => Err(misuse!(
            "PNG: expected uint8, or float32 from 0 to 1, got {}; cast the picture",
            picture.dtype()
        )),
    }
}
