/**
 * A backend that can only be read asynchronously trains, evaluates, predicts and streams without synchronous reads, and
 * its results are bit-identical to those of a backend with synchronous reads.
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import {
  add,
  type Backend,
  gather,
  Parameter,
  pick,
  predict,
  RandomStream,
  ready,
  referenceBackend,
  setBackend,
  type Tensor,
  tensor,
  UnrollError,
} from '@unroll/core';
import { inferenceContext } from '@unroll/core/internal';
import { fromArtifact, toArtifact } from '@unroll/formats';
import {
  activationRegularization,
  averagePooling1d,
  batchNormalization,
  conv1d,
  crf,
  decodeTags,
  dense,
  dropout,
  embedding,
  globalMaxPooling1d,
  gru,
  type Layer,
  lstm,
  maxPooling1d,
  type Network,
  residual,
  sequential,
  spatialDropout1d,
  timeDistributed,
  wordDropout,
} from '@unroll/nn';
import { asyncReference } from '@unroll/testkit';
import {
  earlyStopping,
  evaluate,
  type FitOptions,
  findLearningRate,
  fit,
  metrics,
  OptimizerMemory,
  type TrainEvent,
  train,
} from '@unroll/train';

const [COUNT, STEPS, IDS, CLASSES] = [14, 5, 6, 3];

/** Returns sequences of ids, padded at the end with 0, and the class of each sequence. */
function sequences(): { x: Tensor; y: Tensor } {
  const random = new RandomStream(1, 'async');
  const ids = random.uniform(COUNT * STEPS).map((u, i) => {
    const [row, step] = [Math.floor(i / STEPS), i % STEPS];
    return step > row % STEPS ? 0 : 1 + Math.floor(u * (IDS - 1));
  });
  return { x: tensor(ids, [COUNT, STEPS]), y: tensor(Array.from({ length: COUNT }, (_, i) => i % CLASSES)) };
}

function classifier(): Network {
  return sequential(
    [
      embedding({ inputDim: IDS, outputDim: 4, maskZero: true }),
      lstm({ units: 4, returnSequences: true, recurrentDropout: 0.2, kernelRegularizer: 'l2' }),
      batchNormalization(),
      dropout({ rate: 0.3 }),
      timeDistributed(dense({ units: 3, activation: 'tanh' })),
      lstm({ units: 3, kernelConstraint: 'maxNorm' }),
      dense({ units: CLASSES }),
    ],
    { seed: 5 },
  );
}

const common = {
  loss: { name: 'sparseCategoricalCrossentropy', fromLogits: true },
  optimizer: { name: 'adam', learningRate: 0.02 },
  metrics: ['accuracy'],
  batchSize: 4,
  epochs: 3,
} as const;

type Results = unknown[];

/** Returns the events (without durations and speeds), the final weights and the history of a run. */
async function resultsOfRun(model: Network, options: Partial<FitOptions>): Promise<Results> {
  const results: Results = [];
  const onEvent = (event: TrainEvent): void => {
    const { seconds: _, sequencesPerSecond: __, ...timeless } = event as unknown as Record<string, unknown>;
    results.push(timeless);
  };
  const history = await fit(model, { ...common, ...sequences(), ...options, onEvent } as FitOptions);
  return [...results, ...(await weightsOf(model)), history];
}

const weightsOf = (model: Network): Promise<Results> =>
  Promise.all(model.parameters.map(async (parameter) => [parameter.name, [...(await parameter.data())]]));

const invoke = (layer: Layer, x: Tensor): Tensor =>
  layer.invoke([{ value: x, mask: null }], inferenceContext())[0].value;

/** Asserts that `work` gives bit-identical results on the asynchronous and the synchronous backend. */
async function sameOnBothBackends(work: (backend: Backend) => Promise<Results>): Promise<void> {
  const backend = asyncReference();
  await setBackend(backend);
  const found = await work(backend);
  assert.ok(backend.reads > 0);
  await setBackend(referenceBackend());
  assert.deepEqual(found, await work(referenceBackend()));
}

after(() => setBackend());

describe('a backend that is read asynchronously', () => {
  const cases: Record<string, () => Partial<FitOptions>> = {
    'no clip': () => ({}),
    'clip by value': () => ({ clip: { value: 0.01 } }),
    'clip by norm': () => ({ clip: { norm: 0.05 } }),
    'clip by global norm': () => ({ clip: { globalNorm: 0.1 } }),
    'accumulate, average, validation': () => ({
      accumulate: 2,
      average: { momentum: 0.5 },
      validationSplit: 0.3,
      weightedMetrics: ['accuracy'],
      callbacks: [earlyStopping({ patience: 1 })],
    }),
    'a lazy optimizer': () => ({ optimizer: { name: 'adam', lazy: true }, clip: { norm: 0.05 } }),
  };
  for (const [name, options] of Object.entries(cases)) {
    test(`trains: ${name}`, () => sameOnBothBackends(() => resultsOfRun(classifier(), options())));
  }

  test('trains convolution, pooling, residual layers and the regularisation of language models', () =>
    sameOnBothBackends(() => {
      const model = sequential(
        [
          wordDropout({ rate: 0.2, id: 1 }),
          embedding({ inputDim: IDS, outputDim: 4, maskZero: true, embeddingDropout: 0.2 }),
          spatialDropout1d({ rate: 0.2 }),
          conv1d({ filters: 4, kernelSize: 3, padding: 'same' }),
          residual(lstm({ units: 4, returnSequences: true, weightDrop: 0.2 })),
          activationRegularization({ ar: 2, tar: 1 }),
          averagePooling1d({ padding: 'causal' }),
          maxPooling1d({ padding: 'same' }),
          globalMaxPooling1d(),
          dense({ units: CLASSES }),
        ],
        { seed: 5 },
      );
      return resultsOfRun(model, { validationSplit: 0.3 });
    }));

  test('trains on masked targets and sample weights', () =>
    sameOnBothBackends(async () => {
      const tagger = sequential(
        [
          embedding({ inputDim: IDS, outputDim: 3, maskZero: true }),
          gru({ units: 4, returnSequences: true }),
          dense({ units: CLASSES }),
        ],
        { seed: 5 },
      );
      const { x } = sequences();
      const y = tensor(
        x.dataSync().map((id) => id % CLASSES),
        [COUNT, STEPS],
      );
      const sampleWeights = tensor(Array.from({ length: COUNT }, (_, i) => 1 + (i % 2)));
      return resultsOfRun(tagger, { x, y, sampleWeights, classWeights: { 1: 2 } });
    }));

  test('trains with connectionist temporal classification and counts label errors', () =>
    sameOnBothBackends(async () => {
      const reader = sequential([gru({ units: 4, returnSequences: true }), dense({ units: CLASSES })], {
        seed: 5,
      });
      const x = tensor(new RandomStream(2, 'frames').normal(COUNT * STEPS * 2), [COUNT, STEPS, 2]);
      const y = tensor(
        Array.from({ length: COUNT }, (_, i) => [1 + (i % 2), i % 3 === 0 ? -1 : 2 - (i % 2)]),
      );
      return resultsOfRun(reader, { x, y, loss: 'ctc', metrics: ['labelErrorRate'] });
    }));

  test('trains, evaluates and decodes a conditional random field', () =>
    sameOnBothBackends(async () => {
      const transitions = [
        [true, true, false],
        [true, true, true],
        [true, true, true],
      ];
      const layers = [
        embedding({ inputDim: IDS, outputDim: 3, maskZero: true }),
        crf({ tags: CLASSES, constraints: { transitions } }),
      ];
      const tagger = sequential(layers, { seed: 5 });
      const { x } = sequences();
      const y = tensor(
        x.dataSync().map((id) => id % 2),
        [COUNT, STEPS],
      );
      const options = { loss: 'crf', metrics: ['crfAccuracy'], x, y } as const;
      const results = await resultsOfRun(tagger, options);
      const scores = await evaluate(tagger, { x, y }, { loss: 'crf', metrics: ['crfAccuracy'] });
      return [...results, scores, await decodeTags(tagger, x)];
    }));

  test('trains with truncated backpropagation, and resumes', () =>
    sameOnBothBackends(async () => {
      const tagger = () =>
        sequential(
          [
            embedding({ inputDim: IDS, outputDim: 3, maskZero: true }),
            gru({ units: 4, returnSequences: true, recurrentDropout: 0.2 }),
            batchNormalization(),
            dense({ units: CLASSES }),
          ],
          { seed: 5 },
        );
      const { x } = sequences();
      const y = tensor(
        x.dataSync().map((id) => id % CLASSES),
        [COUNT, STEPS],
      );
      const options = { ...common, x, y, truncate: { every: 2, length: 3 } } as const;
      const run = train(tagger(), options);
      for (let event = 0; event < 2; event++) await run.next();
      const resume = (await run.snapshot())!;
      await run.return();
      const resumed = tagger();
      for await (const event of train(resumed, { ...options, resume })) assert.ok(event);
      return [...(await resultsOfRun(tagger(), options)), ...(await weightsOf(resumed))];
    }));

  test('evaluates and predicts', () =>
    sameOnBothBackends(async () => {
      const model = classifier();
      const { x, y } = sequences();
      await fit(model, { ...common, x, y });
      const { loss, metrics: metricNames } = common;
      const scores = await evaluate(model, { x, y }, { loss, metrics: metricNames, batchSize: 4 });
      const inBatches = await predict(model, x, { batchSize: 5 });
      const atOnce = await predict(model, x);
      return [scores, [...(await inBatches.data())], [...(await atOnce.data())]];
    }));

  test('checkpoints a run and resumes it', () =>
    sameOnBothBackends(async () => {
      const options = { ...common, ...sequences(), average: {}, accumulate: 2 } as const;
      const run = train(classifier(), options);
      for (let event = 0; event < 2; event++) await run.next();
      const resume = (await run.snapshot())!;
      await run.return();
      const { environment: _, ...snapshot } = resume;
      const resumed = classifier();
      for await (const event of train(resumed, { ...options, resume })) assert.ok(event);
      return [snapshot, ...(await weightsOf(resumed))];
    }));

  test('streams, and restores a stream', () =>
    sameOnBothBackends(async () => {
      const model = sequential(
        [
          conv1d({ filters: 3, kernelSize: 3, padding: 'causal' }),
          lstm({ units: 4, returnSequences: true }),
          dense({ units: 2 }),
        ],
        { seed: 5 },
      );
      const x = tensor(new RandomStream(2).normal(2 * 6 * 3), [2, 6, 3]);
      const stream = model.stream({ batch: 2 });
      const first = await stream.push(x).data();
      const saved = JSON.parse(JSON.stringify(await stream.save()));
      const selectedStream = stream.select([1, 0, 1]);
      const step = tensor([[1, 2, 3], [4, 5, 6]]); // biome-ignore format: a matrix
      const next = await stream.step(step).data();
      const resumed = model.stream({ state: saved });
      assert.deepEqual(await resumed.step(step).data(), next);
      const selectedOutputs = await selectedStream
        .push(tensor(new Float32Array(9).fill(0.5), [3, 1, 3]))
        .data();
      return [saved, [...first], [...next], [...selectedOutputs]];
    }));

  test('carries the states of stateful layers, and finds a learning rate', () =>
    sameOnBothBackends(async () => {
      const x = tensor(new RandomStream(3).normal(8 * 4 * 2), [8, 4, 2]);
      const data = { x, y: tensor(new RandomStream(4).normal(8), [8, 1]), batchSize: 4, shuffle: false };
      const make = () => sequential([lstm({ units: 3, stateful: true }), dense({ units: 1 })], { seed: 5 });
      const options = { ...data, loss: 'mse', optimizer: 'adam' } as const;
      const model = make();
      await fit(model, { ...options, epochs: 2, validationSplit: 0.5, batchSize: 4 });
      const curve = await findLearningRate(make(), { ...options, steps: 4 });
      return [...(await weightsOf(model)), curve];
    }));

  test('trains on batches in backend memory, and on outputs of a model', () =>
    sameOnBothBackends(async () => {
      const model = sequential([dense({ units: 2 })], { seed: 5 });
      const x = tensor([[1, 2], [3, 4], [5, 6]]); // biome-ignore format: a matrix
      const y = await predict(model, x);
      assert.equal(y.hostArray === null, (await ready()).readSync === undefined);
      const options = { loss: 'mse', optimizer: 'sgd', metrics: ['mae'] } as const;
      await fit(model, { ...options, x: y, y, batchSize: 2, epochs: 2 });
      await fit(model, { ...options, batches: [{ x: y, y }] });
      const { loss, metrics: metricNames } = options;
      const scores = await evaluate(model, { x: y, y }, { loss, metrics: metricNames });
      return [scores, ...(await weightsOf(model))];
    }));

  test('reports where numbers become non-finite', () =>
    sameOnBothBackends(async () => {
      const options = { ...common, ...sequences(), onWarning: () => {} };
      const model = classifier();
      await fit(model, options);
      const kernel = model.parameters.find(({ name }) => name === 'lstm_1/kernel')!;
      kernel.assign(new Float32Array(kernel.size).fill(1e30));
      const overflowError = await fit(model, {
        ...options,
        optimizer: { name: 'sgd', learningRate: 1e30 },
      }).catch((error) => error);
      assert.equal(overflowError.code, 'nan');
      kernel.assign(new Float32Array(kernel.size).fill(Number.NaN));
      const nanError = await fit(model, options).catch((error) => error);
      assert.match(nanError.message, /weights lstm_1\/kernel of layer lstm_1 became non-finite/);
      return [String(overflowError.message ?? overflowError), nanError.message, nanError.data];
    }));

  test('saves artifacts, and loads them', () =>
    sameOnBothBackends(async () => {
      const model = classifier();
      const { x } = sequences();
      await fit(model, { ...common, ...sequences(), epochs: 1 });
      const files = await toArtifact(model, { training: { seed: 1 } });
      const loaded = fromArtifact(files).model;
      const found = await (await predict(loaded, x)).data();
      assert.deepEqual(found, await (await predict(model, x)).data());
      return [[...files].map(([name, bytes]) => [name, ...bytes]), [...found]];
    }));
});

describe('switching from a backend that is read asynchronously', () => {
  test('models, optimizers and tensors are moved', async () => {
    const [asyncBackend, syncBackend] = [asyncReference(), referenceBackend()];
    const runs: Results[] = [];
    for (const backend of [asyncBackend, syncBackend]) {
      await setBackend(backend);
      const model = classifier();
      const { x, y } = sequences();
      const memory = new OptimizerMemory();
      await fit(model, { ...common, x, y, memory });
      const prediction = await predict(model, x);
      await setBackend(syncBackend);
      assert.equal(prediction.hostArray === null, backend === asyncBackend);
      const moved = [...prediction.dataSync()];
      await fit(model, { ...common, x, y, memory });
      runs.push([moved, ...(await weightsOf(model)), model.getWeights().map(({ values }) => [...values])]);
    }
    assert.deepEqual(runs[0], runs[1]);
  });

  test('tensors created during the switch are also moved', async () => {
    const backend = asyncReference();
    await setBackend(backend);
    const first = new Parameter('first', [2], [1, 2]);
    const switching = setBackend(referenceBackend());
    const second = new Parameter('second', [2], [3, 4]);
    await switching;
    assert.deepEqual([...first.dataSync(), ...second.dataSync()], [1, 2, 3, 4]);
  });
});

describe('synchronous reads on a backend without them', () => {
  /** Returns a function that checks the error of a synchronous read. @param subject matches the start of the message */
  const isSyncReadError = (subject: RegExp) => (error: unknown) => {
    assert.ok(error instanceof UnrollError);
    assert.equal(error.code, 'backend');
    assert.match(error.message, subject);
    assert.match(
      error.message,
      /cannot be read synchronously from the backend "reference-async"\. Await data\(\) instead\.$/,
    );
    return true;
  };

  test('raise an error that recommends `await data()`, except for host tensors', async () => {
    await setBackend(asyncReference());
    const hostTensor = tensor([[1, 2], [3, 4]]); // biome-ignore format: a matrix
    assert.deepEqual([...hostTensor.dataSync()], [1, 2, 3, 4]);
    const sum = add(hostTensor, 1);
    assert.deepEqual([...(await sum.data())], [2, 3, 4, 5]);
    for (const read of [() => sum.dataSync(), () => sum.toArray()]) {
      assert.throws(read, isSyncReadError(/^This tensor of shape \[2, 2\] /));
    }
    assert.throws(() => add(1, 1).item(), isSyncReadError(/^This tensor of shape \[\] /));
    const parameter = new Parameter('w', [2], [1, 2]);
    assert.throws(() => parameter.dataSync(), isSyncReadError(/^This tensor of shape \[2\] /));
    parameter.assign(add(parameter, 1));
    assert.deepEqual([...(await parameter.data())], [2, 3]);
  });

  test('raise an error that names the tensor that must be in host memory', async () => {
    await setBackend(asyncReference());
    const ids = add(tensor([0, 1]), 0);
    assert.throws(() => gather(tensor([[1], [2]]), ids), isSyncReadError(/^gather: the ids /));
    assert.throws(
      () =>
        pick(
          tensor([
            [1, 2],
            [2, 3],
          ]),
          ids,
        ),
      isSyncReadError(/^pick: the class of each row /),
    );
    const layer = embedding({ inputDim: 3, outputDim: 2 });
    assert.throws(() => invoke(layer, ids), isSyncReadError(/^The input of Layer embedding /i));
    assert.throws(
      () => metrics.accuracy().update(tensor([[0.1, 0.9]]), add(tensor([1]), 0)),
      isSyncReadError(/the target /),
    );
  });
});
