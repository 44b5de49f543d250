/**
 * Cells with constants (inputs that are read at every step): hand-computed values and central differences, stacks, both
 * directions, batches that shrink, and models that are restored from their configs.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { concat, Parameter, slice, type Tensor, tensor } from '@unroll/core';
import { backendSync } from '@unroll/core/internal';
import {
  bidirectional,
  type Cell,
  type CellConstants,
  type CellState,
  dense,
  type Functional,
  gru,
  gruCell,
  input,
  type LstmState,
  lengthMask,
  lstm,
  lstmCell,
  masking,
  model,
  modelFromConfig,
  type Recurrent,
  type RecurrentOptions,
  recurrent,
  registerCell,
  type StepContext,
  type StepResult,
  stackedCells,
} from '@unroll/nn';
import { onBackend } from '@unroll/testkit';
import { AttentionCell } from './attention-cell.js';
import { assertSame, maskOf, outputsAndGradients, randomTensor, run } from './helpers.js';

const float64 = backendSync('reference:float64');
const [B, T, I, S, D] = [3, 4, 2, 5, 3];
const attention = (options: RecurrentOptions = {}): Recurrent =>
  recurrent(new AttentionCell({ units: D }), { returnSequences: true, ...options });
const x = randomTensor('x', B, T, I);
const memory = randomTensor('memory', B, S, D);

/** Runs a layer on x and its constants, with their masks. */
function attend(
  layer: Recurrent,
  values: readonly Tensor[] = [x, memory],
  masks: readonly (Tensor | null)[] = [],
): Tensor {
  const sequences = values.map((value, i) => ({ value, mask: masks[i] ?? null }));
  return layer.invoke(sequences, {
    training: false,
    afterStep: () => {},
    addLoss: () => {},
    random: null as never,
  })[0].value;
}

describe('a cell with a constant', () => {
  test('returns the hand-computed values, also with a mask of the memory', () => {
    onBackend(float64, () => {
      const layer = attention();
      layer.build([[-1, -1, 1], [-1, -1, 3]]); // biome-ignore format: one line
      // W = [1 0 0], U = 0, K = identity: the score of a memory step is x times its first feature.
      layer.setWeights([
        { shape: [1, 3], values: [1, 0, 0] },
        { shape: [3, 3], values: new Float64Array(9) },
        { shape: [3, 3], values: [1, 0, 0, 0, 1, 0, 0, 0, 1] },
      ]);
      const [ln2, ln3] = [Math.log(2), Math.log(3)];
      const rows = [[0, 1, 0], [ln2, 0, 4], [ln3, 6, 0]]; // biome-ignore format: one line
      // Attention weights for x = 1: 1/6 2/6 3/6; for x = 0: 1/3 each. With the last step masked: 1/3 2/3, and 1/2 each.
      const whole = attend(layer, [tensor([[[1], [0]]]), tensor([rows])]).dataSync();
      const masked = attend(
        layer,
        [tensor([[[1], [0]]]), tensor([rows])],
        [null, tensor([[1, 1, 0]])],
      ).dataSync();
      const close = (got: ArrayLike<number>, want: readonly number[]): void => {
        want.forEach((value, i) => {
          assert.ok(Math.abs(got[i] - value) < 1e-12, `${i}: ${got[i]}, expected ${value}`);
        });
      };
      close(whole, [(2 * ln2 + 3 * ln3) / 6, 19 / 6, 8 / 6, (ln2 + ln3) / 3, 7 / 3, 4 / 3]);
      close(masked, [(2 * ln2) / 3, 1 / 3, 8 / 3, ln2 / 2, 1 / 2, 2]);
    });
  });

  test('has gradients equal to central differences, for x, memory, state and weights', () => {
    onBackend(float64, () => {
      const layer = attention({ returnState: true });
      layer.build([[-1, -1, I], [-1, D], [-1, -1, D]]); // biome-ignore format: one line
      const variables = [x, randomTensor('h', B, D), memory].map(
        (value, i) => new Parameter(`${i}`, value.shape, value.dataSync()),
      );
      const all = [...variables, ...layer.parameters];
      const mask = maskOf('11100', '11111', '10000');
      const sequences = () => variables.map((value, i) => ({ value, mask: i === 2 ? mask : null }));
      const context = { training: false, afterStep: () => {}, addLoss: () => {}, random: null as never };
      const evaluate = () =>
        outputsAndGradients(() => layer.invoke(sequences(), context).map(({ value }) => value), all);
      const { gradients } = evaluate();
      const weighted = (): number => {
        const { outputs } = evaluate();
        return outputs.reduce((total, { values, shape }, k) => {
          const weights = randomTensor(`weights ${k}`, ...shape).dataSync();
          return total + Array.from(values).reduce((sum, value, i) => sum + value * weights[i], 0);
        }, 0);
      };
      all.forEach((parameter, n) => {
        const values = parameter.dataSync();
        for (let i = 0; i < values.length; i++) {
          const lossAt = (step: number): number => {
            parameter.assign(values.map((value, j) => (j === i ? value + step : value)));
            return weighted();
          };
          const difference = (lossAt(1e-5) - lossAt(-1e-5)) / 2e-5;
          const got = gradients[n].values[i];
          assert.ok(
            Math.abs(got - difference) < 1e-7,
            `${parameter.name} ${i}: ${got}, expected ${difference}`,
          );
        }
        parameter.assign(values);
      });
    });
  });

  test('is built with the shapes of its constants, and calls prepare() once for all steps', () => {
    const layer = attention();
    const cell = layer.cell as unknown as AttentionCell;
    attend(layer);
    assert.deepEqual(cell.memoryShape, [-1, S, D]);
    assert.equal(cell.prepareCalls, 1);
  });

  test('pairs each sequence with its own constants in batches that shrink, forwards and backwards', () => {
    onBackend(float64, () => {
      const lengths = [3, 12, 1, 7, 12, 2, 0, 5, 9, 4];
      const [N, steps] = [lengths.length, 12];
      const mask = lengthMask(lengths, steps);
      const memoryMask = lengthMask([5, 1, 2, 3, 4, 5, 1, 2, 3, 4], S);
      const inner = () => stackedCells([lstmCell({ units: 2 }), new AttentionCell({ units: D })]);
      for (const make of [() => new AttentionCell({ units: D }), inner] as (() => Cell)[]) {
        for (const options of [
          { returnSequences: true, recurrentDropout: 0.4 },
          { goBackwards: true, returnSequences: true, returnState: true },
          { returnState: true, dropout: 0.3 },
        ]) {
          const layerOptions = make().cells ? { ...options, recurrentDropout: 0 } : options;
          const values = [randomTensor('x', N, steps, I), randomTensor('memory', N, S, D)];
          const evaluate = (layer: Recurrent) => {
            layer.build([[-1, -1, I], [-1, -1, D]]); // biome-ignore format: one line
            const rows: number[] = [];
            const { cell } = layer;
            const step = cell.step.bind(cell);
            Object.assign(cell, {
              step: (...all: Parameters<Cell['step']>) => {
                rows.push(all[0].shape[0]);
                return step(...all);
              },
            });
            const sequences = [
              { value: values[0], mask },
              { value: values[1], mask: memoryMask },
            ];
            const work = () =>
              run(
                layer,
                sequences.map(({ value }) => value),
                { mask, training: true, constantMask: memoryMask },
              ).map(({ value }) => value);
            return { found: outputsAndGradients(work, [...values, ...layer.parameters]), rows };
          };
          const plain = evaluate(recurrent(make(), layerOptions));
          // Sequences that have ended leave the batch only if the layer is so large that this saves time.
          const shrinking = evaluate(
            Object.assign(recurrent(make(), layerOptions), { countParams: () => 1e9 }),
          );
          assertSame(JSON.stringify(layerOptions), shrinking.found, plain.found, 1e-12);
          if (!make().cells)
            assert.ok(new Set(shrinking.rows).size > 2, `the batch had ${shrinking.rows} rows`);
        }
      }
    });
  });

  test('in a stack, constants are passed to the cells that declare them', () => {
    onBackend(float64, () => {
      const [first, second] = [new AttentionCell({ units: D }), new AttentionCell({ units: D })];
      const stack = stackedCells([first, gruCell({ units: 2 }), second]);
      assert.deepEqual(stack.constants, ['memory']);
      const whole = recurrent(stack, { returnSequences: true });
      const y = attend(whole);
      const layers = [first, gruCell({ units: 2 }), second].map((cell) =>
        recurrent((cell as Cell).clone!(), { returnSequences: true }),
      );
      const [firstLayer, secondLayer, thirdLayer] = layers as [Recurrent, Recurrent, Recurrent];
      attend(firstLayer);
      run(secondLayer, randomTensor('y', B, T, D));
      attend(thirdLayer, [randomTensor('z', B, T, 2), memory]);
      const weights = whole.getWeights();
      firstLayer.setWeights(weights.slice(0, 3));
      secondLayer.setWeights(weights.slice(3, 6));
      thirdLayer.setWeights(weights.slice(6));
      const want = attend(thirdLayer, [run(secondLayer, attend(firstLayer))[0].value, memory]);
      assert.deepEqual(y.dataSync(), want.dataSync());
      assert.deepEqual([first.prepareCalls, second.prepareCalls], [1, 1]);
    });
  });

  test('both directions of a bidirectional layer read the same constants', () => {
    onBackend(float64, () => {
      const bothDirections = bidirectional(attention());
      const y = run(bothDirections, [x, memory])[0].value;
      assert.deepEqual(y.shape, [B, T, 2 * D]);
      const [forward, backward] = [attention(), attention({ goBackwards: true })];
      for (const layer of [forward, backward]) attend(layer);
      forward.setWeights(bothDirections.forwardLayer.getWeights());
      backward.setWeights(bothDirections.backwardLayer.getWeights());
      const last = slice(attend(backward), 1, 0, 1);
      const want = concat([slice(attend(forward), 1, T - 1, T), last], -1);
      assert.deepEqual(slice(slice(y, 1, T - 1, T), 2, 0, D).dataSync(), slice(want, 2, 0, D).dataSync());
      assert.deepEqual(slice(slice(y, 1, T - 1, T), 2, D).dataSync(), slice(want, 2, D).dataSync());
      const withStates = run(bothDirections, [
        x,
        randomTensor('h', B, D),
        randomTensor('h2', B, D),
        memory,
      ])[0].value;
      assert.notDeepEqual(withStates.dataSync(), y.dataSync());
      assert.throws(
        () =>
          bidirectional(attention(), {
            backwardLayer: gru({ units: D, returnSequences: true, goBackwards: true }),
          }),
        /the cells of both directions must declare the same constants/,
      );
    });
  });

  test('initial states can be computed from constants', () => {
    class StartsFromMemory extends AttentionCell {
      zeroState(_batch: number, { memory: { value } }: CellConstants<'memory'>): { h: Tensor } {
        const [rows, , width] = value.shape;
        return { h: tensor(slice(value, 1, 0, 1).dataSync(), [rows, width]) };
      }
    }
    const [fromMemory, fromZeros] = [
      recurrent(new StartsFromMemory({ units: D })),
      recurrent(new AttentionCell({ units: D })),
    ];
    for (const layer of [fromMemory, fromZeros]) attend(layer);
    fromMemory.setWeights(fromZeros.getWeights());
    const first = tensor(slice(memory, 1, 0, 1).dataSync(), [B, D]);
    assert.deepEqual(attend(fromMemory).dataSync(), attend(fromZeros, [x, first, memory]).dataSync());
  });
});

describe('constants in a graph', () => {
  const graph = (): Functional => {
    const source = input({ shape: [null, D], name: 'memory' });
    const target = input({ shape: [null, I], name: 'x' });
    const start = input({ shape: [D], name: 'start' });
    const masked = masking().apply(source);
    const layer = recurrent(new AttentionCell({ units: D }), { returnSequences: true, name: 'attend' });
    const y = layer.apply(target, { initialState: [start], constants: [masked] });
    return model({ inputs: [target, source, start], outputs: dense({ units: 1 }).apply(y) });
  };
  registerCell(AttentionCell);

  test('a model with constants is restored from its config, and its summary lists them', () => {
    const network = graph();
    const padded = tensor(
      [...memory.dataSync()].map((value, i) => (Math.floor(i / D) % S > 2 ? 0 : value)),
      [B, S, D],
    );
    const values = [x, padded, randomTensor('start', B, D)];
    const want = run(network, values)[0].value.dataSync();
    const cut = [x, slice(padded, 1, 0, 3), values[2]];
    assert.deepEqual(want, run(network, cut)[0].value.dataSync(), 'the mask of the memory is applied');
    const restored = modelFromConfig(JSON.parse(JSON.stringify(network.config)));
    restored.build(network.inputShapes);
    restored.setWeights(network.getWeights());
    assert.deepEqual(run(restored, values)[0].value.dataSync(), want);
    assert.deepEqual(JSON.parse(JSON.stringify(restored.config)), JSON.parse(JSON.stringify(network.config)));
    assert.match(network.summary(), /attend \(RNN\) .* x, start, masking/);
  });

  test('missing, unexpected or misshapen constants are rejected with the name of the layer', () => {
    const [target, source] = [input({ shape: [null, I] }), input({ shape: [null, D] })];
    const h = input({ shape: [D] });
    assert.throws(
      () => gru({ units: D, name: 'plain' }).apply(target, { constants: [h] }),
      /Layer plain: apply\(\) takes no constants, got 1\./,
    );
    assert.throws(
      () => attention({ name: 'reader' }).apply(target, { initialState: [h] }),
      /Layer reader: apply\(\) takes the constants \[memory\], got 0\./,
    );
    assert.throws(
      () => attention({ name: 'reader' }).apply(target),
      /Layer reader: takes initial states \(h\) or none, then constants \(memory\); got 0\./,
    );
    const layer = attention({ name: 'reader' });
    layer.apply(target, { constants: [source] });
    layer.build([[-1, -1, I], [-1, -1, D]]); // biome-ignore format: one line
    assert.throws(
      () => layer.apply(target, { constants: [input({ shape: [null, D + 1] })] }),
      /Layer reader: expected the constant memory of shape \[batch, \.\.\., 3\], got \[-1, -1, 4\]/,
    );
    assert.throws(
      () => attend(layer, [x, randomTensor('m', B + 1, S, D)]),
      /the constant memory of shape \[3, \.\.\., 3\]/,
    );
    assert.throws(
      () => attend(layer, [x, memory], [null, maskOf('11')]),
      /a mask \[batch, time\] of shape \[3, 5\]/,
    );
  });
});

test('states are typed: a misspelt, missing or extra state does not compile', () => {
  const state = null as unknown as LstmState;
  const cell = lstmCell({ units: 2 });
  const context = null as unknown as StepContext;
  const bad = (): unknown[] => [
    // @ts-expect-error there is no state d
    state.d,
    // @ts-expect-error c is missing
    cell.step(x, { h: x }, context),
    // @ts-expect-error h is misspelt in the result
    { y: x, state: { hh: x, c: x } } satisfies StepResult<LstmState>,
    // @ts-expect-error the size of c is missing
    { h: 1 } satisfies Cell<LstmState>['stateSizes'],
    // @ts-expect-error there is no constant memory
    (stepContext: StepContext<'source'>) => stepContext.constants.memory,
  ];
  const good: Cell<CellState>[] = [cell, gruCell({ units: 2 }), stackedCells([cell])];
  assert.equal(good.length, 3);
  assert.equal(typeof bad, 'function');
  assert.equal(lstm({ units: 1 }).constants.length, 0);
});
