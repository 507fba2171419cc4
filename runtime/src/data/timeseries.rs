//! Series cut into windows, each with the value to predict from it.

use std::vec;
use std::vec::Vec;

use crate::{Data, Result, Tensor, misuse};

use super::Dataset;

/// How a series is cut.
///
/// Window i begins at sample `i * stride` of the series and takes every `rate`-th sample, `steps` of them. Its
/// target lies `ahead` samples after its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Samples in a window.
    pub steps: usize,
    /// Samples between the starts of neighbouring windows.
    pub stride: usize,
    /// Samples of the series between neighbouring samples of a window.
    pub rate: usize,
    /// How far the target lies after a window's last sample.
    pub ahead: usize,
}

impl Windows {
    /// Windows of `steps` neighbouring samples, one begun at every sample, each followed by its target.
    pub fn new(steps: usize) -> Windows {
        Windows { steps, stride: 1, rate: 1, ahead: 1 }
    }

    /// The windows of `series` and their targets, which are taken from `targets`, row i of which belongs to sample
    /// i. Give the series itself (or some of its columns) to predict how it goes on.
    ///
    /// **Shape**: `series` is `[samples, features]`, or `[samples]` for one feature; the windows are
    /// `[windows, steps, features]`, the targets `[windows, ..]` with the other axes of `targets`, of which
    /// `[samples]` counts as `[samples, 1]`.
    ///
    /// ```
    /// use gradling::{Tensor, data::Windows};
    /// let series = Tensor::new(&[5], [1.0, 2.0, 3.0, 4.0, 5.0])?;
    /// let (x, y) = Windows::new(3).cut(&series, &series)?;
    /// assert_eq!((x.shape().to_vec(), x.as_f32()?), (vec![2, 3, 1], &[1.0, 2.0, 3.0, 2.0, 3.0, 4.0][..]));
    /// assert_eq!((y.shape().to_vec(), y.as_f32()?), (vec![2, 1], &[4.0, 5.0][..]));
    /// # Ok::<(), gradling::Error>(())
    /// ```
    ///
    /// **Errors**: steps, stride or rate of 0, a series too short for one window, targets of another number.
    pub fn cut(&self, series: &Tensor, targets: &Tensor) -> Result<(Tensor, Tensor)> {
        let Windows { steps, stride, rate, ahead } = *self;
        if steps == 0 || stride == 0 || rate == 0 {
            return Err(misuse!("Windows: expected steps, stride and rate of at least 1, got {self:?}"));
        }
        let (series, targets) = (as_samples(series)?, as_samples(targets)?);
        let samples = series.shape().dim(0);
        if targets.shape().dim(0) != samples {
            return Err(misuse!(
                "Windows: expected a target for each of {samples} samples, got targets of shape {}",
                targets.shape()
            ));
        }
        let reach = (steps - 1).saturating_mul(rate).saturating_add(ahead);
        let windows = samples.saturating_sub(reach).div_ceil(stride);
        if windows == 0 {
            return Err(misuse!(
                "Windows: a window and its target span {} samples, the series has {samples}; take fewer steps",
                reach.saturating_add(1)
            ));
        }
        let starts = (0..windows).map(|i| i * stride);
        let index: Vec<usize> =
            starts.clone().flat_map(|at| (0..steps).map(move |i| at + i * rate)).collect();
        let mut dims = vec![windows, steps];
        dims.extend_from_slice(&series.shape().list()[1..]);
        // Checks the size before the rows are copied.
        crate::Shape::new(&dims)?;
        let x = series.gather_rows(&index)?.reshape(&dims)?;
        let y = targets.gather_rows(&starts.map(|at| at + reach).collect::<Vec<_>>())?;
        Ok((x, y))
    }
}

/// `[samples]` as `[samples, 1]`.
fn as_samples(series: &Tensor) -> Result<Tensor> {
    match series.shape().rank() {
        0 => Err(misuse!("Windows: expected a series [samples, features], got a scalar")),
        1 => series.reshape(&[series.numel(), 1]),
        _ => Ok(series.clone()),
    }
}

/// Column `columns` of a `[samples, features]` tensor, in that order.
///
/// **Shape**: `[samples, columns]`.
///
/// **Errors** for another rank or a column that is not there.
pub fn columns(series: &Tensor, columns: &[usize]) -> Result<Tensor> {
    fn pick<T: Copy>(values: &[T], features: usize, columns: &[usize]) -> Vec<T> {
        let rows = values.chunks_exact(features.max(1));
        rows.flat_map(|row| columns.iter().map(move |&c| row[c])).collect()
    }
    let shape = series.shape();
    let features = shape.dim(1);
    if shape.rank() != 2 || columns.iter().any(|&c| c >= features) {
        return Err(misuse!("columns: {columns:?} are not in a tensor of shape {shape}"));
    }
    let dims = [shape.dim(0), columns.len()];
    match series.data() {
        Data::F32(v) => Tensor::new(&dims, pick(v, features, columns)),
        Data::I32(v) => Tensor::new(&dims, pick(v, features, columns)),
        Data::U8(v) => Tensor::new(&dims, pick(v, features, columns)),
        Data::Bool(v) => Tensor::new(&dims, pick(v, features, columns)),
        Data::I8(v) => Tensor::new(&dims, pick(v, features, columns)),
        Data::F16(v) => Tensor::new(&dims, pick(v, features, columns)),
    }
}

/// Windows and targets of [`Windows::cut`] as batches of a data set.
///
/// **Errors** (at iteration): as [`Windows::cut`] and [`Dataset::batch`].
///
/// Reference: `keras.utils.timeseries_dataset_from_array`, whose targets belong to a window's first sample.
pub fn timeseries_dataset(series: &Tensor, targets: &Tensor, how: Windows, batch_size: usize) -> Dataset {
    match how.cut(series, targets) {
        Ok(pair) => Dataset::from_tensor_slices(pair).batch(batch_size, false),
        Err(error) => Dataset::from_error(error),
    }
}
