//! Plans compute what the tape computes, in less memory.

use gradling::autodiff::grad;
use gradling::rng::Rng;
use gradling::*;

fn random(dims: &[usize], seed: u64) -> Tensor {
    let mut rng = Rng::new(seed);
    let n: usize = dims.iter().product();
    Tensor::new(dims, (0..n).map(|_| rng.normal() * 0.5).collect::<Vec<f32>>()).unwrap()
}

/// A small classifier: loss, gradients and second-order term.
fn network<'b>(x: Var<'b>, labels: Var<'b>, weights: &[Var<'b>]) -> Vec<Var<'b>> {
    let window = Window::new([3, 3]).padding(Padding::Same);
    let h = (x.conv2d(weights[0], &window) + weights[1]).relu();
    let h = h.max_pool2d(&Window::new([2, 2]).strides([2, 2]));
    let h = h.reshape(&[h.dim(0), h.dim(1) * h.dim(2) * h.dim(3)]);
    let logits = (h.matmul(weights[2]) + weights[3]).tanh();
    let loss = -(logits.log_softmax() * labels.one_hot(logits.dim(-1))).sum(&[-1], false).mean(&[], false);
    let mut results = vec![loss, logits.softmax(), logits.argmax(-1).cast(DType::F32)];
    let gradients = grad(loss, weights);
    let norm = gradients.iter().map(|g| g.square().sum(&[], false)).reduce(|a, b| a + b).unwrap();
    results.extend(grad(norm, &[weights[2]]));
    results.extend(gradients);
    results
}

fn leaves() -> Vec<Tensor> {
    vec![random(&[3, 3, 2, 4], 1), random(&[4], 2), random(&[4 * 3 * 3, 5], 3), random(&[5], 4)]
}

#[test]
fn plans_equal_the_tape() {
    let x = random(&[3, 6, 6, 2], 9);
    let labels = Tensor::new(&[3], vec![1, 4, 0]).unwrap();
    let tape = Tape::new();
    let watched: Vec<Var> = leaves().iter().map(|w| tape.watch(w)).collect();
    let expected: Vec<Tensor> = network(tape.constant(&x), tape.constant(&labels), &watched)
        .into_iter()
        .map(|v| tape.value(v).unwrap())
        .collect();

    for options in [
        PlanOptions::default(),
        PlanOptions { optimize: false, ..PlanOptions::default() },
        PlanOptions { in_place: false, workspace: false, ..PlanOptions::default() },
    ] {
        for &level in Level::available() {
            let mut variables = Variables::new();
            let ids: Vec<VariableId> = leaves()
                .iter()
                .enumerate()
                .map(|(i, w)| variables.add(&format!("w{i}"), w, true).unwrap())
                .collect();
            let trace = Trace::new(&variables);
            let weights: Vec<Var> = ids.iter().map(|&id| trace.variable(id)).collect();
            let input = trace.input("x", *x.shape(), DType::F32);
            let target = trace.input("labels", *labels.shape(), DType::I32);
            for (i, v) in network(input, target, &weights).into_iter().enumerate() {
                trace.output(&format!("out{i}"), v);
            }
            let plan = Plan::compile(&trace.finish().unwrap(), &options).unwrap();
            assert!(plan.arena_bytes() < plan.tensor_bytes() + 16 * 1024 || !options.in_place);
            let mut session = Session::new(plan, &Device::new(level, 2).unwrap()).unwrap();
            session.set_input(0, &x).unwrap();
            session.set_input(1, &labels).unwrap();
            for _ in 0..2 {
                session.run(&mut variables).unwrap();
            }
            for (i, want) in expected.iter().enumerate() {
                let got = session.output_tensor(i, &variables).unwrap();
                for (g, w) in got.to_f32_vec().iter().zip(want.to_f32_vec()) {
                    assert!((g - w).abs() <= 2e-4 + 2e-4 * w.abs(), "{options:?} {level:?} out{i}: {g} {w}");
                }
            }
        }
    }
}

#[test]
fn assignments_happen_in_place_after_every_read() {
    let mut variables = Variables::new();
    let a = variables.add("a", &Tensor::new(&[3], [1.0, 2.0, 3.0]).unwrap(), true).unwrap();
    let b = variables.add("b", &Tensor::new(&[3], [10.0, 20.0, 30.0]).unwrap(), true).unwrap();
    let trace = Trace::new(&variables);
    let (va, vb) = (trace.variable(a), trace.variable(b));
    // b takes the old a; a takes a value made of both old values.
    trace.assign(b, va);
    trace.assign(a, va * 2.0 + vb);
    let plan = Plan::compile(&trace.finish().unwrap(), &PlanOptions::default()).unwrap();
    let mut session = Session::new(plan, &Device::default()).unwrap();
    session.run(&mut variables).unwrap();
    assert_eq!(variables.slice::<f32>(a).unwrap(), [12.0, 24.0, 36.0]);
    assert_eq!(variables.slice::<f32>(b).unwrap(), [1.0, 2.0, 3.0]);
    session.run(&mut variables).unwrap();
    assert_eq!(variables.slice::<f32>(a).unwrap(), [25.0, 50.0, 75.0]);
    assert_eq!(variables.slice::<f32>(b).unwrap(), [12.0, 24.0, 36.0]);
}

#[test]
fn an_optimizer_update_is_one_step_per_variable() {
    let mut variables = Variables::new();
    let names = ["w", "m", "v"];
    let ids: Vec<VariableId> = names
        .iter()
        .enumerate()
        .map(|(i, n)| variables.add(n, &random(&[64, 32], i as u64), true).unwrap())
        .collect();
    let trace = Trace::new(&variables);
    let g = trace.input("g", Shape::new(&[64, 32]).unwrap(), DType::F32);
    let [w, m, v] = [0, 1, 2].map(|i| trace.variable(ids[i]));
    let m2 = m * 0.9 + g * 0.1;
    let v2 = v * 0.999 + g.square() * 0.001;
    trace.assign(ids[1], m2);
    trace.assign(ids[2], v2);
    trace.assign(ids[0], w - m2 * 0.01 / (v2.abs().sqrt() + 1e-7));
    let plan = Plan::compile(&trace.finish().unwrap(), &PlanOptions::default()).unwrap();
    assert_eq!(plan.steps().len(), 1, "{:#?}", plan.steps());
}

#[test]
fn plan_files_round_trip_and_refuse_damage() {
    let mut variables = Variables::new();
    let w = variables.add("w", &random(&[8, 4], 1), true).unwrap();
    let trace = Trace::new(&variables);
    let x = trace.input("x", Shape::new(&[1, 8]).unwrap(), DType::F32);
    trace.output("y", x.matmul(trace.variable(w)).softmax());
    let graph = trace.finish().unwrap();
    let plan = Plan::compile_frozen(&graph, &variables, &PlanOptions::default()).unwrap();
    let bytes = plan.to_bytes().unwrap();
    let mut session = Session::new(Plan::from_bytes(&bytes).unwrap(), &Device::default()).unwrap();
    let input = random(&[1, 8], 5);
    session.set_input(0, &input).unwrap();
    session.run(&mut variables).unwrap();
    let expected = session.output_tensor(0, &variables).unwrap();

    let mut aligned = arena::Buffer::from_bytes(&bytes);
    let mut memory = arena::Buffer::new(plan.arena_bytes());
    let mut fixed = session::StaticSession::new(aligned.bytes(), memory.bytes_mut()).unwrap();
    fixed.input_mut::<f32>(0).unwrap().copy_from_slice(input.as_f32().unwrap());
    fixed.run().unwrap();
    assert_eq!(fixed.output::<f32>(0).unwrap(), expected.as_f32().unwrap());

    assert_eq!(plan::file::arena_bytes(&bytes), plan.arena_bytes());
    let every_step = plan.steps().iter().fold(0, |set, step| set | step.op.kernels());
    assert_eq!(plan::file::kernels(&bytes), every_step);
    let refused = session::StaticSession::<0>::with_kernels(aligned.bytes(), memory.bytes_mut());
    assert!(matches!(refused, Err(Error::Unsupported(_))));

    for i in 0..bytes.len() {
        let damaged = aligned.bytes_mut();
        damaged[i] ^= 0x41;
        let mut memory = arena::Buffer::new(plan.arena_bytes());
        assert!(session::StaticSession::new(damaged, memory.bytes_mut()).is_err(), "byte {i}");
        damaged[i] ^= 0x41;
    }
    for n in 0..bytes.len() {
        assert!(Plan::from_bytes(&bytes[..n]).is_err());
    }
}
