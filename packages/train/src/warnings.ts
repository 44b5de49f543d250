/** Warns about settings and data that are valid but probably mistakes. Each kind of warning is raised once per run. */
import { type FloatArray, keep, type MaskedSequence, type Model, type Tensor } from '@unroll/core';
import { hostValues, valuesOf } from '@unroll/core/internal';
import type { PreparedBatch } from './batches.js';
import { isStateful } from './carried.js';
import type { WarningCode, WarningEvent } from './events.js';
import type { Loss } from './losses/loss.js';
import type { Objective } from './objective.js';

/** Regression losses. Their targets should be about as large as the outputs of an untrained network, about 1. */
const REGRESSION_LOSSES = ['mse', 'mae', 'huber', 'logCosh', 'pinball'];
/** Targets with a root mean square above this raise a warning. */
const MAX_TARGET_RMS = 10;

export interface WarningOptions {
  shuffle: boolean;
  /** Expected number of steps of each sequence; null: no check. */
  window: number | null;
}

export class Warnings {
  readonly #objective: Objective;
  readonly #window: number | null;
  readonly #stateful: boolean;
  readonly #raised = new Set<WarningCode>();
  #pending: WarningEvent[] = [];
  #hasCheckedFirstBatch = false;
  /** Outputs of the first batch that a loss treats as logits, until they are checked. */
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

  /** Raises a warning. Does nothing if `message` is null or a warning with the same code was already raised. */
  add(code: WarningCode, message: string | null): void {
    if (message === null || this.#raised.has(code)) return;
    this.#raised.add(code);
    this.#pending.push({ type: 'warning', code, message });
  }

  /** Returns the warnings since the last call. */
  async take(): Promise<WarningEvent[]> {
    if (this.#logits.length > 0) await this.#checkLogits();
    const warnings = this.#pending;
    this.#pending = [];
    return warnings;
  }

  /**
   * Checks the inputs of a batch; for the first batch, also the targets. Stores the first batch's outputs, which
   * {@link take} checks, because reading them is asynchronous.
   */
  checkBatch(batch: PreparedBatch, outputs: readonly MaskedSequence[]): void {
    this.#checkSequences(batch);
    if (this.#hasCheckedFirstBatch) return;
    this.#hasCheckedFirstBatch = true;
    this.#checkTargets(batch);
    const logits = this.#objective.outputs.filter(({ loss }) => loss.config.fromLogits === true);
    this.#logits = logits.map(({ loss, name, index }) => ({ loss, name, value: keep(outputs[index].value) }));
  }

  #checkSequences({ inputs, masks }: PreparedBatch): void {
    const window = this.#window;
    inputs.forEach((input, i) => {
      const mask = masks[i] ?? null;
      if (this.#stateful && mask && !this.#raised.has('left-padding-stateful') && startsMasked(mask)) {
        this.add(
          'left-padding-stateful',
          'The model is stateful, but sequences are padded at their start: states carried from the previous batch pass ' +
            'through the padding. Pad at the end.',
        );
      }
      if (window === null || input.rank < 2 || this.#raised.has('short-sequence')) return;
      const steps = shortestLength(input, mask);
      if (steps >= window) return;
      this.add(
        'short-sequence',
        `A sequence has ${steps} valid steps, fewer than the window of ${window}. Leave out such sequences, or use a shorter window.`,
      );
    });
  }

  #checkTargets({ targets }: PreparedBatch): void {
    this.#objective.outputs.forEach(({ loss, name }, i) => {
      if (!REGRESSION_LOSSES.includes(loss.name)) return;
      const values = hostValues(targets[i], 'y');
      let squares = 0;
      for (const value of values) squares += value * value;
      const rms = Math.sqrt(squares / values.length);
      if (!(rms > MAX_TARGET_RMS)) return;
      this.add(
        'targets-unscaled',
        `The targets of the output "${name}" have a root mean square of ${Number(rms.toPrecision(2))}, but the outputs of an ` +
          'untrained network are about 1: training will be slow or diverge. Scale the targets (StandardScaler), and ' +
          'scale predictions back.',
      );
    });
  }

  async #checkLogits(): Promise<void> {
    const logits = this.#logits;
    this.#logits = [];
    const values = await valuesOf(logits.map(({ value }) => value));
    for (const [i, { loss, name, value }] of logits.entries()) {
      if (!isSoftmax(values[i], value.shape[value.rank - 1])) continue;
      this.add(
        'softmax-as-logits',
        `The loss ${loss.name} expects logits (fromLogits: true), but the output "${name}" is that of a softmax, ` +
          'which would be applied twice. Leave the activation out of the last layer, or set fromLogits: false.',
      );
    }
  }
}

/** Returns true if any sequence is masked at its first step and valid later. */
function startsMasked(mask: Tensor): boolean {
  const [, T = 0] = mask.shape;
  const values = hostValues(mask, 'mask');
  for (let offset = 0; offset < values.length; offset += T) {
    if (values[offset] === 0 && values.subarray(offset, offset + T).some((valid) => valid !== 0)) return true;
  }
  return false;
}

/** Returns the number of valid steps of the shortest sequence; without a mask, all steps are valid. */
function shortestLength(input: Tensor, mask: Tensor | null): number {
  const T = input.shape[1];
  if (mask === null) return T;
  const values = hostValues(mask, 'mask');
  let shortest = T;
  for (let offset = 0; offset < values.length; offset += T) {
    let valid = 0;
    for (let t = 0; t < T; t++) if (values[offset + t] !== 0) valid++;
    shortest = Math.min(shortest, valid);
  }
  return shortest;
}

/** Returns true if every row is a probability distribution, that is, numbers >= 0 with sum 1: the output of a softmax. */
function isSoftmax(values: FloatArray, width: number): boolean {
  if (width < 2 || values.length === 0) return false;
  for (let offset = 0; offset < values.length; offset += width) {
    let sum = 0;
    for (const value of values.subarray(offset, offset + width)) {
      if (!(value >= 0)) return false;
      sum += value;
    }
    if (Math.abs(sum - 1) > 1e-3) return false;
  }
  return true;
}
