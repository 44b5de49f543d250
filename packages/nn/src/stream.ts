/**
 * Streams: a model run as its data arrive, one step or a chunk at a time, with the states carried in between. What comes
 * out equals what the whole sequence would have given at that point. The state can be saved, restored and forked.
 */
import {
  asTensor,
  concat,
  formatShape,
  reshape,
  type Shape,
  scope,
  shapeError,
  slice,
  type Tensor,
  type TensorLike,
  UnrollError,
} from '@unroll/core';
import { inferenceContext } from '@unroll/core/internal';
import {
  copyMemory,
  emptyMemory,
  type Memory,
  type MemoryJson,
  mapMemory,
  memoryFromJson,
  memoryToJson,
} from './memory.js';
import type { Network } from './network.js';

export interface StreamOptions {
  /** Number of sequences that run side by side. Default 1. */
  batch?: number;
  /** Goes on from a saved state. */
  state?: StreamState;
}

/** A stream's state as JSON. */
export interface StreamState {
  format: 'unroll-stream-1';
  model: string;
  batch: number;
  /** Steps taken so far. */
  steps: number;
  memory: MemoryJson;
}

/** One tensor, or one for each input of the model. */
export type StreamInput = TensorLike | readonly Tensor[];

export class Stream {
  readonly batch: number;
  /** Steps taken so far. */
  steps = 0;
  /** All outputs of the last call, of a model with several. */
  outputs: readonly Tensor[] = [];
  readonly #network: Network;
  /** Which outputs run along time. */
  readonly #along: readonly boolean[];
  readonly #context = inferenceContext();
  #memory: Memory = emptyMemory();

  /** @throws UnrollError `state` naming the first layer that must see the whole sequence */
  constructor(network: Network, { batch, state }: StreamOptions = {}) {
    this.#network = network;
    this.batch = batch ?? state?.batch ?? 1;
    this.#along = network.alongTime(new Array<boolean>(network.inputShapes?.length ?? 1).fill(true));
    if (state) this.restore(state);
  }

  /**
   * One step.
   * @param x [batch, ...] (an array of them for several inputs): what the model takes, without the time axis
   * @returns the output of this step, without the time axis
   */
  step(x: StreamInput): Tensor {
    const values = tensorsOf(x).map((one) => {
      const [batch = -1, ...rest] = one.shape;
      return one.withShape([batch, 1, ...rest]);
    });
    return this.#run(values, null, true);
  }

  /**
   * Several steps at once.
   * @param x [batch, time, ...] (an array of them for several inputs)
   * @param mask [batch, time], 1 where a step counts; a masked step leaves the state as it is. Default: all count
   * @returns the outputs of these steps, [batch, time, ...]; of a model that gives one output for a sequence, the output
   * after the last step
   */
  push(x: StreamInput, mask: Tensor | null = null): Tensor {
    return this.#run(tensorsOf(x), mask, false);
  }

  /** @param single the outputs without the time axis, which has one step */
  #run(values: readonly Tensor[], mask: Tensor | null, single: boolean): Tensor {
    const network = this.#network;
    const shapes = values.map((value) => this.#checked(value));
    network.build(shapes);
    network.outputShapes(shapes);
    const memory = copyMemory(this.#memory);
    this.outputs = scope(() => {
      const flows = values.map((value) => ({ value, mask }));
      return network.advance(flows, memory, this.#context).map(({ value }, i) => {
        if (!single || !this.#along[i]) return value;
        return reshape(value, [this.batch, ...value.shape.slice(2)]);
      });
    });
    this.#memory = memory;
    this.steps += values[0].shape[1];
    return this.outputs[0];
  }

  /** A stream that goes on from here on its own. */
  fork(): Stream {
    const other = new Stream(this.#network, { batch: this.batch });
    other.#memory = copyMemory(this.#memory);
    other.steps = this.steps;
    return other;
  }

  /** A stream of the chosen sequences, in that order: rows may be left out and repeated. */
  select(rows: readonly number[]): Stream {
    const other = new Stream(this.#network, { batch: rows.length });
    other.#memory = mapMemory(this.#memory, (tensor) => pickRows(tensor, rows));
    other.steps = this.steps;
    return other;
  }

  /** Back to the start. */
  reset(): void {
    this.#memory = emptyMemory();
    this.steps = 0;
  }

  /** The state as JSON, for {@link restore} or `stream({ state })`, also in another process. */
  async save(): Promise<StreamState> {
    const { batch, steps } = this;
    const memory = await memoryToJson(this.#memory);
    return { format: 'unroll-stream-1', model: this.#network.name, batch, steps, memory };
  }

  /** @throws UnrollError `format` for what `save` did not make, `state` for another batch */
  restore(state: StreamState): void {
    if (state.format !== 'unroll-stream-1') {
      throw new UnrollError('format', `This is not the state of a stream (format ${String(state.format)}).`);
    }
    if (state.batch !== this.batch) {
      throw new UnrollError(
        'state',
        `The saved state is of ${state.batch} sequences, this stream runs ${this.batch}. Use stream({ state }).`,
        { saved: state.batch, batch: this.batch },
      );
    }
    this.#memory = memoryFromJson(state.memory);
    this.steps = state.steps;
  }

  #checked({ shape }: Tensor): Shape {
    if (shape.length >= 2 && shape[0] === this.batch && shape[1] > 0)
      return [shape[0], -1, ...shape.slice(2)];
    throw shapeError(
      `The stream of ${this.#network.label} runs ${this.batch} sequences: push() takes [${this.batch}, time, ...] and ` +
        `step() takes [${this.batch}, ...], got ${formatShape(shape)} with a time axis.`,
      { batch: this.batch, got: shape },
    );
  }
}

function tensorsOf(x: StreamInput): readonly Tensor[] {
  const several = Array.isArray(x) && x.length > 0 && typeof x[0] === 'object' && 'shape' in x[0];
  return several ? (x as unknown as readonly Tensor[]) : [asTensor(x as TensorLike)];
}

function pickRows(tensor: Tensor, rows: readonly number[]): Tensor {
  return scope(() =>
    concat(
      rows.map((row) => slice(tensor, 0, row, row + 1)),
      0,
    ),
  );
}
