//! Multi-head attention.

use super::dot::several;
use super::projection::{Projection, Start, projection_setters};
use super::{Base, Call, Layer, LayerConfig, Weights, and, causal, check_rate, coordinates, dropped, named};
use crate::{DType, Result, Shape, Var, misuse};
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Attention by several heads (`keras.layers.MultiHeadAttention`; Vaswani et al. 2017): each head projects query,
/// key and value, weighs the values by `softmax(q · k / sqrt(key_dim))`, and one more projection puts the heads
/// together.
///
/// **Inputs**: query `[batch, queries, ..]`, value `[batch, keys, ..]`, optionally key (without it the value is
/// the key), and last, with [`attention_mask`](MultiHeadAttention::attention_mask), a mask
/// `[batch, queries, keys]` that is zero where a query leaves out a key. Masks of query, value and key join it.
///
/// **Outputs**: `[batch, queries, output]`, where output is the query's width unless
/// [`output_shape`](MultiHeadAttention::output_shape) says otherwise; then with `return_attention_scores` the
/// weights `[batch, heads, queries, keys]`.
///
/// Inputs of more axes attend along `attention_axes`; the other axes are as further batch axes.
///
/// Weights: `query/kernel` and `key/kernel` `[width, heads, key_dim]`, `value/kernel` `[width, heads, value_dim]`,
/// `attention_output/kernel` `[heads, value_dim, output]`, and a bias each.
///
/// ```
/// use gradling::nn::MultiHeadAttention;
/// let layer = MultiHeadAttention::new(8, 64).use_causal_mask(true);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MultiHeadAttention {
    pub(in crate::nn::layer) base: Base,
    num_heads: usize,
    key_dim: usize,
    value_dim: usize,
    dropout: f32,
    start: Start,
    use_gate: bool,
    output_shape: Vec<usize>,
    attention_axes: Vec<isize>,
    masking: Masking,
    return_attention_scores: bool,
    #[serde(skip)]
    built: Built,
}

/// What `build` finds out.
#[derive(Clone, Debug, Default, PartialEq)]
struct Built {
    query: Projection,
    key: Projection,
    value: Projection,
    gate: Option<Projection>,
    output: Projection,
    /// Axes of the batched input that attend, and those that do not, without batch and features.
    attend: Vec<usize>,
    free: Vec<usize>,
}

impl MultiHeadAttention {
    /// Attention by `num_heads` heads of `key_dim` features each.
    pub fn new(num_heads: usize, key_dim: usize) -> MultiHeadAttention {
        MultiHeadAttention {
            base: Base::default(),
            num_heads,
            key_dim,
            value_dim: key_dim,
            dropout: 0.0,
            start: Start::default(),
            use_gate: false,
            output_shape: Vec::new(),
            attention_axes: Vec::new(),
            masking: Masking::default(),
            return_attention_scores: false,
            built: Built::default(),
        }
    }

    /// The features of each head's values; `key_dim` by default.
    pub fn value_dim(mut self, value_dim: usize) -> Self {
        self.value_dim = value_dim;
        self
    }

    /// The share of attention weights dropped while training, in [0, 1].
    pub fn dropout(mut self, dropout: f32) -> Self {
        self.dropout = dropout;
        self
    }

    /// Whether the projections have biases.
    pub fn use_bias(mut self, use_bias: bool) -> Self {
        self.start.use_bias = use_bias;
        self
    }

    /// Whether the heads' results are multiplied by the sigmoid of one more projection of the query (Qiu et al.
    /// 2025), with weights `gate/kernel` and `gate/bias`.
    pub fn use_gate(mut self, use_gate: bool) -> Self {
        self.use_gate = use_gate;
        self
    }

    /// The shape of the output beyond the leading axes; the query's width by default.
    pub fn output_shape(mut self, output_shape: &[usize]) -> Self {
        self.output_shape = output_shape.to_vec();
        self
    }

    /// The axes that attend, counted with the batch axis; all between batch and features by default.
    pub fn attention_axes(mut self, attention_axes: &[isize]) -> Self {
        self.attention_axes = attention_axes.to_vec();
        self
    }

    /// Lets a query attend to keys less than this many positions away only.
    pub fn sliding_window(mut self, sliding_window: usize) -> Self {
        self.masking.sliding_window = Some(sliding_window);
        self
    }

    /// Whether a query leaves out the keys after it.
    pub fn use_causal_mask(mut self, use_causal_mask: bool) -> Self {
        self.masking.use_causal_mask = use_causal_mask;
        self
    }

    /// Whether the last input is a mask.
    pub fn attention_mask(mut self, attention_mask: bool) -> Self {
        self.masking.attention_mask = attention_mask;
        self
    }

    /// Whether to give the attention weights, too.
    pub fn return_attention_scores(mut self, return_attention_scores: bool) -> Self {
        self.return_attention_scores = return_attention_scores;
        self
    }

    /// The axes that attend and the others, of inputs of this rank with batch and features.
    fn axes(&self, rank: usize) -> Result<(Vec<usize>, Vec<usize>)> {
        let between: Vec<usize> = (1..rank - 1).collect();
        let mut attend = between.clone();
        if !self.attention_axes.is_empty() {
            attend.clear();
            for &axis in &self.attention_axes {
                let a = if axis < 0 { axis + rank as isize } else { axis };
                match usize::try_from(a).ok().filter(|a| between.contains(a) && !attend.contains(a)) {
                    Some(a) => attend.push(a),
                    None => {
                        return Err(misuse!(
                            "{}: attention axis {axis} is not between the batch and the features of an input of {rank} axes",
                            self.base
                        ));
                    }
                }
            }
        }
        let free = between.into_iter().filter(|a| !attend.contains(a)).collect();
        Ok((attend, free))
    }
}

/// Which keys a query leaves out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Masking {
    pub sliding_window: Option<usize>,
    pub use_causal_mask: bool,
    pub attention_mask: bool,
}

impl Masking {
    /// Query, value, key if it is its own, and the mask.
    #[allow(clippy::type_complexity)]
    pub fn split<'i, T>(
        &self,
        layer: &str,
        inputs: &'i [T],
    ) -> Result<(&'i T, &'i T, Option<&'i T>, Option<&'i T>)> {
        let (qvk, mask) = match (self.attention_mask, inputs.split_last()) {
            (true, Some((mask, rest))) => (rest, Some(mask)),
            _ => (inputs, None),
        };
        match qvk {
            [query, value] => Ok((query, value, None, mask)),
            [query, value, key] => Ok((query, value, Some(key), mask)),
            _ => Err(misuse!(
                "{layer}: expected query, value, optionally key{}, got {} inputs",
                if self.attention_mask { ", and a mask" } else { "" },
                inputs.len()
            )),
        }
    }

    /// The mask over `[batch, queries, keys]` that inputs and options give.
    pub fn mask<'b>(
        &self,
        layer: &str,
        call: &Call<'b>,
        query: Var<'b>,
        value: Var<'b>,
        key: Option<Var<'b>>,
        given: Option<Var<'b>>,
    ) -> Result<Option<Var<'b>>> {
        let bool = |m: Var<'b>| m.cast(DType::Bool);
        let mut mask = call.mask(query).map(|m| bool(m).expand_dims(-1));
        let of_keys = |v: Var<'b>| call.mask(v).map(|m| bool(m).expand_dims(-2));
        mask = and(mask, of_keys(value));
        mask = and(mask, key.and_then(of_keys));
        if self.sliding_window == Some(0) {
            return Err(misuse!("{layer}: expected a sliding window of at least 1, got 0"));
        }
        let (rows, columns) = (query.dim(1), value.dim(1));
        if self.use_causal_mask {
            mask = and(mask, Some(causal(query, rows, columns)?.expand_dims(0)));
        }
        if let Some(window) = self.sliding_window {
            let (row, column) = coordinates(query, rows, columns)?;
            let (window, distance) = (query.scalar_like(window as f32), row - column);
            let near = distance.cast(DType::F32).abs().less(window);
            mask = and(mask, Some(near.expand_dims(0)));
        }
        Ok(and(given.map(bool), mask))
    }
}

/// The extents of these axes.
fn extents(x: Var<'_>, axes: &[usize]) -> Vec<usize> {
    axes.iter().map(|&a| x.dim(a as isize)).collect()
}

/// `[batch, .., heads, features]` as `[batch * free * heads, attend, features]`.
fn heads<'b>(x: Var<'b>, free: &[usize], attend: &[usize]) -> Var<'b> {
    let last = x.rank() - 1;
    let order = [&[0], free, &[last - 1], attend, &[last]].concat();
    let (length, width): (usize, usize) = (extents(x, attend).iter().product(), x.dim(-1));
    let batches = x.shape().numel() / (length * width).max(1);
    x.transpose(&order).reshape(&[batches, length, width])
}

/// Softmax over the last axis where `mask` (of the same shape) holds, as Keras has it in its two forms: `plain`
/// scores that count for nothing weigh nothing; else rows without any that counts are uniform.
pub(super) fn masked_softmax<'b>(scores: Var<'b>, mask: Option<Var<'b>>, plain: bool) -> Var<'b> {
    let Some(mask) = mask else { return scores.softmax() };
    let weights = Var::select(mask, scores, scores.scalar_like(f32::MAX * -0.7)).softmax();
    if plain { Var::select(mask, weights, weights.scalar_like(0.0)) } else { weights }
}

projection_setters!(MultiHeadAttention);

impl Layer for MultiHeadAttention {
    named!("MultiHeadAttention");
    several!();

    fn build_many(&mut self, inputs: &[Shape], weights: &mut Weights<'_>) -> Result<Vec<Shape>> {
        let (query, value, key, _) = self.masking.split(&self.base, inputs)?;
        let key = key.unwrap_or(value);
        let positive = [self.num_heads, self.key_dim, self.value_dim].iter().all(|n| *n > 0);
        check_rate(&self.base, self.dropout)?;
        if !positive {
            return Err(misuse!("{}: expected heads, key_dim and value_dim of at least 1", self.base));
        }
        let lead = |s: &Shape| s.to_vec()[..s.rank().saturating_sub(1)].to_vec();
        if query.rank() < 2 || query.rank() != value.rank() || lead(value) != lead(key) {
            return Err(misuse!(
                "{}: expected query [batch, queries, ..], value and key [batch, keys, ..] of as many axes, got samples of shape {query}, {value} and {key}",
                self.base
            ));
        }
        let (attend, free) = self.axes(query.rank() + 1)?;
        let fits = |&a: &usize| query.dim(a as isize - 1) == value.dim(a as isize - 1);
        if !free.iter().all(fits) {
            return Err(misuse!(
                "{}: query {query} and value {value} differ beyond the attention axes",
                self.base
            ));
        }
        let (n, start) = (self.num_heads, &self.start);
        let mut project =
            |name: &str, from: &[usize], to: &[usize]| Projection::build(name, from, to, start, weights);
        let width = query.dim(-1);
        let output = if self.output_shape.is_empty() { vec![width] } else { self.output_shape.clone() };
        self.built = Built {
            query: project("query", &[width], &[n, self.key_dim])?,
            key: project("key", &[key.dim(-1)], &[n, self.key_dim])?,
            gate: match self.use_gate {
                true => Some(project("gate", &[width], &[n, self.value_dim])?),
                false => None,
            },
            value: project("value", &[value.dim(-1)], &[n, self.value_dim])?,
            output: project("attention_output", &[n, self.value_dim], &output)?,
            attend,
            free,
        };
        let mut outputs = vec![Shape::new(&[lead(query), output].concat())?];
        if self.return_attention_scores {
            let of = |s: &Shape, axes: &[usize]| -> Vec<usize> {
                axes.iter().map(|&a| s.dim(a as isize - 1)).collect()
            };
            let (attend, free) = (&self.built.attend, &self.built.free);
            let dims = [of(query, free), vec![n], of(query, attend), of(value, attend)].concat();
            outputs.push(Shape::new(&dims)?);
        }
        Ok(outputs)
    }

    fn call_many<'b>(&self, call: &mut Call<'b>, inputs: &[Var<'b>]) -> Result<Vec<Var<'b>>> {
        let (query, value, key, given) = self.masking.split(&self.base, inputs)?;
        let (query, value, key) = (*query, *value, key.copied());
        let mask = self.masking.mask(&self.base, call, query, value, key, given.copied())?;
        let (built, layer) = (&self.built, &self.base);
        let (attend, free) = (&built.attend, &built.free);
        let q = built.query.call(call, layer, query)?;
        let k = built.key.call(call, layer, key.unwrap_or(value))?;
        let v = built.value.call(call, layer, value)?;

        let scale = 1.0 / crate::math::sqrt(self.key_dim as f32);
        let scores = (heads(q, free, attend) * scale).matmul_t(heads(k, free, attend), false, true);
        let lead = [&[q.dim(0)], extents(q, free).as_slice(), &[self.num_heads]].concat();
        let full = [lead.clone(), extents(q, attend), extents(k, attend)].concat();
        // A mask has the batch axes in front and the attention axes behind; heads and others come between.
        let mask = mask.map(|m| {
            let (dims, behind) = (m.shape().to_vec(), (2 * attend.len()).min(m.rank()));
            let (front, back) = dims.split_at(dims.len() - behind);
            let between = vec![1; full.len().saturating_sub(dims.len())];
            m.reshape(&[front, &between, back].concat()).broadcast_to(&full).reshaped(scores.shape())
        });
        let training = self.dropout > 0.0 && call.training();
        let plain = training || self.return_attention_scores || q.rank() != 4;
        let weights = masked_softmax(scores, mask, plain);

        // Back to `[batch, .., heads, features]`.
        let mixed = dropped(call, weights, self.dropout).matmul(heads(v, free, attend));
        let moved = [lead, extents(q, attend), vec![self.value_dim]].concat();
        let order = [&[0], free.as_slice(), &[q.rank() - 2], attend, &[q.rank() - 1]].concat();
        let mut back = vec![0; order.len()];
        for (at, &axis) in order.iter().enumerate() {
            back[axis] = at;
        }
        let mut mixed = mixed.reshape(&moved).transpose(&back);
        if let Some(gate) = &built.gate {
            mixed = mixed * gate.call(call, layer, query)?.sigmoid();
        }
        let y = built.output.call(call, layer, mixed)?;
        if let Some(mask) = call.mask(query) {
            call.set_mask(y, mask);
        }
        let mut outputs = vec![y];
        if self.return_attention_scores {
            outputs.push(weights.reshape(&full));
        }
        Ok(outputs)
    }

    fn multiply_adds(&self, input: &Shape, _: &Shape) -> u64 {
        let rows = (input.numel() / input.dim(-1).max(1)) as u64;
        let built = &self.built;
        let each = built.query.multiply_adds()
            + built.key.multiply_adds()
            + built.value.multiply_adds()
            + built.output.multiply_adds()
            + built.gate.as_ref().map_or(0, Projection::multiply_adds);
        rows * (each + rows * (self.num_heads * (self.key_dim + self.value_dim)) as u64)
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::MultiHeadAttention(self.clone()))
    }
}
