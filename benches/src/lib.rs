//! Benchmarks of Gradling: workloads, interleaved measurement, peers beside us, reports.

pub mod measure;
pub mod models;
pub mod ours;
pub mod peer;
pub mod peers;
pub mod report;
pub mod workload;
