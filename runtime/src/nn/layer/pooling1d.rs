use super::param::setters;
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{Padding, Result, Shape, Var, Window};
use serde::{Deserialize, Serialize};

macro_rules! pools {
    ($($(#[$doc:meta])+ $Name:ident $class:literal $pool:ident;)+) => {$(
        $(#[$doc])+
        ///
        /// **Shape**: `[batch, steps, c]` to `[batch, new steps, c]`.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct $Name {
            pub(super) base: Base,
            /// Over one row.
            window: Window,
        }

        impl $Name {
            /// Windows of `pool` steps that do not overlap; valid padding.
            pub fn new(pool: u32) -> $Name {
                $Name { base: Base::default(), window: Window::new([1, pool]).strides([1, pool]) }
            }

            /// Steps between neighbouring windows.
            pub fn strides(mut self, strides: u32) -> $Name {
                self.window.strides = [1, strides];
                self
            }
        }

        setters! { $Name:
            /// What lies beyond the ends.
            padding(Padding) => window.padding;
        }

        impl Layer for $Name {
            named!($class);

            fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
                super::expect_rank(&self.base, input, 2, "steps, channels")?;
                let (steps, _) = self.window.extent(1, input.dim(0)).map_err(|e| e.within(&self.base))?;
                Shape::new(&[steps, input.dim(1)])
            }

            fn call<'b>(&self, _: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
                super::expect_rank_of(&self.base, x, 3)?;
                Ok(x.expand_dims(1).$pool(&self.window).squeeze(&[1]))
            }

            fn config(&self) -> Option<LayerConfig> {
                Some(LayerConfig::$Name(self.clone()))
            }
        }
    )+};
}

pools! {
    /// The largest step of each window (`keras.layers.MaxPooling1D`), channels last; padded steps never win.
    MaxPooling1D "MaxPooling1D" max_pool2d;
    /// The mean of each window (`keras.layers.AveragePooling1D`), channels last; padded steps do not count.
    AveragePooling1D "AveragePooling1D" avg_pool2d;
}
