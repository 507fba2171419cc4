//! The IDX format of the MNIST files: a big-endian header, then the elements row-major.
//!
//! ```text
//! 0x00 0x00 TYPE RANK   TYPE 0x08 is an unsigned byte
//! RANK sizes            u32 each
//! elements
//! ```
//! Reference: <http://yann.lecun.com/exdb/mnist/>.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::vec::Vec;

use flate2::read::MultiGzDecoder;

use crate::{MAX_RANK, Result, Tensor, device_error, format_error};

/// The most elements that one file may promise.
pub const MAX_ELEMENTS: usize = 1 << 30;

const UNSIGNED_BYTE: u8 = 0x08;

/// Reads an IDX file of unsigned bytes, gzip-compressed or not (told by its first bytes), into a `U8` tensor.
///
/// **Shape**: the sizes in the header, for example `[60000, 28, 28]`.
///
/// **Errors**: a header that is not IDX, another element type, rank 0 or above 8, an empty dimension, more than
/// [`MAX_ELEMENTS`], fewer or more elements than promised, broken gzip. Nothing is decompressed beyond one byte
/// past the promised end, so a small file cannot fill the memory.
///
/// ```
/// let tensor = gradling::data::idx::parse(&[0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9])?;
/// assert_eq!(tensor.as_u8()?, [7, 8, 9]);
/// # Ok::<(), gradling::Error>(())
/// ```
pub fn parse(bytes: &[u8]) -> Result<Tensor> {
    if bytes.starts_with(&[0x1f, 0x8b]) { elements(MultiGzDecoder::new(bytes)) } else { elements(bytes) }
}

/// [`parse`] of the file at `path`; errors name the file.
///
/// **Errors**: as [`parse`], and a file that cannot be read.
pub fn read(path: &Path) -> Result<Tensor> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .map_err(|e| device_error!("{}: {e}", path.display()))?;
    parse(&bytes).map_err(|error| error.within(&path.to_string_lossy()))
}

fn elements(mut source: impl Read) -> Result<Tensor> {
    let mut magic = [0; 4];
    fill(&mut source, &mut magic, "the magic number")?;
    let [zero, nought, element, rank] = magic;
    if zero != 0 || nought != 0 {
        return Err(format_error!(
            "not an IDX file: expected a magic number 0x0000...., got 0x{:08x}",
            u32::from_be_bytes(magic)
        ));
    }
    if element != UNSIGNED_BYTE {
        return Err(format_error!(
            "IDX element type: expected 0x{UNSIGNED_BYTE:02x} (unsigned byte), got 0x{element:02x}"
        ));
    }
    let rank = usize::from(rank);
    if !(1..=MAX_RANK).contains(&rank) {
        return Err(format_error!("IDX rank: expected 1 to {MAX_RANK}, got {rank}"));
    }
    let mut dims = [0; MAX_RANK];
    for dim in &mut dims[..rank] {
        let mut size = [0; 4];
        fill(&mut source, &mut size, "the sizes")?;
        *dim = u32::from_be_bytes(size) as usize;
    }
    let dims = &dims[..rank];
    let count = dims
        .iter()
        .try_fold(1usize, |product, &dim| product.checked_mul(dim))
        .filter(|count| (1..=MAX_ELEMENTS).contains(count))
        .ok_or_else(|| format_error!("IDX sizes {dims:?}: expected 1 to {MAX_ELEMENTS} elements in all"))?;

    let mut data = Vec::new();
    source
        .take(count as u64 + 1)
        .read_to_end(&mut data)
        .map_err(|e| format_error!("IDX sizes {dims:?}: broken gzip after {} elements: {e}", data.len()))?;
    match data.len() {
        got if got < count => {
            Err(format_error!("truncated: IDX sizes {dims:?} promise {count} bytes, got {got}"))
        }
        got if got > count => {
            Err(format_error!("trailing bytes: IDX sizes {dims:?} promise {count} bytes, more follow"))
        }
        _ => Tensor::new(dims, data),
    }
}

/// Fills `into` from `source`; `what` is being read.
fn fill(source: &mut impl Read, into: &mut [u8], what: &str) -> Result<()> {
    source.read_exact(into).map_err(|e| format_error!("truncated in {what} of an IDX header: {e}"))
}
