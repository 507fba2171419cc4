//! What computes: the instruction set of this build and, where memory is shared, the threads of web workers.

use crate::tensors::Core;
use gradling::{Device, Level};
use wasm_bindgen::prelude::*;

#[cfg(target_feature = "atomics")]
mod shared {
    use gradling::kernel::Pool;
    use std::sync::{Arc, OnceLock};
    use wasm_bindgen::prelude::*;

    /// All instances of the module share its statics, and so the pool.
    static POOL: OnceLock<Arc<Pool>> = OnceLock::new();

    /// The pool, which the page makes before any worker starts.
    pub(super) fn pool() -> Arc<Pool> {
        POOL.get_or_init(|| Arc::new(Pool::new(1))).clone()
    }

    /// Makes the calling web worker a thread of the page's pool; does not return.
    #[wasm_bindgen]
    pub fn serve() {
        pool().serve();
    }
}

/// The best level of this build, on the threads of its workers where it has some.
pub(crate) fn device() -> Device {
    #[cfg(target_feature = "atomics")]
    if let Ok(device) = Device::with_pool(Level::best(), shared::pool()) {
        return device;
    }
    // Without fused instructions strict arithmetic costs next to nothing, and the bits are those of every target.
    if Level::best() == Level::RelaxedSimd { Device::default() } else { Device::default().strict() }
}

#[wasm_bindgen]
impl Core {
    /// The instruction set: `relaxed-simd` or `simd128`.
    pub fn level(&self) -> String {
        match self.device.level() {
            Level::RelaxedSimd => "relaxed-simd",
            Level::Simd128 => "simd128",
            _ => "portable",
        }
        .into()
    }

    /// The number of threads, the page's own included.
    pub fn threads(&self) -> usize {
        self.device.threads()
    }
}
