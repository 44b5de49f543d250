/** Draws the progress bar of a run, with the remaining time, the loss and the sequences per second. */
import type { EpochEvent, StepEvent } from '@unroll/tasks';

const REFRESH_MS = 100;
/** Characters of the bar. */
const BAR_WIDTH = 20;

export class Progress {
  /** Time and progress at the first step. */
  #start: { time: number; done: number } | null = null;
  #lastDrawn = 0;
  #sequencesPerSecond = 0;
  /** Validation metrics of the last epoch. */
  #metrics = '';

  /** Returns the bar after this event; null if the previous bar was drawn less than 100 ms ago. */
  update(event: StepEvent | EpochEvent): string | null {
    const now = performance.now();
    const { done } = event;
    if (event.event === 'step') {
      this.#sequencesPerSecond = event.sequencesPerSecond;
      this.#start ??= { time: now, done };
    } else this.#metrics = metricsText(event);
    if (now - this.#lastDrawn < REFRESH_MS) return null;
    this.#lastDrawn = now;
    const start = this.#start ?? { time: now, done };
    const remaining =
      done > start.done ? Math.ceil((((now - start.time) / (done - start.done)) * (1 - done)) / 1000) : 0;
    const filled = Math.round(done * BAR_WIDTH);
    const bar = `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)}`;
    const loss = event.loss?.toPrecision(3) ?? '-';
    const speed = Math.round(this.#sequencesPerSecond);
    return `[${event.training}/${event.trainings}] ${event.model} ${bar} ETA ${remaining} s  loss ${loss}${this.#metrics}  ${speed} sequences/s`;
  }
}

const metricsText = ({ validationMetrics = {} }: EpochEvent): string =>
  Object.entries(validationMetrics)
    .map(([name, value]) => (value === null ? '' : `  ${name} ${(100 * value).toFixed(1)} %`))
    .join('');
