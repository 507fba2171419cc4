//! Where the time of a model goes.

use crate::Js;
use crate::model::Model;
use gradling::rng::Rng;
use gradling::session::Profile;
use gradling::{DType, Result, Session};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn milliseconds() -> f64;
}

/// The steps of a plan with their times.
#[wasm_bindgen]
pub struct Timed(Profile);

#[wasm_bindgen]
impl Timed {
    /// A line for each step: operator, kernel, operands and results, with tabs between.
    pub fn steps(&self) -> String {
        let line =
            |s: &gradling::session::StepProfile| format!("{}\t{}\t{}", s.step.op, s.step.chosen, s.step.what);
        self.0.steps.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Microseconds, float operations and bytes of each step.
    pub fn numbers(&self) -> Vec<f64> {
        let numbers = |s: &gradling::session::StepProfile| {
            [s.time.as_secs_f64() * 1e6, s.step.flops as f64, s.step.bytes() as f64]
        };
        self.0.steps.iter().flat_map(numbers).collect()
    }
}

impl Model {
    fn timed(&self, train: bool, batch: usize, seconds: f64) -> Result<Profile> {
        let plan = if train { self.model.train_plan(batch)? } else { self.model.predict_plan(batch)? };
        let mut session = Session::new(plan, &self.device)?;
        let mut rng = Rng::new(1);
        for n in 0..session.plan().inputs().len() {
            // Class indices stay 0, which is one of every model's.
            if session.plan().inputs()[n].slot.dtype == DType::F32 {
                session.input_mut::<f32>(n)?.fill_with(|| rng.normal());
            }
        }
        session.profile_by(&mut self.model.variables().clone(), seconds, &mut || milliseconds() / 1e3)
    }
}

#[wasm_bindgen]
impl Model {
    /// Runs a train step, or a prediction, on made-up numbers for so many seconds, with copies of the weights.
    pub fn profile(&self, train: bool, batch: usize, seconds: f64) -> Js<Timed> {
        Ok(self.timed(train, batch, seconds).map(Timed)?)
    }
}
