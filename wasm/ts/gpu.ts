// Plans on the GPU of a page, through WebGPU. `import('./gpu.js')` alone loads this and the module that makes shaders, so
// that a page which never asks for a GPU downloads neither.

import init, { Shaders } from './gpu/gradling_wasm_gpu.js';
import { beside, deviceError, misuse, unsupported } from './core.js';
import type { WasmSource } from './core.js';
import { check } from './sample.js';

/** Bits of `GPUBufferUsage`, `GPUShaderStage` and `GPUMapMode`, which browsers without WebGPU lack. */
const MAP_READ = 1;
const COPY_SRC = 4;
const COPY_DST = 8;
const UNIFORM = 64;
const STORAGE = 128 | COPY_SRC | COPY_DST;
const COMPUTE = 4;
const READ = 1;

/** What is taken of an adapter where it has it. */
const FEATURES: GPUFeatureName[] = ['timestamp-query', 'subgroups', 'shader-f16'];
const LIMITS = ['maxStorageBufferBindingSize', 'maxBufferSize', 'maxComputeWorkgroupStorageSize', 'maxComputeInvocationsPerWorkgroup'] as const;

/** Element types in the order of the core. */
const TYPES = ['float32', 'int32', 'uint8', 'bool', 'int8', 'float16'] as const;

/** A value of a run: its elements one after another as bytes. */
export interface Value {
  name: string;
  shape: number[];
  dtype: (typeof TYPES)[number];
  bytes: Uint8Array;
}

/** An input or output of a plan. */
interface Port {
  name: string;
  place: number;
  offset: number;
  bytes: number;
  dtype: (typeof TYPES)[number];
  shape: number[];
}

/** A plan as shaders and dispatches. */
interface Program {
  texts: string[];
  names: string[];
  /** Five numbers a dispatch: text, step, workgroups along three axes. */
  dispatches: Uint32Array;
  offsets: Uint8Array;
  constants: Uint8Array;
  inputs: Port[];
  outputs: Port[];
  arena: number;
  variables: number;
  scratch: number;
  /** Bytes between the offsets of two steps, and of those that a step sees. */
  stride: number;
  seen: number;
}

/** A plan with its memory on the GPU. */
interface Session {
  program: Program;
  pipelines: GPUComputePipeline[];
  arena: GPUBuffer;
  constants: GPUBuffer;
  scratch: GPUBuffer;
  offsets: GPUBuffer;
  bindings: GPUBindGroup;
  /** Of each dispatch, where the offsets of its step begin. */
  places: Uint32Array;
}

/** A GPU that is open, with the pipelines that were made on it. */
export class Gpu {
  /** What the adapter tells of itself. */
  readonly name: string;
  /** Whether the adapter is a program on the processor. */
  readonly software: boolean;
  /** Why the device was lost, once it is. */
  readonly lost: Promise<string>;
  /** @internal */
  readonly device: GPUDevice;
  /** @internal The bindings of every shader. */
  readonly layout: GPUBindGroupLayout;
  readonly #pipelineLayout: GPUPipelineLayout;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  /** Buffers that are read from and not in use. */
  readonly #staging: GPUBuffer[] = [];
  #failure: Error | undefined;

  private constructor(adapter: GPUAdapter, device: GPUDevice) {
    // Browsers tell more or less of an adapter, some nothing.
    const { vendor, architecture, device: model, description, isFallbackAdapter }: Partial<GPUAdapterInfo> = adapter.info ?? {};
    this.name = [vendor, architecture, model, description].filter((part) => part).join(' ') || 'GPU';
    this.software = isFallbackAdapter === true || architecture === 'swiftshader';
    this.device = device;
    this.lost = device.lost.then(({ message, reason }) => {
      this.#fail(deviceError(`webgpu: the device was lost: ${message || reason}`));
      return message || reason;
    });
    device.onuncapturederror = (event) => {
      event.preventDefault();
      this.#fail(deviceError(`webgpu: ${event.error.message}`));
    };
    const entry = (binding: number, buffer: GPUBufferBindingLayout): GPUBindGroupLayoutEntry => ({ binding, visibility: COMPUTE, buffer });
    this.layout = device.createBindGroupLayout({
      label: 'memory of a plan',
      entries: [
        entry(0, { type: 'storage' }),
        entry(1, { type: 'storage' }),
        entry(2, { type: 'read-only-storage' }),
        entry(3, { type: 'storage' }),
        entry(4, { type: 'uniform', hasDynamicOffset: true }),
      ],
    });
    this.#pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [this.layout] });
  }

  /**
   * Opens the adapter that the browser prefers and compares a few ops on it with the processor. `wasm` is where
   * `gpu/gradling_wasm_gpu_bg.wasm` comes from, for bundlers that do not copy it.
   */
  static async open(wasm?: WasmSource): Promise<Gpu> {
    const adapter = await globalThis.navigator?.gpu?.requestAdapter({ powerPreference: 'high-performance' });
    if (!adapter) throw unsupported('webgpu: there is no WebGPU here, or no adapter for it; use the cpu');
    await loadShaders(wasm);
    let device;
    try {
      device = await adapter.requestDevice({
        label: 'gradling',
        requiredFeatures: FEATURES.filter((name) => adapter.features.has(name)),
        requiredLimits: Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]])),
      });
    } catch (error) {
      throw unsupported('webgpu: the adapter gives no device; use the cpu', error);
    }
    const gpu = new Gpu(adapter, device);
    try {
      await check(gpu);
    } catch (error) {
      gpu.dispose();
      throw error;
    }
    return gpu;
  }

  /** The plans of a model, none yet, with its variables. */
  sessions(): Sessions {
    return new Sessions(this);
  }

  /** Resolves when all that is queued has run. */
  async settled(): Promise<void> {
    this.healthy();
    await this.device.queue.onSubmittedWorkDone();
    this.healthy();
  }

  /** Gives the device up, as if the GPU had been pulled out: what comes after fails. */
  lose(): void {
    this.device.destroy();
    this.#fail(deviceError('webgpu: the device was lost'));
  }

  /** Gives up the device and all memory on it. */
  dispose(): void {
    this.lose();
    this.#pipelines.clear();
    this.#staging.length = 0;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
  }

  /** @internal Throws when the device was lost or refused something since it was opened. */
  healthy(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** @internal The pipeline of a shader, made on first use. */
  pipeline(op: string, text: string): Promise<GPUComputePipeline> {
    let pipeline = this.#pipelines.get(text);
    if (pipeline === undefined) {
      pipeline = this.#compile(op, text);
      this.#pipelines.set(text, pipeline);
      pipeline.catch(() => this.#pipelines.delete(text));
    }
    return pipeline;
  }

  async #compile(op: string, text: string): Promise<GPUComputePipeline> {
    const { device } = this;
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ label: op, code: text });
    const refused = device.popErrorScope();
    try {
      return await device.createComputePipelineAsync({ label: op, layout: this.#pipelineLayout, compute: { module, entryPoint: 'main' } });
    } catch (error) {
      this.healthy();
      throw unsupported(`webgpu: the shader of ${op} is refused: ${(await refused)?.message ?? String(error)}`, error);
    }
  }

  /** @internal Calls what makes memory; rejects where the device refuses it. */
  async guarded<T>(make: () => T): Promise<T> {
    const { device } = this;
    this.healthy();
    device.pushErrorScope('validation');
    device.pushErrorScope('out-of-memory');
    let made: T;
    let errors;
    try {
      made = make();
    } finally {
      errors = [device.popErrorScope(), device.popErrorScope()];
    }
    for (const error of await Promise.all(errors)) {
      if (error !== null) throw deviceError(`webgpu: the device has no memory for this: ${error.message}; use smaller batches`);
    }
    this.healthy();
    return made;
  }

  /** @internal A buffer for so many bytes. */
  buffer(label: string, bytes: number, usage = STORAGE): GPUBuffer {
    // A little more than asked: bindings may not be empty, and copies are of whole words.
    const size = wholes(bytes, 64) + 64;
    const most = this.device.limits.maxStorageBufferBindingSize;
    if (size > most) throw misuse(`webgpu: ${label} of ${size} bytes, this adapter binds ${most}; use smaller batches`);
    return this.device.createBuffer({ label, size, usage });
  }

  /** @internal Queues a write, which is of whole words: the last one is filled with zeros. */
  write(buffer: GPUBuffer, offset: number, bytes: Uint8Array): void {
    const { queue } = this.device;
    const whole = bytes.length - (bytes.length % 4);
    if (whole > 0) queue.writeBuffer(buffer, offset, bytes, 0, whole);
    if (whole === bytes.length) return;
    const word = new Uint8Array(4);
    word.set(bytes.subarray(whole));
    queue.writeBuffer(buffer, offset + whole, word);
  }

  /** @internal The bytes that `copy` copies to a buffer, after all that is queued. */
  async read(bytes: number, copy: (encoder: GPUCommandEncoder, to: GPUBuffer) => void): Promise<Uint8Array> {
    this.healthy();
    if (bytes === 0) return new Uint8Array();
    const known = this.#staging.findIndex((buffer) => buffer.size >= bytes);
    // Those that are too small make room for a larger one.
    const [free] = this.#staging.splice(Math.max(known, 0), 1);
    if (known < 0) free?.destroy();
    const staging = known < 0 || free === undefined ? this.buffer('staging', bytes, MAP_READ | COPY_DST) : free;
    const encoder = this.device.createCommandEncoder();
    copy(encoder, staging);
    this.device.queue.submit([encoder.finish()]);
    try {
      await staging.mapAsync(READ, 0, wholes(bytes, 4));
    } catch (error) {
      staging.destroy();
      this.healthy();
      throw deviceError('webgpu: the values cannot be read', error);
    }
    const copied = new Uint8Array(staging.getMappedRange(0, wholes(bytes, 4))).slice(0, bytes);
    staging.unmap();
    this.#staging.push(staging);
    this.healthy();
    return copied;
  }
}

/**
 * The plans of one model on a GPU, which share its variables. Writes and runs are queued in the order of the calls, once a
 * plan is ready, and what reads waits for them. What goes wrong with them fails the next call after the browser has told.
 */
export class Sessions {
  readonly #gpu: Gpu;
  /** By number; an error where making one ready failed, nothing before it is ready. */
  readonly #all: (Session | Error | undefined)[] = [];
  /** Resolves when all plans that were begun are ready or have failed. */
  #begun: Promise<unknown> = Promise.resolve();
  #variables: GPUBuffer | undefined;
  /** Bytes of the variables that plans or writes have named. */
  #bytes = 0;

  /** @internal Made by `Gpu.sessions`. */
  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** Makes shaders and memory of a plan file, which was compiled without workspace; gives its number. */
  async prepare(plan: Uint8Array): Promise<number> {
    return this.#ready(new Shaders(plan), this.#all.push(undefined) - 1);
  }

  /** As `prepare`, for those who do not wait but ask whether it is ready. */
  begin(plan: Uint8Array): number {
    const shaders = new Shaders(plan);
    const number = this.#all.push(undefined) - 1;
    // What goes wrong is told when somebody asks.
    this.#begun = Promise.allSettled([this.#begun, this.#ready(shaders, number)]);
    return number;
  }

  /** Resolves when nothing that was begun is still to be made ready. */
  async prepared(): Promise<void> {
    await this.#begun;
  }

  /** Whether a plan can run. Throws what went wrong with it. */
  isReady(session: number): boolean {
    const found = this.#all[session];
    if (found instanceof Error) throw found;
    return found !== undefined;
  }

  /** @internal Prepares the plan that tests adapters. */
  async prepareSample(): Promise<number> {
    return this.#ready(new Shaders(), this.#all.push(undefined) - 1);
  }

  async #ready(shaders: Shaders, number: number): Promise<number> {
    const gpu = this.#gpu;
    const program = programOf(shaders);
    try {
      gpu.healthy();
      const pipelines = await Promise.all(program.texts.map((text, n) => gpu.pipeline(program.names[n] ?? '', text)));
      await gpu.guarded(() => this.#add(number, program, pipelines));
    } catch (error) {
      this.#drop(number);
      this.#all[number] = error as Error;
      throw error;
    }
    this.#session(number);
    return number;
  }

  #add(number: number, program: Program, pipelines: GPUComputePipeline[]): void {
    const gpu = this.#gpu;
    // Let go of meanwhile.
    if (this.#all[number] !== undefined) return;
    this.#grow(program.variables);
    const buffers = {
      arena: gpu.buffer('arena', program.arena),
      constants: gpu.buffer('constants', program.constants.length),
      scratch: gpu.buffer('scratch', program.scratch),
      offsets: gpu.buffer('offsets', program.offsets.length, UNIFORM | COPY_DST),
    };
    gpu.write(buffers.constants, 0, program.constants);
    gpu.write(buffers.offsets, 0, program.offsets);
    const places = Uint32Array.from({ length: program.dispatches.length / 5 }, (_, n) => (program.dispatches[5 * n + 1] ?? 0) * program.stride);
    this.#all[number] = { program, pipelines, ...buffers, places, bindings: this.#bind({ program, ...buffers }) };
  }

  #bind(session: Omit<Session, 'bindings' | 'pipelines' | 'places'>): GPUBindGroup {
    const variables = this.#variables as GPUBuffer;
    const offsets = { buffer: session.offsets, size: session.program.seen };
    const resources = [{ buffer: session.arena }, { buffer: variables }, { buffer: session.constants }, { buffer: session.scratch }, offsets];
    const entries = resources.map((resource, binding) => ({ binding, resource }));
    return this.#gpu.device.createBindGroup({ label: 'memory', layout: this.#gpu.layout, entries });
  }

  /** Makes room for so many bytes of variables, which keep their values. */
  #grow(bytes: number): GPUBuffer {
    const before = this.#variables;
    const now = before !== undefined && before.size >= wholes(bytes, 4) ? before : this.#gpu.buffer('variables', bytes);
    this.#bytes = Math.max(this.#bytes, bytes);
    if (now === before) return now;
    this.#variables = now;
    if (before === undefined) return now;
    const { device } = this.#gpu;
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(before, 0, now, 0, before.size);
    device.queue.submit([encoder.finish()]);
    before.destroy();
    for (const session of this.#all) if (session !== undefined && !(session instanceof Error)) session.bindings = this.#bind(session);
    return now;
  }

  #drop(number: number): void {
    const session = this.#all[number];
    this.#all[number] = misuse('webgpu: the plan was let go of; prepare it again');
    if (session === undefined || session instanceof Error) return;
    for (const buffer of [session.arena, session.constants, session.scratch, session.offsets]) buffer.destroy();
  }

  #session(number: number): Session {
    this.#gpu.healthy();
    const session = this.#all[number];
    if (session instanceof Error) throw session;
    if (session === undefined) throw misuse(`webgpu: session ${number} is not ready; wait for prepare`);
    return session;
  }

  /** Queues a write of input `n`; runs that are queued already see the value from before. */
  writeInput(session: number, n: number, bytes: Uint8Array): void {
    const { program, arena } = this.#session(session);
    const port = program.inputs[n];
    if (port === undefined) throw misuse(`webgpu: there is no input ${n}`);
    if (bytes.length !== port.bytes) throw misuse(`webgpu: input ${port.name}: expected ${port.bytes} bytes, got ${bytes.length}`);
    this.#gpu.write(arena, port.offset, bytes);
  }

  /** Queues a write of variables, from a byte that is the first of one on. */
  writeVariables(offset: number, bytes: Uint8Array): void {
    this.#gpu.healthy();
    this.#gpu.write(this.#grow(offset + bytes.length), offset, bytes);
  }

  /** Queues all steps of a plan as one command buffer; variables stay on the GPU. */
  run(session: number): void {
    const { program, pipelines, bindings, places } = this.#session(session);
    const { dispatches } = program;
    const { device } = this.#gpu;
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    let last: GPUComputePipeline | undefined;
    for (let n = 0, at = 0; n < places.length; n++, at += 5) {
      const pipeline = pipelines[dispatches[at] as number] as GPUComputePipeline;
      if (pipeline !== last) pass.setPipeline(pipeline);
      last = pipeline;
      pass.setBindGroup(0, bindings, places, n, 1);
      pass.dispatchWorkgroups(dispatches[at + 2] as number, dispatches[at + 3], dispatches[at + 4]);
    }
    pass.end();
    device.queue.submit([encoder.finish()]);
  }

  /** The variables after all runs so far. */
  async readVariables(): Promise<Uint8Array> {
    this.#gpu.healthy();
    const from = this.#grow(this.#bytes);
    return this.#gpu.read(this.#bytes, (encoder, to) => encoder.copyBufferToBuffer(from, 0, to, 0, wholes(this.#bytes, 4)));
  }

  /** The outputs of the last run. */
  async readOutputs(session: number): Promise<Value[]> {
    const { program, arena, constants } = this.#session(session);
    const buffers = [arena, this.#grow(this.#bytes), constants];
    const starts: number[] = [];
    let all = 0;
    for (const { bytes } of program.outputs) {
      starts.push(all);
      all += wholes(bytes, 16);
    }
    const read = await this.#gpu.read(all, (encoder, to) => {
      program.outputs.forEach(({ place, offset, bytes }, n) => {
        const from = buffers[place];
        if (from !== undefined && bytes > 0) encoder.copyBufferToBuffer(from, offset, to, starts[n] ?? 0, wholes(bytes, 4));
      });
    });
    return program.outputs.map(({ name, shape, dtype, bytes }, n) => {
      const start = starts[n] ?? 0;
      return { name, shape, dtype, bytes: read.slice(start, start + bytes) };
    });
  }

  /** Lets go of all plans; the variables stay. */
  forget(): void {
    this.#all.forEach((_, number) => this.#drop(number));
  }

  /** Frees the memory of all plans and the variables. */
  dispose(): void {
    this.forget();
    this.#variables?.destroy();
    this.#variables = undefined;
    this.#bytes = 0;
  }
}

/** The least multiple that is not less. */
function wholes(bytes: number, of: number): number {
  return Math.ceil(bytes / of) * of;
}

/** Takes what a program is out of WebAssembly's memory and frees it there. */
function programOf(shaders: Shaders): Program {
  const [arena = 0, variables = 0, scratch = 0, stride = 0, seen = 0] = shaders.sizes();
  const names = shaders.ports();
  const inputs = portsOf(shaders.inputs(), names);
  const outputs = portsOf(shaders.outputs(), names.slice(inputs.length));
  const program = {
    texts: shaders.texts(),
    names: shaders.names(),
    dispatches: shaders.dispatches(),
    offsets: shaders.offsets(),
    constants: shaders.constants(),
    ...{ inputs, outputs, arena, variables, scratch, stride, seen },
  };
  shaders.free();
  return program;
}

function portsOf(numbers: Uint32Array, names: string[]): Port[] {
  const ports: Port[] = [];
  for (let at = 0; at < numbers.length; ) {
    const [place = 0, offset = 0, bytes = 0, type = 0, rank = 0] = numbers.subarray(at, at + 5);
    const shape = [...numbers.subarray(at + 5, at + 5 + rank)];
    ports.push({ name: names[ports.length] ?? '', place, offset, bytes, dtype: TYPES[type] ?? 'float32', shape });
    at += 5 + rank;
  }
  return ports;
}

async function loadShaders(wasm: WasmSource | undefined): Promise<void> {
  const from = (await wasm) ?? (await beside(new URL('./gpu/gradling_wasm_gpu_bg.wasm', import.meta.url)));
  try {
    await init({ module_or_path: from });
  } catch (error) {
    throw deviceError('webgpu: the module that makes shaders cannot be loaded', error);
  }
}
