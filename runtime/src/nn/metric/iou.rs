//! Intersection over union of classes.

use super::MetricSlot;
use crate::{DType, Result, Shape, Tensor, Var, misuse};
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Of each class, the elements that are it in target and output over those that are it in either; the mean over
/// the classes that occur (`keras.metrics.IoU`, and `keras.metrics.MeanIoU` for all classes; with one-hot targets
/// and outputs, `keras.metrics.OneHotIoU` and `OneHotMeanIoU`). Weights are cut to whole numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoU {
    /// The number of classes.
    pub num_classes: u32,
    /// The classes of the mean; none means all.
    pub target_class_ids: Vec<u32>,
    /// A class of the targets whose elements do not count.
    pub ignore_class: Option<i32>,
    /// Whether targets are class indices, else the class is the largest along `axis`.
    pub sparse_y_true: bool,
    /// Whether outputs are class indices, else the class is the largest along `axis`.
    pub sparse_y_pred: bool,
    /// The axis of the classes, negative from the end.
    pub axis: i32,
}

impl IoU {
    /// The mean over all of so many classes, from class indices.
    pub fn mean(num_classes: u32) -> IoU {
        IoU {
            num_classes,
            target_class_ids: Vec::new(),
            ignore_class: None,
            sparse_y_true: true,
            sparse_y_pred: true,
            axis: -1,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        if self.target_class_ids.is_empty() { "mean_io_u" } else { "io_u" }
    }

    pub(super) fn slots(&self) -> Vec<MetricSlot> {
        let n = self.num_classes as usize;
        let shape = Shape::new(&[n, n]).unwrap_or_default();
        vec![MetricSlot { name: "total_confusion_matrix", shape }]
    }

    pub(super) fn increments<'b>(
        &self,
        target: Var<'b>,
        output: Var<'b>,
        weight: Option<Var<'b>>,
    ) -> Result<Vec<Var<'b>>> {
        let axis = self.axis as isize;
        let index = |v: Var<'b>, sparse: bool| {
            let v = if sparse { v } else { v.cast(DType::F32).argmax(axis) };
            v.cast(DType::I32).reshape(&[v.shape().numel()])
        };
        let (t, y) = (index(target, self.sparse_y_true), index(output, self.sparse_y_pred));
        if t.shape() != y.shape() {
            return Err(misuse!(
                "{}: targets of shape {} do not fit outputs of shape {}",
                self.name(),
                target.shape(),
                output.shape()
            ));
        }
        // A class out of range has a row of zeros, so it counts nowhere.
        let n = self.num_classes as usize;
        let (mut rows, columns) = (t.one_hot(n), y.one_hot(n));
        if let Some(class) = self.ignore_class.filter(|c| *c >= 0 && (*c as usize) < n) {
            let kept: Vec<f32> = (0..n).map(|i| if i == class as usize { 0.0 } else { 1.0 }).collect();
            rows = rows * rows.constant_like(Tensor::new(&[n], kept)?);
        }
        if let Some(weight) = weight {
            let weight = weight.cast(DType::I32).cast(DType::F32);
            let weight = weight.reshape(&[weight.shape().numel(), 1]);
            rows = rows * weight;
        }
        Ok(vec![rows.matmul_t(columns, true, false)])
    }

    /// The result; `None` for other slots.
    pub(super) fn result(&self, slots: &[&[f32]]) -> Option<Tensor> {
        let n = self.num_classes as usize;
        let [matrix] = slots[..] else { return None };
        if matrix.len() != n * n {
            return None;
        }
        let counts = |class: usize| {
            let own = matrix[class * n + class];
            let row: f32 = matrix[class * n..(class + 1) * n].iter().sum();
            let column: f32 = (0..n).map(|i| matrix[i * n + class]).sum();
            (own, row + column - own)
        };
        let classes: Vec<usize> = match &self.target_class_ids[..] {
            [] => (0..n).collect(),
            some => some.iter().map(|c| *c as usize).filter(|c| *c < n).collect(),
        };
        let present: Vec<(f32, f32)> =
            classes.into_iter().map(counts).filter(|(_, all)| *all > 1e-9).collect();
        let sum: f32 = present.iter().map(|(own, all)| own / (all + 1e-7)).sum();
        Some(Tensor::scalar(sum / (present.len() as f32 + 1e-7)))
    }
}

/// [`IoU`] of the two classes that outputs below a threshold and others are (`keras.metrics.BinaryIoU`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BinaryIoU {
    /// The classes of the mean, of 0 and 1; none means both.
    pub target_class_ids: Vec<u32>,
    /// Outputs from it on are class 1.
    pub threshold: f32,
}

impl Default for BinaryIoU {
    fn default() -> BinaryIoU {
        BinaryIoU { target_class_ids: Vec::new(), threshold: 0.5 }
    }
}

impl BinaryIoU {
    pub(super) fn iou(&self) -> IoU {
        IoU { target_class_ids: self.target_class_ids.clone(), ..IoU::mean(2) }
    }

    pub(super) fn increments<'b>(
        &self,
        target: Var<'b>,
        output: Var<'b>,
        weight: Option<Var<'b>>,
    ) -> Result<Vec<Var<'b>>> {
        let class = output.greater_equal(output.scalar_like(self.threshold));
        self.iou().increments(target, class, weight)
    }
}
