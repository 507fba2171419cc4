//! Pictures of data and of training (feature `plot`): curves, points with a decision boundary, series, grids of
//! pictures, as PNG or SVG.
//!
//! ```no_run
//! use gradling::plot::{Figure, LineChart};
//! let chart = LineChart::new("Loss", "epoch", "").line("training", &[0.9, 0.5, 0.4]);
//! Figure::new([chart]).save("loss.png")?;
//! # Ok::<(), gradling::Error>(())
//! ```

mod contour;
mod lines;
mod pictures;
mod scatter;

use std::io::Cursor;
use std::path::Path;
use std::string::{String, ToString};
use std::vec::Vec;

use ::image::imageops::FilterType;
use ::image::{ImageFormat, RgbImage};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{TextStyle, register_font};

use crate::io::atomic;
use crate::{Error, Result, device_error, misuse};

pub use lines::{Line, LineChart, history};
pub use pictures::{Pictures, Shading};
pub use scatter::{Field, Scatter};

const INK: RGBColor = RGBColor(0x22, 0x28, 0x33);
const FAINT: RGBColor = RGBColor(0xe3, 0xe6, 0xea);
/// Blue, orange, green, …: apart for colour-blind eyes too (after Okabe and Ito 2008).
const COLORS: [RGBColor; 8] = [
    RGBColor(0x1f, 0x6f, 0xb5),
    RGBColor(0xe0, 0x7b, 0x18),
    RGBColor(0x14, 0x95, 0x6b),
    RGBColor(0xc6, 0x4f, 0x9a),
    RGBColor(0x5a, 0xb4, 0xe0),
    RGBColor(0xb8, 0x9a, 0x0c),
    RGBColor(0x7b, 0x52, 0xae),
    RGBColor(0x8a, 0x8f, 0x98),
];

fn color(i: usize) -> RGBColor {
    COLORS[i % COLORS.len()]
}

/// Something that is drawn into its part of a figure.
pub enum Panel {
    /// Curves and series.
    Lines(LineChart),
    /// Points and a decision boundary.
    Scatter(Scatter),
    /// A grid of pictures.
    Pictures(Pictures),
}

impl From<LineChart> for Panel {
    fn from(chart: LineChart) -> Panel {
        Panel::Lines(chart)
    }
}

impl From<Scatter> for Panel {
    fn from(scatter: Scatter) -> Panel {
        Panel::Scatter(scatter)
    }
}

impl From<Pictures> for Panel {
    fn from(pictures: Pictures) -> Panel {
        Panel::Pictures(pictures)
    }
}

/// Panels side by side.
pub struct Figure {
    panels: Vec<Panel>,
    columns: usize,
    panel: Option<(u32, u32)>,
}

impl Figure {
    /// Panels in one row.
    pub fn new<P: Into<Panel>>(panels: impl IntoIterator<Item = P>) -> Figure {
        let panels: Vec<Panel> = panels.into_iter().map(Into::into).collect();
        Figure { columns: panels.len(), panels, panel: None }
    }

    /// Rows of so many panels.
    pub fn columns(mut self, columns: usize) -> Figure {
        self.columns = columns;
        self
    }

    /// The width and height of a panel in pixels, instead of one that suits what is drawn.
    pub fn panel_size(mut self, width: u32, height: u32) -> Figure {
        self.panel = Some((width, height));
        self
    }

    /// Writes the figure to `path`, as PNG or SVG by the end of its name; a crash at any instant leaves the old or
    /// the new file whole.
    ///
    /// **Errors**: another end of the name, no panel, a size of 0 or above 8192 pixels, a folder that cannot be
    /// written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let bytes = match check_name(path)? {
            Format::Png => self.png()?,
            Format::Svg => self.svg()?.into_bytes(),
        };
        atomic::write(path, &bytes)
    }

    /// The figure as the text of an SVG.
    ///
    /// **Errors**: as [`save`](Figure::save), but for the file.
    pub fn svg(&self) -> Result<String> {
        let size = self.prepare()?;
        let mut text = String::new();
        self.draw(SVGBackend::with_string(&mut text, size).into_drawing_area(), 1).map_err(failed)?;
        Ok(text)
    }

    /// The figure as the bytes of a PNG.
    ///
    /// **Errors**: as [`save`](Figure::save), but for the file.
    pub fn png(&self) -> Result<Vec<u8>> {
        /// Drawn so much larger, then made smaller: edges of all shapes come out smooth.
        const FINE: u32 = 2;
        let (width, height) = self.prepare()?;
        let large = (width * FINE, height * FINE);
        let mut pixels = RgbImage::new(large.0, large.1);
        self.draw(BitMapBackend::with_buffer(&mut pixels, large).into_drawing_area(), FINE)
            .map_err(failed)?;
        let pixels = ::image::imageops::resize(&pixels, width, height, FilterType::Triangle);
        let mut file = Cursor::new(Vec::new());
        pixels.write_to(&mut file, ImageFormat::Png).map_err(failed)?;
        Ok(file.into_inner())
    }

    /// Makes fonts known and gives the size of the whole.
    fn prepare(&self) -> Result<(u32, u32)> {
        // The same letters on every machine, also where no font is installed.
        let fonts = [(FontStyle::Normal, dejavu::sans::regular()), (FontStyle::Bold, dejavu::sans::bold())];
        for (style, font) in fonts {
            register_font("sans-serif", style, font).map_err(|_| device_error!("the font cannot be read"))?;
        }
        if self.panels.is_empty() || self.columns == 0 {
            return Err(misuse!("Figure: expected at least one panel and one column"));
        }
        let (width, height) = self.panel_pixels();
        let columns = self.columns.min(self.panels.len());
        let rows = self.panels.len().div_ceil(columns);
        let whole = (width as usize * columns, height as usize * rows);
        if !(1..=8192).contains(&whole.0) || !(1..=8192).contains(&whole.1) {
            return Err(misuse!(
                "Figure: expected 1 to 8192 pixels on a side, got {} x {}",
                whole.0,
                whole.1
            ));
        }
        Ok((whole.0 as u32, whole.1 as u32))
    }

    fn panel_pixels(&self) -> (u32, u32) {
        let wanted = self.panels.iter().map(|panel| match panel {
            Panel::Lines(chart) => chart.pixels(),
            Panel::Scatter(_) => (640, 560),
            Panel::Pictures(pictures) => pictures.pixels(),
        });
        self.panel.unwrap_or_else(|| wanted.fold((0, 0), |(a, b), (w, h)| (a.max(w), b.max(h))))
    }

    fn draw<B: DrawingBackend>(&self, area: DrawingArea<B, Shift>, scale: u32) -> Drawn<B> {
        area.fill(&WHITE)?;
        let pen = Pen { scale };
        let columns = self.columns.min(self.panels.len()).max(1);
        let parts = area.split_evenly((self.panels.len().div_ceil(columns), columns));
        for (part, panel) in parts.iter().zip(&self.panels) {
            match panel {
                Panel::Lines(chart) => chart.draw(part, pen)?,
                Panel::Scatter(scatter) => scatter.draw(part, pen)?,
                Panel::Pictures(pictures) => pictures.draw(part, pen)?,
            }
        }
        area.present()
    }
}

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Pixels.
    Png,
    /// Shapes.
    Svg,
}

/// The kind of file that a name ends in.
///
/// **Errors** when it ends neither in `.png` nor in `.svg`.
pub fn check_name(path: &Path) -> Result<Format> {
    let end = path.extension().map(|end| end.to_string_lossy().to_ascii_lowercase());
    match end.as_deref() {
        Some("png") => Ok(Format::Png),
        Some("svg") => Ok(Format::Svg),
        _ => Err(misuse!("{}: expected a name that ends in .png or .svg", path.display())),
    }
}

type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

fn failed(error: impl std::fmt::Display) -> Error {
    device_error!("the plot cannot be drawn: {error}")
}

/// Sizes in pixels of the finished figure, as what is drawn needs them.
#[derive(Clone, Copy)]
struct Pen {
    scale: u32,
}

impl Pen {
    fn px(self, pixels: u32) -> u32 {
        pixels * self.scale
    }

    fn text(self, size: u32) -> TextStyle<'static> {
        ("sans-serif", self.px(size)).into_font().color(&INK)
    }

    fn bold(self, size: u32) -> TextStyle<'static> {
        ("sans-serif", self.px(size), FontStyle::Bold).into_font().color(&INK)
    }

    fn line(self, color: impl Color, width: u32) -> ShapeStyle {
        color.stroke_width(self.px(width))
    }
}

/// Least and greatest of the finite `values` with a margin of `share` of what lies between; 0 to 1 without values.
fn bounds(values: impl Iterator<Item = f32>, share: f32) -> (f64, f64) {
    let finite = values.filter(|v| v.is_finite());
    let (least, most) = finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    let (least, most) = if least <= most { (f64::from(least), f64::from(most)) } else { (0.0, 1.0) };
    let room = (f64::from(share) * (most - least)).max(0.005 * least.abs().max(most.abs()).max(1.0));
    (least - room, most + room)
}

/// A tick's number, with as many decimals as its neighbours differ in.
fn tick(value: f64, (low, high): (f64, f64)) -> String {
    let span = (high - low).abs();
    let decimals = if span >= 20.0 {
        0
    } else if span >= 4.0 {
        1
    } else if span >= 0.4 {
        2
    } else {
        3
    };
    let text = std::format!("{value:.decimals$}");
    if text.trim_matches(|c| matches!(c, '-' | '0' | '.')).is_empty() { "0".to_string() } else { text }
}

/// The corner of a chart, away from what is drawn, in which the legend covers the fewest of `points` (in 0 to 1 from
/// the left and from below).
fn free_corner(points: impl Iterator<Item = (f64, f64)>) -> SeriesLabelPosition {
    let mut covered = [0usize; 4];
    for (x, y) in points {
        let (right, upper) = (x > 0.62, y > 0.68);
        let (left, lower) = (x < 0.38, y < 0.32);
        covered[0] += usize::from(right && upper);
        covered[1] += usize::from(left && upper);
        covered[2] += usize::from(right && lower);
        covered[3] += usize::from(left && lower);
    }
    let best = (0..4).min_by_key(|&i| covered[i]).unwrap_or(0);
    match best {
        0 => SeriesLabelPosition::UpperRight,
        1 => SeriesLabelPosition::UpperLeft,
        2 => SeriesLabelPosition::LowerRight,
        _ => SeriesLabelPosition::LowerLeft,
    }
}
