/** Messages between the page and the training worker. Everything here crosses by structured clone. */

export const MODEL_KINDS = ['mlp', 'lenet'] as const;
export type ModelKind = (typeof MODEL_KINDS)[number];

export const OPTIMIZERS = ['adam', 'momentum', 'sgd'] as const;
export type OptimizerKind = (typeof OPTIMIZERS)[number];

/** Side of an MNIST image. */
export const SIDE = 28;
export const PIXELS = SIDE * SIDE;
export const CLASSES = 10;
/** At most so many misread images are shown. */
export const MISSES_SHOWN = 24;

export interface TrainSettings {
  model: ModelKind;
  optimizer: OptimizerKind;
  learningRate: number;
  batchSize: number;
  epochs: number;
  /** Go on from the weights that the worker holds instead of fresh ones. */
  keepWeights: boolean;
  /** Of initial weights and shuffling; random without it. */
  seed?: number;
}

export type ToWorker =
  | { type: 'init'; subsetUrl: string; model: ModelKind }
  | { type: 'dataset'; files: File[] }
  | { type: 'build'; model: ModelKind }
  | { type: 'train'; settings: TrainSettings }
  | { type: 'pause' }
  | { type: 'resume' }
  | { type: 'stop' }
  /** Classify these 28x28 pixels (0 to 1) now, and again as the weights change; null: nothing. */
  | { type: 'watch'; pixels: Float32Array | null }
  | { type: 'testImage' }
  | { type: 'save'; url: string; request: number }
  | { type: 'load'; url: string; request: number };

/** A point of the training curve: means over the batches since the point before it. */
export interface TrainPoint {
  /** Fractional epoch, from 0. */
  epoch: number;
  loss: number;
  accuracy: number;
}

export interface Progress {
  /** Epochs that are whole. */
  epoch: number;
  epochs: number;
  step: number;
  steps: number;
  samplesPerSecond: number;
  secondsLeft: number;
  points: TrainPoint[];
}

export interface EpochResult {
  /** Number of this epoch, from 1. */
  epoch: number;
  loss: number;
  accuracy: number;
  valLoss: number;
  valAccuracy: number;
  samplesPerSecond: number;
  misses: Misses;
}

/** Test images that the model gets wrong, the most confident mistakes first. */
export interface Misses {
  wrong: number;
  total: number;
  /** One byte a pixel, `items.length` images. */
  pixels: Uint8Array;
  items: { index: number; label: number; predicted: number; confidence: number }[];
}

/** First-layer weights: `count` tiles of `side` x `side`, one after the other. */
export interface FirstLayer {
  model: ModelKind;
  side: number;
  count: number;
  tiles: Float32Array;
}

export interface ModelInfo {
  kind: ModelKind;
  /** Number of trainable numbers. */
  parameters: number;
}

export type FromWorker =
  /** `files`: the package can write and read model files. */
  | { type: 'ready'; files: boolean }
  | { type: 'dataset'; name: string; train: number; test: number }
  | { type: 'model'; info: ModelInfo }
  | { type: 'progress'; progress: Progress }
  | { type: 'epoch'; result: EpochResult }
  | { type: 'weights'; weights: FirstLayer }
  | { type: 'probabilities'; values: Float32Array }
  | { type: 'testImage'; pixels: Uint8Array; label: number; index: number }
  | { type: 'finished'; reason: 'done' | 'stopped' }
  | { type: 'stored'; request: number; error?: string }
  | { type: 'error'; during: 'start' | 'dataset' | 'training' | 'other'; message: string };
