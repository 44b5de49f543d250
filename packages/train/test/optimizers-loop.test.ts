/**
 * Repeats, in the training loop, those Keras cases of optimizers-goldens.test.ts whose results depend on the order of the
 * operations within a step. The gradient of the model is the batch itself. The order must be that of Keras: mean of the
 * accumulated gradients, clipping, weight decay, update, moving average.
 */
import { describe, test } from 'node:test';
import { concat, type MaskedSequence, type Model, mul, Parameter, reshape, sum, tensor } from '@unroll/core';
import { mismatch, throwProblems } from '@unroll/testkit';
import { type Examples, train } from '@unroll/train';
import { makeLoss } from '@unroll/train/internal';
import { numbersOf, type Packed, trainingGoldens, unpack } from './goldens.js';
import { clipOf, type GoldenOptions, optimizerOf } from './optimizer-options.js';

interface OptimizerCase extends GoldenOptions {
  name: string;
  after: Packed[];
}

const goldens = trainingGoldens<{ initial: Packed[]; gradients: Packed[]; cases: OptimizerCase[] }>(
  'optimizers.json',
);

/** The output is the sum of weights times inputs, so the gradient of the weights is the input. */
class GivenGradients implements Model {
  readonly name = 'given';
  readonly built = true;
  readonly config = {};
  readonly parameters = goldens.initial
    .map(unpack)
    .map(({ shape, values }, i) => new Parameter(`p${i}`, shape, values));

  build(): void {}

  forward([x]: readonly MaskedSequence[]): MaskedSequence[] {
    const weights = this.parameters.map((parameter) => reshape(parameter, [1, parameter.size]));
    return [{ value: sum(mul(concat(weights, 1), x!.value), -1, true), mask: null }];
  }
}

/** A loss that equals the output. */
const output = makeLoss(
  {
    name: 'output',
    config: {},
    align: (prediction, target) => ({ prediction, target }),
    rows: (prediction) => sum(prediction, -1),
  },
  {},
);

const STEPS = goldens.gradients[0]!.shape[0]!;

/** Returns the values of all tensors at a step; the first axis of the tensors is the step. */
function valuesAt(step: number, tensors: readonly Packed[]): number[] {
  return tensors.flatMap((packed) => {
    const values = [...numbersOf(packed)];
    const size = values.length / STEPS;
    return values.slice(step * size, (step + 1) * size);
  });
}

const CASES = /accumulating|ema|globalClipNorm$|clipNorm$|clipValue$|weightDecay|schedule/;

describe('optimizers in the training loop against the goldens', () => {
  for (const golden of goldens.cases.filter(({ name, source }) => source === 'keras' && CASES.test(name))) {
    test(golden.name, async () => {
      const { options } = golden;
      const model = new GivenGradients();
      const clip = clipOf(golden);
      const momentum = options.emaMomentum as number;
      const average = { momentum, overwriteEvery: options.emaOverwriteFrequency as number | null };
      const batches = Array.from({ length: STEPS }, (_, step): Examples => {
        const gradient = valuesAt(step, goldens.gradients);
        return { x: tensor(gradient, [1, gradient.length]), y: tensor([0]) };
      });
      const problems: (string | null)[] = [];
      for await (const event of train(model, {
        batches,
        loss: output,
        optimizer: optimizerOf(golden, ['p0', 'p1', 'p2']),
        accumulate: (options.gradientAccumulationSteps as number | undefined) ?? 1,
        ...(clip && { clip }),
        ...(options.useEma ? { average } : {}),
      })) {
        // At the end of an epoch, Unroll applies the gradients accumulated so far; Keras keeps accumulating in the next epoch.
        if (event.type !== 'step' || (options.gradientAccumulationSteps && event.step === STEPS)) continue;
        const weights = model.parameters.flatMap((parameter) => [...parameter.dataSync()]);
        problems.push(
          mismatch(`after step ${event.step}`, weights, valuesAt(event.step - 1, golden.after), 5e-6),
        );
      }
      throwProblems(problems);
    });
  }
});
