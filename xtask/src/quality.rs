//! The stage `quality`: accuracies reached from our own initial weights and shuffles beside TensorFlow's, natively and
//! in the browser.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{
    serve::serve,
    shell::{ci, node, root, target_dir, tee},
    test::Count,
    toolchain::{chromium, npm_install},
};

/// The accuracies of one model over several seeds.
#[derive(Debug, Default)]
struct Sample(Vec<f64>);

impl Sample {
    fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }

    fn squares(&self) -> f64 {
        let mean = self.mean();
        self.0.iter().map(|x| (x - mean).powi(2)).sum()
    }

    fn least(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn most(&self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// The least mean of `ours` that is no worse than this one's: in its spread, or less than two standard errors
    /// of the difference below its mean. A run's rounding, so its accuracy, depends on the processor.
    fn bound(&self, ours: &Sample) -> f64 {
        let (n, m) = (self.0.len() as f64, ours.0.len() as f64);
        let variance = (self.squares() + ours.squares()) / (n + m - 2.0).max(1.0);
        self.least().min(self.mean() - 2.0 * (variance * (1.0 / n + 1.0 / m)).sqrt())
    }
}

/// Trains natively with the program `quality` and in Chromium with the package that a stage before built.
///
/// # Errors
/// A run fails; under CI also when the recorded figures or the data are absent.
pub fn quality(program: &Path) -> Result<Count> {
    let golden =
        std::env::var_os("GRADLING_GOLDEN").map_or_else(|| root().join("../shared/golden"), PathBuf::from);
    let data = std::env::var_os("GRADLING_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let figures = golden.join("quality.json");
    for file in [&figures, &data.join("train-images-idx3-ubyte.gz")] {
        if !file.is_file() {
            let message = format!("{} is absent", file.display());
            if ci() {
                bail!(message);
            }
            println!("quality: skipped: {message}");
            return Ok(Count::SKIPPED);
        }
    }
    let text = std::fs::read_to_string(&figures)?;
    let figures: Value = serde_json::from_str(&text).with_context(|| format!("{}", figures.display()))?;

    let iris = target_dir().join("iris.json");
    let mut native = Command::new(program);
    native.current_dir(root()).arg(&data).arg(&golden).arg(&iris);
    npm_install("tests")?;
    let served = serve(&root(), 0)?;
    let mut browser = node("tests/browser/quality.mjs");
    browser.arg(served.url()).arg(&data).arg(&iris).env("CHROMIUM", chromium()?);

    let mut total = Count::default();
    for (place, command) in [("native", native), ("browser", browser)] {
        let mut command = command;
        let (success, text) = tee(&mut command, Duration::from_secs(900))?;
        if !success {
            bail!("the {place} runs failed");
        }
        let samples = samples(&text)?;
        if samples.is_empty() {
            bail!("the {place} runs gave no accuracy");
        }
        for (item, ours) in &samples {
            let theirs = recorded(&figures, item)?;
            let bound = theirs.bound(ours);
            let fits = ours.mean() >= bound;
            println!(
                "quality {place} {item}: mean {:.4} ({:.4} to {:.4}), TensorFlow {:.4} ({:.4} to {:.4}), at least \
                 {bound:.4}: {}",
                ours.mean(),
                ours.least(),
                ours.most(),
                theirs.mean(),
                theirs.least(),
                theirs.most(),
                if fits { "ok" } else { "FAILED" }
            );
            total.add(if fits { Count::PASSED } else { Count::FAILED });
        }
    }
    Ok(total)
}

/// The lines of a run by model.
fn samples(text: &str) -> Result<BTreeMap<String, Sample>> {
    let mut samples: BTreeMap<String, Sample> = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with('{')) {
        let line: Value = serde_json::from_str(line)?;
        let (Some(item), Some(accuracy)) = (line["item"].as_str(), line["accuracy"].as_f64()) else {
            bail!("expected item and accuracy, got {line}");
        };
        samples.entry(item.into()).or_default().0.push(accuracy);
    }
    Ok(samples)
}

/// The accuracy at the end of each of TensorFlow's runs.
fn recorded(figures: &Value, item: &str) -> Result<Sample> {
    let runs = figures["items"][item]["runs"].as_array().into_iter().flatten();
    let end = |run: &Value| run["test_acc"].as_f64().or_else(|| run["val_acc"].as_array()?.last()?.as_f64());
    let sample = Sample(runs.filter_map(end).collect());
    if sample.0.is_empty() {
        bail!("quality.json has no accuracies of {item}");
    }
    Ok(sample)
}

#[cfg(test)]
mod tests {
    use super::{Sample, samples};

    #[test]
    fn accuracies_far_below_are_refused() {
        let theirs = Sample(vec![0.9777, 0.9763, 0.9763]);
        assert!(Sample(vec![0.976, 0.977, 0.978]).mean() > theirs.bound(&Sample(vec![0.976, 0.977, 0.978])));
        assert!(Sample(vec![0.973]).mean() < theirs.bound(&Sample(vec![0.973])));
        let all = Sample(vec![1.0; 3]);
        assert!((all.bound(&Sample(vec![1.0; 3])) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn runs_are_read_from_lines() {
        let text = "note\n{\"item\":\"a\",\"seed\":1,\"accuracy\":0.5}\n{\"item\":\"a\",\"seed\":2,\"accuracy\":1}\n";
        assert_eq!(samples(text).unwrap()["a"].0, [0.5, 1.0]);
        assert!(samples("{\"item\":\"a\",\"accuracy\":null}").is_err());
    }
}
