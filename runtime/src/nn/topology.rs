//! How the layers of a model are wired: calls in an order in which operands come before their uses.

use crate::Shape;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// One call of a layer; values are numbered through the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LayerCall {
    /// The layer, by position.
    pub layer: u32,
    /// The values that it takes.
    pub inputs: Vec<u32>,
    /// The values that it gives.
    pub outputs: Vec<u32>,
}

/// The calls of a model, its inputs and its outputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Topology {
    pub calls: Vec<LayerCall>,
    pub inputs: Vec<u32>,
    pub outputs: Vec<u32>,
    /// The number of values.
    pub values: u32,
    /// The shapes of the inputs' samples; empty where the data say them.
    pub shapes: Vec<Shape>,
}

impl Default for Topology {
    /// One input, which is the output.
    fn default() -> Topology {
        Topology {
            calls: Vec::new(),
            inputs: alloc::vec![0],
            outputs: alloc::vec![0],
            values: 1,
            shapes: Vec::new(),
        }
    }
}

impl Topology {
    /// Appends a call of `layer` on the output.
    pub fn chain(&mut self, layer: usize) {
        let outputs = alloc::vec![self.values];
        let inputs = core::mem::replace(&mut self.outputs, outputs.clone());
        self.calls.push(LayerCall { layer: layer as u32, inputs, outputs });
        self.values += 1;
    }

    /// Whether every value is given before it is taken and every layer exists; files may say anything.
    pub fn is_sound(&self, layers: usize) -> bool {
        let mut known = alloc::vec![false; (self.values as usize).min(1 << 20)];
        let mut give = |v: &u32| known.get_mut(*v as usize).is_some_and(|k| !core::mem::replace(k, true));
        if self.inputs.is_empty() || self.outputs.is_empty() || !self.inputs.iter().all(&mut give) {
            return false;
        }
        for call in &self.calls {
            let takes = call.inputs.iter().all(|v| known.get(*v as usize) == Some(&true));
            let gives = call.outputs.iter().all(|v| match known.get_mut(*v as usize) {
                Some(known) => !core::mem::replace(known, true),
                None => false,
            });
            if !takes || !gives || call.layer as usize >= layers || call.outputs.is_empty() {
                return false;
            }
        }
        self.outputs.iter().all(|v| known.get(*v as usize) == Some(&true))
    }

    /// The first call of each layer.
    pub fn first_call(&self, layer: usize) -> Option<&LayerCall> {
        self.calls.iter().find(|c| c.layer as usize == layer)
    }
}
