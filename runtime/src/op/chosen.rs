//! Which loops an op runs, asked of the kernels that choose them.

use super::{Conv2d, Kind, Op, Pool, PoolKind, elementwise, matmul};
use crate::DType;
use crate::kernel::{self, Chosen, Cpu, pool, random};

impl Op {
    /// The loops that the op runs on this processor, with `workspace` elements of workspace.
    pub fn chosen(&self, cpu: &Cpu, inputs: &[Kind], workspace: usize) -> Chosen {
        match self {
            Op::Matmul(ta, tb) => matmul::geometry(*ta, *tb, inputs)
                .map_or(Chosen::Plain, |(_, g)| kernel::gemm_chosen(cpu, &g, workspace)),
            Op::Conv2d(c) => c.geometry(inputs).map_or(Chosen::Plain, |g| match c {
                Conv2d::Forward(_) => kernel::conv2d_chosen(cpu, &g, workspace),
                Conv2d::InputGrad(..) => kernel::conv2d_input_grad_chosen(cpu, &g, workspace),
                Conv2d::FilterGrad(..) => kernel::conv2d_filter_grad_chosen(cpu, &g, workspace),
            }),
            Op::Pool(Pool::Forward(PoolKind::Max, _) | Pool::MaxGrad(_)) => pool::chosen(cpu, true),
            Op::Pool(Pool::Forward(PoolKind::Average, _) | Pool::AverageGrad(..)) => pool::chosen(cpu, false),
            Op::Region(r) => match r.formula(inputs) {
                Some(name) => Chosen::Formula(cpu.level(), name),
                None => Chosen::TileLoop(cpu.level(), r.code.len()),
            },
            Op::Planned(p) => p.product().chosen(cpu, inputs.get(..2).unwrap_or(inputs), workspace),
            Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::And | Op::Or | Op::Not => {
                self.one(cpu, inputs)
            }
            Op::Select | Op::Cast(_) | Op::StopGradient | Op::Broadcast(_) => self.one(cpu, inputs),
            Op::Reduce(_) if inputs.iter().all(|kind| kind.1 == DType::F32) => Chosen::vectors(cpu),
            Op::Random(_) => random::chosen(cpu),
            Op::RecurrentCell(_) => Chosen::vectors(cpu),
            Op::Reshape(_) | Op::Concat(_) | Op::Transpose(_) | Op::Slice(..) | Op::Pad(..) => Chosen::Copy,
            Op::Reverse(_) | Op::Gather(_) | Op::Pack => Chosen::Copy,
            Op::Pool(Pool::MaxPick(_)) | Op::Reduce(_) | Op::ArgReduce(_) => Chosen::Plain,
            Op::Input(_) | Op::Variable(_) | Op::Constant(_) | Op::Scalar(..) | Op::Iota(_) => Chosen::Plain,
            Op::Scatter(_) | Op::Recurrence(_) | Op::Argsort(_) => Chosen::Plain,
        }
    }

    /// An elementwise op as the region of its own that it runs as.
    fn one(&self, cpu: &Cpu, inputs: &[Kind]) -> Chosen {
        let (_, second) = elementwise::scalar(self, inputs.first().map_or(DType::F32, |kind| kind.1));
        Chosen::TileLoop(cpu.level(), 1 + usize::from(second.is_some()))
    }
}
