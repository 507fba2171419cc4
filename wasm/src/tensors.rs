//! Tensors by number: what TypeScript holds of a tensor is a `u32`.

use crate::{Js, js};
use gradling::{DType, Data, Result, Shape, Tensor, device_error, misuse};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

/// The live tensors. A number is given again only after it was freed.
#[derive(Default)]
pub(crate) struct Tensors {
    slots: Vec<Option<Tensor>>,
    free: Vec<u32>,
    bytes: usize,
}

impl Tensors {
    /// The tensor of a number; **errors** when it was disposed.
    pub(crate) fn get(&self, id: u32) -> Result<&Tensor> {
        self.slots
            .get(id as usize)
            .and_then(Option::as_ref)
            .ok_or_else(|| misuse!("tensor: it is disposed; keep it with tf.keep or dispose it later"))
    }

    /// A number for a tensor. JavaScript has no name for int8 and float16: such tensors become float32.
    pub(crate) fn put(&mut self, tensor: Tensor) -> u32 {
        let tensor = if DTYPES.contains(&tensor.dtype()) { tensor } else { tensor.to_f32() };
        self.bytes += bytes(&tensor);
        match self.free.pop() {
            Some(id) => {
                self.slots[id as usize] = Some(tensor);
                id
            }
            None => {
                self.slots.push(Some(tensor));
                self.slots.len() as u32 - 1
            }
        }
    }

    fn drop(&mut self, id: u32) {
        if let Some(tensor) = self.slots.get_mut(id as usize).and_then(Option::take) {
            self.bytes -= bytes(&tensor);
            self.free.push(id);
        }
    }
}

fn bytes(tensor: &Tensor) -> usize {
    tensor.numel() * tensor.dtype().size()
}

/// Element types by number, in the order of TypeScript's list.
pub(crate) const DTYPES: [DType; 4] = [DType::F32, DType::I32, DType::U8, DType::Bool];

/// Dimensions that come from JavaScript.
pub(crate) fn dims(list: &[u32]) -> Vec<usize> {
    list.iter().map(|&d| d as usize).collect()
}

/// One of a list, by the number that TypeScript uses for it.
pub(crate) fn pick<T: Copy>(list: &[T], code: u32) -> Result<T> {
    list.get(code as usize).copied().ok_or_else(|| misuse!("there is no choice {code}"))
}

/// The tensors of one JavaScript realm.
#[wasm_bindgen]
pub struct Core {
    pub(crate) tensors: Rc<RefCell<Tensors>>,
    /// What models and ops compute on.
    #[cfg(feature = "full")]
    pub(crate) device: gradling::Device,
}

impl Default for Core {
    fn default() -> Core {
        Core {
            tensors: Rc::default(),
            #[cfg(feature = "full")]
            device: crate::machine::device(),
        }
    }
}

impl Core {
    /// Reads tensors, stores the result.
    pub(crate) fn with(&self, f: impl FnOnce(&Tensors) -> Result<Tensor>) -> Js<u32> {
        let result = f(&self.tensors.borrow());
        self.put(result)
    }

    /// Stores a tensor.
    pub(crate) fn put(&self, tensor: Result<Tensor>) -> Js<u32> {
        Ok(tensor.map(|t| self.tensors.borrow_mut().put(t))?)
    }
}

#[wasm_bindgen]
impl Core {
    /// No tensors.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Core {
        Core::default()
    }

    /// A float32 tensor.
    pub fn f32(&self, data: Vec<f32>, shape: &[u32]) -> Js<u32> {
        self.put(Tensor::new(&dims(shape), data))
    }

    /// An int32 tensor.
    pub fn i32(&self, data: Vec<i32>, shape: &[u32]) -> Js<u32> {
        self.put(Tensor::new(&dims(shape), data))
    }

    /// A uint8 or bool tensor.
    pub fn bytes(&self, data: Vec<u8>, shape: &[u32], bools: bool) -> Js<u32> {
        self.put(if bools {
            let data: Vec<bool> = data.into_iter().map(|b| b != 0).collect();
            Tensor::new(&dims(shape), data)
        } else {
            Tensor::new(&dims(shape), data)
        })
    }

    /// A tensor of one value.
    pub fn full(&self, shape: &[u32], value: f64, dtype: u32) -> Js<u32> {
        self.put(full(&dims(shape), value, dtype))
    }

    /// Frees a tensor. A number that is free already stays so.
    pub fn free_tensor(&self, id: u32) {
        self.tensors.borrow_mut().drop(id);
    }

    /// The number of live tensors.
    pub fn count(&self) -> usize {
        let tensors = self.tensors.borrow();
        tensors.slots.len() - tensors.free.len()
    }

    /// The bytes of live tensors' elements.
    pub fn size(&self) -> usize {
        self.tensors.borrow().bytes
    }

    /// The dimensions.
    pub fn shape(&self, id: u32) -> Js<Vec<u32>> {
        Ok(self.tensors.borrow().get(id).map(|t| t.shape().dims().to_vec())?)
    }

    /// The number of elements; 0 for a tensor that is disposed.
    pub fn elements(&self, id: u32) -> usize {
        self.tensors.borrow().get(id).map_or(0, Tensor::numel)
    }

    /// The element type's number.
    pub fn dtype(&self, id: u32) -> Js<u32> {
        let dtype = self.tensors.borrow().get(id).map(Tensor::dtype)?;
        Ok(DTYPES.iter().position(|&d| d == dtype).unwrap_or(0) as u32)
    }

    /// A copy of the elements as a typed array; bool as bytes.
    pub fn data(&self, id: u32) -> Js<JsValue> {
        let tensors = self.tensors.borrow();
        let tensor = tensors.get(id)?;
        Ok(match tensor.data() {
            Data::F32(v) => js::Float32Array::new(v).into(),
            Data::I32(v) => js::Int32Array::new(v).into(),
            Data::U8(v) => js::Uint8Array::new(v).into(),
            // `put` keeps none.
            Data::I8(_) | Data::F16(_) => {
                return Err(misuse!("data: {} has no typed array", tensor.dtype()).into());
            }
            Data::Bool(v) => {
                let bytes: Vec<u8> = v.iter().map(|&b| b as u8).collect();
                js::Uint8Array::new(&bytes).into()
            }
        })
    }

    /// Another number for the same elements.
    pub fn share(&self, id: u32) -> Js<u32> {
        self.with(|t| t.get(id).cloned())
    }

    /// The same elements under another shape.
    pub fn reshape(&self, id: u32, shape: &[u32]) -> Js<u32> {
        self.with(|t| t.get(id)?.reshape(&dims(shape)))
    }
}

/// A filled tensor whose memory may be missing.
fn full(shape: &[usize], value: f64, dtype: u32) -> Result<Tensor> {
    fn filled<T: Clone>(n: usize, value: T) -> Result<Vec<T>> {
        let mut v = Vec::new();
        v.try_reserve_exact(n).map_err(|_| device_error!("tensor: no memory for {n} elements"))?;
        v.resize(n, value);
        Ok(v)
    }
    let n = Shape::new(shape)?.numel();
    let data = match pick(&DTYPES, dtype)? {
        DType::F32 => Data::F32(filled(n, value as f32)?),
        DType::I32 => Data::I32(filled(n, value as i32)?),
        DType::U8 => Data::U8(filled(n, value as u8)?),
        DType::Bool => Data::Bool(filled(n, value != 0.0)?),
        dtype @ (DType::I8 | DType::F16) => return Err(misuse!("tensor: {dtype} has no name here")),
    };
    Tensor::new(shape, data)
}
