/**
 * Streams with fixed inputs, which stay the same during the stream, and streams with initial states. Their outputs are those of
 * a run over the whole sequence. These streams are saved, restored, forked and selected together with their fixed inputs and
 * states, and they reject inputs and states with a wrong name or shape. The error names the input or the state.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { concat, slice, type Tensor, tensor } from '@unroll/core';
import { backendSync } from '@unroll/core/internal';
import {
  bidirectional,
  dense,
  type Functional,
  gru,
  input,
  lstm,
  lstmCell,
  masking,
  model,
  type Network,
  recurrent,
  type Sequential,
  type Stream,
  sequential,
  stackedCells,
} from '@unroll/nn';
import { mismatch, onBackend } from '@unroll/testkit';
import { AttentionCell } from './attention-cell.js';
import { maskOf, randomTensor, run } from './helpers.js';

const float64 = backendSync('reference:float64');
const [B, T, I, S, D] = [3, 6, 2, 4, 3];
const x = randomTensor('x', B, T, I);
const start = randomTensor('start', B, D);
const memory = tensor(
  [...randomTensor('memory', B, S, D).dataSync()].map((value, i) =>
    Math.floor(i / D) % S === S - 1 ? 0 : value,
  ),
  [B, S, D],
);

const equal = (what: string, got: Tensor, want: Tensor): void => {
  assert.deepEqual(got.shape, want.shape, what);
  assert.equal(mismatch(what, got.dataSync(), want.dataSync(), 1e-13), null);
};

interface AttentionModel {
  network: Functional;
  cell: AttentionCell;
}

/** Returns a model of three inputs: x, which is streamed; a memory, which a non-causal layer encodes; and an initial state. */
function attentionModel(): AttentionModel {
  const source = input({ shape: [null, D], name: 'memory' });
  const target = input({ shape: [null, I], name: 'x' });
  const initial = input({ shape: [D], name: 'start' });
  const encoded = bidirectional(gru({ units: 2, returnSequences: true })).apply(masking().apply(source));
  const cell = new AttentionCell({ units: D });
  const stack = stackedCells([lstmCell({ units: 2 }), cell]);
  const lstmStates = ['0.h', '0.c'].map((name) =>
    dense({ units: 2, name: name.replace('.', '_') }).apply(initial),
  );
  const y = recurrent(stack, { returnSequences: true, name: 'attend' }).apply(target, {
    initialState: [...lstmStates, initial],
    constants: [dense({ units: D }).apply(encoded)],
  });
  const network = model({ inputs: [source, target, initial], outputs: dense({ units: 1 }).apply(y) });
  return { network, cell };
}

const fixedInputs = { memory, start };
const chunks = [1, 2, 3];

/** Pushes x in chunks, beginning at step `first`, and compares the outputs with those of the whole sequence. */
function checkChunks(stream: Stream, whole: Tensor, first = 0): void {
  let from = first;
  for (const length of chunks) {
    if (from >= T) return;
    const to = Math.min(T, from + length);
    equal(`steps ${from} to ${to}`, stream.push(slice(x, 1, from, to)), slice(whole, 1, from, to));
    from = to;
  }
}

describe('a stream with fixed inputs', () => {
  test('has the results of the whole sequence, and runs the encoder and prepare() once', () => {
    onBackend(float64, () => {
      const { network, cell } = attentionModel();
      const whole = run(network, [memory, x, start])[0].value;
      cell.prepareCalls = 0;
      const encoder = network.getLayer('bidirectional');
      let encoderCalls = 0;
      const invoke = encoder.invoke.bind(encoder);
      encoder.invoke = (...all) => {
        encoderCalls++;
        return invoke(...all);
      };
      const stream = network.stream({ inputs: fixedInputs });
      assert.equal(stream.batch, B);
      checkChunks(stream, whole);
      assert.deepEqual([cell.prepareCalls, encoderCalls], [1, 1]);
      const single = stream.fork();
      single.reset();
      const step = single.step(tensor(slice(x, 1, 0, 1).dataSync(), [B, I]));
      equal('one step', step, tensor(slice(whole, 1, 0, 1).dataSync(), [B, 1]));
    });
  });

  test('accepts a mask with a fixed input', async () => {
    await onBackend(float64, async () => {
      const source = input({ shape: [null, D], name: 'memory' });
      const target = input({ shape: [null, I], name: 'x' });
      const cell = new AttentionCell({ units: D });
      const y = recurrent(cell, { returnSequences: true }).apply(target, { constants: [source] });
      const network = model({ inputs: [target, source], outputs: y });
      const mask = maskOf('1110', '1000', '1100');
      const whole = run(network, [x, memory], { constantMask: mask })[0].value;
      const stream = network.stream({ inputs: { memory: { value: memory, mask } } });
      checkChunks(stream, whole);
      const saved = JSON.parse(JSON.stringify(await stream.save()));
      equal('restored', network.stream({ state: saved }).push(x), stream.push(x));
      assert.throws(
        () => network.stream({ inputs: { memory: { value: memory, mask: maskOf('11') } } }),
        /input "memory" takes a mask \[3, 4\], got \[1, 2\]/,
      );
    });
  });

  test('is saved, restored, forked, selected and reset with its fixed inputs', async () => {
    await onBackend(float64, async () => {
      const { network } = attentionModel();
      const whole = run(network, [memory, x, start])[0].value;
      const stream = network.stream({ inputs: fixedInputs });
      stream.push(slice(x, 1, 0, 2));
      const saved = JSON.parse(JSON.stringify(await stream.save()));
      checkChunks(stream.fork(), whole, 2);
      checkChunks(network.stream({ state: saved }), whole, 2);
      const other = network.stream({ inputs: { memory: randomTensor('other', B, S + 1, D), start } });
      other.restore(saved);
      checkChunks(other, whole, 2);
      other.reset();
      checkChunks(other, whole);
      const selected = stream.select([2, 0]);
      const pick = (all: Tensor): Tensor =>
        concat(
          [2, 0].map((row) => slice(all, 0, row, row + 1)),
          0,
        );
      equal('picked', selected.push(slice(pick(x), 1, 2)), slice(pick(whole), 1, 2));
      selected.reset();
      equal('picked and reset', selected.push(pick(x)), pick(whole));
    });
  });

  test('rejects inputs with a wrong name, shape, batch size or number', () => {
    const { network } = attentionModel();
    const wrong = (inputs: Record<string, Tensor>, message: RegExp): void => {
      assert.throws(() => network.stream({ inputs }), message);
    };
    wrong(
      { memry: memory },
      /stream\(\{ inputs \}\) has an unknown input "memry"\. The inputs are memory, x, start\./,
    );
    wrong(
      { memory, x, start },
      /stream\(\{ inputs \}\) fixes all inputs \(memory, x, start\)\. Leave out at least one/,
    );
    wrong(
      { memory: randomTensor('m', B, S, D + 1), start },
      /input "memory" expects \[-1, -1, 3\] .* got \[3, 4, 4\]/,
    );
    wrong(
      { memory, start: randomTensor('s', 2, D) },
      /a stream's inputs must have the same batch size, got 3, 2/,
    );
    assert.throws(
      () => network.stream({ inputs: fixedInputs, batch: 2 }),
      /the same batch size, got 2, 3, 3/,
    );
    assert.throws(
      () => network.stream({ inputs: fixedInputs }).push([x, x]),
      /The stream of Model functional takes one tensor for each of its inputs \(x\), got 2\./,
    );
    assert.throws(
      () => sequential([gru({ units: 2 })]).stream({ inputs: fixedInputs }),
      /Model sequential has one input, which push\(\) takes\. Remove the option inputs\./,
    );
    // An encoder of the streamed input needs the whole sequence.
    const source = input({ shape: [null, I], name: 'source' });
    const [, h, c] = lstm({ units: D, returnState: true }).apply(source);
    const decoded = lstm({ units: D, name: 'decoder' }).apply(source, { initialState: [h, c] });
    assert.throws(
      () => model({ inputs: source, outputs: decoded }).stream(),
      /Layer decoder: cannot be streamed: it takes states or constants from another layer/,
    );
  });
});

describe('a stream with initial states', () => {
  const make = (): Sequential => {
    const network = sequential([
      lstm({ units: D, returnSequences: true, name: 'lstm' }),
      sequential([gru({ units: 2, returnSequences: true, name: 'inside' })], { name: 'inner' }),
    ]);
    network.build([[-1, -1, I]]);
    return network;
  };
  const states = {
    lstm: { h: start, c: randomTensor('c', B, D) },
    'inner/inside': { h: randomTensor('h', B, 2) },
  };

  test('gives the outputs of layers that start in these states, and returns to the states on reset()', async () => {
    await onBackend(float64, async () => {
      const network = make();
      const hidden = run(network.getLayer('lstm'), [x, states.lstm.h, states.lstm.c])[0].value;
      const inside = (network.getLayer('inner') as Network).getLayer('inside');
      const whole = run(inside, [hidden, states['inner/inside'].h])[0].value;
      const stream = network.stream({ batch: B, initialState: states });
      checkChunks(stream, whole);
      stream.reset();
      checkChunks(stream, whole);
      const restarted = network.stream({ batch: B, initialState: states });
      checkChunks(network.stream({ state: await restarted.save() }), whole);
    });
  });

  test('returns to its initial states on reset(), also if it was restored from a saved stream', async () => {
    const network = sequential([lstm({ units: 2, name: 'lstm' })]);
    network.build([[-1, -1, 3]]);
    const initialState = { lstm: { h: randomTensor('h', 1, 2), c: randomTensor('c', 1, 2) } };
    const stream = network.stream({ initialState });
    const first = randomTensor('first', 1, 3);
    const wanted = stream.step(first);
    const restored = network.stream({ state: JSON.parse(JSON.stringify(await stream.save())) });
    restored.reset();
    equal('reset', restored.step(first), wanted);
  });

  test('rejects missing, unknown and wrongly shaped states; the error names layer, state and shape', () => {
    const network = make();
    const streamFrom = (initialState: Record<string, Record<string, Tensor>>) => () =>
      network.stream({ batch: B, initialState });
    assert.throws(
      streamFrom({ lstm: { h: start } }),
      /initialState does not fit Model sequential: expected lstm\/c \[3, 3\], got nothing/,
    );
    assert.throws(streamFrom({ lstn: states.lstm }), /expected nothing, got lstn\/h \[3, 3\]/);
    assert.throws(
      streamFrom({ lstm: { ...states.lstm, h: randomTensor('h', B, 2) } }),
      /expected lstm\/h \[3, 3\], got lstm\/h \[3, 2\]/,
    );
  });
});

describe('a saved state', () => {
  const make = (units: number, name: string): Sequential => {
    const network = sequential([lstm({ units, returnSequences: true, name })]);
    network.build([[-1, -1, I]]);
    return network;
  };
  const savedBy = (network: Network) => {
    const stream = network.stream({ batch: B });
    stream.push(x);
    return stream.save();
  };

  test('of another model is rejected if its layers, states or shapes differ', async () => {
    const network = make(D, 'lstm');
    const refused = async (other: Network, message: RegExp): Promise<void> => {
      const state = await savedBy(other);
      assert.throws(() => network.stream({ state }), message);
      const stream = network.stream({ batch: B });
      const before = stream.push(x).dataSync();
      assert.throws(() => stream.restore(state), message);
      stream.reset();
      assert.deepEqual(stream.push(x).dataSync(), before, 'the stream must be unchanged');
    };
    await refused(
      make(D, 'other'),
      /The saved state does not fit Model sequential: expected lstm\/h \[3, 3\], got other\/h \[3, 3\]/,
    );
    await refused(make(4, 'lstm'), /expected lstm\/h \[3, 3\], got lstm\/h \[3, 4\]/);
    const wider = sequential([
      lstm({ units: D, returnSequences: true, name: 'lstm' }),
      gru({ units: 2, name: 'more' }),
    ]);
    await refused(wider, /expected nothing, got more\/h \[3, 2\]/);
    const { network: functional } = attentionModel();
    const state = await functional.stream({ inputs: fixedInputs }).save();
    assert.throws(() => network.stream({ state }), /expected nothing, got memory/);
  });
});

test('push() checks the shape of the mask', () => {
  const network = sequential([gru({ units: 2, returnSequences: true })]);
  network.build([[-1, -1, I]]);
  const stream = network.stream({ batch: B });
  assert.throws(() => stream.push(x, maskOf('11')), /push\(\) takes a mask \[3, 6\], got \[1, 2\]/);
});
