// Which device trains: the core, or the GPU of the page, whose driver is loaded when it is first asked for.

import { misuse, ready, setBackend as setCore } from './core.js';
import type { Gpu } from './gpu.js';
import type { OpSupport } from './support.js';
import { shadersPath } from './variants.js';

/** What computes the steps of `fit`: the core, the GPU, or whichever of both takes less time for a step. */
export type Backend = 'cpu' | 'webgpu' | 'auto';

let backend: Backend = 'cpu';
let opening: Promise<Gpu> | undefined;

/** What `setBackend` chose: `cpu`, `webgpu` or `auto`; `cpu` again once the GPU is lost. */
export function getBackend(): string {
  return backend;
}

/**
 * Chooses what `fit` computes on where `compile` does not say: `cpu` (also called `wasm`), `webgpu`, or with `auto`
 * whichever is faster, which each model tries. Resolves to whether it is there: where there is no WebGPU, or its
 * adapter computes wrong values, the console says why and everything stays as it was.
 *
 * Operations, `predict`, `evaluate` and `trainOnBatch` compute on the core all the same: their results are wanted at
 * once, and a page cannot wait for a GPU.
 */
export async function setBackend(name: string): Promise<boolean> {
  if (name !== 'webgpu' && name !== 'auto') {
    const there = await setCore(name);
    if (there) backend = 'cpu';
    return there;
  }
  await ready();
  if ((await openGpu(name)) === undefined) return false;
  backend = name;
  return true;
}

/** @internal What a model computes on: what it was compiled for, else what `setBackend` chose. */
export function chosen(device: Backend | undefined): Backend {
  if (device !== undefined && !['cpu', 'webgpu', 'auto'].includes(device)) throw misuse(`compile: device ${String(device)}; expected cpu, webgpu or auto`);
  return device ?? backend;
}

/** @internal The GPU, opened on first use; nothing where it cannot be, which the console is told. */
export async function openGpu(name: Backend): Promise<Gpu | undefined> {
  const mine = (opening ??= load());
  try {
    return await mine;
  } catch (error) {
    if (opening === mine) opening = undefined;
    console.warn(`gradling: ${name} is not to be had: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

async function load(): Promise<Gpu> {
  const { Gpu } = await import('./gpu.js');
  const gpu = await Gpu.open(shadersPath());
  const mine = opening;
  void gpu.lost.then(() => {
    if (opening !== mine) return;
    opening = undefined;
    backend = 'cpu';
  });
  return gpu;
}

/** What each op runs on: a table of op, device and gradient, which works without a GPU, too. */
export async function backendReport(): Promise<OpSupport[]> {
  const { report } = await import('./support.js');
  return report();
}
