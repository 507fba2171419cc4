//! Inputs and targets of training cases.

use std::path::PathBuf;

use gradling::Tensor;
use gradling::data::{Table, cifar10, idx};
use serde_json::Value;

use crate::case::{Case, Group};
use crate::program::{Fault, tensor, unsupported};

/// Inputs and targets: stored in the case, or made from a data set by its recipe.
///
/// **Errors** when the recipe is unknown or its file is missing.
pub fn load(group: &Group, case: &Case) -> Result<(Tensor, Tensor), Fault> {
    if let (Some(x), Some(y)) = (case.inputs.get("x"), case.inputs.get("y")) {
        return Ok((tensor(group.tensor(x)?, None)?, tensor(group.tensor(y)?, None)?));
    }
    let recipe = case.config.get("data").unwrap_or(&Value::Null);
    let sources: Vec<&str> = match &recipe["source"] {
        Value::String(one) => vec![one],
        list => list.as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
    };
    let rows = recipe["rows"].as_array().into_iter().flatten();
    let rows: Vec<usize> = rows.filter_map(Value::as_u64).map(|n| n as usize).collect();
    let [from, to] = rows.as_slice() else { return unsupported(format!("data {recipe}")) };
    match sources.as_slice() {
        [images, labels] if images.contains("idx3") => {
            let x = idx::parse(&read(group, images)?)?.rows(*from..*to)?;
            let y = idx::parse(&read(group, labels)?)?.rows(*from..*to)?;
            // "…, shape (640,28,28,1)"
            let text =
                recipe["x"].as_str().and_then(|text| text.rsplit_once("shape (")).map_or("", |(_, s)| s);
            let shape = text.trim_end_matches(')').split(',').filter_map(|d| d.trim().parse().ok());
            pictures(&x, &y, &shape.collect::<Vec<usize>>())
        }
        [archive, member] if member.ends_with("data_batch_1.bin") => {
            let cifar = cifar10::load(path(group, archive)?)?;
            let (x, y) = (cifar.train_x.rows(*from..*to)?, cifar.train_y.rows(*from..*to)?);
            pictures(&x, &y, &x.shape().to_vec())
        }
        [table] if table.ends_with(".csv") => series(group, table, recipe, *from, *to),
        _ => unsupported(format!("data {recipe}")),
    }
}

/// Bytes as numbers from 0 to 1, and labels as int32.
fn pictures(x: &Tensor, y: &Tensor, shape: &[usize]) -> Result<(Tensor, Tensor), Fault> {
    let pixels: Vec<f32> = x.to_f32_vec().into_iter().map(|byte| byte / 255.0).collect();
    let labels: Vec<i32> = y.to_f32_vec().into_iter().map(|l| l as i32).collect();
    Ok((Tensor::new(shape, pixels)?, Tensor::new(&y.shape().to_vec(), labels)?))
}

/// Windows of 60 steps of a column and the value after each, scaled in double precision.
fn series(
    group: &Group,
    file: &str,
    recipe: &Value,
    from: usize,
    to: usize,
) -> Result<(Tensor, Tensor), Fault> {
    const STEPS: usize = 60;
    let number = |key: &str| recipe[key].as_f64().ok_or_else(|| Fault::Failed(format!("no number {key}")));
    let (min, max) = (number("min")?, number("max")?);
    let table = Table::read(path(group, file)?, true)?;
    let column = table.text(recipe["column"].as_str().unwrap_or_default())?;
    let values = column.iter().map(|text| text.trim().parse::<f64>());
    let values: Result<Vec<f64>, _> = values.collect();
    let values = values.map_err(|e| Fault::Failed(format!("{file}: {e}")))?;
    let scaled: Vec<f32> = values.iter().map(|v| ((v - min) / (max - min)) as f32).collect();
    if scaled.len() < to + STEPS {
        return Err(Fault::Failed(format!("{file}: {} rows, expected {}", scaled.len(), to + STEPS)));
    }
    let x = (from..to).flat_map(|i| scaled[i..i + STEPS].iter().copied()).collect::<Vec<f32>>();
    let y = scaled[from + STEPS..to + STEPS].to_vec();
    Ok((Tensor::new(&[to - from, STEPS, 1], x)?, Tensor::new(&[to - from, 1], y)?))
}

/// A file of the data folder beside the goldens, or beside the workspace.
fn path(group: &Group, file: &str) -> Result<PathBuf, Fault> {
    let folders = [group.folder.join("../data"), crate::case::workspace().join("../shared/data")];
    let path = folders.iter().map(|f| f.join(file)).find(|p| p.is_file());
    path.ok_or_else(|| Fault::Failed(format!("{file} is in none of {folders:?}")))
}

fn read(group: &Group, file: &str) -> Result<Vec<u8>, Fault> {
    let path = path(group, file)?;
    std::fs::read(&path).map_err(|e| Fault::Failed(format!("{}: {e}", path.display())))
}
