//! CPU kernels over plain slices: loops, not models.
//!
//! Every function takes a [`Cpu`]: the instruction set to use and, with the `std` feature, the threads to spread work
//! over. Work is split over outputs and never over a reduction, so the number of threads does not change a bit of the
//! result. The loops of [`generic`] are the reference of every other level.
#![allow(unsafe_code)]

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod blocked;
#[cfg(feature = "std")]
pub mod ceiling;
pub mod chosen;
pub mod conv;
mod depthwise;
mod direct;
pub mod fold;
pub mod gemm;
pub mod generic;
pub mod index;
pub mod level;
mod micro;
pub mod movement;
pub mod panels;
mod patches;
#[cfg(target_arch = "x86_64")]
mod planar;
pub mod pool;
pub mod random;
pub mod stream;
pub mod threads;
pub mod tile;
mod transforms;
pub mod vector;
pub mod view;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm32;
mod winograd;
#[cfg(any(all(target_arch = "wasm32", target_feature = "atomics"), all(test, feature = "std")))]
mod workers;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use chosen::Chosen;
pub use conv::{
    Conv, conv2d, conv2d_filter_grad, conv2d_input_grad, conv2d_packed, conv2d_takes_panels, conv2d_then,
};
pub use conv::{conv2d_chosen, conv2d_filter_grad_chosen, conv2d_input_grad_chosen};
pub use conv::{conv2d_filter_grad_workspace, conv2d_input_grad_workspace, conv2d_workspace};
pub use gemm::{Gemm, gemm, gemm_chosen, gemm_packed, gemm_takes_panels, gemm_then, gemm_workspace};
pub use level::Level;
pub use pool::{Pool2d, average_pool2d, average_pool2d_grad, max_pool2d, max_pool2d_grad};
pub use threads::Pool;
pub use vector::{Reduce, flush_denormals, keep_denormals, reduce};
pub use view::{Bits, View, ViewMut};

/// Whether small code goes before speed in kernels: in a page, which downloads every byte of it. The builds of the npm
/// package set `gradling_compact`, for which what is rare is small; those of its whole entry also `gradling_fast`, for
/// which the kernels are fast nevertheless.
pub(crate) const COMPACT: bool = cfg!(all(
    gradling_compact,
    not(gradling_fast),
    target_arch = "wasm32",
    target_feature = "simd128",
    feature = "alloc"
));

/// The one level of a build for pages, which have no use for the others.
const ONLY: Option<Level> = if !COMPACT && !cfg!(gradling_fast) {
    None
} else if cfg!(target_feature = "relaxed-simd") {
    Some(Level::RelaxedSimd)
} else {
    Some(Level::Simd128)
};

/// Whether this is a build for pages, which links no plain loops where it has faster ones.
pub(crate) const PAGE: bool = ONLY.is_some();

/// Memory for a kernel whose caller brought too little: builds for pages have no slower way to do without.
#[cfg(feature = "alloc")]
pub(crate) fn own_workspace(len: usize) -> alloc::vec::Vec<f32> {
    alloc::vec![0.0; len]
}

/// Nothing: only builds for pages ask.
#[cfg(not(feature = "alloc"))]
pub(crate) fn own_workspace(_len: usize) -> [f32; 0] {
    []
}

/// The processor a kernel runs on: an instruction set that this machine has, and optionally a pool of threads.
#[derive(Copy, Clone)]
pub struct Cpu<'p> {
    level: Level,
    pool: Option<&'p Pool>,
    strict: bool,
}

impl<'p> Cpu<'p> {
    /// A processor of this level; a level that the machine lacks becomes [`Level::Portable`].
    pub fn new(level: Level, pool: Option<&'p Pool>) -> Cpu<'p> {
        let level = if Level::available().contains(&level) { level } else { Level::Portable };
        Cpu { level, pool, strict: false }
    }

    /// This processor, computing what the portable loops compute, bit for bit, if `strict`.
    ///
    /// Products then round after each multiplication and each addition, and add the terms of a sum one after another.
    /// All other kernels do so anyway. Convolutions read zeros where the portable loops skip padding: a filter that is
    /// not finite shows the difference.
    pub fn strict(self, strict: bool) -> Cpu<'p> {
        Cpu { strict, ..self }
    }

    /// Whether products are those of the portable loops.
    #[inline(always)]
    pub fn is_strict(&self) -> bool {
        self.strict
    }

    /// The level, one of [`Level::available`].
    #[inline(always)]
    pub fn level(&self) -> Level {
        // A constant lets the compiler drop the loops of the other levels.
        match ONLY {
            Some(level) => level,
            None => self.level,
        }
    }

    /// The pool of threads, if any.
    pub fn pool(&self) -> Option<&'p Pool> {
        self.pool
    }

    /// How many threads run tasks, the caller included.
    pub fn threads(&self) -> usize {
        self.pool.map_or(1, Pool::threads)
    }

    /// Calls `f(0)`, …, `f(tasks - 1)`, each once, on any thread and in any order; in order on the caller without a
    /// pool. Returns when all are done. Does not allocate.
    pub fn parallel(&self, tasks: usize, f: &(dyn Fn(usize) + Sync)) {
        match self.pool {
            Some(pool) if tasks > 1 => pool.run(tasks, f),
            _ => (0..tasks).for_each(f),
        }
    }
}

impl Default for Cpu<'_> {
    /// One thread at the best level of this machine.
    fn default() -> Self {
        Cpu { level: Level::best(), pool: None, strict: false }
    }
}

/// What is done with ranges of a result, each once and as soon as its elements are final, perhaps on several threads.
pub type Then<'t> = &'t (dyn Fn(core::ops::Range<usize>) + Sync);

/// Nothing more is done.
pub(crate) const NOTHING: Then<'static> = &|_| {};

/// Does it with all of a result of `len` elements.
pub(crate) fn finish(cpu: &Cpu, len: usize, then: Then) {
    let chunks = len.div_ceil(tile::CHUNK);
    cpu.parallel(chunks, &|i| then(i * tile::CHUNK..len.min((i + 1) * tile::CHUNK)));
}

/// Product of extents that cannot wrap: an overflow saturates and so fails the length check it is used in.
pub(crate) fn product(extents: &[usize]) -> usize {
    if extents.contains(&0) { 0 } else { extents.iter().fold(1, |p, &e| p.saturating_mul(e)) }
}

/// A mutable slice that tasks share, each writing a range of its own.
#[derive(Copy, Clone)]
pub(crate) struct Shared<T> {
    start: *mut T,
    len: usize,
}

// SAFETY: `Shared` hands out memory only through `range`, whose contract makes the ranges disjoint.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Wraps a slice; the result must not outlive it.
    pub(crate) fn new(slice: &mut [T]) -> Self {
        Shared { start: slice.as_mut_ptr(), len: slice.len() }
    }

    /// The elements `start..start + len`.
    ///
    /// # Safety
    /// The wrapped slice is still borrowed, and no other live range overlaps this one.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn range(&self, start: usize, len: usize) -> &mut [T] {
        assert!(start <= self.len && len <= self.len - start);
        // SAFETY: the range is inside the slice (checked above) and disjoint from all others (caller).
        unsafe { core::slice::from_raw_parts_mut(self.start.add(start), len) }
    }

    /// The first element.
    pub(crate) fn as_ptr(&self) -> *mut T {
        self.start
    }
}
