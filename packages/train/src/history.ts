/** Loss and metrics of every epoch: the result of `fit`. */
import { type EndReason, metricsOf, type TrainEvent } from './events.js';

export interface History {
  /** Number of completed epochs. */
  epochs: number;
  /** Training loss of each epoch, computed while the weights changed. */
  loss: number[];
  /** Validation loss of each epoch with validation data. */
  validationLoss: number[];
  /** The metrics of each epoch by name, and `validation` + Metric. */
  metrics: Record<string, number[]>;
  /** False if the signal ended the run. */
  completed: boolean;
  /** Why the run ended; null before its end. */
  reason: EndReason | null;
}

export function emptyHistory(): History {
  return { epochs: 0, loss: [], validationLoss: [], metrics: {}, completed: false, reason: null };
}

/** Adds an event. */
export function record(history: History, event: TrainEvent): void {
  if (event.type === 'epoch') {
    history.epochs++;
    const { loss, validationLoss, ...metrics } = metricsOf(event);
    history.loss.push(loss);
    if (validationLoss !== undefined) history.validationLoss.push(validationLoss);
    for (const [name, value] of Object.entries(metrics)) (history.metrics[name] ??= []).push(value);
  } else if (event.type === 'end') {
    history.completed = event.completed;
    history.reason = event.reason;
  }
}
