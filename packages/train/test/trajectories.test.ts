/**
 * Compares whole training runs with Keras and PyTorch: three models (a forecaster, a classifier with masked steps, and an
 * encoder-decoder whose decoder starts from the states of the encoder), 20 steps with each optimizer and each kind of clipping
 * (packages/testkit/goldens/training/trajectories.json, written by tools/goldens/training_trajectories.py). Tests layers, their
 * gradients, loss, clipping, optimizer and training loop together: any error larger than rounding changes the results.
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { type Model, setBackend } from '@unroll/core';
import { dense, embedding, gru, input, lstm, model, type Network, sequential } from '@unroll/nn';
import { mismatch, throwProblems } from '@unroll/testkit';
import { type Examples, type LossName, resolveOptimizer, train } from '@unroll/train';
import { numbersOf, type Packed, toTensor, trainingGoldens, unpack } from './goldens.js';
import { clipOf, type GoldenOptions, optimizerOf } from './optimizer-options.js';

interface Trajectory extends GoldenOptions {
  name: string;
  model: 'forecaster' | 'classifier' | 'encoderDecoder';
  losses: Packed;
  afterStep1: Packed[];
  afterStep20: Packed[];
  float64Difference: Record<'losses' | 'afterStep1' | 'afterStep20', number>;
}

interface GoldenModel {
  loss: LossName;
  weights: ({ name: string } & Packed)[];
  batches: { inputs: Packed[]; target: Packed }[];
}

const { models, cases } = trainingGoldens<{
  models: Record<Trajectory['model'], GoldenModel>;
  cases: Trajectory[];
}>('trajectories.json');

const STEPS = 20;

const builders: Record<Trajectory['model'], () => Network> = {
  forecaster: () => sequential([lstm({ units: 8, activation: 'relu' }), dense({ units: 1 })]),
  classifier: () =>
    sequential([
      embedding({ inputDim: 20, outputDim: 8, maskZero: true }),
      gru({ units: 8 }),
      dense({ units: 6, activation: 'relu' }),
      dense({ units: 3, activation: 'softmax' }),
    ]),
  encoderDecoder() {
    const source = input({ shape: [6, 4] });
    const target = input({ shape: [5, 7] });
    const [, h, c] = lstm({ units: 6, returnState: true }).apply(source);
    const decoded = lstm({ units: 6, returnSequences: true }).apply(target, { initialState: [h!, c!] });
    return model({
      inputs: [source, target],
      outputs: dense({ units: 7, activation: 'softmax' }).apply(decoded),
    });
  },
};

const weightsOf = (network: Model): number[] =>
  network.parameters.flatMap((parameter) => [...parameter.dataSync()]);
const joined = (tensors: readonly Packed[]): number[] => tensors.flatMap((packed) => [...numbersOf(packed)]);

async function check(golden: Trajectory): Promise<void> {
  const { loss, weights, batches } = models[golden.model];
  const network = builders[golden.model]();
  const examples = batches.map(
    ({ inputs, target }): Examples => ({ x: inputs.map(toTensor), y: toTensor(target) }),
  );
  network.build(batches[0]!.inputs.map(({ shape }) => [-1, ...shape.slice(1)]));
  network.setWeights(weights.map(unpack));

  const losses: number[] = [];
  const weightsAfterStep = new Map<number, number[]>();
  const clip = clipOf(golden);
  for await (const event of train(network, {
    batches: Array.from({ length: STEPS }, (_, step) => examples[step % 2]!),
    loss,
    optimizer: resolveOptimizer(optimizerOf(golden)),
    ...(clip && { clip }),
  })) {
    if (event.type !== 'step') continue;
    losses.push(event.loss);
    if (event.step === 1 || event.step === STEPS) weightsAfterStep.set(event.step, weightsOf(network));
  }

  // Three times the difference between the float32 and float64 runs of the golden.
  const allowed = (what: keyof Trajectory['float64Difference']): number =>
    Math.max(2e-6, 3 * golden.float64Difference[what]);
  const expected = [...unpack(golden.losses).values];
  const relative = losses.map((value, step) => value / expected[step]!);
  throwProblems([
    mismatch(
      'loss, as a ratio',
      relative,
      Array.from({ length: STEPS }, () => 1),
      allowed('losses'),
    ),
    mismatch(
      'weights after step 1',
      weightsAfterStep.get(1)!,
      joined(golden.afterStep1),
      allowed('afterStep1'),
    ),
    mismatch(
      'weights after step 20',
      weightsAfterStep.get(STEPS)!,
      joined(golden.afterStep20),
      allowed('afterStep20'),
    ),
  ]);
  assert.ok(losses[STEPS - 1]! < losses[1]!);
}

after(() => setBackend());

for (const backend of ['default', 'wasm', 'reference:float64'] as const) {
  describe(`training runs against the goldens, backend ${backend}`, () => {
    for (const golden of cases) {
      test(golden.name, async () => {
        await (backend === 'default' ? setBackend() : setBackend(backend));
        await check(golden);
      });
    }
  });
}
