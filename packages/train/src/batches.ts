/**
 * Training data: arrays and tensors of all examples, or any (async) iterable of batches. Both become a `BatchSource`,
 * which returns the prepared batches of an epoch, starting at any step so that a run can resume.
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
import { hostTensor, masksFor, yieldIfDue, toHost, takeRows, valuesOf } from '@unroll/core/internal';

/** Tensors in the order of a model's inputs or outputs; null for an input or output without one. */
export type TensorList = readonly (Tensor | null)[];

/** All examples, or those of one batch. The first axes count examples. */
export interface Examples {
  /** [N, ...]: one tensor (or nested arrays), or one for each of the model's inputs. */
  x: TensorLike | readonly Tensor[];
  /** [N, ...]: likewise for each output. */
  y: TensorLike | readonly Tensor[];
  /**
   * Weight of each example in the loss, [N], or of each step, [N, T]. For several outputs also a list; a single
   * tensor applies to all outputs. Default 1.
   */
  sampleWeights?: TensorLike | TensorList;
  /**
   * Valid steps as 1 and padding as 0, [N, T]. For several inputs also a list; a single mask applies to the sequences
   * [N, T, ...] of its length, or if there are none to the one input of ids [N, T]. Default: all steps are valid.
   */
  mask?: TensorLike | TensorList;
}

/** A sequence of batches. A function is called at the start of each epoch with the epoch number, starting at 1. */
export type Batches =
  | Iterable<Examples>
  | AsyncIterable<Examples>
  | ((epoch: number) => Iterable<Examples> | AsyncIterable<Examples>);

/** One batch, ready for a step. Its tensors are in host memory. */
export interface PreparedBatch {
  inputs: readonly Tensor[];
  /** One for each input. */
  masks: TensorList;
  targets: readonly Tensor[];
  /** One for each target. */
  weights: TensorList;
  /** Number of examples. */
  examples: number;
  /** Row numbers in the data set, if known. */
  rows?: Uint32Array;
  /** True for the last batch of the epoch. */
  last: boolean;
}

/** The source of batches for the training loop. */
export interface BatchSource {
  /** Batches per epoch; null if unknown before its end. */
  readonly steps: number | null;
  /** The prepared batches of an epoch, without the first `skip`. */
  epoch(epoch: number, skip: number): AsyncIterable<PreparedBatch>;
}

type Prepared = Omit<PreparedBatch, 'last'>;

/**
 * Converts examples to tensors and checks them. @throws UnrollError `shape` if counts differ, `value` if there are
 * none
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

/** The weights of each target: those of a list, or a single one for all. */
function weightsFor(targets: TensorList, weights: TensorLike | TensorList | undefined): TensorList {
  if (weights === undefined) return targets.map(() => null);
  const list = listOf(weights);
  if (list.length === targets.length) return list;
  if (list.length === 1) return targets.map(() => list[0]);
  throw valueError(
    `sampleWeights must have one entry for each of the ${targets.length} outputs with a loss (null: none), or be a ` +
      `single tensor for all, got ${list.length} entries.`,
    { sampleWeights: list.length, outputs: targets.length },
  );
}

/** The examples in rows `start` to `start + count` of the tensors. */
export interface ExampleRange {
  readonly count: number;
  readonly start: number;
  inputs: readonly Tensor[];
  masks: TensorList;
  targets: readonly Tensor[];
  weights: TensorList;
}

export function toRange(examples: Examples): ExampleRange {
  const { inputs, masks, targets, weights, examples: count } = prepare(examples);
  return { count, start: 0, inputs, masks, targets, weights };
}

/** Copies the tensors of rows to host memory. */
export async function loadRange(rows: ExampleRange): Promise<void> {
  rows.inputs = await toHost(rows.inputs);
  rows.masks = await toHost(rows.masks);
  rows.targets = await toHost(rows.targets);
  rows.weights = await toHost(rows.weights);
}

/**
 * Splits rows into the first ones for training and the last ones for validation, as in Keras: before any shuffling.
 * @param share in (0, 1)
 */
export function splitRange(rows: ExampleRange, share: number): { training: ExampleRange; validation: ExampleRange } {
  const at = Math.floor(rows.count * (1 - share));
  if (!(share > 0 && share < 1) || at === 0 || at === rows.count) {
    throw valueError(
      `validationSplit ${share} of ${rows.count} examples leaves ${Math.max(0, at)} to train on. Give a ` +
        'share between ' +
        '0 and 1 that leaves at least one on either side.',
      { validationSplit: share, count: rows.count },
    );
  }
  const part = (from: number, to: number): ExampleRange => ({ ...rows, start: rows.start + from, count: to - from });
  return { training: part(0, at), validation: part(at, rows.count) };
}

/** Batches of rows in the order that `shuffle` returns for an epoch (null: in the given order). */
export function rangeSource(
  rows: ExampleRange,
  batchSize: number,
  shuffle: ((epoch: number) => RandomStream) | null = null,
): BatchSource {
  const steps = Math.ceil(rows.count / batchSize);
  return {
    steps,
    async *epoch(epoch, skip) {
      await loadRange(rows);
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
 * Batches of an iterable. A reusable one (an array, a function) is iterated once per epoch. A one-shot iterator (a
 * generator object) continues from epoch to epoch; `stepsPerEpoch` must then give the number of steps per epoch.
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
      // When a run resumes, a one-shot iterator first repeats the batches of earlier epochs.
      const behind = oneShot && going === null ? (epoch - 1) * (stepsPerEpoch ?? 0) : 0;
      if (oneShot) going = iterator;
      const take = async (): Promise<Examples | null> => {
        await yieldIfDue(); // one batch is read ahead: two in one turn would block the page twice as long
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

/** Batches with a flag for the last one. Without a given count, the next batch is read ahead to detect the end. */
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
  const masks = await toHost(given.masks);
  return {
    inputs: await finiteInputs(await toHost(inputs), masks),
    masks,
    targets: await toHost(targets),
    weights: await toHost(weights),
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
  const found = steps === null ? 'contained no batch' : `ended after ${step} of ${steps} batches`;
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
