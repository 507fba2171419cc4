/** A curve over epochs for training and validation, drawn by uPlot in the page's colours. */
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { create, onSchemeChange, paletteText } from './dom';

export interface ChartOptions {
  title: string;
  format: (value: number) => string;
  /** As `format`, for the numbers along the vertical axis. */
  tick: (value: number) => string;
  /** Range of the vertical axis; `quantile` reads the data drawn so far and is null while there are none. */
  range: (quantile: ((share: number) => number) | null) => [number, number];
}

type Point = number | null;

const HEIGHT = 176;
/** Share of a new point in the smoothed training curve. */
const FRESH = 0.2;

export class Chart {
  #plot: uPlot | undefined;
  #x: number[] = [];
  #train: Point[] = [];
  #smooth: Point[] = [];
  #validation: Point[] = [];
  /** Running mean behind the smoothed curve, and the weight it has gathered. */
  #mean = { value: 0, weight: 0 };
  #epochs = 5;
  #body = create('div', 'chart-body');
  #values = [create('b', 'number', '–'), create('b', 'number', '–')] as const;
  #queued = false;

  constructor(
    box: HTMLElement,
    private readonly options: ChartOptions,
  ) {
    const head = create('div', 'chart-head');
    const legend = create('div', 'legend');
    const trainKey = create('span', 'key', 'training, smoothed ');
    const validationKey = create('span', 'key validation', 'validation ');
    trainKey.append(this.#values[0]);
    validationKey.append(this.#values[1]);
    legend.append(trainKey, validationKey);
    head.append(create('h3', '', options.title), legend);
    box.append(head, this.#body);
    this.#body.setAttribute('role', 'img');
    this.#body.setAttribute('aria-label', `${options.title} over the epochs`);
    new ResizeObserver(() => {
      if (this.#plot === undefined) this.#build();
      else this.#plot.setSize({ width: this.#body.clientWidth, height: HEIGHT });
    }).observe(this.#body);
    onSchemeChange(() => this.#build());
  }

  reset(epochs: number): void {
    this.#epochs = epochs;
    this.#x = [];
    this.#train = [];
    this.#smooth = [];
    this.#validation = [];
    this.#mean = { value: 0, weight: 0 };
    this.#queueDraw();
  }

  addTraining(epoch: number, value: number): void {
    const mean = this.#mean;
    mean.value += FRESH * (value - mean.value);
    mean.weight += FRESH * (1 - mean.weight);
    const at = this.#at(epoch);
    this.#train[at] = value;
    this.#smooth[at] = mean.value / mean.weight;
    this.#queueDraw();
  }

  addValidation(epoch: number, value: number): void {
    this.#validation[this.#at(epoch)] = value;
    this.#queueDraw();
  }

  /** Index of the points at `epoch`, which is not before the last one. */
  #at(epoch: number): number {
    const last = this.#x.length - 1;
    if (this.#x[last] === epoch) return last;
    for (const series of [this.#train, this.#smooth, this.#validation]) series.push(null);
    return this.#x.push(epoch) - 1;
  }

  get #data(): uPlot.AlignedData {
    return [this.#x, this.#train, this.#smooth, this.#validation];
  }

  #queueDraw(): void {
    if (this.#queued) return;
    this.#queued = true;
    requestAnimationFrame(() => {
      this.#queued = false;
      this.#plot?.setData(this.#data);
      this.#showValues(null);
    });
  }

  #quantile(): ((share: number) => number) | null {
    const values = [...this.#train, ...this.#validation].filter((value) => value !== null).sort((a, b) => a - b);
    return values.length === 0 ? null : (share) => values[Math.round(share * (values.length - 1))] ?? 0;
  }

  /** Values under the pointer, or the latest. */
  #showValues(index: number | null): void {
    const read = (series: Point[]): string => {
      const from = index ?? series.length - 1;
      for (let at = from; at >= 0; at--) {
        const value = series[at];
        if (value != null) return this.options.format(value);
      }
      return '–';
    };
    const texts = [read(this.#smooth), read(this.#validation)] as const;
    this.#values[0].textContent = texts[0];
    this.#values[1].textContent = texts[1];
    if (index === null) {
      const label = `${this.options.title} over the epochs; now ${texts[0]} in training, ${texts[1]} in validation`;
      this.#body.setAttribute('aria-label', label);
    }
  }

  #build(): void {
    this.#plot?.destroy();
    const [muted, line, blue, orange, surface] = ['ink-2', 'line', 'blue', 'orange', 'surface'].map(paletteText) as [
      string,
      string,
      string,
      string,
      string,
    ];
    const font = '13px system-ui, sans-serif';
    const grid = { stroke: line, width: 1 };
    const ticks = { show: false };
    const axis = { stroke: muted, font, grid, ticks };
    this.#plot = new uPlot(
      {
        width: this.#body.clientWidth,
        height: HEIGHT,
        padding: [10, 12, 0, 0],
        legend: { show: false },
        cursor: { sync: { key: 'epochs' }, y: false, drag: { x: false, y: false }, points: { size: 6 } },
        scales: {
          x: { time: false, range: () => [0, this.#epochs] },
          y: { range: () => this.options.range(this.#quantile()) },
        },
        axes: [
          {
            ...axis,
            size: 28,
            gap: 6,
            incrs: [1, 2, 5, 10, 20, 50, 100, 200],
            space: 28,
            grid: { show: false },
            values: (_plot, splits) => splits.map((split) => (split === 0 ? 'epoch 0' : String(split))),
          },
          { ...axis, size: 48, gap: 6, space: 36, values: (_plot, splits) => splits.map(this.options.tick) },
        ],
        series: [
          {},
          { stroke: blue, width: 1, alpha: 0.3, spanGaps: true, points: { show: false } },
          { stroke: blue, width: 2, spanGaps: true, points: { show: false } },
          {
            stroke: orange,
            width: 2,
            spanGaps: true,
            points: { show: true, size: 8, width: 2, stroke: orange, fill: surface },
          },
        ],
        hooks: { setCursor: [(plot) => this.#showValues(plot.cursor.idx ?? null)] },
      },
      this.#data,
      this.#body,
    );
  }
}
