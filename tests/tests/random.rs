//! Random numbers: no exact values are promised, but their statistics are, and what a seed fixes.

use gradling::nn::{
    Conv2D, Dense, Dropout, Fit, Initializer, Layer, Loss, Optimizer, Progress, SGD, Sequential,
};
use gradling::rng::Rng;
use gradling::{Device, Plan, PlanOptions, Session, Shape, Tensor, Trace, Variables};

/// Mean, standard deviation, least and largest.
fn statistics(values: &[f32]) -> (f64, f64, f32, f32) {
    let n = values.len() as f64;
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
    let least = values.iter().copied().fold(f32::INFINITY, f32::min);
    let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    (mean, variance.sqrt(), least, largest)
}

/// A million uniform numbers for a key, from a plan.
fn uniform(key: [i32; 2], salt: u32) -> Vec<f32> {
    let draw = || -> gradling::Result<Vec<f32>> {
        let trace = Trace::new(&Variables::new());
        {
            let key = trace.constant(Tensor::new(&[2], key)?);
            trace.output("y", trace.random_uniform(Shape::new(&[1_000_000])?, key, salt));
        }
        let plan = Plan::compile(&trace.finish()?, &PlanOptions::default())?;
        let (mut session, mut variables) = (Session::new(plan, &Device::default())?, Variables::new());
        session.run(&mut variables)?;
        Ok(session.output::<f32>(0, &variables)?.to_vec())
    };
    draw().expect("uniform numbers")
}

/// Correlation of two rows of numbers.
fn correlation(a: &[f32], b: &[f32]) -> f64 {
    let ((ma, sa, ..), (mb, sb, ..)) = (statistics(a), statistics(b));
    let products = a.iter().zip(b).map(|(&x, &y)| (f64::from(x) - ma) * (f64::from(y) - mb));
    products.sum::<f64>() / a.len() as f64 / (sa * sb)
}

#[test]
fn uniform_numbers() {
    let values = uniform([1, 0], 0);
    let (mean, deviation, least, largest) = statistics(&values);
    assert!((mean - 0.5).abs() < 2e-3, "mean {mean}");
    assert!((deviation - 1.0 / 12f64.sqrt()).abs() < 1e-3, "deviation {deviation}");
    assert!((0.0..1e-4).contains(&least), "from {least}");
    assert!((1.0 - 1e-4..1.0).contains(&largest), "to {largest}");
    assert!(values == uniform([1, 0], 0), "a key fixes the numbers");
    for (other, name) in
        [(uniform([2, 0], 0), "seed"), (uniform([1, 1], 0), "counter"), (uniform([1, 0], 1), "salt")]
    {
        let r = correlation(&values, &other);
        assert!(r.abs() < 5e-3, "numbers of another {name} correlate by {r}");
    }
    let neighbours = correlation(&values[1..], &values[..values.len() - 1]);
    assert!(neighbours.abs() < 5e-3, "neighbours correlate by {neighbours}");
}

#[test]
fn normal_numbers() {
    let mut rng = Rng::new(4);
    let values: Vec<f32> = (0..1_000_000).map(|_| rng.normal()).collect();
    let (mean, deviation, least, largest) = statistics(&values);
    assert!(mean.abs() < 5e-3 && (deviation - 1.0).abs() < 5e-3, "mean {mean}, deviation {deviation}");
    assert!(least < -4.0 && largest > 4.0 && least > -7.0 && largest < 7.0, "{least} to {largest}");
}

/// What dropout makes of a million ones.
fn dropped(rate: f32, training: bool, key: [i32; 2]) -> Vec<f32> {
    let run = || -> gradling::Result<Vec<f32>> {
        let layer = Dropout::new(rate).named("dropout");
        let trace = Trace::new(&Variables::new());
        {
            let x = trace.input("x", Shape::new(&[1000, 1000])?, gradling::DType::F32);
            let key = trace.constant(Tensor::new(&[2], key)?);
            let mut call = gradling::nn::Call::new(&trace, training, Some(key));
            trace.output("y", layer.call(&mut call, x)?);
        }
        let plan = Plan::compile(&trace.finish()?, &PlanOptions::default())?;
        let (mut session, mut variables) = (Session::new(plan, &Device::default())?, Variables::new());
        session.input_mut::<f32>(0)?.fill(1.0);
        session.run(&mut variables)?;
        Ok(session.output::<f32>(0, &variables)?.to_vec())
    };
    run().expect("dropout")
}

#[test]
fn dropout_keeps_its_share_and_the_mean() {
    for rate in [0.0, 0.2, 0.3, 0.5, 0.9] {
        let values = dropped(rate, true, [1, 1]);
        let kept: Vec<f32> = values.iter().copied().filter(|&v| v != 0.0).collect();
        let share = kept.len() as f32 / values.len() as f32;
        assert!((share - (1.0 - rate)).abs() < 2e-3, "rate {rate} keeps {share}");
        assert!(kept.iter().all(|&v| (v - 1.0 / (1.0 - rate)).abs() < 1e-5), "rate {rate}: {}", kept[0]);
        assert!(dropped(rate, false, [1, 1]).iter().all(|&v| v == 1.0), "rate {rate} at inference");
    }
    assert!(dropped(1.0, true, [1, 1]).iter().all(|&v| v == 0.0), "rate 1 drops all");
    let (one, other) = (dropped(0.5, true, [1, 1]), dropped(0.5, true, [1, 2]));
    let r = correlation(&one, &other);
    assert!(r.abs() < 5e-3, "the masks of two steps correlate by {r}");
}

/// The kernel of a layer made for `shape`.
fn kernel(layer: impl Layer + 'static, shape: &[usize], name: &str) -> Vec<f32> {
    let mut model = Sequential::new().add(layer).seed(3);
    model.build(shape).and_then(|()| model.weight(name)).expect("built").to_f32_vec()
}

#[test]
fn initial_weights() {
    use Initializer as I;
    let (dense, conv) = ([200.0, 300.0], [150.0, 400.0]); // fans in and out
    let limit = |fan: [f64; 2], init: I| match init {
        I::GlorotUniform => (6.0 / (fan[0] + fan[1])).sqrt(),
        I::HeUniform => (6.0 / fan[0]).sqrt(),
        I::LecunUniform => (3.0 / fan[0]).sqrt(),
        _ => f64::NAN,
    };
    for init in [I::GlorotUniform, I::HeUniform, I::LecunUniform] {
        let of_dense = kernel(Dense::new(300).kernel_initializer(init), &[200], "dense/kernel");
        let of_conv = kernel(Conv2D::new(16, [5, 5]).kernel_initializer(init), &[9, 9, 6], "conv2d/kernel");
        for (values, fan) in [(of_dense, dense), (of_conv, conv)] {
            let (mean, deviation, least, largest) = statistics(&values);
            let limit = limit(fan, init);
            assert!(mean.abs() < 0.05 * limit, "{init:?}: mean {mean}");
            assert!(
                (deviation / (limit / 3f64.sqrt()) - 1.0).abs() < 0.05,
                "{init:?}: deviation {deviation}"
            );
            let extreme = f64::from(largest.max(-least)) / limit;
            assert!(extreme <= 1.0 && extreme > 0.98, "{init:?}: up to {extreme} of the limit");
        }
    }
    for (init, variance) in
        [(I::GlorotNormal, 2.0 / 500.0), (I::HeNormal, 2.0 / 200.0), (I::LecunNormal, 1.0 / 200.0)]
    {
        let values = kernel(Dense::new(300).kernel_initializer(init), &[200], "dense/kernel");
        let (mean, deviation, least, largest) = statistics(&values);
        let wanted = f64::sqrt(variance);
        assert!(
            mean.abs() < 0.05 * wanted && (deviation / wanted - 1.0).abs() < 0.03,
            "{init:?}: {deviation}"
        );
        let extreme = f64::from(largest.max(-least)) / wanted;
        assert!(
            extreme <= 2.0 / 0.8796 + 1e-3,
            "{init:?}: {extreme} deviations, cut at 2 of the untruncated ones"
        );
    }
}

/// The order in which `fit` visits ten rows in each epoch: with no learning and batches of one, the loss of a step
/// tells its row.
fn visits(seed: u64, shuffle: bool, epochs: usize) -> Vec<Vec<usize>> {
    let rows = 10;
    let targets: Vec<f32> = (0..rows).map(|i| i as f32).collect();
    let (x, y) = (Tensor::zeros(&[rows, 1]), Tensor::new(&[rows, 1], targets));
    let (x, y) = (x.expect("inputs"), y.expect("targets"));
    let mut model = Sequential::new().add(Dense::new(1)).seed(seed);
    let still = Optimizer::SGD(SGD { learning_rate: 0.0, ..SGD::default() });
    model.compile(still, Loss::MeanSquaredError, &[]).expect("compile");
    let fit = Fit { epochs, batch_size: 1, shuffle, ..Fit::default() };
    let mut run = model.begin_fit(&x, &y, &fit).expect("begin");
    let mut all = vec![Vec::new()];
    loop {
        match run.step(&mut model).expect("step") {
            Progress::Batch { loss, .. } => {
                let row = loss.sqrt().round() as usize;
                all.last_mut().expect("an epoch").push(row);
            }
            Progress::Epoch { .. } => all.push(Vec::new()),
            Progress::Validation { .. } => {}
            Progress::Done => break,
        }
    }
    all.pop();
    all
}

#[test]
fn fit_visits_every_row_once_an_epoch_in_a_new_order() {
    let in_order: Vec<usize> = (0..10).collect();
    assert_eq!(visits(1, false, 2), [in_order.clone(), in_order.clone()]);
    let epochs = visits(1, true, 4);
    for epoch in &epochs {
        let mut sorted = epoch.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, in_order, "{epoch:?}");
    }
    assert!(epochs.windows(2).all(|e| e[0] != e[1]), "{epochs:?}");
    assert_eq!(epochs, visits(1, true, 4), "the seed fixes the orders");
    assert_ne!(epochs, visits(2, true, 4), "another seed gives others");
}

#[test]
fn validation_split_takes_the_last_rows() {
    let rows = 20;
    let values: Vec<f32> = (0..rows).map(|i| i as f32).collect();
    let x = Tensor::new(&[rows, 1], values.clone()).expect("inputs");
    let y = Tensor::new(&[rows, 1], values.iter().map(|v| v * v).collect::<Vec<f32>>()).expect("targets");
    let mut model = Sequential::new().add(Dense::new(1)).seed(1);
    let optimizer = Optimizer::SGD(SGD { learning_rate: 1e-4, ..SGD::default() });
    model.compile(optimizer, Loss::MeanSquaredError, &[]).expect("compile");
    let mut fit = Fit { epochs: 2, batch_size: 8, validation_split: 0.25, ..Fit::default() };
    let history = model.fit(&x, &y, &mut fit).expect("fit");
    let last = (x.rows(15..20).expect("rows"), y.rows(15..20).expect("rows"));
    let logs = model.evaluate(&last.0, &last.1, 8).expect("evaluate");
    assert_eq!(history.last("val_loss"), logs.get("loss"));
}
