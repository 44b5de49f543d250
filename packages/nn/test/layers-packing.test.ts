/**
 * Batches of sequences of different lengths (packing.ts, shrinking.ts). Sequences have the same outputs and gradients if
 * they run one at a time, in a padded and masked batch, and in a batch with so much padding that the layer does not compute
 * all steps. Detects padding that affects states, outputs or gradients, and skipped padding that ignores an option.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { concat, mul, pad, slice, type Tensor, tensor } from '@unroll/core';
import { backendSync } from '@unroll/core/internal';
import {
  bidirectional,
  type Cell,
  coupledLstm,
  dense,
  gru,
  gruCell,
  layerNormLstm,
  layerNormLstmCell,
  lengthMask,
  lstm,
  lstmCell,
  masking,
  minGru,
  minGruCell,
  minLstm,
  peepholeLstm,
  peepholeLstmCell,
  projectedLstm,
  projectedLstmCell,
  type Recurrent,
  type RecurrentOptions,
  recurrent,
  sequential,
  simpleRNN,
  simpleRNNCell,
  stackedCells,
  zoneoutCell,
} from '@unroll/nn';
import { onBackend } from '@unroll/testkit';
import {
  assertSame,
  maskOf,
  type OutputsAndGradients,
  outputsAndGradients,
  randomTensor,
  run,
} from './helpers.js';

const lengths = [3, 5, 1, 4];
const longest = 5;
const I = 2;
const units = 3;
const rows = lengths.map((length, b) => randomTensor(`row ${b}`, 1, length, I));

/** Returns the rows, padded to `steps` with noise times `filler`. */
function padded(steps: number, filler: number): Tensor {
  const full = rows.map((row, b) => {
    const zeros = pad(row, 1, 0, steps - lengths[b]!);
    if (filler === 0) return zeros;
    const noise = mul(randomTensor(`noise ${b}`, 1, steps - lengths[b]!, I), filler);
    return concat([slice(zeros, 1, 0, lengths[b]!), noise], 1);
  });
  return concat(full, 0);
}

const makers: Record<string, (options: object) => Recurrent> = {
  simpleRNN: (o) => simpleRNN({ units, ...o }),
  lstm: (o) => lstm({ units, ...o }),
  gru: (o) => gru({ units, ...o }),
  peephole: (o) => peepholeLstm({ units, peepholeInitializer: 'ones', ...o }),
  coupled: (o) => coupledLstm({ units, ...o }),
  projected: (o) => projectedLstm({ units: 5, projection: units, ...o }),
  layerNorm: (o) => layerNormLstm({ units, biasInitializer: 'ones', ...o }),
  minGru: (o) => minGru({ units, ...o }),
  minLstm: (o) => minLstm({ units, activation: 'linear', ...o }),
  zoneout: (o) => recurrent(zoneoutCell(lstmCell({ units }), { h: 0.2, c: 0.5 }), o),
};

const float64 = backendSync('reference:float64');

/** Runs a layer on the same data without padding and with several kinds of padding. Compares outputs and weight gradients. */
function compareLayouts(make: () => Recurrent): void {
  const layer = make();
  layer.build([[-1, -1, I]]);
  const sequences = layer.returnSequences;
  // In the backward direction, outputs are in the order of processing: padding first.
  const validOutputs = (y: Tensor, b: number, steps: number): Tensor => {
    const row = slice(y, 0, b, b + 1);
    if (!sequences) return row;
    return layer.goBackwards ? slice(row, 1, steps - lengths[b]!) : slice(row, 1, 0, lengths[b]!);
  };
  const batch = (x: Tensor, steps: number) =>
    outputsAndGradients(() => {
      const mask = lengthMask(lengths, steps);
      const y = run(layer, x, { mask })[0]!.value;
      return lengths.map((_, b) => validOutputs(y, b, steps));
    }, layer.parameters);
  const alone = outputsAndGradients(() => rows.map((row) => run(layer, row)[0]!.value), layer.parameters);
  assertSame('padded', batch(padded(longest, 0), longest), alone, 1e-12);
  assertSame('padded with noise', batch(padded(longest, 1), longest), alone, 1e-12);
  assertSame('padded with NaN', batch(padded(longest, Number.NaN), longest), alone, 1e-12);
  assertSame('padded further', batch(padded(longest + 4, 1), longest + 4), alone, 1e-12);
}

describe('single, padded and packed sequences have the same results', () => {
  for (const [name, make] of Object.entries(makers)) {
    for (const options of [
      {},
      { returnSequences: true },
      { goBackwards: true },
      { returnSequences: true, goBackwards: true },
    ]) {
      const title = [name, ...Object.keys(options)].join(' ');
      test(title, () => onBackend(float64, () => compareLayouts(() => make(options))));
    }
  }

  test('a bidirectional layer with a head', () => {
    onBackend(float64, () => {
      const layer = bidirectional(lstm({ units, returnSequences: true }));
      const head = dense({ units: 2 });
      const model = sequential([layer, head]);
      model.build([[-1, -1, I]]);
      const outputs = (x: Tensor, steps: number) =>
        outputsAndGradients(() => {
          const y = run(model, x, { mask: lengthMask(lengths, steps) })[0]!.value;
          return lengths.map((length, b) => slice(slice(y, 0, b, b + 1), 1, 0, length));
        }, model.parameters);
      const alone = outputsAndGradients(() => rows.map((row) => run(model, row)[0]!.value), model.parameters);
      assertSame('padded', outputs(padded(longest, 1), longest), alone, 1e-12);
      assertSame('padded further', outputs(padded(longest + 3, 1), longest + 3), alone, 1e-12);
    });
  });
});

/** Makes a layer appear so large that splitting its batches is worthwhile. */
function forceSplitting(layer: Recurrent): Recurrent {
  return Object.assign(layer, { countParams: () => 1e9 });
}

/** Records the number of rows in each call of `sequence`, or of `step` if the cell has no `sequence`. */
function countRows(cell: Cell): number[] {
  const rows: number[] = [];
  const method = cell.sequence ? 'sequence' : 'step';
  const original = cell[method]!.bind(cell) as (part: Tensor, ...rest: never[]) => never;
  Object.assign(cell, {
    [method](part: Tensor, ...rest: never[]) {
      rows.push(part.shape[0]!);
      return original(part, ...rest);
    },
  });
  return rows;
}

describe('batches that shrink', () => {
  const manyLengths = [3, 12, 1, 7, 12, 2, 0, 5, 9, 4];
  const [B, T] = [manyLengths.length, 12];
  const cells: Record<string, () => Cell> = {
    simpleRNN: () => simpleRNNCell({ units }),
    lstm: () => lstmCell({ units }),
    gru: () => gruCell({ units }),
    peephole: () => peepholeLstmCell({ units, peepholeInitializer: 'ones' }),
    projected: () => projectedLstmCell({ units: 5, projection: units }),
    layerNorm: () => layerNormLstmCell({ units }),
    minGru: () => minGruCell({ units }),
    stacked: () =>
      stackedCells([lstmCell({ units: 4, dropout: 0.5 }), gruCell({ units, recurrentDropout: 0.5 })]),
  };

  /** Returns outputs and gradients of a layer in training; its dropout masks depend on the seed. */
  const numbers = (layer: Recurrent, steps: number): OutputsAndGradients => {
    const x = pad(randomTensor('x', B, T, I), 1, 0, steps - T);
    const states = Object.entries(layer.cell.stateSizes).map(([name, size]) => randomTensor(name, B, size));
    const options = { mask: lengthMask(manyLengths, steps), training: true };
    const work = (): Tensor[] => run(layer, [x, ...states], options).map(({ value }) => value);
    return outputsAndGradients(work, [x, ...states, ...layer.parameters]);
  };

  function check(make: () => Cell, options: RecurrentOptions, steps: number): void {
    const [plain, shrinking] = [recurrent(make(), options), forceSplitting(recurrent(make(), options))];
    for (const layer of [plain, shrinking]) layer.build([[-1, -1, I]]); // with equal weights
    const rows = countRows(shrinking.cell);
    assertSame(JSON.stringify(options), numbers(shrinking, steps), numbers(plain, steps), 1e-12);
    assert.ok(new Set(rows).size > 2, `the batch had ${rows.join()} rows`);
    assert.ok(rows.length < 4 * steps);
  }

  for (const [name, make] of Object.entries(cells)) {
    test(`${name}: the same results as one masked batch`, () => {
      onBackend(float64, () => {
        for (const returnSequences of [true, false]) {
          for (const goBackwards of [false, true]) {
            for (const zeroOutputForMask of [false, true]) {
              for (const steps of [T, T + 3]) {
                const options = { returnSequences, goBackwards, zeroOutputForMask, returnState: true };
                check(make, options, steps);
                if (name !== 'stacked' && name !== 'minGru')
                  check(make, { ...options, dropout: 0.5, recurrentDropout: 0.5 }, steps);
              }
            }
          }
        }
      });
    });
  }

  test('both directions of a bidirectional layer: the same results as one masked batch', () => {
    onBackend(float64, () => {
      const make = () => bidirectional(gru({ units, returnSequences: true }));
      const [plain, shrinking] = [make(), make()];
      forceSplitting(shrinking.forwardLayer);
      forceSplitting(shrinking.backwardLayer);
      const x = randomTensor('x', B, T, I);
      const [got, want] = [shrinking, plain].map((layer) => {
        layer.build([x.shape]);
        return outputsAndGradients(
          () => [run(layer, x, { mask: lengthMask(manyLengths, T) })[0]!.value],
          [x, ...layer.parameters],
        );
      });
      assertSame('both', got!, want!, 1e-12);
    });
  });
});

describe('steps with padding only', () => {
  const x = randomTensor('x', 2, 6, I);
  const shortMask = maskOf('110000', '111000');

  test('are not computed', () => {
    onBackend(float64, () => {
      const layer = lstm({ units, returnSequences: true });
      layer.build([x.shape]);
      const computedSteps: number[] = [];
      const { cell } = layer;
      const sequence = cell.sequence!.bind(cell);
      cell.sequence = (part, ...rest) => {
        computedSteps.push(part.shape[1]!);
        return sequence(part, ...rest);
      };
      run(layer, x, { mask: shortMask });
      run(layer, x, { mask: maskOf('110000', '111001') });
      run(layer, x, { mask: maskOf('000000', '000000') });
      assert.deepEqual(computedSteps, [3, 6, 1]);
    });
  });

  test('repeat the last output, or are zero', () => {
    onBackend(float64, () => {
      const layer = gru({ units, returnSequences: true });
      const y = run(layer, x, { mask: shortMask })[0]!.value.toArray() as number[][][];
      assert.deepEqual(y[0]!.slice(2), new Array(4).fill(y[0]![1]));
      assert.deepEqual(y[1]!.slice(3), new Array(3).fill(y[1]![2]));
      const zeroed = gru({ units, returnSequences: true, zeroOutputForMask: true });
      const z = run(zeroed, x, { mask: shortMask })[0]!.value.toArray() as number[][][];
      assert.deepEqual(z[0]!.slice(2), new Array(4).fill([0, 0, 0]));
    });
  });

  test('a batch of padding only has outputs of 0 and keeps the initial state', () => {
    onBackend(float64, () => {
      const layer = lstm({ units, returnSequences: true, returnState: true });
      const states = [randomTensor('h', 2, units), randomTensor('c', 2, units)];
      const [y, h, c] = run(layer, [x, ...states], { mask: maskOf('000000', '000000') });
      assert.ok(y!.value.dataSync().every((value) => value === 0));
      assert.deepEqual(h!.value.dataSync(), states[0]!.dataSync());
      assert.deepEqual(c!.value.dataSync(), states[1]!.dataSync());
    });
  });
});

describe('masking', () => {
  test('accepts an infinite maskValue, and does not propagate the masked values', () => {
    const layer = masking({ maskValue: Number.POSITIVE_INFINITY });
    const [{ value, mask }] = run(layer, tensor([[[1], [Number.POSITIVE_INFINITY]]]));
    assert.deepEqual([value.toArray(), mask?.toArray()], [[[[1], [0]]], [[1, 0]]]);
  });

  test('masks the steps whose features all equal maskValue', () => {
    const values = [
      [
        [1, 2],
        [0, 3],
        [0, 0],
      ],
      [
        [0, 0],
        [4, 0],
        [5, 6],
      ],
    ];
    const { value, mask } = run(
      masking(),
      onBackend(float64, () => concat([values], 0)),
    )[0]!;
    assert.deepEqual(mask!.toArray(), [
      [1, 1, 0],
      [0, 1, 1],
    ]);
    assert.deepEqual(value.toArray(), values);
    const masked = run(
      masking({ maskValue: 0.1 }),
      concat(
        [
          [
            [
              [0.1, 0.1],
              [0.1, 2],
            ],
          ],
        ],
        0,
      ),
    )[0]!;
    assert.deepEqual(masked.mask!.toArray(), [[0, 1]]);
    assert.deepEqual((masked.value.toArray() as number[][][])[0]![0], [0, 0]);
  });
});
