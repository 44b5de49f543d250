/**
 * Masks of the inputs of a model, and sample weights and targets of its outputs. Detects a mask that reaches an input it does
 * not belong to, a mask that fit, evaluate, predict or validation ignores, and weights that are applied to another output.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  batchNormalization,
  concatenate,
  dense,
  embedding,
  type FitOptions,
  input,
  layerNormalization,
  lstm,
  type ModelValues,
  masking,
  model,
  padSequences,
  sequential,
  tensor,
  timeDistributed,
  type UnrollError,
} from 'unrolljs';

const STEPS = 6;
const VALID = 4;
const COUNT = 12;

const wave = (i: number, t: number): number => Math.sin(i + t / 2);
const trimmed = Array.from({ length: COUNT }, (_, i) =>
  Array.from({ length: VALID }, (_, t) => [wave(i, t)]),
);
/** The same sequences, followed by padding that must have no effect. */
const padded = trimmed.map((rows) => [...rows, [99], [-99]]);
const mask = padded.map(() => [1, 1, 1, 1, 0, 0]);
const y = trimmed.map((_, i) => [wave(i, VALID)]);
/** Values without a time axis, as wide as the sequences are long: a mask could be applied to them by mistake. */
const fixed = trimmed.map((_, i) => Array.from({ length: STEPS }, (_, k) => Math.cos(i * k)));

function near(got: readonly number[], wanted: readonly number[], bound = 1e-5): void {
  assert.equal(got.length, wanted.length);
  got.forEach((value, i) => {
    assert.ok(Math.abs(value - wanted[i]) <= bound, `element ${i}: expected ${wanted[i]}, got ${value}`);
  });
}

function rejects(work: () => Promise<unknown>, code: string, message: RegExp): Promise<void> {
  return assert.rejects(work, (error: UnrollError) => {
    assert.match(error.message, message);
    return error.code === code;
  });
}

test('a flat list of sample weights applies to all outputs, even if its length is the number of outputs', async () => {
  const a = input({ shape: [1], name: 'a' });
  const zero = { units: 1, kernelInitializer: 'zeros' } as const;
  const outputs = [dense(zero).apply(a), dense(zero).apply(a)];
  const network = model({ inputs: a, outputs }).compile({ loss: ['mse', 'mse'] });
  const x = [[1], [2]];
  const y = [[[1], [3]], [[1], [3]]]; // biome-ignore format: by output
  const { loss } = await network.evaluate(x, y, { sampleWeights: [1, 0] });
  assert.equal(loss, 1); // (1 * 1 + 0 * 9) / 2 for each
});

test('a null mask means no mask, and misspelt keys of a batch are rejected', async () => {
  const network = oneInputModel();
  const unmasked = await network.predictArray(trimmed);
  assert.deepEqual(await network.predictArray(trimmed, { mask: null as never }), unmasked);
  const batch = { x: trimmed, y, sample_weight: y.map(() => 1) };
  await rejects(() => network.evaluate([batch] as never), 'value', /Did you mean "sampleWeights"\?/);
});

test('an output has no loss if its loss is null, in a list or by name, or left out by name', async () => {
  const a = input({ shape: [1], name: 'a' });
  const outputs = [dense({ units: 1, name: 'p' }).apply(a), dense({ units: 1, name: 'q' }).apply(a)];
  for (const loss of [['mse', null], { p: 'mse', q: null }, { p: 'mse' }] as const) {
    const network = model({ inputs: a, outputs, seed: 1 }).compile({ loss: loss as never });
    assert.ok((await network.evaluate([[1]], { p: [[1]] })).loss >= 0);
  }
});

const oneInputModel = () =>
  sequential([lstm({ units: 5 }), dense({ units: 1 })], { seed: 2 }).compile({ loss: 'mse' });

const weightsOf = (network: ReturnType<typeof oneInputModel> | ReturnType<typeof twoInputModel>): number[] =>
  network.getWeights().flatMap(({ values }) => [...values]);

/** Returns a model with a sequence and fixed values as inputs, and two outputs. */
function twoInputModel(loss: 'mse' | Record<string, 'mse'> = { next: 'mse', last: 'mse' }) {
  const source = input({ shape: [null, 1], name: 'source' });
  const extra = input({ shape: [STEPS], name: 'extra' });
  const seen = concatenate().apply([
    lstm({ units: 4 }).apply(source),
    dense({ units: 3, activation: 'tanh' }).apply(extra),
  ]);
  const outputs = [
    dense({ units: 1, name: 'next' }).apply(seen),
    dense({ units: 1, name: 'last' }).apply(seen),
  ];
  return model({ inputs: [source, extra], outputs }).compile({ loss, optimizer: 'sgd' });
}

const targets = { next: y, last: y.map(([value]) => [-value]) };

test('masked fit, evaluation and prediction equal those of the trimmed sequences', async () => {
  const [masked, short] = [oneInputModel(), oneInputModel()];
  const options = { epochs: 3, batchSize: 5 };
  const { loss } = await masked.fit(padded, y, { ...options, mask });
  const wanted = await short.fit(trimmed, y, options);
  near(loss, wanted.loss);
  near(weightsOf(masked), weightsOf(short));
  near([(await masked.evaluate(padded, y, { mask })).loss], [(await short.evaluate(trimmed, y)).loss]);
  near((await masked.predictArray(padded, { mask })).flat(), (await short.predictArray(trimmed)).flat());
  const unmasked = await masked.evaluate(padded, y);
  assert.ok(Math.abs(unmasked.loss - (await short.evaluate(trimmed, y)).loss) > 1e-3, 'the padding matters');
});

test('NaN and infinite padding has no effect on training, whatever the layers', async () => {
  const kinds = {
    dense: () => [dense({ units: 3, activation: 'tanh' })],
    layerNormalization: () => [layerNormalization()],
    batchNormalization: () => [batchNormalization()],
    timeDistributed: () => [timeDistributed(dense({ units: 2 }))],
    masking: () => [masking()],
  };
  for (const [kind, layers] of Object.entries(kinds)) {
    const trained = async (padding: number, batches: boolean) => {
      const network = sequential([...layers(), lstm({ units: 3 }), dense({ units: 1 })], { seed: 2 });
      network.compile({ loss: 'mse', optimizer: 'sgd' });
      const x = padded.map((rows) => [...rows.slice(0, VALID), [padding], [padding]]);
      const data = tensor(x);
      const before = data.dataSync();
      await (batches
        ? network.fit([{ x: data, y, mask }], { epochs: 2 })
        : network.fit(data, y, { mask, epochs: 2, batchSize: 5, shuffle: false }));
      assert.deepEqual(data.dataSync(), before, 'the data stay as they are');
      return weightsOf(network);
    };
    for (const batches of [false, true]) {
      const wanted = await trained(0, batches);
      for (const padding of [Number.NaN, Number.POSITIVE_INFINITY])
        assert.deepEqual(await trained(padding, batches), wanted, `${kind}, padded with ${padding}`);
    }
  }
});

test('fit accepts the result of padSequences', async () => {
  const ragged = trimmed.map((rows, i) => rows.slice(0, 1 + (i % VALID)));
  const { values, mask: valid } = padSequences(ragged);
  const whole = oneInputModel();
  await whole.fit(values, y, { mask: valid, batchSize: COUNT });
  const prediction = (await whole.predictArray(values, { mask: valid })).flat();
  const alone = await Promise.all(ragged.map(async (rows) => (await whole.predictArray([rows]))[0][0]));
  near(prediction, alone);
});

const forms = {
  'a single mask': mask,
  'a tensor': tensor(mask),
  'a list in the order of the inputs': [mask, null],
  'a list of tensors': [tensor(mask), null],
  'an object with the names of inputs': { source: mask },
};

for (const [name, form] of Object.entries(forms)) {
  test(`${name} applies to the sequences, not to fixed values of the same size`, async () => {
    const [masked, short] = [twoInputModel(), twoInputModel()];
    await masked.fit([padded, fixed], targets, { mask: form, epochs: 2, batchSize: 5 });
    await short.fit([trimmed, fixed], targets, { epochs: 2, batchSize: 5 });
    near(weightsOf(masked), weightsOf(short));
    const inputs = { extra: fixed, source: padded };
    near(
      (await masked.predictArray(inputs, { mask: form })).flat(),
      (await short.predictArray([trimmed, fixed])).flat(),
    );
    const metrics = await masked.evaluate(inputs, targets, { mask: form });
    near(Object.values(metrics), Object.values(await short.evaluate([trimmed, fixed], targets)));
  });
}

test('a single mask applies to ids if there are no sequences, and must fit one input', async () => {
  const ids = input({ shape: [STEPS], name: 'ids' });
  const other = input({ shape: [STEPS], name: 'other' });
  const extra = input({ shape: [2], name: 'extra' });
  const seen = lstm({ units: 3 }).apply(embedding({ inputDim: 9, outputDim: 2 }).apply(ids));
  const tokens = padded.map((_, i) => [1, 2 + (i % 3), 3, 4, 8, 8]);
  const network = model({
    inputs: [ids, extra],
    outputs: dense({ units: 1 }).apply(concatenate().apply([seen, extra])),
  });
  const two = padded.map((_, i) => [i, 1]);
  const wanted = await network.predictArray([tokens, two], { mask: { ids: mask } });
  assert.deepEqual(await network.predictArray([tokens, two], { mask }), wanted);
  assert.notDeepEqual(await network.predictArray([tokens, two]), wanted);
  const ambiguous = model({
    inputs: [ids, other],
    outputs: dense({ units: 1 }).apply(concatenate().apply([seen, other])),
  });
  await rejects(
    () => ambiguous.predict([tokens, tokens], { mask }),
    'shape',
    /mask \[12, 6\] fits several inputs\. Pass a list with a mask or null for each input\.$/,
  );
  const named = await ambiguous.predictArray([tokens, tokens], { mask: { ids: mask } });
  assert.deepEqual(await ambiguous.predictArray([tokens, tokens], { mask: [mask, null] }), named);
});

test('two examples with one mask are not mistaken for masks of two inputs', async () => {
  const network = twoInputModel();
  const pair = [padded.slice(0, 2), fixed.slice(0, 2)];
  const wanted = await network.predictArray(pair, { mask: { source: mask.slice(0, 2) } });
  assert.deepEqual(await network.predictArray(pair, { mask: mask.slice(0, 2) }), wanted);
});

test('rejects masks that fit no input, and too many masks', async () => {
  const network = twoInputModel();
  await rejects(
    () => network.predict([padded, fixed], { mask: { sauce: mask } }),
    'value',
    /mask entries must be for the inputs source, extra; got sauce\./,
  );
  const three = [tensor(mask), null, null];
  await rejects(
    () => network.predict([padded, fixed], { mask: three }),
    'shape',
    /mask must have one entry per input \(2\), got 3\./,
  );
  await rejects(
    () => network.predict([padded, null]),
    'value',
    /x must have an entry for each of the inputs source, extra; got source\./,
  );
  await rejects(
    () => network.predict({}),
    'value',
    /an entry for each of the inputs source, extra; got none\./,
  );
});

test('weights of 2 double the loss, and weights of 0 exclude examples', async () => {
  const network = oneInputModel();
  const { loss } = await network.evaluate(trimmed, y);
  const doubled = await network.evaluate(trimmed, y, { sampleWeights: y.map(() => 2) });
  near([doubled.loss], [2 * loss], 1e-6);
  const half = y.map((_, i) => (i < COUNT / 2 ? 2 : 0));
  const first = await network.evaluate(trimmed.slice(0, COUNT / 2), y.slice(0, COUNT / 2));
  near([(await network.evaluate(trimmed, y, { sampleWeights: half })).loss], [first.loss], 1e-6);
  const [weighted, alone] = [oneInputModel(), oneInputModel()];
  const inFirstHalf = y.map((_, i) => (i < COUNT / 2 ? 1 : 0));
  const whole = { batchSize: COUNT, epochs: 3 };
  await weighted.fit(trimmed, y, { ...whole, sampleWeights: inFirstHalf.map((w) => 2 * w) });
  await alone.fit(trimmed.slice(0, COUNT / 2), y.slice(0, COUNT / 2), whole);
  near(weightsOf(weighted), weightsOf(alone));
});

test('sample weights per output: in a list, by name, or one for all', async () => {
  const network = twoInputModel();
  const x = [trimmed, fixed];
  const plain = await network.evaluate(x, targets);
  const w = y.map((_, i) => i / 4);
  const last = y.map(() => 3);
  const both = await network.evaluate(x, targets, { sampleWeights: [w, last] });
  near([both.lastLoss], [3 * plain.lastLoss]);
  assert.ok(Math.abs(both.nextLoss - plain.nextLoss) > 1e-4);
  near([both.loss], [both.nextLoss + both.lastLoss]);
  assert.deepEqual(await network.evaluate(x, targets, { sampleWeights: { last, next: w } }), both);
  const one = await network.evaluate(x, targets, { sampleWeights: [null, last] });
  near([one.nextLoss, one.lastLoss], [plain.nextLoss, both.lastLoss]);
  assert.deepEqual(await network.evaluate(x, targets, { sampleWeights: { last } }), one);
  const all = await network.evaluate(x, targets, { sampleWeights: last });
  near([all.nextLoss, all.lastLoss], [3 * plain.nextLoss, 3 * plain.lastLoss]);
  await rejects(
    () => network.evaluate(x, targets, { sampleWeights: { lost: last } }),
    'value',
    /sampleWeights: the model has no output "lost"\. Its outputs are next, last\./,
  );
});

test('the sample weights and masks of validation data are used', async () => {
  const network = oneInputModel();
  const validated = async (options: Pick<FitOptions, 'validationData'>): Promise<number> =>
    (await network.fit(padded, y, { mask, ...options })).validationLoss[0];
  const sampleWeights = y.map((_, i) => i);
  const validation = { x: padded, y, sampleWeights, mask };
  near(
    [await validated({ validationData: validation })],
    [(await network.evaluate(padded, y, { sampleWeights, mask })).loss],
    0,
  );
  near(
    [await validated({ validationData: { x: padded, y } })],
    [(await network.evaluate(padded, y)).loss],
    0,
  );
  near(
    [await validated({ validationData: [padded, y, sampleWeights] })],
    [(await network.evaluate(padded, y, { sampleWeights })).loss],
    0,
  );
  near([await validated({ validationData: [padded, y] })], [(await network.evaluate(padded, y)).loss], 0);
});

test('targets are needed for outputs with a loss, and rejected for outputs without one', async () => {
  const x = [trimmed, fixed];
  const trained: number[][] = [];
  const given: ModelValues[] = [
    ...[y, { next: y }, { next: y, last: null }],
    ...[[y, null], [tensor(y), null], [tensor(y)]],
  ];
  for (const form of given) {
    const network = twoInputModel({ next: 'mse' });
    await network.fit(x, form, { epochs: 2 });
    trained.push(weightsOf(network));
  }
  for (const weights of trained.slice(1)) assert.deepEqual(weights, trained[0]);
  const one = twoInputModel({ next: 'mse' });
  const both = twoInputModel();
  const failsWith = (message: RegExp, work: () => Promise<unknown>) => rejects(work, 'value', message);
  await failsWith(/y has values for the output "last", which has no loss\./, () => one.fit(x, targets));
  await failsWith(/y has values for the output "last", which has no loss\./, () => one.fit(x, [null, y]));
  await failsWith(/y has no values for the output "last", which has a loss\./, () =>
    both.fit(x, { next: y }),
  );
  await failsWith(/y has no values for the output "last", which has a loss\./, () => both.fit(x, [y, null]));
  await failsWith(/y: the model has no output "lost"/, () => both.fit(x, { next: y, lost: y }));
  await failsWith(
    /y must have one entry for each of the 2 losses, or one for each of the 2 outputs .*, got 3\./,
    () => both.fit(x, [tensor(y), tensor(y), tensor(y)]),
  );
});

test('two targets of one output are not mistaken for a list of two outputs', async () => {
  const network = twoInputModel({ next: 'mse' });
  const pair = [trimmed.slice(0, 2), fixed.slice(0, 2)];
  const wanted = await network.evaluate(pair, { next: y.slice(0, 2) });
  assert.deepEqual(await network.evaluate(pair, y.slice(0, 2)), wanted);
});

test('sequential takes one input', async () => {
  const network = oneInputModel();
  const two = [tensor(trimmed), tensor(fixed)];
  await rejects(() => network.predict(two), 'shape', /takes one input, got 2\. Use model\(\) for several\./);
  await rejects(() => network.fit(two, y), 'shape', /takes one input, got 2/);
});

test('batches from an array, a function or a generator may name inputs and outputs', async () => {
  const parts = [0, 5, 10].map((start) => [start, Math.min(start + 5, COUNT)] as const);
  const batches = parts.map(([from, to]) => ({
    x: { extra: fixed.slice(from, to), source: padded.slice(from, to) },
    y: { last: targets.last.slice(from, to), next: y.slice(from, to) },
    sampleWeights: { next: y.slice(from, to).map((_, i) => i) },
    mask: mask.slice(from, to),
  }));
  const sampleWeights = [parts.flatMap(([from, to]) => y.slice(from, to).map((_, i) => i)), null];
  const whole = twoInputModel();
  const options = { epochs: 2, batchSize: 5, shuffle: false };
  await whole.fit([padded, fixed], targets, { ...options, mask, sampleWeights });
  const wanted = await whole.evaluate([padded, fixed], targets, { mask, sampleWeights });
  function* twice() {
    yield* batches;
    yield* batches;
  }
  for (const form of [
    batches,
    () => batches,
    async function* () {
      yield* batches;
    },
    twice(),
  ]) {
    const network = twoInputModel();
    const { validationLoss } = await network.fit(form, {
      ...{ epochs: 2, stepsPerEpoch: 3, validationData: batches },
    });
    near(weightsOf(network), weightsOf(whole), 0);
    near(Object.values(await network.evaluate(batches)), Object.values(wanted), 1e-6);
    near([validationLoss[1]], [wanted.loss], 1e-6);
  }
  await rejects(
    () => twoInputModel().fit(batches, { mask }),
    'value',
    /with batches, sampleWeights and mask belong in each batch: \{ x, y, sampleWeights, mask \}\./,
  );
});

test('masking() does not replace a mask that is passed to predict', async () => {
  const layers = () => [lstm({ units: 3, name: 'lstm' }), dense({ units: 1, name: 'dense' })];
  const plain = sequential([input({ shape: [STEPS, 1] }), ...layers()], { seed: 1 });
  const masked = sequential([input({ shape: [STEPS, 1] }), masking(), ...layers()], { seed: 1 });
  const wanted = await plain.predict(tensor(padded), { mask: tensor(mask) });
  const got = await masked.predict(tensor(padded), { mask: tensor(mask) });
  near([...(await got.data())], [...(await wanted.data())]);
  const ignored = await masked.predict(tensor(padded));
  assert.ok(Math.abs((await ignored.data())[0] - (await got.data())[0]) > 1e-3);
});
