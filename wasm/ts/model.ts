// Stacks of layers: building, training, using.

import type { Model as CoreModel } from './core/gradling_wasm.js';
import { core, misuse, ready, unsupported } from './core.js';
import { Layer, snakeCase } from './layers.js';
import type { Shape } from './layers.js';
import { scalar, Tensor, wrap } from './tensor.js';
import { Optimizer, train } from './train.js';
import { nextTask } from './yield.js';

/** Named numbers: `loss`, metrics under the names they were given, the same with `val_`. */
export interface Logs {
  [name: string]: number;
}

/** Functions called while training. One that returns a promise is waited for. */
export interface CustomCallbackArgs {
  /** Before the first epoch. */
  onTrainBegin?(logs?: Logs): void | Promise<void>;
  /** After the last epoch. */
  onTrainEnd?(logs?: Logs): void | Promise<void>;
  /** Before an epoch. */
  onEpochBegin?(epoch: number, logs?: Logs): void | Promise<void>;
  /** After an epoch and its validation. */
  onEpochEnd?(epoch: number, logs?: Logs): void | Promise<void>;
  /** Before a step; the logs hold `batch` and `size`. */
  onBatchBegin?(batch: number, logs?: Logs): void | Promise<void>;
  /** After a step; the logs hold `batch`, `size`, and loss and metrics of this batch. */
  onBatchEnd?(batch: number, logs?: Logs): void | Promise<void>;
  /** Whenever `fit` has let other tasks run. */
  onYield?(epoch: number, batch: number, logs?: Logs): void | Promise<void>;
}

/** Names of losses. */
export type LossIdentifier =
  | 'meanSquaredError'
  | 'categoricalCrossentropy'
  | 'sparseCategoricalCrossentropy';

/** Names of metrics. `accuracy` is logged as `acc`, as in TensorFlow.js. */
export type MetricIdentifier = 'accuracy' | 'acc' | 'meanSquaredError' | 'mse' | 'meanAbsoluteError' | 'mae';

/** How to train: arguments of `compile`. */
export interface ModelCompileArgs {
  /** `adam`, `sgd` or one made by `tf.train`. */
  optimizer: 'adam' | 'sgd' | Optimizer;
  /** What is made small. */
  loss: LossIdentifier;
  /** What is reported besides. */
  metrics?: MetricIdentifier | MetricIdentifier[];
  /** Whether the outputs are logits, for cross-entropies. TensorFlow.js has no such argument. */
  fromLogits?: boolean;
}

/** Arguments of `fit`. */
export interface ModelFitArgs {
  /** Samples a step; 32 by default. */
  batchSize?: number;
  /** Passes over the data; 1 by default. */
  epochs?: number;
  /** 1 writes a line to the console after each epoch; 0, the default, writes nothing. */
  verbose?: 0 | 1 | 2;
  /** Called while training. */
  callbacks?: CustomCallbackArgs | CustomCallbackArgs[];
  /** The share of the data, from its end and before shuffling, that is kept for validation. */
  validationSplit?: number;
  /** Inputs and targets to evaluate after each epoch, in place of `validationSplit`. */
  validationData?: [Tensor, Tensor];
  /** Whether samples come in another order each epoch; true by default. */
  shuffle?: boolean;
  /** The number of the first epoch; training ends before epoch `epochs`. */
  initialEpoch?: number;
  /**
   * When other tasks get their turn: `auto`, the default, at least every 16 ms; after each `batch` or `epoch`;
   * after so many milliseconds; or `never`.
   */
  yieldEvery?: 'auto' | 'batch' | 'epoch' | 'never' | number;
}

/** Arguments of `evaluate` and `predict`. */
export interface ModelBatchArgs {
  /** Samples a step; 32 by default. */
  batchSize?: number;
  /** Accepted; nothing is written. */
  verbose?: 0 | 1 | 2;
}

/** What a training run leaves. */
export class History {
  /** The numbers of the epochs. */
  readonly epoch: number[] = [];
  /** The curves, one value an epoch: `loss`, metrics, the same with `val_`. */
  readonly history: { [name: string]: number[] } = {};

  /** @internal */
  record(epoch: number, logs: Logs): void {
    this.epoch.push(epoch);
    for (const [name, value] of Object.entries(logs)) (this.history[name] ??= []).push(value);
  }
}

/** What `fit` goes by between two turns of other tasks, in milliseconds: half a frame and a bit. */
const AUTO = 12;

const VALIDATION = 1;

/** Arguments of `sequential`. */
export interface SequentialArgs {
  /** The layers in order. */
  layers?: Layer[];
  /** Accepted for the sake of TensorFlow.js. */
  name?: string;
  /** The seed of initial weights, shuffling and dropout; random by default. TensorFlow.js has no such argument. */
  seed?: number;
}

type Callback = { [name in keyof CustomCallbackArgs]?: CustomCallbackArgs[name] };

/** A stack of layers: what both entries' `Sequential` has. */
export class Stack {
  /** The layers in order. */
  readonly layers: Layer[] = [];
  /** Set it in a callback to end `fit` after the step or epoch. */
  stopTraining = false;
  /** What `compile` was given. */
  optimizer: Optimizer | undefined;
  readonly #core: CoreModel;
  #metrics: string[] = [];
  #learningRate: number | undefined;
  #training = false;

  /** @internal Models are made by `sequential` and `loadLayersModel`. */
  constructor(args: SequentialArgs, model = coreModel(args)) {
    this.#core = model;
    for (const layer of args.layers ?? []) this.add(layer);
  }

  /** @internal Takes what a model from a file has already. */
  adopt(layers: Layer[], metrics: readonly string[]): void {
    this.layers.push(...layers);
    this.#metrics = logNames(metrics);
  }

  /** Appends a layer. */
  add(layer: Layer): void {
    layer.join({ core: this.#core, index: this.layers.length, build: () => this.#build() });
    this.layers.push(layer);
  }

  /** Makes the weights for samples of a shape, whose first axis is the batch. */
  build(inputShape?: Shape): void {
    if (inputShape === undefined) return this.#build();
    this.#core.build(Uint32Array.from(inputShape.slice(1), (dim) => dim ?? 0));
  }

  #build(): void {
    const sample = this.layers[0]?.sample;
    if (sample !== undefined) this.#core.build(Uint32Array.from(sample));
  }

  /** Whether the weights are made. */
  get built(): boolean {
    return this.#core.layer_shape(-1) !== undefined;
  }

  /** The shape of the inputs, with null for the batch. */
  get inputShape(): Shape {
    this.#build();
    return [null, ...(this.#core.layer_shape(-1) ?? [])];
  }

  /** The shape of the outputs, with null for the batch. */
  get outputShape(): Shape {
    const last = this.layers.at(-1);
    if (last === undefined) throw misuse('model: it has no layers; add one first');
    return last.outputShape;
  }

  /** The layer of a name, or of a place. */
  getLayer(nameOrIndex: string | number): Layer {
    const layer = typeof nameOrIndex === 'number' ? this.layers[nameOrIndex] : this.layers.find((l) => l.name === nameOrIndex);
    if (layer === undefined) throw misuse(`getLayer: there is no layer ${nameOrIndex}`);
    return layer;
  }

  /** Sets optimizer, loss and metrics. The optimizer starts anew. */
  compile(args: ModelCompileArgs): void {
    const { optimizer, loss, fromLogits = false } = args;
    const chosen = typeof optimizer !== 'string' ? optimizer : optimizer === 'adam' ? train.adam() : optimizer === 'sgd' ? train.sgd(0.01) : undefined;
    if (!(chosen instanceof Optimizer)) throw unsupported(`compile: optimizer ${String(optimizer)}; expected adam, sgd or one of tf.train`);
    if (typeof loss !== 'string') throw unsupported('compile: expected the name of a loss');
    const metrics = typeof args.metrics === 'string' ? [args.metrics] : (args.metrics ?? []);
    this.#build();
    const numbers = Float32Array.from([chosen.learningRate, ...chosen.rest]);
    this.#core.compile(chosen.kind, numbers, snakeCase(loss), fromLogits, metrics.map(snakeCase).join());
    this.#metrics = logNames(metrics);
    this.optimizer = chosen;
    this.#learningRate = chosen.learningRate;
  }

  /** Tells the core of a learning rate that was changed. */
  #syncLearningRate(): void {
    const rate = this.optimizer?.learningRate;
    if (rate === this.#learningRate || rate === undefined) return;
    if (this.built) {
      this.#core.set_learning_rate(rate);
      this.#learningRate = rate;
    }
  }

  #named(values: Float32Array): Logs {
    const names = ['loss', ...this.#metrics];
    const logs: Logs = {};
    values.forEach((value, i) => {
      const name = names[i % names.length] ?? '';
      logs[i < names.length ? name : `val_${name}`] = value;
    });
    return logs;
  }

  /**
   * Trains on inputs `[samples, ...]` and targets. The data stay where they are in WebAssembly's memory; batches are
   * gathered there.
   */
  async fit(x: Tensor | [Tensor], y: Tensor | [Tensor], args: ModelFitArgs = {}): Promise<History> {
    await ready();
    if (this.#training) throw misuse('fit: another fit of this model is running; wait for it');
    const { batchSize = 32, epochs = 1, initialEpoch = 0, shuffle = true, validationData, yieldEvery = 'auto' } = args;
    counted('fit: batchSize', batchSize);
    counted('fit: epochs', epochs);
    const split = validationData === undefined ? (args.validationSplit ?? 0) : 0;
    const validation = Uint32Array.from(validationData ?? [], (t) => t.handle);
    const [inputs, targets] = [only(x), only(y)];
    this.#build();
    this.#training = true;
    this.stopTraining = false;
    try {
      await this.engage();
      this.#core.begin(inputs.handle, targets.handle, Math.max(0, epochs - initialEpoch), batchSize, shuffle, split, validation);
      return await this.#run({ batchSize, epochs, initialEpoch, yieldEvery, verbose: args.verbose ?? 0, callbacks: [args.callbacks ?? []].flat() });
    } finally {
      try {
        await this.settle(true);
      } finally {
        this.#core.end();
        this.#training = false;
      }
    }
  }

  /** @internal Chooses what computes the steps of a run: in the small entry the core. */
  protected engage(): Promise<void> | undefined {
    return undefined;
  }

  /** @internal Gives a promise where something is to be waited for before a step, or with `all` for the newest weights. */
  protected settle(_all: boolean): Promise<void> | undefined {
    return undefined;
  }

  async #run(plan: {
    batchSize: number;
    epochs: number;
    initialEpoch: number;
    yieldEvery: 'auto' | 'batch' | 'epoch' | 'never' | number;
    verbose: number;
    callbacks: Callback[];
  }): Promise<History> {
    const { batchSize, epochs, yieldEvery, callbacks } = plan;
    const model = this.#core;
    const history = new History();
    const samples = model.train_samples();
    const steps = Math.ceil(samples / batchSize);
    const listens = (name: keyof CustomCallbackArgs): boolean => callbacks.some((c) => typeof c[name] === 'function');
    const hears = { batchBegin: listens('onBatchBegin'), batchEnd: listens('onBatchEnd'), yields: listens('onYield') };
    const every = yieldEvery === 'auto' ? AUTO : yieldEvery === 'batch' ? 0 : typeof yieldEvery === 'number' ? yieldEvery : Infinity;

    /** Calls a function of every callback; gives a promise only where one does. */
    const tell = (name: keyof CustomCallbackArgs, ...values: unknown[]): Promise<void> | undefined => {
      let before: Promise<void> | undefined;
      for (const callback of callbacks) {
        const call = (): void | Promise<void> => (callback[name] as ((...values: unknown[]) => void | Promise<void>) | undefined)?.apply(callback, values);
        before = before === undefined ? (call() ?? undefined) : before.then(call);
      }
      return before;
    };

    let last = performance.now();
    const breathe = async (epoch: number, batch: number): Promise<void> => {
      await nextTask();
      last = performance.now();
      if (hears.yields) await this.settle(true);
      if (hears.yields) await tell('onYield', epoch, batch, this.#named(model.batch_logs()));
    };
    const due = (): boolean => performance.now() - last >= every;

    await tell('onTrainBegin');
    for (let epoch = plan.initialEpoch; epoch < epochs && !this.stopTraining; epoch++) {
      await tell('onEpochBegin', epoch);
      let batch = 0;
      while (batch < steps && !this.stopTraining) {
        const size = Math.min(batchSize, samples - batch * batchSize);
        if (hears.batchBegin) await this.settle(true);
        if (hears.batchBegin) await tell('onBatchBegin', batch, { batch, size });
        this.#syncLearningRate();
        let wait = this.settle(false);
        if (wait !== undefined) await wait;
        model.step();
        if (hears.batchEnd) {
          wait = this.settle(true);
          if (wait !== undefined) await wait;
          const told = tell('onBatchEnd', batch, { batch, size, ...this.#named(model.batch_logs()) });
          if (told !== undefined) await told;
        }
        if (due()) await breathe(epoch, batch);
        batch += 1;
      }
      // Training that was stopped within an epoch ends without its validation.
      const whole = batch === steps;
      await this.settle(!whole);
      while (whole && model.step() === VALIDATION) {
        const wait = this.settle(false);
        if (wait !== undefined) await wait;
        if (due()) await breathe(epoch, batch - 1);
      }
      const logs = this.#named(model.epoch_logs(whole));
      history.record(epoch, logs);
      if (plan.verbose === 1) console.log(`Epoch ${epoch + 1} / ${epochs}  ${Object.entries(logs).map(([n, v]) => `${n}=${v.toPrecision(4)}`).join('  ')}`);
      await tell('onEpochEnd', epoch, logs);
      if (yieldEvery === 'epoch') await breathe(epoch, batch - 1);
    }
    await tell('onTrainEnd');
    return history;
  }

  /** One train step. Gives the loss, or loss and metrics, of the batch before the update. */
  async trainOnBatch(x: Tensor | [Tensor], y: Tensor | [Tensor]): Promise<number | number[]> {
    this.#build();
    this.#syncLearningRate();
    return single(Array.from(this.#core.train_on_batch(only(x).handle, only(y).handle)));
  }

  /** Loss and metrics over a data set, as scalars: the loss alone where there are no metrics. */
  evaluate(x: Tensor | [Tensor], y: Tensor | [Tensor], args: ModelBatchArgs = {}): Tensor | Tensor[] {
    const { batchSize = 32 } = args;
    counted('evaluate: batchSize', batchSize);
    this.#build();
    return single(Array.from(this.#core.evaluate(only(x).handle, only(y).handle, batchSize), (value) => scalar(value)));
  }

  /** The outputs for inputs `[samples, ...]`. */
  predict(x: Tensor | [Tensor], args: ModelBatchArgs = {}): Tensor {
    const { batchSize = 32 } = args;
    counted('predict: batchSize', batchSize);
    this.#build();
    return wrap(this.#core.predict(only(x).handle, batchSize));
  }

  /** The outputs for one batch. */
  predictOnBatch(x: Tensor | [Tensor]): Tensor {
    const inputs = only(x);
    return this.predict(inputs, { batchSize: Math.max(1, inputs.shape[0] ?? 1) });
  }

  /** Copies of all weights in layer order. */
  getWeights(): Tensor[] {
    this.#build();
    return Array.from(this.#core.weights(-1), (handle) => new Tensor(handle));
  }

  /** Replaces all weights. */
  setWeights(weights: Tensor[]): void {
    this.#build();
    this.#core.set_weights(-1, Uint32Array.from(weights, (w) => w.handle));
  }

  /** The number of numbers in all weights. */
  countParams(): number {
    this.#build();
    return this.#core.count_params();
  }

  /** Frees the model's memory now. The model cannot be used after it. */
  dispose(): void {
    this.#core.free();
  }

  /** `using model = tf.sequential()` frees the memory at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Metrics' names in logs: `accuracy` as `acc`, as TensorFlow.js has it. */
function logNames(metrics: readonly string[]): string[] {
  return metrics.map((name) => (name === 'accuracy' ? 'acc' : name));
}

function only(tensor: Tensor | [Tensor]): Tensor {
  const one = Array.isArray(tensor) ? tensor[0] : tensor;
  if (!(one instanceof Tensor)) throw misuse('model: expected a tensor');
  return one;
}

function counted(what: string, value: number): void {
  if (!Number.isInteger(value) || value < 0) throw misuse(`${what}: expected a whole number, got ${value}`);
}

function single<T>(values: T[]): T | T[] {
  const [first] = values;
  return values.length === 1 && first !== undefined ? first : values;
}

/** @internal A model without layers in the core. */
export function coreModel(args: SequentialArgs): CoreModel {
  return core().model(args.seed ?? Math.floor(Math.random() * 2 ** 53));
}
