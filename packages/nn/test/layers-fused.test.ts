/**
 * Compares outputs and gradients of the fused and the step-by-step form in cases that fused.test.ts does not cover: stacks
 * of cells, and outputs of a backward layer in time order, as bidirectional layers need them. Each case runs with every
 * kind of mask and output, with and without initial states and recurrent dropout. Detects differences between the two
 * forms, and outputs in the wrong order.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Tensor } from '@unroll/core';
import { backendSync } from '@unroll/core/internal';
import {
  type CellMasks,
  coupledLstm,
  gru,
  gruCell,
  layerNormLstm,
  lstm,
  lstmCell,
  minGru,
  minLstm,
  peepholeLstm,
  projectedLstm,
  type Recurrent,
  recurrent,
  simpleRNN,
  simpleRNNCell,
  stackedCells,
} from '@unroll/nn';
import { onBackend } from '@unroll/testkit';
import { testBackends } from '@unroll/testkit/node';
import { assertSame, maskOf, outputsAndGradients, randomTensor } from './helpers.js';

const units = 3;
const [B, T, I] = [4, 5, 2];
const ones = { biasInitializer: 'ones' } as const;
const bias = { ...ones, unitForgetBias: false } as const;

const layers: Record<string, () => Recurrent> = {
  simpleRNN: () => simpleRNN({ units, ...ones }),
  lstm: () => lstm({ units, ...bias }),
  gru: () => gru({ units, ...ones }),
  peephole: () => peepholeLstm({ units, peepholeInitializer: 'ones', ...bias }),
  coupled: () => coupledLstm({ units, ...bias }),
  projected: () => projectedLstm({ units: 5, projection: units, ...bias }),
  layerNorm: () => layerNormLstm({ units, ...bias }),
  minGru: () => minGru({ units, ...ones }),
  minLstm: () => minLstm({ units, ...ones, activation: 'linear' }),
  'stacked cells': () =>
    recurrent(
      stackedCells([lstmCell({ units: 4, ...bias }), gruCell({ units: 2 }), simpleRNNCell({ units })]),
    ),
};

const masks: Record<string, Tensor | null> = {
  'no mask': null,
  'right padding': maskOf('11111', '11000', '11110', '10000'),
  'right padding in every row': maskOf('11000', '10000', '11100', '00000'),
  holes: maskOf('10101', '01101', '11111', '00110'),
};

const SCALE = 2; // the non-zero value of a dropout mask with a rate of 0.5

function dropoutMasks(layer: Recurrent): CellMasks {
  const zeroOrTwo = (width: number): Tensor =>
    maskOf(...Array.from({ length: B }, (_, b) => '1010011'.slice(b, b + width).replaceAll('1', `${SCALE}`)));
  const firstStateSize = (cell: Recurrent['cell']): number => Object.values(cell.stateSizes)[0]!;
  const inner = layer.cell.cells?.map((cell, n) => ({
    inputMask: n === 0 ? null : zeroOrTwo(layer.cell.cells![n - 1]!.units),
    recurrentDropoutMask: zeroOrTwo(firstStateSize(cell)),
  }));
  const recurrentDropoutMask = layer.className.startsWith('Min')
    ? null
    : zeroOrTwo(firstStateSize(layer.cell));
  return { inputMask: null, recurrentDropoutMask, ...(inner && { inner }) };
}

/** Yields all combinations of masks, directions and outputs, each with and without `extras`: initial states and dropout. */
function* situations() {
  for (const [maskName, mask] of Object.entries(masks)) {
    for (const [way, reverse, timeOrder] of [
      ['forward', false, false],
      ['backwards', true, false],
      ['realigned', true, true],
    ] as const) {
      for (const returnSequences of [true, false]) {
        for (const zeroOutputForMask of [false, true]) {
          for (const extras of [false, true]) {
            const what = [
              maskName,
              way,
              returnSequences ? 'sequences' : 'last',
              zeroOutputForMask && 'zeroed',
            ];
            const layout = { mask, reverse, timeOrder, returnSequences, zeroOutputForMask };
            yield {
              name: [...what, extras && 'states and dropout'].filter(Boolean).join(', '),
              layout,
              extras,
            };
          }
        }
      }
    }
  }
}

function compareForms(make: () => Recurrent, tolerance: number, list = [...situations()]): void {
  const layer = make();
  layer.build([[B, T, I]]);
  const x = randomTensor('x', B, T, I);
  const sizes = Object.entries(layer.cell.stateSizes);
  const states = Object.fromEntries(sizes.map(([name, size]) => [name, randomTensor(name, B, size)]));
  for (const { name, layout, extras } of list) {
    const context = {
      ...{ ...layout, constants: {}, prepared: {} },
      ...(extras ? dropoutMasks(layer) : { recurrentDropoutMask: null }),
    };
    const run = (stepwise: boolean) => {
      layer.stepwise = stepwise;
      return outputsAndGradients(() => {
        const { y, state } = layer.run(x, extras ? states : null, context);
        return [y, ...sizes.map(([part]) => state[part]!)];
      }, [x, ...(extras ? Object.values(states) : []), ...layer.parameters]);
    };
    assertSame(name, run(false), run(true), tolerance);
  }
}

describe('the fused and the step-by-step form have the same results in float64', () => {
  const backend = backendSync('reference:float64');
  for (const [name, make] of Object.entries(layers)) {
    test(name, () => onBackend(backend, () => compareForms(make, 1e-12)));
  }
});

for (const { name, backend, reason } of testBackends()) {
  test(`stacked cells have the same results fused and step by step on ${name}`, {
    skip: backend === null && reason,
  }, () => {
    const selected = [...situations()].filter(({ extras, layout }) => extras && !layout.zeroOutputForMask);
    onBackend(backend!, () => compareForms(layers['stacked cells']!, 1e-5, selected));
  });
}

describe('the selected form', () => {
  const formOf = (layer: Recurrent): 'fused' | 'stepped' => {
    layer.build([[B, T, I]]);
    let steps = 0;
    const { cell } = layer;
    const step = cell.step.bind(cell);
    cell.step = (...all) => {
      steps++;
      return step(...all);
    };
    const layout = { returnSequences: true, reverse: false, timeOrder: false, zeroOutputForMask: false };
    layer.run(randomTensor('x', B, T, I), null, {
      ...{ ...layout, mask: null, recurrentDropoutMask: null, constants: {}, prepared: {} },
    });
    return steps === 0 ? 'fused' : 'stepped';
  };

  test('a layer runs step by step if no kernel has its activation', () => {
    onBackend(backendSync('reference'), () => {
      assert.equal(formOf(lstm({ units, activation: 'softsign' })), 'stepped');
      assert.equal(formOf(lstm({ units })), 'fused');
    });
  });
});
