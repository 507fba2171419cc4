/** Clocks of a training run: time in training steps, time that counts for the forecast, pauses left out. */
export class Pace {
  #trainMs = 0;
  #epochTrainMs = 0;
  #wallMs = 0;
  #since = 0;
  #samples = 0;
  #epochSamples = 0;
  #steps = 0;
  #rate = 0;

  constructor(private readonly totalSteps: number) {}

  beginEpoch(): void {
    this.#epochTrainMs = 0;
    this.#epochSamples = 0;
    this.#since = performance.now();
  }

  /** Call when a step ends, then `resumeStep` before the next one begins. */
  endStep(samples: number): void {
    const elapsed = performance.now() - this.#since;
    this.#since += elapsed;
    this.#trainMs += elapsed;
    this.#epochTrainMs += elapsed;
    this.#wallMs += elapsed;
    this.#samples += samples;
    this.#epochSamples += samples;
    this.#steps += 1;
    const now = samples / Math.max(elapsed, 1e-3);
    this.#rate = this.#rate === 0 ? now : this.#rate + 0.05 * (now - this.#rate);
  }

  /** Begins the next step's clock. `paused` time does not enter the forecast. */
  resumeStep(pausedMs: number): void {
    const now = performance.now();
    this.#wallMs += Math.max(0, now - this.#since - pausedMs);
    this.#since = now;
  }

  /** Validation and whatever else follows the last step of an epoch. */
  endEpoch(): void {
    const now = performance.now();
    this.#wallMs += now - this.#since;
    this.#since = now;
  }

  /** Mean over the whole run. */
  get samplesPerSecond(): number {
    return (1000 * this.#samples) / Math.max(this.#trainMs, 1e-3);
  }

  get epochSamplesPerSecond(): number {
    return (1000 * this.#epochSamples) / Math.max(this.#epochTrainMs, 1e-3);
  }

  /** Smoothed over the last few dozen steps. */
  get recentSamplesPerSecond(): number {
    return 1000 * this.#rate;
  }

  get secondsLeft(): number {
    return this.#steps === 0 ? 0 : ((this.totalSteps - this.#steps) * this.#wallMs) / this.#steps / 1000;
  }
}
