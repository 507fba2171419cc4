use super::merge::over;
use super::param::setters;
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{DType, Result, Shape, Var};
use serde::{Deserialize, Serialize};

/// The mean over these axes of the steps that the mask lets through.
fn mean<'b>(x: Var<'b>, axes: &[isize], keep: bool, mask: Option<Var<'b>>) -> Var<'b> {
    let Some(mask) = mask else { return x.mean(axes, keep) };
    let mask = over(mask, x);
    let kept = Var::select(mask, x, x.scalar_like(0.0));
    kept.sum(axes, keep) / mask.cast(DType::F32).sum(axes, keep)
}

/// The largest over these axes, whatever the mask.
fn largest<'b>(x: Var<'b>, axes: &[isize], keep: bool, _: Option<Var<'b>>) -> Var<'b> {
    x.max(axes, keep)
}

macro_rules! pools {
    ($($(#[$doc:meta])+ $Name:ident $class:literal $pool:ident $axes:expr, $form:literal;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        pub struct $Name {
            pub(super) base: Base,
            keepdims: bool,
        }

        impl $Name {
            /// The layer.
            pub fn new() -> $Name {
                $Name::default()
            }
        }

        setters! { $Name:
            /// Whether the pooled axes stay with extent 1.
            keepdims(bool) => keepdims;
        }

        impl Layer for $Name {
            named!($class);

            fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
                let axes: &[isize] = &$axes;
                super::expect_rank(&self.base, input, axes.len() + 1, $form)?;
                let c = input.dim(-1);
                match self.keepdims {
                    true => Ok(axes.iter().fold(*input, |shape, a| shape.with_dim(a - 1, 1))),
                    false => Shape::new(&[c]),
                }
            }

            fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
                super::expect_rank_of(&self.base, x, $axes.len() + 2)?;
                let mask = call.mask(x).filter(|m| m.rank() == 2);
                Ok($pool(x, &$axes, self.keepdims, mask))
            }

            fn config(&self) -> Option<LayerConfig> {
                Some(LayerConfig::$Name(self.clone()))
            }
        }
    )+};
}

pools! {
    /// The mean over time (`keras.layers.GlobalAveragePooling1D`), of the steps that the mask lets through if there
    /// is one.
    ///
    /// **Shape**: `[batch, steps, c]` to `[batch, c]`, or to `[batch, 1, c]` with `keepdims`.
    GlobalAveragePooling1D "GlobalAveragePooling1D" mean [1], "steps, channels";
    /// The largest over time (`keras.layers.GlobalMaxPooling1D`); the mask does not count, as in Keras.
    ///
    /// **Shape**: `[batch, steps, c]` to `[batch, c]`, or to `[batch, 1, c]` with `keepdims`.
    GlobalMaxPooling1D "GlobalMaxPooling1D" largest [1], "steps, channels";
    /// The mean over height and width (`keras.layers.GlobalAveragePooling2D`).
    ///
    /// **Shape**: `[batch, h, w, c]` to `[batch, c]`, or to `[batch, 1, 1, c]` with `keepdims`.
    GlobalAveragePooling2D "GlobalAveragePooling2D" mean [1, 2], "height, width, channels";
    /// The largest over height and width (`keras.layers.GlobalMaxPooling2D`).
    ///
    /// **Shape**: `[batch, h, w, c]` to `[batch, c]`, or to `[batch, 1, 1, c]` with `keepdims`.
    GlobalMaxPooling2D "GlobalMaxPooling2D" largest [1, 2], "height, width, channels";
}
