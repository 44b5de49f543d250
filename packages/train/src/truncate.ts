/**
 * Truncated backpropagation through time, BPTT(h; h') of Williams & Peng 1990 ("An efficient gradient-based algorithm for
 * on-line training of recurrent network trajectories"), with h = `length` and h' = `every`.
 *
 * A batch [B, T, ...] is trained in chunks of `every` time steps, with one update for each. If a full chunk ends at e, the
 * gradient of its loss reaches back to step s = max(0, e - length). The steps from s to e are the window of the chunk:
 *
 *   steps     0 ......... s .............. e - every ........... e
 *   window                |--------------------------------------|
 *   gradient  none        through all steps of the window
 *   loss                                   |------- chunk -------|
 *
 * The pass over the window begins with the state at s, as a constant. This state was computed by the pass of an earlier
 * chunk, with the weights before the latest updates. The pass over a window is divided at two steps: at the start of the next
 * window, to store the state there, and at the start of the chunk, because earlier steps are not part of the loss.
 */
import {
  concat,
  formatShape,
  keep,
  type MaskedSequence,
  type Model,
  type ModelState,
  RandomStream,
  type Shape,
  shapeError,
  UnrollError,
  valueError,
} from '@unroll/core';
import { checkOptions, formatValue, ignoreLoss } from '@unroll/core/internal';
import type { PreparedBatch } from './batches.js';
import type { SavedTensor } from './callbacks/callback.js';
import { readTree, statefulLayer, treeFrom } from './carried.js';
import type { Objective } from './objective.js';
import { type PassHooks, type PassResult, sequencesOf, type TrainingStep, trainingContext } from './pass.js';
import type { PendingTensors } from './snapshot.js';
import { isFullyMasked, joinMasks, takeSteps } from './time-steps.js';

/** Options of truncated backpropagation through time, in time steps. */
export interface TruncateOptions {
  /** Number of steps between updates: the length of a chunk. */
  every: number;
  /** Number of steps that the gradients reach back, at least `every`. */
  length: number;
}

/** Position in the truncated batches of an epoch. */
export interface TruncationState {
  /** Number of completed batches in this epoch. */
  batches: number;
  /** Number of completed chunks of the current batch. */
  chunk: number;
  /**
   * One entry for each dropout mask that all steps of the current batch share: the position of its random stream before the
   * draw.
   */
  draws: readonly RandomStream['state'][];
}

const PREFIX = 'truncated/';
const START: TruncationState = { batches: 0, chunk: 0, draws: [] };

/** A piece of a window: the time steps `from` to `to - 1`. */
interface Piece {
  from: number;
  to: number;
  /** True if the steps of the piece are part of the loss. */
  inChunk: boolean;
}

/** A chunk within the run. Epochs and batches count from 1, chunks of a batch from 0. */
interface ChunkPosition {
  chunk: number;
  /** True for the last chunk of the batch. */
  isLast: boolean;
  epoch: number;
  batchNumber: number;
}

export class Truncation {
  readonly every: number;
  readonly length: number;
  readonly #model: Model;
  readonly #forwardFrom: NonNullable<Model['forwardFrom']>;
  readonly #objective: Objective;
  /** Returns the random stream of a batch, given the epoch and the number of the batch in it. */
  readonly #streamOf: (epoch: number, batch: number) => RandomStream;
  #position = START;
  /** State at the start of the current window; null: the start of the sequences. */
  #state: ModelState | null = null;
  /** For each output of the model, whether it has a time axis. */
  #hasTimeAxis: readonly boolean[] = [];

  /** @throws UnrollError `value` for invalid options, or for a model or loss that needs whole sequences */
  constructor(
    model: Model,
    options: TruncateOptions,
    objective: Objective,
    streamOf: (epoch: number, batch: number) => RandomStream,
  ) {
    const { every, length } = checkTruncate(options);
    this.every = every;
    this.length = length;
    this.#model = model;
    this.#objective = objective;
    this.#streamOf = streamOf;
    this.#forwardFrom = forwardFromOf(model);
    this.#checkCuts();
  }

  /** Number of completed batches in this epoch. */
  get batches(): number {
    return this.#position.batches;
  }

  /** Starts a new epoch. */
  reset(): void {
    this.#position = START;
    this.#state = null;
  }

  /** Returns the number of chunks of sequences with these shapes. */
  chunksOf(inputs: readonly Shape[]): number {
    return Math.ceil((inputs[0][1] ?? 1) / this.every);
  }

  /**
   * Checks a model that is built.
   * @throws UnrollError `value` if a layer needs whole sequences, or if an output with a loss has no time axis
   */
  checkBuilt(inputs: readonly Shape[]): void {
    const { name } = this.#model;
    try {
      this.#hasTimeAxis = this.#model.streaming?.(inputs.map(() => true)) ?? [];
    } catch (error) {
      if (!(error instanceof UnrollError) || error.code !== 'state') throw error;
      const { layer, reason } = error.data as { layer?: string; reason?: string };
      const cause = reason ? `layer ${layer} ${reason}` : error.message;
      throw truncateError(name, `${cause}, so its sequences cannot be cut. Leave out truncate.`, { layer });
    }
    const withoutTimeAxis = this.#objective.outputs.find(({ index }) => !this.#hasTimeAxis[index]);
    if (!withoutTimeAxis) return;
    throw truncateError(
      name,
      `the output "${withoutTimeAxis.name}" has a loss but no time axis. Set returnSequences: true on the last ` +
        'recurrent layer and give one target per step, or leave out truncate.',
      { output: withoutTimeAxis.name },
    );
  }

  /** Yields the training steps of a batch: one for each chunk that is not complete yet. */
  *trainingSteps(batch: PreparedBatch, epoch: number): Generator<TrainingStep> {
    this.#checkBatch(batch);
    const T = batch.inputs[0].shape[1];
    const chunkCount = this.chunksOf(batch.inputs.map(({ shape }) => shape));
    const batchNumber = this.batches + 1;
    for (let chunk = this.#position.chunk; chunk < chunkCount; chunk++) {
      const isLast = chunk === chunkCount - 1;
      const start = chunk * this.every;
      const next: { state: ModelState | null; draws: RandomStream['state'][] } = { state: null, draws: [] };
      yield {
        batch: { ...takeSteps(batch, start, Math.min(start + this.every, T), T), last: batch.last && isLast },
        forward: (hooks) => this.#forward(batch, { chunk, isLast, epoch, batchNumber }, hooks, next),
        wholeBatch: batch,
        stepsPerBatch: chunkCount,
        done: () => {
          this.#position = isLast
            ? { ...START, batches: batchNumber }
            : { batches: batchNumber - 1, chunk: chunk + 1, draws: next.draws };
          this.#state = isLast ? null : next.state;
        },
      };
    }
  }

  /** Processes the window of a chunk. @param next receives the state and the draws for the next chunk */
  #forward(
    batch: PreparedBatch,
    { chunk, isLast, epoch, batchNumber }: ChunkPosition,
    hooks: PassHooks,
    next: { state: ModelState | null; draws: RandomStream['state'][] },
  ): PassResult {
    const { every, length } = this;
    const T = batch.inputs[0].shape[1];
    const windowStart = (k: number): number => Math.max(0, (k + 1) * every - length);
    const nextStart = isLast ? null : windowStart(chunk + 1);
    const stream = (): RandomStream => this.#streamOf(epoch, batchNumber);
    const draws: RandomStream['state'][] = chunk === 0 ? [] : [...this.#position.draws];
    const parts: MaskedSequence[][] = [];
    let state = this.#state;
    const cuts = { start: windowStart(chunk), chunk: chunk * every, end: Math.min((chunk + 1) * every, T) };
    const pieces = piecesOf(cuts, nextStart);
    let context!: ReturnType<typeof trainingContext>;
    for (const [n, { from, to, inChunk }] of pieces.entries()) {
      const isFirst = chunk === 0 && n === 0;
      const makeStream = (): RandomStream => (isFirst ? stream() : stream().child('chunk', chunk, from));
      context = trainingContext(makeStream, inChunk ? hooks : { addLoss: ignoreLoss, afterStep: () => {} });
      context.sharedDraw = isFirst ? recordDraws(draws) : repeatDraws(draws);
      const inputs = takeSteps({ ...batch, targets: [], weights: [] }, from, to, T);
      const result = this.#forwardFrom(sequencesOf(inputs), context, state);
      state = result.state;
      if (to === nextStart) next.state = asConstants(state);
      if (inChunk) parts.push(result.outputs);
    }
    next.draws = draws;
    for (const parameter of this.#model.parameters)
      if (parameter.trainable && parameter.regularizer) hooks.addLoss(parameter.regularizer(parameter));
    const outputs = this.#join(parts);
    const isPadding = this.#objective.outputs.every(({ index }) => isFullyMasked(outputs[index].mask));
    // Losses draw different random numbers in each chunk.
    const lossContext = chunk === 0 ? context : trainingContext(() => stream().child('loss', chunk), hooks);
    return { outputs, context: lossContext, isPadding };
  }

  /** Joins the outputs of pieces on the time axis; for an output without a time axis, returns that of the last piece. */
  #join(parts: readonly MaskedSequence[][]): MaskedSequence[] {
    const last = parts[parts.length - 1];
    if (parts.length === 1) return last;
    return last.map((output, i) => {
      if (!this.#hasTimeAxis[i]) return output;
      const pieces = parts.map((outputs) => outputs[i]);
      return {
        value: concat(
          pieces.map(({ value }) => value),
          1,
        ),
        mask: joinMasks(pieces),
      };
    });
  }

  get state(): TruncationState {
    return this.#position;
  }

  /** Starts reading the states at the start of the current window. */
  saveTensors(): PendingTensors {
    return this.#state ? readTree(this.#state, PREFIX) : [];
  }

  /** Restores the position, and the states that {@link saveTensors} has read. */
  restore(position: TruncationState, saved: Readonly<Record<string, SavedTensor>>): void {
    this.#position = position;
    this.#state = position.chunk === 0 ? null : treeFrom(saved, PREFIX);
  }

  /** Throws for a stateful model or a loss of whole sequences; the model need not be built. */
  #checkCuts(): void {
    const model = this.#model;
    const stateful = statefulLayer(model);
    if (stateful !== null) {
      throw truncateError(
        model.name,
        `layer ${stateful} is stateful, but truncate resets the states for each batch. Set stateful: false, or leave out ` +
          'truncate.',
        { layer: stateful },
      );
    }
    const output = this.#objective.outputs.find(({ loss }) => loss.perSequence);
    if (!output) return;
    throw truncateError(
      model.name,
      `the loss ${output.loss.name} of the output "${output.name}" is computed from whole sequences. Use a loss ` +
        'with one number per step, or leave out truncate.',
      { output: output.name, loss: output.loss.name },
    );
  }

  /** @throws UnrollError `shape` unless all inputs, masks and targets have the same time axis */
  #checkBatch({ inputs, masks, targets }: PreparedBatch): void {
    const model = this.#model as Model & { inputNames?: readonly string[] | null };
    const names = model.inputNames ?? ['x'];
    const T = inputs[0].shape[1] ?? -1;
    inputs.forEach(({ shape }, i) => {
      if (shape.length >= 2 && shape[1] === T && T > 0) return;
      const list = inputs.map((input, n) => `${names[n] ?? 'x'} ${formatShape(input.shape)}`).join(', ');
      throw shapeError(
        `truncate: all inputs must be sequences [batch, time, ...] with the same number of steps, got ${list}. Leave out ` +
          'truncate for models with other inputs.',
        { input: names[i] ?? 'x', got: shape },
      );
    });
    masks.forEach((mask, i) => {
      if (mask === null || (mask.rank === 2 && mask.shape[1] === T)) return;
      const expected = formatShape([inputs[i].shape[0], T]);
      throw shapeError(
        `truncate: the mask of ${names[i] ?? 'x'} must have the shape ${expected}, got ${formatShape(mask.shape)}.`,
        { got: mask.shape },
      );
    });
    targets.forEach(({ shape }, i) => {
      if (shape.length >= 2 && shape[1] === T) return;
      const name = this.#objective.outputs[i]?.name ?? null;
      const owner = name === null ? 'the model' : `the output "${name}"`;
      throw shapeError(
        `truncate: y must have one target per step, shape [batch, ${T}, ...], for ${owner}, got the shape ${formatShape(shape)}. Leave out ` +
          'truncate for targets of whole sequences.',
        { output: name ?? owner, got: shape },
      );
    });
    model.outputShapes?.(inputs.map(({ shape: [B, , ...features] }) => [B, -1, ...features])); // throws for wrong shapes
  }
}

/** Checks the options and returns them. */
function checkTruncate(options: TruncateOptions): TruncateOptions {
  if (typeof options !== 'object' || Array.isArray(options))
    throw valueError(`truncate must be { every, length }, in time steps, got ${formatValue(options)}.`);
  checkOptions('truncate', options, { every: 'count', length: 'count' });
  const { every, length } = options;
  for (const [name, value] of Object.entries({ every, length }))
    if (value === undefined) throw valueError(`truncate: ${name} must be a positive integer, got undefined.`);
  if (every <= length) return { every, length };
  throw valueError(
    `truncate: every must be at most length, got every = ${every} and length = ${length}. The gradients of an update must ` +
      'reach back at least to the start of its chunk.',
    { every, length },
  );
}

function forwardFromOf(model: Model): NonNullable<Model['forwardFrom']> {
  if (model.forwardFrom && model.streaming) return model.forwardFrom.bind(model);
  throw truncateError(
    model.name,
    'it needs the methods forwardFrom() and streaming(). Implement both (see Model), or leave out truncate.',
  );
}

/** Returns the error for a model or loss that cannot be trained with truncate. */
function truncateError(model: string, reason: string, data: Record<string, unknown> = {}): UnrollError {
  return valueError(`${model} cannot be trained with truncate: ${reason}`, data);
}

/** Returns the pieces of a window, cut at the start of its chunk and of the next window (null: there is no next one). */
function piecesOf(
  { start, chunk, end }: { start: number; chunk: number; end: number },
  nextStart: number | null,
): Piece[] {
  const cuts = [start, chunk, nextStart ?? end, end].filter((step) => step >= start && step <= end);
  const steps = [...new Set(cuts)].sort((a, b) => a - b);
  return steps.slice(1).map((to, n) => ({ from: steps[n], to, inChunk: steps[n] >= chunk }));
}

/** Returns a function that records the position of a stream before a shared mask is drawn from the stream. */
function recordDraws(draws: RandomStream['state'][]): (stream: RandomStream) => RandomStream {
  return (stream) => {
    draws.push(stream.state);
    return stream;
  };
}

/** Returns a function that ignores its argument and returns a new stream at the next recorded position. */
function repeatDraws(draws: readonly RandomStream['state'][]): (stream: RandomStream) => RandomStream {
  let next = 0;
  return () => {
    const stream = new RandomStream(0);
    stream.state = draws[next++];
    return stream;
  };
}

/** Returns the states as constants that outlive the training step. */
function asConstants({ tensors, parts }: ModelState): ModelState {
  const map = <A, B>(values: Readonly<Record<string, A>>, convert: (value: A) => B): Record<string, B> =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, convert(value)]));
  // A tape tracks tensors, not their storage: a second tensor with the same storage has no gradient.
  return {
    tensors: map(tensors, (value) => keep(value.withShape(value.shape))),
    parts: map(parts, asConstants),
  };
}
