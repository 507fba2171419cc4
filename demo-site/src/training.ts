/** One training run: drives `fit`, lets messages through between batches, reports as it goes. */
import { classify, compileModel, imageTensor, labelTensor, readFirstLayer, type Model } from './models';
import type { Mnist, Split } from './mnist';
import { Pace } from './pace';
import { CLASSES, MISSES_SHOWN, PIXELS, type EpochResult, type FirstLayer, type Misses, type Progress } from './protocol';
import type { TrainPoint, TrainSettings } from './protocol';

export interface TrainingEvents {
  progress(progress: Progress): void;
  weights(weights: FirstLayer): void;
  epoch(result: EpochResult): void;
  /** The weights have changed and some time has passed. */
  refresh(): void;
}

interface Logs {
  readonly [name: string]: number | undefined;
}

/** The curve gets at most about this many points in a run. */
const CURVE_POINTS = 400;
const EVALUATE_CHUNK = 500;
/** Longest stretch, in ms, in which no message is heard. */
const BREATH = 12;
const PROGRESS_EVERY = 100;
const REFRESH_EVERY = 200;
const WEIGHTS_EVERY = 300;

/** A macrotask turn: messages that wait are handled before this resolves. */
function breathe(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

export class Training {
  #paused: Promise<void> | undefined;
  #unpause: (() => void) | undefined;
  #stopped = false;
  #failure: string | undefined;

  constructor(
    private readonly model: Model,
    private readonly settings: TrainSettings,
    private readonly data: Mnist,
    private readonly events: TrainingEvents,
  ) {}

  pause(): void {
    this.#paused ??= new Promise((resolve) => (this.#unpause = resolve));
  }

  resume(): void {
    this.#unpause?.();
    this.#paused = undefined;
  }

  stop(): void {
    this.#stopped = true;
    this.resume();
  }

  /** Trains to the end or until `stop`. Throws what `fit` throws, and when the loss is not a number. */
  async run(): Promise<'done' | 'stopped'> {
    const { model, settings, data } = this;
    const { epochs, batchSize } = settings;
    const stepsAnEpoch = Math.ceil(data.train.count / batchSize);
    const steps = stepsAnEpoch * epochs;
    const pace = new Pace(steps);
    const window = Math.max(1, Math.ceil(steps / CURVE_POINTS));
    const clocks = { breath: 0, progress: 0, weights: 0, refresh: 0 };
    let points: TrainPoint[] = [];
    let sums = { loss: 0, accuracy: 0, count: 0 };
    let epochsDone = 0;
    let step = 0;

    const report = (): void => {
      this.events.progress({
        epoch: epochsDone,
        epochs,
        step,
        steps,
        samplesPerSecond: pace.recentSamplesPerSecond,
        secondsLeft: pace.secondsLeft,
        points,
      });
      points = [];
    };

    /** True, and the clock set anew, when `every` ms have passed since the last time. */
    const due = (clock: keyof typeof clocks, every: number): boolean => {
      const now = performance.now();
      if (now - clocks[clock] < every) return false;
      clocks[clock] = now;
      return true;
    };

    const onBatchEnd = async (batch: number, logs?: Logs): Promise<void> => {
      pace.endStep(Math.min(batchSize, data.train.count - batch * batchSize));
      step = epochsDone * stepsAnEpoch + batch + 1;
      const loss = logs?.['loss'] ?? Number.NaN;
      if (!Number.isFinite(loss)) {
        this.#failure =
          `The loss became ${loss} at step ${step}: the weights have grown without bound. ` +
          `Try a learning rate below ${settings.learningRate}. The network is back at random weights.`;
        model.stopTraining = true;
        return;
      }
      sums.loss += loss;
      sums.accuracy += accuracyIn(logs, '') ?? 0;
      sums.count += 1;
      if (step % window === 0 || batch === stepsAnEpoch - 1) {
        points.push({ epoch: step / stepsAnEpoch, loss: sums.loss / sums.count, accuracy: sums.accuracy / sums.count });
        sums = { loss: 0, accuracy: 0, count: 0 };
      }
      if (due('progress', PROGRESS_EVERY)) report();
      if (due('weights', WEIGHTS_EVERY)) this.events.weights(readFirstLayer(model, settings.model));
      if (due('refresh', REFRESH_EVERY)) this.events.refresh();
      if (due('breath', BREATH)) await breathe();
      const pausedMs = this.#paused === undefined ? 0 : await this.#waitWhilePaused(report);
      if (this.#stopped) model.stopTraining = true;
      pace.resumeStep(pausedMs);
    };

    const onEpochEnd = async (epoch: number, logs?: Logs): Promise<void> => {
      const valLoss = logs?.['val_loss'];
      const valAccuracy = accuracyIn(logs, 'val_');
      if (this.#failure !== undefined || valLoss === undefined || valAccuracy === undefined) return;
      epochsDone = epoch + 1;
      const misses = await findMisses(model, data.test);
      pace.endEpoch();
      report();
      this.events.weights(readFirstLayer(model, settings.model));
      this.events.refresh();
      this.events.epoch({
        epoch: epochsDone,
        loss: logs?.['loss'] ?? Number.NaN,
        accuracy: accuracyIn(logs, '') ?? Number.NaN,
        valLoss,
        valAccuracy,
        samplesPerSecond: pace.epochSamplesPerSecond,
        misses,
      });
      await breathe();
    };

    compileModel(model, settings);
    const tensors = [
      imageTensor(data.train.images),
      labelTensor(data.train.labels),
      imageTensor(data.test.images),
      labelTensor(data.test.labels),
    ] as const;
    const [x, y, testX, testY] = tensors;
    try {
      await model.fit(x, y, {
        epochs,
        batchSize,
        shuffle: true,
        validationData: [testX, testY],
        callbacks: { onEpochBegin: () => pace.beginEpoch(), onBatchEnd, onEpochEnd },
      });
    } finally {
      for (const tensor of tensors) tensor.dispose();
    }
    if (this.#failure !== undefined) throw new Error(this.#failure);
    return this.#stopped && epochsDone < epochs ? 'stopped' : 'done';
  }

  /** Returns the ms that it waited. */
  async #waitWhilePaused(report: () => void): Promise<number> {
    const from = performance.now();
    report();
    await this.#paused;
    return performance.now() - from;
  }
}

function accuracyIn(logs: Logs | undefined, prefix: '' | 'val_'): number | undefined {
  return logs?.[`${prefix}acc`] ?? logs?.[`${prefix}accuracy`];
}

async function findMisses(model: Model, test: Split): Promise<Misses> {
  const items: Misses['items'] = [];
  for (let from = 0; from < test.count; from += EVALUATE_CHUNK) {
    const to = Math.min(from + EVALUATE_CHUNK, test.count);
    const probabilities = classify(model, () => imageTensor(test.images.subarray(from * PIXELS, to * PIXELS)));
    for (let index = from; index < to; index++) {
      const row = probabilities.subarray((index - from) * CLASSES, (index - from + 1) * CLASSES);
      const confidence = Math.max(...row);
      const predicted = row.indexOf(confidence);
      const label = test.labels[index] ?? 0;
      if (predicted !== label) items.push({ index, label, predicted, confidence });
    }
    await breathe();
  }
  const wrong = items.length;
  items.sort((a, b) => b.confidence - a.confidence);
  items.length = Math.min(wrong, MISSES_SHOWN);
  const pixels = new Uint8Array(items.length * PIXELS);
  items.forEach(({ index }, at) => pixels.set(test.images.subarray(index * PIXELS, (index + 1) * PIXELS), at * PIXELS));
  return { wrong, total: test.count, pixels, items };
}
