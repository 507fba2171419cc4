//! Which loops compute something on a processor, as the kernels themselves choose them.

use super::micro::Micro;
use super::{Cpu, Level};
use core::fmt;

/// The loops that a kernel runs for some operands on a [`Cpu`]; prints as `gemm avx512 14x32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// Plain loops, the reference of all others.
    Plain,
    /// The blocked matrix product over microkernels.
    Gemm(Tile),
    /// A convolution over microkernels that reads the image where it is.
    Direct(Tile),
    /// A convolution to few channels with pixels in the lanes of vectors.
    Planar(Level),
    /// A convolution as a blocked product whose packed operand is made of patches of the image.
    ImplicitGemm(Tile),
    /// A convolution by minimal filtering, as matrix products of transformed tiles and filters.
    Winograd(Tile),
    /// A depthwise convolution, vectorised over channels.
    Depthwise(Level),
    /// Loops over vectors: pools, reductions, random numbers.
    Vectors(Level),
    /// The loop over tiles of a region, and how many instructions it runs on each.
    TileLoop(Level, usize),
    /// The compiled loop of a region that is a known formula.
    Formula(Level, &'static str),
    /// Copies of runs of memory.
    Copy,
}

/// The largest tile that a microkernel keeps in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// The instruction set.
    pub level: Level,
    /// Rows of the result.
    pub rows: usize,
    /// Columns of the result.
    pub columns: usize,
}

impl Tile {
    pub(super) fn new(level: Level, micro: &Micro) -> Tile {
        Tile { level, rows: micro.rows, columns: micro.columns() }
    }
}

impl Chosen {
    /// Loops over vectors, of which the portable level has none.
    pub(crate) fn vectors(cpu: &Cpu) -> Chosen {
        if cpu.level() == Level::Portable { Chosen::Plain } else { Chosen::Vectors(cpu.level()) }
    }

    /// Microkernels of a way to use them; plain loops where there are none.
    pub(super) fn tiles(way: fn(Tile) -> Chosen, cpu: &Cpu, micro: Option<&Micro>) -> Chosen {
        micro.map_or(Chosen::Plain, |micro| way(Tile::new(cpu.level(), micro)))
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Tile { level, rows, columns } = self;
        if *rows == 1 { write!(f, "row {level} {columns}") } else { write!(f, "{level} {rows}x{columns}") }
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Chosen::Plain => f.write_str("plain loops"),
            Chosen::Gemm(tile) => write!(f, "gemm {tile}"),
            Chosen::Direct(tile) => write!(f, "direct conv {tile}"),
            Chosen::Planar(level) => write!(f, "planar conv {level}"),
            Chosen::ImplicitGemm(tile) => write!(f, "implicit gemm {tile}"),
            Chosen::Winograd(tile) => write!(f, "winograd {tile}"),
            Chosen::Depthwise(level) => write!(f, "depthwise {level}"),
            Chosen::Vectors(level) => write!(f, "vectors {level}"),
            Chosen::TileLoop(level, 1) => write!(f, "tile loop {level}, 1 instruction"),
            Chosen::TileLoop(level, n) => write!(f, "tile loop {level}, {n} instructions"),
            Chosen::Formula(level, name) => write!(f, "compiled loop {level}, {name}"),
            Chosen::Copy => f.write_str("copy"),
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::kernel::{Conv, Gemm, conv2d_chosen, conv2d_input_grad_chosen, conv2d_workspace};
    use crate::kernel::{gemm_chosen, gemm_workspace};
    use std::string::ToString;

    #[test]
    fn names_say_way_level_and_tile() {
        let tile = Tile { level: Level::Avx512, rows: 14, columns: 32 };
        assert_eq!(Chosen::Gemm(tile).to_string(), "gemm avx512 14x32");
        assert_eq!(Chosen::Direct(Tile { rows: 1, ..tile }).to_string(), "direct conv row avx512 32");
        assert_eq!(Chosen::TileLoop(Level::Avx2, 7).to_string(), "tile loop avx2, 7 instructions");
    }

    #[test]
    fn products_without_workspace_or_vectors_run_plain_loops() {
        let g = Gemm { m: 64, n: 64, k: 64, trans_a: false, trans_b: false };
        for &level in Level::available() {
            let cpu = Cpu::new(level, None);
            assert_eq!(gemm_chosen(&cpu, &g, 0), Chosen::Plain);
            let chosen = gemm_chosen(&cpu, &g, gemm_workspace(&g));
            match level {
                Level::Portable => assert_eq!(chosen, Chosen::Plain),
                _ => assert!(matches!(chosen, Chosen::Gemm(tile) if tile.level == level), "{chosen}"),
            }
        }
    }

    #[test]
    fn convolutions_are_told_apart() {
        let conv = |c: usize, oc: usize, groups: usize, stride: usize| Conv {
            n: 1,
            h: 8,
            w: 8,
            c,
            oh: 8 / stride,
            ow: 8 / stride,
            oc,
            kh: 3,
            kw: 3,
            sh: stride,
            sw: stride,
            dh: 1,
            dw: 1,
            pad_top: 1,
            pad_left: 1,
            groups,
        };
        let best = Cpu::default();
        if best.level() == Level::Portable {
            return;
        }
        let forward = |v: &Conv| conv2d_chosen(&best, v, conv2d_workspace(v));
        assert!(matches!(forward(&conv(3, 8, 1, 1)), Chosen::Direct(_)));
        assert!(matches!(forward(&conv(16, 16, 16, 1)), Chosen::Depthwise(_)));
        assert!(matches!(forward(&conv(8, 8, 2, 1)), Chosen::ImplicitGemm(_)));
        let many = conv(64, 64, 1, 1);
        match best.level() {
            Level::Simd128 => assert!(matches!(forward(&many), Chosen::Direct(_))),
            _ => assert!(matches!(forward(&many), Chosen::Winograd(_))),
        }
        let strict = conv2d_chosen(&best.strict(true), &many, conv2d_workspace(&many));
        assert!(matches!(strict, Chosen::Direct(_)));
        let strided = conv(3, 8, 1, 2);
        assert!(matches!(forward(&strided), Chosen::Direct(_)));
        let workspace = crate::kernel::conv2d_input_grad_workspace(&strided);
        assert!(matches!(conv2d_input_grad_chosen(&best, &strided, workspace), Chosen::ImplicitGemm(_)));
    }
}
