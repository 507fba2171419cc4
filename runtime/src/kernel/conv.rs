//! Two-dimensional convolution, NHWC images and HWIO filters, with both its gradients.

use super::blocked::{Blocked, Extents, Matrix};
use super::panels::Panels;
use super::patches::{Patches, Phase, Place, Turned};
use super::winograd::{Layout, Winograd};
use super::{
    COMPACT, Chosen, Cpu, NOTHING, PAGE, Then, depthwise, direct, finish, generic, own_workspace, product,
};

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

    /// The input gradient as a convolution of dy with the filter turned round, if that is one: with stride one, and no
    /// more padding than the taps reach.
    pub(super) fn turned(&self) -> Option<Conv> {
        let Conv { h, w, c, oh, ow, oc, kh, kw, dh, dw, .. } = *self;
        let pad_top = (dh * kh.checked_sub(1)?).checked_sub(self.pad_top)?;
        let pad_left = (dw * kw.checked_sub(1)?).checked_sub(self.pad_left)?;
        let turned = Conv { h: oh, w: ow, c: oc, oh: h, ow: w, oc: c, pad_top, pad_left, ..*self };
        (self.sh == 1 && self.sw == 1).then_some(turned)
    }

    /// Channels of x and of y in one group.
    pub(super) fn group_channels(&self) -> (usize, usize) {
        (self.c / self.groups, self.oc / self.groups)
    }
}

/// How a convolution or one of its gradients is computed.
enum Way {
    Direct(direct::Direct),
    Depthwise,
    /// A blocked product for each group and phase.
    Product,
}

impl Way {
    /// The loops of this way, where `extents` are those of the product; `wanted` is the workspace it asks for.
    fn chosen(&self, cpu: &Cpu, workspace: usize, wanted: usize, extents: Option<Extents>) -> Chosen {
        let workspace = if PAGE { wanted } else { workspace };
        match self {
            Way::Direct(direct) if direct.is_planar(cpu, workspace) => Chosen::Planar(cpu.level()),
            Way::Direct(direct) => {
                Chosen::tiles(Chosen::Direct, cpu, direct.chosen(cpu, workspace).map(|(micro, _)| micro))
            }
            Way::Depthwise => depthwise::chosen(cpu),
            Way::Product => {
                let micro = extents.and_then(|e| e.chosen(cpu, workspace, false)).map(|(micro, _)| micro);
                Chosen::tiles(Chosen::ImplicitGemm, cpu, micro)
            }
        }
    }
}

impl Conv {
    /// How the convolution or its filter gradient is computed.
    fn way(&self, filter_grad: bool) -> Way {
        match direct::Direct::new(self, filter_grad) {
            Some(direct) => Way::Direct(direct),
            None if depthwise::suits(self) => Way::Depthwise,
            None => Way::Product,
        }
    }

    /// How the input gradient is computed.
    fn input_grad_way(&self) -> Way {
        match direct::Direct::turned(self) {
            Some(direct) => Way::Direct(direct),
            None if depthwise::suits(self) => Way::Depthwise,
            None => Way::Product,
        }
    }

    /// The product of [`conv2d`] for one group.
    fn extents(&self) -> Extents {
        let (cg, ocg) = self.group_channels();
        let m = product(&[self.n, self.oh, self.ow]);
        Extents { m, n: ocg, k: product(&[self.kh, self.kw, cg]) }
    }

    /// The product of [`conv2d_filter_grad`] for one group.
    fn filter_grad_extents(&self) -> Extents {
        let Extents { m, n, k } = self.extents();
        Extents { m: k, n, k: m }
    }

    /// The phases of the input gradient, by rows and columns.
    fn phases(&self) -> impl Iterator<Item = [Phase; 2]> {
        let v = *self;
        (0..v.sh * v.sw).map(move |i| {
            [
                Phase::new(i / v.sw, v.sh, v.dh, v.kh, v.pad_top, v.h),
                Phase::new(i % v.sw, v.sw, v.dw, v.kw, v.pad_left, v.w),
            ]
        })
    }

    /// The product of [`conv2d_input_grad`] for one group and phase.
    fn input_grad_extents(&self, [rows, columns]: &[Phase; 2]) -> Extents {
        let (cg, ocg) = self.group_channels();
        let m = product(&[self.n, rows.pixels, columns.pixels]);
        Extents { m, n: cg, k: product(&[rows.taps, columns.taps, ocg]) }
    }

    /// The patches of x under the taps of each output pixel, for one group.
    fn patches<'a>(&self, x: &'a [f32], first: usize, by_columns: bool, place: Place) -> Patches<'a> {
        Patches {
            x,
            image: [self.h, self.w],
            pixel: self.c,
            first,
            c: self.c / self.groups,
            grid: [self.oh, self.ow],
            taps: [self.kh, self.kw],
            base: [-(self.pad_top as isize), -(self.pad_left as isize)],
            step: [self.sh as isize, self.sw as isize],
            tap: [self.dh as isize, self.dw as isize],
            by_columns,
            place,
        }
    }

    /// The workspace of a way to convolve; 0 for empty operands.
    fn workspace(&self, filter_grad: bool) -> usize {
        if self.groups == 0 || self.sh == 0 || self.sw == 0 || self.dh == 0 || self.dw == 0 {
            return 0;
        }
        let winograd = if filter_grad { None } else { Winograd::new(self, false) };
        let other = match self.way(filter_grad) {
            Way::Direct(direct) => direct.workspace(),
            Way::Depthwise => 0,
            Way::Product if filter_grad => self.filter_grad_extents().workspace(),
            Way::Product => self.extents().workspace(),
        };
        // A strict device goes the other way.
        winograd.map_or(0, |winograd| winograd.workspace()).max(other)
    }
}

/// The `f32`s of workspace that [`conv2d`] wants, for any number of threads.
pub fn conv2d_workspace(v: &Conv) -> usize {
    v.workspace(false)
}

/// The `f32`s of workspace that [`conv2d_input_grad`] wants.
pub fn conv2d_input_grad_workspace(v: &Conv) -> usize {
    if v.groups == 0 || v.sh == 0 || v.sw == 0 || v.dh == 0 || v.dw == 0 {
        return 0;
    }
    let other = match v.input_grad_way() {
        Way::Direct(direct) => direct.workspace(),
        Way::Depthwise => 0,
        Way::Product => v.phases().map(|phase| v.input_grad_extents(&phase).workspace()).max().unwrap_or(0),
    };
    Winograd::new(v, true).map_or(0, |winograd| winograd.workspace()).max(other)
}

/// The `f32`s of workspace that [`conv2d_filter_grad`] wants.
pub fn conv2d_filter_grad_workspace(v: &Conv) -> usize {
    v.workspace(true)
}

/// The loops that [`conv2d`] runs with `workspace` elements of workspace.
pub fn conv2d_chosen(cpu: &Cpu, v: &Conv, workspace: usize) -> Chosen {
    let workspace = if PAGE { conv2d_workspace(v) } else { workspace };
    if let Some((micro, ..)) = Winograd::new(v, false).and_then(|winograd| winograd.chosen(cpu, workspace)) {
        return Chosen::tiles(Chosen::Winograd, cpu, Some(micro));
    }
    v.way(false).chosen(cpu, workspace, conv2d_workspace(v), Some(v.extents()))
}

/// The loops that [`conv2d_input_grad`] runs with `workspace` elements of workspace.
pub fn conv2d_input_grad_chosen(cpu: &Cpu, v: &Conv, workspace: usize) -> Chosen {
    let workspace = if PAGE { conv2d_input_grad_workspace(v) } else { workspace };
    if let Some((micro, ..)) = Winograd::new(v, true).and_then(|winograd| winograd.chosen(cpu, workspace)) {
        return Chosen::tiles(Chosen::Winograd, cpu, Some(micro));
    }
    // The first of several products stands for all.
    let first = v.phases().map(|phase| v.input_grad_extents(&phase)).find(|e| e.m > 0);
    v.input_grad_way().chosen(cpu, workspace, conv2d_input_grad_workspace(v), first)
}

/// The loops that [`conv2d_filter_grad`] runs with `workspace` elements of workspace.
pub fn conv2d_filter_grad_chosen(cpu: &Cpu, v: &Conv, workspace: usize) -> Chosen {
    v.way(true).chosen(cpu, workspace, conv2d_filter_grad_workspace(v), Some(v.filter_grad_extents()))
}

/// `y = x * w`, overwriting y.
///
/// Runs faster with a `workspace` of [`conv2d_workspace`] elements; any other length, zero included, is allowed.
///
/// # Panics
/// If a slice does not have the length of its shape, or groups do not divide the channels.
pub fn conv2d(cpu: &Cpu, v: &Conv, x: &[f32], w: &[f32], y: &mut [f32], workspace: &mut [f32]) {
    conv2d_then(cpu, v, x, w, y, workspace, NOTHING);
}

/// [`conv2d`], and `then` something with ranges of y while they are in the cache. It may write y.
///
/// # Panics
/// As [`conv2d`].
pub fn conv2d_then(
    cpu: &Cpu,
    v: &Conv,
    x: &[f32],
    w: &[f32],
    y: &mut [f32],
    workspace: &mut [f32],
    then: Then,
) {
    v.check(x, w, y);
    if Winograd::new(v, false).is_some_and(|way| way.convolve(cpu, x, (w, Layout::Rows), y, workspace, then))
    {
        return;
    }
    match v.way(false) {
        Way::Direct(direct) if direct.convolve(cpu, x, w, y, workspace, then) => return,
        Way::Direct(_) => return conv2d_unaided(cpu, v, x, w, y, then),
        Way::Depthwise => return depthwise::conv2d(cpu, v, x, w, y, then),
        Way::Product => {}
    }
    // Of several groups each writes a part of every row.
    let each = if v.groups == 1 { then } else { NOTHING };
    let (cg, ocg) = v.group_channels();
    for group in 0..v.groups {
        let place = Place::Even { first: group * ocg, step: v.oc };
        let left = v.patches(x, group * cg, false, place);
        let right =
            Matrix { x: w.get(group * ocg..).unwrap_or(&[]), step: v.oc, transposed: false, c_step: 0 };
        let blocked = Blocked { extents: v.extents(), left: &left, right: &right, c_step: v.oc, then: each };
        // SAFETY: the slices have the lengths of their shapes (checked above); row i of y begins at pixel i, where
        // the group has `ocg` channels of its own.
        if !unsafe { blocked.run(cpu, y, workspace) } {
            return conv2d_unaided(cpu, v, x, w, y, then);
        }
    }
    if v.groups != 1 {
        finish(cpu, y.len(), then);
    }
}

/// Whether [`conv2d_packed`] is worth packing for: neither small filters nor groups, which other ways serve better.
pub fn conv2d_takes_panels(v: &Conv) -> bool {
    let large = product(&[v.kh, v.kw, v.c, v.oc]) >= super::gemm::LARGE;
    !COMPACT
        && v.groups == 1
        && large
        && product(&[v.n, v.oh, v.ow]) > 1
        && direct::Direct::new(v, false).is_none()
}

/// [`conv2d_then`] where the filter, as a matrix with a column for each output channel, was packed by
/// [`panels::pack`](super::panels::pack).
///
/// # Panics
/// As [`conv2d`], and where there are groups.
pub fn conv2d_packed(
    cpu: &Cpu,
    v: &Conv,
    x: &[f32],
    w: &[f32],
    y: &mut [f32],
    workspace: &mut [f32],
    then: Then,
) {
    v.check(x, w, y);
    assert_eq!(v.groups, 1, "conv2d: a packed filter has no groups");
    if Winograd::new(v, false)
        .is_some_and(|way| way.convolve(cpu, x, (w, Layout::Panels), y, workspace, then))
    {
        return;
    }
    let left = v.patches(x, 0, false, Place::Even { first: 0, step: v.oc });
    let right = Panels { x: w, n: v.oc };
    let blocked = Blocked { extents: v.extents(), left: &left, right: &right, c_step: v.oc, then };
    // SAFETY: as in `conv2d_then`.
    if !unsafe { blocked.run(cpu, y, workspace) } {
        if PAGE {
            conv2d_packed(cpu, v, x, w, y, &mut own_workspace(conv2d_workspace(v)), then);
        } else {
            generic::conv2d_packed(v, x, &right, y);
            finish(cpu, y.len(), then);
        }
    }
}

/// Gradient of [`conv2d`] with respect to x, overwriting dx.
///
/// # Panics
/// As [`conv2d`].
pub fn conv2d_input_grad(cpu: &Cpu, v: &Conv, dy: &[f32], w: &[f32], dx: &mut [f32], workspace: &mut [f32]) {
    v.check(dx, w, dy);
    let winograd = Winograd::new(v, true);
    if winograd.is_some_and(|way| way.convolve(cpu, dy, (w, Layout::Turned), dx, workspace, NOTHING)) {
        return;
    }
    match v.input_grad_way() {
        Way::Direct(direct) if direct.convolve(cpu, dy, w, dx, workspace, NOTHING) => return,
        Way::Direct(_) => return conv2d_input_grad_unaided(cpu, v, dy, w, dx),
        Way::Depthwise => return depthwise::input_grad(cpu, v, dy, w, dx),
        Way::Product => {}
    }
    let (cg, ocg) = v.group_channels();
    for (group, phase) in (0..v.groups).flat_map(|group| v.phases().map(move |phase| (group, phase))) {
        let [rows, columns] = phase;
        let origin = [rows.first, columns.first];
        let place =
            Place::Grid { first: group * cg, pixel: v.c, image: [v.h, v.w], origin, stride: [v.sh, v.sw] };
        let left = Patches {
            x: dy,
            image: [v.oh, v.ow],
            pixel: v.oc,
            first: group * ocg,
            c: ocg,
            grid: [rows.pixels, columns.pixels],
            taps: [rows.taps, columns.taps],
            base: [rows.base, columns.base],
            step: [1, 1],
            tap: [rows.tap, columns.tap],
            by_columns: false,
            place,
        };
        let right = Turned {
            w,
            kw: v.kw,
            taps: [rows.taps, columns.taps],
            origin: [rows.origin, columns.origin],
            step: [rows.step, columns.step],
            c: cg,
            oc: [v.oc, ocg, group * ocg],
        };
        let extents = v.input_grad_extents(&phase);
        let blocked = Blocked { extents, left: &left, right: &right, c_step: v.sw * v.c, then: NOTHING };
        // SAFETY: the slices have the lengths of their shapes (checked above); `Place::Grid` stays on the images of
        // dx, where the group has `cg` channels of its own.
        if !unsafe { blocked.run(cpu, dx, workspace) } {
            return conv2d_input_grad_unaided(cpu, v, dy, w, dx);
        }
    }
}

/// Gradient of [`conv2d`] with respect to the filter, overwriting dw.
///
/// # Panics
/// As [`conv2d`].
pub fn conv2d_filter_grad(cpu: &Cpu, v: &Conv, x: &[f32], dy: &[f32], dw: &mut [f32], workspace: &mut [f32]) {
    v.check(x, dw, dy);
    match v.way(true) {
        Way::Direct(direct) if direct.filter_grad(cpu, x, dy, dw, workspace) => return,
        Way::Direct(_) => return conv2d_filter_grad_unaided(cpu, v, x, dy, dw),
        Way::Depthwise => return depthwise::filter_grad(cpu, v, x, dy, dw),
        Way::Product => {}
    }
    let (cg, ocg) = v.group_channels();
    for group in 0..v.groups {
        let place = Place::Even { first: group * ocg, step: v.oc };
        let left = v.patches(x, group * cg, true, place);
        let right =
            Matrix { x: dy.get(group * ocg..).unwrap_or(&[]), step: v.oc, transposed: false, c_step: 0 };
        let extents = v.filter_grad_extents();
        let blocked = Blocked { extents, left: &left, right: &right, c_step: v.oc, then: NOTHING };
        // SAFETY: the slices have the lengths of their shapes (checked above); row i of dw begins at tap and channel
        // i, where the group has `ocg` output channels of its own.
        if !unsafe { blocked.run(cpu, dw, workspace) } {
            return conv2d_filter_grad_unaided(cpu, v, x, dy, dw);
        }
    }
}

/// [`conv2d`] for a caller whose workspace is too short.
#[cold]
fn conv2d_unaided(cpu: &Cpu, v: &Conv, x: &[f32], w: &[f32], y: &mut [f32], then: Then) {
    if PAGE {
        conv2d_then(cpu, v, x, w, y, &mut own_workspace(conv2d_workspace(v)), then)
    } else {
        generic::conv2d(v, x, w, y);
        finish(cpu, y.len(), then);
    }
}

/// [`conv2d_input_grad`] for a caller whose workspace is too short.
#[cold]
fn conv2d_input_grad_unaided(cpu: &Cpu, v: &Conv, dy: &[f32], w: &[f32], dx: &mut [f32]) {
    if PAGE {
        conv2d_input_grad(cpu, v, dy, w, dx, &mut own_workspace(conv2d_input_grad_workspace(v)))
    } else {
        generic::conv2d_input_grad(v, dy, w, dx)
    }
}

/// [`conv2d_filter_grad`] for a caller whose workspace is too short.
#[cold]
fn conv2d_filter_grad_unaided(cpu: &Cpu, v: &Conv, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    if PAGE {
        conv2d_filter_grad(cpu, v, x, dy, dw, &mut own_workspace(conv2d_filter_grad_workspace(v)))
    } else {
        generic::conv2d_filter_grad(v, x, dy, dw)
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::kernel::{Level, Pool};
    use std::vec;
    use std::vec::Vec;

    fn fill(len: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..len).map(next).collect()
    }

    fn same(got: &[f32], want: &[f32], terms: usize, what: &str) {
        let tolerance = 1e-5 * (1.0 + (terms as f32).sqrt());
        for (i, (got, want)) in got.iter().zip(want).enumerate() {
            assert!((got - want).abs() <= tolerance, "{what} at {i}: {got} {want}");
        }
    }

    fn check(v: &Conv, pools: &[Option<&Pool>]) {
        let x = fill(v.n * v.h * v.w * v.c, 1);
        let w = fill(v.kh * v.kw * v.c / v.groups * v.oc, 2);
        let dy = fill(v.n * v.oh * v.ow * v.oc, 3);
        let mut want = (dy.clone(), x.clone(), w.clone());
        generic::conv2d(v, &x, &w, &mut want.0);
        generic::conv2d_input_grad(v, &dy, &w, &mut want.1);
        generic::conv2d_filter_grad(v, &x, &dy, &mut want.2);
        let space = [conv2d_workspace(v), conv2d_input_grad_workspace(v), conv2d_filter_grad_workspace(v)];
        let terms = v.kh * v.kw * (v.c.max(v.oc));
        for &level in Level::available() {
            let mut first: Option<(Vec<f32>, Vec<f32>, Vec<f32>)> = None;
            for (&pool, part) in pools.iter().flat_map(|pool| [(pool, 1), (pool, 2), (pool, 1000)]) {
                let cpu = Cpu::new(level, pool);
                let mut got = (vec![f32::NAN; dy.len()], vec![f32::NAN; x.len()], vec![f32::NAN; w.len()]);
                let mut space = space.map(|len| vec![f32::NAN; len / part]);
                conv2d(&cpu, v, &x, &w, &mut got.0, &mut space[0]);
                conv2d_input_grad(&cpu, v, &dy, &w, &mut got.1, &mut space[1]);
                conv2d_filter_grad(&cpu, v, &x, &dy, &mut got.2, &mut space[2]);
                same(&got.0, &want.0, terms, &std::format!("{level:?} {v:?}"));
                same(&got.1, &want.1, terms, &std::format!("input {level:?} {v:?}"));
                same(&got.2, &want.2, v.n * v.oh * v.ow, &std::format!("filter {level:?} {v:?}"));
                let bits = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
                let strict = cpu.strict(true);
                let mut exact = (vec![f32::NAN; dy.len()], vec![f32::NAN; x.len()], vec![f32::NAN; w.len()]);
                conv2d(&strict, v, &x, &w, &mut exact.0, &mut space[0]);
                conv2d_input_grad(&strict, v, &dy, &w, &mut exact.1, &mut space[1]);
                conv2d_filter_grad(&strict, v, &x, &dy, &mut exact.2, &mut space[2]);
                assert!(bits(&exact.0, &want.0), "strict {level:?} {v:?}");
                assert!(bits(&exact.1, &want.1), "strict input {level:?} {v:?}");
                assert!(bits(&exact.2, &want.2), "strict filter {level:?} {v:?}");
                if v.groups == 1 {
                    let mut panels = vec![f32::NAN; w.len()];
                    crate::kernel::panels::pack(&w, v.oc, &mut panels);
                    let mut packed = vec![f32::NAN; dy.len()];
                    let mut space = vec![f32::NAN; v.extents().workspace() / part];
                    conv2d_packed(&cpu, v, &x, &panels, &mut packed, &mut space, NOTHING);
                    same(&packed, &want.0, terms, &std::format!("packed {level:?} {v:?}"));
                    conv2d_packed(&strict, v, &x, &panels, &mut packed, &mut space, NOTHING);
                    assert!(bits(&packed, &want.0), "strict packed {level:?} {v:?}");
                }
                if part == 1 {
                    let first = first.get_or_insert_with(|| got.clone());
                    assert!(bits(&first.0, &got.0) && bits(&first.1, &got.1) && bits(&first.2, &got.2));
                }
            }
        }
    }

    fn conv(images: [usize; 4], filter: [usize; 3], s: [usize; 2], d: [usize; 2], pad: [usize; 4]) -> Conv {
        let ([n, h, w, c], [kh, kw, oc]) = (images, filter);
        let out =
            |extent: usize, k: usize, s: usize, d: usize| (extent.saturating_sub((k - 1) * d + 1) + s) / s;
        Conv {
            n,
            h,
            w,
            c,
            oh: out(h + pad[0] + pad[1], kh, s[0], d[0]),
            ow: out(w + pad[2] + pad[3], kw, s[1], d[1]),
            oc,
            kh,
            kw,
            sh: s[0],
            sw: s[1],
            dh: d[0],
            dw: d[1],
            pad_top: pad[0],
            pad_left: pad[2],
            groups: 1,
        }
    }

    #[test]
    fn every_level_agrees_with_the_portable_loops() {
        for (c, oc) in [(1, 6), (3, 5), (4, 16), (6, 33), (17, 2)] {
            for (k, pad) in
                [([1, 1], [0; 4]), ([3, 3], [1; 4]), ([5, 4], [2, 0, 1, 3]), ([2, 3], [0, 3, 4, 0])]
            {
                for s in [[1, 1], [2, 2], [3, 1], [2, 5]] {
                    for d in [[1, 1], [2, 1], [1, 3]] {
                        check(&conv([2, 9, 11, c], [k[0], k[1], oc], s, d, pad), &[None]);
                    }
                }
            }
        }
    }

    #[test]
    fn few_channels() {
        for (c, oc) in [(1, 3), (2, 4), (3, 5), (7, 6), (16, 7), (6, 16)] {
            for (images, k, pad) in [
                ([2, 19, 14, c], [5, 5], [2; 4]),
                ([1, 7, 40, c], [3, 4], [0, 2, 3, 0]),
                ([3, 30, 16, c], [3, 3], [0; 4]),
                ([1, 50, 33, c], [5, 1], [4, 4, 0, 0]),
            ] {
                check(&conv(images, [k[0], k[1], oc], [1, 1], [1, 1], pad), &[None]);
            }
        }
    }

    #[test]
    fn groups_and_depthwise() {
        for (groups, c, oc) in [(2, 4, 6), (3, 9, 3), (5, 5, 5), (40, 40, 40), (4, 4, 12)] {
            for s in [[1, 1], [2, 1]] {
                for d in [[1, 1], [2, 3]] {
                    check(&Conv { groups, ..conv([2, 8, 7, c], [3, 3, oc], s, d, [1, 1, 1, 0]) }, &[None]);
                }
            }
        }
    }

    #[test]
    fn empty_extents() {
        for (n, c, oc) in [(0, 3, 4), (2, 0, 4), (2, 3, 0)] {
            check(&conv([n, 5, 5, c], [3, 3, oc], [1, 1], [1, 1], [1; 4]), &[None]);
        }
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let pools = [Pool::new(2), Pool::new(3)];
        let pools = [None, Some(&pools[0]), Some(&pools[1])];
        check(&conv([16, 28, 28, 1], [5, 5, 6], [1, 1], [1, 1], [2; 4]), &pools);
        check(&conv([5, 32, 33, 3], [5, 5, 6], [1, 1], [1, 1], [2; 4]), &pools);
        check(&conv([8, 14, 14, 6], [5, 5, 16], [1, 1], [1, 1], [0; 4]), &pools);
        check(&conv([1, 30, 30, 32], [3, 3, 40], [1, 1], [1, 1], [1; 4]), &pools);
        check(&conv([2, 8, 8, 128], [3, 3, 128], [1, 1], [1, 1], [1; 4]), &pools);
        check(&conv([2, 16, 16, 64], [3, 3, 70], [2, 2], [1, 1], [0, 1, 0, 1]), &pools);
        check(&conv([3, 20, 20, 48], [1, 1, 96], [1, 1], [1, 1], [0; 4]), &pools);
        check(&Conv { groups: 96, ..conv([2, 30, 30, 96], [3, 3, 96], [1, 1], [1, 1], [1; 4]) }, &pools);
    }
}
