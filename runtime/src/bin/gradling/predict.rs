//! `gradling predict`.

use std::path::PathBuf;

use clap::Args;
use gradling::data::picture;
use gradling::nn::Sequential;
use gradling::{Result, misuse};
use serde::Serialize;

use crate::output::{Failure, say};

/// The command line of `gradling predict`.
#[derive(Args)]
pub struct Predict {
    /// A model file made by `gradling train --save`
    file: PathBuf,
    /// PNG or JPEG pictures of a digit, dark on light or light on dark
    #[arg(long, required = true, num_args = 1.., value_name = "PICTURE")]
    image: Vec<PathBuf>,
    /// Print a JSON object a line for each picture
    #[arg(long)]
    json: bool,
}

/// The line of a picture under `--json`.
#[derive(Serialize)]
struct Line {
    image: String,
    answer: usize,
    probabilities: Vec<f32>,
}

impl Predict {
    /// Prints the probability of each class and the answer, picture by picture.
    pub fn run(&self) -> Result<(), Failure> {
        let mut model = Sequential::load(&self.file)?;
        let sample = model.input_shape().map(|shape| shape.to_vec()).unwrap_or_default();
        if sample.iter().product::<usize>() != 28 * 28 {
            return Err(misuse!(
                "{}: expected a model of 28 x 28 pictures, got inputs of shape {sample:?}",
                self.file.display()
            )
            .into());
        }
        let dims: Vec<usize> = [1].into_iter().chain(sample).collect();
        let width =
            self.image.iter().map(|p| p.display().to_string().chars().count()).max().unwrap_or(0).max(7);
        for (row, path) in self.image.iter().enumerate() {
            let probabilities = model.predict(&picture::read(path)?.reshape(&dims)?, 1)?.to_f32_vec();
            let answer =
                (0..probabilities.len()).max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]));
            let answer = answer.ok_or_else(|| misuse!("{}: the model has no output", self.file.display()))?;
            let image = path.display().to_string();
            if self.json {
                let line = Line { image, answer, probabilities };
                say(&serde_json::to_string(&line).map_err(|e| gradling::device_error!("JSON: {e}"))?)?;
                continue;
            }
            if row == 0 {
                let classes: String = (0..probabilities.len()).map(|class| format!(" {class:>6}")).collect();
                say(&format!("{:width$}  answer{classes}", "picture"))?;
            }
            let values: String = probabilities.iter().map(|p| format!(" {p:>6.4}")).collect();
            say(&format!("{image:width$}  {answer:>6}{values}"))?;
        }
        Ok(())
    }
}
