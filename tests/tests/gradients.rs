//! Every operator's gradient, and the gradient of its gradient, against central differences.
//!
//! The derivative along each coordinate is extrapolated from two step widths (Richardson), so that single
//! precision is enough for the tolerance.

use gradling::compose::{PadMode, SliceMasks};
use gradling::nn::{Activation, Call};
use gradling::op::Unary;
use gradling::{DType, Padding, Tensor, Trace, Var, Window, autodiff};
use gradling_tests::executor::{self, Executor};
use gradling_tests::program::{Input, Program};

type Function = Box<dyn for<'b> Fn(&'b Trace, &[Var<'b>]) -> Var<'b>>;

/// A function and where to test it: the shape and the interval of each operand.
struct Check {
    name: String,
    operands: Vec<(Vec<usize>, (f32, f32))>,
    function: Function,
}

fn check(
    name: impl Into<String>,
    operands: &[(&[usize], (f32, f32))],
    function: impl for<'b> Fn(&'b Trace, &[Var<'b>]) -> Var<'b> + 'static,
) -> Check {
    let operands = operands.iter().map(|(s, d)| (s.to_vec(), *d)).collect();
    Check { name: name.into(), operands, function: Box::new(function) }
}

const WIDE: (f32, f32) = (-2.0, 2.0);
const POSITIVE: (f32, f32) = (0.5, 2.0);

/// Numbers spread over an interval, all different by a margin, in a scrambled order.
fn spread(n: usize, (low, high): (f32, f32), salt: usize) -> Vec<f32> {
    (0..n)
        .map(|i| {
            let place = (i * 7 + salt * 3) % n.max(1);
            let place = if n.is_multiple_of(7) { i } else { place };
            low + (high - low) * (place as f32 + 0.37) / n as f32
        })
        .collect()
}

fn integers<'b>(beside: Var<'b>, dims: &[usize], data: &[i32]) -> Var<'b> {
    beside.constant_like(Tensor::new(dims, data.to_vec()).expect("integers"))
}

/// Every activation but those that are a constant or have a kink wherever differences look.
fn activations() -> Vec<Check> {
    let names = [
        "relu",
        "relu6",
        "leaky_relu",
        "elu",
        "selu",
        "celu",
        "gelu",
        "softplus",
        "softsign",
        "sigmoid",
        "hard_sigmoid",
        "hard_silu",
        "hard_tanh",
        "tanh",
        "exponential",
        "silu",
        "mish",
        "softmax",
        "log_softmax",
        "log_sigmoid",
        "tanh_shrink",
        "hard_shrink",
        "soft_shrink",
        "squareplus",
        "glu",
        "threshold",
        "sparse_plus",
        "sparse_sigmoid",
    ];
    let run = |activation: Activation, name: &str| {
        check(name, &[(&[1, 8], (-3.45, 3.45))], move |trace, x| {
            activation.apply(&mut Call::new(trace, false, None), x[0])
        })
    };
    let mut all: Vec<Check> =
        names.iter().map(|name| run(Activation::from_name(name).expect(name), name)).collect();
    let relu = Activation::Relu;
    let set = [("negative_slope", 0.2), ("max_value", 2.0), ("threshold", -0.5)];
    let relu = set.iter().fold(relu, |a, (key, value)| a.with(key, *value).expect(key));
    all.push(run(relu, "relu with all arguments"));
    all.push(run(Activation::Gelu { approximate: true }, "gelu, approximate"));
    all
}

fn checks() -> Vec<Check> {
    let mut all = activations();
    // Steps of a difference are finer than the numbers that `Half` rounds to.
    for &row in Unary::ALL.iter().filter(|&&row| row != Unary::Half) {
        all.push(check(row.name(), &[(&[6], row.domain())], move |_, x| x[0].unary(row)));
    }
    let x23: &[usize] = &[2, 3];
    all.extend([
        check("add, broadcast", &[(x23, WIDE), (&[3], WIDE)], |_, x| x[0] + x[1]),
        check("subtract, broadcast", &[(&[2, 1], WIDE), (&[3], WIDE)], |_, x| x[0] - x[1]),
        check("multiply", &[(x23, WIDE), (x23, WIDE)], |_, x| x[0] * x[1]),
        check("multiply by itself", &[(x23, WIDE)], |_, x| x[0] * x[0]),
        check("divide, broadcast", &[(x23, WIDE), (&[2, 1], POSITIVE)], |_, x| x[0] / x[1]),
        check("pow", &[(x23, POSITIVE), (x23, WIDE)], |_, x| x[0].pow(x[1])),
        check("maximum", &[(&[4], WIDE), (&[4], (-1.7, 2.3))], |_, x| x[0].maximum(x[1])),
        check("minimum", &[(&[4], WIDE), (&[4], (-1.7, 2.3))], |_, x| x[0].minimum(x[1])),
        check("where", &[(x23, WIDE), (x23, WIDE)], |_, x| {
            Var::select(x[0].greater(x[0].scalar_like(0.05)), x[0] * x[1], x[1].square())
        }),
        check("sum", &[(&[2, 3, 2], WIDE)], |_, x| x[0].square().sum(&[1], false)),
        check("mean, kept", &[(&[2, 3, 2], WIDE)], |_, x| x[0].square().mean(&[0, 2], true)),
        check("max", &[(&[3, 4], WIDE)], |_, x| x[0].max(&[1], false)),
        check("min of all", &[(&[3, 4], WIDE)], |_, x| x[0].min(&[], false)),
        check("prod", &[(&[2, 4], POSITIVE)], |_, x| x[0].prod(&[1], false)),
        check("logsumexp", &[(&[2, 4], WIDE)], |_, x| x[0].logsumexp(&[1], true)),
        check("softmax", &[(&[2, 4], WIDE)], |_, x| x[0].softmax()),
        check("log_softmax", &[(&[2, 4], WIDE)], |_, x| x[0].log_softmax()),
        check("reshape, transpose", &[(&[2, 6], WIDE)], |_, x| {
            x[0].reshape(&[2, 2, 3]).transpose(&[2, 0, 1]).square()
        }),
        check("broadcast_to", &[(&[2, 1], WIDE)], |_, x| x[0].broadcast_to(&[3, 2, 4]).square()),
        check("expand_dims, squeeze", &[(&[3, 1], WIDE)], |_, x| x[0].squeeze(&[1]).expand_dims(0).square()),
        check("slice", &[(&[3, 4], WIDE)], |_, x| x[0].slice(&[1, 1], &[2, 2]).square()),
        check("pad", &[(x23, WIDE)], |_, x| x[0].pad(&[(1, 0), (0, 2)], 0.5).square()),
        check("concat", &[(x23, WIDE), (&[2, 1], WIDE)], |_, x| Var::concat(&[x[0], x[1], x[0]], 1).square()),
        check("matmul", &[(x23, WIDE), (&[3, 2], WIDE)], |_, x| x[0].matmul(x[1])),
        check("matmul, left transposed", &[(&[3, 2], WIDE), (&[3, 2], WIDE)], |_, x| {
            x[0].matmul_t(x[1], true, false)
        }),
        check("matmul, right transposed", &[(x23, WIDE), (&[4, 3], WIDE)], |_, x| {
            x[0].matmul_t(x[1], false, true)
        }),
        check("matmul, both transposed", &[(&[3, 2], WIDE), (&[4, 3], WIDE)], |_, x| {
            x[0].matmul_t(x[1], true, true)
        }),
        check("matmul, batched", &[(&[2, 2, 3], WIDE), (&[2, 3, 2], WIDE)], |_, x| x[0].matmul(x[1])),
        check("conv2d valid", &[(&[1, 4, 4, 2], WIDE), (&[3, 2, 2, 2], WIDE)], |_, x| {
            x[0].conv2d(x[1], &Window::new([3, 2]))
        }),
        check("conv2d same, strided", &[(&[1, 5, 4, 1], WIDE), (&[3, 3, 1, 2], WIDE)], |_, x| {
            x[0].conv2d(x[1], &Window::new([3, 3]).strides([2, 1]).padding(Padding::Same))
        }),
        check("conv2d dilated", &[(&[1, 5, 5, 1], WIDE), (&[2, 2, 1, 2], WIDE)], |_, x| {
            x[0].conv2d(x[1], &Window::new([2, 2]).dilation([2, 2]))
        }),
        check("conv2d in groups", &[(&[1, 3, 3, 4], WIDE), (&[2, 2, 2, 2], WIDE)], |_, x| {
            x[0].conv2d(x[1], &Window::new([2, 2]).groups(2))
        }),
        check("max_pool2d", &[(&[1, 4, 4, 2], WIDE)], |_, x| {
            x[0].max_pool2d(&Window::new([2, 2]).strides([2, 2])).square()
        }),
        check("max_pool2d same, overlapping", &[(&[1, 4, 3, 1], WIDE)], |_, x| {
            x[0].max_pool2d(&Window::new([3, 3]).strides([2, 2]).padding(Padding::Same)).square()
        }),
        check("conv2d_transpose", &[(&[1, 3, 3, 2], WIDE), (&[3, 2, 1, 2], WIDE)], |_, x| {
            let window = Window::new([3, 2]).strides([2, 2]).padding(Padding::Same);
            x[0].conv2d_transpose(x[1], &[1, 6, 5, 1], &window)
        }),
        check("avg_pool2d same, overlapping", &[(&[1, 4, 3, 2], WIDE)], |_, x| {
            x[0].avg_pool2d(&Window::new([3, 3]).strides([2, 2]).padding(Padding::Same)).square()
        }),
        check("reverse", &[(&[2, 3, 2], WIDE)], |_, x| x[0].reverse(&[0, -1]).square()),
        check("gather", &[(&[3, 4], WIDE)], |_, x| {
            x[0].gather(integers(x[0], &[2, 2], &[2, 0, 2, 1]), 1).square()
        }),
        check("gather, batched", &[(&[2, 3, 2], WIDE)], |_, x| {
            x[0].gather_batched(integers(x[0], &[2, 2], &[2, 0, 1, 1]), 1, 1).square()
        }),
        check("gather_nd", &[(&[3, 2, 2], WIDE)], |_, x| {
            x[0].gather_nd(integers(x[0], &[3, 2], &[2, 1, 0, 0, 2, 1])).square()
        }),
        check("scatter_nd", &[(&[3, 2], WIDE)], |_, x| {
            integers(x[0], &[3, 1], &[1, 3, 1]).scatter_nd(x[0], &[4, 2]).square()
        }),
        check("unsorted_segment_sum", &[(&[4, 2], WIDE)], |_, x| {
            x[0].unsorted_segment_sum(integers(x[0], &[4], &[1, 0, -1, 1]), 3).square()
        }),
        check("floordiv and floormod", &[(&[4], (2.1, 2.9)), (&[4], (0.9, 1.0))], |_, x| {
            x[0].floormod(x[1]).square() + x[0].floordiv(x[1])
        }),
        check("truncatemod", &[(&[4], (-2.9, -2.1)), (&[4], (0.9, 1.0))], |_, x| {
            x[0].truncatemod(x[1]).square()
        }),
        check("divide_no_nan", &[(&[4], WIDE), (&[4], POSITIVE)], |_, x| {
            let zero = x[1].scalar_like(0.0);
            x[0].divide_no_nan(x[1]) + x[0].divide_no_nan(x[1] * zero)
        }),
        check("multiply_no_nan", &[(&[4], WIDE), (&[4], WIDE)], |_, x| x[0].multiply_no_nan(x[1])),
        check("xlogy, xlog1py, xdivy", &[(&[4], POSITIVE), (&[4], POSITIVE)], |_, x| {
            x[0].xlogy(x[1]) + x[0].xlog1py(x[1]) * x[0].xdivy(x[1])
        }),
        check("tan, asin, acos", &[(&[5], (-0.8, 0.8))], |_, x| x[0].tan() + x[0].asin() * x[0].acos()),
        check("atan2", &[(&[5], WIDE), (&[5], (-1.9, 2.1))], |_, x| x[0].atan2(x[1])),
        check("sinh, cosh", &[(&[5], WIDE)], |_, x| x[0].sinh() * x[0].cosh()),
        check("asinh", &[(&[7], WIDE)], |_, x| x[0].asinh()),
        check("acosh, atanh", &[(&[5], (0.2, 0.8))], |_, x| (x[0] + 1.0).acosh() * x[0].atanh()),
        check("squared_difference, clip", &[(&[4], WIDE), (&[4], WIDE)], |_, x| {
            x[0].squared_difference(x[1]).clip(0.05, 3.0)
        }),
        check("integer casts stop gradients", &[(&[3], WIDE)], |_, x| {
            x[0].square() * x[0].cast(DType::I32).cast(DType::F32).square()
        }),
        check("prod with zeros", &[(&[3], WIDE), (&[3], WIDE)], |_, x| {
            // One row has a zero, one has two, whatever the operands are.
            let zero = x[0].zeros_like();
            let rows = [Var::stack(&[x[0], x[1], zero + x[0]], 0), Var::stack(&[x[0] * zero, x[1], x[0]], 0)];
            Var::concat(&rows, 1).prod(&[0], false)
        }),
        check("cumsum", &[(&[2, 3], WIDE)], |_, x| {
            x[0].cumsum(1, false, false).square() + x[0].cumsum(0, true, true).square()
        }),
        check("cumprod", &[(&[2, 4], WIDE)], |_, x| {
            x[0].cumprod(1, false, false) + x[0].cumprod(-1, true, true)
        }),
        check("cumprod with zeros", &[(&[4], WIDE)], |_, x| {
            let zeros = x[0].constant_like(Tensor::new(&[4], [1.0, 0.0, 1.0, 0.0]).expect("mask"));
            (x[0] * zeros).cumprod(0, false, true) + (x[0] * zeros).cumprod(0, true, false)
        }),
        check("sort", &[(&[2, 4], WIDE)], |_, x| {
            let weights = x[0].constant_like(Tensor::new(&[4], [1.0, 2.0, 3.0, 4.0]).expect("weights"));
            (x[0].sort(-1, false) * weights + x[0].sort(0, true)).square()
        }),
        check("top_k", &[(&[2, 4], WIDE)], |_, x| x[0].top_k(2).0.square()),
        check("variance, std", &[(&[2, 3], WIDE)], |_, x| x[0].variance(&[1], true) * x[0].std(&[], false)),
        check("norms", &[(&[2, 3], WIDE)], |_, x| {
            let all = [1.0, 2.0, 3.0, f32::INFINITY].map(|order| x[0].norm(order, &[1], false));
            (all[0] * all[1] + all[2]) * all[3]
        }),
        check("l2_normalize", &[(&[2, 3], WIDE)], |_, x| x[0].l2_normalize(&[-1], 1e-12)),
        check("clip_by_norm", &[(&[2, 3], WIDE)], |_, x| {
            x[0].clip_by_norm(0.5, &[]) + x[0].clip_by_norm(9.0, &[1])
        }),
        check("clip_by_global_norm", &[(&[3], WIDE), (&[2], WIDE)], |_, x| {
            Var::concat(&Var::clip_by_global_norm(x, 0.7), 0)
        }),
        check("logsumexp of all", &[(&[2, 3], WIDE)], |_, x| x[0].logsumexp(&[], false)),
        check("softmax along an axis", &[(&[3, 2], WIDE)], |_, x| {
            x[0].softmax_axis(0) * x[0].log_softmax_axis(0)
        }),
        check("softmax_cross_entropy", &[(&[2, 3], WIDE), (&[2, 3], WIDE)], |_, x| {
            x[0].softmax_cross_entropy(x[1].softmax())
        }),
        check("sparse_softmax_cross_entropy", &[(&[2, 3], WIDE)], |_, x| {
            x[0].sparse_softmax_cross_entropy(integers(x[0], &[2], &[2, 0]))
        }),
        check("sigmoid cross-entropies", &[(&[4], WIDE), (&[4], WIDE)], |_, x| {
            x[0].sigmoid_cross_entropy(x[1]) * x[0].weighted_sigmoid_cross_entropy(x[1], 2.0)
        }),
        check("bias_add", &[(&[2, 2, 2], WIDE), (&[2], WIDE)], |_, x| {
            (x[0].bias_add(x[1]) * x[0].bias_add_axis(x[1], 1)).square()
        }),
        check("depthwise and separable", &[(&[1, 3, 3, 2], WIDE), (&[2, 2, 2, 2], WIDE)], |_, x| {
            let point = x[1].slice(&[0, 0, 0, 0], &[2, 1, 2, 1]).reshape(&[1, 1, 4, 1]);
            x[0].separable_conv2d(x[1], point, &Window::new([2, 2]))
        }),
        check("conv1d and its pools", &[(&[1, 6, 2], WIDE), (&[2, 2, 2], WIDE)], |_, x| {
            let window = Window::new([1, 2]);
            let y = x[0].conv1d(x[1], &window);
            y.max_pool1d(&window) * y.avg_pool1d(&window)
        }),
        check("strided_slice", &[(&[4, 5], WIDE)], |_, x| {
            x[0].strided_slice(&[-1, 0], &[0, 5], &[-2, 2], &SliceMasks::default()).square()
        }),
        check("mirrored borders", &[(&[3, 4], WIDE)], |_, x| {
            let pads = [(1, 2), (2, 0)];
            x[0].pad_with(&pads, PadMode::Reflect).square() + x[0].pad_with(&pads, PadMode::Symmetric)
        }),
        check("roll, tile, repeat", &[(&[2, 3], WIDE)], |_, x| {
            let y = x[0].roll(&[1, -1], &[0, 1]).tile(&[2, 1]);
            (y * x[0].repeat(2, 0)).repeat_each(&[1, 0, 2], 1)
        }),
        check("stack, unstack, split", &[(&[2, 4], WIDE)], |_, x| {
            let parts = x[0].split(2, 1);
            let rows = Var::stack(&[parts[0], parts[1].square()], 1).unstack(0);
            rows[0] * rows[1]
        }),
        check("band_part, diag", &[(&[3, 3], WIDE)], |_, x| {
            x[0].band_part(1, 0).square() + x[0].diag_part().diag() * x[0].trace()
        }),
        check("einsum", &[(&[2, 3], WIDE), (&[3, 4], WIDE)], |_, x| {
            Var::einsum("ab,bc,ab->ca", &[x[0], x[1], x[0]])
        }),
        check("einsum with a diagonal", &[(&[2, 3, 3], WIDE)], |_, x| {
            Var::einsum("...ii,...ij->...j", &[x[0], x[0]])
        }),
        check("tensordot", &[(&[2, 3, 2], WIDE), (&[2, 3], WIDE)], |_, x| {
            x[0].tensordot(x[1], &[1, 0], &[1, 0]).square()
        }),
        check("scatter_nd_add, take_along_axis", &[(&[3, 2], WIDE), (&[2], WIDE)], |_, x| {
            let y = x[0].scatter_nd_add(integers(x[0], &[2, 2], &[0, 1, 2, 0]), x[1]);
            y.take_along_axis(integers(x[0], &[2, 2], &[2, 0, 0, 1]), 0).square()
        }),
        check("a dense layer and its loss", &[(&[3, 4], WIDE), (&[4, 2], WIDE), (&[2], WIDE)], |_, x| {
            let y = x[0].matmul(x[1]) + x[2];
            y.tanh().log_softmax()
        }),
    ]);
    all
}

/// The operands of a check as inputs with gradients.
fn inputs(check: &Check) -> Vec<Input> {
    check
        .operands
        .iter()
        .enumerate()
        .map(|(i, (shape, domain))| {
            let data = spread(shape.iter().product(), *domain, i);
            let value = Tensor::new(shape, data).expect("operand");
            Input { name: format!("x{i}"), value, grad: true }
        })
        .collect()
}

/// A fixed weighting of a value's elements, as a sum.
fn weighted(y: Var, salt: usize) -> Var {
    let shape = y.shape().to_vec();
    let weights = spread(y.shape().numel(), (0.5, 1.5), salt);
    let weights = Tensor::new(&shape, weights).expect("weights");
    (y * y.constant_like(weights)).sum(&[], false)
}

/// Compares the gradient of a scalar function with differences; returns what is wrong.
fn compare(
    name: &str,
    inputs: Vec<Input>,
    function: &dyn for<'b> Fn(&'b Trace, &[Var<'b>]) -> Var<'b>,
) -> Vec<String> {
    let value_at = |inputs: Vec<Input>| -> f64 {
        let results = run(inputs, function, false);
        f64::from(results[0].1.to_f32()[0])
    };
    let gradients = run(inputs.clone(), function, true);
    let mut faults = Vec::new();
    for (i, input) in inputs.iter().enumerate() {
        let data = input.value.as_f32().expect("float operand").to_vec();
        let got = gradients[1 + i].1.to_f32();
        for j in 0..data.len() {
            let difference = |h: f32| {
                let at = |x: f32| {
                    let mut moved = inputs.clone();
                    let mut data = data.clone();
                    data[j] = x;
                    moved[i].value = Tensor::new(&input.value.shape().to_vec(), data).expect("operand");
                    value_at(moved)
                };
                let (up, down) = (data[j] + h, data[j] - h);
                (at(up) - at(down)) / f64::from(up - down)
            };
            let want = (4.0 * difference(0.01) - difference(0.02)) / 3.0;
            let error = (f64::from(got[j]) - want).abs();
            if error.is_nan() || error > 2e-3 + 2e-3 * want.abs() {
                faults.push(format!("{name}: d/dx{i}[{j}] is {}, differences say {want}", got[j]));
            }
        }
    }
    faults
}

fn run(
    mut inputs: Vec<Input>,
    function: &dyn for<'b> Fn(&'b Trace, &[Var<'b>]) -> Var<'b>,
    grad: bool,
) -> Vec<(String, gradling_tests::tensors::Array)> {
    for input in &mut inputs {
        input.grad = grad;
    }
    let cotangents = if grad { vec![("y".to_string(), Tensor::scalar(1.0))] } else { Vec::new() };
    let program =
        Program { inputs, outputs: vec!["y".into()], cotangents, emit: &|b, x| Ok(vec![function(b, x)]) };
    executor::run(&program, &Executor::Tape).unwrap_or_else(|e| panic!("{e:?}"))
}

#[test]
fn gradients_equal_differences() {
    let mut faults = Vec::new();
    for check in checks() {
        let function = &check.function;
        faults.extend(compare(&check.name, inputs(&check), &|b, x| weighted(function(b, x), 1)));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn gradients_of_gradients_equal_differences() {
    let mut faults = Vec::new();
    for check in checks() {
        let function = &check.function;
        faults.extend(compare(&check.name, inputs(&check), &|b, x| {
            let y = weighted(function(b, x), 1);
            let gradients = autodiff::grad(y, x);
            gradients
                .into_iter()
                .enumerate()
                .map(|(i, g)| weighted(g, i + 2))
                .reduce(|a, g| a + g)
                .unwrap_or(y)
        }));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
