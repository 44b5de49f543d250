/** The history of a run, which `fit` returns: loss and metrics of every epoch. */
import { type EndReason, metricsOf, type TrainEvent } from './events.js';

export interface History {
  /** Number of completed epochs. */
  epochs: number;
  /** Training loss of each epoch, computed while the weights changed. */
  loss: number[];
  /** Validation loss of each epoch; empty without validation data. */
  validationLoss: number[];
  /** Values of each metric, one per epoch. Validation metrics have a prefix, such as `validationAccuracy`. */
  metrics: Record<string, number[]>;
  /** False until the run ends, and if the AbortSignal ended the run. */
  completed: boolean;
  /** The reason why the run ended; null until then. */
  reason: EndReason | null;
}

/** Returns a history without epochs. */
export function emptyHistory(): History {
  return { epochs: 0, loss: [], validationLoss: [], metrics: {}, completed: false, reason: null };
}

/** Adds an event to the history. */
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
