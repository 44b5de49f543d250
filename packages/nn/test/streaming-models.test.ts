/**
 * Streams. For every causal layer, the results step by step and chunk by chunk equal the results of the whole sequence.
 * States can be saved, restored, forked and selected. Non-causal layers are rejected with an error that names them.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { slice, type Tensor, tensor } from '@unroll/core';
import { backendSync } from '@unroll/core/internal';
import {
  activation,
  addLayer,
  batchNormalization,
  bidirectional,
  concatenate,
  coupledLstm,
  dense,
  dropout,
  embedding,
  flatten,
  generalLstm,
  gru,
  gruCell,
  input,
  type Layer,
  layerNormalization,
  layerNormLstm,
  lstm,
  lstmCell,
  masking,
  minGru,
  minLstm,
  model,
  multiply,
  type Network,
  peepholeLstm,
  permuteLayer,
  projectedLstm,
  recurrent,
  repeatVector,
  reshapeLayer,
  sequential,
  simpleRNN,
  stackedCells,
  tensorOperation,
  timeDistributed,
  zoneoutCell,
} from '@unroll/nn';
import { mismatch, onBackend } from '@unroll/testkit';
import { maskOf, randomTensor, run } from './helpers.js';

const float64 = backendSync('reference:float64');
const [B, T, I] = [3, 7, 2];
const units = 4;

const layers: Record<string, () => Layer[]> = {
  simpleRNN: () => [simpleRNN({ units, returnSequences: true })],
  lstm: () => [lstm({ units, returnSequences: true })],
  gru: () => [gru({ units, returnSequences: true })],
  'gru, reset before': () => [gru({ units, resetAfter: false, returnSequences: true })],
  peephole: () => [peepholeLstm({ units, returnSequences: true, peepholeInitializer: 'ones' })],
  coupled: () => [coupledLstm({ units, returnSequences: true })],
  projected: () => [projectedLstm({ units, projection: 2, returnSequences: true })],
  'layer-normalised': () => [layerNormLstm({ units, returnSequences: true })],
  'general LSTM': () => [generalLstm({ units, peephole: true, clip: 1, returnSequences: true })],
  'operations on tensors': () => [
    lstm({ units, returnSequences: true }),
    tensorOperation({ operation: 'multiply', operands: [null, 0.5] }),
    tensorOperation({ operation: 'reshape', shape: [{ axis: 1 }, 2, 2] }),
    tensorOperation({ operation: 'take', axis: 2, indices: 1 }),
    tensorOperation({ operation: 'sum', axes: [2], keepDims: true }),
  ],
  minGru: () => [minGru({ units, returnSequences: true })],
  minLstm: () => [minLstm({ units, activation: 'linear', returnSequences: true })],
  zoneout: () => [recurrent(zoneoutCell(lstmCell({ units }), { h: 0.2, c: 0.5 }), { returnSequences: true })],
  'stacked cells': () => [
    recurrent(stackedCells([lstmCell({ units }), gruCell({ units: 2 })]), { returnSequences: true }),
  ],
  'two layers and a head': () => [
    lstm({ units, returnSequences: true, dropout: 0.5, recurrentDropout: 0.5 }),
    dropout({ rate: 0.5 }),
    gru({ units: 3, returnSequences: true }),
    layerNormalization(),
    batchNormalization(),
    dense({ units: 2, activation: 'softmax' }),
  ],
  'time-distributed': () => [
    timeDistributed(dense({ units: 3 })),
    activation('tanh'),
    lstm({ units, returnSequences: true }),
    permuteLayer({ dims: [1, 2] }),
  ],
  'stateful layers': () => [lstm({ units, stateful: true, returnSequences: true })],
};

const valuesOf = (tensor: Tensor): ArrayLike<number> => tensor.dataSync();
const equal = (what: string, got: Tensor, want: Tensor): void => {
  assert.deepEqual(got.shape, want.shape, what);
  assert.equal(mismatch(what, valuesOf(got), valuesOf(want), 1e-13), null);
};

/** Runs chunks of these lengths and compares each with the results of the whole sequence. */
function checkChunks(network: Network, x: Tensor, whole: Tensor, chunks: readonly number[]): void {
  const stream = network.stream({ batch: x.shape[0]! });
  let from = 0;
  for (const length of chunks) {
    const to = from + length;
    equal(`steps ${from} to ${to}`, stream.push(slice(x, 1, from, to)), slice(whole, 1, from, to));
    from = to;
  }
  assert.equal(stream.steps, from);
}

describe('a stream has the results of the whole sequence', () => {
  for (const [name, make] of Object.entries(layers)) {
    test(name, () => {
      onBackend(float64, () => {
        const network = sequential(make());
        const x = randomTensor('x', B, T, I);
        network.build([[-1, -1, I]]);
        const whole = run(network, x)[0]!.value;
        const stream = network.stream({ batch: B });
        for (let t = 0; t < T; t++) {
          const step = slice(x, 1, t, t + 1);
          const y = stream.step(tensor(step.dataSync(), [B, I]));
          equal(`step ${t}`, y, tensor(slice(whole, 1, t, t + 1).dataSync(), [B, whole.shape[2]!]));
        }
        checkChunks(network, x, whole, [3, 1, 2, 1]);
        checkChunks(network, x, whole, [7]);
      });
    });
  }

  test('a model with one output per sequence returns the output for the sequence so far', () => {
    onBackend(float64, () => {
      const network = sequential([lstm({ units }), dense({ units: 2 })]);
      const x = randomTensor('x', B, T, I);
      network.build([[-1, -1, I]]);
      const stream = network.stream({ batch: B });
      for (let t = 0; t < T; t++) {
        const y = stream.push(slice(x, 1, t, t + 1));
        equal(`after step ${t}`, y, run(network, slice(x, 1, 0, t + 1))[0]!.value);
      }
    });
  });

  test('masked steps, with masks from embedding() and from masking(), also at the start of a chunk', () => {
    onBackend(float64, () => {
      const ids = tensor([
        [1, 2, 0, 0, 3, 4, 0],
        [0, 0, 1, 2, 0, 0, 3],
        [4, 3, 2, 1, 0, 0, 0],
      ]);
      for (const zeroOutputForMask of [false, true]) {
        const network = sequential([
          embedding({ inputDim: 5, outputDim: I, maskZero: true }),
          lstm({ units, returnSequences: true, zeroOutputForMask }),
          gru({ units, returnSequences: true }),
        ]);
        network.build([[-1, -1]]);
        const whole = run(network, ids)[0]!.value;
        for (const chunks of [
          [1, 1, 1, 1, 1, 1, 1],
          [2, 2, 3],
          [4, 3],
        ])
          checkChunks(network, ids, whole, chunks);
      }
      const network = sequential([masking(), gru({ units, returnSequences: true })]);
      const x = tensor(randomTensor('x', B, T, I).dataSync(), [B, T, I]);
      const xWithGaps = tensor(
        [...x.dataSync()].map((value, i) => (Math.floor(i / I) % 3 === 1 ? 0 : value)),
        [B, T, I],
      );
      network.build([[-1, -1, I]]);
      checkChunks(network, xWithGaps, run(network, xWithGaps)[0]!.value, [2, 2, 2, 1]);
    });
  });

  test('a mask for each chunk', () => {
    onBackend(float64, () => {
      const network = sequential([gru({ units, returnSequences: true })]);
      const x = randomTensor('x', 1, 6, I);
      network.build([[-1, -1, I]]);
      const whole = run(network, x, { mask: maskOf('101101') })[0]!.value;
      const stream = network.stream();
      equal('first', stream.push(slice(x, 1, 0, 3), maskOf('101')), slice(whole, 1, 0, 3));
      equal('second', stream.push(slice(x, 1, 3, 6), maskOf('101')), slice(whole, 1, 3, 6));
    });
  });

  test('a graph with a residual connection, a shared layer and two outputs', () => {
    onBackend(float64, () => {
      const x = input({ shape: [null, I] });
      const shared = gru({ units: I, returnSequences: true });
      const once = shared.apply(x);
      const twice = shared.apply(once);
      const joined = concatenate().apply([addLayer().apply([x, twice]), multiply().apply([once, x])]);
      const network = model({ inputs: x, outputs: [dense({ units: 1 }).apply(joined), once] });
      const values = randomTensor('x', B, T, I);
      const [whole, second] = run(network, values).map(({ value }) => value);
      const stream = network.stream({ batch: B });
      for (let t = 0; t < T; t += 2) {
        stream.push(slice(values, 1, t, Math.min(T, t + 2)));
        equal(`first, from ${t}`, stream.outputs[0]!, slice(whole!, 1, t, Math.min(T, t + 2)));
        equal(`second, from ${t}`, stream.outputs[1]!, slice(second!, 1, t, Math.min(T, t + 2)));
      }
    });
  });

  test('a nested model', () => {
    onBackend(float64, () => {
      const inner = sequential([gru({ units, returnSequences: true }), sequential([dense({ units: 3 })])]);
      const network = sequential([inner, lstm({ units, returnSequences: true })]);
      const x = randomTensor('x', B, T, I);
      network.build([[-1, -1, I]]);
      checkChunks(network, x, run(network, x)[0]!.value, [2, 4, 1]);
    });
  });

  test('in float32, on the default backend', () => {
    const network = sequential([lstm({ units: 16, returnSequences: true }), dense({ units: 2 })]);
    const x = tensor(Float32Array.from(randomTensor('x', 2, 20, 3).dataSync()), [2, 20, 3]);
    network.build([[-1, -1, 3]]);
    const whole = run(network, x)[0]!.value;
    const stream = network.stream({ batch: 2 });
    for (let t = 0; t < 20; t++) {
      const got = stream.push(slice(x, 1, t, t + 1));
      const want = slice(whole, 1, t, t + 1);
      assert.equal(mismatch(`step ${t}`, got.dataSync(), want.dataSync(), 1e-6), null);
    }
  });
});

describe('the state of a stream', () => {
  const x = randomTensor('x', B, T, I);
  const make = (): Network => {
    const network = sequential([
      lstm({ units, returnSequences: true }),
      gru({ units, returnSequences: true }),
    ]);
    network.build([[-1, -1, I]]);
    return network;
  };
  const pushRest = (stream: { push(x: Tensor): Tensor }): Tensor => stream.push(slice(x, 1, 4));

  test('continues after a round trip through JSON, in another model with the same weights', async () => {
    await onBackend(float64, async () => {
      const stream = make().stream({ batch: B });
      stream.push(slice(x, 1, 0, 4));
      const saved = JSON.parse(JSON.stringify(await stream.save()));
      const other = make().stream({ state: saved });
      assert.equal(other.batch, B);
      assert.equal(other.steps, 4);
      equal('the rest', pushRest(other), pushRest(stream));
    });
  });

  test('can be restored in the same stream after further steps, and can be reset', async () => {
    await onBackend(float64, async () => {
      const stream = make().stream({ batch: B });
      stream.push(slice(x, 1, 0, 4));
      const saved = await stream.save();
      const first = pushRest(stream);
      stream.restore(saved);
      equal('again', pushRest(stream), first);
      stream.reset();
      assert.equal(stream.steps, 0);
      stream.push(slice(x, 1, 0, 4));
      equal('from the start', pushRest(stream), first);
    });
  });

  test('forks are independent', () => {
    onBackend(float64, () => {
      const stream = make().stream({ batch: B });
      stream.push(slice(x, 1, 0, 4));
      const fork = stream.fork();
      fork.push(randomTensor('elsewhere', B, 3, I));
      const whole = run(make(), x)[0]!.value;
      equal('the rest', pushRest(stream), slice(whole, 1, 4));
    });
  });

  test('selects rows, as in beam search', () => {
    onBackend(float64, () => {
      const stream = make().stream({ batch: B });
      stream.push(slice(x, 1, 0, 4));
      const selected = stream.select([2, 0, 2, 2]);
      const all = pushRest(stream);
      const y = selected.push(
        tensor([2, 0, 2, 2].flatMap((b) => slice(slice(x, 1, 4), 0, b, b + 1).toArray()) as number[][][]),
      );
      [2, 0, 2, 2].forEach((b, i) => {
        equal(`row ${i}`, slice(y, 0, i, i + 1), slice(all, 0, b, b + 1));
      });
    });
  });

  test('is rejected if the batch size or the format is wrong, or if the data is damaged', async () => {
    await onBackend(float64, async () => {
      const stream = make().stream({ batch: 2 });
      const saved = await make().stream({ batch: B }).save();
      assert.throws(() => stream.restore(saved), /The saved state has 3 sequences, but this stream has 2/);
      assert.throws(() => stream.restore({} as never), /stream state must have the format/);
      const empty = await make().stream({ batch: 2 }).save();
      assert.throws(() => stream.restore({ ...empty, memory: null as never }), /saved state is damaged/);
      assert.throws(() => stream.push(x), /has 2 sequences: push\(\) takes \[2, time, \.\.\.\]/);
    });
  });

  test('does not change the states of stateful layers', () => {
    onBackend(float64, () => {
      const network = sequential([gru({ units, stateful: true, returnSequences: true })]);
      const [firstPart, secondPart] = [slice(x, 1, 0, 3), slice(x, 1, 3)];
      run(network, firstPart);
      network.stream({ batch: B }).push(randomTensor('elsewhere', B, 2, I));
      const fresh = sequential([gru({ units, returnSequences: true })]);
      equal('second call', run(network, secondPart)[0]!.value, slice(run(fresh, x)[0]!.value, 1, 3));
    });
  });
});

describe('rejects non-causal layers with their name and the reason', () => {
  const refused: [string, Layer[], RegExp][] = [
    [
      'bidirectional',
      [bidirectional(lstm({ units, name: 'both' }), { name: 'ends' })],
      /Layer ends: .*bidirectional/,
    ],
    [
      'goBackwards',
      [gru({ units, goBackwards: true, name: 'back' })],
      /Layer back: cannot be streamed: it runs backwards/,
    ],
    ['flatten over time', [flatten({ name: 'flat' })], /Layer flat: .*flattens all steps .* into one vector/],
    [
      'reshape over time',
      [reshapeLayer({ targetShape: [-1], name: 'shape' })],
      /Layer shape: .*whole sequences/,
    ],
    [
      'permutation of the time axis',
      [permuteLayer({ dims: [2, 1], name: 'turn' })],
      /Layer turn: .*time axis/,
    ],
    [
      'repeatVector',
      [lstm({ units }), repeatVector({ n: 3, name: 'again' })],
      /Layer again: .*from one vector/,
    ],
    [
      'normalisation over the time axis',
      [layerNormalization({ axis: [1, 2], name: 'norm' })],
      /Layer norm: .*over the time axis/,
    ],
  ];
  for (const [name, list, message] of refused) {
    test(name, () => {
      assert.throws(() => sequential(list).stream(), message);
    });
  }

  test('normalisation over the time axis, given as a negative axis', () => {
    for (const axis of [-2, [-2, -1]]) {
      const network = sequential([input({ shape: [4, I] }), layerNormalization({ axis, name: 'norm' })]);
      const chunk = tensor(new Float32Array(2 * I), [1, 2, I]);
      assert.throws(
        () => network.stream().push(chunk),
        /Layer norm: expected known sizes .* over the time axis .* cannot be streamed/,
      );
      network.build();
      assert.throws(
        () => network.stream(),
        /Layer norm: cannot be streamed: it normalises over the time axis/,
      );
    }
  });

  test('concatenation over the time axis, and initial states from another layer', () => {
    const x = input({ shape: [null, I] });
    const [y, h, c] = lstm({ units, returnState: true, returnSequences: true }).apply(x);
    const chained = concatenate({ axis: 1, name: 'chain' }).apply([y!, y!]);
    assert.throws(
      () => model({ inputs: x, outputs: chained }).stream(),
      /Layer chain: .*concatenates sequences along the time axis/,
    );
    const decoded = lstm({ units, name: 'decoder' }).apply(x, { initialState: [h!, c!] });
    assert.throws(
      () => model({ inputs: x, outputs: decoded }).stream(),
      /Layer decoder: .*states or constants from another layer/,
    );
  });
});

test('flatten is causal after a layer that returns only its last output', () => {
  const network = sequential([lstm({ units }), flatten(), dense({ units: 1 })]);
  network.build([[-1, -1, I]]);
  assert.deepEqual(network.stream().step([[1, 2]]).shape, [1, 1]);
});
