//! Keras metrics from their `get_config()`.

use gradling::nn::metric::{
    Auc, AucCurve, AucSummation, Average, BinaryIoU, FScore, IoU, Metric, Precision, R2Aggregation, R2Score,
    Recall,
};
use serde_json::{Map, Value};

use crate::layers::{flag, number};
use crate::losses::loss;
use crate::program::Fault;

type Config = Map<String, Value>;

/// The metric of this class.
///
/// **Errors** when Gradling has no such metric or not that option of it.
pub fn metric(class: &str, config: &Config) -> Result<Metric, Fault> {
    let set = |key: &str| number(config, key).ok();
    let or = |key: &str, default: f32| set(key).unwrap_or(default);
    let whole = |key: &str| config.get(key).and_then(Value::as_u64).map(|n| n as u32);
    let text = |key: &str| config.get(key).and_then(Value::as_str).unwrap_or_default();
    let k = whole("k").unwrap_or(5);
    let numbers = |key: &str| -> Vec<f32> {
        match config.get(key) {
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_f64).map(|v| v as f32).collect(),
            Some(Value::Number(n)) => n.as_f64().map(|v| v as f32).into_iter().collect(),
            _ => Vec::new(),
        }
    };
    let thresholds = numbers("thresholds");
    let (top_k, class_id) = (whole("top_k"), whole("class_id"));
    let ids = || -> Vec<u32> { numbers("target_class_ids").into_iter().map(|v| v as u32).collect() };
    Ok(match class {
        "Accuracy" => Metric::Equality,
        "BinaryAccuracy" => Metric::BinaryAccuracy { threshold: or("threshold", 0.5) },
        "CategoricalAccuracy" => Metric::CategoricalAccuracy,
        "SparseCategoricalAccuracy" => Metric::SparseCategoricalAccuracy,
        "TopKCategoricalAccuracy" => Metric::TopKCategoricalAccuracy { k },
        "SparseTopKCategoricalAccuracy" if !flag(config, "from_sorted_ids") => {
            Metric::SparseTopKCategoricalAccuracy { k }
        }
        "MeanSquaredError" => Metric::MeanSquaredError,
        "MeanAbsoluteError" => Metric::MeanAbsoluteError,
        "RootMeanSquaredError" => Metric::RootMeanSquaredError,
        "CosineSimilarity" => Metric::CosineSimilarity { axis: or("axis", -1.0) as i32 },
        "Mean" => Metric::Mean,
        "Sum" => Metric::Sum,
        "Precision" => Precision { thresholds, top_k, class_id }.into(),
        "Recall" => Recall { thresholds, top_k, class_id }.into(),
        "TruePositives" => Metric::TruePositives { thresholds },
        "FalsePositives" => Metric::FalsePositives { thresholds },
        "TrueNegatives" => Metric::TrueNegatives { thresholds },
        "FalseNegatives" => Metric::FalseNegatives { thresholds },
        "AUC" => Auc {
            num_thresholds: whole("num_thresholds").unwrap_or(200),
            curve: match text("curve") {
                "PR" => AucCurve::Pr,
                "PRGAIN" => AucCurve::PrGain,
                _ => AucCurve::Roc,
            },
            summation_method: match text("summation_method") {
                "minoring" => AucSummation::Minoring,
                "majoring" => AucSummation::Majoring,
                _ => AucSummation::Interpolation,
            },
            thresholds: (!thresholds.is_empty()).then_some(thresholds),
            multi_label: flag(config, "multi_label"),
            label_weights: Some(numbers("label_weights")).filter(|w| !w.is_empty()),
            from_logits: flag(config, "from_logits"),
        }
        .into(),
        "F1Score" | "FBetaScore" => FScore {
            average: match text("average") {
                "micro" => Average::Micro,
                "macro" => Average::Macro,
                "weighted" => Average::Weighted,
                _ => Average::None,
            },
            beta: or("beta", 1.0),
            threshold: set("threshold"),
        }
        .into(),
        "R2Score" => R2Score {
            class_aggregation: match text("class_aggregation") {
                "variance_weighted_average" => R2Aggregation::VarianceWeightedAverage,
                "" => R2Aggregation::None,
                _ => R2Aggregation::UniformAverage,
            },
            num_regressors: whole("num_regressors").unwrap_or(0),
        }
        .into(),
        "BinaryIoU" => BinaryIoU { target_class_ids: ids(), threshold: or("threshold", 0.5) }.into(),
        "IoU" | "MeanIoU" | "OneHotIoU" | "OneHotMeanIoU" => IoU {
            num_classes: whole("num_classes").unwrap_or(0),
            target_class_ids: ids(),
            ignore_class: number(config, "ignore_class").ok().map(|c| c as i32),
            sparse_y_true: !class.starts_with("OneHot") && flag(config, "sparse_y_true"),
            sparse_y_pred: flag(config, "sparse_y_pred"),
            axis: or("axis", -1.0) as i32,
        }
        .into(),
        "LogCoshError" => loss("LogCosh", config)?.into(),
        other => loss(other, config)?.into(),
    })
}
