//! A plan with its memory on a GPU.

use super::Program;
use super::device::{Gpu, failed};
use super::program::{OFFSETS, STRIDE};
use crate::arena::Buffer;
use crate::plan::{Place, Plan, Slot};
use crate::variables::Variables;
use crate::{Result, Tensor, misuse};
use alloc::vec::Vec;
use core::ops::Range;
use std::sync::mpsc;
use wgpu::BufferUsages;
use wgpu::util::DeviceExt;

/// A plan with its memory on a GPU: its arena, a copy of the variables, its constants, its pipelines. Nothing is made
/// after [`new`](Session::new).
///
/// Runs are queued; what reads back waits for them.
pub struct Session {
    gpu: Gpu,
    plan: Plan,
    program: Program,
    arena: wgpu::Buffer,
    variables: wgpu::Buffer,
    constants: wgpu::Buffer,
    bindings: wgpu::BindGroup,
    pipelines: Vec<wgpu::ComputePipeline>,
    /// Where values are copied to be read.
    staging: wgpu::Buffer,
}

impl Session {
    /// Makes the shaders and the memory of a plan, which was compiled with [`Session::options`].
    ///
    /// **Errors** when an op has no shader, naming it, when the plan does not verify, and when its memory does not fit.
    pub fn new(plan: Plan, gpu: &Gpu) -> Result<Session> {
        let variables = Session::variables_of(plan.variable_bytes(), gpu)?;
        Session::sharing(plan, gpu, variables)
    }

    /// Memory for variables.
    pub(crate) fn variables_of(bytes: usize, gpu: &Gpu) -> Result<wgpu::Buffer> {
        Session::buffer(gpu, "variables", bytes, STORAGE)
    }

    /// As [`new`](Session::new), with a copy of the variables that other sessions have too.
    pub(crate) fn sharing(plan: Plan, gpu: &Gpu, variables: wgpu::Buffer) -> Result<Session> {
        plan.verify()?;
        let needed = plan.variable_bytes() as u64;
        if variables.size() < needed {
            return Err(misuse!(
                "gpu: the plan reads {needed} bytes of variables, there are {}",
                variables.size()
            ));
        }
        let program = Program::new(&plan)?;
        let pipelines =
            program.shaders.iter().zip(&program.names).map(|(text, name)| gpu.pipeline(name, text));
        let pipelines = pipelines.collect::<Result<Vec<_>>>()?;
        let outputs: usize = plan.outputs().iter().map(|o| o.slot.bytes().next_multiple_of(16)).sum();
        let arena = Session::buffer(gpu, "arena", plan.arena_bytes(), STORAGE)?;
        let scratch = Session::buffer(gpu, "scratch", program.scratch, STORAGE)?;
        let constants = Session::buffer(gpu, "constants", plan.constants.len(), STORAGE)?;
        let mut bytes = plan.constants.bytes().to_vec();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        gpu.queue.write_buffer(&constants, 0, &bytes);
        let read_back = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
        let staging = Session::buffer(gpu, "staging", outputs.max(plan.variable_bytes()), read_back)?;
        let offsets = gpu.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("offsets"),
            contents: &program.offsets,
            usage: BufferUsages::UNIFORM,
        });
        let whole = [&arena, &variables, &constants, &scratch].map(|b| b.as_entire_binding());
        let part = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &offsets,
            offset: 0,
            size: core::num::NonZeroU64::new(OFFSETS as u64),
        });
        let entries: Vec<wgpu::BindGroupEntry> = whole
            .into_iter()
            .chain([part])
            .zip(0..)
            .map(|(resource, binding)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        let bindings = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("memory"),
            layout: &gpu.layout,
            entries: &entries,
        });
        gpu.healthy()?;
        let gpu = gpu.clone();
        Ok(Session { gpu, plan, program, arena, variables, constants, bindings, pipelines, staging })
    }

    fn buffer(gpu: &Gpu, label: &str, bytes: usize, usage: BufferUsages) -> Result<wgpu::Buffer> {
        // A little more than asked: bindings may not be empty, and copies are of whole words.
        let size = (bytes.next_multiple_of(64) + 64) as u64;
        let most = gpu.device.limits().max_storage_buffer_binding_size;
        if size > most {
            return Err(misuse!(
                "gpu: {label} of {size} bytes, this adapter binds {most}; use smaller batches"
            ));
        }
        let descriptor =
            wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        let buffer = gpu.device.create_buffer(&descriptor);
        gpu.healthy()?;
        Ok(buffer)
    }

    /// How plans for a GPU are compiled: its products read weights as they are.
    pub fn options() -> crate::PlanOptions {
        crate::PlanOptions { workspace: false, ..Default::default() }
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Its shaders and dispatches.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// What it runs on.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Copies a tensor to input `n`; runs that are queued already see the value from before.
    ///
    /// **Errors** when shape or type differ from the input's.
    pub fn set_input(&mut self, n: usize, value: &Tensor) -> Result<()> {
        let port = self.plan.inputs().get(n).ok_or_else(|| misuse!("session: there is no input {n}"))?;
        let slot = port.slot;
        if slot.kind() != (*value.shape(), value.dtype()) {
            return Err(misuse!(
                "input {}: expected {} of shape {}, got {} of shape {}",
                port.name,
                slot.dtype,
                slot.shape,
                value.dtype(),
                value.shape()
            ));
        }
        self.write_input(n, &value.to_bytes())
    }

    /// Copies the bytes of input `n`.
    pub(crate) fn write_input(&mut self, n: usize, bytes: &[u8]) -> Result<()> {
        let port = self.plan.inputs().get(n).ok_or_else(|| misuse!("session: there is no input {n}"))?;
        if bytes.len() != port.slot.bytes() {
            return Err(misuse!(
                "input {}: expected {} bytes, got {}",
                port.name,
                port.slot.bytes(),
                bytes.len()
            ));
        }
        self.gpu.write(&self.arena, port.slot.offset as usize, bytes);
        Ok(())
    }

    /// Copies all variables to the GPU.
    pub fn upload(&mut self, variables: &Variables) {
        let bytes = variables.buffer().bytes();
        let most = (self.variables.size() as usize).min(bytes.len());
        self.gpu.write(&self.variables, 0, &bytes[..most]);
    }

    /// Queues all steps; variables stay on the GPU.
    pub fn run(&mut self) {
        let all = 0..self.program.dispatches.len();
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        self.encode(&mut encoder, all, None);
        self.gpu.queue.submit([encoder.finish()]);
    }

    /// Adds dispatches to a command buffer.
    pub(super) fn encode(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        range: Range<usize>,
        timestamps: Option<wgpu::ComputePassTimestampWrites<'_>>,
    ) {
        let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes: timestamps };
        let mut pass = encoder.begin_compute_pass(&descriptor);
        for d in &self.program.dispatches[range] {
            pass.set_pipeline(&self.pipelines[d.shader as usize]);
            pass.set_bind_group(0, &self.bindings, &[d.step * STRIDE as u32]);
            pass.dispatch_workgroups(d.groups[0], d.groups[1], d.groups[2]);
        }
    }

    /// The outputs of the last run.
    ///
    /// **Errors** when the device is lost.
    pub fn outputs(&self) -> Result<Vec<Tensor>> {
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let (mut places, mut next) = (Vec::new(), 0);
        for output in self.plan.outputs() {
            let slot: Slot = output.slot;
            let size = slot.bytes().next_multiple_of(4);
            if size > 0 {
                let from = match slot.place {
                    Place::Arena => &self.arena,
                    Place::Variables => &self.variables,
                    Place::Constants => &self.constants,
                };
                let (at, size) = (u64::from(slot.offset), size as u64);
                encoder.copy_buffer_to_buffer(from, at, &self.staging, next as u64, size);
            }
            places.push((slot, next));
            next += size.next_multiple_of(16);
        }
        self.gpu.queue.submit([encoder.finish()]);
        let bytes = self.staged(next)?;
        let tensor = |(slot, at): (Slot, usize)| {
            Buffer::from_bytes(&bytes[at..at + slot.bytes()]).tensor(0, slot.shape, slot.dtype)
        };
        places.into_iter().map(tensor).collect()
    }

    /// Copies the variables that the plan knows back to the host.
    ///
    /// **Errors** when the device is lost; the variables are then as before.
    pub fn download(&self, variables: &mut Variables) -> Result<()> {
        let mut bytes = alloc::vec![0; self.plan.variable_bytes()];
        self.read_variables(&mut bytes)?;
        let (buffer, _) = variables.run_buffer(true);
        let len = bytes.len().min(buffer.len());
        buffer.bytes_mut()[..len].copy_from_slice(&bytes[..len]);
        Ok(())
    }

    /// Copies the first of the variables back.
    pub(crate) fn read_variables(&self, into: &mut [u8]) -> Result<()> {
        let len = into.len().next_multiple_of(4);
        if len as u64 > self.variables.size().min(self.staging.size()) {
            return Err(misuse!("gpu: there are fewer than {len} bytes of variables"));
        }
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&self.variables, 0, &self.staging, 0, len as u64);
        self.gpu.queue.submit([encoder.finish()]);
        let bytes = self.staged(len)?;
        into.copy_from_slice(&bytes[..into.len()]);
        Ok(())
    }

    /// The first bytes of the staging buffer, after all that is queued.
    fn staged(&self, bytes: usize) -> Result<Vec<u8>> {
        self.gpu.healthy()?;
        let slice = self.staging.slice(..bytes.max(16) as u64);
        let (sender, receiver) = mpsc::channel();
        slice.map_async(wgpu::MapMode::Read, move |result| {
            let _ = sender.send(result);
        });
        self.gpu.wait()?;
        receiver.recv().map_err(failed)?.map_err(failed)?;
        let all = slice.get_mapped_range().map_err(failed)?[..bytes].to_vec();
        self.staging.unmap();
        self.gpu.healthy()?;
        Ok(all)
    }
}

const STORAGE: BufferUsages =
    BufferUsages::COPY_SRC.union(BufferUsages::COPY_DST).union(BufferUsages::STORAGE);
