//! Tensors of a group file: `<group>.safetensors`, float32 and int32 only.

use std::collections::HashMap;
use std::path::Path;

use safetensors::{Dtype, SafeTensors};

/// Numbers of a recorded or computed tensor.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 32-bit integers; also booleans and other integers, see [`crate::case::Case::dtypes`].
    I32(Vec<i32>),
}

/// A dense row-major array.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Extents, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// The elements.
    pub numbers: Numbers,
}

impl Array {
    /// An array of floats.
    pub fn f32(shape: &[usize], data: Vec<f32>) -> Array {
        Array { shape: shape.to_vec(), numbers: Numbers::F32(data) }
    }

    /// An array of integers.
    pub fn i32(shape: &[usize], data: Vec<i32>) -> Array {
        Array { shape: shape.to_vec(), numbers: Numbers::I32(data) }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match &self.numbers {
            Numbers::F32(v) => v.len(),
            Numbers::I32(v) => v.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements as floats.
    pub fn to_f32(&self) -> Vec<f32> {
        match &self.numbers {
            Numbers::F32(v) => v.clone(),
            Numbers::I32(v) => v.iter().map(|&i| i as f32).collect(),
        }
    }

    /// The elements as integers; floats are truncated.
    pub fn to_i32(&self) -> Vec<i32> {
        match &self.numbers {
            Numbers::F32(v) => v.iter().map(|&x| x as i32).collect(),
            Numbers::I32(v) => v.clone(),
        }
    }

    /// Row `i` along the first axis.
    pub fn row(&self, i: usize) -> Array {
        let shape = self.shape[1..].to_vec();
        let n: usize = shape.iter().product();
        let numbers = match &self.numbers {
            Numbers::F32(v) => Numbers::F32(v[i * n..(i + 1) * n].to_vec()),
            Numbers::I32(v) => Numbers::I32(v[i * n..(i + 1) * n].to_vec()),
        };
        Array { shape, numbers }
    }
}

/// All tensors of a group by key.
#[derive(Debug, Default)]
pub struct Tensors(HashMap<String, Array>);

impl Tensors {
    /// Reads a safetensors file.
    ///
    /// **Errors** when the file cannot be read, is no safetensors file or holds another element type.
    pub fn read(path: &Path) -> Result<Tensors, String> {
        let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut all = HashMap::new();
        for (key, view) in file.tensors() {
            let words = view.data().chunks_exact(4).map(|c| [c[0], c[1], c[2], c[3]]);
            let numbers = match view.dtype() {
                Dtype::F32 => Numbers::F32(words.map(f32::from_le_bytes).collect()),
                Dtype::I32 => Numbers::I32(words.map(i32::from_le_bytes).collect()),
                other => return Err(format!("{}: {key} has element type {other:?}", path.display())),
            };
            all.insert(key, Array { shape: view.shape().to_vec(), numbers });
        }
        Ok(Tensors(all))
    }

    /// The tensor stored under `key`.
    ///
    /// **Errors** when the file has none.
    pub fn get(&self, key: &str) -> Result<&Array, String> {
        self.0.get(key).ok_or_else(|| format!("no tensor {key} in the group file"))
    }
}
