//! Damaged data files: every truncation and every kind of flipped byte of small NumPy, CSV, CIFAR, tar and list files
//! is refused or read as other valid data; none panics. A process that writes a picture cache is killed at random
//! instants: arrays are whole or not there.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use gradling::data::{Table, archive, cifar10, npy};
use gradling::{Result, Tensor};

/// What byte `i` is replaced by, in turn: each single bit, the extremes, and bytes that mean something in text.
fn replacements(byte: u8) -> Vec<u8> {
    let mut all: Vec<u8> = (0..8).map(|bit| byte ^ (1 << bit)).collect();
    all.extend([!byte, 0, 0x7f, 0xff]);
    all.extend_from_slice(b"\"',()\n-9");
    all.retain(|&b| b != byte);
    all.sort_unstable();
    all.dedup();
    all
}

/// Every truncation of `bytes`, then every replacement of every byte in `places`.
fn damaged(bytes: &[u8], places: impl Iterator<Item = usize>) -> impl Iterator<Item = Vec<u8>> {
    let cut = (0..bytes.len()).map(|n| bytes[..n].to_vec());
    let flipped = places.flat_map(move |i| {
        replacements(bytes[i]).into_iter().map(move |b| {
            let mut flipped = bytes.to_vec();
            flipped[i] = b;
            flipped
        })
    });
    cut.chain(flipped)
}

/// Reads each of `files`; returns how many were refused, and how many were read.
fn read_all(files: impl Iterator<Item = Vec<u8>>, read: impl Fn(&[u8]) -> Result<()>) -> (usize, usize) {
    let (mut refused, mut accepted) = (0, 0);
    for bytes in files {
        match catch_unwind(AssertUnwindSafe(|| read(&bytes))) {
            Ok(Ok(())) => accepted += 1,
            Ok(Err(error)) => {
                assert!(!error.to_string().is_empty(), "an error that says nothing");
                refused += 1;
            }
            Err(_) => panic!("panics on {}", bytes.escape_ascii()),
        }
    }
    (refused, accepted)
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("compressed")
}

#[test]
fn damaged_arrays() {
    let floats = Tensor::new(&[2, 3], vec![0.5, -1.0, 2.0, 3.0, 4.0, 5.0]).expect("a tensor");
    let bytes = npy::to_bytes(&floats);
    for n in 0..bytes.len() {
        assert!(npy::parse(&bytes[..n]).is_err(), "cut to {n} bytes");
    }
    let (refused, accepted) = read_all(damaged(&bytes, 0..bytes.len()), |b| npy::parse(b).map(drop));
    println!("npy: {refused} refused, {accepted} read");
    let mut second = b"\x93NUMPY\x02\x00".to_vec();
    second.extend_from_slice(&u32::from(u16::from_le_bytes([bytes[8], bytes[9]])).to_le_bytes());
    second.extend_from_slice(&bytes[10..]);
    assert_eq!(npy::parse(&second).expect("version 2"), floats);
    let (refused, accepted) = read_all(damaged(&second, 0..second.len()), |b| npy::parse(b).map(drop));
    println!("npy, version 2: {refused} refused, {accepted} read");
    for kind in ["<i8", ">f8", "<f2", "|b1", "|u1", "<i2", "|i1", "<u4"] {
        let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': (2,), }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend_from_slice(&(header.len() as u16).to_le_bytes());
        bytes.extend_from_slice(header.as_bytes());
        let width: usize = kind[2..].parse().expect("a digit");
        bytes.extend((0..2 * width as u8).map(|i| if i % 4 == 0 { i } else { 0 }));
        read_all(damaged(&bytes, 0..bytes.len()), |b| npy::parse(b).map(drop));
    }
}

#[test]
fn damaged_tables() {
    let csv = b"\xef\xbb\xbfx1,\"x 2\",label\r\n0.5,1,3\r\n-2,1e-3,\"4\"\r\n\r\n7,8,9\n";
    let use_table = |header: bool| {
        move |bytes: &[u8]| {
            let table = Table::parse(bytes, header)?;
            let names: Vec<&str> = table.names().iter().map(String::as_str).collect();
            for name in &names {
                table.text(name)?;
            }
            table.integers(names[names.len() - 1])?;
            table.numbers(&names).map(drop)
        }
    };
    use_table(true)(csv).expect("sound");
    let (refused, accepted) = read_all(damaged(csv, 0..csv.len()), use_table(true));
    println!("csv: {refused} refused, {accepted} read");
    read_all(damaged(csv, 0..csv.len()), use_table(false));
}

/// A header and content as `tar` writes them.
fn tar_entry(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
    let mut block = [0u8; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..108].copy_from_slice(b"0000644\0");
    block[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    block[148..156].fill(b' ');
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = block.iter().map(|&b| u32::from(b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut bytes = block.to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn names(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>> {
    let mut all = Vec::new();
    archive::parse(bytes, |entry| {
        let content = entry.read(4096)?;
        all.push((entry.name.clone(), content));
        Ok(true)
    })?;
    Ok(all)
}

#[test]
fn damaged_archives() {
    let long = "long/".repeat(40);
    let pax = format!("{} path={long}\n", long.len() + 10);
    let mut tar = tar_entry("folder/", b'5', b"");
    tar.extend(tar_entry("folder/a.txt", b'0', b"hello"));
    tar.extend(tar_entry("././@LongLink", b'L', long.as_bytes()));
    tar.extend(tar_entry("long/long", b'0', &[7; 600]));
    tar.extend(tar_entry("pax", b'x', pax.as_bytes()));
    tar.extend(tar_entry("cut", b'0', b""));
    tar.extend([0; 1024]);
    let expected =
        [("folder/a.txt".to_string(), b"hello".to_vec()), (long.clone(), vec![7; 600]), (long, Vec::new())];
    assert_eq!(names(&tar).expect("sound"), expected);
    assert_eq!(names(&gz(&tar)).expect("sound"), expected);
    let fields = [0..8, 100..104, 124..158, 255..265, 343..348];
    let headers = (0..tar.len()).filter(|i| fields.iter().any(|field| field.contains(&(i % 512))));
    let (refused, accepted) = read_all(damaged(&tar, headers), |b| names(b).map(drop));
    println!("tar: {refused} refused, {accepted} read");
    let packed = gz(&tar);
    for n in 0..packed.len() - 8 {
        // The zeros behind the last file may be missing, but for the block that ends the archive.
        assert!(names(&packed[..n]).map_or(true, |all| all == expected), "cut to {n} bytes");
    }
    let (refused, accepted) = read_all(damaged(&packed, 0..packed.len()), |b| names(b).map(drop));
    println!("tar.gz: {refused} refused, {accepted} read");
    // Sizes that promise more than there is, with a right checksum.
    for size in ["77777777777", "00000010001"] {
        let mut huge = tar_entry("huge", b'0', b"");
        huge[124..135].copy_from_slice(size.as_bytes());
        huge[148..156].fill(b' ');
        let sum: u32 = huge[..512].iter().map(|&b| u32::from(b)).sum();
        huge[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        assert!(names(&huge).is_err());
        assert!(archive::parse(&huge, |_| Ok(true)).is_err());
        assert!(archive::parse(&huge, |entry| entry.read(u64::MAX).map(|_| true)).is_err());
    }
    assert!(names(b"").is_err() && names(&[0; 511]).is_err() && names(&[0; 512]).expect("empty").is_empty());
}

#[test]
fn damaged_cifar_batches() {
    let batch: Vec<u8> = (0..2u8).flat_map(|label| [vec![label], vec![9; 3072]].concat()).collect();
    for n in 0..batch.len() {
        assert_eq!(cifar10::parse(&batch[..n]).is_ok(), n == 3073, "cut to {n} bytes");
    }
    for place in [0, 3073] {
        for b in replacements(batch[place]) {
            let mut flipped = batch.clone();
            flipped[place] = b;
            assert_eq!(cifar10::parse(&flipped).is_ok(), b <= 9);
        }
    }
    let folder = folder("cifar");
    let file = folder.join("cifar.tar.gz");
    let mut tar = tar_entry("cifar-10-batches-bin/data_batch_1.bin", b'0', &batch);
    tar.extend(tar_entry("cifar-10-batches-bin/test_batch.bin", b'0', &batch[..3073]));
    tar.extend([0; 1024]);
    let packed = gz(&tar);
    let load = |bytes: &[u8]| {
        std::fs::write(&file, bytes).expect("written");
        cifar10::load(&file).map(drop)
    };
    load(&packed).expect("sound");
    let (refused, accepted) = read_all(damaged(&packed, 0..packed.len()), load);
    println!("cifar.tar.gz: {refused} refused, {accepted} read");
    std::fs::remove_dir_all(&folder).expect("remove");
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("gradling-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("folder");
    folder
}

const CHILD: &str = "GRADLING_ARRAY_KILL_TEST_FILE";

/// The child: writes arrays until it is killed. Does nothing when the test runner calls it.
#[test]
fn child_writes_arrays_until_killed() {
    let Some(file) = std::env::var_os(CHILD) else { return };
    let (start, mut n) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(20) {
        n += 1;
        let size = 40_000 + n % 3;
        Tensor::full(&[size], n as f32).and_then(|t| npy::write(Path::new(&file), &t)).expect("write");
    }
}

#[test]
fn a_killed_writer_leaves_a_whole_array() {
    let folder = folder("array-kill");
    let file = folder.join("pictures.npy");
    npy::write(&file, &Tensor::full(&[40_000], 0.0).expect("a tensor")).expect("first write");
    let (mut last, mut changed) = (0.0, 0);
    for kill in 0..12u64 {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "child_writes_arrays_until_killed", "--nocapture"])
            .env(CHILD, &file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("child");
        std::thread::sleep(Duration::from_micros(30_000 + kill * 7919 % 90_000));
        child.kill().expect("kill");
        child.wait().expect("wait");
        let values = npy::read(&file).expect("a whole array").to_f32_vec();
        assert!(values.iter().all(|&v| v == values[0]), "two arrays are mixed");
        changed += usize::from(values[0] != last);
        last = values[0];
    }
    assert!(changed > 3, "only {changed} of 12 children had written before the kill");
    std::fs::remove_dir_all(&folder).expect("remove");
}
