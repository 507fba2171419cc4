//! The passes that look at one node at a time.

use super::{copy, rebuild, translate_roots};
use crate::graph::Graph;
use crate::kernel::{Cpu, Level, View};
use crate::op::{Binary, Node, OPERANDS, Op, Unary, ValueId};
use crate::{DType, Result, Tensor, f16, math, misuse};
use alloc::vec;
use alloc::vec::Vec;

/// Constants larger than this are computed at run time rather than stored.
const FOLD_LIMIT: usize = 16_384;

/// Removes what no output and no assignment needs.
pub fn dce(graph: &Graph) -> Result<Graph> {
    let mut live = vec![false; graph.nodes.len()];
    let mut stack: Vec<u32> = graph.roots().map(|v| graph.values[v.index()].1).collect();
    while let Some(n) = stack.pop() {
        if !core::mem::replace(&mut live[n as usize], true) {
            stack.extend(graph.nodes[n as usize].inputs.iter().map(|v| graph.values[v.index()].1));
        }
    }
    let mut new = graph.empty_like();
    // Constants that nothing uses any more are dropped.
    new.constants.clear();
    let mut constants = vec![None; graph.constants.len()];
    let mut map = vec![ValueId::POISON; graph.values.len()];
    for (node, _) in graph.nodes.iter().zip(&live).filter(|(_, live)| **live) {
        let inputs: Vec<ValueId> = node.inputs.iter().map(|v| map[v.index()]).collect();
        let results = match node.op {
            Op::Constant(n) => {
                let at = *constants[n as usize].get_or_insert_with(|| {
                    new.constants.push(graph.constants[n as usize].clone());
                    new.constants.len() as u16 - 1
                });
                vec![new.push(Op::Constant(at), &[])?]
            }
            _ => copy(&mut new, node, &inputs)?,
        };
        for (old, now) in node.outputs().zip(results) {
            map[old.index()] = now;
        }
    }
    translate_roots(graph, &mut new, &map)?;
    Ok(new)
}

/// Computes equal ops on equal operands once.
pub fn cse(graph: &Graph) -> Result<Graph> {
    // Nodes by their first operand; those without one come first.
    let mut seen: Vec<Vec<usize>> = vec![Vec::new(); graph.values.len() + 1];
    rebuild(graph, &mut |new, node, inputs| {
        let candidates = &mut seen[inputs.first().map_or(0, |v| v.index() + 1)];
        let same = |n: &&usize| new.nodes[**n].inputs == inputs && new.nodes[**n].op == node.op;
        if let Some(&n) = candidates.iter().find(same) {
            return Ok(new.nodes[n].outputs().collect());
        }
        candidates.push(new.nodes.len());
        copy(new, node, inputs)
    })
}

/// Computes ops on constants while compiling.
pub fn fold(graph: &Graph) -> Result<Graph> {
    rebuild(graph, &mut |new, node, inputs| {
        let kind = graph.kind(node.first);
        let counted = matches!(node.op, Op::Iota(_));
        let constant = |v: &ValueId| matches!(new.producer(*v).op, Op::Constant(_) | Op::Scalar(..));
        let worth = (counted || !inputs.is_empty()) && !node.op.is_source() && node.results == 1;
        // A broadcast scalar is read in place by fused loops: nothing to gain from storing it.
        let spread = matches!(node.op, Op::Broadcast(_) | Op::Reshape(_));
        if !worth || spread || !inputs.iter().all(constant) || kind.0.numel() > FOLD_LIMIT {
            return copy(new, node, inputs);
        }
        let operands: Vec<Tensor> = inputs.iter().map(|&v| constant_of(new, v)).collect::<Result<_>>()?;
        let mut reads = heapless::Vec::<View, OPERANDS>::new();
        for t in &operands {
            reads.push(t.view()?).map_err(|_| misuse!("fold: too many operands"))?;
        }
        let cpu = Cpu::new(Level::Portable, None);
        let value =
            Tensor::filled(kind.0, kind.1, |y| node.op.run(&cpu, &reads, core::slice::from_mut(y), &mut []))?;
        if kind.0.rank() == 0 && kind.1 == DType::F32 {
            let bits = value.item()?.to_bits();
            return Ok(vec![new.push(Op::Scalar(DType::F32, bits), &[])?]);
        }
        new.constants.push(value);
        let n = new.constants.len() as u16 - 1;
        Ok(vec![new.push(Op::Constant(n), &[])?])
    })
}

fn constant_of(graph: &Graph, v: ValueId) -> Result<Tensor> {
    match graph.producer(v).op {
        Op::Constant(n) => Ok(graph.constants[n as usize].clone()),
        Op::Scalar(DType::F32, bits) => Ok(Tensor::scalar(f32::from_bits(bits))),
        Op::Scalar(DType::I32, bits) => Ok(Tensor::scalar_i32(bits as i32)),
        Op::Scalar(DType::U8, bits) => Tensor::new(&[], vec![bits as u8]),
        Op::Scalar(DType::Bool, bits) => Tensor::new(&[], vec![bits != 0]),
        Op::Scalar(DType::I8, bits) => Tensor::new(&[], vec![bits as i8]),
        Op::Scalar(DType::F16, bits) => {
            Tensor::new(&[], vec![f16::from_bits(math::half_bits(f32::from_bits(bits)))])
        }
        _ => Err(misuse!("fold: not a constant")),
    }
}

/// The float that every element of a value is known to be.
fn splat(graph: &Graph, v: ValueId) -> Option<f32> {
    let node = graph.producer(v);
    match node.op {
        Op::Scalar(DType::F32, bits) => Some(f32::from_bits(bits)),
        Op::Broadcast(_) | Op::Reshape(_) => splat(graph, node.inputs[0]),
        _ => None,
    }
}

/// Algebra that holds for every float, NaN and infinities included, and movements that cancel.
pub fn simplify(graph: &Graph) -> Result<Graph> {
    rebuild(graph, &mut |new, node, inputs| {
        if let Some(same) = identity(new, node, inputs) {
            return Ok(vec![same]);
        }
        let below = inputs.first().map(|&v| new.producer(v).clone());
        let merged = match (&node.op, below) {
            (Op::Reshape(to), Some(Node { op: Op::Reshape(_), inputs, .. })) => {
                Some((Op::Reshape(*to), inputs))
            }
            (Op::Broadcast(to), Some(Node { op: Op::Broadcast(_), inputs, .. })) => {
                Some((Op::Broadcast(*to), inputs))
            }
            (Op::Reshape(to), Some(Node { op: Op::Broadcast(_), inputs, .. }))
                if new.kind(inputs[0]).0.rank() == 0 =>
            {
                Some((Op::Broadcast(*to), inputs))
            }
            (Op::Transpose(outer), Some(Node { op: Op::Transpose(inner), inputs, .. })) => {
                let order = outer.iter().map(|&a| inner[a as usize]).collect();
                Some((Op::Transpose(order), inputs))
            }
            (Op::Matmul(ta, tb), _) => transposed_operands(new, *ta, *tb, inputs),
            _ => None,
        };
        match merged {
            Some((op, inputs)) => Ok(vec![new.push(op, &inputs)?]),
            None => copy(new, node, inputs),
        }
    })
}

/// The operand that the node equals, if it equals one.
fn identity(new: &Graph, node: &Node, inputs: &[ValueId]) -> Option<ValueId> {
    let is = |n: usize, value: f32| splat(new, inputs[n]) == Some(value);
    let x = *inputs.first()?;
    let (shape, dtype) = new.kind(x);
    let same = match &node.op {
        Op::StopGradient => true,
        Op::Reshape(to) | Op::Broadcast(to) => shape == *to,
        Op::Cast(to) => dtype == *to,
        Op::Transpose(order) => order.iter().enumerate().all(|(i, &a)| i == a as usize),
        Op::Slice(_, to) | Op::Pad(_, to) => shape == *to,
        Op::Concat(_) => inputs.len() == 1,
        Op::Binary(Binary::Mul) if is(0, 1.0) => return Some(inputs[1]),
        Op::Binary(Binary::Mul | Binary::Div) => is(1, 1.0),
        // x + (-0) and x - 0 are x for every x; x + 0 only differs for x = -0, which compares equal.
        Op::Binary(Binary::Add) if is(0, 0.0) => return Some(inputs[1]),
        Op::Binary(Binary::Add | Binary::Sub) => is(1, 0.0),
        Op::Unary(Unary::Neg) => {
            let below = new.producer(x);
            return matches!(below.op, Op::Unary(Unary::Neg)).then(|| below.inputs[0]);
        }
        _ => false,
    };
    same.then_some(x)
}

/// A product of transposed operands as a product with flags.
fn transposed_operands(new: &Graph, ta: bool, tb: bool, inputs: &[ValueId]) -> Option<(Op, Vec<ValueId>)> {
    let swapped = |v: ValueId| {
        let node = new.producer(v);
        let Op::Transpose(order) = &node.op else { return None };
        let n = order.len();
        let plain = order[..n - 2].iter().enumerate().all(|(i, &a)| i == a as usize);
        (plain && order[n - 2] as usize == n - 1).then(|| node.inputs[0])
    };
    let (a, b) = (swapped(inputs[0]), swapped(inputs[1]));
    if a.is_none() && b.is_none() {
        return None;
    }
    let op = Op::Matmul(ta ^ a.is_some(), tb ^ b.is_some());
    Some((op, vec![a.unwrap_or(inputs[0]), b.unwrap_or(inputs[1])]))
}
