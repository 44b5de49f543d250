/**
 * Streams run a model while its data arrive, one step or one chunk at a time, and keep the states between calls. The
 * outputs equal those of a run over the whole sequence. The state can be saved, restored and forked.
 *
 * Fixed inputs stay the same during the whole stream, such as the encoder outputs that a decoder attends to. They are given
 * by name when the stream is created, `model.stream({ inputs: { memory } })`; values that depend only on them are computed
 * once. All other inputs are passed to `push` or `step`, in the model's order. `initialState` sets the initial states of
 * recurrent layers. Fixed inputs and initial states are part of the stream's state: they are saved, restored and forked
 * with it.
 */
import {
  asTensor,
  formatShape,
  gather,
  type MaskedSequence,
  reshape,
  scope,
  shapeError,
  type Tensor,
  type TensorLike,
  UnrollError,
  valueError,
  zeros,
} from '@unroll/core';
import { checkPositiveInteger, inferenceContext } from '@unroll/core/internal';
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
  /** A saved state to restore, which includes the fixed inputs and the initial states. */
  state?: StreamState;
  /**
   * Initial states of recurrent layers, [batch, size] each, by layer name (`decoder/lstm` for a layer in a nested
   * model) and state name: `{ lstm: { h, c } }`. Default: the initial states of the cells, normally zeros.
   */
  initialState?: Readonly<Record<string, Readonly<Record<string, TensorLike>>>>;
  /** The fixed inputs by name: values [batch, ...], or values with their masks. Default: none. */
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
   * The initial states given to the stream, which reset() restores. Missing in files of earlier versions.
   */
  initialState?: MemoryJson;
}

/** A tensor, or an array with a tensor for each input that is not fixed. */
export type StreamInput = TensorLike | readonly Tensor[];

export class Stream {
  readonly batch: number;
  /** Number of steps processed. */
  steps = 0;
  /** All outputs of the last call, for models with several outputs. */
  outputs: readonly Tensor[] = [];
  /** The model. */
  readonly network: Network;
  readonly #names: readonly string[];
  /** For each output, whether it has a time axis. */
  readonly #isStreamed: readonly boolean[];
  readonly #context = inferenceContext();
  /** The fixed inputs by name, and the initial states. */
  #initialMemory: Memory;
  #memory = emptyMemory();

  /**
   * @param fixed the fixed inputs, as named tensors of the memory
   * @throws UnrollError `state` for the first layer that needs the whole sequence, or for a state that does not fit
   * the model
   */
  constructor(
    network: Network,
    { batch, state, initialState = {}, inputs }: StreamOptions = {},
    fixed: Record<string, Tensor> = {},
  ) {
    this.network = network;
    if (inputs)
      throw valueError(`${network.label} has one input, which push() takes. Remove the option inputs.`);
    this.batch = batch ?? state?.batch ?? 1;
    checkPositiveInteger('batch', this.batch);
    this.#names = network.inputNames ?? [''];
    this.#isStreamed = network.streaming(this.#names.map((name) => (name in fixed ? null : true)));
    this.#initialMemory = { tensors: fixed, parts: {} };
    for (const path in initialState) {
      let memory = this.#initialMemory;
      for (const name of path.split('/')) memory = memory.parts[name] ??= emptyMemory();
      memory.tensors = mapValues(initialState[path], asTensor);
    }
    this.#checkMemory(this.#initialMemory, true, 'initialState');
    this.reset();
    if (state) this.restore(state);
  }

  /**
   * Processes one step.
   * @param x the input of this step without the time axis, [batch, ...]; an array of tensors for several inputs
   * @returns the output of this step, without the time axis
   */
  step(x: StreamInput): Tensor {
    return this.map(x, null, true, (outputs) => outputs)[0];
  }

  /**
   * Processes several steps.
   * @param x the inputs [batch, time, ...]; an array of tensors for several inputs
   * @param mask [batch, time], 1 for valid steps; a masked step does not change the state. Default: all steps are valid
   * @returns the outputs of these steps, [batch, time, ...]; for a model with one output per sequence, the output
   * after the last step
   */
  push(x: StreamInput, mask: Tensor | null = null): Tensor {
    return this.map(x, mask, false, (outputs) => outputs)[0];
  }

  /**
   * @internal Like {@link step} and {@link push}, but returns only what `work` computes from the outputs, which saves copying
   * large outputs that are not needed.
   * @param isStep true: x is one step, without the time axis
   */
  map(
    x: StreamInput,
    mask: Tensor | null,
    isStep: boolean,
    work: (outputs: readonly Tensor[]) => readonly Tensor[],
  ): readonly Tensor[] {
    const network = this.network;
    const values = tensorsOf(x).map((value) =>
      isStep ? value.withShape([value.shape[0] ?? -1, 1, ...value.shape.slice(1)]) : value,
    );
    const memory = copyMemory(this.#memory);
    const sequences = network.streamInputs(
      values.map((value) => this.#maskedSequence(value, mask)),
      memory.tensors,
    );
    const shapes = sequences.map(({ value: { shape }, fixed }) =>
      fixed ? shape : [shape[0], -1, ...shape.slice(2)],
    );
    network.build(shapes);
    network.outputShapes(shapes);
    this.outputs = scope(() =>
      work(
        network
          .streamStep(sequences, memory, this.#context)
          .map(({ value }, i) =>
            isStep && this.#isStreamed[i] ? reshape(value, [this.batch, ...value.shape.slice(2)]) : value,
          ),
      ),
    );
    this.#memory = memory;
    this.steps += values[0].shape[1];
    return this.outputs;
  }

  /** Returns a copy of the stream that continues independently. */
  fork(): Stream {
    return this.#copy(this.batch, (tensor) => tensor);
  }

  /** Returns a copy with the sequences of these rows, in this order. Rows may be omitted or repeated (beam search). */
  select(rows: readonly number[]): Stream {
    return this.#copy(rows.length, (tensor) => selectRows(tensor, rows));
  }

  #copy(batch: number, map: (tensor: Tensor) => Tensor): Stream {
    const initialMemory = mapMemory(this.#initialMemory, map);
    const copy = new Stream(this.network, { batch }, initialMemory.tensors);
    copy.#initialMemory = initialMemory;
    copy.#memory = mapMemory(this.#memory, map);
    copy.steps = this.steps;
    return copy;
  }

  /** Resets the stream to its initial states. The fixed inputs stay the same. */
  reset(): void {
    this.#memory = copyMemory(this.#initialMemory);
    this.steps = 0;
  }

  /** Returns the state as JSON, for {@link restore} or `stream({ state })`, also in another process. */
  async save(): Promise<StreamState> {
    const { batch, steps } = this;
    const memory = await memoryToJson(this.#memory);
    const initialState = await memoryToJson({ ...this.#initialMemory, tensors: {} });
    return { format: 'unroll-stream-1', model: this.network.name, batch, steps, memory, initialState };
  }

  /**
   * Restores a saved state.
   * @throws UnrollError `format` for anything other than a saved state, `state` for a state with another batch size or
   * of another model
   */
  restore(state: StreamState): void {
    if (state.format !== 'unroll-stream-1') {
      throw new UnrollError(
        'format',
        `The stream state must have the format "unroll-stream-1", got ${String(state.format)}.`,
      );
    }
    if (state.batch !== this.batch) {
      throw new UnrollError(
        'state',
        `The saved state has ${state.batch} sequences, but this stream has ${this.batch}. Use stream({ state }).`,
        { saved: state.batch, batch: this.batch },
      );
    }
    const memory = memoryFromJson(state.memory);
    this.#checkMemory(memory, state.steps === 0, 'The saved state');
    const { parts } = state.initialState ? memoryFromJson(state.initialState) : this.#initialMemory;
    this.#initialMemory = { parts, tensors: memory.tensors };
    this.#memory = memory;
    this.steps = state.steps;
  }

  /** Combines an input and its mask. @throws UnrollError `shape` if they do not fit the stream */
  #maskedSequence(value: Tensor, mask: Tensor | null): MaskedSequence {
    const { label } = this.network;
    const { shape } = value;
    if (shape.length < 2 || shape[0] !== this.batch || shape[1] === 0) {
      throw shapeError(
        `The stream of ${label} has ${this.batch} sequences: push() takes [${this.batch}, time, ...] and ` +
          `step() takes [${this.batch}, ...], got ${formatShape(shape)} (with time axis).`,
        { batch: this.batch, got: shape },
      );
    }
    if (!mask) return { value, mask };
    const expected = formatShape(shape.slice(0, 2));
    if (formatShape(mask.shape) === expected) return { value, mask };
    throw shapeError(
      `The stream of ${label}: push() takes a mask ${expected}, got ${formatShape(mask.shape)}.`,
      { expected, got: mask.shape },
    );
  }

  /**
   * Compares the names and shapes in a memory with those that the model uses.
   * @param partial if true, layers may be missing from `memory`; they start with their default states
   * @throws UnrollError `state` for the first difference
   */
  #checkMemory(memory: Memory, partial: boolean, label: string): void {
    const isEmpty = Object.keys(memory.parts).length === 0;
    const parts = isEmpty ? {} : this.#exampleMemory(memory.tensors).parts;
    const expectedEntries = listTensors({ ...this.#initialMemory, parts });
    const entries = listTensors(memory);
    const layerOf = (entry: string): string => entry.slice(0, entry.lastIndexOf('/'));
    const isOptional = (entry: string): boolean =>
      partial && entry.includes('/') && entries.every((other) => layerOf(other) !== layerOf(entry));
    const expected = expectedEntries.find((entry) => !entries.includes(entry) && !isOptional(entry));
    const got = entries.find((entry) => !expectedEntries.includes(entry));
    if (expected === got) return;
    throw new UnrollError(
      'state',
      `${label} does not fit ${this.network.label}: expected ${expected ?? 'nothing'}, got ${got ?? 'nothing'}.`,
      { expected, got },
    );
  }

  /** Returns the memory of the model after one step with zeros as inputs. */
  #exampleMemory(fixed: Record<string, Tensor>): Memory {
    const network = this.network;
    network.build();
    const memory = { tensors: fixed, parts: {} };
    const pushed = network.inputShapes?.filter((_, i) => !(this.#names[i] in fixed)) ?? [];
    scope(() => {
      const sequences = pushed.map(([, , ...rest]) => ({
        value: zeros([this.batch, 1, ...rest.map((extent) => Math.max(extent, 1))]),
        mask: null,
      }));
      network.streamStep(network.streamInputs(sequences, fixed), memory, this.#context);
    });
    return memory;
  }
}

/** Lists the names and shapes of all tensors (`lstm/h [2, 4]`); for fixed inputs only the names. */
function listTensors({ tensors, parts }: Memory, path = ''): string[] {
  return [
    ...Object.keys(tensors).map((name) => path + name + (path && ` ${formatShape(tensors[name].shape)}`)),
    ...Object.keys(parts).flatMap((name) => listTensors(parts[name], `${path}${name}/`)),
  ];
}

/** Converts the input of `push` or `step` to a list of tensors. */
function tensorsOf(x: StreamInput): readonly Tensor[] {
  const isList = Array.isArray(x) && x.length > 0 && typeof x[0] === 'object' && 'shape' in x[0];
  return isList ? (x as unknown as readonly Tensor[]) : [asTensor(x as TensorLike)];
}

/** For each result of {@link selectRows}, the tensor and the rows from which it was selected. */
const selections = new WeakMap<Tensor, readonly [source: Tensor, rows?: readonly number[]]>();

/**
 * Returns rows of a tensor. If `tensor` is itself a selection from a source tensor, and the result would contain the same
 * source rows in the same order, returns `tensor` instead of a copy: in beam search, hypotheses of a sequence swap rows, but
 * their encoder outputs stay the same.
 */
function selectRows(tensor: Tensor, rows: readonly number[]): Tensor {
  const [source, sourceRows] = selections.get(tensor) ?? [tensor];
  const origins = rows.map((row) => (sourceRows ? sourceRows[row] : row));
  if (`${origins}` === `${sourceRows}`) return tensor;
  const [batch, ...rest] = source.shape;
  const selected = scope(() =>
    reshape(gather(reshape(source, [batch, source.size / batch]), origins), [origins.length, ...rest]),
  );
  selections.set(selected, [source, origins]);
  return selected;
}
