/** The events of a run, which `train` yields and `fit` passes to callbacks. Epochs and steps count from 1. */

/** Metrics by name: the loss, the losses of single outputs, and the requested metrics. */
export type MetricValues = Readonly<Record<string, number>>;

/**
 * A training step has ended: one batch (with `truncate`: one chunk of its time steps), and an update if enough steps are
 * accumulated or the epoch ends.
 */
export interface StepEvent {
  type: 'step';
  epoch: number;
  /** Number of epochs of the run. */
  epochs: number;
  /** Number of steps of this epoch so far. */
  step: number;
  /** Number of steps per epoch; null for an iterable until its first epoch has ended. */
  steps: number | null;
  /** Number of updates of the weights since the run began. */
  updates: number;
  /**
   * True if this step updated the weights. With `accumulate`, not every step does; with `truncate`, a chunk that has only
   * padding does not.
   */
  updated: boolean;
  /** Loss of this batch or chunk, before the update. 0 for a chunk that has only padding. */
  loss: number;
  /** Norm of all gradients before clipping; with `accumulate`, of the accumulated gradients. */
  gradientNorm: number;
  /** True if this step's update clipped the gradients. */
  clipped: boolean;
  /** Learning rate of the latest update. */
  learningRate: number;
  /** Number of examples in this batch. */
  examples: number;
  /** Training examples per second, since the epoch began or was resumed. */
  sequencesPerSecond: number;
}

/** An epoch has ended, including its validation. */
export interface EpochEvent {
  type: 'epoch';
  epoch: number;
  epochs: number;
  /** Mean training loss over the epoch, measured while the weights changed. */
  loss: number;
  /** Training metrics over the epoch; for several outputs also the loss of each. */
  metrics: MetricValues;
  /** Mean loss on the validation data. Absent without validation data, like `validationMetrics`. */
  validationLoss?: number;
  validationMetrics?: MetricValues;
  /** Learning rate of the latest update. */
  learningRate: number;
  /** Seconds since the epoch began or was resumed. */
  seconds: number;
}

/** A probable mistake in the settings or the data. Training continues. Each kind of warning is reported once. */
export interface WarningEvent {
  type: 'warning';
  code: WarningCode;
  message: string;
}

export type WarningCode =
  | 'softmax-as-logits' // a loss that expects logits receives the output of a softmax
  | 'targets-unscaled' // regression targets far larger than the outputs of an untrained network
  | 'left-padding-stateful' // padding at the start of sequences for a stateful model
  | 'shuffle-stateful' // shuffled examples for a stateful model
  | 'short-sequence' // a sequence shorter than the option `window`
  | 'environment-changed' // a run resumed on another backend, instruction set or number of threads
  | 'data-changed'; // a run resumed with other data

/** Why a run ended. */
export type EndReason =
  | 'done' // all epochs are complete
  | 'stopped' // a callback, such as early stopping, ended the run
  | 'aborted'; // the AbortSignal ended the run, which can be resumed

export interface EndEvent {
  type: 'end';
  reason: EndReason;
  /** False if the reason is `aborted`. */
  completed: boolean;
}

export type TrainEvent = StepEvent | EpochEvent | WarningEvent | EndEvent;

/**
 * Returns all metrics of an epoch under the names that callbacks monitor: `loss`, the training metrics, `validationLoss`,
 * and the validation metrics with a prefix, such as `validationAccuracy`.
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
