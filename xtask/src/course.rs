//! The stage `course`: every program of the course runs short, and what it prints and writes is checked.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    shell::{self, Built, ci, root, target_dir},
    test::Count,
};

/// What is checked of a program. A key is a text of its output; of several the last counts, and the numbers are
/// those that follow it.
enum Check {
    /// The text is in the output.
    Says(&'static str),
    /// The numbers are these, to a tolerance.
    Near(&'static str, &'static [f64], f64),
    /// The first number is at least and at most so much.
    Within(&'static str, f64, f64),
    /// Of the numbers in brackets the last is less than the first.
    Falls(&'static str),
    /// There is a file of this name with more than a hundred bytes.
    Writes(&'static str),
    /// Training broken off and taken up again reports what training in one go does.
    Resumes,
}

use Check::{Falls, Near, Resumes, Says, Within, Writes};

const ACCURACY: &str = "validation accuracy";

/// Every program with its checks; one that is not listed fails.
const PROGRAMS: &[(&str, &[Check])] = &[
    ("p11_backpropagation", &[Near("w is", &[-1.0], 1e-5), Within("loss is", 0.0, 1e-6)]),
    ("p12_decaying_rate", &[Near("w is", &[-1.0], 1e-4), Near("lr is", &[0.135148], 1e-5)]),
    (
        "p13_tensors",
        &[
            Says("product of matrices\n[[6. 6. 6.]"),
            Near("gradient of w^2 at 3:", &[6.0], 1e-5),
            Near("softmax", &[0.25598174, 0.69583046, 0.0481878], 1e-6),
            Says("one-hot\n[[0. 1. 0.]\n [1. 0. 0.]\n [0. 0. 1.]]"),
            Near("4 less 1 is", &[3.0], 0.0),
            Near("argmax of each column", &[3.0, 3.0, 1.0], 0.0),
            Near("argmax of each row", &[2.0, 2.0, 0.0, 0.0], 0.0),
        ],
    ),
    ("p14_iris", &[Within("test accuracy:", 0.9, 1.0), Within("loss:", 0.0, 0.08), Writes("p14_iris.png")]),
    (
        "p21_arrays",
        &[
            Near("a where a > b, else b:", &[1.0, 2.0, 3.0, 4.0, 5.0], 0.0),
            Near("vstack:", &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 0.0),
            Near("points of the grid:", &[1.0, 2.0, 1.0, 2.5, 1.0, 3.0, 1.0, 3.5, 2.0, 2.0], 0.0),
        ],
    ),
    ("p22_mse", &[Near("final w1 is", &[1.0, 1.0], 0.05)]),
    (
        "p23_custom_loss",
        &[
            Near("final w1 for cost 1, profit 99 is", &[1.15, 1.15], 0.15),
            Near("final w1 for cost 99, profit 1 is", &[0.9, 0.9], 0.09),
        ],
    ),
    (
        "p24_cross_entropy",
        &[
            Near("loss_ce1", &[0.5108256], 1e-6),
            Near("loss_ce2", &[0.2231435], 1e-6),
            Near("in two steps", &[1.68795e-4, 1.03476e-3, 0.0658839, 2.5834925, 0.0549852], 2e-6),
            Near("in one step", &[1.68795e-4, 1.03476e-3, 0.0658839, 2.5834925, 0.0549852], 2e-6),
        ],
    ),
    ("p25_dots", &[Within("loss:", 0.0, 0.3), Writes("p25_dots.png")]),
    (
        "p26_optimizers",
        &[
            Within("SGD: loss", 0.0, 0.06),
            Within("SGDM: loss", 0.0, 0.06),
            Within("Adagrad: loss", 0.0, 0.05),
            Within("RMSprop: loss", 0.0, 0.05),
            Within("Adam: loss", 0.0, 0.05),
            Within("test accuracy", 0.9, 1.0),
            Writes("p26_optimizers.png"),
        ],
    ),
    ("p31_iris_sequential", &[Within(ACCURACY, 0.75, 1.0), Says("Total params: 15")]),
    ("p32_iris_subclass", &[Within(ACCURACY, 0.75, 1.0), Says("Total params: 15"), Says("IrisModel")]),
    ("p33_mnist_sequential", &[Within(ACCURACY, 0.88, 1.0), Says("Total params: 101,770")]),
    ("p34_mnist_subclass", &[Within(ACCURACY, 0.88, 1.0), Says("Total params: 101,770")]),
    ("p35_fashion_sequential", &[Within(ACCURACY, 0.75, 1.0), Says("Total params: 101,770")]),
    ("p36_fashion_subclass", &[Within(ACCURACY, 0.75, 1.0), Says("Total params: 101,770")]),
    ("p41_own_data", &[Within(ACCURACY, 0.75, 1.0)]),
    ("p42_augmentation", &[Within(ACCURACY, 0.6, 1.0), Writes("p42_augmentation.png")]),
    ("p43_checkpoint", &[Resumes, Within(ACCURACY, 0.88, 1.0)]),
    ("p44_parameters", &[Says("dense/kernel [784, 128]"), Writes("p44_weights.txt")]),
    ("p45_curves", &[Within(ACCURACY, 0.8, 1.0), Writes("p45_curves.png")]),
    ("p46_recognise", &[Within("right", 6.0, 10.0), Writes("p46_recognise.png")]),
    (
        "p51_baseline",
        &[
            Says("Total params: 198,506"),
            Falls("loss"),
            Within(ACCURACY, 0.18, 1.0),
            Writes("p51_baseline.weights"),
            Writes("p51_baseline.png"),
        ],
    ),
    (
        "p52_lenet5",
        &[
            Says("Total params: 62,006"),
            Falls("loss"),
            Writes("p52_lenet5.weights"),
            Writes("p52_lenet5.png"),
        ],
    ),
    (
        "p53_alexnet8",
        &[
            Says("Total params: 9,639,178"),
            Falls("loss"),
            Writes("p53_alexnet8.weights"),
            Writes("p53_alexnet8.png"),
        ],
    ),
    (
        "p54_vgg16",
        &[
            Says("Total params: 15,262,026"),
            Falls("loss"),
            Writes("p54_vgg16.weights"),
            Writes("p54_vgg16.png"),
        ],
    ),
    (
        "p55_inception10",
        &[
            Says("Total params: 121,418"),
            Falls("loss"),
            Writes("p55_inception10.weights"),
            Writes("p55_inception10.png"),
        ],
    ),
    (
        "p56_resnet18",
        &[
            Says("Total params: 11,183,562"),
            Falls("loss"),
            Writes("p56_resnet18.weights"),
            Writes("p56_resnet18.png"),
        ],
    ),
    ("p61_letters_onehot", &[Within("accuracy", 1.0, 1.0), Says("e -> a"), Writes("p61_letters_onehot.png")]),
    ("p62_letters_onehot_4to1", &[Within("accuracy", 1.0, 1.0), Says("abcd -> e")]),
    ("p63_letters_embedding", &[Within("accuracy", 1.0, 1.0), Says("e -> a")]),
    ("p64_letters_embedding_4to1", &[Within("accuracy", 0.7, 1.0)]),
    (
        "p65_stock_rnn",
        &[Falls("loss"), Within("root mean squared error:", 0.0, 200.0), Writes("p65_stock_rnn.png")],
    ),
    (
        "p66_stock_lstm",
        &[Falls("loss"), Within("root mean squared error:", 0.0, 200.0), Writes("p66_stock_lstm.png")],
    ),
    (
        "p67_stock_gru",
        &[Falls("loss"), Within("root mean squared error:", 0.0, 200.0), Writes("p67_stock_gru.png")],
    ),
];

/// Whether an example is a program of the course: `p`, chapter, number.
pub fn is_program(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next() == Some('p') && letters.take(2).filter(char::is_ascii_digit).count() == 2
}

/// Runs all programs of the course.
///
/// # Errors
/// A program is not built, or the folder for results cannot be made.
pub fn course(built: &Built) -> Result<Count> {
    let out = target_dir().join("course-test");
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    fs::create_dir_all(&out)?;
    let mut total = Count::default();
    let data = std::env::var_os("GRADLING_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let data = data.is_dir().then_some(data);
    if data.is_none() {
        println!(
            "course: no data: neither GRADLING_DATA nor ../shared/data is a folder; programs run on what they make"
        );
        total.add(if ci() { Count::FAILED } else { Count::SKIPPED });
    }
    let programs = || built.programs.iter().filter(|(name, kind, _)| kind == "example" && is_program(name));
    for (name, checks) in PROGRAMS {
        let start = Instant::now();
        let Some((_, _, path)) = programs().find(|(built, _, _)| built == name) else {
            bail!("runtime/examples has no program {name}");
        };
        let run = Run { program: path, data: data.as_deref(), out: &out, name };
        let result = run.checked(checks);
        let seconds = start.elapsed().as_secs_f64();
        println!("course {name}: {} in {seconds:.1} s", if result.is_ok() { "ok" } else { "FAILED" });
        if let Err(error) = &result {
            println!("course {name}: {error:#}");
        }
        total.add(if result.is_ok() { Count::PASSED } else { Count::FAILED });
    }
    for (name, _, _) in programs().filter(|(name, _, _)| !PROGRAMS.iter().any(|(listed, _)| listed == name)) {
        println!("course {name}: FAILED\ncourse {name}: no checks; list it in xtask/src/course.rs");
        total.add(Count::FAILED);
    }
    Ok(total)
}

struct Run<'r> {
    program: &'r Path,
    data: Option<&'r Path>,
    out: &'r Path,
    name: &'r str,
}

impl Run<'_> {
    fn checked(&self, checks: &[Check]) -> Result<()> {
        let output = self.output(self.out, &[])?;
        for check in checks {
            self.check(check, &output)?;
        }
        Ok(())
    }

    /// What the program prints; its progress goes to a file, which is shown when it fails.
    fn output(&self, out: &Path, options: &[&str]) -> Result<String> {
        let log = self.out.join(format!("{}.log", self.name));
        let mut command = Command::new(self.program);
        command.current_dir(root()).arg("--short").args(options).arg("--out").arg(out);
        command.env_remove("GRADLING_DATA");
        if let Some(data) = self.data {
            command.arg("--data").arg(data);
        }
        command.stderr(File::create(&log)?);
        let (success, text) = shell::captured(&mut command, Duration::from_secs(300))?;
        if !success {
            let errors = fs::read_to_string(&log).unwrap_or_default();
            let last: Vec<&str> = errors.lines().rev().take(10).collect();
            bail!("it failed: {}", last.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
        Ok(text)
    }

    fn check(&self, check: &Check, output: &str) -> Result<()> {
        match check {
            Says(text) => ensure!(output.contains(text), "expected {text:?} in its output"),
            Near(key, wanted, tolerance) => {
                let got = numbers(output, key)?;
                let near = got.len() >= wanted.len()
                    && wanted.iter().zip(&got).all(|(wanted, got)| (wanted - got).abs() <= *tolerance);
                ensure!(near, "{key}: expected {wanted:?} to {tolerance}, got {got:?}");
            }
            Within(key, least, most) => {
                let got = numbers(output, key)?;
                let last = if output[output.rfind(key).unwrap_or(0) + key.len()..].starts_with(" [") {
                    got.last()
                } else {
                    got.first()
                };
                let fits = last.is_some_and(|value| (*least..=*most).contains(value));
                ensure!(fits, "{key}: expected {least} to {most}, got {got:?}");
            }
            Falls(key) => {
                let got = numbers(output, &format!("{key} ["))?;
                let falls = matches!(got[..], [first, .., last] if last < first);
                ensure!(falls, "{key}: expected a fall, got {got:?}");
            }
            Writes(name) => {
                let path = self.out.join(name);
                let size = fs::metadata(&path).with_context(|| format!("{name} is not written"))?.len();
                ensure!(size > 100, "{name}: expected a file with content, got {size} bytes");
            }
            Resumes => {
                let [whole, parts] = ["whole", "parts"].map(|name| self.out.join(name));
                let whole = self.output(&whole, &["--epochs", "4"])?;
                self.output(&parts, &["--epochs", "2"])?;
                let parts = self.output(&parts, &["--epochs", "4"])?;
                let epochs = |text: &str| -> Vec<String> {
                    text.lines().filter(|line| line.starts_with("epoch ")).map(Into::into).collect()
                };
                ensure!(parts.contains("load the model"), "it did not take up the training");
                let (whole, parts) = (epochs(&whole), epochs(&parts));
                ensure!(whole.len() == 4, "expected 4 epochs, got {whole:?}");
                ensure!(whole == parts, "in one go {whole:?}, taken up {parts:?}");
            }
        }
        Ok(())
    }
}

/// The numbers that follow the last `key`: up to the closing bracket of a list, else to the end of the line.
fn numbers(output: &str, key: &str) -> Result<Vec<f64>> {
    let at = output.rfind(key).with_context(|| format!("its output has no {key:?}"))?;
    let rest = output[at + key.len()..].trim_start_matches([':', ' ']);
    let mut depth = i32::from(key.ends_with('['));
    let mut end = 0;
    for c in rest.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            '\n' if depth == 0 && end > 0 => break,
            _ => {}
        }
        end += c.len_utf8();
        if c == ']' && depth <= 0 {
            break;
        }
    }
    let words = rest[..end].split(|c: char| c.is_whitespace() || matches!(c, '[' | ']' | ','));
    Ok(words.filter_map(|word| word.trim_end_matches('.').parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::{PROGRAMS, is_program, numbers};

    #[test]
    fn numbers_follow_the_last_key() -> anyhow::Result<()> {
        let text = "loss 3\nw1 is\n[[1.5]\n [-2.]]\nloss [3.0, 2.5e-1]\nvalidation 7";
        assert_eq!(numbers(text, "w1 is")?, [1.5, -2.0]);
        assert_eq!(numbers(text, "loss [")?, [3.0, 0.25]);
        assert_eq!(numbers(text, "validation")?, [7.0]);
        assert_eq!(numbers("w is -1.000000, loss is 0.5", "w is")?, [-1.0, 0.5]);
        assert!(numbers(text, "accuracy").is_err());
        Ok(())
    }

    #[test]
    fn programs_are_known_by_their_names() {
        assert!(PROGRAMS.iter().all(|(name, _)| is_program(name)));
        assert!(PROGRAMS.is_sorted_by_key(|(name, _)| name));
        assert!(!is_program("mnist") && !is_program("p1") && !is_program("plan"));
    }
}
