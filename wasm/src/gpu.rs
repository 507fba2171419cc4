//! Training on the GPU of a page, which `wasm/ts/device.ts` drives: steps queue work through its `Sessions`, and what has
//! to be fetched is given back by [`Model::take`].

use crate::Js;
use crate::model::Model;
use gradling::nn::Remote;
use gradling::{Error, Plan, PlanOptions, Result, Tensor, device_error, misuse, unsupported};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;

/// What JavaScript gives or throws.
type Thrown<T> = core::result::Result<T, JsValue>;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn milliseconds() -> f64;

    /// `Sessions` of `wasm/ts/gpu.ts`.
    pub type Sessions;
    #[wasm_bindgen(method, catch)]
    fn begin(this: &Sessions, plan: &[u8]) -> Thrown<u32>;
    #[wasm_bindgen(method, catch, js_name = isReady)]
    fn is_ready(this: &Sessions, session: u32) -> Thrown<bool>;
    #[wasm_bindgen(method, catch, js_name = writeInput)]
    fn write_input(this: &Sessions, session: u32, n: u32, bytes: &[u8]) -> Thrown<()>;
    #[wasm_bindgen(method, catch, js_name = writeVariables)]
    fn write_variables(this: &Sessions, offset: u32, bytes: &[u8]) -> Thrown<()>;
    #[wasm_bindgen(method, catch)]
    fn run(this: &Sessions, session: u32) -> Thrown<()>;
    #[wasm_bindgen(method)]
    fn forget(this: &Sessions);

    type Failed;
    #[wasm_bindgen(method, getter)]
    fn name(this: &Failed) -> String;
    #[wasm_bindgen(method, getter)]
    fn message(this: &Failed) -> String;
}

/// An error that the driver threw.
fn error(thrown: JsValue) -> Error {
    let failed: Failed = thrown.unchecked_into();
    match failed.name().as_str() {
        "UnsupportedError" => unsupported!("{}", failed.message()),
        "MisuseError" => misuse!("{}", failed.message()),
        _ => device_error!("{}", failed.message()),
    }
}

/// The GPU of the page.
struct Page(Sessions);

impl Remote for Page {
    fn name(&self) -> String {
        "webgpu".into()
    }

    fn prepare(&mut self, plan: Plan, _: usize) -> Result<usize> {
        Ok(self.0.begin(&plan.to_bytes()?).map_err(error)? as usize)
    }

    fn is_ready(&mut self, session: usize) -> Result<bool> {
        self.0.is_ready(session as u32).map_err(error)
    }

    fn write_input(&mut self, session: usize, input: usize, bytes: &[u8]) -> Result<()> {
        self.0.write_input(session as u32, input as u32, bytes).map_err(error)
    }

    fn write_variables(&mut self, offset: usize, bytes: &[u8]) -> Result<()> {
        self.0.write_variables(offset as u32, bytes).map_err(error)
    }

    fn run(&mut self, session: usize) -> Result<()> {
        self.0.run(session as u32).map_err(error)
    }

    fn read_variables(&mut self, _: &mut [u8]) -> Result<()> {
        Err(unsupported!("webgpu: a page cannot wait"))
    }

    fn read_outputs(&mut self, _: usize) -> Result<Vec<Tensor>> {
        Err(unsupported!("webgpu: a page cannot wait"))
    }

    fn waits(&self) -> bool {
        false
    }

    fn forget(&mut self) {
        self.0.forget();
    }

    fn now(&self) -> f64 {
        milliseconds() / 1e3
    }
}

impl Model {
    /// Gives what was read to the run.
    fn settle(&mut self, read: Result<&[u8]>) -> Result<()> {
        let Some(run) = &mut self.run else { return Err(misuse!("fit: there is no run")) };
        run.take(&mut self.model, read)?;
        if core::mem::take(&mut self.late) { self.read_batch(None) } else { Ok(()) }
    }
}

#[wasm_bindgen]
impl Model {
    /// Lets the page's GPU take the steps of training runs, or with `automatic` whichever is faster.
    pub fn attach(&mut self, sessions: Sessions, automatic: bool) {
        self.model.attach(Box::new(Page(sessions)), automatic);
        self.model.pause_device(true);
    }

    /// Goes back to the processor.
    pub fn detach(&mut self) -> Js<()> {
        Ok(self.model.detach()?)
    }

    /// Where the next train step is computed: `cpu` or `webgpu`.
    pub fn computes_on(&self) -> String {
        self.model.computes_on()
    }

    /// Why the GPU was given up since it was attached, if it was.
    pub fn device_loss(&self) -> Option<String> {
        self.model.device_loss().map(Into::into)
    }

    /// Whether the GPU has newer weights.
    pub fn is_behind(&self) -> bool {
        self.model.is_behind()
    }

    /// Whether they have to be fetched before the next step.
    pub fn is_due(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.is_due(&self.model))
    }

    /// Whether the next step need not wait for a plan, which this begins to make.
    pub fn is_ready(&mut self) -> Js<bool> {
        let Some(run) = &mut self.run else { return Ok(true) };
        Ok(run.is_ready(&mut self.model)?)
    }

    /// Takes what was read of the GPU's variables.
    pub fn take(&mut self, bytes: &[u8]) -> Js<()> {
        let bytes = bytes.get(..self.model.variables().bytes().len()).unwrap_or(bytes);
        Ok(self.settle(Ok(bytes))?)
    }

    /// Goes on on the processor, since they could not be read.
    pub fn lose(&mut self, why: &str) -> Js<()> {
        Ok(self.settle(Err(device_error!("{why}")))?)
    }

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
