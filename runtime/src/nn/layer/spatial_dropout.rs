use super::dropout::{check_rate, drop_out};
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{Result, Shape, Var};
use serde::{Deserialize, Serialize};

macro_rules! dropouts {
    ($($(#[$doc:meta])+ $Name:ident $class:literal $rank:literal $form:literal;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct $Name {
            pub(super) base: Base,
            rate: f32,
        }

        impl $Name {
            /// Dropout with a rate in [0, 1].
            pub fn new(rate: f32) -> $Name {
                $Name { base: Base::default(), rate }
            }
        }

        impl Layer for $Name {
            named!($class);

            fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
                super::expect_rank(&self.base, input, $rank, $form)?;
                check_rate(&self.base, self.rate)?;
                Ok(*input)
            }

            fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
                let noise = (1..$rank).fold(x.shape(), |shape, axis| shape.with_dim(axis, 1));
                Ok(drop_out(call, x, self.rate, noise))
            }

            fn passes_mask(&self) -> bool {
                true
            }

            fn config(&self) -> Option<LayerConfig> {
                Some(LayerConfig::$Name(self.clone()))
            }
        }
    )+};
}

dropouts! {
    /// [`Dropout`](super::Dropout) of whole channels of each sample (`keras.layers.SpatialDropout1D`; Tompson et al.
    /// 2015).
    ///
    /// **Shape**: `[batch, steps, c]`, unchanged.
    SpatialDropout1D "SpatialDropout1D" 2 "steps, channels";
    /// [`Dropout`](super::Dropout) of whole channels of each sample (`keras.layers.SpatialDropout2D`; Tompson et al.
    /// 2015), channels last.
    ///
    /// **Shape**: `[batch, h, w, c]`, unchanged.
    SpatialDropout2D "SpatialDropout2D" 3 "height, width, channels";
}
