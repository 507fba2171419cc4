//! One time step of a recurrent cell behind its products, and the gradient of it: all gates in one loop.
//!
//! Gates lie side by side as the products give them, `[batch, gates * units]`, and are read and written there.

use super::{Kind, Kinds};
use crate::kernel::stream::{self, Formula};
use crate::kernel::{Cpu, View, ViewMut};
use crate::math::{Real, sigmoid_of, tanh_of};
use crate::{DType, Result, Shape, misuse};
use serde::{Deserialize, Serialize};

/// A recurrent cell with hyperbolic tangent and sigmoid gates, or its gradient.
///
/// The gates that a step leaves are activated: the gradient needs those alone. Its cotangents of the gates that a
/// product adds to are the cotangent of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RecurrentCell {
    /// (z, c) to (h', c', gates, tanh c'), with z and the gates i, f, g, o side by side: `c' = σ(f) ∘ c + σ(i) ∘ tanh g`,
    /// `h' = σ(o) ∘ tanh c'` (Hochreiter and Schmidhuber 1997; `keras.layers.LSTMCell`).
    Lstm,
    /// (gates, c, tanh c', dh', dc') to (dz, dc).
    LstmGrad,
    /// (x, y, h) to (h', gates), with x, y and the gates z, r, n side by side; x are input products, y those of the
    /// state: `z = σ(x + y)`, `r = σ(x + y)`, `n = tanh(x + r ∘ y)`, `h' = z ∘ h + (1 - z) ∘ n` (Cho et al. 2014, with
    /// the reset after the product; `keras.layers.GRUCell`).
    Gru,
    /// (gates, y, h, dh') to (dx, dy, dh).
    GruGrad,
}

/// `1 - x`
#[inline(always)]
fn rest<T: Real>(x: T) -> T {
    T::of(1.0).sub(x)
}

/// z of the gates i, f, g, o, and c; to h', c', the activated gates and tanh c'.
struct Lstm;
impl Formula<0, 0, 5, 7> for Lstm {
    #[inline(always)]
    fn apply<T: Real>(_: [T; 0], _: [T; 0], [i, f, g, o, c]: [T; 5]) -> [T; 7] {
        let [i, f, o] = [sigmoid_of(i), sigmoid_of(f), sigmoid_of(o)];
        let g = tanh_of(g);
        let c = f.mul(c).add(i.mul(g));
        let t = tanh_of(c);
        [o.mul(t), c, i, f, g, o, t]
    }
}

struct LstmGrad;
impl Formula<0, 0, 8, 5> for LstmGrad {
    #[inline(always)]
    fn apply<T: Real>(_: [T; 0], _: [T; 0], [i, f, g, o, c, t, dh, dc]: [T; 8]) -> [T; 5] {
        let d = dc.add(dh.mul(o).mul(rest(t.mul(t))));
        [
            d.mul(g).mul(i).mul(rest(i)),
            d.mul(c).mul(f).mul(rest(f)),
            d.mul(i).mul(rest(g.mul(g))),
            dh.mul(t).mul(o).mul(rest(o)),
            d.mul(f),
        ]
    }
}

/// x and y of the gates z, r, n, and h; to h' and the activated gates.
struct Gru;
impl Formula<0, 0, 7, 4> for Gru {
    #[inline(always)]
    fn apply<T: Real>(_: [T; 0], _: [T; 0], [xz, xr, xn, yz, yr, yn, h]: [T; 7]) -> [T; 4] {
        let (z, r) = (sigmoid_of(xz.add(yz)), sigmoid_of(xr.add(yr)));
        let n = tanh_of(xn.add(r.mul(yn)));
        [z.mul(h).add(rest(z).mul(n)), z, r, n]
    }
}

struct GruGrad;
impl Formula<0, 0, 8, 7> for GruGrad {
    #[inline(always)]
    fn apply<T: Real>(_: [T; 0], _: [T; 0], [z, r, n, _, _, yn, h, d]: [T; 8]) -> [T; 7] {
        let dn = d.mul(rest(z)).mul(rest(n.mul(n)));
        let dz = d.mul(h.sub(n)).mul(z).mul(rest(z));
        let dr = dn.mul(yn).mul(r).mul(rest(r));
        [dz, dr, dn, dz, dr, dn.mul(r), d.mul(z)]
    }
}

impl RecurrentCell {
    /// Whether this build has the loops.
    pub const LINKED: bool = super::linked(super::used::CELL);

    pub(super) fn name(self) -> &'static str {
        match self {
            RecurrentCell::Lstm => "lstm_cell",
            RecurrentCell::LstmGrad => "lstm_cell_grad",
            RecurrentCell::Gru => "gru_cell",
            RecurrentCell::GruGrad => "gru_cell_grad",
        }
    }

    /// How many blocks of `units` columns the operands have, and the results.
    fn blocks(self) -> (&'static [usize], &'static [usize]) {
        match self {
            RecurrentCell::Lstm => (&[4, 1], &[1, 1, 4, 1]),
            RecurrentCell::LstmGrad => (&[4, 1, 1, 1, 1], &[4, 1]),
            RecurrentCell::Gru => (&[3, 3, 1], &[1, 3]),
            RecurrentCell::GruGrad => (&[3, 3, 1, 1], &[3, 3, 1]),
        }
    }

    /// Float operations for each unit of each sample, functions counting as one.
    pub(crate) fn flops(self) -> u64 {
        match self {
            RecurrentCell::Lstm => 9,
            RecurrentCell::LstmGrad => 19,
            RecurrentCell::Gru => 10,
            RecurrentCell::GruGrad => 16,
        }
    }

    pub(super) fn infer(self, inputs: &[Kind]) -> Result<Kinds> {
        let (reads, writes) = self.blocks();
        super::expect_operands(self.name(), inputs, reads.len())?;
        super::expect_f32(self.name(), inputs)?;
        let state = inputs[reads.len() - 1].0;
        let (rows, units) = (state.dim(0), state.dim(-1));
        let wide = |blocks: usize| Shape::new(&[rows, blocks * units]);
        for ((shape, _), &blocks) in inputs.iter().zip(reads) {
            if state.rank() != 2 || *shape != wide(blocks)? {
                return Err(misuse!(
                    "{}: expected states [batch, units] and {} gates [batch, {} * units], got {shape} beside {state}",
                    self.name(),
                    reads[0],
                    reads[0]
                ));
            }
        }
        writes.iter().map(|&blocks| Ok((wide(blocks)?, DType::F32))).collect()
    }

    pub(super) fn run(self, cpu: &Cpu, reads: &[View], writes: &[ViewMut]) -> Result<()> {
        let ran = match self {
            RecurrentCell::Lstm => self.columns(cpu, &Lstm, reads, writes),
            RecurrentCell::LstmGrad => self.columns(cpu, &LstmGrad, reads, writes),
            RecurrentCell::Gru => self.columns(cpu, &Gru, reads, writes),
            RecurrentCell::GruGrad => self.columns(cpu, &GruGrad, reads, writes),
        };
        if ran { Ok(()) } else { Err(misuse!("{}: operands or results do not fit", self.name())) }
    }

    /// Runs the loop over the blocks of all operands and results; false where they are not there.
    fn columns<F: Formula<0, 0, R, W>, const R: usize, const W: usize>(
        self,
        cpu: &Cpu,
        formula: &F,
        reads: &[View],
        writes: &[ViewMut],
    ) -> bool {
        let blocks = self.blocks();
        let Some(state) = reads.last() else { return false };
        if reads.len() != blocks.0.len() || writes.len() != blocks.1.len() {
            return false;
        }
        let (rows, units) = (state.shape().dim(0), state.shape().dim(-1));
        // The tensor that block `n` of all lies in, and its first column there.
        let place = |blocks: &[usize], mut n: usize| {
            for (i, &own) in blocks.iter().enumerate() {
                if n < own {
                    return (i, n * units);
                }
                n -= own;
            }
            (0, 0)
        };
        let read = |n: usize| {
            let (i, column) = place(blocks.0, n);
            (&reads[i], column)
        };
        let write = |n: usize| {
            let (i, column) = place(blocks.1, n);
            (&writes[i], column)
        };
        let (from, to) = (core::array::from_fn(read), core::array::from_fn(write));
        stream::run_columns(cpu, formula, [rows, units], from, to)
    }
}

#[cfg(feature = "alloc")]
pub use rules::apply;

/// The gradients, and the gradients of these.
#[cfg(feature = "alloc")]
mod rules {
    use super::RecurrentCell;
    use crate::op::{Op, ValueId, Var};
    use alloc::vec;
    use alloc::vec::Vec;

    /// Applies a cell; gives all its results.
    pub fn apply<'b>(cell: RecurrentCell, inputs: &[Var<'b>]) -> Vec<Var<'b>> {
        let first = Var::op(Op::RecurrentCell(cell), inputs);
        let result = |i: usize| match first.id() {
            ValueId::POISON => first,
            ValueId(n) => Var::new(first.builder(), ValueId(n + i as u32)),
        };
        (0..cell.blocks().1.len()).map(result).collect()
    }

    /// The columns of each of `N` gates.
    fn gates<'b, const N: usize>(all: Var<'b>) -> [Var<'b>; N] {
        let units = all.dim(-1) / N;
        core::array::from_fn(|n| all.slice(&[0, n * units], &[all.dim(0), units]))
    }

    /// Whether a cotangent is that of a result which nothing reads.
    fn is_zero(v: Var<'_>) -> bool {
        if v.id() == ValueId::POISON {
            return true;
        }
        let node = v.builder().node(v.builder().producer(v.id()));
        match node.op {
            Op::Scalar(_, bits) => bits == 0,
            Op::Broadcast(_) => is_zero(Var::new(v.builder(), node.inputs[0])),
            _ => false,
        }
    }

    /// The slope of a sigmoid from its value.
    fn bell(y: Var<'_>) -> Var<'_> {
        y * (1.0 - y)
    }

    impl RecurrentCell {
        pub(in crate::op) fn vjp<'b>(
            self,
            x: &[Var<'b>],
            y: &[Var<'b>],
            g: &[Var<'b>],
        ) -> Vec<Option<Var<'b>>> {
            let parts = match self {
                RecurrentCell::Lstm => lstm(x, y, g),
                RecurrentCell::LstmGrad => lstm_grad(x, g),
                RecurrentCell::Gru => gru(x, y, g),
                RecurrentCell::GruGrad => gru_grad(x, g),
            };
            parts.into_iter().map(Some).collect()
        }
    }

    fn lstm<'b>(x: &[Var<'b>], y: &[Var<'b>], g: &[Var<'b>]) -> Vec<Var<'b>> {
        let (activated, t) = (y[2], y[3]);
        let dc = if is_zero(g[3]) { g[1] } else { g[1] + g[3] * (1.0 - t.square()) };
        let mut parts = apply(RecurrentCell::LstmGrad, &[activated, x[1], t, g[0], dc]);
        if !is_zero(g[2]) {
            let [i, f, c, o] = gates(activated);
            let slopes = Var::concat(&[bell(i), bell(f), 1.0 - c.square(), bell(o)], -1);
            parts[0] = parts[0] + g[2] * slopes;
        }
        parts
    }

    fn lstm_grad<'b>(x: &[Var<'b>], g: &[Var<'b>]) -> Vec<Var<'b>> {
        let ([i, f, n, o], [c, t, dh, dc]) = (gates(x[0]), [x[1], x[2], x[3], x[4]]);
        let ([ui, uf, un, uo], v) = (gates(g[0]), g[1]);
        let (slope_t, slope_n) = (1.0 - t.square(), 1.0 - n.square());
        // The cotangent of the cell's state, on which all but the output gate depend, and the cotangent of that.
        let d = dc + dh * o * slope_t;
        let s = ui * n * bell(i) + uf * c * bell(f) + un * i * slope_n + v * f;
        let gate_i = d * (ui * n * (1.0 - 2.0 * i) + un * slope_n);
        let gate_f = d * (uf * c * (1.0 - 2.0 * f) + v);
        let gate_n = d * (ui * bell(i) - 2.0 * un * i * n);
        let gate_o = dh * (uo * t * (1.0 - 2.0 * o) + s * slope_t);
        vec![
            Var::concat(&[gate_i, gate_f, gate_n, gate_o], -1),
            d * uf * bell(f),
            dh * (uo * bell(o) - 2.0 * s * o * t),
            uo * t * bell(o) + s * o * slope_t,
            s,
        ]
    }

    fn gru<'b>(x: &[Var<'b>], y: &[Var<'b>], g: &[Var<'b>]) -> Vec<Var<'b>> {
        let activated = y[1];
        let mut parts = apply(RecurrentCell::GruGrad, &[activated, x[1], x[2], g[0]]);
        if !is_zero(g[1]) {
            let ([z, r, n], [_, _, inner]) = (gates(activated), gates::<3>(x[1]));
            let [gz, gr, gn] = gates(g[1]);
            let dn = gn * (1.0 - n.square());
            let (dz, dr) = (gz * bell(z), (gr + dn * inner) * bell(r));
            parts[0] = parts[0] + Var::concat(&[dz, dr, dn], -1);
            parts[1] = parts[1] + Var::concat(&[dz, dr, dn * r], -1);
        }
        parts
    }

    fn gru_grad<'b>(x: &[Var<'b>], g: &[Var<'b>]) -> Vec<Var<'b>> {
        let ([z, r, n], [_, _, inner]) = (gates(x[0]), gates::<3>(x[1]));
        let (h, d) = (x[2], x[3]);
        let ([uz, ur, un], [wz, wr, wn], v) = (gates(g[0]), gates(g[1]), g[2]);
        let (uz, ur) = (uz + wz, ur + wr);
        let slope = 1.0 - n.square();
        // The cotangent of the candidate's argument, and the cotangent of that.
        let dn = d * (1.0 - z) * slope;
        let s = ur * inner * bell(r) + un + wn * r;
        let gate_z = d * (uz * (h - n) * (1.0 - 2.0 * z) - s * slope + v);
        let gate_r = dn * (ur * inner * (1.0 - 2.0 * r) + wn);
        let gate_n = 0.0 - d * (uz * bell(z) + 2.0 * s * (1.0 - z) * n);
        let none = h.scalar_like(0.0).broadcast(h.shape());
        vec![
            Var::concat(&[gate_z, gate_r, gate_n], -1),
            Var::concat(&[none, none, ur * dn * bell(r)], -1),
            uz * d * bell(z),
            uz * (h - n) * bell(z) + s * (1.0 - z) * slope + v * z,
        ]
    }
}

#[cfg(all(test, feature = "full", feature = "std"))]
mod tests {
    use super::*;
    use crate::autodiff::grad;
    use crate::kernel::Level;
    use crate::op::Op;
    use crate::{Tape, Tensor, Var};
    use std::vec;
    use std::vec::Vec;

    fn values(n: usize, seed: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7919 + seed * 104729) % 1009) as f32 / 504.5 - 1.0).collect()
    }

    fn gate<'b>(all: Var<'b>, n: usize, units: usize) -> Var<'b> {
        all.slice(&[0, n * units], &[all.dim(0), units])
    }

    /// The same steps made of elementwise ops.
    fn lstm<'b>(z: Var<'b>, c: Var<'b>) -> Vec<Var<'b>> {
        let [i, f, g, o] = [0, 1, 2, 3].map(|n| gate(z, n, c.dim(1)));
        let new = f.sigmoid() * c + i.sigmoid() * g.tanh();
        vec![o.sigmoid() * new.tanh(), new]
    }

    fn gru<'b>(x: Var<'b>, y: Var<'b>, h: Var<'b>) -> Vec<Var<'b>> {
        let part = |n| (gate(x, n, h.dim(1)), gate(y, n, h.dim(1)));
        let [(xz, yz), (xr, yr), (xn, yn)] = [0, 1, 2].map(part);
        let (z, r) = ((xz + yz).sigmoid(), (xr + yr).sigmoid());
        vec![z * h + (1.0 - z) * (xn + r * yn).tanh()]
    }

    /// A function of everything that a cell gives, with other derivatives everywhere.
    fn loss<'b>(results: &[Var<'b>]) -> Var<'b> {
        let terms = results.iter().enumerate().map(|(k, y)| {
            let n = y.shape().numel();
            let w = y.constant_like(Tensor::new(&y.shape().list(), values(n, 50 + k)).unwrap());
            (*y * w + y.square() * 0.5).sum(&[], false)
        });
        terms.reduce(|a, b| a + b).unwrap()
    }

    /// Value, gradient and the gradient of a function of the gradient of one step of a cell, or of the same made of
    /// elementwise ops.
    fn derivatives(cell: RecurrentCell, level: Level, units: usize, fused: bool) -> Vec<Vec<f32>> {
        let tape = Tape::at_level(level);
        let widths: &[usize] = if cell == RecurrentCell::Lstm { &[4, 1] } else { &[3, 3, 1] };
        let inputs: Vec<Tensor> = widths
            .iter()
            .enumerate()
            .map(|(k, w)| Tensor::new(&[3, w * units], values(3 * w * units, k)).unwrap())
            .collect();
        let x: Vec<Var> = inputs.iter().map(|t| tape.watch(t)).collect();
        let results = match (fused, cell) {
            (true, _) => apply(cell, &x),
            (false, RecurrentCell::Lstm) => lstm(x[0], x[1]),
            (false, _) => gru(x[0], x[1], x[2]),
        };
        let known = if cell == RecurrentCell::Lstm { 2 } else { 1 };
        let first = grad(loss(&results[..known]), &x);
        let second = grad(loss(&first), &x);
        let all = results[..known].iter().chain(&first).chain(&second);
        all.map(|v| tape.value(*v).unwrap().to_f32_vec()).collect()
    }

    #[test]
    fn cells_and_both_derivatives_are_those_of_their_formulas_at_every_level() {
        for cell in [RecurrentCell::Lstm, RecurrentCell::Gru] {
            for &level in Level::available() {
                for units in [1, 5, 16, 23] {
                    let (got, want) =
                        (derivatives(cell, level, units, true), derivatives(cell, level, units, false));
                    for (k, (got, want)) in got.iter().zip(&want).enumerate() {
                        assert_eq!(got.len(), want.len());
                        for (a, b) in got.iter().zip(want) {
                            let near = (a - b).abs() <= 2e-5 * (1.0 + b.abs());
                            assert!(near, "{cell:?} {level:?} {units} units, value {k}: {a}, expected {b}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn states_and_gates_must_fit() {
        let kind = |dims: &[usize]| (Shape::new(dims).unwrap(), DType::F32);
        let op = Op::RecurrentCell(RecurrentCell::Lstm);
        assert_eq!(op.infer(&[kind(&[2, 12]), kind(&[2, 3])]).unwrap().len(), 4);
        let error = op.infer(&[kind(&[2, 9]), kind(&[2, 3])]).unwrap_err();
        assert!(
            error.message().starts_with("lstm_cell: expected states [batch, units] and 4 gates"),
            "{error}"
        );
        assert!(op.infer(&[kind(&[2, 12]), kind(&[3])]).is_err());
        assert!(op.infer(&[kind(&[2, 12])]).is_err());
    }
}
