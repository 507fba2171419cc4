//! Layers of images.

use crate::Js;
use crate::model::{Model, activation, initializer};
use gradling::nn::{Conv2D, Layer, MaxPooling2D};
use gradling::{Padding, misuse};
use wasm_bindgen::prelude::*;

fn padding(same: bool) -> Padding {
    if same { Padding::Same } else { Padding::Valid }
}

#[wasm_bindgen]
impl Model {
    /// Adds a convolution; `window` is kernel, strides and dilation, two numbers each.
    pub fn conv2d(
        &mut self,
        filters: usize,
        window: &[u32],
        same: bool,
        activate: &str,
        bias: bool,
        kernel: &str,
        bias_initializer: &str,
        name: Option<String>,
    ) -> Js<()> {
        let layer = || {
            let &[kh, kw, sh, sw, dh, dw] = window else {
                return Err(misuse!("conv2d: expected six numbers"));
            };
            Ok(Box::new(
                Conv2D::new(filters, [kh, kw])
                    .strides([sh, sw])
                    .dilation_rate([dh, dw])
                    .padding(padding(same))
                    .activation(activation(activate)?)
                    .use_bias(bias)
                    .kernel_initializer(initializer(kernel)?)
                    .bias_initializer(initializer(bias_initializer)?),
            ) as Box<dyn Layer>)
        };
        Ok(self.push(layer(), name)?)
    }

    /// Adds a maximum over windows; `window` is pool size and strides, two numbers each.
    pub fn max_pooling2d(&mut self, window: &[u32], same: bool, name: Option<String>) -> Js<()> {
        let layer = || {
            let &[kh, kw, sh, sw] = window else {
                return Err(misuse!("maxPooling2d: expected four numbers"));
            };
            let layer = MaxPooling2D::new([kh, kw]).strides([sh, sw]).padding(padding(same));
            Ok(Box::new(layer) as Box<dyn Layer>)
        };
        Ok(self.push(layer(), name)?)
    }
}
