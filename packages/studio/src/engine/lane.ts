/** A lane: one of the cells that train side by side, with its network and its training run. All lanes get the same batches. */
import { RandomStream, tensor } from '@unroll/core';
import type { Network } from '@unroll/nn';
import { type Examples, OptimizerMemory, type Run, type StepEvent, train } from '@unroll/train';
import { type ErrorData, errorData } from '../problems/input-error.js';
import type { Batch, Problem } from '../problems/problem.js';
import type { CellKind, Settings } from '../state/settings.js';
import { networkOf } from './network.js';
import type { LaneInfo, LanePoints } from './protocol.js';
import { shapesText } from './tensors.js';

const emptyPoints = (cell: CellKind): LanePoints => ({
  ...{ cell, update: [], loss: [], norm: [], clipped: [], rate: [], ms: [] },
});

export class Lane {
  readonly cell: CellKind;
  readonly network: Network;
  updates = 0;
  /** The error that stopped training, such as a loss that is not a number; null: training can continue. */
  stopped: ErrorData | null = null;
  readonly #problem: Problem;
  readonly #memory = new OptimizerMemory();
  #settings: Settings;
  #run: Run;
  #points: LanePoints;

  constructor(problem: Problem, cell: CellKind, settings: Settings) {
    this.cell = cell;
    this.#problem = problem;
    this.#settings = settings;
    this.network = networkOf(problem, cell, settings);
    this.#points = emptyPoints(cell);
    this.#run = this.#start();
  }

  /** Continues training with another learning rate and clipping norm; the optimizer keeps its moments. */
  setLearningRateAndClipping(learningRate: number, clip: number): void {
    this.#settings = { ...this.#settings, learningRate, clip };
    void this.#run.return();
    this.#run = this.#start();
  }

  #start(): Run {
    const { learningRate, clip, seed, batch } = this.#settings;
    const random = new RandomStream(seed, 'batches');
    const problem = this.#problem;
    const first = this.updates;
    const batches = function* (): Generator<Examples> {
      for (let n = first; ; n++) yield examplesOf(problem, problem.batch(random.child(n), batch));
    };
    return train(this.network, {
      ...{ batches, loss: this.#problem.loss, seed, memory: this.#memory },
      optimizer: { name: 'adam', learningRate },
      ...(clip > 0 && { clip: { globalNorm: clip } }),
    });
  }

  /** Makes one update. If it fails, `stopped` is set to the error. */
  async step(): Promise<void> {
    const start = performance.now();
    try {
      for (;;) {
        const { value, done } = await this.#run.next();
        if (done) throw new Error('the run has ended');
        if (value.type === 'step') return this.#record(value, performance.now() - start);
      }
    } catch (error) {
      this.stopped = errorData(error);
    }
  }

  #record({ loss, gradientNorm, clipped, learningRate }: StepEvent, ms: number): void {
    const points = this.#points;
    points.update.push(++this.updates);
    points.loss.push(loss);
    points.norm.push(gradientNorm);
    points.clipped.push(clipped ? 1 : 0);
    points.rate.push(learningRate);
    points.ms.push(ms);
  }

  /** Returns the results of the updates since the last call. */
  takePoints(): LanePoints {
    const points = this.#points;
    this.#points = emptyPoints(this.cell);
    return points;
  }

  info(): LaneInfo {
    return {
      cell: this.cell,
      parameters: this.network.countParams(),
      layers: this.network.summaryRows().map(({ layer, shapes }) => ({
        name: layer.name,
        className: layer.className,
        shape: shapesText(shapes ?? []),
        parameters: layer.countParams(),
      })),
    };
  }
}

/** Returns the tensors of a batch. */
export function examplesOf(problem: Problem, batch: Batch): Examples {
  const { count, y, weights, mask, previous } = batch;
  const { steps, vocabulary, features, classes, outputs, perStep } = problem;
  const time = perStep ? [steps] : [];
  const x = tensor(batch.x, vocabulary ? [count, steps] : [count, steps, features.length]);
  return {
    x: previous ? [x, tensor(previous, [count, steps])] : x,
    y: tensor(y, classes ? [count, ...time] : [count, ...time, outputs]),
    ...(weights && { sampleWeights: tensor(weights, [count, steps]) }),
    ...(mask && { mask: tensor(mask, [count, steps]) }),
  };
}

/** Returns the examples with the given indices. */
export function selectExamples(problem: Problem, indices: readonly number[]): Batch {
  const { steps, features, vocabulary, outputs, perStep, classes, examples } = problem;
  const pick = (array: Float32Array, size: number): Float32Array => {
    const result = new Float32Array(indices.length * size);
    indices.forEach((index, n) => {
      result.set(array.subarray(index * size, (index + 1) * size), n * size);
    });
    return result;
  };
  const width = vocabulary ? 1 : features.length;
  return {
    count: indices.length,
    x: pick(examples.x, steps * width),
    y: pick(examples.y, (perStep ? steps : 1) * (classes ? 1 : outputs)),
    ...(examples.weights && { weights: pick(examples.weights, steps) }),
    ...(examples.mask && { mask: pick(examples.mask, steps) }),
    ...(examples.previous && { previous: pick(examples.previous, steps) }),
  };
}
