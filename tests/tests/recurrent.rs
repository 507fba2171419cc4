//! Recurrent, wrapper, embedding and attention layers: gradients against central differences, masks, states that
//! stay, and model files.

use gradling::nn::layer::Call;
use gradling::nn::{
    AdditiveAttention, Attention, Bidirectional, Cell, CellCall, Dense, Embedding, GRU, GRUCell,
    GroupedQueryAttention, Initializer, LSTM, LSTMCell, Layer, MergeMode, Model, MultiHeadAttention, RNN,
    ScoreMode, Sequential, SimpleRNN, StackedRNNCells, Symbol, TimeDistributed, Weights,
};
use gradling::rng::Rng;
use gradling::{
    DType, Graph, Plan, PlanOptions, Result, Session, Shape, Tensor, Trace, Var, VariableId, Variables,
    autodiff,
};

/// Numbers in [-1, 1) that no formula has.
fn numbers(dims: &[usize], seed: u64) -> Tensor {
    let mut rng = Rng::new(seed);
    let n: usize = dims.iter().product();
    let values: Vec<f32> = (0..n).map(|_| 2.0 * rng.uniform() - 1.0).collect();
    Tensor::new(dims, values).expect("numbers")
}

/// A layer on inputs of these shapes: its variables, all random, and the graph of a weighted sum of its outputs
/// with the gradients of trainable weights and inputs.
fn graph(
    mut layer: Box<dyn Layer>,
    shapes: &[&[usize]],
    mask: Option<&Tensor>,
) -> Result<(Graph, Variables, Vec<VariableId>)> {
    layer.set_name("layer");
    let mut variables = Variables::new();
    let samples: Vec<Shape> = shapes.iter().map(|s| Shape::new(&s[1..])).collect::<Result<_>>()?;
    layer.build_many(&samples, &mut Weights::new(&mut variables, &mut Rng::new(1), "layer"))?;
    let ids: Vec<(VariableId, Vec<usize>, bool)> =
        variables.iter().map(|(id, v)| (id, v.shape.to_vec(), v.trainable)).collect();
    for (n, (id, dims, _)) in ids.iter().enumerate() {
        variables.set(*id, &numbers(dims, 10 + n as u64))?;
    }
    let trainable: Vec<VariableId> = ids.iter().filter(|i| i.2).map(|i| i.0).collect();
    let trace = Trace::new(&variables);
    {
        let mut xs = Vec::new();
        for (n, dims) in shapes.iter().enumerate() {
            xs.push(trace.input(&format!("x{n}"), Shape::new(dims)?, DType::F32));
        }
        let mut call = Call::new(&trace, false, None);
        if let Some(mask) = mask {
            call.set_mask(xs[0], trace.constant(mask.clone()).cast(DType::Bool));
        }
        let mut loss = trace.scalar(0.0);
        for (n, y) in layer.call_many(&mut call, &xs)?.into_iter().enumerate() {
            let weights = trace.constant(numbers(&y.shape().to_vec(), 50 + n as u64));
            loss = loss + (y * weights).sum(&[], false);
        }
        trace.output("loss", loss);
        let mut wanted: Vec<Var> = trainable.iter().map(|id| trace.variable(*id)).collect();
        wanted.extend(&xs);
        for (n, g) in autodiff::grad(loss, &wanted).into_iter().enumerate() {
            trace.output(&format!("g{n}"), g);
        }
    }
    Ok((trace.finish()?, variables, trainable))
}

/// Compares all gradients with differences.
fn check(name: &str, layer: Box<dyn Layer>, shapes: &[&[usize]], mask: Option<&Tensor>) {
    let (graph, mut variables, trainable) =
        graph(layer, shapes, mask).unwrap_or_else(|e| panic!("{name}: {e}"));
    let plan = Plan::compile(&graph, &PlanOptions::default()).expect(name);
    let mut session = Session::new(plan, &Default::default()).expect(name);
    let mut inputs: Vec<Tensor> =
        shapes.iter().enumerate().map(|(n, dims)| numbers(dims, 90 + n as u64)).collect();
    let mut loss = |variables: &mut Variables, inputs: &[Tensor]| -> f64 {
        for (n, x) in inputs.iter().enumerate() {
            session.set_input(n, x).expect(name);
        }
        session.run(variables).expect(name);
        f64::from(session.output_tensor(0, variables).expect(name).item().expect(name))
    };
    loss(&mut variables, &inputs);
    let gradients: Vec<Vec<f32>> = {
        let plan = Plan::compile(&graph, &PlanOptions::default()).expect(name);
        let mut session = Session::new(plan, &Default::default()).expect(name);
        for (n, x) in inputs.iter().enumerate() {
            session.set_input(n, x).expect(name);
        }
        session.run(&mut variables).expect(name);
        let count = trainable.len() + shapes.len();
        (0..count).map(|n| session.output_tensor(1 + n, &variables).expect(name).to_f32_vec()).collect()
    };
    let weights = trainable.len();
    for (n, gradient) in gradients.iter().enumerate() {
        let (dims, values) = match n < weights {
            true => {
                let value = variables.get(trainable[n]).expect(name);
                (value.shape().to_vec(), value.to_f32_vec())
            }
            false => (shapes[n - weights].to_vec(), inputs[n - weights].to_f32_vec()),
        };
        // A few elements of each are enough: an error in a rule shows in all of them.
        for j in (0..values.len()).step_by(values.len().div_ceil(7).max(1)) {
            let mut at = |h: f32| {
                let mut moved = values.clone();
                moved[j] += h;
                let step = f64::from(moved[j]) - f64::from(values[j]);
                let moved = Tensor::new(&dims, moved).expect(name);
                if n < weights {
                    variables.set(trainable[n], &moved).expect(name);
                } else {
                    inputs[n - weights] = moved;
                }
                (loss(&mut variables, &inputs), step)
            };
            let mut slope = |h: f32| {
                let ((up, right), (down, left)) = (at(h), at(-h));
                (up - down) / (right - left)
            };
            let want = (4.0 * slope(0.01) - slope(0.02)) / 3.0;
            at(0.0);
            let error = (f64::from(gradient[j]) - want).abs();
            assert!(
                error <= 5e-3 + 5e-3 * want.abs(),
                "{name}: gradient {n}[{j}] is {}, differences say {want}",
                gradient[j]
            );
        }
    }
}

#[test]
fn gradients_equal_differences() {
    let x: &[&[usize]] = &[&[2, 3, 2]];
    check("SimpleRNN", Box::new(SimpleRNN::new(3).return_sequences(true)), x, None);
    check("LSTM", Box::new(LSTM::new(3).return_sequences(true).return_state(true)), x, None);
    check("LSTM, last", Box::new(LSTM::new(2).go_backwards(true)), x, None);
    check("GRU", Box::new(GRU::new(3).return_sequences(true)), x, None);
    check("GRU, reset before", Box::new(GRU::new(3).reset_after(false)), x, None);
    let stack = || StackedRNNCells::new().add(LSTMCell::new(3)).add(GRUCell::new(2));
    check("stacked", Box::new(RNN::over(stack())), x, None);
    check("stacked, sequences", Box::new(RNN::over(stack()).return_sequences(true)), x, None);
    let states: &[&[usize]] = &[&[2, 3, 2], &[2, 3], &[2, 3]];
    check("LSTM, initial states", Box::new(LSTM::new(3)), states, None);
    check("Bidirectional, states", Box::new(Bidirectional::new(GRU::new(3))), states, None);
    let both = Bidirectional::new(GRU::new(2).return_sequences(true)).merge_mode(MergeMode::Mul);
    check("Bidirectional", Box::new(both), x, None);
    check("TimeDistributed", Box::new(TimeDistributed::new(Dense::new(3))), x, None);
    check("custom cell", Box::new(RNN::over(Leaky::default())), x, None);
    let mask = Tensor::new(&[2, 3], [1.0, 1.0, 0.0, 0.0, 1.0, 1.0]).expect("mask");
    check("LSTM, mask", Box::new(LSTM::new(3).return_sequences(true)), x, Some(&mask));
    // Longer than an op has operands, as the sums of its gradients are brought together in groups.
    check("SimpleRNN, long", Box::new(SimpleRNN::new(2)), &[&[2, 19, 2]], None);
    let qv: &[&[usize]] = &[&[2, 3, 4], &[2, 5, 4]];
    let concat = Attention::new().use_scale(true).score_mode(ScoreMode::Concat);
    check("Attention", Box::new(concat.use_causal_mask(true)), qv, Some(&mask));
    check("AdditiveAttention", Box::new(AdditiveAttention::new()), qv, None);
    let heads = MultiHeadAttention::new(2, 3).use_gate(true).sliding_window(2).return_attention_scores(true);
    check("MultiHeadAttention", Box::new(heads), qv, None);
    let axes = MultiHeadAttention::new(2, 2).attention_axes(&[2]).output_shape(&[2, 3]);
    check("MultiHeadAttention, axes", Box::new(axes), &[&[2, 2, 3, 2], &[2, 2, 4, 3]], None);
    let grouped = GroupedQueryAttention::new(2, 4, 2).use_causal_mask(true);
    check("GroupedQueryAttention", Box::new(grouped), qv, None);
}

/// `h = decay * h + x`, a cell of a user's own.
#[derive(Default)]
struct Leaky {
    decay: Option<VariableId>,
    width: usize,
}

impl Cell for Leaky {
    fn name(&self) -> &str {
        "leaky"
    }

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        self.width = input.dim(-1);
        self.decay = Some(weights.add("decay", &[self.width], Initializer::Constant(0.5), true)?);
        Ok(*input)
    }

    fn states(&self) -> Vec<Shape> {
        Shape::new(&[self.width]).into_iter().collect()
    }

    fn begin<'b>(&self, call: &mut Call<'b>, _: usize) -> Result<CellCall<'b>> {
        Ok(CellCall::of(vec![call.weight("leaky", self.decay)?]))
    }

    fn step<'b>(
        &self,
        _: &mut Call<'b>,
        shared: &CellCall<'b>,
        x: Var<'b>,
        states: &[Var<'b>],
    ) -> Result<(Var<'b>, Vec<Var<'b>>)> {
        let h = shared.values[0] * states[0] + x;
        Ok((h, vec![h]))
    }
}

#[test]
fn a_custom_cell_runs_and_says_that_it_cannot_be_saved() {
    let mut model = Sequential::new().add(RNN::over(Leaky::default()));
    let x = Tensor::new(&[1, 3, 1], [1.0, 2.0, 4.0]).expect("x");
    model.build(&[3, 1]).expect("build");
    assert_eq!(model.predict(&x, 1).expect("predict").to_f32_vec(), [5.25]);
    let error = model.to_bytes().expect_err("a custom cell is saved").to_string();
    assert!(error.contains("custom"), "{error}");
}

#[test]
fn masked_steps_keep_the_state() {
    // Ids 0 are padding: the outputs of [3, 1, 0, 0] and [3, 0, 1, 0] end like that of [3, 1].
    let make = |time: usize| {
        let mut model = Sequential::new().add(Embedding::new(5, 3).mask_zero(true)).add(LSTM::new(4)).seed(3);
        model.build(&[time]).expect("build");
        model
    };
    let predict = |ids: &[f32]| {
        let x = Tensor::new(&[1, ids.len()], ids.to_vec()).expect("ids");
        make(ids.len()).predict(&x, 1).expect("predict").to_f32_vec()
    };
    let short = predict(&[3.0, 1.0]);
    assert_eq!(predict(&[3.0, 1.0, 0.0, 0.0]), short);
    assert_eq!(predict(&[3.0, 0.0, 1.0, 0.0]), short);

    let sequences = |zeros: bool| {
        let mut model = Sequential::new()
            .add(Embedding::new(5, 3).mask_zero(true))
            .add(GRU::new(2).return_sequences(true).zero_output_for_mask(zeros))
            .seed(3);
        model.build(&[4]).expect("build");
        let x = Tensor::new(&[1, 4], [0.0, 3.0, 0.0, 1.0]).expect("ids");
        model.predict(&x, 1).expect("predict").to_f32_vec()
    };
    let kept = sequences(false);
    assert_eq!(kept[..2], [0.0, 0.0], "zeros before the first step that counts");
    assert_eq!(kept[2..4], kept[4..6], "the output before is repeated");
    let zeroed = sequences(true);
    assert_eq!(zeroed[4..6], [0.0, 0.0]);
    assert_eq!([&zeroed[2..4], &zeroed[6..]], [&kept[2..4], &kept[6..]]);
}

#[test]
fn a_stateful_layer_goes_on_where_the_batch_before_ended() {
    let x = numbers(&[2, 6, 3], 5);
    let half = |from: usize| {
        let values = x.to_f32_vec();
        let rows = values.chunks(18).flat_map(|row| row[from * 9..from * 9 + 9].to_vec());
        Tensor::new(&[2, 3, 3], rows.collect::<Vec<f32>>()).expect("half")
    };
    let mut whole = Sequential::new().add(LSTM::new(4).named("l")).seed(9);
    let mut parts = Sequential::new().add(LSTM::new(4).named("l").stateful(2)).seed(9);
    whole.build(&[6, 3]).expect("build");
    parts.build(&[3, 3]).expect("build");
    let want = whole.predict(&x, 2).expect("predict").to_f32_vec();
    for _ in 0..2 {
        let first = parts.predict(half(0), 2).expect("predict").to_f32_vec();
        assert_ne!(first, want);
        let second = parts.predict(half(1), 2).expect("predict").to_f32_vec();
        for (a, b) in second.iter().zip(&want) {
            assert!((a - b).abs() < 1e-6, "{second:?} {want:?}");
        }
        for state in ["l/rnn_state", "l/rnn_state_1"] {
            parts.set_weight(state, &Tensor::zeros(&[2, 4]).expect("zeros")).expect("reset");
        }
    }
    let error = parts.predict(numbers(&[3, 3, 3], 1), 3).expect_err("another batch size").to_string();
    assert!(error.contains("batches of 2"), "{error}");
}

#[test]
fn layers_come_back_from_files() {
    let sequence = |layer: Box<dyn Layer>| {
        let mut model = Sequential::new().seed(4);
        model.push(layer);
        model.build(&[5, 3]).expect("build");
        (model, vec![numbers(&[2, 5, 3], 8)])
    };
    let pair = |layer: Box<dyn Layer>| {
        let (q, v) = (Symbol::input(&[3, 4]), Symbol::input(&[5, 4]));
        let shared = gradling::nn::Shared::boxed(layer);
        let y = Symbol::join(shared, &[&q, &v]);
        let model = Model::functional(&[&q, &v], &[&y]).expect("functional");
        (model, vec![numbers(&[2, 3, 4], 6), numbers(&[2, 5, 4], 7)])
    };
    let both = Bidirectional::new(LSTM::new(2).return_sequences(true)).merge_mode(MergeMode::Ave);
    let own =
        Bidirectional::new(GRU::new(2)).backward_layer(GRU::new(2).reset_after(false).go_backwards(true));
    let ids = {
        let mut model = Sequential::new().add(Embedding::new(6, 2).mask_zero(true)).add(SimpleRNN::new(2));
        model.build(&[4]).expect("build");
        (model, vec![Tensor::new(&[1, 4], [1.0, 5.0, 0.0, 2.0]).expect("ids")])
    };
    let models: Vec<(Model, Vec<Tensor>)> = vec![
        ids,
        sequence(Box::new(SimpleRNN::new(2).go_backwards(true).dropout(0.1).recurrent_dropout(0.2))),
        sequence(Box::new(LSTM::new(2).unit_forget_bias(false).return_sequences(true))),
        sequence(Box::new(GRU::new(2).reset_after(false))),
        sequence(Box::new(RNN::over(StackedRNNCells::new().add(LSTMCell::new(3)).add(LSTMCell::new(2))))),
        sequence(Box::new(both)),
        sequence(Box::new(own)),
        sequence(Box::new(TimeDistributed::new(Dense::new(2)))),
        pair(Box::new(Attention::new().use_scale(true).score_mode(ScoreMode::Concat))),
        pair(Box::new(AdditiveAttention::new())),
        pair(Box::new(MultiHeadAttention::new(2, 3).use_causal_mask(true).use_gate(true))),
        pair(Box::new(GroupedQueryAttention::new(2, 4, 2))),
    ];
    for (mut model, xs) in models {
        let class = model.layers().last().map_or("", |l| l.class_name());
        let want = model.predict_many(&xs, 2).expect(class);
        let mut back = Model::from_bytes(&model.to_bytes().expect(class)).expect(class);
        let got = back.predict_many(&xs, 2).expect(class);
        assert_eq!(want[0].to_f32_vec(), got[0].to_f32_vec(), "{class}");
    }
}

#[test]
fn dropout_drops_features_for_all_steps() {
    let mut model = Sequential::new()
        .add(GRU::new(4).dropout(0.5).recurrent_dropout(0.5).return_sequences(true))
        .add(LSTM::new(4).dropout(0.5).recurrent_dropout(0.5))
        .add(Dense::new(1))
        .seed(2);
    let (x, y) = (numbers(&[8, 4, 3], 1), numbers(&[8, 1], 2));
    model.compile(gradling::nn::Adam::default(), gradling::nn::Loss::MeanSquaredError, &[]).expect("compile");
    let history = model
        .fit(&x, &y, &mut gradling::nn::Fit { epochs: 3, batch_size: 4, ..Default::default() })
        .expect("fit");
    assert!(history.last("loss").is_some_and(f32::is_finite));
}
