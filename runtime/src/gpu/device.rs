//! A GPU that is open.

use crate::{Error, Result, device_error, unsupported};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An adapter with its queue and the pipelines that were made on it. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) layout: wgpu::BindGroupLayout,
    pipeline_layout: wgpu::PipelineLayout,
    pipelines: Arc<Mutex<BTreeMap<String, wgpu::ComputePipeline>>>,
    failure: Arc<Mutex<Option<String>>>,
    info: Arc<wgpu::AdapterInfo>,
}

impl Gpu {
    /// Opens the fastest adapter, or the first of which the name has this part.
    ///
    /// **Errors** when there is none, it refuses a device, or it computes wrong values: the message names the op.
    pub fn open(name: Option<&str>) -> Result<Gpu> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends: wgpu::Backends::PRIMARY,
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        let adapter = match name {
            None => {
                let options = wgpu::RequestAdapterOptions {
                    power_preference: wgpu::PowerPreference::HighPerformance,
                    ..Default::default()
                };
                pollster::block_on(instance.request_adapter(&options)).map_err(failed)?
            }
            Some(name) => {
                let all = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
                let names: Vec<String> = all.iter().map(|a| a.get_info().name).collect();
                all.into_iter().find(|a| a.get_info().name.contains(name)).ok_or_else(|| {
                    unsupported!("gpu: no adapter named {name}; there are: {}", names.join(", "))
                })?
            }
        };
        let gpu = Gpu::of(&adapter)?;
        super::check::check(&gpu)?;
        Ok(gpu)
    }

    /// The names of the adapters of this machine.
    pub fn adapters() -> Vec<String> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends: wgpu::Backends::PRIMARY,
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        let all = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
        all.iter().map(|a| describe(&a.get_info())).collect()
    }

    fn of(adapter: &wgpu::Adapter) -> Result<Gpu> {
        let wanted = wgpu::Features::TIMESTAMP_QUERY;
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("gradling"),
            required_features: adapter.features() & wanted,
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).map_err(failed)?;
        let failure = Arc::new(Mutex::new(None));
        let note = |failure: &Arc<Mutex<Option<String>>>, what: String| {
            hold(failure).get_or_insert(what);
        };
        let shared = failure.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| note(&shared, error.to_string())));
        let shared = failure.clone();
        device.set_device_lost_callback(move |reason, text| {
            note(&shared, format!("the device was lost ({reason:?}) {text}"));
        });
        let entry = |binding: u32, ty: wgpu::BufferBindingType| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty,
                has_dynamic_offset: ty == wgpu::BufferBindingType::Uniform,
                min_binding_size: None,
            },
            count: None,
        };
        let write = wgpu::BufferBindingType::Storage { read_only: false };
        let read = wgpu::BufferBindingType::Storage { read_only: true };
        let uniform = wgpu::BufferBindingType::Uniform;
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("memory of a plan"),
            entries: &[entry(0, write), entry(1, write), entry(2, read), entry(3, write), entry(4, uniform)],
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let info = Arc::new(adapter.get_info());
        let pipelines = Arc::default();
        Ok(Gpu { device, queue, layout, pipeline_layout, pipelines, failure, info })
    }

    /// What the adapter calls itself, and the interface through which it is reached.
    pub fn name(&self) -> String {
        describe(&self.info)
    }

    /// Whether the adapter is a program on the processor.
    pub fn is_software(&self) -> bool {
        self.info.device_type == wgpu::DeviceType::Cpu
    }

    /// The pipeline of a shader, made on first use.
    ///
    /// **Errors** when the shader is refused.
    pub(super) fn pipeline(&self, name: &'static str, shader: &str) -> Result<wgpu::ComputePipeline> {
        if let Some(known) = hold(&self.pipelines).get(shader) {
            return Ok(known.clone());
        }
        let source = wgpu::ShaderSource::Wgsl(shader.into());
        let module =
            self.device.create_shader_module(wgpu::ShaderModuleDescriptor { label: Some(name), source });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: Some(&self.pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        self.healthy()?;
        hold(&self.pipelines).insert(shader.into(), pipeline.clone());
        Ok(pipeline)
    }

    /// Queues a copy to a buffer, of whole words: those that end it are zero.
    pub(crate) fn write(&self, buffer: &wgpu::Buffer, offset: usize, bytes: &[u8]) {
        let whole = bytes.len() / 4 * 4;
        self.queue.write_buffer(buffer, offset as u64, &bytes[..whole]);
        if whole < bytes.len() {
            let mut last = [0; 4];
            last[..bytes.len() - whole].copy_from_slice(&bytes[whole..]);
            self.queue.write_buffer(buffer, (offset + whole) as u64, &last);
        }
    }

    /// **Errors** when the device was lost or refused something since it was opened.
    pub fn healthy(&self) -> Result<()> {
        match &*hold(&self.failure) {
            Some(what) => Err(device_error!("gpu: {what}")),
            None => Ok(()),
        }
    }

    /// Waits for all that is queued.
    ///
    /// **Errors** when the device is lost.
    pub fn wait(&self) -> Result<()> {
        self.device.poll(wgpu::PollType::wait_indefinitely()).map_err(failed)?;
        self.healthy()
    }

    /// The number of allocations on the device and their bytes, where the interface tells.
    pub fn memory(&self) -> Option<(usize, u64)> {
        let report = self.device.generate_allocator_report()?;
        Some((report.allocations.len(), report.total_allocated_bytes))
    }

    /// Gives the device up, as if the adapter had been pulled out: what comes after fails.
    pub fn lose(&self) {
        self.device.destroy();
        let _ = self.device.poll(wgpu::PollType::Poll);
        hold(&self.failure).get_or_insert_with(|| "the device was lost".into());
    }
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn describe(info: &wgpu::AdapterInfo) -> String {
    format!("{} ({})", info.name, info.backend)
}

pub(super) fn failed(error: impl core::fmt::Display) -> Error {
    unsupported!("gpu: {error}")
}
