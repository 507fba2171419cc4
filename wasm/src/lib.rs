//! The WebAssembly side of the npm package `gradling`: tensors by number, ops computed at once, models.
//!
//! TypeScript in `wasm/ts` gives this the names of TensorFlow.js. Everything here takes and returns numbers,
//! strings and typed arrays; a failure is a JavaScript `Error` whose `name` is `MisuseError`, `FormatError`,
//! `UnsupportedError` or `DeviceError`.

#[cfg(feature = "files")]
mod files;
#[cfg(feature = "full")]
mod gpu;
#[cfg(feature = "conv")]
mod images;
mod js;
#[cfg(feature = "full")]
mod machine;
mod model;
#[cfg(feature = "eager")]
mod ops;
#[cfg(feature = "full")]
mod profile;
#[cfg(feature = "summary")]
mod summary;
mod tensors;

pub use model::Model;
pub use tensors::Core;

use gradling::Error;
use wasm_bindgen::JsValue;

/// What an export gives: a value or a JavaScript `Error`.
type Js<T> = Result<T, Failure>;

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
