/**
 * One training step: forward pass, backward pass, accumulation, clipping, update. All trainable weights are in one flat
 * buffer. Their gradients and each slot of the optimizer are in flat buffers with the same layout. The methods of the
 * class share these buffers, so they are in one file.
 */
import {
  type FloatArray,
  type ForwardContext,
  type MaskedSequence,
  type Model,
  type Parameter,
  scope,
  shapeError,
  type Tensor,
  UnrollError,
} from '@unroll/core';
import {
  type Block,
  currentScope,
  FlatBuffer,
  layOut,
  RowGradient,
  Tape,
  valuesOf,
} from '@unroll/core/internal';
import type { SavedTensor } from './callbacks/callback.js';
import { type Clip, clipGradients, normsFromSquares, sumsOfSquares } from './clip.js';
import { DirtyRows, type DirtyState } from './dirty-rows.js';
import {
  allParameters,
  type BatchLoss,
  type LossValues,
  lossScalars,
  lossValues,
  type Objective,
} from './objective.js';
import { type AverageOptions, WeightAverage } from './optimizers/average.js';
import { copyOfRows } from './optimizers/optimizer.js';
import type { Optimizer, ParameterSlice } from './optimizers.js';
import type { TrainingStep } from './pass.js';

/** The losses of a batch and the norm of the accumulated gradients. */
export interface StepResult {
  losses: LossValues;
  /** Norm of all gradients together, before clipping. */
  gradientNorm: number;
}

/** The gradients before clipping and update, for hooks that add noise or average gradients across workers. */
export interface Gradients {
  /** Number of weights. */
  readonly length: number;
  /** The number of examples or steps over which the loss is averaged: the weight in an average across workers. */
  readonly count: number;
  /** Returns a copy of the gradients. */
  read(): Promise<FloatArray>;
  /** Replaces the gradients before clipping. @throws UnrollError `shape` unless there are `length` values */
  write(values: ArrayLike<number>): void;
}

export type GradientHook = (gradients: Gradients) => void | Promise<void>;

/** The state of an optimizer by parameter name, for import from and export to the files of other tools. */
export interface OptimizerState {
  /** Number of updates. */
  updates: number;
  /** By slot name: the values of each trainable parameter, by parameter name. */
  slots: Readonly<Record<string, ReadonlyMap<string, ArrayLike<number>>>>;
}

/**
 * The state of an optimizer between updates, independent of a run. Pass the same object to several calls of `train` to
 * continue with the optimizer state of the previous call.
 */
export class OptimizerMemory {
  /** Number of updates. */
  updates = 0;
  #slots: FlatBuffer[] = [];
  #slotNames: readonly string[] = [];
  #parameters: readonly Parameter[] = [];
  /** The optimizer and the parameters that the slots belong to. */
  #key = '';
  /** The state from which the slots are created; null if there is none, and once the slots exist. */
  #initial: OptimizerState | null;

  /** @param initial the state to continue with. Default: none, the first update is number 1 */
  constructor(initial: OptimizerState | null = null) {
    this.#initial = initial;
    this.updates = initial?.updates ?? 0;
  }

  /**
   * Returns the slots of the optimizer. The first call fills them with the initial state, or with zeros if there is none. If
   * the optimizer or the parameters differ from those of the previous call, creates new slots, filled with zeros.
   * @throws UnrollError `state` if the initial state lacks a slot of a parameter
   */
  slotsFor(optimizer: Optimizer, parameters: readonly Parameter[], length: number): readonly FlatBuffer[] {
    const key = JSON.stringify([optimizer.name, optimizer.slots, parameters.map((p) => [p.name, p.shape])]);
    if (key !== this.#key) {
      this.#slots = optimizer.slots.map(() => new FlatBuffer(length));
      this.#slotNames = optimizer.slots;
      this.#parameters = parameters;
      this.updates = this.#initial?.updates ?? 0;
      if (this.#initial && this.updates > 0) this.#fill(this.#initial);
      this.#initial = null;
      // Set last: if the state does not fit, the next call fails, too, instead of starting with incomplete slots.
      this.#key = key;
    }
    return this.#slots;
  }

  #fill({ slots }: OptimizerState): void {
    this.#slotNames.forEach((slot, s) => {
      for (const { name, size, storage } of this.#parameters) {
        const values = slots[slot]?.get(name);
        if (values?.length !== size) {
          throw new UnrollError(
            'state',
            `The optimizer's state: ${slot} of ${name} must have length ${size}, got ${values?.length ?? 'no values'}. ` +
              'Compile the model again to start with a new state.',
            { slot, name },
          );
        }
        this.#slots[s].write(values, storage.offset);
      }
    });
  }

  /** Returns the state by parameter name; before the first update, the initial state, or null if there is none. */
  async state(): Promise<OptimizerState | null> {
    if (this.#initial) return this.#initial;
    if (this.updates === 0) return null;
    const values = await Promise.all(this.#slots.map((slot) => slot.read()));
    const byName = (slot: FloatArray) =>
      new Map(
        this.#parameters.map(({ name, size, storage }) => [
          name,
          slot.slice(storage.offset, storage.offset + size),
        ]),
      );
    return {
      updates: this.updates,
      slots: Object.fromEntries(this.#slotNames.map((slot, s) => [slot, byName(values[s])])),
    };
  }
}

/** State of a stepper in a checkpoint, without the buffers. */
export interface StepperState {
  updates: number;
  /** Number of batches accumulated since the last update. */
  gathered: number;
  /** Sum of the counts of these batches; see {@link Gradients.count}. */
  gatheredCount: number;
  /** Number of updates of the moving average of the weights. */
  averaged: number;
  /** For a lazy optimizer that accumulates gradients: the rows with gradients since the last update. */
  touched?: DirtyState;
}

export interface StepperOptions {
  optimizer: Optimizer;
  objective: Objective;
  clip: Clip | null;
  /** Batches per update. */
  accumulate: number;
  memory: OptimizerMemory;
  /** Options of the moving average of the weights; null: no average. */
  average: AverageOptions | null;
}

/** Computes gradients and updates the weights. */
export class Stepper {
  readonly #trainable: readonly Parameter[];
  readonly #options: StepperOptions;
  readonly #weights: FlatBuffer;
  readonly #slices: readonly ParameterSlice[];
  readonly #grads: FlatBuffer;
  readonly #slots: readonly FlatBuffer[];
  /** Sum of the gradients of the accumulated batches, each multiplied by its count; null without accumulation. */
  readonly #sum: FlatBuffer | null;
  readonly #average: WeightAverage | null;
  /** For lazy optimizers; null if the optimizer updates all rows. */
  readonly #dirty: DirtyRows | null;
  #accumulated = 0;
  #accumulatedCount = 0;
  #rate: number;

  /** Requires that the model and the objective are built. */
  constructor(model: Model, options: StepperOptions) {
    this.#options = options;
    const all = allParameters(model, options.objective);
    this.#trainable = all.filter((parameter) => parameter.trainable);
    if (this.#trainable.length === 0) {
      throw new UnrollError('state', `${model.name} has no trainable weights: there is nothing to train.`);
    }
    this.#weights = layOut(this.#trainable);
    this.#slices = this.#trainable.map(({ name, storage, size }) => ({ name, offset: storage.offset, size }));
    const { length } = this.#weights;
    this.#grads = new FlatBuffer(length);
    this.#slots = options.memory.slotsFor(options.optimizer, this.#trainable, length);
    this.#sum = options.accumulate > 1 ? new FlatBuffer(length) : null;
    this.#average = options.average && new WeightAverage(this.#weights, options.average);
    this.#dirty = options.optimizer.lazy ? new DirtyRows(this.#trainable) : null;
    this.#rate = options.optimizer.rate(Math.max(0, options.memory.updates - 1));
  }

  /** Number of updates. */
  get updates(): number {
    return this.#options.memory.updates;
  }

  /** Learning rate of the latest update, without the factor `rateScale`. */
  get rate(): number {
    return this.#rate;
  }

  /** True if enough batches are accumulated for an update. */
  get isUpdateDue(): boolean {
    return this.#accumulated >= this.#options.accumulate;
  }

  /** True if gradients are accumulated that no update has used. */
  get isUpdatePending(): boolean {
    return this.#accumulated > 0;
  }

  /**
   * Runs the forward and the backward pass, and writes the mean gradients of all accumulated batches to the buffer.
   * @param afterStep receives the work to run after the step
   * @param onOutputs called with the model's outputs
   * @returns null if every time step is padding; the training step then has no effect
   */
  async computeGradients(
    { batch, forward }: Pick<TrainingStep, 'batch' | 'forward'>,
    afterStep: ForwardContext['afterStep'],
    onOutputs: (outputs: readonly MaskedSequence[]) => void,
  ): Promise<StepResult | null> {
    const { objective } = this.#options;
    let losses!: BatchLoss;
    const scalarTensors = scope(() => {
      const tape = new Tape();
      const lossTerms: Tensor[] = []; // added by layers, for example by their regularisers
      const outputs = tape.recordDuring(() => {
        const result = forward({ addLoss: (term) => void lossTerms.push(term), afterStep });
        if (result.isPadding) return null;
        losses = objective.compute(result.outputs, batch, lossTerms, result.context);
        return result.outputs;
      });
      if (!outputs) return null;
      onOutputs(outputs);
      const { total, count } = losses;
      const weight = objective.addsBatchLosses ? 1 : count;
      this.#collect(tape.gradients(total, this.#sum ? weight : 1));
      this.#accumulated++;
      this.#accumulatedCount += count;
      if (this.#sum) {
        currentScope().backend.kernels.accumulate(this.#sum.block(), this.#grads.block(), 1);
        this.#meanOf(this.#sum);
      }
      return [sumsOfSquares(this.#gradientBlocks()), ...lossScalars(losses)];
    });
    if (!scalarTensors) return null;
    const [squares, ...scalars] = await valuesOf(scalarTensors);
    return { losses: lossValues(losses, scalars), gradientNorm: await this.#norm(squares) };
  }

  /** Writes the gradient of each parameter to its slice of the buffer; zeros if it has none. */
  #collect(gradients: ReadonlyMap<Tensor, Tensor>): void {
    const { kernels } = currentScope().backend;
    this.#trainable.forEach((parameter, i) => {
      const block = this.#grads.blockFor(parameter.storage.offset, parameter.size);
      const grad = gradients.get(parameter) ?? null;
      if (grad && !(grad instanceof RowGradient)) {
        kernels.copy({ x: grad.block(), y: block });
      } else {
        if (this.#dirty) this.#dirty.clear(i, block);
        else kernels.fill(block, 0);
        grad?.addTo(block);
      }
      this.#dirty?.mark(i, grad, this.#accumulated === 0);
    });
  }

  /** Writes the mean gradients of the accumulated batches to the buffer. Returns their norm. */
  async takeAccumulated(): Promise<number> {
    const [squares] = await valuesOf([
      scope(() => {
        if (this.#sum) this.#meanOf(this.#sum);
        return sumsOfSquares(this.#gradientBlocks());
      }),
    ]);
    return this.#norm(squares);
  }

  /** Computes grads = sum / count; if the batch losses are added, grads = sum. */
  #meanOf(sum: FlatBuffer): void {
    const count = this.#options.objective.addsBatchLosses ? 1 : this.#accumulatedCount;
    const { kernels } = currentScope().backend;
    const grads = this.#grads.block();
    kernels.fill(grads, 0);
    kernels.accumulate(grads, sum.block(), count > 0 ? 1 / count : 0);
  }

  /** Returns the blocks whose norm is computed: all gradients except those of table rows that were not looked up. */
  #gradientBlocks(): Block[] {
    const grads = this.#grads;
    if (!this.#dirty) return [grads.block()];
    return this.#dirty.withRows(this.#slices).map(({ offset, size, rows }) => {
      const block = grads.blockFor(offset, size);
      return rows ? copyOfRows(block, rows) : block;
    });
  }

  /** Computes the norm of all gradients. @param squares the sum of squares of each of {@link #gradientBlocks} */
  async #norm(squares: FloatArray): Promise<number> {
    const norms = await normsFromSquares(squares, () => this.#gradientBlocks());
    return norms.length === 1 ? norms[0] : Math.hypot(...norms);
  }

  /** Returns a copy of the gradients in the buffer, by parameter. */
  async readGradients(): Promise<Record<string, SavedTensor>> {
    const values = await this.#grads.read();
    return Object.fromEntries(
      this.#trainable.map(({ name, shape, size, storage: { offset } }) => [
        name,
        { shape, values: values.slice(offset, offset + size) },
      ]),
    );
  }

  /** Calls `hook` with the gradients. Returns their norm after the call. */
  async runHook(hook: GradientHook): Promise<number> {
    const grads = this.#grads;
    await hook({
      length: grads.length,
      count: this.#accumulatedCount,
      read: () => grads.read(),
      write: (values) => {
        if (values.length !== grads.length) {
          throw shapeError(
            `write(): values must have one entry per weight (${grads.length}), got ${values.length}.`,
            {
              expected: grads.length,
              got: values.length,
            },
          );
        }
        grads.write(values);
        this.#dirty?.markAll();
      },
    });
    const [squares] = await valuesOf([scope(() => sumsOfSquares(this.#gradientBlocks()))]);
    return this.#norm(squares);
  }

  /**
   * Clips the gradients in the buffer and updates the weights.
   * @param gradientNorm the norm of all gradients, before clipping
   * @param rateScale factor on the learning rate
   * @returns true if the gradients were clipped
   */
  async update(gradientNorm: number, rateScale: number): Promise<boolean> {
    const { optimizer, clip, memory } = this.#options;
    this.#rate = optimizer.rate(memory.updates);
    memory.updates++;
    const slices = this.#dirty?.withRows(this.#slices) ?? this.#slices;
    const { clipped, gScale } = await clipGradients(clip, { buffer: this.#grads, slices }, gradientNorm);
    scope(() => {
      const { backend } = currentScope();
      optimizer.update({
        kernels: backend.kernels,
        w: this.#weights.block(),
        g: this.#grads.block(),
        slots: this.#slots.map((slot) => slot.block()),
        step: memory.updates,
        rate: this.#rate * rateScale,
        gScale,
        slices,
        part: (block, offset, length) => backend.view(block, offset, length),
      });
      if (this.#sum) backend.kernels.fill(this.#sum.block(), 0);
      for (const parameter of this.#trainable) {
        if (parameter.constraint) parameter.assign(parameter.constraint(parameter));
      }
    });
    this.#average?.update();
    this.#accumulated = 0;
    this.#accumulatedCount = 0;
    return clipped;
  }

  /** Calls `read` while the weights are replaced by their moving average, if there is one. */
  readAverage<T>(read: () => T): T {
    const average = this.#average;
    if (!average || average.updates === 0) return read();
    average.swap();
    try {
      return read();
    } finally {
      average.swap();
    }
  }

  /** Like {@link readAverage}, for asynchronous functions. */
  async withAverage<T>(work: () => Promise<T>): Promise<T> {
    return this.#average ? this.#average.withAverage(work) : work();
  }

  /** Replaces the weights by their moving average, if there is one. Called at the end of a run. */
  commitAverage(): void {
    const average = this.#average;
    if (average && average.updates > 0) this.#weights.copyFrom(average.buffer.block());
  }

  /** The state for a checkpoint. */
  get state(): StepperState {
    return {
      updates: this.updates,
      gathered: this.#accumulated,
      gatheredCount: this.#accumulatedCount,
      averaged: this.#average?.updates ?? 0,
      ...(this.#dirty && this.#accumulated > 0 && { touched: this.#dirty.state }),
    };
  }

  set state({ updates, gathered, gatheredCount, averaged, touched }) {
    this.#options.memory.updates = updates;
    this.#accumulated = gathered;
    this.#accumulatedCount = gatheredCount;
    if (this.#average) this.#average.updates = averaged;
    if (this.#dirty && touched) this.#dirty.state = touched;
    this.#rate = this.#options.optimizer.rate(Math.max(0, updates - 1));
  }

  /** The buffers that a checkpoint stores, by name. */
  get buffers(): ReadonlyMap<string, FlatBuffer> {
    const { optimizer } = this.#options;
    const buffers = new Map(this.#slots.map((slot, i) => [`optimizer/${optimizer.slots[i]}`, slot]));
    if (this.#sum) buffers.set('gathered', this.#sum);
    if (this.#average) buffers.set('average', this.#average.buffer);
    return buffers;
  }
}
