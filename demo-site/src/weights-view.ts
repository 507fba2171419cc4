/** First-layer weights as pictures on a diverging colour map, zero being the page's own surface. */
import { byId, context2d, create, onSchemeChange, paletteColour, type Rgb } from './dom';
import { PIXELS, SIDE, type FirstLayer } from './protocol';

export class WeightsView {
  #box = byId('weights-view', HTMLElement);
  #note = byId('weights-note', HTMLElement);
  #tiles: HTMLCanvasElement[] = [];
  #shape = '';
  #layer: FirstLayer | undefined;
  #digit: Float32Array | null = null;

  constructor() {
    onSchemeChange(() => this.#draw());
  }

  show(layer: FirstLayer): void {
    this.#layer = layer;
    this.#draw();
  }

  /** The digit on the pad, for the pictures of what each filter answers to it. */
  setDigit(pixels: Float32Array | null): void {
    this.#digit = pixels;
    if (this.#layer?.model === 'lenet') this.#draw();
  }

  #draw(): void {
    const layer = this.#layer;
    if (layer === undefined) return;
    const { side, count, tiles } = layer;
    const area = side * side;
    this.#lay(layer);
    const colours = [paletteColour('orange'), paletteColour('surface'), paletteColour('blue')] as const;
    for (let at = 0; at < count; at++) {
      paint(this.#tiles[at], tiles.subarray(at * area, (at + 1) * area), side, colours);
      if (layer.model === 'lenet') {
        const answer = filtered(this.#digit, tiles.subarray(at * area, (at + 1) * area), side);
        paint(this.#tiles[count + at], answer, SIDE, colours);
      }
    }
  }

  /** Makes the canvases anew when the network is another one. */
  #lay({ model, side, count }: FirstLayer): void {
    const shape = `${model} ${side} ${count}`;
    if (shape === this.#shape) return;
    this.#shape = shape;
    this.#box.dataset['model'] = model;
    const sides = Array.from({ length: count }, () => side);
    if (model === 'lenet') sides.push(...Array.from({ length: count }, () => SIDE));
    this.#tiles = sides.map((size) => {
      const canvas = create('canvas');
      canvas.width = canvas.height = size;
      return canvas;
    });
    this.#box.replaceChildren(
      ...(model === 'mlp'
        ? this.#tiles
        : [
            create('p', 'note', 'Filters'),
            ...this.#tiles.slice(0, count),
            create('p', 'note', 'What each answers to the digit on the pad'),
            ...this.#tiles.slice(count),
          ]),
    );
    this.#note.textContent =
      model === 'mlp'
        ? `${count} of the 128 hidden units: blue pixels raise a unit, orange ones lower it.`
        : `The ${count} filters of 5 × 5 pixels: blue weights are positive, orange ones negative.`;
    this.#box.setAttribute(
      'aria-label',
      model === 'mlp' ? `Weights of ${count} hidden units, 28 by 28 each` : `${count} filters of 5 by 5 weights`,
    );
  }
}

/** The values run from -max to +max of this tile. */
function paint(
  canvas: HTMLCanvasElement | undefined,
  values: Float32Array,
  side: number,
  [low, zero, high]: readonly [Rgb, Rgb, Rgb],
): void {
  if (canvas === undefined) return;
  let largest = 1e-9;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  const image = new ImageData(side, side);
  values.forEach((value, at) => {
    const share = Math.abs(value) / largest;
    const end = value < 0 ? low : high;
    for (let channel = 0; channel < 3; channel++) {
      const from = zero[channel] ?? 0;
      image.data[4 * at + channel] = from + share * ((end[channel] ?? 0) - from);
    }
    image.data[4 * at + 3] = 255;
  });
  context2d(canvas).putImageData(image, 0, 0);
}

/** The filter slid over the digit, zeros around it. */
function filtered(digit: Float32Array | null, filter: Float32Array, side: number): Float32Array {
  const out = new Float32Array(PIXELS);
  if (digit === null) return out;
  const reach = (side - 1) / 2;
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      let sum = 0;
      for (let row = 0; row < side; row++) {
        for (let column = 0; column < side; column++) {
          const [sourceY, sourceX] = [y + row - reach, x + column - reach];
          if (sourceY < 0 || sourceY >= SIDE || sourceX < 0 || sourceX >= SIDE) continue;
          sum += (filter[row * side + column] ?? 0) * (digit[sourceY * SIDE + sourceX] ?? 0);
        }
      }
      out[y * SIDE + x] = sum;
    }
  }
  return out;
}
