/** Loss and metrics of every epoch, as `fit` returns them. */
import { type EndReason, metricsOf, type TrainEvent } from './events.js';

export interface History {
  /** Epochs that have ended. */
  epochs: number;
  /** Of each epoch, while the weights were changing. */
  loss: number[];
  /** Of each epoch with validation data. */
  validationLoss: number[];
  /** The metrics of each epoch by name, and `validation` + Metric. */
  metrics: Record<string, number[]>;
  /** False when the signal ended the run. */
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
