//! `summary`, the table that Keras prints.

use super::Model;
use alloc::string::String;
use core::fmt::Write;

impl Model {
    /// The layers as a table: name and class, output shape, parameters, and totals.
    pub fn summary(&self) -> String {
        let shapes = self.output_shapes();
        let mut rows = alloc::vec::Vec::new();
        for (i, layer) in self.layers.iter().enumerate() {
            let params: usize = self.layer_weights(i).map(|(_, v)| v.shape.numel()).sum();
            let shape = match shapes.get(i) {
                Some(s) => {
                    let dims: alloc::vec::Vec<String> =
                        s.dims().iter().map(|d| alloc::format!("{d}")).collect();
                    if dims.is_empty() {
                        "(None,)".into()
                    } else {
                        alloc::format!("(None, {})", dims.join(", "))
                    }
                }
                None => "?".into(),
            };
            rows.push([
                alloc::format!("{} ({})", layer.name(), layer.class_name()),
                shape,
                thousands(params),
            ]);
        }
        let head = ["Layer (type)", "Output Shape", "Param #"];
        let least = [31, 22, 13];
        let width: [usize; 3] = core::array::from_fn(|c| {
            rows.iter().map(|r| r[c].chars().count()).chain([head[c].len(), least[c]]).max().unwrap_or(0)
        });
        let rule = |l: &str, m: &str, r: &str, fill: &str| {
            let parts = width.map(|w| fill.repeat(w + 2));
            alloc::format!("{l}{}{r}\n", parts.join(m))
        };
        let line = |bar: &str, cells: [&str; 3]| {
            let [a, b, c] = cells;
            alloc::format!("{bar} {a:<0$} {bar} {b:<1$} {bar} {c:>2$} {bar}\n", width[0], width[1], width[2])
        };
        let mut text = alloc::format!("Model: \"{}\"\n", self.name);
        text += &rule("┏", "┳", "┓", "━");
        text += &line("┃", head);
        text += &rule("┡", "╇", "┩", "━");
        for (i, [a, b, c]) in rows.iter().enumerate() {
            if i > 0 {
                text += &rule("├", "┼", "┤", "─");
            }
            text += &line("│", [a, b, c]);
        }
        text += &rule("└", "┴", "┘", "─");
        let total = self.count_params();
        let trainable: usize = self.trainable_weights().map(|(_, v)| v.shape.numel()).sum();
        for (what, n) in [("Total", total), ("Trainable", trainable), ("Non-trainable", total - trainable)] {
            let _ = writeln!(text, " {what} params: {} ({})", thousands(n), bytes(n * 4));
        }
        text
    }
}

/// 101770 as 101,770.
pub(super) fn thousands(n: usize) -> String {
    let digits = alloc::format!("{n}");
    let mut text = String::new();
    for (i, d) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(d);
    }
    text
}

/// A number of bytes with a unit of 1024, to two decimals as Python rounds them.
fn bytes(n: usize) -> String {
    let mut unit = 0;
    while unit < 3 && n >> (10 * (unit + 1)) > 0 {
        unit += 1;
    }
    let (hundreds, one) = (n as u64 * 100, 1u64 << (10 * unit));
    let (mut hundredths, rest) = (hundreds / one, hundreds % one);
    if 2 * rest > one || (2 * rest == one && hundredths % 2 == 1) {
        hundredths += 1;
    }
    alloc::format!("{}.{:02} {}", hundredths / 100, hundredths % 100, ["B", "KB", "MB", "GB"][unit])
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn bytes_are_rounded_as_floats_are() {
        for n in (0..3000).chain([407_080, 1 << 20, (1 << 20) - 1, 123_456_789, (1 << 30) + 5_368_709]) {
            let (mut value, mut unit) = (n as f64, 0);
            while unit < 3 && value >= 1024.0 {
                (value, unit) = (value / 1024.0, unit + 1);
            }
            assert_eq!(bytes(n), alloc::format!("{value:.2} {}", ["B", "KB", "MB", "GB"][unit]));
        }
    }
}
