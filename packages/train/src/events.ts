/**
 * What `train` tells of. Progress bars, logs, early stopping and checkpoints are consumers of these events
 * and of nothing else; epochs and steps count from 1.
 */

/** Named figures: the loss, the losses of single outputs, metrics. */
export type Figures = Readonly<Record<string, number>>;

/** One batch has gone through. */
export interface StepEvent {
  type: 'step';
  epoch: number;
  epochs: number;
  /** Batches of this epoch so far. */
  step: number;
  /** Batches of one epoch; null while an iterable has not shown its end. */
  steps: number | null;
  /** Updates of the weights since the run began. */
  updates: number;
  /** Whether this step changed the weights: with `accumulate`, not every one does. */
  updated: boolean;
  /** Loss of this batch, before its update. */
  loss: number;
  /** Norm of all gradients together, before clipping; with `accumulate`, of what has been gathered. */
  gradientNorm: number;
  clipped: boolean;
  /** Of the latest update. */
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
  /** Mean over everything that counts in the epoch, while the weights were changing. */
  loss: number;
  /** Training metrics, also over the epoch; of several outputs also the loss of each. */
  metrics: Figures;
  /** Mean loss on the validation data, where there are any. */
  validationLoss?: number;
  validationMetrics?: Figures;
  /** Of the latest update. */
  learningRate: number;
  /** Since the epoch began or was resumed. */
  seconds: number;
}

/** Something that is probably a mistake; training goes on. Each kind is told of once. */
export interface WarningEvent {
  type: 'warning';
  code: WarningCode;
  message: string;
}

export type WarningCode =
  | 'softmax-as-logits' // a softmax's output is given to a loss that expects logits
  | 'targets-unscaled' // regression targets far from the size that a fresh network gives
  | 'left-padding-stateful' // padding at the start of sequences whose states are carried along
  | 'shuffle-stateful' // shuffled batches whose states are carried along
  | 'short-sequence' // a sequence of fewer steps than the window
  | 'environment-changed' // a run resumed on another backend, instruction set or number of threads
  | 'data-changed'; // a run resumed on other data

/** Why a run ended. */
export type EndReason =
  | 'done' // all epochs
  | 'stopped' // a callback (early stopping) found it was enough
  | 'aborted'; // the signal: to be resumed

export interface EndEvent {
  type: 'end';
  reason: EndReason;
  /** False when the signal ended the run. */
  completed: boolean;
}

export type TrainEvent = StepEvent | EpochEvent | WarningEvent | EndEvent;

/**
 * All figures of an epoch by the names that callbacks monitor: `loss`, each metric, `validationLoss`, and
 * `validation` + Metric for each metric on the validation data.
 */
export function figuresOf(
  event: Pick<EpochEvent, 'loss' | 'metrics' | 'validationLoss' | 'validationMetrics'>,
): Figures {
  const figures: Record<string, number> = { loss: event.loss, ...event.metrics };
  if (event.validationLoss !== undefined) figures.validationLoss = event.validationLoss;
  for (const [name, value] of Object.entries(event.validationMetrics ?? {})) {
    figures[`validation${name[0].toUpperCase()}${name.slice(1)}`] = value;
  }
  return figures;
}
