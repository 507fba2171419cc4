// Where the time of a model goes: each step of its plan.

import type { Model as CoreModel } from './core/gradling_wasm.js';
import { misuse } from './core.js';
import { getThreadsCount, getWasmVariant } from './variants.js';
import type { WasmVariant } from './variants.js';

/** Arguments of `profile`. */
export interface ModelProfileArgs {
  /** Whether a train step is timed, or a prediction; a prediction by default. */
  train?: boolean;
  /** Samples a step; 32 by default. */
  batchSize?: number;
  /** How long to measure, in milliseconds; 300 by default. */
  milliseconds?: number;
}

/** One step of a plan. */
export interface StepProfile {
  /** The operator; `region` is a chain of elementwise ones. */
  op: string;
  /** The loops that run it, such as `gemm simd128 4x8`. */
  kernel: string;
  /** Types and shapes of what it reads, such as `float32[32, 784]`. */
  reads: string[];
  /** Types and shapes of what it writes. */
  writes: string[];
  /** The mean time of a run. */
  microseconds: number;
  /** Floating-point operations, a multiply-add counting as two. */
  flops: number;
  /** Bytes read and written. */
  bytes: number;
}

/** The steps of a plan, their sums, and what they ran on. */
export interface ModelProfile {
  steps: StepProfile[];
  microseconds: number;
  flops: number;
  bytes: number;
  variant: WasmVariant;
  threads: number;
}

/** A line of the core in its parts: operator, kernel, and `float32[4, 4] @arena+0, … -> float32[4, 2] @arena+64`. */
function parts(line: string): Pick<StepProfile, 'op' | 'kernel' | 'reads' | 'writes'> {
  const [op = '', kernel = '', what = ''] = line.split('\t');
  const [from = '', to = ''] = (what.split(' (workspace')[0] ?? '').split(' -> ');
  const operands = (text: string): string[] => text.match(/\w+\[[^\]]*\]/g) ?? [];
  return { op, kernel, reads: operands(from), writes: operands(to) };
}

/** @internal Times a model of the core. */
export function profile(model: CoreModel, args: ModelProfileArgs): ModelProfile {
  const { train = false, batchSize = 32, milliseconds = 300 } = args;
  if (!Number.isInteger(batchSize) || batchSize < 1) throw misuse(`profile: batchSize: expected a whole number of at least 1, got ${batchSize}`);
  const timed = model.profile(train, batchSize, milliseconds / 1000);
  const numbers = timed.numbers();
  const steps = timed.steps().split('\n').filter(Boolean).map((line, i) => {
    const [microseconds = 0, flops = 0, bytes = 0] = numbers.subarray(3 * i, 3 * i + 3);
    return { ...parts(line), microseconds, flops, bytes };
  });
  timed.free();
  const sum = (of: (step: StepProfile) => number): number => steps.reduce((all, step) => all + of(step), 0);
  return {
    steps,
    microseconds: sum((step) => step.microseconds),
    flops: sum((step) => step.flops),
    bytes: sum((step) => step.bytes),
    variant: getWasmVariant(),
    threads: getThreadsCount(),
  };
}
