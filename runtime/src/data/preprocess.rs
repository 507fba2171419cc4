//! Labels, norms and splits: what a data set goes through before training.

use std::vec;
use std::vec::Vec;

use crate::rng::Rng;
use crate::{Data, Result, Tensor, misuse};

/// Parts the rows of all `tensors` alike into training and test rows.
///
/// The test part has `test_share * n` rows, rounded up. With a seed the rows are drawn at random, and each part is
/// in random order; without one, the last rows are the test part and nothing is moved.
///
/// ```
/// use gradling::{Tensor, data::train_test_split};
/// let x = Tensor::new(&[5, 1], [0.0, 1.0, 2.0, 3.0, 4.0])?;
/// let y = Tensor::new(&[5], [0, 1, 2, 3, 4])?;
/// let ([x_train, y_train], [x_test, y_test]) = train_test_split([&x, &y], 0.4, 7)?;
/// assert_eq!((y_train.numel(), y_test.numel()), (3, 2));
/// assert_eq!(x_test.to_f32_vec(), y_test.to_f32_vec());
/// # let _ = x_train;
/// # Ok::<(), gradling::Error>(())
/// ```
///
/// **Errors**: tensors without rows or with different numbers of them, a share that leaves one part empty.
///
/// Reference: `sklearn.model_selection.train_test_split`.
pub fn train_test_split<const N: usize>(
    tensors: [&Tensor; N],
    test_share: f64,
    seed: impl Into<Option<u64>>,
) -> Result<([Tensor; N], [Tensor; N])> {
    let rows = tensors.first().map_or(0, |t| t.shape().dim(0));
    if let Some(odd) = tensors.iter().find(|t| t.shape().rank() == 0 || t.shape().dim(0) != rows) {
        return Err(misuse!(
            "train_test_split: expected first axes of length {rows}, got shape {}",
            odd.shape()
        ));
    }
    let test = (test_share * rows as f64).ceil();
    if !(test >= 1.0 && test < rows as f64) {
        return Err(misuse!(
            "train_test_split: a test share of {test_share} leaves one part of {rows} rows empty; give a share \
             between 0 and 1"
        ));
    }
    let mut order: Vec<usize> = (0..rows).collect();
    if let Some(seed) = seed.into() {
        Rng::new(seed).shuffle(&mut order);
    }
    let (train, test) = order.split_at(rows - test as usize);
    let part = |index: &[usize]| -> Result<[Tensor; N]> {
        let mut out = tensors.map(Clone::clone);
        for tensor in &mut out {
            *tensor = tensor.gather_rows(index)?;
        }
        Ok(out)
    };
    Ok((part(train)?, part(test)?))
}

/// Vectors along `axis` divided by their Euclidean norm; vectors of zeros stay.
///
/// **Shape**: that of `x`, float32.
///
/// **Errors** when `x` has no such axis.
///
/// Reference: `keras.utils.normalize`.
pub fn normalize(x: &Tensor, axis: isize) -> Result<Tensor> {
    let shape = x.shape();
    let axis = shape
        .axis(axis)
        .ok_or_else(|| misuse!("normalize: axis {axis} is none of the {} axes of {shape}", shape.rank()))?;
    let (length, step) = (shape.dim(axis as isize), shape.strides()[axis]);
    let mut values = x.to_f32_vec();
    for block in values.chunks_exact_mut((length * step).max(1)) {
        for start in 0..step {
            let squares: f64 = block[start..].iter().step_by(step).map(|&v| f64::from(v).powi(2)).sum();
            let norm = if squares > 0.0 { squares.sqrt() } else { 1.0 };
            block[start..].iter_mut().step_by(step).for_each(|v| *v = (f64::from(*v) / norm) as f32);
        }
    }
    Tensor::new(&shape.list(), values)
}

/// Class indices as rows with a 1 at the index and 0 elsewhere. Without `num_classes` there is one more class than
/// the greatest index.
///
/// **Shape**: that of `labels` with an axis of `num_classes` at its end, float32; a last axis of length 1 is
/// dropped first.
///
/// **Errors**: labels that are no whole numbers from 0 on or not below `num_classes`, no labels.
///
/// ```
/// use gradling::{Tensor, data::to_categorical};
/// let labels = Tensor::new(&[2], [2, 0])?;
/// assert_eq!(to_categorical(&labels, None)?.as_f32()?, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
/// # Ok::<(), gradling::Error>(())
/// ```
///
/// Reference: `keras.utils.to_categorical`.
pub fn to_categorical(labels: &Tensor, num_classes: impl Into<Option<usize>>) -> Result<Tensor> {
    let mut dims = labels.shape().to_vec();
    if dims.len() > 1 && dims.last() == Some(&1) {
        dims.pop();
    }
    let indices = class_indices("to_categorical", labels)?;
    let greatest =
        indices.iter().max().ok_or_else(|| misuse!("to_categorical: expected labels, got none"))?;
    let classes = num_classes.into().unwrap_or(greatest + 1);
    if let Some(at) = indices.iter().position(|&i| i >= classes) {
        return Err(misuse!(
            "to_categorical: label {} at position {at} is none of {classes} classes (0 to {}); give more classes",
            indices[at],
            classes.saturating_sub(1)
        ));
    }
    dims.push(classes);
    crate::Shape::new(&dims)?;
    let mut rows = vec![0.0f32; indices.len() * classes];
    rows.chunks_exact_mut(classes).zip(indices).for_each(|(row, index)| row[index] = 1.0);
    Tensor::new(&dims, rows)
}

/// The class indices in `labels`.
fn class_indices(who: &str, labels: &Tensor) -> Result<Vec<usize>> {
    let whole = |(at, value): (usize, f32)| {
        if (0.0..16_777_216.0).contains(&value) && value.fract() == 0.0 {
            Ok(value as usize)
        } else {
            Err(misuse!("{who}: expected labels 0, 1, 2, …, got {value} at position {at}"))
        }
    };
    match labels.data() {
        Data::U8(v) => Ok(v.iter().map(|&label| usize::from(label)).collect()),
        Data::F32(_) | Data::I32(_) | Data::Bool(_) | Data::I8(_) | Data::F16(_) => {
            labels.to_f32_vec().into_iter().enumerate().map(whole).collect()
        }
    }
}
