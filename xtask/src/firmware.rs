//! The Cortex-M example in QEMU, held against the same program on the host.

use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, bail};

use crate::{
    shell::{self, root, target_dir, tee},
    toolchain::{Cross, Library, THUMB_V7EM, qemu},
};

/// The variable that names the folder between the host's program and the firmware's build.
const FILES: &str = "GRADLING_FIRMWARE_DIR";

/// Trains the model on the host (`model`, the runtime's example `firmware_model`, which writes the plan, a picture and the
/// probabilities that this machine computes strictly), builds `runtime/examples/cortex-m` around them, runs it on an emulated
/// Cortex-M7 and compares its `probability DIGIT VALUE BITS` lines with the host's, which must be the same. The firmware must also say how much
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
    compare(&probabilities(&device), &probabilities(&host))?;
    println!("firmware: ten probabilities with the bits of the host's; {memory}");
    Ok(())
}

/// The bits in the lines `probability DIGIT VALUE BITS`.
fn probabilities(text: &str) -> BTreeMap<usize, u32> {
    let rows = text.lines().filter_map(|line| {
        let mut words = line.strip_prefix("probability ")?.split_whitespace();
        let digit = words.next()?.parse().ok()?;
        let bits = words.nth(1)?.strip_prefix("0x")?;
        Some((digit, u32::from_str_radix(bits, 16).ok()?))
    });
    rows.collect()
}

fn compare(device: &BTreeMap<usize, u32>, host: &BTreeMap<usize, u32>) -> Result<()> {
    if !(0..10).eq(device.keys().copied()) || !(0..10).eq(host.keys().copied()) {
        bail!(
            "expected ten lines `probability DIGIT VALUE BITS`, got {} and the host's {}",
            device.len(),
            host.len()
        );
    }
    for (digit, bits) in device {
        let (device, host) = (f32::from_bits(*bits), f32::from_bits(host[digit]));
        if device.to_bits() != host.to_bits() {
            bail!("probability of {digit}: {device:e} on the device, {host:e} on the host");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{compare, probabilities};

    fn lines(of: impl Fn(usize) -> f32) -> String {
        (0..10)
            .map(|digit| format!("probability {digit} {:.8e} {:#010x}\n", of(digit), of(digit).to_bits()))
            .collect()
    }

    #[test]
    fn probabilities_are_compared_bit_by_bit() {
        let host = probabilities(&lines(|_| 0.1));
        assert!(compare(&probabilities(&format!("arena 4096 bytes\n{}", lines(|_| 0.1))), &host).is_ok());
        for wrong in [0.1_f32.next_up(), 0.2, f32::NAN] {
            let text = lines(|digit| if digit == 9 { wrong } else { 0.1 });
            assert!(compare(&probabilities(&text), &host).is_err());
        }
        assert!(compare(&probabilities("probability 0 0.1 0x3dcccccd"), &host).is_err());
    }
}
