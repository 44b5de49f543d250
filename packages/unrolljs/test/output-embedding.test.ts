/** `outputEmbedding`, with its own table or tied to an embedding, and the loss `sampledSoftmax` that trains it. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { Parameter, valueAndGrad } from '@unroll/core';
import { backendSync } from '@unroll/core/internal';
import { mismatch, onBackend, throwProblems } from '@unroll/testkit';
import {
  dense,
  embedding,
  input,
  load,
  losses,
  lstm,
  model,
  outputEmbedding,
  RandomStream,
  sequential,
  type Tensor,
  tensor,
} from 'unrolljs';

const float64 = backendSync('reference:float64');
const draw = (name: string, ...shape: number[]): Tensor =>
  tensor(new RandomStream(4, name).normal(shape.reduce((a, b) => a * b, 1)), shape);

/** Returns a language model whose output table is that of the embedding. */
function tiedModel(V = 12, D = 6) {
  const tokens = embedding({ inputDim: V, outputDim: D });
  return sequential([tokens, lstm({ units: D, returnSequences: true }), outputEmbedding({ tiedTo: tokens })]);
}
const successors = (ids: number[][], V: number): number[][] =>
  ids.map((row) => row.map((id) => (id * 5 + 1) % V));

describe('outputEmbedding', () => {
  test('computes x Eᵀ + b with its own table', () => {
    onBackend(float64, () => {
      const layer = outputEmbedding({ units: 3 });
      layer.build([[-1, 2]]);
      layer.setWeights([
        { shape: [3, 2], values: [1, 2, 3, 4, 5, 6] },
        { shape: [3], values: [0.5, 0, -0.5] },
      ]);
      const [{ value }] = layer.call([{ value: tensor([[1, -1]]), mask: null }]);
      assert.deepEqual([...value.dataSync()], [-0.5, -1, -1.5]);
    });
  });

  test('a tied table is one parameter, whose gradient is the sum of both uses', () => {
    onBackend(float64, () => {
      const network = tiedModel();
      network.build([[-1, -1]]);
      assert.deepEqual(
        network.parameters.map(({ name }) => name).filter((name) => /embedding/.test(name)),
        ['embedding/embeddings', 'output_embedding/bias'],
      );
      for (const [i, parameter] of network.parameters.entries())
        parameter.assign(draw(`${i}`, ...parameter.shape).dataSync());
      const [table] = network.parameters;
      const context = { training: false, afterStep() {}, addLoss() {}, random: new RandomStream(0) };
      const loss = (): Tensor => {
        const [{ value }] = network.forward([{ value: tensor([[1, 4, 1]]), mask: null }], context);
        return losses
          .sparseCategoricalCrossentropy({ fromLogits: true })
          .compute(value, tensor([[4, 1, 2]]), null);
      };
      const { grads } = valueAndGrad(loss, [table]);
      const values = table.dataSync();
      const differences = values.map((_, i) => {
        const at = (step: number): number => {
          table.assign(values.map((value, j) => (i === j ? value + step : value)));
          return loss().item();
        };
        return (at(1e-5) - at(-1e-5)) / 2e-5;
      });
      throwProblems([mismatch('table', grads[0].dataSync(), differences, 1e-8)]);
    });
  });

  test('a tied model trains, is saved and loaded, and stays tied', async () => {
    const network = tiedModel();
    const ids = Array.from({ length: 64 }, (_, i) =>
      Array.from({ length: 5 }, (_, t) => (i * 7 + t * 3) % 12),
    );
    network.compile({
      optimizer: { name: 'adam', learningRate: 0.05 },
      loss: { name: 'sparseCategoricalCrossentropy', fromLogits: true },
      metrics: ['accuracy'],
    });
    const history = await network.fit(ids, successors(ids, 12), { epochs: 80, verbose: 0 });
    const [accuracy] = history.metrics.accuracy.slice(-1);
    assert.ok(accuracy > 0.95, `${accuracy}`);
    const folder = mkdtempSync(join(tmpdir(), 'unroll-tied-'));
    try {
      await network.save(folder);
      const loaded = await load(folder);
      const [expected, got] = await Promise.all([network, loaded].map((each) => each.predictArray(ids)));
      assert.deepEqual(got, expected);
      assert.equal(loaded.countParams(), network.countParams());
      await loaded.fit(ids, successors(ids, 12), { epochs: 1, verbose: 0 });
      assert.equal(loaded.parameters.length, network.parameters.length);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('rejects wrong options, and an embedding of another model or another width', () => {
    const tokens = embedding({ inputDim: 5, outputDim: 4, name: 'tokens' });
    assert.throws(
      () => outputEmbedding({ tiedTo: tokens, units: 6 }),
      /units must be 5, the vocabulary size of Layer tokens, got 6/,
    );
    assert.throws(
      () => outputEmbedding({ tiedTo: dense({ units: 2 }) as never }),
      /tiedTo must be an embedding layer/,
    );
    assert.throws(() => outputEmbedding({}), /units must be a positive integer, got 0/);
    assert.throws(() => outputEmbedding({ inputDim: 3 } as never), /no option "inputDim"/);
    assert.throws(
      () => sequential([lstm({ units: 4, returnSequences: true }), outputEmbedding({ tiedTo: tokens })]),
      /tiedTo must be an embedding of the same model, got "tokens"\./,
    );
    const other = embedding({ inputDim: 5, outputDim: 4, name: 'tokens' });
    const network = sequential([
      other,
      lstm({ units: 3 }),
      outputEmbedding({ tiedTo: other, name: 'scores' }),
    ]);
    assert.throws(
      () => network.build([[-1, -1]]),
      /Layer scores: expected \[batch, ..., 4\], the width of Layer tokens, got/,
    );
    assert.throws(
      () => outputEmbedding({ units: 3, name: 'scores' }).table,
      /Layer scores: is not built yet/,
    );
  });
});

/** Returns an output embedding with random weights, and N random hidden states with targets. V: tokens, D: units. */
function sampledCase(V: number, D: number, N: number) {
  const layer = outputEmbedding({ units: V });
  layer.build([[-1, D]]);
  const [table, bias] = layer.parameters;
  table.assign(draw('table', V, D).dataSync());
  bias.assign(draw('bias', V).dataSync());
  const hidden = new Parameter('hidden', [N, D], draw('hidden', N, D).dataSync());
  const target = tensor(Array.from({ length: N }, (_, i) => (i * 3) % V));
  return { layer, hidden, target, parameters: [hidden, table, bias] };
}
const training = { training: true, random: new RandomStream(9) };

describe('sampledSoftmax', () => {
  test('with all tokens as uniform samples equals the exact softmax, in value and gradients', () => {
    onBackend(float64, () => {
      const { layer, hidden, target, parameters } = sampledCase(7, 3, 5);
      const loss = losses.sampledSoftmax({ layer, samples: 7, distribution: 'uniform' });
      const exact = valueAndGrad(() => loss.compute(hidden, target, null), parameters);
      const sampled = valueAndGrad(() => loss.compute(hidden, target, null, null, training), parameters);
      const scores = layer.call([{ value: hidden, mask: null }])[0].value;
      const full = losses.sparseCategoricalCrossentropy({ fromLogits: true }).compute(scores, target, null);
      throwProblems([
        mismatch('exact', exact.value.dataSync(), full.dataSync(), 1e-12),
        mismatch('sampled', sampled.value.dataSync(), exact.value.dataSync(), 1e-9),
        ...sampled.grads.map((grad, i) =>
          mismatch(parameters[i].name, grad.dataSync(), exact.grads[i].dataSync(), 1e-9),
        ),
      ]);
    });
  });

  for (const distribution of ['logUniform', 'uniform', [5, 4, 3, 2, 1, 1, 1, 1, 2]] as const) {
    test(`has gradients that agree with finite differences for fixed samples: ${distribution}`, () => {
      onBackend(float64, () => {
        const { layer, hidden, target, parameters } = sampledCase(9, 3, 4);
        const loss = losses.sampledSoftmax({ layer, samples: 4, distribution });
        const compute = (): Tensor => loss.compute(hidden, target, null, null, training);
        const { grads } = valueAndGrad(compute, parameters);
        parameters.forEach((parameter, n) => {
          const values = parameter.dataSync();
          const differences = values.map((_, i) => {
            const at = (step: number): number => {
              parameter.assign(values.map((value, j) => (i === j ? value + step : value)));
              return compute().item();
            };
            return (at(1e-5) - at(-1e-5)) / 2e-5;
          });
          parameter.assign(values);
          throwProblems([mismatch(parameter.name, grads[n].dataSync(), differences, 1e-8)]);
        });
      });
    });
  }

  test('the mean gradient over many samples approaches the exact one', () => {
    onBackend(float64, () => {
      const { layer, hidden, target, parameters } = sampledCase(40, 3, 6);
      const loss = losses.sampledSoftmax({ layer, samples: 25 });
      const exact = valueAndGrad(() => loss.compute(hidden, target, null), parameters).grads[0].dataSync();
      const mean = new Float64Array(exact.length);
      for (let n = 0; n < 400; n++) {
        const context = { training: true, random: new RandomStream(n) };
        const { grads } = valueAndGrad(() => loss.compute(hidden, target, null, null, context), [hidden]);
        grads[0].dataSync().forEach((value, i) => {
          mean[i] += value / 400;
        });
      }
      const norm = (values: ArrayLike<number>): number => Math.hypot(...Array.from(values));
      const error = norm(mean.map((value, i) => value - exact[i])) / norm(exact);
      assert.ok(error < 0.1, `relative error ${error}`);
    });
  });

  test('trains a tied language model; the predictor shares its weights', async () => {
    const V = 300;
    const x = input({ shape: [null] });
    const tokens = embedding({ inputDim: V, outputDim: 24 });
    const hidden = lstm({ units: 24, returnSequences: true }).apply(tokens.apply(x));
    const scores = outputEmbedding({ tiedTo: tokens });
    const predictor = model({ inputs: x, outputs: scores.apply(hidden) });
    const trainer = model({ inputs: x, outputs: hidden });
    trainer.compile({
      optimizer: { name: 'adam', learningRate: 0.02 },
      loss: losses.sampledSoftmax({ layer: scores, samples: 40 }),
    });
    const ids = Array.from({ length: 256 }, (_, i) =>
      Array.from(new RandomStream(i, 'ids').words(6), (word) => word % V),
    );
    const validation = [ids.slice(0, 32), successors(ids.slice(0, 32), V)] as const;
    const history = await trainer.fit(ids, successors(ids, V), {
      ...{ epochs: 60, verbose: 0, validationData: [...validation] },
    });
    const [validationLoss] = history.validationLoss?.slice(-1) ?? [];
    assert.ok(validationLoss < 1, `${validationLoss}`);
    const scoresOf = await predictor.predictArray<number[][][]>(ids.slice(0, 32));
    let right = 0;
    for (const [i, rows] of scoresOf.entries())
      for (const [t, row] of rows.entries())
        if (row.indexOf(Math.max(...row)) === validation[1][i][t]) right++;
    assert.ok(right > 0.9 * 32 * 6, `${right} of ${32 * 6}`);
  });

  for (const tied of [true, false])
    test(`a saved model is loaded, and must be compiled again to train (${tied ? 'tied' : 'own'} table)`, async (t) => {
      const x = input({ shape: [null] });
      const tokens = embedding({ inputDim: 9, outputDim: 4, name: 'tokens' });
      const hidden = lstm({ units: 4, returnSequences: true }).apply(tokens.apply(x));
      const layerOf = (table: typeof tokens) =>
        outputEmbedding({ name: 'scores', ...(tied ? { tiedTo: table } : { units: 9 }) });
      const lossOf = (table: typeof tokens) => losses.sampledSoftmax({ layer: layerOf(table), samples: 5 });
      const trainer = model({ inputs: x, outputs: hidden }).compile({ loss: lossOf(tokens) });
      const ids = [[1, 2, 3], [4, 5, 6]]; // biome-ignore format: one line
      await trainer.fit(ids, successors(ids, 9), { epochs: 3, verbose: 0 });
      const folder = mkdtempSync(join(tmpdir(), 'unroll-sampled-'));
      t.after(() => rmSync(folder, { recursive: true }));
      await trainer.save(folder);
      const loaded = await load(folder);
      assert.deepEqual(await loaded.predictArray(ids), await trainer.predictArray(ids));
      await assert.rejects(loaded.fit(ids, successors(ids, 9)), {
        code: 'state',
        message:
          /^Call compile\(.*\) before fit\(\)\. The saved loss "sampledSoftmax" uses a layer.* pass losses\.sampledSoftmax\(\{ layer \}\) again, with a layer of the same name and size\.$/,
      });
      loaded.compile({ loss: lossOf(loaded.getLayer('tokens') as typeof tokens) });
      assert.deepEqual(
        await loaded.evaluate(ids, successors(ids, 9)),
        await trainer.evaluate(ids, successors(ids, 9)),
      );
      assert.throws(() => loaded.compile({ loss: 'sampledSoftmax' as never }), {
        message:
          /^The loss "sampledSoftmax" cannot be selected by name, .* Pass losses\.sampledSoftmax\(\{ layer \}\)\.$/,
      });
    });

  /** Saves a trained model whose loss has a layer with its own table, and returns the loaded model. */
  async function reloaded(t: TestContext) {
    const x = input({ shape: [null] });
    const tokens = embedding({ inputDim: 9, outputDim: 4, name: 'tokens' });
    const hidden = lstm({ units: 4, returnSequences: true }).apply(tokens.apply(x));
    const loss = losses.sampledSoftmax({ layer: outputEmbedding({ name: 'scores', units: 9 }), samples: 5 });
    const trainer = model({ inputs: x, outputs: hidden }).compile({ loss, optimizer: 'sgd' });
    const ids = [[1, 2, 3], [4, 5, 6]]; // biome-ignore format: one line
    const data = [ids, successors(ids, 9)] as const;
    await trainer.fit(...data, { epochs: 3, verbose: 0 });
    const folder = mkdtempSync(join(tmpdir(), 'unroll-sampled-'));
    t.after(() => rmSync(folder, { recursive: true }));
    await trainer.save(folder);
    return { trainer, loaded: await load(folder), folder, data };
  }

  test('a loaded model that is not compiled again is saved with the table and the compile options', async (t) => {
    const { trainer, loaded, folder, data } = await reloaded(t);
    const copy = join(folder, 'copy');
    await loaded.save(copy);
    const fileOf = (...path: string[]): Buffer => readFileSync(join(folder, ...path));
    assert.deepEqual(fileOf('copy', 'model.safetensors'), fileOf('model.safetensors'));
    assert.deepEqual(fileOf('copy', 'config.json'), fileOf('config.json'));
    const compiledIn = (...path: string[]): unknown =>
      (JSON.parse(fileOf(...path, 'training.json').toString()) as { compiled: unknown }).compiled;
    assert.deepEqual(compiledIn('copy'), compiledIn());
    const again = await load(copy);
    await assert.rejects(again.fit(...data), /The saved loss "sampledSoftmax" uses a layer/);
    again.compile({ loss: losses.sampledSoftmax({ layer: outputEmbedding({ name: 'scores', units: 9 }) }) });
    assert.deepEqual(await again.evaluate(...data), await trainer.evaluate(...data));
  });

  test('a loaded model rejects a layer of another size or name, and stays without compile options', async (t) => {
    const { trainer, loaded, data } = await reloaded(t);
    const compile = (options: Parameters<typeof outputEmbedding>[0]) => () =>
      loaded.compile({ loss: losses.sampledSoftmax({ layer: outputEmbedding(options), samples: 5 }) });
    assert.throws(compile({ name: 'scores', units: 10 }), {
      code: 'format',
      message:
        /^The loss parameter scores\/embeddings must have shape \[10, 4\], got \[9, 4\] in the file\.$/,
    });
    await assert.rejects(loaded.fit(...data), { code: 'state' });
    assert.throws(compile({ name: 'other', units: 9 }), {
      code: 'format',
      message: /^The file has the loss parameter scores\/embeddings, but the loss of the model has no such/,
    });
    compile({ name: 'scores', units: 9 })();
    assert.deepEqual(await loaded.evaluate(...data), await trainer.evaluate(...data));
  });

  test('a loaded model that was trained with a tied table rejects a layer with its own table', async (t) => {
    const x = input({ shape: [null] });
    const tokens = embedding({ inputDim: 9, outputDim: 4, name: 'tokens' });
    const hidden = lstm({ units: 4, returnSequences: true }).apply(tokens.apply(x));
    const tied = outputEmbedding({ name: 'scores', tiedTo: tokens });
    const trainer = model({ inputs: x, outputs: hidden }).compile({
      loss: losses.sampledSoftmax({ layer: tied }),
    });
    await trainer.fit([[1, 2]], [[2, 3]], { verbose: 0 });
    const folder = mkdtempSync(join(tmpdir(), 'unroll-sampled-'));
    t.after(() => rmSync(folder, { recursive: true }));
    await trainer.save(folder);
    const loaded = await load(folder);
    const own = outputEmbedding({ name: 'scores', units: 9 });
    assert.throws(() => loaded.compile({ loss: losses.sampledSoftmax({ layer: own }) }), {
      code: 'format',
      message: /^The loss parameter scores\/embeddings is missing from the file\.$/,
    });
  });

  test('rejects wrong options, and a target outside of the vocabulary', () => {
    const layer = outputEmbedding({ units: 5 });
    const make = (options: object) => () => losses.sampledSoftmax({ layer, ...options });
    assert.throws(make({ samples: 0 }), /samples must be a positive integer, got 0/);
    assert.throws(make({ samples: 6 }), /samples must be at most the size of the vocabulary, 5, got 6/);
    assert.throws(
      make({ distribution: 'zipf' }),
      /distribution must be logUniform, uniform or 5 weights, got "zipf"/,
    );
    assert.throws(make({ distribution: [1, 2] }), /got 2 weights/);
    assert.throws(make({ distribution: [1, 2, 0, 1, 1] }), /must be above 0, got 0 for token 2/);
    assert.throws(make({ layer: dense({ units: 2 }) }), /layer must be the result of outputEmbedding/);
    assert.throws(make({ sample: 3 }), /no option "sample"/);
    layer.build([[-1, 2]]);
    const loss = losses.sampledSoftmax({ layer });
    assert.throws(
      () => loss.compute(tensor([[1, 2]]), tensor([5]), null),
      /the target at \[0\] must be a token of the vocabulary, 0 to 4, got 5/,
    );
  });
});
