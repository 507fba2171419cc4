//! What the steps of a plan cost and which loops run them, as a table.

use super::{Place, Plan, Slot, Step};
use crate::kernel::{Chosen, Cpu};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// What one step costs and which loops run it; prints as a line of [`Plan::table`].
#[derive(Clone, Debug, PartialEq)]
pub struct StepSummary {
    /// The operator.
    pub op: &'static str,
    /// Operands and results: `float32[1, 10] @arena+128 -> …`.
    pub what: String,
    /// The loops that run the step.
    pub chosen: Chosen,
    /// Float operations.
    pub flops: u64,
    /// Bytes of the operands.
    pub read: u64,
    /// Bytes of the results.
    pub written: u64,
}

impl StepSummary {
    /// The titles of the columns that a summary prints.
    pub fn heading() -> impl fmt::Display {
        fmt::from_fn(|f| {
            write!(f, "{:<32}{:>12}{:>12}{:>12}  step", "kernel", "MFLOP", "read kB", "written kB")
        })
    }

    /// Bytes of operands and results.
    pub fn bytes(&self) -> u64 {
        self.read + self.written
    }

    /// The sums of several summaries, in the same columns.
    pub fn totals<'s>(steps: impl Iterator<Item = &'s StepSummary>) -> impl fmt::Display {
        let sum = steps.fold((0, 0, 0), |s, step| (s.0 + step.flops, s.1 + step.read, s.2 + step.written));
        fmt::from_fn(move |f| columns(f, "", sum))
    }
}

fn columns(f: &mut fmt::Formatter, chosen: &str, (flops, read, written): (u64, u64, u64)) -> fmt::Result {
    let [flops, read, written] = [flops as f64 / 1e6, read as f64 / 1e3, written as f64 / 1e3];
    write!(f, "{chosen:<32}{flops:>12.3}{read:>12.1}{written:>12.1}")
}

impl fmt::Display for StepSummary {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        columns(f, &self.chosen.to_string(), (self.flops, self.read, self.written))?;
        write!(f, "  {} {}", self.op, self.what)
    }
}

impl fmt::Display for Slot {
    /// `float32[1, 10] @arena+128`
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let place = match self.place {
            Place::Arena => "arena",
            Place::Variables => "variables",
            Place::Constants => "constants",
        };
        write!(f, "{}{} @{place}+{}", self.dtype, self.shape, self.offset)
    }
}

impl Step {
    /// What the step costs and which loops run it on this processor.
    pub fn summary(&self, cpu: &Cpu) -> StepSummary {
        let list = |slots: &[Slot]| slots.iter().map(Slot::to_string).collect::<Vec<_>>().join(", ");
        let mut what = list(&self.reads) + " -> " + &list(&self.writes);
        if let Some(workspace) = &self.workspace {
            what += &alloc::format!(" (workspace {workspace})");
        }
        StepSummary {
            op: self.op.name(),
            what,
            chosen: self.chosen(cpu),
            flops: self.flops(),
            read: self.read_bytes(),
            written: self.written_bytes(),
        }
    }
}

impl Plan {
    /// A line for each step with its kernel on this processor, float operations and bytes; then the totals, and the
    /// arena beside what every tensor in memory of its own would take and beside the least that any placement needs.
    ///
    /// ```
    /// use gradling::kernel::Cpu;
    /// use gradling::{DType, Plan, PlanOptions, Shape, Trace, Variables};
    /// let trace = Trace::new(&Variables::new());
    /// let x = trace.input("x", Shape::new(&[8, 8])?, DType::F32);
    /// trace.output("y", x.matmul(x).relu());
    /// let plan = Plan::compile(&trace.finish()?, &PlanOptions::default())?;
    /// let table = plan.table(&Cpu::default()).to_string();
    /// assert!(table.contains("matmul+region float32[8, 8]") && table.contains("gemm"));
    /// # Ok::<(), gradling::Error>(())
    /// ```
    pub fn table<'p>(&'p self, cpu: &Cpu<'p>) -> impl fmt::Display + 'p {
        let cpu = *cpu;
        fmt::from_fn(move |f| {
            writeln!(f, "{:>5}  {}", "", StepSummary::heading())?;
            let steps: Vec<StepSummary> = self.steps().iter().map(|step| step.summary(&cpu)).collect();
            for input in self.inputs() {
                writeln!(f, "input  {} {}", input.name, input.slot)?;
            }
            for (number, step) in steps.iter().enumerate() {
                writeln!(f, "{number:>5}  {step}")?;
            }
            for output in self.outputs() {
                writeln!(f, "output {} {}", output.name, output.slot)?;
            }
            writeln!(f, "{:>5}  {}", "all", StepSummary::totals(steps.iter()))?;
            writeln!(f, "{}", self.memory())
        })
    }

    /// The arena beside the bytes of all tensors and beside the planner's lower bound, as a line.
    pub fn memory(&self) -> impl fmt::Display {
        let (arena, all, least) = (self.arena_bytes(), self.tensor_bytes(), self.live_bytes());
        let over = if least == 0 { 1.0 } else { arena as f64 / least as f64 };
        fmt::from_fn(move |f| {
            write!(f, "arena {arena} bytes, {over:.3} times the least ({least}); all tensors {all}")
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::{Cpu, Level};
    use crate::{DType, Plan, PlanOptions, Shape, Trace, Variables};

    #[test]
    fn tables_give_kernels_costs_and_memory() {
        let trace = Trace::new(&Variables::new());
        let x = trace.input("x", Shape::new(&[8, 8]).unwrap(), DType::F32);
        // An output of its own, the product keeps its step.
        let product = x.matmul(x);
        trace.output("y", product.exp());
        trace.output("product", product);
        let plan = Plan::compile(&trace.finish().unwrap(), &PlanOptions::default()).unwrap();
        let portable = Cpu::new(Level::Portable, None);
        let product = plan.steps()[0].summary(&portable);
        assert_eq!((product.flops, product.read, product.written), (2 * 512, 512, 256));
        assert_eq!(alloc::format!("{}", product.chosen), "plain loops");
        let table = alloc::format!("{}", plan.table(&portable));
        let lines: alloc::vec::Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 1 + 1 + 2 + 2 + 2, "{table}");
        assert!(lines[3].contains("tile loop portable, 1 instruction"), "{table}");
        // x, the product and the exponential; what the product packs into is gone when the last is computed.
        let workspace = plan.steps()[0].workspace.map_or(0, |slot| slot.bytes());
        assert_eq!((plan.live_bytes(), plan.tensor_bytes()), ((512 + workspace).max(768), 768 + workspace));
        assert!(lines[7].contains("times the least"), "{table}");
    }
}
