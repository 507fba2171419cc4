//! Attention layers.

mod dot;
mod grouped_query;
mod multi_head;
mod projection;

pub use dot::{AdditiveAttention, Attention, ScoreMode};
pub use grouped_query::GroupedQueryAttention;
pub use multi_head::MultiHeadAttention;

use super::rnn::dropout_mask;
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::op::Op;
use crate::{Result, Shape, Var, misuse};

/// Rows and columns of `[rows, columns]` as int32 `[rows, 1]` and `[columns]`.
fn coordinates<'b>(like: Var<'b>, rows: usize, columns: usize) -> Result<(Var<'b>, Var<'b>)> {
    let count = |n: usize| -> Result<Var<'b>> {
        let shape = Shape::new(&[n])?;
        Ok(Var::new(like.builder(), like.builder().push(Op::Iota(shape), &[])))
    };
    Ok((count(rows)?.reshape(&[rows, 1]), count(columns)?))
}

/// Where a query may attend to a key that is not after it: bool `[queries, keys]`.
fn causal<'b>(like: Var<'b>, queries: usize, keys: usize) -> Result<Var<'b>> {
    let (row, column) = coordinates(like, queries, keys)?;
    Ok(row.greater_equal(column))
}

/// Both masks, where there are two.
fn and<'b>(a: Option<Var<'b>>, b: Option<Var<'b>>) -> Option<Var<'b>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.logical_and(b)),
        (a, None) => a,
        (None, b) => b,
    }
}

/// Dropout of attention weights while training.
fn dropped<'b>(call: &mut Call<'b>, weights: Var<'b>, rate: f32) -> Var<'b> {
    if !call.training() || rate == 0.0 {
        return weights;
    }
    match dropout_mask(call, weights.shape(), rate) {
        Some(mask) => weights * mask,
        None => weights,
    }
}

/// Checks a dropout rate.
fn check_rate(layer: &str, rate: f32) -> Result<()> {
    match (0.0..=1.0).contains(&rate) {
        true => Ok(()),
        false => Err(misuse!("{layer}: expected a dropout rate in [0, 1], got {rate}")),
    }
}

/// Query, value and key of a layer that takes `[query, value]` or `[query, value, key]`.
fn query_value_key<'i, T>(layer: &str, inputs: &'i [T]) -> Result<(&'i T, &'i T, &'i T)> {
    match inputs {
        [query, value] => Ok((query, value, value)),
        [query, value, key] => Ok((query, value, key)),
        _ => Err(misuse!(
            "{layer}: expected inputs [query, value] or [query, value, key], got {}",
            inputs.len()
        )),
    }
}
