/** Saving and loading: in the browser's own database, and as files where the package offers that. */
import { fileReader } from './file-access';
import type { ToWorker } from './protocol';

const KEPT = 'indexeddb://gradling-mnist';
/** Carries a model between the worker, which has it, and the page, which can download. */
const PASSED = 'indexeddb://gradling-mnist-passed';
const NOTE = 'gradling-mnist-note';

type StoreMessage = Extract<ToWorker, { type: 'save' | 'load' }>;

export class ModelStore {
  #waiting = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
  #next = 0;

  constructor(private readonly send: (message: StoreMessage) => void) {}

  /** `note` is shown again beside the Load button. */
  async save(note: string): Promise<void> {
    await this.#ask('save', KEPT);
    try {
      localStorage.setItem(NOTE, note);
    } catch {
      // The model is safe in the database; only its caption is lost where storage is refused.
    }
  }

  load(): Promise<void> {
    return this.#ask('load', KEPT);
  }

  /** What was said of the saved model, or null when none was saved here. */
  get note(): string | null {
    try {
      return localStorage.getItem(NOTE);
    } catch {
      return null;
    }
  }

  async download(name: string): Promise<void> {
    await this.#ask('save', PASSED);
    const tf = await import('gradling');
    await tf.ready();
    const model = await tf.loadLayersModel(PASSED);
    await model.save(`downloads://${name}`);
  }

  async upload(files: File[]): Promise<void> {
    const tf = await import('gradling');
    await tf.ready();
    const read = fileReader(tf);
    if (read === undefined) throw new Error('This build of the package reads no model files');
    const model = await tf.loadLayersModel(read(files) as Parameters<typeof tf.loadLayersModel>[0]);
    await model.save(PASSED);
    await this.#ask('load', PASSED);
  }

  /** The worker's answer to a save or load. */
  settle(request: number, error: string | undefined): void {
    const waiting = this.#waiting.get(request);
    this.#waiting.delete(request);
    if (error === undefined) waiting?.resolve();
    else waiting?.reject(new Error(error));
  }

  #ask(type: 'save' | 'load', url: string): Promise<void> {
    const request = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(request, { resolve, reject });
      this.send({ type, url, request });
    });
  }
}
