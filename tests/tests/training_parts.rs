//! Losses, metrics, optimizers and constraints beyond the recorded cases: options, files, masks, errors.

use gradling::nn::loss::{BinaryCrossentropy, CustomLoss, SparseCategoricalCrossentropy};
use gradling::nn::metric::{Auc, IoU, MetricState, Precision};
use gradling::nn::{
    Activation, Adam, Constraint, Dense, ExponentialDecay, Fit, Loss, Metric, Nadam, Optimizer, Options,
    Reduction, SGD, Sequential,
};
use gradling::{Result, Tape, Tensor};

fn data() -> Result<(Tensor, Tensor)> {
    let x = Tensor::new(&[8, 2], (0..16).map(|i| ((i * 7) % 11) as f32 / 11.0).collect::<Vec<f32>>())?;
    let y = Tensor::new(&[8, 1], (0..8).map(|i| (i % 3 == 0) as u8 as f32).collect::<Vec<f32>>())?;
    Ok((x, y))
}

fn compiled(optimizer: Optimizer, loss: Loss, metrics: &[Metric]) -> Result<Sequential> {
    let mut model = Sequential::new()
        .add(Dense::new(6).activation(Activation::Tanh))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .seed(3);
    model.compile(optimizer, loss, metrics)?;
    Ok(model)
}

fn fit(model: &mut Sequential, epochs: usize) -> Result<gradling::nn::History> {
    let (x, y) = data()?;
    model.fit(&x, &y, &mut Fit { epochs, batch_size: 4, shuffle: false, ..Fit::default() })
}

#[test]
fn a_model_file_holds_options_schedules_and_metrics() -> Result<()> {
    let rate = ExponentialDecay { initial_learning_rate: 0.1, decay_steps: 2.0, ..Default::default() };
    let options = Options {
        learning_rate: Some(rate.into()),
        clipnorm: Some(0.5),
        weight_decay: Some(0.01),
        ema_momentum: Some(0.9),
        gradient_accumulation_steps: Some(2),
        ..Options::default()
    };
    let optimizer = Optimizer::from(Nadam::default()).with(options);
    let loss =
        Loss::from(BinaryCrossentropy { label_smoothing: 0.1, ..Default::default() }).reduced(Reduction::Sum);
    let metrics = [Precision::default().into(), Auc::default().into(), Metric::Loss(Loss::MeanAbsoluteError)];
    let mut model = compiled(optimizer.clone(), loss.clone(), &metrics)?;
    fit(&mut model, 3)?;
    let mut copy = Sequential::from_bytes(&model.to_bytes()?)?;
    let (stored, _, of_copy) = copy.compile_config().expect("compiled");
    assert_eq!((stored, of_copy), (optimizer, metrics.to_vec()));
    let (x, y) = data()?;
    assert_eq!(copy.train_on_batch(&x, &y)?, model.train_on_batch(&x, &y)?);
    for (_, weight) in model.weights() {
        assert_eq!(copy.weight(&weight.name)?, model.weight(&weight.name)?, "{}", weight.name);
    }
    Ok(())
}

#[test]
fn a_schedule_sets_the_rate_of_every_step() -> Result<()> {
    let rate =
        ExponentialDecay { initial_learning_rate: 0.1, decay_steps: 1.0, decay_rate: 0.5, staircase: true };
    let optimizer = Optimizer::from(SGD::default()).with_learning_rate(rate);
    let mut model = compiled(optimizer, Loss::MeanSquaredError, &[])?;
    fit(&mut model, 2)?;
    // Four steps, the last with the rate after three.
    assert_eq!(model.learning_rate(), Some(0.0125));
    Ok(())
}

#[test]
fn custom_losses_train_and_are_not_saved() -> Result<()> {
    let loss = Loss::from(CustomLoss::new("quartic", |t, y| (y - t).square().square()));
    let mut model = compiled(Adam { learning_rate: 0.05, ..Adam::default() }.into(), loss, &[])?;
    let history = fit(&mut model, 30)?;
    let first = history.epochs[0].get("loss").expect("a loss");
    assert!(history.last("loss").expect("a loss") < first);
    assert!(model.to_bytes().is_err());
    Ok(())
}

#[test]
fn options_inside_options_are_refused_by_files() -> Result<()> {
    let mut optimizer = Optimizer::from(SGD::default());
    for _ in 0..100 {
        optimizer = Optimizer::With { optimizer: Box::new(optimizer), options: Box::default() };
    }
    let mut model = compiled(optimizer, Loss::MeanSquaredError, &[])?;
    fit(&mut model, 1)?;
    assert!(model.to_bytes().is_err());
    Ok(())
}

#[test]
fn masked_losses_are_means_over_what_is_left() -> Result<()> {
    let tape = Tape::new();
    let t = tape.constant(&Tensor::new(&[4, 1], [0.0, 0.0, 0.0, 0.0])?);
    let y = tape.constant(&Tensor::new(&[4, 1], [1.0, 2.0, 3.0, 100.0])?);
    let mask = tape.constant(&Tensor::new(&[4], vec![true, true, false, false])?);
    let value =
        |loss: &Loss, mask| -> Result<f32> { tape.value(loss.masked(None, t, y, None, mask)?)?.item() };
    assert_eq!(value(&Loss::MeanAbsoluteError, Some(mask))?, 1.5);
    assert_eq!(value(&Loss::MeanAbsoluteError, None)?, 26.5);
    assert_eq!(value(&Loss::MeanAbsoluteError.reduced(Reduction::Sum), Some(mask))?, 3.0);
    // An ignored class is left out in the same way, though it is no class.
    let p = tape.constant(&Tensor::new(&[2, 2], [0.5, 0.5, 0.9, 0.1])?);
    let labels = tape.constant(&Tensor::new(&[2], [0, 255])?);
    let loss = Loss::from(SparseCategoricalCrossentropy { from_logits: false, ignore_class: Some(255) });
    let got = tape.value(loss.of(labels, p, None)?)?.item()?;
    assert!((got - std::f32::consts::LN_2).abs() < 1e-6, "{got}");
    Ok(())
}

#[test]
fn gradients_accumulate_and_averages_take_over() -> Result<()> {
    let options =
        Options { gradient_accumulation_steps: Some(2), ema_momentum: Some(0.5), ..Options::default() };
    let optimizer = Optimizer::from(SGD { learning_rate: 1.0, ..SGD::default() }).with(options);
    let mut weights = vec![Tensor::new(&[1], [4.0])?];
    let mut state = optimizer.start(&weights)?;
    let mut step = |gradient: f32| -> Result<f32> {
        state.apply_gradients(&mut weights, &[Tensor::new(&[1], [gradient])?])?;
        weights[0].item()
    };
    assert_eq!([step(1.0)?, step(3.0)?, step(0.0)?], [4.0, 2.0, 2.0]);
    assert!(state.apply_gradients(&mut weights, &[]).is_err());
    state.finalize(&mut weights);
    // The first two steps count as one, so the average starts anew with each of them.
    assert_eq!(weights[0].item()?, 2.0);
    Ok(())
}

#[test]
fn metrics_refuse_what_does_not_fit() -> Result<()> {
    let (y, p) = (Tensor::new(&[2], [0.0, 1.0])?, Tensor::new(&[2, 1], [0.2, 0.9])?);
    let mut auc = MetricState::new(Auc { multi_label: true, ..Auc::default() });
    auc.update_state(&y, &p, None)?;
    assert!(auc.update_state(&Tensor::zeros(&[2, 3])?, &Tensor::zeros(&[2, 3])?, None).is_err());
    auc.reset_state();
    assert_eq!(auc.result()?.item()?, 0.0);
    let huge = [Auc { num_thresholds: u32::MAX, ..Auc::default() }.into(), IoU::mean(1 << 20).into()];
    for metric in huge {
        let mut model = compiled(Optimizer::sgd(), Loss::MeanSquaredError, &[metric])?;
        assert!(fit(&mut model, 1).is_err());
    }
    Ok(())
}

#[test]
fn constraints_project() -> Result<()> {
    let tape = Tape::new();
    let w = tape.constant(&Tensor::new(&[2, 2], [3.0, 0.1, 4.0, -0.1])?);
    let norms = |constraint: Constraint| -> Result<Vec<f32>> {
        let v = constraint.call(w);
        Ok(tape.value(v.square().sum(&[0], false).sqrt())?.to_f32_vec())
    };
    let near = |got: Vec<f32>, want: [f32; 2]| {
        assert!(got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-4), "{got:?}, expected {want:?}");
    };
    let axis = || vec![0];
    let short = 0.02f32.sqrt();
    near(norms(Constraint::MaxNorm { max_value: 2.0, axis: axis() })?, [2.0, short]);
    near(norms(Constraint::UnitNorm { axis: axis() })?, [1.0, 1.0]);
    let between = Constraint::MinMaxNorm { min_value: 1.0, max_value: 2.0, rate: 0.5, axis: axis() };
    near(norms(between)?, [3.5, (1.0 + short) / 2.0]);
    let v = tape.value(Constraint::NonNeg.call(w))?;
    assert_eq!(v.as_f32()?, [3.0, 0.1, 4.0, 0.0]);
    for name in ["max_norm", "non_neg", "unit_norm", "min_max_norm"] {
        assert_eq!(Constraint::from_name(name).expect("a constraint").name(), name);
    }
    Ok(())
}
