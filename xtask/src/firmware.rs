//! The Cortex-M example in QEMU, held against the same program on the host.

use std::{collections::BTreeMap, process::Command, time::Duration};

use anyhow::{Context, Result, bail};

use crate::{
    shell::{self, root, tee},
    toolchain::{Cross, Library, THUMB_V7EM, qemu},
};

/// Largest difference between a probability on the microcontroller and on the host.
const TOLERANCE: f64 = 1e-6;

/// Builds `runtime/examples/cortex-m`, runs it on an emulated Cortex-M7 and compares its `probability I VALUE`
/// lines with those that the runtime's example `cortex_m_host` prints. It must also print `arena BYTES` and
/// `flash BYTES`, and end the emulator through semihosting.
///
/// # Errors
/// The firmware does not build, run, or agree.
pub fn firmware() -> Result<()> {
    let folder = root().join("runtime/examples/cortex-m");
    if !folder.join("Cargo.toml").is_file() {
        bail!("runtime/examples/cortex-m does not exist");
    }
    let cross = Cross::new(THUMB_V7EM)?;
    let mut cargo = cross.cargo("build", Library::Core, &[]);
    let built = shell::build(cargo.current_dir(&folder).arg("--release"))?;
    let mut programs = built.programs.iter().filter(|(_, kind, _)| kind == "bin");
    let (_, _, elf) = programs.next_back().context("runtime/examples/cortex-m builds no program")?;
    let mut emulator = Command::new(qemu()?);
    emulator.args(["-machine", "mps2-an500", "-cpu", "cortex-m7", "-nographic", "-monitor", "none"]);
    emulator.args(["-semihosting-config", "enable=on,target=native", "-kernel"]).arg(elf);
    let (success, device) = tee(&mut emulator, Duration::from_secs(120))?;
    if !success {
        bail!("the firmware ended with an error");
    }
    for name in ["arena", "flash"] {
        numbers(&device, name)
            .first_key_value()
            .with_context(|| format!("the firmware prints no line `{name} BYTES`"))?;
    }
    let mut cargo = shell::cargo();
    cargo.args(["run", "--quiet", "--package", "gradling", "--all-features", "--example", "cortex_m_host"]);
    let (success, host) = tee(&mut cargo, Duration::from_secs(600))?;
    if !success {
        bail!("the runtime's example `cortex_m_host` failed");
    }
    let difference = compare(&numbers(&device, "probability"), &numbers(&host, "probability"))?;
    println!("firmware: ten probabilities within {difference:.1e} of the host's");
    Ok(())
}

/// The lines `NAME INDEX VALUE` (or `NAME VALUE`, as index 0).
fn numbers(text: &str, name: &str) -> BTreeMap<usize, f64> {
    let rows = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        if words.next()? != name {
            return None;
        }
        let first = words.next()?;
        match words.next() {
            Some(value) => Some((first.parse().ok()?, value.parse().ok()?)),
            None => Some((0, first.parse().ok()?)),
        }
    });
    rows.collect()
}

fn compare(device: &BTreeMap<usize, f64>, host: &BTreeMap<usize, f64>) -> Result<f64> {
    if !(0..10).eq(device.keys().copied()) || !(0..10).eq(host.keys().copied()) {
        bail!("expected ten lines `probability I VALUE`, got {} and the host's {}", device.len(), host.len());
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
    use super::{compare, numbers};

    fn lines(of: impl Fn(usize) -> f64) -> String {
        (0..10).map(|digit| format!("probability {digit} {}\n", of(digit))).collect()
    }

    #[test]
    fn probabilities_are_compared_one_by_one() {
        let host = numbers(&lines(|_| 0.1), "probability");
        let text = format!("arena 4096\n{}", lines(|digit| if digit == 3 { 0.1 + 5e-7 } else { 0.1 }));
        assert_eq!(numbers(&text, "arena")[&0], 4096.0);
        assert!(compare(&numbers(&text, "probability"), &host).is_ok());
        for wrong in [0.2, f64::NAN] {
            let text = lines(|digit| if digit == 9 { wrong } else { 0.1 });
            assert!(compare(&numbers(&text, "probability"), &host).is_err());
        }
        assert!(compare(&numbers("probability 0 0.1", "probability"), &host).is_err());
    }
}
