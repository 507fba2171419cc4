//! Tensors made of nothing: ranges, grids, random numbers.

use super::{Data, Tensor};
use crate::rng::Rng;
use crate::{Result, Shape, misuse};
use alloc::vec;
use alloc::vec::Vec;

/// The largest number of elements of a range.
const LIMIT: f64 = i32::MAX as f64;

impl Tensor {
    /// An int32 tensor filled with `value` (`tf.fill`).
    pub fn full_i32(dims: &[usize], value: i32) -> Result<Tensor> {
        let shape = Shape::new(dims)?;
        Ok(Tensor::from_parts(shape, Data::I32(vec![value; shape.numel()])))
    }

    /// Zeros with the shape and element type of this tensor (`tf.zeros_like`).
    pub fn zeros_like(&self) -> Tensor {
        Tensor::zeros_of(self.shape, self.dtype())
    }

    /// Ones on the main diagonal of `[rows, columns]` (`tf.eye`).
    pub fn eye(rows: usize, columns: usize) -> Result<Tensor> {
        let shape = Shape::new(&[rows, columns])?;
        let mut data = vec![0.0; shape.numel()];
        for i in 0..rows.min(columns) {
            data[i * columns + i] = 1.0;
        }
        Ok(Tensor::from_parts(shape, Data::F32(data)))
    }

    /// `start`, `start + delta`, … below `limit`, or above where `delta` is negative (`tf.range`).
    ///
    /// **Errors** when `delta` is 0 or points away from `limit`.
    ///
    /// ```
    /// use gradling::Tensor;
    /// assert_eq!(Tensor::range(1.0, 0.0, -0.25)?.as_f32()?, [1.0, 0.75, 0.5, 0.25]);
    /// # Ok::<(), gradling::Error>(())
    /// ```
    pub fn range(start: f32, limit: f32, delta: f32) -> Result<Tensor> {
        let n = steps(start as f64, limit as f64, delta as f64)?;
        let data: Vec<f32> = (0..n).map(|i| start + i as f32 * delta).collect();
        Tensor::new(&[n], data)
    }

    /// [`range`](Tensor::range) of integers.
    pub fn range_i32(start: i32, limit: i32, delta: i32) -> Result<Tensor> {
        let n = steps(start as f64, limit as f64, delta as f64)?;
        let data: Vec<i32> = (0..n).map(|i| start.wrapping_add((i as i32).wrapping_mul(delta))).collect();
        Tensor::new(&[n], data)
    }

    /// `num` numbers in even steps from `start` to `stop`, both included (`tf.linspace`).
    ///
    /// **Errors** when `num` is 0.
    pub fn linspace(start: f32, stop: f32, num: usize) -> Result<Tensor> {
        if num == 0 {
            return Err(misuse!("linspace: expected at least 1 number"));
        }
        let step = (stop - start) / (num.max(2) - 1) as f32;
        let mut data: Vec<f32> = (0..num).map(|i| start + step * i as f32).collect();
        if num > 1 {
            data[num - 1] = stop;
        }
        Tensor::new(&[num], data)
    }

    /// The coordinates of the grid of these axes: tensor i holds axis i at every point (`tf.meshgrid` with
    /// `indexing="ij"`, `np.mgrid`). With `xy` the first two axes of the grid are exchanged, as `tf.meshgrid` does by
    /// default.
    ///
    /// **Errors** when an axis is not a vector of float32.
    pub fn meshgrid(axes: &[Tensor], xy: bool) -> Result<Vec<Tensor>> {
        let mut order: Vec<usize> = (0..axes.len()).collect();
        if xy && axes.len() > 1 {
            order.swap(0, 1);
        }
        for axis in axes {
            if axis.shape().rank() != 1 {
                return Err(misuse!("meshgrid: expected vectors, got shape {}", axis.shape()));
            }
        }
        let dims: Vec<usize> = order.iter().map(|&a| axes[a].numel()).collect();
        let shape = Shape::new(&dims)?;
        let strides = shape.strides();
        let mut grids = Vec::new();
        for (a, axis) in axes.iter().enumerate() {
            let values = axis.as_f32()?;
            let place = order.iter().position(|&o| o == a).unwrap_or(a);
            let data: Vec<f32> =
                (0..shape.numel()).map(|i| values[i / strides[place] % dims[place]]).collect();
            grids.push(Tensor::from_parts(shape, Data::F32(data)));
        }
        Ok(grids)
    }

    /// float32 `[.., depth]`, 1 at each int32 index and 0 elsewhere; an index out of range gives zeros (`tf.one_hot`).
    pub fn one_hot(&self, depth: usize) -> Result<Tensor> {
        let mut dims = self.shape.to_vec();
        dims.push(depth);
        let shape = Shape::new(&dims)?;
        let mut data = vec![0.0; shape.numel()];
        for (row, &i) in self.as_i32()?.iter().enumerate() {
            if let Some(i) = usize::try_from(i).ok().filter(|&i| i < depth) {
                data[row * depth + i] = 1.0;
            }
        }
        Ok(Tensor::from_parts(shape, Data::F32(data)))
    }

    fn drawn(dims: &[usize], draw: impl FnMut() -> f32) -> Result<Tensor> {
        let shape = Shape::new(dims)?;
        let data: Vec<f32> = core::iter::repeat_with(draw).take(shape.numel()).collect();
        Ok(Tensor::from_parts(shape, Data::F32(data)))
    }

    /// Uniform numbers in `low..high` (`tf.random.uniform`).
    ///
    /// ```
    /// use gradling::{Tensor, rng::Rng};
    /// let x = Tensor::random_uniform(&[2, 3], -1.0, 1.0, &mut Rng::new(7))?;
    /// assert_eq!(x, Tensor::random_uniform(&[2, 3], -1.0, 1.0, &mut Rng::new(7))?);
    /// # Ok::<(), gradling::Error>(())
    /// ```
    pub fn random_uniform(dims: &[usize], low: f32, high: f32, rng: &mut Rng) -> Result<Tensor> {
        Tensor::drawn(dims, || low + (high - low) * rng.uniform())
    }

    /// Uniform integers in `low..high` (`tf.random.uniform` with an integer type).
    ///
    /// **Errors** when there is none.
    pub fn random_uniform_i32(dims: &[usize], low: i32, high: i32, rng: &mut Rng) -> Result<Tensor> {
        if low >= high {
            return Err(misuse!("random_uniform: there is no integer from {low} to {high} (exclusive)"));
        }
        let shape = Shape::new(dims)?;
        let span = high.wrapping_sub(low) as u32;
        let data: Vec<i32> = (0..shape.numel()).map(|_| low.wrapping_add(rng.below(span) as i32)).collect();
        Ok(Tensor::from_parts(shape, Data::I32(data)))
    }

    /// Normal numbers of this mean and standard deviation (`tf.random.normal`).
    pub fn random_normal(dims: &[usize], mean: f32, stddev: f32, rng: &mut Rng) -> Result<Tensor> {
        Tensor::drawn(dims, || mean + stddev * rng.normal())
    }

    /// [`random_normal`](Tensor::random_normal) where numbers more than two standard deviations from the mean are drawn
    /// again (`tf.random.truncated_normal`).
    pub fn truncated_normal(dims: &[usize], mean: f32, stddev: f32, rng: &mut Rng) -> Result<Tensor> {
        Tensor::drawn(dims, || {
            loop {
                let x = rng.normal();
                if (-2.0..=2.0).contains(&x) {
                    return mean + stddev * x;
                }
            }
        })
    }

    /// 0 to n (exclusive) in random order, int32 (`np.random.permutation`).
    pub fn random_permutation(n: usize, rng: &mut Rng) -> Result<Tensor> {
        Shape::new(&[n])?;
        let mut order: Vec<i32> = (0..n as i32).collect();
        rng.shuffle(&mut order);
        Tensor::new(&[n], order)
    }

    /// The rows in random order (`tf.random.shuffle`).
    ///
    /// **Errors** for a scalar.
    pub fn shuffle(&self, rng: &mut Rng) -> Result<Tensor> {
        let mut order: Vec<usize> = (0..self.shape.dim(0)).collect();
        rng.shuffle(&mut order);
        self.gather_rows(&order)
    }
}

fn steps(start: f64, limit: f64, delta: f64) -> Result<usize> {
    let span = limit - start;
    if delta == 0.0 || !(span / delta >= 0.0 && span / delta < LIMIT) {
        return Err(misuse!("range: steps of {delta} do not lead from {start} to {limit}"));
    }
    let whole = (span / delta) as usize;
    Ok(whole + usize::from(whole as f64 * delta != span && (whole as f64) < span / delta))
}
