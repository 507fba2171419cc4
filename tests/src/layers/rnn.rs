//! Recurrent, embedding, wrapper and attention layers.

use gradling::nn::{
    Activation, AdditiveAttention, Attention, Bidirectional, Embedding, GRU, GRUCell, GroupedQueryAttention,
    LSTM, LSTMCell, Layer, MergeMode, MultiHeadAttention, RNN, ScoreMode, SimpleRNN, SimpleRNNCell,
    StackedRNNCells, TimeDistributed,
};
use serde_json::Value;

use super::{Config, Family, activation, flag, number, off, penalize, regularizer, whole};
use crate::case::integers;
use crate::program::{Fault, unsupported};

/// The layer of this class. Arguments of the call that are options of the layer here are in its configuration.
pub(super) fn layer(class: &str, config: &Config) -> Family {
    Ok(Some(match class {
        "SimpleRNN" => Box::new(options(simple(SimpleRNN::new(whole(config, "units")?), config)?, config)?),
        "LSTM" => Box::new(options(lstm(LSTM::new(whole(config, "units")?), config)?, config)?),
        "GRU" => Box::new(options(gru(GRU::new(whole(config, "units")?), config)?, config)?),
        "RNN" => {
            let (class, own) = own(config, "cell")?;
            match class {
                "SimpleRNNCell" => Box::new(options(RNN::over(simple_cell(own)?), config)?),
                "LSTMCell" => Box::new(options(RNN::over(lstm_cell(own)?), config)?),
                "GRUCell" => Box::new(options(RNN::over(gru_cell(own)?), config)?),
                "StackedRNNCells" => Box::new(options(RNN::over(stacked(own)?), config)?),
                other => return unsupported(format!("RNN over {other}")),
            }
        }
        "Bidirectional" => {
            let mut layer = Bidirectional::boxed(inner(config, "layer")?).merge_mode(merge_mode(config)?);
            if config.get("backward_layer").is_some_and(|l| !l.is_null()) {
                layer = layer.boxed_backward_layer(inner(config, "backward_layer")?);
            }
            Box::new(layer)
        }
        "TimeDistributed" => Box::new(TimeDistributed::boxed(inner(config, "layer")?)),
        "Embedding" => {
            off(class, config, &["lora_rank", "quantization_config"])?;
            let layer = Embedding::new(whole(config, "input_dim")?, whole(config, "output_dim")?)
                .mask_zero(flag(config, "mask_zero"));
            Box::new(penalize!(config, layer,
                embeddings_regularizer activity_regularizer,
                embeddings_constraint))
        }
        "Attention" => {
            let mode = match config.get("score_mode").and_then(Value::as_str) {
                None | Some("dot") => ScoreMode::Dot,
                Some("concat") => ScoreMode::Concat,
                Some(other) => return unsupported(format!("score mode {other}")),
            };
            Box::new(
                Attention::new()
                    .use_scale(flag(config, "use_scale"))
                    .score_mode(mode)
                    .dropout(number(config, "dropout")?)
                    .use_causal_mask(flag(config, "use_causal_mask"))
                    .return_attention_scores(flag(config, "return_attention_scores")),
            )
        }
        "AdditiveAttention" => Box::new(
            AdditiveAttention::new()
                .use_scale(flag(config, "use_scale"))
                .dropout(number(config, "dropout")?)
                .use_causal_mask(flag(config, "use_causal_mask"))
                .return_attention_scores(flag(config, "return_attention_scores")),
        ),
        "MultiHeadAttention" => Box::new(multi_head(config)?),
        "GroupedQueryAttention" | "GroupQueryAttention" => Box::new(grouped_query(config)?),
        _ => return Ok(None),
    }))
}

/// Class and configuration of `config[key]`.
fn own<'c>(config: &'c Config, key: &str) -> Result<(&'c str, &'c Config), Fault> {
    super::nested(config, key)?.ok_or_else(|| Fault::Failed(format!("no {key} in the configuration")))
}

/// The layer in `config[key]`, under its own name.
fn inner(config: &Config, key: &str) -> Result<Box<dyn Layer>, Fault> {
    let (class, own) = own(config, key)?;
    let mut layer = super::layer(class, own)?;
    if let Some(name) = own.get("name").and_then(Value::as_str) {
        layer.set_name(name);
    }
    Ok(layer)
}

fn merge_mode(config: &Config) -> Result<MergeMode, Fault> {
    match config.get("merge_mode") {
        None | Some(Value::Null) => Ok(MergeMode::Separate),
        Some(mode) => match mode.as_str() {
            Some("concat") => Ok(MergeMode::Concat),
            Some("sum") => Ok(MergeMode::Sum),
            Some("mul") => Ok(MergeMode::Mul),
            Some("ave") => Ok(MergeMode::Ave),
            _ => unsupported(format!("merge mode {mode}")),
        },
    }
}

/// The options of every recurrent layer. A stateful one takes batches of `batch` samples, by default 1.
fn options<C: gradling::nn::Cell>(layer: RNN<C>, config: &Config) -> Result<RNN<C>, Fault> {
    let layer = layer
        .return_sequences(flag(config, "return_sequences"))
        .return_state(flag(config, "return_state"))
        .go_backwards(flag(config, "go_backwards"))
        .unroll(flag(config, "unroll"))
        .zero_output_for_mask(flag(config, "zero_output_for_mask"));
    let layer = match regularizer(config, "activity_regularizer")? {
        Some(regularizer) => layer.activity_regularizer(regularizer),
        None => layer,
    };
    if !flag(config, "stateful") {
        return Ok(layer);
    }
    Ok(layer.stateful(if config.contains_key("batch") { whole(config, "batch")? } else { 1 }))
}

/// Sets the options that all cells with gates have, on a cell or on the layer that runs it.
macro_rules! gates {
    ($cell:expr, $config:expr) => {{
        let config: &Config = $config;
        let cell = $cell
            .activation(activation(config.get("activation"))?)
            .use_bias(flag(config, "use_bias"))
            .dropout(number(config, "dropout")?)
            .recurrent_dropout(number(config, "recurrent_dropout")?);
        penalize!(config, cell,
            kernel_regularizer recurrent_regularizer bias_regularizer,
            kernel_constraint recurrent_constraint bias_constraint)
    }};
}

fn gate(config: &Config) -> Result<Activation, Fault> {
    activation(config.get("recurrent_activation"))
}

fn simple(layer: SimpleRNN, config: &Config) -> Result<SimpleRNN, Fault> {
    Ok(gates!(layer, config))
}

fn lstm(layer: LSTM, config: &Config) -> Result<LSTM, Fault> {
    let layer = layer.unit_forget_bias(flag(config, "unit_forget_bias"));
    Ok(gates!(layer, config).recurrent_activation(gate(config)?))
}

fn gru(layer: GRU, config: &Config) -> Result<GRU, Fault> {
    let layer = layer.reset_after(flag(config, "reset_after"));
    Ok(gates!(layer, config).recurrent_activation(gate(config)?))
}

fn simple_cell(config: &Config) -> Result<SimpleRNNCell, Fault> {
    Ok(gates!(SimpleRNNCell::new(whole(config, "units")?), config))
}

fn lstm_cell(config: &Config) -> Result<LSTMCell, Fault> {
    let cell = LSTMCell::new(whole(config, "units")?).unit_forget_bias(flag(config, "unit_forget_bias"));
    Ok(gates!(cell, config).recurrent_activation(gate(config)?))
}

fn gru_cell(config: &Config) -> Result<GRUCell, Fault> {
    let cell = GRUCell::new(whole(config, "units")?).reset_after(flag(config, "reset_after"));
    Ok(gates!(cell, config).recurrent_activation(gate(config)?))
}

fn stacked(config: &Config) -> Result<StackedRNNCells, Fault> {
    let mut cells = StackedRNNCells::new();
    for cell in config.get("cells").and_then(Value::as_array).into_iter().flatten() {
        let Some(own) = cell.get("config").and_then(Value::as_object) else {
            return Err(Fault::Failed("a cell has no configuration".into()));
        };
        cells = match cell["class_name"].as_str() {
            Some("SimpleRNNCell") => cells.add(simple_cell(own)?),
            Some("LSTMCell") => cells.add(lstm_cell(own)?),
            Some("GRUCell") => cells.add(gru_cell(own)?),
            Some("StackedRNNCells") => cells.add(stacked(own)?),
            other => return unsupported(format!("cell {other:?}")),
        };
    }
    Ok(cells)
}

/// Sets the options that both attention layers with projections have.
macro_rules! heads {
    ($layer:expr, $config:expr) => {{
        let config: &Config = $config;
        let mut layer = $layer
            .dropout(number(config, "dropout")?)
            .use_bias(flag(config, "use_bias"))
            .use_gate(flag(config, "use_gate"))
            .use_causal_mask(flag(config, "use_causal_mask"))
            .attention_mask(flag(config, "attention_mask"))
            .return_attention_scores(flag(config, "return_attention_scores"));
        if config.get("sliding_window").is_some_and(|w| !w.is_null()) {
            layer = layer.sliding_window(whole(config, "sliding_window")?);
        }
        penalize!(config, layer,
            kernel_regularizer bias_regularizer activity_regularizer,
            kernel_constraint bias_constraint)
    }};
}

fn multi_head(config: &Config) -> Result<MultiHeadAttention, Fault> {
    let layer = MultiHeadAttention::new(whole(config, "num_heads")?, whole(config, "key_dim")?);
    let mut layer = heads!(layer, config);
    if config.get("value_dim").is_some_and(|v| !v.is_null()) {
        layer = layer.value_dim(whole(config, "value_dim")?);
    }
    if let Some(shape) = config.get("output_shape").and_then(integers) {
        layer = layer.output_shape(&shape.iter().map(|d| *d as usize).collect::<Vec<_>>());
    }
    if let Some(axes) = config.get("attention_axes").and_then(integers) {
        layer = layer.attention_axes(&axes.iter().map(|a| *a as isize).collect::<Vec<_>>());
    }
    Ok(layer)
}

fn grouped_query(config: &Config) -> Result<GroupedQueryAttention, Fault> {
    let heads = (whole(config, "num_query_heads")?, whole(config, "num_key_value_heads")?);
    Ok(heads!(GroupedQueryAttention::new(whole(config, "head_dim")?, heads.0, heads.1), config))
}
