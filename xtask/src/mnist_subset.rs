//! Builds the MNIST subset that is embedded in the `gradling` command: every tenth picture of the original files.
//!
//! Layout, gzip-compressed (little endian): `b"MNSB"`, `u32` number of training pictures, `u32` number of test
//! pictures, training pictures (28 * 28 bytes each), training labels (a byte each), test pictures, test labels.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};

const SIDE: usize = 28;
/// Every `STRIDE`-th example is taken: 6,000 of 60,000 and 1,000 of 10,000, from the whole range of writers.
const STRIDE: usize = 10;
/// Above this size the file is refused: it is part of every build of the command.
const MAX_BYTES: usize = 1_500_000;

/// Reads the four MNIST files in `source` (gzip or plain) and writes the subset to `out`.
///
/// **Errors**: a missing file, one that is not MNIST, pictures and labels of different number, a result above 1.5 MB.
pub fn run(source: &Path, out: &Path) -> io::Result<()> {
    let (train_x, train_y) = every_tenth(source, "train")?;
    let (test_x, test_y) = every_tenth(source, "t10k")?;
    let mut bytes = Vec::with_capacity(12 + train_x.len() + train_y.len() + test_x.len() + test_y.len());
    bytes.extend_from_slice(b"MNSB");
    bytes.extend_from_slice(&(train_y.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&(test_y.len() as u32).to_le_bytes());
    for part in [&train_x, &train_y, &test_x, &test_y] {
        bytes.extend_from_slice(part);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&bytes)?;
    let packed = encoder.finish()?;
    if packed.len() > MAX_BYTES {
        return Err(invalid(format!("the subset is {} bytes, above {MAX_BYTES}", packed.len())));
    }
    fs::write(out, &packed)?;
    println!("{}: {} + {} pictures, {} bytes", out.display(), train_y.len(), test_y.len(), packed.len());
    Ok(())
}

/// Pictures and labels of one half (`train` or `t10k`), thinned.
fn every_tenth(source: &Path, half: &str) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let images = read(source, &format!("{half}-images-idx3-ubyte"))?;
    let labels = read(source, &format!("{half}-labels-idx1-ubyte"))?;
    let images = body(&images, &[None, Some(SIDE), Some(SIDE)], half)?;
    let labels = body(&labels, &[None], half)?;
    if images.len() != labels.len() * SIDE * SIDE {
        return Err(invalid(format!(
            "{half}: {} bytes of pictures for {} labels",
            images.len(),
            labels.len()
        )));
    }
    let picked = images.chunks_exact(SIDE * SIDE).step_by(STRIDE).flatten().copied().collect();
    Ok((picked, labels.iter().step_by(STRIDE).copied().collect()))
}

/// The bytes of `name` or `name.gz` in `folder`, decompressed.
fn read(folder: &Path, name: &str) -> io::Result<Vec<u8>> {
    let plain = folder.join(name);
    let (path, packed) =
        if plain.exists() { (plain, false) } else { (folder.join(format!("{name}.gz")), true) };
    let file = File::open(&path).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
    let mut bytes = Vec::new();
    if packed {
        MultiGzDecoder::new(file).read_to_end(&mut bytes)?
    } else {
        (&file).read_to_end(&mut bytes)?
    };
    Ok(bytes)
}

/// The elements of an IDX file of unsigned bytes whose sizes agree with `dims` (`None`: any).
fn body<'a>(bytes: &'a [u8], dims: &[Option<usize>], name: &str) -> io::Result<&'a [u8]> {
    let start = 4 + 4 * dims.len();
    let header = bytes.get(..start).ok_or_else(|| invalid(format!("{name}: truncated header")))?;
    if header[..4] != [0, 0, 8, dims.len() as u8] {
        return Err(invalid(format!("{name}: not an IDX file of {}-dimensional bytes", dims.len())));
    }
    let mut count = 1usize;
    for (size, wanted) in header[4..].chunks_exact(4).zip(dims) {
        let size = u32::from_be_bytes([size[0], size[1], size[2], size[3]]) as usize;
        if wanted.is_some_and(|w| w != size) {
            return Err(invalid(format!("{name}: a size of {size}, expected {wanted:?}")));
        }
        count = count.saturating_mul(size);
    }
    if bytes.len() - start != count {
        return Err(invalid(format!(
            "{name}: {} elements, the header promises {count}",
            bytes.len() - start
        )));
    }
    Ok(&bytes[start..])
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
