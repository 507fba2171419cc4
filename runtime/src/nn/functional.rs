//! Models as functions of symbols: several inputs and outputs, skip connections, shared layers, blocks.

use super::layer::Layer;
use super::model::Model;
use super::topology::{LayerCall, Topology};
use crate::{Result, Shape, misuse};
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

/// A value of a model that is being wired (`KerasTensor`): an input, or an output of a layer.
///
/// ```
/// use gradling::nn::{Activation, Dense, Model, Symbol};
/// let x = Symbol::input(&[8]);
/// let h = x.then(Dense::new(8).activation(Activation::Relu));
/// let (mean, spread) = (h.then(Dense::new(1)), h.then(Dense::new(1)));
/// let model = Model::functional(&[&x], &[&mean, &spread])?;
/// assert_eq!(model.count_params(), 8 * 8 + 8 + 2 * (8 + 1));
/// # Ok::<(), gradling::Error>(())
/// ```
#[derive(Clone)]
pub struct Symbol {
    source: Rc<Source>,
    output: usize,
}

/// Where symbols come from.
enum Source {
    /// An input whose samples have this shape, or no shape.
    Input(Result<Shape>),
    /// A layer called on symbols.
    Call(Shared, Vec<Symbol>, usize),
}

/// A layer that can be called several times, each time with the same weights.
///
/// A field of a [`Subclass`] is usually one. The layer moves into the first model that is made with it.
#[derive(Clone)]
pub struct Shared(Rc<RefCell<Option<Box<dyn Layer>>>>);

impl<L: Layer + 'static> From<L> for Shared {
    fn from(layer: L) -> Shared {
        Shared::boxed(Box::new(layer))
    }
}

impl From<&Shared> for Shared {
    fn from(layer: &Shared) -> Shared {
        layer.clone()
    }
}

impl Shared {
    /// A boxed layer.
    pub fn boxed(layer: Box<dyn Layer>) -> Shared {
        Shared(Rc::new(RefCell::new(Some(layer))))
    }

    /// Calls the layer on one symbol.
    pub fn call(&self, x: &Symbol) -> Symbol {
        Symbol::join(self, &[x])
    }

    /// Calls a layer with several inputs.
    pub fn join(&self, xs: &[&Symbol]) -> Symbol {
        Symbol::join(self, xs)
    }

    /// Calls a layer that gives `outputs` values, such as an LSTM that also returns its states.
    pub fn split(&self, xs: &[&Symbol], outputs: usize) -> Vec<Symbol> {
        let inputs = xs.iter().map(|x| (*x).clone()).collect();
        let source = Rc::new(Source::Call(self.clone(), inputs, outputs));
        (0..outputs).map(|output| Symbol { source: source.clone(), output }).collect()
    }
}

impl Symbol {
    /// An input whose samples have this shape (`keras.Input`), without the batch axis.
    pub fn input(sample: &[usize]) -> Symbol {
        Symbol { source: Rc::new(Source::Input(Shape::new(sample))), output: 0 }
    }

    /// This value through a layer.
    pub fn then(&self, layer: impl Into<Shared>) -> Symbol {
        Symbol::join(layer, &[self])
    }

    /// Several values through a layer, such as `Add` or `Concatenate`.
    pub fn join(layer: impl Into<Shared>, xs: &[&Symbol]) -> Symbol {
        let inputs = xs.iter().map(|x| (*x).clone()).collect();
        Symbol { source: Rc::new(Source::Call(layer.into(), inputs, 1)), output: 0 }
    }

    fn is(&self, other: &Symbol) -> bool {
        Rc::ptr_eq(&self.source, &other.source) && self.output == other.output
    }
}

/// A model written as a function of its input (`class MyModel(Model)`): layers are fields, `call` wires them.
///
/// Blocks nest: a block is any type with a method from symbol to symbol, and `call` calls it.
///
/// ```
/// use gradling::nn::{Activation, Dense, Shared, Subclass, Symbol};
///
/// struct IrisModel {
///     d1: Shared,
/// }
///
/// impl Subclass for IrisModel {
///     fn call(&self, x: &Symbol) -> Symbol {
///         self.d1.call(x)
///     }
/// }
///
/// let model = IrisModel { d1: Dense::new(3).activation(Activation::Softmax).into() }.into_model(&[4])?;
/// assert_eq!((model.name(), model.count_params()), ("IrisModel", 15));
/// # Ok::<(), gradling::Error>(())
/// ```
pub trait Subclass {
    /// The output for an input.
    fn call(&self, x: &Symbol) -> Symbol;

    /// The name of the model: that of its type.
    fn name(&self) -> &str {
        let path = core::any::type_name::<Self>();
        let path = path.split('<').next().unwrap_or(path);
        path.rsplit("::").next().unwrap_or(path)
    }

    /// The model for samples of this shape, built.
    ///
    /// **Errors** as [`Model::functional`].
    fn into_model(self, sample: &[usize]) -> Result<Model>
    where
        Self: Sized,
    {
        let x = Symbol::input(sample);
        let y = self.call(&x);
        Ok(Model::functional(&[&x], &[&y])?.named(self.name()))
    }
}

impl Model {
    /// A model from inputs to outputs (`keras.Model(inputs, outputs)`), built with seed 0.
    ///
    /// **Errors** when an output depends on an input that is not listed, an input has no shape, a layer cannot
    /// take what it is called on, or a layer is in another model already.
    pub fn functional(inputs: &[&Symbol], outputs: &[&Symbol]) -> Result<Model> {
        Model::functional_seeded(inputs, outputs, 0)
    }

    /// [`functional`](Model::functional) with a seed of initial weights, shuffling and dropout.
    ///
    /// **Errors** as [`functional`](Model::functional).
    pub fn functional_seeded(inputs: &[&Symbol], outputs: &[&Symbol], seed: u64) -> Result<Model> {
        let topology = Topology { inputs: Vec::new(), outputs: Vec::new(), ..Topology::default() };
        let mut wiring = Wiring { topology, symbols: Vec::new(), layers: Vec::new() };
        let mut samples = Vec::new();
        for x in inputs {
            let Source::Input(sample) = &*x.source else {
                return Err(misuse!("model: an input is the output of a layer; make it with Symbol::input"));
            };
            samples.push(sample.clone()?);
            let value = wiring.value((*x).clone());
            wiring.topology.inputs.push(value);
        }
        for y in outputs {
            let value = wiring.visit(y)?;
            wiring.topology.outputs.push(value);
        }
        let Wiring { mut topology, symbols, layers } = wiring;
        topology.values = symbols.len() as u32;
        let mut owned = Vec::new();
        for shared in layers {
            let layer = shared.0.borrow_mut().take();
            owned.push(
                layer.ok_or_else(|| misuse!("model: a layer is in another model already; make it anew"))?,
            );
        }
        let model = Model::wired("functional", owned, topology);
        let mut model =
            model.ok_or_else(|| misuse!("model: expected at least one input and output"))?.seed(seed);
        let lists: Vec<Vec<usize>> = samples.iter().map(|s| s.to_vec()).collect();
        model.build_many(&lists.iter().map(|l| l.as_slice()).collect::<Vec<_>>())?;
        Ok(model)
    }
}

/// A topology under construction.
struct Wiring {
    topology: Topology,
    symbols: Vec<Symbol>,
    layers: Vec<Shared>,
}

impl Wiring {
    fn value(&mut self, symbol: Symbol) -> u32 {
        self.symbols.push(symbol);
        self.symbols.len() as u32 - 1
    }

    /// The value of a symbol; what it depends on comes before it.
    fn visit(&mut self, symbol: &Symbol) -> Result<u32> {
        if let Some(known) = self.symbols.iter().position(|s| s.is(symbol)) {
            return Ok(known as u32);
        }
        let Source::Call(layer, inputs, outputs) = &*symbol.source else {
            return Err(misuse!("model: an output depends on an input that is not listed; list it"));
        };
        let inputs = inputs.iter().map(|x| self.visit(x)).collect::<Result<Vec<u32>>>()?;
        let at = self.layers.iter().position(|l| Rc::ptr_eq(&l.0, &layer.0)).unwrap_or_else(|| {
            self.layers.push(layer.clone());
            self.layers.len() - 1
        });
        let first = self.symbols.len() as u32;
        for output in 0..*outputs {
            self.value(Symbol { source: symbol.source.clone(), output });
        }
        let outputs = (first..self.symbols.len() as u32).collect();
        self.topology.calls.push(LayerCall { layer: at as u32, inputs, outputs });
        Ok(first + symbol.output as u32)
    }
}
