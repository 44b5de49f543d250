/**
 * Callbacks: consumers of the events of `train` that `fit` runs beside it. While a callback works, training
 * waits, so what it sees of the model is the state right after the event.
 */
import type { Model, Parameter, Shape } from '@unroll/core';
import type { Checkpoint } from '../checkpoint.js';
import type { TrainEvent } from '../events.js';

/** JSON values. Numbers may also be NaN or infinite: checkpoints keep them. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** Numbers to be kept in a checkpoint. */
export interface SavedTensor {
  shape: Shape;
  values: Float32Array | Float64Array;
}

/** What a callback needs to go on in another process. */
export interface CallbackState {
  json: JsonValue;
  tensors?: Readonly<Record<string, SavedTensor>>;
}

/** What a callback may do to a run. */
export interface RunControl {
  readonly model: Model;
  /** Those of the model, trained or not, and those of its losses. */
  readonly parameters: readonly Parameter[];
  /** Ends the run after this event; the end event's reason is then `stopped`. */
  stop(): void;
  /** A copy of the weights as validation measures them: with `average`, the average. */
  weights(): Promise<Record<string, SavedTensor>>;
  /** Factor on the learning rate that the optimizer's schedule gives. At first 1; checkpoints keep it. */
  learningRateScale: number;
}

export interface Callback {
  /** Key of its state in a checkpoint: constant, and different from that of others in one run. */
  readonly name: string;
  /** Name of the figure that it watches: `fit` refuses one that the run will not have, before it trains. */
  readonly monitors?: string | undefined;
  /** Names of figures that it adds to the events of epochs, for callbacks after it. Absent: none. */
  readonly figures?: readonly string[];
  onEvent(event: TrainEvent, run: RunControl): void | Promise<void>;
  /** Its state, to be kept in a checkpoint. Absent: it has none. */
  state?(): CallbackState;
  /**
   * Goes on from a state of {@link Callback.state}, before the first event. Returns what to warn of, or null.
   */
  restore?(state: CallbackState, run: RunControl): string | null;
  /**
   * Called for each event once every callback has seen it: what `snapshot` gives is then whole. For what
   * writes checkpoints.
   */
  afterEvent?(
    event: TrainEvent,
    run: RunControl,
    snapshot: () => Promise<Checkpoint | null>,
  ): void | Promise<void>;
  /** For an error that ends the run: where the last state is that the callback has kept; null: nowhere. */
  lastKept?(): string | null;
}
