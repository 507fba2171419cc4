//! Models as graphs of layers, callbacks, and runs that go on after a kill.

use std::cell::RefCell;
use std::rc::Rc;

use gradling::data::Dataset;
use gradling::nn::{
    Activation, Adam, Arrays, Batch, Batches, CSVLogger, Callback, Dense, Dropout, EarlyStopping, Fit, Flow,
    LambdaCallback, LearningRateScheduler, Logs, Loss, Losses, Metric, Mode, Model, ModelCheckpoint,
    Optimizer, ReduceLROnPlateau, SaveFreq, Sequential, Shared, Subclass, Symbol, TerminateOnNaN,
};
use gradling::rng::Rng;
use gradling::{Result, Tensor};

const SPARSE: Loss = Loss::SparseCategoricalCrossentropy { from_logits: false };

/// Points in the plane and the quadrant pair that they lie in.
fn points(n: usize) -> Result<(Tensor, Tensor)> {
    let mut rng = Rng::new(3);
    let x: Vec<f32> = (0..2 * n).map(|_| rng.next_u32() as f32 / u32::MAX as f32 * 2.0 - 1.0).collect();
    let y: Vec<i32> = x.chunks(2).map(|p| i32::from(p[0] * p[1] > 0.0)).collect();
    Ok((Tensor::new(&[n, 2], x)?, Tensor::new(&[n], y)?))
}

fn mlp() -> Result<Sequential> {
    let mut model = Sequential::new()
        .add(Dense::new(16).activation(Activation::Relu))
        .add(Dropout::new(0.1))
        .add(Dense::new(2).activation(Activation::Softmax))
        .seed(5);
    model.compile(
        Optimizer::Adam(Adam { learning_rate: 0.02, ..Adam::default() }),
        SPARSE,
        &[Metric::Accuracy],
    )?;
    Ok(model)
}

struct Block {
    wide: Shared,
    narrow: Shared,
}

impl Block {
    fn new(units: usize) -> Block {
        Block { wide: Dense::new(units).into(), narrow: Dense::new(units).into() }
    }

    fn call(&self, x: &Symbol) -> Symbol {
        self.narrow.call(&self.wide.call(x))
    }
}

struct Net {
    blocks: [Block; 2],
    head: Shared,
}

impl Subclass for Net {
    fn call(&self, x: &Symbol) -> Symbol {
        let h = self.blocks.iter().fold(x.clone(), |h, block| block.call(&h));
        self.head.call(&h)
    }
}

#[test]
fn blocks_nest_in_a_subclass() -> Result<()> {
    let net = Net {
        blocks: [Block::new(8), Block::new(4)],
        head: Dense::new(2).activation(Activation::Softmax).into(),
    };
    let mut model = net.into_model(&[2])?;
    assert_eq!(model.layers().len(), 5);
    assert_eq!(model.count_params(), (2 * 8 + 8) + (8 * 8 + 8) + (8 * 4 + 4) + (4 * 4 + 4) + (4 * 2 + 2));
    let (x, y) = points(64)?;
    model.compile(Optimizer::adam(), SPARSE, &[])?;
    model.fit(&x, &y, &mut Fit::default())?;
    let copy = Model::from_bytes(&model.to_bytes()?)?.predict(&x, 64)?;
    assert_eq!(copy.to_f32_vec(), model.predict(&x, 64)?.to_f32_vec());
    Ok(())
}

#[test]
fn shared_layers_have_one_weight_and_the_gradient_of_both_uses() -> Result<()> {
    let shared = Shared::from(Dense::new(1).use_bias(false));
    let (a, b) = (Symbol::input(&[1]), Symbol::input(&[1]));
    let (u, v) = (shared.call(&a), shared.call(&b));
    let mut model = Model::functional(&[&a, &b], &[&u, &v])?;
    assert_eq!(model.count_params(), 1);
    model.set_weights(&[Tensor::new(&[1, 1], [0.0])?])?;
    let losses = Losses::new([Loss::MeanSquaredError, Loss::MeanSquaredError]).weights(&[1.0, 0.5]);
    model.compile(
        Optimizer::SGD(gradling::nn::SGD { learning_rate: 0.1, ..Default::default() }),
        losses,
        &[],
    )?;
    let one = Tensor::new(&[1, 1], [1.0])?;
    let logs = model.train_on_batch([&one, &one], [&one, &one])?;
    assert_eq!(logs.get("loss"), Some(1.5));
    // d/dw of (w - 1)^2 + 0.5 (w - 1)^2 at 0 is -3.
    assert!((model.get_weights()?[0].item()? - 0.3).abs() < 1e-6);
    Ok(())
}

#[test]
fn bad_wiring_is_named() -> Result<()> {
    let (a, b) = (Symbol::input(&[1]), Symbol::input(&[1]));
    let says = |model: Result<Model>, word: &str| {
        let error = model.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains(word), "{error}");
    };
    says(Model::functional(&[&b], &[&a.then(Dense::new(1))]), "not listed");
    let shared = Shared::from(Dense::new(1));
    Model::functional(&[&a], &[&shared.call(&a)])?;
    says(Model::functional(&[&a], &[&shared.call(&a)]), "another model");
    says(Model::functional(&[&a.then(Dense::new(1))], &[&a]), "Symbol::input");
    Ok(())
}

#[test]
fn frozen_layers_stay_as_they_are() -> Result<()> {
    let (x, y) = points(64)?;
    let mut model = mlp()?;
    model.build(&[2])?;
    model.set_trainable("dense", false)?;
    model.compile(Optimizer::adam(), SPARSE, &[])?;
    let before = model.get_weights()?;
    model.fit(&x, &y, &mut Fit::default())?;
    let after = model.get_weights()?;
    let same: Vec<bool> = before.iter().zip(&after).map(|(b, a)| b.to_f32_vec() == a.to_f32_vec()).collect();
    assert_eq!(same, [true, true, false, false]);
    Ok(())
}

/// Records the loss of every batch, and stops after `left` of them.
struct Watch {
    seen: Rc<RefCell<Vec<f32>>>,
    left: usize,
}

impl Callback for Watch {
    fn on_batch_end(&mut self, _: usize, _: usize, logs: &Logs, _: &mut Model) -> Result<Flow> {
        self.seen.borrow_mut().push(logs.get("loss").unwrap_or(f32::NAN));
        self.left -= 1;
        Ok(if self.left == 0 { Flow::Stop } else { Flow::Continue })
    }
}

#[test]
fn a_resumed_run_has_the_same_bits() -> Result<()> {
    let (x, y) = points(100)?;
    let folder = tempfile::tempdir().map_err(|e| gradling::device_error!("{e}"))?;
    let file = folder.path().join("checkpoint.gradling");
    let run = |model: &mut Model, stop: usize, resume: bool| -> Result<Vec<f32>> {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let mut fit = Fit { epochs: 4, batch_size: 16, validation_split: 0.2, resume, ..Fit::default() };
        fit.callbacks.push(Box::new(ModelCheckpoint::new(&file).save_freq(SaveFreq::Batches(1))));
        fit.callbacks.push(Box::new(Watch { seen: seen.clone(), left: stop }));
        let history = model.fit(&x, &y, &mut fit)?;
        if history.epochs.len() == 4 {
            seen.borrow_mut().extend(history.get("val_accuracy"));
        }
        Ok(seen.take())
    };
    let whole = run(&mut mlp()?, usize::MAX, false)?;
    // 80 samples are 5 batches: within an epoch, at its end, in the first batch.
    for stop in [1, 5, 7, 10, 13, 19] {
        let mut losses = run(&mut mlp()?, stop, false)?;
        losses.truncate(stop);
        let mut model = Model::load(&file)?;
        losses.extend(run(&mut model, usize::MAX, true)?);
        assert_eq!(losses, whole, "stopped after {stop} batches");
    }
    Ok(())
}

struct Stream {
    x: Tensor,
    y: Tensor,
    at: usize,
}

impl Batches for Stream {
    fn restart(&mut self, _: usize) -> Result<()> {
        self.at = 0;
        Ok(())
    }

    fn next_batch(&mut self) -> Result<Option<Batch>> {
        let from = self.at;
        self.at = (from + 32).min(self.x.shape().dim(0));
        if from == self.at {
            return Ok(None);
        }
        let rows = |t: &Tensor| t.rows(from..self.at).map(Arrays::from);
        Ok(Some(Batch { x: rows(&self.x)?, y: rows(&self.y)?, sample_weight: None }))
    }
}

#[test]
fn streams_train_like_arrays_in_order() -> Result<()> {
    let (x, y) = points(80)?;
    let (mut a, mut b) = (mlp()?, mlp()?);
    let fit = || Fit { epochs: 3, shuffle: false, ..Fit::default() };
    let from_arrays = a.fit(&x, &y, &mut fit())?;
    let dataset = Dataset::from_tensor_slices((x.clone(), y.clone())).batch(32, false);
    let from_dataset = mlp()?.fit_dataset(&dataset, &mut fit())?;
    let from_stream = b.fit_batches(Stream { x, y, at: 0 }, &mut fit())?;
    assert_eq!(from_arrays, from_stream);
    assert_eq!(from_arrays, from_dataset);
    let bare = Dataset::from_tensor_slices(Tensor::zeros(&[4, 2])?).batch(2, false);
    let error = mlp()?.fit_dataset(&bare, &mut fit()).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(error.contains("expected inputs, targets"), "{error}");
    Ok(())
}

#[test]
fn evaluating_between_batches_keeps_the_sums_of_the_epoch() -> Result<()> {
    let (x, y) = points(96)?;
    let (mut a, mut b) = (mlp()?, mlp()?);
    let plain = a.fit(&x, &y, &mut Fit::default())?;
    let mut run = b.begin_fit(&x, &y, &Fit::default())?;
    while !matches!(run.step(&mut b)?, gradling::nn::Progress::Done) {
        b.evaluate(&x, &y, 32)?;
    }
    assert_eq!(plain, *b.history());
    Ok(())
}

#[test]
fn callbacks_do_what_keras_ones_do() -> Result<()> {
    let (x, y) = points(64)?;
    let folder = tempfile::tempdir().map_err(|e| gradling::device_error!("{e}"))?;
    let table = folder.path().join("log.csv");
    let rates = Rc::new(RefCell::new(Vec::new()));
    let seen = rates.clone();
    let mut fit = Fit { epochs: 3, ..Fit::default() };
    fit.callbacks
        .push(Box::new(LearningRateScheduler::new(|epoch, rate| if epoch == 1 { rate * 0.5 } else { rate })));
    fit.callbacks.push(Box::new(LambdaCallback::new().on_epoch_end(move |_, _, model| {
        seen.borrow_mut().push(model.learning_rate().unwrap_or(0.0));
        Ok(Flow::Continue)
    })));
    fit.callbacks.push(Box::new(CSVLogger::new(&table)));
    fit.callbacks
        .push(Box::new(ModelCheckpoint::new(folder.path().join("w{epoch:02d}")).save_weights_only(true)));
    let history = mlp()?.fit(&x, &y, &mut fit)?;
    assert_eq!(*rates.borrow(), [0.02, 0.01, 0.01]);
    let text = std::fs::read_to_string(&table).unwrap_or_default();
    assert_eq!(text.lines().next(), Some("epoch,loss,accuracy"));
    assert_eq!(text.lines().count(), 4);
    assert!(text.contains(&format!("2,{}", history.last("loss").unwrap_or(0.0))), "{text}");
    let mut other = mlp()?;
    other.build(&[2])?;
    other.load_weights(folder.path().join("w03"))?;
    Ok(())
}

#[test]
fn early_stopping_restores_the_best_weights() -> Result<()> {
    let (x, y) = points(64)?;
    let mut model = mlp()?;
    // A rate that grows makes the loss worse after a while.
    let mut fit = Fit { epochs: 60, ..Fit::default() };
    fit.callbacks.push(Box::new(LearningRateScheduler::new(|epoch, _| if epoch < 5 { 0.02 } else { 3.0 })));
    fit.callbacks.push(Box::new(
        EarlyStopping::new("loss").better(Mode::Min, 0.0).patience(3).restore_best_weights(true),
    ));
    let history = model.fit(&x, &y, &mut fit)?;
    let losses = history.get("loss");
    assert!(losses.len() < 60, "{losses:?}");
    let best = losses.iter().copied().fold(f32::INFINITY, f32::min);
    let at = losses.iter().position(|l| *l == best).unwrap_or(0);
    assert_eq!(losses.len(), at + 4);
    let unknown = mlp()?.fit(
        &x,
        &y,
        &mut Fit { callbacks: vec![Box::new(EarlyStopping::new("val_los"))], ..Fit::default() },
    );
    assert!(unknown.err().map(|e| e.to_string()).unwrap_or_default().contains("loss, accuracy"));
    Ok(())
}

#[test]
fn plateaus_lower_the_rate_and_nan_ends_the_run() -> Result<()> {
    let (x, y) = points(64)?;
    let mut model = mlp()?;
    let mut fit = Fit { epochs: 4, ..Fit::default() };
    let plateau =
        ReduceLROnPlateau::new("loss").better(Mode::Min, 100.0).patience(1).factor(0.5).min_lr(0.006);
    fit.callbacks.push(Box::new(plateau));
    model.fit(&x, &y, &mut fit)?;
    assert_eq!(model.learning_rate(), Some(0.006));

    let mut x = x.to_f32_vec();
    x[0] = f32::NAN;
    let x = Tensor::new(&[64, 2], x)?;
    let mut fit = Fit { callbacks: vec![Box::new(TerminateOnNaN)], ..Fit::default() };
    assert!(mlp()?.fit(&x, &y, &mut fit)?.epochs.is_empty());
    assert!(mlp()?.fit(&x, &y, &mut Fit::default()).is_err());
    Ok(())
}

#[test]
fn weights_of_samples_and_classes_multiply() -> Result<()> {
    let (x, y) = points(32)?;
    let fit = |weights: Option<Vec<f32>>, classes: &[(usize, f32)]| -> Result<f32> {
        let sample_weight = weights.map(|w| Tensor::new(&[32], w)).transpose()?;
        let mut fit = Fit { sample_weight, class_weight: classes.to_vec(), shuffle: false, ..Fit::default() };
        let history = mlp()?.fit(&x, &y, &mut fit)?;
        Ok(history.last("loss").unwrap_or(f32::NAN))
    };
    let plain = fit(None, &[])?;
    assert!((fit(Some(vec![2.0; 32]), &[])? - 2.0 * plain).abs() < 1e-5);
    assert!((fit(Some(vec![2.0; 32]), &[(0, 0.5), (1, 0.5)])? - plain).abs() < 1e-5);
    assert!((fit(None, &[(0, 3.0), (1, 3.0)])? - 3.0 * plain).abs() < 1e-5);
    Ok(())
}

#[test]
fn costs_and_reach_of_lenet() -> Result<()> {
    use gradling::Padding;
    use gradling::nn::{Conv2D, Flatten, MaxPooling2D};
    let mut model = Sequential::new()
        .add(Conv2D::new(6, [5, 5]).padding(Padding::Same))
        .add(MaxPooling2D::new([2, 2]))
        .add(Conv2D::new(16, [5, 5]))
        .add(Flatten::new())
        .add(Dense::new(10));
    model.build(&[28, 28, 1])?;
    let costs = model.analysis()?;
    let adds: Vec<u64> = costs.iter().map(|c| c.multiply_adds).collect();
    assert_eq!([adds[0], adds[2], adds[4]], [28 * 28 * 6 * 25, 10 * 10 * 16 * 25 * 6, 1600 * 10]);
    let fields: Vec<_> = costs.iter().map(|c| c.receptive_field).collect();
    assert_eq!(fields, [Some([5, 5]), Some([6, 6]), Some([14, 14]), None, None]);
    assert!(model.analysis_table()?.contains("14x14"));
    Ok(())
}
