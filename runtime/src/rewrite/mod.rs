//! Rewrite passes over graphs: fold, simplify, cse, dce, sums, recompute, fuse, epilogues,
//! pack, sums in regions. Each keeps what the graph computes.

mod edges;
mod fuse;
mod passes;
#[cfg(feature = "full")]
mod sums;

pub use edges::{epilogues, pack, recompute, sums_in_regions};
pub use fuse::fuse;
pub use passes::{cse, dce, fold, simplify};
#[cfg(feature = "full")]
pub use sums::sums;

use crate::graph::Graph;
use crate::kernel::COMPACT;
use crate::op::{Node, Op, ValueId};
use crate::{Result, misuse};
use alloc::vec;
use alloc::vec::Vec;

/// All passes in the order that serves plans; with `workspace`, regions may need memory for partial sums. Of a strict
/// plan, sums are taken inside of regions before anything is done that not every build does.
pub fn optimize(graph: &Graph, workspace: bool, strict: bool) -> Result<Graph> {
    let mut graph = dce(graph)?;
    for _ in 0..4 {
        let before = graph.nodes.len();
        let simple = simplify(&graph)?;
        // What small pages train has next to nothing to fold.
        graph = dce(&cse(&if COMPACT { simple } else { fold(&simple)? })?)?;
        if graph.nodes.len() == before {
            break;
        }
    }
    // Only recurrent layers are unrolled.
    #[cfg(feature = "full")]
    {
        graph = dce(&cse(&sums(&graph)?)?)?;
    }
    if !COMPACT {
        graph = recompute(&graph)?;
    }
    let fused = dce(&fuse(&graph)?)?;
    if !workspace {
        return Ok(fused);
    }
    let fused = if strict { dce(&sums_in_regions(&fused)?)? } else { fused };
    let fused = if Op::PLANNED { pack(&dce(&epilogues(&fused)?)?)? } else { fused };
    dce(&sums_in_regions(&fused)?)
}

/// Puts a node with translated operands into the new graph; gives the translated results.
type Emit<'e> = &'e mut dyn FnMut(&mut Graph, &Node, &[ValueId]) -> Result<Vec<ValueId>>;

/// Rebuilds a graph node by node.
fn rebuild(graph: &Graph, emit: Emit<'_>) -> Result<Graph> {
    let mut new = graph.empty_like();
    let mut map = vec![ValueId::POISON; graph.values.len()];
    for node in &graph.nodes {
        let inputs: Vec<ValueId> = node.inputs.iter().map(|v| map[v.index()]).collect();
        if inputs.contains(&ValueId::POISON) {
            return Err(misuse!("rewrite: {} uses a value that is not computed", node.op.name()));
        }
        for (old, now) in node.outputs().zip(emit(&mut new, node, &inputs)?) {
            map[old.index()] = now;
        }
    }
    translate_roots(graph, &mut new, &map)?;
    Ok(new)
}

fn translate_roots(graph: &Graph, new: &mut Graph, map: &[ValueId]) -> Result<()> {
    new.outputs = graph.outputs.iter().map(|(name, v)| (name.clone(), map[v.index()])).collect();
    new.assigns = graph.assigns.iter().map(|(id, v)| (*id, map[v.index()])).collect();
    if new.roots().any(|v| v == ValueId::POISON) {
        return Err(misuse!("rewrite: an output is not computed"));
    }
    Ok(())
}

/// Adds a node as it is; gives its results.
fn copy(new: &mut Graph, node: &Node, inputs: &[ValueId]) -> Result<Vec<ValueId>> {
    let first = new.push(node.op.clone(), inputs)?;
    Ok((0..node.results as u32).map(|i| ValueId(first.0 + i)).collect())
}
