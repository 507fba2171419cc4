//! Gradling: a neural-network runtime that trains and infers natively, in the browser and on microcontrollers.
#![no_std]

#[cfg(feature = "std")]
extern crate std;

pub mod kernel;
