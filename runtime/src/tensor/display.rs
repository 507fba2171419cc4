//! Tensors as text, as NumPy prints arrays.

use super::{Data, Tensor};
use crate::f16;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// How tensors are printed (`np.set_printoptions`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrintOptions {
    /// The most digits after the point.
    pub precision: usize,
    /// Tensors with more elements than this are summarised.
    pub threshold: usize,
    /// The elements at both ends of each axis of a summary.
    pub edgeitems: usize,
    /// The most characters of a line.
    pub linewidth: usize,
    /// Never use exponents.
    pub suppress: bool,
}

impl Default for PrintOptions {
    /// NumPy's defaults.
    fn default() -> PrintOptions {
        PrintOptions { precision: 8, threshold: 1000, edgeitems: 3, linewidth: 75, suppress: false }
    }
}

/// A tensor with [`PrintOptions`], to be formatted.
#[derive(Clone, Copy)]
pub struct Display<'t> {
    tensor: &'t Tensor,
    options: PrintOptions,
}

impl Tensor {
    /// The tensor as text with these options.
    ///
    /// ```
    /// use gradling::tensor::{PrintOptions, Tensor};
    /// let x = Tensor::new(&[2, 2], [1.0, 2.5, -3.125, 4.0])?;
    /// assert_eq!(x.to_string(), "[[ 1.     2.5  ]\n [-3.125  4.   ]]");
    /// let short = PrintOptions { precision: 1, ..PrintOptions::default() };
    /// assert_eq!(x.display(&short).to_string(), "[[ 1.   2.5]\n [-3.1  4. ]]");
    /// # Ok::<(), gradling::Error>(())
    /// ```
    pub fn display(&self, options: &PrintOptions) -> Display<'_> {
        Display { tensor: self, options: *options }
    }
}

impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.display(&PrintOptions::default()).fmt(f)
    }
}

impl fmt::Display for Display<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (t, dims) = (self.tensor, self.tensor.shape.to_vec());
        if dims.is_empty() {
            return f.write_str(&scalar(t, &self.options));
        }
        if t.numel() == 0 {
            return f.write_str("[]");
        }
        let mut page = Page {
            dims: &dims,
            options: self.options,
            summary: t.numel() > self.options.threshold,
            words: Vec::new(),
            next: 0,
            out: String::new(),
        };
        let mut shown = Vec::new();
        page.shown(0, 0, &mut shown);
        page.words = words(t, &shown, &self.options);
        page.write(0, 1);
        f.write_str(&page.out)
    }
}

/// Nested brackets around the words of the elements that are shown.
struct Page<'d> {
    dims: &'d [usize],
    options: PrintOptions,
    summary: bool,
    words: Vec<String>,
    next: usize,
    out: String,
}

impl Page<'_> {
    /// How many elements of an axis are shown at each end, where not all are.
    fn cut(&self, axis: usize) -> Option<usize> {
        let edge = self.options.edgeitems;
        (self.summary && self.dims[axis] > edge.saturating_mul(2)).then_some(edge)
    }

    /// The elements shown below `at`, in order.
    fn shown(&self, axis: usize, at: usize, all: &mut Vec<usize>) {
        let Some(&n) = self.dims.get(axis) else { return all.push(at) };
        for i in 0..n {
            if self.cut(axis).is_none_or(|edge| i < edge || i >= n - edge) {
                self.shown(axis + 1, at * n + i, all);
            }
        }
    }

    /// Writes one axis; `indent` is the column after its bracket.
    fn write(&mut self, axis: usize, indent: usize) {
        self.out.push('[');
        let n = self.dims[axis];
        let cut = self.cut(axis);
        let shown = cut.map_or(n, |edge| 2 * edge);
        let last_axis = axis + 1 == self.dims.len();
        let mut column = indent;
        for i in 0..shown + usize::from(cut.is_some()) {
            let dots = cut == Some(i);
            if last_axis {
                let word = if dots { String::from("...") } else { self.word() };
                let wide = word.len();
                if i > 0 && column + 1 + wide + axis + 1 > self.options.linewidth {
                    self.line(indent, 1);
                    column = indent;
                } else if i > 0 {
                    self.out.push(' ');
                    column += 1;
                }
                self.out.push_str(&word);
                column += wide;
            } else {
                if i > 0 {
                    self.line(indent, self.dims.len() - axis - 1);
                }
                if dots { self.out.push_str("...") } else { self.write(axis + 1, indent + 1) }
            }
        }
        self.out.push(']');
    }

    fn line(&mut self, indent: usize, breaks: usize) {
        self.out.extend(core::iter::repeat_n('\n', breaks));
        self.out.extend(core::iter::repeat_n(' ', indent));
    }

    fn word(&mut self) -> String {
        self.next += 1;
        self.words.get_mut(self.next - 1).map(core::mem::take).unwrap_or_default()
    }
}

/// The shown elements as words of one width.
fn words(t: &Tensor, shown: &[usize], options: &PrintOptions) -> Vec<String> {
    let words: Vec<String> = match &*t.data {
        Data::F32(v) => return floats(&shown.iter().map(|&i| v[i]).collect::<Vec<_>>(), options),
        Data::I32(v) => shown.iter().map(|&i| v[i].to_string()).collect(),
        Data::U8(v) => shown.iter().map(|&i| v[i].to_string()).collect(),
        Data::Bool(v) => return shown.iter().map(|&i| if v[i] { " True" } else { "False" }.into()).collect(),
        Data::I8(v) => shown.iter().map(|&i| v[i].to_string()).collect(),
        Data::F16(v) => return floats(&shown.iter().map(|&i| decimal(v[i])).collect::<Vec<_>>(), options),
    };
    let wide = words.iter().map(String::len).max().unwrap_or(0);
    words.into_iter().map(|w| format!("{w:>wide$}")).collect()
}

fn scalar(t: &Tensor, options: &PrintOptions) -> String {
    let float = |x: f32| {
        let size = x.abs();
        if !x.is_finite() {
            special(x)
        } else if options.suppress || size == 0.0 || (1e-4..1e16).contains(&size) {
            let text = positional(x, options.precision);
            if text.ends_with('.') { text + "0" } else { text }
        } else {
            let (mantissa, exponent) = scientific(x, options.precision);
            format!("{}{exponent}", mantissa.strip_suffix('.').unwrap_or(&mantissa))
        }
    };
    match &*t.data {
        Data::F32(v) => float(v[0]),
        Data::F16(v) => float(decimal(v[0])),
        Data::I8(v) => v[0].to_string(),
        Data::I32(v) => v[0].to_string(),
        Data::U8(v) => v[0].to_string(),
        Data::Bool(v) => if v[0] { "True" } else { "False" }.into(),
    }
}

/// The float32 whose digits are the fewest that tell `x` from other float16 numbers.
fn decimal(x: f16) -> f32 {
    let exact = x.to_f32_const();
    if !x.is_finite() {
        return exact;
    }
    // Below, only the quotient of the last line is rounded.
    let size = exact.abs() as f64;
    let mut candidates = (-4..12).flat_map(|digits: i32| {
        let unit = (0..digits.abs()).fold(1.0f64, |unit, _| unit * 10.0);
        let scaled = if digits < 0 { size / unit } else { size * unit };
        // To even, and up where only the number above is near enough.
        let (low, up) = (scaled as u64, (scaled + 0.5) as u64);
        let even = if scaled - low as f64 == 0.5 { low + (low & 1) } else { up };
        [even, up].map(|n| if digits < 0 { n as f64 * unit } else { n as f64 / unit })
    });
    let short = candidates.find(|v| f16::from_f64_const(*v).to_bits() == x.to_bits() & 0x7fff);
    short.map_or(exact, |v| (v as f32).copysign(exact))
}

fn special(x: f32) -> String {
    if x.is_nan() {
        "nan"
    } else if x > 0.0 {
        "inf"
    } else {
        "-inf"
    }
    .into()
}

/// Digits up to `precision` after the point, without trailing zeros, always with a point.
fn positional(x: f32, precision: usize) -> String {
    let shortest = format!("{x}");
    let fraction = shortest.split_once('.').map_or(0, |(_, f)| f.len());
    let text = if fraction > precision { format!("{x:.precision$}") } else { shortest };
    match text.split_once('.') {
        Some((whole, fraction)) => format!("{whole}.{}", fraction.trim_end_matches('0')),
        None => text + ".",
    }
}

/// The mantissa, as [`positional`], and the exponent as `e+05`.
fn scientific(x: f32, precision: usize) -> (String, String) {
    let shortest = format!("{x:e}");
    let digits = shortest.split_once('e').map_or("", |(m, _)| m);
    let fraction = digits.split_once('.').map_or(0, |(_, f)| f.len());
    let text = if fraction > precision { format!("{x:.precision$e}") } else { shortest };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let mantissa = match mantissa.split_once('.') {
        Some((whole, fraction)) => format!("{whole}.{}", fraction.trim_end_matches('0')),
        None => format!("{mantissa}."),
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    (mantissa, format!("e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()))
}

/// Floats with their points below one another; with exponents where the sizes differ too much for that.
fn floats(values: &[f32], options: &PrintOptions) -> Vec<String> {
    let sizes = values.iter().map(|x| x.abs()).filter(|x| x.is_finite() && *x != 0.0);
    let (least, largest) = sizes.fold((f32::INFINITY, 0.0f32), |(a, b), x| (a.min(x), b.max(x)));
    let exponents = largest > 0.0
        && (largest >= 1e8
            || (!options.suppress && (least < 1e-4 || largest as f64 / least as f64 > 1000.0)))
        && !(options.suppress && largest < 1e8);
    let finite = values.iter().filter(|x| x.is_finite());
    let mut words: Vec<String> = Vec::new();
    let (whole, rest);
    if exponents {
        let parts: Vec<(String, String)> = finite.map(|&x| scientific(x, options.precision)).collect();
        let digits = |m: &str| m.split_once('.').map_or(0, |(_, f)| f.len());
        let fraction = parts.iter().map(|(m, _)| digits(m)).max().unwrap_or(0);
        whole = parts.iter().map(|(m, _)| m.len() - digits(m) - 1).max().unwrap_or(0);
        rest = 1 + fraction + parts.iter().map(|(_, e)| e.len()).max().unwrap_or(0);
        words.extend(parts.into_iter().map(|(m, e)| {
            let zeros = fraction - digits(&m);
            format!("{m}{:0<zeros$}{e}", "")
        }));
    } else {
        words.extend(finite.map(|&x| positional(x, options.precision)));
        let at = |w: &String| w.find('.').unwrap_or(w.len());
        whole = words.iter().map(at).max().unwrap_or(0);
        rest = words.iter().map(|w| w.len() - at(w)).max().unwrap_or(1);
    }
    let specials: Vec<String> = values.iter().filter(|x| !x.is_finite()).map(|&x| special(x)).collect();
    let wide = (whole + rest).max(specials.iter().map(String::len).max().unwrap_or(0));
    let (mut finite, mut specials) = (words.into_iter(), specials.into_iter());
    let word = |x: &f32| {
        if !x.is_finite() {
            return format!("{:>wide$}", specials.next().unwrap_or_default());
        }
        let word = finite.next().unwrap_or_default();
        let after = word.find('.').map_or(0, |at| word.len() - at);
        let padded = format!("{word}{:rest$}", "", rest = rest - after);
        format!("{padded:>wide$}")
    };
    values.iter().map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(dims: &[usize], data: &[f32]) -> String {
        Tensor::new(dims, data).unwrap().to_string()
    }

    #[test]
    fn reads_as_numpy_prints() {
        assert_eq!(text(&[3], &[1.0, 2.0, 3.0]), "[1. 2. 3.]");
        assert_eq!(text(&[2], &[0.1, -12.25]), "[  0.1  -12.25]");
        assert_eq!(text(&[3], &[1e-5, 1.5, 1000.0]), "[1.0e-05 1.5e+00 1.0e+03]");
        assert_eq!(text(&[4], &[f32::NAN, 1.0, f32::INFINITY, f32::NEG_INFINITY]), "[ nan   1.  inf -inf]");
        assert_eq!(text(&[], &[3.0]), "3.0");
        assert_eq!(text(&[0, 2], &[]), "[]");
        assert_eq!(text(&[2, 1, 2], &[1.0, 2.0, 3.0, 4.0]), "[[[1. 2.]]\n\n [[3. 4.]]]");
        assert_eq!(text(&[2], &[1.5, f32::NAN]), "[1.5 nan]");
        assert_eq!(text(&[], &[1e-5]), "1e-05");
        assert_eq!(text(&[], &[1.5e20]), "1.5e+20");
        assert_eq!(text(&[2], &[1e8, 1.0]), "[1.e+08 1.e+00]");
        assert_eq!(text(&[2], &[1e-45, 1.0]), "[1.e-45 1.e+00]");
        assert_eq!(text(&[2], &[0.001, 0.99]), "[0.001 0.99 ]");
        assert_eq!(text(&[3], &[1.0 / 3.0, 2.0 / 3.0, 123.456]), "[  0.33333334   0.6666667  123.456     ]");
        let special = [1.5e-7, -2.0, f32::NAN, 0.0];
        assert_eq!(text(&[2, 2], &special), "[[ 1.5e-07 -2.0e+00]\n [     nan  0.0e+00]]");
        let grid = Tensor::range(0.0, 1.5, 0.125).unwrap().reshape(&[2, 2, 3]).unwrap();
        assert_eq!(
            grid.to_string(),
            "[[[0.    0.125 0.25 ]\n  [0.375 0.5   0.625]]\n\n [[0.75  0.875 1.   ]\n  [1.125 1.25  1.375]]]"
        );
        let bools = Tensor::new(&[2], alloc::vec![true, false]).unwrap();
        assert_eq!(bools.to_string(), "[ True False]");
        let small = Tensor::new(&[3], alloc::vec![-128i8, 7, 127]).unwrap();
        assert_eq!(small.to_string(), "[-128    7  127]");
        let halves = |v: &[f32]| {
            let v: Vec<f16> = v.iter().map(|&x| f16::from_f32(x)).collect();
            Tensor::new(&[v.len()], v).unwrap()
        };
        assert_eq!(halves(&[0.1, 1.0 / 3.0]).to_string(), "[0.1    0.3333]");
        assert_eq!(halves(&[65504.0]).to_string(), "[65500.]");
        assert_eq!(halves(&[1.0 / 3.0, 1000.0]).to_string(), "[3.333e-01 1.000e+03]");
        assert_eq!(halves(&[f32::NAN, 1e9, -2.5]).to_string(), "[ nan  inf -2.5]");
        assert_eq!(halves(&[0.015625]).reshape(&[]).unwrap().to_string(), "0.01563");
        assert_eq!(halves(&[6e-8]).reshape(&[]).unwrap().to_string(), "6e-08");
        assert_eq!(Tensor::new(&[3], [7, -10, 0]).unwrap().to_string(), "[  7 -10   0]");
    }

    #[test]
    fn long_lines_wrap_and_large_tensors_are_summarised() {
        let x = Tensor::range(0.0, 2000.0, 1.0).unwrap();
        assert_eq!(x.to_string(), "[0.000e+00 1.000e+00 2.000e+00 ... 1.997e+03 1.998e+03 1.999e+03]");
        let grid = Tensor::range_i32(0, 1200, 1).unwrap().reshape(&[30, 40]).unwrap();
        let want = "[[   0    1    2 ...   37   38   39]\n [  40   41   42 ...   77   78   79]\n [  80   81   82 ...  117  118  119]\n ...\n [1080 1081 1082 ... 1117 1118 1119]\n [1120 1121 1122 ... 1157 1158 1159]\n [1160 1161 1162 ... 1197 1198 1199]]";
        assert_eq!(grid.to_string(), want);
        let line = Tensor::range_i32(0, 30, 1).unwrap().to_string();
        assert_eq!(
            line,
            "[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23\n 24 25 26 27 28 29]"
        );
        let rows = Tensor::range(0.0, 90.0, 1.5).unwrap().reshape(&[2, 30]).unwrap();
        let first =
            "[[ 0.   1.5  3.   4.5  6.   7.5  9.  10.5 12.  13.5 15.  16.5 18.  19.5\n  21.  22.5 24.";
        assert!(rows.to_string().starts_with(first));
    }
}
