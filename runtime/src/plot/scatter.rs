//! Points in a plane, coloured by class, and where a model changes its mind.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::{Result, Tensor, misuse};

use super::contour::contour;
use super::{Drawn, FAINT, INK, Pen, bounds, color, free_corner, tick};

/// Points in a plane, coloured by class.
#[derive(Clone, Debug)]
pub struct Scatter {
    /// What stands above.
    pub title: String,
    /// What the axes are.
    pub labels: [String; 2],
    /// The names of the classes in the legend.
    pub class_names: Vec<String>,
    points: Vec<[f32; 2]>,
    classes: Vec<usize>,
    x: (f64, f64),
    y: (f64, f64),
    field: Option<Field>,
}

/// A function sampled over the area of the points.
#[derive(Clone, Debug)]
pub struct Field {
    values: Vec<f32>,
    level: f32,
}

/// Samples along each side of a field.
const SIDE: usize = 161;

impl Scatter {
    /// Points `[points, 2]` and their classes `[points]`, whole numbers from 0 on.
    ///
    /// **Errors**: another shape, no point, a point that is not finite, labels of another number or not whole.
    pub fn new(title: &str, points: &Tensor, classes: &Tensor) -> Result<Scatter> {
        let shape = points.shape();
        if shape.rank() != 2 || shape.dim(1) != 2 || shape.dim(0) == 0 {
            return Err(misuse!("Scatter: expected points [points, 2], got shape {shape}"));
        }
        if classes.numel() != shape.dim(0) {
            return Err(misuse!(
                "Scatter: expected a class for each of {} points, got {}",
                shape.dim(0),
                classes.numel()
            ));
        }
        let points: Vec<[f32; 2]> = points.to_f32_vec().chunks_exact(2).map(|p| [p[0], p[1]]).collect();
        if let Some(at) = points.iter().position(|p| !(p[0].is_finite() && p[1].is_finite())) {
            return Err(misuse!("Scatter: expected finite points, got {:?} at position {at}", points[at]));
        }
        let whole = |(at, label): (usize, f32)| {
            let fits = (0.0..1000.0).contains(&label) && label.fract() == 0.0;
            fits.then_some(label as usize)
                .ok_or_else(|| misuse!("Scatter: expected classes 0, 1, 2, …, got {label} at position {at}"))
        };
        let classes: Vec<usize> =
            classes.to_f32_vec().into_iter().enumerate().map(whole).collect::<Result<_>>()?;
        let count = classes.iter().max().map_or(0, |most| most + 1);
        Ok(Scatter {
            title: title.to_string(),
            labels: ["x1".to_string(), "x2".to_string()],
            class_names: (0..count).map(|i| format!("class {i}")).collect(),
            x: bounds(points.iter().map(|p| p[0]), 0.1),
            y: bounds(points.iter().map(|p| p[1]), 0.1),
            points,
            classes,
            field: None,
        })
    }

    /// Shades the plane by `f` and draws the line where it passes 0.5. `f` gets points `[n, 2]` that cover the
    /// area and gives a value, such as the probability of class 1, for each.
    ///
    /// ```
    /// use gradling::{Tensor, plot::Scatter};
    /// let points = Tensor::new(&[2, 2], [0.0, 0.0, 1.0, 1.0])?;
    /// let scatter = Scatter::new("two", &points, &Tensor::new(&[2], [0, 1])?)?;
    /// let svg = gradling::plot::Figure::new([scatter.boundary(|p| {
    ///     Tensor::new(&[p.shape().dim(0)], p.as_f32()?.chunks(2).map(|p| p[0]).collect::<Vec<_>>())
    /// })?]).svg()?;
    /// assert!(svg.starts_with("<svg"));
    /// # Ok::<(), gradling::Error>(())
    /// ```
    ///
    /// **Errors**: those of `f`, values of another number than points.
    pub fn boundary(mut self, f: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Scatter> {
        let step = |(low, high): (f64, f64), i: usize| low + (high - low) * i as f64 / (SIDE - 1) as f64;
        let mut grid = Vec::with_capacity(SIDE * SIDE * 2);
        for y in 0..SIDE {
            for x in 0..SIDE {
                grid.extend([step(self.x, x) as f32, step(self.y, y) as f32]);
            }
        }
        let values = f(&Tensor::new(&[SIDE * SIDE, 2], grid)?)?;
        if values.numel() != SIDE * SIDE {
            return Err(misuse!(
                "Scatter::boundary: expected a value for each of {} points, got shape {}",
                SIDE * SIDE,
                values.shape()
            ));
        }
        self.field = Some(Field { values: values.to_f32_vec(), level: 0.5 });
        Ok(self)
    }

    pub(super) fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, pen: Pen) -> Drawn<B> {
        let (x, y) = (self.x, self.y);
        let mut chart = ChartBuilder::on(area);
        chart.margin(pen.px(18)).x_label_area_size(pen.px(48)).y_label_area_size(pen.px(64));
        if !self.title.is_empty() {
            chart.caption(&self.title, pen.bold(22));
        }
        let mut axes = chart.build_cartesian_2d(x.0..x.1, y.0..y.1)?;
        if let Some(field) = &self.field {
            axes.draw_series(field.shades().map(|(row, columns, tint)| {
                let place = |(low, high): (f64, f64), i: f64| {
                    (low + (high - low) * i / (SIDE - 1) as f64).clamp(low, high)
                };
                let (left, right) = (columns.start as f64 - 0.5, columns.end as f64 - 0.5);
                let (below, above) = (row as f64 - 0.5, row as f64 + 0.5);
                let corners = [(place(x, left), place(y, below)), (place(x, right), place(y, above))];
                Rectangle::new(corners, tint.filled())
            }))?;
        }
        axes.configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(if self.field.is_some() { TRANSPARENT.into() } else { pen.line(FAINT, 1) })
            .axis_style(pen.line(INK, 1))
            .set_all_tick_mark_size(pen.px(4))
            .x_labels(8)
            .y_labels(8)
            .x_label_formatter(&|value| tick(*value, x))
            .y_label_formatter(&|value| tick(*value, y))
            .x_desc(self.labels[0].as_str())
            .y_desc(self.labels[1].as_str())
            .label_style(pen.text(14))
            .axis_desc_style(pen.text(16))
            .draw()?;
        if let Some(field) = &self.field {
            let scale = |(low, high): (f64, f64), i: f64| low + (high - low) * i / (SIDE - 1) as f64;
            for line in contour(&field.values, SIDE, field.level) {
                let points = line.into_iter().map(|(column, row)| (scale(x, column), scale(y, row)));
                axes.draw_series(LineSeries::new(points, pen.line(INK, 2)))?;
            }
        }
        for (class, name) in self.class_names.iter().enumerate() {
            let mine = self.points.iter().zip(&self.classes).filter(|(_, of)| **of == class);
            let places = mine.map(|(p, _)| (f64::from(p[0]), f64::from(p[1])));
            let fill = color(class);
            // A rim keeps points apart that lie upon each other.
            let dot = |place| {
                EmptyElement::at(place)
                    + Circle::new((0, 0), pen.px(5), WHITE.filled())
                    + Circle::new((0, 0), pen.px(4), fill.filled())
            };
            axes.draw_series(places.map(dot))?
                .label(name.as_str())
                .legend(move |(x, y)| Circle::new((x + pen.px(12) as i32, y), pen.px(5), fill.filled()));
        }
        let inside =
            |p: &[f32; 2]| ((f64::from(p[0]) - x.0) / (x.1 - x.0), (f64::from(p[1]) - y.0) / (y.1 - y.0));
        axes.configure_series_labels()
            .position(free_corner(self.points.iter().map(inside)))
            .margin(pen.px(10))
            .legend_area_size(pen.px(24))
            .background_style(WHITE.mix(0.85))
            .border_style(pen.line(FAINT, 1))
            .label_font(pen.text(15))
            .draw()
    }
}

impl Field {
    /// Runs of one tint: row, columns and the tint.
    fn shades(&self) -> impl Iterator<Item = (usize, std::ops::Range<usize>, RGBColor)> {
        self.values.chunks_exact(SIDE).enumerate().flat_map(|(row, values)| {
            let mut runs: Vec<(usize, std::ops::Range<usize>, RGBColor)> = Vec::new();
            for (column, &value) in values.iter().enumerate() {
                let tint = self.tint(value);
                match runs.last_mut() {
                    Some((_, columns, last)) if *last == tint => columns.end = column + 1,
                    _ => runs.push((row, column..column + 1, tint)),
                }
            }
            runs
        })
    }

    /// From the pale colour of class 0 over white at the level to that of class 1, in steps.
    fn tint(&self, value: f32) -> RGBColor {
        const STEPS: f32 = 12.0;
        const STRONGEST: f64 = 0.38;
        let away = ((value - self.level) / (1.0 - self.level).max(self.level)).clamp(-1.0, 1.0);
        let away = if away.is_nan() { 0.0 } else { (away * STEPS).round() / STEPS };
        let RGBColor(r, g, b) = color(usize::from(away > 0.0));
        let share = f64::from(away.abs()) * STRONGEST;
        let mix = |channel: u8| (255.0 + (f64::from(channel) - 255.0) * share).round() as u8;
        RGBColor(mix(r), mix(g), mix(b))
    }
}
