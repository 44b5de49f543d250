/**
 * One training step: forward, backward, accumulate, clip, update. The trainable weights, their gradients and each of
 * the optimizer's slots are stored in one flat buffer each.
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
  FlatBuffer,
  layOut,
  openScope,
  RowGradient,
  Tape,
  valuesOf,
} from '@unroll/core/internal';
import type { PreparedBatch } from './batches.js';
import { type Clip, clipGradients, normsFromSquares, sumsOfSquares } from './clip.js';
import { DirtyRows, type DirtyState } from './dirty-rows.js';
import { type BatchLoss, type LossValues, lossScalars, lossValues, type Objective } from './objective.js';
import { type AverageOptions, WeightAverage } from './optimizers/average.js';
import { copyOfRows } from './optimizers/optimizer.js';
import type { Optimizer, ParameterSlice } from './optimizers.js';

/** The losses of a batch and the norm of its gradient. */
export interface StepResult {
  losses: LossValues;
  /** Norm of all gradients together, before clipping. */
  gradientNorm: number;
}

/** The gradients after backward and before the update, for hooks such as an all-reduce or noise. */
export interface Gradients {
  /** Number of weights. */
  readonly length: number;
  /** Weight of these gradients in an average with others: the number of rows in the mean of their loss. */
  readonly count: number;
  /** A copy. */
  read(): Promise<FloatArray>;
  /** Replaces the gradients before clipping. @throws UnrollError `shape` for another number of values */
  write(values: ArrayLike<number>): void;
}

/** Creates the context of a forward pass. */
export type ContextWith = (addLoss: ForwardContext['addLoss']) => ForwardContext;

export type GradientHook = (gradients: Gradients) => void | Promise<void>;

/**
 * State of an optimizer between updates, independent of a run. If it is passed from one `train` to the next, the
 * second continues the first. Initially empty.
 */
export class OptimizerMemory {
  /** Number of updates. */
  updates = 0;
  #slots: FlatBuffer[] = [];
  #owner = '';

  /** The slots of `optimizer` over these weights: those of the previous run if they match, else zeros. */
  slotsFor(optimizer: Optimizer, parameters: readonly Parameter[], length: number): readonly FlatBuffer[] {
    const owner = JSON.stringify([optimizer.name, optimizer.slots, parameters.map((p) => [p.name, p.shape])]);
    if (owner !== this.#owner) {
      this.#owner = owner;
      this.#slots = optimizer.slots.map(() => new FlatBuffer(length));
      this.updates = 0;
    }
    return this.#slots;
  }
}

/** State of a stepper for a checkpoint, without the buffers. */
export interface StepperState {
  updates: number;
  /** Number of batches accumulated since the last update, and their total count. */
  gathered: number;
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
  /** Keep a moving average of the weights; null: none. */
  average: AverageOptions | null;
}

export class Stepper {
  readonly #model: Model;
  readonly #trained: readonly Parameter[];
  readonly #options: StepperOptions;
  readonly #weights: FlatBuffer;
  readonly #slices: readonly ParameterSlice[];
  readonly #grads: FlatBuffer;
  readonly #slots: readonly FlatBuffer[];
  /** Sum of the accumulated gradients, each multiplied by its count; null if every batch makes an update. */
  readonly #sum: FlatBuffer | null;
  readonly #average: WeightAverage | null;
  /** Null: the optimizer updates all rows. */
  readonly #dirty: DirtyRows | null;
  #accumulated = 0;
  #accumulatedCount = 0;
  #rate: number;

  /** The model and the objective must be built. */
  constructor(model: Model, options: StepperOptions) {
    this.#model = model;
    this.#options = options;
    const all = [...model.parameters, ...options.objective.parameters];
    this.#trained = all.filter((parameter) => parameter.trainable);
    if (this.#trained.length === 0) {
      throw new UnrollError('state', `${model.name} has no trainable weights: there is nothing to train.`);
    }
    this.#weights = layOut(this.#trained);
    this.#slices = this.#trained.map(({ name, storage, size }) => ({ name, offset: storage.offset, size }));
    const { length } = this.#weights;
    this.#grads = new FlatBuffer(length);
    this.#slots = options.memory.slotsFor(options.optimizer, this.#trained, length);
    this.#sum = options.accumulate > 1 ? new FlatBuffer(length) : null;
    this.#average = options.average && new WeightAverage(this.#weights, options.average);
    this.#dirty = options.optimizer.lazy ? new DirtyRows(this.#trained) : null;
    this.#rate = options.optimizer.rate(Math.max(0, options.memory.updates - 1));
  }

  /** Number of updates. */
  get updates(): number {
    return this.#options.memory.updates;
  }

  /** Learning rate of the latest update, before any factor. */
  get rate(): number {
    return this.#rate;
  }

  /** True if enough batches are accumulated for an update. */
  get full(): boolean {
    return this.#accumulated >= this.#options.accumulate;
  }

  /**
   * Runs forward and backward; leaves the gradients of all accumulated batches in their buffer.
   * @param contextWith creates the context of the pass from a function that takes the loss terms of layers
   * @param watch called with the model's outputs
   */
  async gradients(
    batch: PreparedBatch,
    contextWith: ContextWith,
    watch: (outputs: readonly MaskedSequence[]) => void,
  ): Promise<StepResult> {
    const { objective } = this.#options;
    let losses!: BatchLoss;
    const toRead = scope(() => {
      const tape = new Tape();
      const terms: Tensor[] = []; // the loss terms of layers
      let outputs: readonly MaskedSequence[] = [];
      losses = tape.recordDuring(() => {
        const sequences: MaskedSequence[] = batch.inputs.map((value, i) => ({
          value,
          mask: batch.masks[i] ?? null,
        }));
        outputs = this.#model.forward(
          sequences,
          contextWith((term) => void terms.push(term)),
        );
        return objective.compute(outputs, batch, terms);
      });
      watch(outputs);
      const { total, count } = losses;
      const weight = objective.addsBatchLosses ? 1 : count;
      this.#collect(tape.gradients(total, this.#sum ? weight : 1));
      this.#accumulated++;
      this.#accumulatedCount += count;
      if (this.#sum) this.#meanOf(this.#sum, objective.addsBatchLosses ? 1 : this.#accumulatedCount);
      return [sumsOfSquares(this.#normed()), ...lossScalars(losses)];
    });
    const [squares, ...scalars] = await valuesOf(toRead);
    return { losses: lossValues(losses, scalars), gradientNorm: await this.#norm(squares) };
  }

  /** Writes the gradients to their slices of the buffer; row gradients are added to their rows. */
  #collect(found: ReadonlyMap<Tensor, Tensor>): void {
    const { kernels } = openScope().backend;
    this.#trained.forEach((parameter, i) => {
      const block = this.#grads.blockFor(parameter.storage.offset, parameter.size);
      const grad = found.get(parameter) ?? null;
      if (grad && !(grad instanceof RowGradient)) {
        kernels.copy(grad.block(), 0, [1], block, 0, [1], [parameter.size]);
      } else {
        if (this.#dirty) this.#dirty.clear(i, block);
        else kernels.fill(block, 0);
        grad?.addTo(block);
      }
      this.#dirty?.mark(i, grad, this.#accumulated === 0);
    });
  }

  /** sum += grads; grads = sum / count */
  #meanOf(sum: FlatBuffer, count: number): void {
    const { kernels } = openScope().backend;
    const grads = this.#grads.block();
    kernels.accumulate(sum.block(), grads, 1);
    kernels.fill(grads, 0);
    kernels.accumulate(grads, sum.block(), count > 0 ? 1 / count : 0);
  }

  /** The gradients in blocks, without the table rows that were not looked up. */
  #normed(): Block[] {
    const grads = this.#grads;
    if (!this.#dirty) return [grads.block()];
    return this.#dirty.withRows(this.#slices).map(({ offset, size, rows }) => {
      const own = grads.blockFor(offset, size);
      return rows ? copyOfRows(own, rows) : own;
    });
  }

  /** The norm of all gradients, from the sums of squares of {@link #normed}. */
  async #norm(squares: FloatArray): Promise<number> {
    const norms = await normsFromSquares(squares, () => this.#normed());
    return norms.length === 1 ? norms[0] : Math.hypot(...norms);
  }

  /** Calls `hook` with the gradients; returns their norm afterwards. */
  async offer(hook: GradientHook): Promise<number> {
    const grads = this.#grads;
    await hook({
      length: grads.length,
      count: this.#accumulatedCount,
      read: () => grads.read(),
      write: (values) => {
        if (values.length !== grads.length) {
          throw shapeError(`write() must get ${grads.length} gradients, got ${values.length}.`, {
            expected: grads.length,
            got: values.length,
          });
        }
        grads.write(values);
        this.#dirty?.markAll();
      },
    });
    const [squares] = await valuesOf([scope(() => sumsOfSquares(this.#normed()))]);
    return this.#norm(squares);
  }

  /**
   * Updates the weights from the gradients in the buffer.
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
      const { backend } = openScope();
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
      for (const parameter of this.#trained) {
        if (parameter.constraint) parameter.assign(parameter.constraint(parameter));
      }
    });
    this.#average?.update();
    this.#accumulated = 0;
    this.#accumulatedCount = 0;
    return clipped;
  }

  /** Starts reading the model with the average of the weights in their place, if there is one. */
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

  /** Runs `work` with the average of the weights in their place, if there is one. */
  async withAverage<T>(work: () => Promise<T>): Promise<T> {
    return this.#average ? this.#average.during(work) : work();
  }

  /** Replaces the weights by their average, if there is one, at the end of a run. */
  commitAverage(): void {
    const average = this.#average;
    if (average && average.updates > 0) this.#weights.copyFrom(average.buffer.block());
  }

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

  /** The buffers in a checkpoint, by name. */
  get buffers(): ReadonlyMap<string, FlatBuffer> {
    const { optimizer } = this.#options;
    const buffers = new Map(this.#slots.map((slot, i) => [`optimizer/${optimizer.slots[i]}`, slot]));
    if (this.#sum) buffers.set('gathered', this.#sum);
    if (this.#average) buffers.set('average', this.#average.buffer);
    return buffers;
  }
}
