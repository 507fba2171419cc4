//! Several cells as one.

use super::{Cell, CellCall, CellConfig, RNN};
use crate::nn::layer::{Call, LayerConfig, Weights};
use crate::{Result, Shape, Var, misuse};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Cells one above the other as one cell (`keras.layers.StackedRNNCells`): the output of each is the input of
/// the next. The states are those of the first cell, then of the second, and so on.
///
/// Weights are named `stacked_rnn_cells/lstm_cell/kernel`, `stacked_rnn_cells/lstm_cell_1/kernel`, ….
///
/// ```
/// use gradling::nn::{GRUCell, LSTMCell, RNN, StackedRNNCells};
/// let layer = RNN::over(StackedRNNCells::new().add(LSTMCell::new(8)).add(GRUCell::new(4)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StackedRNNCells {
    cells: Vec<CellConfig>,
}

/// A recurrent layer over [`StackedRNNCells`] (`keras.layers.RNN`).
pub type StackedRNN = RNN<StackedRNNCells>;

impl StackedRNNCells {
    /// No cells yet.
    pub fn new() -> StackedRNNCells {
        StackedRNNCells::default()
    }

    /// Puts a cell on top.
    #[allow(clippy::should_implement_trait)]
    pub fn add(mut self, cell: impl Into<CellConfig>) -> StackedRNNCells {
        self.cells.push(cell.into());
        self
    }
}

impl Cell for StackedRNNCells {
    fn name(&self) -> &str {
        "stacked_rnn_cells"
    }

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        if self.cells.is_empty() {
            return Err(misuse!("StackedRNNCells: expected at least one cell, got none"));
        }
        let mut shape = *input;
        for i in 0..self.cells.len() {
            let (below, rest) = self.cells.split_at_mut(i);
            let cell = rest[0].cell_mut();
            let own = cell.name();
            let same = below.iter().filter(|c| c.cell().name() == own).count();
            let name = if same == 0 { own.into() } else { alloc::format!("{own}_{same}") };
            shape = cell.build(&shape, &mut weights.within(&name))?;
        }
        Ok(shape)
    }

    fn states(&self) -> Vec<Shape> {
        self.cells.iter().flat_map(|c| c.cell().states()).collect()
    }

    fn begin<'b>(&self, call: &mut Call<'b>, batch: usize) -> Result<CellCall<'b>> {
        let inner = self.cells.iter().map(|c| c.cell().begin(call, batch)).collect::<Result<_>>()?;
        Ok(CellCall { inner, ..CellCall::default() })
    }

    fn project<'b>(&self, shared: &CellCall<'b>, x: Var<'b>) -> Result<Var<'b>> {
        match (self.cells.first(), shared.inner.first()) {
            (Some(cell), Some(shared)) => cell.cell().project(shared, x),
            _ => Ok(x),
        }
    }

    fn step<'b>(
        &self,
        call: &mut Call<'b>,
        shared: &CellCall<'b>,
        x: Var<'b>,
        states: &[Var<'b>],
    ) -> Result<(Var<'b>, Vec<Var<'b>>)> {
        let (mut y, mut rest, mut new) = (x, states, Vec::new());
        for (i, (cell, shared)) in self.cells.iter().zip(&shared.inner).enumerate() {
            let cell = cell.cell();
            if i > 0 {
                y = cell.project(shared, y)?;
            }
            let (own, others) = rest.split_at(cell.states().len().min(rest.len()));
            let (output, after) = cell.step(call, shared, y, own)?;
            new.extend(after);
            (y, rest) = (output, others);
        }
        Ok((y, new))
    }

    fn set_trainable(&mut self, trainable: bool) {
        self.cells.iter_mut().for_each(|c| c.cell_mut().set_trainable(trainable));
    }

    fn multiply_adds(&self) -> u64 {
        self.cells.iter().map(|c| c.cell().multiply_adds()).sum()
    }

    fn layer_config(layer: &StackedRNN) -> Option<LayerConfig> {
        Some(LayerConfig::StackedRNN(layer.clone()))
    }
}
