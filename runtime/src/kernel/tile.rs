//! Loops of fused elementwise regions: a short register program runs over tiles of a few hundred elements
//! that stay in the first-level cache.
//!
//! Every register holds 32-bit words: floats by their bits, integers, and booleans as 0 or 1; float16 is widened
//! when it is read and rounded when it is stored. Operands that cover the whole loop are read where they lie; rows
//! that repeat are expanded once where a tile holds whole periods, other broadcast operands a tile at a time. Results
//! are stored after the whole program ran on a tile, so a result may overwrite an operand of the same layout.
#![allow(unsafe_code)]

use super::fold::{self, Chunks};
use super::{Cpu, Level, Shared, View, ViewMut};
use crate::{DType, MAX_RANK, Shape, math};
use core::mem::MaybeUninit;

/// Elements per tile.
pub const TILE: usize = if cfg!(target_arch = "arm") { 32 } else { 256 };
/// The most registers a program may use.
pub const REGISTERS: usize = 24;
/// Elements each thread takes at a time; loops shorter than two chunks stay on one thread.
pub(super) const CHUNK: usize = 64 * TILE;

/// Tiles are computed in whole blocks of so many elements: loops then have no remainder, which halves their code.
const BLOCK: usize = 16;

/// One tile of 32-bit words.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct Register([u32; TILE]);

/// A program over registers: operands arrive in registers `0..reads`, results leave from `results()`.
pub trait Program: Sync {
    /// Whether code for operands of type int8 is linked; without it they read as 0.
    const INT8: bool;
    /// Whether code for operands and results of type float16 is linked; without it they are 0.
    const FLOAT16: bool;
    /// How many registers the program uses.
    fn registers(&self) -> usize;
    /// Writes registers that stay the same for every tile.
    fn prepare(&self, registers: &mut Registers);
    /// Runs on the current tile.
    fn execute(&self, registers: &mut Registers);
    /// The registers that hold the results.
    fn results(&self) -> &[u8];
    /// Whether result `i` is summed over the leading axes of the loop instead of stored.
    fn sums(&self, i: usize) -> bool;
}

/// The register file of one run.
pub struct Registers {
    scratch: [MaybeUninit<Register>; REGISTERS],
    source: [*const u32; REGISTERS],
    used: usize,
    /// Blocks of the current tile, the last one perhaps in part.
    blocks: usize,
    /// Elements of the current tile.
    count: usize,
}

impl Registers {
    /// Starts a tile of `count` elements.
    #[inline(always)]
    fn begin(&mut self, count: usize) {
        self.count = count.min(TILE);
        self.blocks = self.count.div_ceil(BLOCK);
    }

    /// Takes the first `used` registers. In place, since the stack of a microcontroller has no room for a second file.
    fn take(&mut self, used: usize) {
        self.used = used.min(REGISTERS);
        for register in &mut self.scratch[..self.used] {
            register.write(Register([0; TILE]));
        }
    }

    /// The words of register `r`.
    #[inline(always)]
    fn read(&self, r: u8) -> &[u32] {
        assert!((r as usize) < self.used);
        let source = self.source[r as usize];
        let start = if source.is_null() { self.scratch[r as usize].as_ptr().cast() } else { source };
        // SAFETY: scratch registers below `used` are initialised and hold whole blocks; `source` was set by `load`
        // where the blocks of the current tile are readable.
        unsafe { core::slice::from_raw_parts(start, self.blocks * BLOCK) }
    }

    #[inline(always)]
    fn write(&mut self, r: u8) -> &mut [u32] {
        assert!((r as usize) < self.used);
        self.source[r as usize] = core::ptr::null();
        // SAFETY: scratch registers below `used` are initialised; TILE is a whole number of blocks.
        unsafe {
            core::slice::from_raw_parts_mut(self.scratch[r as usize].as_mut_ptr().cast(), self.blocks * BLOCK)
        }
    }

    /// The address of a destination, and how many elements to write there.
    #[inline(always)]
    fn target(&mut self, to: u8) -> (*mut u32, usize) {
        let y = self.write(to);
        (y.as_mut_ptr(), y.len())
    }

    /// Sets every element of `to`.
    #[inline(always)]
    pub fn fill(&mut self, to: u8, word: u32) {
        self.write(to).fill(word);
    }

    /// `to[i] = f(a[i])`; `to` is not `a`.
    // These loops are as plain as can be, so that they are vectorized even where little is inlined.
    #[inline(always)]
    pub fn map(&mut self, to: u8, a: u8, f: impl Fn(u32) -> u32) {
        assert!(to != a, "a destination register is not one of its sources");
        let a = self.read(a).as_ptr();
        let (y, n) = self.target(to);
        let mut i = 0;
        while i < n {
            // SAFETY: every register holds n words; y is written through no other pointer, since `to` differs from `a`:
            // distinct scratch registers are distinct memory and operand memory is never written here.
            unsafe { *y.add(i) = f(*a.add(i)) };
            i += 1;
        }
    }

    /// `to[i] = f(a[i], b[i])`; `to` is neither `a` nor `b`.
    #[inline(always)]
    pub fn map2(&mut self, to: u8, a: u8, b: u8, f: impl Fn(u32, u32) -> u32) {
        assert!(to != a && to != b, "a destination register is not one of its sources");
        let (a, b) = (self.read(a).as_ptr(), self.read(b).as_ptr());
        let (y, n) = self.target(to);
        let mut i = 0;
        while i < n {
            // SAFETY: as in `map`.
            unsafe { *y.add(i) = f(*a.add(i), *b.add(i)) };
            i += 1;
        }
    }

    /// `to[i] = f(a[i], b[i], c[i])`; `to` is none of the others.
    #[inline(always)]
    pub fn map3(&mut self, to: u8, a: u8, b: u8, c: u8, f: impl Fn(u32, u32, u32) -> u32) {
        assert!(to != a && to != b && to != c, "a destination register is not one of its sources");
        let (a, b, c) = (self.read(a).as_ptr(), self.read(b).as_ptr(), self.read(c).as_ptr());
        let (y, n) = self.target(to);
        let mut i = 0;
        while i < n {
            // SAFETY: as in `map`.
            unsafe { *y.add(i) = f(*a.add(i), *b.add(i), *c.add(i)) };
            i += 1;
        }
    }
}

#[cfg(all(gradling_compact, target_arch = "wasm32", target_feature = "simd128"))]
mod vectors {
    use super::Registers;
    use core::arch::wasm32::{v128, v128_load, v128_store};

    type Addresses = (*const u32, *const u32, *const u32, *mut u32, *mut u32);

    /// The loops of [`Registers`] over four words at a time.
    impl Registers {
        /// As [`map`](Registers::map).
        #[inline(always)]
        pub fn map_vectors(&mut self, to: u8, a: u8, f: impl Fn(v128) -> v128) {
            let (mut a, _, _, mut y, end) = self.operands(to, a, a, a);
            // A tile has elements.
            loop {
                // SAFETY: every register holds whole vectors up to `end`; otherwise as in `map`.
                unsafe { v128_store(y.cast(), f(v128_load(a.cast()))) };
                (a, y) = (a.wrapping_add(4), y.wrapping_add(4));
                if y == end {
                    break;
                }
            }
        }

        /// As [`map2`](Registers::map2).
        #[inline(always)]
        pub fn map2_vectors(&mut self, to: u8, a: u8, b: u8, f: impl Fn(v128, v128) -> v128) {
            let (mut a, mut b, _, mut y, end) = self.operands(to, a, b, b);
            loop {
                // SAFETY: as in `map_vectors`.
                unsafe { v128_store(y.cast(), f(v128_load(a.cast()), v128_load(b.cast()))) };
                (a, b, y) = (a.wrapping_add(4), b.wrapping_add(4), y.wrapping_add(4));
                if y == end {
                    break;
                }
            }
        }

        /// As [`map3`](Registers::map3).
        #[inline(always)]
        pub fn map3_vectors(&mut self, to: u8, a: u8, b: u8, c: u8, f: impl Fn(v128, v128, v128) -> v128) {
            let (mut a, mut b, mut c, mut y, end) = self.operands(to, a, b, c);
            loop {
                // SAFETY: as in `map_vectors`.
                unsafe {
                    let value = f(v128_load(a.cast()), v128_load(b.cast()), v128_load(c.cast()));
                    v128_store(y.cast(), value);
                }
                (a, b, c, y) = (a.wrapping_add(4), b.wrapping_add(4), c.wrapping_add(4), y.wrapping_add(4));
                if y == end {
                    break;
                }
            }
        }

        /// The addresses of sources and destination, and where the destination ends.
        #[inline(never)]
        fn operands(&mut self, to: u8, a: u8, b: u8, c: u8) -> Addresses {
            assert!(to != a && to != b && to != c, "a destination register is not one of its sources");
            let (a, b, c) = (self.read(a).as_ptr(), self.read(b).as_ptr(), self.read(c).as_ptr());
            let (y, n) = self.target(to);
            (a, b, c, y, y.wrapping_add(n))
        }
    }
}

/// How an operand lies under the row-major loop.
#[derive(Clone, Copy)]
enum Access {
    /// Element i of the loop is element i.
    Full,
    /// One element for all.
    Splat,
    /// Element i is element i mod n: a row repeated.
    Cyclic(usize),
    /// Element i is element i / n: each element repeated n times.
    Each(usize),
    /// Any other broadcast: strides by axis of the loop.
    Strided([usize; MAX_RANK]),
}

/// The access pattern of an operand of shape `operand` broadcast to `over`; `None` where it does not broadcast.
fn access(operand: &Shape, over: &Shape) -> Option<Access> {
    if !operand.broadcasts_to(over) {
        return None;
    }
    let (n, total) = (operand.numel(), over.numel());
    if n == total {
        return Some(Access::Full);
    }
    if n == 1 {
        return Some(Access::Splat);
    }
    let rank = over.rank();
    let aligned = |a: usize| operand.dim(a as isize - rank as isize);
    let first = (0..rank).find(|&a| aligned(a) != 1).unwrap_or(0);
    let last = (0..rank).rfind(|&a| aligned(a) != 1).unwrap_or(0);
    let same = |from: usize, to: usize| (from..to).all(|a| aligned(a) == over.dim(a as isize));
    if same(first, rank) {
        return Some(Access::Cyclic(n));
    }
    if same(0, last + 1) {
        return Some(Access::Each(total / n.max(1)));
    }
    let mut strides = [0; MAX_RANK];
    let mut step = 1;
    for a in (0..rank).rev() {
        if aligned(a) != 1 {
            strides[a] = step;
            step *= aligned(a);
        }
    }
    Some(Access::Strided(strides))
}

/// Runs `program` over every element of `over`.
///
/// **Arguments**: `reads` broadcast to `over`; `writes` have exactly its element count, or, where they are sums, the
/// trailing axes of it; `workspace` has [`fold::workspace`] elements. Operand counts and shapes are checked by the
/// caller (`op::region`); elements are skipped rather than read out of bounds where they do not fit.
pub fn run<P: Program>(
    cpu: &Cpu,
    program: &P,
    over: &Shape,
    reads: &[View],
    writes: &mut [ViewMut],
    workspace: &mut [f32],
) {
    let total = over.numel();
    let columns = |(i, w): (usize, &ViewMut)| if program.sums(i) { w.shape().numel() } else { 0 };
    let sums = writes.iter().enumerate().map(columns);
    let widest = sums.clone().max().unwrap_or(0);
    let width: usize = sums.clone().map(fold::width).sum();
    let fits = writes.iter().enumerate().all(|(i, w)| match program.sums(i) {
        true => w.dtype() == DType::F32 && total.is_multiple_of(w.shape().numel().max(1)),
        false => w.shape().numel() == total,
    }) && reads.iter().all(|r| r.shape().broadcasts_to(over))
        && reads.len() <= program.registers()
        && program.registers() <= REGISTERS
        && program.results().len() == writes.len()
        && workspace.len() >= fold::workspace(total, sums.clone());
    debug_assert!(fits, "region operands were not checked");
    if !fits {
        return;
    }
    let chunks = match widest {
        0 if total < 2 * CHUNK => Chunks { len: total, count: total.min(1) },
        0 => Chunks { len: CHUNK, count: total.div_ceil(CHUNK) },
        _ => Chunks::new(total, widest),
    };
    {
        let (writes, partials) = (&*writes, Shared::new(workspace));
        let task = |i: usize| {
            let range = i * chunks.len..((i + 1) * chunks.len).min(total);
            // SAFETY: each chunk has its own part of the workspace.
            let partial = unsafe { partials.range(i * width, width) };
            partial.fill(0.0);
            dispatch(cpu.level(), program, over, reads, writes, range, partial);
        };
        if chunks.count <= 1 { (0..chunks.count).for_each(task) } else { cpu.parallel(chunks.count, &task) }
    }
    let mut at = 0;
    for (i, write) in writes.iter_mut().enumerate().filter(|(i, _)| program.sums(*i)) {
        debug_assert!(program.sums(i));
        let Ok(sums) = write.slice::<f32>() else { return };
        let own = fold::width(sums.len());
        fold::finish((0..chunks.count).map(|chunk| &workspace[chunk * width + at..][..own]), sums);
        at += own;
    }
}

/// Runs `program` over some elements of `over`: a part of [`run`], for programs that sum nothing.
pub fn run_part<P: Program>(
    cpu: &Cpu,
    program: &P,
    over: &Shape,
    reads: &[View],
    writes: &[ViewMut],
    range: Range,
) {
    let fits = range.end <= over.numel()
        && writes.iter().enumerate().all(|(i, w)| w.shape().numel() == over.numel() && !program.sums(i))
        && reads.iter().all(|r| r.shape().broadcasts_to(over))
        && reads.len() <= program.registers()
        && program.registers() <= REGISTERS
        && program.results().len() == writes.len();
    debug_assert!(fits, "region operands were not checked");
    if fits {
        dispatch(cpu.level(), program, over, reads, writes, range, &mut []);
    }
}

type Range = core::ops::Range<usize>;

#[inline(never)]
fn dispatch<P: Program>(
    level: Level,
    p: &P,
    over: &Shape,
    reads: &[View],
    writes: &[ViewMut],
    range: Range,
    sums: &mut [f32],
) {
    #[cfg(target_arch = "x86_64")]
    {
        /// The same loop, compiled for AVX-512.
        #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
        fn avx512<P: Program>(
            p: &P,
            over: &Shape,
            reads: &[View],
            writes: &[ViewMut],
            range: Range,
            sums: &mut [f32],
        ) {
            tiles(p, over, reads, writes, range, sums);
        }
        /// The same loop, compiled for AVX2.
        #[target_feature(enable = "avx2,fma")]
        fn avx2<P: Program>(
            p: &P,
            over: &Shape,
            reads: &[View],
            writes: &[ViewMut],
            range: Range,
            sums: &mut [f32],
        ) {
            tiles(p, over, reads, writes, range, sums);
        }
        // SAFETY: a level is only chosen where the processor has its features (`Level::available`).
        match level {
            Level::Avx512 => return unsafe { avx512(p, over, reads, writes, range, sums) },
            Level::Avx2 => return unsafe { avx2(p, over, reads, writes, range, sums) },
            _ => {}
        }
    }
    let _ = level;
    tiles(p, over, reads, writes, range, sums);
}

#[inline(always)]
fn tiles<P: Program>(
    program: &P,
    over: &Shape,
    reads: &[View],
    writes: &[ViewMut],
    range: Range,
    sums: &mut [f32],
) {
    let mut registers = Registers {
        scratch: [const { MaybeUninit::uninit() }; REGISTERS],
        source: [core::ptr::null(); REGISTERS],
        used: 0,
        blocks: 0,
        count: 0,
    };
    registers.take(program.registers());
    registers.begin(range.len());
    let mut patterns = [Access::Splat; REGISTERS];
    for (i, read) in reads.iter().enumerate() {
        patterns[i] = access(read.shape(), over).unwrap_or(Access::Splat);
        if matches!(patterns[i], Access::Splat) {
            let word = word::<P>(read, 0);
            registers.fill(i as u8, word);
        }
    }
    program.prepare(&mut registers);
    let patterns = &patterns[..reads.len()];
    let rows = writes.iter().enumerate().filter(|(i, _)| program.sums(*i)).map(|(_, w)| w.shape().numel());
    let periods = patterns.iter().filter_map(|pattern| match pattern {
        Access::Cyclic(n) => Some(*n),
        _ => None,
    });
    let size = tile_size(rows.chain(periods));
    let mut start = range.start;
    while start < range.end {
        registers.begin(size.min(range.end - start));
        for (i, (read, &pattern)) in reads.iter().zip(patterns).enumerate() {
            // Whole periods later a cyclic operand reads as on the first tile, whose register no program overwrites.
            if start == range.start || !matches!(pattern, Access::Cyclic(n) if size.is_multiple_of(n)) {
                load::<P>(&mut registers, i, read, pattern, over, start);
            }
        }
        program.execute(&mut registers);
        let mut rest = &mut *sums;
        for (i, (&r, write)) in program.results().iter().zip(writes).enumerate() {
            if program.sums(i) {
                let columns = write.shape().numel();
                let (own, later) = rest.split_at_mut(fold::width(columns));
                fold::add(&registers.read(r)[..registers.count], start - range.start, own);
                rest = later;
            } else {
                store::<P>(&registers, r, write, start);
            }
        }
        start += registers.count;
    }
}

/// The elements of a tile: whole periods of the cyclic operands and of the rows that are summed, as far as there is
/// room for a common one.
fn tile_size(periods: impl Iterator<Item = usize>) -> usize {
    let mut period = 1;
    for n in periods {
        let (mut common, mut rest) = (n, period);
        while rest != 0 {
            (common, rest) = (rest, common % rest);
        }
        let both = (period / common.max(1)).saturating_mul(n);
        if (1..=TILE).contains(&both) {
            period = both;
        }
    }
    TILE / period * period
}

/// Element `i` of a view as a word.
#[inline(always)]
fn word<P: Program>(view: &View, i: usize) -> u32 {
    let mut word = [0];
    widen::<P>(view, i, &mut word);
    word[0]
}

/// The elements of a view from `start` on as words. A loop for each type, so that each can be vectorized.
#[inline(always)]
fn widen<P: Program>(view: &View, start: usize, to: &mut [u32]) {
    debug_assert!(start + to.len() <= view.shape().numel());
    // SAFETY: callers stay below the element count; `each` reads elements of the size of the type.
    unsafe {
        match view.dtype() {
            DType::F32 | DType::I32 => each(view.start().cast::<u32>().add(start), to, |x| x),
            DType::U8 | DType::Bool => each(view.start().add(start), to, u32::from),
            DType::I8 if P::INT8 => each(view.start().cast::<i8>().add(start), to, |x| x as u32),
            DType::F16 if P::FLOAT16 => {
                each(view.start().cast::<u16>().add(start), to, |x| math::of_half_bits(x).to_bits());
            }
            DType::I8 | DType::F16 => to.fill(0),
        }
    }
}

/// `to[i] = f(from[i])`
///
/// # Safety
/// `from` addresses as many elements as `to` has.
#[inline(always)]
unsafe fn each<T: Copy>(from: *const T, to: &mut [u32], f: impl Fn(T) -> u32) {
    for (i, y) in to.iter_mut().enumerate() {
        // SAFETY: i is below the length of `to`.
        *y = f(unsafe { from.add(i).read() });
    }
}

#[inline(always)]
fn load<P: Program>(
    registers: &mut Registers,
    r: usize,
    view: &View,
    pattern: Access,
    over: &Shape,
    start: usize,
) {
    let wide = view.dtype().size() == 4;
    let (count, whole) = (registers.count, start + registers.blocks * BLOCK <= view.shape().numel());
    match pattern {
        Access::Splat => {}
        Access::Full if wide && whole => {
            // SAFETY: the blocks of this tile are inside the view; the words are read before any store of this tile.
            registers.source[r] = unsafe { view.start().cast::<u32>().add(start) };
        }
        Access::Full => widen::<P>(view, start, &mut registers.write(r as u8)[..count]),
        Access::Cyclic(n) => {
            let mut at = start % n;
            let mut rest = &mut registers.write(r as u8)[..count];
            while !rest.is_empty() {
                let (now, later) = rest.split_at_mut((n - at).min(rest.len()));
                widen::<P>(view, at, now);
                (rest, at) = (later, 0);
            }
        }
        Access::Each(n) => {
            let (mut at, mut left) = (start / n, n - start % n);
            let mut rest = &mut registers.write(r as u8)[..count];
            while !rest.is_empty() {
                let (now, later) = rest.split_at_mut(left.min(rest.len()));
                now.fill(word::<P>(view, at));
                rest = later;
                at += 1;
                left = n;
            }
        }
        Access::Strided(strides) => {
            let rank = over.rank();
            let mut index = [0usize; MAX_RANK];
            let mut rest = start;
            for a in (0..rank).rev() {
                index[a] = rest % over.dim(a as isize);
                rest /= over.dim(a as isize);
            }
            let mut at: usize = (0..rank).map(|a| index[a] * strides[a]).sum();
            for y in registers.write(r as u8).iter_mut().take(count) {
                *y = word::<P>(view, at);
                for a in (0..rank).rev() {
                    index[a] += 1;
                    at += strides[a];
                    if index[a] < over.dim(a as isize) {
                        break;
                    }
                    at -= index[a] * strides[a];
                    index[a] = 0;
                }
            }
        }
    }
}

#[inline(always)]
fn store<P: Program>(registers: &Registers, r: u8, view: &ViewMut, start: usize) {
    let words = &registers.read(r)[..registers.count];
    // SAFETY: start + count is at most the element count; threads store at disjoint ranges; the words are copied
    // with `copy` since a result that is an operand itself may lie at the same place.
    unsafe {
        match view.dtype() {
            DType::F32 | DType::I32 => {
                core::ptr::copy(words.as_ptr(), view.start().cast::<u32>().add(start), words.len());
            }
            DType::U8 | DType::Bool | DType::I8 => {
                let to = view.start().add(start);
                for (i, &w) in words.iter().enumerate() {
                    to.add(i).write(w as u8);
                }
            }
            DType::F16 if P::FLOAT16 => {
                let to = view.start().cast::<u16>().add(start);
                for (i, &w) in words.iter().enumerate() {
                    to.add(i).write(math::half_bits(f32::from_bits(w)));
                }
            }
            DType::F16 => {}
        }
    }
}
