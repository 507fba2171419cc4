// Layers of images.

import { misuse, unsupported } from './core.js';
import { Layer, snakeCase, whole } from './layers.js';
import type { ActivationIdentifier, InitializerIdentifier, LayerArgs } from './layers.js';

/** Arguments of `conv2d`. */
export interface ConvLayerArgs extends LayerArgs {
  /** The number of filters, and so of output channels. */
  filters: number;
  /** Height and width of a filter. */
  kernelSize: number | [number, number];
  /** Cells between neighbouring windows; 1 by default. */
  strides?: number | [number, number];
  /** `valid` by default: windows inside the image only; `same`: as many as strides. */
  padding?: 'valid' | 'same';
  /** Cells between neighbouring taps; 1 by default. */
  dilationRate?: number | [number, number];
  /** Only images with the channels last. */
  dataFormat?: 'channelsLast';
  /** Applied to the sum; linear by default. */
  activation?: ActivationIdentifier;
  /** Whether there is a bias; true by default. */
  useBias?: boolean;
  /** How the kernel starts; `glorotNormal` by default, as in TensorFlow.js (Keras: `glorotUniform`). */
  kernelInitializer?: InitializerIdentifier;
  /** How the bias starts; `zeros` by default. */
  biasInitializer?: InitializerIdentifier;
}

/** Arguments of `maxPooling2d`. */
export interface Pooling2DLayerArgs extends LayerArgs {
  /** Height and width of a window; 2 by default. */
  poolSize?: number | [number, number];
  /** Cells between neighbouring windows; the pool size by default. */
  strides?: number | [number, number];
  /** `valid` by default. */
  padding?: 'valid' | 'same';
  /** Only images with the channels last. */
  dataFormat?: 'channelsLast';
}

function pair(what: string, value: number | number[]): number[] {
  const two = typeof value === 'number' ? [value, value] : value;
  if (two.length !== 2) throw misuse(`${what}: expected one or two numbers, got [${two}]`);
  return two.map((n) => whole(what, n, 1));
}

function same(what: string, padding: string): boolean {
  if (padding !== 'same' && padding !== 'valid') throw unsupported(`${what}: padding ${padding}; expected valid or same`);
  return padding === 'same';
}

function channelsLast(what: string, format: string | undefined): void {
  if (format !== undefined && format !== 'channelsLast') throw unsupported(`${what}: dataFormat ${format}; expected channelsLast`);
}

/** Makers of layers of images. */
export const imageLayers = {
  /** A convolution of images `[height, width, channels]`. */
  conv2d(args: ConvLayerArgs): Layer {
    const { filters, activation = 'linear', useBias = true, kernelInitializer = 'glorotNormal', biasInitializer = 'zeros' } = args;
    whole('conv2d: filters', filters, 1);
    channelsLast('conv2d', args.dataFormat);
    const window = Uint32Array.from([
      ...pair('conv2d: kernelSize', args.kernelSize),
      ...pair('conv2d: strides', args.strides ?? 1),
      ...pair('conv2d: dilationRate', args.dilationRate ?? 1),
    ]);
    const border = same('conv2d', args.padding ?? 'valid');
    return new Layer('Conv2D', args, (core) =>
      core.conv2d(filters, window, border, activation, useBias, snakeCase(kernelInitializer), snakeCase(biasInitializer), args.name),
    );
  },
  /** The maximum of each window of images `[height, width, channels]`. */
  maxPooling2d(args: Pooling2DLayerArgs = {}): Layer {
    const size = pair('maxPooling2d: poolSize', args.poolSize ?? 2);
    const window = Uint32Array.from([...size, ...pair('maxPooling2d: strides', args.strides ?? size)]);
    channelsLast('maxPooling2d', args.dataFormat);
    const border = same('maxPooling2d', args.padding ?? 'valid');
    return new Layer('MaxPooling2D', args, (core) => core.max_pooling2d(window, border, args.name));
  },
};
