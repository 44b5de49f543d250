/**
 * Callbacks: `fit` calls them with every event of `train`. Training waits while a callback runs, so the callback sees the
 * model in its state right after the event.
 */
import type { Model, Parameter, Shape } from '@unroll/core';
import type { Checkpoint } from '../checkpoint.js';
import type { TrainEvent } from '../events.js';

/** A JSON value whose numbers may also be NaN or infinite; checkpoints can store these. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** A tensor stored in a checkpoint. */
export interface SavedTensor {
  shape: Shape;
  values: Float32Array | Float64Array;
}

/** The state of a callback in a checkpoint. */
export interface CallbackState {
  json: JsonValue;
  tensors?: Readonly<Record<string, SavedTensor>>;
}

/** The run as seen by callbacks. */
export interface RunControl {
  readonly model: Model;
  /** All parameters of the model and of its losses, including those that are not trainable. */
  readonly parameters: readonly Parameter[];
  /** Ends the run after this event; the end event's reason is then `stopped`. */
  stop(): void;
  /** Returns a copy of the weights that validation uses: the moving average if the run has the option `average`. */
  weights(): Promise<Record<string, SavedTensor>>;
  /**
   * Returns a copy of the gradients of the latest update, by parameter name; empty until the model is built. They are the
   * gradients before clipping, with two exceptions: clipping by `value` or `norm` changes them, and so does the weight decay
   * of an optimizer with `convention: 'pytorch'`.
   */
  gradients(): Promise<Record<string, SavedTensor>>;
  /** Factor by which the learning rate of the optimizer is multiplied. Initially 1; stored in checkpoints. */
  learningRateScale: number;
}

export interface Callback {
  /** Key of the callback's state in a checkpoint: constant, and unique within a run. */
  readonly name: string;
  /** Name of the monitored metric. `fit` throws before training if the run will not have this metric. */
  readonly monitors?: string | undefined;
  /** Names of metrics that this callback adds to epoch events, for later callbacks. Absent: none. */
  readonly metrics?: readonly string[];
  /** Called for each event. */
  onEvent(event: TrainEvent, run: RunControl): void | Promise<void>;
  /** Returns the state to store in a checkpoint. Absent: the callback has no state. */
  state?(): CallbackState;
  /** Restores a state from a checkpoint, before the first event. Returns a warning, or null. */
  restore?(state: CallbackState, run: RunControl): string | null;
  /**
   * Called for each event after all callbacks have handled it in `onEvent`, so that `snapshot` includes their new states.
   * For callbacks that write checkpoints. `snapshot` returns null before the model is built.
   */
  afterEvent?(
    event: TrainEvent,
    run: RunControl,
    snapshot: () => Promise<Checkpoint | null>,
  ): void | Promise<void>;
  /** Returns the location of the last checkpoint that this callback wrote, for error messages; null: none. */
  lastSaved?(): string | null;
}
