//! The ratchet: `golden_expected.txt` names the cases (`group/name`) that must pass. It only grows.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::table::{Row, Table};

/// The checked-in list.
pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden_expected.txt")
}

/// The listed cases; lines that start with `#` are comments.
///
/// **Errors** when the list cannot be read.
pub fn read() -> Result<BTreeSet<String>, String> {
    let text = std::fs::read_to_string(path()).map_err(|e| format!("{}: {e}", path().display()))?;
    Ok(text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
        .map(String::from)
        .collect())
}

/// Writes the list from what passed.
///
/// **Errors** when the list cannot be written.
pub fn write(table: &Table) -> Result<(), String> {
    let mut text = String::from(
        "# Golden cases that must pass; `cargo run -p gradling-tests --bin golden -- --bless` writes this list.\n",
    );
    for row in table.rows.iter().filter(|r| r.passed()) {
        text.push_str(&row.id());
        text.push('\n');
    }
    std::fs::write(path(), text).map_err(|e| format!("{}: {e}", path().display()))
}

/// What of `table` does not agree with the list: listed cases that fail or are gone, passing cases that
/// are not listed.
pub fn faults(table: &Table, listed: &BTreeSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for row in &table.rows {
        let id = row.id();
        match (row.passed(), listed.contains(&id)) {
            (false, true) => faults.push(format!("{id} is listed and does not pass")),
            (true, false) => faults.push(format!("{id} passes and is not listed; add the line {id}")),
            _ => {}
        }
    }
    let present: BTreeSet<String> = table.rows.iter().map(Row::id).collect();
    faults.extend(listed.difference(&present).map(|id| format!("{id} is listed and not in the folder")));
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Outcome;

    #[test]
    fn the_list_only_grows() {
        let row = |name: &str, outcome| Row { group: "g".into(), name: name.into(), outcome };
        let table = Table {
            rows: vec![
                row("a", Outcome::Passed(0.0)),
                row("b", Outcome::Unsupported("x".into())),
                row("c", Outcome::Passed(0.0)),
            ],
        };
        let listed = ["g/b", "g/c", "g/d"].map(String::from).into();
        let faults = faults(&table, &listed);
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert!(faults[0].contains("add the line g/a"));
        assert!(faults[1].starts_with("g/b is listed"));
        assert!(faults[2].starts_with("g/d is listed and not"));
    }
}
