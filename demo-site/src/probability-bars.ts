/** The ten probabilities as bars, and the verdict in words. */
import { byId, create, percent } from './dom';
import { CLASSES } from './protocol';

export class ProbabilityBars {
  #box = byId('bars', HTMLElement);
  #digit = byId('verdict-digit', HTMLElement);
  #text = byId('verdict-text', HTMLElement);
  #columns = Array.from({ length: CLASSES }, (_, digit) => {
    const column = create('div', 'bar');
    const track = create('div', 'bar-track');
    const fill = create('div', 'bar-fill');
    track.append(fill);
    column.append(track, create('span', '', String(digit)));
    this.#box.append(column);
    return { column, fill };
  });

  show(values: ArrayLike<number>, truth: number | undefined): void {
    let best = 0;
    for (let digit = 1; digit < CLASSES; digit++) {
      if ((values[digit] ?? 0) > (values[best] ?? 0)) best = digit;
    }
    this.#columns.forEach(({ column, fill }, digit) => {
      fill.style.transform = `scaleY(${values[digit] ?? 0})`;
      column.classList.toggle('best', digit === best);
    });
    this.#digit.textContent = String(best);
    this.#digit.classList.toggle('wrong', truth !== undefined && truth !== best);
    const known = truth === undefined ? '' : truth === best ? ', and that is right' : `, but it is a ${truth}`;
    this.#text.textContent = `${percent(values[best] ?? 0)} sure${known}`;
    const spoken = Array.from(values, (value, digit) => `${digit}: ${percent(value)}`);
    this.#box.setAttribute('aria-label', `Probabilities of the ten digits. ${spoken.join(', ')}`);
  }

  clear(): void {
    for (const { column, fill } of this.#columns) {
      fill.style.transform = 'scaleY(0)';
      column.classList.remove('best');
    }
    this.#digit.textContent = '–';
    this.#digit.classList.remove('wrong');
    this.#text.textContent = 'Waiting for a digit';
    this.#box.setAttribute('aria-label', 'Probabilities of the ten digits: no digit drawn');
  }
}
