/** Makes a drawing look like MNIST: longer side 20 pixels, centre of mass in the middle of 28 x 28. */
import { PIXELS, SIDE } from './protocol';

const BOX = 20;
/** Ink fainter than this (of 255) does not count. */
const FAINT = 8;

/** `ink` is `side` x `side`, 0 to 255. Returns 28 x 28 numbers from 0 to 1, or null when there is no ink. */
export function normalizeDigit(ink: Uint8Array, side: number): Float32Array | null {
  let [left, right, top, bottom] = [side, -1, side, -1];
  let [mass, massX, massY] = [0, 0, 0];
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const value = ink[y * side + x] ?? 0;
      if (value < FAINT) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
      mass += value;
      massX += value * (x + 0.5);
      massY += value * (y + 0.5);
    }
  }
  if (mass === 0) return null;
  const scale = BOX / Math.max(right - left + 1, bottom - top + 1);
  // Output position of the drawing's origin, so that its centre of mass lands on the centre of the image.
  const originX = SIDE / 2 - (massX / mass) * scale;
  const originY = SIDE / 2 - (massY / mass) * scale;

  const out = new Float32Array(PIXELS);
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const value = ink[y * side + x] ?? 0;
      if (value === 0) continue;
      spread(out, originX + x * scale, originY + y * scale, scale, value / 255);
    }
  }
  for (let i = 0; i < PIXELS; i++) out[i] = Math.min(1, out[i] ?? 0);
  return out;
}

/** Adds a square of ink with corner (x, y) and the given size to the output pixels that it covers, by area. */
function spread(out: Float32Array, x: number, y: number, size: number, value: number): void {
  const lastRow = Math.min(SIDE - 1, Math.ceil(y + size) - 1);
  const lastColumn = Math.min(SIDE - 1, Math.ceil(x + size) - 1);
  for (let row = Math.max(0, Math.floor(y)); row <= lastRow; row++) {
    const height = Math.min(row + 1, y + size) - Math.max(row, y);
    for (let column = Math.max(0, Math.floor(x)); column <= lastColumn; column++) {
      const width = Math.min(column + 1, x + size) - Math.max(column, x);
      const at = row * SIDE + column;
      out[at] = (out[at] ?? 0) + value * width * height;
    }
  }
}
