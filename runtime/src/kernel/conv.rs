//! Two-dimensional convolution, NHWC images and HWIO filters, with both its gradients.

use super::{Cpu, generic, product};

/// A convolution of images x of `[n, h, w, c]` with a filter w of `[kh, kw, c / groups, oc]` to y of `[n, oh, ow, oc]`.
///
/// Tap (ky, kx) of output pixel (oy, ox) reads the pixel of x at row `oy · sh + ky · dh - pad_top` and column
/// `ox · sw + kx · dw - pad_left`, zero outside the image. `s` is the stride and `d` the dilation, both from 1.
#[derive(Debug, Copy, Clone, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct Conv {
    pub n: usize,
    pub h: usize,
    pub w: usize,
    pub c: usize,
    pub oh: usize,
    pub ow: usize,
    pub oc: usize,
    pub kh: usize,
    pub kw: usize,
    pub sh: usize,
    pub sw: usize,
    pub dh: usize,
    pub dw: usize,
    pub pad_top: usize,
    pub pad_left: usize,
    pub groups: usize,
}

impl Conv {
    /// Asserts that groups divide the channels and that the slices have the lengths of their shapes.
    pub(super) fn check(&self, x: &[f32], w: &[f32], y: &[f32]) {
        let Conv { groups, c, oc, .. } = *self;
        assert!(groups > 0 && c % groups == 0 && oc % groups == 0, "conv2d: groups");
        assert!(self.sh > 0 && self.sw > 0 && self.dh > 0 && self.dw > 0, "conv2d: strides");
        assert_eq!(x.len(), product(&[self.n, self.h, self.w, c]), "conv2d: length of x");
        assert_eq!(w.len(), product(&[self.kh, self.kw, c / groups, oc]), "conv2d: length of the filter");
        assert_eq!(y.len(), product(&[self.n, self.oh, self.ow, oc]), "conv2d: length of y");
    }

    /// Channels of x and of y in one group.
    pub(super) fn group_channels(&self) -> (usize, usize) {
        (self.c / self.groups, self.oc / self.groups)
    }
}

/// The `f32`s of workspace that [`conv2d`] wants: the same on every target and for any number of threads.
pub fn conv2d_workspace(_v: &Conv) -> usize {
    0
}

/// The `f32`s of workspace that [`conv2d_input_grad`] wants.
pub fn conv2d_input_grad_workspace(_v: &Conv) -> usize {
    0
}

/// The `f32`s of workspace that [`conv2d_filter_grad`] wants.
pub fn conv2d_filter_grad_workspace(_v: &Conv) -> usize {
    0
}

/// `y = x * w`, overwriting y.
///
/// Runs faster with a `workspace` of [`conv2d_workspace`] elements; any other length, zero included, is allowed.
///
/// # Panics
/// If a slice does not have the length of its shape, or groups do not divide the channels.
pub fn conv2d(_cpu: &Cpu, v: &Conv, x: &[f32], w: &[f32], y: &mut [f32], _workspace: &mut [f32]) {
    generic::conv2d(v, x, w, y);
}

/// Gradient of [`conv2d`] with respect to x, overwriting dx.
///
/// # Panics
/// As [`conv2d`].
pub fn conv2d_input_grad(
    _cpu: &Cpu,
    v: &Conv,
    dy: &[f32],
    w: &[f32],
    dx: &mut [f32],
    _workspace: &mut [f32],
) {
    generic::conv2d_input_grad(v, dy, w, dx);
}

/// Gradient of [`conv2d`] with respect to the filter, overwriting dw.
///
/// # Panics
/// As [`conv2d`].
pub fn conv2d_filter_grad(
    _cpu: &Cpu,
    v: &Conv,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
    _workspace: &mut [f32],
) {
    generic::conv2d_filter_grad(v, x, dy, dw);
}
