/**
 * Taggers with a `crf` layer: training, decoding, constraints, saving, and errors. Detects transitions that are not
 * trained, not saved or not used by the decoder; masked steps that are decoded; constraints that hold only in training or
 * only in decoding; and errors that do not say where the training data are wrong.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  bidirectional,
  type CrfOptions,
  crf,
  decodeTags,
  dense,
  embedding,
  input,
  load,
  lstm,
  model,
  nBestTags,
  RandomStream,
  sequential,
  type TagConstraints,
  tagMarginals,
  toArtifact,
  toZip,
  type UnrollError,
} from 'unrolljs';
import { decodeTags as decodeTagsForInference, load as loadForInference } from 'unrolljs/infer';

const K = 3;
const STEPS = 14;
const random = new RandomStream(3, 'tags');
const draw = (count: number): number => Math.floor(random.uniform(1)[0] * count);

/**
 * Returns a sequence whose tags count up modulo 3. Each word is compatible with two tags, which are equally likely, so the
 * emissions alone do not determine the tags. The emissions and transitions of the whole sequence do.
 */
function example(): { x: number[]; y: number[]; length: number } {
  const length = 10 + draw(STEPS - 9);
  const x = new Array<number>(STEPS).fill(0);
  const y = new Array<number>(STEPS).fill(0);
  for (let t = 0, tag = draw(K); t < length; t++, tag = (tag + 1) % K) {
    y[t] = tag;
    x[t] = 1 + ((tag + draw(2)) % K);
  }
  return { x, y, length };
}
const examples = Array.from({ length: 600 }, example);
const x = examples.map((sequence) => sequence.x);
const y = examples.map((sequence) => sequence.y);
const trimmed = (rows: number[][]): number[][] => rows.map((row, i) => row.slice(0, examples[i].length));

/** Returns a tagger without recurrent layers: only its transitions can learn the order of the tags. */
const tagger = (options: Partial<CrfOptions> = {}) =>
  sequential([embedding({ inputDim: K + 1, outputDim: 4, maskZero: true }), crf({ tags: K, ...options })], {
    seed: 1,
  }).compile({
    optimizer: { name: 'adam', learningRate: 0.05 },
    loss: 'crf',
    metrics: ['crfAccuracy', 'accuracy'],
  });

function rejects(work: () => Promise<unknown>, message: RegExp, code = 'value'): Promise<void> {
  return assert.rejects(work, (error: UnrollError) => {
    assert.match(error.message, message);
    return error.code === code;
  });
}

test('a tagger learns tags that depend on the previous tag, and decodes the same tags after saving and loading', async () => {
  const network = tagger();
  const { metrics } = await network.fit(x, y, { epochs: 12, seed: 1 });
  assert.ok(metrics.crfAccuracy.at(-1)! > 0.99, `${metrics.crfAccuracy}`);
  assert.ok(metrics.accuracy.at(-1)! < 0.8, `${metrics.accuracy}`);

  const decoded = await decodeTags(network, x);
  const wanted = trimmed(y);
  const right = decoded.filter(
    (tags, i) => tags.length === wanted[i].length && tags.every((tag, t) => tag === wanted[i][t]),
  );
  assert.ok(right.length > 0.98 * x.length, `${right.length}`);
  assert.deepEqual(await decodeTags(network, x, { batchSize: 7 }), decoded);

  const { loss, crfAccuracy } = await network.evaluate(x, y);
  const hits = decoded.flatMap((tags, i) => tags.map((tag, t) => (tag === wanted[i][t] ? 1 : 0)));
  assert.ok(Math.abs(crfAccuracy - hits.reduce((a: number, b) => a + b, 0) / hits.length) < 1e-9);

  const files = await toArtifact(network, {
    training: { compiled: { loss: 'crf', metrics: ['crfAccuracy'] }, trained: null },
  });
  const loaded = await load(toZip(files));
  assert.deepEqual(await decodeTags(loaded, x), decoded);
  assert.deepEqual(await loaded.evaluate(x, y), { loss, crfAccuracy });
  assert.deepEqual(await decodeTagsForInference(await loadForInference(toZip(files)), x), decoded);
  await loaded.fit(x, y, { epochs: 1 });
});

test('the n best paths and the marginals agree with each other and with the loss', async () => {
  const network = tagger({ transitionInitializer: 'ones' });
  network.build([[-1, STEPS]]);
  const short = [[1, 2, ...new Array<number>(STEPS - 2).fill(0)]];
  const [paths] = await nBestTags(network, short, 20);
  assert.equal(paths.length, K ** 2);
  assert.deepEqual([paths[0].tags], await decodeTags(network, short));
  const total = paths.reduce((sum, { probability }) => sum + probability, 0);
  assert.ok(Math.abs(total - 1) < 1e-9);
  const [marginals] = await tagMarginals(network, short);
  assert.equal(marginals.length, 2);
  marginals.forEach((row, t) => {
    row.forEach((p, tag) => {
      const sum = paths
        .filter(({ tags }) => tags[t] === tag)
        .reduce((all, path) => all + path.probability, 0);
      assert.ok(Math.abs(p - sum) < 1e-9);
    });
  });
  const { loss } = await network.evaluate(short, [
    [...paths[0].tags, ...new Array<number>(STEPS - 2).fill(0)],
  ]);
  assert.ok(Math.abs(loss + Math.log(paths[0].probability)) < 1e-5);
});

/** Tags count up or stay; sequences begin with tag 0. */
const countingOrStaying: TagConstraints = {
  transitions: [
    [true, true, false],
    [false, true, true],
    [true, false, true],
  ],
  start: [true, false, false],
};

describe('constraints', () => {
  test('hold in decoding even for an untrained model, for all n best paths', async () => {
    const network = tagger({ constraints: countingOrStaying });
    network.build([[-1, STEPS]]);
    const isAllowed = (tags: readonly number[]): boolean =>
      tags[0] === 0 && tags.slice(1).every((tag, t) => countingOrStaying.transitions[tags[t]][tag]);
    for (const paths of await nBestTags(network, x.slice(0, 20), 5)) {
      assert.equal(paths.length, 5);
      assert.ok(paths.every(({ tags }) => isAllowed(tags)));
    }
    for (const [first] of await tagMarginals(network, x.slice(0, 20))) {
      assert.ok(Math.abs(first[0] - 1) < 1e-12);
      assert.deepEqual(first.slice(1), [0, 0]);
    }
  });

  test('hold in training: forbidden transitions get no gradient, and keep their values', async () => {
    const network = tagger({ constraints: countingOrStaying });
    network.build([[-1, STEPS]]);
    const values = () => [...network.getWeights().find(({ name }) => name.endsWith('transitions'))!.values];
    const before = values();
    const subset = examples.filter((sequence) => sequence.y[0] === 0);
    await network.fit(
      subset.map((sequence) => sequence.x),
      subset.map((sequence) => sequence.y),
      { epochs: 2 },
    );
    const forbidden = countingOrStaying.transitions.flat().map((isAllowed) => !isAllowed);
    values().forEach((value, i) => {
      assert.equal(value === before[i], forbidden[i], `${i}`);
    });
  });

  test('errors name an impossible tag sequence in the training data', async () => {
    const subset = examples.slice(0, 8);
    const last = subset[0].length - 1;
    /** Trains on tags that are all 0 (which the constraints allow) except for `changes`, each [example, step, tag]. */
    const fit = (...changes: [number, number, number][]) => {
      const rows = subset.map(() => new Array<number>(STEPS).fill(0));
      for (const [row, step, tag] of changes) rows[row][step] = tag;
      const network = tagger({ constraints: { ...countingOrStaying, end: [true, true, false] } });
      return network.fit(
        subset.map((sequence) => sequence.x),
        rows,
        { shuffle: false },
      );
    };
    await fit();
    await rejects(
      () => fit([2, 1, 1]),
      /crf: step index 2 of the example at index 2 of the batch \(tags 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, \.\.\.\): the constraints do not allow tag 0 after tag 1\./,
    );
    await rejects(
      () => fit([1, 0, 2]),
      /crf: step index 0 of the example at index 1 of the batch \(tags 2, .*\): the constraints do not allow a sequence to begin with tag 2\./,
    );
    await rejects(
      () => fit([0, last - 1, 1], [0, last, 2]),
      new RegExp(
        `step index ${last} of the example at index 0 of the batch .*: the constraints do not allow a sequence to end with tag 2`,
      ),
    );
  });
});

test('crf can be one output of a functional model, after a bidirectional layer', async () => {
  const words = input({ shape: [null] });
  const states = bidirectional(lstm({ units: 4, returnSequences: true })).apply(
    embedding({ inputDim: K + 1, outputDim: 4, maskZero: true }).apply(words),
  );
  const tags = crf({ tags: K, name: 'tags' }).apply(states);
  const score = dense({ units: 1, name: 'score' }).apply(states);
  const network = model({ inputs: words, outputs: [score, tags] }).compile({
    loss: { score: 'mse', tags: 'crf' },
  });
  const zeros = x.map((row) => row.map(() => [0]));
  const { loss } = await network.fit(x, { score: zeros, tags: y }, { epochs: 2 });
  assert.ok(loss[1] < loss[0]);
  const decoded = await decodeTags(network, x.slice(0, 5));
  assert.deepEqual(
    decoded.map(({ length }) => length),
    examples.slice(0, 5).map(({ length }) => length),
  );
});

describe('rejects', () => {
  const one = [[1, 2, 3]];
  test('a label outside of the tag set', () =>
    rejects(
      () => tagger().fit(one, [[0, 1, 3]]),
      /crf: step index 2 of the example at index 0 of the batch \(tags 0, 1, 3\): the tag must be an integer from 0 to 2, got 3\. Mask padding steps\./,
    ));
  test('a sequence of length 0, in training and in decoding', async () => {
    const inputs = [[1, 2, 3], [0, 0, 0]]; // biome-ignore format: one line
    const network = tagger();
    await rejects(
      () => network.fit(inputs, [[0, 1, 2], [0, 0, 0]], { shuffle: false }),
      /crf: the example at index 1 of the batch has length 0: its mask has no valid step, or there are no steps\. Remove empty sequences\./,
    ); // biome-ignore format: one line
    await rejects(() => decodeTags(network, inputs), /The sequence at index 1 has length 0/);
  });
  test('one-hot targets', () =>
    rejects(
      () => tagger().fit(one, [[[1, 0, 0], [0, 1, 0], [0, 0, 1]]]),
      /crf: the target must have the shape \[1, 3\], one tag id per step; got the shape \[1, 3, 3\]/,
    )); // biome-ignore format: one line
  test('targets of another length', () =>
    rejects(
      () => tagger().fit(one, [[0, 1]]),
      /target must have the shape \[1, 3\], one tag id per step; got the shape \[1, 2\]/,
    ));
  test('the loss and the metric without the layer', async () => {
    const plain = () => sequential([embedding({ inputDim: 4, outputDim: 3 })]);
    await rejects(
      () =>
        plain()
          .compile({ loss: 'crf' })
          .fit(one, [[0, 1, 2]]),
      /crf: the loss needs the output of a crf layer\. Make crf\(\{ tags \}\) the last layer of the model\./,
    );
    await rejects(
      () =>
        plain()
          .compile({ loss: 'sparseCategoricalCrossentropy', metrics: ['crfAccuracy'] })
          .fit(one, [[0, 1, 2]]),
      /crfAccuracy needs the output of a crf layer/,
    );
    await rejects(
      () => decodeTags(plain(), one),
      /one output of sequential must come from a crf layer, but 0 do\. Make crf\(\{ tags \}\) the last layer\./,
    );
    const words = input({ shape: [null] });
    const states = embedding({ inputDim: 9, outputDim: 4, maskZero: true }).apply(words);
    const outputs = [crf({ tags: 2 }).apply(states), crf({ tags: 3 }).apply(states)];
    await rejects(
      () => decodeTags(model({ inputs: words, outputs }), one),
      /must come from a crf layer, but 2 do\. Build a model with one of these outputs\./,
    );
  });
  test('wrong options of the decoders', async () => {
    await rejects(() => nBestTags(tagger(), one, 0), /n must be a positive integer, got 0/);
    await rejects(
      () => decodeTags(tagger(), one, { batchsize: 2 } as object),
      /^decodeTags: there is no option "batchsize"\. Did you mean "batchSize"\?$/,
    );
  });
});
