//! Tensors: a shape and shared, immutable elements.

mod create;
mod display;
mod join;

pub use display::{Display, PrintOptions};

use crate::{DType, Result, Shape, f16, math, misuse};
use alloc::{sync::Arc, vec, vec::Vec};

/// The elements of a [`Tensor`], row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// float32
    F32(Vec<f32>),
    /// int32
    I32(Vec<i32>),
    /// uint8
    U8(Vec<u8>),
    /// bool
    Bool(Vec<bool>),
    /// int8
    I8(Vec<i8>),
    /// float16
    F16(Vec<f16>),
}

impl Data {
    /// The element type.
    pub fn dtype(&self) -> DType {
        match self {
            Data::F32(_) => DType::F32,
            Data::I32(_) => DType::I32,
            Data::U8(_) => DType::U8,
            Data::Bool(_) => DType::Bool,
            Data::I8(_) => DType::I8,
            Data::F16(_) => DType::F16,
        }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        match self {
            Data::F32(v) => v.len(),
            Data::I32(v) => v.len(),
            Data::U8(v) => v.len(),
            Data::Bool(v) => v.len(),
            Data::I8(v) => v.len(),
            Data::F16(v) => v.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Vec<f32>> for Data {
    fn from(v: Vec<f32>) -> Data {
        Data::F32(v)
    }
}

impl From<Vec<i32>> for Data {
    fn from(v: Vec<i32>) -> Data {
        Data::I32(v)
    }
}

impl From<Vec<u8>> for Data {
    fn from(v: Vec<u8>) -> Data {
        Data::U8(v)
    }
}

impl From<Vec<bool>> for Data {
    fn from(v: Vec<bool>) -> Data {
        Data::Bool(v)
    }
}

impl From<Vec<i8>> for Data {
    fn from(v: Vec<i8>) -> Data {
        Data::I8(v)
    }
}

impl From<Vec<f16>> for Data {
    fn from(v: Vec<f16>) -> Data {
        Data::F16(v)
    }
}

impl From<&[f32]> for Data {
    fn from(v: &[f32]) -> Data {
        Data::F32(v.to_vec())
    }
}

impl<const N: usize> From<[f32; N]> for Data {
    fn from(v: [f32; N]) -> Data {
        Data::F32(v.to_vec())
    }
}

impl<const N: usize> From<[i32; N]> for Data {
    fn from(v: [i32; N]) -> Data {
        Data::I32(v.to_vec())
    }
}

/// An n-dimensional array. Cloning shares the elements.
///
/// ```
/// use gradling::Tensor;
/// let t = Tensor::new(&[2, 2], [1.0, 2.0, 3.0, 4.0])?;
/// assert_eq!(t.shape().dims(), [2, 2]);
/// # Ok::<(), gradling::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Shape,
    data: Arc<Data>,
}

impl Tensor {
    /// A tensor of `dims` from its elements in row-major order.
    ///
    /// **Errors** when the element count is not the product of `dims`.
    pub fn new(dims: &[usize], data: impl Into<Data>) -> Result<Tensor> {
        let (shape, data) = (Shape::new(dims)?, data.into());
        if shape.numel() != data.len() {
            return Err(misuse!(
                "tensor: expected {} elements for shape {shape}, got {}",
                shape.numel(),
                data.len()
            ));
        }
        Ok(Tensor { shape, data: Arc::new(data) })
    }

    /// A tensor whose element count is known to fit.
    pub(crate) fn from_parts(shape: Shape, data: Data) -> Tensor {
        debug_assert_eq!(shape.numel(), data.len());
        Tensor { shape, data: Arc::new(data) }
    }

    /// A float32 scalar.
    pub fn scalar(value: f32) -> Tensor {
        Tensor::from_parts(Shape::SCALAR, Data::F32(vec![value]))
    }

    /// An int32 scalar.
    pub fn scalar_i32(value: i32) -> Tensor {
        Tensor::from_parts(Shape::SCALAR, Data::I32(vec![value]))
    }

    /// A float32 tensor filled with `value`.
    pub fn full(dims: &[usize], value: f32) -> Result<Tensor> {
        let shape = Shape::new(dims)?;
        Ok(Tensor::from_parts(shape, Data::F32(vec![value; shape.numel()])))
    }

    /// A float32 tensor of zeros.
    pub fn zeros(dims: &[usize]) -> Result<Tensor> {
        Tensor::full(dims, 0.0)
    }

    /// A float32 tensor of ones.
    pub fn ones(dims: &[usize]) -> Result<Tensor> {
        Tensor::full(dims, 1.0)
    }

    /// A tensor of zeros of any element type.
    pub fn zeros_of(shape: Shape, dtype: DType) -> Tensor {
        let n = shape.numel();
        let data = match dtype {
            DType::F32 => Data::F32(vec![0.0; n]),
            DType::I32 => Data::I32(vec![0; n]),
            DType::U8 => Data::U8(vec![0; n]),
            DType::Bool => Data::Bool(vec![false; n]),
            DType::I8 => Data::I8(vec![0; n]),
            DType::F16 => Data::F16(vec![f16::ZERO; n]),
        };
        Tensor::from_parts(shape, data)
    }

    /// A tensor of any element type filled with `value`, cast to it (`tf.fill`).
    ///
    /// ```
    /// use gradling::{DType, Shape, Tensor};
    /// assert_eq!(Tensor::full_of(Shape::new(&[2])?, 130.0, DType::I8).as_i8()?, [-126, -126]);
    /// # Ok::<(), gradling::Error>(())
    /// ```
    pub fn full_of(shape: Shape, value: f32, dtype: DType) -> Tensor {
        let (n, whole) = (shape.numel(), value as i32);
        let data = match dtype {
            DType::F32 => Data::F32(vec![value; n]),
            DType::I32 => Data::I32(vec![whole; n]),
            DType::U8 => Data::U8(vec![whole as u8; n]),
            DType::Bool => Data::Bool(vec![value != 0.0; n]),
            DType::I8 => Data::I8(vec![whole as i8; n]),
            DType::F16 => Data::F16(vec![f16::from_bits(math::half_bits(value)); n]),
        };
        Tensor::from_parts(shape, data)
    }

    /// The shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.data.dtype()
    }

    /// The elements.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.data.len()
    }

    /// The elements of a float32 tensor; **errors** for another type.
    pub fn as_f32(&self) -> Result<&[f32]> {
        match &*self.data {
            Data::F32(v) => Ok(v),
            _ => Err(self.wrong_type(DType::F32)),
        }
    }

    /// The elements of an int32 tensor; **errors** for another type.
    pub fn as_i32(&self) -> Result<&[i32]> {
        match &*self.data {
            Data::I32(v) => Ok(v),
            _ => Err(self.wrong_type(DType::I32)),
        }
    }

    /// The elements of a uint8 tensor; **errors** for another type.
    pub fn as_u8(&self) -> Result<&[u8]> {
        match &*self.data {
            Data::U8(v) => Ok(v),
            _ => Err(self.wrong_type(DType::U8)),
        }
    }

    /// The elements of a bool tensor; **errors** for another type.
    pub fn as_bool(&self) -> Result<&[bool]> {
        match &*self.data {
            Data::Bool(v) => Ok(v),
            _ => Err(self.wrong_type(DType::Bool)),
        }
    }

    /// The elements of an int8 tensor; **errors** for another type.
    pub fn as_i8(&self) -> Result<&[i8]> {
        match &*self.data {
            Data::I8(v) => Ok(v),
            _ => Err(self.wrong_type(DType::I8)),
        }
    }

    /// The elements of a float16 tensor; **errors** for another type.
    pub fn as_f16(&self) -> Result<&[f16]> {
        match &*self.data {
            Data::F16(v) => Ok(v),
            _ => Err(self.wrong_type(DType::F16)),
        }
    }

    fn wrong_type(&self, wanted: DType) -> crate::Error {
        misuse!("tensor: expected elements of type {wanted}, got {}; cast it first", self.dtype())
    }

    /// The elements as float32, converted where the type is another.
    pub fn to_f32_vec(&self) -> Vec<f32> {
        match &*self.data {
            Data::F32(v) => v.clone(),
            Data::I32(v) => v.iter().map(|&x| x as f32).collect(),
            Data::U8(v) => v.iter().map(|&x| x as f32).collect(),
            Data::Bool(v) => v.iter().map(|&x| x as u8 as f32).collect(),
            Data::I8(v) => v.iter().map(|&x| x as f32).collect(),
            Data::F16(v) => v.iter().map(|&x| math::of_half_bits(x.to_bits())).collect(),
        }
    }

    /// The tensor as float32, sharing the elements where it is one already.
    pub fn to_f32(&self) -> Tensor {
        match &*self.data {
            Data::F32(_) => self.clone(),
            _ => Tensor::from_parts(self.shape, Data::F32(self.to_f32_vec())),
        }
    }

    /// The only element, as float32; **errors** when there is not exactly one.
    pub fn item(&self) -> Result<f32> {
        if self.numel() != 1 {
            return Err(misuse!("item: expected one element, got shape {}", self.shape));
        }
        Ok(self.to_f32_vec()[0])
    }

    /// The same elements under another shape; **errors** when the counts differ.
    pub fn reshape(&self, dims: &[usize]) -> Result<Tensor> {
        let shape = Shape::new(dims)?;
        if shape.numel() != self.numel() {
            return Err(misuse!(
                "reshape: {} has {} elements, {shape} has {}",
                self.shape,
                self.numel(),
                shape.numel()
            ));
        }
        Ok(Tensor { shape, data: self.data.clone() })
    }

    /// Elements `range` along the first axis.
    ///
    /// **Errors** for a scalar or a range beyond the axis.
    pub fn rows(&self, range: core::ops::Range<usize>) -> Result<Tensor> {
        let n = self.shape.dim(0);
        if self.shape.rank() == 0 || range.start > range.end || range.end > n {
            return Err(misuse!(
                "rows: {}..{} is not inside the first axis of {}",
                range.start,
                range.end,
                self.shape
            ));
        }
        let row = self.numel().checked_div(n).unwrap_or(0);
        let (a, b) = (range.start * row, range.end * row);
        let data = match &*self.data {
            Data::F32(v) => Data::F32(v[a..b].to_vec()),
            Data::I32(v) => Data::I32(v[a..b].to_vec()),
            Data::U8(v) => Data::U8(v[a..b].to_vec()),
            Data::Bool(v) => Data::Bool(v[a..b].to_vec()),
            Data::I8(v) => Data::I8(v[a..b].to_vec()),
            Data::F16(v) => Data::F16(v[a..b].to_vec()),
        };
        Ok(Tensor::from_parts(self.shape.with_dim(0, range.end - range.start), data))
    }

    /// The rows at `index` along the first axis, in that order.
    ///
    /// **Errors** for a scalar or an index beyond the axis.
    pub fn gather_rows(&self, index: &[usize]) -> Result<Tensor> {
        fn pick<T: Copy>(v: &[T], row: usize, index: &[usize]) -> Vec<T> {
            index.iter().flat_map(|&i| v[i * row..(i + 1) * row].iter().copied()).collect()
        }
        let n = self.shape.dim(0);
        if self.shape.rank() == 0 || index.iter().any(|&i| i >= n) {
            return Err(misuse!("gather_rows: an index is beyond the first axis of {}", self.shape));
        }
        let row = self.numel().checked_div(n).unwrap_or(0);
        let data = match &*self.data {
            Data::F32(v) => Data::F32(pick(v, row, index)),
            Data::I32(v) => Data::I32(pick(v, row, index)),
            Data::U8(v) => Data::U8(pick(v, row, index)),
            Data::Bool(v) => Data::Bool(pick(v, row, index)),
            Data::I8(v) => Data::I8(pick(v, row, index)),
            Data::F16(v) => Data::F16(pick(v, row, index)),
        };
        Ok(Tensor::from_parts(self.shape.with_dim(0, index.len()), data))
    }
}

impl From<f32> for Tensor {
    fn from(value: f32) -> Tensor {
        Tensor::scalar(value)
    }
}
