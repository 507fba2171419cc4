//! Writes the models that the browser benchmark loads as files into a folder: those whose layers the npm package has no
//! makers for.
//!
//! ```sh
//! cargo run --release --package gradling-benches --bin browser_models -- target/browser-models
//! ```

use std::path::PathBuf;

use gradling::nn::{Loss, Model, Optimizer};
use gradling::{Result, misuse};
use gradling_benches::{models, workload::Cell};

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.ok_or_else(|| misuse!("expected the folder to write to"))?;
    std::fs::create_dir_all(&folder).map_err(|e| misuse!("{}: {e}", folder.display()))?;
    let classes = Loss::CategoricalCrossentropy { from_logits: false };
    let write = |name: &str, model: Model, sample: &[usize], loss: Option<Loss>| -> Result<()> {
        let mut model = model.seed(1);
        model.build(sample)?;
        if let Some(loss) = loss {
            model.compile(Optimizer::adam(), loss, &[])?;
        }
        model.save(folder.join(name).with_extension("gradling"))
    };
    write("T3", models::baseline(), &[32, 32, 3], Some(classes.clone()))?;
    write("T4", models::resnet18()?, &[32, 32, 3], Some(classes))?;
    for (name, cell) in [("T5-SimpleRNN", Cell::SimpleRNN), ("T5-LSTM", Cell::LSTM), ("T5-GRU", Cell::GRU)] {
        write(name, models::stock(cell), &[60, 1], Some(Loss::MeanSquaredError))?;
    }
    write("resnet18", models::resnet18()?, &[32, 32, 3], None)?;
    write("mobilenetv2", models::mobilenet_v2()?, &[224, 224, 3], None)
}
