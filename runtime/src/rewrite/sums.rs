//! Sums of many parts as one: what the gradients of unrolled loops are made of.

use super::translate_roots;
use crate::graph::Graph;
use crate::op::{Binary, OPERANDS, Op, ValueId};
use crate::{Result, Shape};
use alloc::vec;
use alloc::vec::Vec;

/// The fewest products that are worth bringing their operands together.
const PRODUCTS: usize = 4;

/// Computes a sum of boxes in zeros that do not overlap (gradients of slices) as a concatenation, and a sum of
/// products `aᵀ · b` (gradients of a weight that is used at every step) as one product of all rows.
pub fn sums(graph: &Graph) -> Result<Graph> {
    let inner = absorbed(graph);
    let mut new = graph.empty_like();
    let mut map = vec![ValueId::POISON; graph.values.len()];
    for (n, node) in graph.nodes.iter().enumerate() {
        let inputs: Vec<ValueId> = node.inputs.iter().map(|v| map[v.index()]).collect();
        let together = match is_add(graph, n) && !inner[n] {
            true => Sum::of(graph, n, &inner).emit(&mut new, &map)?,
            false => None,
        };
        let first = match together {
            Some(value) => value,
            None => new.push(node.op.clone(), &inputs)?,
        };
        for (i, v) in node.outputs().enumerate() {
            map[v.index()] = ValueId(first.0 + i as u32);
        }
    }
    translate_roots(graph, &mut new, &map)?;
    Ok(new)
}

fn is_add(graph: &Graph, n: usize) -> bool {
    matches!(graph.nodes[n].op, Op::Binary(Binary::Add))
}

fn producer(graph: &Graph, v: ValueId) -> usize {
    graph.values[v.index()].1 as usize
}

/// The additions whose only use is in another addition.
fn absorbed(graph: &Graph) -> Vec<bool> {
    let mut uses = vec![0u32; graph.values.len()];
    let inputs = graph.nodes.iter().flat_map(|n| n.inputs.iter().copied());
    for v in inputs.chain(graph.roots()) {
        uses[v.index()] += 1;
    }
    let mut inner = vec![false; graph.nodes.len()];
    for n in (0..graph.nodes.len()).filter(|n| is_add(graph, *n)) {
        for v in &graph.nodes[n].inputs {
            let p = producer(graph, *v);
            inner[p] = is_add(graph, p) && uses[v.index()] == 1;
        }
    }
    inner
}

/// The terms of a sum.
struct Sum<'g> {
    graph: &'g Graph,
    shape: Shape,
    /// Terms that stay as they are.
    terms: Vec<ValueId>,
    /// For each axis the boxes along it: where they begin and end, and what is in them.
    boxes: Vec<Vec<(usize, usize, ValueId)>>,
    /// Operands of products; each has the shape of the sum.
    products: Vec<(ValueId, ValueId)>,
}

impl<'g> Sum<'g> {
    fn of(graph: &'g Graph, n: usize, inner: &[bool]) -> Sum<'g> {
        let shape = graph.kind(graph.nodes[n].first).0;
        let boxes = vec![Vec::new(); shape.rank()];
        let mut sum = Sum { graph, shape, terms: Vec::new(), boxes, products: Vec::new() };
        let mut stack = vec![n];
        while let Some(n) = stack.pop() {
            for &v in graph.nodes[n].inputs.iter().rev() {
                let p = producer(graph, v);
                if inner[p] { stack.push(p) } else { sum.add(v) }
            }
        }
        sum
    }

    fn add(&mut self, v: ValueId) {
        let node = &self.graph.nodes[producer(self.graph, v)];
        match &node.op {
            Op::Pad(begin, _) => {
                let x = node.inputs[0];
                let own = self.graph.kind(x).0;
                let differs = |a: &usize| own.dim(*a as isize) != self.shape.dim(*a as isize);
                let mut axes = (0..own.rank()).filter(differs);
                match (axes.next(), axes.next()) {
                    (Some(a), None) => {
                        let at = begin[a] as usize;
                        self.boxes[a].push((at, at + own.dim(a as isize), x));
                    }
                    _ => self.terms.push(v),
                }
            }
            Op::Matmul(true, false) if self.shape.rank() == 2 => {
                self.products.push((node.inputs[0], node.inputs[1]));
            }
            _ => self.terms.push(v),
        }
    }

    /// The sum in `new`, if it has parts that can be brought together.
    fn emit(mut self, new: &mut Graph, map: &[ValueId]) -> Result<Option<ValueId>> {
        let products: Vec<(ValueId, ValueId)> = core::mem::take(&mut self.products);
        let boxes = self.boxes.iter().any(|b| b.len() > 1);
        if !boxes && products.len() < PRODUCTS {
            return Ok(None);
        }
        let mut total: Option<ValueId> = None;
        let mut terms: Vec<ValueId> = self.terms.iter().map(|v| map[v.index()]).collect();
        for (axis, mut boxes) in core::mem::take(&mut self.boxes).into_iter().enumerate() {
            boxes.sort_by_key(|b| b.0);
            terms.extend(self.tiles(new, map, axis, boxes)?);
        }
        if products.len() < PRODUCTS {
            for (a, b) in products {
                terms.push(new.push(Op::Matmul(true, false), &[map[a.index()], map[b.index()]])?);
            }
        } else {
            terms.push(self.product(new, map, products)?);
        }
        for term in terms {
            total = Some(match total {
                Some(so_far) => new.push(Op::Binary(Binary::Add), &[so_far, term])?,
                None => term,
            });
        }
        Ok(total)
    }

    /// Boxes along one axis as few values of the sum's shape; boxes that overlap go to different ones.
    fn tiles(
        &self,
        new: &mut Graph,
        map: &[ValueId],
        axis: usize,
        mut boxes: Vec<(usize, usize, ValueId)>,
    ) -> Result<Vec<ValueId>> {
        let (a, extent) = (axis as isize, self.shape.dim(axis as isize));
        let mut tiled = Vec::new();
        while let Some(&(_, _, any)) = boxes.first() {
            let dtype = self.graph.kind(any).1;
            let (mut parts, mut rest, mut end) = (Vec::new(), Vec::new(), 0);
            let gap = |new: &mut Graph, from: usize, to: usize| -> Result<ValueId> {
                let zero = new.push(Op::Scalar(dtype, 0), &[])?;
                new.push(Op::Broadcast(self.shape.with_dim(a, to - from)), &[zero])
            };
            for (from, to, x) in boxes {
                if from < end {
                    rest.push((from, to, x));
                    continue;
                }
                if from > end {
                    parts.push(gap(new, end, from)?);
                }
                parts.push(map[x.index()]);
                end = to;
            }
            if end < extent {
                parts.push(gap(new, end, extent)?);
            }
            tiled.push(concat(new, parts, axis)?);
            boxes = rest;
        }
        Ok(tiled)
    }

    /// The sum of the products as the product of all rows.
    fn product(
        &self,
        new: &mut Graph,
        map: &[ValueId],
        mut products: Vec<(ValueId, ValueId)>,
    ) -> Result<ValueId> {
        // In the order in which a loop computes the left operands.
        products.sort_by_key(|p| p.0);
        let mut rows = |operands: Vec<ValueId>| -> Result<ValueId> {
            let alike = |v: &ValueId| self.graph.kind(*v).0 == self.graph.kind(operands[0]).0;
            if !operands.iter().all(alike) {
                return concat(new, operands.iter().map(|v| map[v.index()]).collect(), 0);
            }
            // Stacked as the outputs of a loop are, so that what is stacked already is found again.
            let one = self.graph.kind(operands[0]).0;
            let (height, width) = (one.dim(0), one.dim(1));
            let mut stacked = Vec::new();
            for v in &operands {
                let shape = Shape::new(&[1, height, width])?;
                stacked.push(new.push(Op::Reshape(shape), &[map[v.index()]])?);
            }
            let all = concat(new, stacked, 0)?;
            new.push(Op::Reshape(Shape::new(&[operands.len() * height, width])?), &[all])
        };
        let a = rows(products.iter().map(|p| p.0).collect())?;
        let b = rows(products.iter().map(|p| p.1).collect())?;
        new.push(Op::Matmul(true, false), &[a, b])
    }
}

/// Values one after another, in groups of as many as an op takes.
fn concat(new: &mut Graph, values: Vec<ValueId>, axis: usize) -> Result<ValueId> {
    let mut level = values;
    while level.len() > 1 {
        let mut above = Vec::new();
        for group in level.chunks(OPERANDS) {
            above.push(match group {
                [one] => *one,
                _ => new.push(Op::Concat(axis as u8), group)?,
            });
        }
        level = above;
    }
    Ok(level[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rewrite::{cse, dce};
    use crate::{DType, Plan, PlanOptions, Session, Tensor, Trace, Variables, autodiff};

    /// A loop of `h' = tanh(x_t + h · w)`, its gradients, and what they are at some point.
    fn unrolled(optimize: bool) -> Result<(Graph, Vec<Vec<f32>>)> {
        let trace = Trace::new(&Variables::new());
        {
            let x = trace.input("x", Shape::new(&[6, 2, 3])?, DType::F32);
            let w = trace.input("w", Shape::new(&[3, 3])?, DType::F32);
            let mut h = trace.scalar(0.1).broadcast(Shape::new(&[2, 3])?);
            for t in 0..5 {
                h = (x.slice(&[t, 0, 0], &[1, 2, 3]).reshape(&[2, 3]) + h.matmul(w)).tanh();
            }
            let loss = h.square().sum(&[], false);
            for (name, g) in ["x", "w"].iter().zip(autodiff::grad(loss, &[x, w])) {
                trace.output(name, g);
            }
        }
        let graph = trace.finish()?;
        let plan = Plan::compile(&graph, &PlanOptions { optimize, ..PlanOptions::default() })?;
        let mut session = Session::new(plan, &Default::default())?;
        let values = |n: usize| -> Vec<f32> { (0..n).map(|i| (i as f32 * 0.7) % 1.3 - 0.6).collect() };
        session.set_input(0, &Tensor::new(&[6, 2, 3], values(36))?)?;
        session.set_input(1, &Tensor::new(&[3, 3], values(9))?)?;
        let mut variables = Variables::new();
        session.run(&mut variables)?;
        let got = (0..2).map(|n| Ok(session.output_tensor(n, &variables)?.to_f32_vec()));
        Ok((graph, got.collect::<Result<_>>()?))
    }

    #[test]
    fn a_loop_has_no_padded_gradients_and_one_product_for_its_weight() -> Result<()> {
        let (graph, want) = unrolled(false)?;
        let count = |graph: &Graph, f: fn(&Op) -> bool| graph.nodes.iter().filter(|n| f(&n.op)).count();
        let pads = |op: &Op| matches!(op, Op::Pad(..));
        let products = |op: &Op| matches!(op, Op::Matmul(true, false));
        assert_eq!((count(&graph, pads), count(&graph, products)), (5, 5));
        let together = dce(&cse(&sums(&graph)?)?)?;
        assert_eq!((count(&together, pads), count(&together, products)), (0, 1));
        let (_, got) = unrolled(true)?;
        for (got, want) in got.iter().flatten().zip(want.iter().flatten()) {
            assert!((got - want).abs() <= 1e-6, "{got} {want}");
        }
        Ok(())
    }
}
