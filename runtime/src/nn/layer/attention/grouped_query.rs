//! Grouped-query attention.

use super::dot::several;
use super::multi_head::{Masking, masked_softmax};
use super::projection::{Projection, Start, projection_setters};
use super::{Base, Call, Layer, LayerConfig, Weights, check_rate, dropped, named};
use crate::{Result, Shape, Var, misuse};
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Multi-head attention in which several query heads share the keys and values of one head
/// (`keras.layers.GroupedQueryAttention`; Ainslie et al. 2023).
///
/// **Inputs**: query `[batch, queries, width]`, value `[batch, keys, ..]`, optionally key, and last, with
/// [`attention_mask`](GroupedQueryAttention::attention_mask), a mask `[batch, queries, keys]`. Masks of query,
/// value and key join it.
///
/// **Outputs**: `[batch, queries, width]`, then with `return_attention_scores` the weights
/// `[batch, query heads, queries, keys]`.
///
/// Weights: `query/kernel` `[width, query heads, head_dim]`, `key/kernel` and `value/kernel`
/// `[.., key-value heads, head_dim]`, `attention_output/kernel` `[query heads, head_dim, width]`, and a bias each.
///
/// ```
/// use gradling::nn::GroupedQueryAttention;
/// let layer = GroupedQueryAttention::new(64, 8, 2);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupedQueryAttention {
    pub(in crate::nn::layer) base: Base,
    head_dim: usize,
    query_heads: usize,
    key_value_heads: usize,
    dropout: f32,
    start: Start,
    use_gate: bool,
    masking: Masking,
    return_attention_scores: bool,
    #[serde(skip)]
    projections: Option<Projections>,
}

#[derive(Clone, Debug, PartialEq)]
struct Projections {
    query: Projection,
    key: Projection,
    value: Projection,
    gate: Option<Projection>,
    output: Projection,
}

impl GroupedQueryAttention {
    /// Attention by `num_query_heads` heads of `head_dim` features that share `num_key_value_heads` keys and
    /// values.
    pub fn new(head_dim: usize, num_query_heads: usize, num_key_value_heads: usize) -> Self {
        GroupedQueryAttention {
            base: Base::default(),
            head_dim,
            query_heads: num_query_heads,
            key_value_heads: num_key_value_heads,
            dropout: 0.0,
            start: Start::default(),
            use_gate: false,
            masking: Masking::default(),
            return_attention_scores: false,
            projections: None,
        }
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

    /// Whether the heads' results are multiplied by the sigmoid of one more projection of the query.
    pub fn use_gate(mut self, use_gate: bool) -> Self {
        self.use_gate = use_gate;
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

    /// `[batch, length, heads, features]` as `[batch * query heads, length, features]`: each head as often as
    /// queries share it.
    fn spread<'b>(&self, x: Var<'b>) -> Var<'b> {
        let dims = x.shape().to_vec();
        let (batch, length, heads, width) = (dims[0], dims[1], dims[2], dims[3]);
        let repeats = self.query_heads / heads;
        x.transpose(&[0, 2, 1, 3])
            .reshape(&[batch, heads, 1, length, width])
            .broadcast_to(&[batch, heads, repeats, length, width])
            .reshape(&[batch * self.query_heads, length, width])
    }
}

projection_setters!(GroupedQueryAttention);

impl Layer for GroupedQueryAttention {
    named!("GroupedQueryAttention");
    several!();

    fn build_many(&mut self, inputs: &[Shape], weights: &mut Weights<'_>) -> Result<Vec<Shape>> {
        let (query, value, key, _) = self.masking.split(&self.base, inputs)?;
        let key = key.unwrap_or(value);
        check_rate(&self.base, self.dropout)?;
        let (heads, shared, width) = (self.query_heads, self.key_value_heads, self.head_dim);
        if shared == 0 || width == 0 || heads == 0 || heads % shared != 0 {
            return Err(misuse!(
                "{}: expected query heads in equal groups for the key-value heads and at least 1 feature each, got {heads} heads for {shared} of {width}",
                self.base
            ));
        }
        if query.rank() != 2 || value.rank() != 2 || key.rank() != 2 || key.dim(0) != value.dim(0) {
            return Err(misuse!(
                "{}: expected query [batch, queries, width], value and key [batch, keys, ..], got samples of shape {query}, {value} and {key}",
                self.base
            ));
        }
        let start = &self.start;
        let mut project =
            |name: &str, from: &[usize], to: &[usize]| Projection::build(name, from, to, start, weights);
        let features = query.dim(1);
        self.projections = Some(Projections {
            query: project("query", &[features], &[heads, width])?,
            key: project("key", &[key.dim(1)], &[shared, width])?,
            value: project("value", &[value.dim(1)], &[shared, width])?,
            gate: match self.use_gate {
                true => Some(project("gate", &[features], &[heads, width])?),
                false => None,
            },
            output: project("attention_output", &[heads, width], &[features])?,
        });
        let mut outputs = vec![*query];
        if self.return_attention_scores {
            outputs.push(Shape::new(&[heads, query.dim(0), value.dim(0)])?);
        }
        Ok(outputs)
    }

    fn call_many<'b>(&self, call: &mut Call<'b>, inputs: &[Var<'b>]) -> Result<Vec<Var<'b>>> {
        let (query, value, key, given) = self.masking.split(&self.base, inputs)?;
        let (query, value, key) = (*query, *value, key.copied());
        let mask = self.masking.mask(&self.base, call, query, value, key, given.copied())?;
        let Some(own) = &self.projections else {
            return Err(misuse!("{}: not built; call model.build or fit first", self.base));
        };
        let layer = &self.base;
        let q = self.spread(own.query.call(call, layer, query)?);
        let k = self.spread(own.key.call(call, layer, key.unwrap_or(value))?);
        let v = self.spread(own.value.call(call, layer, value)?);
        let (batch, queries, keys) = (query.dim(0), query.dim(1), value.dim(1));
        let full = [batch, self.query_heads, queries, keys];
        let scores = (q * (1.0 / crate::math::sqrt(self.head_dim as f32))).matmul_t(k, false, true);
        let mask = mask.map(|m| {
            let m = if m.rank() < full.len() { m.expand_dims(-3) } else { m };
            m.broadcast_to(&full).reshaped(scores.shape())
        });
        let plain = self.dropout > 0.0 || self.return_attention_scores;
        let weights = masked_softmax(scores, mask, plain);
        let mixed = dropped(call, weights, self.dropout).matmul(v);
        let mut mixed =
            mixed.reshape(&[batch, self.query_heads, queries, self.head_dim]).transpose(&[0, 2, 1, 3]);
        if let Some(gate) = &own.gate {
            mixed = mixed * gate.call(call, layer, query)?.sigmoid();
        }
        let y = own.output.call(call, layer, mixed)?;
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
        let rows = input.dim(0) as u64;
        let each = self.projections.as_ref().map_or(0, |p| {
            let gate = p.gate.as_ref().map_or(0, Projection::multiply_adds);
            p.query.multiply_adds()
                + p.key.multiply_adds()
                + p.value.multiply_adds()
                + p.output.multiply_adds()
                + gate
        });
        rows * (each + rows * (2 * self.query_heads * self.head_dim) as u64)
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::GroupedQueryAttention(self.clone()))
    }
}
