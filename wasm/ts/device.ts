// A model on a GPU: what `fit` waits for.

import { chosen, openGpu } from './backend.js';
import type { Backend } from './backend.js';
import type { Model as CoreModel } from './core/gradling_wasm.js';
import type { Gpu, Sessions } from './gpu.js';

/** Steps after which the page waits for those that are queued, so that memory and the rest of the page do. */
const QUEUED = 16;

/** The GPU of a model, if it has one. Steps are queued by the core, which has newer weights after each fetch. */
export class OnDevice {
  readonly #core: CoreModel;
  #gpu: Gpu | undefined;
  #sessions: Sessions | undefined;
  #automatic = false;
  #queued = 0;
  #told = false;

  constructor(core: CoreModel) {
    this.#core = core;
  }

  /** Before a run: opens, keeps or lets go of the GPU. */
  async engage(device: Backend | undefined): Promise<void> {
    const wanted = chosen(device);
    const gpu = wanted === 'cpu' ? undefined : await openGpu(wanted);
    const automatic = wanted === 'auto';
    const whole = this.#gpu === gpu && this.#automatic === automatic && (automatic || this.#core.device_loss() === undefined);
    if (gpu === undefined ? this.#gpu === undefined : whole) return;
    this.release();
    if (gpu === undefined) return;
    this.#gpu = gpu;
    this.#sessions = gpu.sessions();
    this.#automatic = automatic;
    this.#told = false;
    this.#core.attach(this.#sessions, automatic);
  }

  /** Goes back to the core and frees the memory on the GPU. */
  release(): void {
    if (this.#sessions === undefined) return;
    this.#sessions.dispose();
    this.#sessions = undefined;
    this.#gpu = undefined;
    this.#core.detach();
  }

  /**
   * Gives a promise where something is to be waited for before the next step: weights that have to be fetched, a plan
   * that is made ready, a queue that is long. With `all` the newest weights are fetched.
   */
  settle(all: boolean): Promise<void> | undefined {
    const [core, gpu, sessions] = [this.#core, this.#gpu, this.#sessions];
    if (gpu === undefined || sessions === undefined) return undefined;
    if (all ? core.is_behind() : core.is_due()) return this.#fetch(sessions, all);
    if (!all && !core.is_ready()) return this.#prepare(sessions);
    this.#warn();
    this.#queued = core.is_behind() ? this.#queued + 1 : 0;
    // What goes wrong fails the next step.
    return this.#queued > 0 && this.#queued % QUEUED === 0 ? gpu.settled().catch(() => {}) : undefined;
  }

  /** Gives the core the newest weights; where they are lost, it takes the steps since the last ones itself. */
  async #fetch(sessions: Sessions, all: boolean): Promise<void> {
    let read: Uint8Array | string;
    try {
      read = await sessions.readVariables();
    } catch (error) {
      read = error instanceof Error ? error.message : String(error);
    }
    if (typeof read === 'string') this.#core.lose(read);
    else this.#core.take(read);
    this.#queued = 0;
    this.#warn();
    if (!all && !this.#core.is_ready()) await this.#prepare(sessions);
  }

  async #prepare(sessions: Sessions): Promise<void> {
    do await sessions.prepared();
    while (!this.#core.is_ready());
    this.#warn();
  }

  #warn(): void {
    const why = this.#told ? undefined : this.#core.device_loss();
    if (why === undefined) return;
    this.#told = true;
    console.warn(`gradling: ${why}; training goes on on the cpu from the last completed step`);
  }
}
