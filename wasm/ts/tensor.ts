// Tensors: handles of arrays in WebAssembly's memory, their making and their end.

import { core, misuse, unsupported, wasmBytes } from './core.js';

/** The type of elements. `uint8` is Gradling's own: images and labels in a quarter of the memory. */
export type DataType = 'float32' | 'int32' | 'uint8' | 'bool';

/** Elements as they come out of a tensor: float32, int32, or bytes for uint8 and bool. */
export type TypedArray = Float32Array | Int32Array | Uint8Array;

/** Numbers or truth values in nested arrays. */
export type NestedArray = number | boolean | NestedArray[];

/** What operations take in place of a tensor. */
export type TensorLike = Tensor | NestedArray | TypedArray | Uint8ClampedArray | Float64Array;

/** Something that holds tensors. */
export type TensorContainer =
  | void
  | null
  | undefined
  | string
  | number
  | boolean
  | object
  | Tensor
  | TensorContainer[]
  | { [name: string]: TensorContainer };

/** Element types in the order of the core's list. */
const DTYPES: readonly DataType[] = ['float32', 'int32', 'uint8', 'bool'];

/** The number of an element type in the core. */
export function dtypeCode(dtype: DataType): number {
  const code = DTYPES.indexOf(dtype);
  if (code < 0) throw unsupported(`dtype ${dtype}: expected ${DTYPES.join(', ')}`);
  return code;
}

/** Frees what became unreachable in JavaScript. */
const unreachable = new FinalizationRegistry<number>((handle) => core().free_tensor(handle));

/** The tensors made in each open scope of `tidy`. */
const scopes: Tensor[][] = [];

/**
 * JavaScript's collector does not see how large a tensor is in WebAssembly's memory. After this many bytes of new
 * tensors it is shown a buffer of that size, so that it collects as it would for typed arrays.
 */
const PRESSURE = 32 << 20;
let unseen = 0;

/** An n-dimensional array. Its memory is freed when it is disposed or becomes unreachable. */
export class Tensor {
  #handle: number;
  #shape: number[] | undefined;
  #dtype: DataType | undefined;
  /** Whether `tidy` leaves it alone. */
  #kept = false;

  /** @internal Tensors are made by functions such as `tensor`. */
  constructor(handle: number) {
    this.#handle = handle;
    unreachable.register(this, handle, this);
    scopes.at(-1)?.push(this);
  }

  /** @internal The core's number of the tensor. */
  get handle(): number {
    if (this.#handle < 0) throw misuse('tensor: it is disposed; keep it with tf.keep or dispose it later');
    return this.#handle;
  }

  /** The sizes of the axes. */
  get shape(): number[] {
    return (this.#shape ??= Array.from(core().shape(this.handle)));
  }

  /** The type of elements. */
  get dtype(): DataType {
    return (this.#dtype ??= DTYPES[core().dtype(this.handle)] ?? 'float32');
  }

  /** The number of axes. */
  get rank(): number {
    return this.shape.length;
  }

  /** The number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** Whether the memory is freed. */
  get isDisposed(): boolean {
    return this.#handle < 0;
  }

  /** @internal Whether `tidy` leaves it alone. */
  get kept(): boolean {
    return this.#kept;
  }

  /** @internal Keeps it from `tidy`. */
  keep(): this {
    this.#kept = true;
    return this;
  }

  /** Frees the memory now. */
  dispose(): void {
    if (this.#handle < 0) return;
    // What is still asked about a disposed tensor is answered.
    void (this.shape, this.dtype);
    unreachable.unregister(this);
    core().free_tensor(this.#handle);
    this.#handle = -1;
  }

  /** `using t = tf.tensor(...)` frees the memory at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** A copy of the elements. */
  async data(): Promise<TypedArray> {
    return this.dataSync();
  }

  /** A copy of the elements. */
  dataSync(): TypedArray {
    return core().data(this.handle) as TypedArray;
  }

  /** The elements as nested arrays; a number for a scalar. */
  async array(): Promise<NestedArray> {
    return this.arraySync();
  }

  /** The elements as nested arrays; a number for a scalar. */
  arraySync(): NestedArray {
    return nest(this.dataSync(), this.shape);
  }

  /** Another tensor of the same elements. Tensors are immutable, so the memory is shared. */
  clone(): Tensor {
    return new Tensor(core().share(this.handle));
  }

  /** Writes shape and elements to the console. */
  print(verbose = false): void {
    console.log(this.toString(verbose));
  }

  /** The elements as text; with `verbose` also type, rank and shape. */
  toString(verbose = false): string {
    const head = verbose ? `  dtype: ${this.dtype}\n  rank: ${this.rank}\n  shape: [${this.shape}]\n  values:\n` : '';
    return `Tensor\n${head}${text(this.dataSync(), this.shape, this.dtype, '    ')}`;
  }
}

/** The product of sizes. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, dim) => size * dim, 1);
}

/** @internal The tensor of a number that the core has just given. */
export function wrap(handle: number): Tensor {
  const tensor = new Tensor(handle);
  unseen += core().elements(handle) * 4;
  if (unseen > PRESSURE) {
    unseen = 0;
    void new ArrayBuffer(PRESSURE);
  }
  return tensor;
}

/** @internal A tensor of what an operation was given. */
export function toTensor(value: TensorLike): Tensor {
  return value instanceof Tensor ? value : tensor(value);
}

function nest(data: TypedArray, shape: readonly number[]): NestedArray {
  let level: NestedArray[] = Array.from(data);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const dim = shape[axis] ?? 1;
    const count = sizeOf(shape.slice(0, axis));
    level = Array.from({ length: count }, (_, i) => level.slice(i * dim, (i + 1) * dim));
  }
  return level[0] ?? [];
}

/** How many elements at each end of a long axis are printed. */
const SHOWN = 3;
/** The longest axis that is printed whole. */
const WHOLE = 20;

function text(data: TypedArray, shape: readonly number[], dtype: DataType, indent: string): string {
  const element = (value: number): string => {
    if (dtype === 'bool') return String(value !== 0);
    return dtype === 'float32' ? String(Number(value.toPrecision(7))) : String(value);
  };
  const width = shape.length < 2 ? 0 : Math.max(0, ...Array.from(data.subarray(0, 1000), (v) => element(v).length));
  const show = (axis: number, start: number, lead: string): string => {
    const dim = shape[axis];
    if (dim === undefined) return element(data[start] ?? 0).padStart(width);
    const stride = sizeOf(shape.slice(axis + 1));
    const last = axis === shape.length - 1;
    const parts: string[] = [];
    for (let i = 0; i < dim; i++) {
      if (dim > WHOLE && i === SHOWN) {
        parts.push('...');
        i = dim - SHOWN;
      }
      parts.push(show(axis + 1, start + i * stride, `${lead} `));
    }
    return `[${parts.join(last ? ', ' : `,\n${lead} `)}]`;
  };
  return indent + show(0, 0, indent);
}

function flatten(value: NestedArray, shape: number[], depth: number, into: number[]): void {
  if (!Array.isArray(value)) {
    if (depth !== shape.length) throw misuse(`tensor: the nested arrays are ragged: expected an array of ${shape[depth]} at depth ${depth}`);
    if (typeof value !== 'number' && typeof value !== 'boolean') throw unsupported(`tensor: elements of type ${typeof value}; expected numbers or booleans`);
    into.push(Number(value));
    return;
  }
  if (value.length !== shape[depth]) {
    throw misuse(`tensor: the nested arrays are ragged: expected ${shape[depth] ?? 'a number'} at depth ${depth}, got ${value.length} elements`);
  }
  for (const item of value) flatten(item, shape, depth + 1, into);
}

function inferShape(value: NestedArray): number[] {
  const shape: number[] = [];
  for (let v: NestedArray | undefined = value; Array.isArray(v); v = v[0]) shape.push(v.length);
  return shape;
}

function isBool(value: NestedArray): boolean {
  let v: NestedArray | undefined = value;
  while (Array.isArray(v)) v = v[0];
  return typeof v === 'boolean';
}

/** @internal Dimensions that the core can take. */
export function checkShape(shape: readonly number[]): Uint32Array {
  for (const dim of shape) {
    if (!Number.isInteger(dim) || dim < 0 || dim > 0x7fffffff) {
      throw misuse(`shape: expected whole numbers of 0 or more, got [${shape}]`);
    }
  }
  return Uint32Array.from(shape);
}

function make(values: ArrayLike<number>, shape: readonly number[], dtype: DataType): Tensor {
  const dims = checkShape(shape);
  switch (dtype) {
    case 'float32':
      // The core copies plain arrays and typed arrays of any kind alike.
      return wrap(core().f32(values as Float32Array, dims));
    case 'int32':
      return wrap(core().i32(values instanceof Int32Array ? values : Int32Array.from(values), dims));
    case 'uint8':
      return wrap(core().bytes(values instanceof Uint8Array ? values : Uint8Array.from(values), dims, false));
    case 'bool':
      return wrap(core().bytes(Uint8Array.from(values, Number), dims, true));
    default:
      throw unsupported(`dtype ${String(dtype)}: expected ${DTYPES.join(', ')}`);
  }
}

/** The elements in another type, as `cast` makes them. */
function converted(from: Tensor, dtype: DataType): Tensor {
  const element = dtype === 'bool' ? (v: number) => Number(v !== 0) : (v: number) => Math.min(Math.max(v, -(2 ** 31)), 2 ** 31 - 1);
  return make(dtype === 'float32' ? from.dataSync() : Array.from(from.dataSync(), element), from.shape, dtype);
}

/**
 * A tensor of numbers or truth values, in a flat or typed array with a shape, or in nested arrays.
 *
 * Without `dtype` it is float32, int32 for integer and byte arrays, bool for truth values.
 */
export function tensor(values: TensorLike, shape?: number[], dtype?: DataType): Tensor {
  if (values instanceof Tensor) return dtype === undefined || dtype === values.dtype ? values.clone() : converted(values, dtype);
  if (ArrayBuffer.isView(values)) {
    const whole = !(values instanceof Float32Array || values instanceof Float64Array);
    return make(values, shape ?? [values.length], dtype ?? (whole ? 'int32' : 'float32'));
  }
  const inferred = inferShape(values);
  const flat: number[] = [];
  if (inferred.length === 1 && Array.isArray(values) && typeof values[0] === 'number') {
    for (const value of values) flatten(value, inferred, 1, flat);
  } else {
    flatten(values, inferred, 0, flat);
  }
  if (shape !== undefined && inferred.length > 1 && inferred.join() !== shape.join()) {
    throw misuse(`tensor: the nested arrays have shape [${inferred}], not [${shape}]`);
  }
  return make(flat, shape ?? inferred, dtype ?? (isBool(values) ? 'bool' : 'float32'));
}

function ranked(rank: number, values: TensorLike, shape: number[] | undefined, dtype?: DataType): Tensor {
  if (shape !== undefined && shape.length !== rank) {
    throw misuse(`tensor${rank}d: expected a shape of ${rank} axes, got [${shape}]`);
  }
  const made = tensor(values, shape, dtype);
  if (made.rank === rank) return made;
  const got = made.shape;
  made.dispose();
  throw misuse(`tensor${rank}d: expected ${rank} axes, got shape [${got}]${shape === undefined && rank > 1 ? '; give the shape' : ''}`);
}

/** A number or truth value without axes. */
export function scalar(value: number | boolean, dtype?: DataType): Tensor {
  return ranked(0, value, [], dtype);
}

/** A tensor of one axis. */
export function tensor1d(values: TensorLike, dtype?: DataType): Tensor {
  return ranked(1, values, undefined, dtype);
}

/** A tensor of two axes: nested arrays, or flat ones with a shape. */
export function tensor2d(values: TensorLike, shape?: [number, number], dtype?: DataType): Tensor {
  return ranked(2, values, shape, dtype);
}

/** A tensor of three axes: nested arrays, or flat ones with a shape. */
export function tensor3d(values: TensorLike, shape?: [number, number, number], dtype?: DataType): Tensor {
  return ranked(3, values, shape, dtype);
}

/** A tensor of four axes: nested arrays, or flat ones with a shape. */
export function tensor4d(values: TensorLike, shape?: [number, number, number, number], dtype?: DataType): Tensor {
  return ranked(4, values, shape, dtype);
}

/** A tensor of one value. */
export function fill(shape: number[], value: number | boolean, dtype: DataType = 'float32'): Tensor {
  return wrap(core().full(checkShape(shape), Number(value), dtypeCode(dtype)));
}

/** A tensor of zeros. */
export function zeros(shape: number[], dtype: DataType = 'float32'): Tensor {
  return fill(shape, 0, dtype);
}

/** A tensor of ones. */
export function ones(shape: number[], dtype: DataType = 'float32'): Tensor {
  return fill(shape, 1, dtype);
}

/** Zeros of the shape and type of another tensor. */
export function zerosLike(x: Tensor): Tensor {
  return fill(x.shape, 0, x.dtype);
}

/** Ones of the shape and type of another tensor. */
export function onesLike(x: Tensor): Tensor {
  return fill(x.shape, 1, x.dtype);
}

/** The numbers from `start` up to, and without, `stop`. */
export function range(start: number, stop: number, step = stop < start ? -1 : 1, dtype: DataType = 'float32'): Tensor {
  if (step === 0) throw misuse('range: expected a step other than 0');
  const count = Math.max(0, Math.ceil((stop - start) / step));
  return make(Array.from({ length: count }, (_, i) => start + i * step), [count], dtype);
}

/** `num` numbers from `start` to `stop` at equal distances. */
export function linspace(start: number, stop: number, num: number): Tensor {
  const step = num > 1 ? (stop - start) / (num - 1) : 0;
  return make(Array.from({ length: num }, (_, i) => start + i * step), [num], 'float32');
}

/** The identity matrix. */
export function eye(rows: number, columns = rows): Tensor {
  const values = new Float32Array(rows * columns);
  for (let i = 0; i < Math.min(rows, columns); i++) values[i * columns + i] = 1;
  return make(values, [rows, columns], 'float32');
}

function collect(container: unknown, into: Set<Tensor>, seen: Set<unknown>): void {
  if (container instanceof Tensor) into.add(container);
  else if (typeof container === 'object' && container !== null && !ArrayBuffer.isView(container) && !seen.has(container)) {
    seen.add(container);
    for (const item of Object.values(container)) collect(item, into, seen);
  }
}

/** @internal The tensors in arrays and objects. */
export function tensorsIn(container: unknown): Set<Tensor> {
  const found = new Set<Tensor>();
  collect(container, found, new Set());
  return found;
}

/**
 * Runs a function and disposes the tensors made in it, except those that it returns and those that are kept. What
 * it returns belongs to the enclosing `tidy`, if there is one.
 */
export function tidy<T extends TensorContainer>(nameOrBody: string | (() => T), body?: () => T): T {
  const run = typeof nameOrBody === 'function' ? nameOrBody : body;
  if (typeof run !== 'function') throw misuse('tidy: expected a function');
  const made: Tensor[] = [];
  scopes.push(made);
  let result: T | undefined;
  try {
    result = run();
    if (result instanceof Promise) throw misuse('tidy: the function must not be asynchronous: its tensors would be disposed while it waits');
    return result;
  } finally {
    scopes.pop();
    const outer = scopes.at(-1);
    const returned = tensorsIn(result);
    for (const tensor of made) {
      if (tensor.kept || tensor.isDisposed) continue;
      if (returned.has(tensor)) outer?.push(tensor);
      else tensor.dispose();
    }
  }
}

/** Keeps a tensor from being disposed by `tidy`. */
export function keep(tensor: Tensor): Tensor {
  return tensor.keep();
}

/** Disposes a tensor, or all tensors in an array or object. */
export function dispose(container: TensorContainer): void {
  for (const tensor of tensorsIn(container)) tensor.dispose();
}

/** What `memory` tells. */
export interface MemoryInfo {
  /** Tensors that are neither disposed nor collected. */
  numTensors: number;
  /** The same; memory is counted for each tensor, also where tensors share it. */
  numDataBuffers: number;
  /** The bytes of their elements. */
  numBytes: number;
  /** The bytes of WebAssembly's memory, which grows and never shrinks. */
  numBytesInWasm: number;
  /** Whether numbers are estimates: never. */
  unreliable: false;
}

/** Counts live tensors. */
export function memory(): MemoryInfo {
  const numTensors = core().count();
  return { numTensors, numDataBuffers: numTensors, numBytes: core().size(), numBytesInWasm: wasmBytes(), unreliable: false };
}
