//! Keras optimizers, schedules and regularizers from their `get_config()`.

use gradling::nn::optimizer::{
    AMSGrad, Adadelta, Adagrad, Adam, AdamW, Adamax, Ftrl, Lion, Nadam, Optimizer, Options, RMSprop, SGD,
};
use gradling::nn::schedule::{
    CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, LearningRate,
    PiecewiseConstantDecay, PolynomialDecay, Schedule,
};
use serde_json::{Map, Value};

use crate::layers::{flag, number};
use crate::program::{Fault, unsupported};

type Config = Map<String, Value>;

/// The optimizer of this class (in either case).
///
/// **Errors** when Gradling has no such optimizer or not that option of it.
pub fn optimizer(class: &str, config: &Config) -> Result<Optimizer, Fault> {
    let get = |key: &str| number(config, key);
    let schedule = match config.get("learning_rate") {
        Some(Value::Object(s)) => Some(schedule(
            s.get("class_name").and_then(Value::as_str).unwrap_or_default(),
            s.get("config").and_then(Value::as_object).unwrap_or(&Map::new()),
        )?),
        _ => None,
    };
    let learning_rate = if schedule.is_some() { 0.0 } else { get("learning_rate")? };
    let own_decay = class.eq_ignore_ascii_case("adamw");
    let optimizer: Optimizer = match class.to_ascii_lowercase().as_str() {
        "sgd" => SGD { learning_rate, momentum: get("momentum")?, nesterov: flag(config, "nesterov") }.into(),
        "adam" | "adamw" => {
            let (beta_1, beta_2, epsilon) = (get("beta_1")?, get("beta_2")?, get("epsilon")?);
            let amsgrad = flag(config, "amsgrad");
            if own_decay {
                let weight_decay = get("weight_decay")?;
                AdamW { learning_rate, weight_decay, beta_1, beta_2, epsilon, amsgrad }.into()
            } else if amsgrad {
                AMSGrad { learning_rate, beta_1, beta_2, epsilon }.into()
            } else {
                Adam { learning_rate, beta_1, beta_2, epsilon }.into()
            }
        }
        "adamax" => {
            let (beta_1, beta_2, epsilon) = (get("beta_1")?, get("beta_2")?, get("epsilon")?);
            Adamax { learning_rate, beta_1, beta_2, epsilon }.into()
        }
        "nadam" => {
            let (beta_1, beta_2, epsilon) = (get("beta_1")?, get("beta_2")?, get("epsilon")?);
            Nadam { learning_rate, beta_1, beta_2, epsilon }.into()
        }
        "lion" => Lion { learning_rate, beta_1: get("beta_1")?, beta_2: get("beta_2")? }.into(),
        "rmsprop" => RMSprop {
            learning_rate,
            rho: get("rho")?,
            momentum: get("momentum")?,
            epsilon: get("epsilon")?,
            centered: flag(config, "centered"),
        }
        .into(),
        "adagrad" => Adagrad {
            learning_rate,
            initial_accumulator_value: get("initial_accumulator_value")?,
            epsilon: get("epsilon")?,
        }
        .into(),
        "adadelta" => Adadelta { learning_rate, rho: get("rho")?, epsilon: get("epsilon")? }.into(),
        "ftrl" => Ftrl {
            learning_rate,
            learning_rate_power: get("learning_rate_power")?,
            initial_accumulator_value: get("initial_accumulator_value")?,
            l1_regularization_strength: get("l1_regularization_strength")?,
            l2_regularization_strength: get("l2_regularization_strength")?,
            l2_shrinkage_regularization_strength: get("l2_shrinkage_regularization_strength")?,
            beta: get("beta")?,
        }
        .into(),
        _ => return unsupported(class),
    };
    let set = |key: &str| number(config, key).ok();
    let whole = |key: &str| config.get(key).and_then(Value::as_u64).map(|n| n as u32);
    let options = Options {
        learning_rate: schedule.map(LearningRate::from),
        clipnorm: set("clipnorm"),
        global_clipnorm: set("global_clipnorm"),
        clipvalue: set("clipvalue"),
        weight_decay: set("weight_decay").filter(|_| !own_decay),
        ema_momentum: set("ema_momentum").filter(|_| flag(config, "use_ema")),
        ema_overwrite_frequency: whole("ema_overwrite_frequency"),
        gradient_accumulation_steps: whole("gradient_accumulation_steps"),
        loss_scale: set("loss_scale_factor"),
        sparse_squares: false,
    };
    Ok(if options == Options::default() { optimizer } else { optimizer.with(options) })
}

/// The schedule of this class.
///
/// **Errors** when Gradling has no such schedule.
pub fn schedule(class: &str, config: &Config) -> Result<Schedule, Fault> {
    let get = |key: &str| number(config, key);
    let list = |key: &str| -> Vec<f32> {
        let list = config.get(key).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_f64).map(|v| v as f32).collect()
    };
    let staircase = flag(config, "staircase");
    Ok(match class {
        "ExponentialDecay" => ExponentialDecay {
            initial_learning_rate: get("initial_learning_rate")?,
            decay_steps: get("decay_steps")?,
            decay_rate: get("decay_rate")?,
            staircase,
        }
        .into(),
        "PiecewiseConstantDecay" => {
            PiecewiseConstantDecay { boundaries: list("boundaries"), values: list("values") }.into()
        }
        "PolynomialDecay" => PolynomialDecay {
            initial_learning_rate: get("initial_learning_rate")?,
            decay_steps: get("decay_steps")?,
            end_learning_rate: get("end_learning_rate")?,
            power: get("power")?,
            cycle: flag(config, "cycle"),
        }
        .into(),
        "InverseTimeDecay" => InverseTimeDecay {
            initial_learning_rate: get("initial_learning_rate")?,
            decay_steps: get("decay_steps")?,
            decay_rate: get("decay_rate")?,
            staircase,
        }
        .into(),
        "CosineDecay" => CosineDecay {
            initial_learning_rate: get("initial_learning_rate")?,
            decay_steps: get("decay_steps")?,
            alpha: get("alpha")?,
            warmup_target: get("warmup_target").ok(),
            warmup_steps: get("warmup_steps")?,
        }
        .into(),
        "CosineDecayRestarts" => CosineDecayRestarts {
            initial_learning_rate: get("initial_learning_rate")?,
            first_decay_steps: get("first_decay_steps")?,
            t_mul: get("t_mul")?,
            m_mul: get("m_mul")?,
            alpha: get("alpha")?,
        }
        .into(),
        other => return unsupported(other),
    })
}
