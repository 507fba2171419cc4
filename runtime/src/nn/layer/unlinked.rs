//! Layers that models from files may have everywhere but in a page, which downloads the code of every layer that a file
//! may name.

use super::{Call, Layer, Weights};
use crate::{Result, Shape, Var, unsupported};
use alloc::boxed::Box;

const RARE: [&str; 38] = [
    "ActivityRegularization",
    "AdditiveAttention",
    "AlphaDropout",
    "Attention",
    "CenterCrop",
    "Conv1DTranspose",
    "Conv2DTranspose",
    "Conv3D",
    "Cropping1D",
    "Cropping2D",
    "DepthwiseConv1D",
    "Dot",
    "GaussianDropout",
    "GaussianNoise",
    "GroupNormalization",
    "GroupedQueryAttention",
    "Masking",
    "MultiHeadAttention",
    "Normalization",
    "PReLU",
    "RMSNormalization",
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
    "Resizing",
    "SeparableConv1D",
    "SeparableConv2D",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "StackedRNN",
    "TimeDistributed",
    "UnitNormalization",
    "UpSampling1D",
    "ZeroPadding1D",
];

/// Whether files may name the layer in this build.
pub(super) const fn is_linked(name: &str) -> bool {
    !cfg!(gradling_compact) || !is_rare(name)
}

const fn is_rare(name: &str) -> bool {
    let mut i = 0;
    while i < RARE.len() {
        if same(name.as_bytes(), RARE[i].as_bytes()) {
            return true;
        }
        i += 1;
    }
    false
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

/// Stands for a layer whose code is not part of this build, and says so when it is built.
struct Unlinked(&'static str);

/// What stands for the layer of a class.
pub(super) fn layer(class: &'static str) -> Box<dyn Layer> {
    Box::new(Unlinked(class))
}

impl Layer for Unlinked {
    fn class_name(&self) -> &'static str {
        self.0
    }

    fn name(&self) -> &str {
        self.0
    }

    fn set_name(&mut self, _: &str) {}

    fn build(&mut self, _: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        Err(unsupported!("{}: the npm package does not have this layer; run the model natively", self.0))
    }

    fn call<'b>(&self, _: &mut Call<'b>, _: Var<'b>) -> Result<Var<'b>> {
        Err(unsupported!("{}: the npm package does not have this layer; run the model natively", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use crate::{Trace, Variables};

    #[test]
    fn natively_every_layer_is_linked() {
        assert!(RARE.iter().all(|name| is_linked(name) && is_rare(name)));
        assert!(!is_rare("Dense") && !is_rare("Conv") && !is_rare("Conv3DX"));
    }

    #[test]
    fn a_layer_that_is_not_linked_says_so() {
        let (mut variables, mut rng) = (Variables::new(), Rng::new(1));
        let mut own = layer("Conv3D");
        let mut weights = Weights::new(&mut variables, &mut rng, "conv3d");
        let error = own.build(&Shape::new(&[4]).unwrap(), &mut weights).unwrap_err();
        assert!(matches!(&error, crate::Error::Unsupported(m) if m.contains("Conv3D")), "{error}");
        let trace = Trace::new(&variables);
        let x = trace.constant(crate::Tensor::scalar(1.0));
        assert!(own.call(&mut Call::new(&trace, false, None), x).is_err());
    }
}
