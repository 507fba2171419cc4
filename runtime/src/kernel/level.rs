//! Instruction sets, found at run time where the platform can tell and at compile time elsewhere.

use core::fmt;

/// An instruction set that kernels are written for.
#[derive(Debug, Copy, Clone, PartialEq, Eq, Hash)]
pub enum Level {
    /// Plain loops, on every target.
    Portable,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512 F, VL, BW and DQ.
    Avx512,
    /// AArch64.
    Neon,
    /// WebAssembly with 128-bit vectors.
    Simd128,
    /// WebAssembly with 128-bit vectors and fused multiply-add.
    RelaxedSimd,
}

#[cfg(target_arch = "x86_64")]
macro_rules! has {
    ($($feature:tt),*) => {{
        #[cfg(feature = "std")]
        { true $(&& std::arch::is_x86_feature_detected!($feature))* }
        #[cfg(not(feature = "std"))]
        { true $(&& cfg!(target_feature = $feature))* }
    }};
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Level::Portable => "portable",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
            Level::Neon => "neon",
            Level::Simd128 => "simd128",
            Level::RelaxedSimd => "relaxed simd",
        })
    }
}

impl Level {
    /// The levels of this machine from the simplest to the best; the first is always [`Level::Portable`].
    pub fn available() -> &'static [Level] {
        #[cfg(target_arch = "x86_64")]
        {
            if has!("avx2", "fma", "avx512f", "avx512vl", "avx512bw", "avx512dq") {
                return &[Level::Portable, Level::Avx2, Level::Avx512];
            }
            if has!("avx2", "fma") {
                return &[Level::Portable, Level::Avx2];
            }
        }
        if cfg!(all(target_arch = "aarch64", target_feature = "neon")) {
            return &[Level::Portable, Level::Neon];
        }
        if cfg!(all(target_arch = "wasm32", target_feature = "relaxed-simd")) {
            return &[Level::Portable, Level::Simd128, Level::RelaxedSimd];
        }
        if cfg!(all(target_arch = "wasm32", target_feature = "simd128")) {
            return &[Level::Portable, Level::Simd128];
        }
        &[Level::Portable]
    }

    /// The best level of this machine.
    pub fn best() -> Level {
        Level::available().last().copied().unwrap_or(Level::Portable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_level_is_portable_and_the_last_the_best() {
        let levels = Level::available();
        assert_eq!(levels.first(), Some(&Level::Portable));
        assert_eq!(levels.last(), Some(&Level::best()));
    }
}
