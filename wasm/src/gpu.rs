//! What a GPU needs of a model: plans and variables as bytes.

use crate::Js;
use crate::model::Model;
use gradling::{PlanOptions, Result};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
impl Model {
    /// The plan of a train step on so many samples, for the programs of `wasm/gpu`.
    pub fn gpu_plan(&self, batch: usize) -> Js<Vec<u8>> {
        let plan = || -> Result<Vec<u8>> {
            // Products on a GPU read weights as they are.
            let options = PlanOptions { workspace: false, ..PlanOptions::default() };
            self.model.train_plan_with(batch, &options)?.to_bytes()
        };
        Ok(plan()?)
    }

    /// All variables as a plan finds them.
    pub fn variables(&self) -> Vec<u8> {
        self.model.variables().bytes().to_vec()
    }
}
