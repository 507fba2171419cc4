/** The page: wires the controls, the worker and the views together. */
import { byId, context2d, onSchemeChange, paletteColour, percent, whole } from './dom';
import { DigitPad } from './digit-pad';
import { MissesView } from './misses-view';
import { ModelStore } from './model-store';
import { ProbabilityBars } from './probability-bars';
import { SIDE, type EpochResult, type FromWorker, type ModelKind, type ToWorker } from './protocol';
import { RunPanel } from './run-panel';
import { chosenModel, enableSettings, onSettings, readSettings, setKeep, showModel } from './settings';
import { WeightsView } from './weights-view';

/** Tests read it from the document element. */
type State = 'loading' | 'idle' | 'training' | 'paused' | 'done' | 'error';

const MODEL_NAMES: Record<ModelKind, string> = { mlp: 'MLP', lenet: 'LeNet-5' };

const root = document.documentElement;
const button = (id: string): HTMLButtonElement => byId(id, HTMLButtonElement);
const start = button('start');
const pause = button('pause');
const stop = button('stop');
const whenIdle = ['load', 'upload', 'choose'].map(button);
const whenReady = ['save', 'download', 'test-image'].map(button);

const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'training' });
const send = (message: ToWorker): void => worker.postMessage(message);

const panel = new RunPanel();
const bars = new ProbabilityBars();
const weights = new WeightsView();
const store = new ModelStore(send);
const misses = new MissesView((pixels, label) => putOnPad(pixels, label));
const pad = new DigitPad(byId('pad', HTMLCanvasElement), digitChanged);

let state: State = 'loading';
let ready = false;
let kind: ModelKind = chosenModel();
/** Label of the test image on the pad, while nothing is drawn over it. */
let truth: number | undefined;
let last: EpochResult | undefined;
let seen: Float32Array | null = null;

function setState(next: State): void {
  state = next;
  root.dataset['state'] = next;
  const running = next === 'training' || next === 'paused';
  const hadFocus = document.activeElement;
  enableSettings(ready && !running);
  start.disabled = !ready || running;
  pause.disabled = stop.disabled = !running;
  pause.textContent = next === 'paused' ? 'Resume' : 'Pause';
  for (const element of whenReady) element.disabled = !ready;
  for (const element of whenIdle) element.disabled = !ready || running;
  if (store.note === null) button('load').disabled = true;
  if (running && hadFocus === start) pause.focus();
  if (!running && ready && (hadFocus === pause || hadFocus === stop)) start.focus();
}

function showError(message: string): void {
  byId('error-text', HTMLElement).textContent = message;
  byId('error', HTMLElement).hidden = false;
}

function hideError(): void {
  byId('error', HTMLElement).hidden = true;
}

function digitChanged(pixels: Float32Array | null): void {
  truth = undefined;
  seen = pixels;
  drawSeen();
  weights.setDigit(pixels);
  if (pixels === null) bars.clear();
  send({ type: 'watch', pixels });
}

function putOnPad(pixels: Uint8Array, label: number): void {
  pad.show(pixels);
  truth = label;
}

function drawSeen(): void {
  const ink = paletteColour('ink');
  const image = new ImageData(SIDE, SIDE);
  seen?.forEach((value, at) => image.data.set([...ink, 255 * value], 4 * at));
  context2d(byId('seen', HTMLCanvasElement)).putImageData(image, 0, 0);
}

function publish(result: EpochResult): void {
  root.dataset['valAccuracy'] = String(result.valAccuracy);
  root.dataset['samplesPerSecond'] = result.samplesPerSecond.toFixed(1);
}

function finish(reason: 'done' | 'stopped'): void {
  if (last !== undefined) publish(last);
  const accuracy = last === undefined ? '' : `: ${percent(last.valAccuracy)} accurate`;
  panel.say((reason === 'done' ? 'Trained' : 'Stopped') + accuracy);
  panel.end();
  setState(reason === 'done' ? 'done' : 'idle');
}

function receive(message: FromWorker): void {
  switch (message.type) {
    case 'ready':
      ready = true;
      for (const id of ['download', 'upload']) button(id).hidden = !message.files;
      panel.say('Ready. The weights are random so far.');
      setState('idle');
      return send({ type: 'testImage' });
    case 'dataset':
      byId('train-count', HTMLElement).textContent = whole(message.train);
      byId('test-count', HTMLElement).textContent = whole(message.test);
      if (!ready) return;
      forgetRun();
      panel.say(`${message.name}: ${whole(message.train)} training and ${whole(message.test)} test images`);
      return setState('idle');
    case 'model':
      kind = message.info.kind;
      showModel(kind);
      byId('parameters', HTMLElement).textContent = whole(message.info.parameters);
      return;
    case 'progress':
      return panel.progress(message.progress);
    case 'epoch':
      last = message.result;
      publish(last);
      panel.epoch(last);
      misses.show(last.misses);
      return panel.say(`Epoch ${last.epoch} done: ${percent(last.valAccuracy)} accurate`);
    case 'weights':
      return weights.show(message.weights);
    case 'probabilities':
      if (seen !== null) bars.show(message.values, truth);
      return;
    case 'testImage':
      return putOnPad(message.pixels, message.label);
    case 'finished':
      return finish(message.reason);
    case 'stored':
      return store.settle(message.request, message.error);
    case 'error':
      return fail(message.during, message.message);
  }
}

function fail(during: Extract<FromWorker, { type: 'error' }>['during'], message: string): void {
  showError(message);
  if (during === 'start' || during === 'training') {
    panel.say(during === 'start' ? 'The page could not start.' : 'The training ended with an error.');
    panel.end();
    setState('error');
  }
}

/** Forgets the last run: its numbers are not those of the model and data at hand. */
function forgetRun(): void {
  hideError();
  last = undefined;
  delete root.dataset['valAccuracy'];
  delete root.dataset['samplesPerSecond'];
  panel.clear(readSettings().epochs || 1);
  misses.clear();
}

function begin(): void {
  const settings = readSettings();
  forgetRun();
  panel.say(`Training the ${MODEL_NAMES[settings.model]}`);
  setState('training');
  send({ type: 'train', settings });
}

/** Runs what a storage button asks for and tells how it went. */
async function storing(work: () => Promise<void>, done: string): Promise<void> {
  hideError();
  try {
    await work();
    panel.say(done);
  } catch (error) {
    showError(error instanceof Error ? error.message : String(error));
  }
  showStoreNote();
  setState(state);
}

function showStoreNote(): void {
  const { note } = store;
  byId('store-note', HTMLElement).textContent = note === null ? 'Nothing is saved in this browser yet.' : `Saved here: ${note}.`;
}

function noteOfModel(): string {
  const accuracy = last === undefined ? '' : `, ${percent(last.valAccuracy)} accurate`;
  const time = new Date().toLocaleString('en', { dateStyle: 'medium', timeStyle: 'short' });
  return `${MODEL_NAMES[kind]}${accuracy}, ${time}`;
}

function loaded(): void {
  forgetRun();
  setKeep(true);
  setState('idle');
}

function chooseFiles(input: HTMLInputElement, use: (files: File[]) => void): void {
  input.addEventListener('change', () => {
    const files = [...(input.files ?? [])];
    input.value = '';
    if (files.length > 0) use(files);
  });
}

function useFiles(files: File[]): void {
  hideError();
  panel.say('Reading the files…');
  send({ type: 'dataset', files });
}

function changeModel(model: ModelKind): void {
  forgetRun();
  panel.say(`${MODEL_NAMES[model]} with random weights`);
  setState('idle');
  send({ type: 'build', model });
}

onSettings({ start: begin, model: changeModel });
addEventListener('keydown', (event) => {
  if (event.key === 'Escape') hideError();
});
pause.addEventListener('click', () => {
  const resume = state === 'paused';
  send({ type: resume ? 'resume' : 'pause' });
  panel.say(resume ? 'Training again' : 'Paused');
  setState(resume ? 'training' : 'paused');
});
stop.addEventListener('click', () => send({ type: 'stop' }));
button('clear').addEventListener('click', () => pad.clear());
button('test-image').addEventListener('click', () => send({ type: 'testImage' }));
button('dismiss').addEventListener('click', hideError);

button('save').addEventListener('click', () => void storing(() => store.save(noteOfModel()), 'Saved in this browser.'));
button('load').addEventListener('click', () => void storing(() => store.load().then(loaded), 'Loaded the saved model.'));
button('download').addEventListener('click', () => void storing(() => store.download(`gradling-${kind}`), 'Downloaded.'));
const uploadInput = byId('upload-input', HTMLInputElement);
button('upload').addEventListener('click', () => uploadInput.click());
chooseFiles(uploadInput, (files) => void storing(() => store.upload(files).then(loaded), 'Loaded the model from its file.'));

const filesInput = byId('files', HTMLInputElement);
button('choose').addEventListener('click', () => filesInput.click());
chooseFiles(filesInput, useFiles);
addEventListener('dragover', (event) => {
  event.preventDefault();
  root.dataset['drop'] = '';
});
addEventListener('dragleave', (event) => {
  if (event.relatedTarget === null) delete root.dataset['drop'];
});
addEventListener('drop', (event) => {
  event.preventDefault();
  delete root.dataset['drop'];
  const files = [...(event.dataTransfer?.files ?? [])];
  if (files.length > 0 && !button('choose').disabled) useFiles(files);
});

onSchemeChange(drawSeen);
worker.onmessage = ({ data }: MessageEvent<FromWorker>) => receive(data);
worker.onerror = (event) => {
  ready = false;
  fail('start', `The training worker could not run: ${event.message || 'it could not be loaded'}`);
};
showStoreNote();
pad.clear();
setState('loading');
send({ type: 'init', subsetUrl: new URL('mnist-subset.bin.gz', document.baseURI).href, model: kind });
