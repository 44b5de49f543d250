/**
 * Training data. Arrays and tensors of all examples, or any (async) iterable of batches; either becomes a
 * `BatchSource` that gives prepared batches, epoch by epoch, from any step on: what a resumed run asks for.
 */
import {
  type FloatArray,
  formatShape,
  type RandomStream,
  type Shape,
  shapeError,
  Tensor,
  type TensorLike,
  tensor,
  valueError,
} from '@unroll/core';
import { hostTensor, masksFor, nextTurnIfDue, onHost, takeRows, valuesOf } from '@unroll/core/internal';

/** Tensors in the order of a model's inputs or outputs; null where one has none. */
export type TensorList = readonly (Tensor | null)[];

/** Examples: all of them, or those of one batch. First axes count examples. */
export interface Examples {
  /** [N, ...]: one tensor (or nested arrays), or one tensor for each of the model's inputs. */
  x: TensorLike | readonly Tensor[];
  /** [N, ...]: likewise, for each output. */
  y: TensorLike | readonly Tensor[];
  /**
   * What each example's loss is multiplied by, [N], or each step's, [N, T]; for several outputs also a list, else it is
   * for all. Default 1.
   */
  sampleWeights?: TensorLike | TensorList;
  /**
   * Which steps are valid, [N, T] with 1 and 0; for several inputs also a list. A single one is for the sequences
   * [N, T, ...] of its length, or else for the one input of ids [N, T]. Default: all.
   */
  mask?: TensorLike | TensorList;
}

/** Batches one after another. A function is called at the start of each epoch, with its number from 1. */
export type Batches =
  | Iterable<Examples>
  | AsyncIterable<Examples>
  | ((epoch: number) => Iterable<Examples> | AsyncIterable<Examples>);

/** One batch, ready for a step. Its tensors lie on the host. */
export interface PreparedBatch {
  inputs: readonly Tensor[];
  /** Beside each input. */
  masks: TensorList;
  targets: readonly Tensor[];
  /** Beside each target. */
  weights: TensorList;
  /** Number of examples. */
  examples: number;
  /** Which rows of the data set they are, where that is known. */
  rows?: Uint32Array;
  /** Whether the epoch ends with it. */
  last: boolean;
}

/** Where the loop gets its batches. */
export interface BatchSource {
  /** Batches of an epoch; null where only its end will tell. */
  readonly steps: number | null;
  /** Prepared batches of the epoch, without its first `skip`. */
  epoch(epoch: number, skip: number): AsyncIterable<PreparedBatch>;
}

type Prepared = Omit<PreparedBatch, 'last'>;

/**
 * Examples as tensors, checked. @throws UnrollError `shape` where counts differ, `value` where there are none
 */
export function prepare({ x, y, sampleWeights, mask }: Examples): Prepared {
  const inputs = listOf(x) as Tensor[];
  const targets = listOf(y) as Tensor[];
  const weights = weightsFor(targets, sampleWeights);
  const masks = masksFor(inputs, mask === undefined ? null : listOf(mask));
  const examples = targets[0]?.shape[0] ?? 0;
  const named = [
    ...inputs.map((tensor) => ['x', tensor] as const),
    ...targets.map((tensor) => ['y', tensor] as const),
    ...weights.map((tensor) => ['sampleWeights', tensor] as const),
    ...masks.map((tensor) => ['mask', tensor] as const),
  ];
  for (const [name, tensor] of named) {
    if (tensor === null || tensor.shape[0] === examples) continue;
    throw shapeError(
      `${name} has ${tensor.shape[0]} examples (${formatShape(tensor.shape)}) and y has ${examples} ` +
        `(${formatShape(targets[0].shape)}). Each example needs one of each.`,
      { [name]: tensor.shape, y: targets[0].shape },
    );
  }
  if (examples === 0) throw valueError('There are no examples: x and y are empty.');
  return { inputs, masks, targets, weights, examples };
}

function listOf(values: TensorLike | TensorList): TensorList {
  return isTensorList(values)
    ? values
    : [values instanceof Tensor ? values : tensor(values as Exclude<TensorLike, Tensor>)];
}

function isTensorList(values: TensorLike | TensorList): values is TensorList {
  return (
    Array.isArray(values) &&
    values.length > 0 &&
    values.every((value) => value === null || value instanceof Tensor)
  );
}

/** The weights beside each target: those of a list, or a single one for all. */
function weightsFor(targets: TensorList, weights: TensorLike | TensorList | undefined): TensorList {
  if (weights === undefined) return targets.map(() => null);
  const list = listOf(weights);
  if (list.length === targets.length) return list;
  if (list.length === 1) return targets.map(() => list[0]);
  throw valueError(
    `sampleWeights has ${list.length} entries, and the outputs with a loss are ${targets.length}. Give one for each ` +
      '(null: none), or a single one for all.',
    { sampleWeights: list.length, outputs: targets.length },
  );
}

/** Examples of a data set, as rows `start` to `start + count` of tensors. */
export interface Rows {
  readonly count: number;
  readonly start: number;
  inputs: readonly Tensor[];
  masks: TensorList;
  targets: readonly Tensor[];
  weights: TensorList;
}

export function toRows(examples: Examples): Rows {
  const { inputs, masks, targets, weights, examples: count } = prepare(examples);
  return { count, start: 0, inputs, masks, targets, weights };
}

/** Brings the tensors of rows to the host. */
export async function loadRows(rows: Rows): Promise<void> {
  rows.inputs = await onHost(rows.inputs);
  rows.masks = await onHost(rows.masks);
  rows.targets = await onHost(rows.targets);
  rows.weights = await onHost(rows.weights);
}

/**
 * The first rows for training and the last share of them for validation, as Keras splits: before any
 * shuffling.
 * @param share in (0, 1)
 */
export function splitRows(rows: Rows, share: number): { training: Rows; validation: Rows } {
  const at = Math.floor(rows.count * (1 - share));
  if (!(share > 0 && share < 1) || at === 0 || at === rows.count) {
    throw valueError(
      `validationSplit ${share} of ${rows.count} examples leaves ${Math.max(0, at)} to train on. Give a ` +
        'share between ' +
        '0 and 1 that leaves at least one on either side.',
      { validationSplit: share, count: rows.count },
    );
  }
  const part = (from: number, to: number): Rows => ({ ...rows, start: rows.start + from, count: to - from });
  return { training: part(0, at), validation: part(at, rows.count) };
}

/** Batches of rows, in the order that `shuffle` gives for an epoch (null: in their given order). */
export function rowSource(
  rows: Rows,
  batchSize: number,
  shuffle: ((epoch: number) => RandomStream) | null = null,
): BatchSource {
  const steps = Math.ceil(rows.count / batchSize);
  return {
    steps,
    async *epoch(epoch, skip) {
      await loadRows(rows);
      const order = shuffle
        ? shuffle(epoch).permutation(rows.count)
        : Uint32Array.from({ length: rows.count }, (_, i) => i);
      for (let step = skip; step < steps; step++) {
        const chosen = order.subarray(step * batchSize, (step + 1) * batchSize);
        const at = rows.start === 0 ? chosen : chosen.map((row) => rows.start + row);
        const optional = (tensors: TensorList): TensorList =>
          tensors.map((tensor) => tensor && takeRows(tensor, at));
        const masks = optional(rows.masks);
        yield {
          inputs: await finiteInputs(
            rows.inputs.map((tensor) => takeRows(tensor, at)),
            masks,
          ),
          masks,
          targets: rows.targets.map((tensor) => takeRows(tensor, at)),
          weights: optional(rows.weights),
          examples: chosen.length,
          rows: chosen,
          last: step === steps - 1,
        };
      }
    },
  };
}

/**
 * Batches of an iterable. One that can be walked again (an array, a function) is walked once an epoch; one
 * that cannot (a generator object) continues from epoch to epoch, and then `stepsPerEpoch` must say how many
 * steps an epoch has.
 */
export function iterableSource(batches: Batches, stepsPerEpoch: number | null): BatchSource {
  const walk = (epoch: number): AsyncIterator<Examples> | Iterator<Examples> => {
    const iterable = typeof batches === 'function' ? batches(epoch) : batches;
    return Symbol.asyncIterator in iterable ? iterable[Symbol.asyncIterator]() : iterable[Symbol.iterator]();
  };
  let going: ReturnType<typeof walk> | null = null; // a one-shot iterator in use
  return {
    steps: stepsPerEpoch,
    async *epoch(epoch, skip) {
      const iterator = going ?? walk(epoch);
      const oneShot = (iterator as object) === batches;
      // What a one-shot iterator has given to earlier epochs of a run that is resumed, it gives again first.
      const behind = oneShot && going === null ? (epoch - 1) * (stepsPerEpoch ?? 0) : 0;
      if (oneShot) going = iterator;
      const take = async (): Promise<Examples | null> => {
        await nextTurnIfDue(); // one is taken ahead: two in one turn would hold the page for both
        const { value, done } = await iterator.next();
        return done ? null : (value as Examples);
      };
      try {
        for (let i = 0; i < behind + skip; i++) await take();
        yield* follow(take, skip, stepsPerEpoch, epoch);
      } finally {
        if (!oneShot) await iterator.return?.();
      }
    },
  };
}

/** Batches up to the end, each knowing whether it is the last: without a given count one is taken ahead. */
async function* follow(
  take: () => Promise<Examples | null>,
  skip: number,
  steps: number | null,
  epoch: number,
): AsyncGenerator<PreparedBatch> {
  if (steps !== null) {
    for (let step = skip; step < steps; step++) {
      const batch = await take();
      if (batch === null) throw endedEarly(epoch, step, steps);
      yield await prepared(batch, step === steps - 1);
    }
    return;
  }
  let next = await take();
  if (next === null && skip === 0) throw endedEarly(epoch, 0, null);
  while (next !== null) {
    const batch = next;
    next = await take();
    yield await prepared(batch, next === null);
  }
}

async function prepared(batch: Examples, last: boolean): Promise<PreparedBatch> {
  const { inputs, targets, weights, examples, ...given } = prepare(batch);
  const masks = await onHost(given.masks);
  return {
    inputs: await finiteInputs(await onHost(inputs), masks),
    masks,
    targets: await onHost(targets),
    weights: await onHost(weights),
    examples,
    last,
  };
}

/** Inputs with 0 where a masked step holds NaN or infinity: its gradient is 0, and a product of 0 and NaN is NaN. */
function finiteInputs(inputs: readonly Tensor[], masks: TensorList): Promise<Tensor[]> {
  return Promise.all(inputs.map((input, i) => withFinitePadding(input, masks[i])));
}

async function withFinitePadding(input: Tensor, mask: Tensor | null): Promise<Tensor> {
  // A mask of another shape is refused by the model.
  if (mask === null || mask.size === 0 || input.size % mask.size !== 0) return input;
  const width = input.size / mask.size;
  const [values, counts] = await valuesOf([input, mask]);
  let finite: FloatArray | null = null;
  for (let at = 0; at < values.length; at++) {
    if (Number.isFinite(values[at]) || counts[Math.floor(at / width)] !== 0) continue;
    finite ??= values.slice();
    finite[at] = 0;
  }
  return finite ? hostTensor(finite, input.shape) : input;
}

function endedEarly(epoch: number, step: number, steps: number | null): Error {
  const found = steps === null ? 'gave no batch' : `ended after ${step} of ${steps} batches`;
  return valueError(
    `The batches ${found} in epoch ${epoch}. A generator object can be walked once: give a function that ` +
      'makes one for ' +
      'each epoch, or stepsPerEpoch that fits it.',
    { epoch, step, steps },
  );
}

/** Shapes of the inputs, [-1, ...] for any number of examples. */
export function inputShapes(inputs: readonly Tensor[]): Shape[] {
  return inputs.map((input) => [-1, ...input.shape.slice(1)]);
}
