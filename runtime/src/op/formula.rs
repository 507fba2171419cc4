//! Regions with a loop of their own: the updates of optimizers, which pass over every weight, and what follows most
//! products.
//!
//! A formula is written once, over any [`Number`]: on floats it is the loop ([`crate::kernel::stream`]), on symbols it
//! is the program to recognize. What is recognized gives the same bits as the tile loop that it stands in for.

use super::Kind;
use super::region::{CODE, Instruction, Region, Scalar};
use super::scalar::{Binary, Unary};
use crate::kernel::COMPACT;
use crate::kernel::stream::{self, Formula, Operands};
use crate::kernel::tile::REGISTERS;
use crate::kernel::{Cpu, View, ViewMut};
use crate::math::Real;
use crate::{DType, Shape};
use core::cell::RefCell;
use core::sync::atomic::{AtomicU8, Ordering};
use heapless::Vec as Fixed;

/// Regions of fewer elements are interpreted: looking costs as much.
const LEAST: usize = 256;

/// What formulas are written over: [`Real`] numbers, and what stands for them while a region is compared.
trait Number: Copy {
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    fn min(self, other: Self) -> Self;
    fn sqrt(self) -> Self;
    fn relu(self) -> Self;
    fn square(self) -> Self;
}

impl<T: Real> Number for T {
    #[inline(always)]
    fn add(self, other: T) -> T {
        Real::add(self, other)
    }
    #[inline(always)]
    fn sub(self, other: T) -> T {
        Real::sub(self, other)
    }
    #[inline(always)]
    fn mul(self, other: T) -> T {
        Real::mul(self, other)
    }
    #[inline(always)]
    fn div(self, other: T) -> T {
        Real::div(self, other)
    }
    #[inline(always)]
    fn min(self, other: T) -> T {
        self.minimum(other)
    }
    #[inline(always)]
    fn sqrt(self) -> T {
        Real::sqrt(self)
    }
    #[inline(always)]
    fn relu(self) -> T {
        T::of(0.0).above(self, T::of(0.0), self)
    }
    #[inline(always)]
    fn square(self) -> T {
        Real::mul(self, self)
    }
}

/// A value of a program: an input, or the result of an instruction.
type Value = u8;

/// One instruction in which every value has a name of its own; unary functions have the operand twice.
type Step = (Scalar, [Value; 3]);

/// A straight-line program; values count the inputs first, then the steps.
struct Program {
    inputs: usize,
    steps: Fixed<Step, CODE>,
}

impl Program {
    fn push(&mut self, step: Step) -> Value {
        // A formula is shorter than the longest region, and of a longer one nothing is recognized.
        let _ = self.steps.push(step);
        (self.inputs + self.steps.len() - 1) as Value
    }

    /// The program of a region and its results; inputs are the operands, then the immediates.
    fn of(region: &Region) -> (Program, Fixed<Value, REGISTERS>) {
        let inputs = region.reads as usize + region.immediates.len();
        let mut program = Program { inputs, steps: Fixed::new() };
        let mut held = [0; REGISTERS];
        for (i, value) in held.iter_mut().enumerate().take(inputs) {
            *value = i as Value;
        }
        for &Instruction { op, to, a, b, c } in &region.code {
            let operand = |register: u8| held[register as usize];
            let operands = match op.arity() {
                1 => [operand(a); 3],
                2 => [operand(a), operand(b), operand(a)],
                _ => [operand(a), operand(b), operand(c)],
            };
            held[to as usize] = program.push((op, operands));
        }
        (program, region.results.iter().map(|&r| held[r as usize]).collect())
    }
}

/// A [`Number`] that writes a program down.
#[derive(Clone, Copy)]
struct Symbol<'p> {
    program: &'p RefCell<Program>,
    value: Value,
}

impl Symbol<'_> {
    fn unary(self, f: Unary) -> Self {
        let value = self.program.borrow_mut().push((Scalar::Unary(f), [self.value; 3]));
        Symbol { value, ..self }
    }

    fn binary(self, f: Binary, other: Self) -> Self {
        let operands = [self.value, other.value, self.value];
        let value = self.program.borrow_mut().push((Scalar::Binary(f), operands));
        Symbol { value, ..self }
    }
}

impl Number for Symbol<'_> {
    fn add(self, other: Self) -> Self {
        self.binary(Binary::Add, other)
    }
    fn sub(self, other: Self) -> Self {
        self.binary(Binary::Sub, other)
    }
    fn mul(self, other: Self) -> Self {
        self.binary(Binary::Mul, other)
    }
    fn div(self, other: Self) -> Self {
        self.binary(Binary::Div, other)
    }
    fn min(self, other: Self) -> Self {
        self.binary(Binary::Minimum, other)
    }
    fn sqrt(self) -> Self {
        self.unary(Unary::Sqrt)
    }
    fn relu(self) -> Self {
        self.unary(Unary::Relu)
    }
    fn square(self) -> Self {
        self.unary(Unary::Square)
    }
}

/// For each value of a formula the value of a region that it is.
type Bindings = [Option<Value>; CODE + REGISTERS];

/// Binds a value of the formula to one of the region, with everything that leads there; false where they differ.
fn bind(formula: &Program, value: Value, region: &Program, other: Value, bindings: &mut Bindings) -> bool {
    if let Some(bound) = bindings[value as usize] {
        return bound == other;
    }
    bindings[value as usize] = Some(other);
    let (step, steps) = (value as usize).checked_sub(formula.inputs).map_or((None, None), |i| {
        (formula.steps.get(i), (other as usize).checked_sub(region.inputs).and_then(|j| region.steps.get(j)))
    });
    match (step, steps) {
        (None, _) => (other as usize) < region.inputs,
        (Some(step), Some(same)) => {
            step.0 == same.0 && step.1.iter().zip(same.1).all(|(&a, b)| bind(formula, a, region, b, bindings))
        }
        (Some(_), None) => false,
    }
}

/// A formula that a region is, and the inputs of the region that are those of the formula: first the numbers, then the
/// rows, then the tensors.
#[derive(Clone, Copy)]
pub(super) struct Found {
    formula: Name,
    inputs: [Value; INPUTS],
}

/// The most inputs of a formula.
const INPUTS: usize = 9;

/// The least length of rows: shorter ones are expanded in the tile loop.
const ROW: usize = 16;

macro_rules! formulas {
    ($($(#[$doc:meta])* $Name:ident([$($scalar:ident),*], [$($row:ident),*], [$($x:ident),+]) -> [$($result:expr),+] {
        $($body:stmt;)+
    })*) => {
        /// The formulas.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Name { $($Name,)* }

        impl Name {
            fn name(self) -> &'static str {
                match self { $(Name::$Name => stringify!($Name),)* }
            }
        }

        $(
            $(#[$doc])*
            struct $Name;

            impl $Name {
                const S: usize = { let names: &[&str] = &[$(stringify!($scalar)),*]; names.len() };
                const P: usize = { let names: &[&str] = &[$(stringify!($row)),*]; names.len() };
                const R: usize = [$(stringify!($x)),+].len();
                const W: usize = [$(stringify!($result)),+].len();

                #[inline(always)]
                fn over<N: Number>(
                    [$($scalar),*]: [N; Self::S],
                    [$($row),*]: [N; Self::P],
                    [$($x),+]: [N; Self::R],
                ) -> [N; Self::W] {
                    $($body)+
                    [$($result),+]
                }

                /// The inputs of the region that are those of the formula, if the region computes it.
                fn find(region: &Region, operands: &[Kind]) -> Option<Found> {
                    // The number of steps once it is known: most regions differ in it, and this is asked at every run.
                    // Pages do without the code.
                    static STEPS: AtomicU8 = AtomicU8::new(0);
                    let steps = if cfg!(gradling_compact) { 0 } else { STEPS.load(Ordering::Relaxed) };
                    if steps != 0 && usize::from(steps) != region.code.len() {
                        return None;
                    }
                    let empty = Program { inputs: Self::S + Self::P + Self::R, steps: Fixed::new() };
                    let program = RefCell::new(empty);
                    let symbol = |i: usize| Symbol { program: &program, value: i as Value };
                    let scalars = core::array::from_fn(symbol);
                    let rows = core::array::from_fn(|i| symbol(Self::S + i));
                    let x = core::array::from_fn(|i| symbol(Self::S + Self::P + i));
                    let results = Self::over(scalars, rows, x).map(|symbol| symbol.value);
                    let program = program.into_inner();
                    if !cfg!(gradling_compact) {
                        STEPS.store(program.steps.len() as u8, Ordering::Relaxed);
                    }
                    let inputs = compare(&program, &results, [Self::S, Self::P], region, operands)?;
                    Some(Found { formula: Name::$Name, inputs })
                }
            }

            impl Formula<{ $Name::S }, { $Name::P }, { $Name::R }, { $Name::W }> for $Name {
                #[inline(always)]
                fn apply<T: Real>(scalars: [T; Self::S], rows: [T; Self::P], x: [T; Self::R]) -> [T; Self::W] {
                    Self::over(scalars, rows, x)
                }
            }
        )*

        impl Found {
            /// Runs the region over a range of elements, or over all.
            pub(super) fn run(
                &self,
                cpu: &Cpu,
                region: &Region,
                reads: &[View],
                writes: &[ViewMut],
                range: Option<core::ops::Range<usize>>,
            ) -> bool {
                match self.formula {
                    $(Name::$Name if linked(Name::$Name) => {
                        let operand = |i: usize| &reads[self.inputs[i] as usize];
                        let operands = Operands {
                            scalars: core::array::from_fn(|i| number(region, reads, self.inputs[i])),
                            rows: core::array::from_fn(|i| operand($Name::S + i)),
                            tensors: core::array::from_fn(|i| operand($Name::S + $Name::P + i)),
                        };
                        match range {
                            Some(range) => stream::run_part(cpu, &$Name, &operands, writes, range),
                            None => stream::run(cpu, &$Name, &operands, writes),
                        }
                    })*
                    _ => false,
                }
            }
        }

        /// The formula that a region is, if it is one. Small regions are interpreted, and so is everything in programs
        /// without an allocator, which do not train, and where small code goes before speed.
        pub(super) fn find(region: &Region, operands: &[Kind]) -> Option<Found> {
            let stored = region.summed.iter().all(|&axes| axes == 0);
            let floats = region.dtypes.iter().all(|&dtype| dtype == DType::F32);
            if COMPACT || !cfg!(feature = "alloc") || !stored || !floats || region.shape.numel() < LEAST {
                return None;
            }
            $(if linked(Name::$Name) && let Some(found) = $Name::find(region, operands) {
                return Some(found);
            })*
            None
        }
    };
}

/// The inputs of a region that are those of a formula, of which the first are numbers and the next rows, if the region
/// computes it.
// One for all formulas.
#[inline(never)]
fn compare(
    formula: &Program,
    results: &[Value],
    [scalars, rows]: [usize; 2],
    region: &Region,
    operands: &[Kind],
) -> Option<[Value; INPUTS]> {
    if formula.steps.len() != region.code.len() || results.len() != region.results.len() {
        return None;
    }
    let (code, ends) = Program::of(region);
    let mut bindings: Bindings = [None; CODE + REGISTERS];
    for (&value, &end) in results.iter().zip(&ends) {
        bind(formula, value, &code, end, &mut bindings).then_some(())?;
    }
    let mut inputs = [0; INPUTS];
    let mut row = None;
    for (i, input) in inputs.iter_mut().enumerate().take(formula.inputs) {
        *input = bindings[i]?;
        let fits = match operands.get(*input as usize) {
            Some((shape, dtype)) if *dtype == DType::F32 => {
                let n = shape.numel();
                if i < scalars {
                    n == 1
                } else if i < scalars + rows {
                    is_row(shape, &region.shape) && *row.get_or_insert(n) == n
                } else {
                    n == region.shape.numel()
                }
            }
            Some(_) => false,
            None => i < scalars,
        };
        fits.then_some(())?;
    }
    Some(inputs)
}

/// The formula that a region is, if it is one.
pub(super) fn name(region: &Region, operands: &[Kind]) -> Option<&'static str> {
    find(region, operands).map(|found| found.formula.name())
}

/// Whether plans have the formula: of updates, those whose moments settle wherever denormals are kept
/// ([`Device::keeps_denormals`](crate::Device::keeps_denormals)), which on x86-64 is up to the device.
const fn linked(formula: Name) -> bool {
    let plain = matches!(formula, Name::Adam | Name::Momentum | Name::RootMeanSquare);
    // Pages do without those that little time is spent in.
    let rare = matches!(
        formula,
        Name::SettledMomentum
            | Name::SettledRootMeanSquare
            | Name::Bias
            | Name::Scale
            | Name::ScaleShortcut
            | Name::Sum
    );
    cfg!(target_arch = "x86_64") || !(plain || cfg!(gradling_compact) && rare)
}

/// Whether an operand is a row of some length, repeated.
fn is_row(operand: &Shape, over: &Shape) -> bool {
    let rank = over.rank();
    let aligned = |a: usize| operand.dim(a as isize - rank as isize);
    let first = (0..rank).find(|&a| aligned(a) != 1).unwrap_or(rank);
    let whole = (first..rank).all(|a| aligned(a) == over.dim(a as isize));
    operand.rank() <= rank && whole && operand.numel() >= ROW && operand.numel() < over.numel()
}

/// An operand of one element, or an immediate.
fn number(region: &Region, reads: &[View], input: Value) -> f32 {
    match reads.get(input as usize) {
        Some(read) => read.slice::<f32>().map_or(f32::NAN, |x| x[0]),
        None => f32::from_bits(region.immediates[input as usize - reads.len()]),
    }
}

formulas! {
    /// `keras.optimizers.Adam`, with the rate corrected for the bias of both moments.
    Adam([rest_1, rest_2, rate, epsilon], [], [g, momentum, velocity, w]) -> [m, v, new] {
        let m = momentum.add(g.sub(momentum).mul(rest_1));
        let v = velocity.add(g.square().sub(velocity).mul(rest_2));
        let new = w.sub(m.mul(rate).div(v.sqrt().add(epsilon)));
    }
    /// `keras.optimizers.SGD` with momentum.
    Momentum([rate, momentum], [], [g, velocity, w]) -> [v, new] {
        let v = velocity.mul(momentum).sub(g.mul(rate));
        let new = w.add(v);
    }
    /// `keras.optimizers.RMSprop`.
    RootMeanSquare([rho, rest, rate, epsilon], [], [g, velocity, w]) -> [v, new] {
        let v = velocity.mul(rho).add(g.square().mul(rest));
        let new = w.sub(g.mul(rate).div(v.add(epsilon).sqrt()));
    }
    /// [`Adam`] with moments that settle.
    SettledAdam([rest_1, rest_2, rate, epsilon, tiny], [], [g, momentum, velocity, w]) -> [m, v, new] {
        let m = momentum.add(g.sub(momentum).mul(rest_1)).add(tiny).sub(tiny);
        let v = velocity.add(g.square().sub(velocity).mul(rest_2)).add(tiny).sub(tiny);
        let new = w.sub(m.mul(rate).div(v.sqrt().add(epsilon)));
    }
    /// [`Momentum`] with velocities that settle.
    SettledMomentum([rate, momentum, tiny], [], [g, velocity, w]) -> [v, new] {
        let v = velocity.mul(momentum).sub(g.mul(rate)).add(tiny).sub(tiny);
        let new = w.add(v);
    }
    /// [`RootMeanSquare`] with velocities that settle.
    SettledRootMeanSquare([rho, rest, rate, epsilon, tiny], [], [g, velocity, w]) -> [v, new] {
        let v = velocity.mul(rho).add(g.square().mul(rest)).add(tiny).sub(tiny);
        let new = w.sub(g.mul(rate).div(v.add(epsilon).sqrt()));
    }
    /// A bias.
    Bias([], [bias], [x]) -> [y] {
        let y = x.add(bias);
    }
    /// A bias and a rectifier.
    BiasRelu([], [bias], [x]) -> [y] {
        let y = x.add(bias).relu();
    }
    /// A batch normalization with known moments.
    Scale([], [factor, offset], [x]) -> [y] {
        let y = x.mul(factor).add(offset);
    }
    /// A batch normalization and a rectifier.
    ScaleRelu([], [factor, offset], [x]) -> [y] {
        let y = x.mul(factor).add(offset).relu();
    }
    /// A batch normalization and a rectifier with a limit.
    ScaleClip([most], [factor, offset], [x]) -> [y] {
        let y = most.min(x.mul(factor).add(offset).relu());
    }
    /// A batch normalization and a shortcut.
    ScaleShortcut([], [factor, offset], [x, shortcut]) -> [y] {
        let y = x.mul(factor).add(offset).add(shortcut);
    }
    /// A batch normalization, a shortcut and a rectifier: the end of a residual block.
    ScaleShortcutRelu([], [factor, offset], [x, shortcut]) -> [y] {
        let y = x.mul(factor).add(offset).add(shortcut).relu();
    }
    /// Two terms: a recurrent product and the projected input.
    Sum([], [], [x, other]) -> [y] {
        let y = x.add(other);
    }
}

#[cfg(all(test, feature = "full", feature = "std"))]
mod tests {
    use super::*;
    use crate::kernel::Level;
    use crate::nn::optimizer::{Optimizer, RMSprop, SGD};
    use crate::op::Op;
    use crate::{Plan, PlanOptions, Tensor, Trace, Variables};
    use std::vec::Vec;

    /// The region that updates a weight of this shape.
    fn update(optimizer: &Optimizer, settle: bool, dims: &[usize]) -> (Region, Vec<Kind>) {
        let mut variables = Variables::new();
        let zeros = Tensor::new(dims, std::vec![0.0f32; dims.iter().product()]).unwrap();
        let weight = variables.add("weight", &zeros, true).unwrap();
        let slots: Vec<_> =
            optimizer.slots().iter().map(|slot| variables.add(slot.name, &zeros, false).unwrap()).collect();
        let trace = Trace::new(&variables);
        let input = |name: &str, dims: &[usize]| trace.input(name, Shape::new(dims).unwrap(), DType::F32);
        let mut state = crate::nn::optimizer::StepState::new(input("rate", &[]), input("step", &[]));
        state.settle = settle;
        let old: Vec<_> = slots.iter().map(|&slot| trace.variable(slot)).collect();
        let (w, new) = optimizer.update(&state, trace.variable(weight), input("gradient", dims), &old, &[]);
        trace.assign(weight, w);
        for (&slot, value) in slots.iter().zip(new) {
            trace.assign(slot, value);
        }
        let plan = Plan::compile(&trace.finish().unwrap(), &PlanOptions::default()).unwrap();
        let whole = plan.steps().iter().find_map(|step| match &step.op {
            Op::Region(region) if region.shape == Shape::new(dims).unwrap() => {
                Some((region.clone(), step.reads.iter().map(|slot| (slot.shape, slot.dtype)).collect()))
            }
            _ => None,
        });
        whole.unwrap()
    }

    #[test]
    fn updates_of_optimizers_are_recognized_and_give_the_same_bits() {
        let optimizers = [
            (Optimizer::adam(), [Name::Adam, Name::SettledAdam]),
            (
                Optimizer::SGD(SGD { momentum: 0.9, ..SGD::default() }),
                [Name::Momentum, Name::SettledMomentum],
            ),
            (Optimizer::RMSprop(RMSprop::default()), [Name::RootMeanSquare, Name::SettledRootMeanSquare]),
        ];
        let updates = optimizers.iter().flat_map(|(optimizer, [plain, settled])| {
            [(optimizer, false, *plain), (optimizer, true, *settled)]
        });
        for (optimizer, settle, expected) in updates.filter(|(_, _, name)| linked(*name)) {
            let expected = expected.name();
            for dims in [[16, 16], [37, 500]] {
                let (region, operands) = update(optimizer, settle, &dims);
                assert_eq!(name(&region, &operands), Some(expected));
                let value = |i: usize, k: usize| ((i * 7919 + k * 31) % 1009) as f32 / 1009.0;
                let data: Vec<Vec<f32>> = operands
                    .iter()
                    .enumerate()
                    .map(|(k, kind)| (0..kind.0.numel()).map(|i| value(i, k)).collect())
                    .collect();
                let reads: Vec<View> =
                    data.iter().zip(&operands).map(|(x, k)| View::new(x, k.0, k.1).unwrap()).collect();
                for &level in Level::available() {
                    let cpu = Cpu::new(level, None);
                    let run = |interpreted: bool| {
                        let mut results =
                            std::vec![std::vec![-1.0f32; region.shape.numel()]; region.results.len()];
                        let mut writes: Vec<ViewMut> = results
                            .iter_mut()
                            .map(|y| ViewMut::new(y, region.shape, DType::F32).unwrap())
                            .collect();
                        if interpreted {
                            region.interpret::<{ crate::op::used::EVERY }>(
                                &cpu,
                                &reads,
                                &mut writes,
                                &mut [],
                            );
                        } else {
                            let found = find(&region, &operands).unwrap();
                            assert!(found.run(&cpu, &region, &reads, &writes, None));
                        }
                        results
                    };
                    assert_eq!(run(false), run(true), "{level:?} {expected}");
                }
            }
        }
    }

    #[test]
    fn other_regions_are_not_recognized() {
        let adam = update(&Optimizer::adam(), true, &[16, 16]);
        for i in 0..adam.0.code.len() {
            let mut other = adam.clone();
            let code = &mut other.0.code[i];
            code.op = match code.op {
                Scalar::Binary(Binary::Add) => Scalar::Binary(Binary::Maximum),
                Scalar::Binary(_) => Scalar::Binary(Binary::Add),
                _ => Scalar::Unary(Unary::Neg),
            };
            assert_eq!(name(&other.0, &other.1), None, "instruction {i}");
        }
        let mut other = adam.clone();
        other.0.results.reverse();
        assert_eq!(name(&other.0, &other.1), None);
        assert_eq!(name(&update(&Optimizer::adam(), true, &[3, 3]).0, &adam.1), None);
    }
}
