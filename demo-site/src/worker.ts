/** The worker: holds the data and the model, answers the page, trains. */
import * as tf from 'gradling';
import { fileReader } from './file-access';
import { buildModel, classify, countParameters, kindOf, pixelTensor, readFirstLayer, type Model } from './models';
import { fetchSubset, parseIdxFiles, type Mnist } from './mnist';
import { PIXELS, type FromWorker, type ModelKind, type ToWorker, type TrainSettings } from './protocol';
import { Training } from './training';

interface Port {
  postMessage(message: FromWorker, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
}
const port = self as unknown as Port;

interface Held {
  model: Model;
  kind: ModelKind;
}

let data: Mnist | undefined;
let held: Held | undefined;
let training: Training | undefined;
let watched: Float32Array | null = null;

function hold(next: Held): void {
  held = next;
  port.postMessage({ type: 'model', info: { kind: next.kind, parameters: countParameters(next.model) } });
  showWeights();
  classifyWatched();
}

function showWeights(): void {
  if (held === undefined) return;
  const weights = readFirstLayer(held.model, held.kind);
  port.postMessage({ type: 'weights', weights }, [weights.tiles.buffer]);
}

function classifyWatched(): void {
  if (held === undefined || watched === null) return;
  const pixels = watched;
  const values = classify(held.model, () => pixelTensor(pixels));
  port.postMessage({ type: 'probabilities', values });
}

function useData(next: Mnist): void {
  data = next;
  port.postMessage({ type: 'dataset', name: next.name, train: next.train.count, test: next.test.count });
}

function requireIdle(what: string): void {
  if (training !== undefined) throw new Error(`Stop the training first, then ${what}`);
}

function sendTestImage(): void {
  if (data === undefined) throw new Error('The data are not loaded yet');
  const { images, labels, count } = data.test;
  const index = Math.floor(Math.random() * count);
  const pixels = images.slice(index * PIXELS, (index + 1) * PIXELS);
  port.postMessage({ type: 'testImage', pixels, label: labels[index] ?? 0, index });
}

async function train(settings: TrainSettings): Promise<void> {
  requireIdle('start a new one');
  if (data === undefined) throw new Error('The data are not loaded yet');
  if (!settings.keepWeights || held?.kind !== settings.model) {
    hold({ model: buildModel(settings.model, settings.seed), kind: settings.model });
  }
  if (held === undefined) return;
  training = new Training(held.model, settings, data, {
    progress: (progress) => port.postMessage({ type: 'progress', progress }),
    weights: (weights) => port.postMessage({ type: 'weights', weights }, [weights.tiles.buffer]),
    epoch: (result) => port.postMessage({ type: 'epoch', result }, [result.misses.pixels.buffer]),
    refresh: classifyWatched,
  });
  try {
    const reason = await training.run();
    showWeights();
    classifyWatched();
    port.postMessage({ type: 'finished', reason });
  } catch (error) {
    // Whatever the weights are now, they are not to be gone on from.
    hold({ model: buildModel(settings.model), kind: settings.model });
    throw error;
  } finally {
    training = undefined;
  }
}

/** Answers a save or load with what went wrong, if anything did. */
async function stored(request: number, work: () => Promise<void>): Promise<void> {
  try {
    await work();
    port.postMessage({ type: 'stored', request });
  } catch (error) {
    port.postMessage({ type: 'stored', request, error: textOf(error) });
  }
}

async function answer(message: ToWorker): Promise<void> {
  switch (message.type) {
    case 'init':
      await tf.ready();
      useData(await fetchSubset(message.subsetUrl));
      hold({ model: buildModel(message.model), kind: message.model });
      return port.postMessage({ type: 'ready', files: fileReader(tf) !== undefined });
    case 'dataset':
      requireIdle('choose other data');
      return useData(await parseIdxFiles(message.files));
    case 'build':
      requireIdle('choose another network');
      return hold({ model: buildModel(message.model), kind: message.model });
    case 'train':
      return train(message.settings);
    case 'pause':
      return training?.pause();
    case 'resume':
      return training?.resume();
    case 'stop':
      return training?.stop();
    case 'watch':
      watched = message.pixels;
      return classifyWatched();
    case 'testImage':
      return sendTestImage();
    case 'save':
      return stored(message.request, async () => {
        if (held === undefined) throw new Error('There is no model yet');
        await held.model.save(message.url);
      });
    case 'load':
      return stored(message.request, async () => {
        requireIdle('load a model');
        const model = (await tf.loadLayersModel(message.url)) as Model;
        hold({ model, kind: kindOf(model) });
      });
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const DURING: Partial<Record<ToWorker['type'], 'start' | 'dataset' | 'training'>> = {
  init: 'start',
  dataset: 'dataset',
  train: 'training',
};

port.onmessage = ({ data: message }) => {
  answer(message).catch((error: unknown) => {
    port.postMessage({ type: 'error', during: DURING[message.type] ?? 'other', message: textOf(error) });
  });
};
