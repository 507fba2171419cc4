//! Attention without projections: Luong's and Bahdanau's.

use super::{
    Base, Call, Layer, LayerConfig, Weights, and, causal, check_rate, dropped, named, query_value_key,
};
use crate::nn::Initializer;
use crate::{DType, Result, Shape, Var, VariableId, misuse};
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// How [`Attention`] compares a query with a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScoreMode {
    /// `scale * q · k`
    #[default]
    Dot,
    /// `concat_score_weight * sum(tanh(scale * (q + k)))`
    Concat,
}

/// Dot-product attention (`keras.layers.Attention`; Luong et al. 2015): `softmax(scores) · value`, where the
/// scores compare each query with each key. They are not divided by the root of the width.
///
/// **Inputs**: query `[batch, queries, dim]`, value `[batch, keys, width]`, and optionally key
/// `[batch, keys, dim]`, without which the value is the key. The value's mask leaves out keys; the query's mask
/// makes rows of the result zero, and is its mask.
///
/// **Outputs**: `[batch, queries, width]`, then with `return_attention_scores` the weights
/// `[batch, queries, keys]`.
///
/// ```
/// use gradling::nn::Attention;
/// let layer = Attention::new().use_scale(true).use_causal_mask(true);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attention {
    pub(in crate::nn::layer) base: Base,
    score_mode: ScoreMode,
    options: Options,
}

/// Additive attention (`keras.layers.AdditiveAttention`; Bahdanau et al. 2015): as [`Attention`] with the scores
/// `sum(scale * tanh(q + k))`.
///
/// **Shape**: that of [`Attention`]; scale `[dim]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdditiveAttention {
    pub(in crate::nn::layer) base: Base,
    options: Options,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Options {
    use_scale: bool,
    dropout: f32,
    use_causal_mask: bool,
    return_attention_scores: bool,
    #[serde(skip)]
    scale: Option<VariableId>,
    #[serde(skip)]
    concat_score_weight: Option<VariableId>,
}

impl Attention {
    /// Attention without scale or dropout.
    pub fn new() -> Attention {
        Attention::default()
    }

    /// How a query is compared with a key.
    pub fn score_mode(mut self, score_mode: ScoreMode) -> Attention {
        self.score_mode = score_mode;
        self
    }
}

impl Default for Attention {
    fn default() -> Attention {
        Attention { base: Base::default(), score_mode: ScoreMode::Dot, options: Options::default() }
    }
}

impl AdditiveAttention {
    /// Attention with a scale and without dropout.
    pub fn new() -> AdditiveAttention {
        AdditiveAttention::default()
    }
}

impl Default for AdditiveAttention {
    fn default() -> AdditiveAttention {
        AdditiveAttention {
            base: Base::default(),
            options: Options { use_scale: true, ..Options::default() },
        }
    }
}

macro_rules! options {
    ($Layer:ident) => {
        impl $Layer {
            /// Whether the scores have a learned scale.
            pub fn use_scale(mut self, use_scale: bool) -> $Layer {
                self.options.use_scale = use_scale;
                self
            }

            /// The share of attention weights dropped while training, in [0, 1].
            pub fn dropout(mut self, dropout: f32) -> $Layer {
                self.options.dropout = dropout;
                self
            }

            /// Whether a query leaves out the keys after it.
            pub fn use_causal_mask(mut self, use_causal_mask: bool) -> $Layer {
                self.options.use_causal_mask = use_causal_mask;
                self
            }

            /// Whether to give the attention weights, too.
            pub fn return_attention_scores(mut self, return_attention_scores: bool) -> $Layer {
                self.options.return_attention_scores = return_attention_scores;
                self
            }
        }
    };
}
options!(Attention);
options!(AdditiveAttention);

impl Options {
    /// Checks the shapes; gives those of the outputs.
    fn outputs(&self, layer: &str, inputs: &[Shape]) -> Result<Vec<Shape>> {
        let (query, value, key) = query_value_key(layer, inputs)?;
        check_rate(layer, self.dropout)?;
        let fit = query.rank() == 2 && value.rank() == 2 && key.rank() == 2;
        if !fit || query.dim(-1) != key.dim(-1) || value.dim(0) != key.dim(0) {
            return Err(misuse!(
                "{layer}: expected query [batch, queries, dim], value [batch, keys, width] and key [batch, keys, dim], got samples of shape {query}, {value} and {key}"
            ));
        }
        let mut outputs = vec![query.with_dim(-1, value.dim(-1))];
        if self.return_attention_scores {
            outputs.push(query.with_dim(-1, value.dim(0)));
        }
        Ok(outputs)
    }

    /// Weighs the values by the scores.
    fn apply<'b>(
        &self,
        call: &mut Call<'b>,
        scores: Var<'b>,
        query: Var<'b>,
        value: Var<'b>,
    ) -> Result<Vec<Var<'b>>> {
        let keys = call.mask(value).map(|m| m.cast(DType::Bool).expand_dims(-2));
        let future = match self.use_causal_mask {
            true => Some(causal(scores, scores.dim(-2), scores.dim(-1))?),
            false => None,
        };
        let scores = match and(keys, future) {
            Some(mask) => Var::select(mask, scores, scores - 1e9),
            None => scores,
        };
        let weights = dropped(call, scores.softmax(), self.dropout);
        let mut y = weights.matmul(value);
        if let Some(mask) = call.mask(query) {
            let rows = mask.cast(DType::Bool).expand_dims(-1);
            y = Var::select(rows, y, y.scalar_like(0.0));
            call.set_mask(y, mask);
        }
        let mut outputs = vec![y];
        if self.return_attention_scores {
            outputs.push(weights);
        }
        Ok(outputs)
    }
}

/// `[batch, queries, 1, dim]` plus `[batch, 1, keys, dim]`
fn pairs<'b>(query: Var<'b>, key: Var<'b>) -> Var<'b> {
    query.expand_dims(-2) + key.expand_dims(-3)
}

/// A layer with several inputs has no single-input form.
macro_rules! several {
    () => {
        fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
            Ok(self.build_many(&[*input], weights)?[0])
        }

        fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
            Ok(self.call_many(call, &[x])?[0])
        }
    };
}
pub(super) use several;

impl Layer for Attention {
    named!("Attention");
    several!();

    fn build_many(&mut self, inputs: &[Shape], weights: &mut Weights<'_>) -> Result<Vec<Shape>> {
        let outputs = self.options.outputs(&self.base, inputs)?;
        if self.options.use_scale {
            self.options.scale = Some(weights.add("scale", &[], Initializer::Ones, true)?);
        }
        if self.score_mode == ScoreMode::Concat {
            let weight = weights.add("concat_score_weight", &[], Initializer::Ones, true)?;
            self.options.concat_score_weight = Some(weight);
        }
        Ok(outputs)
    }

    fn call_many<'b>(&self, call: &mut Call<'b>, inputs: &[Var<'b>]) -> Result<Vec<Var<'b>>> {
        let (query, value, key) = query_value_key(&self.base, inputs)?;
        let mut scores = match self.score_mode {
            ScoreMode::Dot => query.matmul_t(*key, false, true),
            ScoreMode::Concat => pairs(*query, *key),
        };
        if self.options.use_scale {
            scores = scores * call.weight(&self.base, self.options.scale)?;
        }
        if self.score_mode == ScoreMode::Concat {
            let weight = call.weight(&self.base, self.options.concat_score_weight)?;
            scores = weight * scores.tanh().sum(&[-1], false);
        }
        self.options.apply(call, scores, *query, *value)
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Attention(self.clone()))
    }
}

impl Layer for AdditiveAttention {
    named!("AdditiveAttention");
    several!();

    fn build_many(&mut self, inputs: &[Shape], weights: &mut Weights<'_>) -> Result<Vec<Shape>> {
        let outputs = self.options.outputs(&self.base, inputs)?;
        if self.options.use_scale {
            let dim = inputs.first().map_or(1, |query| query.dim(-1));
            self.options.scale = Some(weights.add("scale", &[dim], Initializer::GlorotUniform, true)?);
        }
        Ok(outputs)
    }

    fn call_many<'b>(&self, call: &mut Call<'b>, inputs: &[Var<'b>]) -> Result<Vec<Var<'b>>> {
        let (query, value, key) = query_value_key(&self.base, inputs)?;
        let mut scores = pairs(*query, *key).tanh();
        if self.options.use_scale {
            scores = scores * call.weight(&self.base, self.options.scale)?;
        }
        self.options.apply(call, scores.sum(&[-1], false), *query, *value)
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::AdditiveAttention(self.clone()))
    }
}
