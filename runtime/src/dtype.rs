//! Element types.

use core::fmt;
use serde::{Deserialize, Serialize};

/// The type of one element of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DType {
    /// IEEE 754 binary32.
    F32,
    /// Two's complement 32-bit integer.
    I32,
    /// Unsigned byte: pixels, labels.
    U8,
    /// One byte, 0 or 1.
    Bool,
    /// Two's complement byte.
    I8,
    /// IEEE 754 binary16. Values are stored, moved and cast, not computed with: cast them to float32 first.
    F16,
}

impl DType {
    /// Size of one element in bytes.
    pub const fn size(self) -> usize {
        match self {
            DType::F32 | DType::I32 => 4,
            DType::F16 => 2,
            DType::U8 | DType::Bool | DType::I8 => 1,
        }
    }

    /// TensorFlow's name of the type.
    pub const fn name(self) -> &'static str {
        match self {
            DType::F32 => "float32",
            DType::I32 => "int32",
            DType::U8 => "uint8",
            DType::Bool => "bool",
            DType::I8 => "int8",
            DType::F16 => "float16",
        }
    }

    /// Whether casts to the type keep fractions.
    pub const fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F16)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for i32 {}
    impl Sealed for u8 {}
    impl Sealed for i8 {}
    impl Sealed for half::f16 {}
}

/// A Rust type that is stored as it is in an arena. Booleans are read and written as `u8`.
pub trait Element: Copy + Default + sealed::Sealed + 'static {
    /// Whether a buffer of `dtype` may be viewed as a slice of `Self`.
    fn stores(dtype: DType) -> bool;
}

impl Element for f32 {
    fn stores(dtype: DType) -> bool {
        dtype == DType::F32
    }
}

impl Element for i32 {
    fn stores(dtype: DType) -> bool {
        dtype == DType::I32
    }
}

impl Element for u8 {
    fn stores(dtype: DType) -> bool {
        matches!(dtype, DType::U8 | DType::Bool)
    }
}

impl Element for i8 {
    fn stores(dtype: DType) -> bool {
        dtype == DType::I8
    }
}

impl Element for half::f16 {
    fn stores(dtype: DType) -> bool {
        dtype == DType::F16
    }
}
