//! What the shaders are made of: operands in memory, indices, the code of regions.

use super::functions;
use crate::op::Region;
use crate::op::region::{Instruction, Scalar};
use crate::plan::{Place, Slot};
use crate::{DType, Shape};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

/// Invocations of a workgroup of most kernels.
pub const GROUP: usize = 64;
/// Most workgroups along an axis of a dispatch, which WebGPU guarantees.
pub const GRID: usize = 65_535;

/// Bindings.
const PRELUDE: &str = "\
@group(0) @binding(0) var<storage, read_write> arena: array<u32>;
@group(0) @binding(1) var<storage, read_write> variables: array<u32>;
@group(0) @binding(2) var<storage, read> constants: array<u32>;
@group(0) @binding(3) var<storage, read_write> scratch: array<f32>;
@group(0) @binding(4) var<uniform> offsets: array<vec4<u32>, 1024>;
";

/// How many words the shader reads and writes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Width {
    One,
    Four,
}

/// A shader: the bindings, the functions that it calls, its own text.
pub fn shader(text: &str, width: Width) -> String {
    let bindings = match width {
        Width::One => PRELUDE.into(),
        Width::Four => PRELUDE.replace("array<u32>", "array<vec4<u32>>"),
    };
    format!("{bindings}{}{text}", functions::called_by(text))
}

/// An operand or a result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Operand {
    /// Which of the offsets of the step is its own.
    pub number: usize,
    pub place: Place,
    pub shape: Shape,
    pub dtype: DType,
    /// Whether it begins at a multiple of four words.
    pub aligned: bool,
    /// How the shader sees memory.
    pub width: Width,
}

impl Operand {
    pub fn new(number: usize, slot: &Slot) -> Operand {
        let aligned = slot.offset.is_multiple_of(16);
        Operand {
            number,
            place: slot.place,
            shape: slot.shape,
            dtype: slot.dtype,
            aligned,
            width: Width::One,
        }
    }

    /// The same in a shader that sees memory in words of this many.
    pub fn seen(self, width: Width) -> Operand {
        Operand { width, ..self }
    }

    /// Word `at` of its memory.
    fn word(&self, at: &str) -> String {
        let buffer = self.buffer();
        match self.width {
            Width::One => format!("{buffer}[{at}]"),
            Width::Four => format!("{buffer}[({at}) >> 2u][({at}) & 3u]"),
        }
    }

    /// The four floats from element `i` on, a multiple of four, in a shader that sees memory so.
    pub fn load4(&self, i: &str) -> String {
        format!("bitcast<vec4<f32>>({}[(({} >> 2u) + ({i})) >> 2u])", self.buffer(), self.offset())
    }

    /// The statement that writes the four words `bits` from element `i` on.
    pub fn store4(&self, i: &str, bits: &str) -> String {
        format!("{}[(({} >> 2u) + ({i})) >> 2u] = {bits};", self.buffer(), self.offset())
    }

    pub fn numel(&self) -> usize {
        self.shape.numel()
    }

    fn buffer(&self) -> &'static str {
        match self.place {
            Place::Arena => "arena",
            Place::Variables => "variables",
            Place::Constants => "constants",
        }
    }

    /// The first byte.
    fn offset(&self) -> String {
        format!("offsets[{}].{}", self.number / 4, ["x", "y", "z", "w"][self.number % 4])
    }

    /// The bits of element `i` as a word, as registers of regions hold them.
    pub fn bits(&self, i: &str) -> String {
        let offset = self.offset();
        match self.dtype {
            DType::F32 | DType::I32 => self.word(&format!("({offset} >> 2u) + ({i})")),
            DType::F16 => {
                let word = self.word(&format!("({offset} + 2u * ({i})) >> 2u"));
                format!("bitcast<u32>(half({word}, ({offset} + 2u * ({i})) >> 1u))")
            }
            DType::I8 => format!("signed({})", self.byte(i)),
            DType::U8 | DType::Bool => self.byte(i),
        }
    }

    fn byte(&self, i: &str) -> String {
        let offset = self.offset();
        let word = self.word(&format!("({offset} + ({i})) >> 2u"));
        format!("(({word} >> (8u * (({offset} + ({i})) & 3u))) & 255u)")
    }

    /// Element `i` as a number of its type.
    pub fn load(&self, i: &str) -> String {
        let bits = self.bits(i);
        match self.dtype {
            DType::F32 | DType::F16 => format!("bitcast<f32>({bits})"),
            DType::I32 | DType::I8 | DType::U8 => format!("bitcast<i32>({bits})"),
            DType::Bool => bits,
        }
    }

    /// The statement that writes the word `bits` as element `i`, of a type of four bytes.
    pub fn store_bits(&self, i: &str, bits: &str) -> String {
        format!("{}[({} >> 2u) + ({i})] = {bits};", self.buffer(), self.offset())
    }

    /// The statement that writes a number.
    pub fn store(&self, i: &str, value: &str) -> String {
        self.store_bits(i, &format!("bitcast<u32>({value})"))
    }

    /// Elements of a word.
    pub fn per_word(&self) -> usize {
        4 / self.dtype.size()
    }
}

/// The element of `from` that is under element `i` of a shape to which it broadcasts.
pub fn under(i: &str, to: &Shape, from: &Shape) -> String {
    let strides = from.strides();
    let lead = to.rank() - from.rank();
    let axis = |a: usize| {
        let own = a >= lead && from.dim((a - lead) as isize) != 1;
        (to.dim(a as isize), if own { strides[a - lead] } else { 0 })
    };
    strided(i, &(0..to.rank()).map(axis).collect::<Vec<_>>())
}

/// The sum over axes, of which `dims` gives extents and distances, of coordinate times distance for element `i` of a
/// row-major array of those extents.
pub fn strided(i: &str, dims: &[(usize, usize)]) -> String {
    // Axes that are walked alike are one.
    let mut merged: Vec<(usize, usize)> = Vec::new();
    for &(n, step) in dims.iter().filter(|d| d.0 != 1) {
        match merged.last_mut() {
            Some((m, s)) if *s == step * n => (*m, *s) = (*m * n, step),
            _ => merged.push((n, step)),
        }
    }
    let total: usize = merged.iter().map(|d| d.0).product();
    let mut terms: Vec<String> = Vec::new();
    let mut below = total;
    for (a, &(n, step)) in merged.iter().enumerate() {
        below = below.checked_div(n).unwrap_or(0);
        if step == 0 {
            continue;
        }
        let mut term = if below > 1 { format!("({i}) / {below}u") } else { format!("({i})") };
        if a > 0 {
            term = format!("{term} % {n}u");
        }
        terms.push(if step == 1 { term } else { format!("{term} * {step}u") });
    }
    if terms.is_empty() { "0u".into() } else { terms.join(" + ") }
}

/// Assigns the registers of a region, `r0` on, that are not operands. `first` is that of the immediates.
pub fn region(r: &Region) -> String {
    let mut text = String::new();
    let base = usize::from(r.reads);
    for (i, word) in r.immediates.iter().enumerate() {
        let _ = writeln!(text, "let r{} = {word:#x}u;", base + i);
    }
    let fixed = base + r.immediates.len();
    let registers = r.code.iter().map(|i| usize::from(i.to)).max().unwrap_or(0);
    for register in fixed..=registers {
        let _ = writeln!(text, "var r{register} = 0u;");
    }
    for Instruction { op, to, a, b, c } in &r.code {
        let value = match op {
            Scalar::Unary(f) => {
                format!("{{ let a = bitcast<f32>(r{a}); r{to} = bitcast<u32>({}); }}", f.wgsl())
            }
            Scalar::Binary(f) => {
                format!(
                    "{{ let a = bitcast<f32>(r{a}); let b = bitcast<f32>(r{b}); r{to} = bitcast<u32>({}); }}",
                    f.wgsl()
                )
            }
            Scalar::Compare(f) => format!(
                "{{ let a = bitcast<f32>(r{a}); let b = bitcast<f32>(r{b}); r{to} = select(0u, 1u, {}); }}",
                f.wgsl()
            ),
            Scalar::BinaryI32(f) => format!(
                "{{ let a = bitcast<i32>(r{a}); let b = bitcast<i32>(r{b}); r{to} = bitcast<u32>({}); }}",
                functions::on_integers(*f)
            ),
            Scalar::CompareI32(f) => format!(
                "{{ let a = bitcast<i32>(r{a}); let b = bitcast<i32>(r{b}); r{to} = select(0u, 1u, {}); }}",
                f.wgsl()
            ),
            Scalar::And => format!("r{to} = r{a} & r{b};"),
            Scalar::Or => format!("r{to} = r{a} | r{b};"),
            Scalar::Not => format!("r{to} = r{a} ^ 1u;"),
            Scalar::Select => format!("r{to} = select(r{c}, r{b}, r{a} != 0u);"),
            Scalar::FloatOfInt => format!("r{to} = bitcast<u32>(f32(bitcast<i32>(r{a})));"),
            Scalar::IntOfFloat => format!("r{to} = bitcast<u32>(i32(bitcast<f32>(r{a})));"),
            Scalar::ByteOfInt => format!("r{to} = r{a} & 255u;"),
            Scalar::SignedByteOfInt => format!("r{to} = signed(r{a} & 255u);"),
            Scalar::BoolOfFloat => format!("r{to} = select(0u, 1u, bitcast<f32>(r{a}) != 0.0);"),
            Scalar::BoolOfInt => format!("r{to} = select(0u, 1u, r{a} != 0u);"),
            Scalar::Copy => format!("r{to} = r{a};"),
        };
        let _ = writeln!(text, "{value}");
    }
    text
}
