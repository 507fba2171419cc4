//! NumPy's array files.
//!
//! ```text
//! 0x93 NUMPY MAJOR MINOR   MAJOR is 1, 2 or 3
//! header length            u16, from version 2 on u32, little-endian
//! header                   {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } and spaces, a line end
//! elements                 row-major
//! ```
//! Reference: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use std::format;
use std::path::Path;
use std::string::String;
use std::vec::Vec;

use crate::io::atomic;
use crate::{Data, MAX_RANK, Result, Shape, Tensor, f16, format_error, unsupported};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// The start of elements is a multiple of this.
const ALIGN: usize = 64;

/// Reads the array file at `path`: see [`parse`].
///
/// **Errors**: as [`parse`], and a file that cannot be read. Errors name the file.
pub fn read(path: impl AsRef<Path>) -> Result<Tensor> {
    let path = path.as_ref();
    parse(&atomic::read(path)?).map_err(|error| error.within(&path.to_string_lossy()))
}

/// Replaces the array file at `path`; a crash at any instant leaves the old or the new file whole.
///
/// **Errors** when the folder cannot be written.
pub fn write(path: impl AsRef<Path>, tensor: &Tensor) -> Result<()> {
    atomic::write(path.as_ref(), &to_bytes(tensor))
}

/// An array from the bytes of its file. float16, int8, uint8 and booleans stay, other floats become float32, other
/// integers int32; both byte orders are read.
///
/// **Errors**: bytes that are no such file, another version, an element type that is none of f2, f4, f8, i1, i2, i4,
/// i8, u1, u2, u4, u8 and b1, an integer that int32 does not hold, elements in Fortran's order, more than 8 axes,
/// fewer or more elements than promised.
///
/// ```
/// use gradling::{Tensor, data::npy};
/// let tensor = Tensor::new(&[2, 2], [1.0, 2.0, 3.0, 4.0])?;
/// assert_eq!(npy::parse(&npy::to_bytes(&tensor))?, tensor);
/// # Ok::<(), gradling::Error>(())
/// ```
pub fn parse(bytes: &[u8]) -> Result<Tensor> {
    if bytes.get(..6) != Some(MAGIC) {
        return Err(format_error!("not an .npy file: expected it to start with \\x93NUMPY"));
    }
    let truncated = || format_error!(".npy file: truncated in its header, {} bytes", bytes.len());
    let version = *bytes.get(6).ok_or_else(truncated)?;
    let (start, length): (usize, usize) = match (version, bytes.get(8..12)) {
        (1, Some(n)) => (10, usize::from(u16::from_le_bytes([n[0], n[1]]))),
        (2 | 3, Some(n)) => (12, u32::from_le_bytes([n[0], n[1], n[2], n[3]]) as usize),
        (1..=3, None) => return Err(truncated()),
        _ => return Err(unsupported!(".npy file: expected version 1, 2 or 3, got {version}")),
    };
    let end = start.checked_add(length).filter(|&end| end <= bytes.len()).ok_or_else(truncated)?;
    let header = std::str::from_utf8(&bytes[start..end])
        .map_err(|_| format_error!(".npy file: expected a header of text"))?;
    let Header { descr, fortran_order, dims } = parse_header(header)
        .ok_or_else(|| format_error!(".npy file: cannot read the header {:?}", header.trim_end()))?;
    if fortran_order {
        return Err(unsupported!(
            ".npy file: elements are in Fortran's order; save numpy.ascontiguousarray of the array"
        ));
    }
    if dims.len() > MAX_RANK {
        return Err(unsupported!(".npy file: expected at most {MAX_RANK} axes, got {}", dims.len()));
    }
    let shape = Shape::new(&dims).map_err(|error| error.within(".npy file"))?;
    elements(&descr, shape, &bytes[end..])
}

/// The bytes of the array file, version 1: what `numpy.save` writes.
pub fn to_bytes(tensor: &Tensor) -> Vec<u8> {
    let descr = match tensor.data() {
        Data::F32(_) => "<f4",
        Data::I32(_) => "<i4",
        Data::U8(_) => "|u1",
        Data::Bool(_) => "|b1",
        Data::I8(_) => "|i1",
        Data::F16(_) => "<f2",
    };
    let dims: Vec<String> = tensor.shape().dims().iter().map(|dim| format!("{dim}")).collect();
    let comma = if dims.len() == 1 { "," } else { "" };
    let shape = format!("({}{comma})", dims.join(", "));
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let total = (10 + header.len() + 1).next_multiple_of(ALIGN);
    header.extend(std::iter::repeat_n(' ', total - 10 - header.len() - 1));
    header.push('\n');
    let mut bytes = Vec::with_capacity(total + tensor.numel() * tensor.dtype().size());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&[1, 0]);
    // At most 8 axes of at most 10 digits: the length fits in 16 bits.
    bytes.extend_from_slice(&(header.len() as u16).to_le_bytes());
    bytes.extend_from_slice(header.as_bytes());
    match tensor.data() {
        Data::F32(v) => v.iter().for_each(|x| bytes.extend_from_slice(&x.to_le_bytes())),
        Data::I32(v) => v.iter().for_each(|x| bytes.extend_from_slice(&x.to_le_bytes())),
        Data::F16(v) => v.iter().for_each(|x| bytes.extend_from_slice(&x.to_le_bytes())),
        Data::U8(v) => bytes.extend_from_slice(v),
        Data::I8(v) => bytes.extend(v.iter().map(|&b| b as u8)),
        Data::Bool(v) => bytes.extend(v.iter().map(|&b| u8::from(b))),
    }
    bytes
}

struct Header {
    descr: String,
    fortran_order: bool,
    dims: Vec<usize>,
}

/// Reads the three entries of the header, in any order.
fn parse_header(text: &str) -> Option<Header> {
    let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    let (mut descr, mut fortran_order, mut dims) = (None, None, None);
    while !rest.is_empty() {
        let (key, after) = quoted(rest)?;
        rest = after.trim_start().strip_prefix(':')?.trim_start();
        match key {
            "descr" => {
                let (value, after) = quoted(rest)?;
                (descr, rest) = (Some(value), after);
            }
            "fortran_order" => {
                let word = rest.split(|c: char| !c.is_ascii_alphabetic()).next()?;
                fortran_order = match word {
                    "True" => Some(true),
                    "False" => Some(false),
                    _ => return None,
                };
                rest = &rest[word.len()..];
            }
            "shape" => {
                let (inside, after) = rest.strip_prefix('(')?.split_once(')')?;
                let list = inside.trim().trim_end_matches(',').split(',').map(str::trim);
                let list = list.filter(|dim| !(dim.is_empty() && inside.trim().is_empty()));
                // Python 2 marks long integers.
                let number = |dim: &str| dim.trim_end_matches('L').parse::<usize>().ok();
                (dims, rest) = (Some(list.map(number).collect::<Option<Vec<_>>>()?), after);
            }
            _ => return None,
        }
        rest = rest.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    Some(Header { descr: String::from(descr?), fortran_order: fortran_order?, dims: dims? })
}

/// The text in quotes at the start of `text`, and what follows.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}

fn elements(descr: &str, shape: Shape, bytes: &[u8]) -> Result<Tensor> {
    let unknown = || {
        unsupported!(
            ".npy file: element type {descr:?} is none of f2, f4, f8, i1, i2, i4, i8, u1, u2, u4, u8 and b1; cast the \
             array, for example to float32"
        )
    };
    let (order, kind) = descr.split_at_checked(1).ok_or_else(unknown)?;
    if !matches!(order, "<" | ">" | "|" | "=") {
        return Err(unknown());
    }
    let width = match kind {
        "b1" | "i1" | "u1" => 1,
        "f2" | "i2" | "u2" => 2,
        "f4" | "i4" | "u4" => 4,
        "f8" | "i8" | "u8" => 8,
        _ => return Err(unknown()),
    };
    let expected = shape.numel().saturating_mul(width);
    if bytes.len() != expected {
        let wrong = if bytes.len() < expected { "truncated" } else { "trailing bytes" };
        return Err(format_error!(
            ".npy file: {wrong}: shape {shape} of {descr} takes {expected} bytes, got {}",
            bytes.len()
        ));
    }
    // Every element widened to 8 little-endian bytes, of which the first `width` are set.
    let words = bytes.chunks_exact(width).map(|element| {
        let mut word = [0u8; 8];
        word[..width].copy_from_slice(element);
        if order == ">" {
            word[..width].reverse();
        }
        u64::from_le_bytes(word)
    });
    let integers = |signed: bool| -> Result<Data> {
        let unused = 64 - 8 * width as u32;
        let values = words.clone().enumerate().map(|(at, word)| {
            let (value, held) = if signed {
                let value = ((word << unused) as i64) >> unused;
                (value as i128, i32::try_from(value))
            } else {
                (i128::from(word), i32::try_from(word))
            };
            held.map_err(|_| unsupported!(".npy file: element {at} is {value}, which int32 does not hold"))
        });
        values.collect::<Result<Vec<i32>>>().map(Data::I32)
    };
    let data = match kind {
        "f4" => Data::F32(words.map(|word| f32::from_bits(word as u32)).collect()),
        "f8" => Data::F32(words.map(|word| f64::from_bits(word) as f32).collect()),
        "u1" => Data::U8(bytes.to_vec()),
        "b1" => Data::Bool(bytes.iter().map(|&b| b != 0).collect()),
        "f2" => Data::F16(words.map(|word| f16::from_bits(word as u16)).collect()),
        "i1" => Data::I8(bytes.iter().map(|&b| b as i8).collect()),
        "u2" | "u4" | "u8" => integers(false)?,
        _ => integers(true)?,
    };
    Tensor::new(&shape.list(), data)
}
