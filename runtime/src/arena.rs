//! Memory of plans: aligned buffers, and the one place that turns the slots of a verified step into slices.
#![allow(unsafe_code)]

use crate::kernel::{View, ViewMut};
use crate::op::{OPERANDS, RESULTS};
use crate::plan::{Place, Slot, Step};
use crate::{DType, Element, Result, Shape, misuse};
use core::marker::PhantomData;
use heapless::Vec as Fixed;

/// A value at a 64-byte boundary: plan files in flash and static arenas.
///
/// ```
/// use gradling::arena::Aligned;
/// static PLAN: &Aligned<[u8]> = &Aligned(*b"include_bytes!(..)");
/// assert!((PLAN.0.as_ptr() as usize).is_multiple_of(64));
/// ```
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Aligned<T: ?Sized>(pub T);

/// The memory of one run: three byte ranges, each 64-byte aligned on hosts and at least 4-byte aligned on
/// microcontrollers.
pub struct Memory<'a> {
    arena: (*mut u8, usize),
    variables: (*mut u8, usize),
    constants: (*const u8, usize),
    life: PhantomData<&'a mut [u8]>,
}

/// The views of one step.
pub struct Operands<'m> {
    /// What the step reads.
    pub reads: Fixed<View<'m>, OPERANDS>,
    /// What it writes.
    pub writes: Fixed<ViewMut<'m>, RESULTS>,
    /// Its scratch memory.
    pub workspace: &'m mut [f32],
}

impl<'a> Memory<'a> {
    /// The memory of one run.
    ///
    /// **Errors** when a range is not aligned to 4 bytes.
    pub fn new(arena: &'a mut [u8], variables: &'a mut [u8], constants: &'a [u8]) -> Result<Memory<'a>> {
        let aligned = |p: *const u8, len: usize| len == 0 || (p as usize).is_multiple_of(4);
        if !aligned(arena.as_ptr(), arena.len())
            || !aligned(variables.as_ptr(), variables.len())
            || !aligned(constants.as_ptr(), constants.len())
        {
            return Err(misuse!("memory: buffers must be aligned to 4 bytes; align them to 64 for speed"));
        }
        Ok(Memory {
            arena: (arena.as_mut_ptr(), arena.len()),
            variables: (variables.as_mut_ptr(), variables.len()),
            constants: (constants.as_ptr(), constants.len()),
            life: PhantomData,
        })
    }

    fn range(&self, slot: &Slot) -> Result<*mut u8> {
        let (start, len) = match slot.place {
            Place::Arena => self.arena,
            Place::Variables => self.variables,
            Place::Constants => (self.constants.0.cast_mut(), self.constants.1),
        };
        let end = (slot.offset as usize).checked_add(slot.bytes());
        match end {
            Some(end) if end <= len && (slot.offset as usize).is_multiple_of(slot.dtype.size()) => {
                // SAFETY: the offset is inside the range.
                Ok(unsafe { start.add(slot.offset as usize) })
            }
            _ => Err(misuse!(
                "step: a slot of {} bytes at {} is outside its memory",
                slot.bytes(),
                slot.offset
            )),
        }
    }

    /// The views of a step.
    ///
    /// **Errors** when a slot is outside its memory, a constant is written, or slots overlap that must not
    /// ([`Step::check_overlap`]).
    // Its frame is gone when the step runs.
    #[inline(never)]
    pub fn operands<'m>(&'m mut self, step: &Step) -> Result<Operands<'m>> {
        step.check_overlap()?;
        let mut reads = Fixed::new();
        for slot in &step.reads {
            // SAFETY: inside its memory and aligned (`range`); memory is initialised bytes; writes of this step
            // overlap it only as `check_overlap` allows, which is what `View` asks for.
            let view = unsafe { View::from_raw(self.range(slot)?, slot.shape, slot.dtype) };
            reads.push(view).map_err(|_| misuse!("step: too many operands"))?;
        }
        let mut writes = Fixed::new();
        for slot in &step.writes {
            if slot.place == Place::Constants {
                return Err(misuse!("step: a constant is written"));
            }
            // SAFETY: as above; `&mut self` keeps other views of this memory away for `'m`.
            let view = unsafe { ViewMut::from_raw(self.range(slot)?, slot.shape, slot.dtype) };
            writes.push(view).map_err(|_| misuse!("step: too many results"))?;
        }
        let workspace: &mut [f32] = match &step.workspace {
            None => &mut [],
            Some(slot) => {
                let start = self.range(slot)?;
                // SAFETY: inside the arena, aligned for f32, and disjoint from every other slot of the step.
                unsafe { core::slice::from_raw_parts_mut(start.cast(), slot.shape.numel()) }
            }
        };
        Ok(Operands { reads, writes, workspace })
    }
}

/// Bytes as the elements of a tensor.
///
/// **Errors** when they are misaligned, too few, or `T` does not store `dtype`.
pub fn cast<T: Element>(bytes: &[u8], shape: Shape, dtype: DType) -> Result<&[T]> {
    check_cast::<T>(bytes, &shape, dtype)?;
    // SAFETY: aligned, long enough and of a type for which every bit pattern is valid.
    Ok(unsafe { core::slice::from_raw_parts(bytes.as_ptr().cast(), shape.numel()) })
}

/// Bytes as the writable elements of a tensor.
///
/// **Errors** as [`cast`].
pub fn cast_mut<T: Element>(bytes: &mut [u8], shape: Shape, dtype: DType) -> Result<&mut [T]> {
    check_cast::<T>(bytes, &shape, dtype)?;
    // SAFETY: as in `cast`, uniquely borrowed.
    Ok(unsafe { core::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), shape.numel()) })
}

fn check_cast<T: Element>(bytes: &[u8], shape: &Shape, dtype: DType) -> Result<()> {
    let aligned = (bytes.as_ptr() as usize).is_multiple_of(align_of::<T>());
    if !aligned || !T::stores(dtype) || bytes.len() < shape.numel() * dtype.size() {
        return Err(misuse!("buffer: {} bytes are no {dtype} tensor of shape {shape}", bytes.len()));
    }
    Ok(())
}

#[cfg(feature = "alloc")]
pub use heap::{Buffer, bytes_of_bools};

#[cfg(feature = "alloc")]
mod heap {
    use crate::{DType, Data, Element, Result, Shape, Tensor, misuse};
    use alloc::vec::Vec;

    type Line = super::Aligned<[u8; 64]>;

    /// Growable zeroed bytes that start at a 64-byte boundary.
    #[derive(Clone, Debug, Default)]
    pub struct Buffer {
        lines: Vec<Line>,
        len: usize,
    }

    /// Booleans as bytes 0 and 1.
    pub fn bytes_of_bools(v: &[bool]) -> &[u8] {
        // SAFETY: bool has the size and alignment of u8 and only the bit patterns 0 and 1.
        unsafe { core::slice::from_raw_parts(v.as_ptr().cast(), v.len()) }
    }

    impl Buffer {
        /// `len` zero bytes.
        pub fn new(len: usize) -> Buffer {
            Buffer { lines: alloc::vec![super::Aligned([0; 64]); len.div_ceil(64)], len }
        }

        /// The bytes, copied to an aligned place.
        pub fn from_bytes(bytes: &[u8]) -> Buffer {
            let mut buffer = Buffer::new(bytes.len());
            buffer.bytes_mut().copy_from_slice(bytes);
            buffer
        }

        /// The number of bytes.
        pub fn len(&self) -> usize {
            self.len
        }

        /// Whether there are no bytes.
        pub fn is_empty(&self) -> bool {
            self.len == 0
        }

        /// Appends zeros up to `len` bytes.
        pub fn grow(&mut self, len: usize) {
            if len > self.len {
                self.lines.resize(len.div_ceil(64), super::Aligned([0; 64]));
                self.len = len;
            }
        }

        /// The bytes.
        pub fn bytes(&self) -> &[u8] {
            // SAFETY: lines are plain initialised bytes and there are at least `len` of them.
            unsafe { core::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
        }

        /// The bytes, writable.
        pub fn bytes_mut(&mut self) -> &mut [u8] {
            // SAFETY: as above, uniquely borrowed.
            unsafe { core::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
        }

        fn check(&self, offset: usize, shape: &Shape, dtype: DType) -> Result<core::ops::Range<usize>> {
            let end = offset.saturating_add(shape.numel().saturating_mul(dtype.size()));
            if end > self.len || !offset.is_multiple_of(dtype.size()) {
                return Err(misuse!(
                    "buffer: {dtype} of shape {shape} at {offset} is outside its {} bytes",
                    self.len
                ));
            }
            Ok(offset..end)
        }

        /// The elements at `offset`.
        ///
        /// **Errors** when they are not inside or `T` does not store `dtype`.
        pub fn slice<T: Element>(&self, offset: usize, shape: Shape, dtype: DType) -> Result<&[T]> {
            let range = self.check(offset, &shape, dtype)?;
            super::cast(&self.bytes()[range], shape, dtype)
        }

        /// The elements at `offset`, writable.
        ///
        /// **Errors** as [`slice`](Buffer::slice).
        pub fn slice_mut<T: Element>(
            &mut self,
            offset: usize,
            shape: Shape,
            dtype: DType,
        ) -> Result<&mut [T]> {
            let range = self.check(offset, &shape, dtype)?;
            super::cast_mut(&mut self.bytes_mut()[range], shape, dtype)
        }

        /// A copy of the elements at `offset`.
        ///
        /// **Errors** when they are not inside.
        pub fn tensor(&self, offset: usize, shape: Shape, dtype: DType) -> Result<Tensor> {
            let data = match dtype {
                DType::F32 => Data::F32(self.slice(offset, shape, dtype)?.to_vec()),
                DType::I32 => Data::I32(self.slice(offset, shape, dtype)?.to_vec()),
                DType::U8 => Data::U8(self.slice(offset, shape, dtype)?.to_vec()),
                DType::I8 => Data::I8(self.slice(offset, shape, dtype)?.to_vec()),
                DType::F16 => Data::F16(self.slice(offset, shape, dtype)?.to_vec()),
                DType::Bool => {
                    Data::Bool(self.slice::<u8>(offset, shape, dtype)?.iter().map(|&b| b != 0).collect())
                }
            };
            Ok(Tensor::from_parts(shape, data))
        }

        /// Copies a tensor to `offset`.
        ///
        /// **Errors** when it does not fit.
        pub fn write(&mut self, offset: usize, value: &Tensor) -> Result<()> {
            let (shape, dtype) = (*value.shape(), value.dtype());
            match value.data() {
                Data::F32(v) => self.slice_mut(offset, shape, dtype)?.copy_from_slice(v),
                Data::I32(v) => self.slice_mut(offset, shape, dtype)?.copy_from_slice(v),
                Data::U8(v) => self.slice_mut(offset, shape, dtype)?.copy_from_slice(v),
                Data::I8(v) => self.slice_mut(offset, shape, dtype)?.copy_from_slice(v),
                Data::F16(v) => self.slice_mut(offset, shape, dtype)?.copy_from_slice(v),
                Data::Bool(v) => self.slice_mut(offset, shape, dtype)?.copy_from_slice(bytes_of_bools(v)),
            }
            Ok(())
        }
    }
}
