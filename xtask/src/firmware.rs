//! The Cortex-M example in QEMU, held against the same program on the host.

use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, bail};

use crate::{
    shell::{self, root, target_dir, tee},
    toolchain::{Cross, Library, THUMB_V7EM, qemu},
};

/// Largest difference between a probability on the microcontroller and on the host.
const TOLERANCE: f64 = 1e-6;
/// The variable that names the folder between the host's program and the firmware's build.
const FILES: &str = "GRADLING_FIRMWARE_DIR";

/// Trains the model on the host (`model`, the runtime's example `firmware_model`, which writes the plan, a picture and the
/// probabilities that this machine computes), builds `runtime/examples/cortex-m` around them, runs it on an emulated
/// Cortex-M7 and compares its `probability DIGIT VALUE` lines with the host's. The firmware must also say how much
/// memory it takes, and end the emulator through semihosting.
///
/// # Errors
/// The firmware does not build without warnings, run, or agree.
pub fn firmware(model: &Path) -> Result<()> {
    let files = target_dir().join("firmware");
    shell::run(Command::new(model).current_dir(root()).env(FILES, &files))?;
    let expected = files.join("expected.txt");
    let host = fs::read_to_string(&expected).with_context(|| expected.display().to_string())?;

    let mut cargo = Cross::new(THUMB_V7EM)?.cargo("build", Library::Core, &[]);
    cargo.current_dir(root().join("runtime/examples/cortex-m")).env(FILES, &files);
    let built = shell::build(cargo.args(["--quiet", "--release"]))?;
    if built.warnings > 0 {
        bail!("{} warnings", built.warnings);
    }
    let mut programs = built.programs.iter().filter(|(_, kind, _)| kind == "bin");
    let (_, _, elf) = programs.next_back().context("runtime/examples/cortex-m builds no program")?;
    let mut emulator = Command::new(qemu()?);
    emulator.args(["-machine", "mps2-an500", "-cpu", "cortex-m7", "-nographic", "-monitor", "none"]);
    emulator.args(["-semihosting-config", "enable=on,target=native", "-kernel"]).arg(elf);
    let (success, device) = tee(&mut emulator, Duration::from_secs(120))?;
    if !success {
        bail!("the firmware ended with an error");
    }
    let memory = device
        .lines()
        .find(|line| line.starts_with("arena ") && line.contains(" flash "))
        .context("the firmware prints no line `arena N bytes, flash N bytes`")?;
    let difference = compare(&probabilities(&device), &probabilities(&host))?;
    println!("firmware: ten probabilities within {difference:.1e} of the host's; {memory}");
    Ok(())
}

/// The lines `probability DIGIT VALUE`.
fn probabilities(text: &str) -> BTreeMap<usize, f64> {
    let rows = text.lines().filter_map(|line| {
        let mut words = line.strip_prefix("probability ")?.split_whitespace();
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    });
    rows.collect()
}

fn compare(device: &BTreeMap<usize, f64>, host: &BTreeMap<usize, f64>) -> Result<f64> {
    if !(0..10).eq(device.keys().copied()) || !(0..10).eq(host.keys().copied()) {
        bail!(
            "expected ten lines `probability DIGIT VALUE`, got {} and the host's {}",
            device.len(),
            host.len()
        );
    }
    let mut largest = 0.0_f64;
    for (digit, value) in device {
        let difference = (value - host[digit]).abs();
        if difference.is_nan() || difference > TOLERANCE {
            bail!("probability of {digit}: {value} on the device, {} on the host", host[digit]);
        }
        largest = largest.max(difference);
    }
    Ok(largest)
}

#[cfg(test)]
mod tests {
    use super::{compare, probabilities};

    fn lines(of: impl Fn(usize) -> f64) -> String {
        (0..10).map(|digit| format!("probability {digit} {:.8e} 0x0\n", of(digit))).collect()
    }

    #[test]
    fn probabilities_are_compared_one_by_one() {
        let host = probabilities(&lines(|_| 0.1));
        let close = lines(|digit| if digit == 3 { 0.1 + 5e-7 } else { 0.1 });
        assert!(compare(&probabilities(&format!("arena 4096 bytes\n{close}")), &host).is_ok());
        for wrong in [0.2, f64::NAN] {
            let text = lines(|digit| if digit == 9 { wrong } else { 0.1 });
            assert!(compare(&probabilities(&text), &host).is_err());
        }
        assert!(compare(&probabilities("probability 0 0.1"), &host).is_err());
    }
}
