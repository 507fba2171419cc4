//! Damaged files: every truncation and every kind of flipped byte of small IDX, model and plan files is refused
//! or read as other valid data; none panics, hangs or asks for memory that the file cannot fill.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use gradling::data::idx;
use gradling::nn::{
    Activation, ActivationLayer, Conv2D, Dense, Dropout, Flatten, Loss, MaxPooling2D, Metric, Optimizer,
    Sequential,
};
use gradling::session::StaticSession;
use gradling::{Device, Padding, Plan, Result, Session, Tensor, Variables};

/// Remembers the largest single request for memory.
struct Watching;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

#[allow(unsafe_code)]
// SAFETY: every call is handed on unchanged to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

/// More than any reader may ask for at once on behalf of the small files here.
const MUCH: usize = 256 << 20;

/// What byte `i` is replaced by, in turn: each single bit, all bits, and the extremes.
fn replacements(byte: u8) -> Vec<u8> {
    let mut all: Vec<u8> = (0..8).map(|bit| byte ^ (1 << bit)).collect();
    all.extend([!byte, 0, 1, 0x7f, 0x80, 0xff]);
    all.retain(|&b| b != byte);
    all.sort_unstable();
    all.dedup();
    all
}

/// Every truncation of `bytes`, then every replacement of every byte, each finished by `seal`.
fn damaged(bytes: &[u8], seal: fn(&mut [u8])) -> impl Iterator<Item = (String, Vec<u8>)> + '_ {
    let cut = (0..bytes.len()).map(move |n| {
        let mut cut = bytes[..n].to_vec();
        seal(&mut cut);
        (format!("cut to {n} bytes"), cut)
    });
    let flipped = (0..bytes.len()).flat_map(move |i| {
        replacements(bytes[i]).into_iter().map(move |b| {
            let mut flipped = bytes.to_vec();
            flipped[i] = b;
            seal(&mut flipped);
            (format!("byte {i} is {b:#04x} instead of {:#04x}", bytes[i]), flipped)
        })
    });
    cut.chain(flipped)
}

/// Leaves the bytes as they are.
fn unsealed(_: &mut [u8]) {}

/// Writes the right checksum into a model or plan file, so that damage behind it is reached.
fn sealed(bytes: &mut [u8]) {
    if bytes.len() > 16 {
        let crc = crc32fast::hash(&bytes[16..]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    }
}

/// Reads each of `files`; returns how many were refused, and how many were read.
fn read_all(
    files: impl Iterator<Item = (String, Vec<u8>)>,
    read: impl Fn(&[u8]) -> Result<()>,
) -> (usize, usize) {
    let (mut refused, mut accepted) = (0, 0);
    for (what, bytes) in files {
        LARGEST.store(0, Ordering::Relaxed);
        match catch_unwind(AssertUnwindSafe(|| read(&bytes))) {
            Ok(Ok(())) => accepted += 1,
            Ok(Err(error)) => {
                assert!(!error.to_string().is_empty(), "{what}: an error that says nothing");
                refused += 1;
            }
            Err(_) => panic!("{what}: panics"),
        }
        let largest = LARGEST.load(Ordering::Relaxed);
        assert!(largest < MUCH, "{what}: asked for {largest} bytes at once");
    }
    (refused, accepted)
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("compressed")
}

/// Three pictures of 2 x 3 bytes.
fn pictures() -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 3];
    bytes.extend(1..=18);
    bytes
}

#[test]
fn damaged_idx_files() {
    let raw = pictures();
    assert_eq!(idx::parse(&raw).expect("sound").shape().to_vec(), [3, 2, 3]);
    assert_eq!(idx::parse(&gz(&raw)).expect("sound").shape().to_vec(), [3, 2, 3]);
    for n in 0..raw.len() {
        assert!(idx::parse(&raw[..n]).is_err(), "cut to {n} bytes");
        let compressed = gz(&raw[..n]);
        assert!(idx::parse(&compressed).is_err(), "cut to {n} bytes, then compressed");
    }
    let compressed = gz(&raw);
    for n in 0..compressed.len() {
        assert!(idx::parse(&compressed[..n]).is_err(), "compressed, then cut to {n} bytes");
    }
    // A pixel may have any value, so only the header can be refused.
    let (refused, accepted) = read_all(damaged(&raw, unsealed), |b| idx::parse(b).map(drop));
    println!("idx: {refused} refused, {accepted} read");
    for i in 0..16 {
        for b in replacements(raw[i]) {
            let mut flipped = raw.clone();
            flipped[i] = b;
            assert!(idx::parse(&flipped).is_err(), "header byte {i} is {b:#04x}");
        }
    }
    let (refused, accepted) = read_all(damaged(&compressed, unsealed), |b| idx::parse(b).map(drop));
    println!("compressed idx: {refused} refused, {accepted} read");
    // Headers that promise more than there is.
    for dims in [[u32::MAX; 3], [1 << 31, 1, 1], [65536, 65536, 65536], [60000, 28, 28]] {
        let mut huge = vec![0, 0, 8, 3];
        dims.iter().for_each(|d| huge.extend(d.to_be_bytes()));
        huge.extend([0; 64]);
        let (refused, _) =
            read_all([(format!("{dims:?}"), huge.clone())].into_iter(), |b| idx::parse(b).map(drop));
        assert_eq!(refused, 1, "{dims:?}");
        let (refused, _) =
            read_all([(format!("{dims:?}"), gz(&huge))].into_iter(), |b| idx::parse(b).map(drop));
        assert_eq!(refused, 1, "{dims:?}, compressed");
    }
    let trailing: Vec<u8> = raw.iter().copied().chain([0]).collect();
    assert!(idx::parse(&trailing).is_err(), "a byte too many");
}

/// A small model with every kind of layer, trained one step.
fn model() -> Result<Sequential> {
    let mut model = Sequential::new()
        .add(Conv2D::new(2, [3, 3]).padding(Padding::Same).activation(Activation::Relu))
        .add(MaxPooling2D::new([2, 2]))
        .add(Flatten::new())
        .add(Dropout::new(0.25))
        .add(Dense::new(3))
        .add(ActivationLayer::new(Activation::Softmax));
    model.build(&[4, 4, 1])?;
    let loss = Loss::SparseCategoricalCrossentropy { from_logits: false };
    model.compile(Optimizer::adam(), loss, &[Metric::Accuracy])?;
    model.train_on_batch(&Tensor::ones(&[2, 4, 4, 1])?, &Tensor::new(&[2], vec![0, 2])?)?;
    Ok(model)
}

/// Reads a model and uses it.
fn use_model(bytes: &[u8]) -> Result<()> {
    let mut model = Sequential::from_bytes(bytes)?;
    let Some(shape) = model.input_shape().map(|s| s.to_vec()) else { return Ok(()) };
    if shape.iter().product::<usize>() > 1 << 16 || model.count_params() > 1 << 16 {
        return Ok(());
    }
    let dims: Vec<usize> = [1].into_iter().chain(shape).collect();
    model.summary();
    model.predict(&Tensor::zeros(&dims)?, 1)?;
    model.to_bytes().map(drop)
}

#[test]
fn damaged_model_files() {
    let bytes = model().and_then(|m| m.to_bytes()).expect("a model file");
    use_model(&bytes).expect("sound");
    for n in 0..bytes.len() {
        assert!(Sequential::from_bytes(&bytes[..n]).is_err(), "cut to {n} bytes");
    }
    let (refused, accepted) = read_all(damaged(&bytes, unsealed), use_model);
    assert_eq!(accepted, 0, "the checksum lets damage through");
    println!("model: {} bytes, {refused} damaged files refused", bytes.len());
    let (refused, accepted) = read_all(damaged(&bytes, sealed), use_model);
    println!("model with the right checksum: {refused} refused, {accepted} read");
    let longer: Vec<u8> = bytes.iter().copied().chain([0; 7]).collect();
    let _ = Sequential::from_bytes(&longer);
    assert!(Sequential::from_bytes(b"").is_err());
    assert!(Sequential::from_bytes(&[0; 4096]).is_err());
    assert!(
        Sequential::from_bytes(b"PK\x03\x04 is a zip file, not a model, whatever its name says").is_err()
    );
}

/// Reads a plan and runs it, with and without an allocator.
fn use_plan(bytes: &[u8]) -> Result<()> {
    let plan = Plan::from_bytes(bytes)?;
    if plan.arena_bytes() > 1 << 20 {
        return Ok(());
    }
    plan.verify()?;
    let mut arena = vec![0u64; plan.arena_bytes().div_ceil(8) + 1];
    let mut session = Session::new(plan, &Device::default())?;
    session.run(&mut Variables::new())?;
    let aligned: Vec<u64> = bytes.chunks(8).map(word).collect();
    let (file, arena) = (as_bytes(&aligned), as_bytes_mut(&mut arena));
    let mut session = StaticSession::new(&file[..bytes.len()], arena)?;
    session.run()
}

fn word(chunk: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    bytes[..chunk.len()].copy_from_slice(chunk);
    u64::from_ne_bytes(bytes)
}

#[allow(unsafe_code)]
fn as_bytes(words: &[u64]) -> &[u8] {
    // SAFETY: every bit pattern is a valid u8, and the length is that of the words in bytes.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), words.len() * 8) }
}

#[allow(unsafe_code)]
fn as_bytes_mut(words: &mut [u64]) -> &mut [u8] {
    // SAFETY: as in `as_bytes`; every bit pattern is also a valid u64, and the borrow is unique.
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), words.len() * 8) }
}

#[test]
fn damaged_plan_files() {
    let bytes = model().and_then(|m| m.export_plan(1)).expect("a plan file");
    use_plan(&bytes).expect("sound");
    for n in 0..bytes.len() {
        assert!(Plan::from_bytes(&bytes[..n]).is_err(), "cut to {n} bytes");
    }
    let (refused, accepted) = read_all(damaged(&bytes, unsealed), use_plan);
    assert_eq!(accepted, 0, "the checksum lets damage through");
    println!("plan: {} bytes, {refused} damaged files refused", bytes.len());
    let (refused, accepted) = read_all(damaged(&bytes, sealed), use_plan);
    println!("plan with the right checksum: {refused} refused, {accepted} read");
}
