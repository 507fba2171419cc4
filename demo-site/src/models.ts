/** The two networks of the page, and what the worker reads out of them. */
import * as tf from 'gradling';
import { CLASSES, PIXELS, SIDE, type FirstLayer, type ModelKind, type TrainSettings } from './protocol';

export type Model = ReturnType<typeof tf.sequential>;
export type Tensor = ReturnType<typeof tf.tensor>;

/** How many of the MLP's hidden units are shown. */
const SHOWN_UNITS = 32;

const INPUT_SHAPE = [SIDE, SIDE, 1];

/** A network with random weights: others at each call, unless a seed is given. */
export function buildModel(kind: ModelKind, seed?: number): Model {
  const model = tf.sequential(seed === undefined ? {} : { seed });
  if (kind === 'mlp') {
    model.add(tf.layers.flatten({ inputShape: INPUT_SHAPE }));
    model.add(tf.layers.dense({ units: 128, activation: 'relu' }));
  } else {
    model.add(
      tf.layers.conv2d({ inputShape: INPUT_SHAPE, filters: 6, kernelSize: 5, padding: 'same', activation: 'relu' }),
    );
    model.add(tf.layers.maxPooling2d({ poolSize: 2 }));
    model.add(tf.layers.conv2d({ filters: 16, kernelSize: 5, activation: 'relu' }));
    model.add(tf.layers.maxPooling2d({ poolSize: 2 }));
    model.add(tf.layers.flatten());
    model.add(tf.layers.dense({ units: 120, activation: 'relu' }));
    model.add(tf.layers.dense({ units: 84, activation: 'relu' }));
  }
  model.add(tf.layers.dense({ units: CLASSES, activation: 'softmax' }));
  return model;
}

export function compileModel(model: Model, settings: TrainSettings): void {
  const { optimizer, learningRate } = settings;
  model.compile({
    optimizer:
      optimizer === 'adam'
        ? tf.train.adam(learningRate)
        : optimizer === 'momentum'
          ? tf.train.momentum(learningRate, 0.9)
          : tf.train.sgd(learningRate),
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy'],
  });
}

/**
 * Tells which of the page's networks a loaded model is.
 * @throws if it is neither, since the page could not show or train it.
 */
export function kindOf(model: Model): ModelKind {
  const shapes = tf.tidy(() => model.layers.flatMap((layer) => layer.getWeights().map((w) => w.shape.join('x'))));
  const kind = shapes[0] === '784x128' ? 'mlp' : shapes[0] === '5x5x1x6' ? 'lenet' : undefined;
  if (kind === undefined || shapes.at(-1) !== String(CLASSES)) {
    throw new Error(`This file holds another network (weights ${shapes.join(', ')}); expected one saved by this page`);
  }
  return kind;
}

export function countParameters(model: Model): number {
  return tf.tidy(() =>
    model.layers
      .flatMap((layer) => layer.getWeights())
      .reduce((sum, weight) => sum + weight.shape.reduce((size, dim) => size * dim, 1), 0),
  );
}

/** Weights of the first layer that has any, one square tile for each unit or filter. */
export function readFirstLayer(model: Model, kind: ModelKind): FirstLayer {
  const layer = model.layers[kind === 'mlp' ? 1 : 0];
  const [values, shape] = tf.tidy(() => {
    const kernel = layer?.getWeights()[0];
    if (kernel === undefined) throw new Error('The first layer has no weights');
    return [kernel.dataSync(), kernel.shape] as const;
  });
  const units = shape.at(-1) ?? 0;
  const count = Math.min(units, SHOWN_UNITS);
  const area = values.length / units;
  const tiles = new Float32Array(count * area);
  for (let unit = 0; unit < count; unit++) {
    for (let at = 0; at < area; at++) tiles[unit * area + at] = values[at * units + unit] ?? 0;
  }
  return { model: kind, side: Math.sqrt(area), count, tiles };
}

/** Scales bytes to 0..1 in the shape that the networks take. */
export function imageTensor(bytes: Uint8Array): Tensor {
  const values = new Float32Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) values[i] = (bytes[i] ?? 0) / 255;
  return pixelTensor(values);
}

export function pixelTensor(values: Float32Array): Tensor {
  return tf.tensor(values, [values.length / PIXELS, ...INPUT_SHAPE], 'float32');
}

export function labelTensor(labels: Uint8Array): Tensor {
  return tf.tensor(Float32Array.from(labels), [labels.length, 1], 'float32');
}

/** Class probabilities, `CLASSES` numbers an image. */
export function classify(model: Model, makeInput: () => Tensor): Float32Array {
  return tf.tidy(() => Float32Array.from((model.predict(makeInput()) as Tensor).dataSync()));
}
