/** The drawing pad. Ink lives in the canvas's alpha channel, so its colour can follow the page's. */
import { context2d, onSchemeChange, paletteColour, paletteText } from './dom';
import { normalizeDigit } from './digit-image';
import { PIXELS, SIDE } from './protocol';

const RESOLUTION = 20 * SIDE;
const PEN = RESOLUTION * 0.085;

export class DigitPad {
  #context: CanvasRenderingContext2D;
  #small = document.createElement('canvas');
  #last: { x: number; y: number } | undefined;
  #pending = false;

  /** `onChange` gets 28 x 28 numbers from 0 to 1, or null when the pad is empty. */
  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly onChange: (pixels: Float32Array | null) => void,
  ) {
    canvas.width = canvas.height = RESOLUTION;
    this.#small.width = this.#small.height = SIDE;
    this.#context = context2d(canvas);
    canvas.addEventListener('pointerdown', (event) => this.#begin(event));
    canvas.addEventListener('pointermove', (event) => this.#move(event));
    for (const name of ['pointerup', 'pointercancel'] as const) {
      canvas.addEventListener(name, () => (this.#last = undefined));
    }
    onSchemeChange(() => this.#recolour());
  }

  clear(): void {
    this.#context.clearRect(0, 0, RESOLUTION, RESOLUTION);
    this.canvas.dataset['empty'] = '';
    this.onChange(null);
  }

  /** Shows an MNIST image, and passes it on just as it is. */
  show(bytes: Uint8Array): void {
    const [red, green, blue] = paletteColour('ink');
    const image = new ImageData(SIDE, SIDE);
    for (let i = 0; i < PIXELS; i++) image.data.set([red, green, blue, bytes[i] ?? 0], 4 * i);
    context2d(this.#small).putImageData(image, 0, 0);
    this.#context.clearRect(0, 0, RESOLUTION, RESOLUTION);
    this.#context.imageSmoothingEnabled = false;
    this.#context.drawImage(this.#small, 0, 0, RESOLUTION, RESOLUTION);
    delete this.canvas.dataset['empty'];
    this.onChange(Float32Array.from(bytes, (byte) => byte / 255));
  }

  #begin(event: PointerEvent): void {
    if (event.button !== 0) return;
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    this.#last = this.#place(event);
    this.#line(this.#last, event.pressure, event.pointerType);
  }

  #move(event: PointerEvent): void {
    if (this.#last === undefined) return;
    const moves = event.getCoalescedEvents?.() ?? [];
    for (const move of moves.length > 0 ? moves : [event]) {
      this.#line(this.#place(move), move.pressure, event.pointerType);
    }
  }

  #place(event: PointerEvent): { x: number; y: number } {
    const box = this.canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) / box.width) * RESOLUTION,
      y: ((event.clientY - box.top) / box.height) * RESOLUTION,
    };
  }

  #line(to: { x: number; y: number }, pressure: number, pointer: string): void {
    const context = this.#context;
    const from = this.#last ?? to;
    context.strokeStyle = paletteText('ink');
    context.lineWidth = PEN * (pointer === 'pen' ? 0.6 + 0.8 * pressure : 1);
    context.lineCap = context.lineJoin = 'round';
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y);
    context.stroke();
    this.#last = to;
    delete this.canvas.dataset['empty'];
    this.#changed();
  }

  /** At most one reading of the canvas a frame. */
  #changed(): void {
    if (this.#pending) return;
    this.#pending = true;
    requestAnimationFrame(() => {
      this.#pending = false;
      const { data } = this.#context.getImageData(0, 0, RESOLUTION, RESOLUTION);
      const ink = Uint8Array.from({ length: RESOLUTION * RESOLUTION }, (_, i) => data[4 * i + 3] ?? 0);
      this.onChange(normalizeDigit(ink, RESOLUTION));
    });
  }

  #recolour(): void {
    const context = this.#context;
    context.globalCompositeOperation = 'source-in';
    context.fillStyle = paletteText('ink');
    context.fillRect(0, 0, RESOLUTION, RESOLUTION);
    context.globalCompositeOperation = 'source-over';
  }
}
