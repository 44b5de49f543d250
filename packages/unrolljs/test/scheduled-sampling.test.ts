/** The option `prepareInputs` of `fit`, and `scheduledSampling`, which returns a function for this option. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  dense,
  embedding,
  generate,
  gru,
  input,
  model,
  type PrepareInputs,
  RandomStream,
  scheduledSampling,
  type Tensor,
  tensor,
} from 'unrolljs';

const V = 9;

/** Returns an encoder-decoder model with random weights. */
function translator() {
  const source = input({ shape: [null, 2], name: 'source' });
  const previous = input({ shape: [null], name: 'previous' });
  const state = gru({ units: 6 }).apply(source);
  const decoder = gru({ units: 6, returnSequences: true });
  const decoded = decoder.apply(embedding({ inputDim: V, outputDim: 4 }).apply(previous), {
    initialState: [state],
  });
  const network = model({ inputs: [source, previous], outputs: dense({ units: V }).apply(decoded) });
  for (const [i, parameter] of network.parameters.entries())
    parameter.assign(new RandomStream(i, 'weights').normal(parameter.size, 0, 1));
  return network;
}
const B = 3;
const T = 5;
const source = tensor(new RandomStream(1, 'source').normal(B * 4 * 2), [B, 4, 2]);
const previous = tensor([[8, 1, 2, 3, 4], [8, 5, 6, 0, 0], [8, 7, 1, 1, 1]]); // biome-ignore format: one line
const step = (updates = 0, seed = 1) => ({ epoch: 1, step: 1, updates, random: new RandomStream(seed) });
const rowsOf = async (inputs: readonly Tensor[]): Promise<number[][]> => {
  const values = await inputs[1].data();
  return Array.from({ length: B }, (_, b) => [...values.subarray(b * T, (b + 1) * T)]);
};

describe('scheduledSampling', () => {
  test('with probability 1 the decoder reads its own greedy output', async () => {
    const network = translator();
    const mix = scheduledSampling(network, { input: 'previous', probability: 1 });
    const inputs = await mix([source, previous], step());
    const outputs = await generate(network.stream({ inputs: { source } }), { prompt: 8, maxLength: T - 1 });
    assert.deepEqual(await rowsOf(inputs), outputs.map(({ tokens }) => [8, ...tokens])); // biome-ignore format: one line
    assert.equal(inputs[0], source);
    assert.deepEqual(
      (await rowsOf([source, previous]))[1],
      [8, 5, 6, 0, 0],
      'the batch itself must not change',
    );
  });

  test('with probability 0 nothing changes; padding is never replaced; equal seeds give equal results', async () => {
    const network = translator();
    const at = async (probability: number, padding?: number, seed = 1) => {
      const options = { input: 'previous', probability, ...(padding === undefined ? {} : { padding }) };
      return rowsOf(await scheduledSampling(network, options)([source, previous], step(0, seed)));
    };
    assert.deepEqual(await at(0), await rowsOf([source, previous]));
    assert.deepEqual((await at(1, 0))[1].slice(3), [0, 0]);
    assert.deepEqual(await at(0.5), await at(0.5));
    const half = await Promise.all(Array.from({ length: 8 }, (_, seed) => at(0.5, undefined, seed)));
    assert.ok(new Set(half.map((rows) => rows.join(';'))).size > 1);
  });

  test('the probability may be a function of the number of updates; tokens may be sampled', async () => {
    const network = translator();
    const seen: number[] = [];
    const mix = scheduledSampling(network, {
      input: 'previous',
      temperature: 1,
      probability: (updates) => {
        seen.push(updates);
        return Math.min(1, updates / 2);
      },
    });
    const target = tensor([[1, 2, 3, 4, 5], [5, 6, 0, 0, 0], [7, 1, 1, 1, 2]]); // biome-ignore format: one line
    network.compile({ loss: { name: 'sparseCategoricalCrossentropy', fromLogits: true } });
    await network.fit([source, previous], target, {
      epochs: 2,
      batchSize: 2,
      verbose: 0,
      prepareInputs: mix,
    });
    assert.deepEqual(seen, [0, 1, 2, 3]);
  });

  test('rejects an unknown input or option, and a probability outside of [0, 1]', async () => {
    const network = translator();
    assert.throws(
      () => scheduledSampling(network, { probability: 0.5 }),
      /scheduledSampling: input must be the name of the input with the previous tokens, got undefined\. .*source, previous/,
    );
    assert.throws(
      () => scheduledSampling(network, { input: 'prev', probability: 0.5 }),
      /Did you mean "previous"/,
    );
    assert.throws(
      () => scheduledSampling(network, { input: 'previous', probability: 1.5 }),
      /probability must be in \[0, 1\], got 1.5/,
    );
    await assert.rejects(
      scheduledSampling(network, { input: 'previous', probability: () => Number.NaN })(
        [source, previous],
        step(),
      ),
      /probability must be in \[0, 1\], got NaN/,
    );
    assert.throws(() => scheduledSampling(network, { probability: 0, rate: 1 } as never), /no option "rate"/);
  });
});

test('prepareInputs changes the inputs of training steps only, and must keep their shapes', async () => {
  const train = async (prepareInputs: PrepareInputs) => {
    const network = translator();
    network.compile({ loss: { name: 'sparseCategoricalCrossentropy', fromLogits: true } });
    await network.fit([source, previous], previous, { epochs: 3, verbose: 0, prepareInputs });
    return Promise.all(network.parameters.map((parameter) => parameter.data()));
  };
  const same = await train((inputs) => inputs);
  assert.deepEqual(await train(async (inputs) => [...inputs]), same);
  assert.notDeepEqual(
    await train(([x, ids]) => [x, tensor(new Float32Array(B * T).fill(2), ids.shape)]),
    same,
  );
  await assert.rejects(
    train(([x]) => [x, tensor([[1], [1], [1]])]),
    /prepareInputs must return inputs of the same shapes, \[3, 4, 2\], \[3, 5\], got \[3, 4, 2\], \[3, 1\]/,
  );
});
