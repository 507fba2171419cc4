//! Reductions, cumulative sums and products, sorting, norms.

use gradling::Var;

use super::{Args, Rule, one};
use crate::program::{Fault, unsupported};

fn descending(a: &Args) -> bool {
    a.case.text("direction") == Some("DESCENDING")
}

fn count(a: &Args, key: &str) -> Result<usize, Fault> {
    a.integer(key)
        .and_then(|n| usize::try_from(n).ok())
        .ok_or_else(|| Fault::Failed(format!("no count {key}")))
}

fn order(a: &Args) -> Result<f32, Fault> {
    match a.case.text("ord") {
        None if a.case.config.contains_key("ord") => a.number("ord"),
        None | Some("euclidean") => Ok(2.0),
        Some("inf") => Ok(f32::INFINITY),
        Some("fro") => Ok(2.0),
        Some(other) => unsupported(format!("norm {other}")),
    }
}

pub(super) const RULES: &[(&str, Rule)] = &[
    ("tf.reduce_sum", |a| a.reduce(|x, axes, keep| x.sum(axes, keep))),
    ("tf.reduce_mean", |a| a.reduce(|x, axes, keep| x.mean(axes, keep))),
    ("tf.reduce_max", |a| a.reduce(|x, axes, keep| x.max(axes, keep))),
    ("tf.reduce_min", |a| a.reduce(|x, axes, keep| x.min(axes, keep))),
    ("tf.reduce_prod", |a| a.reduce(|x, axes, keep| x.prod(axes, keep))),
    ("tf.reduce_logsumexp", |a| a.reduce(|x, axes, keep| x.logsumexp(axes, keep))),
    ("tf.math.reduce_variance", |a| a.reduce(|x, axes, keep| x.variance(axes, keep))),
    ("tf.math.reduce_std", |a| a.reduce(|x, axes, keep| x.std(axes, keep))),
    ("tf.reduce_any", |a| a.reduce(|x, axes, keep| x.any(axes, keep))),
    ("tf.reduce_all", |a| a.reduce(|x, axes, keep| x.all(axes, keep))),
    ("tf.math.count_nonzero", |a| a.reduce(|x, axes, keep| x.count_nonzero(axes, keep))),
    ("tf.argmax", |a| one(a.x[0].argmax(a.integer("axis").unwrap_or(0)))),
    ("tf.argmin", |a| one(a.x[0].argmin(a.integer("axis").unwrap_or(0)))),
    ("tf.cumsum", |a| {
        one(a.x[0].cumsum(a.integer("axis").unwrap_or(0), a.flag("exclusive"), a.flag("reverse")))
    }),
    ("tf.math.cumprod", |a| {
        one(a.x[0].cumprod(a.integer("axis").unwrap_or(0), a.flag("exclusive"), a.flag("reverse")))
    }),
    ("tf.math.top_k", |a| {
        let (values, indices) = a.x[0].top_k(a.integer("k").unwrap_or(1) as usize);
        Ok(vec![values, indices])
    }),
    ("tf.sort", |a| one(a.x[0].sort(a.integer("axis").unwrap_or(-1), descending(a)))),
    ("tf.argsort", |a| one(a.x[0].argsort(a.integer("axis").unwrap_or(-1), descending(a)))),
    ("tf.math.in_top_k", |a| one(a.x[0].in_top_k(a.x[1], count(a, "k")?))),
    ("tf.math.unsorted_segment_sum", |a| one(a.x[0].unsorted_segment_sum(a.x[1], count(a, "num_segments")?))),
    ("tf.norm", |a| match a.axes().len() {
        // A list of two axes is a matrix norm, of which only the Frobenius norm is one of its elements.
        2 if order(a)? != 2.0 => unsupported("matrix norms"),
        _ => one(a.x[0].norm(order(a)?, &a.axes(), a.flag("keepdims"))),
    }),
    ("tf.math.l2_normalize", |a| {
        one(a.x[0].l2_normalize(&a.axes(), a.case.number("epsilon").unwrap_or(1e-12) as f32))
    }),
    ("tf.nn.l2_loss", |a| one(a.x[0].l2_loss())),
    ("tf.nn.moments", |a| {
        let (mean, variance): (Var, Var) = a.x[0].moments(&a.list("axes"), a.flag("keepdims"));
        Ok(vec![mean, variance])
    }),
];
