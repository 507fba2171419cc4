use super::param::setters;
use super::resample::Interpolation;
use super::warp::{Factor, FillMode, Reading, warp};
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{DType, Result, Shape, Var};
use serde::{Deserialize, Serialize};

/// The builder methods of layers that warp.
macro_rules! reading_setters {
    ($Layer:ident) => {
        setters! { $Layer:
            /// What lies beyond the border.
            fill_mode(FillMode) => reading.fill_mode;
            /// What [`FillMode::Constant`] fills with.
            fill_value(f32) => reading.fill_value;
            /// Nearest or bilinear.
            interpolation(Interpolation) => reading.interpolation;
        }
    };
}

/// What all layers that warp do; `$coefficients` draws the coefficients of the warp.
macro_rules! warping_layer {
    ($Layer:ident, $class:literal, $this:ident: $check:expr, $coefficients:ident) => {
        impl Layer for $Layer {
            named!($class);

            fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
                super::expect_rank(&self.base, input, 3, "height, width, channels")?;
                self.reading.check(&self.base)?;
                let $this = &*self;
                $check?;
                Ok(*input)
            }

            fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
                super::expect_rank_of(&self.base, x, 4)?;
                let x = x.cast(DType::F32);
                if !call.training() {
                    return Ok(x);
                }
                let drawn = self.$coefficients(call, x)?;
                Ok(drawn.map_or(x, |[a, b]| warp(x, a, b, &self.reading)))
            }

            fn config(&self) -> Option<LayerConfig> {
                Some(LayerConfig::$Layer(self.clone()))
            }
        }
    };
}

/// The coefficients of a warp: those of x, then those of y.
type Coefficients<'b> = Option<[[Var<'b>; 3]; 2]>;

/// While training, turns each image about its centre by an angle of its own (`keras.layers.RandomRotation`), channels
/// last.
///
/// **Shape**: `[batch, h, w, c]`, unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomRotation {
    pub(super) base: Base,
    factor: Factor,
    reading: Reading,
}

impl RandomRotation {
    /// By up to `factor` whole turns either way, or by turns between two numbers, counter-clockwise above 0; in
    /// [-1, 1]. Mirrored at the border, bilinear.
    pub fn new(factor: impl Into<Factor>) -> RandomRotation {
        RandomRotation { base: Base::default(), factor: factor.into(), reading: Reading::new() }
    }

    fn coefficients<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Coefficients<'b>> {
        let Some(turns) = self.factor.draw(call, x)? else { return Ok(None) };
        let angle = turns * core::f32::consts::TAU;
        let (cos, sin) = (angle.cos(), angle.sin());
        let centre = |axis: isize| (x.dim(axis) as f32 - 1.0) / 2.0;
        let (cx, cy) = (centre(2), centre(1));
        let a = [cos, -sin, cx - (cos * cx - sin * cy)];
        let b = [sin, cos, cy - (sin * cx + cos * cy)];
        Ok(Some([a, b]))
    }
}

reading_setters!(RandomRotation);
warping_layer!(RandomRotation, "RandomRotation",
    this: this.factor.check(&this.base, [-1.0, 1.0]), coefficients);

/// While training, shifts each image (`keras.layers.RandomTranslation`), channels last.
///
/// **Shape**: `[batch, h, w, c]`, unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomTranslation {
    pub(super) base: Base,
    height: Factor,
    width: Factor,
    reading: Reading,
}

impl RandomTranslation {
    /// Down and to the right by these shares of height and width, in [-1, 1]. Mirrored at the border, bilinear.
    pub fn new(height: impl Into<Factor>, width: impl Into<Factor>) -> RandomTranslation {
        let (height, width) = (height.into(), width.into());
        RandomTranslation { base: Base::default(), height, width, reading: Reading::new() }
    }

    fn coefficients<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Coefficients<'b>> {
        let (Some(down), Some(right)) = (self.height.draw(call, x)?, self.width.draw(call, x)?) else {
            return Ok(None);
        };
        let (one, zero) = (down.ones_like(), down.zeros_like());
        let a = [one, zero, right * -(x.dim(2) as f32)];
        let b = [zero, one, down * -(x.dim(1) as f32)];
        Ok(Some([a, b]))
    }
}

reading_setters!(RandomTranslation);
warping_layer!(RandomTranslation, "RandomTranslation",
    this: this.height.check(&this.base, [-1.0, 1.0]).and(this.width.check(&this.base, [-1.0, 1.0])), coefficients);

/// While training, zooms each image about its centre (`keras.layers.RandomZoom`), channels last.
///
/// **Shape**: `[batch, h, w, c]`, unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomZoom {
    pub(super) base: Base,
    height: Factor,
    width: Option<Factor>,
    reading: Reading,
}

impl RandomZoom {
    /// Shows `1 + factor` times as much of each image, so that factors below 0 zoom in and those above out; in
    /// (-1, 1]. Height and width are zoomed alike. Mirrored at the border, bilinear.
    pub fn new(height: impl Into<Factor>) -> RandomZoom {
        RandomZoom { base: Base::default(), height: height.into(), width: None, reading: Reading::new() }
    }

    /// Zooms the width by factors of its own.
    pub fn width_factor(mut self, width: impl Into<Factor>) -> RandomZoom {
        self.width = Some(width.into());
        self
    }

    fn coefficients<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Coefficients<'b>> {
        let Some(height) = self.height.draw(call, x)? else { return Ok(None) };
        let width = match &self.width {
            Some(width) => width.draw(call, x)?.unwrap_or(height),
            None => height,
        };
        let centre = |axis: isize| (x.dim(axis) as f32 - 1.0) / 2.0;
        let zero = height.zeros_like();
        let a = [width + 1.0, zero, width * -centre(2)];
        let b = [zero, height + 1.0, height * -centre(1)];
        Ok(Some([a, b]))
    }
}

reading_setters!(RandomZoom);
warping_layer!(RandomZoom, "RandomZoom",
    this: this.height.check(&this.base, [-1.0, 1.0])
        .and(this.width.map_or(Ok(()), |width| width.check(&this.base, [-1.0, 1.0]))), coefficients);
