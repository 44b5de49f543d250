/**
 * Callbacks: consumers of the events of `train` that `fit` runs beside it. Training waits while a
 * callback runs, so the callback sees the model as it is right after the event.
 */
import type { Model, Parameter, Shape } from '@unroll/core';
import type { Checkpoint } from '../checkpoint.js';
import type { TrainEvent } from '../events.js';

/** JSON values. Numbers may also be NaN or infinite: checkpoints store them. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** Values stored in a checkpoint. */
export interface SavedTensor {
  shape: Shape;
  values: Float32Array | Float64Array;
}

/** What a callback needs to resume in another process. */
export interface CallbackState {
  json: JsonValue;
  tensors?: Readonly<Record<string, SavedTensor>>;
}

/** How a callback may control a run. */
export interface RunControl {
  readonly model: Model;
  /** Those of the model, trained or not, and those of its losses. */
  readonly parameters: readonly Parameter[];
  /** Ends the run after this event; the end event's reason is then `stopped`. */
  stop(): void;
  /** A copy of the weights that validation uses: with `average`, the average. */
  weights(): Promise<Record<string, SavedTensor>>;
  /** Factor on the learning rate that the optimizer's schedule gives. Initially 1; stored in checkpoints. */
  learningRateScale: number;
}

export interface Callback {
  /** Key of its state in a checkpoint: constant, and unique within a run. */
  readonly name: string;
  /** Name of the metric that it monitors. Before training, `fit` throws if the run will not have it. */
  readonly monitors?: string | undefined;
  /** Names of metrics that it adds to epoch events, for later callbacks. Absent: none. */
  readonly metrics?: readonly string[];
  onEvent(event: TrainEvent, run: RunControl): void | Promise<void>;
  /** Its state, for a checkpoint. Absent: it has none. */
  state?(): CallbackState;
  /**
   * Restores a state of {@link Callback.state}, before the first event. Returns a warning, or null.
   */
  restore?(state: CallbackState, run: RunControl): string | null;
  /**
   * Called for each event after `onEvent` of every callback, so that `snapshot` is complete. For callbacks that
   * write checkpoints.
   */
  afterEvent?(
    event: TrainEvent,
    run: RunControl,
    snapshot: () => Promise<Checkpoint | null>,
  ): void | Promise<void>;
  /** For an error that ends the run: the location of the last checkpoint that the callback wrote; null: none. */
  lastSaved?(): string | null;
}
