/**
 * A custom cell with a memory and a custom loss with a parameter are trained together, saved and loaded. Predictions and
 * metrics must stay the same, training must continue, and damaged files must be rejected.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  add,
  type Cell,
  type CellConstants,
  dense,
  type Functional,
  fromArtifact,
  input,
  load,
  log,
  losses,
  matmul,
  model,
  mul,
  type Parameter,
  type ParameterMaker,
  recurrent,
  registerCell,
  registerLoss,
  reshape,
  type StepContext,
  softmax,
  sum,
  type Tensor,
  type Trainable,
  tensor,
  toArtifact,
  UnrollError,
} from 'unrolljs';
import { load as loadForInference } from 'unrolljs/infer';

/** N sequences of T steps; the memory has S steps of D features, and the cell D units; each target has L labels. */
const [N, T, S, D, L] = [12, 4, 3, 2, 2];

/** h ← x W + mean(memory) + h / 2; y = h. */
class MeanCell implements Cell<{ h: Tensor }, 'memory', { mean: Tensor }> {
  static readonly className = 'MeanCell';
  readonly className = MeanCell.className;
  readonly units = D;
  readonly stateSizes = { h: D };
  readonly config = {};
  readonly constants = ['memory'] as const;
  #W!: Parameter;

  build(inputSize: number, make: ParameterMaker): void {
    this.#W = make('kernel', [inputSize, D], 'glorotUniform');
  }
  prepare({ memory }: CellConstants<'memory'>): { mean: Tensor } {
    return { mean: mul(sum(memory.value, 1), 1 / memory.value.shape[1]) };
  }
  step(x: Tensor, { h }: { h: Tensor }, { prepared }: StepContext<'memory', { mean: Tensor }>) {
    const y = add(add(matmul(x, this.#W), prepared.mean), mul(h, 0.5));
    return { y, state: { h: y } };
  }
}

/** -(n/T) Σ_t log softmax(s x_t)[first label], for targets of n labels, with a trained sharpness s. */
const sharpLoss = ({ start = 1 }: { start?: number } = {}) =>
  losses.sequence<{ sharpness: Parameter }>({
    ...{ name: 'sharpLoss', config: { start }, padding: -1 },
    build: (_shape, make) => ({ sharpness: make('sharpness', [], start) }),
    losses({ prediction, target, targetLengths, lengths }, { sharpness }) {
      const [B, , K] = prediction.shape as [number, number, number];
      const labels = target.dataSync();
      const hot = Array.from({ length: B * K }, (_, i) => {
        const b = Math.floor(i / K);
        return labels[b * L] === i % K ? -targetLengths[b] / lengths[b] : 0;
      });
      const logs = sum(log(softmax(mul(prediction, sharpness))), 1);
      return sum(mul(logs, reshape(tensor(hot), [B, K])), 1);
    },
  });
registerCell(MeanCell);
registerLoss('sharpLoss', sharpLoss);

const numbers = (size: number): number[] => Array.from({ length: size }, (_, i) => Math.sin(3 * i + size));
const x = { x: tensor(numbers(N * T), [N, T, 1]), memory: tensor(numbers(N * S * D), [N, S, D]) };
const y = tensor(
  Array.from({ length: N * L }, (_, i) => (i % L === 0 ? (i / L) % 2 : i % 3 === 0 ? -1 : 0)),
  [N, L],
);

const make = (): Functional & Trainable => {
  const [target, source] = [
    input({ shape: [null, 1], name: 'x' }),
    input({ shape: [null, D], name: 'memory' }),
  ];
  const layer = recurrent(new MeanCell(), { returnSequences: true });
  const out = dense({ units: 2, name: 'labels' }).apply(layer.apply(target, { constants: [source] }));
  return model({ inputs: [target, source], outputs: out });
};

const fitOptions = { epochs: 3, batchSize: 4, verbose: 0, seed: 4 } as const;
const trained = async () => {
  const network = make().compile({ optimizer: { name: 'sgd', learningRate: 0.2 }, loss: sharpLoss() });
  await network.fit(x, y, fitOptions);
  return network;
};

type Files = Map<string, Uint8Array>;
const filesOf = async (network: Functional & Trainable): Promise<Files> => {
  const found: Files = new Map();
  const { mkdtemp, readFile, readdir, rm } = await import('node:fs/promises');
  const folder = await mkdtemp('/tmp/unroll-contracts-');
  await network.save(`${folder}/model`);
  for (const name of await readdir(`${folder}/model`))
    found.set(name, await readFile(`${folder}/model/${name}`));
  await rm(folder, { recursive: true });
  return found;
};
const textOf = (files: Files, name: string): string => new TextDecoder().decode(files.get(name));
const changed = (files: Files, name: string, change: (text: string) => string): Files => {
  const text = textOf(files, name);
  assert.notEqual(change(text), text);
  return new Map(files).set(name, new TextEncoder().encode(change(text)));
};
const failsWith = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof UnrollError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  return true;
};

describe('a cell with a memory and a loss with a parameter', () => {
  test('are saved and loaded: same predictions and metrics, and training continues', async () => {
    const network = await trained();
    const metrics = await network.evaluate(x, y);
    const files = await filesOf(network);
    const config = JSON.parse(textOf(files, 'config.json')) as { lossParameters: object };
    assert.deepEqual(config.lossParameters, { 'loss/labels/sharpness': [] });
    const loaded = await load(files);
    assert.deepEqual(await loaded.evaluate(x, y), metrics);
    assert.deepEqual((await loaded.predict(x)).toArray(), (await network.predict(x)).toArray());
    const again = await filesOf(loaded as never);
    assert.deepEqual(again.get('model.safetensors'), files.get('model.safetensors'));
    // SGD without momentum has no state, so `loaded` and the newly compiled `network` continue with the same updates.
    network.compile({ optimizer: { name: 'sgd', learningRate: 0.2 }, loss: await sameLoss(files) });
    await loaded.fit(x, y, fitOptions);
    await network.fit(x, y, fitOptions);
    assert.deepEqual(await loaded.evaluate(x, y), await network.evaluate(x, y));
    assert.notDeepEqual(await loaded.evaluate(x, y), metrics);
  });

  /** Returns a loss whose parameter has the value that the files contain. */
  async function sameLoss(files: Files) {
    const { lossParameters } = fromArtifact(files);
    return sharpLoss({ start: lossParameters['loss/labels/sharpness'].values[0] });
  }

  test('run with unrolljs/infer, and stream with the memory given once', async () => {
    const network = await trained();
    const loaded = await loadForInference(await filesOf(network));
    const whole = await network.predict(x);
    assert.deepEqual((await loaded.predict(x)).toArray(), whole.toArray());
    const stream = loaded.stream({ inputs: { memory: x.memory } });
    const steps = x.x.toArray() as number[][][];
    for (let t = 0; t < T; t++) {
      const got = stream.step(steps.map((row) => row[t])).toArray() as number[][];
      const want = (whole.toArray() as number[][][]).map((row) => row[t]);
      const errors = got.flatMap((row, b) => row.map((value, k) => Math.abs(value - want[b][k])));
      assert.ok(Math.max(...errors) < 1e-5);
    }
  });

  test('a second compile() with the same loss saves its trained parameters', async () => {
    const loss = sharpLoss();
    const network = make().compile({ optimizer: { name: 'sgd', learningRate: 0.2 }, loss });
    await network.fit(x, y, fitOptions);
    const metrics = await network.evaluate(x, y);
    network.compile({ optimizer: 'adam', loss });
    const files = await filesOf(network); // saved before another call of fit or evaluate
    const { values } = fromArtifact(files).lossParameters['loss/labels/sharpness'];
    assert.deepEqual([...values], [...loss.parameters![0].dataSync()]);
    assert.notEqual(values[0], 1);
    assert.deepEqual(await (await load(files)).evaluate(x, y), metrics);
  });

  test('the file of a model that was compiled but not trained contains no loss parameters', async () => {
    const network = make().compile({ loss: sharpLoss() });
    network.build();
    const files = await filesOf(network);
    assert.equal('lossParameters' in (JSON.parse(textOf(files, 'config.json')) as object), false);
    await (await load(files)).evaluate(x, y);
  });

  test('damaged files are rejected: a missing parameter, an extra one, a wrong shape, an unknown loss', async () => {
    const network = await trained();
    const files = await filesOf(network);
    const refused = async (broken: Files, message: RegExp, code = 'format') => {
      await assert.rejects(load(broken), failsWith(code, message));
    };
    const withLossParameters = (list: string) => (text: string) =>
      text.replace(/"lossParameters": \{[^}]*\}/, `"lossParameters": ${list}`);
    await refused(
      changed(files, 'config.json', withLossParameters('{}')),
      /has an unused tensor "loss\/labels\/sharpness"/,
    );
    await refused(
      changed(
        files,
        'config.json',
        withLossParameters('{ "loss/labels/sharpness": [], "loss/labels/more": [] }'),
      ),
      /"loss\/labels\/more" has the shape \[\] in config.json, but no tensor in model.safetensors/,
    );
    await refused(
      changed(files, 'config.json', withLossParameters('{ "loss/labels/sharpness": [7, 7] }')),
      /the loss parameter "loss\/labels\/sharpness" has the shape \[7,7\] in config.json, but \[\] in model.safetensors/,
    );
    await refused(
      changed(files, 'config.json', withLossParameters('7')),
      /lossParameters must be a JSON object/,
    );
    const extras = (lossParameters: readonly Parameter[]) => ({
      training: JSON.parse(textOf(files, 'training.json')) as object,
      lossParameters,
    });
    const [sharpness] = Object.values(fromArtifact(files).lossParameters);
    const { Parameter } = await import('unrolljs');
    const parameterOf = (name: string, shape: number[]) =>
      new Parameter(name, shape, [...sharpness.values, 1, 1].slice(0, shape[0] ?? 1));
    const rightParameter = parameterOf('loss/labels/sharpness', []);
    await refused(
      await toArtifact(network, extras([parameterOf('loss/labels/sharpness', [2])])),
      /loss parameter loss\/labels\/sharpness must have shape \[\], got \[2\] in the file/,
    );
    await refused(
      await toArtifact(network, extras([parameterOf('loss/labels/other', [])])),
      /loss parameter loss\/labels\/sharpness is missing from the file/,
    );
    await refused(
      await toArtifact(network, extras([rightParameter, parameterOf('loss/labels/other', [])])),
      /The file has the loss parameter loss\/labels\/other, but the loss of the model has no such parameter/,
    );
    await refused(
      changed(files, 'training.json', (text) => text.replace('"sharpLoss"', '"dullLoss"')),
      /There is no loss "dullLoss".*registerLoss\(\)/,
      'value',
    );
  });
});
