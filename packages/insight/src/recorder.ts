/**
 * `recorder`: a callback that measures a recurrent network while it trains. Every `every` updates, it makes a record, which
 * sinks can write to TensorBoard or CSV files.
 */
import { type FloatArray, valueError } from '@unroll/core';
import { checkOptions, type OptionTypes } from '@unroll/core/internal';
import { Network } from '@unroll/nn';
import type { Callback, JsonValue, LossSpec, RunControl, SavedTensor, StepEvent } from '@unroll/train';
import { gradientFlow } from './gradients.js';
import { type Histogram, histogramOf } from './histogram.js';
import type { ModelInput } from './inputs.js';
import { saturation } from './saturation.js';

export interface RecorderOptions {
  /** A few sequences [B, T, ...] on which gradients by lag and saturation are measured. Default: neither is measured. */
  x?: ModelInput;
  /** The targets of x, for gradients of the loss by lag. Default: gradients of the output. */
  y?: ModelInput;
  /** The loss for x and y. */
  loss?: LossSpec;
  /** Number of updates between two records. Default 250. */
  every?: number;
  /** Number of bins of the histograms; 0: no histograms. Default 30. */
  bins?: number;
  /** Called with each record. */
  onRecord?: (record: TrainingRecord) => void | Promise<void>;
  /** Where records are written: `toTensorBoard`, `toCsv` of `@unroll/insight/node`. Default: nowhere. */
  to?: readonly RecordSink[];
  /** Also store all records in the property `records` of the recorder. Default true. */
  collect?: boolean;
}

/** Writes records. `state` and `restore` do the same as in a {@link Callback}. */
export interface RecordSink {
  write(record: TrainingRecord): void;
  state?(): Record<string, unknown>;
  restore?(state: Record<string, unknown>): string | null;
}

/** Measurements of the trainable weights of one layer. */
export interface LayerRecord {
  /** Path of the layer, as in the names of its parameters. */
  layer: string;
  /** Norm of the gradients of the latest update; see {@link RunControl.gradients} for clipping. */
  gradientNorm: number;
  weightNorm: number;
  /** Norm of the change by the latest update, divided by the norm of the weights; NaN if unknown. About 0.001 is usual. */
  updateRatio: number;
}

/** The norm of the gradient with respect to a state, by lag, as the mean over the sequences of x. */
export interface LagRecord {
  layer: string;
  state: string;
  norms: Float64Array;
  /** Relative to lag 0. */
  relative: Float64Array;
}

/** Shares of gate values below 0.05 (`low`) and above 0.95 (`high`). */
export interface GateRecord {
  layer: string;
  gate: string;
  low: number;
  high: number;
}

export interface TrainingRecord {
  type: 'insight';
  epoch: number;
  step: number;
  updates: number;
  loss: number;
  /** Norm of all gradients before clipping. */
  gradientNorm: number;
  /** Share of the updates since the previous record whose gradients were clipped. */
  clipRate: number;
  layers: LayerRecord[];
  lags: LagRecord[];
  gates: GateRecord[];
  /** By layer: number of dead units, whose output varies by less than 0.001 over all steps and sequences of x. */
  dead: Record<string, number>;
  /** Histograms by parameter; empty if `bins` is 0. */
  weights: Record<string, Histogram>;
  gradients: Record<string, Histogram>;
}

export interface Recorder extends Callback {
  /** All records so far; empty if `collect` is false. */
  readonly records: readonly TrainingRecord[];
}

const OPTIONS: OptionTypes<RecorderOptions> = {
  ...{ x: true, y: true, loss: true, every: 'count', bins: 'nonNegativeInteger' },
  ...{ onRecord: 'function', to: 'array', collect: 'boolean' },
};

/** Values by parameter. */
type Values = Record<string, FloatArray>;

/**
 * Returns a callback that records gradient norms by layer and by lag, the clip rate, saturated gates, update-to-weight ratios and
 * histograms of weights and gradients. With the default of `every`, it takes a few percent of the training time.
 * @throws UnrollError `value` for invalid options; at the first record, if x is given and the model is not made of layers
 */
export function recorder(options: RecorderOptions = {}): Recorder {
  checkOptions('recorder', options, OPTIONS);
  const { every = 250, bins = 30, to = [], collect = true, onRecord } = options;
  if ((options.y === undefined) !== (options.loss === undefined)) {
    const given = options.loss === undefined ? 'y without loss' : 'loss without y';
    throw valueError(`recorder takes both y and loss, or neither, got ${given}.`);
  }
  const records: TrainingRecord[] = [];
  let counts = { updates: 0, clipped: 0 };
  let before: Values | null = null;

  const measure = async (event: StepEvent, run: RunControl): Promise<TrainingRecord> => {
    const after = await weightsOf(run);
    const record: TrainingRecord = {
      ...{ type: 'insight', epoch: event.epoch, step: event.step, updates: event.updates, loss: event.loss },
      gradientNorm: event.gradientNorm,
      clipRate: counts.clipped / Math.max(1, counts.updates),
      ...(await weightRecords(run, before, after, bins)),
      ...(await sampleRecords(run, options)),
    };
    counts = { updates: 0, clipped: 0 };
    before = null;
    return record;
  };

  return {
    name: 'recorder',
    records,
    async onEvent(event, run) {
      if (event.type !== 'step' || !event.updated) return;
      counts.updates++;
      if (event.clipped) counts.clipped++;
      const record = event.updates % every === 0 ? await measure(event, run) : null;
      // To measure the change by the next update, the weights before it are needed.
      if ((event.updates + 1) % every === 0) before = await weightsOf(run);
      if (record === null) return;
      if (collect) records.push(record);
      for (const sink of to) sink.write(record);
      await onRecord?.(record);
    },
    state: () => ({
      json: { counts, sinks: to.map((sink) => (sink.state?.() ?? {}) as JsonValue) },
      ...(before && { tensors: savedTensors(before) }),
    }),
    restore({ json, tensors }) {
      const saved = json as unknown as { counts: typeof counts; sinks: readonly Record<string, unknown>[] };
      before = tensors
        ? Object.fromEntries(Object.entries(tensors).map(([name, { values }]) => [name, values]))
        : null;
      counts = { ...saved.counts };
      const warnings = to.map((sink, i) => sink.restore?.(saved.sinks[i] ?? {}) ?? null);
      return warnings.find((warning) => warning !== null) ?? null;
    },
  };
}

/** Converts weights to tensors of a checkpoint. */
function savedTensors(weights: Values): Record<string, SavedTensor> {
  const entries = Object.entries(weights).map(
    ([name, values]) => [name, { shape: [values.length], values }] as const,
  );
  return Object.fromEntries(entries);
}

/** Returns the trainable weights. */
async function weightsOf(run: RunControl): Promise<Values> {
  const trainable = run.parameters.filter((parameter) => parameter.trainable);
  const values = await Promise.all(trainable.map((parameter) => parameter.data()));
  return Object.fromEntries(trainable.map(({ name }, i) => [name, values[i]]));
}

/** Returns the part of a record about the weights. @param before null: the weights before the update are unknown */
async function weightRecords(
  run: RunControl,
  before: Values | null,
  after: Values,
  bins: number,
): Promise<Pick<TrainingRecord, 'layers' | 'weights' | 'gradients'>> {
  const gradients = await run.gradients();
  const squares = new Map<string, { gradient: number; weight: number; change: number }>();
  for (const [name, weights] of Object.entries(after)) {
    const layer = name.slice(0, Math.max(0, name.lastIndexOf('/')));
    const total = squares.get(layer) ?? { gradient: 0, weight: 0, change: 0 };
    squares.set(layer, total);
    const gradient = gradients[name]?.values;
    const old = before?.[name] ?? weights;
    for (let i = 0; i < weights.length; i++) {
      total.weight += weights[i] * weights[i];
      total.change += (weights[i] - old[i]) ** 2;
      if (gradient) total.gradient += gradient[i] * gradient[i];
    }
  }
  const layers = [...squares].map(
    ([layer, { gradient, weight, change }]): LayerRecord => ({
      ...{ layer, gradientNorm: Math.sqrt(gradient), weightNorm: Math.sqrt(weight) },
      updateRatio: before && weight > 0 ? Math.sqrt(change / weight) : Number.NaN,
    }),
  );
  const histograms = (values: (name: string) => ArrayLike<number> | undefined): Record<string, Histogram> => {
    if (bins === 0) return {};
    const entries = Object.keys(after).map((name) => [name, histogramOf(values(name) ?? [], bins)] as const);
    return Object.fromEntries(entries);
  };
  return {
    layers,
    weights: histograms((name) => after[name]),
    gradients: histograms((name) => gradients[name]?.values),
  };
}

/** Returns the part of a record that is measured on x. */
async function sampleRecords(
  { model }: RunControl,
  { x, y = undefined, loss }: RecorderOptions,
): Promise<Pick<TrainingRecord, 'lags' | 'gates' | 'dead'>> {
  if (x === undefined) return { lags: [], gates: [], dead: {} };
  if (!(model instanceof Network))
    throw valueError(
      `recorder: the option x requires a model made of layers, from sequential() or model(), got ${model.name}.`,
    );
  const found = await gradientFlow(model, x, y ?? null, {
    ...(loss !== undefined && { loss }),
    ...{ quantiles: [], spectralRadius: false },
  });
  const saturations = await saturation(model, x);
  const lags = found.layers.flatMap(({ layer, states }) =>
    Object.entries(states).map(
      ([state, { mean, relative }]): LagRecord => ({
        ...{ layer, state, norms: mean, relative: relative.mean },
      }),
    ),
  );
  const gates = saturations.flatMap(({ layer, gates: shares }) =>
    Object.entries(shares).map(([gate, { low, high }]): GateRecord => ({ layer, gate, low, high })),
  );
  return {
    lags,
    gates,
    dead: Object.fromEntries(saturations.map(({ layer, dead }) => [layer, dead.length])),
  };
}

/** Lags for which TensorBoard and CSV files contain the relative norm. */
const LOGGED_LAGS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/** Returns the scalars of a record, by the names that they have in TensorBoard and CSV files. */
export function scalarsOf(record: TrainingRecord): Record<string, number> {
  const scalars: Record<string, number> = { clip_rate: record.clipRate, gradient_norm: record.gradientNorm };
  for (const { layer, gradientNorm, weightNorm, updateRatio } of record.layers) {
    scalars[`gradient_norm/${layer}`] = gradientNorm;
    scalars[`weight_norm/${layer}`] = weightNorm;
    scalars[`update_ratio/${layer}`] = updateRatio;
  }
  for (const { layer, state, relative } of record.lags) {
    for (const lag of LOGGED_LAGS)
      if (lag < relative.length) scalars[`gradient_by_lag/${layer}/${state}/${lag}`] = relative[lag];
  }
  for (const { layer, gate, low, high } of record.gates) {
    scalars[`saturation/${layer}/${gate}/low`] = low;
    scalars[`saturation/${layer}/${gate}/high`] = high;
  }
  for (const [layer, count] of Object.entries(record.dead)) scalars[`dead_units/${layer}`] = count;
  return scalars;
}
