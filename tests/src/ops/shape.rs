//! Moving, picking and making elements.

use gradling::compose::{PadMode, SliceMasks};
use gradling::{DType, Tensor, Var};
use serde_json::Value;

use super::{Args, Outputs, Rule, one, pair};
use crate::case::integers;
use crate::program::{Fault, dtype, unsupported};

/// Whether the number `key` is written with a point.
fn is_float(a: &Args, key: &str) -> bool {
    matches!(a.case.config.get(key), Some(Value::Number(n)) if n.is_f64())
}

fn naturals(a: &Args, key: &str) -> Result<Vec<usize>, Fault> {
    a.integers(key)?
        .into_iter()
        .map(|n| usize::try_from(n).map_err(|_| Fault::Failed(format!("a negative number in {key}"))))
        .collect()
}

fn tensor<'b>(a: &Args<'_, 'b>, value: Tensor) -> Outputs<'b> {
    let made = a.trace.constant(value);
    match a.case.text("dtype") {
        Some(name) => one(made.cast(dtype(name)?)),
        None => one(made),
    }
}

fn range<'b>(a: &Args<'_, 'b>) -> Outputs<'b> {
    let (start, limit) = match a.case.config.contains_key("limit") {
        true => (a.case.number("start").unwrap_or(0.0), f64::from(a.number("limit")?)),
        false => (0.0, f64::from(a.number("start")?)),
    };
    let delta = a.case.number("delta").unwrap_or(1.0);
    let float = ["start", "limit", "delta"].iter().any(|k| is_float(a, k));
    let value = if float {
        Tensor::range(start as f32, limit as f32, delta as f32)?
    } else {
        Tensor::range_i32(start as i32, limit as i32, delta as i32)?
    };
    tensor(a, value)
}

fn one_hot<'b>(a: &Args<'_, 'b>) -> Outputs<'b> {
    let depth = a.integer("depth").unwrap_or(0).max(0) as usize;
    let axis = a.integer("axis").unwrap_or(-1);
    let (on, off) = (a.case.number("on_value").unwrap_or(1.0), a.case.number("off_value").unwrap_or(0.0));
    let y = a.x[0].one_hot_with(depth, axis, on as f32, off as f32);
    let whole = ["on_value", "off_value"].iter().any(|k| a.case.config.contains_key(*k))
        && !["on_value", "off_value"].iter().any(|k| is_float(a, k));
    match a.case.text("dtype") {
        Some(name) => one(y.cast(dtype(name)?)),
        None if whole => one(y.cast(DType::I32)),
        None => one(y),
    }
}

pub(super) const RULES: &[(&str, Rule)] = &[
    ("tf.concat", |a| one(Var::concat(a.x, a.integer("axis").unwrap_or(0)))),
    ("tf.stack", |a| one(Var::stack(a.x, a.integer("axis").unwrap_or(0)))),
    ("tf.unstack", |a| Ok(a.x[0].unstack(a.integer("axis").unwrap_or(0)))),
    ("tf.split", |a| {
        let axis = a.integer("axis").unwrap_or(0);
        match a.case.config.get("num_or_size_splits") {
            Some(Value::Number(n)) => Ok(a.x[0].split(n.as_u64().unwrap_or(0) as usize, axis)),
            other => {
                let list = other.and_then(integers).unwrap_or_default();
                let known: i64 = list.iter().filter(|&&n| n >= 0).sum();
                let free = (a.x[0].shape().dim(axis) as i64 - known).max(0);
                let sizes: Vec<usize> =
                    list.iter().map(|&n| if n < 0 { free as usize } else { n as usize }).collect();
                Ok(a.x[0].split_sizes(&sizes, axis))
            }
        }
    }),
    ("tf.slice", |a| {
        let begin = naturals(a, "begin")?;
        let shape = a.x[0].shape();
        let rest = |axis: usize| shape.dim(axis as isize) - begin[axis];
        let size = a.integers("size")?;
        let size: Vec<usize> =
            size.iter().enumerate().map(|(i, &n)| if n < 0 { rest(i) } else { n as usize }).collect();
        one(a.x[0].slice(&begin, &size))
    }),
    ("tf.strided_slice", |a| {
        let mask = |key: &str| a.integer(key).unwrap_or(0) as u32;
        let masks = SliceMasks {
            begin: mask("begin_mask"),
            end: mask("end_mask"),
            ellipsis: mask("ellipsis_mask"),
            new_axis: mask("new_axis_mask"),
            shrink_axis: mask("shrink_axis_mask"),
        };
        let (begin, end, mut strides) = (a.list("begin"), a.list("end"), a.list("strides"));
        if strides.is_empty() {
            strides = vec![1; begin.len()];
        }
        one(a.x[0].strided_slice(&begin, &end, &strides, &masks))
    }),
    ("tf.gather", |a| {
        let batch = a.integer("batch_dims").unwrap_or(0);
        let default = if batch < 0 { batch + a.x[1].rank() as isize } else { batch };
        one(a.x[0].gather_batched(a.x[1], a.integer("axis").unwrap_or(default), batch))
    }),
    (
        "tf.gather_nd",
        |a| one(a.x[0].gather_nd_batched(a.x[1], a.integer("batch_dims").unwrap_or(0) as usize)),
    ),
    ("tf.scatter_nd", |a| one(a.x[0].scatter_nd(a.x[1], &naturals(a, "shape")?))),
    ("tf.tensor_scatter_nd_add", |a| one(a.x[0].scatter_nd_add(a.x[1], a.x[2]))),
    ("tf.transpose", |a| {
        let rank = a.x[0].shape().rank();
        let order: Vec<usize> = match a.case.integers("perm") {
            Some(order) => order.iter().map(|&i| i.rem_euclid(rank.max(1) as i64) as usize).collect(),
            None => (0..rank).rev().collect(),
        };
        one(a.x[0].transpose(&order))
    }),
    ("tf.reshape", |a| one(a.x[0].reshape(&a.shape("shape")?))),
    ("tf.expand_dims", |a| one(a.x[0].expand_dims(a.integer("axis").unwrap_or(0)))),
    ("tf.squeeze", |a| one(a.x[0].squeeze(&a.axes()))),
    ("tf.broadcast_to", |a| one(a.x[0].broadcast_to(&a.shape("shape")?))),
    ("tf.tile", |a| one(a.x[0].tile(&naturals(a, "multiples")?))),
    ("tf.repeat", |a| {
        let axis = a.integer("axis");
        let x = if axis.is_none() { a.x[0].reshape(&[a.x[0].shape().numel()]) } else { a.x[0] };
        let axis = axis.unwrap_or(0);
        match naturals(a, "repeats")?[..] {
            [n] => one(x.repeat(n, axis)),
            ref counts => one(x.repeat_each(counts, axis)),
        }
    }),
    ("tf.pad", |a| {
        let sides = a.case.config.get("paddings").and_then(Value::as_array).cloned().unwrap_or_default();
        let sides: Result<Vec<(usize, usize)>, Fault> =
            sides.iter().map(|s| pair(Some(s), [0, 0]).map(|p| (p[0] as usize, p[1] as usize))).collect();
        let mode = match a.case.text("mode").map(str::to_uppercase).as_deref() {
            None | Some("CONSTANT") => {
                PadMode::Constant(a.case.number("constant_values").unwrap_or(0.0) as f32)
            }
            Some("REFLECT") => PadMode::Reflect,
            Some("SYMMETRIC") => PadMode::Symmetric,
            Some(mode) => return unsupported(format!("tf.pad of mode {mode}")),
        };
        one(a.x[0].pad_with(&sides?, mode))
    }),
    ("tf.reverse", |a| one(a.x[0].reverse(&a.axes()))),
    ("tf.roll", |a| one(a.x[0].roll(&a.list("shift"), &a.axes()))),
    ("tf.one_hot", one_hot),
    ("tf.zeros_like", |a| one(a.x[0].zeros_like())),
    ("tf.ones_like", |a| one(a.x[0].ones_like())),
    ("tf.range", range),
    ("tf.linspace", |a| {
        let num = naturals(a, "num")?[0];
        tensor(a, Tensor::linspace(a.number("start")?, a.number("stop")?, num)?)
    }),
    ("tf.eye", |a| {
        let rows = naturals(a, "num_rows")?[0];
        let columns = a.integer("num_columns").map_or(rows, |n| n.max(0) as usize);
        let y = a.trace.constant(Tensor::eye(rows, columns)?);
        match a.case.integers("batch_shape") {
            Some(batch) => {
                let mut dims: Vec<usize> = batch.iter().map(|&n| n.max(0) as usize).collect();
                dims.extend([rows, columns]);
                one(y.broadcast_to(&dims))
            }
            None => one(y),
        }
    }),
    ("tf.fill", |a| {
        let value = a.number("value")?;
        tensor(a, Tensor::full(&naturals(a, "dims")?, value)?)
    }),
    ("tf.linalg.band_part", |a| {
        one(a.x[0].band_part(a.integer("num_lower").unwrap_or(-1), a.integer("num_upper").unwrap_or(-1)))
    }),
    ("tf.linalg.diag", |a| one(a.x[0].diag())),
    ("tf.linalg.diag_part", |a| one(a.x[0].diag_part())),
    ("tf.linalg.trace", |a| one(a.x[0].trace())),
    ("tf.linalg.matrix_transpose", |a| one(a.x[0].matrix_transpose())),
];
