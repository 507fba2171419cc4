//! Variables: the values that outlive a step, in one aligned buffer that plans read and write in place.

use crate::arena::Buffer;
use crate::graph::Port;
use crate::kernel::{View, ViewMut};
use crate::{DType, Data, Element, Result, Shape, Tensor, f16, misuse};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The number of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct VariableId(pub u16);

/// What is known of a variable besides its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// The name, `layer/weight` for weights.
    pub name: String,
    /// The shape.
    pub shape: Shape,
    /// The element type.
    pub dtype: DType,
    /// Whether optimizers change it.
    pub trainable: bool,
    /// Where it starts in the buffer.
    pub offset: usize,
}

/// Alignment of each variable in the buffer.
pub(crate) const ALIGN: usize = 64;

/// The variables of a model and its optimizer. Positions never change once given, so any number of plans share
/// them.
#[derive(Clone, Debug, Default)]
pub struct Variables {
    list: Vec<Variable>,
    buffer: Buffer,
    state: Stamp,
}

/// Tells states of variables apart: two that are the same are of the same values. Where counters cannot be shared no
/// state is known to be the same as another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp(usize);

impl Stamp {
    /// A stamp that no other state has.
    fn next() -> Stamp {
        #[cfg(target_has_atomic = "ptr")]
        {
            use core::sync::atomic::{AtomicUsize, Ordering};
            static LAST: AtomicUsize = AtomicUsize::new(0);
            Stamp(LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1))
        }
        #[cfg(not(target_has_atomic = "ptr"))]
        Stamp(0)
    }

    /// Whether the states are known to be the same.
    pub(crate) fn is(self, other: Stamp) -> bool {
        self.0 != 0 && self == other
    }
}

impl Variables {
    /// No variables.
    pub fn new() -> Variables {
        Variables::default()
    }

    /// Adds a variable with its first value.
    ///
    /// **Errors** beyond 65,536 variables or 4 GiB.
    pub fn add(&mut self, name: &str, value: &Tensor, trainable: bool) -> Result<VariableId> {
        let id = u16::try_from(self.list.len()).map_err(|_| misuse!("variables: more than 65536"))?;
        let offset = self.buffer.len().next_multiple_of(ALIGN);
        let end = offset + value.numel() * value.dtype().size();
        if end > u32::MAX as usize / 2 {
            return Err(misuse!("variables: {name} would pass 2 GiB"));
        }
        self.touched().grow(end.next_multiple_of(ALIGN));
        let (shape, dtype) = (*value.shape(), value.dtype());
        self.list.push(Variable { name: name.to_string(), shape, dtype, trainable, offset });
        self.set(VariableId(id), value)?;
        Ok(VariableId(id))
    }

    /// The variables in order.
    pub fn iter(&self) -> impl Iterator<Item = (VariableId, &Variable)> {
        self.list.iter().enumerate().map(|(i, v)| (VariableId(i as u16), v))
    }

    /// The number of variables.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// What is known of a variable.
    ///
    /// **Errors** when there is no such variable.
    pub fn describe(&self, id: VariableId) -> Result<&Variable> {
        self.list.get(id.0 as usize).ok_or_else(|| misuse!("variables: there is no variable {}", id.0))
    }

    /// The variable of this name.
    pub fn find(&self, name: &str) -> Option<VariableId> {
        self.list.iter().position(|v| v.name == name).map(|i| VariableId(i as u16))
    }

    /// The value.
    ///
    /// **Errors** when there is no such variable.
    pub fn get(&self, id: VariableId) -> Result<Tensor> {
        let v = self.describe(id)?;
        self.buffer.tensor(v.offset, v.shape, v.dtype)
    }

    /// Replaces the value.
    ///
    /// **Errors** when shape or type differ from the variable's.
    pub fn set(&mut self, id: VariableId, value: &Tensor) -> Result<()> {
        let v = self.describe(id)?;
        if (v.shape, v.dtype) != (*value.shape(), value.dtype()) {
            return Err(misuse!(
                "variable {}: expected {} of shape {}, got {} of shape {}",
                v.name,
                v.dtype,
                v.shape,
                value.dtype(),
                value.shape()
            ));
        }
        let offset = v.offset;
        self.touched().write(offset, value)
    }

    /// Adds to the value (`tf.Variable.assign_add`).
    ///
    /// **Errors** as [`set`](Variables::set), and for float16, bytes and booleans.
    pub fn assign_add(&mut self, id: VariableId, value: &Tensor) -> Result<()> {
        self.update(id, value, |a, b| a + b, i32::wrapping_add)
    }

    /// Subtracts from the value (`tf.Variable.assign_sub`).
    ///
    /// **Errors** as [`assign_add`](Variables::assign_add).
    ///
    /// ```
    /// use gradling::{Tape, Tensor, Variables};
    /// let mut variables = Variables::new();
    /// let w = variables.add("w", &Tensor::scalar(5.0), true)?;
    /// for _ in 0..20 {
    ///     let tape = Tape::with_variables(&variables)?;
    ///     let x = tape.variable(w);
    ///     let step = tape.gradient((x - 3.0).square() * 0.25, &[x])?;
    ///     variables.assign_sub(w, &step[0])?;
    /// }
    /// assert!((variables.get(w)?.item()? - 3.0).abs() < 1e-4);
    /// # Ok::<(), gradling::Error>(())
    /// ```
    pub fn assign_sub(&mut self, id: VariableId, value: &Tensor) -> Result<()> {
        self.update(id, value, |a, b| a - b, i32::wrapping_sub)
    }

    fn update(
        &mut self,
        id: VariableId,
        value: &Tensor,
        float: fn(f32, f32) -> f32,
        integer: fn(i32, i32) -> i32,
    ) -> Result<()> {
        fn each<T: Copy>(to: &mut [T], by: &[T], f: fn(T, T) -> T) {
            for (to, &by) in to.iter_mut().zip(by) {
                *to = f(*to, by);
            }
        }
        let v = self.describe(id)?;
        if v.shape != *value.shape() {
            return Err(misuse!("variable {}: expected shape {}, got {}", v.name, v.shape, value.shape()));
        }
        match v.dtype {
            DType::F32 => each(self.slice_mut::<f32>(id)?, value.as_f32()?, float),
            DType::I32 => each(self.slice_mut::<i32>(id)?, value.as_i32()?, integer),
            DType::U8 | DType::Bool | DType::I8 | DType::F16 => {
                return Err(misuse!("variable {}: {} has no arithmetic; set it", v.name, v.dtype));
            }
        }
        Ok(())
    }

    /// The elements in place.
    ///
    /// **Errors** when there is no such variable or its type is another.
    pub fn slice<T: Element>(&self, id: VariableId) -> Result<&[T]> {
        let v = self.describe(id)?;
        self.buffer.slice(v.offset, v.shape, v.dtype)
    }

    /// The elements in place, writable.
    ///
    /// **Errors** as [`slice`](Variables::slice).
    pub fn slice_mut<T: Element>(&mut self, id: VariableId) -> Result<&mut [T]> {
        let v = self.describe(id)?;
        let (offset, shape, dtype) = (v.offset, v.shape, v.dtype);
        self.touched().slice_mut(offset, shape, dtype)
    }

    /// Name and kind of each, for graphs.
    pub fn ports(&self) -> impl Iterator<Item = Port> + '_ {
        self.list.iter().map(|v| Port { name: v.name.clone(), kind: (v.shape, v.dtype) })
    }

    /// All values, each where plans find it.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.bytes()
    }

    /// The buffer.
    pub(crate) fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    /// The state of the values.
    #[cfg(feature = "remote")]
    pub(crate) fn stamp(&self) -> Stamp {
        self.state
    }

    /// The buffer for a run, and the state before it; a plan that assigns variables changes the state.
    pub(crate) fn run_buffer(&mut self, assigns: bool) -> (&mut Buffer, Stamp) {
        let state = self.state;
        (if assigns { self.touched() } else { &mut self.buffer }, state)
    }

    /// The buffer, about to change.
    fn touched(&mut self) -> &mut Buffer {
        self.state = Stamp::next();
        &mut self.buffer
    }
}

impl Tensor {
    /// A view for kernels.
    pub(crate) fn view(&self) -> Result<View<'_>> {
        let (shape, dtype) = (*self.shape(), self.dtype());
        match self.data() {
            Data::F32(v) => View::new(v, shape, dtype),
            Data::I32(v) => View::new(v, shape, dtype),
            Data::U8(v) => View::new(v, shape, dtype),
            Data::I8(v) => View::new(v, shape, dtype),
            Data::F16(v) => View::new(v, shape, dtype),
            Data::Bool(v) => View::new(crate::arena::bytes_of_bools(v), shape, dtype),
        }
    }

    /// The elements as bytes.
    #[cfg(feature = "remote")]
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut copy = Buffer::new(self.numel() * self.dtype().size());
        // The buffer is of the size that is written.
        let _ = copy.write(0, self);
        copy.bytes()[..self.numel() * self.dtype().size()].to_vec()
    }

    /// A new tensor that `fill` writes.
    pub(crate) fn filled(
        shape: Shape,
        dtype: DType,
        fill: impl FnOnce(&mut ViewMut<'_>) -> Result<()>,
    ) -> Result<Tensor> {
        let n = shape.numel();
        let data = match dtype {
            DType::F32 => {
                let mut v = alloc::vec![0.0f32; n];
                fill(&mut ViewMut::new(&mut v, shape, dtype)?)?;
                Data::F32(v)
            }
            DType::I32 => {
                let mut v = alloc::vec![0i32; n];
                fill(&mut ViewMut::new(&mut v, shape, dtype)?)?;
                Data::I32(v)
            }
            DType::I8 => {
                let mut v = alloc::vec![0i8; n];
                fill(&mut ViewMut::new(&mut v, shape, dtype)?)?;
                Data::I8(v)
            }
            DType::F16 => {
                let mut v = alloc::vec![f16::ZERO; n];
                fill(&mut ViewMut::new(&mut v, shape, dtype)?)?;
                Data::F16(v)
            }
            DType::U8 | DType::Bool => {
                let mut v = alloc::vec![0u8; n];
                fill(&mut ViewMut::new(&mut v, shape, dtype)?)?;
                if dtype == DType::U8 { Data::U8(v) } else { Data::Bool(v.iter().map(|&b| b != 0).collect()) }
            }
        };
        Ok(Tensor::from_parts(shape, data))
    }
}
