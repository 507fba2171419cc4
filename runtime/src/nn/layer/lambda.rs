use super::{Base, Call, Layer, Weights, batched, named};
use crate::graph::Trace;
use crate::{DType, Result, Shape, Var, Variables, misuse};
use alloc::boxed::Box;

/// The function of a [`Lambda`].
type Function = Box<dyn for<'b> Fn(Var<'b>) -> Var<'b>>;

/// Any function of a batch (`keras.layers.Lambda`). A model with one cannot be saved.
///
/// **Shape**: what the function gives; the batch axis stays the first.
///
/// ```
/// use gradling::nn::Lambda;
/// let squares = Lambda::new(|x| x.square());
/// ```
pub struct Lambda {
    pub(super) base: Base,
    function: Function,
}

impl Lambda {
    /// A layer that applies `function`.
    pub fn new(function: impl for<'b> Fn(Var<'b>) -> Var<'b> + 'static) -> Lambda {
        Lambda { base: Base::default(), function: Box::new(function) }
    }
}

impl Layer for Lambda {
    named!("Lambda");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        // Traced on a batch of an unlikely extent, which must come out again.
        const BATCH: usize = 3;
        let mut dims = input.to_vec();
        dims.insert(0, BATCH);
        let trace = Trace::new(&Variables::new());
        let y = (self.function)(trace.input("x", Shape::new(&dims)?, DType::F32)).shape();
        trace.check().map_err(|e| e.within(&self.base))?;
        match y.to_vec().split_first() {
            Some((&BATCH, sample)) => Shape::new(sample),
            _ => Err(misuse!(
                "{}: expected the function to keep the batch axis of input {}, got {y} for a batch of {BATCH}",
                self.base,
                batched(input)
            )),
        }
    }

    fn call<'b>(&self, _: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        Ok((self.function)(x))
    }
}
