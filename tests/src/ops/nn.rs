//! `tf.nn`.

use gradling::Window;

use super::{Args, Rule, one, pair};
use crate::program::Fault;

/// The window of a convolution with filter `[kh, kw, ..]`; strides are 1 where the case has none.
fn filter_window(a: &Args) -> Result<Window, Fault> {
    let f = a.x[1].shape();
    let window = a.window([f.dim(0) as u32, f.dim(1) as u32])?;
    let window = match a.case.config.contains_key("strides") {
        true => window,
        false => window.strides([1, 1]),
    };
    Ok(window.dilation(pair(a.case.config.get("dilations"), [1, 1])?))
}

fn pool_window(a: &Args) -> Result<Window, Fault> {
    a.window(pair(a.case.config.get("ksize"), [1, 1])?)
}

pub(super) const RULES: &[(&str, Rule)] = &[
    ("tf.nn.softmax", |a| one(a.x[0].softmax_axis(a.integer("axis").unwrap_or(-1)))),
    ("tf.nn.log_softmax", |a| one(a.x[0].log_softmax_axis(a.integer("axis").unwrap_or(-1)))),
    ("tf.nn.softmax_cross_entropy_with_logits", |a| {
        let axis = a.integer("axis").unwrap_or(-1);
        one(a.x[1].softmax_cross_entropy_axis(a.x[0], axis))
    }),
    ("tf.nn.sparse_softmax_cross_entropy_with_logits", |a| one(a.x[1].sparse_softmax_cross_entropy(a.x[0]))),
    ("tf.nn.sigmoid_cross_entropy_with_logits", |a| one(a.x[1].sigmoid_cross_entropy(a.x[0]))),
    ("tf.nn.weighted_cross_entropy_with_logits", |a| {
        one(a.x[1].weighted_sigmoid_cross_entropy(a.x[0], a.number("pos_weight")?))
    }),
    ("tf.nn.bias_add", |a| match a.case.text("data_format") {
        Some(format) if format.starts_with("NC") => one(a.x[0].bias_add_axis(a.x[1], 1)),
        _ => one(a.x[0].bias_add(a.x[1])),
    }),
    ("tf.nn.embedding_lookup", |a| one(a.x[0].embedding_lookup(a.x[1]))),
    ("tf.nn.conv2d", |a| one(a.x[0].conv2d(a.x[1], &filter_window(a)?))),
    ("tf.nn.conv2d_transpose", |a| {
        let output: Vec<usize> = a.integers("output_shape")?.iter().map(|&n| n.max(0) as usize).collect();
        one(a.x[0].conv2d_transpose(a.x[1], &output, &filter_window(a)?))
    }),
    ("tf.nn.depthwise_conv2d", |a| one(a.x[0].depthwise_conv2d(a.x[1], &filter_window(a)?))),
    ("tf.nn.max_pool2d", |a| one(a.x[0].max_pool2d(&pool_window(a)?))),
    ("tf.nn.avg_pool2d", |a| one(a.x[0].avg_pool2d(&pool_window(a)?))),
];
