//! Curves over epochs and series over time.

use std::string::{String, ToString};
use std::vec::Vec;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::nn::History;

use super::{Drawn, FAINT, Figure, INK, Pen, bounds, color, free_corner, tick};

/// Values one after another and their name in the legend.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The name.
    pub name: String,
    /// The values, the first at [`LineChart::start`]; those that are not finite leave a gap.
    pub values: Vec<f32>,
}

/// Lines over the same axes.
#[derive(Clone, Debug, PartialEq)]
pub struct LineChart {
    /// What stands above.
    pub title: String,
    /// What the horizontal axis is.
    pub x_label: String,
    /// What the vertical axis is.
    pub y_label: String,
    /// Where the first values lie on the horizontal axis; the others follow at 1, 2, ….
    pub start: usize,
    /// The lines.
    pub lines: Vec<Line>,
}

/// Curves with at most so many values have a mark at each.
const MARKED: usize = 40;

impl LineChart {
    /// A chart without lines, from 1 on.
    pub fn new(title: &str, x_label: &str, y_label: &str) -> LineChart {
        LineChart {
            title: title.to_string(),
            x_label: x_label.to_string(),
            y_label: y_label.to_string(),
            start: 1,
            lines: Vec::new(),
        }
    }

    /// The chart with one more line.
    pub fn line(mut self, name: &str, values: &[f32]) -> LineChart {
        self.lines.push(Line { name: name.to_string(), values: values.to_vec() });
        self
    }

    /// True and predicted values of a series, as TensorFlow's courses show them.
    pub fn series(title: &str, x_label: &str, y_label: &str, truth: &[f32], predicted: &[f32]) -> LineChart {
        LineChart::new(title, x_label, y_label).line("true", truth).line("predicted", predicted)
    }

    fn count(&self) -> usize {
        self.lines.iter().map(|line| line.values.len()).max().unwrap_or(0)
    }

    pub(super) fn pixels(&self) -> (u32, u32) {
        if self.count() > MARKED { (1000, 480) } else { (600, 480) }
    }

    pub(super) fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, pen: Pen) -> Drawn<B> {
        let y = bounds(self.lines.iter().flat_map(|line| line.values.iter().copied()), 0.08);
        let (first, count) = (self.start as f64, self.count().max(1));
        let last = first + if count == 1 { 1.0 } else { (count - 1) as f64 };

        let mut chart = ChartBuilder::on(area);
        chart
            .margin(pen.px(18))
            .x_label_area_size(pen.px(48))
            .y_label_area_size(pen.px(if self.y_label.is_empty() { 64 } else { 84 }));
        if !self.title.is_empty() {
            chart.caption(&self.title, pen.bold(22));
        }
        let mut axes = chart.build_cartesian_2d(first..last, y.0..y.1)?;
        axes.configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(pen.line(FAINT, 1))
            .axis_style(pen.line(INK, 1))
            .set_all_tick_mark_size(pen.px(4))
            .x_labels(count.min(11))
            .x_label_formatter(&|x| {
                if (x - x.round()).abs() < 1e-6 { x.round().to_string() } else { String::new() }
            })
            .y_label_formatter(&|value| tick(*value, y))
            .x_desc(self.x_label.as_str())
            .y_desc(self.y_label.as_str())
            .label_style(pen.text(14))
            .axis_desc_style(pen.text(16))
            .draw()?;
        for (i, line) in self.lines.iter().enumerate() {
            let color = color(i);
            let width = if count > MARKED { 2 } else { 3 };
            let place = |(at, value): (usize, &f32)| (first + at as f64, f64::from(*value));
            // A line stops at a gap and goes on behind it.
            let points: Vec<(f64, f64)> = line.values.iter().enumerate().map(place).collect();
            for run in points.split(|(_, value)| !value.is_finite()) {
                axes.draw_series(LineSeries::new(run.iter().copied(), pen.line(color, width)))?;
            }
            let marks = points.iter().filter(|(_, value)| value.is_finite() && count <= MARKED);
            let mark = |point: &(f64, f64)| Circle::new(*point, pen.px(4), color.filled());
            axes.draw_series(marks.map(mark))?.label(line.name.as_str()).legend(move |(x, y)| {
                PathElement::new([(x, y), (x + pen.px(24) as i32, y)], pen.line(color, 3))
            });
        }
        if self.lines.iter().all(|line| line.name.is_empty()) {
            return Ok(());
        }
        let inside = |(at, value): (usize, &f32)| {
            (at as f64 / (last - first), (f64::from(*value) - y.0) / (y.1 - y.0))
        };
        let all = self.lines.iter().flat_map(|line| line.values.iter().enumerate().map(inside));
        axes.configure_series_labels()
            .position(free_corner(all))
            .margin(pen.px(10))
            .legend_area_size(pen.px(32))
            .background_style(WHITE.mix(0.85))
            .border_style(pen.line(FAINT, 1))
            .label_font(pen.text(15))
            .draw()
    }
}

/// A chart for each quantity in `history`, such as loss and accuracy, with its values over the training data and, if
/// there are any, over the validation data.
pub fn history(history: &History) -> Figure {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in history.epochs.iter().flat_map(|logs| logs.iter()) {
        let name = name.strip_prefix("val_").unwrap_or(name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let charts = names.into_iter().map(|name| {
        let title = name.replace('_', " ");
        let mut letters = title.chars();
        let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
        let mut chart = LineChart::new(&std::format!("{first}{}", letters.as_str()), "epoch", "");
        for (line, key) in [("training", name.to_string()), ("validation", std::format!("val_{name}"))] {
            let values = history.get(&key);
            if !values.is_empty() {
                chart = chart.line(line, &values);
            }
        }
        chart
    });
    Figure::new(charts)
}
