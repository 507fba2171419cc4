// Sequential models with a summary and files.

import type { Model as CoreModel } from './core/gradling_wasm.js';
import { chosen } from './backend.js';
import type { Backend } from './backend.js';
import { core, ready } from './core.js';
import { OnDevice } from './device.js';
import * as io from './io.js';
import type { IOHandler, ModelSource, SaveResult } from './io.js';
import { Layer } from './layers.js';
import { coreModel, Stack } from './model.js';
import type { ModelCompileArgs as StackCompileArgs, SequentialArgs } from './model.js';
import { profile } from './profile.js';
import type { ModelProfile, ModelProfileArgs } from './profile.js';

/** How to train: arguments of `compile`. */
export interface ModelCompileArgs extends StackCompileArgs {
  /** What `fit` computes on; what `setBackend` chose by default. TensorFlow.js has no such argument. */
  device?: Backend;
}

/** A stack of layers. */
export class Sequential extends Stack {
  readonly #own: CoreModel;
  readonly #on: OnDevice;
  #device: Backend | undefined;

  /** @internal Models are made by `sequential` and `loadLayersModel`. */
  constructor(args: SequentialArgs, loaded?: CoreModel) {
    const own = loaded ?? coreModel(args);
    super(args, own);
    this.#own = own;
    this.#on = new OnDevice(own);
    if (loaded === undefined) return;
    const layers = Array.from({ length: loaded.layer_count() }, (_, index) => {
      const layer = new Layer(loaded.layer_class(index), {}, () => {});
      layer.join({ core: loaded, index, build: () => {} }, true);
      return layer;
    });
    this.adopt(layers, loaded.metrics().split(',').filter(Boolean));
  }

  /** Sets optimizer, loss, metrics and the device of `fit`. The optimizer starts anew. */
  override compile(args: ModelCompileArgs): void {
    chosen(args.device);
    super.compile(args);
    this.#device = args.device;
  }

  /** Where `fit` takes the next step: `cpu` or `webgpu`. */
  get computesOn(): string {
    return this.#own.computes_on();
  }

  /** @internal */
  protected override engage(): Promise<void> {
    return this.#on.engage(this.#device);
  }

  /** @internal */
  protected override settle(all: boolean): Promise<void> | undefined {
    return this.#on.settle(all);
  }

  /** Frees the model's memory now, also that on a GPU. The model cannot be used after it. */
  override dispose(): void {
    this.#on.release();
    super.dispose();
  }

  /**
   * Writes the layers as the table that Keras prints, a line a call of `printFn`. Widths come from the contents, so
   * the first two arguments are not used.
   */
  summary(_lineLength?: number, _positions?: number[], printFn: (line: string) => void = console.log): void {
    this.build();
    for (const line of this.#own.summary().trimEnd().split('\n')) printFn(line);
  }

  /**
   * Times each step of a prediction, or with `train` of a train step of a compiled model, on made-up numbers. The model
   * does not change. TensorFlow.js has `tf.profile`, which times what a function calls; here the steps are known before.
   */
  async profile(args: ModelProfileArgs = {}): Promise<ModelProfile> {
    await ready();
    this.build();
    return profile(this.#own, args);
  }

  /**
   * Saves architecture, weights and optimizer: to `indexeddb://name`, `localstorage://name`, `downloads://name` or
   * through a handler.
   */
  async save(to: string | IOHandler): Promise<SaveResult> {
    await ready();
    return io.save(to, this.saveBytes());
  }

  /** The model as the bytes of a file. */
  saveBytes(): Uint8Array {
    this.build();
    return this.#own.to_bytes();
  }
}

/** A model of layers one after the other. */
export function sequential(args: SequentialArgs = {}): Sequential {
  return new Sequential(args);
}

/** The model in the bytes of a file, with its optimizer, ready to be trained on. */
export function loadModelBytes(bytes: Uint8Array): Sequential {
  return new Sequential({}, core().load_model(bytes));
}

/**
 * Loads a model that `save` or Gradling natively has saved: from `indexeddb://name`, `localstorage://name`, a web
 * address, a file, its bytes or a handler.
 */
export async function loadLayersModel(from: ModelSource): Promise<Sequential> {
  await ready();
  return loadModelBytes(await io.load(from));
}
