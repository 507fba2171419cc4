use super::early_stopping::unknown;
use super::{Callback, Flow, Mode, Monitor};
use crate::nn::{Logs, Model};
use crate::{Result, device_error};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::vec::Vec;

/// When a checkpoint is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SaveFreq {
    /// After each epoch.
    #[default]
    Epoch,
    /// After this many batches.
    Batches(usize),
}

/// Writes the model while it trains (`keras.callbacks.ModelCheckpoint`).
///
/// A whole model file holds optimizer, counters and the place in the data, so that a run that was killed goes on
/// from it: `Model::load`, then `fit` with `resume`. Files are replaced at once: a kill leaves the old or the new
/// one.
pub struct ModelCheckpoint {
    path: String,
    monitor: Monitor,
    save_best_only: bool,
    save_weights_only: bool,
    save_freq: SaveFreq,
    since: usize,
    epoch: usize,
}

impl ModelCheckpoint {
    /// Writes to `path`, in which `{epoch}` and `{name of a log}` stand for their numbers, with the formats
    /// `{epoch:02d}` and `{val_loss:.2f}`.
    pub fn new(path: impl AsRef<Path>) -> ModelCheckpoint {
        ModelCheckpoint {
            path: path.as_ref().to_string_lossy().into_owned(),
            monitor: Monitor::new("val_loss", Mode::Auto, 0.0),
            save_best_only: false,
            save_weights_only: false,
            save_freq: SaveFreq::Epoch,
            since: 0,
            epoch: 0,
        }
    }

    /// Writes only when this number is the best so far.
    pub fn save_best_only(mut self, monitor: &str, mode: Mode) -> ModelCheckpoint {
        self.monitor = Monitor::new(monitor, mode, 0.0);
        self.save_best_only = true;
        self
    }

    /// Writes weights without architecture and optimizer.
    pub fn save_weights_only(mut self, weights_only: bool) -> ModelCheckpoint {
        self.save_weights_only = weights_only;
        self
    }

    /// When to write.
    pub fn save_freq(mut self, freq: SaveFreq) -> ModelCheckpoint {
        self.save_freq = freq;
        self
    }

    fn write(&mut self, logs: &Logs, model: &Model) -> Result<()> {
        if self.save_best_only {
            let improved = self.monitor.improved(logs);
            if !improved.ok_or_else(|| unknown("ModelCheckpoint", &self.monitor, logs))? {
                return Ok(());
            }
        }
        let path = PathBuf::from(filled(&self.path, self.epoch + 1, logs));
        if self.save_weights_only { model.save_weights(path) } else { model.save(path) }
    }
}

impl Callback for ModelCheckpoint {
    fn on_epoch_begin(&mut self, epoch: usize, _: &mut Model) -> Result<Flow> {
        self.epoch = epoch;
        Ok(Flow::Continue)
    }

    fn on_batch_end(&mut self, _: usize, _: usize, logs: &Logs, model: &mut Model) -> Result<Flow> {
        if let SaveFreq::Batches(n) = self.save_freq {
            self.since += 1;
            if self.since >= n.max(1) {
                self.since = 0;
                self.write(logs, model)?;
            }
        }
        Ok(Flow::Continue)
    }

    fn on_epoch_end(&mut self, _: usize, logs: &Logs, model: &mut Model) -> Result<Flow> {
        if self.save_freq == SaveFreq::Epoch {
            self.write(logs, model)?;
        }
        Ok(Flow::Continue)
    }
}

/// The path with numbers in place of the names in braces; a name that is unknown stays.
fn filled(path: &str, epoch: usize, logs: &Logs) -> String {
    let mut text = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        text += before;
        let Some((inside, left)) = after.split_once('}') else {
            return text + "{" + after;
        };
        let (name, format) = inside.split_once(':').unwrap_or((inside, ""));
        let digits: usize = format.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0);
        match (name, logs.get(name)) {
            ("epoch", _) => text += &std::format!("{epoch:0digits$}"),
            (_, Some(value)) if format.starts_with('.') => text += &std::format!("{value:.digits$}"),
            (_, Some(value)) => text += &value.to_string(),
            (_, None) => text += &std::format!("{{{inside}}}"),
        }
        rest = left;
    }
    text + rest
}

/// Writes the logs of each epoch as a line of a table (`keras.callbacks.CSVLogger`).
pub struct CSVLogger {
    path: PathBuf,
    append: bool,
    file: Option<File>,
    names: Vec<String>,
}

impl CSVLogger {
    /// Writes to `path`, over what is there.
    pub fn new(path: impl AsRef<Path>) -> CSVLogger {
        CSVLogger { path: path.as_ref().into(), append: false, file: None, names: Vec::new() }
    }

    /// Whether lines go behind those that are there.
    pub fn append(mut self, append: bool) -> CSVLogger {
        self.append = append;
        self
    }

    fn failed(&self, error: &std::io::Error) -> crate::Error {
        device_error!("CSVLogger: {}: {error}", self.path.display())
    }
}

impl Callback for CSVLogger {
    fn on_train_begin(&mut self, _: &mut Model) -> Result<()> {
        let held = std::fs::read_to_string(&self.path).unwrap_or_default();
        let head = held.lines().next().filter(|_| self.append);
        let columns = head.map(|h| h.split(',').skip(1).map(String::from).collect());
        self.names = columns.unwrap_or_default();
        let mut options = OpenOptions::new();
        options.create(true).write(true).append(self.append).truncate(!self.append);
        self.file = Some(options.open(&self.path).map_err(|e| self.failed(&e))?);
        Ok(())
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &Logs, _: &mut Model) -> Result<Flow> {
        let mut text = String::new();
        if self.names.is_empty() {
            self.names = logs.iter().map(|(name, _)| name.to_string()).collect();
            text = std::format!("epoch,{}\n", self.names.join(","));
        }
        let value = |name: &String| logs.get(name).map_or("".into(), |v| v.to_string());
        let values: Vec<String> = self.names.iter().map(value).collect();
        text += &std::format!("{epoch},{}\n", values.join(","));
        let written = match &mut self.file {
            Some(file) => file.write_all(text.as_bytes()).and_then(|()| file.flush()),
            None => Ok(()),
        };
        written.map_err(|e| self.failed(&e))?;
        Ok(Flow::Continue)
    }

    fn on_train_end(&mut self, _: &mut Model) -> Result<()> {
        self.file = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_take_numbers() {
        let mut logs = Logs::new();
        logs.push("val_loss", 0.125);
        assert_eq!(filled("a-{epoch:02d}-{val_loss:.2f}.g", 3, &logs), "a-03-0.12.g");
        assert_eq!(filled("{val_loss}{other}{", 3, &logs), "0.125{other}{");
    }
}
