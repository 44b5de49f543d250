/**
 * Training data: arrays or tensors of all examples, or a sync or async iterable of batches. Both are converted to a
 * `BatchSource`, which returns the prepared batches of an epoch. The source can start at any step, so that a run can resume.
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
import { hostTensor, masksFor, takeRows, toHost, valuesOf, yieldIfDue } from '@unroll/core/internal';

/** Tensors in the order of a model's inputs or outputs; null where an input or output has none. */
export type TensorList = readonly (Tensor | null)[];

/** All examples, or the examples of one batch. The first axis of every tensor is the number of examples. */
export interface Examples {
  /** [N, ...]: a tensor or nested arrays, or a list with one tensor for each input of the model. */
  x: TensorLike | readonly Tensor[];
  /** [N, ...]: a tensor or nested arrays, or a list with one tensor for each output that has a loss. */
  y: TensorLike | readonly Tensor[];
  /**
   * Weight of each example in the loss, [N], or of each step, [N, T]. A single tensor applies to all outputs; a list has
   * one entry for each output that has a loss (null: 1). Default 1.
   */
  sampleWeights?: TensorLike | TensorList;
  /**
   * 1 for valid steps and 0 for padding, [N, T]. A list has one entry for each input (null: no mask). A single mask
   * applies to every input of rank 3 or more with the same T. If there is no such input and exactly one
   * input of ids [N, T] has this T, the mask applies to that input. Default: no mask.
   */
  mask?: TensorLike | TensorList;
}

/** Batches, or a function that returns the batches of an epoch. The argument is the number of the epoch, from 1. */
export type Batches =
  | Iterable<Examples>
  | AsyncIterable<Examples>
  | ((epoch: number) => Iterable<Examples> | AsyncIterable<Examples>);

/** The training step for which inputs are prepared. */
export interface InputStep {
  /** Number of the epoch and of the step in it, from 1. */
  epoch: number;
  step: number;
  /** Number of updates before this step. */
  updates: number;
  /** A random stream for this step. */
  random: RandomStream;
}

/**
 * Returns the inputs that replace `inputs` in the forward pass, such as the same inputs with noise. Their number and shapes
 * must be the same as those of `inputs`.
 */
export type PrepareInputs = (
  inputs: readonly Tensor[],
  step: InputStep,
) => readonly Tensor[] | Promise<readonly Tensor[]>;

/** One batch, ready for a training step. Its tensors are in host memory. */
export interface PreparedBatch {
  inputs: readonly Tensor[];
  /** One entry for each input; null: all steps are valid. */
  masks: TensorList;
  targets: readonly Tensor[];
  /** One entry for each target; null: all weights are 1. */
  weights: TensorList;
  /** Number of examples. */
  examples: number;
  /** Index of each example in the data set. Absent for batches of an iterable. */
  indices?: Uint32Array;
  /** True for the last batch of the epoch. */
  last: boolean;
}

/** A source of batches for the training loop. */
export interface BatchSource {
  /** Batches per epoch; null if this is only known at the end of an epoch. */
  readonly steps: number | null;
  /** Returns the prepared batches of an epoch, without the first `skip` batches. */
  epoch(epoch: number, skip: number): AsyncIterable<PreparedBatch>;
}

type CheckedExamples = Omit<PreparedBatch, 'last'>;

/**
 * Converts examples to tensors and checks them.
 * @throws UnrollError `shape` if the numbers of examples differ, `value` if there are no examples
 */
export function checkExamples({ x, y, sampleWeights, mask }: Examples): CheckedExamples {
  const inputs = toTensorList(x) as Tensor[];
  const targets = toTensorList(y) as Tensor[];
  const weights = weightsFor(targets, sampleWeights);
  const masks = masksFor(inputs, mask === undefined ? null : toTensorList(mask));
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
      `${name} has ${tensor.shape[0]} examples (${formatShape(tensor.shape)}), but y has ${examples} ` +
        `(${formatShape(targets[0].shape)}). Their first axes must be equal.`,
      { [name]: tensor.shape, y: targets[0].shape },
    );
  }
  if (examples === 0) throw valueError('There are no examples: x and y are empty.');
  return { inputs, masks, targets, weights, examples };
}

/** Wraps a single tensor or nested arrays as a list; returns a list unchanged. */
function toTensorList(values: TensorLike | TensorList): TensorList {
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

/** Returns the weights of each target: the entries of a list, or the same single tensor for all targets. */
function weightsFor(targets: TensorList, weights: TensorLike | TensorList | undefined): TensorList {
  if (weights === undefined) return targets.map(() => null);
  const list = toTensorList(weights);
  if (list.length === targets.length) return list;
  if (list.length === 1) return targets.map(() => list[0]);
  throw valueError(
    `sampleWeights must have one entry for each of the ${targets.length} outputs with a loss (null: all weights ` +
      `are 1), or be a single tensor for all outputs, got ${list.length} entries.`,
    { sampleWeights: list.length, outputs: targets.length },
  );
}

/** A range of examples: indices `start` to `start + count - 1` on the first axis of the tensors. */
export interface ExampleRange {
  readonly count: number;
  readonly start: number;
  inputs: readonly Tensor[];
  masks: TensorList;
  targets: readonly Tensor[];
  weights: TensorList;
}

/** Checks examples and returns a range that contains all of them. @throws UnrollError as for {@link checkExamples} */
export function toRange(examples: Examples): ExampleRange {
  const { inputs, masks, targets, weights, examples: count } = checkExamples(examples);
  return { count, start: 0, inputs, masks, targets, weights };
}

/** Replaces the tensors of a range by copies in host memory. */
export async function loadRange(range: ExampleRange): Promise<void> {
  range.inputs = await toHost(range.inputs);
  range.masks = await toHost(range.masks);
  range.targets = await toHost(range.targets);
  range.weights = await toHost(range.weights);
}

/**
 * Splits a range before any shuffling, as in Keras: the first examples are for training, the last for validation.
 * @param validationShare share of the examples for validation, above 0 and below 1
 */
export function splitRange(
  range: ExampleRange,
  validationShare: number,
): { training: ExampleRange; validation: ExampleRange } {
  const trainingCount = Math.floor(range.count * (1 - validationShare));
  if (!(validationShare > 0 && validationShare < 1) || trainingCount === 0 || trainingCount === range.count) {
    throw valueError(
      `validationSplit must be above 0, below 1, and leave at least one of the ${range.count} examples for training and ` +
        `one for validation, got ${validationShare}.`,
      { validationSplit: validationShare, count: range.count },
    );
  }
  const part = (from: number, to: number): ExampleRange => ({
    ...range,
    start: range.start + from,
    count: to - from,
  });
  return { training: part(0, trainingCount), validation: part(trainingCount, range.count) };
}

/**
 * Returns a source of batches of a range.
 * @param shuffle returns the random stream that shuffles an epoch; null: the examples keep their order
 */
export function rangeSource(
  range: ExampleRange,
  batchSize: number,
  shuffle: ((epoch: number) => RandomStream) | null = null,
): BatchSource {
  const steps = Math.ceil(range.count / batchSize);
  return {
    steps,
    async *epoch(epoch, skip) {
      await loadRange(range);
      const order = shuffle
        ? shuffle(epoch).permutation(range.count)
        : Uint32Array.from({ length: range.count }, (_, i) => i);
      for (let step = skip; step < steps; step++) {
        const indices = order.subarray(step * batchSize, (step + 1) * batchSize);
        const rows = range.start === 0 ? indices : indices.map((index) => range.start + index);
        const takeOptional = (tensors: TensorList): TensorList =>
          tensors.map((tensor) => tensor && takeRows(tensor, rows));
        const masks = takeOptional(range.masks);
        yield {
          inputs: await sanitizePadding(
            range.inputs.map((tensor) => takeRows(tensor, rows)),
            masks,
          ),
          masks,
          targets: range.targets.map((tensor) => takeRows(tensor, rows)),
          weights: takeOptional(range.weights),
          examples: indices.length,
          indices,
          last: step === steps - 1,
        };
      }
    },
  };
}

/**
 * Returns a source of the batches of an iterable. An array or a function is iterated again in every epoch. A generator
 * object can be iterated only once: each epoch takes the next `stepsPerEpoch` batches.
 * @param stepsPerEpoch number of batches per epoch; null: an epoch ends when the iterable ends
 */
export function iterableSource(batches: Batches, stepsPerEpoch: number | null): BatchSource {
  const iterate = (epoch: number): AsyncIterator<Examples> | Iterator<Examples> => {
    const iterable = typeof batches === 'function' ? batches(epoch) : batches;
    return Symbol.asyncIterator in iterable ? iterable[Symbol.asyncIterator]() : iterable[Symbol.iterator]();
  };
  let generator: ReturnType<typeof iterate> | null = null; // a generator object that earlier epochs have started
  return {
    steps: stepsPerEpoch,
    async *epoch(epoch, skip) {
      const iterator = generator ?? iterate(epoch);
      const isGenerator = (iterator as object) === batches;
      // If a run resumes, a new generator object first repeats the batches of earlier epochs, which are skipped.
      const earlier = isGenerator && generator === null ? (epoch - 1) * (stepsPerEpoch ?? 0) : 0;
      if (isGenerator) generator = iterator;
      const next = async (): Promise<Examples | null> => {
        await yieldIfDue(); // the first step may read two batches; without this pause, they would block the page twice as long
        const { value, done } = await iterator.next();
        return done ? null : (value as Examples);
      };
      try {
        for (let i = 0; i < earlier + skip; i++) await next();
        yield* batchesOf(next, skip, stepsPerEpoch, epoch);
      } finally {
        if (!isGenerator) await iterator.return?.();
      }
    },
  };
}

/** Yields prepared batches. If `steps` is null, always reads one batch ahead, to detect the last one. */
async function* batchesOf(
  next: () => Promise<Examples | null>,
  skip: number,
  steps: number | null,
  epoch: number,
): AsyncGenerator<PreparedBatch> {
  if (steps !== null) {
    for (let step = skip; step < steps; step++) {
      const batch = await next();
      if (batch === null) throw endedEarly(epoch, step, steps);
      yield await prepareBatch(batch, step === steps - 1);
    }
    return;
  }
  let following = await next();
  if (following === null && skip === 0) throw endedEarly(epoch, 0, null);
  while (following !== null) {
    const batch = following;
    following = await next();
    yield await prepareBatch(batch, following === null);
  }
}

/** Checks a batch, copies it to host memory and replaces non-finite padding. */
async function prepareBatch(batch: Examples, last: boolean): Promise<PreparedBatch> {
  const { inputs, targets, weights, masks: givenMasks, examples } = checkExamples(batch);
  const masks = await toHost(givenMasks);
  return {
    inputs: await sanitizePadding(await toHost(inputs), masks),
    masks,
    targets: await toHost(targets),
    weights: await toHost(weights),
    examples,
    last,
  };
}

/** Replaces non-finite values in masked steps by 0. Their gradient is 0, but 0 times NaN or infinity would be NaN. */
function sanitizePadding(inputs: readonly Tensor[], masks: TensorList): Promise<Tensor[]> {
  return Promise.all(inputs.map((input, i) => sanitizeInput(input, masks[i])));
}

async function sanitizeInput(input: Tensor, mask: Tensor | null): Promise<Tensor> {
  // A mask of a wrong shape is ignored here; the model rejects it.
  if (mask === null || mask.size === 0 || input.size % mask.size !== 0) return input;
  const width = input.size / mask.size;
  const [values, valid] = await valuesOf([input, mask]);
  let finite: FloatArray | null = null;
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i]) || valid[Math.floor(i / width)] !== 0) continue;
    finite ??= values.slice();
    finite[i] = 0;
  }
  return finite ? hostTensor(finite, input.shape) : input;
}

/** Returns the error for an epoch with fewer batches than expected. */
function endedEarly(epoch: number, step: number, steps: number | null): Error {
  const problem =
    steps === null ? 'There are no batches' : `The batches ended after ${step} of ${steps} batches`;
  return valueError(
    `${problem} in epoch ${epoch}. A generator object can be iterated only once: pass a function that ` +
      'returns a new one for each epoch, or set stepsPerEpoch to the number of batches in an epoch.',
    { epoch, step, steps },
  );
}

/** Returns the shapes of the inputs, with -1 (any number of examples) as the first axis. */
export function inputShapes(inputs: readonly Tensor[]): Shape[] {
  return inputs.map((input) => [-1, ...input.shape.slice(1)]);
}

/**
 * Applies `prepareInputs` to a batch.
 * @throws UnrollError `shape` if the shapes of the inputs change
 */
export async function withPreparedInputs(
  batch: PreparedBatch,
  prepareInputs: PrepareInputs,
  step: InputStep,
): Promise<PreparedBatch> {
  const inputs = await prepareInputs(batch.inputs, step);
  const shapes = (tensors: readonly Tensor[]): string =>
    tensors.map(({ shape }) => formatShape(shape)).join(', ');
  if (shapes(inputs) === shapes(batch.inputs)) return { ...batch, inputs };
  throw shapeError(
    `prepareInputs must return inputs of the same shapes, ${shapes(batch.inputs)}, got ${shapes(inputs)}.`,
    { epoch: step.epoch, step: step.step },
  );
}
