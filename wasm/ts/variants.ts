// The builds of the core and which of them is loaded: 128-bit vectors, those with fused multiply-add, and these on the
// threads of web workers.

import init, { Core } from './core/gradling_wasm.js';
import type { InitInput } from './core/gradling_wasm.js';
import { beside, core, misuse, named, setLoader, unsupported } from './core.js';
import type { Loaded, WasmSource } from './core.js';

/** The instructions of a build: 128-bit vectors, or those and fused multiply-add. */
export type WasmVariant = 'simd128' | 'relaxed-simd';

/** Where the files of the builds are; `threads` is the build with relaxed SIMD and shared memory, `gpu` what WebGPU takes. */
export interface WasmPaths {
  /** `core/gradling_wasm_bg.wasm` */
  simd128?: WasmSource;
  /** `core/gradling_wasm_relaxed.wasm` */
  'relaxed-simd'?: WasmSource;
  /** `threads/gradling_wasm_relaxed.wasm` */
  threads?: WasmSource;
  /** `gpu/gradling_wasm_gpu_bg.wasm` */
  gpu?: WasmSource;
}

/** More threads than this are not used unless asked for. */
const MOST = 4;
/** How long workers may take from loading to serving, in milliseconds. */
const PATIENCE = 10_000;

let wanted: WasmVariant | undefined;
let wantedThreads: number | undefined;
let paths: WasmPaths = {};

/**
 * Chooses the build that `ready` loads; without it the best that the machine runs. With `simd128` results have the same
 * bits on every machine; `relaxed-simd` rounds a product and a sum at once where the machine can.
 */
export function setWasmVariant(variant: WasmVariant | 'auto'): void {
  if (!['simd128', 'relaxed-simd', 'auto'].includes(variant)) throw misuse(`setWasmVariant: expected simd128, relaxed-simd or auto, got ${String(variant)}`);
  wanted = variant === 'auto' ? undefined : variant;
}

/** The build that is loaded. */
export function getWasmVariant(): WasmVariant {
  return core().level() as WasmVariant;
}

/**
 * The most threads that `ready` starts, the calling one included; by default as many as there are processors, at most
 * four. Results have the same bits whatever their number. Threads take a page that is cross-origin isolated and relaxed
 * SIMD; `getThreadsCount` tells how many there are.
 */
export function setThreadsCount(threads: number): void {
  if (!Number.isInteger(threads) || threads < 1) throw misuse(`setThreadsCount: expected a whole number of at least 1, got ${threads}`);
  wantedThreads = threads;
}

/** The number of threads that compute. */
export function getThreadsCount(): number {
  return core().threads();
}

/** Says where the files of the builds are, for bundlers that do not copy them. Call it before `ready`. */
export function setWasmPaths(to: WasmPaths): void {
  paths = { ...to };
}

/** @internal Where the module that makes shaders is, if that was said. */
export function shadersPath(): WasmSource | undefined {
  return paths.gpu;
}

/** A module of one function that multiplies and adds vectors at once. */
const RELAXED = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0],
  ...[65, 0, 253, 15, 65, 0, 253, 15, 65, 0, 253, 15, 253, 133, 2, 11],
);

function hasRelaxedSimd(): boolean {
  return WebAssembly.validate(RELAXED);
}

function mayShareMemory(): boolean {
  return globalThis.crossOriginIsolated === true && typeof SharedArrayBuffer === 'function' && typeof Worker === 'function';
}

async function load(source: WasmSource | undefined): Promise<Loaded> {
  if (source !== undefined) return alone(await source);
  const relaxed = hasRelaxedSimd();
  if (wanted === 'relaxed-simd' && !relaxed) throw unsupported('ready: relaxed SIMD is not supported here; use setWasmVariant("auto")');
  if (!relaxed || wanted === 'simd128') {
    return alone((await paths.simd128) ?? (await beside(new URL('./core/gradling_wasm_bg.wasm', import.meta.url))));
  }
  const threads = wantedThreads ?? Math.min(globalThis.navigator?.hardwareConcurrency ?? 1, MOST);
  if (threads > 1 && mayShareMemory()) {
    try {
      return await together(threads);
    } catch (error) {
      if (wantedThreads !== undefined) throw named('DeviceError', `ready: ${threads} threads cannot be started; setThreadsCount(1) does without`, error);
      console.warn('gradling: threads cannot be started, so it runs on one; setThreadsCount(1) says so beforehand.', error);
    }
  }
  return alone((await paths['relaxed-simd']) ?? (await beside(new URL('./core/gradling_wasm_relaxed.wasm', import.meta.url))));
}

/** The core on the calling thread. */
async function alone(from: InitInput): Promise<Loaded> {
  const { memory } = await init({ module_or_path: from });
  return { memory, core: new Core() };
}

/** The core on several threads: each worker has an instance of the module on the same memory. */
async function together(threads: number): Promise<Loaded> {
  const glue = await import('./threads/gradling_wasm.js');
  const from = (await paths.threads) ?? new URL('./threads/gradling_wasm_relaxed.wasm', import.meta.url);
  const module = await compile(from);
  const { memory } = await glue.default({ module_or_path: module });
  // The pool is made before workers look for it.
  const loaded = new glue.Core() as unknown as Core;
  const workers = Array.from({ length: threads - 1 }, () => new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'gradling' }));
  try {
    await Promise.all(workers.map((worker) => joined(worker, { module, memory })));
    await serving(loaded, threads);
  } catch (error) {
    for (const worker of workers) worker.terminate();
    throw error;
  }
  return { memory, core: loaded };
}

function joined(worker: Worker, start: { module: WebAssembly.Module; memory: WebAssembly.Memory }): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<string>) => (data === '' ? resolve() : reject(new Error(data)));
    worker.onerror = (event) => reject(new Error(event.message || 'a worker cannot be loaded'));
    worker.postMessage(start);
  });
}

/** Waits for the workers, which serve right after they have said that they are there. */
async function serving(loaded: Core, threads: number): Promise<void> {
  for (const start = performance.now(); loaded.threads() < threads; ) {
    if (performance.now() - start > PATIENCE) throw new Error(`only ${loaded.threads()} of ${threads} threads have started`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function compile(from: InitInput): Promise<WebAssembly.Module> {
  if (from instanceof WebAssembly.Module) return from;
  if (from instanceof ArrayBuffer || ArrayBuffer.isView(from)) return WebAssembly.compile(from);
  const response = from instanceof Response ? from : await fetch(from as RequestInfo | URL);
  if (!response.ok) throw new Error(`the server answered ${response.status} for ${response.url}`);
  const streams = response.headers.get('Content-Type')?.startsWith('application/wasm') === true;
  return streams ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
}

setLoader(load);
