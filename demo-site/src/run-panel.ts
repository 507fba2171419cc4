/** Status line, progress bar, readouts and the two curves of a run. */
import { Chart } from './chart';
import { byId, duration, percent, whole } from './dom';
import type { EpochResult, Progress } from './protocol';

const EMPTY = '–';
/** The axes leave out this share of the points, the steep first ones, so that the rest can be read. */
const FIRST_STEPS = 0.03;

export class RunPanel {
  #status = byId('status', HTMLElement);
  #percent = byId('percent', HTMLElement);
  #bar = byId('progress', HTMLProgressElement);
  #epoch = byId('epoch-out', HTMLElement);
  #validation = byId('val-out', HTMLElement);
  #rate = byId('rate-out', HTMLElement);
  #left = byId('left-out', HTMLElement);
  #loss = new Chart(byId('loss-chart', HTMLElement), {
    title: 'Loss',
    format: (value) => value.toFixed(3),
    tick: (value) => value.toFixed(2),
    range: (quantile) => [0, quantile === null ? 2.5 : Math.max(0.05, quantile(1 - FIRST_STEPS) * 1.05)],
  });
  #accuracy = new Chart(byId('accuracy-chart', HTMLElement), {
    title: 'Accuracy',
    format: percent,
    tick: (value) => `${Math.round(100 * value)}%`,
    range: (quantile) => [quantile === null ? 0 : Math.floor(Math.min(quantile(FIRST_STEPS), 0.95) * 20) / 20, 1],
  });

  /** Said aloud by screen readers; so only what is worth hearing. */
  say(text: string): void {
    if (this.#status.textContent !== text) this.#status.textContent = text;
  }

  /** Empties the readouts and the curves, which then run over `epochs`. */
  clear(epochs: number): void {
    this.#loss.reset(epochs);
    this.#accuracy.reset(epochs);
    for (const readout of [this.#epoch, this.#validation, this.#rate, this.#left]) readout.textContent = EMPTY;
    this.#bar.value = 0;
    this.#percent.textContent = '';
  }

  progress(progress: Progress): void {
    const { epoch, epochs, step, steps, samplesPerSecond, secondsLeft, points } = progress;
    this.#bar.value = step / steps;
    this.#percent.textContent = `${Math.floor((100 * step) / steps)}%`;
    this.#epoch.textContent = `${Math.min(epoch + 1, epochs)} of ${epochs}`;
    this.#rate.textContent = whole(samplesPerSecond);
    this.#left.textContent = duration(secondsLeft);
    for (const point of points) {
      this.#loss.addTraining(point.epoch, point.loss);
      this.#accuracy.addTraining(point.epoch, point.accuracy);
    }
  }

  epoch(result: EpochResult): void {
    this.#loss.addValidation(result.epoch, result.valLoss);
    this.#accuracy.addValidation(result.epoch, result.valAccuracy);
    this.#validation.textContent = percent(result.valAccuracy);
    this.#rate.textContent = whole(result.samplesPerSecond);
  }

  end(): void {
    this.#left.textContent = EMPTY;
  }
}
