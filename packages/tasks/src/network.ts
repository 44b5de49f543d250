/**
 * The recurrent forecaster: the mean of two networks, LSTM and a dense head each. One sees the changes of the window
 * measured from the last one, the other their absolute size too; where one of them errs the other errs differently.
 */
import { type Tensor, tensor } from '@unroll/core';
import { dense, lstm, type Sequential, sequential } from '@unroll/nn';
import { adam, mse, predict, type TrainEvent, train } from '@unroll/train';
import { type ExampleRows, type TransformPlan, WindowTransform, warmUp } from './transform.js';

export interface NetworkOptions {
  /** Hidden units of the LSTM. */
  units: number;
  batchSize: number;
  learningRate: number;
  seed: number;
  signal?: AbortSignal;
}

/** A trained network with the transform it was trained for. */
export interface FittedNetwork {
  model: Sequential;
  transform: WindowTransform;
  /** Passes it was trained for. */
  epochs: number;
}

/** Whether each network of the forecaster sees the absolute size of changes. */
export const VIEWS = [false, true];
/** Passes without a better validation loss before a search over one fold ends. */
const PATIENCE = 10;
/** With more training rows than this, one fold tells enough. */
const MANY_ROWS = 2000;

function makeModel(transform: WindowTransform, { units, seed }: NetworkOptions): Sequential {
  const { window, horizon } = transform.config;
  const model = sequential([lstm({ units }), dense({ units: horizon })], { seed });
  model.build([[-1, window, transform.channels]]);
  return model;
}

/** The pairs from number `from` on as tensors x [N, window, channels] and y [N, horizon]. */
function tensors(
  { count, inputs, targets }: ExampleRows,
  transform: WindowTransform,
  from = 0,
): { x: Tensor; y: Tensor } {
  const { window, horizon } = transform.config;
  const width = window * transform.channels;
  return {
    x: tensor(inputs.subarray(from * width), [count - from, window, transform.channels]),
    y: tensor(targets.subarray(from * horizon), [count - from, horizon]),
  };
}

function trainOptions({ learningRate, batchSize, seed, signal }: NetworkOptions) {
  return {
    loss: mse(),
    optimizer: adam({ learningRate }),
    batchSize,
    shuffle: true,
    seed,
    clip: { globalNorm: 1 },
    ...(signal === undefined ? {} : { signal }),
  };
}

/** A stretch of training rows and the number of rows at its end that are held out. */
interface Fold {
  values: Float64Array;
  held: number;
}

/** Up to three rolling splits of the training values, the latest first; none where there are too few rows. */
export function validationFolds(values: Float64Array, plan: TransformPlan): Fold[] {
  const held = Math.max(plan.horizon, Math.round(values.length / 5));
  const most = values.length > MANY_ROWS ? 1 : 3;
  const shift = Math.max(6, plan.horizon);
  return Array.from({ length: most }, (_, i) => ({
    values: values.slice(0, values.length - i * shift),
    held,
  })).filter((fold) => fold.values.length - held - plan.horizon - warmUp(plan) >= 4);
}

/**
 * How many passes to train for: on each fold trains on the earlier rows, measures the loss on windows whose targets lie
 * in the held rows, and takes the pass at which the sum of these losses is least. Where the values are too few to be
 * parted, a third of `most`.
 */
export async function* searchEpochs(
  values: Float64Array,
  plan: TransformPlan,
  options: NetworkOptions,
  most: number,
): AsyncGenerator<TrainEvent, number, void> {
  const folds = validationFolds(values, plan);
  if (folds.length === 0) return Math.max(1, Math.round(most / 3));
  const losses: number[] = [];
  for (const fold of folds) {
    let epoch = 0;
    for await (const event of trainFold(fold, plan, options, most)) {
      yield event;
      if (event.type !== 'epoch') continue;
      losses[epoch] = (losses[epoch] ?? 0) + event.validationLoss!;
      epoch++;
      if (folds.length === 1 && epoch - losses.indexOf(Math.min(...losses)) > PATIENCE) break;
    }
  }
  return losses.indexOf(Math.min(...losses)) + 1;
}

/** Trains on the rows of a fold that are not held out, with validation losses in the unit of unscaled changes. */
async function* trainFold(
  { values, held }: Fold,
  plan: TransformPlan,
  options: NetworkOptions,
  epochs: number,
): AsyncGenerator<TrainEvent, void, void> {
  const early = values.slice(0, values.length - held);
  const transform = WindowTransform.fit(early, plan);
  const all = transform.examples(values);
  const firstHeld = all.count - held + plan.horizon - 1;
  const events = train(makeModel(transform, options), {
    ...tensors(transform.examples(early), transform),
    ...trainOptions(options),
    epochs,
    validationData: tensors(all, transform, firstHeld),
  });
  for await (const event of events) {
    if (event.type !== 'epoch') yield event;
    else yield { ...event, validationLoss: event.validationLoss! * transform.config.scale ** 2 };
  }
}

/** Trains a network on all windows of `values` for a fixed number of passes. */
export async function* fitNetwork(
  values: Float64Array,
  plan: TransformPlan,
  options: NetworkOptions,
  epochs: number,
): AsyncGenerator<TrainEvent, FittedNetwork, void> {
  const transform = WindowTransform.fit(values, plan);
  const model = makeModel(transform, options);
  yield* train(model, {
    ...tensors(transform.examples(values), transform),
    ...trainOptions(options),
    epochs,
  });
  return { model, transform, epochs };
}

/** The networks' mean forecast [horizon] after each history, in the scale of the histories. */
export async function networkForecasts(
  networks: readonly FittedNetwork[],
  histories: readonly Float64Array[],
): Promise<Float64Array[]> {
  const { horizon } = networks[0]!.transform.config;
  const means = histories.map(() => new Float64Array(horizon));
  for (const { model, transform } of networks) {
    const width = transform.config.window * transform.channels;
    const inputs = new Float64Array(histories.length * width);
    for (const [n, history] of histories.entries()) inputs.set(transform.input(history), n * width);
    const x = tensor(inputs, [histories.length, transform.config.window, transform.channels]);
    const scaled = await (await predict(model, x)).data();
    for (const [n, history] of histories.entries()) {
      const values = transform.output(history, scaled.subarray(n * horizon, (n + 1) * horizon));
      for (const [k, value] of values.entries()) means[n]![k]! += value / networks.length;
    }
  }
  return means;
}
