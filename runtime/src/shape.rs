//! Shapes: up to eight dimensions, held in place so that steps of a plan have a fixed size.

use crate::{Error, Result, misuse};
use core::fmt;
use heapless::Vec as Fixed;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The largest rank of a tensor.
pub const MAX_RANK: usize = 8;

/// The dimensions of a tensor, outermost first. A scalar has rank 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Shape {
    rank: u8,
    dims: [u32; MAX_RANK],
}

impl Shape {
    /// The shape of a scalar.
    pub const SCALAR: Shape = Shape { rank: 0, dims: [0; MAX_RANK] };

    /// A shape from its dimensions.
    ///
    /// **Errors** when there are more than [`MAX_RANK`] dimensions or the element count does not fit in an
    /// `i32`, the largest count that indices can address on every target.
    pub fn new(dims: &[usize]) -> Result<Shape> {
        if dims.len() > MAX_RANK {
            return Err(misuse!("shape: expected at most 8 dimensions, got {}", dims.len()));
        }
        let mut shape = Shape { rank: dims.len() as u8, dims: [0; MAX_RANK] };
        let mut count = 1usize;
        for (slot, &dim) in shape.dims.iter_mut().zip(dims) {
            // Zero dimensions are kept from hiding an overflow in the others.
            count = count.saturating_mul(dim.max(1));
            if count > i32::MAX as usize {
                return Err(misuse!("shape: {} has more than 2^31 elements", List(dims)));
            }
            *slot = dim as u32;
        }
        Ok(shape)
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.rank as usize
    }

    /// The dimensions, outermost first.
    pub fn dims(&self) -> &[u32] {
        &self.dims[..self.rank()]
    }

    /// Dimension `axis`; negative axes count from the end; 1 where there is no such axis.
    pub fn dim(&self, axis: isize) -> usize {
        self.axis(axis).map_or(1, |a| self.dims[a] as usize)
    }

    /// The non-negative form of `axis`, if the shape has it.
    pub fn axis(&self, axis: isize) -> Option<usize> {
        let a = if axis < 0 { axis + self.rank as isize } else { axis };
        (0..self.rank as isize).contains(&a).then_some(a as usize)
    }

    /// The number of elements; 1 for a scalar.
    pub fn numel(&self) -> usize {
        self.dims().iter().map(|&d| d as usize).product()
    }

    /// The dimensions as a list on the stack.
    pub fn list(&self) -> Fixed<usize, MAX_RANK> {
        self.dims().iter().map(|&d| d as usize).collect()
    }

    /// Elements between neighbours along each axis of a row-major array.
    pub fn strides(&self) -> [usize; MAX_RANK] {
        let mut strides = [0; MAX_RANK];
        let mut step = 1;
        for a in (0..self.rank()).rev() {
            strides[a] = step;
            step *= self.dims[a] as usize;
        }
        strides
    }

    /// The same shape with dimension `axis` set to `dim`; unchanged where there is no such axis.
    pub fn with_dim(mut self, axis: isize, dim: usize) -> Shape {
        if let Some(a) = self.axis(axis) {
            self.dims[a] = dim as u32;
        }
        self
    }

    /// The shape that NumPy broadcasting gives `a` and `b`.
    pub fn broadcast(a: &Shape, b: &Shape) -> Option<Shape> {
        let rank = a.rank().max(b.rank());
        let mut out = Shape { rank: rank as u8, dims: [0; MAX_RANK] };
        for i in 1..=rank as isize {
            let (x, y) = (a.dim(-i), b.dim(-i));
            let d = match (x, y) {
                (x, y) if x == y => x,
                (1, y) => y,
                (x, 1) => x,
                _ => return None,
            };
            out.dims[rank - i as usize] = d as u32;
        }
        Some(out)
    }

    /// Whether an array of this shape broadcasts to `to`.
    pub fn broadcasts_to(&self, to: &Shape) -> bool {
        Shape::broadcast(self, to).is_some_and(|s| s == *to)
    }

    /// The dimensions as a vector.
    #[cfg(feature = "alloc")]
    pub fn to_vec(&self) -> alloc::vec::Vec<usize> {
        self.dims().iter().map(|&d| d as usize).collect()
    }
}

/// Numbers in a message, as `{:?}` writes them but without its code.
pub(crate) struct List<'n, T>(pub &'n [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, number) in self.0.iter().enumerate() {
            write!(f, "{}{number}", if i == 0 { "[" } else { ", " })?;
        }
        f.write_str(if self.0.is_empty() { "[]" } else { "]" })
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&List(self.dims()), f)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const N: usize> TryFrom<[usize; N]> for Shape {
    type Error = Error;
    fn try_from(dims: [usize; N]) -> Result<Shape> {
        Shape::new(&dims)
    }
}

impl Serialize for Shape {
    fn serialize<S: Serializer>(&self, s: S) -> core::result::Result<S::Ok, S::Error> {
        s.collect_seq(self.dims())
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(d: D) -> core::result::Result<Shape, D::Error> {
        let dims = Fixed::<u32, MAX_RANK>::deserialize(d)?;
        let list: Fixed<usize, MAX_RANK> = dims.iter().map(|&d| d as usize).collect();
        Shape::new(&list).map_err(|_| serde::de::Error::custom("shape has too many elements"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_numpy() {
        let s = |d: &[usize]| Shape::new(d).unwrap();
        assert_eq!(Shape::broadcast(&s(&[3, 1]), &s(&[4])), Some(s(&[3, 4])));
        assert_eq!(Shape::broadcast(&s(&[2]), &s(&[3])), None);
        assert_eq!(Shape::broadcast(&Shape::SCALAR, &s(&[2, 2])), Some(s(&[2, 2])));
        assert!(!s(&[2, 2]).broadcasts_to(&s(&[2])));
    }

    #[test]
    fn negative_axes_count_from_the_end() {
        let s = Shape::new(&[2, 3, 4]).unwrap();
        assert_eq!((s.dim(-1), s.dim(0), s.dim(9)), (4, 2, 1));
        assert_eq!(s.strides()[..3], [12, 4, 1]);
    }

    #[test]
    fn huge_shapes_are_refused() {
        assert!(Shape::new(&[0, usize::MAX, usize::MAX]).is_err());
        assert!(Shape::new(&[1; 9]).is_err());
    }
}
