//! Where the time of a plan on a GPU goes, by the timestamps of the device.

use super::Session;
use super::device::failed;
use crate::{Result, unsupported};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use wgpu::util::DeviceExt;

/// Most timestamps of a query set.
const MOST: usize = 4096;

/// One dispatch and its time.
#[derive(Clone, Debug)]
pub struct DispatchTime {
    /// The first op of its shader.
    pub name: String,
    /// Its first step of the plan.
    pub step: u32,
    /// Workgroups.
    pub groups: [u32; 3],
    /// The least time of several runs.
    pub time: Duration,
}

/// The dispatches of a plan with their times.
#[derive(Clone, Debug)]
pub struct GpuProfile(pub Vec<DispatchTime>);

impl GpuProfile {
    /// The time of all dispatches.
    pub fn total(&self) -> Duration {
        self.0.iter().map(|d| d.time).sum()
    }
}

impl fmt::Display for GpuProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>5} {:<24} {:>18} {:>10}", "step", "shader", "workgroups", "us")?;
        for d in &self.0 {
            let groups = format!("{} x {} x {}", d.groups[0], d.groups[1], d.groups[2]);
            writeln!(f, "{:>5} {:<24} {groups:>18} {:>10.1}", d.step, d.name, d.time.as_secs_f64() * 1e6)?;
        }
        let mut by_name: BTreeMap<&str, Duration> = BTreeMap::new();
        for d in &self.0 {
            *by_name.entry(d.name.as_str()).or_default() += d.time;
        }
        let mut sums: Vec<(&str, Duration)> = by_name.into_iter().collect();
        sums.sort_by_key(|(_, time)| core::cmp::Reverse(*time));
        for (name, time) in sums {
            writeln!(f, "{:>5} {name:<24} {:>18} {:>10.1}", "all", "", time.as_secs_f64() * 1e6)?;
        }
        writeln!(f, "{:>5} {:<24} {:>18} {:>10.1}", "sum", "", "", self.total().as_secs_f64() * 1e6)
    }
}

impl Session {
    /// Runs the plan `runs` times, each dispatch in a pass of its own, and takes the least time of each. The variables of
    /// the GPU change as by any run.
    ///
    /// **Errors** when the adapter has no timestamps, and when the device is lost.
    pub fn profile(&mut self, runs: usize) -> Result<GpuProfile> {
        let (device, queue) = (&self.gpu().device, &self.gpu().queue);
        if !device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Err(unsupported!("gpu: {} has no timestamps", self.gpu().name()));
        }
        let period = f64::from(queue.get_timestamp_period());
        let n = self.program().dispatches.len();
        let mut least = alloc::vec![Duration::MAX; n];
        for first in (0..runs.max(1)).flat_map(|_| (0..n).step_by(MOST / 2)) {
            let count = (n - first).min(MOST / 2);
            let queries = device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("timestamps"),
                ty: wgpu::QueryType::Timestamp,
                count: 2 * count as u32,
            });
            let zeros = alloc::vec![0; 16 * count];
            let buffer = |usage| {
                device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
                    label: Some("timestamps"),
                    contents: &zeros,
                    usage,
                })
            };
            let resolved = buffer(wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC);
            let staging = buffer(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
            let mut encoder = device.create_command_encoder(&Default::default());
            for i in 0..count {
                let writes = wgpu::ComputePassTimestampWrites {
                    query_set: &queries,
                    beginning_of_pass_write_index: Some(2 * i as u32),
                    end_of_pass_write_index: Some(2 * i as u32 + 1),
                };
                self.encode(&mut encoder, first + i..first + i + 1, Some(writes));
            }
            encoder.resolve_query_set(&queries, 0..2 * count as u32, &resolved, 0);
            encoder.copy_buffer_to_buffer(&resolved, 0, &staging, 0, 16 * count as u64);
            queue.submit([encoder.finish()]);
            staging.slice(..).map_async(wgpu::MapMode::Read, |_| {});
            self.gpu().wait()?;
            let bytes = staging.slice(..).get_mapped_range().map_err(failed)?;
            let tick = |at: usize| {
                let mut word = [0; 8];
                word.copy_from_slice(&bytes[8 * at..8 * at + 8]);
                u64::from_le_bytes(word)
            };
            for (i, time) in least[first..first + count].iter_mut().enumerate() {
                let ticks = tick(2 * i + 1).saturating_sub(tick(2 * i));
                *time = (*time).min(Duration::from_nanos((ticks as f64 * period) as u64));
            }
        }
        let program = self.program();
        let times = program.dispatches.iter().zip(least).map(|(d, time)| DispatchTime {
            name: program.names[d.shader as usize].into(),
            step: d.step,
            groups: d.groups,
            time,
        });
        Ok(GpuProfile(times.collect()))
    }
}
