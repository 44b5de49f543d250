/**
 * The events of `train`, the only input of progress bars, logs, early stopping and checkpoints. Epochs and steps
 * count from 1.
 */

/** Metrics by name: the loss, the losses of single outputs, and the requested metrics. */
export type MetricValues = Readonly<Record<string, number>>;

/** One training step has ended. */
export interface StepEvent {
  type: 'step';
  epoch: number;
  epochs: number;
  /** Batches of this epoch so far. */
  step: number;
  /** Batches per epoch; null until the first epoch of an iterable has ended. */
  steps: number | null;
  /** Updates of the weights since the run began. */
  updates: number;
  /** True if this step updated the weights; with `accumulate`, not every step does. */
  updated: boolean;
  /** Loss of this batch, before the update. */
  loss: number;
  /** Norm of all gradients before clipping; with `accumulate`, of the accumulated gradients. */
  gradientNorm: number;
  clipped: boolean;
  /** Learning rate of the latest update. */
  learningRate: number;
  /** Examples in this batch. */
  examples: number;
  /** Training examples per second, since the epoch began or was resumed. */
  sequencesPerSecond: number;
}

export interface EpochEvent {
  type: 'epoch';
  epoch: number;
  epochs: number;
  /** Mean over the epoch, computed while the weights changed. */
  loss: number;
  /** Training metrics over the epoch; for several outputs also the loss of each. */
  metrics: MetricValues;
  /** Mean loss on the validation data, if there are any. */
  validationLoss?: number;
  validationMetrics?: MetricValues;
  /** Learning rate of the latest update. */
  learningRate: number;
  /** Seconds since the epoch began or was resumed. */
  seconds: number;
}

/** A probable mistake; training continues. Each kind is reported once. */
export interface WarningEvent {
  type: 'warning';
  code: WarningCode;
  message: string;
}

export type WarningCode =
  | 'softmax-as-logits' // the output of a softmax is given to a loss that expects logits
  | 'targets-unscaled' // regression targets far larger than the outputs of an untrained network
  | 'left-padding-stateful' // padding at the start of sequences of a stateful model
  | 'shuffle-stateful' // shuffled batches of a stateful model
  | 'short-sequence' // a sequence shorter than the window
  | 'environment-changed' // a run resumed on another backend, instruction set or number of threads
  | 'data-changed'; // a run resumed on other data

/** Why a run ended. */
export type EndReason =
  | 'done' // all epochs
  | 'stopped' // a callback, such as early stopping, ended the run
  | 'aborted'; // the signal ended the run, which can be resumed

export interface EndEvent {
  type: 'end';
  reason: EndReason;
  /** False if the signal ended the run. */
  completed: boolean;
}

export type TrainEvent = StepEvent | EpochEvent | WarningEvent | EndEvent;

/**
 * All metrics of an epoch under the names that callbacks monitor: `loss`, each metric, `validationLoss`, and
 * `validation` + Metric for each metric on the validation data.
 */
export function metricsOf(
  event: Pick<EpochEvent, 'loss' | 'metrics' | 'validationLoss' | 'validationMetrics'>,
): MetricValues {
  const values: Record<string, number> = { loss: event.loss, ...event.metrics };
  if (event.validationLoss !== undefined) values.validationLoss = event.validationLoss;
  for (const [name, value] of Object.entries(event.validationMetrics ?? {})) {
    values[`validation${name[0].toUpperCase()}${name.slice(1)}`] = value;
  }
  return values;
}
