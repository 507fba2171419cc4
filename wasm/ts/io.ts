// Where models are kept: the browser's storage, downloads, files, addresses, or the user's own place.

import { deviceError, inNode, misuse, unsupported } from './core.js';

/** A model on its way in or out. */
export interface ModelArtifacts {
  /** The format of `bytes`. */
  format: 'gradling';
  /** A model file: architecture, weights, optimizer and its state, with a checksum. */
  bytes: Uint8Array;
}

/** What is told of a saved model. */
export interface SaveResult {
  modelArtifactsInfo: {
    /** When it was saved. */
    dateSaved: Date;
    /** What the file is. */
    modelTopologyType: 'gradling';
    /** The size of the file. */
    weightDataBytes: number;
  };
}

/** A place of the user's own. */
export interface IOHandler {
  /** Stores a model. */
  save?(artifacts: ModelArtifacts): Promise<SaveResult | void> | SaveResult | void;
  /** Gives a stored model. */
  load?(): Promise<ModelArtifacts | Uint8Array> | ModelArtifacts | Uint8Array;
}

/** What `loadLayersModel` takes: an address, a place, a file, or the bytes of one. */
export type ModelSource = string | URL | IOHandler | Blob | ArrayBuffer | Uint8Array;

const DATABASE = 'gradling';
const STORE = 'models';
const KEY = 'gradling/models/';

function finished<T>(request: IDBRequest<T> | IDBTransaction, value: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    const fail = (): void => reject(request.error ?? new Error('the storage gave up'));
    if ('oncomplete' in request) {
      request.oncomplete = () => resolve(value());
      request.onabort = fail;
    } else {
      request.onsuccess = () => resolve(value());
    }
    request.onerror = fail;
  });
}

async function database<T>(mode: IDBTransactionMode, use: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  if (typeof indexedDB === 'undefined') throw unsupported('indexeddb: there is none here; use a handler or saveBytes');
  const open = indexedDB.open(DATABASE, 1);
  open.onupgradeneeded = () => open.result.createObjectStore(STORE);
  const db = await finished(open, () => open.result);
  try {
    const transaction = db.transaction(STORE, mode);
    const request = use(transaction.objectStore(STORE));
    return await finished(transaction, () => request.result);
  } finally {
    db.close();
  }
}

function storage(): Storage {
  if (typeof localStorage === 'undefined') throw unsupported('localstorage: there is none here; use indexeddb, a handler or saveBytes');
  return localStorage;
}

function toText(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

function missing(address: string): Error {
  return misuse(`${address}: no model is saved there`);
}

const places: Record<string, (name: string, address: string) => IOHandler & { remove?(): Promise<void> | void }> = {
  indexeddb: (name, address) => ({
    save: async ({ bytes }) => void (await database('readwrite', (store) => store.put(bytes, name))),
    async load() {
      const bytes = await database<unknown>('readonly', (store) => store.get(name));
      if (!(bytes instanceof Uint8Array)) throw missing(address);
      return bytes;
    },
    remove: () => database('readwrite', (store) => store.delete(name)),
  }),
  localstorage: (name, address) => ({
    save: ({ bytes }) => storage().setItem(KEY + name, toText(bytes)),
    load() {
      const text = storage().getItem(KEY + name);
      if (text === null) throw missing(address);
      return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    },
    remove: () => storage().removeItem(KEY + name),
  }),
  downloads: (name) => browserDownloads(name),
};

/** A place that hands models to the user as downloaded files. Only a page has it. */
export function browserDownloads(name = 'model'): IOHandler {
  return {
    save({ bytes }) {
      if (typeof document === 'undefined') throw unsupported('downloads: only a page has them; save in the page, not in a worker');
      const link = document.createElement('a');
      link.href = URL.createObjectURL(new Blob([bytes as BlobPart], { type: 'application/octet-stream' }));
      link.download = name.endsWith('.gradling') ? name : `${name}.gradling`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    },
  };
}

/** A place that reads the file that the user chose, the first of these. */
export function browserFiles(files: Blob[]): IOHandler {
  return {
    async load() {
      const [file] = files;
      if (file === undefined) throw misuse('browserFiles: expected a file');
      return new Uint8Array(await file.arrayBuffer());
    },
  };
}

/** Removes a model from `indexeddb://` or `localstorage://`. */
export async function removeModel(address: string): Promise<void> {
  const remove = place(address)?.remove;
  if (remove === undefined) throw misuse(`removeModel: expected indexeddb://name or localstorage://name, got ${address}`);
  await remove();
}

function place(address: string): (IOHandler & { remove?(): Promise<void> | void }) | undefined {
  const [, scheme = '', name = ''] = /^([a-z]+):\/\/(.*)$/s.exec(address) ?? [];
  return Object.hasOwn(places, scheme) ? places[scheme]?.(name, address) : undefined;
}

/** @internal Stores the bytes of a model. */
export async function save(to: string | IOHandler, bytes: Uint8Array): Promise<SaveResult> {
  const handler = typeof to === 'string' ? place(to) : to;
  if (handler?.save === undefined) {
    throw misuse(`save: expected indexeddb://name, localstorage://name, downloads://name or a handler with save, got ${String(to)}`);
  }
  const told = await explained(`save: ${describe(to)}`, async () => handler.save?.({ format: 'gradling', bytes }));
  return told ?? { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'gradling', weightDataBytes: bytes.length } };
}

/** @internal Finds the bytes of a model. */
export async function load(from: ModelSource): Promise<Uint8Array> {
  if (from instanceof Uint8Array) return from;
  if (from instanceof ArrayBuffer) return new Uint8Array(from);
  if (typeof Blob !== 'undefined' && from instanceof Blob) return new Uint8Array(await from.arrayBuffer());
  const handler = typeof from === 'string' ? place(from) : from instanceof URL ? undefined : (from as IOHandler);
  return explained(`loadLayersModel: ${describe(from)}`, async () => {
    if (handler === undefined) return download(String(from));
    if (handler.load === undefined) throw misuse('the place cannot be read from');
    const found = await handler.load();
    return found instanceof Uint8Array ? found : found.bytes;
  });
}

async function download(address: string): Promise<Uint8Array> {
  if (inNode && !/^(https?|data|blob):/.test(address)) {
    const name = 'node:fs/promises';
    const { readFile } = (await import(/* @vite-ignore */ name)) as typeof import('node:fs/promises');
    return readFile(address.startsWith('file:') ? new URL(address) : address);
  }
  const response = await fetch(address);
  if (!response.ok) throw deviceError(`the server answered ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

function describe(place: ModelSource): string {
  return typeof place === 'string' || place instanceof URL ? String(place) : 'the handler';
}

/** What went wrong is kept as the cause. Errors of the core and of this package keep their names. */
async function explained<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const wrapped = deviceError(`${what}: ${text}`, error);
    if (error instanceof Error && /^(Misuse|Format|Unsupported)Error$/.test(error.name)) wrapped.name = error.name;
    throw wrapped;
  }
}
