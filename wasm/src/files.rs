//! Models as files, and what is told of one that is loaded.

use crate::Js;
use crate::model::Model;
use crate::tensors::Core;
use gradling::nn::Sequential;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
impl Core {
    /// The model of a file.
    pub fn load_model(&self, bytes: &[u8]) -> Js<Model> {
        Ok(Sequential::from_bytes(bytes).map(|model| self.wrap(model))?)
    }
}

#[wasm_bindgen]
impl Model {
    /// The model as a file.
    pub fn to_bytes(&self) -> Js<Vec<u8>> {
        Ok(self.model.to_bytes()?)
    }

    /// The names of the metrics of a compiled model between commas.
    pub fn metrics(&self) -> String {
        let metrics = self.model.compile_config().map_or_else(Vec::new, |(_, _, metrics)| metrics);
        metrics.iter().map(|m| m.name()).collect::<Vec<_>>().join(",")
    }

    /// The number of layers.
    pub fn layer_count(&self) -> usize {
        self.model.layers().len()
    }

    /// The class of a layer, as in Keras.
    pub fn layer_class(&self, layer: usize) -> Js<String> {
        Ok(self.layer(layer).map(|l| l.class_name().to_string())?)
    }
}
