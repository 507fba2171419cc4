//! Fusion: elementwise ops of one shape that feed each other become one region with several results.

use super::translate_roots;
use crate::graph::Graph;
use crate::kernel::COMPACT;
use crate::kernel::tile::REGISTERS;
use crate::op::region::{CODE, Instruction, READS, Region, WRITES};
use crate::op::{Op, ValueId, elementwise};
use crate::{Result, misuse};
use alloc::vec;
use alloc::vec::Vec;
use heapless::Vec as Fixed;

/// Merges elementwise ops into regions, greedily along the edges between them, as long as a region stays within
/// its limits and no cycle arises.
pub fn fuse(graph: &Graph) -> Result<Graph> {
    let groups = Groups::form(graph);
    Emitter {
        graph,
        groups: &groups,
        new: graph.empty_like(),
        map: vec![ValueId::POISON; graph.values.len()],
        done: vec![false; graph.nodes.len()],
    }
    .emit()
}

/// A partition of the elementwise nodes.
struct Groups {
    /// The group of each node; `usize::MAX` for nodes that are no region.
    of: Vec<usize>,
    /// The nodes of each group in graph order.
    members: Vec<Vec<usize>>,
    /// The nodes that read each node's results.
    users: Vec<Vec<usize>>,
    /// Whether a root is among a node's results.
    root: Vec<bool>,
    /// A place for each node such that operands come first; the nodes of a group have one place. It bounds the
    /// search for cycles (Pearce and Kelly, "A dynamic topological sort algorithm for directed acyclic graphs",
    /// 2006).
    place: Vec<usize>,
    /// The search that last saw each node.
    seen: Vec<u32>,
    searches: u32,
}

impl Groups {
    fn form(graph: &Graph) -> Groups {
        let n = graph.nodes.len();
        let mut g = Groups {
            of: vec![usize::MAX; n],
            members: Vec::new(),
            users: vec![Vec::new(); n],
            root: vec![false; n],
            place: (0..n).collect(),
            seen: vec![0; n],
            searches: 0,
        };
        for (i, node) in graph.nodes.iter().enumerate() {
            for v in &node.inputs {
                g.users[producer(graph, *v)].push(i);
            }
        }
        for v in graph.roots() {
            g.root[producer(graph, v)] = true;
        }
        for (i, node) in graph.nodes.iter().enumerate() {
            if !node.op.is_elementwise() {
                continue;
            }
            g.of[i] = g.members.len();
            g.members.push(vec![i]);
            let shape = graph.kind(node.first).0;
            for v in &node.inputs {
                let p = producer(graph, *v);
                let joinable = g.of[p] != usize::MAX
                    && g.of[p] != g.of[i]
                    && graph.kind(graph.nodes[p].first).0 == shape;
                if joinable {
                    g.try_merge(graph, g.of[p], g.of[i]);
                }
            }
        }
        g
    }

    /// Merges group `b` into group `a`, whose results it reads, if the result is a legal region.
    fn try_merge(&mut self, graph: &Graph, a: usize, b: usize) {
        let union = merged(&self.members[a], &self.members[b]);
        if self.program(graph, &union).is_none() || !self.make_room(graph, a, b) {
            return;
        }
        for &m in &self.members[b] {
            self.of[m] = a;
        }
        self.members[b].clear();
        self.members[a] = union;
    }

    /// Gives groups `a` and `b` one place, with everything that `b` needs before it and everything that needs `a`
    /// after it; false where a value that leaves `a` comes to `b` through other nodes.
    fn make_room(&mut self, graph: &Graph, a: usize, b: usize) -> bool {
        let (first, last) = (self.place[self.members[a][0]], self.place[self.members[b][0]]);
        let Some(mut before) = self.reach(b, Some(a), |g, n, to| {
            let inputs = graph.nodes[n].inputs.iter().map(|v| producer(graph, *v));
            to.extend(inputs.filter(|&p| g.place[p] >= first));
        }) else {
            return false;
        };
        let Some(mut after) = self.reach(a, None, |g, n, to| {
            to.extend(g.users[n].iter().copied().filter(|&u| g.place[u] < last));
        }) else {
            return false;
        };
        // The places of all that moves, filled again in order; one stays free.
        before.sort_unstable_by_key(|n| self.place[*n]);
        after.sort_unstable_by_key(|n| self.place[*n]);
        let moving = before.iter().chain(&after);
        let mut places: Vec<usize> = moving.map(|n| self.place[*n]).chain([first, last]).collect();
        places.sort_unstable();
        let mut free = places.into_iter();
        let groups = before.iter().map(|n| Ok(*n)).chain([Err(())]).chain(after.iter().map(|n| Ok(*n)));
        for (unit, place) in groups.zip(free.by_ref()) {
            let members: &[usize] = match unit {
                Ok(n) if self.of[n] == usize::MAX => &[n],
                Ok(n) => &self.members[self.of[n]],
                Err(()) => {
                    for &m in self.members[a].iter().chain(&self.members[b]) {
                        self.place[m] = place;
                    }
                    continue;
                }
            };
            for &m in members {
                self.place[m] = place;
            }
        }
        true
    }

    /// One node of each group, and each node without one, that `step` leads to from a group, over any number of
    /// steps; `None` where they lead to `forbidden` other than at once.
    fn reach(
        &mut self,
        from: usize,
        forbidden: Option<usize>,
        step: impl Fn(&Groups, usize, &mut Vec<usize>),
    ) -> Option<Vec<usize>> {
        self.searches += 1;
        let (mut found, mut stack) = (Vec::new(), Vec::new());
        for &m in &self.members[from] {
            step(self, m, &mut stack);
        }
        stack.retain(|n| Some(self.of[*n]) != forbidden);
        while let Some(n) = stack.pop() {
            let group = self.of[n];
            if group == from || core::mem::replace(&mut self.seen[n], self.searches) == self.searches {
                continue;
            }
            if Some(group) == forbidden {
                return None;
            }
            found.push(n);
            if group == usize::MAX {
                step(self, n, &mut stack);
                continue;
            }
            for &m in &self.members[group] {
                self.seen[m] = self.searches;
                step(self, m, &mut stack);
            }
        }
        Some(found)
    }

    /// The region of these nodes, the values it reads and those it gives; `None` beyond the limits.
    fn program(&self, graph: &Graph, members: &[usize]) -> Option<(Region, Vec<ValueId>, Vec<ValueId>)> {
        let shape = graph.kind(graph.nodes[members[0]].first).0;
        let inside = |v: ValueId| members.binary_search(&producer(graph, v)).is_ok();
        let mut reads: Vec<ValueId> = Vec::new();
        let mut immediates: Vec<u32> = Vec::new();
        for &m in members {
            for &v in graph.nodes[m].inputs.iter().filter(|v| !inside(**v)) {
                match source(graph, v) {
                    Source::Immediate(bits) if immediates.contains(&bits) => {}
                    Source::Immediate(bits) => immediates.push(bits),
                    Source::Value(v) if reads.contains(&v) => {}
                    Source::Value(v) => reads.push(v),
                }
            }
        }
        let escapes =
            |m: &usize| self.root[*m] || self.users[*m].iter().any(|u| members.binary_search(u).is_err());
        let results: Vec<usize> = members.iter().copied().filter(escapes).collect();
        if reads.len() > READS || immediates.len() > READS || results.len() > WRITES {
            return None;
        }
        let firsts = same_as(graph, members);
        let first_of = |node: usize| firsts[members.binary_search(&node).unwrap_or(0)];
        let fixed = reads.len() + immediates.len();
        let mut free: Vec<bool> = vec![true; REGISTERS.checked_sub(fixed)?];
        let mut register: Vec<(usize, u8)> = Vec::new();
        let mut code = Fixed::new();
        for (position, &m) in members.iter().enumerate() {
            if first_of(m) != m {
                continue;
            }
            let node = &graph.nodes[m];
            let mut operands = [0u8; 3];
            for (slot, &v) in operands.iter_mut().zip(&node.inputs) {
                *slot = if inside(v) {
                    let p = first_of(producer(graph, v));
                    register.iter().find(|r| r.0 == p)?.1
                } else {
                    match source(graph, v) {
                        Source::Immediate(bits) => {
                            (reads.len() + immediates.iter().position(|i| *i == bits)?) as u8
                        }
                        Source::Value(v) => reads.iter().position(|r| *r == v)? as u8,
                    }
                };
            }
            let mut take = || {
                let at = free.iter().position(|f| *f)?;
                free[at] = false;
                Some((fixed + at) as u8)
            };
            let (first, second) = elementwise::scalar(&node.op, graph.kind(*node.inputs.first()?).1);
            let to = take()?;
            let [a, b, c] = operands;
            code.push(Instruction { op: first, to, a, b, c }).ok()?;
            let to = match second {
                Some(op) => {
                    let end = take()?;
                    code.push(Instruction { op, to: end, a: to, b: to, c: to }).ok()?;
                    free[to as usize - fixed] = true;
                    end
                }
                None => to,
            };
            register.push((m, to));
            // Registers whose last reader was this node are free again.
            let later = &members[position + 1..];
            let needed = |p: usize| {
                let same = members.iter().filter(|&&m| first_of(m) == p);
                same.into_iter()
                    .any(|m| results.contains(m) || self.users[*m].iter().any(|u| later.contains(u)))
            };
            register.retain(|&(p, r)| {
                let needed = needed(p);
                free[r as usize - fixed] |= !needed;
                needed
            });
        }
        debug_assert!(code.len() <= CODE);
        let of = |m: &usize| register.iter().find(|r| r.0 == first_of(*m)).map(|r| r.1);
        let region = Region {
            reads: reads.len() as u8,
            immediates: immediates.iter().copied().collect(),
            results: results.iter().map(of).collect::<Option<_>>()?,
            dtypes: results.iter().map(|&m| graph.kind(graph.nodes[m].first).1).collect(),
            code,
            shape,
            summed: results.iter().map(|_| 0).collect(),
        };
        let values = results.iter().map(|&m| graph.nodes[m].first).collect();
        Some((region, reads, values))
    }
}

/// For each member the first one that computes the same: values computed again for each reader come together where the
/// readers do.
fn same_as(graph: &Graph, members: &[usize]) -> Vec<usize> {
    if COMPACT {
        // Nothing is computed again.
        return members.to_vec();
    }
    let mut first: Vec<usize> = Vec::with_capacity(members.len());
    for (position, &m) in members.iter().enumerate() {
        let of = |v: ValueId| match members[..position].binary_search(&producer(graph, v)) {
            Ok(at) => graph.nodes[first[at]].first,
            Err(_) => v,
        };
        let node = &graph.nodes[m];
        let same = |q: &&usize| {
            let other = &graph.nodes[**q];
            other.op == node.op
                && other.inputs.len() == node.inputs.len()
                && other.inputs.iter().zip(&node.inputs).all(|(a, b)| of(*a) == of(*b))
        };
        first.push(
            members[..position]
                .iter()
                .find(same)
                .map_or(m, |q| first[members[..position].binary_search(q).unwrap_or(0)]),
        );
    }
    first
}

fn producer(graph: &Graph, v: ValueId) -> usize {
    graph.values[v.index()].1 as usize
}

/// Two ascending lists as one.
fn merged(a: &[usize], b: &[usize]) -> Vec<usize> {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let mut union = Vec::with_capacity(a.len() + b.len());
    while let Some(next) = match (a.peek(), b.peek()) {
        (Some(x), Some(y)) if x <= y => a.next(),
        (Some(_), None) => a.next(),
        _ => b.next(),
    } {
        union.push(*next);
    }
    union
}

/// Where a region gets an operand from.
enum Source {
    /// Part of the program.
    Immediate(u32),
    /// Memory; broadcasting happens while reading.
    Value(ValueId),
}

fn source(graph: &Graph, v: ValueId) -> Source {
    let node = &graph.nodes[producer(graph, v)];
    match node.op {
        Op::Scalar(_, bits) => Source::Immediate(bits),
        Op::Broadcast(_) => source(graph, node.inputs[0]),
        _ => Source::Value(v),
    }
}

/// Writes nodes and groups in an order in which operands come first, close to the graph's own.
struct Emitter<'g> {
    graph: &'g Graph,
    groups: &'g Groups,
    new: Graph,
    map: Vec<ValueId>,
    done: Vec<bool>,
}

impl Emitter<'_> {
    fn emit(mut self) -> Result<Graph> {
        for i in 0..self.graph.nodes.len() {
            let group = self.groups.of[i];
            let last = group == usize::MAX || self.groups.members[group].last() == Some(&i);
            if last {
                self.demand(i)?;
            }
        }
        let Emitter { graph, mut new, map, .. } = self;
        translate_roots(graph, &mut new, &map)?;
        Ok(new)
    }

    /// Emits a node, after everything that it or its group needs.
    fn demand(&mut self, start: usize) -> Result<()> {
        let mut stack = vec![start];
        while let Some(&n) = stack.last() {
            if self.done[n] {
                stack.pop();
                continue;
            }
            let group = self.groups.of[n];
            let single = [n];
            let members: &[usize] = if group == usize::MAX { &single } else { &self.groups.members[group] };
            let before = stack.len();
            for &m in members {
                let inputs = self.graph.nodes[m].inputs.iter().map(|v| producer(self.graph, *v));
                stack.extend(inputs.filter(|p| !self.done[*p] && !members.contains(p)));
            }
            if stack.len() > before {
                if stack.len() > 64 * self.graph.nodes.len() + 64 {
                    return Err(misuse!("fuse: the regions depend on each other"));
                }
                continue;
            }
            if group == usize::MAX {
                self.emit_node(n)?
            } else {
                self.emit_group(group)?
            }
            stack.pop();
        }
        Ok(())
    }

    fn emit_node(&mut self, n: usize) -> Result<()> {
        let node = &self.graph.nodes[n];
        let inputs: Vec<ValueId> = node.inputs.iter().map(|v| self.map[v.index()]).collect();
        let first = self.new.push(node.op.clone(), &inputs)?;
        for (i, v) in node.outputs().enumerate() {
            self.map[v.index()] = ValueId(first.0 + i as u32);
        }
        self.done[n] = true;
        Ok(())
    }

    fn emit_group(&mut self, group: usize) -> Result<()> {
        let members = &self.groups.members[group];
        let program = self.groups.program(self.graph, members);
        let (region, reads, values) =
            program.ok_or_else(|| misuse!("fuse: a region is beyond its limits"))?;
        let inputs: Vec<ValueId> = reads.iter().map(|v| self.map[v.index()]).collect();
        let first = self.new.push(Op::Region(region), &inputs)?;
        for (i, v) in values.iter().enumerate() {
            self.map[v.index()] = ValueId(first.0 + i as u32);
        }
        for &m in members {
            self.done[m] = true;
        }
        Ok(())
    }
}
