//! Tensors put together and taken apart, and functions whose result has a size that depends on values.

use super::{Data, Tensor};
use crate::{Result, Shape, f16, misuse};
use alloc::vec;
use alloc::vec::Vec;

impl Tensor {
    /// Tensors one after another along an axis, negative from the end (`tf.concat`).
    ///
    /// **Errors** without tensors, and when element types or the other axes differ.
    pub fn concat(parts: &[Tensor], axis: isize) -> Result<Tensor> {
        let Some(first) = parts.first() else { return Err(misuse!("concat: expected at least one tensor")) };
        let Some(a) = first.shape.axis(axis) else {
            return Err(misuse!("concat: axis {axis} is beyond shape {}", first.shape));
        };
        let own = |t: &Tensor| (t.shape.with_dim(a as isize, 0), t.shape.rank(), t.dtype());
        if let Some(other) = parts.iter().find(|t| own(t) != own(first)) {
            return Err(misuse!(
                "concat: expected {} {} but for axis {axis}, got {} {}",
                first.dtype(),
                first.shape,
                other.dtype(),
                other.shape
            ));
        }
        let mut dims = first.shape.to_vec();
        let outer: usize = dims[..a].iter().product();
        let inner: usize = dims[a + 1..].iter().product();
        dims[a] = parts.iter().fold(0, |sum, t| sum + t.shape.dim(a as isize));
        let shape = Shape::new(&dims)?;
        macro_rules! join {
            ($Kind:ident) => {{
                let mut all = Vec::with_capacity(shape.numel());
                for o in 0..outer {
                    for t in parts {
                        let width = t.shape.dim(a as isize) * inner;
                        if let Data::$Kind(v) = &*t.data {
                            all.extend_from_slice(&v[o * width..(o + 1) * width]);
                        }
                    }
                }
                Data::$Kind(all)
            }};
        }
        let data = match &*first.data {
            Data::F32(_) => join!(F32),
            Data::I32(_) => join!(I32),
            Data::U8(_) => join!(U8),
            Data::Bool(_) => join!(Bool),
            Data::I8(_) => join!(I8),
            Data::F16(_) => join!(F16),
        };
        Ok(Tensor::from_parts(shape, data))
    }

    /// Tensors of one shape along a new axis (`tf.stack`).
    pub fn stack(parts: &[Tensor], axis: isize) -> Result<Tensor> {
        let grown: Result<Vec<Tensor>> = parts.iter().map(|t| t.expand_dims(axis)).collect();
        Tensor::concat(&grown?, axis)
    }

    /// The same elements with a new axis of extent 1 (`tf.expand_dims`).
    pub fn expand_dims(&self, axis: isize) -> Result<Tensor> {
        let mut dims = self.shape.to_vec();
        let at = if axis < 0 { axis + dims.len() as isize + 1 } else { axis };
        if at < 0 || at as usize > dims.len() {
            return Err(misuse!("expand_dims: axis {axis} is beyond shape {}", self.shape));
        }
        dims.insert(at as usize, 1);
        self.reshape(&dims)
    }

    /// Rows below one another (`np.vstack`); vectors are rows.
    pub fn vstack(parts: &[Tensor]) -> Result<Tensor> {
        let rows: Result<Vec<Tensor>> = parts
            .iter()
            .map(|t| if t.shape.rank() < 2 { t.reshape(&[1, t.numel()]) } else { Ok(t.clone()) })
            .collect();
        Tensor::concat(&rows?, 0)
    }

    /// Columns beside one another (`np.hstack`); vectors are joined end to end.
    pub fn hstack(parts: &[Tensor]) -> Result<Tensor> {
        let parts: Result<Vec<Tensor>> =
            parts.iter().map(|t| if t.shape.rank() == 0 { t.reshape(&[1]) } else { Ok(t.clone()) }).collect();
        let parts = parts?;
        let axis = isize::from(parts.iter().any(|t| t.shape.rank() > 1));
        Tensor::concat(&parts, axis)
    }

    /// Parts of these sizes along an axis (`tf.split`).
    ///
    /// **Errors** when the sizes do not add up.
    pub fn split(&self, sizes: &[usize], axis: isize) -> Result<Vec<Tensor>> {
        let whole = sizes.iter().fold(0usize, |sum, &n| sum.saturating_add(n));
        let a = match self.shape.axis(axis) {
            Some(a) if self.shape.dim(axis) == whole => a,
            _ => {
                return Err(misuse!(
                    "split: the sizes {sizes:?} do not add up to axis {axis} of {}",
                    self.shape
                ));
            }
        };
        let dims = self.shape.to_vec();
        let outer: usize = dims[..a].iter().product();
        let inner: usize = dims[a + 1..].iter().product();
        let mut start = 0;
        let mut parts = Vec::new();
        for &n in sizes {
            let range = |o: usize| (o * whole + start) * inner..(o * whole + start + n) * inner;
            fn cut<T: Copy>(
                v: &[T],
                outer: usize,
                range: impl Fn(usize) -> core::ops::Range<usize>,
            ) -> Vec<T> {
                (0..outer).flat_map(|o| v[range(o)].iter().copied()).collect()
            }
            let data = match &*self.data {
                Data::F32(v) => Data::F32(cut(v, outer, range)),
                Data::I32(v) => Data::I32(cut(v, outer, range)),
                Data::U8(v) => Data::U8(cut(v, outer, range)),
                Data::Bool(v) => Data::Bool(cut(v, outer, range)),
                Data::I8(v) => Data::I8(cut(v, outer, range)),
                Data::F16(v) => Data::F16(cut(v, outer, range)),
            };
            parts.push(Tensor::from_parts(self.shape.with_dim(a as isize, n), data));
            start += n;
        }
        Ok(parts)
    }

    /// The slices along an axis, which is dropped (`tf.unstack`).
    pub fn unstack(&self, axis: isize) -> Result<Vec<Tensor>> {
        let Some(a) = self.shape.axis(axis) else {
            return Err(misuse!("unstack: axis {axis} is beyond shape {}", self.shape));
        };
        let mut dims = self.shape.to_vec();
        let n = dims.remove(a);
        self.split(&vec![1; n], axis)?.iter().map(|part| part.reshape(&dims)).collect()
    }

    /// The coordinates of the elements that are not zero or false, int32 `[n, rank]` in row-major order (`tf.where`
    /// with one argument).
    pub fn nonzero(&self) -> Result<Tensor> {
        let (dims, strides) = (self.shape.to_vec(), self.shape.strides());
        let hit: Vec<bool> = match &*self.data {
            Data::F32(v) => v.iter().map(|&x| x != 0.0).collect(),
            Data::I32(v) => v.iter().map(|&x| x != 0).collect(),
            Data::U8(v) => v.iter().map(|&x| x != 0).collect(),
            Data::Bool(v) => v.clone(),
            Data::I8(v) => v.iter().map(|&x| x != 0).collect(),
            Data::F16(v) => v.iter().map(|x| x.to_bits() & 0x7fff != 0).collect(),
        };
        let mut found = Vec::new();
        for i in (0..hit.len()).filter(|&i| hit[i]) {
            found.extend(dims.iter().zip(strides).map(|(&d, s)| (i / s % d) as i32));
        }
        let n = hit.iter().filter(|&&h| h).count();
        Tensor::new(&[n, dims.len()], found)
    }

    /// The elements where an equally shaped mask of booleans holds, as a vector (`tf.boolean_mask`). A mask of fewer
    /// axes picks slices.
    pub fn boolean_mask(&self, mask: &Tensor) -> Result<Tensor> {
        let (dims, lead) = (self.shape.to_vec(), mask.shape.to_vec());
        if !dims.starts_with(&lead) || lead.is_empty() {
            return Err(misuse!("boolean_mask: mask {} does not fit shape {}", mask.shape, self.shape));
        }
        let index: Vec<usize> =
            mask.as_bool()?.iter().enumerate().filter(|(_, hit)| **hit).map(|(i, _)| i).collect();
        let mut rows = vec![lead.iter().product()];
        rows.extend(&dims[lead.len()..]);
        self.reshape(&rows)?.gather_rows(&index)
    }

    /// The different elements of a vector in the order of their first occurrence, and for each element the int32 index
    /// of its own among them (`tf.unique`). Every NaN is different.
    ///
    /// ```
    /// use gradling::Tensor;
    /// let (y, index) = Tensor::new(&[4], [5, 3, 5, 1])?.unique()?;
    /// assert_eq!((y.as_i32()?, index.as_i32()?), (&[5, 3, 1][..], &[0, 1, 0, 2][..]));
    /// # Ok::<(), gradling::Error>(())
    /// ```
    pub fn unique(&self) -> Result<(Tensor, Tensor)> {
        if self.shape.rank() != 1 {
            return Err(misuse!("unique: expected a vector, got shape {}", self.shape));
        }
        let bits: Vec<u32> = match &*self.data {
            // Both zeros are equal, a NaN equals nothing.
            Data::F32(v) => v.iter().map(|&x| if x == 0.0 { 0 } else { x.to_bits() }).collect(),
            Data::I32(v) => v.iter().map(|&x| x as u32).collect(),
            Data::U8(v) => v.iter().map(|&x| x as u32).collect(),
            Data::Bool(v) => v.iter().map(|&x| x as u32).collect(),
            Data::I8(v) => v.iter().map(|&x| x as u32).collect(),
            Data::F16(v) => v.iter().map(|&x| if x == f16::ZERO { 0 } else { x.to_bits() as u32 }).collect(),
        };
        let nan = |i: usize| match &*self.data {
            Data::F32(v) => v[i].is_nan(),
            Data::F16(v) => v[i].is_nan(),
            _ => false,
        };
        let mut known = alloc::collections::BTreeMap::new();
        let (mut first, mut index) = (Vec::new(), Vec::new());
        for (i, &b) in bits.iter().enumerate() {
            let next = first.len();
            let at = if nan(i) { next } else { *known.entry(b).or_insert(next) };
            if at == next {
                first.push(i);
            }
            index.push(at as i32);
        }
        Ok((self.gather_rows(&first)?, Tensor::new(&[index.len()], index)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(dims: &[usize], data: &[f32]) -> Tensor {
        Tensor::new(dims, data).unwrap()
    }

    #[test]
    fn join_and_split() {
        let (a, b) = (t(&[2, 1], &[1.0, 2.0]), t(&[2, 2], &[3.0, 4.0, 5.0, 6.0]));
        let c = Tensor::concat(&[a.clone(), b.clone()], 1).unwrap();
        assert_eq!(c, t(&[2, 3], &[1.0, 3.0, 4.0, 2.0, 5.0, 6.0]));
        assert_eq!(c.split(&[1, 2], -1).unwrap(), [a.clone(), b]);
        assert_eq!(
            Tensor::hstack(&[t(&[1], &[1.0]), t(&[2], &[2.0, 3.0])]).unwrap(),
            t(&[3], &[1.0, 2.0, 3.0])
        );
        assert_eq!(Tensor::vstack(&[t(&[1], &[1.0]), t(&[1], &[2.0])]).unwrap(), t(&[2, 1], &[1.0, 2.0]));
        let parts = c.unstack(1).unwrap();
        assert_eq!(Tensor::stack(&parts, 1).unwrap(), c);
        assert!(Tensor::concat(&[a, t(&[3, 1], &[0.0; 3])], 1).is_err());
    }

    #[test]
    fn masks() {
        let x = t(&[2, 2], &[0.0, 1.0, 2.0, 0.0]);
        assert_eq!(x.nonzero().unwrap(), Tensor::new(&[2, 2], [0, 1, 1, 0]).unwrap());
        let mask = Tensor::new(&[2], vec![false, true]).unwrap();
        assert_eq!(x.boolean_mask(&mask).unwrap(), t(&[1, 2], &[2.0, 0.0]));
    }
}
