//! Every tenth picture of MNIST, embedded (feature `mnist-subset`), so that programs run without files or network.
//!
//! MNIST by Yann LeCun, Corinna Cortes and Christopher J. C. Burges, licence CC BY-SA 3.0.

use std::io::Read;
use std::vec::Vec;

use flate2::read::GzDecoder;

use crate::{Result, Tensor, format_error};

use super::mnist::Mnist;

/// The embedded file: gzip of `b"MNSB"`, two `u32` counts (training, test), training pictures and labels, test
/// pictures and labels; little endian, a byte per pixel and per label.
pub static BYTES: &[u8] = include_bytes!("mnist_subset.bin.gz");

const SIDE: usize = 28;
/// The most pictures that one half may promise: that of MNIST itself.
const MAX_PICTURES: usize = 60_000;

/// The 6,000 training and 1,000 test pictures.
pub fn load() -> Result<Mnist> {
    parse(BYTES).map_err(|error| error.within("embedded MNIST subset"))
}

/// Reads a file in the layout of [`BYTES`].
///
/// **Errors**: broken gzip, another magic number, counts of zero or above 60,000, fewer or more bytes than promised.
pub fn parse(packed: &[u8]) -> Result<Mnist> {
    let mut source = GzDecoder::new(packed);
    let mut header = [0; 12];
    source.read_exact(&mut header).map_err(|e| format_error!("header: {e}"))?;
    let [m, n, s, b, counts @ ..] = header;
    if [m, n, s, b] != *b"MNSB" {
        return Err(format_error!("expected the magic number MNSB, got {:02x?}", [m, n, s, b]));
    }
    let [a, b, c, d, e, f, g, h] = counts;
    let train = u32::from_le_bytes([a, b, c, d]) as usize;
    let test = u32::from_le_bytes([e, f, g, h]) as usize;
    for count in [train, test] {
        if !(1..=MAX_PICTURES).contains(&count) {
            return Err(format_error!("expected 1 to {MAX_PICTURES} pictures, got {count}"));
        }
    }
    let mut part = |dims: &[usize]| -> Result<Tensor> {
        let count: usize = dims.iter().product();
        let mut bytes = Vec::with_capacity(count);
        source
            .by_ref()
            .take(count as u64)
            .read_to_end(&mut bytes)
            .map_err(|e| format_error!("broken gzip: {e}"))?;
        if bytes.len() != count {
            return Err(format_error!("truncated: expected {count} bytes, got {}", bytes.len()));
        }
        Tensor::new(dims, bytes)
    };
    let mnist = Mnist {
        train_x: part(&[train, SIDE, SIDE])?,
        train_y: part(&[train])?,
        test_x: part(&[test, SIDE, SIDE])?,
        test_y: part(&[test])?,
    };
    let mut rest = [0];
    match source.read(&mut rest) {
        Ok(0) => mnist.check(),
        Ok(_) => Err(format_error!("bytes follow the last label")),
        Err(e) => Err(format_error!("broken gzip: {e}")),
    }
}
