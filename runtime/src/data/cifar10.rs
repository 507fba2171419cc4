//! CIFAR-10: colour pictures of 32x32 pixels in ten classes (Krizhevsky, "Learning multiple layers of features from
//! tiny images", 2009).

use std::path::Path;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use crate::io::atomic;
use crate::{Result, Tensor, format_error, misuse};

use super::archive;

/// What the labels mean.
pub const CLASS_NAMES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

const SIDE: usize = 32;
const PIXELS: usize = SIDE * SIDE;
const RECORD: usize = 1 + 3 * PIXELS;
/// Files of the data set have 10,000 records; larger ones are not read.
const MAX_BYTES: u64 = 100_000 * RECORD as u64;

/// The data set as it lies in its files. Pictures are `U8` of shape `[count, 32, 32, 3]`, labels `U8` of shape
/// `[count]`.
#[derive(Clone, Debug)]
pub struct Cifar10 {
    /// Training pictures.
    pub train_x: Tensor,
    /// Training labels, 0 to 9.
    pub train_y: Tensor,
    /// Test pictures.
    pub test_x: Tensor,
    /// Test labels, 0 to 9.
    pub test_y: Tensor,
}

/// Loads CIFAR-10 in its binary form: from a folder with `data_batch_1.bin` to `data_batch_5.bin` (those that are
/// there, in this order) and `test_batch.bin`, or with a folder `cifar-10-batches-bin` that has them; or from a
/// `.tar.gz` or `.tar` of them, which is read without unpacking it to the disk.
///
/// **Errors**: files that are missing or cannot be read, a size that is no multiple of 3073 bytes, a label above 9.
/// Errors name the file.
pub fn load(path: impl AsRef<Path>) -> Result<Cifar10> {
    let path = path.as_ref();
    let batches = if path.is_dir() { from_folder(path)? } else { from_archive(path)? };
    batches.join().map_err(|error| error.within(&path.to_string_lossy()))
}

/// Pictures and labels from the bytes of a batch file: for each record a label, then the red, the green and the blue
/// plane.
///
/// **Shape**: `U8 [count, 32, 32, 3]` and `U8 [count]`.
///
/// **Errors**: no record, a size that is no multiple of 3073 bytes, a label above 9.
pub fn parse(bytes: &[u8]) -> Result<(Tensor, Tensor)> {
    let count = bytes.len() / RECORD;
    if count == 0 || !bytes.len().is_multiple_of(RECORD) {
        return Err(format_error!(
            "CIFAR-10: expected records of {RECORD} bytes, got {} bytes; the file is truncated or none",
            bytes.len()
        ));
    }
    let mut pictures = vec![0; count * 3 * PIXELS];
    let mut labels = Vec::with_capacity(count);
    for (i, (record, picture)) in
        bytes.chunks_exact(RECORD).zip(pictures.chunks_exact_mut(3 * PIXELS)).enumerate()
    {
        if record[0] > 9 {
            return Err(format_error!("CIFAR-10: record {i}: expected a label 0 to 9, got {}", record[0]));
        }
        labels.push(record[0]);
        for (channel, plane) in record[1..].chunks_exact(PIXELS).enumerate() {
            picture[channel..].iter_mut().step_by(3).zip(plane).for_each(|(to, &from)| *to = from);
        }
    }
    Ok((Tensor::new(&[count, SIDE, SIDE, 3], pictures)?, Tensor::new(&[count], labels)?))
}

/// The bytes of batch files by their number; the test batch is number 0.
#[derive(Default)]
struct BatchFiles([Option<Vec<u8>>; 6]);

impl BatchFiles {
    fn join(self) -> Result<Cifar10> {
        let mut batches = self.0.into_iter();
        let test = batches.next().flatten();
        let test = test.ok_or_else(|| misuse!("CIFAR-10: expected a file test_batch.bin, found none"))?;
        let train: Vec<u8> = batches.flatten().flatten().collect();
        if train.is_empty() {
            return Err(misuse!("CIFAR-10: expected files data_batch_1.bin to data_batch_5.bin, found none"));
        }
        let (train_x, train_y) = parse(&train)?;
        let (test_x, test_y) = parse(&test).map_err(|error| error.within("test_batch.bin"))?;
        Ok(Cifar10 { train_x, train_y, test_x, test_y })
    }

    /// Keeps a file if it is one of the data set's; a file with a broken end must not shift the next.
    fn put(&mut self, name: &str, bytes: Vec<u8>) -> Result<()> {
        if !bytes.len().is_multiple_of(RECORD) {
            return Err(format_error!(
                "{name}: expected records of {RECORD} bytes, got {} bytes; the file is truncated",
                bytes.len()
            ));
        }
        if let Some(slot) = number(name) {
            self.0[slot] = Some(bytes);
        }
        Ok(())
    }
}

/// The number of the batch that a file of this path holds.
fn number(path: &str) -> Option<usize> {
    let name = path.rsplit('/').next()?;
    (0..6).find(|&i| name == file_name(i))
}

fn file_name(batch: usize) -> String {
    if batch == 0 { "test_batch.bin".to_string() } else { std::format!("data_batch_{batch}.bin") }
}

fn from_folder(folder: &Path) -> Result<BatchFiles> {
    let inside = folder.join("cifar-10-batches-bin");
    let folder = if inside.is_dir() { &inside } else { folder };
    let mut batches = BatchFiles::default();
    for name in (0..6).map(file_name) {
        let path = folder.join(&name);
        if path.is_file() {
            batches.put(&path.to_string_lossy(), atomic::read(&path)?)?;
        }
    }
    Ok(batches)
}

fn from_archive(path: &Path) -> Result<BatchFiles> {
    let mut batches = BatchFiles::default();
    archive::read(path, |entry| {
        if number(&entry.name).is_none() {
            return Ok(true);
        }
        let bytes = entry.read(MAX_BYTES)?;
        batches.put(&entry.name, bytes)?;
        Ok(true)
    })?;
    Ok(batches)
}
