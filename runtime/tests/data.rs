//! Data sets: hostile IDX files, the order of shuffles, the embedded MNIST subset.
#![cfg(feature = "std")]

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};
use gradling::data::{Dataset, idx, mnist};
use gradling::{Error, Result, Tensor};

fn file(element: u8, dims: &[u32], body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, element, dims.len() as u8];
    bytes.extend(dims.iter().flat_map(|d| d.to_be_bytes()));
    bytes.extend_from_slice(body);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A new empty folder below the build directory.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[track_caller]
fn refused(bytes: &[u8], part: &str) {
    match idx::parse(bytes) {
        Err(Error::Format(message)) => assert!(message.contains(part), "{message:?} does not say {part:?}"),
        other => panic!("expected a format error with {part:?}, got {other:?}"),
    }
}

#[test]
fn idx_is_read_plain_and_compressed() {
    let bytes = file(8, &[2, 3], &[1, 2, 3, 4, 5, 6]);
    for bytes in [gzip(&bytes), bytes] {
        let tensor = idx::parse(&bytes).unwrap();
        assert_eq!(tensor.shape().dims(), [2, 3]);
        assert_eq!(tensor.as_u8().unwrap(), [1, 2, 3, 4, 5, 6]);
    }
}

#[test]
fn hostile_idx_is_refused() {
    refused(&[], "truncated in the magic number");
    refused(&[0, 0, 8], "truncated in the magic number");
    refused(b"\x89PNG\r\n\x1a\n", "expected a magic number 0x0000...., got 0x89504e47");
    refused(&file(0x0d, &[1], &[0; 4]), "expected 0x08 (unsigned byte), got 0x0d");
    refused(&file(8, &[], &[]), "rank: expected 1 to 8, got 0");
    refused(&file(8, &[1; 9], &[0]), "rank: expected 1 to 8, got 9");
    refused(&file(8, &[2, 2], &[])[..9], "truncated in the sizes");
    refused(&file(8, &[u32::MAX; 8], &[0]), "elements in all");
    refused(&file(8, &[65536; 4], &[0]), "elements in all");
    refused(&file(8, &[0, 28, 28], &[]), "elements in all");
    refused(&file(8, &[1 << 30], &[0; 10]), "promise 1073741824 bytes, got 10");
    refused(&file(8, &[2, 2], &[0; 3]), "truncated");
    refused(&file(8, &[2, 2], &[0; 5]), "trailing bytes");
    refused(&gzip(&file(8, &[2, 2], &[0; 3])), "truncated");
    refused(&gzip(&file(8, &[2, 2], &[0; 5])), "trailing bytes");
}

#[test]
fn broken_gzip_is_refused() {
    let body: Vec<u8> = (0..4096u32).map(|i| ((i * i) >> 3) as u8).collect();
    let packed = gzip(&file(8, &[4096], &body));
    for end in 0..packed.len() {
        assert!(matches!(idx::parse(&packed[..end]), Err(Error::Format(_))), "cut after {end} bytes");
    }
    for at in 10..packed.len() {
        let mut torn = packed.clone();
        torn[at] ^= 0x55;
        assert!(idx::parse(&torn).is_err(), "byte {at} turned");
    }
}

#[test]
fn a_gzip_bomb_is_not_inflated() {
    // 256 MiB of zeros behind a header that promises 16 bytes.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&file(8, &[16], &[])).unwrap();
    let block = vec![0; 1 << 20];
    for _ in 0..256 {
        encoder.write_all(&block).unwrap();
    }
    refused(&encoder.finish().unwrap(), "trailing bytes");
}

#[test]
fn files_are_named_in_errors() {
    let folder = folder("idx-names");
    let path = folder.join("labels");
    std::fs::write(&path, [0, 0, 8, 1, 0, 0, 0, 9, 1]).unwrap();
    let message = idx::read(&path).unwrap_err().to_string();
    assert!(message.contains("labels: truncated"), "{message}");
    assert!(idx::read(&folder.join("none")).unwrap_err().to_string().contains("none: "));
}

fn counting(n: usize) -> Tensor {
    Tensor::new(&[n], (0..n as i32).collect::<Vec<_>>()).unwrap()
}

fn values(dataset: &Dataset) -> Vec<i32> {
    dataset.iter().flat_map(|e| e.unwrap()[0].as_i32().unwrap().to_vec()).collect()
}

#[test]
fn batches_take_skip_repeat_map() {
    let sizes = |d: Dataset| -> Vec<usize> { d.iter().map(|b| b.unwrap()[0].numel()).collect() };
    assert_eq!(sizes(Dataset::from_tensor_slices(counting(7)).batch(3, false)), [3, 3, 1]);
    assert_eq!(sizes(Dataset::from_tensor_slices(counting(7)).batch(3, true)), [3, 3]);
    assert_eq!(sizes(Dataset::from_tensor_slices(counting(2)).repeat(3).batch(4, false)), [4, 2]);
    assert_eq!(values(&Dataset::from_tensor_slices(counting(5)).skip(1).take(3)), [1, 2, 3]);
    assert_eq!(values(&Dataset::from_tensor_slices(counting(3)).repeat(None).take(7)), [0, 1, 2, 0, 1, 2, 0]);
    assert!(values(&Dataset::from_tensor_slices(counting(3)).skip(9).repeat(None)).is_empty());
    assert!(values(&Dataset::from_tensor_slices(counting(3)).repeat(0)).is_empty());
    let doubled = Dataset::from_tensor_slices(counting(3)).map(|mut element| {
        let value = element[0].as_i32()?[0];
        element[0] = Tensor::scalar_i32(2 * value);
        Ok(element)
    });
    assert_eq!(values(&doubled), [0, 2, 4]);
    let all: Result<Vec<_>> = Dataset::from_tensor_slices((counting(4), counting(4))).iter().collect();
    assert_eq!(all.unwrap()[3][1].as_i32().unwrap(), [3]);
}

#[test]
fn shuffles_are_permutations_that_differ_by_epoch_and_repeat_by_seed() {
    let make = |buffer, seed| Dataset::from_tensor_slices(counting(100)).shuffle(buffer, seed);
    let (a, b) = (make(100, 7), make(100, 7));
    let (first, second) = (values(&a), values(&a));
    assert_ne!(first, second);
    assert_eq!([&first, &second], [&values(&b), &values(&b)]);
    assert_ne!(first, values(&make(100, 8)));
    for order in [first, second] {
        let mut sorted = order;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    }
    // With a buffer of 10, no element comes more than 9 places early.
    assert!(values(&make(10, 3)).iter().enumerate().all(|(at, &value)| value as usize <= at + 9));
    assert_eq!(values(&make(1, 3)), (0..100).collect::<Vec<_>>());
    let twice = values(&make(100, 7).repeat(2));
    assert_ne!(twice[..100], twice[100..]);
}

#[test]
fn steps_without_meaning_are_refused() {
    let message = |d: Dataset| match d.iter().next() {
        Some(Err(Error::Misuse(message))) => message,
        other => panic!("expected a misuse, got {other:?}"),
    };
    let data = || Dataset::from_tensor_slices(counting(3));
    assert!(message(data().batch(0, false).take(1)).contains("batch: expected a size of at least 1, got 0"));
    assert!(message(data().shuffle(0, 1)).contains("shuffle: expected a buffer of at least 1"));
    let unequal = Dataset::from_tensor_slices((counting(3), counting(4)));
    assert!(message(unequal).contains("equal length, got 3 and 4"));
    assert!(message(Dataset::from_tensor_slices(Tensor::scalar(1.0))).contains("first axis"));
    assert!(message(Dataset::from_tensor_slices(Vec::new())).contains("at least one row"));
    assert!(
        message(Dataset::from_tensor_slices(Tensor::zeros(&[0, 2]).unwrap())).contains("at least one row")
    );
    let torn = data().map(|element| {
        let n = element[0].as_i32()?[0] as usize;
        Ok(vec![Tensor::zeros(&[n])?])
    });
    assert!(message(torn.batch(2, false)).contains("expected elements of shape [0]"));
    assert_eq!(data().batch(0, false).iter().count(), 1);
}

#[test]
fn a_mnist_folder_is_checked() {
    let folder = folder("mnist-folder");
    let load = || mnist::load(&mnist::Source::Folder(folder.clone()));
    let message = || load().unwrap_err().to_string();
    assert!(message().contains("expected train-images-idx3-ubyte or train-images-idx3-ubyte.gz"));
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(folder.join(name), bytes).unwrap();
    write("train-images-idx3-ubyte.gz", gzip(&file(8, &[2, 28, 28], &[9; 2 * 784])));
    write("train-labels-idx1-ubyte", file(8, &[3], &[0, 1, 2]));
    write("t10k-images-idx3-ubyte", file(8, &[1, 28, 28], &[9; 784]));
    write("t10k-labels-idx1-ubyte", file(8, &[1], &[1]));
    assert!(message().contains("training labels: expected shape [2] for as many pictures, got [3]"));
    write("train-labels-idx1-ubyte", file(8, &[2], &[0, 10]));
    assert!(message().contains("training labels: expected 0 to 9, got 10"));
    write("train-labels-idx1-ubyte", file(8, &[2], &[0, 9]));
    assert_eq!(load().unwrap().train_x.shape().dims(), [2, 28, 28]);
    write("t10k-images-idx3-ubyte", file(8, &[1, 27, 28], &[9; 27 * 28]));
    assert!(message().contains("expected shape [count, 28, 28], got [1, 27, 28]"));
    let missing = mnist::load(&mnist::Source::Folder(folder.join("none"))).unwrap_err();
    assert!(missing.to_string().contains("expected a folder"));
}

#[cfg(feature = "mnist-subset")]
mod subset {
    use super::*;
    use gradling::data::mnist_subset;

    #[test]
    fn subset_is_whole_and_balanced() {
        let mnist = mnist::load(&mnist::Source::Subset).unwrap();
        assert_eq!(mnist.train_x.shape().dims(), [6000, 28, 28]);
        assert_eq!(mnist.test_x.shape().dims(), [1000, 28, 28]);
        assert!(mnist_subset::BYTES.len() < 1_500_000);
        for (labels, least) in [(&mnist.train_y, 500), (&mnist.test_y, 80)] {
            for digit in 0..10 {
                let count = labels.as_u8().unwrap().iter().filter(|&&label| label == digit).count();
                assert!(count >= least, "{count} pictures of {digit}");
            }
        }
    }

    #[test]
    fn torn_subsets_are_refused() {
        for end in (0..mnist_subset::BYTES.len()).step_by(50_021) {
            assert!(mnist_subset::parse(&mnist_subset::BYTES[..end]).is_err());
        }
        let mut bytes = b"MNSB".to_vec();
        bytes.extend_from_slice(&[0xff; 8]);
        assert!(mnist_subset::parse(&gzip(&bytes)).unwrap_err().to_string().contains("1 to 60000 pictures"));
        assert!(mnist_subset::parse(&gzip(b"MNSA00000000")).unwrap_err().to_string().contains("MNSB"));
    }

    /// Where the real files lie beside the repository: they have the pinned checksums, and the subset is every tenth
    /// picture of them.
    #[cfg(feature = "cli")]
    #[test]
    fn subset_is_every_tenth_picture() {
        use sha2::{Digest, Sha256};
        use std::io::Read;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
        if mnist::find(&folder, mnist::FILES[0].name).is_none() {
            assert!(std::env::var_os("CI").is_none(), "MNIST is missing in {}", folder.display());
            println!("skipped: MNIST is missing in {}", folder.display());
            return;
        }
        for file in mnist::FILES {
            let mut content = Vec::new();
            let packed = std::fs::read(folder.join(format!("{}.gz", file.name))).unwrap();
            flate2::read::MultiGzDecoder::new(&packed[..]).read_to_end(&mut content).unwrap();
            let sum: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!((content.len(), sum.as_str()), (file.bytes, file.sha256), "{}", file.name);
        }
        let full = mnist::load(&mnist::Source::Folder(folder)).unwrap();
        let subset = mnist::load(&mnist::Source::Subset).unwrap();
        for (all, tenth) in [
            (&full.train_x, &subset.train_x),
            (&full.train_y, &subset.train_y),
            (&full.test_x, &subset.test_x),
            (&full.test_y, &subset.test_y),
        ] {
            let index: Vec<usize> = (0..all.shape().dim(0)).step_by(10).collect();
            assert_eq!(&all.gather_rows(&index).unwrap(), tenth);
        }
    }
}
