/** Warnings about valid settings that are probably mistakes. Each kind is raised once per run. */
import { type FloatArray, keep, type MaskedSequence, type Model, type Tensor } from '@unroll/core';
import { hostValues, valuesOf } from '@unroll/core/internal';
import type { PreparedBatch } from './batches.js';
import { isStateful } from './carried.js';
import type { WarningCode, WarningEvent } from './events.js';
import type { Loss } from './losses/loss.js';
import type { Objective } from './objective.js';

/** Losses for continuous targets. The outputs of an untrained network are of size 1, and targets should be similar. */
const QUANTITY_LOSSES = ['mse', 'mae', 'huber', 'logCosh', 'pinball'];
/** Root mean square of targets above which training is slow. */
const UNSCALED = 10;

export interface WarningOptions {
  shuffle: boolean;
  /** Expected number of steps of each sequence; null: no check. */
  window: number | null;
}

export class Warnings {
  readonly #objective: Objective;
  readonly #window: number | null;
  readonly #stateful: boolean;
  readonly #given = new Set<WarningCode>();
  #waiting: WarningEvent[] = [];
  #looked = false;
  /** Outputs that a loss treats as logits, not checked yet. */
  #logits: { loss: Loss; name: string; value: Tensor }[] = [];

  constructor(model: Model, { shuffle, window }: WarningOptions, objective: Objective) {
    this.#objective = objective;
    this.#window = window;
    this.#stateful = isStateful(model);
    if (this.#stateful && shuffle) {
      this.add(
        'shuffle-stateful',
        'The model is stateful, but the examples are shuffled: each sequence ' +
          'would continue from the state of another one. Set shuffle: false.',
      );
    }
  }

  /** Raises a warning, unless there is none or its kind was already raised. */
  add(code: WarningCode, message: string | null): void {
    if (message === null || this.#given.has(code)) return;
    this.#given.add(code);
    this.#waiting.push({ type: 'warning', code, message });
  }

  /** The warnings since the last call. */
  async take(): Promise<WarningEvent[]> {
    if (this.#logits.length > 0) await this.#lookAtLogits();
    const taken = this.#waiting;
    this.#waiting = [];
    return taken;
  }

  /** Checks a batch, and stores the outputs of the first one, which are checked after the step. */
  look(batch: PreparedBatch, outputs: readonly MaskedSequence[]): void {
    this.#lookAtSequences(batch);
    if (this.#looked) return;
    this.#looked = true;
    this.#lookAtTargets(batch);
    const logits = this.#objective.outputs.filter(({ loss }) => loss.config.fromLogits === true);
    this.#logits = logits.map(({ loss, name, index }) => ({ loss, name, value: keep(outputs[index].value) }));
  }

  #lookAtSequences({ inputs, masks }: PreparedBatch): void {
    const window = this.#window;
    inputs.forEach((input, i) => {
      const mask = masks[i] ?? null;
      if (this.#stateful && mask && !this.#given.has('left-padding-stateful') && startsMasked(mask)) {
        this.add(
          'left-padding-stateful',
          'The model is stateful, but sequences are padded at their start, so that carried states pass through the ' +
            'padding. Pad at the end.',
        );
      }
      if (window === null || input.rank < 2 || this.#given.has('short-sequence')) return;
      const steps = shortest(input, mask);
      if (steps >= window) return;
      this.add(
        'short-sequence',
        `A sequence has ${steps} steps, but the window is ${window}; the rest is padding. Leave ` +
          'such sequences out, or use a shorter window.',
      );
    });
  }

  #lookAtTargets({ targets }: PreparedBatch): void {
    this.#objective.outputs.forEach(({ loss, name }, i) => {
      if (!QUANTITY_LOSSES.includes(loss.name)) return;
      const values = hostValues(targets[i], 'y');
      let squares = 0;
      for (const value of values) squares += value * value;
      const size = Math.sqrt(squares / values.length);
      if (!(size > UNSCALED)) return;
      this.add(
        'targets-unscaled',
        `The targets of ${name} are about ${Number(size.toPrecision(2))} in size, but the outputs of an ` +
          'untrained network are about 1: training will be slow or diverge. Scale them (StandardScaler), and scale predictions back.',
      );
    });
  }

  async #lookAtLogits(): Promise<void> {
    const logits = this.#logits;
    this.#logits = [];
    const values = await valuesOf(logits.map(({ value }) => value));
    for (const [i, { loss, name, value }] of logits.entries()) {
      if (!isSoftmax(values[i], value.shape[value.rank - 1])) continue;
      this.add(
        'softmax-as-logits',
        `The loss ${loss.name} expects logits (fromLogits: true), but ${name} is the output of a softmax, ` +
          'which would be applied twice. Leave the activation out of the last layer, or set fromLogits: false.',
      );
    }
  }
}

/** True if a sequence is masked at its first step and valid later. */
function startsMasked(mask: Tensor): boolean {
  const [, T = 0] = mask.shape;
  const values = hostValues(mask, 'mask');
  for (let at = 0; at < values.length; at += T) {
    if (values[at] === 0 && values.subarray(at, at + T).some((valid) => valid !== 0)) return true;
  }
  return false;
}

/** Steps of the shortest sequence: its valid steps according to the mask, or all. */
function shortest(input: Tensor, mask: Tensor | null): number {
  const T = input.shape[1];
  if (mask === null) return T;
  const values = hostValues(mask, 'mask');
  let least = T;
  for (let at = 0; at < values.length; at += T) {
    let valid = 0;
    for (let t = 0; t < T; t++) if (values[at + t] !== 0) valid++;
    least = Math.min(least, valid);
  }
  return least;
}

/** True if every row is a probability distribution: numbers >= 0 with sum 1. Chance alone does not produce that. */
function isSoftmax(values: FloatArray, width: number): boolean {
  if (width < 2 || values.length === 0) return false;
  for (let at = 0; at < values.length; at += width) {
    let sum = 0;
    for (const value of values.subarray(at, at + width)) {
      if (!(value >= 0)) return false;
      sum += value;
    }
    if (Math.abs(sum - 1) > 1e-3) return false;
  }
  return true;
}
