use super::layer_normalization::sample_of;
use super::{Base, Call, Layer, LayerConfig, Weights, batched, named};
use crate::{Result, Shape, Var, misuse};
use serde::{Deserialize, Serialize};

/// Cells before and after each spatial axis.
type Border<'c> = &'c [[u32; 2]];

/// Adds zeros.
fn pad<'b>(_: &str, x: Var<'b>, border: Border<'_>) -> Result<Var<'b>> {
    let mut all = alloc::vec![(0, 0); x.rank()];
    for (pair, [before, after]) in all.iter_mut().skip(1).zip(border) {
        *pair = (*before as usize, *after as usize);
    }
    Ok(x.pad(&all, 0.0))
}

/// The sample shape with the zeros.
fn padded(_: &str, sample: &Shape, border: Border<'_>) -> Result<Shape> {
    let mut dims = sample.to_vec();
    for (dim, [before, after]) in dims.iter_mut().zip(border) {
        *dim = dim.saturating_add(*before as usize).saturating_add(*after as usize);
    }
    Shape::new(&dims)
}

/// Takes cells away.
fn crop<'b>(layer: &str, x: Var<'b>, border: Border<'_>) -> Result<Var<'b>> {
    let mut size = cropped(layer, &sample_of(x)?, border)?.to_vec();
    size.insert(0, x.dim(0));
    let mut begin = alloc::vec![0; size.len()];
    for (begin, [before, _]) in begin.iter_mut().skip(1).zip(border) {
        *begin = *before as usize;
    }
    Ok(x.slice(&begin, &size))
}

/// The sample shape without the cells.
fn cropped(layer: &str, sample: &Shape, border: Border<'_>) -> Result<Shape> {
    let mut dims = sample.to_vec();
    for (dim, [before, after]) in dims.iter_mut().zip(border) {
        let away = (*before as usize).saturating_add(*after as usize);
        if away >= *dim {
            let input = batched(sample);
            return Err(misuse!("{layer}: cropping {border:?} leaves nothing of input {input}; crop less"));
        }
        *dim -= away;
    }
    Shape::new(&dims)
}

macro_rules! borders {
    ($($(#[$doc:meta])+ $Name:ident $class:literal $axes:literal $form:literal $shape:ident $apply:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct $Name {
            pub(super) base: Base,
            border: [[u32; 2]; $axes],
        }

        impl $Name {
            /// So many cells before and after each axis.
            pub fn new(border: [[u32; 2]; $axes]) -> $Name {
                $Name { base: Base::default(), border }
            }
        }

        impl Layer for $Name {
            named!($class);

            fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
                super::expect_rank(&self.base, input, $axes + 1, $form)?;
                $shape(&self.base, input, &self.border)
            }

            fn call<'b>(&self, _: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
                super::expect_rank_of(&self.base, x, $axes + 2)?;
                $apply(&self.base, x, &self.border)
            }

            fn config(&self) -> Option<LayerConfig> {
                Some(LayerConfig::$Name(self.clone()))
            }
        }
    )+};
}

borders! {
    /// Zeros before the first and after the last step (`keras.layers.ZeroPadding1D`).
    ///
    /// **Shape**: `[batch, steps, c]` to `[batch, before + steps + after, c]`.
    ZeroPadding1D "ZeroPadding1D" 1 "steps, channels" padded pad;
    /// Zeros around each image (`keras.layers.ZeroPadding2D`), channels last: `[[top, bottom], [left, right]]`.
    ///
    /// **Shape**: `[batch, h, w, c]` to `[batch, top + h + bottom, left + w + right, c]`.
    ZeroPadding2D "ZeroPadding2D" 2 "height, width, channels" padded pad;
    /// Takes steps away at both ends (`keras.layers.Cropping1D`).
    ///
    /// **Shape**: `[batch, steps, c]` to `[batch, steps - before - after, c]`.
    Cropping1D "Cropping1D" 1 "steps, channels" cropped crop;
    /// Takes cells away around each image (`keras.layers.Cropping2D`), channels last: `[[top, bottom], [left, right]]`.
    ///
    /// **Shape**: `[batch, h, w, c]` to `[batch, h - top - bottom, w - left - right, c]`.
    Cropping2D "Cropping2D" 2 "height, width, channels" cropped crop;
}
