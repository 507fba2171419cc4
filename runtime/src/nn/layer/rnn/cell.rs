//! What a recurrent layer repeats at every time step.

use super::gates::Masks;
use super::{GRUCell, LSTMCell, RNN, SimpleRNNCell, StackedRNNCells};
use crate::nn::layer::{Call, LayerConfig, Weights};
use crate::{Result, Shape, Var};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// One time step of a recurrent layer (`keras.layers.Layer` with `state_size`): implement it for a cell of your
/// own and run it over time with [`RNN`].
///
/// ```
/// use gradling::nn::{Call, Cell, Initializer, RNN, CellCall, Weights};
/// use gradling::{Result, Shape, Var, VariableId};
///
/// /// h = decay * h + x
/// struct Leaky(Option<VariableId>, usize);
///
/// impl Cell for Leaky {
///     fn name(&self) -> &str {
///         "leaky"
///     }
///     fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
///         self.1 = input.dim(-1);
///         self.0 = Some(weights.add("decay", &[self.1], Initializer::Constant(0.5), true)?);
///         Ok(*input)
///     }
///     fn states(&self) -> Vec<Shape> {
///         Shape::new(&[self.1]).into_iter().collect()
///     }
///     fn begin<'b>(&self, call: &mut Call<'b>, _: usize) -> Result<CellCall<'b>> {
///         Ok(CellCall::of(vec![call.weight("leaky", self.0)?]))
///     }
///     fn step<'b>(
///         &self,
///         _: &mut Call<'b>,
///         shared: &CellCall<'b>,
///         x: Var<'b>,
///         states: &[Var<'b>],
///     ) -> Result<(Var<'b>, Vec<Var<'b>>)> {
///         let h = shared.values[0] * states[0] + x;
///         Ok((h, vec![h]))
///     }
/// }
/// let layer = RNN::over(Leaky(None, 0)).return_sequences(true);
/// ```
pub trait Cell {
    /// With what the names of the cell's weights start, inside the layer's name.
    fn name(&self) -> &str;

    /// Makes the weights for inputs of this shape (one sample at one time step); gives the shape of the output.
    ///
    /// **Errors** when the cell cannot take such inputs.
    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape>;

    /// The shapes of the states of one sample, once built.
    fn states(&self) -> Vec<Shape>;

    /// Emits what all steps of a call on `batch` samples share: weights, dropout masks.
    ///
    /// **Errors** when the cell is not built.
    fn begin<'b>(&self, _call: &mut Call<'b>, _batch: usize) -> Result<CellCall<'b>> {
        Ok(CellCall::default())
    }

    /// Emits the part of a step that does not depend on the states, for all steps at once: `x` is
    /// `[.., batch, features]`, and what this gives arrives at [`step`](Cell::step) without the leading axes.
    fn project<'b>(&self, _shared: &CellCall<'b>, x: Var<'b>) -> Result<Var<'b>> {
        Ok(x)
    }

    /// Emits one step: output and new states from projected input and states, all `[batch, ..]`.
    ///
    /// **Errors** when the input does not fit.
    fn step<'b>(
        &self,
        call: &mut Call<'b>,
        shared: &CellCall<'b>,
        x: Var<'b>,
        states: &[Var<'b>],
    ) -> Result<(Var<'b>, Vec<Var<'b>>)>;

    /// Says whether training changes the weights; where it does not, they cost no penalty.
    fn set_trainable(&mut self, _trainable: bool) {}

    /// Multiply-add operations of one step on one sample, once built.
    fn multiply_adds(&self) -> u64 {
        0
    }

    /// The class name of the layer that runs the cell over time.
    fn layer_class() -> &'static str
    where
        Self: Sized,
    {
        "RNN"
    }

    /// The layer that runs the cell as data, to save it; `None` for custom cells, which cannot be saved.
    fn layer_config(_layer: &RNN<Self>) -> Option<LayerConfig>
    where
        Self: Sized,
    {
        None
    }
}

/// What the steps of one call of a cell share.
#[derive(Default)]
pub struct CellCall<'b> {
    /// Weights and other values, in the cell's own order.
    pub values: Vec<Var<'b>>,
    /// What the cells inside this one share.
    pub inner: Vec<CellCall<'b>>,
    pub(super) bias: Option<Var<'b>>,
    pub(super) kernels: Masks<'b>,
    pub(super) recurrent: Masks<'b>,
}

impl<'b> CellCall<'b> {
    /// These values.
    pub fn of(values: Vec<Var<'b>>) -> CellCall<'b> {
        CellCall { values, ..CellCall::default() }
    }
}

/// A cell as data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CellConfig {
    /// [`SimpleRNNCell`]
    SimpleRNN(SimpleRNNCell),
    /// [`LSTMCell`]
    LSTM(LSTMCell),
    /// [`GRUCell`]
    GRU(GRUCell),
    /// [`StackedRNNCells`]
    Stacked(StackedRNNCells),
}

impl CellConfig {
    /// The cell.
    pub fn cell(&self) -> &dyn Cell {
        match self {
            CellConfig::SimpleRNN(cell) => cell,
            CellConfig::LSTM(cell) => cell,
            CellConfig::GRU(cell) => cell,
            CellConfig::Stacked(cell) => cell,
        }
    }

    pub(super) fn cell_mut(&mut self) -> &mut dyn Cell {
        match self {
            CellConfig::SimpleRNN(cell) => cell,
            CellConfig::LSTM(cell) => cell,
            CellConfig::GRU(cell) => cell,
            CellConfig::Stacked(cell) => cell,
        }
    }
}

macro_rules! into_config {
    ($($Cell:ident $Variant:ident),*) => {$(
        impl From<$Cell> for CellConfig {
            fn from(cell: $Cell) -> CellConfig {
                CellConfig::$Variant(cell)
            }
        }
    )*};
}
into_config!(SimpleRNNCell SimpleRNN, LSTMCell LSTM, GRUCell GRU, StackedRNNCells Stacked);
