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

/** Checks a whole number. */
export function whole(what: string, value: number, least: number): number {
  if (!Number.isInteger(value) || value < least) throw misuse(`${what}: expected a whole number of at least ${least}, got ${value}`);
  return value;
}

/** `meanSquaredError` as the core writes it: `mean_squared_error`. */
export function snakeCase(name: string): string {
  return name.replace('leCun', 'lecun').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Makers of layers that both entries have. */
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
