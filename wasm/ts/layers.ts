// Layers, with the arguments of TensorFlow.js.

import type { Model as CoreModel } from './core/gradling_wasm.js';
import { misuse, unsupported } from './core.js';
import { sizeOf, Tensor } from './tensor.js';

/** A function at the end of a layer. */
export type ActivationIdentifier = 'linear' | 'relu' | 'sigmoid' | 'tanh' | 'softmax';

/** How weights start. */
export type InitializerIdentifier =
  | 'zeros'
  | 'ones'
  | 'randomUniform'
  | 'randomNormal'
  | 'glorotUniform'
  | 'glorotNormal'
  | 'heUniform'
  | 'heNormal'
  | 'leCunUniform'
  | 'leCunNormal';

/** A shape whose first axis is the batch. */
export type Shape = (number | null)[];

/** What every layer takes. */
export interface LayerArgs {
  /** The shape of one sample, without the batch axis; for the first layer of a model. */
  inputShape?: Shape;
  /** The shape with the batch axis in place of `inputShape`. */
  batchInputShape?: Shape;
  /** The layer's name, unique in its model. Otherwise it is named after its class. */
  name?: string;
}

/** Arguments of `dense`. */
export interface DenseLayerArgs extends LayerArgs {
  /** The number of outputs. */
  units: number;
  /** Applied to the sum; linear by default. */
  activation?: ActivationIdentifier;
  /** Whether there is a bias; true by default. */
  useBias?: boolean;
  /** How the kernel starts; `glorotNormal` by default, as in TensorFlow.js (Keras: `glorotUniform`). */
  kernelInitializer?: InitializerIdentifier;
  /** How the bias starts; `zeros` by default. */
  biasInitializer?: InitializerIdentifier;
  /** The number of inputs, in place of `inputShape`. */
  inputDim?: number;
}

/** Arguments of `conv2d`. */
export interface ConvLayerArgs extends LayerArgs {
  /** The number of filters, and so of output channels. */
  filters: number;
  /** Height and width of a filter. */
  kernelSize: number | [number, number];
  /** Cells between neighbouring windows; 1 by default. */
  strides?: number | [number, number];
  /** `valid` by default: windows inside the image only; `same`: as many as strides. */
  padding?: 'valid' | 'same';
  /** Cells between neighbouring taps; 1 by default. */
  dilationRate?: number | [number, number];
  /** Only images with the channels last. */
  dataFormat?: 'channelsLast';
  /** Applied to the sum; linear by default. */
  activation?: ActivationIdentifier;
  /** Whether there is a bias; true by default. */
  useBias?: boolean;
  /** How the kernel starts; `glorotNormal` by default, as in TensorFlow.js (Keras: `glorotUniform`). */
  kernelInitializer?: InitializerIdentifier;
  /** How the bias starts; `zeros` by default. */
  biasInitializer?: InitializerIdentifier;
}

/** Arguments of `maxPooling2d`. */
export interface Pooling2DLayerArgs extends LayerArgs {
  /** Height and width of a window; 2 by default. */
  poolSize?: number | [number, number];
  /** Cells between neighbouring windows; the pool size by default. */
  strides?: number | [number, number];
  /** `valid` by default. */
  padding?: 'valid' | 'same';
  /** Only images with the channels last. */
  dataFormat?: 'channelsLast';
}

/** Arguments of `dropout`. */
export interface DropoutLayerArgs extends LayerArgs {
  /** The share of values that are dropped while training, in [0, 1). */
  rate: number;
}

/** Arguments of `activation`. */
export interface ActivationLayerArgs extends LayerArgs {
  /** The function. */
  activation: ActivationIdentifier;
}

/** @internal Where a layer lives once it is in a model. */
export interface Home {
  core: CoreModel;
  index: number;
  /** Makes the weights where the input shape is known. */
  build(): void;
}

/** A layer. In a model it has a name, a shape and weights. */
export class Layer {
  #home: Home | undefined;

  /** @internal Layers are made by `tf.layers`. */
  constructor(
    private readonly className: string,
    private readonly args: LayerArgs,
    private readonly append: (core: CoreModel) => void,
  ) {}

  /** @internal Adds it to a model of the core. */
  join(home: Home, loaded = false): void {
    if (this.#home !== undefined) throw misuse(`add: ${this.name} is in a model already; make another layer`);
    if (!loaded) this.append(home.core);
    this.#home = home;
  }

  /** @internal The shape of one sample that it asks for. */
  get sample(): number[] | undefined {
    const shape = this.args.inputShape ?? this.args.batchInputShape?.slice(1);
    if (shape?.some((dim) => dim === null)) throw unsupported('inputShape: every size must be given');
    return shape as number[] | undefined;
  }

  /** The name; empty before the layer is in a model, unless one was given. */
  get name(): string {
    return this.#home?.core.layer_name(this.#home.index) ?? this.args.name ?? '';
  }

  /** The class, as in Keras. */
  getClassName(): string {
    return this.className;
  }

  /** The shape of the output, with null for the batch. */
  get outputShape(): Shape {
    const home = this.built();
    return [null, ...(home.core.layer_shape(home.index) ?? [])];
  }

  /** Copies of the weights: kernel, then bias. */
  getWeights(): Tensor[] {
    const home = this.built();
    return Array.from(home.core.weights(home.index), (handle) => new Tensor(handle));
  }

  /** Replaces the weights. */
  setWeights(weights: Tensor[]): void {
    const home = this.built();
    home.core.set_weights(
      home.index,
      Uint32Array.from(weights, (w) => w.handle),
    );
  }

  /** The number of numbers in the weights. */
  countParams(): number {
    return this.getWeights().reduce((sum, weight) => {
      const size = sizeOf(weight.shape);
      weight.dispose();
      return sum + size;
    }, 0);
  }

  private built(): Home {
    if (this.#home === undefined) throw misuse(`${this.name || this.className}: the layer is in no model; add it to one`);
    this.#home.build();
    return this.#home;
  }
}

function whole(what: string, value: number, least: number): number {
  if (!Number.isInteger(value) || value < least) throw misuse(`${what}: expected a whole number of at least ${least}, got ${value}`);
  return value;
}

function pair(what: string, value: number | number[]): number[] {
  const two = typeof value === 'number' ? [value, value] : value;
  if (two.length !== 2) throw misuse(`${what}: expected one or two numbers, got [${two}]`);
  return two.map((n) => whole(what, n, 1));
}

function same(what: string, padding: string): boolean {
  if (padding !== 'same' && padding !== 'valid') throw unsupported(`${what}: padding ${padding}; expected valid or same`);
  return padding === 'same';
}

function channelsLast(what: string, format: string | undefined): void {
  if (format !== undefined && format !== 'channelsLast') throw unsupported(`${what}: dataFormat ${format}; expected channelsLast`);
}

/** `meanSquaredError` as the core writes it: `mean_squared_error`. */
export function snakeCase(name: string): string {
  return name.replace('leCun', 'lecun').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Makers of layers. */
export const layers = {
  /** A fully connected layer: `activation(x . kernel + bias)`. */
  dense(args: DenseLayerArgs): Layer {
    const { units, activation = 'linear', useBias = true, kernelInitializer = 'glorotNormal', biasInitializer = 'zeros' } = args;
    whole('dense: units', units, 1);
    const sample = args.inputShape === undefined && args.inputDim !== undefined ? { inputShape: [args.inputDim] } : {};
    return new Layer('Dense', { ...args, ...sample }, (core) =>
      core.dense(units, activation, useBias, snakeCase(kernelInitializer), snakeCase(biasInitializer), args.name),
    );
  },
  /** A convolution of images `[height, width, channels]`. */
  conv2d(args: ConvLayerArgs): Layer {
    const { filters, activation = 'linear', useBias = true, kernelInitializer = 'glorotNormal', biasInitializer = 'zeros' } = args;
    whole('conv2d: filters', filters, 1);
    channelsLast('conv2d', args.dataFormat);
    const window = Uint32Array.from([
      ...pair('conv2d: kernelSize', args.kernelSize),
      ...pair('conv2d: strides', args.strides ?? 1),
      ...pair('conv2d: dilationRate', args.dilationRate ?? 1),
    ]);
    const border = same('conv2d', args.padding ?? 'valid');
    return new Layer('Conv2D', args, (core) =>
      core.conv2d(filters, window, border, activation, useBias, snakeCase(kernelInitializer), snakeCase(biasInitializer), args.name),
    );
  },
  /** The maximum of each window of images `[height, width, channels]`. */
  maxPooling2d(args: Pooling2DLayerArgs = {}): Layer {
    const size = pair('maxPooling2d: poolSize', args.poolSize ?? 2);
    const window = Uint32Array.from([...size, ...pair('maxPooling2d: strides', args.strides ?? size)]);
    channelsLast('maxPooling2d', args.dataFormat);
    const border = same('maxPooling2d', args.padding ?? 'valid');
    return new Layer('MaxPooling2D', args, (core) => core.max_pooling2d(window, border, args.name));
  },
  /** All axes of a sample as one. */
  flatten(args: LayerArgs = {}): Layer {
    return new Layer('Flatten', args, (core) => core.flatten(args.name));
  },
  /** Drops a share of the values while training and scales the others up. */
  dropout(args: DropoutLayerArgs): Layer {
    if (!(args.rate >= 0 && args.rate < 1)) throw misuse(`dropout: expected a rate in [0, 1), got ${args.rate}`);
    return new Layer('Dropout', args, (core) => core.dropout(args.rate, args.name));
  },
  /** A function of each value; softmax of the last axis. */
  activation(args: ActivationLayerArgs): Layer {
    return new Layer('Activation', args, (core) => core.activation(args.activation, args.name));
  },
};
