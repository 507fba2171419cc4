//! The progress bar of `fit`, in Keras's form, on standard error.

use super::Logs;
use std::io::{IsTerminal, Write};
use std::string::String;
use std::time::{Duration, Instant};

/// Prints one line an epoch; on a terminal it is redrawn while the epoch runs.
pub(super) struct Bar {
    epochs: usize,
    begun: Instant,
    drawn: Instant,
    live: bool,
}

const WIDTH: usize = 20;

impl Bar {
    pub fn new(epochs: usize) -> Bar {
        let now = Instant::now();
        Bar { epochs, begun: now, drawn: now, live: std::io::stderr().is_terminal() }
    }

    pub fn begin(&mut self, epoch: usize, _steps: usize) {
        self.begun = Instant::now();
        std::eprintln!("Epoch {}/{}", epoch + 1, self.epochs);
    }

    pub fn batch(&mut self, step: usize, steps: usize, logs: &Logs) {
        if !self.live || self.drawn.elapsed() < Duration::from_millis(80) {
            return;
        }
        self.drawn = Instant::now();
        let left = self.begun.elapsed().mul_f64((steps - step) as f64 / step as f64);
        std::eprint!(
            "\r{}",
            line(step, steps, &std::format!("{:.0}s", left.as_secs_f64()), self.begun, logs)
        );
        // A terminal that cannot be written to is no reason to stop training.
        let _ = std::io::stderr().flush();
    }

    pub fn epoch(&mut self, steps: usize, logs: &Logs) {
        let start = if self.live { "\r" } else { "" };
        let took = std::format!("{:.0}s", self.begun.elapsed().as_secs_f64());
        std::eprintln!("{start}{}", line(steps, steps, &took, self.begun, logs));
    }
}

fn line(step: usize, steps: usize, time: &str, begun: Instant, logs: &Logs) -> String {
    let full = step * WIDTH / steps.max(1);
    let per_step = begun.elapsed().as_secs_f64() * 1e6 / step.max(1) as f64;
    let per_step = if per_step < 1000.0 {
        std::format!("{per_step:.0}us")
    } else {
        std::format!("{:.0}ms", per_step / 1000.0)
    };
    let mut text = std::format!(
        "{step}/{steps} {}{} {time} {per_step}/step",
        "━".repeat(full),
        "─".repeat(WIDTH - full)
    );
    for (name, value) in logs.iter() {
        text += &std::format!(" - {name}: {value:.4}");
    }
    text
}
