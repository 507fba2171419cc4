//! int8 and float16: casts against Rust's and `half`'s, movements, gradients, variables and files, on the tape and as
//! plans at every level.

use gradling::compose::{PadMode, SliceMasks};
use gradling::data::npy;
use gradling::{
    DType, Device, Level, Plan, PlanOptions, Result, Session, Shape, Tape, Tensor, Trace, Var, Variables,
    Window, autodiff, f16,
};
use gradling_tests::executor::devices;
use proptest::prelude::*;

const TYPES: [DType; 6] = [DType::F32, DType::I32, DType::U8, DType::Bool, DType::I8, DType::F16];

/// The elements by their bits, every NaN by those of one.
fn bits(t: &Tensor) -> Vec<u32> {
    match t.dtype() {
        DType::F32 => t
            .as_f32()
            .expect("floats")
            .iter()
            .map(|x| if x.is_nan() { u32::MAX } else { x.to_bits() })
            .collect(),
        DType::F16 => {
            let bits = |x: &f16| if x.is_nan() { u32::MAX } else { u32::from(x.to_bits()) };
            t.as_f16().expect("halves").iter().map(bits).collect()
        }
        DType::I32 => t.as_i32().expect("integers").iter().map(|&x| x as u32).collect(),
        _ => t.to_f32_vec().iter().map(|&x| x as i32 as u32).collect(),
    }
}

/// The results of a program, which must be the same on every executor of this machine.
fn everywhere(inputs: &[Tensor], emit: impl for<'b> Fn(&[Var<'b>]) -> Vec<Var<'b>>) -> Result<Vec<Tensor>> {
    let mut all: Vec<(String, Vec<Tensor>)> = Vec::new();
    for &level in Level::available() {
        let tape = Tape::at_level(level);
        let x: Vec<Var> = inputs.iter().map(|t| tape.watch(t)).collect();
        let y = emit(&x);
        all.push((format!("tape, {level:?}"), y.into_iter().map(|y| tape.value(y)).collect::<Result<_>>()?));
    }
    let graph = {
        let trace = Trace::new(&Variables::new());
        let port = |(i, t): (usize, &Tensor)| trace.input(&format!("x{i}"), *t.shape(), t.dtype());
        let x: Vec<Var> = inputs.iter().enumerate().map(port).collect();
        for (i, y) in emit(&x).into_iter().enumerate() {
            trace.output(&format!("y{i}"), y);
        }
        trace.finish()?
    };
    let plain = PlanOptions { optimize: false, in_place: false, workspace: false, strict: false };
    for options in [PlanOptions::default(), plain] {
        let plan = Plan::compile(&graph, &options)?;
        let read = Plan::from_bytes(&plan.to_bytes()?)?;
        for (plan, (level, threads)) in
            devices().into_iter().map(|d| (plan.clone(), d)).chain([(read, (Level::best(), 1))])
        {
            let mut session = Session::new(plan, &Device::new(level, threads)?)?;
            let mut variables = Variables::new();
            // Twice, so that values left in the arena would show.
            for _ in 0..2 {
                for (i, x) in inputs.iter().enumerate() {
                    session.set_input(i, x)?;
                }
                session.run(&mut variables)?;
            }
            let outputs = 0..session.plan().outputs().len();
            let y = outputs.map(|i| session.output_tensor(i, &variables)).collect::<Result<Vec<_>>>()?;
            all.push((format!("plan, {level:?}, {threads} threads, {options:?}"), y));
        }
    }
    let (_, first) = all.swap_remove(0);
    for (name, y) in all {
        for (a, b) in first.iter().zip(&y) {
            assert_eq!((a.shape(), a.dtype()), (b.shape(), b.dtype()), "{name}");
            assert!(bits(a) == bits(b), "{name}: {a} and {b}");
        }
    }
    Ok(first)
}

fn one(x: &Tensor, emit: impl for<'b> Fn(&[Var<'b>]) -> Var<'b>) -> Tensor {
    let y = everywhere(std::slice::from_ref(x), |x| vec![emit(x)]).unwrap_or_else(|e| panic!("{e}"));
    y.into_iter().next().expect("a result")
}

fn vector<T>(v: Vec<T>) -> Tensor
where
    gradling::Data: From<Vec<T>>,
{
    let data = gradling::Data::from(v);
    Tensor::new(&[data.len()], data).expect("a vector")
}

#[test]
fn every_half_survives_float32() {
    let all: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
    let x = vector(all.clone());
    let wide = one(&x, |x| x[0].cast(DType::F32));
    assert_eq!(bits(&x.to_f32()), bits(&wide));
    for (h, w) in all.iter().zip(wide.as_f32().expect("floats")) {
        assert!(h.to_f32().to_bits() == w.to_bits() || (h.is_nan() && w.is_nan()), "{h:?}");
    }
    let back = one(&wide, |x| x[0].cast(DType::F16));
    let through = one(&x, |x| x[0].cast(DType::F32).cast(DType::F16));
    for ((h, b), t) in all.iter().zip(back.as_f16().expect("halves")).zip(through.as_f16().expect("halves")) {
        let same = |x: &f16| x.to_bits() == h.to_bits() || (h.is_nan() && x.is_nan());
        assert!(same(b) && same(t), "{:#x}", h.to_bits());
    }
}

#[test]
fn float32_rounds_to_the_nearest_half_and_ties_to_even() {
    let mut values = vec![0.0f32, 1e-45, 1e-39, f32::MIN_POSITIVE, 65_519.996, 65_520.0, 1e30, f32::MAX];
    values.extend([f32::INFINITY, f32::NAN, f32::from_bits(0x7f80_0001), 2f32.powi(-25), 2f32.powi(-26)]);
    for b in 0..0x7bff {
        let (low, high) = (f16::from_bits(b).to_f32(), f16::from_bits(b + 1).to_f32());
        let middle = (low + high) / 2.0;
        values.extend([middle, middle.next_down(), middle.next_up()]);
    }
    let negative: Vec<f32> = values.iter().map(|x| -x).collect();
    values.extend(negative);
    let x = vector(values.clone());
    let narrow = one(&x, |x| x[0].cast(DType::F16));
    // In a fused loop the value is rounded too.
    let through = one(&x, |x| x[0].cast(DType::F16).cast(DType::F32));
    let halves = narrow.as_f16().expect("halves").iter().zip(through.as_f32().expect("floats"));
    for (x, (h, back)) in values.iter().zip(halves) {
        let want = f16::from_f32(*x);
        assert!(want.to_bits() == h.to_bits() || (want.is_nan() && h.is_nan()), "{x:e}: {h:?}, not {want:?}");
        assert!(back.to_bits() == want.to_f32().to_bits() || want.is_nan(), "{x:e}: {back:e}");
    }
}

#[test]
fn every_type_casts_to_every_type() {
    let numbers = [
        -70_000.0,
        -300.7,
        -257.0,
        -256.0,
        -129.0,
        -128.0,
        -127.5,
        -2.0,
        -1.5,
        -0.4,
        -0.0,
        0.0,
        1e-7,
        0.3,
        0.5,
        1.0,
        1.99,
        2.0,
        3.0,
        127.0,
        127.9,
        128.0,
        200.0,
        255.0,
        256.0,
        256.9,
        300.0,
        2049.0,
        4099.0,
        65_504.0,
        65_519.0,
        65_521.0,
        3e9,
        -3e9,
        f32::INFINITY,
        f32::NAN,
    ];
    for from in TYPES {
        let data: gradling::Data = match from {
            DType::F32 => numbers.to_vec().into(),
            DType::I32 => numbers.iter().map(|&x| x as i32).collect::<Vec<_>>().into(),
            DType::U8 => numbers.iter().map(|&x| x as i32 as u8).collect::<Vec<_>>().into(),
            DType::Bool => numbers.iter().map(|&x| x != 0.0).collect::<Vec<_>>().into(),
            DType::I8 => numbers.iter().map(|&x| x as i32 as i8).collect::<Vec<_>>().into(),
            DType::F16 => numbers.iter().map(|&x| f16::from_f32(x)).collect::<Vec<_>>().into(),
        };
        let x = vector_of(data);
        for to in TYPES {
            let y = one(&x, |x| x[0].cast(to));
            // Up to 2^31 a float64 holds them all.
            let exact: Vec<f64> = match x.data() {
                gradling::Data::I32(v) => v.iter().map(|&x| f64::from(x)).collect(),
                _ => x.to_f32_vec().into_iter().map(f64::from).collect(),
            };
            let want = exact.iter().map(|&x| match to {
                DType::F32 | DType::F16 if x.is_nan() => u32::MAX,
                DType::F32 => (x as f32).to_bits(),
                DType::I32 => x as i32 as u32,
                DType::U8 => u32::from(x as i32 as u8),
                DType::Bool => u32::from(x != 0.0),
                DType::I8 => x as i32 as i8 as u32,
                DType::F16 => u32::from(f16::from_f32(x as f32).to_bits()),
            });
            assert_eq!((y.dtype(), bits(&y)), (to, want.collect()), "{from} to {to}");
            // Wrapped and rounded on the way through, where the loops are fused.
            let through = one(&x, |x| x[0].cast(to).cast(DType::F32));
            assert_eq!(bits(&through), bits(&y.to_f32()), "{from} to {to} to float32");
        }
    }
}

fn vector_of(data: gradling::Data) -> Tensor {
    Tensor::new(&[data.len()], data).expect("a vector")
}

/// A movement by number.
fn moved<'b>(kind: usize, x: Var<'b>, y: Var<'b>, seed: usize) -> Var<'b> {
    let n = x.shape().to_vec();
    let axis = seed % n.len();
    let at = axis as isize;
    let index = |list: Vec<i32>| x.constant_like(vector(list));
    let last = n[axis] as i32 - 1;
    match kind {
        0 => x.reshape(&[n.iter().product()]),
        1 => x.transpose(&(0..n.len()).map(|a| (a + seed) % n.len()).collect::<Vec<_>>()),
        2 => Var::concat(&[x, y, x], at),
        3 => x.slice(&vec![0; n.len()], &n.iter().map(|d| d.div_ceil(2)).collect::<Vec<_>>()),
        4 => x.pad(&vec![(seed % 3, 1); n.len()], 0.0),
        5 => x.pad(&vec![(1, seed % 2); n.len()], -7.0),
        6 => x.tile(&vec![1 + seed % 3; n.len()]),
        7 => x.gather(index(vec![last, 0, last, last / 2]), at),
        8 => x.reverse(&[at]),
        9 => Var::stack(&[x, y], at),
        10 => x.roll(&[seed as isize - 2], &[at]),
        11 => x.repeat(1 + seed % 3, at),
        12 => x.pad_with(&vec![(1, 1); n.len()], PadMode::Symmetric),
        13 => x.expand_dims(at).broadcast_to(&{
            let mut dims = n.clone();
            dims.insert(axis, 3);
            dims
        }),
        14 => Var::select(x.cast(DType::I32).greater(y.cast(DType::I32)), x, y),
        15 => {
            let (zero, step) = (vec![0; n.len()], vec![-1 - (seed % 2) as isize; n.len()]);
            let masks = SliceMasks { begin: u32::MAX, end: u32::MAX, ..SliceMasks::default() };
            x.strided_slice(&zero, &zero, &step, &masks)
        }
        16 => Var::concat(&x.expand_dims(0).unstack(at + 1), 0),
        17 => x.split_sizes(&[1, n[axis] - 1], at)[seed % 2],
        18 => Var::concat(&[x.zeros_like(), x.ones_like(), x], at),
        19 => x.gather_nd(index(vec![n[0] as i32 - 1]).reshape(&[1, 1])),
        20 => x.take_along_axis(x.cast(DType::I32).zeros_like(), at),
        21 => Var::select(x.cast(DType::Bool), x.stop_gradient(), x.scalar_like(5.0)),
        _ => x.expand_dims(0).squeeze(&[0]),
    }
}

const MOVEMENTS: usize = 23;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn movements_keep_the_type(n in proptest::collection::vec(1usize..6, 1..4), seed in 0usize..30) {
        let numel: usize = n.iter().product();
        let value = |i: usize| ((i * 37 + seed) % 248) as f32 - 120.0;
        let x = Tensor::new(&n, (0..numel).map(value).collect::<Vec<f32>>()).expect("a tensor");
        let y = Tensor::new(&n, (0..numel).map(|i| value(3 * i + 1)).collect::<Vec<f32>>()).expect("a tensor");
        for kind in 0..MOVEMENTS {
            let want = everywhere(&[x.clone(), y.clone()], |v| vec![moved(kind, v[0], v[1], seed)]);
            let want = want.map_err(|e| TestCaseError::fail(format!("{kind}: {e}")))?;
            for dtype in [DType::I8, DType::F16, DType::U8, DType::Bool] {
                // All numbers are whole and below 128, so that nothing is lost.
                let narrow = |t: &Tensor| Tape::compute(&[t], |x| x[0].cast(dtype)).expect("a cast");
                let got = everywhere(&[narrow(&x), narrow(&y)], |v| vec![moved(kind, v[0], v[1], seed)]);
                let got = got.map_err(|e| TestCaseError::fail(format!("{kind} of {dtype}: {e}")))?;
                if matches!(dtype, DType::U8 | DType::Bool) {
                    continue;
                }
                prop_assert_eq!(got[0].dtype(), dtype);
                prop_assert_eq!(bits(&got[0].to_f32()), bits(&want[0]), "{} of {}", kind, dtype);
                // The gradient passes the casts as it is.
                if kind == 14 || kind == 21 {
                    continue;
                }
                let gradient = |through: DType| {
                    everywhere(&[x.clone(), y.clone()], |v| {
                        let z = moved(kind, v[0].cast(through), v[1].cast(through), seed).cast(DType::F32);
                        let weights = (0..z.shape().numel()).map(|i| 0.1 + i as f32 / 3.0).collect::<Vec<f32>>();
                        let weights = z.constant_like(Tensor::new(&z.shape().list(), weights).expect("weights"));
                        autodiff::grad((z * weights).sum(&[], false), v)
                    })
                };
                if dtype == DType::F16 {
                    let (got, want) = (gradient(DType::F16).expect("gradient"), gradient(DType::F32).expect("gradient"));
                    for (got, want) in got.iter().zip(&want) {
                        prop_assert_eq!(bits(got), bits(want), "gradient of {}", kind);
                    }
                }
            }
        }
    }
}

#[test]
fn gradients_of_float16_are_float32() {
    let x = vector([0.3f32, -2.0, 5.0].map(f16::from_f32).to_vec());
    let tape = Tape::new();
    let (v, unused) = (tape.watch(&x), tape.watch(&x));
    let wide = v.cast(DType::F32);
    let y = wide * wide + v.reverse(&[0]).cast(DType::F32) * 3.0;
    let first = autodiff::grad(y, &[v, unused]);
    let of = |v: Var| tape.value(v).expect("a value");
    let want: Vec<f32> = x.to_f32_vec().iter().map(|x| 2.0 * x + 3.0).collect();
    assert_eq!(of(first[0]), vector(want));
    assert_eq!(of(first[1]), Tensor::zeros(&[3]).expect("zeros"));
    assert_eq!(of(autodiff::grad(first[0], &[v])[0]).to_f32_vec(), [2.0; 3]);
    // Of a float16 value, and with cotangents of both types.
    let z = v.reverse(&[0]);
    assert_eq!(of(autodiff::grad(z, &[v])[0]), Tensor::ones(&[3]).expect("ones"));
    for cotangent in [x.clone(), x.to_f32()] {
        let gradient = tape.gradient_with(z, &cotangent, &[v]).expect("a gradient");
        assert_eq!(gradient[0].to_f32_vec(), [5.0, -2.0, x.to_f32_vec()[0]]);
    }
    assert_eq!(tape.jacobian(z, v).expect("jacobian").to_f32_vec(), [0., 0., 1., 0., 1., 0., 1., 0., 0.]);
    // What is lost on the way to float16 and back is not lost from the gradient.
    let (w, scale) = (tape.watch(&Tensor::scalar(1.0)), 1e-9);
    let y = w.cast(DType::F16).cast(DType::F32) * scale;
    assert_eq!(tape.gradient(y, &[w]).expect("a gradient")[0].item().expect("an item"), scale);
}

type Case = (&'static str, for<'b> fn(Var<'b>) -> Var<'b>);

#[test]
fn float16_is_storage_only_and_says_so() {
    let cases: [Case; 30] = [
        ("add", |x| x + x),
        ("multiply", |x| x * 2.0),
        ("subtract", |x| 1.0 - x),
        ("floormod", |x| x.floormod(x)),
        ("maximum", |x| x.maximum(x)),
        ("negative", |x| -x),
        ("exp", |x| x.exp()),
        ("abs", |x| x.abs()),
        ("square", |x| x.square()),
        ("relu", |x| x.relu()),
        ("floor", |x| x.floor()),
        ("round_to_half", |x| x.round_to_half()),
        ("equal", |x| x.equal(x)),
        ("less", |x| x.less(x)),
        ("not_equal", |x| x.is_nan()),
        ("logical_not", |x| x.logical_not()),
        ("logical_and", |x| x.logical_and(x)),
        ("where", |x| Var::select(x, x, x)),
        ("matmul", |x| x.matmul(x)),
        ("conv2d", |x| x.reshape(&[1, 2, 2, 1]).conv2d(x.reshape(&[2, 2, 1, 1]), &Window::new([2, 2]))),
        ("max_pool2d", |x| x.reshape(&[1, 2, 2, 1]).max_pool2d(&Window::new([2, 2]))),
        ("reduce_sum", |x| x.sum(&[0], false)),
        ("reduce_sum", |x| x.mean(&[0], false)),
        ("reduce_prod", |x| x.prod(&[1], false)),
        ("reduce_max", |x| x.max(&[], true)),
        ("recurrence", |x| x.cumsum(0, false, false)),
        ("argsort", |x| x.sort(0, false)),
        ("argmax", |x| x.argmax(0)),
        ("scatter", |x| x.unsorted_segment_sum(x.constant_like(vector(vec![0i32, 1])), 2)),
        ("reduce_max", |x| x.softmax()),
    ];
    let x = Tensor::full_of(Shape::new(&[2, 2]).expect("a shape"), 1.5, DType::F16);
    for (name, f) in cases {
        let error = Tape::compute(&[&x], |x| f(x[0])).expect_err(name).to_string();
        let want = format!("{name}: got float16, which is storage only; cast to float32 first");
        assert!(
            error == want || (name.contains("pool") && error.contains("cast to float32 first")),
            "{name}: {error}"
        );
    }
}

#[test]
fn int8_is_computed_as_uint8_is() {
    let x = vector(vec![-128i8, -1, 5, 100, 127]);
    let sum = one(&x, |v| v[0].cast(DType::I32).sum(&[], false));
    assert_eq!(sum.item().expect("an item"), 103.0);
    let total = one(&x, |v| Var::stack(&[v[0], v[0]], 0).sum(&[], false));
    assert_eq!((total.dtype(), total.as_i8().expect("int8")), (DType::I8, &[206u8 as i8][..]));
    let order = one(&x, |v| v[0].sort(0, true));
    assert_eq!(order.as_i8().expect("int8"), [127, 100, 5, -1, -128]);
    assert_eq!(one(&x, |v| v[0].argmin(0)).as_i32().expect("int32"), [0]);
    let sums = one(&x, |v| v[0].cumsum(0, false, false));
    assert_eq!(sums.as_i8().expect("int8"), [-128, 127, -124, -24, 103]);
    let less = one(&x, |v| v[0].less(v[0].scalar_like(-1.0)));
    assert_eq!(less.as_bool().expect("bool"), [true, false, false, false, false]);
    let cases: [Case; 4] =
        [("add", |x| x + x), ("maximum", |x| x.maximum(x)), ("exp", |x| x.exp()), ("negative", |x| -x)];
    for (name, f) in cases {
        let error = Tape::compute(&[&x], |x| f(x[0])).expect_err(name).to_string();
        assert!(error.starts_with(&format!("{name}: expected float32")), "{error}");
        assert!(error.ends_with("got int8; cast it first"), "{error}");
    }
}

#[test]
fn variables_of_both_types_are_assigned_in_place() {
    let mut variables = Variables::new();
    let h = variables.add("h", &vector([1.0f32, 3.0, -0.1].map(f16::from_f32).to_vec()), true).expect("h");
    let b = variables.add("b", &vector(vec![100i8, -100, 7]), false).expect("b");
    let graph = {
        let trace = Trace::new(&variables);
        let half = trace.variable(h).cast(DType::F32) / 3.0;
        let byte = trace.variable(b).cast(DType::I32) * trace.variable(b).scalar_like(1.0).cast(DType::I32);
        trace.assign(h, half.cast(DType::F16));
        trace.assign(b, (byte + byte).cast(DType::I8));
        trace.output("before", trace.variable(h).reverse(&[0]));
        trace.finish().expect("a graph")
    };
    for options in [
        PlanOptions::default(),
        PlanOptions { optimize: false, in_place: false, workspace: false, strict: false },
    ] {
        let mut variables = variables.clone();
        let plan = Plan::compile(&graph, &options).expect("a plan");
        let mut session = Session::new(plan, &Device::default()).expect("a session");
        session.run(&mut variables).expect("a run");
        let want = [1.0f32 / 3.0, 1.0, f16::from_f32(-0.1).to_f32() / 3.0].map(f16::from_f32);
        assert_eq!(variables.get(h).expect("h").as_f16().expect("halves"), want);
        assert_eq!(variables.slice::<f16>(h).expect("h"), want);
        assert_eq!(variables.get(b).expect("b").as_i8().expect("int8"), [200u8 as i8, 56, 14]);
    }
    let error =
        variables.assign_add(h, &variables.get(h).expect("h")).expect_err("no arithmetic").to_string();
    assert_eq!(error, "variable h: float16 has no arithmetic; set it");
    let error = variables.set(h, &Tensor::zeros(&[3]).expect("zeros")).expect_err("another type").to_string();
    assert!(error.contains("expected float16 of shape [3], got float32"), "{error}");
    assert!(variables.slice::<u8>(b).is_err() && variables.slice::<i8>(b).is_ok());
}

#[test]
fn tensors_and_files_of_both_types() {
    let halves: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
    let bytes: Vec<i8> = (i8::MIN..=i8::MAX).collect();
    for t in [
        Tensor::new(&[256, 256], halves.clone()).expect("halves"),
        Tensor::new(&[2, 128], bytes.clone()).expect("bytes"),
    ] {
        let file = npy::to_bytes(&t);
        let read = npy::parse(&file).expect("an array");
        assert_eq!((read.dtype(), read.shape(), bits(&read)), (t.dtype(), t.shape(), bits(&t)));
        assert!(npy::parse(&file[..file.len() - 1]).is_err());
        let parts = t.split(&[1, t.shape().dim(1) - 1], 1).expect("parts");
        assert_eq!(bits(&Tensor::concat(&parts, 1).expect("one")), bits(&t));
        let rows = t.unstack(0).expect("rows");
        assert_eq!(bits(&Tensor::stack(&rows, 0).expect("stacked")), bits(&t));
        assert_eq!(bits(&t.rows(1..2).expect("a row")), bits(&t.gather_rows(&[1]).expect("a row")));
        assert_eq!(t.zeros_like(), Tensor::zeros_of(*t.shape(), t.dtype()));
        assert!(t.as_f32().is_err());
        let zeros = bits(&t).iter().filter(|&&b| b & 0x7fff == 0).count();
        assert_eq!(t.nonzero().expect("places").shape().dim(0), t.numel() - zeros);
    }
    let text = npy::to_bytes(&vector(vec![f16::ONE]));
    assert!(String::from_utf8_lossy(&text).contains("'descr': '<f2'"));
    assert!(String::from_utf8_lossy(&npy::to_bytes(&vector(vec![1i8]))).contains("'descr': '|i1'"));
    // The other byte order.
    let text = String::from_utf8_lossy(&text[10..128]).replace("<f2", ">f2").into_bytes();
    let big = [b"\x93NUMPY\x01\x00\x76\x00".as_slice(), &text, &[0x3c, 0x00]].concat();
    assert_eq!(npy::parse(&big).expect("an array"), vector(vec![f16::ONE]));
    let (different, index) =
        vector([0.0f32, -0.0, 2.0, 2.0].map(f16::from_f32).to_vec()).unique().expect("unique");
    assert_eq!((different.numel(), index.as_i32().expect("int32")), (2, &[0, 0, 1, 1][..]));
    // The digits tell the numbers apart.
    for h in halves.iter().filter(|h| h.is_finite()) {
        let text = Tensor::new(&[], vec![*h]).expect("a scalar").to_string();
        let read = f16::from_f64(text.parse().unwrap_or_else(|_| panic!("{text}")));
        assert_eq!(read.to_bits(), h.to_bits(), "{text}");
    }
}
