//! Cases of kind `regularizer`.

use gradling::nn::{OrthogonalMode, Regularizer};

use crate::case::{Case, Group};
use crate::harness::run_function;
use crate::layers::number;
use crate::program::{Fault, unsupported};
use crate::table::Outcome;

/// Runs a regularizer case on every executor.
pub fn run(group: &Group, case: &Case) -> Outcome {
    run_function(group, case, &|_, x| {
        let regularizer = regularizer(case)?;
        let w = x.first().ok_or_else(|| Fault::Failed("no weight".into()))?;
        Ok(vec![regularizer.call(*w)])
    })
}

fn regularizer(case: &Case) -> Result<Regularizer, Fault> {
    let get = |key: &str| number(&case.config, key);
    Ok(match case.class_name.as_str() {
        "L1" => Regularizer::L1(get("l1")?),
        "L2" => Regularizer::L2(get("l2")?),
        "L1L2" => Regularizer::L1L2 { l1: get("l1")?, l2: get("l2")? },
        "OrthogonalRegularizer" => {
            let columns = case.text("mode") == Some("columns");
            let mode = if columns { OrthogonalMode::Columns } else { OrthogonalMode::Rows };
            Regularizer::Orthogonal { factor: get("factor")?, mode }
        }
        other => return unsupported(other),
    })
}
