/** The curves that the page draws over the updates of a training run. */

/** Number of points at which a curve is full. */
const CAPACITY = 1024;

/** A curve of bounded size. When it is full, each pair of points is replaced by its mean, so that any number of updates fits. */
export class Curve {
  /** The last update of each point. */
  x: number[] = [];
  y: number[] = [];
  /** Number of updates per point. */
  #stride = 1;
  #sum = 0;
  #count = 0;

  push(x: number, y: number): void {
    this.#sum += y;
    if (++this.#count < this.#stride) return;
    this.x.push(x);
    this.y.push(this.#sum / this.#count);
    this.#sum = 0;
    this.#count = 0;
    if (this.x.length >= CAPACITY) this.#halve();
  }

  #halve(): void {
    this.x = this.x.filter((_, i) => i % 2 === 1);
    this.y = this.x.map((_, i) => (this.y[2 * i] + this.y[2 * i + 1]) / 2);
    this.#stride *= 2;
  }

  get last(): number | null {
    return this.y.at(-1) ?? null;
  }
}

/** The curves of one cell. */
export interface History {
  loss: Curve;
  /** Loss and accuracy on the examples that training does not use. */
  validation: Curve;
  accuracy: Curve;
  /** Norm of the gradient before clipping. */
  norm: Curve;
  /** Share of the updates whose gradient was clipped. */
  clipped: Curve;
  /** Learning rate. */
  rate: Curve;
  /** Sequences per second. */
  perSecond: Curve;
}

export const emptyHistory = (): History => ({
  loss: new Curve(),
  validation: new Curve(),
  accuracy: new Curve(),
  norm: new Curve(),
  clipped: new Curve(),
  rate: new Curve(),
  perSecond: new Curve(),
});

/** Returns the exponential moving average of a noisy curve, with bias correction as in Adam. */
export function smooth(values: readonly number[], factor: number): number[] {
  let mean = 0;
  let weight = 0;
  return values.map((value) => {
    mean = factor * mean + (1 - factor) * value;
    weight = factor * weight + (1 - factor);
    return mean / weight;
  });
}
