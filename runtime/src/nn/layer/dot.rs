use super::batch_normalization::resolve_axis;
use super::layer_normalization::sample_of;
use super::unit_normalization::normalize;
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{Result, Shape, Var, misuse};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The product of two inputs summed over one axis of each (`keras.layers.Dot`).
///
/// **Shape**: `[batch, m.., k]` and `[batch, k, n..]`, `k` being the chosen axes wherever they are, to
/// `[batch, m.., n..]`, or to `[batch, 1]` where nothing else is left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dot {
    pub(super) base: Base,
    axes: [i32; 2],
    normalize: bool,
}

impl Dot {
    /// Over this axis of both inputs, counted with the batch axis, negative from the end.
    pub fn new(axis: i32) -> Dot {
        Dot::over([axis, axis])
    }

    /// Over an axis of each input.
    pub fn over(axes: [i32; 2]) -> Dot {
        Dot { base: Base::default(), axes, normalize: false }
    }

    /// Whether the inputs get length 1 along the axis first, so that the result is their cosine.
    pub fn normalize(mut self, normalize: bool) -> Dot {
        self.normalize = normalize;
        self
    }

    /// The summed axis of each input, and the shape of the merged samples.
    fn shape(&self, inputs: &[Shape]) -> Result<([usize; 2], Shape)> {
        let [a, b] = inputs else {
            return Err(misuse!("{}: expected 2 inputs, got {}", self.base, inputs.len()));
        };
        let axes = [resolve_axis(&self.base, self.axes[0], a)?, resolve_axis(&self.base, self.axes[1], b)?];
        let mut dims = [a.to_vec(), b.to_vec()];
        let extents = [dims[0].remove(axes[0] - 1), dims[1].remove(axes[1] - 1)];
        if extents[0] != extents[1] {
            return Err(misuse!(
                "{}: axes {:?} of inputs {} and {} have different extents; expected equal ones",
                self.base,
                self.axes,
                super::batched(a),
                super::batched(b)
            ));
        }
        let mut all = dims.concat();
        if all.is_empty() {
            all.push(1);
        }
        Ok((axes, Shape::new(&all)?))
    }
}

impl Layer for Dot {
    named!("Dot");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        Ok(self.shape(&[*input])?.1)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        Ok(self.call_many(call, &[x])?[0])
    }

    fn build_many(&mut self, inputs: &[Shape], _: &mut Weights<'_>) -> Result<Vec<Shape>> {
        Ok(alloc::vec![self.shape(inputs)?.1])
    }

    fn call_many<'b>(&self, _: &mut Call<'b>, inputs: &[Var<'b>]) -> Result<Vec<Var<'b>>> {
        let samples = inputs.iter().map(|x| sample_of(*x)).collect::<Result<Vec<Shape>>>()?;
        let (axes, shape) = self.shape(&samples)?;
        let batch = inputs[0].dim(0);
        // As matrices [batch, m, k] of both.
        let matrix = |x: Var<'b>, axis: usize| {
            const EPSILON: f32 = 1e-7;
            let x = if self.normalize { normalize(x, &[axis as isize], EPSILON) } else { x };
            let k = x.dim(axis as isize);
            let mut order: Vec<usize> = (0..x.rank()).filter(|a| *a != axis).collect();
            order.push(axis);
            let rows = x.shape().numel() / (batch * k).max(1);
            let x = if axis + 1 == x.rank() { x } else { x.transpose(&order) };
            x.reshape(&[batch, rows, k])
        };
        let y = matrix(inputs[0], axes[0]).matmul_t(matrix(inputs[1], axes[1]), false, true);
        let mut dims = shape.to_vec();
        dims.insert(0, batch);
        Ok(alloc::vec![y.reshape(&dims)])
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Dot(self.clone()))
    }
}
