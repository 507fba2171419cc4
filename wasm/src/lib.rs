//! The WebAssembly side of the npm package `gradling`: tensors by number, ops computed at once, models.
//!
//! TypeScript in `wasm/ts` gives this the names of TensorFlow.js. Everything here takes and returns numbers,
//! strings and typed arrays; a failure is a JavaScript `Error` whose `name` is `MisuseError`, `FormatError`,
//! `UnsupportedError` or `DeviceError`.

mod model;
mod ops;
mod tensors;

pub use model::Model;
pub use tensors::Core;

use gradling::Error;
use wasm_bindgen::JsValue;

/// What an export gives: a value or a JavaScript `Error`.
type Js<T> = Result<T, JsValue>;

/// The JavaScript `Error` for an error of the runtime.
fn js_error(error: Error) -> JsValue {
    let js = js_sys::Error::new(error.message());
    js.set_name(match error {
        Error::Misuse(_) => "MisuseError",
        Error::Format(_) => "FormatError",
        Error::Unsupported(_) => "UnsupportedError",
        Error::Device(_) => "DeviceError",
    });
    js.into()
}
