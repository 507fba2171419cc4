//! The JavaScript objects that exports give. The crate of all of JavaScript's would leave the code of its callbacks in
//! the module.

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    pub(crate) type Error;
    #[wasm_bindgen(constructor)]
    pub(crate) fn new(message: &str) -> Error;
    #[wasm_bindgen(method, setter)]
    pub(crate) fn set_name(this: &Error, name: &str);

    pub(crate) type Float32Array;
    #[wasm_bindgen(constructor)]
    pub(crate) fn new(elements: &[f32]) -> Float32Array;

    pub(crate) type Int32Array;
    #[wasm_bindgen(constructor)]
    pub(crate) fn new(elements: &[i32]) -> Int32Array;

    pub(crate) type Uint8Array;
    #[wasm_bindgen(constructor)]
    pub(crate) fn new(elements: &[u8]) -> Uint8Array;
}
