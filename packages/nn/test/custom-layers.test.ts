/**
 * Custom layers and cells: in models, in configs after registration, in streams, in bidirectional layers and in stacks.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  add,
  type MaskedSequence,
  matmul,
  mul,
  type Parameter,
  type Shape,
  type Tensor,
  tanh,
} from '@unroll/core';
import { backendSync } from '@unroll/core/internal';
import {
  bidirectional,
  type Cell,
  type CellState,
  dense,
  gruCell,
  Layer,
  type LayerOptions,
  modelFromConfig,
  type ParameterMaker,
  recurrent,
  registerCell,
  registerLayer,
  type Sequential,
  type StepContext,
  sequential,
  stackedCells,
} from '@unroll/nn';
import { mismatch, onBackend } from '@unroll/testkit';
import { maskOf, randomTensor, run } from './helpers.js';

const float64 = backendSync('reference:float64');

interface ScaleOptions extends LayerOptions {
  start: number;
}

/** Multiplies each feature by a trained factor. */
class Scale extends Layer<ScaleOptions> {
  static override readonly className = 'Scale';
  #factor!: Parameter;

  outputShapes([x]: readonly Shape[]): Shape[] {
    return [x!];
  }
  protected override makeParameters([x]: readonly Shape[]): void {
    this.#factor = this.addParameter('factor', [x!.at(-1)!], () =>
      new Float32Array(x!.at(-1)!).fill(this.options.start),
    );
  }
  call([x]: readonly MaskedSequence[]): MaskedSequence[] {
    return [{ value: mul(x!.value, this.#factor), mask: x!.mask }];
  }
  override streaming(inputs: readonly boolean[]): boolean[] {
    return [...inputs];
  }
}

/** A leaky cell: h ← (1 - rate) h + rate tanh(x W + h U). */
class LeakyCell implements Cell {
  static readonly className = 'LeakyCell';
  readonly className = LeakyCell.className;
  readonly units: number;
  readonly stateSizes: { h: number };
  readonly config: { units: number; rate: number };
  #W!: Parameter;
  #U!: Parameter;

  constructor(config: { units: number; rate: number }) {
    this.config = config;
    this.units = config.units;
    this.stateSizes = { h: config.units };
  }
  build(inputSize: number, make: ParameterMaker): void {
    this.#W = make('kernel', [inputSize, this.units], 'glorotUniform');
    this.#U = make('recurrent_kernel', [this.units, this.units], 'orthogonal');
  }
  step(x: Tensor, { h }: CellState, { recurrentDropoutMask }: StepContext) {
    const { rate } = this.config;
    const droppedH = recurrentDropoutMask ? mul(h!, recurrentDropoutMask) : h!;
    const next = add(mul(h!, 1 - rate), mul(tanh(add(matmul(x, this.#W), matmul(droppedH, this.#U))), rate));
    return { y: next, state: { h: next } };
  }
  clone(): LeakyCell {
    return new LeakyCell(this.config);
  }
}

const leaky = (units = 3): LeakyCell => new LeakyCell({ units, rate: 0.3 });
const model = (): Sequential =>
  sequential([
    new Scale({ start: 2 }),
    recurrent(leaky(), { returnSequences: true, recurrentDropout: 0.2 }),
    recurrent(stackedCells([leaky(2), gruCell({ units: 2 })]), { returnSequences: true }),
    dense({ units: 1 }),
  ]);
const x = randomTensor('x', 2, 5, 2);

describe('custom layers and cells', () => {
  test('are restored from a config if they are registered, and rejected otherwise', () => {
    const network = model();
    const want = run(network, x, { mask: maskOf('11110', '10100') })[0]!.value.dataSync();
    const config: unknown = JSON.parse(JSON.stringify(network.config));
    assert.throws(() => modelFromConfig(config), /There is no layer class "Scale".*registerLayer\(Scale\)/);
    registerLayer(Scale);
    assert.throws(
      () => modelFromConfig(config),
      /There is no cell class "LeakyCell".*registerCell\(LeakyCell\)/,
    );
    registerCell(LeakyCell);
    const restored = modelFromConfig(config);
    restored.build([[-1, -1, 2]]);
    restored.setWeights(network.getWeights());
    assert.deepEqual(run(restored, x, { mask: maskOf('11110', '10100') })[0]!.value.dataSync(), want);
    assert.deepEqual(JSON.parse(JSON.stringify(restored.config)), config);
  });

  test('can be streamed', () => {
    onBackend(float64, () => {
      const network = model();
      const whole = run(network, x)[0]!.value;
      const stream = network.stream({ batch: 2 });
      const outputs = [0, 1, 2, 3, 4].map((t) => {
        const rows = (x.toArray() as number[][][]).map((row) => row[t]!);
        return stream.step(rows).toArray() as number[][];
      });
      const got = [0, 1].flatMap((b) => outputs.map((rows) => rows[b]![0]!));
      assert.equal(mismatch('stream', got, whole.dataSync(), 1e-14), null);
    });
  });

  test('a layer without streaming() is rejected in a stream, with its name', () => {
    class WithoutStreaming extends Scale {
      override streaming(inputs: readonly boolean[]): boolean[] {
        return Layer.prototype.streaming.call(this, inputs);
      }
    }
    assert.throws(
      () => sequential([new WithoutStreaming({ start: 1, name: 'quiet' })]).stream(),
      /Layer quiet: cannot be streamed: it has no streaming\(\) method/,
    );
  });

  test('a cell can be bidirectional if it has clone(), or if both directions are given', () => {
    const bothDirections = bidirectional(recurrent(leaky(), { returnSequences: true }));
    assert.deepEqual(run(bothDirections, x)[0]!.value.shape, [2, 5, 6]);
    const withoutClone = (): Cell => Object.assign(leaky(), { clone: undefined });
    assert.throws(
      () => bidirectional(recurrent(withoutClone(), { name: 'reader' })),
      /Layer reader: .*LeakyCell has no method clone\(\)/,
    );
    const explicit = bidirectional(recurrent(withoutClone()), {
      backwardLayer: recurrent(withoutClone(), { goBackwards: true }),
    });
    assert.deepEqual(run(explicit, x)[0]!.value.shape, [2, 6]);
  });

  test('a bidirectional layer copies the options of a layer, which stays independent', () => {
    const layer = recurrent(leaky(), { returnSequences: true });
    const bothDirections = bidirectional(layer);
    const wide = randomTensor('wide', 2, 5, 4);
    assert.deepEqual([run(layer, x), run(bothDirections, wide)].map(([y]) => y!.value.shape[2]), [3, 6]); // biome-ignore format: one line
  });

  test('a cell can define an initial state other than zero', () => {
    class WithRandomStart extends LeakyCell {
      zeroState(batch: number): CellState {
        return { h: randomTensor('h', batch, this.units) };
      }
    }
    const [fromRandom, fromZeros] = [
      recurrent(new WithRandomStart({ units: 3, rate: 0.3 })),
      recurrent(leaky()),
    ];
    const want = run(fromZeros, [x, randomTensor('h', 2, 3)])[0]!.value;
    run(fromRandom, x);
    fromRandom.setWeights(fromZeros.getWeights());
    assert.deepEqual(run(fromRandom, x)[0]!.value.dataSync(), want.dataSync());
  });

  test('steps of a higher rank, such as images, are passed to the cell unchanged', () => {
    const stepShapes: Shape[] = [];
    const cell: Cell = {
      ...{ className: 'Sum', units: 1, stateSizes: { h: 1 }, config: {} },
      build: () => {},
      step: (step, state) => {
        stepShapes.push(step.shape);
        return { y: state.h!, state };
      },
    };
    run(recurrent(cell), randomTensor('video', 2, 3, 4, 5));
    assert.deepEqual(stepShapes, [[2, 4, 5], [2, 4, 5], [2, 4, 5]]); // biome-ignore format: one line
  });
});
