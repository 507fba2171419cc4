//! From graph to plan: every value gets a place.

use super::memory::{self, Lifetime};
use super::{NamedSlot, Place, Plan, Slot, Step};
use crate::arena::Buffer;
use crate::graph::{Graph, Port};
use crate::kernel::COMPACT;
use crate::op::region::{Instruction, Region, Scalar};
use crate::op::{Kind, Node, Op, ValueId};
use crate::variables::{ALIGN, Variables};
use crate::{DType, Result, Shape, misuse, rewrite};
use alloc::vec;
use alloc::vec::Vec;
use heapless::Vec as Fixed;

/// How to compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanOptions {
    /// Run the rewrite passes (fold, simplify, cse, dce) and fuse elementwise ops.
    pub optimize: bool,
    /// Let regions overwrite operands that are not read again, and variables.
    pub in_place: bool,
    /// Reserve the scratch memory that the fast matrix kernels pack into.
    pub workspace: bool,
    /// Take sums in one order on every target, for devices with strict arithmetic: which passes a build has then
    /// changes no result.
    pub strict: bool,
}

impl Default for PlanOptions {
    fn default() -> PlanOptions {
        PlanOptions { optimize: true, in_place: true, workspace: true, strict: false }
    }
}

/// Where a value lives before offsets are known.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Home {
    /// In arena buffer `n`, so many bytes from its beginning.
    Buffer(usize, u32),
    /// A fixed place.
    Fixed(Place, u32),
}

/// An arena buffer under construction.
struct Room {
    life: Lifetime,
    /// Inputs and outputs keep their bytes during the whole run.
    pinned: bool,
    /// The room of which this one is a part, and where in it: what is concatenated is computed in place.
    inside: Option<(usize, u32)>,
}

/// A step whose slots are homes.
struct Draft {
    op: Op,
    reads: Vec<(Home, Kind)>,
    writes: Vec<(Home, Kind)>,
    workspace: Option<usize>,
}

struct Compiler<'g> {
    graph: &'g Graph,
    options: PlanOptions,
    homes: Vec<Option<Home>>,
    rooms: Vec<Room>,
    steps: Vec<Draft>,
    constants: Buffer,
    variable_offsets: Vec<u32>,
}

impl Plan {
    /// Compiles a graph.
    ///
    /// **Errors** when the graph is inconsistent or needs more than 2 GiB.
    pub fn compile(graph: &Graph, options: &PlanOptions) -> Result<Plan> {
        Plan::compile_graph(graph, None, options)
    }

    /// Compiles a graph for inference: the variables become constants of the plan, with their present values.
    ///
    /// **Errors** as [`compile`](Plan::compile), and when the graph assigns variables.
    pub fn compile_frozen(graph: &Graph, variables: &Variables, options: &PlanOptions) -> Result<Plan> {
        if !graph.assigns.is_empty() {
            return Err(misuse!("plan: a graph that assigns variables cannot be frozen"));
        }
        let mut frozen = graph.clone();
        let base = frozen.constants.len();
        for (id, _) in variables.iter() {
            frozen.constants.push(variables.get(id)?);
        }
        for node in &mut frozen.nodes {
            if let Op::Variable(n) = node.op {
                node.op = Op::Constant(base as u16 + n);
            }
        }
        frozen.variables.clear();
        Plan::compile_graph(&frozen, None, options)
    }

    fn compile_graph(graph: &Graph, _: Option<&Variables>, options: &PlanOptions) -> Result<Plan> {
        let optimized;
        let graph = if options.optimize {
            optimized = rewrite::optimize(graph, options.workspace, options.strict)?;
            &optimized
        } else {
            optimized = rewrite::dce(graph)?;
            &optimized
        };
        let mut c = Compiler {
            graph,
            options: *options,
            homes: vec![None; graph.values.len()],
            rooms: Vec::new(),
            steps: Vec::new(),
            constants: Buffer::default(),
            variable_offsets: variable_offsets(&graph.variables),
        };
        c.inputs()?;
        c.lower()?;
        c.assigns()?;
        let hoisted = c.hoist();
        c.lifetimes();
        c.keep(hoisted);
        if options.in_place {
            c.in_place();
        }
        c.finish(hoisted)
    }
}

/// The offset of each variable: the layout of [`Variables`].
fn variable_offsets(ports: &[Port]) -> Vec<u32> {
    let mut next = 0usize;
    let offset = |p: &Port| {
        let at = next;
        next = (at + p.kind.0.numel() * p.kind.1.size()).next_multiple_of(ALIGN);
        at as u32
    };
    ports.iter().map(offset).collect()
}

fn bytes(kind: &Kind) -> usize {
    kind.0.numel() * kind.1.size()
}

impl Compiler<'_> {
    fn room(&mut self, bytes: usize, pinned: bool) -> usize {
        self.rooms.push(Room { life: Lifetime { bytes, first: usize::MAX, last: 0 }, pinned, inside: None });
        self.rooms.len() - 1
    }

    fn home(&self, v: ValueId) -> Result<Home> {
        self.homes[v.index()].ok_or_else(|| misuse!("plan: a value is used before it is computed"))
    }

    fn operand(&self, v: ValueId) -> Result<(Home, Kind)> {
        Ok((self.home(v)?, self.graph.kind(v)))
    }

    /// Inputs have rooms even where nothing reads them, so that callers may always write them.
    fn inputs(&mut self) -> Result<()> {
        let kinds: Vec<Kind> = self.graph.inputs.iter().map(|p| p.kind).collect();
        let rooms: Vec<usize> = kinds.iter().map(|k| self.room(bytes(k), true)).collect();
        for node in &self.graph.nodes {
            if let Op::Input(n) = node.op {
                self.homes[node.first.index()] = Some(Home::Buffer(rooms[n as usize], 0));
            }
        }
        Ok(())
    }

    fn lower(&mut self) -> Result<()> {
        let mut constant_offsets = vec![None; self.graph.constants.len()];
        for node in &self.graph.nodes {
            let out = node.first.index();
            match &node.op {
                Op::Input(_) => {}
                Op::Variable(n) => {
                    self.homes[out] = Some(Home::Fixed(Place::Variables, self.variable_offsets[*n as usize]));
                }
                Op::Constant(n) => {
                    let n = *n as usize;
                    if constant_offsets[n].is_none() {
                        let value = &self.graph.constants[n];
                        let at = self.constants.len().next_multiple_of(memory::ALIGN);
                        self.constants.grow(at + value.numel() * value.dtype().size());
                        self.constants.write(at, value)?;
                        constant_offsets[n] = Some(at as u32);
                    }
                    self.homes[out] = constant_offsets[n].map(|at| Home::Fixed(Place::Constants, at));
                }
                Op::Reshape(_) | Op::StopGradient => self.homes[out] = Some(self.home(node.inputs[0])?),
                Op::Slice(begin, shape) if !COMPACT && self.options.in_place => {
                    let (home, (whole, dtype)) = self.operand(node.inputs[0])?;
                    match run_of(begin, shape, &whole) {
                        Some(first) => {
                            let offset = (first * dtype.size()) as u32;
                            self.homes[out] = Some(match home {
                                Home::Buffer(room, at) => Home::Buffer(room, at + offset),
                                Home::Fixed(place, at) => Home::Fixed(place, at + offset),
                            });
                        }
                        None => self.step(node)?,
                    }
                }
                Op::Concat(axis) if !COMPACT && self.options.in_place && self.joins(node, *axis as usize) => {
                    self.join(node)?;
                }
                _ => self.step(node)?,
            }
        }
        if !COMPACT {
            self.move_inside();
        }
        Ok(())
    }

    /// Adds the step that computes a node, with memory for its results.
    fn step(&mut self, node: &Node) -> Result<()> {
        let reads = node.inputs.iter().map(|&v| self.operand(v)).collect::<Result<Vec<_>>>()?;
        let kinds: Vec<Kind> = reads.iter().map(|r| r.1).collect();
        let words = if self.options.workspace { node.op.workspace(&kinds) } else { 0 };
        let workspace = (words > 0).then(|| self.room(words * 4, false));
        let mut writes = Vec::new();
        for v in node.outputs() {
            let kind = self.graph.kind(v);
            let home = Home::Buffer(self.room(bytes(&kind), false), 0);
            self.homes[v.index()] = Some(home);
            writes.push((home, kind));
        }
        self.steps.push(Draft { op: node.op.clone(), reads, writes, workspace });
        Ok(())
    }

    /// Whether a concatenation lays its operands one after another in memory.
    fn joins(&self, node: &Node, axis: usize) -> bool {
        let shape = self.graph.kind(node.first).0;
        (0..axis).all(|a| shape.dim(a as isize) == 1)
    }

    /// A concatenation without a step: the operands are computed in their places, or copied there.
    fn join(&mut self, node: &Node) -> Result<()> {
        let room = self.room(bytes(&self.graph.kind(node.first)), false);
        self.homes[node.first.index()] = Some(Home::Buffer(room, 0));
        let mut at = 0;
        for &v in &node.inputs {
            let (home, kind) = self.operand(v)?;
            let len = bytes(&kind);
            match home {
                Home::Buffer(n, 0) if self.may_move(n, len) => self.rooms[n].inside = Some((room, at)),
                _ if len > 0 => self.steps.push(copy_step(home, Home::Buffer(room, at), kind)),
                _ => {}
            }
            at += len as u32;
        }
        Ok(())
    }

    /// Whether a room is that of one computed value of so many bytes, which may be computed elsewhere.
    fn may_move(&self, room: usize, len: usize) -> bool {
        let Room { life, pinned, inside } = &self.rooms[room];
        life.bytes == len && !pinned && inside.is_none()
    }

    /// Replaces homes in rooms that are parts of others.
    fn move_inside(&mut self) {
        let rooms = &self.rooms;
        let settle = |home: &mut Home| {
            while let Home::Buffer(room, at) = *home
                && let Some((outer, first)) = rooms[room].inside
            {
                *home = Home::Buffer(outer, at + first);
            }
        };
        let uses = self.steps.iter_mut().flat_map(|s| s.reads.iter_mut().chain(s.writes.iter_mut()));
        uses.map(|s| &mut s.0).chain(self.homes.iter_mut().flatten()).for_each(settle);
    }

    /// New values of variables: computed in the variable's own place where every other step has read the old
    /// value before, else copied there at the end.
    fn assigns(&mut self) -> Result<()> {
        let mut copies = Vec::new();
        for (variable, value) in &self.graph.assigns {
            let to = Home::Fixed(Place::Variables, self.variable_offsets[variable.0 as usize]);
            let (from, kind) = self.operand(*value)?;
            if from == to {
                continue;
            }
            if self.options.in_place && self.computes_in_place(from, to, &kind) {
                self.rehome(from, to);
            } else {
                copies.push((from, to, kind));
            }
        }
        // A copied variable may be overwritten by another assignment: stage those first.
        for copy in &mut copies {
            if matches!(copy.0, Home::Fixed(Place::Variables, _)) {
                let staged = Home::Buffer(self.room(bytes(&copy.2), false), 0);
                self.steps.push(copy_step(copy.0, staged, copy.2));
                copy.0 = staged;
            }
        }
        self.steps.extend(copies.into_iter().map(|(from, to, kind)| copy_step(from, to, kind)));
        Ok(())
    }

    fn computes_in_place(&self, from: Home, to: Home, kind: &Kind) -> bool {
        let Home::Buffer(room, 0) = from else { return false };
        let part = |home: &Home| matches!(home, Home::Buffer(n, _) if *n == room) && *home != from;
        let parts = self.steps.iter().flat_map(|s| s.reads.iter().chain(&s.writes)).any(|s| part(&s.0));
        if self.rooms[room].pinned || self.rooms[room].life.bytes != bytes(kind) || parts {
            return false;
        }
        let Some(writer) = self.steps.iter().position(|s| s.writes.iter().any(|w| w.0 == from)) else {
            return false;
        };
        // An output port must not change its meaning when a later run of another plan writes the variable.
        let is_output = self.graph.outputs.iter().any(|o| self.homes[o.1.index()] == Some(from));
        let elementwise = matches!(self.steps[writer].op, Op::Region(_));
        let reads_of_old = |s: &Draft| s.reads.iter().any(|r| r.0 == to);
        let late = self.steps[writer + 1..].iter().any(reads_of_old)
            || self.graph.outputs.iter().any(|o| self.homes[o.1.index()] == Some(to));
        let own = self.steps[writer].reads.iter().filter(|r| r.0 == to);
        let own_fits = own.clone().all(|r| r.1.0.numel() == kind.0.numel() && elementwise);
        // Another assignment that copies the old value at the end needs it untouched.
        let copied = self.graph.assigns.iter().any(|a| self.homes[a.1.index()] == Some(to));
        !is_output && !late && own_fits && !copied
    }

    /// Moves every use of one home to another.
    fn rehome(&mut self, from: Home, to: Home) {
        let uses = self.steps.iter_mut().flat_map(|s| s.reads.iter_mut().chain(s.writes.iter_mut()));
        for slot in uses.filter(|s| s.0 == from) {
            slot.0 = to;
        }
        for home in self.homes.iter_mut().flatten().filter(|h| **h == from) {
            *home = to;
        }
    }

    /// Moves the steps that depend on variables and constants alone to the beginning, where nothing is assigned; gives
    /// their number.
    fn hoist(&mut self) -> usize {
        if COMPACT || !self.options.in_place || !self.graph.assigns.is_empty() {
            return 0;
        }
        let mut writers = vec![0; self.rooms.len()];
        for (home, _) in self.steps.iter().flat_map(|s| &s.writes) {
            if let Home::Buffer(room, _) = home {
                writers[*room] += 1;
            }
        }
        // Rooms that one step fills, from nothing that changes.
        let mut settled = vec![false; self.rooms.len()];
        let early: Vec<bool> = self
            .steps
            .iter()
            .map(|step| {
                let known = |home: &Home| match home {
                    Home::Buffer(room, _) => settled[*room],
                    Home::Fixed(..) => true,
                };
                let rooms = step.writes.iter().filter_map(|(home, _)| match home {
                    Home::Buffer(room, _) => Some(*room),
                    Home::Fixed(..) => None,
                });
                let own = rooms.clone().all(|room| writers[room] == 1);
                let early = own && step.reads.iter().all(|(home, _)| known(home));
                rooms.for_each(|room| settled[room] = early);
                early
            })
            .collect();
        let mut order = early.iter();
        let mut rest = Vec::new();
        for step in core::mem::take(&mut self.steps) {
            if order.next() == Some(&true) { self.steps.push(step) } else { rest.push(step) }
        }
        let hoisted = self.steps.len();
        self.steps.append(&mut rest);
        hoisted
    }

    /// What the first steps leave for the others stays from run to run.
    fn keep(&mut self, hoisted: usize) {
        if COMPACT {
            return;
        }
        let end = self.steps.len();
        let (early, late) = self.steps.split_at(hoisted);
        for (home, _) in early.iter().flat_map(|s| &s.writes) {
            let needed = |s: &Draft| {
                s.reads
                    .iter()
                    .any(|r| matches!((r.0, home), (Home::Buffer(a, _), Home::Buffer(b, _)) if a == *b))
            };
            if let Home::Buffer(room, _) = home
                && (late.iter().any(needed) || self.rooms[*room].life.last == end)
            {
                self.rooms[*room].life.first = 0;
                self.rooms[*room].life.last = end;
                self.rooms[*room].pinned = true;
            }
        }
    }

    fn lifetimes(&mut self) {
        let end = self.steps.len();
        for room in &mut self.rooms {
            room.life.first = if room.pinned { 0 } else { usize::MAX };
            room.life.last = if room.pinned { end } else { 0 };
        }
        for (i, step) in self.steps.iter().enumerate() {
            let homes = step.reads.iter().chain(&step.writes).map(|s| s.0);
            for home in homes.chain(step.workspace.map(|n| Home::Buffer(n, 0))) {
                if let Home::Buffer(n, _) = home {
                    let life = &mut self.rooms[n].life;
                    life.first = life.first.min(i);
                    life.last = life.last.max(i);
                }
            }
        }
        for (_, v) in &self.graph.outputs {
            if let Some(Home::Buffer(n, _)) = self.homes[v.index()] {
                self.rooms[n].life.last = end;
                self.rooms[n].pinned = true;
            }
        }
    }

    /// Lets results of regions take the bytes of an operand that dies there.
    fn in_place(&mut self) {
        // The room in which each room's value is; all uses move at the end.
        let mut within: Vec<usize> = (0..self.rooms.len()).collect();
        let find = |within: &[usize], home: Home| match home {
            Home::Buffer(mut n, at) => {
                while within[n] != n {
                    n = within[n];
                }
                Home::Buffer(n, at)
            }
            fixed => fixed,
        };
        for step in self.steps.iter().enumerate().filter(|(_, s)| matches!(s.op, Op::Region(_))) {
            let (i, step) = step;
            for &(home, kind) in &step.writes {
                let Home::Buffer(new, 0) = find(&within, home) else { continue };
                if self.rooms[new].life.bytes != bytes(&kind) {
                    continue;
                }
                let dying = step.reads.iter().find_map(|&(h, k)| match find(&within, h) {
                    Home::Buffer(old, 0)
                        if old != new
                            && self.rooms[old].life.last == i
                            && !self.rooms[old].pinned
                            && k.0.numel() == kind.0.numel()
                            && k.1.size() == kind.1.size()
                            && self.rooms[old].life.bytes == bytes(&kind)
                            && !step.writes.iter().any(|w| find(&within, w.0) == Home::Buffer(old, 0)) =>
                    {
                        Some(old)
                    }
                    _ => None,
                });
                if let Some(old) = dying {
                    within[new] = old;
                    self.rooms[old].life.last = self.rooms[new].life.last;
                    self.rooms[old].pinned = self.rooms[new].pinned;
                    self.rooms[new].life = Lifetime { bytes: 0, first: usize::MAX, last: 0 };
                }
            }
        }
        let uses = self.steps.iter_mut().flat_map(|s| s.reads.iter_mut().chain(s.writes.iter_mut()));
        for home in uses.map(|s| &mut s.0).chain(self.homes.iter_mut().flatten()) {
            *home = find(&within, *home);
        }
    }

    fn finish(self, hoisted: usize) -> Result<Plan> {
        let used: Vec<usize> =
            (0..self.rooms.len()).filter(|&i| self.rooms[i].life.first != usize::MAX).collect();
        let lives: Vec<Lifetime> = used.iter().map(|&i| self.rooms[i].life).collect();
        let (placed, arena_bytes) = memory::place(&lives);
        if arena_bytes > i32::MAX as usize {
            return Err(misuse!(
                "plan: needs an arena of {arena_bytes} bytes, more than 2 GiB; use a smaller batch"
            ));
        }
        let mut offsets = vec![0u32; self.rooms.len()];
        for (&room, &at) in used.iter().zip(&placed) {
            offsets[room] = at as u32;
        }
        let slot = |(home, kind): (Home, Kind)| {
            let (place, offset) = match home {
                Home::Buffer(n, at) => (Place::Arena, offsets[n] + at),
                Home::Fixed(place, offset) => (place, offset),
            };
            Slot { place, offset, shape: kind.0, dtype: kind.1 }
        };
        let mut steps = Vec::with_capacity(self.steps.len());
        for draft in &self.steps {
            let workspace = match draft.workspace {
                Some(n) => {
                    let shape = Shape::new(&[self.rooms[n].life.bytes / 4])?;
                    Some(slot((Home::Buffer(n, 0), (shape, DType::F32))))
                }
                None => None,
            };
            steps.push(Step {
                op: draft.op.clone(),
                reads: draft.reads.iter().map(|&r| slot(r)).collect(),
                writes: draft.writes.iter().map(|&w| slot(w)).collect(),
                workspace,
            });
        }
        let named = |name: &str, v: (Home, Kind)| NamedSlot { name: name.into(), slot: slot(v) };
        let inputs =
            self.graph.inputs.iter().enumerate().map(|(i, p)| named(&p.name, (Home::Buffer(i, 0), p.kind)));
        let mut outputs = Vec::new();
        for (name, v) in &self.graph.outputs {
            outputs.push(named(name, self.operand(*v)?));
        }
        let plan = Plan {
            inputs: inputs.collect(),
            outputs,
            variables: self.graph.variables.clone(),
            constants: self.constants,
            hoisted,
            arena_bytes,
            steps,
        };
        plan.verify()?;
        Ok(plan)
    }
}

/// Where the elements of a slice begin in its operand, if they lie one after another there.
fn run_of(begin: &[u32], shape: &Shape, whole: &Shape) -> Option<usize> {
    let dims = (0..whole.rank()).map(|a| (shape.dim(a as isize), whole.dim(a as isize)));
    // Axes of one element, then one that is cut, then whole ones.
    let cut = dims.clone().position(|(own, _)| own != 1).unwrap_or(whole.rank());
    let strides = whole.strides();
    let run = dims.clone().skip(cut + 1).all(|(own, all)| own == all) && shape.numel() > 0;
    run.then(|| begin.iter().zip(strides).map(|(&begin, stride)| begin as usize * stride).sum())
}

/// A region of one copy.
fn copy_step(from: Home, to: Home, kind: Kind) -> Draft {
    let region = Region {
        reads: 1,
        immediates: Fixed::new(),
        code: Fixed::from_iter([Instruction { op: Scalar::Copy, to: 1, a: 0, b: 0, c: 0 }]),
        results: Fixed::from_iter([1]),
        dtypes: Fixed::from_iter([kind.1]),
        shape: kind.0,
        summed: Fixed::from_iter([0]),
    };
    Draft { op: Op::Region(region), reads: vec![(from, kind)], writes: vec![(to, kind)], workspace: None }
}
