//! What happens at the edges of regions: they go on with products while these are in the cache, sums of their results
//! are taken inside, and values that cost nothing to compute again are not kept.

use super::{copy, rebuild};
use crate::graph::Graph;
use crate::op::region::WRITES;
use crate::op::{
    Binary, Epilogue, Kind, Node, OPERANDS, Op, Planned, Product, Reduce, ReduceKind, Unary, ValueId,
};
use crate::{DType, Result};
use alloc::vec;
use alloc::vec::Vec;

/// Gives each reader of a cheap value its own computation of it: fused with the reader it takes one instruction, kept
/// in memory it is written once and read by each.
///
/// Cheap is a function of one tensor and of operands broadcast to its shape. The readers must all be elementwise or
/// sums, which will be fused with what they sum.
pub fn recompute(graph: &Graph) -> Result<Graph> {
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); graph.values.len()];
    for (i, node) in graph.nodes.iter().enumerate() {
        for v in &node.inputs {
            users[v.index()].push(i);
        }
    }
    let roots: Vec<ValueId> = graph.roots().collect();
    let repeated: Vec<bool> = graph
        .nodes
        .iter()
        .map(|node| {
            let users = &users[node.first.index()];
            users.len() > 1 && is_cheap(graph, node) && !roots.contains(&node.first) && {
                let fused = |&n: &usize| {
                    let user = &graph.nodes[n];
                    user.op.is_elementwise() && graph.kind(user.first).0 == graph.kind(node.first).0
                };
                users.iter().all(fused)
            }
        })
        .collect();
    // The node of each value and its operands in the new graph, where it is computed again for each reader.
    let mut again: Vec<Option<(Op, Vec<ValueId>)>> = vec![None; graph.values.len()];
    let (mut at, mut first_use) = (0, vec![true; graph.values.len()]);
    rebuild(graph, &mut |new, node, inputs| {
        let mut own = inputs.to_vec();
        for (old, now) in node.inputs.iter().zip(&mut own) {
            if let Some((op, operands)) = &again[old.index()] {
                if core::mem::replace(&mut first_use[old.index()], false) {
                    continue;
                }
                *now = new.push(op.clone(), operands)?;
            }
        }
        if repeated[at] {
            again[node.first.index()] = Some((node.op.clone(), own.clone()));
        }
        at += 1;
        copy(new, node, &own)
    })
}

/// Whether a node takes one instruction and reads one tensor of its shape.
fn is_cheap(graph: &Graph, node: &Node) -> bool {
    let simple = match node.op {
        Op::Binary(f) => matches!(f, Binary::Add | Binary::Sub | Binary::Mul),
        Op::Unary(f) => matches!(f, Unary::Neg | Unary::Relu | Unary::Square | Unary::Abs),
        _ => false,
    };
    let (shape, dtype) = graph.kind(node.first);
    let whole = |v: &&ValueId| {
        let spread = matches!(graph.producer(**v).op, Op::Broadcast(_) | Op::Scalar(..));
        !spread && graph.kind(**v).0 == shape
    };
    simple && dtype == DType::F32 && shape.rank() > 0 && node.inputs.iter().filter(whole).count() == 1
}

/// Regions that read a product which nothing else reads become its epilogue.
pub fn epilogues(graph: &Graph) -> Result<Graph> {
    let mut users = vec![0usize; graph.values.len()];
    for v in graph.nodes.iter().flat_map(|node| &node.inputs).copied().chain(graph.roots()) {
        users[v.index()] += 1;
    }
    rebuild(graph, &mut |new, node, inputs| {
        let Op::Region(region) = &node.op else { return copy(new, node, inputs) };
        let float = |&i: &usize| region.dtypes[i] == DType::F32 && region.summed[i] == 0;
        let place = (0..region.results.len()).find(float);
        let summed = region.summed.iter().any(|&axes| axes > 0);
        // The last product among the operands, to which a reshape may lead: the others are computed before.
        let products = node.inputs.iter().enumerate().filter_map(|(operand, &v)| {
            let mut v = v;
            while users[v.index()] == 1 {
                let producer = graph.producer(v);
                if matches!(producer.op, Op::Reshape(_)) {
                    v = producer.inputs[0];
                    continue;
                }
                let product = Product::of(&producer.op)?;
                let (shape, _) = graph.kind(node.inputs[operand]);
                return (shape == region.shape).then_some((graph.values[v.index()].1, operand, product));
            }
            None
        });
        let last = products.max_by_key(|(at, ..)| *at);
        // New values of variables are computed where the old ones are, which only a region does.
        let assigned = node.outputs().any(|v| graph.assigns.iter().any(|(_, value)| *value == v));
        let (Some(place), Some((at, operand, product)), false) = (place, last, summed || assigned) else {
            return copy(new, node, inputs);
        };
        if inputs.len() + 1 > OPERANDS {
            return copy(new, node, inputs);
        }
        let product_inputs: Vec<ValueId> = {
            // The product in the new graph, behind its reshapes.
            let mut v = inputs[operand];
            while matches!(new.producer(v).op, Op::Reshape(_)) {
                v = new.producer(v).inputs[0];
            }
            new.producer(v).inputs.to_vec()
        };
        debug_assert!(graph.nodes[at as usize].inputs.len() == 2);
        let others = inputs.iter().enumerate().filter(|(i, _)| *i != operand).map(|(_, v)| *v);
        let operands: Vec<ValueId> = product_inputs.into_iter().chain(others).collect();
        let epilogue = Some(Epilogue { region: region.clone(), operand: operand as u8, place: place as u8 });
        let first = new.push(Op::Planned(Planned { product, packed: false, epilogue }), &operands)?;
        Ok((0..node.results as u32).map(|i| ValueId(first.0 + i)).collect())
    })
}

/// Weights of a graph that assigns none are packed once for the products that are worth it.
pub fn pack(graph: &Graph) -> Result<Graph> {
    if !graph.assigns.is_empty() {
        return Ok(graph.clone());
    }
    let mut packed: Vec<Option<ValueId>> = vec![None; graph.values.len()];
    rebuild(graph, &mut |new, node, inputs| {
        let planned = match &node.op {
            Op::Planned(planned) => Some(planned.clone()),
            op => Product::of(op).map(|product| Planned { product, packed: false, epilogue: None }),
        };
        let Some(planned) = planned else { return copy(new, node, inputs) };
        let kinds: Vec<Kind> = inputs[..2].iter().map(|v| new.kind(*v)).collect();
        let mut weight = inputs[1];
        while matches!(new.producer(weight).op, Op::Reshape(_)) {
            weight = new.producer(weight).inputs[0];
        }
        let fixed = matches!(new.producer(weight).op, Op::Variable(_) | Op::Constant(_));
        if !fixed || !planned.takes_panels(&kinds) {
            return copy(new, node, inputs);
        }
        let mut operands = inputs.to_vec();
        operands[1] = match packed[node.inputs[1].index()] {
            Some(value) => value,
            None => new.push(Op::Pack, &inputs[1..2])?,
        };
        packed[node.inputs[1].index()] = Some(operands[1]);
        let first = new.push(Op::Planned(Planned { packed: true, ..planned }), &operands)?;
        Ok((0..node.results as u32).map(|i| ValueId(first.0 + i)).collect())
    })
}

/// Sums over leading axes of what a region computes become results of the region.
pub fn sums_in_regions(graph: &Graph) -> Result<Graph> {
    let mut users = vec![0usize; graph.values.len()];
    for v in graph.nodes.iter().flat_map(|node| &node.inputs).copied().chain(graph.roots()) {
        users[v.index()] += 1;
    }
    // For each region the sums of its results: which result, over how many axes, and the sum.
    let mut sums: Vec<Vec<(usize, u8, ValueId)>> = vec![Vec::new(); graph.nodes.len()];
    let mut inside = vec![false; graph.nodes.len()];
    for (i, node) in graph.nodes.iter().enumerate() {
        let Op::Reduce(Reduce { kind: ReduceKind::Sum, axis: 0, count }) = node.op else { continue };
        let summed = node.inputs[0];
        let at = graph.values[summed.index()].1 as usize;
        let producer = &graph.nodes[at];
        let Op::Region(region) = &producer.op else { continue };
        let result = summed.index() - producer.first.index();
        let float = graph.kind(summed).1 == DType::F32 && count > 0 && region.shape.numel() > 0;
        // A result that nothing else reads gives its place to the sum.
        let taken = sums[at].iter().filter(|(r, ..)| users[producer.first.index() + r] > 1).count();
        let room = users[summed.index()] == 1 || region.results.len() + taken < WRITES;
        if float && room {
            sums[at].push((result, count, node.first));
            inside[i] = true;
        }
    }
    let mut map: Vec<Option<ValueId>> = vec![None; graph.values.len()];
    let mut at = 0;
    rebuild(graph, &mut |new, node, inputs| {
        let index = at;
        at += 1;
        if inside[index] {
            return Ok(map[node.first.index()].into_iter().collect());
        }
        let (Op::Region(region), false) = (&node.op, sums[index].is_empty()) else {
            return copy(new, node, inputs);
        };
        let mut region = region.clone();
        // The result of the new region that stands for each result of the old one, and for each sum.
        let mut places = Vec::new();
        for &(result, axes, _) in &sums[index] {
            if users[node.first.index() + result] == 1 {
                region.summed[result] = axes;
                places.push(result);
            } else {
                places.push(region.results.len());
                let (register, dtype) = (region.results[result], region.dtypes[result]);
                // There is room: counted above.
                let _ = region.results.push(register);
                let _ = region.dtypes.push(dtype);
                let _ = region.summed.push(axes);
            }
        }
        let first = new.push(Op::Region(region), inputs)?;
        for (&(.., sum), place) in sums[index].iter().zip(places) {
            map[sum.index()] = Some(ValueId(first.0 + place as u32));
        }
        Ok((0..node.results as u32).map(|i| ValueId(first.0 + i)).collect())
    })
}
