use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{Result, Shape, Var, misuse};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What an elementwise merge does with its inputs.
#[derive(Clone, Copy, PartialEq)]
enum Merge {
    Add,
    Subtract,
    Multiply,
    Average,
    Maximum,
    Minimum,
}

/// A merged value, and the mask of it.
type Merged<'b> = (Var<'b>, Option<Var<'b>>);

impl Merge {
    /// The shape of the merged samples.
    fn shape(self, layer: &str, inputs: &[Shape]) -> Result<Shape> {
        let two = self == Merge::Subtract;
        let Some((first, rest)) = inputs.split_first() else {
            return Err(misuse!("{layer}: expected at least 1 input, got none"));
        };
        if two && rest.len() != 1 {
            return Err(misuse!("{layer}: expected 2 inputs, got {}", inputs.len()));
        }
        rest.iter().try_fold(*first, |all, next| {
            Shape::broadcast(&all, next).ok_or_else(|| {
                misuse!(
                    "{layer}: inputs {} and {} do not broadcast; expected equal extents or 1",
                    super::batched(&all),
                    super::batched(next)
                )
            })
        })
    }

    /// Merges values of one rank, each with its mask `[batch, ..]`.
    fn apply<'b>(self, inputs: &[Merged<'b>]) -> Merged<'b> {
        let masks: Vec<Var<'b>> = inputs.iter().filter_map(|i| i.1).collect();
        let all_masked = masks.len() == inputs.len();
        let any = if all_masked { masks.into_iter().reduce(|a, b| a.logical_or(b)) } else { None };
        let values = inputs.iter().map(|i| i.0);
        let first = inputs[0];
        match self {
            Merge::Subtract => (first.0 - inputs[1].0, any),
            Merge::Add => (values.reduce(|a, b| a + b).unwrap_or(first.0), any),
            Merge::Average => (values.reduce(|a, b| a + b).unwrap_or(first.0) / inputs.len() as f32, any),
            // Steps that do not count are ones, and zeros in the product where none counts.
            Merge::Multiply => {
                let factor = |(x, mask): &Merged<'b>| match mask {
                    Some(mask) => Var::select(over(*mask, *x), *x, x.scalar_like(1.0)),
                    None => *x,
                };
                let y = inputs.iter().map(factor).reduce(|a, b| a * b).unwrap_or(first.0);
                match any {
                    Some(mask) => (Var::select(over(mask, y), y, y.scalar_like(0.0)), any),
                    None => (y, None),
                }
            }
            // A step that does not count takes the value of the other operand.
            Merge::Maximum | Merge::Minimum => inputs[1..].iter().fold(first, |(y, of_y), &(x, of_x)| {
                let shape = Shape::broadcast(&x.shape(), &y.shape()).unwrap_or(x.shape());
                let (mut x, mut y) = (x.broadcast(shape), y.broadcast(shape));
                if let Some(mask) = of_x {
                    x = Var::select(over(mask, x), x, y);
                }
                if let Some(mask) = of_y {
                    y = Var::select(over(mask, y), y, x);
                }
                let mask = of_x.zip(of_y).map(|(a, b)| a.logical_or(b));
                (if self == Merge::Maximum { y.maximum(x) } else { y.minimum(x) }, mask)
            }),
        }
    }
}

/// A mask `[batch, ..]` with as many axes as `x`.
pub(super) fn over<'b>(mask: Var<'b>, x: Var<'b>) -> Var<'b> {
    let mut dims = mask.shape().to_vec();
    dims.resize(x.rank().max(dims.len()), 1);
    mask.reshape(&dims)
}

/// The value with axes of extent 1 after that of the batch, up to `rank` axes.
fn raised<'b>(x: Var<'b>, rank: usize) -> Var<'b> {
    let mut dims = x.shape().to_vec();
    while dims.len() < rank {
        dims.insert(1.min(dims.len()), 1);
    }
    x.reshape(&dims)
}

macro_rules! merges {
    ($($(#[$doc:meta])+ $Name:ident $class:literal;)+) => {$(
        $(#[$doc])+
        ///
        /// **Shape**: inputs whose samples broadcast, fewer axes being those at the end; the shape they broadcast to.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        pub struct $Name {
            pub(super) base: Base,
        }

        impl $Name {
            /// The layer.
            pub fn new() -> $Name {
                $Name::default()
            }
        }

        impl Layer for $Name {
            named!($class);

            fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
                Merge::$Name.shape(&self.base, &[*input])
            }

            fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
                Ok(self.call_many(call, &[x])?[0])
            }

            fn build_many(&mut self, inputs: &[Shape], _: &mut Weights<'_>) -> Result<Vec<Shape>> {
                Ok(alloc::vec![Merge::$Name.shape(&self.base, inputs)?])
            }

            fn call_many<'b>(&self, call: &mut Call<'b>, inputs: &[Var<'b>]) -> Result<Vec<Var<'b>>> {
                let shapes: Vec<Shape> = inputs.iter().map(|x| x.shape()).collect();
                let rank = shapes.iter().map(Shape::rank).max().unwrap_or(0);
                let samples = inputs.iter().map(|x| super::layer_normalization::sample_of(*x));
                Merge::$Name.shape(&self.base, &samples.collect::<Result<Vec<Shape>>>()?)?;
                let inputs: Vec<Merged<'b>> =
                    inputs.iter().map(|x| (raised(*x, rank), call.mask(*x))).collect();
                let (y, mask) = Merge::$Name.apply(&inputs);
                if let Some(mask) = mask {
                    call.set_mask(y, mask);
                }
                Ok(alloc::vec![y])
            }

            fn config(&self) -> Option<LayerConfig> {
                Some(LayerConfig::$Name(self.clone()))
            }
        }
    )+};
}

merges! {
    /// The sum of the inputs (`keras.layers.Add`).
    Add "Add";
    /// The first input less the second (`keras.layers.Subtract`).
    Subtract "Subtract";
    /// The product of the inputs (`keras.layers.Multiply`). Steps that a mask leaves out count as ones.
    Multiply "Multiply";
    /// The mean of the inputs (`keras.layers.Average`).
    Average "Average";
    /// The largest of the inputs (`keras.layers.Maximum`). Steps that a mask leaves out do not count.
    Maximum "Maximum";
    /// The smallest of the inputs (`keras.layers.Minimum`). Steps that a mask leaves out do not count.
    Minimum "Minimum";
}
