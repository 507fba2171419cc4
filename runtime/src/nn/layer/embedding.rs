use super::param::{Param, setters};
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::nn::{Constraint, Initializer, Regularizer};
use crate::{DType, Result, Shape, Var, misuse};
use serde::{Deserialize, Serialize};

/// Rows of a table, one for each index (`keras.layers.Embedding`): `y[.., :] = embeddings[x[..], :]`.
///
/// **Shape**: `[batch, ..]` of whole numbers in `[0, input_dim)` to `[batch, .., output_dim]`; embeddings
/// `[input_dim, output_dim]`. The gradient of the table is dense: rows of repeated indices add up.
///
/// **Errors** when running with an index out of range.
///
/// ```
/// use gradling::nn::Embedding;
/// let layer = Embedding::new(1000, 64).mask_zero(true);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Embedding {
    pub(super) base: Base,
    input_dim: usize,
    output_dim: usize,
    mask_zero: bool,
    embeddings: Param,
    activity_regularizer: Option<Regularizer>,
}

impl Embedding {
    /// A table of `input_dim` rows of `output_dim` numbers, uniform in [-0.05, 0.05).
    pub fn new(input_dim: usize, output_dim: usize) -> Embedding {
        Embedding {
            base: Base::default(),
            input_dim,
            output_dim,
            mask_zero: false,
            embeddings: Param::new(Initializer::RandomUniform(-0.05, 0.05)),
            activity_regularizer: None,
        }
    }
}

setters! { Embedding:
    /// Whether index 0 is padding, which layers that know masks leave out.
    mask_zero(bool) => mask_zero;
    /// How the table starts.
    embeddings_initializer(Initializer) => embeddings.initializer;
    /// The penalty of the table.
    embeddings_regularizer(Regularizer) => embeddings.regularizer;
    /// What the table is projected to after each step.
    embeddings_constraint(Constraint) => embeddings.constraint;
    /// The penalty of the output, divided by the batch size.
    activity_regularizer(Regularizer) => activity_regularizer;
}

impl Layer for Embedding {
    named!("Embedding");

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        if self.input_dim == 0 || self.output_dim == 0 {
            return Err(misuse!(
                "{}: expected a table of at least one row and column, got [{}, {}]",
                self.base,
                self.input_dim,
                self.output_dim
            ));
        }
        self.embeddings.build(weights, "embeddings", &[self.input_dim, self.output_dim])?;
        let mut output = input.to_vec();
        output.push(self.output_dim);
        Shape::new(&output)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let ids = x.cast(DType::I32);
        let y = self.embeddings.get(call, &self.base)?.embedding_lookup(ids);
        if self.mask_zero {
            let mask = ids.not_equal(ids.scalar_like(0.0));
            call.set_mask(y, mask);
        }
        if let Some(regularizer) = self.activity_regularizer {
            call.add_loss(regularizer.call(y) / y.dim(0).max(1) as f32);
        }
        Ok(y)
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Embedding(self.clone()))
    }
}
