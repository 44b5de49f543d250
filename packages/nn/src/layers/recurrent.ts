/**
 * `Recurrent`: the layer that runs a cell over a sequence. The cell computes one step; the layer implements masks,
 * dropout, direction, initial states, states carried from one call to the next, and streams. `lstm`, `gru`, `simpleRNN` and
 * custom cells use it.
 */
import {
  add,
  type ForwardContext,
  type MaskedSequence,
  mul,
  reshape,
  reverse as reversed,
  type Shape,
  slice,
  sub,
  type Tensor,
  valueError,
} from '@unroll/core';
import { checkOptions, formatValue, sizeOf } from '@unroll/core/internal';
import {
  type Cell,
  type CellState,
  type NamedTensors,
  type SequenceContext,
  type SequenceResult,
  zeroState,
} from '../cells/cell.js';
import { checkRate } from '../cells/matrix-cell.js';
import { runCell, runSteps } from '../cells/run.js';
import { Layer, type LayerConfig, type LayerOptions } from '../layer.js';
import { startedMask } from '../masks.js';
import { detach, type Memory } from '../memory.js';
import { recurrentOptions } from '../option-names.js';
import { optionalFunctions } from '../optional-functions.js';
import { runPacked } from '../packing.js';
import type { BuildTools } from '../registry.js';

/** Options of every recurrent layer, in addition to those of its cell. Defaults as in Keras 3. */
export interface RecurrentOptions extends LayerOptions {
  /**
   * Return the output of every step, [B, T, H], instead of the last one, [B, H]; the mask is then passed to the next
   * layer. Default false.
   */
  returnSequences?: boolean;
  /** Return the final states as additional outputs, [B, H] each: h, then c for an LSTM. Default false. */
  returnState?: boolean;
  /** Process the sequence from its end; outputs and their mask are in processing order. Default false. */
  goBackwards?: boolean;
  /** Start each call with the final states of the previous one, until `resetStates()`. Default false. */
  stateful?: boolean;
  /** Output 0 at masked steps instead of the last valid output. Default false. */
  zeroOutputForMask?: boolean;
  /** Dropout rate of the inputs, with the same mask at every step. Default: the rate of the cell, or 0. */
  dropout?: number;
  /**
   * Dropout rate of the previous state h in the recurrent products, with the same mask at every step and gate. Default: the
   * rate of the cell, or 0.
   */
  recurrentDropout?: number;
  /** Seed of the dropout masks. Default: they are drawn from the random stream of the training run. */
  seed?: number;
}

/** The layer that uses each cell. */
const owners = new WeakMap<Cell, Recurrent>();

export class Recurrent extends Layer<RecurrentOptions> {
  static override readonly className: string = 'RNN';
  declare readonly options: Readonly<RecurrentOptions>;
  readonly cell: Cell;
  /** Names of the constants that the cell reads. They are the last inputs, in this order. */
  override readonly constants: readonly string[];
  /** @internal Run step by step, even if the cell has a fused kernel. Tests compare the results. */
  stepwise = false;
  /** The class name (`LSTM`, `RNN`, ...); undefined while the base class is being constructed. */
  protected readonly ownClassName: string | undefined;
  #inputWidth: number | null = null;
  #constantWidths: readonly number[] = [];
  #carried: CellState | null = null;

  constructor(cell: Cell, options: RecurrentOptions = {}, className: string = Recurrent.className) {
    super(options);
    this.cell = cell;
    this.constants = cell.constants ?? [];
    this.ownClassName = className;
    checkRate(this.label, 'dropout', options.dropout);
    checkRate(this.label, 'recurrentDropout', options.recurrentDropout);
    if (cell.cells && options.recurrentDropout) {
      throw valueError(`${this.label}: set recurrentDropout on the inner cells, not on the layer.`);
    }
  }

  /** Creates a layer and its cell from the options of both: `LSTM` with an LSTMCell. */
  static over<O extends RecurrentOptions>(
    cellClass: { readonly className: string; new (options: O): Cell },
    options: O,
  ): Recurrent {
    return new Recurrent(new cellClass(options), options, cellClass.className.replace(/Cell$/, ''));
  }

  static fromConfig({ cell, ...options }: Record<string, unknown>, build: BuildTools): Recurrent {
    return new Recurrent(build.cell(cell), options);
  }

  override get className(): string {
    return this.ownClassName ?? Recurrent.className;
  }

  get returnSequences(): boolean {
    return this.options.returnSequences ?? false;
  }
  get returnState(): boolean {
    return this.options.returnState ?? false;
  }
  get goBackwards(): boolean {
    return this.options.goBackwards ?? false;
  }
  get stateful(): boolean {
    return this.options.stateful ?? false;
  }

  outputShapes(inputs: readonly Shape[]): Shape[] {
    const { x, states, constants } = this.#splitInputs(inputs);
    if (x.length < 3) {
      throw this.shapeError(
        x,
        'a sequence [batch, time, features]',
        x.length === 2
          ? 'Set returnSequences: true on the recurrent layer before it, or add a feature axis to the data.'
          : '',
      );
    }
    if (x[1] === 0) throw this.shapeError(x, 'sequences of at least one time step');
    const width = this.#inputWidth;
    if (width !== null && x[2] !== width) throw this.shapeError(x, `[batch, time, ${width}]`);
    if (inputs.length > 1 || this.constants.length > 0)
      this.#checkStatesAndConstants(x[0], states, constants);
    const y = this.returnSequences ? [x[0], x[1], this.cell.units] : [x[0], this.cell.units];
    const extra = this.cell.extraShapes?.(x, byName(this.constants, constants)) ?? [];
    if (!this.returnState) return [y, ...extra];
    return [y, ...Object.values(this.cell.stateSizes).map((size) => [x[0], size]), ...extra];
  }

  protected override makeParameters(inputs: readonly Shape[]): void {
    const { x, constants } = this.#splitInputs(inputs);
    const width = sizeOf(x.slice(2));
    if (width < 1)
      throw this.shapeError(x, 'a sequence [batch, time, features] with a known number of features');
    this.#inputWidth = x.length === 3 ? x[2] : null;
    this.#claim(this.cell);
    this.#constantWidths = constants.map((shape) => shape[shape.length - 1]);
    const shapes = byName(this.constants, constants);
    this.cell.build(width, (...parameter) => this.addParameter(...parameter), shapes);
  }

  call(inputs: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    return this.invokeAligned(inputs, context, false);
  }

  /** Like {@link call}. With `timeOrder`, the outputs of a backward layer are in time order. */
  invokeAligned(
    inputs: readonly MaskedSequence[],
    context: ForwardContext,
    timeOrder: boolean,
  ): MaskedSequence[] {
    const { x: input, states, constants } = this.#splitInputs(inputs);
    const { value: x, mask } = input;
    const state = this.#initialState(states) ?? this.#carriedFor(x.shape[0]);
    const sequenceContext = this.#context(mask, timeOrder, constants);
    const result = this.run(this.#drop(x, sequenceContext, context), state, sequenceContext);
    if (this.stateful) this.#carried = detach(result.state);
    const outMask =
      this.returnSequences && mask ? (this.goBackwards && !timeOrder ? reversed(mask, 1) : mask) : null;
    return this.#outputs(result, outMask);
  }

  /** In training, draws the dropout masks: returns x with the input mask applied, and adds the others to `sequenceContext`. */
  #drop(x: Tensor, sequenceContext: SequenceContext, context: ForwardContext): Tensor {
    if (!context.training) return x;
    const [B, , ...step] = x.shape;
    const { inputMask, ...masks } = optionalFunctions(this.label).drawMasks(
      this.cell,
      this.options,
      B,
      sizeOf(step),
      context,
    );
    Object.assign(sequenceContext, masks);
    return inputMask ? mul(x, reshape(inputMask, [B, 1, ...step])) : x;
  }

  /**
   * Computes the outputs and the final state for x [B, T, I]. `state` null: the initial state of the cell. To record a
   * forward pass, @unroll/insight replaces this method on a layer.
   */
  run(x: Tensor, state: CellState | null, context: SequenceContext): SequenceResult {
    const run = this.stepwise ? runSteps : runCell;
    const { mask } = context;
    if (mask === null) return run(this.cell, x, state, context);
    return runPacked({
      ...{ x, state, context, mask, parameterCount: () => this.countParams() },
      canSplit: !this.cell.extraOutputs?.length,
      run: (...call) => run(this.cell, ...call),
      initialState: () => zeroState(this.cell, x.shape[0], context.constants),
    });
  }

  override streaming([x, ...statesAndConstants]: readonly (boolean | null)[]): boolean[] {
    if (this.goBackwards) throw this.nonCausal('runs backwards, from the end of a sequence');
    if (statesAndConstants.some((isStreamed) => isStreamed !== null)) {
      throw this.nonCausal('takes states or constants from another layer; stream each layer separately');
    }
    if (!x) throw this.nonCausal('computes a whole sequence from one vector');
    return [
      this.returnSequences,
      ...(this.returnState ? Object.keys(this.cell.stateSizes).map(() => false) : []),
      ...(this.cell.extraOutputs ?? []).map(() => true),
    ];
  }

  override streamStep(
    inputs: readonly MaskedSequence[],
    memory: Memory,
    context: ForwardContext,
  ): MaskedSequence[] {
    this.outputShapes(inputs.map(({ value }) => value.shape));
    const { x, states, constants } = this.#splitInputs(inputs);
    const { value, mask } = x;
    const { tensors, parts } = memory;
    const previousY = parts.output?.tensors.y ?? null;
    const state = Object.keys(tensors).length > 0 ? tensors : this.#initialState(states);
    const sequenceContext = this.#context(mask, false, constants, parts.prepared?.tensors);
    const result = this.run(this.#drop(value, sequenceContext, context), state, sequenceContext);
    const y =
      mask && previousY && !sequenceContext.zeroOutputForMask
        ? continueOutputs(result.y, mask, previousY)
        : result.y;
    const lastOutput = this.returnSequences ? lastStep(y) : y;
    memory.tensors = detach(result.state);
    parts.output = { tensors: detach({ y: lastOutput }), parts: {} };
    if (constants.length > 0) parts.prepared ??= { tensors: detach(sequenceContext.prepared), parts: {} };
    result.y = y;
    return this.#outputs(result, this.returnSequences ? mask : null);
  }

  override resetStates(): void {
    this.#carried = null;
  }

  override get carriedStates(): Memory {
    return { tensors: { ...this.#carried }, parts: {} };
  }
  override set carriedStates({ tensors }: Memory) {
    this.#carried = Object.keys(tensors).length > 0 ? { ...tensors } : null;
  }

  override get config(): LayerConfig {
    const { className, config } = super.config;
    if (className !== Recurrent.className) return { className, config };
    const { cell } = this;
    return { className, config: { ...config, cell: { className: cell.className, config: cell.config } } };
  }

  /** Records that this layer uses the cell. @throws UnrollError `value` if another layer does: both would set its parameters */
  #claim(cell: Cell): void {
    const owner = owners.get(cell) ?? this;
    if (owner !== this) {
      throw this.error(
        'value',
        `its ${cell.className} is already used by ${owner.label}. Give each layer its own cell.`,
      );
    }
    owners.set(cell, this);
    for (const inner of cell.cells ?? []) this.#claim(inner);
  }

  /** Splits the inputs into the sequence, initial states and constants. */
  #splitInputs<T>(inputs: readonly T[]): { x: T; states: T[]; constants: T[] } {
    const end = Math.max(1, inputs.length - this.constants.length);
    return { x: inputs[0], states: inputs.slice(1, end), constants: inputs.slice(end) };
  }

  /** Creates the context of a sequence, without dropout masks. All fields are written out, because object spread is slow. */
  #context(
    mask: Tensor | null,
    timeOrder: boolean,
    constantInputs: readonly MaskedSequence[],
    prepared?: NamedTensors,
  ): SequenceContext {
    const constants = byName(this.constants, constantInputs);
    return {
      returnSequences: this.returnSequences,
      reverse: this.goBackwards,
      timeOrder,
      zeroOutputForMask: this.options.zeroOutputForMask ?? false,
      mask,
      recurrentDropoutMask: null,
      constants,
      prepared: prepared ?? this.cell.prepare?.(constants) ?? {},
    };
  }

  #outputs({ y, state, extra }: SequenceResult, mask: Tensor | null): MaskedSequence[] {
    const outputs: MaskedSequence[] = [{ value: y, mask }];
    if (this.returnState)
      for (const name in this.cell.stateSizes) outputs.push({ value: state[name], mask: null });
    for (const name in extra) outputs.push({ value: extra[name], mask: null });
    return outputs;
  }

  /** Returns the initial states given as inputs, by name, and the cell's own for the others; null if none are given. */
  #initialState(states: readonly MaskedSequence[]): CellState | null {
    if (states.length === 0) return null;
    const { cell } = this;
    const values = states.map(({ value }) => value);
    const names = cell.initialStates ?? Object.keys(cell.stateSizes);
    const givenStates = byName(names, values);
    return cell.initialStates ? { ...zeroState(cell, values[0].shape[0], {}), ...givenStates } : givenStates;
  }

  /** Returns the states of the previous call of a stateful layer; null if there are none. */
  #carriedFor(batch: number): CellState | null {
    if (!this.stateful || this.#carried === null) return null;
    const size = Object.values(this.#carried)[0].shape[0];
    if (size === batch) return this.#carried;
    throw this.error(
      'shape',
      `has the states of ${size} sequences, got a batch of ${batch}. ` +
        'Use a constant batchSize that divides the number of examples, or call resetStates().',
      { carried: size, got: batch },
    );
  }

  #checkStatesAndConstants(batch: number, states: readonly Shape[], constants: readonly Shape[]): void {
    const { stateSizes, initialStates = Object.keys(stateSizes) } = this.cell;
    const sizes = initialStates.map((name) => [name, stateSizes[name]] as const);
    const names = this.constants;
    if ((states.length > 0 && states.length !== sizes.length) || constants.length !== names.length) {
      const stateNames = sizes.map(([name]) => name).join(', ');
      const suffix = names.length > 0 ? `, then constants (${names.join(', ')})` : '';
      const got = states.length + constants.length;
      throw this.error('shape', `takes initial states (${stateNames}) or none${suffix}; got ${got}.`);
    }
    const check = (shape: Shape, label: string, rank: number, width: number): void => {
      const fits = shape.length === rank && (width === -1 || shape[rank - 1] === width);
      if (fits && (shape[0] === batch || shape[0] === -1 || batch === -1)) return;
      const rows = batch === -1 ? 'batch' : batch;
      throw this.shapeError(shape, `${label} of shape [${rows}, ${rank > 2 ? '..., ' : ''}${width}]`);
    };
    states.forEach((shape, i) => {
      check(shape, `the initial state ${sizes[i][0]}`, 2, sizes[i][1]);
    });
    constants.forEach((shape, i) => {
      check(shape, `the constant ${names[i]}`, Math.max(2, shape.length), this.#constantWidths[i] ?? -1);
    });
  }
}

/** Returns a record of values by name. */
function byName<T>(names: readonly string[], values: readonly T[]): Record<string, T> {
  const record: Record<string, T> = {};
  names.forEach((name, i) => {
    record[name] = values[i];
  });
  return record;
}

/** Returns the last step of y [B, T, H], as [B, H]. */
function lastStep(y: Tensor): Tensor {
  const [B, T, H] = y.shape;
  return reshape(T === 1 ? y : slice(y, 1, -1), [B, H]);
}

/** Sets the outputs before the first valid step of a chunk to the last output of the previous chunk, [B, H]. */
function continueOutputs(y: Tensor, mask: Tensor, previousY: Tensor): Tensor {
  const started = startedMask(mask);
  const [B, T] = mask.shape;
  const sequences = y.rank === 3;
  const isStarted = sequences ? reshape(started, [B, T, 1]) : slice(started, 1, T - 1, T);
  const carried = sequences ? reshape(previousY, [B, 1, previousY.shape[1]]) : previousY;
  return add(y, mul(sub(1, isStarted), carried));
}

/**
 * Creates a recurrent layer that runs any cell.
 * @param cell a built-in cell, several cells in `stackedCells`, or a custom cell (see {@link Cell})
 */
export function recurrent(cell: Cell, options: RecurrentOptions = {}): Recurrent {
  if (typeof cell?.step !== 'function') {
    throw valueError(
      `recurrent takes a cell, as in recurrent(lstmCell({ units: 8 })), got ${formatValue(cell)}.`,
    );
  }
  checkOptions('recurrent', options, recurrentOptions());
  return new Recurrent(cell, options);
}
