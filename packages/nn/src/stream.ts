/**
 * Streams: run a model as its data arrive, one step or one chunk at a time, carrying the states in between. The
 * outputs equal those of a run over the whole sequence. The state can be saved, restored and forked.
 *
 * Inputs without a time axis (initial states, the memory that a cell with constants reads) are given by name when the
 * stream is created, `model.stream({ inputs: { memory } })`; values that depend only on them are computed once. The
 * other inputs are pushed, in the model's order. `initialState` sets the initial states of recurrent layers. Both are
 * part of the stream's state: they are saved, restored, forked and selected with it.
 */
import {
  asTensor,
  concat,
  formatShape,
  type MaskedSequence,
  reshape,
  scope,
  shapeError,
  slice,
  type Tensor,
  type TensorLike,
  UnrollError,
  valueError,
  zeros,
} from '@unroll/core';
import { checkCount, inferenceContext } from '@unroll/core/internal';
import {
  copyMemory,
  emptyMemory,
  type Memory,
  type MemoryJson,
  mapMemory,
  mapValues,
  memoryFromJson,
  memoryToJson,
} from './memory.js';
import type { Network } from './network.js';

export interface StreamOptions {
  /** Number of sequences processed in parallel. Default 1. */
  batch?: number;
  /** A saved state to restore, including `inputs` and initial states. */
  state?: StreamState;
  /**
   * Initial states of recurrent layers, [batch, size] each, by layer name (`decoder/lstm` for a layer in a nested
   * model) and state name: `{ lstm: { h, c } }`. Default: the same as without a stream.
   */
  initialState?: Readonly<Record<string, Readonly<Record<string, TensorLike>>>>;
  /** The inputs of the model without a time axis, by name: values [batch, ...], or values with their masks. */
  inputs?: Readonly<Record<string, TensorLike | MaskedSequence>>;
}

/** A stream's state as JSON. */
export interface StreamState {
  format: 'unroll-stream-1';
  model: string;
  batch: number;
  /** Number of steps processed. */
  steps: number;
  memory: MemoryJson;
  /**
   * The initial states given to the stream, which reset() restores. Absent in states saved by earlier versions: none.
   */
  initialState?: MemoryJson;
}

/** One tensor, or one for each input of the model. */
export type StreamInput = TensorLike | readonly Tensor[];

export class Stream {
  readonly batch: number;
  /** Number of steps processed. */
  steps = 0;
  /** All outputs of the last call, for a model with several. */
  outputs: readonly Tensor[] = [];
  readonly #network: Network;
  readonly #names: readonly string[];
  /** For each output: true if it has a time axis. */
  readonly #along: readonly boolean[];
  readonly #context = inferenceContext();
  /** The initial memory: given inputs by name, and initial states. */
  #start: Memory;
  #memory = emptyMemory();

  /**
   * @param given inputs without a time axis, in the form of the memory
   * @throws UnrollError `state` for the first layer that needs the whole sequence, or for a state that does not fit
   * the model
   */
  constructor(
    network: Network,
    { batch, state, initialState = {}, inputs }: StreamOptions = {},
    given: Record<string, Tensor> = {},
  ) {
    this.#network = network;
    if (inputs) throw valueError(`${network.label} has no inputs other than those of push(). Remove inputs.`);
    this.batch = batch ?? state?.batch ?? 1;
    checkCount('batch', this.batch);
    this.#names = network.inputNames ?? [''];
    this.#along = network.streaming(this.#names.map((name) => (name in given ? null : true)));
    this.#start = { tensors: given, parts: {} };
    for (const path in initialState) {
      let memory = this.#start;
      for (const name of path.split('/')) memory = memory.parts[name] ??= emptyMemory();
      memory.tensors = mapValues(initialState[path], asTensor);
    }
    this.#check(this.#start, true, 'initialState');
    this.reset();
    if (state) this.restore(state);
  }

  /**
   * Processes one step.
   * @param x [batch, ...] (an array of them for several inputs): the model's inputs without the time axis
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
   * Processes several steps.
   * @param x [batch, time, ...] (an array of them for several inputs)
   * @param mask [batch, time], 1 for valid steps; a masked step does not change the state. Default: all are valid
   * @returns the outputs of these steps, [batch, time, ...]; for a model with one output per sequence, the output
   * after the last step
   */
  push(x: StreamInput, mask: Tensor | null = null): Tensor {
    return this.#run(tensorsOf(x), mask, false);
  }

  /** @param single return the outputs without their time axis of size 1 */
  #run(values: readonly Tensor[], mask: Tensor | null, single: boolean): Tensor {
    const network = this.#network;
    const memory = copyMemory(this.#memory);
    const sequences = network.streamInputs(
      values.map((value) => this.#checked(value, mask)),
      memory.tensors,
    );
    const shapes = sequences.map(({ value: { shape }, fixed }) =>
      fixed ? shape : [shape[0], -1, ...shape.slice(2)],
    );
    network.build(shapes);
    network.outputShapes(shapes);
    this.outputs = scope(() => {
      return network.streamStep(sequences, memory, this.#context).map(({ value }, i) => {
        if (!single || !this.#along[i]) return value;
        return reshape(value, [this.batch, ...value.shape.slice(2)]);
      });
    });
    this.#memory = memory;
    this.steps += values[0].shape[1];
    return this.outputs[0];
  }

  /** A copy that continues independently from the current state. */
  fork(): Stream {
    return this.#copy(this.batch, (tensor) => tensor);
  }

  /** A stream of the selected sequences, in that order. Rows may be omitted and repeated. */
  select(rows: readonly number[]): Stream {
    return this.#copy(rows.length, (tensor) => pickRows(tensor, rows));
  }

  #copy(batch: number, map: (tensor: Tensor) => Tensor): Stream {
    const start = mapMemory(this.#start, map);
    const other = new Stream(this.#network, { batch }, start.tensors);
    other.#start = start;
    other.#memory = mapMemory(this.#memory, map);
    other.steps = this.steps;
    return other;
  }

  /** Resets the stream to its initial inputs and states. */
  reset(): void {
    this.#memory = copyMemory(this.#start);
    this.steps = 0;
  }

  /** The state as JSON, for {@link restore} or `stream({ state })`, also in another process. */
  async save(): Promise<StreamState> {
    const { batch, steps } = this;
    const memory = await memoryToJson(this.#memory);
    const initialState = await memoryToJson({ ...this.#start, tensors: {} });
    return { format: 'unroll-stream-1', model: this.#network.name, batch, steps, memory, initialState };
  }

  /**
   * @throws UnrollError `format` for anything other than a saved state, `state` for a state of another batch size or
   * another model
   */
  restore(state: StreamState): void {
    if (state.format !== 'unroll-stream-1') {
      throw new UnrollError('format', `This is not the state of a stream (format ${String(state.format)}).`);
    }
    if (state.batch !== this.batch) {
      throw new UnrollError(
        'state',
        `The saved state has ${state.batch} sequences, but this stream has ${this.batch}. Use stream({ state }).`,
        { saved: state.batch, batch: this.batch },
      );
    }
    const memory = memoryFromJson(state.memory);
    this.#check(memory, state.steps === 0, 'The saved state');
    const { parts } = state.initialState ? memoryFromJson(state.initialState) : this.#start;
    this.#start = { parts, tensors: memory.tensors };
    this.#memory = memory;
    this.steps = state.steps;
  }

  #checked(value: Tensor, mask: Tensor | null): MaskedSequence {
    const { label } = this.#network;
    const { shape } = value;
    if (shape.length < 2 || shape[0] !== this.batch || shape[1] === 0) {
      throw shapeError(
        `The stream of ${label} has ${this.batch} sequences: push() takes [${this.batch}, time, ...] and ` +
          `step() takes [${this.batch}, ...], got ${formatShape(shape)} with a time axis.`,
        { batch: this.batch, got: shape },
      );
    }
    if (!mask) return { value, mask };
    const want = formatShape(shape.slice(0, 2));
    if (formatShape(mask.shape) === want) return { value, mask };
    throw shapeError(`The stream of ${label}: push() takes a mask ${want}, got ${formatShape(mask.shape)}.`, {
      ...{ expected: want, got: mask.shape },
    });
  }

  /**
   * @param partial layers may be missing; they start with their default states
   * @throws UnrollError `state` for the first difference from the memory of the model
   */
  #check(memory: Memory, partial: boolean, what: string): void {
    const empty = Object.keys(memory.parts).length === 0;
    const parts = empty ? {} : this.#example(memory.tensors).parts;
    const [mine, other] = [contents({ ...this.#start, parts }), contents(memory)];
    const owner = (line: string): string => line.slice(0, line.lastIndexOf('/'));
    const begins = (line: string): boolean =>
      partial && line.includes('/') && other.every((one) => owner(one) !== owner(line));
    const want = mine.find((line) => !other.includes(line) && !begins(line));
    const got = other.find((line) => !mine.includes(line));
    if (want === got) return;
    throw new UnrollError(
      'state',
      `${what} does not fit ${this.#network.label}: expected ${want ?? 'nothing'}, got ${got ?? 'nothing'}.`,
      { expected: want, got },
    );
  }

  /** The memory of the model after a step of zeros. */
  #example(given: Record<string, Tensor>): Memory {
    const network = this.#network;
    network.build();
    const memory = { tensors: given, parts: {} };
    const pushed = network.inputShapes?.filter((_, i) => !(this.#names[i] in given)) ?? [];
    scope(() => {
      const sequences = pushed.map(([, , ...rest]) => ({
        value: zeros([this.batch, 1, ...rest.map((extent) => Math.max(extent, 1))]),
        mask: null,
      }));
      network.streamStep(network.streamInputs(sequences, given), memory, this.#context);
    });
    return memory;
  }
}

/** Names and shapes of all tensors, `lstm/h [2, 4]`; for given inputs only the names. */
function contents({ tensors, parts }: Memory, path = ''): string[] {
  return [
    ...Object.keys(tensors).map((name) => path + name + (path && ` ${formatShape(tensors[name].shape)}`)),
    ...Object.keys(parts).flatMap((name) => contents(parts[name], `${path}${name}/`)),
  ];
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
