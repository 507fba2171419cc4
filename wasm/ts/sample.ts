// The test of an adapter when it is opened: a few ops beside the processor.

import { unsupported } from './core.js';
import type { Gpu } from './gpu.js';

/** Largest difference from the processor, relative to the largest value. */
const TOLERANCE = 1e-3;

/** The shape of the input. */
const [ROWS, COLUMNS] = [37, 53];

/** What each op of the sample gives at a row and a column of its result, which has so many columns. */
const OPS: { [name: string]: [number, (x: (row: number, column: number) => number, row: number, column: number) => number] } = {
  matmul: [ROWS, (x, a, b) => sum(COLUMNS, (k) => x(a, k) * x(b, k))],
  reduce_sum: [COLUMNS, (x, _, column) => sum(ROWS, (row) => x(row, column))],
  exp: [COLUMNS, (x, row, column) => Math.exp(x(row, column))],
  tanh: [COLUMNS, (x, row, column) => Math.tanh(x(row, column))],
  transpose: [ROWS, (x, row, column) => x(column, row)],
  softmax: [COLUMNS, (x, row, column) => Math.exp(x(row, column)) / sum(COLUMNS, (k) => Math.exp(x(row, k)))],
};

function sum(count: number, term: (n: number) => number): number {
  let all = 0;
  for (let n = 0; n < count; n++) all += term(n);
  return all;
}

/** @internal Compares the adapter with the processor; rejects with the first op of which the values differ. */
export async function check(gpu: Gpu): Promise<void> {
  const input = Float32Array.from({ length: ROWS * COLUMNS }, (_, n) => (((n * 29) % 101) - 50) / 40);
  const x = (row: number, column: number): number => input[row * COLUMNS + column] ?? 0;
  const sessions = gpu.sessions();
  try {
    const session = await sessions.prepareSample();
    sessions.writeInput(session, 0, new Uint8Array(input.buffer));
    sessions.run(session);
    for (const { name, bytes } of await sessions.readOutputs(session)) {
      const [columns, value] = OPS[name] ?? [1, () => NaN];
      const got = new Float32Array(bytes.buffer);
      const wanted = got.map((_, n) => value(x, Math.floor(n / columns), n % columns));
      const scale = wanted.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-6);
      const wrong = got.findIndex((v, n) => !(Math.abs(v - (wanted[n] ?? NaN)) <= TOLERANCE * scale));
      if (wrong < 0) continue;
      throw unsupported(`webgpu: ${gpu.name} computes wrong values: ${name} gives ${got[wrong]} where the processor gives ${wanted[wrong]}; use the cpu`);
    }
  } finally {
    sessions.dispose();
  }
}
