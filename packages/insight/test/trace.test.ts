/**
 * A trace equals a loop over single rows and valid steps, for every cell, mask and direction, in float64 and on every
 * backend. Detects gates in the wrong order or from the wrong step, states that change at masked steps, and a changed output.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type MaskedSequence,
  mul,
  predict,
  RandomStream,
  referenceBackend,
  type Shape,
  tensor,
} from '@unroll/core';
import { type DataArray, trace } from '@unroll/insight';
import {
  attention,
  attentionDecoder,
  bidirectional,
  dense,
  embedding,
  gru,
  input,
  Layer,
  type LayerOptions,
  lstm,
  lstmCell,
  model,
  recurrent,
  residual,
  sequential,
  stackedCells,
} from '@unroll/nn';
import { largestMagnitude, mismatch, onBackend, throwProblems } from '@unroll/testkit';
import { testBackends } from '@unroll/testkit/node';
import { B, CELLS, I, MASKS, stepByStep, T } from './cases.js';

const flat = (nested: unknown): number[] => (nested as number[]).flat(3) as number[];

const random = new RandomStream(7, 'trace');
const numbers = (count: number): number[] => Array.from(random.normal(count));
const X = Array.from({ length: B }, () => Array.from({ length: T }, () => numbers(I)));

const same = (what: string, found: DataArray | undefined, wanted: unknown, tolerance: number): string[] => {
  if (!found) return [`${what} is missing`];
  const expected = flat(wanted);
  const problem = mismatch(what, found.values, expected, tolerance * Math.max(1, largestMagnitude(expected)));
  return problem ? [problem] : [];
};

async function compareCell(name: string, tolerance: number): Promise<string[]> {
  const problems: string[] = [];
  for (const [maskName, mask] of Object.entries(MASKS)) {
    for (const goBackwards of [false, true]) {
      for (const returnSequences of [false, true]) {
        const layer = CELLS[name]!({ goBackwards, returnSequences });
        const network = sequential([layer], { seed: 3 });
        const options = { mask: mask && tensor(mask), inputs: true };
        const { layers } = await trace(network, tensor(X), options);
        const [found] = layers;
        const wanted = stepByStep(layer, X, mask ?? null, goBackwards);
        const title = `${name}, mask ${maskName}${goBackwards ? ', backwards' : ''}`;
        assert.deepEqual(Object.keys(found!.gates).sort(), Object.keys(wanted.gates).sort(), title);
        assert.deepEqual(Object.keys(found!.states).sort(), Object.keys(wanted.states).sort(), title);
        for (const gate in wanted.gates)
          problems.push(...same(`${title}: gate ${gate}`, found!.gates[gate], wanted.gates[gate], tolerance));
        for (const state in wanted.states)
          problems.push(
            ...same(`${title}: state ${state}`, found!.states[state], wanted.states[state], tolerance),
          );
        problems.push(...same(`${title}: x`, found!.x, X, tolerance));
        assert.equal(found!.reverse, goBackwards);
        assert.equal(found!.mask === null, mask === null);
      }
    }
  }
  return problems;
}

describe('a trace equals a run of the cell step by step', () => {
  for (const name of Object.keys(CELLS)) {
    test(`${name} in float64`, async () => {
      throwProblems(await onBackend(referenceBackend('float64'), () => compareCell(name, 1e-12)));
    });
    for (const { name: backendName, backend, reason } of testBackends()) {
      test(`${name} on ${backendName}`, { skip: reason || false }, async () => {
        throwProblems(await onBackend(backend!, () => compareCell(name, 2e-6)));
      });
    }
  }
});

describe('trace', () => {
  const traceX = (network: Parameters<typeof trace>[0], options = {}) => trace(network, tensor(X), options);

  test('has the outputs of predict, and one entry for each recurrent layer', async () => {
    const inner = sequential([gru({ units: 2, returnSequences: true })], { name: 'encoder' });
    const network = sequential([
      bidirectional(lstm({ units: 3, returnSequences: true }), { name: 'both' }),
      residual(lstm({ units: 6, returnSequences: true, name: 'inside' })),
      inner,
      dense({ units: 2 }),
    ]);
    const expected = await predict(network, tensor(X));
    const { layers, outputs } = await traceX(network);
    assert.deepEqual(
      layers.map(({ layer, reverse, units }) => [layer, reverse, units]),
      [
        ['both/forward_lstm', false, 3],
        ['both/backward_lstm', true, 3],
        ['residual/inside', false, 6],
        ['encoder/gru', false, 2],
      ],
    );
    assert.deepEqual(outputs[0], { shape: [B, T, 2], values: await expected.data() });
    const after = await predict(network, tensor(X));
    assert.deepEqual(await after.data(), await expected.data(), 'the model is as before');
    const two = await traceX(network, { layers: ['inside', 'both/backward_lstm'] });
    assert.deepEqual(
      two.layers.map(({ layer }) => layer),
      ['both/backward_lstm', 'residual/inside'],
    );
    await assert.rejects(
      traceX(network, { layers: ['dense'] }),
      /no recurrent layer "dense".*both\/forward_lstm/,
    );
  });

  test('a name that several layers have selects all of them, a path selects one', async () => {
    const network = sequential([
      lstm({ units: 2, returnSequences: true, name: 'forward_lstm' }),
      bidirectional(lstm({ units: 3, returnSequences: true }), { name: 'first' }),
      bidirectional(lstm({ units: 2, returnSequences: true }), { name: 'second' }),
    ]);
    const namesOf = async (...layers: string[]) =>
      (await traceX(network, { layers })).layers.map(({ layer }) => layer);
    assert.deepEqual(await namesOf('backward_lstm'), ['first/backward_lstm', 'second/backward_lstm']);
    assert.deepEqual(await namesOf('second/backward_lstm'), ['second/backward_lstm']);
    assert.deepEqual(await namesOf('forward_lstm'), ['forward_lstm']);
    assert.deepEqual((await namesOf('backward_lstm', 'first/backward_lstm')).length, 2);
  });

  test('is the same in batches as for all examples at once', async () => {
    // Compiled kernels may round differently if a batch has more rows.
    await onBackend(referenceBackend('float64'), async () => {
      const network = sequential([lstm({ units: 3, returnSequences: true }), gru({ units: 2 })]);
      const mask = tensor(MASKS.holes!);
      const whole = await traceX(network, { mask });
      assert.deepEqual(await traceX(network, { mask, batchSize: 2 }), whole);
      assert.deepEqual(structuredClone(whole), whole, 'plain data');
    });
  });

  test('is the same for the chunks of a stream as for whole sequences', async () => {
    for (const make of [CELLS.lstm!, CELLS.custom!, CELLS.minGru!, CELLS.zoneout!]) {
      const network = sequential([make({ returnSequences: true }), dense({ units: 1 })], { seed: 5 });
      const whole = await traceX(network);
      const stream = network.stream({ batch: B });
      let t = 0;
      for (const length of [2, 1, 2]) {
        const chunk = X.map((row) => row.slice(t, t + length));
        const { layers, outputs } = await trace(stream, tensor(chunk));
        const wanted = (array: DataArray): number[] =>
          Array.from({ length: B }, (_, b) => {
            const width = array.shape[2]!;
            return Array.from(array.values.slice((b * T + t) * width, (b * T + t + length) * width));
          }).flat();
        for (const name in layers[0]!.gates)
          throwProblems(
            same(`gate ${name}`, layers[0]!.gates[name], wanted(whole.layers[0]!.gates[name]!), 1e-6),
          );
        for (const name in layers[0]!.states)
          throwProblems(
            same(`state ${name}`, layers[0]!.states[name], wanted(whole.layers[0]!.states[name]!), 1e-6),
          );
        throwProblems(same('output', outputs[0], wanted(whole.outputs[0]!), 1e-6));
        t += length;
      }
      assert.equal(stream.steps, T);
    }
  });

  test('has the gates and the alignments of a decoder', async () => {
    const source = input({ shape: [4, 2], name: 'source' });
    const target = input({ shape: [null, I], name: 'target' });
    const decoder = attentionDecoder(lstmCell({ units: 3 }), attention(), {
      units: 3,
      returnSequences: true,
    });
    const memory = dense({ units: 3 }).apply(source);
    const network = model({
      inputs: [source, target],
      outputs: decoder.apply(target, { constants: [memory] }),
    });
    const memoryValues = tensor(numbers(B * 4 * 2), [B, 4, 2]);
    const { layers } = await trace(network, [memoryValues, tensor(X)]);
    const { gates, states } = layers[0]!;
    assert.deepEqual(Object.keys(gates).sort(), ['alignment', 'f', 'g', 'i', 'o']);
    assert.deepEqual(gates.alignment!.shape, [B, T, 4]);
    assert.deepEqual(states.c!.shape, [B, T, 3]);
    // c = f * (previous c) + i * g
    const { i, f, g } = gates;
    states.c!.values.forEach((c, n) => {
      const before = Math.floor(n / 3) % T === 0 ? 0 : states.c!.values[n - 3]!;
      assert.ok(Math.abs(f!.values[n]! * before + i!.values[n]! * g!.values[n]! - c) < 1e-6);
    });
  });

  test('takes ids for a model with an embedding, and has two entries for a layer that runs twice', async () => {
    const ids = sequential([embedding({ inputDim: 9, outputDim: 3, maskZero: true }), gru({ units: 2 })]);
    const { layers } = await trace(
      ids,
      tensor([
        [3, 4, 0],
        [1, 0, 0],
      ]),
    );
    assert.deepEqual(Array.from(layers[0]!.mask!.values), [1, 1, 0, 1, 0, 0]);
    const shared = lstm({ units: 2, name: 'shared' });
    const [a, b] = [input({ shape: [null, I] }), input({ shape: [null, I] })];
    const network = model({ inputs: [a, b], outputs: [shared.apply(a), shared.apply(b)] });
    const twice = await trace(network, [tensor(X), tensor(X)]);
    assert.deepEqual(
      twice.layers.map(({ layer }) => layer),
      ['shared', 'shared#1'],
    );
  });

  test('does not change the states of a stateful model', async () => {
    const layer = lstm({ units: 2, stateful: true });
    const network = sequential([layer]);
    const first = await predict(network, tensor(X));
    network.resetStates();
    await traceX(network);
    assert.deepEqual(await (await predict(network, tensor(X))).data(), await first.data());
  });

  test('rejects a model without layers, and unknown options', async () => {
    await assert.rejects(trace({} as never, tensor(X)), /trace takes a model made of layers.*got/);
    await assert.rejects(traceX(sequential([lstm({ units: 2 })]), { layer: ['lstm'] }), /no option "layer"/);
  });
});

test('a trace restores a method that a layer defines as a field', async () => {
  class Doubled extends Layer<LayerOptions> {
    static override readonly className = 'Doubled';
    readonly call = ([{ value, mask }]: readonly MaskedSequence[]) => [{ value: mul(value, 2), mask }];
    outputShapes([shape]: readonly Shape[]): Shape[] {
      return [shape!];
    }
  }
  const layer = new Doubled({});
  const { call } = layer;
  const network = sequential([layer, gru({ units: 2 })], { seed: 1 });
  await trace(network, tensor(X));
  assert.equal(layer.call, call);
});

test('a trace restores a step method that a cell has as a field, also in a stack', async () => {
  for (const wrapped of [false, true]) {
    const cell = lstmCell({ units: 2 });
    const step = cell.step.bind(cell);
    cell.step = step;
    const layer = recurrent(wrapped ? stackedCells([cell, lstmCell({ units: 2 })]) : cell);
    const network = sequential([layer], { seed: 1 });
    const before = await (await predict(network, tensor(X))).data();
    await trace(network, tensor(X));
    assert.equal(cell.step, step);
    assert.deepEqual(await (await predict(network, tensor(X))).data(), before);
  }
});
