/** The form with the hyper-parameters. */
import { byId } from './dom';
import { MODEL_KINDS, OPTIMIZERS, type ModelKind, type OptimizerKind, type TrainSettings } from './protocol';

/** Learning rates that suit each optimizer on this problem. */
const USUAL_RATE: Record<OptimizerKind, string> = { adam: '0.001', momentum: '0.02', sgd: '0.1' };

/** `?seed=1` in the address makes every run the same. */
const seed = new URLSearchParams(location.search).get('seed');
const form = byId('train', HTMLFormElement);
const fields = byId('settings', HTMLFieldSetElement);
const model = byId('model', HTMLSelectElement);
const optimizer = byId('optimizer', HTMLSelectElement);
const learningRate = byId('learning-rate', HTMLInputElement);
const batchSize = byId('batch-size', HTMLInputElement);
const epochs = byId('epochs', HTMLInputElement);
const keep = byId('keep', HTMLInputElement);

function oneOf<T extends string>(value: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw new Error(`"${value}" is none of ${allowed.join(', ')}`);
  return found;
}

export function chosenModel(): ModelKind {
  return oneOf(model.value, MODEL_KINDS);
}

export function readSettings(): TrainSettings {
  return {
    model: chosenModel(),
    optimizer: oneOf(optimizer.value, OPTIMIZERS),
    learningRate: learningRate.valueAsNumber,
    batchSize: batchSize.valueAsNumber,
    epochs: epochs.valueAsNumber,
    keepWeights: keep.checked,
    ...(seed === null ? {} : { seed: Number(seed) }),
  };
}

export function showModel(kind: ModelKind): void {
  model.value = kind;
}

export function setKeep(checked: boolean): void {
  keep.checked = checked;
}

export function enableSettings(enabled: boolean): void {
  fields.disabled = !enabled;
}

export function onSettings(events: { start: () => void; model: (kind: ModelKind) => void }): void {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    events.start();
  });
  model.addEventListener('change', () => events.model(chosenModel()));
  optimizer.addEventListener('change', () => {
    const usual: string[] = Object.values(USUAL_RATE);
    if (usual.includes(learningRate.value)) learningRate.value = USUAL_RATE[oneOf(optimizer.value, OPTIMIZERS)];
  });
}
