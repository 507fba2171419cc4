//! Cases of kind `model-training`: whole runs from recorded weights over rows in a fixed order.

use std::fmt;

use gradling::nn::layer::Call;
use gradling::nn::optimizer::Options;
use gradling::nn::{Fit, Loss, Optimizer, Progress, Sequential};
use gradling::{DType, Device, Level, Tensor, Trace, Var, Variables, autodiff};
use serde_json::Value;

use crate::case::{Case, Group};
use crate::compare::{Difference, Tolerance, compare, compare_each};
use crate::executor::{self, Executor, Runner};
use crate::harness::{on_each, worst};
use crate::layers;
use crate::losses;
use crate::optimizers;
use crate::program::{Fault, tensor, unsupported};
use crate::run_optimizer::State;
use crate::table::Outcome;
use crate::tensors::Array;
use crate::training_data;

/// A way to train.
enum Trainer {
    /// `Sequential` with its plans, on a device.
    Model(Level, usize),
    /// The same, but written to a model file and read back after each epoch.
    ModelFile,
    /// The graph of the train step, put together here from the public parts.
    Graph(Executor),
}

impl fmt::Display for Trainer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Trainer::Model(level, 1) => write!(f, "model, {level:?}"),
            Trainer::Model(level, threads) => write!(f, "model, {level:?}, {threads} threads"),
            Trainer::ModelFile => f.write_str("model, read back"),
            Trainer::Graph(executor) => executor.fmt(f),
        }
    }
}

/// What a run gives.
#[derive(Default)]
struct Trained {
    step_loss: Vec<f32>,
    epoch_loss: Vec<f32>,
    weights: Vec<(String, Tensor)>,
    predictions: Option<Tensor>,
}

/// Everything a run needs.
struct Job {
    x: Tensor,
    y: Tensor,
    optimizer: Optimizer,
    loss: Loss,
    batch_size: usize,
    epochs: usize,
    weights: Vec<(String, Tensor)>,
    probe: usize,
}

/// Runs a training case in every way there is.
pub fn run(group: &Group, case: &Case) -> Outcome {
    let mut trainers: Vec<Trainer> =
        executor::devices().into_iter().map(|(level, threads)| Trainer::Model(level, threads)).collect();
    trainers.push(Trainer::ModelFile);
    trainers.extend([Executor::Tape, Executor::PlanUnfused].map(Trainer::Graph));
    on_each(&trainers, |trainer| {
        let job = Job::of(group, case)?;
        let trained = match trainer {
            Trainer::Model(level, threads) => job.fit(case, &Device::new(*level, *threads)?, false)?,
            Trainer::ModelFile => job.fit(case, &Device::default(), true)?,
            Trainer::Graph(executor) => job.run_graph(case, executor)?,
        };
        judge(group, case, &trained)
    })
}

impl Job {
    fn of(group: &Group, case: &Case) -> Result<Job, Fault> {
        let part = |key: &str| -> Result<(String, serde_json::Map<String, Value>), Fault> {
            let part = case.config.get(key).and_then(Value::as_object);
            let class = part.and_then(|p| p.get("class_name")).and_then(Value::as_str);
            let config = part.and_then(|p| p.get("config")).and_then(Value::as_object);
            match (class, config) {
                (Some(class), Some(config)) => Ok((class.into(), config.clone())),
                _ => Err(Fault::Failed(format!("no {key} in the configuration"))),
            }
        };
        model(case)?;
        let (class, config) = part("optimizer")?;
        let mut optimizer = optimizers::optimizer(&class, &config)?;
        if case.name.contains("keras3_sparse") {
            optimizer = optimizer.with(Options { sparse_squares: true, ..Options::default() });
        }
        let (class, config) = part("loss")?;
        let loss = losses::loss(&class, &config)?;
        let (x, y) = training_data::load(group, case)?;
        let mut weights = Vec::new();
        for weight in &case.weights {
            weights.push((weight.name.clone(), tensor(group.tensor(&weight.key)?, None)?));
        }
        let predictions = group.tensor(case.outputs.get("predictions").unwrap_or_default())?;
        let whole = |key: &str| case.number(key).unwrap_or(1.0) as usize;
        Ok(Job {
            x,
            y,
            optimizer,
            loss,
            batch_size: whole("batch_size"),
            epochs: whole("epochs"),
            weights,
            probe: predictions.shape.first().copied().unwrap_or(1),
        })
    }

    /// The model with the recorded weights.
    fn model(&self, case: &Case) -> Result<Sequential, Fault> {
        let mut model = model(case)?;
        model.build(&self.x.shape().to_vec()[1..])?;
        for (name, value) in &self.weights {
            model.set_weight(name, value)?;
        }
        Ok(model)
    }

    fn fit(&self, case: &Case, device: &Device, through_file: bool) -> Result<Trained, Fault> {
        let mut model = self.model(case)?.on(device);
        model.compile(self.optimizer.clone(), self.loss.clone(), &[])?;
        let mut trained = Trained::default();
        let fit = Fit { epochs: 1, batch_size: self.batch_size, shuffle: false, ..Fit::default() };
        for _ in 0..self.epochs {
            let mut run = model.begin_fit(&self.x, &self.y, &fit)?;
            loop {
                match run.step(&mut model)? {
                    Progress::Batch { loss, .. } => trained.step_loss.push(loss),
                    Progress::Done => break,
                    Progress::Validation { .. } | Progress::Epoch { .. } => {}
                }
            }
            trained.epoch_loss.push(run.logs().get("loss").unwrap_or(f32::NAN));
            if through_file {
                model = Sequential::from_bytes(&model.to_bytes()?)?;
            }
        }
        trained.predictions = Some(model.predict(&self.x.rows(0..self.probe)?, self.probe)?);
        for (name, _) in &self.weights {
            trained.weights.push((name.clone(), model.weight(name)?));
        }
        Ok(trained)
    }

    fn run_graph(&self, case: &Case, executor: &Executor) -> Result<Trained, Fault> {
        let model = self.model(case)?;
        let state = State::new(&self.optimizer, model.variables().clone())?;
        let samples = self.x.shape().dim(0);
        let mut variables = state.variables.clone();
        let mut runners: Vec<(usize, Runner)> = Vec::new();
        let mut trained = Trained::default();
        for _ in 0..self.epochs {
            let mut total = 0.0;
            for start in (0..samples).step_by(self.batch_size) {
                let end = (start + self.batch_size).min(samples);
                let n = end - start;
                let (x, y) = (self.x.rows(start..end)?, self.y.rows(start..end)?);
                let at = match runners.iter().position(|(size, _)| *size == n) {
                    Some(at) => at,
                    None => {
                        let graph = self.step_graph(&model, &state, &x, &y)?;
                        runners.push((n, Runner::new(&graph, &state.variables, executor)?));
                        runners.len() - 1
                    }
                };
                let runner = &mut runners[at].1;
                std::mem::swap(&mut runner.variables, &mut variables);
                let done = trained.step_loss.len() as u64;
                let rate = Tensor::scalar(self.optimizer.learning_rate_at(done));
                runner.variables.set(state.learning_rate, &rate)?;
                let results = runner.step(&[x, y])?;
                std::mem::swap(&mut runner.variables, &mut variables);
                let loss = results[0].1.to_f32()[0];
                trained.step_loss.push(loss);
                total += f64::from(loss) * n as f64;
            }
            trained.epoch_loss.push((total / samples as f64) as f32);
        }
        trained.predictions = Some(self.probe_graph(&model, &variables, executor)?);
        for (name, _) in &self.weights {
            let id = variables.find(name).ok_or_else(|| Fault::Failed(format!("no weight {name}")))?;
            trained.weights.push((name.clone(), variables.get(id)?));
        }
        Ok(trained)
    }

    fn step_graph(
        &self,
        model: &Sequential,
        state: &State,
        x: &Tensor,
        y: &Tensor,
    ) -> Result<gradling::Graph, Fault> {
        let trace = Trace::new(&state.variables);
        {
            let input = trace.input("x", *x.shape(), x.dtype());
            let target = trace.input("y", *y.shape(), y.dtype());
            let mut call = Call::new(&trace, true, None);
            let output = model.call(&mut call, input.cast(DType::F32))?;
            let loss = self.loss.call(&call, target, output, None)?;
            let loss = call.losses().iter().fold(loss, |sum, l| sum + *l);
            trace.output("loss", loss);
            let weights: Vec<Var> = state.slots.iter().map(|(id, _)| trace.variable(*id)).collect();
            state.update(&trace, &self.optimizer, &autodiff::grad(loss, &weights));
            call.assign_updates();
        }
        Ok(trace.finish()?)
    }

    fn probe_graph(
        &self,
        model: &Sequential,
        variables: &Variables,
        executor: &Executor,
    ) -> Result<Tensor, Fault> {
        let x = self.x.rows(0..self.probe)?;
        let trace = Trace::new(variables);
        {
            let input = trace.input("x", *x.shape(), x.dtype());
            let y = model.call(&mut Call::new(&trace, false, None), input.cast(DType::F32))?;
            trace.output("y", y);
        }
        let results = Runner::new(&trace.finish()?, variables, executor)?.step(&[x])?;
        tensor(&results[0].1, None)
    }
}

/// The layers of a case, without weights.
fn model(case: &Case) -> Result<Sequential, Fault> {
    let mut model = Sequential::new();
    let mut before = "input_layer".to_string();
    for layer in case.config.get("layers").and_then(Value::as_array).into_iter().flatten() {
        let text = |key: &str| layer[key].as_str().unwrap_or_default().to_string();
        let inbound: Vec<&str> =
            layer["inbound"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let Some(config) = layer["config"].as_object() else {
            return Err(Fault::Failed(format!("layer {} has no configuration", text("name"))));
        };
        let mut built = layers::layer(&text("class_name"), config)?;
        // Keras lists the mask that a layer reads; here it comes with the value.
        let masks = inbound.get(1..).unwrap_or_default();
        if inbound.first() != Some(&before.as_str()) || !masks.iter().all(|m| m.starts_with("not_equal")) {
            return unsupported(format!("layer {} after {inbound:?}", text("name")));
        }
        before = text("name");
        built.set_name(&before);
        model.push(built);
    }
    Ok(model)
}

fn judge(group: &Group, case: &Case, trained: &Trained) -> Result<Difference, Fault> {
    let want = |name: &str| group.tensor(case.outputs.get(name).unwrap_or_default());
    let atol = |key: &str| case.tolerances.get(key).and_then(Value::as_f64).unwrap_or(case.atol);
    let mut all = Vec::new();
    let allowed = want("step_loss_atol")?.to_f32();
    let steps = want("step_loss")?.to_f32();
    all.push(compare_each("step_loss", &trained.step_loss, &steps, |i| {
        f64::from(allowed[i.min(allowed.len() - 1)])
    }));
    let epochs = want("epoch_loss")?.to_f32();
    let of_epoch = atol("epoch_loss_atol");
    all.push(compare_each("epoch_loss", &trained.epoch_loss, &epochs, |i| {
        of_epoch + case.rtol * f64::from(epochs[i]).abs()
    }));
    for (name, value) in &trained.weights {
        let of_weight = case.tolerances.get("weights_atol").and_then(|w| w.get(name)).and_then(Value::as_f64);
        let tolerance = Tolerance { rtol: case.rtol, atol: of_weight.unwrap_or(case.atol) };
        let got = Array::f32(&value.shape().to_vec(), value.to_f32_vec());
        all.push(compare(&format!("final/{name}"), &got, want(&format!("final/{name}"))?, tolerance));
    }
    if let Some(predictions) = &trained.predictions {
        let tolerance = Tolerance { rtol: case.rtol, atol: atol("predictions_atol") };
        let got = Array::f32(&predictions.shape().to_vec(), predictions.to_f32_vec());
        all.push(compare("predictions", &got, want("predictions")?, tolerance));
    }
    Ok(worst(all))
}
