use super::nested::Nested;
use super::{Base, Call, Layer, LayerConfig, Recurrence, Weights, named};
use crate::{Result, Shape, Var, misuse};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// How [`Bidirectional`] puts the outputs of both directions together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MergeMode {
    /// Side by side along the last axis.
    #[default]
    Concat,
    /// Their sum.
    Sum,
    /// Their product.
    Mul,
    /// Their mean.
    Ave,
    /// Two outputs.
    Separate,
}

/// A recurrent layer in both directions of time (`keras.layers.Bidirectional`; Schuster and Paliwal 1997): one
/// layer runs forward, the other backward, and their outputs are merged. With `return_sequences` the outputs of
/// the backward layer are turned around first, and outputs at masked steps are zero.
///
/// **Inputs**: the sequence, and optionally the initial states of the forward layer, then of the backward one.
///
/// **Outputs**: the merged output (two for [`MergeMode::Separate`]), then with `return_state` the states of the
/// forward layer and of the backward one.
///
/// **Shape**: `[batch, time, in]` to that of the forward layer; twice the last axis for [`MergeMode::Concat`].
///
/// ```
/// use gradling::nn::{Bidirectional, LSTM, MergeMode};
/// let layer = Bidirectional::new(LSTM::new(16).return_sequences(true)).merge_mode(MergeMode::Sum);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bidirectional {
    pub(super) base: Base,
    merge: MergeMode,
    forward: Nested,
    backward: Option<Nested>,
    #[serde(skip)]
    sequences: bool,
}

impl Bidirectional {
    /// Both directions of a recurrent layer; the backward one is a copy with weights of its own.
    pub fn new(layer: impl Layer + 'static) -> Bidirectional {
        Bidirectional::boxed(Box::new(layer))
    }

    /// [`new`](Bidirectional::new) with a boxed layer.
    pub fn boxed(layer: Box<dyn Layer>) -> Bidirectional {
        Bidirectional {
            base: Base::default(),
            merge: MergeMode::default(),
            forward: Nested(layer),
            backward: None,
            sequences: false,
        }
    }

    /// How the outputs are put together.
    pub fn merge_mode(mut self, merge_mode: MergeMode) -> Bidirectional {
        self.merge = merge_mode;
        self
    }

    /// A backward layer of its own kind; it runs in the other direction than the forward one.
    pub fn backward_layer(self, layer: impl Layer + 'static) -> Bidirectional {
        self.boxed_backward_layer(Box::new(layer))
    }

    /// [`backward_layer`](Bidirectional::backward_layer) with a boxed layer.
    pub fn boxed_backward_layer(mut self, layer: Box<dyn Layer>) -> Bidirectional {
        self.backward = Some(Nested(layer));
        self
    }

    /// Makes the backward layer if it is a copy, names both, and checks that they fit together.
    fn prepare(&mut self) -> Result<()> {
        let base = self.base.to_string();
        let direction = |layer: &mut Nested| match layer.0.recurrence() {
            Some(options) => {
                // Masked steps of one direction would otherwise repeat outputs of steps that the other ignores.
                options.zero_output_for_mask = options.return_sequences;
                Ok(*options)
            }
            None => Err(misuse!("{base}: expected a recurrent layer, got {}", layer.0.class_name())),
        };
        let forward = direction(&mut self.forward)?;
        if self.backward.is_none() {
            let mut copy = Nested(self.forward.config()?.into_layer());
            if let Some(options) = copy.0.recurrence() {
                options.go_backwards = !options.go_backwards;
            }
            let own = without("forward_", copy.0.as_ref());
            copy.0.set_name(&alloc::format!("backward_{}", own.trim_start_matches("backward_")));
            self.backward = Some(copy);
        }
        let own = without("forward_", self.forward.0.as_ref());
        self.forward.0.set_name(&alloc::format!("forward_{own}"));
        let Some(layer) = &mut self.backward else { return Err(misuse!("{base}: no backward layer")) };
        let backward = direction(layer)?;
        let shared = |o: &Recurrence| (o.return_sequences, o.return_state, o.stateful);
        if shared(&forward) != shared(&backward) || forward.go_backwards == backward.go_backwards {
            return Err(misuse!(
                "{base}: expected layers that differ in go_backwards and agree in return_sequences, return_state and stateful, got {forward:?} and {backward:?}"
            ));
        }
        if layer.0.name().is_empty() {
            let own = without("", layer.0.as_ref());
            layer.0.set_name(&alloc::format!("backward_{own}"));
        }
        self.sequences = forward.return_sequences;
        Ok(())
    }

    fn backward(&self) -> Result<&Nested> {
        self.backward
            .as_ref()
            .ok_or_else(|| misuse!("{}: not built; call model.build or fit first", self.base))
    }

    fn several(&mut self) -> Result<()> {
        let states = self.forward.0.recurrence().is_some_and(|o| o.return_state);
        if states || self.merge == MergeMode::Separate {
            return Err(misuse!("{}: it has several outputs; use a functional model", self.base));
        }
        Ok(())
    }
}

/// The layer's name, or the one of its class, without this start.
fn without(start: &str, layer: &dyn Layer) -> String {
    let own: String = match layer.name() {
        "" => crate::nn::model::snake_case(layer.class_name()),
        own => own.into(),
    };
    own.strip_prefix(start).map(String::from).unwrap_or(own)
}

/// The sequence with one half of the states.
fn half<T: Copy>(inputs: &[T], second: bool) -> Vec<T> {
    let (sequence, states) = inputs.split_at(1.min(inputs.len()));
    let (a, b) = states.split_at(states.len() / 2);
    sequence.iter().chain(if second { b } else { a }).copied().collect()
}

impl Bidirectional {
    fn set_inner_trainable(&mut self, trainable: bool) {
        self.forward.0.set_trainable(trainable);
        if let Some(layer) = &mut self.backward {
            layer.0.set_trainable(trainable);
        }
    }
}

impl Layer for Bidirectional {
    named!("Bidirectional", set_inner_trainable);

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        self.several()?;
        Ok(self.build_many(&[*input], weights)?[0])
    }

    fn build_many(&mut self, inputs: &[Shape], weights: &mut Weights<'_>) -> Result<Vec<Shape>> {
        self.prepare()?;
        if !self.base.trainable {
            self.set_trainable(false);
        }
        let build = |layer: &mut Nested, inputs: &[Shape], weights: &mut Weights<'_>| {
            let name = layer.0.name().to_string();
            layer.0.build_many(inputs, &mut weights.within(&name))
        };
        let forward = build(&mut self.forward, &half(inputs, false), weights)?;
        let merge = self.merge;
        let base = self.base.to_string();
        let Some(layer) = &mut self.backward else { return Err(misuse!("{base}: no backward layer")) };
        let backward = build(layer, &half(inputs, true), weights)?;
        let (y, z) = (forward[0], backward[0]);
        if merge == MergeMode::Separate {
            return Ok([&[y, z], &forward[1..], &backward[1..]].concat());
        }
        let concat = merge == MergeMode::Concat && y.with_dim(-1, 1) == z.with_dim(-1, 1);
        if y != z && !concat {
            return Err(misuse!("{base}: outputs {y} and {z} of the two directions cannot be merged"));
        }
        let merged = if concat { y.with_dim(-1, y.dim(-1) + z.dim(-1)) } else { y };
        Ok([&[merged], &forward[1..], &backward[1..]].concat())
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        Ok(self.call_many(call, &[x])?[0])
    }

    fn call_many<'b>(&self, call: &mut Call<'b>, inputs: &[Var<'b>]) -> Result<Vec<Var<'b>>> {
        let forward = self.forward.0.call_many(call, &half(inputs, false))?;
        let backward = self.backward()?.0.call_many(call, &half(inputs, true))?;
        let (y, mut z) = (forward[0], backward[0]);
        // The backward layer gives its first output for the last step.
        if self.sequences {
            z = z.reverse(&[1]);
        }
        let merged = match self.merge {
            MergeMode::Concat => Var::concat(&[y, z], -1),
            MergeMode::Sum => y + z,
            MergeMode::Mul => y * z,
            MergeMode::Ave => (y + z) * 0.5,
            MergeMode::Separate => y,
        };
        let outputs = if self.merge == MergeMode::Separate { vec![y, z] } else { vec![merged] };
        if let (true, Some(mask)) = (self.sequences, call.mask(inputs[0])) {
            outputs.iter().for_each(|y| call.set_mask(*y, mask));
        }
        Ok([&outputs, &forward[1..], &backward[1..]].concat())
    }

    fn multiply_adds(&self, input: &Shape, output: &Shape) -> u64 {
        let backward = self.backward.as_ref().map_or(0, |l| l.0.multiply_adds(input, output));
        self.forward.0.multiply_adds(input, output) + backward
    }

    fn config(&self) -> Option<LayerConfig> {
        self.forward.config().ok()?;
        if let Some(layer) = &self.backward {
            layer.config().ok()?;
        }
        Some(LayerConfig::Bidirectional(self.clone()))
    }
}
