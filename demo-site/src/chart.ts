/** A curve over epochs for training and validation, drawn by uPlot in the page's colours. */
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { create, onSchemeChange, paletteText } from './dom';

export interface ChartOptions {
  title: string;
  format: (value: number) => string;
  /** Range of the vertical axis; `quantile` reads the data drawn so far and is null while there are none. */
  range: (quantile: ((share: number) => number) | null) => [number, number];
}

type Point = number | null;

const HEIGHT = 176;

export class Chart {
  #plot: uPlot | undefined;
  #x: number[] = [];
  #train: Point[] = [];
  #validation: Point[] = [];
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
    ['training', 'validation'].forEach((name, at) => {
      const entry = create('span', `key ${name}`, `${name} `);
      entry.append(this.#values[at] ?? '');
      legend.append(entry);
    });
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
    this.#validation = [];
    this.#queueDraw();
  }

  addTraining(epoch: number, value: number): void {
    this.#set(epoch, this.#train, value);
  }

  addValidation(epoch: number, value: number): void {
    this.#set(epoch, this.#validation, value);
  }

  #set(epoch: number, series: Point[], value: number): void {
    let at = this.#x.length - 1;
    if (this.#x[at] !== epoch) {
      at = this.#x.push(epoch) - 1;
      this.#train.push(null);
      this.#validation.push(null);
    }
    series[at] = value;
    this.#queueDraw();
  }

  #queueDraw(): void {
    if (this.#queued) return;
    this.#queued = true;
    requestAnimationFrame(() => {
      this.#queued = false;
      this.#plot?.setData([this.#x, this.#train, this.#validation]);
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
    const texts = [read(this.#train), read(this.#validation)] as const;
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
        cursor: { sync: { key: 'epochs' }, y: false, drag: { x: false, y: false }, points: { size: 7 } },
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
          { ...axis, size: 48, gap: 6, space: 36, values: (_plot, splits) => splits.map(this.options.format) },
        ],
        series: [
          {},
          { stroke: blue, width: 1.5, spanGaps: true, points: { show: false } },
          {
            stroke: orange,
            width: 2,
            spanGaps: true,
            points: { show: true, size: 8, width: 2, stroke: orange, fill: surface },
          },
        ],
        hooks: { setCursor: [(plot) => this.#showValues(plot.cursor.idx ?? null)] },
      },
      [this.#x, this.#train, this.#validation],
      this.#body,
    );
  }
}
