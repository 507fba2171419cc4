//! Plans as programs for the GPU of a page: what `wasm/ts/gpu.ts` loads when a page asks for WebGPU.
//!
//! A failure is a JavaScript `Error` whose `name` is `MisuseError`, `FormatError`, `UnsupportedError` or `DeviceError`.

use gradling::gpu::Program;
use gradling::plan::{NamedSlot, Place};
use gradling::{Error, Plan};
use wasm_bindgen::prelude::*;

mod js {
    use wasm_bindgen::prelude::*;

    #[wasm_bindgen]
    extern "C" {
        pub(crate) type Error;
        #[wasm_bindgen(constructor)]
        pub(crate) fn new(message: &str) -> Error;
        #[wasm_bindgen(method, setter)]
        pub(crate) fn set_name(this: &Error, name: &str);
    }
}

/// An error of the runtime on its way to JavaScript.
#[doc(hidden)]
pub struct Failure(Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure(error)
    }
}

impl From<Failure> for JsValue {
    #[inline(never)]
    fn from(failure: Failure) -> JsValue {
        let js = js::Error::new(failure.0.message());
        js.set_name(match failure.0 {
            Error::Misuse(_) => "MisuseError",
            Error::Format(_) => "FormatError",
            Error::Unsupported(_) => "UnsupportedError",
            Error::Device(_) => "DeviceError",
        });
        js.into()
    }
}

/// The plan of the test of an adapter; the tests of this crate make it.
const SAMPLE: &[u8] = include_bytes!("sample.plan");

/// A plan as shaders and dispatches.
#[wasm_bindgen]
pub struct Shaders {
    plan: Plan,
    program: Program,
}

#[wasm_bindgen]
impl Shaders {
    /// The program of a plan file, or of the plan that tests an adapter: each of its outputs, named after an op, is
    /// that op's value for its input.
    #[wasm_bindgen(constructor)]
    pub fn new(plan: Option<Vec<u8>>) -> Result<Shaders, Failure> {
        let plan = Plan::from_bytes_with_variables(plan.as_deref().unwrap_or(SAMPLE))?;
        let program = Program::new(&plan)?;
        Ok(Shaders { plan, program })
    }

    /// WGSL texts.
    pub fn texts(&self) -> Vec<String> {
        self.program.shaders.clone()
    }

    /// The name of the op of each text.
    pub fn names(&self) -> Vec<String> {
        self.program.names.iter().map(|&name| name.into()).collect()
    }

    /// Five numbers a dispatch: text, step, workgroups along three axes.
    pub fn dispatches(&self) -> Vec<u32> {
        let numbers = |d: &gradling::gpu::Dispatch| {
            let [x, y, z] = d.groups;
            [d.shader, d.step, x, y, z]
        };
        self.program.dispatches.iter().flat_map(numbers).collect()
    }

    /// The places of the operands of all steps.
    pub fn offsets(&self) -> Vec<u8> {
        self.program.offsets.clone()
    }

    /// The constants.
    pub fn constants(&self) -> Vec<u8> {
        self.plan.constants().to_vec()
    }

    /// Bytes: of the arena, the variables and scratch memory, between the offsets of two steps, and of those that a step
    /// sees.
    pub fn sizes(&self) -> Vec<u32> {
        let sizes = [self.plan.arena_bytes(), self.plan.variable_bytes(), self.program.scratch];
        sizes.into_iter().chain([gradling::gpu::STRIDE, gradling::gpu::OFFSETS]).map(|n| n as u32).collect()
    }

    /// The names of the inputs, then those of the outputs.
    pub fn ports(&self) -> Vec<String> {
        let all = self.plan.inputs().iter().chain(self.plan.outputs());
        all.map(|port| port.name.clone()).collect()
    }

    /// Of each input: where it lies (0 in the arena, 1 among the variables, 2 among the constants), its first byte, its
    /// bytes, the number of its element type, its rank, its dimensions.
    pub fn inputs(&self) -> Vec<u32> {
        self.plan.inputs().iter().flat_map(numbers).collect()
    }

    /// The same of each output.
    pub fn outputs(&self) -> Vec<u32> {
        self.plan.outputs().iter().flat_map(numbers).collect()
    }
}

fn numbers(port: &NamedSlot) -> Vec<u32> {
    let slot = &port.slot;
    let place = match slot.place {
        Place::Arena => 0,
        Place::Variables => 1,
        Place::Constants => 2,
    };
    let dims = slot.shape.dims();
    let mut all = vec![place, slot.offset, slot.bytes() as u32, slot.dtype as u32, dims.len() as u32];
    all.extend(dims);
    all
}

#[cfg(test)]
mod tests {
    use super::{SAMPLE, Shaders};
    use gradling::nn::{
        BatchNormalization, Conv2D, Dense, Flatten, LSTM, Loss, MaxPooling2D, Optimizer, ReLU, Sequential,
    };
    use gradling::{DType, Plan, PlanOptions, Result, Shape, Trace, Variables};

    const OPTIONS: PlanOptions =
        PlanOptions { optimize: true, in_place: true, workspace: false, strict: false };

    /// Ops that drivers have got wrong: products of odd sizes, sums over workgroups, functions, indices, shared memory.
    fn sample() -> Result<Vec<u8>> {
        let variables = Variables::new();
        let trace = Trace::new(&variables);
        let x = trace.input("x", Shape::new(&[37, 53])?, DType::F32);
        trace.output("matmul", x.matmul(x.transpose(&[1, 0])));
        trace.output("reduce_sum", x.sum(&[0], false));
        trace.output("exp", x.exp());
        trace.output("tanh", x.tanh());
        trace.output("transpose", x.transpose(&[1, 0]));
        trace.output("softmax", x.softmax());
        Plan::compile(&trace.finish()?, &OPTIONS)?.to_bytes()
    }

    /// `GRADLING_RECORD=1` writes the file anew.
    #[test]
    fn the_sample_is_the_plan_of_its_ops() {
        let bytes = sample().unwrap();
        if std::env::var_os("GRADLING_RECORD").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/sample.plan"), &bytes).unwrap();
        } else {
            assert!(bytes == SAMPLE, "run again with GRADLING_RECORD=1");
        }
    }

    fn train_plans() -> Result<Vec<Plan>> {
        let images = Sequential::new()
            .add(Conv2D::new(4, [3, 3]))
            .add(BatchNormalization::new())
            .add(ReLU::new())
            .add(MaxPooling2D::new([2, 2]))
            .add(Flatten::new())
            .add(Dense::new(3));
        let series = Sequential::new().add(LSTM::new(4)).add(Dense::new(3));
        let plan = |mut model: Sequential, sample: &[usize]| {
            model.build(sample)?;
            let loss = Loss::SparseCategoricalCrossentropy { from_logits: true };
            model.compile(Optimizer::adam(), loss, &[])?;
            model.train_plan_with(2, &OPTIONS)
        };
        Ok(vec![plan(images, &[8, 8, 1])?, plan(series, &[3, 2])?])
    }

    #[test]
    fn train_plans_keep_what_shaders_are_made_of() {
        for plan in train_plans().unwrap() {
            let bytes = plan.to_bytes().unwrap();
            assert!(Plan::from_bytes(&bytes).is_err(), "it has variables");
            let Ok(read) = Shaders::new(Some(bytes.clone())) else { panic!("the plan is refused") };
            assert!(read.plan.to_bytes().unwrap() == bytes);
            assert_eq!(read.program, gradling::gpu::Program::new(&plan).unwrap());
            let [arena, variables, ..] = read.sizes()[..] else { panic!("sizes") };
            assert_eq!(arena as usize, plan.arena_bytes());
            assert_eq!(variables as usize, plan.variable_bytes());
            assert_eq!(read.ports(), ["x", "y", "loss"]);
            assert_eq!(read.outputs()[3..], [0, 0]);
            assert_eq!(read.dispatches().len(), 5 * read.program.dispatches.len());
        }
    }

    /// Every byte of a plan changed in turn, with the right checksum: shaders or an error, never a panic.
    #[test]
    fn damaged_plans_do_not_panic() {
        for plan in train_plans().unwrap() {
            let mut bytes = plan.to_bytes().unwrap();
            let (mut refused, mut read) = (0, 0);
            for n in 16..bytes.len() {
                let before = bytes[n];
                bytes[n] ^= [0x01, 0x41, 0xff][n % 3];
                let sum = crc32fast::hash(&bytes[16..]);
                bytes[12..16].copy_from_slice(&sum.to_le_bytes());
                match Shaders::new(Some(bytes.clone())) {
                    Ok(_) => read += 1,
                    Err(_) => refused += 1,
                }
                bytes[n] = before;
            }
            println!("{} bytes: {refused} refused, {read} read", bytes.len());
        }
    }
}
