//! What each layer costs and sees.

use super::Model;
use super::summary::thousands;
use crate::{Result, Shape};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

/// Cost and reach of one call of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerCost {
    /// The layer's name.
    pub name: String,
    /// Its class.
    pub class: &'static str,
    /// The shape of one sample of its output.
    pub output: Shape,
    /// The number of its weights' elements.
    pub parameters: usize,
    /// Multiply-add operations for one sample.
    pub multiply_adds: u64,
    /// How many rows and columns of the model's input one element of the output depends on, if the layer keeps
    /// the two spatial axes.
    pub receptive_field: Option<[u64; 2]>,
}

/// Receptive field, and distance in the input between neighbours, on both axes.
type Reach = Option<([u64; 2], [u64; 2])>;

impl Model {
    /// Parameters, multiply-adds and receptive field of each call of a layer.
    ///
    /// The receptive field grows by `(kernel - 1) * dilation` steps of the strides before it (Araujo, Norris, Sim,
    /// "Computing receptive fields of convolutional neural networks", 2019); of several inputs the largest counts.
    ///
    /// **Errors** when the model is not built.
    pub fn analysis(&self) -> Result<Vec<LayerCost>> {
        if !self.is_built() {
            return Err(crate::misuse!("{}: not built; call model.build", self.name()));
        }
        let mut reach: Vec<Reach> = alloc::vec![None; self.topology.values as usize];
        for value in &self.topology.inputs {
            let spatial = self.value_shape(value).is_some_and(|s| s.rank() == 3);
            reach[*value as usize] = spatial.then_some(([1; 2], [1; 2]));
        }
        let mut costs = Vec::new();
        for call in &self.topology.calls {
            let n = call.layer as usize;
            let layer = &self.layers[n];
            let shape =
                |v: Option<&u32>| v.and_then(|v| self.value_shape(v)).copied().unwrap_or(Shape::SCALAR);
            let (input, output) = (shape(call.inputs.first()), shape(call.outputs.first()));
            let larger = |a: Reach, b: Reach| match (a, b) {
                (Some((r, j)), Some((s, k))) => {
                    Some(([r[0].max(s[0]), r[1].max(s[1])], [j[0].max(k[0]), j[1].max(k[1])]))
                }
                (a, b) => a.or(b),
            };
            let before = call.inputs.iter().map(|v| reach[*v as usize]).fold(None, larger);
            let after = before.filter(|_| output.rank() == 3).map(|(mut field, mut jump)| {
                if let Some(w) = layer.window() {
                    for axis in 0..2 {
                        let extent =
                            u64::from(w.kernel[axis].saturating_sub(1)) * u64::from(w.dilation[axis]);
                        field[axis] += extent * jump[axis];
                        jump[axis] *= u64::from(w.strides[axis]);
                    }
                }
                (field, jump)
            });
            call.outputs.iter().for_each(|v| reach[*v as usize] = after);
            costs.push(LayerCost {
                name: layer.name().to_string(),
                class: layer.class_name(),
                output,
                parameters: self.layer_weights(n).map(|(_, v)| v.shape.numel()).sum(),
                multiply_adds: layer.multiply_adds(&input, &output),
                receptive_field: after.map(|(field, _)| field),
            });
        }
        Ok(costs)
    }

    /// [`analysis`](Model::analysis) as a table, with the sum of multiply-adds.
    ///
    /// **Errors** when the model is not built.
    pub fn analysis_table(&self) -> Result<String> {
        let costs = self.analysis()?;
        let width = costs.iter().map(|c| c.name.len()).max().unwrap_or(0).max(5);
        let mut text = String::new();
        let mut line = |name: &str, parameters: &str, adds: &str, field: &str| {
            let _ = writeln!(text, "{name:<width$} {parameters:>12} {adds:>16} {field:>12}");
        };
        line("Layer", "Parameters", "Multiply-adds", "Sees");
        for c in &costs {
            let field = c.receptive_field.map_or("all".into(), |[h, w]| alloc::format!("{h}x{w}"));
            line(&c.name, &thousands(c.parameters), &thousands(c.multiply_adds as usize), &field);
        }
        let adds: u64 = costs.iter().map(|c| c.multiply_adds).sum();
        line("Total", &thousands(self.count_params()), &thousands(adds as usize), "");
        Ok(text)
    }
}
