//! Curves of loss and accuracy as a picture.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use gradling::io::atomic;
use gradling::{Error, Result, device_error};
use image::{ImageFormat, RgbImage};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;

/// A value for each epoch and its name in the legend.
pub struct Curve {
    pub name: &'static str,
    pub values: Vec<f32>,
}

/// Curves over the same axes.
pub struct Chart {
    pub title: &'static str,
    pub curves: Vec<Curve>,
}

const SIZE: (u32, u32) = (1200, 480);
const INK: RGBColor = RGBColor(0x22, 0x28, 0x33);
const GRID: RGBColor = RGBColor(0xe3, 0xe6, 0xea);
/// Blue for training and orange for validation: apart for colour-blind eyes too.
const COLORS: [RGBColor; 2] = [RGBColor(0x1f, 0x6f, 0xb5), RGBColor(0xe0, 0x7b, 0x18)];

/// Reads the name of a picture file from the command line.
pub fn target(name: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(name);
    match extension(&path).as_deref() {
        Some("png" | "svg") => Ok(path),
        _ => Err("expected a name that ends in .png or .svg".to_string()),
    }
}

/// Draws `charts` side by side into the file `path`, a PNG or an SVG by its name's end.
pub fn save(path: &Path, charts: &[Chart]) -> Result<()> {
    // The same letters on every machine, also where no font is installed.
    let fonts = [(FontStyle::Normal, dejavu::sans::regular()), (FontStyle::Bold, dejavu::sans::bold())];
    for (style, font) in fonts {
        register_font("sans-serif", style, font).map_err(|_| device_error!("the font cannot be read"))?;
    }
    let bytes = if extension(path).as_deref() == Some("svg") { svg(charts)? } else { png(charts)? };
    atomic::write(path, &bytes)
}

fn svg(charts: &[Chart]) -> Result<Vec<u8>> {
    let mut text = String::new();
    draw(SVGBackend::with_string(&mut text, SIZE).into_drawing_area(), charts).map_err(failed)?;
    Ok(text.into_bytes())
}

fn png(charts: &[Chart]) -> Result<Vec<u8>> {
    let mut pixels = RgbImage::new(SIZE.0, SIZE.1);
    draw(BitMapBackend::with_buffer(&mut pixels, SIZE).into_drawing_area(), charts).map_err(failed)?;
    let mut file = Cursor::new(Vec::new());
    pixels.write_to(&mut file, ImageFormat::Png).map_err(failed)?;
    Ok(file.into_inner())
}

fn failed(error: impl std::fmt::Display) -> Error {
    device_error!("the plot cannot be drawn: {error}")
}

fn extension(path: &Path) -> Option<String> {
    path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase())
}

type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

fn draw<B: DrawingBackend>(area: DrawingArea<B, Shift>, charts: &[Chart]) -> Drawn<B> {
    area.fill(&WHITE)?;
    for (panel, chart) in area.split_evenly((1, charts.len())).iter().zip(charts) {
        draw_chart(panel, chart)?;
    }
    area.present()
}

fn draw_chart<B: DrawingBackend>(area: &DrawingArea<B, Shift>, chart: &Chart) -> Drawn<B> {
    let values = || chart.curves.iter().flat_map(|c| &c.values).copied().filter(|v| v.is_finite());
    let (least, most) = values().fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    let (least, most) = if least <= most { (least, most) } else { (0.0, 1.0) };
    let room = (0.08 * (most - least)).max(0.005);
    let epochs = chart.curves.iter().map(|c| c.values.len()).max().unwrap_or(0).max(1);
    let right = if epochs == 1 { 2.0 } else { epochs as f32 };

    let font = |size: i32| ("sans-serif", size).into_font().color(&INK);
    let mut axes = ChartBuilder::on(area)
        .margin(18)
        .caption(chart.title, ("sans-serif", 24, FontStyle::Bold).into_font().color(&INK))
        .x_label_area_size(48)
        .y_label_area_size(72)
        .build_cartesian_2d(1.0..right, least - room..most + room)?;
    axes.configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .x_labels(epochs.min(11))
        .x_label_formatter(&|x| {
            if (x - x.round()).abs() < 1e-3 { format!("{}", x.round()) } else { String::new() }
        })
        .y_label_formatter(&|y| format!("{y:.3}"))
        .x_desc("epoch")
        .label_style(font(15))
        .axis_desc_style(font(17))
        .draw()?;
    for (curve, color) in chart.curves.iter().zip(COLORS) {
        let points = || {
            let finite = curve.values.iter().enumerate().filter(|(_, v)| v.is_finite());
            finite.map(|(epoch, &value)| (epoch as f32 + 1.0, value))
        };
        axes.draw_series(LineSeries::new(points(), color.stroke_width(3)))?
            .label(curve.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], color.stroke_width(3)));
        axes.draw_series(points().map(|point| Circle::new(point, 4, color.filled())))?;
    }
    axes.configure_series_labels()
        .position(SeriesLabelPosition::MiddleRight)
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .label_font(font(16))
        .draw()
}
