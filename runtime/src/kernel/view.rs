//! Typed views of memory that steps read and write.
#![allow(unsafe_code)]

use crate::{DType, Element, Result, Shape, misuse};
use core::marker::PhantomData;

mod sealed {
    pub trait Sealed {}
    impl Sealed for u8 {}
    impl Sealed for u16 {}
    impl Sealed for u32 {}
}

/// The bits of an element, for kernels that move elements and look at none.
pub trait Bits: Copy + Default + sealed::Sealed + 'static {}
impl Bits for u8 {}
impl Bits for u16 {}
impl Bits for u32 {}

/// A tensor that a kernel reads.
///
/// A view may share its memory with a [`ViewMut`] of the same step only where the plan marked the step as in
/// place; such steps (fused elementwise regions) copy tiles through raw pointers and never hold both slices.
#[derive(Clone, Copy)]
pub struct View<'a> {
    start: *const u8,
    shape: Shape,
    dtype: DType,
    memory: PhantomData<&'a [u8]>,
}

/// A tensor that a kernel writes.
pub struct ViewMut<'a> {
    start: *mut u8,
    shape: Shape,
    dtype: DType,
    memory: PhantomData<&'a mut [u8]>,
}

// SAFETY: a view is a borrow of plain bytes; sharing one between threads is sharing `&[u8]`.
unsafe impl Send for View<'_> {}
// SAFETY: as above.
unsafe impl Sync for View<'_> {}
// SAFETY: a mutable view is a unique borrow of plain bytes.
unsafe impl Send for ViewMut<'_> {}
// SAFETY: through `&ViewMut` memory is written only by tile stores at disjoint element ranges.
unsafe impl Sync for ViewMut<'_> {}

impl<'a> View<'a> {
    /// A view of `data` as a tensor of `shape`; **errors** when type or element count differ.
    pub fn new<T: Element>(data: &'a [T], shape: Shape, dtype: DType) -> Result<View<'a>> {
        check::<T>(data.len(), &shape, dtype)?;
        Ok(View { start: data.as_ptr().cast(), shape, dtype, memory: PhantomData })
    }

    /// A view of memory at `start`.
    ///
    /// # Safety
    /// `start` is aligned for `dtype` and addresses `shape.numel()` initialised elements for `'a`; writes
    /// during `'a` come only from a view of the same step over exactly the same range.
    pub unsafe fn from_raw(start: *const u8, shape: Shape, dtype: DType) -> View<'a> {
        View { start, shape, dtype, memory: PhantomData }
    }

    /// The shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The address of the first byte.
    pub fn start(&self) -> *const u8 {
        self.start
    }

    /// The elements; **errors** when they are not of type `T`.
    pub fn slice<T: Element>(&self) -> Result<&'a [T]> {
        check::<T>(self.shape.numel(), &self.shape, self.dtype)?;
        // SAFETY: type and count were checked on construction and here; not in place (see `View`).
        Ok(unsafe { core::slice::from_raw_parts(self.start.cast(), self.shape.numel()) })
    }

    /// The bits of the elements; **errors** when an element has another size.
    pub fn bits<T: Bits>(&self) -> Result<&'a [T]> {
        check_bits::<T>(&self.shape, self.dtype)?;
        // SAFETY: as in `slice`; integers of the size of an element have its alignment.
        Ok(unsafe { core::slice::from_raw_parts(self.start.cast(), self.shape.numel()) })
    }
}

impl<'a> ViewMut<'a> {
    /// A view of `data` as a tensor of `shape`; **errors** when type or element count differ.
    pub fn new<T: Element>(data: &'a mut [T], shape: Shape, dtype: DType) -> Result<ViewMut<'a>> {
        check::<T>(data.len(), &shape, dtype)?;
        Ok(ViewMut { start: data.as_mut_ptr().cast(), shape, dtype, memory: PhantomData })
    }

    /// A view of memory at `start`.
    ///
    /// # Safety
    /// As [`View::from_raw`], and no other view of the step overlaps it but one of exactly the same range.
    pub unsafe fn from_raw(start: *mut u8, shape: Shape, dtype: DType) -> ViewMut<'a> {
        ViewMut { start, shape, dtype, memory: PhantomData }
    }

    /// The shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The address of the first byte.
    pub fn start(&self) -> *mut u8 {
        self.start
    }

    /// The same memory as an operand of this shape, for a loop that works in place.
    ///
    /// **Errors** when the shape has another element count.
    pub(crate) fn as_operand(&self, shape: Shape) -> Result<View<'a>> {
        if shape.numel() != self.shape.numel() {
            return Err(misuse!("view: shape {shape} does not have the elements of {}", self.shape));
        }
        Ok(View { start: self.start, shape, dtype: self.dtype, memory: PhantomData })
    }

    /// The elements, for a kernel that hands parts of them on to a loop over the view itself.
    ///
    /// **Errors** when they are not of type `T`.
    pub(crate) fn whole<T: Element>(&self) -> Result<&'a mut [T]> {
        check::<T>(self.shape.numel(), &self.shape, self.dtype)?;
        // SAFETY: type and count were checked on construction and here; the kernel is done with a part before the loop
        // touches it (`kernel::Then`).
        Ok(unsafe { core::slice::from_raw_parts_mut(self.start.cast(), self.shape.numel()) })
    }

    /// The elements; **errors** when they are not of type `T`.
    pub fn slice<T: Element>(&mut self) -> Result<&mut [T]> {
        check::<T>(self.shape.numel(), &self.shape, self.dtype)?;
        // SAFETY: type and count were checked on construction and here; the borrow of `self` keeps it unique.
        Ok(unsafe { core::slice::from_raw_parts_mut(self.start.cast(), self.shape.numel()) })
    }

    /// The bits of the elements; **errors** when an element has another size. Only bits of elements may be written.
    pub fn bits<T: Bits>(&mut self) -> Result<&mut [T]> {
        check_bits::<T>(&self.shape, self.dtype)?;
        // SAFETY: as in `slice`; integers of the size of an element have its alignment.
        Ok(unsafe { core::slice::from_raw_parts_mut(self.start.cast(), self.shape.numel()) })
    }
}

fn check<T: Element>(len: usize, shape: &Shape, dtype: DType) -> Result<()> {
    if !T::stores(dtype) || len != shape.numel() {
        return Err(misuse!("view: {len} elements do not hold a {dtype} tensor of shape {shape}"));
    }
    Ok(())
}

fn check_bits<T: Bits>(shape: &Shape, dtype: DType) -> Result<()> {
    if size_of::<T>() != dtype.size() {
        return Err(misuse!("view: {} bytes are no {dtype} of a tensor of shape {shape}", size_of::<T>()));
    }
    Ok(())
}
