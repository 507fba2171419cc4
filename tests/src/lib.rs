//! Cross-crate tests of Gradling: the conformance harness that replays cases recorded from
//! TensorFlow on every executor, and helpers shared by the tests in `tests/tests`.
//!
//! The harness is a pipeline of small parts: [`case`] reads a group file, [`tensors`] its tensors, a
//! `run_*` module turns a case into calls of the public API, [`executor`] runs it in every way there is,
//! [`compare`] judges the numbers and [`table`] prints the outcome.

pub mod case;
pub mod compare;
pub mod executor;
pub mod expected;
pub mod harness;
pub mod layers;
pub mod losses;
pub mod metrics;
pub mod ops;
pub mod optimizers;
pub mod program;
pub mod run_activation;
pub mod run_layer;
pub mod run_loss;
pub mod run_metric;
pub mod run_op;
pub mod run_optimizer;
pub mod run_regularizer;
pub mod run_schedule;
pub mod run_training;
pub mod table;
pub mod tensors;
pub mod training_data;
