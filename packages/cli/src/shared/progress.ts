/** The progress bar of a run: time left, loss and sequences per second. */
import type { EpochEvent, StepEvent } from '@unroll/tasks';

const REFRESH_MS = 100;
const CELLS = 20;

export class Progress {
  /** Time of the first step, and the progress before it. */
  #began: { at: number; done: number } | null = null;
  #drawn = 0;
  #sequencesPerSecond = 0;

  /** The bar after this event; null if the last one was drawn too recently. */
  update(event: StepEvent | EpochEvent): string | null {
    const now = performance.now();
    const { done } = event;
    if (event.event === 'step') {
      this.#sequencesPerSecond = event.sequencesPerSecond;
      this.#began ??= { at: now, done };
    }
    if (now - this.#drawn < REFRESH_MS) return null;
    this.#drawn = now;
    const began = this.#began ?? { at: now, done };
    const left =
      done > began.done ? Math.ceil((((now - began.at) / (done - began.done)) * (1 - done)) / 1000) : 0;
    const filled = Math.round(done * CELLS);
    const bar = `${'█'.repeat(filled)}${'░'.repeat(CELLS - filled)}`;
    const loss = event.loss?.toPrecision(3) ?? '-';
    const speed = Math.round(this.#sequencesPerSecond);
    return `[${event.training}/${event.trainings}] ${event.model} ${bar} ETA ${left} s  loss ${loss}  ${speed} sequences/s`;
  }
}
