//! From a step of a plan to shaders.

use super::text::{GRID, GROUP, Operand, Width, shader};
use super::{movement, pointwise, pool, product, reduce, scan, sources};
use crate::op::Op;
use crate::plan::Step;
use crate::{Result, unsupported};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write;

/// One dispatch, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Statements for each `i` below `count`.
    Each {
        /// How many.
        count: usize,
        /// Terms of all together, more or less.
        work: usize,
        /// The statements.
        body: String,
    },
    /// A shader of its own.
    Own(Dispatch),
}

/// One dispatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// The shader, which names everything but the offsets of its operands.
    pub source: String,
    /// Workgroups.
    pub groups: [u32; 3],
    /// Floats of scratch memory.
    pub scratch: usize,
}

/// Most terms of a part that runs in one workgroup together with those before it.
pub const SMALL: usize = 1 << 16;
/// Most elements of such a part.
pub const FEW: usize = 1 << 12;
/// Invocations of a workgroup that runs several parts.
const TOGETHER: usize = 256;

impl Part {
    /// Whether starting it costs more than it does.
    pub fn is_small(&self) -> bool {
        matches!(self, Part::Each { count, work, .. } if *count <= FEW && *work <= SMALL)
    }

    /// The same with another number of terms.
    pub fn of_work(self, terms: usize) -> Part {
        match self {
            Part::Each { count, body, .. } => Part::Each { count, work: terms, body },
            own => own,
        }
    }

    /// A dispatch of this part alone.
    pub fn alone(self) -> Dispatch {
        self.alone_of(Width::One)
    }

    /// The same where the statements see memory in words of this many.
    pub fn alone_of(self, width: Width) -> Dispatch {
        let (count, body) = match self {
            Part::Each { count, body, .. } => (count, body),
            Part::Own(dispatch) => return dispatch,
        };
        let groups = count.div_ceil(GROUP);
        let row = groups.clamp(1, GRID);
        let source = shader(
            &format!(
                "
@compute @workgroup_size({GROUP})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {{
    let i = (group.x + group.y * {row}u) * {GROUP}u + local;
    if i >= {count}u {{ return; }}
{body}
}}
",
            ),
            width,
        );
        Dispatch { source, groups: [row as u32, groups.div_ceil(row) as u32, 1], scratch: 0 }
    }
}

/// One dispatch of small parts, one after another in one workgroup.
pub fn together(mut parts: Vec<Part>) -> Dispatch {
    if let [_] = parts[..] {
        return parts.remove(0).alone();
    }
    let mut text = format!(
        "
@compute @workgroup_size({TOGETHER})
fn main(@builtin(local_invocation_index) local: u32) {{
"
    );
    for (n, part) in parts.iter().enumerate() {
        let Part::Each { count, body, .. } = part else { continue };
        if n > 0 {
            text.push_str("storageBarrier();\n");
        }
        let _ = writeln!(text, "for (var i = local; i < {count}u; i = i + {TOGETHER}u) {{\n{body}\n}}");
    }
    text.push_str("}\n");
    Dispatch { source: shader(&text, Width::One), groups: [1, 1, 1], scratch: 0 }
}

/// The operands of a step: those it reads, then those it writes.
struct Operands {
    reads: Vec<Operand>,
    writes: Vec<Operand>,
}

impl Operands {
    /// `first` is the number of the first.
    fn of(step: &Step, first: usize) -> Operands {
        let new = |(i, s)| Operand::new(first + i, s);
        let reads: Vec<Operand> = step.reads.iter().enumerate().map(new).collect();
        let from = first + reads.len();
        let writes = step.writes.iter().enumerate().map(|(i, s)| Operand::new(from + i, s)).collect();
        Operands { reads, writes }
    }
}

/// What a step is made of, one after another; `first` is the number of its first operand among the offsets.
///
/// **Errors** when the op has no shader; the message names it.
pub fn parts(step: &Step, first: usize) -> Result<Vec<Part>> {
    let operands = Operands::of(step, first);
    if step.writes.iter().all(|w| w.shape.numel() == 0) {
        return Ok(vec![]);
    }
    let (reads, writes) = (&operands.reads[..], &operands.writes[..]);
    match &step.op {
        Op::Region(region) => pointwise::region(region, reads, writes),
        Op::Scalar(..) | Op::Iota(_) => sources::run(&step.op, writes),
        Op::Random(random) => sources::random(random, reads, writes),
        Op::Reshape(_) | Op::Transpose(_) | Op::Broadcast(_) | Op::Slice(..) => {
            movement::run(&step.op, reads, writes)
        }
        Op::Pad(..) | Op::Concat(_) | Op::Reverse(_) => movement::run(&step.op, reads, writes),
        Op::Gather(gather) => movement::gather(gather, reads, writes),
        Op::Scatter(scatter) => movement::scatter(scatter, reads, writes),
        Op::Matmul(ta, tb) => product::matmul(*ta, *tb, None, reads, writes),
        Op::Conv2d(conv) => product::conv(conv, None, reads, writes),
        Op::Planned(planned) => product::planned(planned, reads, writes),
        Op::Pool(p) => pool::run(p, reads, writes),
        Op::Reduce(r) => reduce::run(r, reads, writes),
        Op::ArgReduce(r) => reduce::arg(r, reads, writes),
        Op::Recurrence(r) => scan::recurrence(r, reads, writes),
        Op::Argsort(a) => scan::argsort(a, reads, writes),
        Op::RecurrentCell(cell) => pointwise::cell(*cell, reads, writes),
        Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::And | Op::Or | Op::Not => without(&step.op),
        Op::Select | Op::Cast(_) | Op::StopGradient | Op::Pack => without(&step.op),
        Op::Input(_) | Op::Variable(_) | Op::Constant(_) => without(&step.op),
    }
}

fn without<T>(op: &Op) -> Result<T> {
    Err(unsupported!("gpu: {} has no shader; plans for a GPU are compiled without it", op.name()))
}

/// A kernel of `count` invocations: the body sees `i`, below `count`.
pub fn each(count: usize, body: &str) -> Part {
    Part::Each { count, work: count, body: body.into() }
}

/// A kernel whose invocations each make the elements `i` of one word of a result: one of four bytes, two of two, four of
/// one. `value` assigns the bits of the element to `bits` from `i`.
pub fn each_word(y: &Operand, value: &str) -> Part {
    let per = y.per_word();
    if per == 1 {
        return each(y.numel(), &format!("var bits = 0u;\n{value}\n{}", y.store_bits("i", "bits")));
    }
    let (width, mask) = (32 / per, (1u64 << (32 / per)) - 1);
    let pack = match y.dtype {
        crate::DType::F16 => "pack2x16float(vec2<f32>(bitcast<f32>(bits), 0.0))".into(),
        _ => format!("bits & {mask:#x}u"),
    };
    let body = format!(
        "let first = i * {per}u;
    var word = 0u;
    for (var part = 0u; part < {per}u; part = part + 1u) {{
        let i = first + part;
        if i >= {}u {{ break; }}
        var bits = 0u;
        {value}
        word = word | ({pack}) << (part * {width}u);
    }}
    {}",
        y.numel(),
        y.store_bits("i", "word")
    );
    each(y.numel().div_ceil(per), &body)
}
