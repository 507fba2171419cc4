/** The test images that the model misreads, as buttons that put them on the pad. */
import { byId, context2d, create, onSchemeChange, paletteColour, percent, whole } from './dom';
import { MISSES_SHOWN, PIXELS, SIDE, type Misses } from './protocol';

export class MissesView {
  #box = byId('misses-view', HTMLElement);
  #note = byId('misses-note', HTMLElement);
  #introduction = this.#note.textContent;
  #misses: Misses | undefined;

  constructor(private readonly onPick: (pixels: Uint8Array, label: number) => void) {
    this.#fill([]);
    onSchemeChange(() => this.#misses !== undefined && this.show(this.#misses));
  }

  clear(): void {
    this.#misses = undefined;
    this.#fill([]);
    this.#note.textContent = this.#introduction;
  }

  show(misses: Misses): void {
    this.#misses = misses;
    const { wrong, total, items, pixels } = misses;
    this.#note.textContent =
      wrong === 0
        ? `None of the ${whole(total)} test images is misread.`
        : `${whole(wrong)} of ${whole(total)} are misread; here those it is surest of. Choose one to try it above.`;
    const focused = [...this.#box.children].indexOf(document.activeElement as Element);
    const ink = paletteColour('ink');
    const tiles = items.map(({ label, predicted, confidence }, at) => {
      const bytes = pixels.subarray(at * PIXELS, (at + 1) * PIXELS);
      const tile = create('button', 'miss');
      tile.type = 'button';
      tile.title = `a ${label}, read as ${predicted} (${percent(confidence)} sure)`;
      tile.setAttribute('aria-label', tile.title);
      const canvas = create('canvas');
      canvas.width = canvas.height = SIDE;
      const image = new ImageData(SIDE, SIDE);
      bytes.forEach((byte, i) => image.data.set([...ink, byte], 4 * i));
      context2d(canvas).putImageData(image, 0, 0);
      const caption = create('span', 'number', `${label} → `);
      caption.append(create('b', '', String(predicted)));
      tile.append(canvas, caption);
      tile.addEventListener('click', () => this.onPick(bytes, label));
      return tile;
    });
    this.#fill(tiles);
    tiles[focused]?.focus({ preventScroll: true });
  }

  /** Empty slots hold the places of the tiles that are not there, so that nothing moves. */
  #fill(tiles: HTMLElement[]): void {
    const slots = Array.from({ length: MISSES_SHOWN - tiles.length }, () => {
      const slot = create('div', 'miss');
      slot.append(create('canvas'), create('span', '', '\u00a0'));
      return slot;
    });
    this.#box.replaceChildren(...tiles, ...slots);
  }
}
