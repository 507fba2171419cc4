//! Arithmetic, comparison, choice, functions of one number, products.

use gradling::{DType, Var};
use serde_json::Value;

use super::{Rule, one};
use crate::case::integers;
use crate::program::{Fault, dtype, unsupported};

pub(super) const RULES: &[(&str, Rule)] = &[
    ("tf.add", |a| one(a.x[0] + a.x[1])),
    ("tf.subtract", |a| one(a.x[0] - a.x[1])),
    ("tf.multiply", |a| one(a.x[0] * a.x[1])),
    ("tf.divide", |a| one(a.x[0].divide(a.x[1]))),
    ("tf.truediv", |a| one(a.x[0].divide(a.x[1]))),
    ("tf.maximum", |a| one(a.x[0].maximum(a.x[1]))),
    ("tf.minimum", |a| one(a.x[0].minimum(a.x[1]))),
    ("tf.math.squared_difference", |a| one(a.x[0].squared_difference(a.x[1]))),
    ("tf.math.divide_no_nan", |a| one(a.x[0].divide_no_nan(a.x[1]))),
    ("tf.math.multiply_no_nan", |a| one(a.x[0].multiply_no_nan(a.x[1]))),
    ("tf.math.floordiv", |a| one(a.x[0].floordiv(a.x[1]))),
    ("tf.math.floormod", |a| one(a.x[0].floormod(a.x[1]))),
    ("tf.truncatediv", |a| one(a.x[0].truncatediv(a.x[1]))),
    ("tf.truncatemod", |a| one(a.x[0].truncatemod(a.x[1]))),
    ("tf.math.xlogy", |a| one(a.x[0].xlogy(a.x[1]))),
    ("tf.math.xlog1py", |a| one(a.x[0].xlog1py(a.x[1]))),
    ("tf.math.xdivy", |a| one(a.x[0].xdivy(a.x[1]))),
    ("tf.math.atan2", |a| one(a.x[0].atan2(a.x[1]))),
    ("tf.pow", |a| match a.x.get(1) {
        Some(y) => one(a.x[0].pow(*y)),
        None => one(a.x[0].pow(a.number("exponent")?)),
    }),
    ("tf.equal", |a| one(a.x[0].equal(a.x[1]))),
    ("tf.not_equal", |a| one(a.x[0].not_equal(a.x[1]))),
    ("tf.less", |a| one(a.x[0].less(a.x[1]))),
    ("tf.less_equal", |a| one(a.x[0].less_equal(a.x[1]))),
    ("tf.greater", |a| one(a.x[0].greater(a.x[1]))),
    ("tf.greater_equal", |a| one(a.x[0].greater_equal(a.x[1]))),
    ("tf.logical_and", |a| one(a.x[0].logical_and(a.x[1]))),
    ("tf.logical_or", |a| one(a.x[0].logical_or(a.x[1]))),
    ("tf.logical_not", |a| one(a.x[0].logical_not())),
    ("tf.math.logical_xor", |a| one(a.x[0].logical_xor(a.x[1]))),
    ("tf.where", |a| match a.x {
        [condition, x, y] => one(Var::select(*condition, *x, *y)),
        _ => unsupported("tf.where of this many arguments"),
    }),
    ("tf.square", |a| one(a.x[0].square())),
    ("tf.sqrt", |a| one(a.x[0].sqrt())),
    ("tf.exp", |a| one(a.x[0].exp())),
    ("tf.math.log", |a| one(a.x[0].log())),
    ("tf.abs", |a| one(a.x[0].abs())),
    ("tf.negative", |a| one(-a.x[0])),
    ("tf.sign", |a| one(a.x[0].sign())),
    ("tf.math.rsqrt", |a| one(a.x[0].rsqrt())),
    ("tf.math.reciprocal", |a| one(a.x[0].reciprocal())),
    ("tf.sin", |a| one(a.x[0].sin())),
    ("tf.cos", |a| one(a.x[0].cos())),
    ("tf.tan", |a| one(a.x[0].tan())),
    ("tf.asin", |a| one(a.x[0].asin())),
    ("tf.acos", |a| one(a.x[0].acos())),
    ("tf.atan", |a| one(a.x[0].atan())),
    ("tf.sinh", |a| one(a.x[0].sinh())),
    ("tf.cosh", |a| one(a.x[0].cosh())),
    ("tf.asinh", |a| one(a.x[0].asinh())),
    ("tf.acosh", |a| one(a.x[0].acosh())),
    ("tf.atanh", |a| one(a.x[0].atanh())),
    ("tf.math.log1p", |a| one(a.x[0].log1p())),
    ("tf.math.expm1", |a| one(a.x[0].expm1())),
    ("tf.floor", |a| one(a.x[0].floor())),
    ("tf.math.ceil", |a| one(a.x[0].ceil())),
    ("tf.round", |a| one(a.x[0].round())),
    ("tf.sigmoid", |a| one(a.x[0].sigmoid())),
    ("tf.math.log_sigmoid", |a| one(a.x[0].log_sigmoid())),
    ("tf.tanh", |a| one(a.x[0].tanh())),
    ("tf.math.softplus", |a| one(a.x[0].softplus())),
    ("tf.math.erf", |a| one(a.x[0].erf())),
    ("tf.math.erfc", |a| one(a.x[0].erfc())),
    ("tf.math.is_nan", |a| one(a.x[0].is_nan())),
    ("tf.math.is_inf", |a| one(a.x[0].is_inf())),
    ("tf.math.is_finite", |a| one(a.x[0].is_finite())),
    ("tf.nn.relu", |a| one(a.x[0].relu())),
    ("tf.nn.relu6", |a| one(a.x[0].relu6())),
    ("tf.nn.leaky_relu", |a| one(a.x[0].leaky_relu(a.case.number("alpha").unwrap_or(0.2) as f32))),
    ("tf.nn.elu", |a| one(a.x[0].elu(1.0))),
    ("tf.nn.selu", |a| one(a.x[0].selu())),
    ("tf.nn.gelu", |a| one(a.x[0].gelu(a.flag("approximate")))),
    ("tf.nn.silu", |a| one(a.x[0].silu())),
    ("tf.nn.softsign", |a| one(a.x[0].softsign())),
    ("tf.clip_by_value", |a| match a.x {
        [x, low, high] => one(x.clip_to(*low, *high)),
        _ => one(a.x[0].clip(a.number("clip_value_min")?, a.number("clip_value_max")?)),
    }),
    ("tf.clip_by_norm", |a| one(a.x[0].clip_by_norm(a.number("clip_norm")?, &a.list("axes")))),
    ("tf.clip_by_global_norm", |a| Ok(Var::clip_by_global_norm(a.x, a.number("clip_norm")?))),
    ("tf.linalg.global_norm", |a| match Var::global_norm(a.x) {
        Some(norm) => one(norm),
        None => unsupported("tf.linalg.global_norm of nothing"),
    }),
    ("tf.stop_gradient", |a| one(a.x[0].stop_gradient())),
    ("tf.identity", |a| one(a.x[0])),
    ("tf.cast", |a| match a.case.text("dtype") {
        Some("float16") => one(a.x[0].cast(DType::F16).cast(DType::F32)),
        Some(name) => one(a.x[0].cast(dtype(name)?)),
        None => unsupported("tf.cast without a type"),
    }),
    ("tf.matmul", |a| one(a.x[0].matmul_t(a.x[1], a.flag("transpose_a"), a.flag("transpose_b")))),
    ("tf.einsum", |a| match a.case.text("equation") {
        Some(equation) => one(Var::einsum(equation, a.x)),
        None => unsupported("tf.einsum without an equation"),
    }),
    ("tf.tensordot", |a| match a.case.config.get("axes") {
        Some(Value::Number(n)) => one(a.x[0].tensordot_n(a.x[1], n.as_u64().unwrap_or(0) as usize)),
        Some(Value::Array(sides)) if sides.len() == 2 => {
            let side = |i: usize| -> Vec<isize> {
                integers(&sides[i]).unwrap_or_default().into_iter().map(|axis| axis as isize).collect()
            };
            one(a.x[0].tensordot(a.x[1], &side(0), &side(1)))
        }
        other => Err(Fault::Failed(format!("tensordot over {other:?}"))),
    }),
];
