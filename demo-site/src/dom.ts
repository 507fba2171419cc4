/** Small helpers for elements that index.html declares. */

export function byId<E extends HTMLElement>(id: string, kind: new () => E): E {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`The page has no ${kind.name} with id "${id}"`);
  return element;
}

export function create<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = '',
  text = '',
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

export function context2d(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('This browser has no 2D canvas');
  return context;
}

export type Rgb = readonly [number, number, number];

const swatch = document.createElement('canvas').getContext('2d');

/** An opaque colour of the style sheet's palette as numbers. */
export function paletteColour(name: string): Rgb {
  if (swatch === null) return [0, 0, 0];
  // A canvas gives back any notation of an opaque colour as #rrggbb.
  swatch.fillStyle = paletteText(name);
  const value = Number.parseInt(String(swatch.fillStyle).slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

export function paletteText(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Calls back when the page goes from light to dark or back. */
export function onSchemeChange(callback: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', callback);
}

const percentFormat = new Intl.NumberFormat('en', { style: 'percent', minimumFractionDigits: 1, maximumFractionDigits: 1 });
const wholeFormat = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

export function percent(value: number): string {
  return percentFormat.format(value);
}

export function whole(value: number): string {
  return wholeFormat.format(value);
}

/** 8 → "8 s", 75 → "1:15", 4000 → "1:06:40". */
export function duration(seconds: number): string {
  const rounded = Math.max(0, Math.round(seconds));
  if (rounded < 60) return `${rounded} s`;
  const [hours, minutes, rest] = [Math.floor(rounded / 3600), Math.floor(rounded / 60) % 60, rounded % 60];
  const tail = String(rest).padStart(2, '0');
  return hours === 0 ? `${minutes}:${tail}` : `${hours}:${String(minutes).padStart(2, '0')}:${tail}`;
}
