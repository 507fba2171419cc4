//! Parameters as text that people and other programs read.

use std::format;
use std::path::Path;
use std::string::{String, ToString};
use std::vec::Vec;

use crate::{Data, Result, Tensor, Variables};

use super::atomic;

/// The trainable variables: for each its name, its shape as a Python tuple and all its values as NumPy prints them,
/// nothing left out.
///
/// ```
/// use gradling::{Tensor, Variables, io::text};
/// let mut variables = Variables::new();
/// variables.add("dense/bias", &Tensor::new(&[3], [0.0, -0.25, 1.0])?, true)?;
/// assert_eq!(text::parameters(&variables)?, "dense/bias\n(3,)\n[ 0.   -0.25  1.  ]\n");
/// # Ok::<(), gradling::Error>(())
/// ```
///
/// **Errors** never with variables of a model; as [`Variables::get`].
///
/// Reference: `numpy.array2string` with `threshold=inf`.
pub fn parameters(variables: &Variables) -> Result<String> {
    let mut text = String::new();
    for (id, variable) in variables.iter().filter(|(_, variable)| variable.trainable) {
        let value = variables.get(id)?;
        let parts = [variable.name.as_str(), "\n", &tuple(&value), "\n", &array(&value), "\n"];
        parts.iter().for_each(|part| text.push_str(part));
    }
    Ok(text)
}

/// Replaces the file at `path` by the text of [`parameters`]; a crash at any instant leaves the old or the new file
/// whole.
///
/// **Errors** when the folder cannot be written.
pub fn write_parameters(path: impl AsRef<Path>, variables: &Variables) -> Result<()> {
    atomic::write(path.as_ref(), parameters(variables)?.as_bytes())
}

/// The shape as Python writes it.
fn tuple(tensor: &Tensor) -> String {
    let dims: Vec<String> = tensor.shape().dims().iter().map(ToString::to_string).collect();
    if dims.len() == 1 { format!("({},)", dims[0]) } else { format!("({})", dims.join(", ")) }
}

/// Columns of text that NumPy fills at most.
const LINE: usize = 75;

/// All values as NumPy prints them.
fn array(tensor: &Tensor) -> String {
    let words = match tensor.data() {
        Data::F32(v) => floats(v),
        Data::I32(v) => aligned(v.iter().map(ToString::to_string).collect()),
        Data::U8(v) => aligned(v.iter().map(ToString::to_string).collect()),
        Data::Bool(v) => aligned(v.iter().map(|&b| if b { "True" } else { "False" }.to_string()).collect()),
    };
    let dims = tensor.shape().list();
    match words.first() {
        None => "[]".to_string(),
        Some(word) if dims.is_empty() => word.trim().to_string(),
        Some(_) => nested(&words, &dims, 1, LINE),
    }
}

/// Brackets around the words of an array of `dims` that begins in column `indent - 1` and may use `width` columns.
fn nested(words: &[String], dims: &[usize], indent: usize, width: usize) -> String {
    let blanks = |n: usize| " ".repeat(n);
    let mut text = String::from("[");
    if let [_, inner @ ..] = dims
        && !inner.is_empty()
    {
        let block = inner.iter().product::<usize>();
        for (i, part) in words.chunks(block.max(1)).enumerate() {
            if i > 0 {
                text.push_str(&"\n".repeat(inner.len()));
                text.push_str(&blanks(indent));
            }
            text.push_str(&nested(part, inner, indent + 1, width - 1));
        }
    } else {
        let mut column = indent;
        for (i, word) in words.iter().enumerate() {
            // The last word needs room for a bracket that the width does not count.
            let room = if i + 1 == words.len() { width } else { width - 1 };
            if column + word.len() > room && column > indent {
                text.truncate(text.trim_end_matches(' ').len());
                text.push('\n');
                text.push_str(&blanks(indent));
                column = indent;
            }
            text.push_str(word);
            text.push(' ');
            column += word.len() + 1;
        }
        text.pop();
    }
    text.push(']');
    text
}

/// Words of one width, blanks in front.
fn aligned(words: Vec<String>) -> Vec<String> {
    let width = words.iter().map(String::len).max().unwrap_or(0);
    words.into_iter().map(|word| format!("{word:>width$}")).collect()
}

/// As few digits as tell a value from its neighbours, at most 8 of them after the point; exponents for all where the
/// values span much.
fn floats(values: &[f32]) -> Vec<String> {
    const DIGITS: usize = 8;
    let sizes = || values.iter().map(|v| v.abs()).filter(|v| v.is_finite() && *v > 0.0);
    let least = sizes().fold(f32::INFINITY, f32::min);
    let most = sizes().fold(0.0, f32::max);
    let exponents = sizes().next().is_some()
        && (most >= 1e8 || least < 1e-4 || f64::from(most) / f64::from(least) > 1000.0);
    // Digits before and after the point, and the exponent.
    let parts: Vec<(String, String, String)> = values
        .iter()
        .map(|&value| {
            if !value.is_finite() {
                let word = if value.is_nan() {
                    "nan"
                } else if value > 0.0 {
                    "inf"
                } else {
                    "-inf"
                };
                return (word.to_string(), String::new(), String::new());
            }
            let word = if exponents { format!("{value:e}") } else { format!("{value}") };
            let (digits, exponent) = word.split_once('e').unwrap_or((&word, ""));
            let fraction = digits.split_once('.').map_or("", |(_, fraction)| fraction);
            let digits = match (fraction.len() > DIGITS, exponents) {
                (false, _) => digits.to_string(),
                (true, false) => format!("{value:.DIGITS$}").trim_end_matches('0').to_string(),
                (true, true) => {
                    let word = format!("{value:.DIGITS$e}");
                    word.split_once('e').map_or("", |(digits, _)| digits).trim_end_matches('0').to_string()
                }
            };
            let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
            let exponent = match exponent.strip_prefix('-') {
                _ if exponent.is_empty() => String::new(),
                Some(power) => format!("e-{power:0>2}"),
                None => format!("e+{exponent:0>2}"),
            };
            (whole.to_string(), fraction.to_string(), exponent)
        })
        .collect();
    let after = parts.iter().map(|(_, fraction, _)| fraction.len()).max().unwrap_or(0);
    let words = parts.into_iter().zip(values).map(|((whole, fraction, exponent), value)| {
        if !value.is_finite() {
            whole
        } else if exponents {
            format!("{whole}.{fraction:0<after$}{exponent}")
        } else {
            format!("{whole}.{fraction:<after$}")
        }
    });
    let words: Vec<String> = words.collect();
    aligned(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn text(dims: &[usize], values: Vec<f32>) -> String {
        array(&Tensor::new(dims, values).unwrap())
    }

    #[test]
    fn floats_as_numpy_prints_them() {
        assert_eq!(text(&[3], vec![0.1, 0.25, -3.0]), "[ 0.1   0.25 -3.  ]");
        assert_eq!(text(&[2], vec![1.0, 2.0]), "[1. 2.]");
        assert_eq!(text(&[2], vec![1e-5, 1.0]), "[1.e-05 1.e+00]");
        assert_eq!(text(&[3], vec![1.5e-5, 0.0, -2.0]), "[ 1.5e-05  0.0e+00 -2.0e+00]");
        assert_eq!(text(&[2], vec![1.0, 1000.5]), "[1.0000e+00 1.0005e+03]");
        assert_eq!(text(&[3], vec![f32::NAN, 1.5, f32::NEG_INFINITY]), "[ nan  1.5 -inf]");
        assert_eq!(text(&[2], vec![0.123_456_79, 12.5]), "[ 0.12345679 12.5       ]");
        assert_eq!(text(&[1], vec![1e8]), "[1.e+08]");
        assert_eq!(text(&[], vec![0.5]), "0.5");
        assert_eq!(text(&[0], vec![]), "[]");
        assert_eq!(text(&[2], vec![0.0, -0.0]), "[ 0. -0.]");
    }

    #[test]
    fn lines_break_where_numpy_breaks_them() {
        let row: Vec<f32> = (0..30).map(|i| i as f32).collect();
        let lines = "[ 0.  1.  2.  3.  4.  5.  6.  7.  8.  9. 10. 11. 12. 13. 14. 15. 16. 17.\n \
                     18. 19. 20. 21. 22. 23. 24. 25. 26. 27. 28. 29.]";
        assert_eq!(text(&[30], row), lines);
        let cube = array(&Tensor::new(&[2, 2, 2], (0..8).collect::<Vec<i32>>()).unwrap());
        assert_eq!(cube, "[[[0 1]\n  [2 3]]\n\n [[4 5]\n  [6 7]]]");
        let flags = array(&Tensor::new(&[2, 1], vec![true, false]).unwrap());
        assert_eq!(flags, "[[ True]\n [False]]");
    }
}
