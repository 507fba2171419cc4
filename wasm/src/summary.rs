//! The table of layers.

use crate::model::Model;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
impl Model {
    /// The table that Keras prints.
    pub fn summary(&self) -> String {
        self.model.summary()
    }
}
