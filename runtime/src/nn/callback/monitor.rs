use crate::nn::Logs;
use alloc::string::String;

/// Whether a smaller or a larger number is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Larger for accuracies, precision, recall, AUC and F scores, else smaller.
    #[default]
    Auto,
    /// Smaller is better.
    Min,
    /// Larger is better.
    Max,
}

/// A number of the logs and the best that it was.
#[derive(Clone, Debug)]
pub struct Monitor {
    name: String,
    larger: bool,
    min_delta: f32,
    best: Option<f32>,
}

impl Monitor {
    /// Watches `name`; better means better by more than `min_delta`.
    pub fn new(name: &str, mode: Mode, min_delta: f32) -> Monitor {
        let larger = match mode {
            Mode::Auto => ["acc", "auc", "precision", "recall", "f1", "fbeta", "r2", "iou"]
                .iter()
                .any(|good| name.contains(good)),
            Mode::Min => false,
            Mode::Max => true,
        };
        Monitor { name: name.into(), larger, min_delta: min_delta.abs(), best: None }
    }

    /// Starts from a known best, or from none.
    pub fn reset(&mut self, best: Option<f32>) {
        self.best = best;
    }

    /// The best number so far.
    pub fn best(&self) -> Option<f32> {
        self.best
    }

    /// The number's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the logs are the best so far; `None` when they do not hold the number. NaN is never better.
    pub fn improved(&mut self, logs: &Logs) -> Option<bool> {
        let now = logs.get(&self.name)?;
        let better = match self.best {
            None => !now.is_nan(),
            Some(best) if self.larger => now > best + self.min_delta,
            Some(best) => now < best - self.min_delta,
        };
        if better {
            self.best = Some(now);
        }
        Some(better)
    }
}
