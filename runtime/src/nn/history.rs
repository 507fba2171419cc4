//! What training reports.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Named numbers in a fixed order: `loss`, metrics, then the same with `val_`.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Logs(Vec<(String, f32)>);

impl Logs {
    /// No numbers.
    pub fn new() -> Logs {
        Logs::default()
    }

    /// Appends a number.
    pub fn push(&mut self, name: &str, value: f32) {
        self.0.push((name.to_string(), value));
    }

    /// The number of this name.
    pub fn get(&self, name: &str) -> Option<f32> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| *v)
    }

    /// Names and numbers in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f32)> {
        self.0.iter().map(|(n, v)| (n.as_str(), *v))
    }
}

/// The logs of each epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// One entry an epoch.
    pub epochs: Vec<Logs>,
}

impl History {
    /// The curve of this name, one value an epoch.
    pub fn get(&self, name: &str) -> Vec<f32> {
        self.epochs.iter().filter_map(|logs| logs.get(name)).collect()
    }

    /// The value of this name after the last epoch.
    pub fn last(&self, name: &str) -> Option<f32> {
        self.epochs.last().and_then(|logs| logs.get(name))
    }
}
