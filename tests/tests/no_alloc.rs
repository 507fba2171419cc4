//! Training does not touch the heap: a counting allocator sees nothing in 200 steps after the first.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gradling::nn::{
    Activation, Conv2D, Dense, Dropout, Fit, Flatten, Loss, MaxPooling2D, Metric, Optimizer, Progress,
    Sequential,
};
use gradling::rng::Rng;
use gradling::{Device, Level, Padding, Tensor};

/// The system's allocator, with a count of the calls made while counting is on.
struct Counting;

static ON: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicUsize = AtomicUsize::new(0);

fn count() {
    if ON.load(Ordering::Relaxed) {
        CALLS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call is handed on unchanged to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Calls to the allocator, freeing included, during `f`, on every thread.
fn calls(f: impl FnOnce()) -> usize {
    CALLS.store(0, Ordering::SeqCst);
    ON.store(true, Ordering::SeqCst);
    f();
    ON.store(false, Ordering::SeqCst);
    CALLS.load(Ordering::SeqCst)
}

/// Steps counted, after a first one that compiles the plan.
const STEPS: usize = 200;
const BATCH: usize = 32;

/// Labelled pictures of noise.
fn data(shape: &[usize]) -> (Tensor, Tensor) {
    let mut rng = Rng::new(7);
    let samples = (STEPS + 2) * BATCH;
    let mut dims = vec![samples];
    dims.extend_from_slice(shape);
    let pixels: Vec<u8> = (0..dims.iter().product::<usize>()).map(|_| rng.next_u32() as u8).collect();
    let labels: Vec<u8> = (0..samples).map(|_| (rng.next_u32() % 10) as u8).collect();
    (Tensor::new(&dims, pixels).expect("pixels"), Tensor::new(&[samples], labels).expect("labels"))
}

/// Trains one step, then counts the allocator's calls in the next ones.
fn check(name: &str, model: Sequential, shape: &[usize], threads: usize) {
    let (x, y) = data(shape);
    let mut model = model.on(&Device::new(Level::best(), threads).expect("device"));
    let loss = Loss::SparseCategoricalCrossentropy { from_logits: false };
    model.compile(Optimizer::adam(), loss, &[Metric::Accuracy]).expect("compile");
    let mut run = model.begin_fit(&x, &y, &Fit { batch_size: BATCH, ..Fit::default() }).expect("begin");
    run.step(&mut model).expect("first step");
    let mut last = Ok(Progress::Done);
    let calls = calls(|| {
        for _ in 0..STEPS {
            last = run.step(&mut model);
        }
    });
    assert!(matches!(last, Ok(Progress::Batch { step, .. }) if step == STEPS + 1), "{name}: {last:?}");
    assert_eq!(calls, 0, "{name} on {threads} threads: calls to the allocator in {STEPS} steps");
}

/// One test, so that no other touches the heap meanwhile.
#[test]
fn train_steps_do_not_allocate() {
    assert_ne!(calls(|| drop(std::hint::black_box(vec![1u8; 100]))), 0, "the allocator does not count");
    let mlp = || {
        Sequential::new()
            .add(Flatten::new())
            .add(Dense::new(128).activation(Activation::Relu))
            .add(Dropout::new(0.2))
            .add(Dense::new(10).activation(Activation::Softmax))
    };
    let lenet = || {
        Sequential::new()
            .add(Conv2D::new(6, [5, 5]).padding(Padding::Same).activation(Activation::Relu))
            .add(MaxPooling2D::new([2, 2]))
            .add(Conv2D::new(16, [5, 5]).activation(Activation::Relu))
            .add(MaxPooling2D::new([2, 2]))
            .add(Flatten::new())
            .add(Dense::new(120).activation(Activation::Relu))
            .add(Dense::new(84).activation(Activation::Relu))
            .add(Dense::new(10).activation(Activation::Softmax))
    };
    for threads in [1, 2] {
        check("MLP", mlp(), &[28, 28], threads);
        check("LeNet-5", lenet(), &[28, 28, 1], threads);
    }
}
