/** Status line, progress bar, readouts and the two curves of a run. */
import { Chart } from './chart';
import { byId, duration, percent, whole } from './dom';
import type { EpochResult, Progress } from './protocol';

const EMPTY = '–';

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
    format: (value) => value.toFixed(2),
    range: (_low, high) => [0, high === null ? 2.5 : Math.max(0.05, high * 1.05)],
  });
  #accuracy = new Chart(byId('accuracy-chart', HTMLElement), {
    title: 'Accuracy',
    format: (value) => `${Math.round(1000 * value) / 10}%`,
    range: (low) => [low === null ? 0 : Math.floor(Math.min(low, 0.95) * 20) / 20, 1],
  });

  /** Said aloud by screen readers; so only what is worth hearing. */
  say(text: string): void {
    if (this.#status.textContent !== text) this.#status.textContent = text;
  }

  begin(epochs: number): void {
    this.#loss.reset(epochs);
    this.#accuracy.reset(epochs);
    this.#epoch.textContent = `1 of ${epochs}`;
    this.#validation.textContent = EMPTY;
    this.#rate.textContent = EMPTY;
    this.#left.textContent = EMPTY;
    this.#fill(0);
  }

  progress(progress: Progress): void {
    const { epoch, epochs, step, steps, samplesPerSecond, secondsLeft, points } = progress;
    this.#fill(step / steps);
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

  #fill(share: number): void {
    this.#bar.value = share;
    this.#percent.textContent = `${Math.floor(100 * share)}%`;
  }
}
