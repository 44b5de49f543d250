/**
 * Compares convolution and pooling over time and over images with Keras 3 (tools/goldens/convolution.py): outputs and
 * gradients on every backend, for all pairs of options.
 */
import { describe, test } from 'node:test';
import {
  averagePooling1d,
  averagePooling2d,
  conv1d,
  conv2d,
  globalAveragePooling1d,
  globalMaxPooling1d,
  type Layer,
  maxPooling1d,
  maxPooling2d,
} from '@unroll/nn';
import { readGoldens } from '@unroll/testkit/node';
import {
  backends,
  compare,
  type GoldenTensor,
  inferenceContext,
  onBackend,
  tensorFrom,
  trainableParametersOf,
  valuesOf,
} from './golden-case.js';

interface Case {
  name: string;
  kind: keyof typeof factories;
  options: { mask?: GoldenTensor };
  inputs: [GoldenTensor];
  weights: GoldenTensor[];
  /** Coefficients of the scalar Σ outputWeights · outputs, whose gradients are compared; one tensor per output. */
  outputWeights: GoldenTensor[];
  outputs: GoldenTensor[];
  gradients: { inputs: GoldenTensor[]; weights: GoldenTensor[] };
}

const factories = {
  conv1d: (options) => conv1d({ filters: 6, ...options } as never),
  conv2d: (options) => conv2d({ filters: 3, ...options } as never),
  maxPooling1d,
  maxPooling2d,
  averagePooling1d,
  averagePooling2d,
  globalMaxPooling1d,
  globalAveragePooling1d,
} satisfies Record<string, (options: object) => Layer>;

const cases = ['convolution', 'images-2d'].flatMap(
  (name) => (readGoldens(`layers/${name}.json`) as { cases: Case[] }).cases,
);

for (const { name: backendName, backend, reason } of backends) {
  describe(`convolution and pooling agree with Keras on ${backendName}`, {
    skip: backend === null && reason,
  }, () => {
    for (const golden of cases) {
      test(golden.name, () => {
        onBackend(backend!, () => {
          const { mask: maskValues, ...options } = golden.options;
          const layer = factories[golden.kind](options);
          const x = tensorFrom(golden.inputs[0]);
          const mask = maskValues ? tensorFrom(maskValues) : null;
          layer.build([x.shape]);
          layer.setWeights(
            golden.weights.map((weight) => ({ shape: weight.shape, values: valuesOf(weight) })),
          );
          const work = () => layer.invoke([{ value: x, mask }], inferenceContext()).map(({ value }) => value);
          compare(work, [x, ...trainableParametersOf(layer)], {
            outputs: golden.outputs,
            outputWeights: golden.outputWeights,
            gradients: [...golden.gradients.inputs, ...golden.gradients.weights],
          });
        });
      });
    }
  });
}
