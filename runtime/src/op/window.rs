//! Sliding windows of convolutions and pools.

use crate::{Result, Shape, misuse};
use serde::{Deserialize, Serialize};

/// What lies beyond the border.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Padding {
    /// Nothing: windows stay inside.
    #[default]
    Valid,
    /// Zeros, so that the output has `ceil(n / stride)` cells; the odd zero goes to the bottom or right.
    Same,
    /// Zeros: `[[top, bottom], [left, right]]`.
    Explicit([[u32; 2]; 2]),
}

/// A sliding window over height and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// Height and width in cells.
    pub kernel: [u32; 2],
    /// Cells between neighbouring windows.
    pub strides: [u32; 2],
    /// What lies beyond the border.
    pub padding: Padding,
    /// Cells between neighbouring taps of the window.
    pub dilation: [u32; 2],
    /// Channel groups (convolutions only).
    pub groups: u32,
}

impl Window {
    /// A window of this height and width: stride 1, valid padding, no dilation, one group.
    pub fn new(kernel: [u32; 2]) -> Window {
        Window { kernel, strides: [1, 1], padding: Padding::Valid, dilation: [1, 1], groups: 1 }
    }

    /// The same window with other strides.
    pub fn strides(mut self, strides: [u32; 2]) -> Window {
        self.strides = strides;
        self
    }

    /// The same window with other padding.
    pub fn padding(mut self, padding: Padding) -> Window {
        self.padding = padding;
        self
    }

    /// The same window with dilation.
    pub fn dilation(mut self, dilation: [u32; 2]) -> Window {
        self.dilation = dilation;
        self
    }

    /// The same window over channel groups.
    pub fn groups(mut self, groups: u32) -> Window {
        self.groups = groups;
        self
    }

    /// Output extent and leading padding along `axis` (0 height, 1 width) for an input extent of `n` cells.
    ///
    /// **Errors** when a size is zero or no window fits.
    pub fn extent(&self, axis: usize, n: usize) -> Result<(usize, usize)> {
        let (k, s, d) =
            (self.kernel[axis] as usize, self.strides[axis] as usize, self.dilation[axis] as usize);
        if k == 0 || s == 0 || d == 0 {
            return Err(misuse!("window: kernel, strides and dilation must be at least 1, got {self:?}"));
        }
        let reach = (k - 1).saturating_mul(d).saturating_add(1);
        let (out, before, after) = match self.padding {
            Padding::Valid => (None, 0, 0),
            Padding::Same => {
                let out = n.div_ceil(s);
                let total = (out.saturating_sub(1) * s).saturating_add(reach).saturating_sub(n);
                (Some(out), total / 2, total - total / 2)
            }
            Padding::Explicit(p) => (None, p[axis][0] as usize, p[axis][1] as usize),
        };
        let padded = n.saturating_add(before).saturating_add(after);
        match out {
            Some(out) => Ok((out, before)),
            None if padded < reach => Err(misuse!(
                "window: {k} taps with dilation {d} do not fit into {n} cells; use padding \"same\" or a smaller window"
            )),
            None => Ok(((padded - reach) / s + 1, before)),
        }
    }

    /// Output height and width, and leading padding, over an NHWC input.
    pub fn output(&self, input: &Shape) -> Result<([usize; 2], [usize; 2])> {
        let (oh, top) = self.extent(0, input.dim(1))?;
        let (ow, left) = self.extent(1, input.dim(2))?;
        Ok(([oh, ow], [top, left]))
    }
}
