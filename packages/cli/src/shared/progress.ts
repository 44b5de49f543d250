/** The progress of a forecast: a bar with time left, loss and sequences per second, or a line when a stage ends. */
import type { ForecastEvent, Stage } from '@unroll/tasks';
import type { Reporter } from './reporter.js';

type Training = Extract<ForecastEvent, { type: 'step' | 'epoch' }>;

const REFRESH_MS = 100;
const STAGES: Record<Stage['name'], string> = {
  search: 'how long to train',
  calibrate: 'intervals',
  backtest: 'backtest',
  refit: 'all rows',
};

/** Share of the whole run's work that is done with this pass. */
const doneAt = ({ stage, epoch, epochs }: Training): number =>
  Math.min(1, stage.before + (stage.share * epoch) / epochs);

export class Progress {
  readonly #reporter: Reporter;
  /** When the first step was taken, and the share of the work that was done before. */
  #began: { at: number; done: number } | null = null;
  #drawn = 0;
  #last: { stage: Stage; loss: number; sequencesPerSecond: number } | null = null;

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
  }

  update(event: Training): void {
    const { stage } = event;
    if (this.#last !== null && this.#last.stage.index !== stage.index) this.#endStage();
    // A training that was done before an interruption has no steps.
    const speed = event.type === 'step' ? event.sequencesPerSecond : (this.#last?.sequencesPerSecond ?? 0);
    this.#last = { stage, loss: event.loss, sequencesPerSecond: speed };
    const now = performance.now();
    if (event.type === 'step') this.#began ??= { at: now, done: doneAt(event) };
    if (!this.#reporter.live || now - this.#drawn < REFRESH_MS) return;
    this.#drawn = now;
    this.#reporter.bar(this.#barLine(event, now));
  }

  /** Ends the stage that runs: before other lines are written, and at the end. */
  finish(): void {
    this.#endStage();
    this.#reporter.clearBar();
  }

  /** On a terminal the bar says it all; elsewhere a line a stage does. */
  #endStage(): void {
    if (this.#last === null || this.#reporter.live) return;
    const { stage, loss, sequencesPerSecond } = this.#last;
    this.#reporter.say(
      `training ${stage.index}/${stage.count} (${stage.model}, ${STAGES[stage.name]}): loss ${loss.toPrecision(3)}, ` +
        (sequencesPerSecond > 0 ? `${Math.round(sequencesPerSecond)} sequences/s` : 'done before'),
    );
    this.#last = null;
  }

  #barLine(event: Training, now: number): string {
    const { stage, loss } = event;
    const done = doneAt(event);
    const began = this.#began ?? { at: now, done };
    const left =
      done > began.done ? Math.ceil((((now - began.at) / (done - began.done)) * (1 - done)) / 1000) : 0;
    const filled = Math.round(done * 20);
    const bar = `${'█'.repeat(filled)}${'░'.repeat(20 - filled)}`;
    const speed = Math.round(this.#last?.sequencesPerSecond ?? 0);
    return `training ${stage.index}/${stage.count} ${bar} ETA ${left} s  loss ${loss.toPrecision(3)}  ${speed} sequences/s`;
  }
}
