//! What the harness prints: a line per failure, a line per group, and a last line with the sum.

use std::fmt::Write;

/// What became of a case.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Every executor agrees with the recording; the largest error in units of the tolerance.
    Passed(f64),
    /// An executor differs or fails.
    Failed {
        /// Its name.
        executor: String,
        /// Largest absolute error, where numbers were compared.
        largest: Option<f64>,
        /// What is wrong.
        reason: String,
    },
    /// Gradling does not have this kind yet; counts as failed.
    Unsupported(String),
}

/// A case and its outcome.
#[derive(Debug, Clone)]
pub struct Row {
    /// Group of the case.
    pub group: String,
    /// Name of the case.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
}

impl Row {
    /// Whether the case passed.
    pub fn passed(&self) -> bool {
        matches!(self.outcome, Outcome::Passed(_))
    }

    /// `group/name`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.group, self.name)
    }
}

/// All outcomes of a run.
#[derive(Debug, Default)]
pub struct Table {
    /// The outcomes in the order of the files.
    pub rows: Vec<Row>,
}

impl Table {
    /// Number of cases passed.
    pub fn passed(&self) -> usize {
        self.rows.iter().filter(|r| r.passed()).count()
    }

    /// The whole report, failures first.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let id = row.id();
            let _ = match &row.outcome {
                Outcome::Passed(_) => continue,
                Outcome::Unsupported(what) => writeln!(text, "FAILED {id}: unsupported: {what}"),
                Outcome::Failed { executor, largest: Some(e), reason } => {
                    writeln!(text, "FAILED {id} on {executor}: largest error {e:.3e}; {reason}")
                }
                Outcome::Failed { executor, largest: None, reason } => {
                    writeln!(text, "FAILED {id} on {executor}: {reason}")
                }
            };
        }
        let mut groups: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !groups.contains(&row.group.as_str()) {
                groups.push(&row.group);
            }
        }
        let width = groups.iter().map(|g| g.len()).max().unwrap_or(0) + 1;
        for group in groups {
            let rows = self.rows.iter().filter(|r| r.group == group);
            let (total, passed) = (rows.clone().count(), rows.filter(|r| r.passed()).count());
            let _ = writeln!(text, "{:width$} {passed}/{total}", format!("{group}:"));
        }
        let _ = writeln!(text, "golden: {}/{}", self.passed(), self.rows.len());
        text
    }
}
