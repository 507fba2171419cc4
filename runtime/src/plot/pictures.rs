//! Grids of pictures with titles: samples, variants, the weights of a first layer.

use std::string::{String, ToString};
use std::vec::Vec;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::{Data, Result, Tensor, misuse};

use super::{Drawn, FAINT, Pen};

/// How values become colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shading {
    /// Black to white, or red, green and blue where there are three channels.
    #[default]
    Light,
    /// White to black, as ink on paper; one channel only.
    Ink,
    /// Blue below 0, white at 0, red above, each picture to its own greatest size; one channel only.
    Weights,
}

/// A grid of pictures with titles.
#[derive(Clone, Debug)]
pub struct Pictures {
    /// What stands above the grid.
    pub title: String,
    titles: Vec<String>,
    columns: usize,
    tiles: Vec<Vec<RGBColor>>,
    height: usize,
    width: usize,
}

/// Side of a picture in the figure, at least.
const TILE: u32 = 104;
const GAP: u32 = 12;
const TITLE: u32 = 20;
const HEAD: u32 = 48;

impl Pictures {
    /// Pictures `[pictures, height, width, channels]` or `[pictures, height, width]`, in rows of `columns`: uint8, or
    /// float32 from 0 to 1 (weights may have any value).
    ///
    /// **Errors**: another rank, no picture, other than 1 or 3 channels, a side above 512 pixels, no column.
    pub fn new(title: &str, pictures: &Tensor, columns: usize, shading: Shading) -> Result<Pictures> {
        let shape = pictures.shape();
        let channels = if shape.rank() == 3 { 1 } else { shape.dim(3) };
        let fits = matches!(shape.rank(), 3 | 4)
            && (channels == 1 || channels == 3 && shading == Shading::Light)
            && shape.dim(1).max(shape.dim(2)) <= 512;
        if !fits || pictures.numel() == 0 || columns == 0 {
            return Err(misuse!(
                "Pictures: expected pictures [pictures, height, width, 1 or 3 channels] of at most 512 pixels in at \
                 least 1 column ({shading:?} takes 3 channels only as Light), got shape {shape} in {columns}"
            ));
        }
        let full = if matches!(pictures.data(), Data::U8(_)) { 255.0 } else { 1.0 };
        let values = pictures.to_f32_vec();
        let tiles = values.chunks_exact(shape.dim(1) * shape.dim(2) * channels).map(|picture| {
            let most = picture.iter().map(|v| v.abs()).filter(|v| v.is_finite()).fold(1e-12, f32::max);
            let tint = |pixel: &[f32]| {
                // NaN becomes 0.
                let byte = |v: f32| (v / full * 255.0).round() as u8;
                match (pixel, shading) {
                    (&[r, g, b], _) => RGBColor(byte(r), byte(g), byte(b)),
                    (pixel, Shading::Light) => grey(byte(pixel[0])),
                    (pixel, Shading::Ink) => grey(255 - byte(pixel[0])),
                    (pixel, Shading::Weights) => diverging(pixel[0] / most),
                }
            };
            picture.chunks_exact(channels).map(tint).collect()
        });
        Ok(Pictures {
            title: title.to_string(),
            titles: Vec::new(),
            columns: columns.min(shape.dim(0)),
            tiles: tiles.collect(),
            height: shape.dim(1),
            width: shape.dim(2),
        })
    }

    /// A title for each picture, in order.
    pub fn titles(mut self, titles: impl IntoIterator<Item = impl Into<String>>) -> Pictures {
        self.titles = titles.into_iter().map(Into::into).collect();
        self
    }

    /// Pixels of the figure for each pixel of a picture.
    fn zoom(&self) -> u32 {
        (TILE / self.height.max(self.width) as u32).max(1)
    }

    /// Width and height of a picture with its title.
    fn cell(&self) -> (u32, u32) {
        let zoom = self.zoom();
        // A title needs some width even over a narrow picture.
        let width = (self.width as u32 * zoom).max(if self.titles.is_empty() { 1 } else { 72 });
        (width, self.height as u32 * zoom + if self.titles.is_empty() { 0 } else { TITLE })
    }

    fn head(&self) -> u32 {
        if self.title.is_empty() { GAP } else { HEAD }
    }

    pub(super) fn pixels(&self) -> (u32, u32) {
        let (width, height) = self.cell();
        let rows = self.tiles.len().div_ceil(self.columns) as u32;
        let wide = GAP + self.columns as u32 * (width + GAP);
        (wide.max(14 * self.title.len() as u32), self.head() + rows * (height + GAP))
    }

    pub(super) fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, pen: Pen) -> Drawn<B> {
        let px = |pixels: u32| pen.px(pixels) as i32;
        let centred = Pos::new(HPos::Center, VPos::Center);
        let (whole, _) = area.dim_in_pixel();
        let ((cell_w, cell_h), zoom) = (self.cell(), self.zoom());
        let text = TextStyle { pos: centred, ..pen.bold(22) };
        area.draw_text(&self.title, &text, (whole as i32 / 2, px(HEAD / 2)))?;
        let wide = px(GAP + self.columns as u32 * (cell_w + GAP));
        let margin = (whole as i32 - wide).max(0) / 2;
        for (i, tile) in self.tiles.iter().enumerate() {
            let (column, row) = ((i % self.columns) as u32, (i / self.columns) as u32);
            let left = margin + px(GAP + column * (cell_w + GAP) + (cell_w - self.width as u32 * zoom) / 2);
            let mut top = px(self.head() + row * (cell_h + GAP));
            if !self.titles.is_empty() {
                let name = self.titles.get(i).map_or("", String::as_str);
                let text = TextStyle { pos: centred, ..pen.text(13) };
                area.draw_text(name, &text, (left + px(self.width as u32 * zoom) / 2, top + px(TITLE) / 2))?;
                top += px(TITLE);
            }
            let side = px(zoom);
            for (y, line) in tile.chunks_exact(self.width).enumerate() {
                let mut start = 0;
                for run in line.chunk_by(|a, b| a == b) {
                    let (from, to) = (start as i32, (start + run.len()) as i32);
                    let corners = [
                        (left + from * side, top + y as i32 * side),
                        (left + to * side, top + (y as i32 + 1) * side),
                    ];
                    area.draw(&Rectangle::new(corners, run[0].filled()))?;
                    start += run.len();
                }
            }
            let frame = [(left, top), (left + self.width as i32 * side, top + self.height as i32 * side)];
            area.draw(&Rectangle::new(frame, pen.line(FAINT, 1)))?;
        }
        Ok(())
    }
}

fn grey(level: u8) -> RGBColor {
    RGBColor(level, level, level)
}

/// Blue at -1, white at 0, red at 1.
fn diverging(value: f32) -> RGBColor {
    let value = if value.is_finite() { value.clamp(-1.0, 1.0) } else { 0.0 };
    let end = if value < 0.0 { [0x1b, 0x5e, 0xa8] } else { [0xc2, 0x2f, 0x2f] };
    let [r, g, b] = end.map(|channel: u8| (255.0 + (f32::from(channel) - 255.0) * value.abs()).round() as u8);
    RGBColor(r, g, b)
}
