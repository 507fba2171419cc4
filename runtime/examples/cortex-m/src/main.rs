//! The MNIST classifier on a Cortex-M7: the model is read where it lies in flash, the arena is a static whose size
//! the compiler takes from the model, and there is no allocator.
//!
//! Prints its memory and the ten probabilities of one picture through the debugger (semihosting), then ends the
//! emulator with 0, or 1 after an error. The model comes from the runtime's example `firmware_model`, run first in the
//! workspace; then `cargo run --release` here. `cargo xtask test --only firmware` does both and compares.
#![no_std]
#![no_main]

use core::panic::PanicInfo;
use cortex_m_rt::{ExceptionFrame, STACK_PAINT_VALUE, entry, exception};
use cortex_m_semihosting::debug::{EXIT_FAILURE, EXIT_SUCCESS, exit};
use cortex_m_semihosting::hprintln;
use gradling::arena::Aligned;
use gradling::plan::file::{arena_bytes, kernels};
use gradling::session::StaticSession;
use gradling::{Error, Result};

const MODEL: &[u8] = include_bytes!(env!("GRADLING_PLAN"));
const ARENA_BYTES: usize = arena_bytes(MODEL);

static PLAN: Aligned<[u8; MODEL.len()]> = Aligned(*include_bytes!(env!("GRADLING_PLAN")));
static DIGIT: [u8; 784] = *include_bytes!(env!("GRADLING_DIGIT"));

#[entry]
fn main() -> ! {
    static mut ARENA: Aligned<[u8; ARENA_BYTES]> = Aligned([0; ARENA_BYTES]);
    match classify(&mut ARENA.0) {
        Ok(()) => exit(EXIT_SUCCESS),
        Err(error) => {
            hprintln!("error: {}", error);
            exit(EXIT_FAILURE);
        }
    }
    stop()
}

fn classify(arena: &mut [u8]) -> Result<()> {
    let mut session = StaticSession::<{ kernels(MODEL) }>::with_kernels(&PLAN.0, arena)?;
    for (x, &pixel) in session.input_mut::<f32>(0)?.iter_mut().zip(&DIGIT) {
        *x = f32::from(pixel) / 255.0;
    }
    session.run()?;
    let stack = stack_bytes();
    let probabilities = session.output::<f32>(0)?;
    hprintln!(
        "arena {} bytes, flash {} bytes, model {} bytes, stack {} bytes",
        ARENA_BYTES,
        flash_bytes(),
        MODEL.len(),
        stack
    );
    for (digit, p) in probabilities.iter().enumerate() {
        hprintln!("probability {} {:.8e} {:#010x}", digit, p, p.to_bits());
    }
    let best = probabilities.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    match best {
        Some((digit, _)) => hprintln!("digit {}", digit),
        None => return Err(Error::Misuse("the model has no output")),
    }
    Ok(())
}

// What the linker knows; only the addresses mean anything.
unsafe extern "C" {
    static __vector_table: u8;
    static __sidata: u8;
    static __sdata: u8;
    static __edata: u8;
    static _stack_start: u32;
    static _stack_end: u32;
}

/// Everything in flash: code, constants, model, initial values of statics.
fn flash_bytes() -> usize {
    let text = (&raw const __sidata).addr() - (&raw const __vector_table).addr();
    text + (&raw const __edata).addr() - (&raw const __sdata).addr()
}

/// The deepest that the stack has been: the runtime painted all of it before `main`.
fn stack_bytes() -> usize {
    let (mut word, top) = (&raw const _stack_end, &raw const _stack_start);
    // SAFETY: the words from the end of the stack to its start are RAM that nothing else uses.
    while word < top && unsafe { word.read_volatile() } == STACK_PAINT_VALUE {
        word = word.wrapping_add(1);
    }
    top.addr() - word.addr()
}

fn stop() -> ! {
    loop {
        cortex_m::asm::wfi();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    hprintln!("{}", info);
    exit(EXIT_FAILURE);
    stop()
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    hprintln!("hard fault at {:#010x}", frame.pc());
    exit(EXIT_FAILURE);
    stop()
}
