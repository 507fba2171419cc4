//! A plan computes what the tape computes, on random graphs with their gradients: fusion, common
//! subexpressions, memory reuse and in-place writes must not show.
//!
//! Executors add and multiply in different orders. A difference counts if it exceeds what comes of inputs that differ
//! in their last bits.

use gradling::compose::{PadMode, SliceMasks};
use gradling::{DType, Tensor, Var, Window};
use gradling_tests::compare::{Tolerance, compare};
use gradling_tests::executor;
use gradling_tests::program::{Input, Program};
use proptest::prelude::*;

/// One operator of a random graph: which, and on which earlier values.
type Step = (u8, u8, u8);

const ROWS: usize = 3;
const COLUMNS: usize = 4;
const CUT: usize = ROWS * COLUMNS;
const KINDS: u8 = 40;
/// Runs that say how much of a difference is rounding errors, amplified where a graph is ill-conditioned.
const NUDGES: u32 = 4;

/// Applies step `kind` to `x` and `y`, both of shape [3, 4], with a result of that shape whose size is bounded.
///
/// Where a result jumps, the jump lies away from the values that functions tend to (0, 1 and -1, equal neighbours):
/// there executors may differ by a rounding error, and the jump would make a fault of it.
fn apply<'b>(kind: u8, x: Var<'b>, y: Var<'b>) -> Var<'b> {
    let whole = [ROWS, COLUMNS];
    match kind {
        0 => (x + y) * 0.5,
        1 => x - y * 0.25,
        2 => (x * y).tanh(),
        3 => x / (y.abs() + 1.0),
        4 => x.maximum(y),
        5 => x.minimum(y),
        6 => Var::select(x.less(y - 0.0625), x, -y),
        7 => x.sigmoid(),
        8 => x.relu() - 0.125,
        9 => (x * 0.5).exp() - 1.0,
        10 => (x.square() + 1.0).log(),
        11 => (x.abs() + 0.5).sqrt() + x.sin(),
        12 => x - x.mean(&[0], true),
        13 => x - x.max(&[1], true),
        14 => x.sum(&[1], true).tanh() + y,
        15 => x.softmax() + y,
        16 => x.log_softmax() * 0.25,
        17 => x.reshape(&[COLUMNS, ROWS]).transpose(&[1, 0]) + y,
        18 => (x.matmul_t(y, false, true) * 0.25).tanh().matmul(y).tanh(),
        19 => x.slice(&[1, 0], &[2, 3]).pad(&[(0, 1), (1, 0)], 0.5),
        20 => Var::concat(&[x.slice(&[0, 2], &[ROWS, 2]), y.slice(&[0, 0], &[ROWS, 2])], 1),
        21 => {
            let image = x.reshape(&[1, ROWS, COLUMNS, 1]);
            let filter = y.slice(&[0, 0], &[3, 3]).reshape(&[3, 3, 1, 1]);
            let window = Window::new([3, 3]).padding(gradling::Padding::Same);
            image.conv2d(filter, &window).reshape(&whole).tanh()
        }
        22 => {
            let window = Window::new([2, 2]).padding(gradling::Padding::Same);
            x.reshape(&[1, ROWS, COLUMNS, 1]).max_pool2d(&window).reshape(&whole)
        }
        23 => x.cumsum(1, true, false) * 0.25 + y.cumsum(0, false, true) * 0.25,
        24 => (x * 0.5).cumprod(1, false, true).tanh() + y,
        25 => x.sort(1, false) * 0.5 + y.sort(0, true) * 0.5,
        26 => x.gather(picks(x, &[ROWS], &[2, 0, 2]), 0) - y,
        27 => x.take_along_axis(picks(x, &whole, &[0, 3, 1, 1, 2, 2, 2, 0, 3, 1, 0, 3]), 1) * y.tanh(),
        28 => {
            let rows = x.unsorted_segment_sum(picks(x, &[ROWS], &[1, -1, 1]), ROWS);
            rows.tanh() + y
        }
        29 => {
            x.reverse(&[0])
                .strided_slice(&[0, -1], &[ROWS as isize, 0], &[1, -3], &SliceMasks::default())
                .tile(&[1, 4])
                + y
        }
        30 => x
            .roll(&[1, -2], &[0, 1])
            .maximum(y.pad_with(&[(0, 0), (1, 1)], PadMode::Reflect).slice(&[0, 1], &whole)),
        31 => Var::einsum("ij,kj,kl->il", &[x, y, x]).tanh(),
        32 => x.gelu(true).minimum(y.mish()) + x.elu(1.0).clip(-1.0, 1.0),
        33 => Var::select(x.greater(y + 0.0625).all(&[0], true), x, y.hard_sigmoid()),
        34 => x.prod(&[1], true).tanh() + y,
        35 => (x + 0.1875).floormod(y.abs() + 0.5) * 0.5,
        36 => (x * 2.0 + 0.3125).cast(DType::I32).abs().sum(&[0], true).cast(DType::F32).tanh() + y,
        37 => {
            let window = Window::new([3, 2]).strides([1, 2]).padding(gradling::Padding::Same);
            let filter = y.slice(&[0, 0], &[3, 2]).reshape(&[3, 2, 1, 1]);
            let half = x.reshape(&[1, ROWS, COLUMNS, 1]).avg_pool2d(&window);
            half.conv2d_transpose(filter, &[1, ROWS, COLUMNS, 1], &window).reshape(&whole).tanh()
        }
        38 => {
            let ramp = Tensor::new(&[COLUMNS], vec![0.0, 0.03125, 0.0625, 0.09375]).expect("ramp");
            let (values, indices) = (x + x.constant_like(ramp)).top_k(2);
            Var::concat(&[values, indices.cast(DType::F32) * 0.25], 1) + y
        }
        _ => x.stop_gradient() + y * 0.5,
    }
}

fn picks<'b>(beside: Var<'b>, dims: &[usize], data: &[i32]) -> Var<'b> {
    beside.constant_like(Tensor::new(dims, data.to_vec()).expect("indices"))
}

fn emit<'b>(inputs: &[Var<'b>], steps: &[Step]) -> Vec<Var<'b>> {
    let mut values: Vec<Var<'b>> = inputs.iter().map(|x| x.broadcast_to(&[ROWS, COLUMNS])).collect();
    for &(kind, i, j) in steps {
        let (x, y) = (values[i as usize % values.len()], values[j as usize % values.len()]);
        values.push(apply(kind % KINDS, x, y));
    }
    let last = values[values.len() - 1];
    vec![last, last.sum(&[], false), values[values.len() / 2]]
}

/// The numbers, each moved by up to eight units in its last place.
fn nudged(numbers: &[f32], seed: u32) -> Vec<f32> {
    let nudge = |(i, x): (usize, &f32)| {
        let step = (i as u32 + 1).wrapping_mul(seed).wrapping_mul(0x9e37_79b9) >> 28;
        x * (1.0 + (step as f32 - 7.5) * f32::EPSILON)
    };
    numbers.iter().enumerate().map(nudge).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn plan_equals_tape(
        steps in proptest::collection::vec((0u8..KINDS, any::<u8>(), any::<u8>()), 1..24),
        numbers in proptest::collection::vec(-2.0f32..2.0, CUT + COLUMNS + ROWS),
    ) {
        let run = |numbers: &[f32], executor: &executor::Executor| {
            let parts: [(&[usize], &[f32]); 3] = [
                (&[ROWS, COLUMNS], &numbers[..CUT]),
                (&[COLUMNS], &numbers[CUT..CUT + COLUMNS]),
                (&[ROWS, 1], &numbers[CUT + COLUMNS..]),
            ];
            let inputs = parts.iter().enumerate().map(|(i, (shape, data))| Input {
                name: format!("x{i}"),
                value: Tensor::new(shape, data.to_vec()).expect("input"),
                grad: true,
            });
            let weights = Tensor::new(&[ROWS, COLUMNS], numbers[..CUT].to_vec()).expect("cotangent");
            let program = Program {
                inputs: inputs.collect(),
                outputs: vec!["last".into(), "sum".into(), "middle".into()],
                cotangents: vec![("last".into(), weights), ("sum".into(), Tensor::scalar(0.5))],
                emit: &|_, x| Ok(emit(x, &steps)),
            };
            executor::run(&program, executor).map_err(|e| TestCaseError::fail(format!("{executor}: {e:?}")))
        };
        let executors = executor::all();
        let wanted = run(&numbers, &executors[0])?;
        let mut noise = vec![0.0f64; wanted.len()];
        for seed in 1..=NUDGES {
            for (noise, ((_, at), (_, want))) in noise.iter_mut().zip(run(&nudged(&numbers, seed), &executors[0])?.iter().zip(&wanted)) {
                *noise = noise.max(compare("", at, want, Tolerance { rtol: 0.0, atol: 1.0 }).largest);
            }
        }
        for executor in &executors[1..] {
            for (((name, got), (_, want)), noise) in run(&numbers, executor)?.iter().zip(&wanted).zip(&noise) {
                let difference = compare(name, got, want, Tolerance { rtol: 2e-4, atol: 2e-5 + 4.0 * noise });
                prop_assert!(difference.fault.is_none(), "{executor}: {:?}", difference.fault);
            }
        }
    }
}
