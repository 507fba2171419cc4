// The WebAssembly core: loading it, and errors of the TypeScript side.

import init, { Core } from './core/gradling_wasm.js';
import type { InitInput } from './core/gradling_wasm.js';

/** The version of the package. */
export const version = '0.1.0';

/** Where the WebAssembly core comes from: an address, its bytes, a response or a compiled module. */
export type WasmSource = InitInput | Promise<InitInput>;

/** What loading gives. */
export interface Loaded {
  memory: WebAssembly.Memory;
  core: Core;
}

/** Loads the core from a place, or from where it is by default. */
export type Loader = (from: WasmSource | undefined) => Promise<Loaded>;

let running: Core | undefined;
let starting: Promise<void> | undefined;
let source: WasmSource | undefined;
let loader: Loader = load;
let memoryBytes = (): number => 0;

/** An error whose fault is the caller's. */
export function misuse(message: string, cause?: unknown): Error {
  return named('MisuseError', message, cause);
}

/** An error for what this build cannot do. */
export function unsupported(message: string, cause?: unknown): Error {
  return named('UnsupportedError', message, cause);
}

/** An error for what the machine refused: storage, network. */
export function deviceError(message: string, cause?: unknown): Error {
  return named('DeviceError', message, cause);
}

/** @internal An error of a name. */
export function named(name: string, message: string, cause: unknown): Error {
  const error = cause === undefined ? new Error(message) : new Error(message, { cause });
  error.name = name;
  return error;
}

/**
 * Says where the WebAssembly core comes from, for bundlers that do not copy it beside the script. Call it before
 * `ready`.
 */
export function setWasmPath(from: WasmSource): void {
  source = from;
}

/** @internal Replaces what loads the core. */
export function setLoader(to: Loader): void {
  loader = to;
}

/** Loads the WebAssembly core. Everything but types needs it; asynchronous functions wait for it by themselves. */
export function ready(): Promise<void> {
  starting ??= start().catch((error: unknown) => {
    starting = undefined;
    throw deviceError('ready: the WebAssembly core cannot be loaded; setWasmPath names another place', error);
  });
  return starting;
}

/** Whether this is Node or something that answers as Node does. */
export const inNode = typeof process !== 'undefined' && process.versions?.node !== undefined;

/** @internal A file beside the script: its address, in Node its bytes. */
export async function beside(url: URL): Promise<InitInput> {
  if (!inNode || url.protocol !== 'file:') return url;
  // The name is kept from bundlers, which would look for a browser's module of that name.
  const name = 'node:fs/promises';
  const { readFile } = (await import(/* @vite-ignore */ name)) as typeof import('node:fs/promises');
  return readFile(url);
}

async function load(source: WasmSource | undefined): Promise<Loaded> {
  const from = (await source) ?? (await beside(new URL('./core/gradling_wasm_bg.wasm', import.meta.url)));
  const { memory } = await init({ module_or_path: from });
  return { memory, core: new Core() };
}

async function start(): Promise<void> {
  const loaded = await loader(source);
  memoryBytes = () => loaded.memory.buffer.byteLength;
  running = loaded.core;
}

/** The loaded core. Throws before `ready` has resolved. */
export function core(): Core {
  if (running === undefined) throw misuse('gradling is not loaded yet; write `await tf.ready()` first');
  return running;
}

/** The bytes of WebAssembly's memory. It grows and never shrinks. */
export function wasmBytes(): number {
  return memoryBytes();
}

/** The name of what computes: `cpu`. */
export function getBackend(): string {
  return 'cpu';
}

/** Loads a backend: resolves to whether there is one of that name. `wasm` is another name of `cpu`. */
export async function setBackend(name: string): Promise<boolean> {
  if (name !== 'cpu' && name !== 'wasm') return false;
  await ready();
  return true;
}
