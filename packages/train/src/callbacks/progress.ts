/**
 * A callback that shows progress: a progress bar and a line per epoch on a terminal, plain lines elsewhere, or each event
 * as a line of JSON.
 */
import { checkOptions } from '@unroll/core/internal';
import { type EpochEvent, metricsOf, type StepEvent, type TrainEvent } from '../events.js';
import type { Callback } from './callback.js';

/** A writable stream; Node's streams, such as `process.stderr`, have these members. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface ProgressOptions {
  /** `auto`: a bar on a terminal, plain lines elsewhere. `ndjson`: events as JSON lines. Default `auto`. */
  format?: 'auto' | 'bar' | 'lines' | 'ndjson';
  /** Default: standard output; in a browser, the console. */
  stream?: ProgressStream;
}

const BAR_WIDTH = 20;
/** Time between two updates of the bar. */
const REDRAW_MS = 100;
/** Time between two plain lines within a long epoch. */
const LINE_MS = 30_000;

/** Returns a callback that shows progress. */
export function progress(options: ProgressOptions = {}): Callback {
  checkOptions('progress', options, { format: ['auto', 'bar', 'lines', 'ndjson'], stream: true });
  const { format = 'auto', stream = defaultStream() } = options;
  const style = format === 'auto' ? (stream.isTTY ? 'bar' : 'lines') : format;
  if (style === 'ndjson') {
    return { name: 'progress', onEvent: (event) => void stream.write(`${JSON.stringify(event)}\n`) };
  }
  let meter = new Meter();
  const interval = style === 'bar' ? REDRAW_MS : LINE_MS;
  let lastShown = style === 'bar' ? Number.NEGATIVE_INFINITY : performance.now();
  let barShown = false; // true if the cursor is at the end of a bar
  const writeLine = (text: string): void => {
    stream.write(barShown ? `\r\x1b[K${text}\n` : `${text}\n`);
    barShown = false;
  };
  const onStep = (event: StepEvent): void => {
    meter.step(event);
    const now = performance.now();
    if (now - lastShown < interval) return;
    lastShown = now;
    const text = meter.line(event, style === 'bar');
    if (style === 'lines') writeLine(text);
    else {
      stream.write(`\r\x1b[K${text.slice(0, (stream.columns ?? 80) - 1)}`);
      barShown = true;
    }
  };
  return {
    name: 'progress',
    onEvent(event: TrainEvent) {
      if (event.type === 'step') onStep(event);
      else if (event.type === 'epoch') writeLine(meter.epochLine(event));
      if (event.type !== 'end') return;
      if (event.reason === 'aborted') writeLine('stopped before the end');
      else if (barShown) writeLine('');
      meter = new Meter(); // for the next run
    },
  };
}

/** Running totals of an epoch, and the texts made from them. */
class Meter {
  #epoch = 0;
  #loss = 0;
  #examples = 0;
  #updates = 0;
  #clipped = 0;
  /** Time at which the first step began. */
  #began = 0;
  /** Number of steps since the run began or was resumed. */
  #steps = 0;

  /** Adds a step to the totals; the first step of an epoch resets them. */
  step(event: StepEvent): void {
    if (event.epoch !== this.#epoch) {
      this.#epoch = event.epoch;
      this.#loss = 0;
      this.#examples = 0;
      this.#updates = 0;
      this.#clipped = 0;
    }
    if (this.#steps === 0)
      this.#began = performance.now() - (1000 * event.examples) / event.sequencesPerSecond;
    this.#steps++;
    this.#loss += event.loss * event.examples;
    this.#examples += event.examples;
    if (!event.updated) return;
    this.#updates++;
    if (event.clipped) this.#clipped++;
  }

  get #clippedShare(): string {
    return `${Math.round((100 * this.#clipped) / Math.max(1, this.#updates))}%`;
  }

  /** Returns the text for a step. @param withBar draw a bar if the number of steps is known */
  line(event: StepEvent, withBar: boolean): string {
    const { epoch, epochs, step, steps, gradientNorm, sequencesPerSecond } = event;
    const filled = steps ? Math.round((BAR_WIDTH * step) / steps) : 0;
    const bar = `[${'='.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] `;
    return (
      `epoch ${epoch}/${epochs} ${withBar && steps ? bar : ''}${step}${steps ? `/${steps}` : ''}` +
      `${steps ? `  eta ${clock(this.#secondsLeft(event, steps))}` : ''}  ${rate(sequencesPerSecond)}` +
      `  loss ${short(this.#loss / this.#examples)}  grad ${short(gradientNorm)}` +
      `  clipped ${this.#clippedShare}`
    );
  }

  /** Estimates the remaining time of the run. */
  #secondsLeft({ epoch, epochs, step }: StepEvent, steps: number): number {
    const remainingSteps = (epochs - epoch) * steps + steps - step;
    return (remainingSteps * (performance.now() - this.#began)) / this.#steps / 1000;
  }

  /** Returns the text for an epoch. */
  epochLine(event: EpochEvent): string {
    const metrics = Object.entries(metricsOf(event)).map(([name, value]) => `${name} ${short(value)}`);
    const speed = this.#examples > 0 ? `  ${rate(this.#examples / Math.max(event.seconds, 1e-6))}` : '';
    const clipped = this.#clipped > 0 ? `  clipped ${this.#clippedShare}` : '';
    return (
      `epoch ${event.epoch}/${event.epochs}  ${metrics.join('  ')}${clipped}  ` +
      `${event.seconds.toFixed(event.seconds < 10 ? 2 : 0)} s${speed}`
    );
  }
}

/** Formats a number with four significant digits, with an exponent only if it is very small or large. */
function short(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e5)) return value.toExponential(3);
  return String(Number(value.toPrecision(4)));
}

function rate(perSecond: number): string {
  return `${perSecond >= 100 ? Math.round(perSecond) : short(perSecond)} seq/s`;
}

/** Formats a duration: `0:07`, `1:02:03`. */
function clock(seconds: number): string {
  const total = Math.round(seconds);
  const [hours, minutes, secs] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  const twoDigits = (n: number): string => String(n).padStart(2, '0');
  return hours > 0 ? `${hours}:${twoDigits(minutes)}:${twoDigits(secs)}` : `${minutes}:${twoDigits(secs)}`;
}

function defaultStream(): ProgressStream {
  const { process } = globalThis as { process?: { stdout?: ProgressStream } };
  return process?.stdout ?? { write: (text: string) => console.log(text.trimEnd()) };
}
